//! Records of decisions as JSON.

use super::{AskedFor, Entry, Micros, Names, Planned, Slim, Step, Waited, Weighed};
use crate::record::Tried;
use serde_json::{Map, Value as Json, json};
use weir_core::{Cost, Outcome, Usage};
use weir_routing::Reason;

/// A record in full.
pub(crate) fn shown(entry: &Entry, names: &Names) -> Json {
    let mut all = head(entry, names);
    all.insert("rules".into(), entry.steps.iter().flat_map(|step| rules(*step, names)).collect());
    all.insert(
        "plans".into(),
        entry.plans().map(|(plan, of, out)| self::plan(entry, plan, of, out, names)).collect(),
    );
    all.insert("attempts".into(), entry.attempts.iter().map(|tried| attempt(tried, names)).collect());
    all.insert("waits".into(), entry.waits.iter().map(wait).collect());
    let left_out = entry.left_out as usize + (entry.calls() - entry.attempts.len());
    if left_out > 0 {
        all.insert("left_out".into(), json!(left_out));
    }
    if let Some(end) = &entry.end {
        put(&mut all, "usage", end.usage.map(usage));
        put(&mut all, "first_token_ms", end.first_token.map(|time| json!(time.millis())));
        put(&mut all, "predicted_ms", end.predicted.map(|time| json!(time.millis())));
        all.insert("overhead_ms".into(), json!(end.overhead.millis()));
        put(&mut all, "answered_by", end.answered_by.map(|nth| json!(nth + 1)));
    }
    Json::Object(all)
}

/// A line of a list of records.
pub(super) fn in_short(entry: &Entry, names: &Names) -> Json {
    let mut all = head(entry, names);
    let answered_by = entry.end.as_ref().and_then(|end| end.answered_by);
    let answered = answered_by.and_then(|nth| entry.attempts.iter().find(|tried| tried.nth == nth));
    let deployment =
        answered.or(entry.attempts.last()).map(|tried| json!(names.deployment(tried.deployment)));
    put(&mut all, "deployment", deployment);
    all.insert("attempts".into(), json!(entry.calls()));
    Json::Object(all)
}

fn put(all: &mut Map<String, Json>, name: &str, value: Option<Json>) {
    if let Some(value) = value {
        all.insert(name.into(), value);
    }
}

fn head(entry: &Entry, names: &Names) -> Map<String, Json> {
    let head = &entry.head;
    let text = |bytes: [u8; 28]| String::from_utf8_lossy(&bytes).into_owned();
    let mut all = Map::new();
    all.insert("id".into(), json!(text(head.id.decision())));
    all.insert("request_id".into(), json!(head.id.as_str()));
    let at = jiff::Timestamp::try_from(head.at).ok().map(|at| json!(format!("{at:.6}")));
    put(&mut all, "at", at);
    all.insert("generation".into(), json!(head.generation));
    put(&mut all, "endpoint", head.endpoint.map(|endpoint| json!(endpoint.operation())));
    put(&mut all, "model", name(&names.models, head.model));
    put(&mut all, "key", name(&names.keys, head.key));
    all.insert("stream".into(), json!(head.streamed));
    if head.dry_run {
        all.insert("dry_run".into(), json!(true));
    }
    all.insert("prompt_tokens".into(), json!(head.prompt_tokens));
    put(&mut all, "output_tokens", head.output_tokens.map(|most| json!(most)));
    put(&mut all, "hints", hints(&head.hinted));
    let served = entry.end.as_ref().and_then(|end| end.route).unwrap_or(head.route);
    all.insert("route".into(), json!(names.route(served as usize)));
    let Some(end) = &entry.end else {
        all.insert("outcome".into(), json!("running"));
        return all;
    };
    all.insert("outcome".into(), json!(end.outcome.name()));
    if let Outcome::Failed(class) = end.outcome {
        all.insert("blame".into(), json!(class.blame().name()));
    }
    all.insert("status".into(), json!(end.status));
    put(&mut all, "code", end.code.as_ref().map(|code| json!(code)));
    all.insert("cost_usd".into(), json!(end.cost.to_string()));
    all.insert("total_ms".into(), json!(end.total.millis()));
    all
}

/// What was asked for by headers; `None` for nothing. Names of sessions are the client's own and not kept.
fn hints(hinted: &AskedFor) -> Option<Json> {
    let AskedFor { no_fallback, session, regions, of_first, budget, max_cost, policy, task } = *hinted;
    let mut all = Map::new();
    for (name, set) in [("no_fallback", no_fallback), ("session", session), ("region", regions)] {
        put(&mut all, name, set.then_some(json!(true)));
    }
    let of = if of_first { "first_token_budget_ms" } else { "latency_budget_ms" };
    put(&mut all, of, budget.map(|budget| json!(budget.millis())));
    let cost = |pico: u64| json!(Cost::from_pico_usd(i128::from(pico)).to_string());
    put(&mut all, "max_cost_usd", max_cost.map(cost));
    put(&mut all, "policy", policy.map(|policy| json!(policy)));
    put(&mut all, "task", task.map(|task| json!(task.name())));
    (!all.is_empty()).then_some(Json::Object(all))
}

fn name(names: &[std::sync::Arc<str>], place: Option<u32>) -> Option<Json> {
    place.and_then(|place| names.get(place as usize)).map(|name| json!(**name))
}

fn usage(usage: Usage) -> Json {
    json!({
        "input": usage.input, "output": usage.output, "cached": usage.cache_read,
        "cache_write": usage.cache_write, "reasoning": usage.reasoning, "source": usage.source.name(),
    })
}

