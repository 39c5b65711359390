//! Metrics are the traffic, counted.

use super::CHAT;
use serde_json::json;
use weir_testkit::{Answer, Upstream, weir};

/// A known mixture of calls, then every counter against it.
#[test]
fn metrics_match_the_traffic() {
    let upstream = Upstream::start();
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: {} }} }}\n\
         deployments:\n  a: {{ provider: up, model: a, price: {{ input: 1, output: 2 }}, labels: {{ gpu: h100 }} }}\n  \
         b: {{ provider: up, model: b, price: {{ input: 3, output: 4 }} }}\n\
         routes:\n  main: {{ deployments: [a], retries: {{ max: 1, base: 1ms, cap: 1ms }}, fallbacks: [spare] }}\n  \
         spare: {{ deployments: [b] }}\ntelemetry: {{ metrics: {{ labels: [gpu] }} }}\n",
        upstream.url()
    );
    let weir = weir::start(env!("CARGO_BIN_EXE_weir").as_ref(), &config);
    let call = |model: &str, stream: bool, answers: &[Answer], status: u16| {
        upstream.script(answers.to_vec());
        let body =
            json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }], "stream": stream });
        assert_eq!(weir.post(CHAT, &[], &body).status, status);
        body.to_string().len()
    };
    let (good, bad) = (Answer::auto("Hello there"), Answer::status(500));
    let refused = Answer::status(400);
    let mut sent = 0;
    for _ in 0..3 {
        sent += call("main", false, std::slice::from_ref(&good), 200);
    }
    sent += call("main", true, std::slice::from_ref(&good), 200); // 4 good at once
    sent += call("main", false, &[bad.clone(), good.clone()], 200); // one retry
    sent += call("main", false, &[refused], 400); // the caller's own fault
    // One retry, then the other route: counted there.
    let spare = call("main", false, &[bad.clone(), bad, good], 200);
    call("nobody", false, &[], 404);
    assert_eq!(weir.get("/nothing").status, 404);

    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    weir.wait_for_metric("weir_requests_total", &[], 9.0);
    let check = |name: &str, labels: &[(&str, &str)], expect: f64| {
        let found = weir.metric(name, labels).unwrap_or_default();
        assert!(
            (found - expect).abs() < 1e-9,
            "{name} {labels:?}: {found}, not {expect}\n{}",
            weir.metrics()
        );
    };
    let (main, fell) = ([("route", "main"), ("deployment", "a")], [("route", "spare"), ("deployment", "b")]);
    let requests = |pair: [(&str, &str); 2], outcome: &str, expect: f64| {
        check("weir_requests_total", &[pair[0], pair[1], ("outcome", outcome)], expect);
    };
    requests(main, "ok", 5.0);
    requests(main, "caller", 1.0);
    requests(fell, "ok", 1.0);
    requests([("route", "none"), ("deployment", "none")], "caller", 2.0);
    let attempts = |route: &str, deployment: &str, cause: &str, outcome: &str, expect: f64| {
        let labels = [("route", route), ("deployment", deployment), ("cause", cause), ("outcome", outcome)];
        check("weir_attempts_total", &labels, expect);
    };
    attempts("main", "a", "first", "ok", 4.0);
    attempts("main", "a", "first", "server_error", 1.0);
    attempts("main", "a", "first", "caller", 1.0);
    attempts("main", "a", "retry", "ok", 1.0);
    // Attempts of a request that another route served are counted with that route.
    attempts("spare", "a", "first", "server_error", 1.0);
    attempts("spare", "a", "retry", "server_error", 1.0);
    attempts("spare", "b", "fallback", "ok", 1.0);
    check("weir_attempts_total", &[], 10.0);
    #[allow(clippy::cast_precision_loss, reason = "a handful")]
    let seen = upstream.calls().len() as f64;
    check("weir_attempts_total", &[], seen);
    check("weir_retries_total", &[("route", "main")], 1.0);
    check("weir_retries_total", &[("route", "spare")], 1.0);
    check("weir_fallbacks_total", &[("route", "spare")], 1.0);
    check("weir_fallbacks_total", &[], 1.0);
    // 9 tokens in, 5 out, by each good answer.
    let tokens = |pair: [(&str, &str); 2], kind: &str, expect: f64| {
        check("gen_ai_client_token_usage_total", &[pair[0], pair[1], ("token_type", kind)], expect);
    };
    tokens(main, "input", 45.0);
    tokens(main, "output", 25.0);
    tokens(fell, "input", 9.0);
    tokens(fell, "output", 5.0);
    check("weir_cost_usd_total", &main, 95e-6);
    check("weir_cost_usd_total", &fell, 47e-6);
    check("weir_usage_estimated_total", &[], 0.0);
    #[allow(clippy::cast_precision_loss, reason = "small")]
    let (sent, spare) = (sent as f64, spare as f64);
    check("weir_request_bytes_total", &[("route", "main")], sent);
    check("weir_request_bytes_total", &[("route", "spare")], spare);
    for histogram in ["gen_ai_server_request_duration_seconds", "weir_overhead_seconds"] {
        check(&format!("{histogram}_count"), &main, 6.0);
        check(&format!("{histogram}_bucket"), &[main[0], main[1], ("le", "+Inf")], 6.0);
    }
    check("gen_ai_server_time_to_first_token_seconds_count", &main, 1.0);
    check("gen_ai_server_time_per_output_token_seconds_count", &main, 1.0);
    check(
        "weir_deployment_info",
        &[("deployment", "a"), ("provider", "up"), ("model", "a"), ("gpu", "h100")],
        1.0,
    );
    check("weir_deployment_in_flight", &[], 0.0);
    check("weir_breaker_state", &[], 0.0);
    assert!(weir.metric("weir_pool_connections", &[("provider", "up"), ("state", "open")]).unwrap() >= 1.0);
    check_labels(&weir.metrics());
}

/// What clients send (model names, paths) is never a label: otherwise anyone could fill the operator's memory.
fn check_labels(page: &str) {
    assert!(!page.contains("nobody") && !page.contains("/nothing"), "{page}");
    assert!(page.ends_with("# EOF\n"), "not OpenMetrics");
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok()), "{line}");
    }
}
