//! Deployments that fail are left alone, asked again with care, and never given up when there is nobody else.

use super::{CHAT, QUICK, ask, assert_answer, call, calls, first_preferred, weir, with_fallback};
use weir_testkit::{Answer, Gate, RunningWeir, Upstream};

const CLOSED: f64 = 0.0;
const HALF_OPEN: f64 = 1.0;
const OPEN: f64 = 2.0;

fn state(weir: &RunningWeir, deployment: &str) -> f64 {
    weir.metric("weir_breaker_state", &[("deployment", deployment)]).unwrap()
}

fn wait_for_state(weir: &RunningWeir, deployment: &str, state: f64) {
    weir.wait_for_metric("weir_breaker_state", &[("deployment", deployment)], state);
}

/// R7: five faults in a row open it, and from then on the other deployment is called at once. A success in between
/// starts the count anew.
#[test]
fn five_faults_in_a_row_open_it() {
    let (first, second) = (Upstream::start(), Upstream::start());
    second.always(Answer::auto("well"));
    let weir = first_preferred(&[&first, &second], "");
    let faults = |n: usize| first.script((0..n).map(|_| Answer::status(500)));
    faults(4);
    for _ in 0..4 {
        assert_answer("before", &ask(&weir, false), "well", 1, 2);
    }
    first.script([Answer::auto("a good moment")]);
    assert_answer("in between", &ask(&weir, false), "a good moment", 0, 1);
    faults(100);
    for n in 0..5 {
        assert_eq!(state(&weir, "d0"), CLOSED, "after {n} faults");
        assert_answer("again", &ask(&weir, false), "well", 1, 2);
    }
    assert_eq!(state(&weir, "d0"), OPEN);
    for _ in 0..10 {
        assert_answer("open", &ask(&weir, true), "well", 1, 1);
    }
    assert_eq!(calls(&first), 10);
}

/// Failover row 15: while the first is down all calls are answered by the fallback at the cost of a few probes, and soon
/// after its recovery it serves again.
#[test]
fn a_recovered_deployment_comes_back_by_a_probe() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(503));
    second.always(Answer::auto("from the spare"));
    let weir = with_fallback(&[&first, &second], "breaker: { cooldown: 300ms }");
    for _ in 0..20 {
        let (reply, text) = ask(&weir, true);
        assert_eq!((reply.status, text.as_str()), (200, "from the spare"));
    }
    first.always(Answer::auto("back"));
    let back = weir.process.eventually(|| {
        let (reply, text) = ask(&weir, true);
        assert_eq!(reply.status, 200, "{}", reply.text());
        (text == "back").then_some(())
    });
    assert!(back.is_some(), "the first never came back; it was called {} times", calls(&first));
    assert_eq!(state(&weir, "d0"), CLOSED);
    assert_answer("after that", &ask(&weir, false), "back", 0, 1);
}

/// Half-open: one probe at a time, and nobody else waits for it.
#[test]
fn one_probe_at_a_time() {
    let gate = Gate::new();
    let (first, second) = (Upstream::start(), Upstream::start());
    first.script((0..2).map(|_| Answer::status(500)));
    first.always(Answer::auto("probed").hold(&gate));
    second.always(Answer::auto("well"));
    let weir = first_preferred(&[&first, &second], "breaker: { failures: 2, cooldown: 50ms, ramp: 0s }");
    for _ in 0..2 {
        assert_answer("failing", &ask(&weir, false), "well", 1, 2);
    }
    wait_for_state(&weir, "d0", HALF_OPEN);
    let mut probe = weir.connect().unwrap();
    probe.post(CHAT, &[], &call(false)).unwrap();
    first.wait_for_calls(3);
    for _ in 0..5 {
        assert_answer("while the probe is out", &ask(&weir, false), "well", 1, 1);
    }
    assert_eq!(calls(&first), 3);
    gate.open();
    assert_eq!(probe.read_reply().unwrap().json()["choices"][0]["message"]["content"], "probed");
    wait_for_state(&weir, "d0", CLOSED);
    assert_answer("closed", &ask(&weir, false), "probed", 0, 1);
}

