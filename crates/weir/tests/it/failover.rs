//! Sixteen faults of a primary beside a healthy fallback, with the defaults as shipped. The client gets the complete right
//! answer once, or an honest error in bounded time; nothing that was cut passes for whole.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

mod beginnings;
mod taking_up;

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, How, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// The one right answer: sixty words.
fn words() -> Vec<String> {
    (0..60).map(|i| format!("{}word{i}", if i == 0 { "" } else { " " })).collect()
}

fn right() -> Answer {
    Answer::stream(words())
}

/// What a client sees of one call.
struct Seen {
    reply: Reply,
    chunks: Vec<Value>,
    text: String,
}

impl Seen {
    fn of(reply: Reply) -> Seen {
        let body = reply.text();
        let data = body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        let chunks: Vec<Value> =
            data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect();
        let said =
            |chunk: &Value| chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
        let text = chunks.iter().map(said).collect();
        Seen { reply, chunks, text }
    }

    /// Complete, right, once, and ended as OpenAI ends a stream.
    fn assert_right(&self, row: &str) {
        assert_eq!(self.reply.status, 200, "{row}: {}", self.reply.text());
        assert_eq!(self.text, words().concat(), "{row}: {}", self.reply.text());
        assert!(self.reply.text().ends_with("data: [DONE]\n\n"), "{row}");
        assert_eq!(self.reply.text().matches("[DONE]").count(), 1, "{row}");
        let finished = self.chunks.iter().filter(|c| c["choices"][0]["finish_reason"].is_string()).count();
        assert_eq!(finished, 1, "{row}");
        assert!(self.chunks.iter().all(|chunk| chunk["error"].is_null()), "{row}");
        let usage = self.chunks.iter().filter(|chunk| chunk["usage"].is_object()).count();
        assert_eq!(usage, 1, "{row}: the usage chunk that was asked for comes once");
    }

    /// What came, then an error and nothing that looks like an end.
    fn assert_safe(&self, row: &str, prefix: &str) {
        assert_eq!(self.reply.status, 200, "{row}: {}", self.reply.text());
        assert_eq!(self.text, prefix, "{row}");
        assert!(!self.reply.text().contains("[DONE]"), "{row}");
        assert!(self.chunks.iter().all(|c| !c["choices"][0]["finish_reason"].is_string()), "{row}");
        assert!(self.chunks.last().unwrap()["error"]["message"].is_string(), "{row}");
    }
}

/// A route to the primary that falls back on another, nothing else set; `primary` and `fallback` are further keys of the
/// deployments.
fn weir(upstreams: &[Upstream; 2], primary: &str, fallback: &str) -> RunningWeir {
    weir_with(upstreams, primary, fallback, "spare")
}

/// The same with another entry in the list of fallbacks.
fn weir_with(upstreams: &[Upstream; 2], primary: &str, fallback: &str, entry: &str) -> RunningWeir {
    let [p, f] = upstreams.each_ref().map(Upstream::url);
    let config = format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n  p: {{ kind: openai, base_url: '{p}' }}\n  f: {{ kind: openai, base_url: '{f}' }}\n\
         deployments:\n  primary: {{ provider: p, model: big, price: {{ input: 1, output: 2 }}, {primary} }}\n  \
         fallback: {{ provider: f, model: other, price: {{ input: 10, output: 20 }}, {fallback} }}\n\
         routes:\n  m: {{ deployments: [primary], fallbacks: [{entry}] }}\n  spare: {{ deployments: [fallback] }}\n"
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn call() -> Value {
    json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true },
            "messages": [{ "role": "user", "content": "say sixty words" }] })
}

fn ask(weir: &RunningWeir) -> Seen {
    Seen::of(weir.post(CHAT, &[], &call()))
}

fn pair() -> [Upstream; 2] {
    [Upstream::start(), Upstream::start()]
}

fn calls(upstream: &Upstream) -> usize {
    upstream.calls().len()
}

/// One row: the primary answers like this (all else is right), and the client's answer is the right one. Gives how often
/// each was called, the whole counting for how it ended.
fn check(
    row: &str,
    script: Vec<Answer>,
    always: Answer,
    expect: [usize; 2],
) -> (RunningWeir, Seen, [Upstream; 2]) {
    let upstreams = pair();
    upstreams[0].always(always);
    upstreams[0].script(script);
    upstreams[1].always(right());
    let weir = weir(&upstreams, "", "");
    let seen = ask(&weir);
    seen.assert_right(row);
    assert_eq!(upstreams.each_ref().map(calls), expect, "{row}");
    (weir, seen, upstreams)
}

