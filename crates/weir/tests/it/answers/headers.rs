//! Headers travel by allow-list, both ways, and Weir's own say who answered.

use super::{AUTH, CHAT, UPSTREAM_KEY, chat, post, start};
use serde_json::json;
use std::collections::BTreeSet;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, Upstream};

fn names(headers: &[(String, String)]) -> BTreeSet<&str> {
    headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// Everything that a client may send and that nobody upstream may see.
const PRIVATE: [(&str, &str); 16] = [
    ("cookie", "session=client-cookie"),
    ("x-forwarded-for", "10.1.2.3"),
    ("x-forwarded-host", "inner.example"),
    ("x-forwarded-proto", "https"),
    ("forwarded", "for=10.1.2.3"),
    ("x-real-ip", "10.1.2.3"),
    ("x-api-key", "other-client-key"),
    ("api-key", "other-client-key"),
    ("proxy-authorization", "Basic Y2xpZW50"),
    ("referer", "https://inner.example/page"),
    ("origin", "https://inner.example"),
    ("openai-organization", "org-client"),
    ("x-team", "the client's"),
    ("x-stainless-os", "Linux"),
    ("accept-encoding", "gzip, br"),
    ("user-agent", "client/1.0"),
];

#[test]
fn the_state_of_no_trace_is_not_passed_on() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    assert_eq!(weir.post(CHAT, &[AUTH, ("tracestate", "a=b")], &chat("m0", false)).status, 200);
    let call = upstream.calls().pop().unwrap();
    let seen = names(&call.headers);
    assert!(seen.contains("traceparent") && !seen.contains("tracestate"), "{seen:?}");
}

#[test]
fn an_upstream_sees_only_what_it_must() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let mut headers = PRIVATE.to_vec();
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    headers.extend([AUTH, ("openai-beta", "assistants=v2"), trace, ("tracestate", "a=b")]);
    for stream in [false, true] {
        assert_eq!(weir.post(CHAT, &headers, &chat("m0", stream)).status, 200);
        let seen = upstream.calls().pop().unwrap();
        let expect = [
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "openai-beta",
            "traceparent",
            "tracestate",
            "user-agent",
            "x-team",
        ];
        assert_eq!(names(&seen.headers), BTreeSet::from(expect));
        let bearer = format!("Bearer {UPSTREAM_KEY}");
        for (name, value) in [
            ("authorization", bearer.as_str()),
            ("host", &upstream.addr().to_string()),
            ("accept-encoding", "identity"),
            ("content-type", "application/json"),
            ("x-team", "search"),
            ("openai-beta", "assistants=v2"),
            ("tracestate", "a=b"),
        ] {
            assert_eq!(seen.header(name), Some(value));
            assert_eq!(seen.headers.iter().filter(|(n, _)| n == name).count(), 1, "{name}");
        }
        assert!(seen.header("user-agent").unwrap().starts_with("weir/"));
    }
}

/// What an upstream may send and no client may see.
fn talkative(answer: Answer) -> Answer {
    [
        ("set-cookie", "upstream=cookie"),
        ("server", "secret-server/1"),
        ("via", "1.1 inner"),
        ("x-internal", "10.0.0.7"),
        ("openai-organization", "org-ours"),
        ("x-request-id", "the-upstreams-id"),
        ("x-ratelimit-remaining-requests", "7"),
        ("access-control-allow-origin", "*"),
        ("alt-svc", "h3=\":443\""),
        ("location", "http://inner/"),
        ("x-weir-cost", "1000"),
        ("cf-ray", "x"),
    ]
    .into_iter()
    .fold(answer, |answer, (name, value)| answer.header(name, value))
}

