//! Rules lead each request to the pool or the route that is meant for it; deployments whose models do not take a request
//! are left out; who cannot be served is told why.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Deployments by name, with what each states, all at one upstream, whose model has the deployment's name.
fn weir(upstream: &Upstream, deployments: &[(&str, &str)], rest: &str) -> RunningWeir {
    upstream.always(Answer::auto("fine"));
    let deployments: String = deployments
        .iter()
        .map(|(name, own)| format!("  {name}: {{ provider: p, model: {name}{own} }}\n"))
        .collect();
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers: {{ p: {{ kind: openai, base_url: '{}' }} }}\ndeployments:\n{deployments}{rest}",
        upstream.url()
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn said(text: &str) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": text }] })
}

fn with(text: &str, more: &Value) -> Value {
    let mut call = said(text);
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

fn image() -> Value {
    let url = format!("data:image/png;base64,{}", "A".repeat(100_000));
    let part = json!({ "type": "image_url", "image_url": { "url": url } });
    json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] })
}

#[track_caller]
fn check(weir: &RunningWeir, headers: &[(&str, &str)], call: &Value, expect: &str) {
    let reply = weir.post(CHAT, headers, call);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("x-weir-deployment"), Some(expect));
}

#[test]
fn the_first_rule_that_holds_decides() {
    let upstream = Upstream::start();
    let routes = "routes:
  m:
    deployments: [small]
    pools:
      coders: { deployments: [coder], policy: round_robin }
      eyes: { deployments: [vision] }
    rules:
      - { name: gold, when: { headers: { x-tier: gold } }, use: best }
      - { name: pictures, when: { has: images }, use: eyes }
      - { name: code, when: { any: [{ task: coding }, { keywords: [sql, stack trace] }] }, use: coders }
      - { name: batch, when: { metadata: { tags: batch }, not: { turns: { min: 2 } } }, use: cheap }
      - { name: long, when: { output_tokens: { min: 4000 } }, use: best }
      - { name: german, when: { language: de, regex: '(?i)rechnung \\d+' }, use: best }
  best: { deployments: [large] }
  cheap:
    deployments: [small]
    rules: [{ when: { prompt_tokens: { min: 500 } }, use: best }]
";
    let names = [("small", ""), ("large", ""), ("coder", ""), ("vision", "")];
    let weir = weir(&upstream, &names, routes);
    check(&weir, &[], &said("hello"), "small");
    check(&weir, &[("X-Tier", "gold")], &said("hello"), "large");
    check(&weir, &[("X-Tier", "silver")], &said("hello"), "small");
    check(&weir, &[], &image(), "vision");
    check(&weir, &[], &said("Write a Python function that sorts a list."), "coder");
    check(&weir, &[("x-weir-task", "chat")], &said("Write a Python function that sorts a list."), "small");
    check(&weir, &[("x-weir-task", "coding")], &said("hello"), "coder");
    let riddle = weir.post(CHAT, &[("x-weir-task", "riddles")], &said("hello"));
    assert_eq!((riddle.status, &riddle.json()["error"]["code"]), (400, &json!("invalid_hint")));
    check(&weir, &[], &said("a \\u0053tack Trace, please"), "small");
    check(&weir, &[], &said("a\nStack Trace, please"), "coder");
    check(&weir, &[], &with("hi", &json!({ "metadata": { "tags": ["batch"] } })), "small");
    // Another route's own rules decide on.
    check(&weir, &[], &with(&"hi ".repeat(1000), &json!({ "metadata": { "tags": "batch" } })), "large");
    check(&weir, &[], &with("hi", &json!({ "max_tokens": 5000 })), "large");
    check(&weir, &[], &said("Wie ist der Stand der Rechnung 123?"), "large");
    check(&weir, &[], &said("Wie ist der Stand der Rechnung?"), "small");
}

