//! Whatever an upstream does, the client gets a typed answer in bounded time and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

mod books;
mod certificates;
mod chatty;
mod leaving;

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_core::Timeouts;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, Blackhole, Gate, How, RunningWeir, Upstream, free_port};

const CHAT: &str = "/v1/chat/completions";

/// A `weir` whose model `m` is served by the one deployment `d` at `url`, with these further lines for its route.
fn weir(url: &str, route: &str) -> RunningWeir {
    weir_with(&format!("base_url: '{url}'"), route)
}

fn weir_with(provider: &str, route: &str) -> RunningWeir {
    let config = format!(
        "providers: {{ p: {{ kind: openai, {provider} }} }}\n\
         deployments: {{ d: {{ provider: p, model: up }} }}\n\
         routes: {{ m: {{ deployments: [d], {route} }} }}\n"
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

const NO_RETRY: &str = "retries: { max: 0 }";
const QUICK: &str = "retries: { base: 1ms, cap: 5ms }";

fn call(stream: bool) -> Value {
    json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "hello" }] })
}

fn assert_nothing_left(weir: &RunningWeir) {
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "d")], 0.0);
}

fn assert_typed(row: &str, reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{row}: {}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"), "{row}");
    let error = reply.json()["error"].clone();
    assert_eq!(error["code"], code, "{row}: {error}");
    assert_eq!(error["type"], "server_error", "{row}: {error}");
    assert_eq!(error["request_id"].as_str(), reply.header("x-request-id"), "{row}: {error}");
    assert!(!error["message"].as_str().unwrap().contains("127.0.0.1"), "{row}: addresses stay here: {error}");
}

/// The limits that hold when nothing is configured.
#[test]
fn the_default_limits_are_these() {
    assert_eq!(Timeouts::CONNECT, Duration::from_secs(5));
    assert_eq!(Timeouts::FIRST_TOKEN, Duration::from_secs(10));
    assert_eq!(Timeouts::IDLE, Duration::from_secs(30));
    assert_eq!(Timeouts::TOTAL, Duration::from_secs(600));
}

/// Each limit that can pass before an answer has begun: 504 with a code, and the upstream call is ended.
#[test]
fn each_timeout_before_the_answer_is_a_504() {
    let stream = || Answer::stream(["never", " seen"]);
    let pieces = || Answer::chat("never seen").in_pieces(10);
    let headers_only = || Answer::event_bytes([": still thinking\n\n"]).pause_after_events(1);
    let rows = [
        ("first byte, whole", "first_byte: 400ms", false, Answer::never()),
        ("first byte, stream", "first_byte: 400ms", true, Answer::never()),
        ("head but no event", "first_byte: 400ms", true, stream().pause_after_events(0)),
        ("comments but no event", "first_byte: 400ms", true, headers_only()),
        ("idle, whole", "idle: 400ms", false, pieces().pause_after_events(1)),
        ("idle, head alone", "idle: 400ms", false, pieces().pause_after_events(0)),
        ("total, whole", "total: 400ms", false, Answer::never()),
        ("total, stream", "total: 400ms", true, Answer::never()),
        ("total, in the middle of a whole answer", "total: 400ms", false, pieces().pause_after_events(2)),
    ];
    for (row, limit, streamed, answer) in rows {
        let upstream = Upstream::start();
        upstream.always(answer);
        let weir = weir(&upstream.url(), &format!("{QUICK}, timeouts: {{ {limit} }}"));
        let reply = weir.post(CHAT, &[], &call(streamed));
        assert_typed(row, &reply, 504, "upstream_timeout");
        assert_eq!(
            reply.header("x-weir-attempts"),
            Some("1"),
            "{row}: a timeout is not tried again at the same place"
        );
        assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed, "{row}");
        assert_eq!(upstream.calls().len(), 1, "{row}");
        assert_nothing_left(&weir);
    }
}

/// A peer that neither accepts nor refuses costs the connect limit, at whichever level that is set.
#[test]
fn a_connection_that_is_not_made_in_time_is_a_504() {
    let hole = Blackhole::start();
    let url = format!("base_url: '{}'", hole.url());
    for (provider, route) in [
        (url.clone(), format!("{NO_RETRY}, timeouts: {{ connect: 200ms }}")),
        (format!("{url}, timeouts: {{ connect: 200ms }}"), NO_RETRY.to_owned()),
    ] {
        let weir = weir_with(&provider, &route);
        for streamed in [false, true] {
            assert_typed("connect", &weir.post(CHAT, &[], &call(streamed)), 504, "upstream_connect_timeout");
        }
        assert_nothing_left(&weir);
    }
}

