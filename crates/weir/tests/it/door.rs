//! The door holds: everything a client can take has an end, clients that are slow, greedy or strangers hurt nobody else, and
//! every public operation and every admin route has every guard.

use crate::told::{address, told};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use weir_config::Limits;
use weir_core::endpoint::Gives;
use weir_testkit::client::call;
use weir_testkit::weir::Start;
use weir_testkit::{Answer, Gate, How, RawClient, RunningWeir, Scratch, Upstream};

const CHAT: &str = "/v1/chat/completions";
const KEY: &str = "wr-alice-0123456789";

/// A `weir` over one deployment, with these lines in its `server` section and these sections besides.
fn start(upstream: &Upstream, server: &str, more: &str) -> RunningWeir {
    let config = format!(
        "server:\n  listen: @public@\n  admin: {{ listen: @admin@, token: admin-token-1 }}\n{server}\
         providers: {{ up: {{ kind: openai, base_url: \"{}\" }} }}\n\
         deployments: {{ one: {{ provider: up, model: upstream-model }} }}\n\
         routes: {{ chat: {{ deployments: [one] }} }}\n{more}",
        upstream.url()
    );
    Start::new(Path::new(env!("CARGO_BIN_EXE_weir")), &config).admin_token("admin-token-1").start()
}

fn limits(limits: &str) -> String {
    format!("  limits: {{ {limits} }}\n")
}

fn chat(stream: bool) -> Value {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": "hi" }], "stream": stream })
}

fn serves(weir: &RunningWeir) {
    let reply = weir.post(CHAT, &[], &chat(false));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// A chat request's head that states a length, without a body.
fn head(length: usize) -> Vec<u8> {
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\n");
    format!("{head}content-length: {length}\r\n\r\n").into()
}

/// Reads an answer in the API's envelope, and the end of the connection behind it.
fn refusal(client: &mut RawClient, status: u16, code: &str) {
    let reply = client.read_reply().unwrap_or_else(|error| panic!("{code}: {error}"));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (status, &json!(code)), "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("connection"), Some("close"), "{code}");
    client.wait_for_close().unwrap_or_else(|error| panic!("{code}: {error}"));
}

/// The numbers this file's rows speak of, as they are without any configuration.
#[test]
fn the_default_limits_are_these() {
    let limits = Limits::default();
    assert_eq!(limits.header_timeout, Duration::from_secs(10), "H5: an idle or half sent head");
    assert_eq!(limits.body_timeout, Duration::from_secs(10), "H5: a half sent body");
    assert_eq!(limits.body_total, Duration::from_secs(120), "H8: a body that trickles");
    assert_eq!(limits.send_timeout, Duration::from_secs(30), "H6: a client that does not read");
    assert_eq!(limits.keep_alive, Duration::from_secs(75));
    assert_eq!((limits.max_header, limits.max_body), (64 << 10, 32 << 20), "H2, H3");
    assert_eq!((limits.max_requests, limits.max_connections), (10_000, 20_000));
    assert_eq!((limits.stream_buffer, limits.answer_buffer), (4 << 20, 1 << 20), "H6");
}

/// H2. Too many headers, and one that is too long: 431 in the API's envelope, and the memory for it is not taken.
#[test]
fn a_flood_of_headers_is_refused() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "", "");
    serves(&weir);
    let before = weir.process.resident_bytes();
    let many: String = (0..2000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(200_000));
    let line = "a".repeat(200_000);
    for _ in 0..20 {
        for flood in [&many, &long] {
            let mut client = weir.connect().unwrap();
            let request =
                format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\n{flood}content-length: 2\r\n\r\n{{}}");
            // The answer may come before all of it is sent.
            let _ = client.send(request.as_bytes());
            let reply = client.read_reply().unwrap();
            assert_eq!((reply.status, &reply.json()["error"]["code"]), (431, &json!("headers_too_large")));
        }
        let mut client = weir.connect().unwrap();
        let _ = client.send(format!("GET /v1/models/{line} HTTP/1.1\r\nhost: weir\r\n\r\n").as_bytes());
        assert!(matches!(client.read_reply().unwrap().status, 414 | 431));
    }
    let more = weir.process.resident_bytes().saturating_sub(before);
    assert!(more < 4 << 20, "{more} bytes more for sixty floods of 200 kB");
    serves(&weir);
    assert_eq!(upstream.calls().len(), 2);
}