/// A deployment whose streams begin well and always break off is taken out like any other that fails, though each of them
/// had a good first token.
#[test]
fn streams_that_always_break_off_open_it() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::stream(["well", " begun", " is half done"]).broken_after_events(3));
    second.always(Answer::auto("well"));
    let weir = first_preferred(&[&first, &second], "continues: none, breaker: { failures: 3, cooldown: 1h }");
    for n in 0..3 {
        assert_eq!(state(&weir, "d0"), CLOSED, "after {n} broken streams");
        let reply = weir.post(CHAT, &[], &call(true));
        assert!(reply.text().contains("well") && !reply.text().contains("[DONE]"), "{}", reply.text());
    }
    wait_for_state(&weir, "d0", OPEN);
    assert_answer("taken out", &ask(&weir, true), "well", 1, 1);
    assert_eq!(calls(&first), 3);
}

/// Half-open: a probe that is a long stream keeps nobody waiting. Once its first token is there, others are let through;
/// when one of them ends well, the breaker closes.
#[test]
fn a_probe_that_streams_lets_others_through() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.script([Answer::status(500), Answer::stream(["a", "b", "c"]).pause_after_events(3)]);
    first.always(Answer::auto("meanwhile"));
    second.always(Answer::auto("well"));
    let weir = first_preferred(&[&first, &second], "breaker: { failures: 1, cooldown: 50ms, ramp: 0s }");
    assert_answer("failing", &ask(&weir, false), "well", 1, 2);
    wait_for_state(&weir, "d0", HALF_OPEN);
    let mut probe = weir.connect().unwrap();
    probe.post(CHAT, &[], &call(true)).unwrap();
    assert_eq!(probe.read_head().unwrap().status, 200);
    assert_eq!(state(&weir, "d0"), HALF_OPEN, "its stream has not ended");
    assert_answer("beside the probe", &ask(&weir, false), "meanwhile", 0, 1);
    assert_eq!(state(&weir, "d0"), CLOSED);
}

/// A probe whose client hangs up says nothing: the next call is the next probe.
#[test]
fn a_probe_that_is_given_up_makes_room_for_the_next() {
    let upstream = Upstream::start();
    upstream.script([Answer::status(500), Answer::never()]);
    upstream.always(Answer::auto("well"));
    let routes = "  m: { deployments: [d0], retries: { max: 0 } }\n";
    let weir = weir(&[&upstream], "breaker: { failures: 1, cooldown: 50ms }", routes);
    assert_eq!(ask(&weir, false).0.status, 500);
    wait_for_state(&weir, "d0", HALF_OPEN);
    let mut probe = weir.connect().unwrap();
    probe.post(CHAT, &[], &call(false)).unwrap();
    upstream.wait_for_calls(2);
    drop(probe);
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    assert_answer("the next", &ask(&weir, false), "well", 0, 1);
    assert_eq!(state(&weir, "d0"), CLOSED);
}

/// R7: when all breakers are open, calls are spread rather than refused, so that whoever is back is found.
#[test]
fn when_all_are_open_calls_are_spread() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let routes = "  m: { deployments: [d0, d1], policy: round_robin, retries: { max: 0 } }\n";
    let weir = weir(&[&first, &second], "breaker: { cooldown: 1h }", routes);
    first.always(Answer::status(503));
    second.always(Answer::status(503));
    for _ in 0..10 {
        assert_eq!(ask(&weir, false).0.status, 503);
    }
    assert_eq!((state(&weir, "d0"), state(&weir, "d1")), (OPEN, OPEN));
    let before = (calls(&first), calls(&second));
    for _ in 0..4 {
        assert_eq!(ask(&weir, false).0.status, 503);
    }
    assert_eq!((calls(&first) - before.0, calls(&second) - before.1), (2, 2), "both are tried in turn");
    first.always(Answer::auto("back"));
    second.always(Answer::auto("back"));
    for _ in 0..2 {
        assert_eq!(ask(&weir, false).1, "back");
    }
}

