//! A new configuration takes over between two requests, and a bad one changes nothing.

use serde_json::json;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use weir_testkit::{Answer, Gate, RunningWeir, Upstream, weir};

const CHAT: &str = "/v1/chat/completions";

/// A route `chat` over one deployment `one`, and a route `mark` whose name tells configurations apart.
fn config(upstream: &Upstream, mark: &str) -> String {
    format!(
        "providers: {{ up: {{ kind: openai, base_url: \"{}\" }} }}\n\
         deployments: {{ one: {{ provider: up, model: upstream-model }} }}\n\
         routes: {{ chat: {{ deployments: [one] }}, {mark}: {{ deployments: [one] }} }}\n",
        upstream.url()
    )
}

fn start(config: &str) -> RunningWeir {
    weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), config)
}

fn chat(stream: bool) -> serde_json::Value {
    json!({ "model": "chat", "messages": [{ "role": "user", "content": "hi" }], "stream": stream })
}

fn knows(weir: &RunningWeir, model: &str) -> bool {
    weir.get(&format!("/v1/models/{model}")).status == 200
}

fn wait_until_known(weir: &RunningWeir, model: &str) {
    let known = weir.process.eventually(|| knows(weir, model).then_some(()));
    assert!(known.is_some(), "{model} never came; {:?}", weir.process);
}

/// L1. A hundred reloads in every way there is, some of them of invalid files, while clients call without a pause: every call
/// is answered.
#[test]
fn reloads_under_load_lose_no_request() {
    let (a, b) = (Upstream::start(), Upstream::start());
    let weir = start(&config(&a, "mark"));
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // A failed assertion below must not leave the clients running for ever.
        let ender = StopOnDrop(&stop);
        for n in 0..4 {
            let (weir, stop, answered) = (&weir, &stop, &answered);
            scope.spawn(move || {
                let mut client = weir.connect().unwrap();
                while !stop.load(Relaxed) {
                    if n == 3 {
                        client = weir.connect().unwrap();
                    }
                    client.post(CHAT, &[], &chat(n % 2 == 1)).unwrap();
                    let head = client.read_head().unwrap();
                    assert_eq!(head.status, 200);
                    let body = String::from_utf8(client.read_body().unwrap()).unwrap();
                    let whole = if n % 2 == 1 { "data: [DONE]" } else { "Hello from testkit" };
                    assert!(body.contains(whole), "{body}");
                    answered.fetch_add(1, Relaxed);
                }
            });
        }
        for n in 0..100 {
            let before = answered.load(Relaxed);
            let upstream = if n % 2 == 0 { &b } else { &a };
            let mark = format!("mark-{n}");
            match n % 10 {
                3 => {
                    weir.rewrite("routes: { chat: { deployments: [nobody] } }\n");
                    assert_eq!(weir.reload().status, 422);
                }
                5 => {
                    weir.rewrite(&config(upstream, &mark));
                    weir.signal("HUP");
                    wait_until_known(&weir, &mark);
                }
                9 => {
                    weir.rewrite(&config(upstream, &mark));
                    wait_until_known(&weir, &mark);
                }
                _ => {
                    weir.rewrite(&config(upstream, &mark));
                    assert_eq!(weir.reload().status, 200);
                    assert!(knows(&weir, &mark), "a reload that was confirmed is in force");
                }
            }
            let more = weir.process.eventually(|| (answered.load(Relaxed) > before).then_some(()));
            assert!(more.is_some(), "calls have stopped");
        }
        drop(ender);
    });
    let calls = a.calls().len() + b.calls().len();
    assert_eq!(calls, answered.load(Relaxed), "every call went upstream once");
    assert!(!a.calls().is_empty() && !b.calls().is_empty());
    assert_eq!(
        weir.metric("weir_requests_total", &[("route", "chat"), ("outcome", "ok")]),
        Some(calls as f64)
    );
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// L1. An invalid file: said with its place to whoever asks, shown by a metric, and without any effect.
#[test]
fn an_invalid_configuration_changes_nothing() {
    let upstream = Upstream::start();
    let good = config(&upstream, "mark");
    let weir = start(&good);
    let before = weir.admin("GET", "/admin/config").json();
    assert_eq!(before["refused"], json!(null));
    // Line 1 is the `server` section that is put before it.
    weir.rewrite(&good.replace("deployments: [one]", "deployments: [oen]"));
    let reply = weir.reload();
    assert_eq!(
        (reply.status, &reply.json()["error"]["code"]),
        (422, &json!("invalid_config")),
        "{}",
        reply.text()
    );
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("weir.yaml:4:33"), "{message}");
    assert!(
        message.contains("oen") && message.contains("one"),
        "what is wrong and what was meant: {message}"
    );
    let shown = weir.admin("GET", "/admin/config").json();
    assert_eq!((&shown["generation"], &shown["config"]), (&before["generation"], &before["config"]));
    assert!(shown["refused"].as_str().is_some_and(|r| r.contains("weir.yaml:4:33")), "{shown}");
    assert_eq!(weir.metric("weir_config_last_reload_success", &[]), Some(0.0));
    assert!(weir.metric("weir_config_reloads_total", &[("outcome", "rejected")]) >= Some(1.0));
    assert_eq!(weir.metric("weir_config_generation", &[]), Some(1.0));
    assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
    // Not even YAML; and a file that has gone away.
    weir.rewrite("routes: [\n");
    assert_eq!(weir.reload().status, 422);
    std::fs::remove_file(&weir.config).unwrap();
    assert_eq!(weir.reload().status, 422);
    assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
    weir.rewrite(&config(&upstream, "again"));
    assert_eq!(weir.reload().status, 200);
    assert!(knows(&weir, "again") && !knows(&weir, "mark"));
    assert_eq!(weir.admin("GET", "/admin/config").json()["refused"], json!(null));
    assert_eq!(weir.metric("weir_config_last_reload_success", &[]), Some(1.0));
}