#[test]
fn row_1_a_short_retry_after_is_waited_out_at_the_same_place() {
    let limited = Answer::status(429).header("retry-after", "2");
    let (_, _, [primary, _]) = check("1", vec![limited], right(), [2, 0]);
    let ends: Vec<_> = primary.calls().iter().map(|call| call.ended.unwrap().at).collect();
    assert!(ends[1] - ends[0] >= Duration::from_millis(1_900), "the pause is kept: {ends:?}");
}

#[test]
fn rows_2_and_4_what_always_fails_is_left_after_three_calls() {
    for status in [429, 503] {
        let (_, seen, _) = check(&status.to_string(), vec![], Answer::status(status), [3, 1]);
        // Row 16: everything is about the one that answered.
        let models = seen.chunks.iter().filter_map(|chunk| chunk["model"].as_str());
        assert!(models.into_iter().all(|model| model == "other"), "{}", seen.reply.text());
        assert_eq!(seen.reply.header("x-weir-model"), Some("other"));
        assert_eq!(seen.reply.header("x-weir-deployment"), Some("fallback"));
    }
}

#[test]
fn rows_3_and_5_one_failure_is_followed_by_the_same_place() {
    check("3", vec![Answer::status(500)], right(), [2, 0]);
    check("5", vec![Answer::reset_before_headers()], right(), [2, 0]);
}

/// Rows 6 and 7: ten real seconds, since they are about the default. Beside each other, and once each.
#[test]
fn rows_6_and_7_silence_before_the_first_token_is_left_once() {
    let role = Answer::stream(words()).pause_after_events(1); // head and role at once, no token
    std::thread::scope(|scope| {
        // Who began the stream stands in its head.
        for (row, silent, began) in [("6", Answer::never(), "fallback"), ("7", role, "primary")] {
            scope.spawn(move || {
                let (_, seen, [primary, _]) = check(row, vec![], silent, [1, 1]);
                assert_eq!(primary.wait_for_end(0).how, How::PeerClosed);
                assert_eq!(seen.reply.header("x-weir-deployment"), Some(began), "{row}");
                assert_eq!(seen.chunks.last().unwrap()["model"], "other", "{row}");
                // Who said nothing took nothing that is known of: the usage is that of the answer, to the letter.
                let usage = seen.chunks.iter().find(|chunk| chunk["usage"].is_object()).unwrap();
                let told = [&usage["usage"]["prompt_tokens"], &usage["usage"]["completion_tokens"]];
                let (prompt, completion) = weir_testkit::answer::TOKENS;
                assert_eq!(told, [&json!(prompt), &json!(completion)], "{row}: {usage}");
            });
        }
    });
}

/// Rows 8 and 14: the fallback takes no prefilled turn, and is not sent any: it begins anew, and what it repeats is left
/// out.
#[test]
fn rows_8_and_14_a_stream_that_dies_is_taken_up_where_it_was() {
    let upstreams = pair();
    upstreams[0].always(right().broken_after_events(41)); // the role and forty words
    upstreams[1].always(right());
    let weir = weir(&upstreams, "", "");
    let seen = ask(&weir);
    seen.assert_right("8");
    assert!(calls(&upstreams[0]) <= 3, "{}", calls(&upstreams[0]));
    assert_eq!(calls(&upstreams[1]), 1);
    assert_eq!(upstreams[1].calls()[0].json()["messages"], call()["messages"], "no prefilled turn");
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!((&entry["outcome"], &entry["deployment"]), (&json!("ok"), &json!("fallback")), "{entry}");
    let last = entry["attempted"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["deployment"], &last["cause"]),
        (&json!("fallback"), &json!("continuation")),
        "{entry}"
    );
}

/// Row 9: the default limit of silence between two events is ten seconds as long as there is another.
#[test]
fn row_9_a_stream_that_falls_silent_is_taken_up() {
    let upstreams = pair();
    upstreams[0].always(right().pause_after_events(21));
    upstreams[1].always(right());
    let weir = weir(&upstreams, "", "");
    ask(&weir).assert_right("9");
    assert_eq!(upstreams.each_ref().map(calls), [1, 1]);
    assert_eq!(upstreams[0].wait_for_end(0).how, How::PeerClosed);
    weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "primary")], 0.0);
    upstreams[0].always(right());
    ask(&weir).assert_right("9, the next call");
}

fn chunk(delta: &str, finish: &str, more: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion.chunk","created":1,"model":"big","choices":[{{"index":0,"delta":{{{delta}}},"finish_reason":{finish}}}]{more}}}"#
    )
}