/// H3. A body that is too large: refused by its stated length before any of it is read, else as soon as it is too long.
#[test]
fn a_body_that_is_too_large_is_refused() {
    let upstream = Upstream::start();
    let weir = start(&upstream, &limits("max_body: 64KiB"), "");
    let mut client = weir.connect().unwrap();
    client.send(&head((64 << 10) + 1)).unwrap();
    refusal(&mut client, 413, "request_too_large");
    // Chunks that go on until somebody stops them.
    let mut client = weir.connect().unwrap();
    let chunked = format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(chunked.as_bytes()).unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for _ in 0..17 {
        client.send(chunk.as_bytes()).unwrap();
    }
    refusal(&mut client, 413, "request_too_large");
    // A client that sends all of its large body before it reads still gets the answer.
    let mut client = weir.connect().unwrap();
    let _ = client.send(&[head(8 << 20), vec![b' '; 8 << 20]].concat());
    assert_eq!(client.read_reply().unwrap().status, 413);
    // As large as allowed, by length and in chunks.
    let text = chat(false).to_string();
    let padded = format!("{}{text}", " ".repeat((64 << 10) - text.len()));
    let mut client = weir.connect().unwrap();
    client.request("POST", CHAT, &[], padded.as_bytes()).unwrap();
    assert_eq!(client.read_reply().unwrap().status, 200);
    client.send(format!("{chunked}{:x}\r\n{padded}\r\n0\r\n\r\n", padded.len()).as_bytes()).unwrap();
    assert_eq!(client.read_reply().unwrap().status, 200);
    assert_eq!(upstream.calls().len(), 2);
}

/// H3. A stranger is told so before a byte of the large body is sent, and a compressed body is never unpacked.
#[test]
fn a_body_is_not_read_in_vain() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "", &format!("keys: {{ alice: {{ key: {KEY} }} }}\n"));
    let mut client = weir.connect().unwrap();
    client.send(&head(50_000_000)).unwrap();
    let reply = client.read_reply().unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (401, &json!("missing_api_key")));
    for coding in ["gzip", "br", "deflate", "zstd", "gzip, identity"] {
        let bearer = format!("Bearer {KEY}");
        let headers = [("authorization", bearer.as_str()), ("content-encoding", coding)];
        let reply = call(weir.public, "POST", CHAT, &headers, b"\x1f\x8b\x08\x00").unwrap();
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (415, &json!("unsupported_media_type")),
            "{coding}"
        );
    }
    assert!(upstream.calls().is_empty());
}

