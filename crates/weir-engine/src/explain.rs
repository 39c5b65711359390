//! What would be done with a request, and why: decided as for any request, and not carried out.

use crate::admit::Admitted;
use crate::attempt::{self, excluded};
use crate::call::{Call, parse};
use crate::choose::{Looked, Place};
use crate::core::Core;
use crate::decision::shown;
use crate::engine::Engine;
use crate::line::Called;
use crate::record::{Purpose, Record};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_core::{Class, Fault, Need};
use weir_routing::plan::Plan;
use weir_routing::rules::{Audience, Told};
use weir_routing::windows::{Latency, Series};
use weir_wire::Headers;

/// A request to decide about.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is called.
    pub called: Called,
    /// The request's body.
    pub body: Bytes,
    /// Its headers.
    pub headers: Headers,
    /// The name of the key that presents it. Without one, the key in `headers`, if there is one.
    pub key: Option<String>,
}

impl Core {
    /// Decides about a request with what this core knows, and says why, as JSON. Leaves no trace: no policy takes a turn
    /// for it, and it is neither counted nor kept. `refused` says what the client would be told where it would get no
    /// answer.
    pub fn explain(self: &Rc<Core>, question: &Question) -> Json {
        let mut record = Record::begin(self, &question.headers, Instant::now());
        record.purpose = Purpose::Explain;
        record.endpoint = Some(question.called.endpoint);
        let call = presented(&mut record, question).and_then(|()| {
            let room = Admitted::to_be_explained();
            parse(&mut record, room, &question.called, &question.headers, question.body.clone())
        });
        match call {
            Ok(call) => tell(&mut record, call, &question.headers),
            Err(fault) => json!({ "refused": refusal(&fault) }),
        }
    }
}

impl Engine {
    /// The same with what the first core that serves knows. Blocks until that has answered; `None` when it has not in
    /// time.
    pub fn explain(&self, question: Question) -> Option<Json> {
        let question = Arc::new(question);
        self.ask(true, move |core| core.explain(&question)).answers.into_iter().next()
    }
}

/// Whose key it is.
fn presented(record: &mut Record, question: &Question) -> Result<(), Fault> {
    let keys = &record.snapshot.gateway.keys;
    record.key = match &question.key {
        Some(name) => Some(keys.named(name).ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            let message = format!("no key of the configuration is named \"{shown}\"");
            Fault::new(Class::Caller, 400, "invalid_explain_request", message).with_param("key")
        })?),
        None if question.headers.get(&http::header::AUTHORIZATION).is_some() => {
            keys.authenticate(&question.headers)?.key()
        }
        None => None,
    };
    Ok(())
}

fn refusal(fault: &Fault) -> Json {
    json!({ "status": fault.status, "code": fault.code, "message": fault.message })
}

/// Decides about a call and says why. `headers` are those it came with.
pub(crate) fn tell(record: &mut Record, call: Box<Call>, headers: &Headers) -> Json {
    let snapshot = record.snapshot.clone();
    record.look_at_clock();
    let mut attempts = attempt::begin(record, call);
    let mut queues = None;
    let first = attempts.first_call(record, &mut queues);
    let call = &*attempts.call;
    plan_the_rest(record, call);
    record.route = call.chosen.places.first().map(|place| place.route);
    let Some(decision) = record.decision.clone() else { return Json::Null };
    let entry = decision.borrow();
    let mut told = shown(&entry, &snapshot.gateway.names);
    let Some(all) = told.as_object_mut() else { return told };
    for ended in ["outcome", "attempts", "waits"] {
        all.remove(ended); // there is nothing to tell of these
    }
    if !record.purpose.is_recorded() {
        all.retain(|name, _| !["id", "request_id", "dry_run"].contains(&name.as_str()));
    }
    let looked = Looked::new(record, &call.facts, &call.body, headers, &call.hints);
    let needs: Vec<&str> = looked.size().needs.iter().map(Need::name).collect();
    all.insert("uses".to_owned(), json!(needs));
    all.insert("rules".to_owned(), rules(record, call, &looked));
    for (plan, shown) in entry.places().zip(all["plans"].as_array_mut().into_iter().flatten()) {
        look_closely(record, call, plan, shown);
    }
    if let Some(most) = queues {
        all.insert("queues_up_to_ms".to_owned(), json!(rounded(most.as_secs_f64() * 1e3)));
    }
    match first {
        Ok(deployment) => {
            let name = snapshot.gateway.names.deployment(deployment as usize);
            all.insert("first_call".to_owned(), json!(name));
        }
        Err(fault) => {
            all.insert("refused".to_owned(), refusal(&fault));
        }
    }
    told
}

/// Plans for the fallbacks that were not needed to find the first call.
fn plan_the_rest(record: &mut Record, call: &Call) {
    if call.hints.no_fallback {
        return;
    }
    for fallback in 0..call.chosen.places.len() - 1 {
        let known = record.decision.as_ref().is_some_and(|entry| entry.borrow().has_planned(fallback));
        if !known {
            let _: Plan = attempt::plan(record, call, Some(fallback), &[]); // it is in the record
        }
    }
}