/// The rules of one route up to the one that held.
fn rules(step: Step, names: &Names) -> Vec<Json> {
    let Some(route) = names.routes.get(step.route as usize) else { return Vec::new() };
    let tried = step.rule.map_or(route.rules.len(), |held| held as usize + 1);
    let held = |place: usize| step.rule.is_some_and(|held| held as usize == place);
    let tried = route.rules.iter().take(tried).enumerate().map(|(place, (rule, to))| {
        let mut rule = json!({ "route": *route.name, "rule": **rule, "holds": held(place) });
        if held(place) {
            rule["use"] = json!(**to);
        }
        rule
    });
    tried.collect()
}

fn plan(entry: &Entry, plan: &Planned, of: &[Weighed], out: &[(u32, Reason)], names: &Names) -> Json {
    let pool = names.pools.get(plan.place.pool);
    let mut shown = json!({
        "route": names.route(plan.place.route),
        "policy": plan.policy.or(pool.map(|pool| pool.policy)),
        "at_ms": Micros::of(plan.at.since(entry.head.began)).millis(),
        "candidates": of.iter().map(|one| candidate(one, entry.head.streamed, names)).collect::<Vec<_>>(),
        "dropped": out.iter().map(|(deployment, reason)| {
            let mut dropped = why(*reason, plan);
            dropped.insert("deployment".into(), json!(names.deployment(*deployment as usize)));
            Json::Object(dropped)
        }).collect::<Vec<_>>(),
    });
    if let Some(pool) = pool.and_then(|pool| pool.name.as_ref()) {
        shown["pool"] = json!(**pool);
    }
    if let Some(nth) = plan.fallback {
        let first = entry.plans.first().and_then(|first| names.routes.get(first.place.route));
        let on = first.and_then(|route| route.fallbacks.get(usize::from(nth)));
        let on = on.map(|on| on.iter().map(weir_core::Cause::name).collect::<Vec<_>>());
        shown["fallback_on"] = json!(on.unwrap_or_default());
    }
    shown
}

fn candidate(weighed: &Weighed, streamed: bool, names: &Names) -> Json {
    let mut all = Map::new();
    all.insert("deployment".into(), json!(names.deployment(weighed.deployment as usize)));
    all.insert("reason".into(), json!(weighed.reason.name()));
    all.extend(figure(weighed.figure));
    all.insert("in_flight".into(), json!(weighed.in_flight));
    if weighed.p95 != Micros::default() {
        let series = if streamed { "first_token_p95_ms" } else { "total_p95_ms" };
        all.insert(series.into(), json!(weighed.p95.millis()));
    }
    Json::Object(all)
}

/// The figures that a policy weighed, by name.
fn figure(figure: Slim) -> Vec<(String, Json)> {
    let cost = |pico: u64| json!(Cost::from_pico_usd(i128::from(pico)).to_string());
    let known = match figure {
        Slim::None => vec![],
        Slim::Latency(time) if time == Micros::default() => vec![], // nothing is known yet
        Slim::Latency(time) => vec![("expected_ms", json!(time.millis()))],
        Slim::Busy(work) => vec![("work_under_way_ms", json!(work.millis()))],
        Slim::Cost(pico) => vec![("expected_cost_usd", cost(pico))],
        Slim::Budget(chance, pico) => {
            vec![("chance_in_budget", json!(f64::from(chance) / 1000.0)), ("expected_cost_usd", cost(pico))]
        }
        Slim::Quality(quality, pico) => vec![("quality", json!(quality)), ("expected_cost_usd", cost(pico))],
        Slim::Score(score) => vec![("score", json!(f64::from(score) / 1000.0))],
        Slim::Cached(tokens, first) => {
            vec![("cached_tokens", json!(tokens)), ("expected_ms", json!(first.millis()))]
        }
    };
    known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A reason with what it says beside its name.
fn why(reason: Reason, plan: &Planned) -> Map<String, Json> {
    let mut all = Map::new();
    all.insert("reason".into(), json!(reason.name()));
    match reason {
        Reason::BreakerOpen(until)
        | Reason::CredentialBenched(until)
        | Reason::Refused(until)
        | Reason::Resting(until) => {
            all.insert("for_ms".into(), json!(Micros::of(until.since(plan.at)).millis()));
        }
        Reason::Lacks(need) => {
            all.insert("lacks".into(), json!(need.name()));
        }
        _ => {}
    }
    all
}

fn attempt(tried: &Tried, names: &Names) -> Json {
    let mut all = Map::new();
    all.insert("nth".into(), json!(tried.nth + 1));
    all.insert("deployment".into(), json!(names.deployment(tried.deployment)));
    all.insert("cause".into(), json!(tried.cause.name()));
    let times = &tried.times;
    all.insert("began_ms".into(), json!(times.began.millis()));
    let after = |time: Micros| json!(time.since(times.began).millis());
    if times.connect != Micros::default() {
        all.insert("connect_ms".into(), json!(times.connect.millis()));
    }
    put(&mut all, "first_byte_ms", times.first_byte.map(after));
    put(&mut all, "ms", times.ended.map(after));
    if let Some(class) = tried.fault {
        all.insert("fault".into(), json!(class.name()));
        all.insert("blame".into(), json!(class.blame().name()));
        all.insert("status".into(), json!(tried.status));
    }
    put(&mut all, "code", tried.code.as_ref().map(|code| json!(code)));
    if tried.aborted {
        all.insert("aborted".into(), json!(true));
    }
    all.insert("cost_usd".into(), json!(tried.cost.to_string()));
    Json::Object(all)
}

fn wait(waited: &Waited) -> Json {
    json!({ "at_ms": waited.at.millis(), "ms": waited.lasted.millis(), "why": waited.why.name() })
}
