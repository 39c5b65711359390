//! Whatever bytes a client sends, one request is one request: nothing is smuggled past the door, nothing malformed gets
//! further than it, and well-formed requests in odd packaging are served.

use crate::told::{address, told};
use serde_json::{Value, json};
use std::path::Path;
use weir_core::endpoint::Streams;
use weir_testkit::{Answer, Gate, RawClient, RunningWeir, Upstream, weir};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;

fn start(upstream: &Upstream) -> RunningWeir {
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: \"{}\" }} }}\n\
         deployments: {{ one: {{ provider: up, model: upstream-model }} }}\n\
         routes: {{ chat: {{ deployments: [one] }} }}\n",
        upstream.url()
    );
    weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn ask() -> Value {
    serde_json::from_str(BODY).unwrap()
}

/// The bytes of one chat request with these framing lines (each with its own end) and this body.
fn post(framing: &str, body: &str) -> Vec<u8> {
    format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\ncontent-type: application/json\r\n{framing}\r\n{body}")
        .into()
}

/// Sends `first`, with a second request hidden behind it, in one write; checks that there is exactly one answer, that
/// it is a refusal, and that the connection is over.
fn refused(weir: &RunningWeir, name: &str, first: &[u8]) {
    let hidden = post(&format!("content-length: {}\r\n", BODY.len()), BODY);
    let mut client = weir.connect().unwrap();
    client.send(&[first, &hidden].concat()).unwrap();
    // The peer may close while bytes of ours are on their way to it, which shows as a reset behind its answer.
    let mut all = Vec::new();
    let reply = client.read_reply().unwrap_or_else(|error| panic!("{name}: no answer: {error}"));
    assert!(reply.status >= 400, "{name}: {} {}", reply.status, reply.text());
    assert!(reply.json()["error"]["code"].is_string(), "{name}: {}", reply.text());
    if let Ok(rest) = client.read_to_end() {
        all.extend(rest);
    }
    assert!(all.is_empty(), "{name}: a second answer: {}", String::from_utf8_lossy(&all));
}

