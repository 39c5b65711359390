//! How long a call is waited for, how slow a stream may be, and when a second call is made beside a first.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, Blackhole, Gate, How, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Deployments `d0`, `d1`, … of upstream models `up0`, `up1`, … at a price, one at each upstream and with further keys, tried
/// in this order by the route `m`, of which `route` says more.
fn weir_at(upstreams: &[(&Upstream, &str)], route: &str) -> RunningWeir {
    let urls: Vec<(String, &str)> =
        upstreams.iter().map(|(upstream, keys)| (upstream.url(), *keys)).collect();
    weir_at_urls(&urls, route)
}

fn weir_at_urls(upstreams: &[(String, &str)], route: &str) -> RunningWeir {
    let (mut providers, mut deployments, mut members) = (String::new(), String::new(), Vec::new());
    for (i, (url, keys)) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{url}' }}\n");
        deployments += &format!(
            "  d{i}: {{ provider: p{i}, model: up{i}, price: {{ input: 1, output: 2 }}, {keys} }}\n"
        );
        members.push(format!("d{i}"));
    }
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n{providers}deployments:\n{deployments}\
         routes:\n  m: {{ policy: priority, deployments: [{}], {route} }}\n",
        members.join(", ")
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn call(stream: bool) -> Value {
    json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "hello" }] })
}

/// An answer that is no stream has a limit, too, as long as there is another to ask: a minute at least. Runs when
/// `WEIR_LONG` is set.
#[test]
fn a_whole_answer_that_never_comes_is_left_for_another() {
    if std::env::var_os("WEIR_LONG").is_none() {
        eprintln!("skipped: takes a minute of real time; `cargo xtask ci --long` runs it");
        return;
    }
    let upstreams = [Upstream::start(), Upstream::start()];
    upstreams[0].always(Answer::never());
    upstreams[1].always(Answer::chat("in time"));
    let weir = weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], "");
    let mut body = call(false);
    body["max_tokens"] = json!(25);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &body).unwrap();
    client.set_deadline(Duration::from_secs(180)).unwrap();
    let reply = client.read_reply().unwrap();
    assert_eq!(upstreams[0].wait_for_end(0).how, How::PeerClosed);
    assert_eq!((reply.status, reply.header("x-weir-deployment")), (200, Some("d1")), "{}", reply.text());
    assert_eq!(upstreams[0].calls().len(), 1);
}

const SLOW: &str = "timeouts: { min_speed: { tokens_per_second: 100000, over: 400ms } }";

fn stream_words(weir: &RunningWeir) -> (String, Vec<weir_testkit::client::Event>) {
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    assert_eq!(client.read_head().unwrap().status, 200);
    let events = client.read_events().unwrap();
    (events.iter().map(|event| event.text()).collect(), events)
}

/// A stream that drips, with never a pause that would be silence, is completed by another deployment.
#[test]
fn a_stream_that_drips_is_completed_elsewhere() {
    let words: Vec<String> = (0..5000).map(|i| format!("{i} ")).collect();
    let upstreams = [Upstream::start(), Upstream::start()];
    upstreams[0].always(Answer::stream(words.clone()).pace(Duration::from_millis(20)));
    upstreams[1].always(Answer::stream(words.clone()));
    let weir = weir_at(&[(&upstreams[0], SLOW), (&upstreams[1], "")], "");
    let (text, events) = stream_words(&weir);
    assert_eq!(text, words.concat());
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert_eq!(upstreams[0].wait_for_end(0).how, How::PeerClosed);
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(entry["attempted"][0]["fault"], "timeout", "{entry}");
    assert_eq!(entry["attempted"][1]["cause"], "continuation", "{entry}");
}

/// With nobody to complete it, the client is told; a limit that was set holds for the last candidate, too.
#[test]
fn a_stream_that_drips_and_has_nobody_ends_in_an_error_event() {
    let upstream = Upstream::start();
    upstream.always(Answer::stream((0..5000).map(|i| format!("{i} "))).pace(Duration::from_millis(20)));
    let weir = weir_at(&[(&upstream, SLOW)], "");
    let (text, events) = stream_words(&weir);
    assert!(text.starts_with("0 1 2 "), "what came is passed on: {text}");
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "upstream_too_slow", "{last}");
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
}

