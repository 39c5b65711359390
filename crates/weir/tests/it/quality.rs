//! An answer that came in full and is of no use is asked for elsewhere; what the client gets in the end is the best there
//! was, truthfully marked, and every answer is paid for.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";
const EMPTY: &str = "empty_answer";

/// Two upstreams: `d0` and `d1` of the first are the route `m`, and `d2` of the second is its fallback for answers of no
/// use. `d0` is called first.
struct Stage {
    upstream: Upstream,
    spare: Upstream,
    weir: RunningWeir,
}

fn stage(answers: &str) -> Stage {
    let (upstream, spare) = (Upstream::start(), Upstream::start());
    spare.always(Answer::auto("from the spare"));
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
providers:
  p: {{ kind: openai, base_url: '{}', timeouts: {{ hold: 1m }} }}
  q: {{ kind: openai, base_url: '{}', timeouts: {{ hold: 1m }} }}
deployments:
  d0: {{ provider: p, model: zero, price: {{ input: 1, output: 1 }}, breaker: {{ failures: 1 }} }}
  d1: {{ provider: p, model: one, price: {{ input: 1, output: 1 }} }}
  d2: {{ provider: q, model: two }}
routes:
  m:
    deployments: [d0, d1]
    policy: priority
    fallbacks: [{{ route: spare, on: invalid_output }}, other]
    retries: {{ base: 1ms, cap: 1ms }}
    {answers}
  spare: {{ deployments: [d2] }}
  other: {{ deployments: [d2] }}
",
        upstream.url(),
        spare.url(),
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    Stage { upstream, spare, weir }
}

impl Stage {
    /// What the models of the first upstream say.
    fn say(&self, zero: Answer, one: Answer) {
        self.upstream.on_model("zero", zero);
        self.upstream.on_model("one", one);
    }

    fn ask(&self, more: &Value) -> Reply {
        let mut call = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.weir.post(CHAT, &[], &call)
    }
}

/// The text of an answer, whether streamed or not.
fn text(reply: &Reply) -> String {
    let body = reply.text();
    if !body.starts_with("data:") {
        return reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    }
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    let chunks =
        body.split("\n\n").filter_map(|event| event.strip_prefix("data: ").filter(|d| d.starts_with('{')));
    let chunks = chunks.map(|data| serde_json::from_str::<Value>(data).unwrap());
    chunks
        .map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[track_caller]
fn check(reply: &Reply, expect: &str, deployment: &str, attempts: usize, mark: Option<&str>) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(text(reply), expect);
    assert_eq!(reply.header("x-weir-deployment"), Some(deployment));
    assert_eq!(reply.header("x-weir-attempts"), Some(&*attempts.to_string()));
    assert_eq!(reply.header("x-weir-answer"), mark);
}

fn nothing() -> Answer {
    Answer::auto("").usage(9, 0)
}

/// By default: whole or, while nothing of it has gone out, streamed, an answer that says nothing is asked for elsewhere, and both are paid for.
#[test]
fn an_empty_answer_is_asked_for_elsewhere() {
    let stage = stage("");
    stage.say(nothing(), Answer::auto("something"));
    for stream in [false, true] {
        let reply = stage.ask(&json!({ "stream": stream, "stream_options": { "include_usage": stream } }));
        check(&reply, "something", "d1", 2, None);
        let entry = stage.weir.wait_for_log("a call", |entry| entry["stream"] == stream);
        assert_eq!((&entry["outcome"], &entry["attempts"]), (&json!("ok"), &json!(2)), "{entry}");
        assert_eq!(
            entry["attempted"],
            json!([
                { "deployment": "d0", "cause": "first", "fault": "invalid_output", "cost_usd": "0.000009" },
                { "deployment": "d1", "cause": "retry", "cost_usd": "0.000014" },
            ])
        );
        assert_eq!(entry["usage"]["input"], 18, "{entry}");
    }
    // How good an answer is says nothing about health: a breaker that opens at the first fault is closed.
    assert_eq!(stage.weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(0.0));
    let counted = [("route", "m"), ("deployment", "d0"), ("cause", "first"), ("outcome", "invalid_output")];
    stage.weir.wait_for_metric("weir_attempts_total", &counted, 2.0);
}

/// Then the fallback that is for it, and only that one.
#[test]
fn a_fallback_is_asked_that_is_for_answers_of_no_use() {
    let stage = stage("");
    stage.say(nothing(), nothing());
    for stream in [false, true] {
        check(&stage.ask(&json!({ "stream": stream })), "from the spare", "d2", 3, None);
    }
    let kept_here =
        stage.weir.post(CHAT, &[("x-weir-no-fallback", "true")], &json!({ "model": "m", "messages": [] }));
    check(&kept_here, "", "d1", 2, Some(EMPTY));
}