/// H1. A length stated twice, or in a way that readers differ on, chunks that are none, heads that are none.
#[test]
fn no_request_is_hidden_inside_another_one() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let n = BODY.len();
    let chunked = format!("{n:x}\r\n{BODY}\r\n0\r\n\r\n");
    let te = "transfer-encoding: chunked\r\n";
    let framings = [
        ("length, then chunks", format!("content-length: {n}\r\n{te}"), chunked.as_str()),
        ("chunks, then length", format!("{te}content-length: {n}\r\n"), &chunked),
        (
            "chunks and a length by LF",
            format!("transfer-encoding: chunked\ncontent-length: {n}\r\n"),
            &chunked,
        ),
        ("two equal lengths", format!("content-length: {n}\r\nContent-Length: {n}\r\n"), BODY),
        ("two lengths", format!("content-length: {n}\r\ncontent-length: 5\r\n"), BODY),
        ("two lengths, the other way", format!("content-length: 5\r\ncontent-length: {n}\r\n"), BODY),
        ("a list of lengths", format!("content-length: {n}, {n}\r\n"), BODY),
        ("a length with plus", format!("content-length: +{n}\r\n"), BODY),
        ("a negative length", "content-length: -5\r\n".into(), BODY),
        ("a length in hex", "content-length: 0x40\r\n".into(), BODY),
        ("an empty length", "content-length:\r\n".into(), BODY),
        ("a length too large for any integer", "content-length: 99999999999999999999999\r\n".into(), BODY),
        ("xchunked", "transfer-encoding: xchunked\r\n".into(), &chunked),
        ("vertical tab and chunked", "transfer-encoding: \x0bchunked\r\n".into(), &chunked),
        ("identity", "transfer-encoding: identity\r\n".into(), BODY),
        ("gzip, chunked", "transfer-encoding: gzip, chunked\r\n".into(), &chunked),
        ("chunked, identity", "transfer-encoding: chunked, identity\r\n".into(), &chunked),
        ("chunked, chunked", "transfer-encoding: chunked, chunked\r\n".into(), &chunked),
        ("chunks twice", format!("{te}{te}"), &chunked),
        ("chunks, then identity", format!("{te}transfer-encoding: identity\r\n"), &chunked),
        ("a space before the length's colon", format!("content-length : {n}\r\n"), BODY),
        ("a space before the chunks' colon", "transfer-encoding : chunked\r\n".into(), &chunked),
        ("NUL in a value", format!("x-a: a\0b\r\ncontent-length: {n}\r\n"), BODY),
        ("NUL in a name", format!("x-\0a: b\r\ncontent-length: {n}\r\n"), BODY),
        ("CR in a value", format!("x-a: a\rcontent-length: 5\r\ncontent-length: {n}\r\n"), BODY),
        ("LF in a value", format!("x-a: a\ncontent-length: {n}\r\n"), BODY),
        ("a folded header", format!("x-a: a\r\n content-length: 5\r\ncontent-length: {n}\r\n"), BODY),
        ("a line without a colon", format!("nonsense\r\ncontent-length: {n}\r\n"), BODY),
        ("no name", format!(": a\r\ncontent-length: {n}\r\n"), BODY),
        ("two hosts", format!("host: other\r\ncontent-length: {n}\r\n"), BODY),
        ("chunk size is a word", te.into(), "zz\r\n"),
        ("chunk size is huge", te.into(), "ffffffffffffffffff\r\n"),
        ("chunk size with plus", te.into(), "+5\r\nhello\r\n0\r\n\r\n"),
        ("chunk size is negative", te.into(), "-5\r\nhello\r\n0\r\n\r\n"),
        ("chunk size with 0x", te.into(), "0x5\r\nhello\r\n0\r\n\r\n"),
        ("chunk size ends in LF", te.into(), "5\nhello\r\n0\r\n\r\n"),
        ("chunk longer than its size", te.into(), "2\r\nhello\r\n0\r\n\r\n"),
        ("LF in a chunk extension", te.into(), "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ];
    for (name, framing, body) in &framings {
        refused(&weir, name, &post(framing, body));
    }
    refused(&weir, "no host", b"GET /v1/models HTTP/1.1\r\n\r\n");
    refused(&weir, "all lines end in LF", b"GET /v1/models HTTP/1.1\nhost: weir\n\n");
    refused(
        &weir,
        "chunks in HTTP/1.0",
        b"POST /v1/models HTTP/1.0\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    refused(&weir, "no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello \r\n\r\n");
    assert_eq!(weir.post(CHAT, &[], &ask()).status, 200);
    let log = upstream.log();
    assert_eq!(log.calls.len(), 1, "only the honest request at the end was for the upstream");
    assert!(log.malformed.is_empty(), "{:?}", log.malformed);
}

/// H1. A head of which the first half came along with the request before it cannot be vouched for: when it is chunked, it is
/// refused rather than trusted, because a length may stand in the part that was not seen.
#[test]
fn a_length_hidden_in_an_earlier_packet_is_not_overlooked() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let rest = format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let halves = [
        (format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\ncontent-length: 5\r\n"), rest.clone()),
        (
            format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\ncontent-length: 5\r\nx-a: "),
            format!("POST {CHAT} HTTP/1.1\r\n{rest}"),
        ),
    ];
    for (first, second) in halves {
        let mut client = weir.connect().unwrap();
        client.send(format!("GET /health/live HTTP/1.1\r\nhost: weir\r\n\r\n{first}").as_bytes()).unwrap();
        assert_eq!(client.read_reply().unwrap().status, 200);
        client.send(second.as_bytes()).unwrap();
        let reply = client.read_reply().unwrap();
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (400, &json!("malformed_http")),
            "{second}"
        );
    }
    assert!(upstream.calls().is_empty());
}

/// H7. Two requests in one write are both answered, in their order.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.script([Answer::chat("first").hold(&gate), Answer::chat("second")]);
    let weir = start(&upstream);
    let one = post(&format!("content-length: {}\r\n", BODY.len()), BODY);
    let mut client = weir.connect().unwrap();
    client.send(&[&one[..], &one, b"GET /health/live HTTP/1.1\r\nhost: weir\r\n\r\n"].concat()).unwrap();
    upstream.wait_for_calls(1);
    gate.release();
    for expect in ["first", "second"] {
        let reply = client.read_reply().unwrap();
        assert_eq!(reply.json()["choices"][0]["message"]["content"], expect);
    }
    assert_eq!(client.read_reply().unwrap().json()["status"], "live");
}