const HEDGED: &str = "hedge: { after: 50ms, extra: 100% }";

/// The log's line about the one call.
fn entry(weir: &RunningWeir) -> Value {
    weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat")
}

/// The record of the decision that this answer names, once its request has ended.
fn decision(weir: &RunningWeir, reply: &Reply) -> Value {
    let id = reply.header("x-weir-decision").unwrap();
    entry(weir);
    weir.admin("GET", &format!("/admin/decisions/{id}")).json()
}

/// A slow first and a quick second: the answer is the second's, once; the first one's connection is closed, its prompt is
/// on the bill, and its health is none the worse.
#[test]
fn a_second_call_answers_for_a_slow_first() {
    let silent = || Answer::stream(["never"]).pause_after_events(1); // head and role, no token
    for (stream, slow) in [(true, Answer::never()), (true, silent()), (false, Answer::never())] {
        let upstreams = [Upstream::start(), Upstream::start()];
        upstreams[0].always(slow);
        upstreams[1].always(Answer::auto("the second").usage(9, 5));
        let weir = weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], HEDGED);
        let reply = weir.post(CHAT, &[], &call(stream));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.text().matches("second").count(), 1, "{}", reply.text());
        assert_eq!(
            (reply.header("x-weir-deployment"), reply.header("x-weir-attempts")),
            (Some("d1"), Some("2"))
        );
        assert_eq!(upstreams[0].wait_for_end(0).how, How::PeerClosed);
        assert_eq!([upstreams[0].calls().len(), upstreams[1].calls().len()], [1, 1]);
        let told = decision(&weir, &reply);
        let [first, second] = told["attempts"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!((&first["aborted"], &second["cause"]), (&json!(true), &json!("hedge")), "{told}");
        assert!(
            first["ms"].as_f64() >= second["began_ms"].as_f64(),
            "it ended when the other answered: {told}"
        );
        let entry = entry(&weir);
        assert_eq!(
            (&entry["outcome"], &entry["deployment"], &entry["hedges"]),
            (&json!("ok"), &json!("d1"), &json!(1))
        );
        let [first, second] = entry["attempted"].as_array().unwrap().as_slice() else { panic!("{entry}") };
        assert_eq!(
            (&first["cause"], &first["aborted"], &first["fault"]),
            (&json!("first"), &json!(true), &Value::Null)
        );
        assert_eq!((&second["cause"], &second["aborted"]), (&json!("hedge"), &Value::Null));
        assert_eq!(second["cost_usd"], "0.000019", "9 and 5 tokens at 1 and 2 USD per million: {entry}");
        let cost = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
        let sum = cost(&first["cost_usd"]) + cost(&second["cost_usd"]);
        assert!(cost(&first["cost_usd"]) > 0.0 && (cost(&entry["cost_usd"]) - sum).abs() < 1e-12, "{entry}");
        assert!(entry["usage"]["input"].as_u64() > Some(9), "the prompt was read twice: {entry}");
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(0.0));
        weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "d0")], 0.0);
        weir.wait_for_metric("weir_hedges_total", &[("route", "m")], 1.0);
        let aborted = [("deployment", "d0"), ("cause", "first"), ("outcome", "aborted")];
        weir.wait_for_metric("weir_attempts_total", &aborted, 1.0);
    }
}

/// The first may still win: then it is the second that is cancelled, and everything is told of the first.
#[test]
fn a_first_that_comes_after_all_is_the_answer() {
    let (upstreams, gate) = ([Upstream::start(), Upstream::start()], Gate::new());
    upstreams[0].always(Answer::auto("the first").hold(&gate));
    upstreams[1].always(Answer::never());
    let weir = weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], HEDGED);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    upstreams[1].wait_for_calls(1);
    gate.release();
    let reply = client.read_reply().unwrap();
    assert!(reply.status == 200 && reply.text().contains("first"), "{}", reply.text());
    assert_eq!(reply.header("x-weir-deployment"), Some("d0"));
    assert_eq!(upstreams[1].wait_for_end(0).how, How::PeerClosed);
    let told = decision(&weir, &reply);
    assert_eq!((&told["answered_by"], &told["attempts"][1]["aborted"]), (&json!(1), &json!(true)), "{told}");
    let entry = entry(&weir);
    assert_eq!((&entry["deployment"], &entry["served_model"]), (&json!("d0"), &json!("up0")), "{entry}");
    assert_eq!(
        (&entry["attempted"][1]["cause"], &entry["attempted"][1]["aborted"]),
        (&json!("hedge"), &json!(true))
    );
}

