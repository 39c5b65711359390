//! More requests than deployments bear: what each bears is learnt from its complaints, the rest waits for a place, and not
//! for ever.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::{Answer, Gate, RawClient, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// `d0` and `d1`, each at its upstream, preferred in this order.
fn weir(upstreams: &[&Upstream], deployment: &str, route: &str) -> RunningWeir {
    on_cores(1, upstreams, deployment, route)
}

fn on_cores(cores: usize, upstreams: &[&Upstream], deployment: &str, route: &str) -> RunningWeir {
    let (mut providers, mut deployments) = (String::new(), String::new());
    for (i, upstream) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        deployments += &format!("  d{i}: {{ provider: p{i}, model: up{i}, {deployment} }}\n");
    }
    let names: Vec<String> = (0..upstreams.len()).map(|i| format!("d{i}")).collect();
    let config = format!(
        "server: {{ listen: @public@, cores: {cores}, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n{providers}deployments:\n{deployments}routes:\n  \
         m: {{ deployments: [{}], policy: priority, retries: {{ base: 1ms, cap: 1ms }}, {route} }}\n",
        names.join(", ")
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn call() -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] })
}

/// A request whose answer is not waited for.
fn send(weir: &RunningWeir) -> RawClient {
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call()).unwrap();
    client
}

/// Seven calls are one too many for a server that has room for six: from then on it gets four, and once answers come in
/// good time, more.
#[test]
fn what_a_deployment_bears_is_learnt_from_its_complaint() {
    let (first, second) = (Upstream::start(), Upstream::start());
    second.always(Answer::auto("from the second"));
    let weir = weir(&[&first, &second], "breaker: { failures: 100 }", "");
    let limit = || weir.metric("weir_deployment_learned_limit", &[("deployment", "d0")]);
    let gate = Gate::new();
    first.always(Answer::auto("from the first").hold(&gate));
    let mut under_way: Vec<RawClient> = (1..=6)
        .map(|n| {
            let client = send(&weir);
            first.wait_for_calls(n);
            client
        })
        .collect();
    assert_eq!(limit(), None, "who does not complain is not limited");
    first.script([Answer::status(503)]);
    let one_too_many = weir.post(CHAT, &[], &call());
    assert_eq!(one_too_many.header("x-weir-deployment"), Some("d1"), "{}", one_too_many.text());
    assert_eq!(limit(), Some(4.0));
    let next = weir.post(CHAT, &[], &call());
    assert_eq!((next.header("x-weir-deployment"), next.header("x-weir-attempts")), (Some("d1"), Some("1")));
    assert_eq!(first.calls().len(), 7, "it is full, so it was not asked again");
    gate.open();
    for client in &mut under_way {
        assert_eq!(client.read_reply().unwrap().status, 200);
    }
    weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "d0")], 0.0);
    assert_eq!(limit(), Some(5.0));
    assert_eq!(weir.post(CHAT, &[], &call()).header("x-weir-deployment"), Some("d0"));
}

/// One deployment with one place, taken by a call that is held until the gate opens.
fn one_place(route: &str) -> (Upstream, RunningWeir, Gate, RawClient) {
    let upstream = Upstream::start();
    let weir = weir(&[&upstream], "max_concurrency: 1", route);
    let gate = Gate::new();
    upstream.always(Answer::auto("served").hold(&gate));
    let first = send(&weir);
    upstream.wait_for_calls(1);
    (upstream, weir, gate, first)
}

fn wait_for_waiting(weir: &RunningWeir, n: usize) {
    weir.wait_for_metric("weir_queue_waiting", &[("route", "m")], n as f64);
}

fn waits(weir: &RunningWeir, outcome: &str, n: f64) {
    weir.wait_for_metric("weir_queue_waits_total", &[("route", "m"), ("outcome", outcome)], n);
}

/// Who finds everyone full waits, is called as soon as a place is free, in the order of coming, and is told of in the log
/// and in the record of its decision.
#[test]
fn a_request_waits_for_a_place_and_gets_it_in_its_turn() {
    let (upstream, weir, gate, mut first) = one_place("queue: { max_wait: 1m }");
    let mut waiting: Vec<RawClient> = (1..=4)
        .map(|n| {
            let mut client = weir.connect().unwrap();
            let mut call = call();
            call["n"] = json!(n);
            client.post(CHAT, &[], &call).unwrap();
            wait_for_waiting(&weir, n);
            client
        })
        .collect();
    assert_eq!(upstream.calls().len(), 1, "nobody is called beyond the one place");
    gate.open();
    assert_eq!(first.read_reply().unwrap().status, 200);
    for client in &mut waiting {
        let reply = client.read_reply().unwrap();
        assert_eq!((reply.status, reply.header("x-weir-attempts")), (200, Some("1")), "{}", reply.text());
    }
    let order: Vec<Value> = upstream.calls().iter().map(|seen| seen.json()["n"].clone()).collect();
    assert_eq!(order, [Value::Null, json!(1), json!(2), json!(3), json!(4)]);
    wait_for_waiting(&weir, 0);
    waits(&weir, "placed", 4.0);
    assert!(weir.metric("weir_queue_wait_seconds_total", &[("route", "m")]).unwrap() > 0.0);
    weir.wait_for_metric("weir_queued_seconds_count", &[("route", "m")], 4.0);
    let recent = [("deployment", "d0"), ("quantile", "0.5")];
    assert!(weir.metric("weir_deployment_queued_seconds", &recent).is_some_and(|wait| wait > 0.0));
    let entry = weir.wait_for_log("one that waited", |entry| entry.get("queued_ms").is_some());
    let decision = weir.admin("GET", &format!("/admin/decisions/{}", entry["request_id"].as_str().unwrap()));
    assert_eq!(decision.json()["waits"][0]["why"], "queue", "{}", decision.text());
}