/// H5. Connections that never say what they want, or never finish saying it, are closed; a stream under way and other clients
/// notice nothing.
#[test]
fn slow_clients_are_let_go() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.script([Answer::stream(["a", "b"]).without_role().gate(&gate)]);
    let short = "header_timeout: 300ms, body_timeout: 300ms, keep_alive: 300ms";
    let weir = start(&upstream, &limits(short), "");
    let mut streaming = weir.connect().unwrap();
    streaming.post(CHAT, &[], &chat(true)).unwrap();
    streaming.read_head().unwrap();
    streaming.read_event().unwrap().unwrap();
    let mut silent = weir.connect().unwrap();
    let mut half_head = weir.connect().unwrap();
    half_head.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: w").unwrap();
    let mut half_body = weir.connect().unwrap();
    half_body.send(&[head(100), b"{\"model\":".to_vec()].concat()).unwrap();
    let mut used = weir.connect().unwrap();
    used.request("GET", "/health/live", &[], b"").unwrap();
    assert_eq!(used.read_reply().unwrap().status, 200);
    let mut used_half = weir.connect().unwrap();
    used_half.request("GET", "/health/live", &[], b"").unwrap();
    assert_eq!(used_half.read_reply().unwrap().status, 200);
    used_half.send(b"GET ").unwrap();
    silent.wait_for_close().unwrap();
    used.wait_for_close().unwrap();
    refusal(&mut half_head, 408, "request_timeout");
    refusal(&mut half_body, 408, "request_timeout");
    refusal(&mut used_half, 408, "request_timeout");
    serves(&weir);
    // All limits have passed for the stream, too, and none of them is its.
    gate.open();
    let events = streaming.read_events().unwrap();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert_eq!(upstream.calls().len(), 2, "nothing unfinished went upstream");
}

/// H5, H8. A byte now and then does not buy time for a head, nor beyond `body_total` for a body.
#[test]
fn trickling_does_not_extend_the_limits() {
    let upstream = Upstream::start();
    let short = "header_timeout: 500ms, body_timeout: 500ms, body_total: 1s";
    let weir = start(&upstream, &limits(short), "");
    let body = head(1_000_000);
    for start in [&b"GET /v1/models HTTP/1.1\r\nhost: weir\r\nx-a: "[..], &body] {
        let mut client = weir.connect().unwrap();
        client.send(start).unwrap();
        // One byte for every wait in vain for an answer: far more often than any limit.
        client.set_deadline(Duration::from_millis(20)).unwrap();
        let told = (0..3000).find_map(|_| {
            let sent = client.send(b" ");
            match client.read_any_head() {
                Ok(head) => Some(head.status),
                Err(error) if error.kind() == ErrorKind::TimedOut => sent.err().map(|_| 0),
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(told, Some(408));
    }
}

/// H8. While a hundred clients trickle their bodies, calls go on as ever; then the trickled ones are answered as well.
#[test]
fn trickling_bodies_do_not_stand_in_the_way() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "", "");
    let body = chat(false).to_string();
    let (begin, end) = body.split_at(20);
    let mut clients: Vec<RawClient> = (0..100)
        .map(|_| {
            let mut client = weir.connect().unwrap();
            client.send(&head(body.len())).unwrap();
            client
        })
        .collect();
    for byte in begin.as_bytes() {
        for client in &mut clients {
            client.send(&[*byte]).unwrap();
        }
        serves(&weir);
    }
    assert_eq!(upstream.calls().len(), begin.len(), "only the whole ones");
    for client in &mut clients {
        client.send(end.as_bytes()).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.read_reply().unwrap().status, 200);
    }
    assert_eq!(upstream.calls().len(), begin.len() + 100);
}

/// An endless stream, as far as buffers go: 32 MiB of events that cost the test no memory. Its end is the connection's.
fn long_stream() -> Answer {
    let event = format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"{}\"}},\"finish_reason\":null}}]}}\n\n",
        "x".repeat(64 << 10)
    );
    let last = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\
                \"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let event = bytes::Bytes::from(event);
    let mut pieces = vec![event; 512];
    pieces.push(last.into());
    Answer::event_bytes(pieces).until_close()
}

