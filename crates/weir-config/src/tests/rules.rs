//! Pools, rules, fallbacks by cause, and classes.

use super::parse;
use crate::{Condition, LeadsTo};
use weir_core::{Cause, Causes};

fn file(deployment: &str, routes: &str) -> String {
    format!(
        "providers: {{p: {{kind: openai}}}}\ndeployments: {{a: {{provider: p, model: m{deployment}}}, \
         b: {{provider: p, model: m}}}}\nroutes:\n{routes}"
    )
}

/// The problems are exactly these: each as `path: message`, or the beginning of it.
#[track_caller]
fn check(deployment: &str, routes: &str, expect: &[&str]) {
    let text = file(deployment, routes);
    let got: Vec<String> = match parse(&text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect(),
    };
    let same = got.len() == expect.len() && got.iter().zip(expect).all(|(got, want)| got.starts_with(want));
    assert!(same, "\n{text}\nexpected {expect:#?}\ngot {got:#?}");
}

#[track_caller]
fn rule(when: &str, expect: &[&str]) {
    check(
        "",
        &format!("  r: {{deployments: [a], rules: [{{when: {when}, use: s}}]}}\n  s: {{deployments: [b]}}\n"),
        expect,
    );
}

#[test]
fn rules_lead_to_pools_and_routes() {
    let text = file(
        "",
        "  r:\n    deployments: [a]\n    pools: {x: {deployments: [{name: b, weight: 4}], policy: round_robin}}\n    rules:\n\
         \x20     - {name: one, when: {key: k, turns: {max: 3}}, use: x}\n      - {use: s}\n\
         \x20   fallbacks: [{route: s, on: rate}]\n  s: {deployments: [b], fallbacks: []}\n",
    );
    let config = parse(&text).unwrap();
    let route = &config.routes[0];
    assert_eq!((&*route.pools[0].name, &*route.pools[0].policy.value), ("x", "round_robin"));
    assert_eq!(route.pools[0].deployments, [(1, 4)]);
    assert_eq!(route.rules.iter().map(|r| &*r.name).collect::<Vec<_>>(), ["one", "2"]);
    assert_eq!(
        route.rules.iter().map(|r| r.leads_to).collect::<Vec<_>>(),
        [LeadsTo::Pool(0), LeadsTo::Route(1)]
    );
    let Condition::All(all) = &route.rules[0].when else { panic!("{:?}", route.rules[0]) };
    assert!(matches!(all[..], [Condition::Key(_), Condition::Turns(0, 3)]), "{all:?}");
    assert!(matches!(&route.rules[1].when, Condition::All(all) if all.is_empty()));
    assert_eq!(route.fallbacks[0].on, Causes::of([Cause::Rate]));
}

#[test]
fn conditions_are_looked_at() {
    rule("{task: coding}", &[]);
    rule("{task: [coding, code]}", &["routes.r.rules[0].when.task[1]: \"code\" is not a task"]);
    rule("{has: image}", &["routes.r.rules[0].when.has: \"image\" is not a capability"]);
    rule("{taks: coding}", &["routes.r.rules[0].when.taks: unknown key \"taks\""]);
    rule("{keywords: ''}", &["routes.r.rules[0].when.keywords: the text is empty"]);
    rule("{keywords: []}", &["routes.r.rules[0].when.keywords: the list is empty"]);
    rule("{any: []}", &["routes.r.rules[0].when.any: the list of conditions is empty"]);
    rule("{turns: {min: 4, max: 3}}", &["routes.r.rules[0].when.turns: min (4) is above max (3)"]);
    rule(
        "{not: {any: [{has: tools}, {time: {from: '9', to: '25:00', days: monday}}]}}",
        &[
            "routes.r.rules[0].when.not.any[1].time.from: \"9\" is not a time of day",
            "routes.r.rules[0].when.not.any[1].time.to: \"25:00\" is not a time of day",
            "routes.r.rules[0].when.not.any[1].time.days: \"monday\" is not a day",
        ],
    );
}

#[test]
fn names_that_lead_nowhere_and_circles() {
    check(
        "",
        "  r: {deployments: [a], pools: {x: {deployments: [c]}}, rules: [{use: y}]}\n",
        &[
            "routes.r.pools.x.deployments[0]: no deployment named \"c\"",
            "routes.r.rules[0].use: no pool of this route and no route named \"y\"",
        ],
    );
    check(
        "",
        "  r: {deployments: [a], rules: [{use: s}]}\n  s: {deployments: [b], fallbacks: [r]}\n",
        &["routes.s.fallbacks[0]: fallbacks go round in a circle: r → s → r"],
    );
    check(
        "",
        "  r: {deployments: [a], pools: {x: {deployments: [b]}}, rules: [{use: x}, {use: s}]}\n  s: {deployments: [b], rules: [{use: r}]}\n",
        &["routes.s.rules[0]: rules go round in a circle: r → s → r"],
    );
    check(
        "",
        "  r: {deployments: [a], fallbacks: [{route: s, on: slow}]}\n  s: {deployments: [b]}\n",
        &["routes.r.fallbacks[0].on: \"slow\" is not a cause"],
    );
}

#[test]
fn what_a_model_takes() {
    check(
        ", capabilities: [tools], context_window: 1, max_output: 1, class: fast",
        "  r: {deployments: [a, b]}\n",
        &[],
    );
    check(
        ", capabilities: [toools], context_window: 0, class: [quick]",
        "  r: {deployments: [a, b]}\n",
        &[
            "deployments.a.capabilities[0]: \"toools\" is not a capability",
            "deployments.a.context_window: \"0\" is too small",
            "deployments.a.class[0]: \"quick\" is not a class",
        ],
    );
}

#[test]
fn a_class_becomes_a_route_unless_one_has_its_name() {
    let names = |routes: &str| {
        let config = parse(&file(", class: [coding, fast]", routes)).unwrap();
        config.routes.iter().map(|r| (r.name.to_string(), r.deployments.clone())).collect::<Vec<_>>()
    };
    let route = |name: &str, index| (name.to_owned(), vec![(index, 1)]);
    assert_eq!(
        names("  r: {deployments: [b]}\n"),
        [route("r", 1), route("class:coding", 0), route("class:fast", 0)]
    );
    assert_eq!(
        names("  r: {deployments: [b], aliases: ['class:fast']}\n  class:coding: {deployments: [b]}\n"),
        [route("r", 1), route("class:coding", 1)]
    );
}
