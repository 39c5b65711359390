//! Every status that Weir gives of its own accord.

use super::{AUTH, CHAT, Expect, chat, post, start};
use serde_json::json;
use weir_testkit::{Answer, Gate, RawClient, Upstream};

const BAD: Expect<'_> =
    Expect { status: 400, kind: "invalid_request_error", code: "invalid_json", param: None, says: "" };

/// A bad body on each of the three endpoints: 400, naming the field or the place.
#[test]
fn a_bad_body_is_400_and_names_the_field() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let check = |path: &str, body: &str, code: &str, param: Option<&str>, says: &str| {
        let mut client = weir.connect().unwrap();
        client.request("POST", path, &[AUTH, ("content-type", "application/json")], body.as_bytes()).unwrap();
        Expect { code, param, says, ..BAD }.check(&client.read_reply().unwrap());
    };
    let (completions, embeddings) = ("/v1/completions", "/v1/embeddings");
    for path in [CHAT, completions, embeddings] {
        check(path, "", "invalid_json", None, "is empty; expected a JSON object such as");
        check(path, "[]", "invalid_json", None, "is an array; expected a JSON object such as");
        check(path, "{\"model\":\n  nope}", "invalid_json", None, "line 2, column 3");
        check(path, r#"{"model":"m0","model":"m1"}"#, "invalid_json", None, "duplicate key `model`");
        check(path, r#"{"model":"m0","mod\u0065l":"m1"}"#, "invalid_json", None, "duplicate key `model`");
        check(path, "{}", "missing_required_parameter", Some("model"), "`model`");
        check(
            path,
            r#"{"model":7,"messages":[]}"#,
            "invalid_type",
            Some("model"),
            "expected a string, got a number",
        );
    }
    check(CHAT, r#"{"model":"m0"}"#, "missing_required_parameter", Some("messages"), "`messages`");
    check(completions, r#"{"model":"m0"}"#, "missing_required_parameter", Some("prompt"), "`prompt`");
    check(embeddings, r#"{"model":"m0"}"#, "missing_required_parameter", Some("input"), "`input`");
    check(
        CHAT,
        r#"{"model":"m0","messages":"hi"}"#,
        "invalid_type",
        Some("messages"),
        "an array, got a string",
    );
    check(
        CHAT,
        r#"{"model":"m0","messages":[],"stream":"yes"}"#,
        "invalid_type",
        Some("stream"),
        "a boolean",
    );
    check(
        CHAT,
        r#"{"model":"m0","messages":[],"stream_options":[]}"#,
        "invalid_type",
        Some("stream_options"),
        "an object, got an array",
    );
    check(
        CHAT,
        r#"{"model":"m0","messages":[],"stream_options":{"include_usage":1}}"#,
        "invalid_type",
        Some("stream_options.include_usage"),
        "a boolean, got a number",
    );
    assert_eq!(upstream.calls().len(), 0);
}

/// 401, 404, 405, 415: decided by the head or the model's name.
#[test]
fn what_cannot_be_served_is_refused_before_any_upstream_sees_it() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let body = chat("m0", false).to_string();
    let check = |method: &str, path: &str, headers: &[(&str, &str)], body: &str, expect: Expect<'_>| {
        let mut client = weir.connect().unwrap();
        client.request(method, path, headers, body.as_bytes()).unwrap();
        let reply = client.read_reply().unwrap();
        expect.check(&reply);
        reply
    };
    let unknown_key =
        Expect { status: 401, kind: "authentication_error", code: "invalid_api_key", says: "API key", ..BAD };
    let reply = check("POST", CHAT, &[], &body, Expect { code: "missing_api_key", ..unknown_key });
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    check("POST", CHAT, &[("authorization", "Bearer nope")], &body, unknown_key);
    check("GET", "/v1/models", &[("authorization", "Bearer nope")], "", unknown_key);

    let unknown_model = Expect { status: 404, code: "model_not_found", param: Some("model"), ..BAD };
    let near =
        Expect { says: "\"m10\" does not exist here; did you mean \"m0\" or \"m1\"?", ..unknown_model };
    check("POST", CHAT, &[AUTH], &chat("m10", false).to_string(), near);
    let far = Expect { says: "/v1/models lists", ..unknown_model };
    check("POST", CHAT, &[AUTH], &chat("something else", true).to_string(), far);

    let nothing = Expect { status: 404, code: "not_found", says: "POST /v1/chat/completions", ..BAD };
    for path in
        ["/", "/v1", "/v1/chat", "/v1/chat/completions/", "/V1/chat/completions", "/v2/chat/completions"]
    {
        check("POST", path, &[AUTH], &body, nothing);
    }
    let method = Expect { status: 405, code: "method_not_allowed", says: "wants POST", ..BAD };
    for (asked, path) in [("GET", CHAT), ("DELETE", "/v1/completions"), ("PUT", "/v1/embeddings")] {
        assert_eq!(check(asked, path, &[AUTH], "", method).header("allow"), Some("POST"));
    }
    let get = Expect { says: "wants GET", ..method };
    assert_eq!(check("POST", "/v1/models", &[AUTH], &body, get).header("allow"), Some("GET"));
    assert_eq!(check("DELETE", "/v1/models/m0", &[AUTH], "", get).header("allow"), Some("GET"));

    let media = Expect { status: 415, code: "unsupported_media_type", says: "not \"text/plain\"", ..BAD };
    check("POST", CHAT, &[AUTH, ("content-type", "text/plain; charset=utf-8")], &body, media);
    let compressed = Expect { says: "compressed", ..media };
    check("POST", CHAT, &[AUTH, ("content-encoding", "gzip")], &body, compressed);
    assert_eq!(upstream.calls().len(), 0);
}

/// 408 and 413: a body too slow or too large. Both end the connection, whose rest is not waited for.
#[test]
fn a_body_past_its_limits_is_408_or_413() {
    let upstream = Upstream::start();
    let weir = start(&upstream, ", limits: { max_body: 1KiB, body_timeout: 200ms }");
    let check = |bytes: &str, expect: Expect<'_>| {
        let mut client = RawClient::connect(weir.public).unwrap();
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\n{}: {}\r\n", AUTH.0, AUTH.1);
        client.send(format!("{head}{bytes}").as_bytes()).unwrap();
        expect.check(&client.read_reply().unwrap());
        client.wait_for_close().unwrap();
    };
    let large = Expect { status: 413, code: "request_too_large", says: "1024 bytes", ..BAD };
    check("content-length: 1025\r\n\r\n", large);
    check(&format!("transfer-encoding: chunked\r\n\r\n800\r\n{}", "x".repeat(2048)), large);
    let slow = Expect { status: 408, code: "request_timeout", says: "too long to arrive", ..BAD };
    check("content-length: 500\r\n\r\n{\"model\":", slow);
    check("transfer-encoding: chunked\r\n\r\n5\r\n{\"mod\r\n", slow);
    assert_eq!(upstream.calls().len(), 0);
}

/// 431: too many bytes of headers.
#[test]
fn a_head_past_its_limit_is_431() {
    let upstream = Upstream::start();
    let weir = start(&upstream, ", limits: { max_header: 8KiB }");
    let mut client = weir.connect().unwrap();
    // More than a header's size, less than what the socket takes before the answer is there.
    client.request("GET", "/v1/models", &[AUTH, ("x-large", &"x".repeat(20 * 1024))], b"").unwrap();
    let large = Expect { status: 431, code: "headers_too_large", says: "headers are too large", ..BAD };
    large.check(&client.read_reply().unwrap());
}

/// 502, 503, 504: an upstream out of reach, full, silent.
#[test]
fn upstreams_out_of_reach_are_502_503_504() {
    let (upstream, gone) = (Upstream::start(), Upstream::start());
    let nobody = gone.url();
    gone.stop();
    let config = format!(
        "providers:\n  up: {{ kind: openai, base_url: {} }}\n  gone: {{ kind: openai, base_url: {nobody} }}\n\
         deployments:\n  up: {{ provider: up, model: up, max_concurrency: 1 }}\n  \
         slow: {{ provider: up, model: slow }}\n  gone: {{ provider: gone, model: gone }}\n\
         routes:\n  up: {{ deployments: [up], retries: {{ max: 0 }}, queue: {{ max_waiting: 0 }} }}\n  \
         slow: {{ deployments: [slow], retries: {{ max: 0 }}, timeouts: {{ total: 200ms }} }}\n  \
         gone: {{ deployments: [gone], retries: {{ max: 0 }} }}\n",
        upstream.url()
    );
    let weir = weir_testkit::weir::start(env!("CARGO_BIN_EXE_weir").as_ref(), &config);
    let fault =
        Expect { status: 502, kind: "server_error", code: "upstream_unreachable", param: None, says: "" };
    let silent = Expect { status: 504, code: "upstream_timeout", ..fault };
    upstream.on_model("slow", Answer::never());
    for stream in [false, true] {
        fault.check(&post(&weir, CHAT, &chat("gone", stream)));
        silent.check(&post(&weir, CHAT, &chat("slow", stream)));
    }
    let gate = Gate::new();
    upstream.on_model("up", Answer::auto("first").hold(&gate));
    let mut first = weir.connect().unwrap();
    first.post(CHAT, &[], &chat("up", false)).unwrap();
    upstream.wait_for("the first call", |log| log.calls.iter().any(|call| call.json()["model"] == "up"));
    let refused = post(&weir, CHAT, &chat("up", false));
    Expect { status: 503, code: "all_deployments_full", says: "Try again", ..fault }.check(&refused);
    assert_eq!(refused.header("retry-after"), Some("1"));
    gate.open();
    assert_eq!(first.read_reply().unwrap().json()["choices"][0]["message"]["content"], json!("first"));
}

/// 503 when the gateway itself is full: at once, with the time after which to come back.
#[test]
fn a_full_gateway_is_503() {
    let upstream = Upstream::start();
    let weir = start(&upstream, ", limits: { max_requests: 1 }");
    let gate = Gate::new();
    upstream.script([Answer::auto("first").hold(&gate)]);
    let mut first = weir.connect().unwrap();
    first.post(CHAT, &[AUTH], &chat("m0", false)).unwrap();
    upstream.wait_for_calls(1);
    let refused = post(&weir, CHAT, &chat("m1", false));
    let full = Expect {
        status: 503,
        kind: "server_error",
        code: "gateway_overloaded",
        param: None,
        says: "1 requests",
    };
    full.check(&refused);
    assert_eq!(refused.header("retry-after"), Some("1"));
    gate.open();
    assert_eq!(first.read_reply().unwrap().status, 200);
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    assert_eq!(post(&weir, CHAT, &chat("m1", false)).status, 200);
    assert_eq!(upstream.calls().len(), 2);
}