/// H6. Clients that stop reading: the upstream is made to wait, Weir holds a bounded little for each, and nothing is lost
/// when a client reads on.
#[test]
fn slow_readers_cost_bounded_memory() {
    const CLIENTS: usize = 16;
    let upstream = Upstream::start();
    let weir = start(&upstream, &limits("send_timeout: 10m"), "");
    serves(&weir);
    let before = weir.process.resident_bytes();
    upstream.always(long_stream());
    let mut clients: Vec<RawClient> = (0..CLIENTS)
        .map(|_| {
            let mut client = RawClient::connect_with_buffer(weir.public, 8192).unwrap();
            client.post(CHAT, &[], &chat(true)).unwrap();
            client
        })
        .collect();
    let stalled =
        |log: &weir_testkit::Log| log.calls.len() == 1 + CLIENTS && log.calls[1..].iter().all(|c| c.stalled);
    let log = upstream.wait_for("all upstream calls to stall", stalled);
    let more = weir.process.resident_bytes().saturating_sub(before);
    assert!(more < CLIENTS as u64 * (1 << 20), "{more} bytes for {CLIENTS} clients that do not read");
    assert!(log.calls[1..].iter().all(|c| c.events < 512 && c.ended.is_none()));
    serves_beside(&weir, &upstream);
    let mut reader = clients.swap_remove(0);
    reader.read_head().unwrap();
    let text: usize = reader.read_events().unwrap().iter().map(|e| e.text().len()).sum();
    assert_eq!(text, 512 * (64 << 10));
    drop(clients);
    upstream.wait_for("all calls to end", |log| log.in_flight() == 0);
}

fn serves_beside(weir: &RunningWeir, upstream: &Upstream) {
    upstream.on_path("/v1/embeddings", Answer::embeddings(3));
    let reply = weir.post("/v1/embeddings", &[], &json!({ "model": "chat", "input": "hi" }));
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// H6. A client that takes nothing for `send_timeout` is let go, and its upstream call with it.
#[test]
fn a_client_that_never_reads_is_let_go() {
    let upstream = Upstream::start();
    upstream.script([long_stream()]);
    let weir = start(&upstream, &limits("send_timeout: 500ms"), "");
    let mut client = RawClient::connect_with_buffer(weir.public, 8192).unwrap();
    client.post(CHAT, &[], &chat(true)).unwrap();
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
    let line = weir.wait_for_log("its end", |line| line["status"] == 200);
    assert_ne!(line["outcome"], "ok", "{line}");
    client.read_head().unwrap();
    assert!(client.read_events().is_err(), "a stream that was cut has no orderly end");
    serves(&weir);
}

/// Over `max_requests` the answer is an immediate 503 that says when to come back, before the body is read; with room again,
/// it is served.
#[test]
fn a_full_house_says_so_at_once() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.script([Answer::chat("a").hold(&gate), Answer::chat("b").hold(&gate)]);
    let weir = start(&upstream, &limits("max_requests: 2"), "");
    let mut held: Vec<RawClient> = (0..2)
        .map(|_| {
            let mut client = weir.connect().unwrap();
            client.post(CHAT, &[], &chat(false)).unwrap();
            client
        })
        .collect();
    upstream.wait_for_calls(2);
    for _ in 0..3 {
        let mut client = weir.connect().unwrap();
        client.send(&head(1000)).unwrap();
        let reply = client.read_reply().unwrap();
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (503, &json!("gateway_overloaded")));
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    assert_eq!(weir.get("/health/ready").status, 200);
    gate.open();
    for client in &mut held {
        assert_eq!(client.read_reply().unwrap().status, 200);
    }
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    serves(&weir);
    assert_eq!(upstream.calls().len(), 3);
}

/// Over `max_connections` a new one is told so and closed; those that are open go on.
#[test]
fn too_many_connections_are_turned_away() {
    let upstream = Upstream::start();
    let weir = start(&upstream, &limits("max_connections: 3"), "");
    // The one that asked for readiness at the start is gone when there is room for three.
    let mut open: Vec<RawClient> = Vec::new();
    while open.len() < 3 {
        let mut client = weir.connect().unwrap();
        client.request("GET", "/health/live", &[], b"").unwrap();
        if client.read_reply().is_ok_and(|reply| reply.status == 200) {
            open.push(client);
        }
    }
    let mut late = weir.connect().unwrap();
    let reply = late.read_reply().unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (503, &json!("gateway_overloaded")));
    assert_eq!(reply.header("retry-after"), Some("1"));
    late.wait_for_close().unwrap();
    assert!(weir.metric("weir_connections_rejected_total", &[("reason", "full")]) >= Some(1.0));
    for client in &mut open {
        client.post(CHAT, &[], &chat(false)).unwrap();
        assert_eq!(client.read_reply().unwrap().status, 200);
    }
    drop(open);
    let room = weir.process.eventually(|| {
        call(weir.public, "GET", "/health/live", &[], b"").ok().filter(|reply| reply.status == 200)
    });
    assert!(room.is_some());
}