#[test]
fn the_route_that_a_rule_leads_to_serves_with_its_own_fallbacks() {
    let upstream = Upstream::start();
    let routes = "routes:
  m: { deployments: [a], rules: [{ use: other }], fallbacks: [wrong] }
  other: { deployments: [b], fallbacks: [spare], retries: { max: 0 } }
  spare: { deployments: [a], pools: { c: { deployments: [c] } }, rules: [{ when: { turns: { max: 1 } }, use: c }] }
  wrong: { deployments: [a] }
";
    let weir = weir(&upstream, &[("a", ""), ("b", ""), ("c", "")], routes);
    check(&weir, &[], &said("hi"), "b");
    upstream.on_model("b", Answer::status(500));
    check(&weir, &[], &said("hi"), "c");
    let log = weir.wait_for_log("the second request", |line| line["deployment"] == "c");
    assert_eq!((&log["model"], &log["route"]), (&json!("m"), &json!("spare")));
}

#[test]
fn fallbacks_are_for_their_causes() {
    let upstream = Upstream::start();
    let routes = "routes:
  m:
    deployments: [a]
    retries: { max: 0 }
    fallbacks: [{ route: large, on: context_window }, { route: mild, on: [content_policy] }, spare]
  large: { deployments: [b] }
  mild: { deployments: [c] }
  spare: { deployments: [d] }
";
    let weir = weir(&upstream, &[("a", ""), ("b", ""), ("c", ""), ("d", "")], routes);
    upstream.on_model("a", Answer::status(400).error("context_length_exceeded", "too long"));
    check(&weir, &[], &said("hi"), "b");
    upstream.on_model("a", Answer::status(400).error("content_filter", "no"));
    check(&weir, &[], &said("hi"), "c");
    upstream.on_model("a", Answer::status(503));
    check(&weir, &[], &said("hi"), "d");
    upstream.on_model("a", Answer::status(400).error("invalid_value", "wrong"));
    assert_eq!(weir.post(CHAT, &[], &said("hi")).status, 400);
}

#[test]
fn deployments_that_do_not_take_a_request_are_left_out() {
    let upstream = Upstream::start();
    let deployments = [
        ("plain", ", weight: 1000, capabilities: [], context_window: 1000, max_output: 100"),
        ("able", ", weight: 0, capabilities: [tools, images]"),
    ];
    let weir = weir(&upstream, &deployments, "routes: { m: { deployments: [plain, able] } }\n");
    check(&weir, &[], &said("hi"), "plain");
    check(&weir, &[], &with("hi", &json!({ "tools": [] })), "plain");
    check(&weir, &[], &with("hi", &json!({ "tools": [{ "type": "function" }] })), "able");
    check(&weir, &[], &image(), "able");
    check(&weir, &[], &said(&"word ".repeat(1000)), "able");
    check(&weir, &[], &with("hi", &json!({ "max_tokens": 101 })), "able");
    check(&weir, &[], &with("hi", &json!({ "max_completion_tokens": 100 })), "plain");
    let reply = weir.post(CHAT, &[], &with("hi", &json!({ "reasoning_effort": "low" })));
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["error"]["code"], "capability_not_supported");
    assert!(reply.text().contains("takes reasoning"), "{}", reply.text());
    assert_eq!(reply.header("x-weir-attempts"), None);
}

#[test]
fn what_is_too_long_for_all_goes_to_the_fallback_for_it_or_is_told() {
    let upstream = Upstream::start();
    let deployments =
        [("small", ", context_window: 1000"), ("large", ", context_window: 4000"), ("other", "")];
    let routes = "routes:
  m: { deployments: [small], fallbacks: [{ route: never, on: rate }, { route: large, on: context_window }] }
  never: { deployments: [other] }
  large: { deployments: [large] }
";
    let weir = weir(&upstream, &deployments, routes);
    check(&weir, &[], &said(&"word ".repeat(1000)), "large");
    let reply = weir.post(CHAT, &[], &said(&"word ".repeat(4000)));
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["error"]["code"], "context_length_exceeded");
    assert!(reply.text().contains("about 5000 tokens"), "{}", reply.text());
}

#[test]
fn a_class_is_a_model() {
    let upstream = Upstream::start();
    let deployments = [("a", ", class: coding"), ("b", ", class: [fast, general]"), ("c", "")];
    let weir = weir(&upstream, &deployments, "routes: { m: { deployments: [c] } }\n");
    for (model, expect) in [("class:coding", "a"), ("class:fast", "b"), ("class:general", "b"), ("m", "c")] {
        check(&weir, &[], &with("hi", &json!({ "model": model })), expect);
    }
    let reply = weir.post(CHAT, &[], &with("hi", &json!({ "model": "class:media" })));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")));
    let models = weir.get("/v1/models").json();
    let ids: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["m", "class:coding", "class:fast", "class:general"]);
}