/// With nobody better the client gets the last answer, marked, even if something else went wrong after it; each answer
/// is counted once.
#[test]
fn the_last_answer_is_given_when_there_is_no_better_one() {
    let stage = stage("");
    stage.say(nothing(), nothing());
    stage.spare.always(nothing());
    for stream in [false, true] {
        check(&stage.ask(&json!({ "stream": stream })), "", "d2", 3, Some(EMPTY));
    }
    stage.spare.always(Answer::status(400));
    stage.say(nothing(), Answer::status(404));
    for stream in [false, true] {
        let reply = stage.ask(&json!({ "stream": stream, "user": "x" }));
        check(&reply, "", "d0", reply.header("x-weir-attempts").unwrap().parse().unwrap(), Some(EMPTY));
        assert_eq!(reply.header("x-weir-model"), Some("zero"));
    }
    let entry = stage.weir.wait_for_log("the last call", |entry| entry["attempted"][1]["fault"] == "refused");
    assert_eq!((&entry["outcome"], &entry["deployment"]), (&json!("ok"), &json!("d0")), "{entry}");
    assert_eq!((&entry["usage"]["input"], &entry["cost_usd"]), (&json!(9), &json!("0.000009")), "{entry}");
}

#[test]
fn a_route_may_prefer_an_error() {
    let stage = stage("answers: { otherwise: error }");
    stage.say(nothing(), nothing());
    stage.spare.always(nothing());
    for stream in [false, true] {
        let reply = stage.ask(&json!({ "stream": stream }));
        assert_eq!(
            (reply.status, reply.json()["error"]["code"].as_str()),
            (502, Some(EMPTY)),
            "{}",
            reply.text()
        );
    }
    let entry = stage.weir.wait_for_log("a call", |entry| entry["endpoint"] == "chat");
    assert_eq!((&entry["outcome"], &entry["code"]), (&json!("invalid_output"), &json!(EMPTY)), "{entry}");
}

/// What a request asked for is what its answer is held against: JSON by default, wherever it is whole.
#[test]
fn an_answer_is_held_against_the_format_that_was_asked_for() {
    let stage = stage("");
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let object = json!({ "response_format": { "type": "json_object" } });
    let of = json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": schema } } });
    stage.say(Answer::auto("n is 1"), Answer::auto("{\"n\": 1}"));
    check(&stage.ask(&object), "{\"n\": 1}", "d1", 2, None);
    check(&stage.ask(&of), "{\"n\": 1}", "d1", 2, None);
    check(&stage.ask(&json!({})), "n is 1", "d0", 1, None);
    stage.say(Answer::auto("{\"n\": \"one\"}"), Answer::auto("n is 1"));
    check(&stage.ask(&object), "{\"n\": \"one\"}", "d0", 1, None);
    stage.spare.always(Answer::auto("{\"n\": null}"));
    check(&stage.ask(&of), "{\"n\": null}", "d2", 3, Some("schema_mismatch"));
    // A schema that is none, or cannot be judged by, is the upstream's to mind.
    for odd in
        [json!({ "$ref": "http://127.0.0.1:1/s" }), json!({ "type": 7 }), json!(7), json!({ "$ref": "#" })]
    {
        let format = json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": odd } });
        check(&stage.ask(&json!({ "response_format": format })), "{\"n\": \"one\"}", "d0", 1, None);
    }
    // A stream that flows cannot be taken back.
    let mut streamed = of;
    streamed["stream"] = json!(true);
    check(&stage.ask(&streamed), "{\"n\": \"one\"}", "d0", 1, None);
}

/// A route that buffers judges its streams, too, and hides those that break.
#[test]
fn a_stream_that_is_held_is_judged_at_its_end() {
    let stage = stage("answers: { buffer: true, refusal: true, min_output_tokens: 4 }");
    let ask = |more: Value| {
        let mut call = json!({ "stream": true, "response_format": { "type": "json_object" } });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stage.ask(&call)
    };
    stage.say(Answer::auto("no json"), Answer::auto("{\"n\": 1}"));
    check(&ask(json!({})), "{\"n\": 1}", "d1", 2, None);
    stage.say(Answer::auto("I'm sorry, but I can't do that."), Answer::auto("{\"n\": 2}"));
    check(&ask(json!({})), "{\"n\": 2}", "d1", 2, None);
    stage.say(Answer::auto("{").finish("length").usage(9, 3), Answer::auto("{\"n\": 3}"));
    check(&ask(json!({})), "{\"n\": 3}", "d1", 2, None);
    check(&ask(json!({ "max_tokens": 3 })), "{", "d0", 1, None);
    stage.say(Answer::auto("{\"n\": 5}").without_done(), Answer::auto("never asked"));
    check(&ask(json!({})), "{\"n\": 5}", "d0", 1, None);
    stage.say(Answer::auto("{\"n\": 4 5 6 7 8}").eof_after_events(3), Answer::auto("{\"n\": 4}"));
    check(&ask(json!({})), "{\"n\": 4}", "d1", 2, None);
}

