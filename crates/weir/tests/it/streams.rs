//! A stream is passed on event by event as it comes, says what it cost, and is complete or says that it is not.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

mod broken;
mod dialects;

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::client::Event;
use weir_testkit::{Answer, Gate, How, RawClient, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";
const DONE: &str = "[DONE]";

/// A `weir` whose model `m` is served by one deployment at each of these, in any order, with quick retries.
fn weir(upstreams: &[&Upstream]) -> RunningWeir {
    let (mut providers, mut deployments) = (String::new(), String::new());
    for (i, upstream) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        deployments += &format!(
            "  d{i}: {{ provider: p{i}, model: up, price: {{ input: 1, output: 2 }}, continues: none }}\n"
        );
    }
    let names: Vec<String> = (0..upstreams.len()).map(|i| format!("d{i}")).collect();
    let route =
        format!("  m: {{ deployments: [{}], retries: {{ base: 1ms, cap: 5ms }} }}\n", names.join(", "));
    let config = format!("providers:\n{providers}deployments:\n{deployments}routes:\n{route}");
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn call() -> Value {
    json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "hello" }] })
}

fn call_with(field: &str, value: Value) -> Value {
    let mut call = call();
    call[field] = value;
    call
}

/// Sends a call and reads the head of its stream.
fn open(weir: &RunningWeir, headers: &[(&str, &str)], call: &Value) -> RawClient {
    let mut client = weir.connect().unwrap();
    client.post(CHAT, headers, call).unwrap();
    let head = client.read_head().unwrap();
    assert_eq!(head.status, 200, "{head:?}: {:?}", client.read_body().map(String::from_utf8));
    let content_type = head.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("text/event-stream"), "{head:?}");
    client
}

fn all_events(weir: &RunningWeir, call: &Value) -> Vec<Event> {
    open(weir, &[], call).read_events().unwrap()
}

fn text(events: &[Event]) -> String {
    events.iter().map(Event::text).collect()
}

/// The one finish reason of a stream with one choice.
fn finish(events: &[Event]) -> Option<String> {
    let reasons: Vec<String> = events
        .iter()
        .filter_map(|event| serde_json::from_str::<Value>(&event.data).ok())
        .filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str().map(str::to_owned))
        .collect();
    assert!(reasons.len() <= 1, "{reasons:?}");
    reasons.into_iter().next()
}

