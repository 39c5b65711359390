//! What is allowed and was probably not meant.

use crate::config::{Condition, Config, LeadsTo, Route};
use crate::format::duration_text;
use crate::node::Place;
use crate::problem::Problem;
use std::time::Duration;
use weir_core::{Cause, Timeouts};

/// Shorter waits for a model's server end nearly every call.
const ABSURD: Duration = Duration::from_millis(10);
/// And so do shorter ones for a connection to it.
const ABSURD_CONNECT: Duration = Duration::from_millis(1);

/// Warnings about a configuration without problems.
pub(super) fn doubts(config: &Config, root: &Place<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    for route in config.routes.iter().filter(|route| route.is_written) {
        let place = root.key("routes").key(&route.name);
        rules(route, &place, &mut found);
        pools(route, &place, &mut found);
        fallbacks(route, &place, &mut found);
        found.extend(lonely_hedge(route, &place));
        found.extend(short_total(config, route, &place));
    }
    let levels = |section, name: &str| root.key(section).key(name).key("timeouts");
    for route in config.routes.iter().filter(|route| route.is_written) {
        absurd_limits(&route.timeouts, &levels("routes", &route.name), &mut found);
    }
    for deployment in &config.deployments {
        absurd_limits(&deployment.timeouts, &levels("deployments", &deployment.name), &mut found);
    }
    for provider in &config.providers {
        absurd_limits(&provider.timeouts, &levels("providers", &provider.name), &mut found);
    }
    found
}

/// Rules behind one that always holds.
fn rules(route: &Route, place: &Place<'_>, found: &mut Vec<Problem>) {
    let Some(first) = route.rules.iter().position(|rule| always(&rule.when)) else { return };
    let name = route.rules.get(first).map_or("", |rule| &*rule.name);
    for place in place.key("rules").items().into_iter().skip(first + 1) {
        let message = format!("never tried: the rule {name:?} before it always holds");
        found.push(place.problem(message).with_help("put it before that, or leave it out"));
    }
}

/// Whether it holds for every request, as far as can be seen from how it is built.
fn always(when: &Condition) -> bool {
    match when {
        Condition::All(parts) => parts.iter().all(always),
        Condition::Any(parts) => parts.iter().any(always),
        Condition::PromptTokens(0, u64::MAX) | Condition::Turns(0, u64::MAX) => true,
        _ => false,
    }
}

/// Pools that no rule leads to.
fn pools(route: &Route, place: &Place<'_>, found: &mut Vec<Problem>) {
    for (number, pool) in route.pools.iter().enumerate() {
        if !route.rules.iter().any(|rule| rule.leads_to == LeadsTo::Pool(number)) {
            let place = place.key("pools").key(&pool.name);
            let problem = place.key_problem("no rule leads to it, so it serves nothing");
            found.push(problem.with_help("name it in a rule's `use`, or leave it out"));
        }
    }
}

/// Fallbacks that no fault leads to.
fn fallbacks(route: &Route, place: &Place<'_>, found: &mut Vec<Problem>) {
    let answers = &route.answers;
    let judged = answers.empty || answers.json || answers.refusal || answers.min_output_tokens > 0;
    for (fallback, place) in route.fallbacks.iter().zip(place.key("fallbacks").items()) {
        let mut causes = fallback.on.iter();
        match (causes.next(), causes.next()) {
            (None, _) => {
                let problem = place.problem("for no cause, so it is never used");
                found.push(problem.with_help("say what it is for in `on`, or leave `on` out"));
            }
            (Some(Cause::InvalidOutput), None) if !judged => {
                let message = "for answers of no use, and `answers` judges none; those alone that cannot be read or \
                               break off lead here";
                found
                    .push(place.problem(message).with_help("turn one of `answers` on, or add another cause"));
            }
            _ => {}
        }
    }
}

/// A hedge with nobody to make a second call to.
fn lonely_hedge(route: &Route, place: &Place<'_>) -> Option<Problem> {
    let pools = route.pools.iter().map(|pool| pool.deployments.len());
    let most = pools.chain([route.deployments.len()]).max()?;
    let problem = place.key("hedge").key_problem("with one deployment there is no second one to call");
    (route.hedge.is_some() && most < 2).then(|| problem.with_help("add a deployment, or leave `hedge` out"))
}

/// A limit for the whole request that a first call which hangs uses up before it is given up.
fn short_total(config: &Config, route: &Route, place: &Place<'_>) -> Option<Problem> {
    let total = route.timeouts.total.filter(|total| *total <= Timeouts::FIRST_TOKEN)?;
    let limited = |index: usize| {
        let deployment = config.deployments.get(index)?;
        let provider = config.providers.get(deployment.provider)?;
        route.timeouts.or(deployment.timeouts).or(provider.timeouts).first_byte
    };
    let mut members = route.members().peekable();
    let first = members.peek().copied();
    let is_alone = route.members().all(|index| Some(index) == first) && route.fallbacks.is_empty();
    if is_alone || members.all(|index| limited(index).is_some()) {
        return None;
    }
    let (total, usual) = (duration_text(total), duration_text(Timeouts::FIRST_TOKEN));
    let message = format!(
        "a call that hangs is given up after {usual} at first, so {total} leave no time for another deployment"
    );
    let place = place.key("timeouts").key("total");
    Some(place.problem(message).with_help("set `first_byte` well below it, or a longer `total`"))
}

/// Limits that hardly any call keeps.
fn absurd_limits(timeouts: &Timeouts, place: &Place<'_>, found: &mut Vec<Problem>) {
    let limits = [
        ("connect", timeouts.connect, ABSURD_CONNECT),
        ("first_byte", timeouts.first_byte, ABSURD),
        ("idle", timeouts.idle, ABSURD),
        ("total", timeouts.total, ABSURD),
    ];
    for (key, limit, least) in limits {
        if let Some(limit) = limit.filter(|limit| *limit < least) {
            let message = format!("{} is so short that hardly any call keeps it", duration_text(limit));
            found.push(place.key(key).problem(message).with_help("30s is thirty seconds, 500ms half of one"));
        }
    }
}
