//! The access log: one JSON line for each request, with what happened and nothing that was said.

use super::CHAT;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use weir_testkit::{Answer, RunningWeir, Upstream, weir};

/// Every member that a line may have. A new one is a decision: does it keep bodies and secrets out?
const MEMBERS: [&str; 38] = [
    "ts",
    "request_id",
    "trace_id",
    "key",
    "endpoint",
    "method",
    "path",
    "model",
    "route",
    "deployment",
    "provider",
    "served_model",
    "stream",
    "status",
    "outcome",
    "code",
    "blame",
    "cause",
    "attempts",
    "attempted",
    "retries",
    "waits",
    "fallbacks",
    "usage",
    "cost_usd",
    "cost_unknown",
    "request_bytes",
    "response_bytes",
    "total_ms",
    "first_token_ms",
    "inter_token_ms",
    "connect_ms",
    "tls_ms",
    "send_ms",
    "first_byte_ms",
    "generation_ms",
    "dropped",
    "overhead_ms",
];

fn start(upstream: &Upstream) -> RunningWeir {
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: {}, api_key: sk-secret-upstream }} }}\n\
         deployments:\n  a: {{ provider: up, model: up-a, price: {{ input: 1, output: 2 }} }}\n  b: {{ provider: up, model: up-b }}\n\
         routes:\n  first: {{ deployments: [a], retries: {{ max: 0 }}, fallbacks: [second] }}\n  \
         second: {{ deployments: [b], aliases: [other] }}\nkeys: {{ alice: {{ key: wr-secret-alice }} }}\n",
        upstream.url()
    );
    weir::start(env!("CARGO_BIN_EXE_weir").as_ref(), &config)
}

