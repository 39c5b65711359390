//! What stands in the books when a client has left: whose time it was, what was generated, and what a deployment did wrong
//! before that.

use super::{CHAT, call};
use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::{Answer, Gate, Log, RawClient, RunningWeir, Upstream};

/// A `weir` of one core whose routes `routes` lead to deployments `deployments`, each of a model of its own name at
/// `upstream`, and `clock` to one that is waited for for half a second in vain.
fn weir_at(upstream: &Upstream, deployments: &[(&str, &str)], routes: &str) -> RunningWeir {
    let deployments: String = deployments
        .iter()
        .map(|(name, keys)| {
            format!("  {name}: {{ provider: p, model: {name}, price: {{ input: 1, output: 2 }}, {keys} }}\n")
        })
        .collect();
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }}, \
         limits: {{ stream_buffer: 32MiB }} }}\n\
         providers: {{ p: {{ kind: openai, base_url: '{}' }} }}\ndeployments:\n{deployments}  \
         never: {{ provider: p, model: never }}\n\
         routes:\n{routes}  clock: {{ deployments: [never], timeouts: {{ first_byte: 500ms }} }}\n",
        upstream.url()
    );
    upstream.on_model("never", Answer::never());
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn ask(weir: &RunningWeir, model: &str, stream: bool) -> RawClient {
    let mut body = call(stream);
    body["model"] = json!(model);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &body).unwrap();
    client
}

/// Waits for an upstream call of this model that has sent so many events.
fn wait_for(upstream: &Upstream, model: &str, events: usize) {
    let is_it =
        |log: &Log| log.calls.iter().any(|call| call.json()["model"] == model && call.events >= events);
    upstream.wait_for(model, is_it);
}

fn entry(weir: &RunningWeir, route: &str) -> Value {
    weir.wait_for_log(route, |entry| entry["endpoint"] == "chat" && entry["route"] == route)
}

/// What a client that leaves has waited for is the upstream's time, or the queue's, whatever was being waited for.
#[test]
fn a_wait_that_the_client_does_not_stay_for_is_no_overhead() {
    let upstream = Upstream::start();
    let deployments = [
        ("silent", ""),
        ("pieces", ""),
        ("held", "timeouts: { hold: 1m }"),
        ("resting", ""),
        ("one", ""),
        ("other", ""),
        ("full", "max_concurrency: 1"),
    ];
    let routes = "  silent: { deployments: [silent] }\n  pieces: { deployments: [pieces] }\n  \
                  held: { deployments: [held] }\n  resting: { deployments: [resting] }\n  \
                  race: { deployments: [one, other], policy: priority, hedge: { after: 1ms, extra: 100% } }\n  \
                  full: { deployments: [full] }\n  \
                  queue: { deployments: [full], queue: { max_waiting: 1, max_wait: 1m } }\n";
    let weir = weir_at(&upstream, &deployments, routes);
    upstream.on_model("silent", Answer::never());
    upstream.on_model("pieces", Answer::chat("a whole answer in pieces").in_pieces(20).pause_after_events(2));
    upstream.on_model("held", Answer::stream(["never"]).pause_after_events(1));
    upstream.on_model("resting", Answer::status(429).header("retry-after", "9"));
    upstream.on_model("one", Answer::never());
    upstream.on_model("other", Answer::stream(["never"]).pause_after_events(1));
    upstream.on_model("full", Answer::never());
    let rows = [
        ("silent", false),
        ("pieces", false),
        ("held", true),
        ("resting", false),
        ("race", true),
        ("full", false),
    ];
    let mut clients: Vec<RawClient> = rows.iter().map(|(model, stream)| ask(&weir, model, *stream)).collect();
    for (model, events) in
        [("silent", 0), ("pieces", 2), ("held", 1), ("resting", 1), ("one", 0), ("other", 1), ("full", 0)]
    {
        wait_for(&upstream, model, events);
    }
    clients.push(ask(&weir, "queue", false));
    weir.wait_for_metric("weir_queue_waiting", &[("route", "queue")], 1.0);
    // On the one core that there is, half a second passes.
    let mut later = call(false);
    later["model"] = json!("clock");
    assert_eq!(weir.post(CHAT, &[], &later).status, 504);
    drop(clients);
    for (route, _) in rows.iter().chain([&("queue", false)]) {
        let entry = entry(&weir, route);
        assert_eq!(entry["outcome"], "client_gone", "{entry}");
        let [overhead, total] = ["overhead_ms", "total_ms"].map(|time| entry[time].as_f64().unwrap());
        assert!(overhead < total / 2.0, "{route}: {entry}");
    }
}