/// H7. A request right behind the end of a large one, in the same write, is none of that one's bytes.
#[test]
fn a_request_may_follow_right_behind_a_large_one() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let second = post(&format!("content-length: {}\r\n", BODY.len()), BODY);
    for length in [16_000, 40_000, 100_000, 400_000] {
        upstream.script([Answer::chat("first"), Answer::chat("second")]);
        let text = "a".repeat(length);
        let body = json!({ "model": "chat", "messages": [{ "role": "user", "content": text }] }).to_string();
        let first = post(&format!("content-length: {}\r\n", body.len()), &body);
        let before = upstream.calls().len();
        let mut client = weir.connect().unwrap();
        client.send(&[&first[..], &second].concat()).unwrap();
        for expect in ["first", "second"] {
            let reply = client.read_reply().unwrap();
            assert_eq!(reply.json()["choices"][0]["message"]["content"], expect, "{length}");
        }
        assert_eq!(upstream.calls()[before].json()["messages"][0]["content"], text, "{length}");
        assert_eq!(upstream.calls()[before + 1].json()["messages"], ask()["messages"], "{length}");
    }
}

/// H7. What comes while an earlier request is being answered is kept as it came, however much it is.
#[test]
fn a_large_request_waits_behind_a_slow_one() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let first = post(&format!("content-length: {}\r\n", BODY.len()), BODY);
    for words in [100, 3_000, 10_000, 60_000] {
        let gate = Gate::new();
        upstream.script([Answer::chat("first").hold(&gate), Answer::chat("second")]);
        let text: String = (0..words).map(|n| format!("w{n} ")).collect();
        let body = json!({ "model": "chat", "messages": [{ "role": "user", "content": text }] }).to_string();
        let second = post(&format!("content-length: {}\r\n", body.len()), &body);
        let before = upstream.calls().len();
        let mut client = weir.connect().unwrap();
        let (with_first, later) = second.split_at(second.len() / 3);
        client.send(&[&first, with_first].concat()).unwrap();
        upstream.wait_for_calls(before + 1);
        client.send(later).unwrap();
        gate.release();
        for expect in ["first", "second"] {
            let reply = client.read_reply().unwrap();
            assert_eq!(reply.json()["choices"][0]["message"]["content"], expect, "{words}");
        }
        assert_eq!(upstream.calls()[before + 1].json()["messages"][0]["content"], text, "{words}");
    }
}

/// H1. A head that is none gets its refusal behind the answer to a good one, too.
#[test]
fn a_malformed_request_behind_a_good_one_is_refused() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let good = post(&format!("content-length: {}\r\n", BODY.len()), BODY);
    let health = b"GET /health/live HTTP/1.1\r\nhost: weir\r\n\r\n".to_vec();
    for first in [good, health] {
        let mut client = weir.connect().unwrap();
        client.send(&[&first[..], b"GET / HTTP/1.1\r\nx-\0: a\r\n\r\n", &first].concat()).unwrap();
        assert_eq!(client.read_reply().unwrap().status, 200);
        let reply = client.read_reply().unwrap();
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("malformed_http")));
        assert_eq!(client.read_to_end().unwrap_or_default(), b"");
    }
    assert_eq!(upstream.calls().len(), 1);
}