/// Without a hedge, or with one whose budget is spent, a slow call has nobody beside it.
#[test]
fn a_budget_that_is_spent_is_no_hedge() {
    for hedge in ["", "hedge: { after: 1ms, extra: 1% }"] {
        let (upstreams, gate) = ([Upstream::start(), Upstream::start(), Upstream::start()], Gate::new());
        upstreams[0].always(Answer::auto("the first").hold(&gate));
        upstreams[2].always(Answer::never());
        let clock = "clock: { deployments: [d2], timeouts: { first_byte: 50ms }";
        let keyed = [(&upstreams[0], ""), (&upstreams[1], ""), (&upstreams[2], "")];
        let weir = weir_at(&keyed, &format!("{hedge} }}\n  {clock}"));
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call(true)).unwrap();
        upstreams[0].wait_for_calls(1);
        // On the one core that there is, fifty later milliseconds pass behind the first one's.
        let mut later = call(true);
        later["model"] = json!("clock");
        assert_eq!(weir.post(CHAT, &[], &later).status, 504);
        gate.release();
        let reply = client.read_reply().unwrap();
        assert_eq!((reply.status, reply.header("x-weir-attempts")), (200, Some("1")), "{}", reply.text());
        assert_eq!(upstreams[1].calls().len(), 0, "{hedge}");
    }
}

/// One of two that fails leaves the other to answer; two that fail are one fault.
#[test]
fn two_calls_that_fail_are_one_fault() {
    let upstreams = [Upstream::start(), Upstream::start()];
    let gate = Gate::new();
    let refused = |code: &str| Answer::status(400).error(code, "no");
    upstreams[0].always(Answer::status(503).hold(&gate));
    upstreams[1].always(Answer::status(500));
    let weir =
        weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], &format!("{HEDGED}, retries: {{ max: 0 }}"));
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(false)).unwrap();
    upstreams[1].wait_for_end(0);
    gate.release();
    let reply = client.read_reply().unwrap();
    // Which of the two was there first is not for the test to say.
    assert!([500, 503].contains(&reply.status), "{}", reply.text());
    assert_eq!(reply.header("x-weir-attempts"), Some("2"));
    let entry = entry(&weir);
    let faults: Vec<&Value> = entry["attempted"].as_array().unwrap().iter().map(|a| &a["fault"]).collect();
    assert_eq!(faults, [&json!("server_error"), &json!("server_error")], "{entry}");
    // A caller's mistake is the answer at once, whoever says so.
    upstreams[0].always(Answer::never());
    upstreams[1].always(refused("invalid_value"));
    let reply = weir.post(CHAT, &[], &call(false));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("invalid_value")));
    assert_eq!(upstreams[0].wait_for_end(1).how, How::PeerClosed);
}

/// Who wants no fallback gets the model that was chosen for it: a hedge goes to the same model only.
#[test]
fn a_hedge_is_no_fallback() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let gate = Gate::new();
    upstreams[0].always(Answer::auto("the first").hold(&gate));
    upstreams[2].always(Answer::auto("the same"));
    let same = "same_as: one";
    let weir = weir_at(&[(&upstreams[0], same), (&upstreams[1], ""), (&upstreams[2], same)], HEDGED);
    let reply = weir.post(CHAT, &[("x-weir-no-fallback", "1")], &call(true));
    assert_eq!((reply.status, reply.header("x-weir-deployment")), (200, Some("d2")), "{}", reply.text());
    assert_eq!(upstreams[1].calls().len(), 0);
    let reply = weir.post(CHAT, &[], &call(true));
    assert_eq!((reply.status, reply.header("x-weir-deployment")), (200, Some("d1")), "{}", reply.text());
}