/// Active probing takes a deployment out before any call meets its fault, and lets it back long before its cool-down
/// would be over.
#[test]
fn active_probing_takes_out_and_brings_back() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::auto("first"));
    second.always(Answer::auto("second"));
    first.on_path("/v1/models", Answer::status(503));
    let routes = format!("  m: {{ deployments: [d0, {{ name: d1, weight: 0 }}], {QUICK} }}\n");
    let health = "breaker: { failures: 2, cooldown: 1h }, health: { interval: 100ms }";
    let weir = weir(&[&first, &second], health, &routes);
    wait_for_state(&weir, "d0", OPEN);
    let chats = |upstream: &Upstream| upstream.calls().iter().filter(|call| call.path == CHAT).count();
    assert_eq!((chats(&first), state(&weir, "d1")), (0, CLOSED));
    assert_answer("taken out", &ask(&weir, false), "second", 1, 1);
    assert_eq!(chats(&first), 0, "no call had to meet the fault");
    first.on_path("/v1/models", Answer::auto(""));
    wait_for_state(&weir, "d0", HALF_OPEN);
    assert_answer("brought back", &ask(&weir, false), "first", 0, 1);
    assert_eq!(state(&weir, "d0"), CLOSED);
    let probe = first.calls().into_iter().find(|call| call.path == "/v1/models").unwrap();
    assert_eq!((probe.method.as_str(), probe.header("authorization")), ("GET", Some("Bearer key-of-p0")));
}

/// A server that passes its checks and fails every call stays out but for its probes.
#[test]
fn a_good_check_alone_does_not_close_it() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(500));
    first.on_path("/v1/models", Answer::auto(""));
    second.always(Answer::auto("well"));
    let deployment = "breaker: { failures: 2, cooldown: 1h }, health: { interval: 100ms }";
    let weir = first_preferred(&[&first, &second], deployment);
    for _ in 0..2 {
        assert_answer("failing", &ask(&weir, false), "well", 1, 2);
    }
    for _ in 0..3 {
        wait_for_state(&weir, "d0", HALF_OPEN);
        assert_answer("a probe that fails", &ask(&weir, false), "well", 1, 2);
    }
}

/// The operator is told of an outage once at its beginning, with its cause, and once at its end, however many requests
/// met it; failing probes likewise.
#[test]
fn an_outage_is_told_once_at_each_end() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(503));
    first.on_path("/v1/models", Answer::status(503));
    second.always(Answer::auto("well"));
    let deployment = "breaker: { failures: 3, cooldown: 1h }, health: { interval: 100ms }";
    let weir = first_preferred(&[&first, &second], deployment);
    for _ in 0..20 {
        assert_eq!(ask(&weir, false).0.status, 200);
    }
    let told = |what: &str| {
        weir.process.wait_for_line(what, |line| {
            (line.contains(what) && line.contains("deployment=\"d0\"")).then(|| line.to_owned())
        })
    };
    let opened = told("breaker opened");
    for part in ["WARN", "from=\"closed\"", "to=\"open\"", "fault=\"server_error\""] {
        assert!(opened.contains(part), "{part}: {opened}");
    }
    assert!(told("health probe fails").contains("WARN"));
    first.always(Answer::auto("back"));
    first.on_path("/v1/models", Answer::auto(""));
    assert!(told("health probe succeeds again").contains("INFO"));
    wait_for_state(&weir, "d0", HALF_OPEN);
    assert_answer("back", &ask(&weir, false), "back", 0, 1);
    assert!(told("breaker closed").contains("INFO"));
    for what in ["breaker opened", "breaker closed", "health probe fails", "health probe succeeds again"] {
        assert_eq!(weir.logs().matches(what).count(), 1, "{what}: {}", weir.logs());
    }
}