#[test]
fn each_request_is_one_line_that_says_what_happened() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let key = ("authorization", "Bearer wr-secret-alice");
    let chat = |model: &str, stream: bool| json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "canary-prompt" }] });
    let mut expected = BTreeSet::new();
    let mut check =
        |answers: &[Answer], path: &str, body: &Value, key: Option<(&str, &str)>, expect: &Value| {
            upstream.script(answers.to_vec());
            let reply = weir.post(path, key.as_slice(), body);
            let id = reply.header("x-request-id").unwrap().to_owned();
            let line = weir.wait_for_log("the request's line", |line| line["request_id"] == id.as_str());
            for (name, value) in expect.as_object().unwrap() {
                assert_eq!(&line[name], value, "{name} of {line}");
            }
            assert_eq!(line["status"], reply.status, "{line}");
            let length = line["request_bytes"].as_u64();
            assert!(length == Some(0) || length == Some(body.to_string().len() as u64), "{line}");
            assert_eq!(line["response_bytes"], reply.body.len(), "{line}");
            for member in ["total_ms", "overhead_ms"] {
                assert!(line[member].as_f64().is_some_and(|ms| ms >= 0.0), "{member} of {line}");
            }
            assert!(line["ts"].as_str().is_some_and(|ts| ts.len() == 27 && ts.ends_with('Z')), "{line}");
            let unknown: Vec<_> =
                line.as_object().unwrap().keys().filter(|k| !MEMBERS.contains(&k.as_str())).collect();
            assert!(unknown.is_empty(), "{unknown:?} in {line}");
            expected.insert(id);
            line
        };
    let said = Answer::auto("canary-answer canary-answer");
    let plain = json!({
        "key": "alice", "endpoint": "chat", "model": "first", "route": "first", "deployment": "a", "provider": "up",
        "served_model": "up-a", "stream": false, "outcome": "ok", "attempts": 1, "retries": 0, "fallbacks": 0,
        "cost_usd": "0.000019", "code": null, "method": null, "path": null, "blame": null, "attempted": null, "first_token_ms": null,
    });
    let line = check(std::slice::from_ref(&said), CHAT, &chat("first", false), Some(key), &plain);
    assert!(line["connect_ms"].is_number(), "the first call opens a connection: {line}");
    assert!(line["first_byte_ms"].is_number() && line["tls_ms"].is_null(), "{line}");
    let line = check(
        std::slice::from_ref(&said),
        CHAT,
        &chat("first", true),
        Some(key),
        &json!({ "stream": true, "outcome": "ok" }),
    );
    assert!(line["first_token_ms"].is_number() && line["inter_token_ms"].is_number(), "{line}");
    let fell = json!({
        "model": "first", "route": "second", "deployment": "b", "attempts": 2, "fallbacks": 1, "retries": 0, "outcome": "ok",
        "cost_usd": null, "cost_unknown": true,
        "attempted": [
            { "deployment": "a", "cause": "first", "fault": "server_error" },
            { "deployment": "b", "cause": "fallback", "cost_unknown": true },
        ],
    });
    check(&[Answer::status(503), said.clone()], CHAT, &chat("first", false), Some(key), &fell);
    let alias =
        json!({ "model": "other", "route": "second", "endpoint": "text_completion", "outcome": "ok" });
    let completion = json!({ "model": "other", "prompt": "canary-prompt" });
    check(std::slice::from_ref(&said), "/v1/completions", &completion, Some(key), &alias);
    let embedded = json!({ "endpoint": "embeddings", "outcome": "ok", "served_model": "up-b" });
    check(
        &[said],
        "/v1/embeddings",
        &json!({ "model": "second", "input": "canary-prompt" }),
        Some(key),
        &embedded,
    );
    let told = [Answer::status(400).error("bad_thing", "canary-answer"), Answer::status(400)];
    let refused = json!({ "outcome": "caller", "blame": "caller", "code": "bad_thing", "attempts": 1, "cost_usd": "0" });
    check(&told[..1], CHAT, &chat("second", false), Some(key), &refused);
    // An answer that broke off is not quoted either: what is left of it may be somebody's text.
    let broken =
        Answer::body(200, "application/json", r#"{"choices":[{"message":{"content":"canary-answer "#);
    let malformed = json!({ "outcome": "malformed", "blame": "upstream", "code": "upstream_malformed" });
    check(&[broken.clone(), broken.clone(), broken], CHAT, &chat("second", false), Some(key), &malformed);
    let unknown = json!({ "model": "nobody", "route": null, "code": "model_not_found", "attempts": 0, "deployment": null });
    check(&[], CHAT, &chat("nobody", false), Some(key), &unknown);
    let stranger = json!({ "key": null, "model": null, "code": "invalid_api_key", "outcome": "caller" });
    check(&[], CHAT, &chat("first", false), Some(("authorization", "Bearer canary-key")), &stranger);
    check(
        &[],
        "/v1/nothing",
        &json!({}),
        None,
        &json!({ "code": "not_found", "endpoint": null, "attempts": 0, "method": "POST", "path": "/v1/nothing" }),
    );

    let mut weir = weir;
    weir.signal("TERM");
    assert_eq!(weir.wait_for_exit().code(), Some(0));
    let lines = weir.access_log();
    let ids: BTreeSet<String> =
        lines.iter().map(|line| line["request_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        (lines.len(), &ids),
        (expected.len(), &expected),
        "one line each, and health checks have none"
    );
    let stdout = weir.process.stdout();
    assert_eq!(stdout.lines().count(), lines.len(), "standard output is the log and nothing else");
    let all = stdout + &weir.logs();
    for private in ["canary", "wr-secret", "sk-secret"] {
        assert_eq!(all.lines().find(|line| line.contains(private)), None, "{private} is in a log");
    }
}

/// Where a request went that is no call to a model: its method and path, bounded, escaped, without its query.
#[test]
fn what_is_no_call_says_where_it_went() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let long = format!("/v1/{}", "x".repeat(5000));
    let cut = &long[..256];
    let key = "authorization: Bearer wr-secret-alice\r\n";
    let rows = [
        ("GET /v1/models?key=canary HTTP/1.1", key, ("GET", "/v1/models"), 200),
        ("GET /v1/models/first HTTP/1.1", key, ("GET", "/v1/models/first"), 200),
        ("GET /v1/models/a%22b\"%0a HTTP/1.1", key, ("GET", "/v1/models/a%22b\"%0a"), 404),
        ("DELETE /v1/models HTTP/1.1", "", ("DELETE", "/v1/models"), 405),
        ("GET /v1/chat/completions HTTP/1.1", "", ("GET", "/v1/chat/completions"), 405),
        ("PROPFINDANDMUCHMORETHANTHAT / HTTP/1.1", "", ("PROPFINDANDMUCHM", "/"), 404),
        (&format!("GET {long}?key=canary HTTP/1.1"), "", ("GET", cut), 404),
        ("GET http://canary@elsewhere/v1/x?canary HTTP/1.1", "", ("GET", "/v1/x"), 404),
        ("GET /v1/models?key=canary HTTP/1.1", "x-\0: a\r\n", ("GET", "/v1/models"), 400),
        (&format!("GET {long}?{} HTTP/1.1", "canary".repeat(12_000)), "", ("GET", cut), 414),
    ];
    for (line, header, (method, path), status) in rows {
        let mut client = weir.connect().unwrap();
        client.send(format!("{line}\r\nhost: x\r\n{header}\r\n").as_bytes()).unwrap();
        let reply = client.read_reply().unwrap();
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text());
        let id = reply.header("x-request-id").unwrap();
        let entry = weir.wait_for_log("the request's line", |entry| entry["request_id"] == id);
        assert_eq!((&entry["method"], &entry["path"]), (&json!(method), &json!(path)), "{entry}");
    }
    assert!(!weir.process.stdout().contains("canary"), "{}", weir.process.stdout());
}