/// A signal alone, as soon as the process is ready and without a changed file, loads it again: the count of configurations goes on.
#[test]
fn a_hangup_loads_the_file_again() {
    let upstream = Upstream::start();
    let weir = start(&config(&upstream, "mark"));
    for generation in 2..5 {
        weir.signal("HUP");
        weir.wait_for_metric("weir_config_generation", &[], f64::from(generation));
    }
    assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
}

/// L1. A stream goes on where it began, although its upstream is no longer in the configuration; the next request already goes
/// elsewhere.
#[test]
fn a_request_ends_on_the_configuration_it_began_with() {
    let (old, new) = (Upstream::start(), Upstream::start());
    let gate = Gate::new();
    old.script([Answer::stream(["old ", "answer"]).gate(&gate)]);
    new.always(Answer::chat("new answer"));
    let weir = start(&config(&old, "mark"));
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &chat(true)).unwrap();
    old.wait_for_calls(1);
    weir.rewrite(&config(&new, "mark"));
    assert_eq!(weir.reload().status, 200);
    let reply = weir.post(CHAT, &[], &chat(false)).json();
    assert_eq!(reply["choices"][0]["message"]["content"], "new answer");
    gate.open();
    let head = client.read_head().unwrap();
    assert_eq!((head.status, head.header("x-weir-deployment")), (200, Some("one")));
    let events = client.read_events().unwrap();
    assert_eq!(events.iter().map(weir_testkit::client::Event::text).collect::<String>(), "old answer");
    assert_eq!(events.last().unwrap().data, "[DONE]");
    assert_eq!((old.calls().len(), new.calls().len()), (1, 1));
    // The same connection takes the new configuration with its next request.
    client.post(CHAT, &[], &chat(false)).unwrap();
    assert_eq!(client.read_reply().unwrap().json()["choices"][0]["message"]["content"], "new answer");
    assert_eq!(old.calls().len(), 1);
}