/// U5: silence, or no end, in the middle of a stream frees both sides: the prefix is delivered, the client is told
/// in-band, the upstream call is closed, and the next call is healthy.
#[test]
fn a_stream_that_hangs_ends_in_an_error_event() {
    let rows = [
        ("", ", timeouts: { idle: 1s }"),
        ("", ", timeouts: { total: 1s }"),
        (", timeouts: { total: 1s }", ""),
    ];
    for (provider, route) in rows {
        let upstream = Upstream::start();
        let limit = format!("provider {provider:?}, route {route:?}");
        let weir =
            weir_with(&format!("base_url: '{}'{provider}", upstream.url()), &format!("{QUICK}{route}"));
        let words: Vec<String> = (0..20).map(|i| format!(" w{i}")).collect();
        upstream.script([Answer::stream(words.clone()).pause_after_events(8)]);
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call(true)).unwrap();
        assert_eq!(client.read_head().unwrap().status, 200);
        let events = client.read_events().unwrap();
        let text: String = events.iter().map(|event| event.text()).collect();
        assert_eq!(text, words[..7].concat(), "{limit}");
        let last = events.last().unwrap().json();
        assert_eq!(last["error"]["code"], "upstream_timeout", "{limit}: {last}");
        assert!(events.iter().all(|event| event.data != "[DONE]"), "{limit}: {events:?}");
        assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed, "{limit}");
        assert_nothing_left(&weir);
        let entry = weir.wait_for_log("the call", |entry| entry["stream"] == true);
        assert_eq!((&entry["outcome"], &entry["status"]), (&json!("timeout"), &json!(200)), "{entry}");
        // The client's connection is good for another call, which is answered.
        client.post(CHAT, &[], &call(true)).unwrap();
        assert_eq!(client.read_head().unwrap().status, 200);
        assert_eq!(client.read_events().unwrap().last().unwrap().data, "[DONE]", "{limit}");
    }
}

/// Pieces that come in time keep a stream alive however long it takes in all: the idle limit is about silence.
#[test]
fn the_idle_limit_is_about_silence_alone() {
    let upstream = Upstream::start();
    upstream.always(Answer::stream(["a"; 12]).pace(Duration::from_millis(200)));
    let weir = weir(&upstream.url(), "timeouts: { idle: 2s }");
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    assert_eq!(client.read_head().unwrap().status, 200);
    assert_eq!(client.read_events().unwrap().last().unwrap().data, "[DONE]");
}

/// U12: an upstream that closes its connections just when the next call comes. Each call is answered, and none is
/// executed twice. Calls follow each other at once; half of the connections are closed right after their answer, a
/// quarter about when the next call arrives, and a quarter are kept.
#[test]
fn a_connection_closed_between_two_calls_costs_no_call() {
    const CALLS: usize = 400;
    let upstream = Upstream::start();
    let idle = |i: usize| match i % 4 {
        0 | 2 => Answer::auto("well").keep_alive(Duration::ZERO),
        1 => Answer::auto("well").keep_alive(Duration::from_millis(1)),
        _ => Answer::auto("well"),
    };
    upstream.script((0..CALLS).map(idle));
    let weir = weir(&upstream.url(), QUICK);
    let mut client = weir.connect().unwrap();
    for i in 0..CALLS {
        client.post(CHAT, &[], &call(false)).unwrap();
        let reply = client.read_reply().unwrap();
        assert_eq!(reply.status, 200, "call {i}: {}", reply.text());
    }
    let log = upstream.log();
    assert_eq!(log.calls.len(), CALLS, "each call is executed once");
    assert!(log.malformed.is_empty(), "{:?}", log.malformed);
    let opened = log.connections_total;
    assert!((CALLS / 2..=CALLS).contains(&opened), "{opened} connections");
    assert!(log.calls.iter().any(|call| call.nth_on_connection > 0), "no connection was used twice");
}