#[test]
fn a_client_sees_only_what_it_may() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let common = [
        "content-type",
        "date",
        "x-litellm-model-id",
        "x-request-id",
        "x-weir-attempts",
        "x-weir-decision",
        "x-weir-deployment",
    ];
    let with = |more: &[&'static str]| common.iter().chain(more).copied().collect::<BTreeSet<_>>();
    upstream.script([
        talkative(Answer::chat("hi")),
        talkative(Answer::stream(["hi"])),
        talkative(Answer::status(500)),
    ]);
    let whole = post(&weir, CHAT, &chat("m0", false));
    let costs = [
        "content-length",
        "x-weir-model",
        "x-weir-cost",
        "x-litellm-response-cost",
        "x-weir-overhead-ms",
        "x-weir-latency-ms",
    ];
    assert_eq!(names(&whole.headers), with(&costs));
    assert_ne!(whole.header("x-weir-cost"), Some("1000"));
    assert_ne!(whole.header("x-request-id"), Some("the-upstreams-id"));
    let mut stream = post(&weir, CHAT, &chat("m1", true));
    // Only where the first token was there when the head went out.
    stream.headers.retain(|(name, _)| name != "x-weir-latency-ms");
    assert_eq!(
        names(&stream.headers),
        with(&["cache-control", "transfer-encoding", "x-weir-model", "x-weir-overhead-ms"])
    );
    assert!(stream.trailers.is_empty(), "nobody asked for trailers");
    let error = post(&weir, CHAT, &chat("m2", false)); // of no model: none answered
    assert_eq!((error.status, names(&error.headers)), (500, with(&["content-length"])));
}

fn check_numbers(reply: &Reply, expect: &[(&str, &str)]) {
    for (name, value) in expect {
        assert_eq!(reply.header(name), Some(*value), "{name} in {:?}", reply.headers);
    }
    let overhead = reply.header("x-weir-overhead-ms").unwrap();
    assert!(overhead.parse::<f64>().is_ok_and(|ms| ms >= 0.0), "{overhead}");
}

/// The set of a whole answer: who answered, at which attempt, for how much.
#[test]
fn a_whole_answer_says_who_answered_and_what_it_cost() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let dated = json!({
        "model": "served-model-2026-01", "choices": [{ "index": 0, "message": { "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14 },
    });
    upstream.script([Answer::json(200, &dated), Answer::chat("hi").usage(1_000_000, 1)]);
    let mut ids = BTreeSet::new();
    // 9 × 1 µUSD + 5 × 2.5 µUSD; then 1 USD and 2.5 µUSD.
    for (model, cost) in [("served-model-2026-01", "0.0000215"), ("served-model", "1.0000025")] {
        let reply = post(&weir, CHAT, &chat("m3", false));
        check_numbers(
            &reply,
            &[
                ("x-weir-deployment", "d3"),
                ("x-weir-model", model),
                ("x-weir-attempts", "1"),
                ("x-weir-cost", cost),
                ("x-litellm-response-cost", cost),
                ("x-litellm-model-id", "d3"),
            ],
        );
        let id = reply.header("x-request-id").unwrap().to_owned();
        assert!(id.starts_with("req_") && id.len() == 28, "{id}");
        assert!(ids.insert(id));
        assert_eq!(reply.header("x-process-time"), None, "the timing set is off unless asked for");
    }
}

/// The second attempt is counted, and the deployment named is the one that answered.
#[test]
fn attempts_are_counted_where_the_answer_is_given() {
    let upstream = Upstream::start();
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: {} }} }}\n\
         deployments: {{ bad: {{ provider: up, model: bad }}, good: {{ provider: up, model: good }} }}\n\
         routes:\n  first: {{ deployments: [bad], retries: {{ max: 0 }}, fallbacks: [second] }}\n  \
         second: {{ deployments: [good] }}\n",
        upstream.url()
    );
    let weir = weir_testkit::weir::start(env!("CARGO_BIN_EXE_weir").as_ref(), &config);
    upstream.on_model("bad", Answer::status(503));
    for stream in [false, true] {
        let reply = post(&weir, CHAT, &chat("first", stream));
        check_numbers(
            &reply,
            &[("x-weir-attempts", "2"), ("x-weir-deployment", "good"), ("x-weir-model", "good")],
        );
    }
}