/// H7. A client that asks before it sends (`Expect: 100-continue`) is told to go on, and one that would be refused is refused
/// without having to send.
#[test]
fn a_client_that_asks_first_is_told_to_continue() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let mut client = weir.connect().unwrap();
    let framing = |n: usize| format!("expect: 100-continue\r\ncontent-length: {n}\r\n");
    client.send(&post(&framing(BODY.len()), "")).unwrap();
    assert_eq!(client.read_any_head().unwrap().status, 100);
    client.send(BODY.as_bytes()).unwrap();
    assert_eq!(client.read_reply().unwrap().status, 200);
    let mut client = weir.connect().unwrap();
    client.send(&post(&framing(1 << 30), "")).unwrap();
    assert_eq!(client.read_any_head().unwrap().status, 413);
}

/// H7. One connection serves many requests, with chunked bodies and with answers of every kind between them.
#[test]
fn a_connection_is_used_again() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let mut client = weir.connect().unwrap();
    let port = client.local_addr().unwrap();
    let chunked = |body: &str| {
        let (a, b) = body.split_at(10);
        let chunks = format!("{:x};ext=1\r\n{a}\r\n{:X}\r\n{b}\r\n0\r\nx-t: 1\r\n\r\n", a.len(), b.len());
        post("Transfer-Encoding: Chunked\r\n", &chunks)
    };
    for _ in 0..3 {
        client.send(&chunked(BODY)).unwrap();
        assert_eq!(client.read_reply().unwrap().status, 200);
        client.post(CHAT, &[], &json!({ "model": "none", "messages": [] })).unwrap();
        assert_eq!(client.read_reply().unwrap().status, 404);
        client.post(CHAT, &[], &json!({ "model": "chat", "messages": [], "stream": true })).unwrap();
        client.read_head().unwrap();
        assert!(!client.read_events().unwrap().is_empty());
        client.request("GET", "/nowhere", &[], b"").unwrap();
        assert_eq!(client.read_reply().unwrap().status, 404);
        // An empty line between requests is passed over (RFC 9112 §2.2).
        client.send(b"\r\n").unwrap();
    }
    assert_eq!(client.local_addr().unwrap(), port);
    assert_eq!(upstream.calls().len(), 6);
}