/// Each condition there is, alone: what it is for fits, and a plain request does not.
#[test]
fn every_condition_leads() {
    let upstream = Upstream::start();
    let part = |part: Value| json!({ "messages": [{ "role": "user", "content": [part] }] });
    let picture = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } });
    let sound = json!({ "type": "input_audio", "input_audio": { "data": "AAAA", "format": "wav" } });
    let schema = json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": {} } });
    let says = |text: &str| json!({ "messages": [{ "role": "user", "content": text }] });
    let none: &[(&str, &str)] = &[];
    let rows = [
        ("keywords: [sql]", none, says("What is SQL?")),
        ("regex: 'stra(ß|ss)e \\d'", none, says("Wo ist die Hauptstraße 7?")),
        ("task: translation", &[("x-weir-task", "translation")], json!({})),
        ("language: de", none, says("Wie spät ist es, und was gibt es heute zu essen?")),
        ("prompt_tokens: { min: 2000 }", none, says(&"word ".repeat(2000))),
        ("output_tokens: { min: 100, max: 200 }", none, json!({ "max_completion_tokens": 150 })),
        (
            "turns: { min: 2 }",
            none,
            json!({ "messages": [
            { "role": "user", "content": "a" }, { "role": "assistant", "content": "b" }, { "role": "user", "content": "c" }
        ] }),
        ),
        ("has: tools", none, json!({ "tools": [{ "type": "function", "function": { "name": "f" } }] })),
        ("has: images", none, part(picture)),
        ("has: audio", none, part(sound)),
        ("has: json_schema", none, json!({ "response_format": schema })),
        ("has: reasoning", none, json!({ "reasoning_effort": "low" })),
        ("headers: { x-team: '*' }", &[("x-team", "search")], json!({})),
        ("metadata: { tags: batch }", none, json!({ "metadata": { "tags": ["night", "batch"] } })),
        ("region: [eu, ch]", &[("x-weir-region", "ch, us")], json!({})),
        ("key: trial", &[("authorization", "Bearer wr-trial-key")], json!({})),
    ];
    let (mut pools, mut rules, mut deployments) = (String::new(), String::new(), Vec::new());
    for (nth, (when, ..)) in rows.iter().enumerate() {
        pools += &format!("      p{nth}: {{ deployments: [d{nth}] }}\n");
        rules += &format!("      - {{ when: {{ {when} }}, use: p{nth} }}\n");
        deployments.push((format!("d{nth}"), ", labels: { region: ch }"));
    }
    let mut named: Vec<(&str, &str)> = deployments.iter().map(|(name, own)| (&**name, *own)).collect();
    named.extend([("rest", ""), ("never", ""), ("always", "")]);
    let (morning, evening) = ("{ from: '00:00', to: '12:00' }", "{ from: '12:00', to: '00:00' }");
    let config = format!(
        "routes:\n  m:\n    deployments: [rest]\n    hints: [region, task]\n    pools:\n{pools}    rules:\n{rules}  \
         clock:\n    deployments: [rest]\n    pools: {{ n: {{ deployments: [never] }}, a: {{ deployments: [always] }} }}\n    \
         rules: [{{ when: {{ all: [{{ time: {morning} }}, {{ time: {evening} }}] }}, use: n }}, \
         {{ when: {{ any: [{{ time: {morning} }}, {{ time: {evening} }}] }}, use: a }}]\n\
         keys: {{ trial: {{ key: wr-trial-key }}, full: {{ key: wr-full-key }} }}\n"
    );
    let weir = weir(&upstream, &named, &config);
    let full = ("authorization", "Bearer wr-full-key");
    for (nth, (_, headers, more)) in rows.iter().enumerate() {
        let headers: Vec<(&str, &str)> = if headers.iter().any(|(name, _)| *name == full.0) {
            headers.to_vec()
        } else {
            [*headers, &[full]].concat()
        };
        check(&weir, &headers, &with("hi", more), &format!("d{nth}"));
    }
    check(&weir, &[full], &said("hi"), "rest");
    check(&weir, &[full], &with("hi", &json!({ "model": "clock" })), "always");
}