/// The admin listener has its own number of connections: one more is told so, closed, counted and warned of, once.
#[test]
fn the_admin_listener_turns_away_what_it_has_no_room_for() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "", "");
    let open: Vec<RawClient> = (0..256).map(|_| RawClient::connect(weir.admin).unwrap()).collect();
    let refused = || {
        let mut late = RawClient::connect(weir.admin).unwrap();
        late.set_deadline(Duration::from_millis(200)).unwrap();
        late.read_reply().ok()
    };
    // Those that asked for readiness at the start may have been there still, so that one or two more are taken.
    let reply = weir.process.eventually(refused).unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (503, &json!("admin_overloaded")));
    assert_eq!((reply.header("retry-after"), reply.header("connection")), (Some("1"), Some("close")));
    assert_eq!(refused().unwrap().status, 503);
    assert_eq!(weir.get("/health/ready").status, 200, "the public listener has room of its own");
    drop(open);
    let counted = weir.process.eventually(|| {
        let reply = call(weir.admin, "GET", "/metrics", &[], b"").ok().filter(|reply| reply.status == 200)?;
        let count = |line: &str| {
            line.strip_prefix("weir_connections_rejected_total{reason=\"admin_full\"} ")?.parse().ok()
        };
        reply.text().lines().find_map(count)
    });
    assert!(counted >= Some(2.0_f64), "{counted:?}");
    let said = weir.logs().lines().filter(|line| line.contains("the admin listener has no room")).count();
    assert_eq!(said, 1, "{}", weir.logs());
}