#[test]
fn refusals_are_answers_unless_a_route_says_otherwise() {
    let refusal = || Answer::auto("I'm sorry, but I can't assist with that.");
    let filtered = || Answer::auto("").finish("content_filter");
    let usual = stage("");
    let strict = stage("answers: { refusal: true }");
    for (answer, said) in [(refusal(), "I'm sorry, but I can't assist with that."), (filtered(), "")] {
        usual.say(answer.clone(), Answer::auto("yes"));
        check(&usual.ask(&json!({})), said, "d0", 1, None);
        strict.say(answer, Answer::auto("yes"));
        check(&strict.ask(&json!({})), "yes", "d1", 2, None);
    }
}

#[test]
fn a_route_may_take_whatever_comes() {
    let stage = stage("answers: { empty: false, json: false }");
    stage.say(nothing(), Answer::auto("something"));
    check(&stage.ask(&json!({})), "", "d0", 1, None);
    check(&stage.ask(&json!({ "stream": true })), "", "d0", 1, None);
}

/// One of several choices may be empty, and be so before another has said its first word.
#[test]
fn an_empty_choice_beside_one_that_speaks_is_no_empty_answer() {
    let choice = |index: u32, delta: &str, finish: &str| {
        format!(r#"{{"choices":[{{"index":{index},"delta":{{{delta}}},"finish_reason":{finish}}}]}}"#)
    };
    let stage = stage("");
    let events = [
        choice(0, "", r#""stop""#),
        choice(1, r#""role":"assistant""#, "null"),
        choice(1, r#""content":"hello""#, "null"),
        choice(1, "", r#""stop""#),
    ];
    stage.say(Answer::events(events).pace(Duration::from_millis(20)), Answer::auto("never asked"));
    let reply = stage.ask(&json!({ "stream": true, "n": 2 }));
    assert_eq!(reply.header("x-weir-attempts"), Some("1"), "{}", reply.text());
    check(&reply, "hello", "d0", 1, None);
}

/// The first token that counts is one of the answer that the client gets.
#[test]
fn a_first_token_that_nobody_got_is_none() {
    let stage = stage("answers: { buffer: true }");
    stage.say(Answer::auto("some words").reset_after_events(2), Answer::auto("something"));
    let reply = stage.ask(&json!({ "stream": true }));
    check(&reply, "something", "d1", 2, None);
    stage.weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    let id = reply.header("x-weir-decision").unwrap();
    let told = stage.weir.admin("GET", &format!("/admin/decisions/{id}")).json();
    let (first_token, began) = (&told["first_token_ms"], &told["attempts"][1]["began_ms"]);
    assert!(first_token.as_f64().unwrap() >= began.as_f64().unwrap(), "{told}");
}

/// What one deployment's answer took says nothing about how long another's are.
#[test]
fn a_deployment_learns_from_its_own_answers_only() {
    let upstream = Upstream::start();
    upstream.on_model("zero", Answer::auto("").usage(9, 100_000));
    upstream.on_model("one", Answer::auto("something").usage(9, 10));
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
providers:
  p: {{ kind: openai, base_url: '{}', timeouts: {{ hold: 1m }} }}
deployments:
  d0: {{ provider: p, model: zero }}
  d1: {{ provider: p, model: one, price: {{ input: 1, output: 1 }} }}
routes:
  m: {{ deployments: [d0, d1], policy: priority }}
  alone: {{ deployments: [d1], hints: [max_cost] }}
",
        upstream.url(),
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    // So many that what is usual there is known.
    for stream in [false, true].repeat(20) {
        let both = json!({ "model": "m", "messages": [], "stream": stream });
        check(&weir.post(CHAT, &[], &both), "something", "d1", 2, None);
    }
    // A thousand tokens' worth.
    let alone = json!({ "model": "alone", "messages": [] });
    check(&weir.post(CHAT, &[("x-weir-max-cost", "0.001")], &alone), "something", "d1", 1, None);
}

/// A stream that says nothing, says so, and breaks before its end is of no use, and its deployment's fault all the same.
#[test]
fn an_empty_stream_that_breaks_is_a_fault_of_its_deployment() {
    let stage = stage("");
    stage.say(Answer::stream([""]).broken_after_events(3), Answer::auto("something"));
    check(&stage.ask(&json!({ "stream": true })), "something", "d1", 2, None);
    stage.weir.wait_for_metric("weir_breaker_state", &[("deployment", "d0")], 2.0);
    let entry = stage.weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(entry["attempted"][0]["fault"], "invalid_output", "{entry}");
}
