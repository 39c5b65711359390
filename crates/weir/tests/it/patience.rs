//! How long a call is waited for, how slow a stream may be, and when a second call is made beside a first.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_testkit::{Answer, How, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Deployments `d0`, `d1`, … of upstream models `up0`, `up1`, … at a price, one at each upstream, tried in this order by
/// the route `m`, of which `route` says more.
fn weir(upstreams: &[&Upstream], route: &str) -> RunningWeir {
    let (mut providers, mut deployments, mut members) = (String::new(), String::new(), Vec::new());
    for (i, upstream) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        deployments +=
            &format!("  d{i}: {{ provider: p{i}, model: up{i}, price: {{ input: 1, output: 2 }} }}\n");
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
    let weir = weir(&[&upstreams[0], &upstreams[1]], "");
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