/// Both optional sets, switched the other way round.
#[test]
fn optional_headers_are_optional() {
    let upstream = Upstream::start();
    let weir = start(&upstream, ", headers: { litellm: false, timing: true }");
    let body = chat("m0", false);
    let reply = post(&weir, CHAT, &body);
    assert_eq!(reply.headers.iter().find(|(name, _)| name.starts_with("x-litellm")), None);
    check_numbers(
        &reply,
        &[
            ("x-token-usage", "14"),
            ("x-request-size", &body.to_string().len().to_string()),
            ("x-response-size", &reply.body.len().to_string()),
        ],
    );
    assert!(reply.header("x-process-time").is_some_and(|s| s.parse::<f64>().is_ok_and(|s| s > 0.0)));
    let body = chat("m0", true);
    let stream = post(&weir, CHAT, &body);
    assert_eq!(stream.header("x-request-size"), Some(&*body.to_string().len().to_string()));
    assert_eq!(stream.headers.iter().find(|(name, _)| name.starts_with("x-litellm")), None);
}

/// What a stream's head cannot know yet comes as trailers for a client that takes them.
#[test]
fn a_streams_cost_comes_as_trailers_when_asked_for() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    for te in ["trailers", "gzip;q=0.5, Trailers"] {
        let reply = weir.post(CHAT, &[AUTH, ("te", te), ("connection", "te")], &chat("m0", true));
        assert!(reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
        assert_eq!(
            reply.header("trailer"),
            Some("x-weir-cost, x-weir-overhead-ms, x-weir-latency-ms, x-token-usage")
        );
        let trailer =
            |name: &str| reply.trailers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        assert_eq!((trailer("x-weir-cost"), trailer("x-token-usage")), (Some("0.0000215"), Some("14")));
        for name in ["x-weir-overhead-ms", "x-weir-latency-ms"] {
            assert!(trailer(name).is_some_and(|ms| ms.parse::<f64>().is_ok()), "{name}");
        }
    }
}

/// W3C trace context: the caller's trace goes on with a span of ours; without one, or with a broken one, a new trace begins.
#[test]
fn a_trace_goes_on_upstream_with_a_span_of_its_own() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let seen = |traceparent: Option<&str>| {
        let traceparent = traceparent.map(|value| ("traceparent", value));
        let headers: Vec<_> = [AUTH].into_iter().chain(traceparent).collect();
        let id = weir.post(CHAT, &headers, &chat("m0", false)).header("x-request-id").unwrap().to_owned();
        let sent = upstream.calls().pop().unwrap().header("traceparent").unwrap().to_owned();
        let parts: Vec<String> = sent.split('-').map(str::to_owned).collect();
        let [version, trace, span, flags] = <[String; 4]>::try_from(parts).unwrap();
        assert_eq!((version.as_str(), trace.len(), span.len()), ("00", 32, 16), "{sent}");
        let line = weir.wait_for_log("the log line", |line| line["request_id"] == id.as_str());
        assert_eq!(line["trace_id"], trace, "the log names the trace that the upstream was told");
        (trace, span, flags)
    };
    let (trace, span, flags) = seen(Some(&format!("00-{TRACE}-00f067aa0ba902b7-01")));
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "01"));
    assert_ne!(span, "00f067aa0ba902b7");
    let (trace, again, flags) = seen(Some(&format!("00-{TRACE}-00f067aa0ba902b7-00")));
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "00"));
    assert_ne!(again, span, "every request has a span of its own");
    let broken = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    let mut traces = BTreeSet::from([TRACE.to_owned(), "0".repeat(32)]);
    for traceparent in [None, Some("nonsense"), Some(broken.as_str())] {
        assert!(traces.insert(seen(traceparent).0), "{traceparent:?}: not a new trace");
    }
}