/// Row 10: one event that is no JSON does not end a stream.
#[test]
fn row_10_a_malformed_event_is_left_out() {
    let mut events: Vec<String> =
        words().iter().map(|word| chunk(&format!(r#""content":"{word}""#), "null", "")).collect();
    events.insert(9, "{\"choices\":[{\"delta\":".to_owned());
    events.push(chunk("", r#""stop""#, ""));
    events.push(
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":60,"total_tokens":69}}"#.to_owned(),
    );
    let (weir, ..) = check("10", vec![], Answer::events(events), [1, 0]);
    weir.wait_for_metric("weir_stream_events_left_out_total", &[("deployment", "primary")], 1.0);
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(entry["attempted"][0]["events_left_out"], 1, "{entry}");
}

/// Those of an attempt that came to nothing count as well, at the deployment that sent them, before and after its first token.
#[test]
fn events_that_are_left_out_are_counted_where_they_came_from() {
    for (row, events) in [
        ("before its first token", vec!["{\"oops".to_owned()]),
        ("behind it", vec![chunk(r#""content":"word0""#, "null", ""), "{\"oops".to_owned()]),
    ] {
        let upstreams = pair();
        let count = events.len();
        upstreams[0].always(Answer::events(events).broken_after_events(count));
        upstreams[1].always(right());
        let weir = weir(&upstreams, "continues: none", "");
        ask(&weir).assert_right(row);
        let sent = calls(&upstreams[0]) as f64;
        weir.wait_for_metric("weir_stream_events_left_out_total", &[("deployment", "primary")], sent);
    }
}

#[test]
fn row_11_a_missing_end_mark_is_supplied() {
    check("11", vec![], right().without_done(), [1, 0]);
    // Nor is a server waited for that has said everything and keeps the connection open.
    let (weir, ..) = check("11, and silent", vec![], right().pause_after_events(63), [1, 0]);
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(entry["outcome"], "ok", "{entry}");
    assert!(entry["total_ms"].as_f64().unwrap() < 9_000.0, "less than any silence allowed before: {entry}");
}

#[test]
fn row_12_a_prompt_too_long_is_not_sent_there_again() {
    let too_long = Answer::status(400).error("context_length_exceeded", "Too long.");
    let (weir, ..) = check("12", vec![], too_long, [1, 1]);
    assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "primary")]), Some(0.0));
}

/// A larger model of the same route is asked before the client is told, and one of the same model is not.
#[test]
fn a_prompt_too_long_is_for_a_larger_model_of_the_route() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let [small, same, large] = upstreams.each_ref().map(Upstream::url);
    let weir = |large_one: &str| {
        let config = format!(
            "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
             providers:\n  a: {{ kind: openai, base_url: '{small}' }}\n  b: {{ kind: openai, base_url: '{same}' }}\n  \
             c: {{ kind: openai, base_url: '{large}' }}\n\
             deployments:\n  small: {{ provider: a, model: s, context_window: 8000 }}\n  \
             same: {{ provider: b, model: s }}\n  large: {{ provider: c, model: l, {large_one} }}\n\
             routes:\n  m: {{ deployments: [small, same, large], policy: priority }}\n"
        );
        weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
    };
    upstreams[0].always(Answer::status(400).error("context_length_exceeded", "Too long."));
    upstreams[1].always(right());
    upstreams[2].always(right());
    for (large, expect) in [("", 200), ("context_window: 16000", 200), ("context_window: 8000", 400)] {
        let weir = weir(large);
        let reply = weir.post(CHAT, &[], &call());
        assert_eq!(reply.status, expect, "{large}: {}", reply.text());
        let by = if expect == 200 { "large" } else { "small" };
        assert_eq!(reply.header("x-weir-deployment"), Some(by), "{large}");
    }
    assert_eq!(upstreams.each_ref().map(calls), [3, 0, 2]);
}

/// Who wants no fallback gets the model of the first deployment or an error, wherever the others stand.
#[test]
fn no_fallback_is_one_model() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let [a, b, c] = upstreams.each_ref().map(Upstream::url);
    let config = format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n  a: {{ kind: openai, base_url: '{a}' }}\n  b: {{ kind: openai, base_url: '{b}' }}\n  \
         c: {{ kind: openai, base_url: '{c}' }}\n\
         deployments:\n  one: {{ provider: a, model: x }}\n  other: {{ provider: b, model: y }}\n  \
         same: {{ provider: c, model: x }}\n\
         routes:\n  m: {{ deployments: [one, other, same], policy: priority, retries: {{ max: 1 }} }}\n"
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    let ask = || Seen::of(weir.post(CHAT, &[("x-weir-no-fallback", "1")], &call()));
    upstreams[1].always(right());
    upstreams[2].always(right());
    for failing in [Answer::status(503), right().broken_after_events(41)] {
        upstreams[0].always(failing);
        ask().assert_right("the same model elsewhere");
    }
    upstreams[2].always(Answer::status(503));
    ask().assert_safe("no other model", &words()[..40].concat());
    upstreams[0].always(Answer::status(503));
    let reply = weir.post(CHAT, &[("x-weir-no-fallback", "1")], &call());
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(calls(&upstreams[1]), 0);
}

#[test]
fn row_13_a_content_refusal_is_the_answer() {
    let upstreams = pair();
    upstreams[0].always(Answer::status(400).error("content_policy_violation", "Not this."));
    let weir = weir(&upstreams, "", "");
    let reply = weir.post(CHAT, &[], &call());
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("content_policy_violation")));
    assert_eq!(upstreams.each_ref().map(calls), [1, 0]);
}