/// U12 as it happens: upstreams that close idle connections after a second, and clients that call every 0.9 to 1.1 s, so
/// that many a call meets the close half-way. Each client has an upstream of its own, so that no other client's call keeps
/// its connection busy. Runs when `WEIR_LONG` is set.
#[test]
fn connections_closed_after_a_second_cost_no_call() {
    if std::env::var_os("WEIR_LONG").is_none() {
        eprintln!("skipped: takes a minute of real time; `cargo xtask ci --long` runs it");
        return;
    }
    const CLIENTS: usize = 40;
    const CALLS: usize = 50;
    let upstreams: Vec<Upstream> = (0..CLIENTS).map(|_| Upstream::start()).collect();
    let section = |line: &dyn Fn(usize) -> String| (0..CLIENTS).map(line).collect::<String>();
    let config = format!(
        "providers:\n{}deployments:\n{}routes:\n{}",
        section(&|n| format!("  p{n}: {{ kind: openai, base_url: '{}' }}\n", upstreams[n].url())),
        section(&|n| format!("  d{n}: {{ provider: p{n}, model: up }}\n")),
        section(&|n| format!("  m{n}: {{ deployments: [d{n}], {QUICK} }}\n")),
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    let serve = |n: usize| {
        upstreams[n].always(Answer::auto("well").keep_alive(Duration::from_secs(1)));
        let mut client = weir.connect().unwrap();
        for i in 0..CALLS {
            let mut call = call(false);
            call["model"] = json!(format!("m{n}"));
            call["user"] = json!(i.to_string());
            client.post(CHAT, &[], &call).unwrap();
            let reply = client.read_reply().unwrap();
            assert_eq!(reply.status, 200, "call {i} of client {n}: {}", reply.text());
            // Every spacing from 900 to 1,100 ms, in an order that differs from client to client.
            let spacing = 900 + (i * 83 + n * 29) % 201;
            #[allow(
                clippy::disallowed_methods,
                reason = "what is tested is a race in real time; no core is blocked"
            )]
            std::thread::sleep(Duration::from_millis(spacing as u64));
        }
    };
    std::thread::scope(|scope| {
        let serve = &serve;
        (0..CLIENTS).for_each(|n| drop(scope.spawn(move || serve(n))));
    });
    let mut closed = 0;
    for (n, upstream) in upstreams.iter().enumerate() {
        let log = upstream.log();
        let executed: Vec<String> = log
            .calls
            .iter()
            .map(|call| call.json()["user"].as_str().unwrap_or_default().to_owned())
            .collect();
        let wanted: Vec<String> = (0..CALLS).map(|i| i.to_string()).collect();
        assert_eq!(executed, wanted, "upstream {n}: each call is executed once");
        assert!(log.malformed.is_empty(), "{:?}", log.malformed);
        closed += log.connections_total - 1;
    }
    let calls = CLIENTS * CALLS;
    assert!(
        (calls / 10..calls - calls / 10).contains(&closed),
        "{closed} of {calls} connections were closed: no race"
    );
}

/// U13: nothing there to talk to. Typed answers, and after five faults the breaker is open.
#[test]
fn an_unreachable_upstream_is_a_502_and_opens_the_breaker() {
    let refused = format!("http://127.0.0.1:{}/v1", free_port());
    // Who asks for a name may have to wait for the answer that there is none.
    let unknown = "http://no-such-host.invalid/v1".to_owned();
    let typed = [(502, "upstream_unreachable"), (504, "upstream_connect_timeout")];
    for (row, url, allowed) in [("refused", refused, &typed[..1]), ("no such name", unknown, &typed[..])] {
        let weir = weir(&url, &format!("{NO_RETRY}, timeouts: {{ connect: 1s }}"));
        let check = |stream: bool| {
            let reply = weir.post(CHAT, &[], &call(stream));
            let (status, code) =
                allowed.iter().find(|(status, _)| *status == reply.status).unwrap_or(&typed[0]);
            assert_typed(row, &reply, *status, code);
        };
        for _ in 0..5 {
            assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d")]), Some(0.0), "{row}");
            check(false);
        }
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d")]), Some(2.0), "{row}");
        // The only one there is is asked all the same: it may be back.
        check(true);
        let entry = weir.wait_for_log("a failed call", |entry| entry["outcome"] == "network");
        assert!(entry["cause"].is_string(), "{row}: the log says why: {entry}");
    }
}

