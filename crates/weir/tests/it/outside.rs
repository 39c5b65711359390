//! Health seen from outside: deployments are asked whether they are well, and servers how busy they are.

use serde_json::json;
use std::path::Path;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";
const CLOSED: f64 = 0.0;
const HALF_OPEN: f64 = 1.0;
const OPEN: f64 = 2.0;

/// Deployments `d0`, `d1`, … of models `up0`, `up1`, … at one upstream each, with what is said of each provider, and one
/// route `m` over all of them.
fn weir(upstreams: &[(&Upstream, &str)], route: &str) -> RunningWeir {
    let (mut providers, mut deployments) = (String::new(), String::new());
    for (i, (upstream, said)) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ base_url: '{}', api_key: key-{i}, {said} }}\n", upstream.url());
        deployments += &format!(
            "  d{i}: {{ provider: p{i}, model: up{i}, breaker: {{ failures: 2, cooldown: 1h }}, price: {{ input: 1, output: 2 }} }}\n"
        );
    }
    let all: Vec<String> = (0..upstreams.len()).map(|i| format!("d{i}")).collect();
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n{providers}deployments:\n{deployments}routes:\n  m: {{ deployments: [{}], {route} }}\n",
        all.join(", ")
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

/// Who answers.
fn who(weir: &RunningWeir) -> String {
    let call = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    let reply = weir.post(CHAT, &[], &call);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-weir-deployment").unwrap().to_owned()
}

fn text(page: &str) -> Answer {
    Answer::body(200, "text/plain; version=0.0.4", page.to_owned())
}

fn vllm(model: &str, running: u32, waiting: u32) -> Answer {
    text(&format!(
        "# TYPE vllm:num_requests_running gauge\n\
         vllm:num_requests_running{{engine=\"0\",model_name=\"{model}\"}} {running}.0\n\
         vllm:num_requests_waiting{{engine=\"0\",model_name=\"{model}\"}} {waiting}.0\n\
         vllm:kv_cache_usage_perc{{engine=\"0\",model_name=\"{model}\"}} 0.5\n"
    ))
}

fn requests(weir: &RunningWeir, deployment: &str, state: &str) -> Option<f64> {
    weir.metric("weir_server_requests", &[("deployment", deployment), ("state", state)])
}

fn wait_for_requests(weir: &RunningWeir, deployment: &str, state: &str, expect: f64) {
    let labels = [("deployment", deployment), ("state", state)];
    weir.wait_for_metric("weir_server_requests", &labels, expect);
}

/// Others send to the first server: Weir sees its queue, and goes to the second while that is so.
#[test]
fn a_queue_of_other_peoples_requests_is_seen() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.on_path("/metrics", vllm("up0", 3, 40));
    second.on_path("/metrics", vllm("up1", 0, 0));
    let said = "kind: vllm, gauges: { interval: 100ms }";
    let weir = weir(&[(&first, said), (&second, said)], "policy: least_busy");
    wait_for_requests(&weir, "d0", "others", 43.0);
    wait_for_requests(&weir, "d1", "others", 0.0);
    assert_eq!((requests(&weir, "d0", "running"), requests(&weir, "d0", "waiting")), (Some(3.0), Some(40.0)));
    assert_eq!(weir.metric("weir_server_memory_ratio", &[("deployment", "d0")]), Some(0.5));
    for _ in 0..10 {
        assert_eq!(who(&weir), "d1");
    }
    let asked = first.calls().into_iter().find(|call| call.path == "/metrics").unwrap();
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("GET", Some("Bearer key-0")));
    // The other way round.
    first.on_path("/metrics", vllm("up0", 0, 0));
    second.on_path("/metrics", vllm("up1", 1, 50));
    wait_for_requests(&weir, "d0", "others", 0.0);
    wait_for_requests(&weir, "d1", "others", 51.0);
    for _ in 0..10 {
        assert_eq!(who(&weir), "d0");
    }
}

/// What a server says is believed within bounds and forgotten when it says nothing more; nothing it does to that
/// question is a fault of its deployments.
#[test]
fn a_server_that_tells_nonsense_is_no_worse_off() {
    let upstream = Upstream::start();
    upstream.on_path("/metrics", vllm("up0", u32::MAX, u32::MAX));
    let weir = weir(&[(&upstream, "kind: vllm, gauges: { interval: 100ms }")], "policy: least_busy");
    wait_for_requests(&weir, "d0", "others", 256.0);
    let forgets = |what: &str, answer: Answer| {
        upstream.on_path("/metrics", answer);
        weir.process.eventually(|| requests(&weir, "d0", "others").is_none().then_some(()));
        weir.process.wait_for_line(what, |line| {
            (line.contains("gauges cannot be read") && line.contains(what)).then_some(())
        });
        assert_eq!(who(&weir), "d0", "{what}");
        upstream.on_path("/metrics", vllm("up0", 1, 1));
        wait_for_requests(&weir, "d0", "others", 2.0);
    };
    forgets("status 404", Answer::status(404));
    forgets("none of the known gauges", text("<html>vllm:num_requests_running many</html>"));
    forgets("more than", Answer::body(200, "text/plain", vec![b'x'; 1 << 20]));
    assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(CLOSED));
}