/// Every rule that was tried, with what each of its conditions found; of those behind the one that held, the names.
fn rules(record: &Record, call: &Call, looked: &Looked<'_>) -> Json {
    let gateway = &record.snapshot.gateway;
    let to = if record.purpose.is_recorded() { Audience::Client } else { Audience::Operator };
    let mut all = Vec::new();
    for step in &call.chosen.steps {
        let place = step.route as usize;
        let Some((route, names)) = gateway.routes.get(place).zip(gateway.names.routes.get(place)) else {
            continue;
        };
        let Some(choice) = &route.choice else { continue };
        let tried = step.rule.map_or(choice.rules.len(), |held| held as usize + 1);
        for (place, (name, leads_to)) in names.rules.iter().enumerate() {
            let mut rule = json!({ "route": *names.name, "rule": **name, "use": **leads_to });
            if place < tried
                && let Some((holds, conditions)) =
                    looked.with_facts(gateway, &choice.rules, |facts| choice.rules.told(place, facts, to))
            {
                rule["holds"] = json!(holds);
                rule["conditions"] = conditions.iter().map(condition).collect();
            }
            all.push(rule);
        }
    }
    Json::Array(all)
}

/// A condition with what it is made of.
fn condition(told: &Told) -> Json {
    let mut shown = json!({ "condition": told.condition, "holds": told.holds });
    if !told.parts.is_empty() {
        shown["conditions"] = told.parts.iter().map(condition).collect();
    }
    shown
}

/// Adds to a plan what is known of each deployment now, and those that the policy did not come to.
fn look_closely(record: &Record, call: &Call, place: Place, shown: &mut Json) {
    let snapshot = &record.snapshot;
    let Some(pool) = snapshot.gateway.pools.get(place.pool) else { return };
    let names = &snapshot.gateway.names;
    let mut others = Vec::new();
    for member in &pool.members {
        let name = names.deployment(member.deployment as usize);
        let figures = figures(record, call, place, member);
        let lists = ["candidates", "dropped"].iter().filter_map(|list| shown[*list].as_array());
        let listed = lists.flatten().any(|known| known["deployment"] == name);
        if !listed {
            let health = snapshot.healths.get(member.deployment as usize);
            let reason = excluded(record, call, place, member.deployment)
                .or_else(|| health.and_then(|health| health.refusal(record.now())));
            let reason = reason.map_or("not_needed", |reason| reason.name());
            others.push(json!({ "deployment": name, "reason": reason, "now": figures }));
            continue;
        }
        for list in ["candidates", "dropped"] {
            for known in shown[list].as_array_mut().into_iter().flatten() {
                if known["deployment"] == name {
                    known["now"] = figures.clone();
                }
            }
        }
    }
    shown["others"] = Json::Array(others);
    shown["calls_at_most"] =
        json!(snapshot.gateway.routes.get(place.route).map(|route| route.rules.max_retries + 1));
}

/// What is known of a deployment, for this call.
fn figures(record: &Record, call: &Call, place: Place, member: &weir_routing::Member) -> Json {
    let snapshot = &record.snapshot;
    let index = member.deployment as usize;
    let Some(health) = snapshot.healths.get(index) else { return Json::Null };
    let (now, windows) = (record.now(), health.windows());
    let status = health.status(now);
    let request = attempt::request(call, place, &snapshot.gateway);
    let size = request.size(Some(health));
    let mut all = Map::new();
    let mut put = |name: &str, value: Option<Json>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    let millis = |time: Duration| {
        Some(time).filter(|time| !time.is_zero()).map(|time| json!(rounded(time.as_secs_f64() * 1e3)))
    };
    put("breaker", Some(json!(status.state.name())));
    put("resting_ms", millis(status.resting_for));
    put("in_flight", Some(json!(status.in_flight)));
    put("work_under_way_ms", millis(windows.outstanding()));
    let others = health.gauges().others(now);
    put("requests_of_others", (others > 0).then(|| json!(others)));
    for (name, series) in [("first_token_ms", Series::First), ("total_ms", Series::Total)] {
        let known = windows.percentiles(series);
        let some = known.samples > 0.0;
        put(name, some.then(|| json!({ "p50": rounded(known.p50 * 1e3), "p95": rounded(known.p95 * 1e3), "samples": known.samples })));
    }
    let ends = windows.ends(now);
    let ended = ends.well + ends.upstream;
    put("calls", (ended > 0).then(|| json!({ "well": ends.well, "failed": ends.upstream })));
    let forecast = windows.forecast(request.latency(Latency::First), size, now);
    put("expected_ms", forecast.map(|forecast| json!(rounded(forecast.quantile(0.5) * 1e3))));
    let cost = member.expected_cost(size, Some(health));
    put("expected_cost_usd", cost.map(|cost| json!(cost.to_string())));
    put("price_from", snapshot.gateway.priced_by.get(index).map(|from| json!(**from)));
    put("weight", Some(json!(member.weight)));
    put("quality", (member.quality > 0).then(|| json!(member.quality)));
    Json::Object(all)
}

/// To the thousandth.
fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}