/// Row 15 as it happens, with what is shipped: 503 for a minute, then well; calls 4 s apart. Each is answered, the primary is
/// called seldom during the outage, and answers at most 30 s after it. Runs when `WEIR_LONG` is set; under a virtual clock
/// the same is a test of `weir-routing`.
#[test]
fn row_15_as_it_happens() {
    if std::env::var_os("WEIR_LONG").is_none() {
        eprintln!("skipped: takes more than a minute of real time; `cargo xtask ci --long` runs it");
        return;
    }
    let upstreams = pair();
    upstreams[0].always(Answer::status(503));
    upstreams[1].always(right());
    let weir = weir(&upstreams, "", "");
    #[allow(
        clippy::disallowed_methods,
        reason = "what is tested is an outage in real time; no core is blocked"
    )]
    let ask_on_time = |call: u32| {
        std::thread::sleep(if call == 0 { Duration::ZERO } else { Duration::from_secs(4) });
        let seen = ask(&weir);
        seen.assert_right("15");
        seen.reply.header("x-weir-deployment") == Some("primary")
    };
    assert!((0..15).all(|call| !ask_on_time(call)));
    let during = calls(&upstreams[0]);
    assert!(during <= 15, "{during} calls in the outage");
    upstreams[0].always(right());
    let back = (15..23).position(ask_on_time);
    assert!(back.is_some(), "the primary is not back half a minute after the outage");
}

/// Row 15 in the small: during the outage every call is answered and the primary is left alone but for probes; once it is
/// well it is used again. The cool-down is shorter than by default so that it can be waited for.
#[test]
fn row_15_a_primary_that_was_down_comes_back() {
    assert_eq!(weir_config_default_cooldown(), Duration::from_secs(10));
    let upstreams = pair();
    upstreams[0].always(Answer::status(503));
    upstreams[1].always(right());
    let weir = weir(&upstreams, "breaker: { cooldown: 200ms }", "");
    for _ in 0..20 {
        ask(&weir).assert_right("15, during the outage");
    }
    assert!(calls(&upstreams[0]) < 20, "the breaker keeps most calls away: {}", calls(&upstreams[0]));
    upstreams[0].always(right());
    let mut asked = 0;
    while weir.metric("weir_breaker_state", &[("deployment", "primary")]) != Some(0.0) {
        asked += 1;
        assert!(asked < 10_000, "the primary never came back");
        ask(&weir).assert_right("15, after the outage");
    }
}

fn weir_config_default_cooldown() -> Duration {
    weir_config::Breaker::default().cooldown
}

/// The sixteenth promise beside the model's name: what both attempts took is in the record, each at its own price.
#[test]
fn usage_and_cost_of_both_attempts_are_accounted_for() {
    let upstreams = pair();
    upstreams[0].always(right().broken_after_events(41));
    upstreams[1].always(right().usage(100, 60));
    let weir = weir(&upstreams, "", "");
    ask(&weir).assert_right("accounting");
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    let attempts = entry["attempted"].as_array().unwrap();
    let cost = |attempt: &Value| attempt["cost_usd"].as_str().unwrap_or("0").parse::<f64>().unwrap();
    let (last, before) = attempts.split_last().unwrap();
    assert!((cost(last) - (100.0 * 10.0 + 60.0 * 20.0) / 1e6).abs() < 1e-12, "{entry}");
    assert!(before.iter().all(|attempt| cost(attempt) > 0.0), "{entry}");
    let sum: f64 = attempts.iter().map(cost).sum();
    assert!((sum - entry["cost_usd"].as_str().unwrap().parse::<f64>().unwrap()).abs() < 1e-12, "{entry}");
    assert_eq!(entry["usage"]["source"], "estimated", "a part of it is: {entry}");
    assert!(entry["usage"]["output"].as_u64().unwrap() >= 60 + 40, "{entry}");
}