/// Hosted vendors are not asked for gauges, nor is anybody who is not to be.
#[test]
fn gauges_are_read_where_there_are_some() {
    let rows = [
        ("kind: openai", false),
        ("kind: openai, gauges: { interval: 100ms, path: /stats }", true),
        ("kind: vllm, gauges: { enabled: false }", false),
        ("kind: llama_cpp", true),
        ("kind: ollama", false),
    ];
    for (said, asked) in rows {
        let upstream = Upstream::start();
        let probe = format!("{said}, health: {{ path: /probe, interval: 100ms }}");
        let weir = weir(&[(&upstream, &probe)], "policy: priority");
        let path = if said.contains("/stats") { "/stats" } else { "/metrics" };
        // Both begin in the same round of chores; two probes later a reading would have come.
        let log = upstream.wait_for("two probes", |log| {
            log.calls.iter().filter(|call| call.path == "/v1/probe").count() >= 2
                && (!asked || log.calls.iter().any(|call| call.path == path))
        });
        assert_eq!(log.calls.iter().any(|call| call.path == path), asked, "{said}");
        drop(weir);
    }
}

fn wait_for_state(weir: &RunningWeir, state: f64) {
    weir.wait_for_metric("weir_breaker_state", &[("deployment", "d0")], state);
}

/// Each way of asking finds out what it is for, without a call of a client's, and brings the deployment back.
#[test]
fn each_probe_finds_what_it_is_for() {
    let list = |id: &str| Answer::json(200, &json!({ "object": "list", "data": [{ "id": id }] }));
    let loaded = |name: &str| Answer::json(200, &json!({ "models": [{ "name": name, "model": name }] }));
    let rows = [
        ("kind: openai", "", "/v1/models", list("another"), list("up0")),
        ("kind: ollama", "", "/api/ps", loaded("another:latest"), loaded("up0:latest")),
        ("kind: llama_cpp", "", "/health", Answer::status(503), Answer::body(200, "text/plain", "")),
        ("kind: vllm", "probe: completion, ", CHAT, Answer::status(500), Answer::chat("h")),
        ("kind: vllm", "path: /own, ", "/v1/own", Answer::status(404), Answer::body(200, "text/plain", "")),
    ];
    for (kind, probe, path, bad, good) in rows {
        let upstream = Upstream::start();
        // What is installed is listed, and is not what counts with Ollama.
        upstream.on_path("/v1/models", list("up0"));
        upstream.on_path(path, bad);
        let said = format!("{kind}, health: {{ {probe}interval: 100ms }}");
        let weir = weir(&[(&upstream, &said)], "policy: priority");
        wait_for_state(&weir, OPEN);
        upstream.on_path(path, good);
        wait_for_state(&weir, HALF_OPEN);
        if path == CHAT {
            let asked = upstream.calls().into_iter().find(|call| call.path == CHAT).unwrap().json();
            assert_eq!((&asked["model"], &asked["max_completion_tokens"]), (&json!("up0"), &json!(1)));
        }
        assert!(upstream.calls().iter().any(|call| call.path == path), "{path}");
        assert_eq!(who(&weir), "d0", "{path}");
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(CLOSED), "{path}");
    }
}

/// A probe that generates a token costs what it costs, beside the costs of requests; one that does not costs nothing.
#[test]
fn what_probes_cost_is_among_the_costs() {
    for (probe, costs) in [("completion", true), ("models", false)] {
        let upstream = Upstream::start();
        upstream.on_path("/v1/models", Answer::json(200, &json!({ "data": [{ "id": "up0" }] })));
        upstream.always(Answer::chat("h").usage(9, 1));
        let said = format!("kind: vllm, health: {{ probe: {probe}, interval: 100ms }}");
        let weir = weir(&[(&upstream, &said)], "policy: priority");
        let path = if costs { CHAT } else { "/v1/models" };
        let probes = || upstream.calls().iter().filter(|call| call.path == path).count();
        upstream
            .wait_for("three probes", |log| log.calls.iter().filter(|call| call.path == path).count() >= 3);
        let cost = |cause| weir.metric("weir_cost_usd_total", &[("deployment", "d0"), ("cause", cause)]);
        if costs {
            let known = weir.process.eventually(|| cost("probe").filter(|known| *known > 20e-6)).unwrap();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            let (counted, begun) = ((known / 11e-6).round() as usize, probes());
            assert!((2..=begun).contains(&counted), "{counted} of {begun}");
        } else {
            assert_eq!(cost("probe"), None);
        }
        assert_eq!(cost("request"), None);
        assert_eq!(who(&weir), "d0");
        weir.wait_for_metric("weir_cost_usd_total", &[("cause", "request")], 11e-6);
    }
}

/// What windows hold is shown when somebody looks.
#[test]
fn figures_of_the_last_minute_are_in_metrics() {
    let upstream = Upstream::start();
    let weir = weir(&[(&upstream, "kind: openai")], "retries: { max: 0 }");
    let figure = |name: &str, more: (&str, &str)| weir.metric(name, &[("deployment", "d0"), more]);
    assert_eq!(figure("weir_deployment_total_seconds", ("quantile", "0.5")), None, "nothing is known yet");
    let stream =
        json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "hello" }] });
    for _ in 0..3 {
        assert_eq!(weir.post(CHAT, &[], &stream).status, 200);
    }
    upstream.script([Answer::status(500)]);
    assert_eq!(weir.post(CHAT, &[], &stream).status, 500);
    for metric in ["weir_deployment_first_token_seconds", "weir_deployment_total_seconds"] {
        let [middle, most] = ["0.5", "0.99"].map(|q| figure(metric, ("quantile", q)).unwrap());
        assert!(0.0 < middle && middle <= most, "{metric}: {middle} {most}");
    }
    assert!(
        figure("weir_deployment_tokens_per_second", ("quantile", "0.5")).is_some_and(|speed| speed > 0.0)
    );
    assert_eq!(figure("weir_deployment_error_ratio", ("blame", "upstream")), Some(0.25));
    assert_eq!(figure("weir_deployment_error_ratio", ("blame", "caller")), Some(0.0));
    assert_eq!(weir.metric("weir_deployment_outstanding_seconds", &[("deployment", "d0")]), Some(0.0));
}
