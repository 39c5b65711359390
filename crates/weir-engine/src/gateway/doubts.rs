//! What routes say of their policies that is allowed and was probably not meant.

use super::Pool;
use std::collections::HashSet;
use weir_config::{Config, Hint, LeadsTo, Problem, Route, path_key};
use weir_routing::Compiled;

/// The warnings about policies; `pools` are those of all routes, each route's own before its others.
pub(super) fn doubts(config: &Config, pools: &[Pool]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut pools = pools.iter();
    let mut kinds: Vec<HashSet<&str>> = Vec::new();
    for route in &config.routes {
        let mut known = HashSet::new();
        let stated = std::iter::once(&route.policy).chain(route.pools.iter().map(|pool| &pool.policy));
        for (stated, pool) in stated.zip(pools.by_ref()) {
            known.extend(pool.policy.within().map(|policy| policy.kind.name));
            let warning = |(message, help): (&str, &str)| {
                Problem::new(&stated.at, path_key(&pool.name, "policy"), message).with_help(help)
            };
            found.extend(of_policy(&pool.policy).into_iter().map(warning));
        }
        kinds.push(known);
    }
    let routes = config.routes.iter().enumerate().filter(|(_, route)| route.is_written);
    found.extend(routes.filter_map(|(place, route)| idle_budget(config, &kinds, place, route)));
    found
}

/// What is doubtful in a policy by itself, and what to do about it.
fn of_policy(policy: &Compiled) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    let kinds = || policy.within().map(|policy| policy.kind.name);
    if policy.within().any(|policy| policy.kind.name == "prefix" && policy.count("cache_blocks") == 0) {
        found.push((
            "without `cache_blocks` nothing is known of what caches hold, so queue and balance alone decide",
            "say how many blocks of `block_tokens` each server's cache holds",
        ));
    }
    if kinds().filter(|kind| *kind == "sticky").count() > 1 {
        found.push((
            "`sticky` over `sticky`: what the outer one lets go, the inner one keeps in the same place",
            "name all that keeps requests together in one `by`, and another policy in `over`",
        ));
    }
    found
}

/// A route that lets requests state a budget which no policy on their way looks at.
fn idle_budget(config: &Config, kinds: &[HashSet<&str>], place: usize, route: &Route) -> Option<Problem> {
    // Who may name the policy, too, may name the one that looks.
    if !route.hints.contains(&Hint::LatencyBudget) || route.hints.contains(&Hint::Policy) {
        return None;
    }
    let (mut left, mut seen) = (vec![place], HashSet::new());
    while let Some(place) = left.pop() {
        if !seen.insert(place) {
            continue;
        }
        if kinds.get(place).is_some_and(|kinds| kinds.contains("latency_budget")) {
            return None;
        }
        let Some(route) = config.routes.get(place) else { continue };
        left.extend(route.fallbacks.iter().map(|fallback| fallback.route));
        left.extend(route.rules.iter().filter_map(|rule| match rule.leads_to {
            LeadsTo::Route(to) => Some(to),
            LeadsTo::Pool(_) => None,
        }));
    }
    let path = path_key(&path_key("routes", &route.name), "hints");
    let message = "requests may state a `latency_budget`, and no policy on their way looks at it";
    let help = "choose the policy `latency_budget`, allow the hint `policy`, or leave this one out";
    Some(Problem::new(&route.at, path, message).with_help(help))
}