fn assert_complete(events: &[Event], expect: &str) {
    assert_eq!(text(events), expect);
    assert_eq!(finish(events).as_deref(), Some("stop"), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!((last.data.as_str(), &*last.raw), (DONE, &b"data: [DONE]\n\n"[..]));
    assert_eq!(events.iter().filter(|event| event.data == DONE).count(), 1);
}

/// U11: the client holds each event, the role among them, before the upstream is allowed to send the next. It makes no
/// difference whether another deployment could still be tried.
#[test]
fn every_event_is_passed_on_before_the_next_one_is_sent() {
    check_causal(1);
    check_causal(2);
}

fn check_causal(deployments: usize) {
    let words = ["It", " never", " waits"];
    let gate = Gate::new();
    let upstreams: Vec<Upstream> = (0..deployments).map(|_| Upstream::start()).collect();
    upstreams.iter().for_each(|upstream| upstream.always(Answer::stream(words).gate(&gate)));
    let weir = weir(&upstreams.iter().collect::<Vec<_>>());
    let mut client = open(&weir, &[], &call());
    let role = client.read_event().unwrap().unwrap();
    assert_eq!(role.json()["choices"][0]["delta"]["role"], "assistant");
    for word in words {
        gate.release();
        assert_eq!(client.read_event().unwrap().unwrap().text(), word);
    }
    let sent: usize = upstreams.iter().flat_map(Upstream::calls).map(|seen| seen.events).sum();
    assert!(sent <= 1 + words.len(), "the upstream has sent {sent} events, more than the client holds");
    gate.open();
    let rest = client.read_events().unwrap();
    assert_eq!(finish(&rest).as_deref(), Some("stop"));
    assert_eq!(rest.last().unwrap().data, DONE);
}

/// A first token needs no second one to get through, whatever it is cut into.
#[test]
fn a_first_token_cut_into_packets_is_passed_on_whole() {
    let gate = Gate::new();
    let upstream = Upstream::start();
    let pieces = [
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Fir",
        "st\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    ];
    upstream.always(Answer::event_bytes(pieces).gate(&gate));
    let weir = weir(&[&upstream]);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call()).unwrap();
    upstream
        .wait_for("half of the first event", |log| log.calls.first().is_some_and(|call| call.events == 1));
    gate.release();
    assert_eq!(client.read_head().unwrap().status, 200);
    assert_eq!(client.read_event().unwrap().unwrap().text(), "First");
    gate.open();
    assert_eq!(client.read_events().unwrap().last().unwrap().data, DONE);
}

/// Weir always asks for usage. A client that did not gets no usage chunk, and the log has it all the same.
#[test]
fn usage_is_always_known_and_passed_on_only_when_asked_for() {
    let upstream = Upstream::start();
    upstream.always(Answer::stream(["Four", " words", " in", " all"]).usage(11, 4));
    let weir = weir(&[&upstream]);
    let check = |call: &Value, passed_on: bool| {
        let events = all_events(&weir, call);
        assert_complete(&events, "Four words in all");
        let usage: Vec<Value> = events
            .iter()
            .filter(|e| e.data != DONE)
            .map(|e| e.json()["usage"].clone())
            .filter(|u| u.is_object())
            .collect();
        let expect = json!({ "prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15 });
        assert_eq!(usage, if passed_on { vec![expect] } else { vec![] }, "{call}");
        let seen = upstream.calls().pop().unwrap().json();
        assert_eq!(seen["stream_options"]["include_usage"], true, "{seen}");
    };
    check(&call(), false);
    check(&call_with("stream_options", json!(null)), false);
    check(&call_with("stream_options", json!({ "include_usage": false })), false);
    check(&call_with("stream_options", json!({ "include_usage": true })), true);
    // 11 tokens at 1 and 4 at 2 USD per million, four times.
    weir.wait_for_metric("gen_ai_client_token_usage_total", &[("token_type", "input")], 44.0);
    let entry = weir.wait_for_log("a line with usage", |entry| entry["usage"].is_object());
    assert_eq!((&entry["usage"]["input"], &entry["usage"]["output"]), (&json!(11), &json!(4)), "{entry}");
    assert_eq!(entry["cost_usd"], "0.000019");
}

/// What comes in OpenAI's own framing goes out byte by byte as it came: spacing, member order and unknown members of the
/// usage object included.
#[test]
fn a_stream_with_usage_asked_for_is_passed_on_verbatim() {
    let data = [
        r#"{ "id":"x",  "choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}], "p": "abc" }"#,
        r#"{"choices":[{"index":0,"delta":{"content":"\u00e9 \"quoted\""},"finish_reason":null}],"usage":null}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"usage":{"total_tokens":7,"x_own":{"b":1,"a":2},"completion_tokens":3,"prompt_tokens":4}}"#,
    ];
    let upstream = Upstream::start();
    upstream.always(Answer::events(data));
    let weir = weir(&[&upstream]);
    let body =
        open(&weir, &[], &call_with("stream_options", json!({ "include_usage": true }))).read_body().unwrap();
    let expect: String = data.iter().chain(&[DONE]).map(|data| format!("data: {data}\n\n")).collect();
    assert_eq!(String::from_utf8(body).unwrap(), expect);
}

/// What is known only at a stream's end comes as trailers, for clients that take them.
#[test]
fn trailers_say_what_a_stream_cost_to_clients_that_ask() {
    let upstream = Upstream::start();
    upstream.always(Answer::stream(["Priced"]).usage(9, 5));
    let weir = weir(&[&upstream]);
    for asks in [true, false] {
        let headers: &[(&str, &str)] = if asks { &[("te", "trailers")] } else { &[] };
        let mut client = weir.connect().unwrap();
        client.post(CHAT, headers, &call()).unwrap();
        let reply = client.read_reply().unwrap();
        assert_eq!(reply.header("trailer").is_some(), asks, "{:?}", reply.headers);
        let of = |name: &str| reply.trailers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!(of("x-weir-cost"), asks.then_some("0.000019"));
        assert_eq!(of("x-token-usage"), asks.then_some("14"));
        assert_eq!(of("x-weir-overhead-ms").is_some(), asks);
    }
}

/// With several choices the answer is whole when each of them is finished.
#[test]
fn two_choices_need_two_finishes() {
    let chunk = |index: u32, delta: Value, reason: Option<&str>| {
        json!({ "choices": [{ "index": index, "delta": delta, "finish_reason": reason }] }).to_string()
    };
    let words = |index| chunk(index, json!({ "content": format!("choice {index}") }), None);
    let both = [words(0), words(1), chunk(1, json!({}), Some("length")), chunk(0, json!({}), Some("stop"))];
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    upstream.script([Answer::events(both.clone()), Answer::events(both[..3].to_vec())]);
    let call = call_with("n", json!(2));
    let events = all_events(&weir, &call);
    assert_eq!(events.last().unwrap().data, DONE);
    assert_eq!(events.len(), 5);
    let events = all_events(&weir, &call);
    assert_eq!(events.last().unwrap().json()["error"]["code"], "upstream_truncated");
    assert!(events.iter().all(|event| event.data != DONE), "{events:?}");
}

/// U9: one delta of 3 MB, and an answer of 5 MB that is no stream, arrive intact; further rounds of them need no
/// more memory than the first.
#[test]
fn huge_answers_arrive_intact_in_bounded_memory() {
    let (delta, whole) = ("d\u{e9}".repeat(1 << 20), "w".repeat(5 << 20));
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    let round = || {
        upstream.script([Answer::stream([delta.clone()]), Answer::chat(&whole)]);
        let body = open(&weir, &[], &call()).read_body().unwrap();
        let body = String::from_utf8(body).unwrap();
        let mut texts = body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(|data| {
            let chunk: Value = serde_json::from_str(data).unwrap_or_default();
            chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
        });
        assert!(texts.any(|text| text == delta), "the delta is damaged or missing");
        assert!(body.ends_with("data: [DONE]\n\n"));
        let reply = weir.post(CHAT, &[], &call_with("stream", json!(false)));
        assert_eq!(reply.status, 200);
        assert!(reply.json()["choices"][0]["message"]["content"] == *whole, "the answer is damaged");
    };
    (0..2).for_each(|_| round());
    let before = weir.process.resident_bytes();
    (0..2).for_each(|_| round());
    let after = weir.process.resident_bytes();
    assert!(before < 128 << 20, "{before} bytes resident after two rounds");
    assert!(after <= before + (24 << 20), "resident bytes went from {before} to {after}");
}

/// A thousand streams at once: all of them are open at the same time, and every one of them completes.
#[test]
fn a_thousand_streams_at_once_complete() {
    const STREAMS: usize = 1000;
    let gate = Gate::new();
    let upstream = Upstream::start();
    let chunk = |delta: &str, finish: Value| {
        json!({ "choices": [{ "index": 0, "delta": { "content": delta }, "finish_reason": finish }] })
            .to_string()
    };
    let events = [chunk("one", Value::Null), chunk(" of many", Value::Null), chunk("", json!("stop"))];
    upstream.always(Answer::events(events).gate(&gate));
    let weir = weir(&[&upstream]);
    let mut clients: Vec<RawClient> = (0..STREAMS)
        .map(|_| {
            let mut client = weir.connect().unwrap();
            client.post(CHAT, &[], &call()).unwrap();
            client
        })
        .collect();
    upstream.wait_for("all streams at once", |log| log.in_flight() == STREAMS);
    for client in &mut clients {
        assert_eq!(client.read_head().unwrap().status, 200);
        assert_eq!(client.read_event().unwrap().unwrap().text(), "one");
    }
    weir.wait_for_metric("weir_requests_in_flight", &[], 1000.0);
    gate.open();
    for client in &mut clients {
        assert_complete(&client.read_events().unwrap(), " of many");
    }
    let log = upstream.wait_for("the end of all streams", |log| log.in_flight() == 0);
    assert_eq!(log.calls.len(), STREAMS);
    assert!(log.calls.iter().all(|call| call.ended.is_some_and(|ended| ended.how == How::Answered)));
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "d0")], 0.0);
}