/// A stream that won the race and breaks off is completed like any other, by the one that lost if it comes to that.
#[test]
fn a_winner_that_breaks_off_is_completed() {
    let words: Vec<String> = (0..20).map(|i| format!("{i} ")).collect();
    let upstreams = [Upstream::start(), Upstream::start()];
    upstreams[0].script([Answer::never()]);
    upstreams[0].always(Answer::stream(words.clone()));
    upstreams[1].always(Answer::stream(words.clone()).broken_after_events(11));
    let weir = weir_at(&[(&upstreams[0], ""), (&upstreams[1], "continues: none")], HEDGED);
    let (text, events) = stream_words(&weir);
    assert_eq!((text, &*events.last().unwrap().data), (words.concat(), "[DONE]"));
    let entry = entry(&weir);
    let attempts = entry["attempted"].as_array().unwrap();
    let causes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["cause"]).collect();
    assert_eq!(causes, [&json!("first"), &json!("hedge"), &json!("continuation")], "{entry}");
    assert_eq!(attempts[1]["fault"], "truncated", "{entry}");
}

/// A client that leaves takes both calls along.
#[test]
fn a_client_that_leaves_ends_both_calls() {
    let upstreams = [Upstream::start(), Upstream::start()];
    upstreams.iter().for_each(|upstream| upstream.always(Answer::never()));
    let weir = weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], HEDGED);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    upstreams[1].wait_for_calls(1);
    drop(client);
    for upstream in &upstreams {
        assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
    }
    assert_eq!(entry(&weir)["outcome"], "client_gone");
}

/// Time in which an upstream is silent is the upstream's, whichever of two calls it belongs to.
#[test]
fn what_two_calls_are_waited_for_is_not_overhead() {
    let (upstreams, gate) = ([Upstream::start(), Upstream::start(), Upstream::start()], Gate::new());
    upstreams[0].always(Answer::never());
    // A head and a role, and much later a token.
    upstreams[1].always(Answer::stream(["the second"]).gate(&gate));
    upstreams[2].always(Answer::never());
    let clock = "clock: { deployments: [d2], timeouts: { first_byte: 500ms }";
    let keyed = [(&upstreams[0], ""), (&upstreams[1], ""), (&upstreams[2], "")];
    let weir = weir_at(&keyed, &format!("{HEDGED} }}\n  {clock}"));
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    upstreams[1].wait_for_calls(1);
    let mut later = call(true);
    later["model"] = json!("clock");
    assert_eq!(weir.post(CHAT, &[], &later).status, 504);
    gate.open();
    let reply = client.read_reply().unwrap();
    assert_eq!(reply.header("x-weir-deployment"), Some("d1"), "{}", reply.text());
    // What it is not: the half second that passed on the same core between the role and the token, which is most of the time
    // to the token however slow the machine is.
    let overhead: f64 = reply.header("x-weir-overhead-ms").unwrap().parse().unwrap();
    let entry = weir.wait_for_log("the call", |entry| entry["route"] == "m");
    assert!(overhead < entry["first_token_ms"].as_f64().unwrap() / 2.0, "{entry}");
}

/// The fault of one of two calls is in the record although the client does not wait for the other.
#[test]
fn a_fault_beside_a_call_is_noted_at_once() {
    let (upstreams, gate) = ([Upstream::start(), Upstream::start()], Gate::new());
    upstreams[0].always(Answer::status(503).hold(&gate));
    upstreams[1].always(Answer::never());
    let weir = weir_at(&[(&upstreams[0], "breaker: { failures: 1 }"), (&upstreams[1], "")], HEDGED);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    upstreams[1].wait_for_calls(1);
    gate.release();
    let open = [("deployment", "d0")];
    weir.wait_for_metric("weir_breaker_state", &open, 2.0);
    drop(client);
    let entry = entry(&weir);
    assert_eq!(entry["outcome"], "client_gone", "{entry}");
    assert_eq!(entry["attempted"][0]["fault"], "server_error", "{entry}");
}