/// No longer than the route says, and then with a word on when to come again.
#[test]
fn a_wait_ends_with_its_time() {
    let (upstream, weir, gate, mut first) = one_place("queue: { max_wait: 50ms }");
    let reply = weir.post(CHAT, &[], &call());
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (503, Some("all_deployments_full")));
    assert_eq!((reply.header("retry-after"), reply.header("x-weir-attempts")), (Some("1"), None));
    waits(&weir, "in_vain", 1.0);
    wait_for_waiting(&weir, 0);
    gate.open();
    assert_eq!(first.read_reply().unwrap().status, 200);
    assert_eq!(upstream.calls().len(), 1);
    // Nor beyond the request's own time.
    let (_upstream, weir, _gate, _first) = one_place("queue: { max_wait: 1m }, timeouts: { total: 100ms }");
    let reply = weir.post(CHAT, &[], &call());
    assert!([503, 504].contains(&reply.status), "{}", reply.text());
}

/// No more than the route says.
#[test]
fn a_line_has_an_end() {
    let (_upstream, weir, gate, mut first) = one_place("queue: { max_wait: 1m, max_waiting: 1 }");
    let mut second = send(&weir);
    wait_for_waiting(&weir, 1);
    let third = weir.post(CHAT, &[], &call());
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")), "{}", third.text());
    waits(&weir, "turned_away", 1.0);
    gate.open();
    assert_eq!(first.read_reply().unwrap().status, 200);
    assert_eq!(second.read_reply().unwrap().status, 200);

    let (_upstream, weir, _gate, _first) = one_place("queue: { max_waiting: 0 }");
    assert_eq!(weir.post(CHAT, &[], &call()).status, 503, "nobody waits");
    assert_eq!(
        weir.metric("weir_queue_waits_total", &[("route", "m"), ("outcome", "turned_away")]),
        Some(0.0)
    );
}

/// A client that leaves leaves the line; who stands behind it moves up.
#[test]
fn who_hangs_up_leaves_the_line() {
    let (upstream, weir, gate, mut first) = one_place("queue: { max_wait: 1m }");
    let second = send(&weir);
    wait_for_waiting(&weir, 1);
    let mut third = send(&weir);
    wait_for_waiting(&weir, 2);
    drop(second);
    wait_for_waiting(&weir, 1);
    waits(&weir, "gone", 1.0);
    gate.open();
    assert_eq!(first.read_reply().unwrap().status, 200);
    assert_eq!(third.read_reply().unwrap().status, 200);
    assert_eq!(upstream.calls().len(), 2);
    wait_for_waiting(&weir, 0);
}

/// A place that comes free on one core is heard of on the others.
#[test]
fn cores_hear_of_each_others_places() {
    let upstream = Upstream::start();
    let weir = on_cores(2, &[&upstream], "max_concurrency: 1", "queue: { max_wait: 1m }");
    let gate = Gate::new();
    upstream.always(Answer::auto("served").hold(&gate));
    let mut clients = vec![send(&weir)];
    upstream.wait_for_calls(1);
    clients.extend((0..15).map(|_| send(&weir)));
    wait_for_waiting(&weir, 15);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.read_reply().unwrap().status, 200);
    }
    wait_for_waiting(&weir, 0);
    assert_eq!(upstream.calls().len(), 16);
}

/// One that cannot use the place that is free does not keep it from the others.
#[test]
fn nobody_is_held_up_by_one_who_cannot_use_the_place() {
    let (plain, tools) = (Upstream::start(), Upstream::start());
    let gates = [Gate::new(), Gate::new()];
    plain.always(Answer::auto("plain").hold(&gates[0]));
    tools.always(Answer::auto("tools").hold(&gates[1]));
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
providers: {{ p: {{ kind: openai, base_url: '{}' }}, q: {{ kind: openai, base_url: '{}' }} }}
deployments:
  plain: {{ provider: p, model: a, max_concurrency: 1, capabilities: [] }}
  tools: {{ provider: q, model: b, max_concurrency: 1 }}
routes:
  m: {{ deployments: [plain, tools], policy: priority, queue: {{ max_wait: 1m }} }}
",
        plain.url(),
        tools.url()
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    let mut with_tools = call();
    with_tools["tools"] = json!([{ "type": "function", "function": { "name": "f" } }]);
    let _taken = send(&weir);
    plain.wait_for_calls(1);
    let mut under_way = send(&weir);
    tools.wait_for_calls(1);
    let mut first = weir.connect().unwrap();
    first.post(CHAT, &[], &with_tools).unwrap();
    wait_for_waiting(&weir, 1);
    let mut second = send(&weir);
    wait_for_waiting(&weir, 2);
    gates[0].open();
    assert_eq!(second.read_reply().unwrap().header("x-weir-deployment"), Some("plain"));
    // Who comes now finds a line, and room that is not for those who stand in it.
    assert_eq!(weir.post(CHAT, &[], &call()).header("x-weir-deployment"), Some("plain"));
    gates[1].open();
    assert_eq!(under_way.read_reply().unwrap().status, 200);
    assert_eq!(first.read_reply().unwrap().header("x-weir-deployment"), Some("tools"));
}