/// U14: answers that are HTTP but no answer. Nothing hangs, nothing is followed.
#[test]
fn statuses_that_no_api_gives_are_typed_faults() {
    let canary = Upstream::start();
    let upstream = Upstream::start();
    let weir = weir(&upstream.url(), NO_RETRY);
    let to_canary = format!("{}/chat/completions", canary.url());
    let redirect = |status: u16| Answer::status(status).header("location", &to_canary);
    let rows = [
        ("101", Answer::raw("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")),
        ("204", Answer::status(204)),
        ("205", Answer::status(205)),
        ("206", Answer::body(206, "application/json", "{}")),
        ("301", redirect(301)),
        ("302", redirect(302)),
        ("303", redirect(303)),
        ("304", Answer::status(304)),
        ("307", redirect(307)),
        ("308", redirect(308)),
        (
            "302 with a refresh",
            Answer::redirect(&to_canary).header("refresh", &format!("0; url={to_canary}")),
        ),
    ];
    for (row, answer) in rows {
        for streamed in [false, true] {
            upstream.script([answer.clone()]);
            assert_typed(row, &weir.post(CHAT, &[], &call(streamed)), 502, "upstream_malformed");
        }
    }
    assert_eq!(canary.connections_total(), 0, "a redirect was followed");
    assert_nothing_left(&weir);
}

/// U14: what may come around an answer changes nothing about it.
#[test]
fn informational_answers_and_trailers_are_passed_over() {
    let upstream = Upstream::start();
    let weir = weir(&upstream.url(), NO_RETRY);
    let rows = [
        ("100", Answer::chat("well").informational(100)),
        ("102, 103, 100", Answer::chat("well").informational(102).informational(103).informational(100)),
        ("trailers", Answer::chat("well").trailers([("x-secret", "never passed on")])),
        ("chunked", Answer::chat("well").chunked().in_pieces(3)),
        ("until close", Answer::chat("well").until_close()),
        ("connection: close", Answer::chat("well").close()),
        ("byte by byte", Answer::chat("well").byte_by_byte()),
    ];
    for (row, answer) in rows {
        upstream.script([answer]);
        let reply = weir.post(CHAT, &[("te", "trailers")], &call(false));
        assert_eq!(reply.status, 200, "{row}: {}", reply.text());
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "well", "{row}");
        assert!(reply.headers.iter().chain(&reply.trailers).all(|(name, _)| name != "x-secret"), "{row}");
    }
}

/// Like S2: addresses inside a call or an answer are content. Nothing here ever asks for them.
#[test]
fn addresses_inside_content_are_never_asked_for() {
    let canary = Upstream::start();
    let upstream = Upstream::start();
    let weir = weir(&upstream.url(), NO_RETRY);
    let address = format!("{}/image.png", canary.url());
    let decimal = format!("http://2130706433:{}/", canary.addr().port());
    let any = format!("http://0.0.0.0:{}/", canary.addr().port());
    upstream
        .always(Answer::auto(&format!("see {address}")).header("link", &format!("<{address}>; rel=preload")));
    for url in [&address, &decimal, &any] {
        for streamed in [false, true] {
            let mut call = call(streamed);
            call["messages"] = json!([{ "role": "user", "content": [
                { "type": "text", "text": format!("what is at {url}?") },
                { "type": "image_url", "image_url": { "url": url } },
                { "type": "file", "file": { "file_data": url } },
            ] }]);
            for field in ["api_base", "base_url", "webhook_url"] {
                call[field] = json!(url);
            }
            let reply = weir.post(CHAT, &[("x-portkey-custom-host", url), ("forwarded", url)], &call);
            assert_eq!(reply.status, 200, "{}", reply.text());
        }
    }
    let seen = upstream.calls();
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[0].json()["messages"][0]["content"][1]["image_url"]["url"], address.as_str());
    assert_eq!(canary.connections_total(), 0, "an address out of a request was asked");
}

/// The gauge that the tests above read does count.
#[test]
fn calls_under_way_are_counted() {
    let gate = Gate::new();
    let upstream = Upstream::start();
    upstream.always(Answer::auto("well").hold(&gate));
    let weir = weir(&upstream.url(), NO_RETRY);
    let mut clients: Vec<_> = (0..3).map(|_| weir.connect().unwrap()).collect();
    clients.iter_mut().for_each(|client| client.post(CHAT, &[], &call(false)).unwrap());
    upstream.wait_for_calls(3);
    weir.wait_for_metric("weir_requests_in_flight", &[], 3.0);
    weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "d")], 3.0);
    gate.open();
    clients.iter_mut().for_each(|client| assert_eq!(client.read_reply().unwrap().status, 200));
    assert_nothing_left(&weir);
}