/// The first to answer has not won with an answer that is of no use: the other call goes on, and nobody else is asked.
#[test]
fn an_answer_of_no_use_wins_no_race() {
    for stream in [false, true] {
        let (upstreams, gate) = ([Upstream::start(), Upstream::start()], Gate::new());
        upstreams[0].always(Answer::auto("the first").hold(&gate));
        upstreams[1].always(Answer::auto("").usage(9, 0));
        let weir = weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], HEDGED);
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call(stream)).unwrap();
        upstreams[1].wait_for_end(0);
        // The one core has read what is there before it answers these.
        assert_eq!([weir.get("/v1/models").status, weir.get("/v1/models").status], [200; 2]);
        gate.release();
        let reply = client.read_reply().unwrap();
        assert!(reply.status == 200 && reply.text().contains("first"), "{}", reply.text());
        assert_eq!((reply.header("x-weir-deployment"), reply.header("x-weir-answer")), (Some("d0"), None));
        assert_eq!([upstreams[0].calls().len(), upstreams[1].calls().len()], [1, 1]);
        let entry = entry(&weir);
        let [first, second] = entry["attempted"].as_array().unwrap().as_slice() else { panic!("{entry}") };
        assert_eq!((&first["fault"], &first["aborted"]), (&Value::Null, &Value::Null), "{entry}");
        assert_eq!((&second["fault"], &second["cost_usd"]), (&json!("invalid_output"), &json!("0.000009")));
        assert_eq!(entry["usage"]["input"], 18, "{entry}");
    }
}

/// When the other does no better, the answer of no use is the answer, truthfully marked.
#[test]
fn two_calls_that_are_of_no_use_are_one_answer() {
    let (upstreams, gate) = ([Upstream::start(), Upstream::start()], Gate::new());
    upstreams[0].always(Answer::status(500).hold(&gate));
    upstreams[1].always(Answer::auto("").usage(9, 0));
    let weir =
        weir_at(&[(&upstreams[0], ""), (&upstreams[1], "")], &format!("{HEDGED}, retries: {{ max: 0 }}"));
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(false)).unwrap();
    upstreams[1].wait_for_end(0);
    assert_eq!([weir.get("/v1/models").status, weir.get("/v1/models").status], [200; 2]);
    gate.release();
    let reply = client.read_reply().unwrap();
    assert_eq!(
        (reply.status, reply.header("x-weir-answer")),
        (200, Some("empty_answer")),
        "{}",
        reply.text()
    );
    assert_eq!(reply.header("x-weir-deployment"), Some("d1"));
}

/// Who lost before anything was sent to it has cost nothing, and it was not its model that was slow. Who lost with half of an
/// answer has generated that.
#[test]
fn a_loser_costs_what_it_was_sent_and_has_said() {
    let (hole, upstream) = (Blackhole::start(), Upstream::start());
    upstream.always(Answer::auto("the second"));
    let weir = weir_at_urls(&[(hole.url(), ""), (upstream.url(), "")], HEDGED);
    for stream in [false, true] {
        let reply = weir.post(CHAT, &[], &call(stream));
        assert_eq!((reply.status, reply.header("x-weir-deployment")), (200, Some("d1")), "{}", reply.text());
        let entry = weir.wait_for_log("the call", |entry| entry["stream"] == stream);
        let loser = &entry["attempted"][0];
        assert_eq!((&loser["aborted"], &loser["cost_usd"]), (&json!(true), &Value::Null), "{entry}");
        assert_eq!(entry["usage"]["input"], 9, "{entry}");
    }
    for series in ["weir_deployment_first_token_seconds", "weir_deployment_total_seconds"] {
        assert_eq!(weir.metric(series, &[("deployment", "d0")]), None, "{series}");
        assert!(weir.metric(series, &[("deployment", "d1")]).is_some(), "{series}");
    }

    let (upstreams, gate) = ([Upstream::start(), Upstream::start()], Gate::new());
    upstreams[0].always(Answer::stream(["a ", "b ", "c "]).without_usage().pause_after_events(4));
    upstreams[1].always(Answer::stream(["the second"]).usage(9, 2).hold(&gate));
    let weir = weir_at(
        &[(&upstreams[0], ""), (&upstreams[1], "")],
        &format!("{HEDGED}, answers: {{ buffer: true }}"),
    );
    let mut client = weir.connect().unwrap();
    let mut body = call(true);
    body["stream_options"] = json!({ "include_usage": true });
    client.post(CHAT, &[], &body).unwrap();
    upstreams[0].wait_for("the first's words", |log| log.calls.first().is_some_and(|call| call.events >= 4));
    upstreams[1].wait_for_calls(1);
    gate.release();
    let reply = client.read_reply().unwrap();
    assert_eq!(reply.header("x-weir-deployment"), Some("d1"), "{}", reply.text());
    let entry = entry(&weir);
    assert_eq!(entry["usage"]["output"], 3 + 2, "{entry}");
}