/// What is known about a deployment outlives a reload: an open breaker stays open, until the deployment becomes another place.
#[test]
fn health_survives_a_reload() {
    let (bad, good) = (Upstream::start(), Upstream::start());
    bad.always(Answer::status(500));
    let config = |bad: &Upstream, mark: &str| {
        format!(
            "providers: {{ bad: {{ kind: openai, base_url: \"{}\" }}, good: {{ kind: openai, base_url: \"{}\" }} }}\n\
             deployments:\n  bad: {{ provider: bad, model: m, breaker: {{ failures: 1, cooldown: 1h }} }}\n  \
             good: {{ provider: good, model: m }}\n\
             routes:\n  chat: {{ deployments: [bad, good], policy: round_robin, retries: {{ base: 1ms }} }}\n  \
             {mark}: {{ deployments: [good] }}\n",
            bad.url(),
            good.url()
        )
    };
    let weir = start(&config(&bad, "mark"));
    while bad.calls().is_empty() {
        assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
    }
    assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "bad")]), Some(2.0));
    weir.rewrite(&config(&bad, "other"));
    assert_eq!(weir.reload().status, 200);
    assert!(knows(&weir, "other"));
    assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "bad")]), Some(2.0));
    for _ in 0..8 {
        assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
    }
    assert_eq!(bad.calls().len(), 1, "its breaker was open all the time");
    let moved = Upstream::start();
    weir.rewrite(&config(&moved, "other"));
    assert_eq!(weir.reload().status, 200);
    assert_eq!(
        weir.metric("weir_breaker_state", &[("deployment", "bad")]),
        Some(0.0),
        "another place starts anew"
    );
}

/// What a reload cannot change is named by it and by `/admin/config`, with what holds until then; secrets are not shown.
#[test]
fn what_waits_for_a_restart_is_named() {
    let upstream = Upstream::start();
    let weir = start(&config(&upstream, "mark"));
    let shown = weir.admin("GET", "/admin/config").json();
    assert_eq!(shown["needs_restart"], json!([]));
    assert!(shown["source"].as_str().is_some_and(|source| source.ends_with("weir.yaml")), "{shown}");
    assert!(shown["config"]["server"]["cores"].is_u64(), "what follows when the file says nothing: {shown}");
    assert_eq!(shown["config"]["deployments"]["one"]["timeouts"]["connect"], "5s");
    let server = |more: &str| {
        format!(
            "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }}, {more} }}\n"
        )
    };
    let changed = server("grace: 9s, limits: { max_requests: 77 }");
    weir.rewrite(&format!("{changed}telemetry: {{ spans: true }}\n{}", config(&upstream, "mark")));
    let reply = weir.reload().json();
    let expect = json!([
        { "key": "server.grace", "in_force": "30s", "in_file": "9s" },
        { "key": "telemetry.spans", "in_force": false, "in_file": true },
    ]);
    assert_eq!((&reply["generation"], &reply["needs_restart"]), (&json!(2), &expect));
    let shown = weir.admin("GET", "/admin/config").json();
    assert_eq!(shown["needs_restart"], expect);
    let serves = &shown["config"]["server"];
    assert_eq!((&serves["grace"], &serves["limits"]["max_requests"]), (&json!("30s"), &json!(77)));
    weir.rewrite(
        &(server("cores: 3").replace("testkit-admin-token", "another-token-1") + &config(&upstream, "mark")),
    );
    let reply = weir.reload();
    let keys: Vec<_> =
        reply.json()["needs_restart"].as_array().unwrap().iter().map(|p| p["key"].clone()).collect();
    assert_eq!(keys, ["server.admin.token", "server.cores"]);
    assert!(!reply.text().contains("another-token"), "{}", reply.text());
    weir.rewrite(&config(&upstream, "mark"));
    assert_eq!(weir.reload().json()["needs_restart"], json!([]));
}

/// A file that is deleted is told once and shown, and what was loaded goes on serving until it is back.
#[test]
fn a_deleted_file_is_told_and_changes_nothing() {
    let upstream = Upstream::start();
    let weir = start(&config(&upstream, "mark"));
    std::fs::remove_file(&weir.config).unwrap();
    weir.process.wait_for_line("the file is gone", |line| {
        (line.contains("WARN") && line.contains("the file is gone")).then_some(())
    });
    weir.wait_for_metric("weir_config_last_reload_success", &[], 0.0);
    let shown = weir.admin("GET", "/admin/config").json();
    assert!(shown["refused"].as_str().is_some_and(|r| r.contains("cannot be read")), "{shown}");
    assert_eq!(weir.post(CHAT, &[], &chat(false)).status, 200);
    weir.rewrite(&config(&upstream, "again"));
    wait_until_known(&weir, "again");
    assert_eq!(weir.admin("GET", "/admin/config").json()["refused"], json!(null));
    assert_eq!(weir.logs().matches("the file is gone").count(), 1, "{}", weir.logs());
}
