//! More requests than deployments bear: what each bears is learnt from its complaints, the rest waits for a place, and not
//! for ever.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::{Answer, Gate, RawClient, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// `d0` and `d1`, each at its upstream, preferred in this order.
fn weir(upstreams: &[&Upstream], deployment: &str, route: &str) -> RunningWeir {
    let (mut providers, mut deployments) = (String::new(), String::new());
    for (i, upstream) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        deployments += &format!("  d{i}: {{ provider: p{i}, model: up{i}, {deployment} }}\n");
    }
    let names: Vec<String> = (0..upstreams.len()).map(|i| format!("d{i}")).collect();
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
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