/// S3. Every public operation has every guard: key, method, kind and coding of the body, its size and form.
#[test]
fn every_public_operation_has_every_guard() {
    let upstream = Upstream::start();
    let weir =
        start(&upstream, &limits("max_body: 64KiB"), &format!("keys: {{ alice: {{ key: {KEY} }} }}\n"));
    let good = format!("Bearer {KEY}");
    let auth = ("authorization", good.as_str());
    let json = ("content-type", "application/json");
    let text = r#"{"parts":[{"text":"x"}]}"#;
    let body = format!(
        r#"{{"model":"chat","messages":[{{"role":"user","content":"x"}}],"prompt":"x","input":"x","contents":[],"content":{text},"requests":[{{"content":{text}}}],"query":"x"}}"#
    );
    let body = body.as_bytes();
    let large = vec![b' '; (64 << 10) + 1];
    // Elsewhere a prompt is a text, and there it is a prompt of the vendor's.
    let body_of = |path: &str| match path {
        "/v1/responses" => replaced(body, br#""prompt":"x","#, b""),
        _ => body.to_vec(),
    };
    let check = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8], expect: (u16, &str)| {
        let reply = call(weir.public, method, path, headers, body).unwrap();
        let told = told(&reply);
        assert_eq!((reply.status, &*told.code), expect, "{method} {path} {headers:?}");
        assert!(reply.header("x-request-id").is_some_and(|id| !id.is_empty()), "{method} {path}");
    };
    let strangers: [&[(&str, &str)]; 7] = [
        &[json],
        &[json, ("authorization", "Bearer wr-alice-0123456788")],
        &[json, ("authorization", KEY)],
        &[json, ("authorization", "Basic d3I6YWxpY2U=")],
        &[json, ("authorization", "Bearer ")],
        &[json, auth, auth],
        &[json, ("x-api-key", "wr-alice-0123456788")],
    ];
    for called in weir_server::public::CALLS {
        let path = &*address(&called, "chat");
        for stranger in strangers {
            let shown = |name: &str| stranger.iter().filter(|(shown, _)| *shown == name).count();
            let code = match shown("authorization") + shown("x-api-key") {
                1 => "invalid_api_key",
                _ => "missing_api_key",
            };
            check("POST", path, stranger, body, (401, code));
        }
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            check(method, path, &[auth], b"", (405, "method_not_allowed"));
        }
        check("POST", path, &[auth, ("content-type", "text/plain")], body, (415, "unsupported_media_type"));
        check(
            "POST",
            path,
            &[auth, json, ("content-encoding", "gzip")],
            body,
            (415, "unsupported_media_type"),
        );
        check("POST", path, &[auth, json], &large, (413, "request_too_large"));
        check("POST", path, &[auth, json], b"{", (400, "invalid_json"));
        let unknown = replaced(body, b"chat", b"caht");
        check("POST", &address(&called, "caht"), &[auth, json], &unknown, (404, "model_not_found"));
        assert!(upstream.calls().is_empty(), "{path}");
    }
    for path in ["/v1/models", "/v1/models/chat"] {
        check("GET", path, &[], b"", (401, "missing_api_key"));
        check("GET", path, &[("authorization", "Bearer wrong-key")], b"", (401, "invalid_api_key"));
        check("POST", path, &[auth], b"", (405, "method_not_allowed"));
        assert_eq!(call(weir.public, "GET", path, &[auth], b"").unwrap().status, 200);
    }
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(weir.get(path).status, 200, "health needs no key");
    }
    assert!(upstream.calls().is_empty());
    for called in weir_server::public::CALLS {
        let path = address(&called, "chat");
        let body = body_of(called.path);
        assert_eq!(call(weir.public, "POST", &path, &[auth, json], &body).unwrap().status, 200, "{path}");
    }
    // Prompts are counted here.
    let calls = weir_server::public::CALLS.iter().filter(|call| call.endpoint.gives() != Gives::Count);
    assert_eq!(upstream.calls().len(), calls.count());
}

fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(body)
        .replace(&*String::from_utf8_lossy(from), &String::from_utf8_lossy(to))
        .into_bytes()
}

/// What stands for `{id}` in a path.
const ID: &str = "dec_000000000000000000000000";