/// What was generated while a stream was held back is paid for although its client left before it got any.
#[test]
fn tokens_that_were_held_back_are_in_the_books() {
    let upstream = Upstream::start();
    let routes = "  held: { deployments: [held], answers: { buffer: true } }\n  \
                  race: { deployments: [one, other], policy: priority, answers: { buffer: true }, hedge: { after: 1ms, extra: 100% } }\n";
    let weir = weir_at(&upstream, &[("held", ""), ("one", ""), ("other", "")], routes);
    let words = || Answer::stream(["a ", "b ", "c ", "d "]).without_usage().pause_after_events(4);
    upstream.on_model("held", words());
    upstream.on_model("one", words());
    upstream.on_model("other", words());
    for (route, models, tokens) in [("held", &["held"][..], 3), ("race", &["one", "other"], 6)] {
        let client = ask(&weir, route, true);
        models.iter().for_each(|model| wait_for(&upstream, model, 4));
        // The one core has read what is there before it answers these.
        assert_eq!([weir.get("/v1/models").status, weir.get("/v1/models").status], [200; 2]);
        drop(client);
        let entry = entry(&weir, route);
        assert_eq!(entry["outcome"], "client_gone", "{entry}");
        assert_eq!(entry["usage"]["output"], tokens, "{entry}");
        let cost = |of: &Value| of["cost_usd"].as_str().unwrap().parse::<f64>().unwrap();
        assert!(cost(&entry) > 0.0, "{entry}");
        for attempt in entry["attempted"].as_array().into_iter().flatten() {
            assert!(cost(attempt) > 0.0, "{entry}");
        }
    }
}

/// The fault of a stream is noted when it happens, not when everything before it has gone out: a client that reads no more
/// and then leaves does not hide it.
#[test]
fn a_fault_behind_what_the_client_has_not_read_is_noted() {
    let chunk = |text: &str| {
        let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": null });
        format!("data: {}\n\n", json!({ "choices": [choice] }))
    };
    // Larger than what the sockets on the way to the client take.
    let comment = format!(":{}", "x".repeat(12 << 20));
    let error = r#"data: {"error":{"message":"it broke","type":"server_error","code":"internal"}}"#;
    let gate = Gate::new();
    gate.release();
    let upstream = Upstream::start();
    let pieces = [chunk("a word"), comment, format!("x\n\n{error}\n\n")];
    upstream.on_model("one", Answer::event_bytes(pieces).gate(&gate));
    let deployments = [("one", "breaker: { failures: 1 }"), ("other", "")];
    let routes = "  m: { deployments: [one, other], policy: priority }\n";
    let weir = weir_at(&upstream, &deployments, routes);
    let mut client = RawClient::connect_with_buffer(weir.public, 8192).unwrap();
    client.post(CHAT, &[], &call(true)).unwrap();
    assert_eq!(client.read_head().unwrap().status, 200);
    client.read_event().unwrap().unwrap();
    wait_for(&upstream, "one", 2);
    gate.open();
    weir.wait_for_metric("weir_breaker_state", &[("deployment", "one")], 2.0);
    drop(client);
    let entry = entry(&weir, "m");
    assert_eq!((&entry["outcome"], &entry["attempts"]), (&json!("client_gone"), &json!(1)), "{entry}");
    assert_eq!(entry["attempted"][0]["fault"], "server_error", "{entry}");
    assert_eq!(entry["usage"]["output"], 2, "{entry}");
}
