//! The pools and rules of a route.

use super::names::Names;
use super::upstream::{check_targets, policy_of};
use crate::config::{Condition, Deployment, LeadsTo, RoutePool, Rule};
use crate::file::rules as file;
use crate::file::text::{Named, OneOrMore};
use crate::node::Place;
use crate::problem::{Problem, Spanned};
use std::sync::Arc;

/// The most rules of one route: each is looked at until one holds.
const MOST_RULES: usize = 100;

pub(super) fn check_pools(
    pools: &Named<file::RoutePool>,
    place: &Place<'_>,
    names: &Names<'_>,
    deployments: &[Deployment],
    problems: &mut Vec<Problem>,
) -> Vec<RoutePool> {
    super::check_names(place, problems);
    let mut checked = Vec::new();
    for ((name, pool), (_, place)) in pools.0.iter().zip(place.entries()) {
        let (policy, settings) = policy_of(&place);
        let deployments =
            check_targets(&pool.deployments, &place.key("deployments"), names, deployments, problems);
        checked.push(RoutePool { name: Arc::from(name.as_str()), policy, settings, deployments });
    }
    checked
}

pub(super) fn check_rules(
    rules: &[file::Rule],
    route: &Place<'_>,
    names: &Names<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Rule> {
    let place = route.key("rules");
    if rules.len() > MOST_RULES {
        problems.push(place.problem(format!("more than {MOST_RULES} rules")));
    }
    let pools = route.key("pools").names();
    let mut checked = Vec::new();
    for (number, (rule, place)) in (1..).zip(rules.iter().zip(place.items())) {
        let at = place.key("use");
        let leads_to = match pools.iter().position(|pool| *pool == rule.leads_to) {
            Some(pool) => LeadsTo::Pool(pool),
            None => match names.find_route(&rule.leads_to, &at) {
                Ok(to) => LeadsTo::Route(to),
                Err(problem) => {
                    let message = format!("no pool of this route and no route named {}", at.shown());
                    problems.push(Problem { help: problem.help, ..at.problem(message) });
                    LeadsTo::Route(usize::MAX)
                }
            },
        };
        let name = rule.name.clone().unwrap_or_else(|| number.to_string());
        if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
            problems.push(place.key("name").problem("a rule's name has 1 to 128 bytes and no line ends"));
        }
        let when = condition(&rule.when, &place.key("when"), problems);
        checked.push(Rule { name: Arc::from(name), when, leads_to });
    }
    checked
}

fn condition(file: &file::Condition, place: &Place<'_>, problems: &mut Vec<Problem>) -> Condition {
    let mut all = Vec::new();
    let mut list = |parts: &[file::Condition], key: &str| {
        let place = place.key(key);
        if parts.is_empty() && !place.has_broken() {
            problems.push(place.problem("the list of conditions is empty"));
        }
        let parts = parts.iter().zip(place.items());
        parts.map(|(part, place)| condition(part, &place, problems)).collect::<Vec<_>>()
    };
    all.extend(file.all.as_deref().map(|parts| Condition::All(list(parts, "all"))));
    all.extend(file.any.as_deref().map(|parts| Condition::Any(list(parts, "any"))));
    all.extend(
        file.not
            .as_deref()
            .map(|part| Condition::Not(Box::new(condition(part, &place.key("not"), problems)))),
    );
    let mut spanned = |texts: &Option<OneOrMore<String>>, key: &str| {
        texts.as_ref().map(|texts| spanned(texts, &place.key(key), problems))
    };
    all.extend(spanned(&file.keywords, "keywords").map(Condition::Keywords));
    all.extend(spanned(&file.regex, "regex").map(Condition::Regex));
    all.extend(spanned(&file.language, "language").map(Condition::Language));
    let (regions, keys) = (spanned(&file.region, "region"), spanned(&file.key, "key"));
    let names = |all: Vec<Spanned<String>>| all.into_iter().map(|name| Arc::from(name.value)).collect();
    all.extend(regions.map(|regions| Condition::Region(names(regions))));
    all.extend(keys.map(|keys| Condition::Key(names(keys))));
    all.extend(file.task.as_ref().map(|it| Condition::Task(it.as_slice().iter().map(|t| t.0).collect())));
    all.extend(file.has.as_ref().map(|it| Condition::Has(it.as_slice().iter().map(|n| n.0).collect())));
    for (range, key, of) in [
        (&file.prompt_tokens, "prompt_tokens", Condition::PromptTokens as fn(u64, u64) -> Condition),
        (&file.output_tokens, "output_tokens", Condition::OutputTokens),
        (&file.turns, "turns", Condition::Turns),
    ] {
        let Some(range) = range else { continue };
        let (min, max) = (u64::from(range.min.unwrap_or(0)), range.max.map_or(u64::MAX, u64::from));
        if min > max {
            problems.push(place.key(key).problem(format!("min ({min}) is above max ({max})")));
        }
        all.push(of(min, max));
    }
    let fields = |fields: &Option<Named<OneOrMore<String>>>| -> Vec<(String, Vec<Arc<str>>)> {
        let named = fields.iter().flat_map(|named| &named.0);
        named
            .map(|(name, values)| {
                let any = values.as_slice().iter().any(|value| value == "*");
                let values = values.as_slice().iter().filter(|_| !any);
                (name.clone(), values.map(|value| Arc::from(value.as_str())).collect())
            })
            .collect()
    };
    let headers = fields(&file.headers).into_iter();
    all.extend(headers.map(|(name, is)| Condition::Header(Arc::from(name.to_ascii_lowercase()), is)));
    all.extend(fields(&file.metadata).into_iter().map(|(key, is)| Condition::Metadata(Arc::from(key), is)));
    all.extend(file.time.as_ref().map(|time| {
        let zone = place.key("time").key("zone");
        Condition::Time {
            days: time.days.iter().flat_map(|days| days.as_slice()).map(|day| day.0).collect(),
            from: time.from.0,
            to: time.to.0,
            zone: Spanned {
                value: time.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
                at: zone.at.clone(),
            },
        }
    }));
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            Condition::All(all)
        }
    }
}

/// Texts, each with its place. None of them is empty.
fn spanned(
    texts: &OneOrMore<String>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<Spanned<String>> {
    let places = match texts {
        OneOrMore::One(_) => vec![place.clone()],
        OneOrMore::More(_) => place.items(),
    };
    if texts.as_slice().is_empty() && !place.has_broken() {
        problems.push(place.problem("the list is empty"));
    }
    let mut all = Vec::new();
    for (text, place) in texts.as_slice().iter().zip(places) {
        if text.is_empty() {
            problems.push(place.problem("the text is empty"));
        }
        all.push(Spanned { value: text.clone(), at: place.at.clone() });
    }
    all
}