/// The admin listener: for pages of this address only, writing with the token only, nothing else there.
#[test]
fn the_admin_listener_is_guarded() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "", "");
    let own = weir.admin.to_string();
    let token = ("authorization", "Bearer admin-token-1");
    // By hand, so that Host is as stated.
    let check = |method: &str, path: &str, headers: &[(&str, &str)], expect: (u16, &str)| {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut client = RawClient::connect(weir.admin).unwrap();
        client
            .send(format!("{method} {path} HTTP/1.1\r\n{lines}content-length: 0\r\n\r\n").as_bytes())
            .unwrap();
        let reply = client.read_reply().unwrap();
        let code = match reply.status {
            200 => String::new(),
            _ => reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned(),
        };
        // Past the guards, these want more than a test of guards says.
        let answered = match code.as_str() {
            "decision_not_found" | "invalid_explain_request" => (200, ""),
            code => (reply.status, code),
        };
        assert_eq!(answered, expect, "{method} {path} {headers:?}");
        let bearer = (reply.status == 401).then_some("Bearer");
        assert_eq!(reply.header("www-authenticate"), bearer, "{method} {path} {headers:?}");
        let of = |route: &&weir_server::admin::AdminRoute| route.path.replace("{id}", ID) == path;
        let right = weir_server::admin::ROUTES.iter().find(of);
        let right = right.filter(|_| reply.status == 405).map(|route| route.method.as_str());
        assert_eq!(reply.header("allow"), right, "{method} {path} {headers:?}");
    };
    let port = weir.admin.port();
    let (local, v6, origin) = (format!("localhost:{port}"), format!("[::1]:{port}"), format!("http://{own}"));
    for route in &weir_server::admin::ROUTES {
        let (method, path) = (route.method.as_str(), &*route.path.replace("{id}", ID));
        // Whoever was led here by another site, token or not.
        for host in [
            "evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "localhost.evil.example",
        ] {
            check(method, path, &[("host", host), token], (403, "host_not_allowed"));
        }
        check(method, path, &[("host", &own), ("host", "evil.example"), token], (403, "host_not_allowed"));
        for from in
            ["http://evil.example", "null", &format!("http://{own}.evil.example"), "http://localhost:1", ""]
        {
            check(method, path, &[("host", &own), ("origin", from), token], (403, "origin_not_allowed"));
        }
        for host in [&own, &local, &v6] {
            check(method, path, &[("host", host), token], (200, ""));
        }
        check(method, path, &[("host", &own), ("origin", &origin), token], (200, ""));
        // Writing needs the token.
        let strangers: [&[(&str, &str)]; 4] = [
            &[],
            &[("authorization", "Bearer admin-token-2")],
            &[("authorization", "admin-token-1")],
            &[("cookie", "a=b")],
        ];
        for stranger in strangers {
            let expect = if route.writes { (401, "admin_token_required") } else { (200, "") };
            check(method, path, &[&[("host", own.as_str())], stranger].concat(), expect);
        }
        let other = if method == "GET" { "POST" } else { "GET" };
        check(other, path, &[("host", &own), token], (405, "method_not_allowed"));
        // Other spellings are other places.
        for spelling in [
            format!("/{path}"),
            format!("{path}/"),
            path.to_uppercase(),
            format!("{path}%00"),
            format!("/x/..{path}"),
        ] {
            // In the place of an id anything may stand; what is none leads nowhere.
            let is_id = route.path.ends_with("{id}") && spelling == format!("{path}%00");
            let expect = if is_id { (200, "") } else { (404, "not_found") };
            check(method, &spelling, &[("host", &own)], expect);
        }
    }
    let paths: HashSet<&str> = weir_server::admin::ROUTES.iter().map(|route| route.path).collect();
    assert_eq!(paths.len(), weir_server::admin::ROUTES.len(), "a path has one method, which Allow names");
    assert!(weir_server::admin::ROUTES.iter().any(|route| route.writes && route.path == "/admin/reload"));
    check("GET", "/v1/models", &[("host", &own), token], (404, "not_found"));
    check("POST", CHAT, &[("host", &own), token], (404, "not_found"));
    // The public listener knows nothing of all this.
    for path in ["/metrics", "/admin/config"] {
        assert_eq!(weir.get(path).status, 404, "{path}");
    }
    let reply = weir.admin("GET", "/admin/config");
    assert!(!reply.text().contains("admin-token-1"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

/// Without a token nothing can be written, and listening beyond this machine needs keys and a token: exit code 2, with words.
#[test]
fn listening_beyond_this_machine_needs_secrets() {
    let scratch = Scratch::new();
    let check = |server: &str, more: &str, expect: &str| {
        let config = scratch.write(
            "weir.yaml",
            &format!(
                "server: {{ {server} }}\nproviders: {{ up: {{ kind: openai, base_url: \"http://127.0.0.1:9/v1\" }} }}\n\
                 deployments: {{ one: {{ provider: up, model: m }} }}\nroutes: {{ chat: {{ deployments: [one] }} }}\n{more}"
            ),
        );
        let commands = if expect.is_empty() { &["check"][..] } else { &["check", "serve"] };
        for command in commands {
            let output = Command::new(env!("CARGO_BIN_EXE_weir"))
                .arg(command)
                .arg("-c")
                .arg(&config)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                output.status.code(),
                Some(if expect.is_empty() { 0 } else { 2 }),
                "{command} {server}: {said}"
            );
            assert!(said.contains(expect), "{command} {server}: {said}");
        }
    };
    let keys = format!("keys: {{ alice: {{ key: {KEY} }} }}\n");
    for beyond in ["0.0.0.0:7699", "\"[::]:7699\"", "192.0.2.1:7699"] {
        check(&format!("listen: {beyond}"), "", "listen");
        check(&format!("listen: {beyond}"), &keys, "");
        check(&format!("admin: {{ listen: {beyond} }}"), &keys, "token");
        check(&format!("admin: {{ listen: {beyond}, token: admin-token-1 }}"), "", "");
    }
    check("listen: 127.0.0.1:7600", "", "");
    check("listen: \"[::1]:7600\"", "", "");
    let upstream = Upstream::start();
    let config = format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@ }} }}\n\
         providers: {{ up: {{ kind: openai, base_url: \"{}\" }} }}\n\
         deployments: {{ one: {{ provider: up, model: m }} }}\nroutes: {{ chat: {{ deployments: [one] }} }}\n",
        upstream.url()
    );
    let weir = Start::new(Path::new(env!("CARGO_BIN_EXE_weir")), &config).admin_token("").start();
    let reply = weir.reload();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (401, &json!("admin_token_required")));
    assert_eq!(weir.metric("weir_config_generation", &[]), Some(1.0));
}

/// Pages of the configured origins may call, by preflight and by answer, refusals included; others get no permission.
#[test]
fn web_pages_call_only_when_they_may() {
    let upstream = Upstream::start();
    let cors = "  cors: { origins: [\"https://app.example\"], max_age: 5m }\n";
    let weir = start(&upstream, cors, &format!("keys: {{ alice: {{ key: {KEY} }} }}\n"));
    let ask = |method: &str, path: &str, headers: &[(&str, &str)]| {
        call(weir.public, method, path, headers, b"").unwrap()
    };
    let wanted = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,x-stainless-os"),
    ];
    let preflight = |origin| ask("OPTIONS", CHAT, &[&[("origin", origin)], &wanted[..]].concat());
    let yes = preflight("https://app.example");
    assert_eq!(yes.status, 204);
    assert_eq!(yes.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(yes.header("access-control-allow-headers"), Some("authorization,x-stainless-os"));
    assert!(yes.header("access-control-allow-methods").is_some_and(|m| m.contains("POST")));
    assert_eq!(yes.header("access-control-max-age"), Some("300"));
    assert_eq!(yes.header("access-control-allow-credentials"), None);
    for origin in ["https://evil.example", "http://app.example", "https://app.example.evil.example", "null"] {
        let no = preflight(origin);
        assert_eq!((no.status, no.header("access-control-allow-origin")), (405, None), "{origin}");
    }
    for (origin, expect) in
        [("https://app.example", Some("https://app.example")), ("https://evil.example", None)]
    {
        let refused = ask("POST", CHAT, &[("origin", origin)]);
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, expect));
        let bearer = format!("Bearer {KEY}");
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[("origin", origin), ("authorization", &bearer)], &chat(false)).unwrap();
        let served = client.read_reply().unwrap();
        assert_eq!((served.status, served.header("access-control-allow-origin")), (200, expect));
        if expect.is_some() {
            assert!(
                served.header("access-control-expose-headers").is_some_and(|h| h.contains("x-request-id"))
            );
            assert_eq!(served.header("vary"), Some("origin"));
        }
    }
    let plain = start(&upstream, "", "");
    let reply = call(plain.public, "GET", "/v1/models", &[("origin", "https://app.example")], b"").unwrap();
    assert_eq!(
        (reply.status, reply.header("access-control-allow-origin")),
        (200, None),
        "without `cors`: nobody"
    );
}
