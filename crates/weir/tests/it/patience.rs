//! How long a call is waited for, how slow a stream may be, and when a second call is made beside a first.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_testkit::{Answer, How, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Deployments `d0`, `d1`, … of upstream models `up0`, `up1`, … at a price, one at each upstream and with further keys, tried
/// in this order by the route `m`, of which `route` says more.
fn weir_at(upstreams: &[(&Upstream, &str)], route: &str) -> RunningWeir {
    let (mut providers, mut deployments, mut members) = (String::new(), String::new(), Vec::new());
    for (i, (upstream, keys)) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        deployments += &format!(
            "  d{i}: {{ provider: p{i}, model: up{i}, price: {{ input: 1, output: 2 }}, {keys} }}\n"
        );
        members.push(format!("d{i}"));
    }
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n{providers}deployments:\n{deployments}\
         routes:\n  m: {{ policy: priority, deployments: [{}], retries: {{ base: 1ms, cap: 5ms }}, {route} }}\n",
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
    while upstreams[0].calls().first().is_none_or(|call| call.ended.is_none()) {
        #[allow(clippy::disallowed_methods, reason = "what is tested is a minute of real time")]
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(upstreams[0].wait_for_end(0).how, How::PeerClosed);
    let reply = client.read_reply().unwrap();
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