/// H9. Eighteen ways for a body not to be the JSON that is wanted.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let deep = "[".repeat(20_000);
    let members = |more: &str| BODY.replacen('{', &format!("{{{more},"), 1).into_bytes();
    vec![
        ("empty", Vec::new()),
        ("blank", b"  \n".to_vec()),
        ("an array", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("a string", b"\"chat\"".to_vec()),
        ("a number", b"1e400".to_vec()),
        ("truncated", BODY.as_bytes()[..BODY.len() - 1].to_vec()),
        ("trailing garbage", [BODY.as_bytes(), b" x"].concat()),
        ("two documents", [BODY.as_bytes(), BODY.as_bytes()].concat()),
        ("a trailing comma", BODY.replace("}]}", "}],}").into_bytes()),
        ("a lone surrogate", members(r#""x":"\ud800""#)),
        ("a deep array", members(&format!("\"x\":{deep}{}", "]".repeat(20_000)))),
        ("a deep array without its end", format!("{{\"x\":{deep}").into_bytes()),
        ("deep objects", format!("{}1{}", "{\"a\":".repeat(20_000), "}".repeat(20_000)).into_bytes()),
        ("a second model", members(r#""model":"other""#)),
        ("a second model, escaped", members(r#""mod\u0065l":"other""#)),
        ("bad UTF-8", [b"{\"x\":\"\xff\",", &BODY.as_bytes()[1..]].concat()),
        ("overlong UTF-8", [b"{\"x\":\"\xc0\xaf\",", &BODY.as_bytes()[1..]].concat()),
        ("NaN", members("\"temperature\":NaN")),
        ("Infinity", members("\"temperature\":-Infinity")),
        ("a number with a leading zero", members("\"temperature\":01")),
        ("a comment", members("/* hello */\"x\":1")),
        ("single quotes", BODY.replace('"', "'").into_bytes()),
        ("a control character in a string", members("\"x\":\"a\x01b\"")),
        ("a line end in a string", members("\"x\":\"a\nb\"")),
        ("a byte order mark", [b"\xef\xbb\xbf", BODY.as_bytes()].concat()),
        ("UTF-16", BODY.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("model is a number", br#"{"model":1e400,"messages":[],"prompt":"","input":""}"#.to_vec()),
        ("model is missing", br#"{"messages":[],"prompt":"","input":""}"#.to_vec()),
        ("stream is a word", members("\"stream\":\"yes\"")),
    ]
}

/// H9. Each is a typed 400 in the API's envelope, on every operation, and the connection and the process go on.
#[test]
fn malformed_json_is_a_typed_400() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let mut client = weir.connect().unwrap();
    for called in weir_server::public::CALLS {
        let path = &*address(&called, "chat");
        for (name, body) in malformed() {
            if name == "stream is a word" && called.endpoint.streams() == Streams::Never {
                continue; // means nothing there
            }
            // `messages` is what the prompt is called in a chat only.
            let body = match path {
                "/v1/embeddings" => replace(&body, b"\"messages\"", b"\"input\""),
                "/v1/completions" => replace(&body, b"\"messages\"", b"\"prompt\""),
                _ => body,
            };
            client.request("POST", path, &[("content-type", "application/json")], &body).unwrap();
            let reply = client.read_reply().unwrap_or_else(|error| panic!("{path}, {name}: {error}"));
            let error = told(&reply);
            assert_eq!(reply.status, 400, "{path}, {name}: {error:?}");
            assert_eq!(reply.header("content-type"), Some("application/json"));
            assert!((1..500).contains(&error.message.len()), "{path}, {name}: {error:?}");
            assert!(!error.code.is_empty(), "{path}, {name}: {error:?}");
            assert_eq!(Some(&*error.request_id), reply.header("x-request-id"), "{path}, {name}");
            assert!(error.request_id.len() > 8, "{path}, {name}: {error:?}");
        }
    }
    assert!(upstream.calls().is_empty(), "nothing malformed is for an upstream");
    // What is JSON and only unusual is the upstream's to judge, and reaches it byte for byte.
    let number = "1".repeat(5000);
    for odd in [
        r#""temperature":1e400"#.to_owned(),
        format!("\"seed\":{number}"),
        r#""x":"\ud83d\ude00\u0000""#.into(),
    ] {
        let body = BODY.replacen('{', &format!("{{{odd},"), 1);
        client.request("POST", CHAT, &[("content-type", "application/json")], body.as_bytes()).unwrap();
        assert_eq!(client.read_reply().unwrap().status, 200, "{odd:.40}");
        let seen = upstream.calls().pop().unwrap();
        assert!(String::from_utf8_lossy(&seen.body).contains(&odd), "{odd:.40}");
    }
}

fn replace(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match body.windows(from.len()).position(|w| w == from) {
        Some(at) => [&body[..at], to, &body[at + from.len()..]].concat(),
        None => body.to_vec(),
    }
}

/// H10. A path is taken as it stands. No spelling reaches another operation of the upstream, whose own path never
/// depends on what the client wrote.
#[test]
fn no_path_reaches_another_place_at_the_upstream() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let paths = [
        "/v1/../v1/chat/completions",
        "/v1/./chat/completions",
        "/v1/x/%2e%2e/chat/completions",
        "/v1/chat%2fcompletions",
        "/v1/%63hat/completions",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions/../../../admin/reload",
        "/v1/chat/completions;a=b",
        "/v1/chat/completions%00",
        "/v1/chat/completions%20",
        "/v1/chat\\completions",
        "/V1/CHAT/COMPLETIONS",
        "/chat/completions",
        "/v1/files",
        "/v1/fine_tuning/jobs",
        "/metrics",
        "/admin/config",
        "/admin/reload",
        "http://127.0.0.1:1/v1/files",
        "*",
    ];
    for path in paths {
        let mut client = weir.connect().unwrap();
        client.request("POST", path, &[("content-type", "application/json")], BODY.as_bytes()).unwrap();
        let reply = client.read_reply().unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(matches!(reply.status, 400 | 404), "{path}: {} {}", reply.status, reply.text());
    }
    for id in ["..%2f..%2ffiles", "%2e%2e/%2e%2e/files", "../files", "chat%00", "chat/", "//chat", "%252e"] {
        let reply = weir.get(&format!("/v1/models/{id}"));
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")), "{id}");
    }
    assert_eq!(weir.get("/v1/models/ch%61t").json()["id"], "chat", "an id may be escaped, as SDKs do");
    assert!(upstream.calls().is_empty());
    for query in ["", "?a=/v1/files", "?../../files", "?api-version=1%20"] {
        assert_eq!(weir.post(&format!("{CHAT}{query}"), &[], &ask()).status, 200, "{query}");
    }
    let absolute = format!("http://elsewhere.example{CHAT}");
    assert_eq!(weir.post(&absolute, &[], &ask()).status, 200, "an absolute address names the same operation");
    for call in upstream.calls() {
        assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", CHAT));
        assert_eq!(call.header("host"), Some(upstream.addr().to_string().as_str()));
    }
}

/// The client of these tests hides nothing: it would see a second answer.
#[test]
fn a_second_answer_would_be_seen() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let one = post(&format!("content-length: {}\r\n", BODY.len()), BODY);
    let last = post(&format!("connection: close\r\ncontent-length: {}\r\n", BODY.len()), BODY);
    let mut client = RawClient::connect(weir.public).unwrap();
    client.send(&[one, last].concat()).unwrap();
    client.read_reply().unwrap();
    assert!(client.read_to_end().unwrap().starts_with(b"HTTP/1.1 200"));
}

/// The answers that end their connection say so and do so; after all others it serves on.
#[test]
fn the_answers_that_end_a_connection_are_these() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let whole = |framing: &str| post(framing, BODY);
    let length = format!("content-length: {}\r\n", BODY.len());
    let long = "x".repeat(100_000);
    let at = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: weir\r\n\r\n").into_bytes();
    let rows: [(&str, Vec<u8>, u16, bool); 14] = [
        ("malformed_http", whole(&format!("{length}{length}")), 400, true),
        ("malformed_http", whole(&format!("host: b\r\n{length}")), 400, true),
        ("malformed_http", b"GET / HTTP/1.1\r\nx-\0: a\r\n\r\n".to_vec(), 400, true),
        ("incomplete_body", post("transfer-encoding: chunked\r\n", "zz\r\n"), 400, true),
        ("request_too_large", post("content-length: 1000000000\r\n", ""), 413, true),
        ("uri_too_long", at(&format!("/{long}")), 414, true),
        ("headers_too_large", whole(&format!("x-long: {}\r\n{length}", long.repeat(4))), 431, true),
        ("invalid_json", post("content-length: 2\r\n", "{]"), 400, false),
        ("missing_required_parameter", post("content-length: 2\r\n", "{}"), 400, false),
        ("model_not_found", post("content-length: 27\r\n", r#"{"model":"x","messages":[]}"#), 404, false),
        ("not_found", at("/v1/nothing"), 404, false),
        ("method_not_allowed", at(CHAT), 405, false),
        ("unsupported_media_type", whole(&format!("content-encoding: gzip\r\n{length}")), 415, false),
        ("not_found", at("/"), 404, false),
    ];
    for (code, request, status, ends) in rows {
        let mut client = weir.connect().unwrap();
        client.send(&request).unwrap();
        let reply = client.read_reply().unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (status, &json!(code)),
            "{}",
            reply.text()
        );
        assert_eq!(reply.header("connection"), ends.then_some("close"), "{code}");
        if ends {
            client.wait_for_close().unwrap_or_else(|error| panic!("{code}: {error}"));
        } else {
            client.send(&whole(&length)).unwrap();
            assert_eq!(client.read_reply().unwrap().status, 200, "{code}");
        }
    }
}
