//! A credential that is refused or limited costs whoever uses it, and nobody else; a provider with several goes on with
//! the others.

use super::{CHAT, QUICK, ask, call, calls};
use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::{Answer, RunningWeir, Upstream};

/// Deployments `d0` and `d1` at `own`, with these credentials, and `d2` at another provider; called in this order.
fn weir(own: &Upstream, credentials: &str, other: &Upstream, deployments: &str) -> RunningWeir {
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n  own: {{ kind: openai, base_url: '{}', {credentials} }}\n  \
         other: {{ kind: openai, base_url: '{}', api_key: key-of-other }}\n\
         deployments:\n  d0: {{ provider: own, model: up0 }}\n  d1: {{ provider: own, model: up1 }}\n  \
         d2: {{ provider: other, model: up2 }}\n\
         routes: {{ m: {{ deployments: {deployments}, policy: priority, {QUICK} }} }}\n",
        own.url(),
        other.url()
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

/// Who answered, after how many attempts.
fn answered(weir: &RunningWeir) -> (String, String) {
    let (reply, _) = ask(weir, false);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let header = |name| reply.header(name).unwrap_or_default().to_owned();
    (header("x-weir-deployment"), header("x-weir-attempts"))
}

fn by(deployment: &str, attempts: u32) -> (String, String) {
    (deployment.to_owned(), attempts.to_string())
}

/// The keys that calls came with.
fn keys(upstream: &Upstream) -> Vec<String> {
    let key = |header: Option<&str>| header.unwrap_or_default().replace("Bearer ", "");
    upstream.calls().iter().map(|call| key(call.header("authorization"))).collect()
}

fn state(weir: &RunningWeir, provider: &str, credential: &str) -> Option<f64> {
    weir.metric("weir_credential_state", &[("provider", provider), ("credential", credential)])
}

#[test]
fn deployments_that_share_a_credential_share_its_fate() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::status(401).error("invalid_api_key", "Incorrect API key provided: key-1"));
    other.always(Answer::auto("well"));
    let weir = weir(&own, "api_key: key-1", &other, "[d0, d1, d2]");
    assert_eq!(answered(&weir), by("d2", 2));
    for _ in 0..3 {
        assert_eq!(answered(&weir), by("d2", 1));
    }
    assert_eq!(calls(&own), 1, "d1 was not called with a credential that is known to be dead");
    assert_eq!((state(&weir, "own", "1"), state(&weir, "other", "1")), (Some(2.0), Some(0.0)));

    let events = weir.admin("GET", "/admin/events").json();
    let event = &events["events"][0];
    let expect = json!({
        "provider": "own", "credential": 1, "seq": 1, "at": event["at"], "from": "closed", "to": "open",
        "cause": "credential_refused", "fault": "credential",
    });
    assert_eq!((event, &events["told"], &events["lost"]), (&expect, &json!(1), &json!(0)));
    let labels = [("provider", "own"), ("credential", "1"), ("to", "open"), ("cause", "credential_refused")];
    assert_eq!(weir.metric("weir_breaker_transitions_total", &labels), Some(1.0));
    let told = "credential benched";
    let line = weir.process.wait_for_line(told, |line| line.contains(told).then(|| line.to_owned()));
    assert!(line.contains("provider=\"own\"") && !weir.logs().contains("key-1"), "{line}");
}

/// A key that one deployment refuses and another takes is that deployment's matter: no request is lost by it, and it is left
/// alone.
#[test]
fn a_key_that_is_good_elsewhere_is_benched_where_it_is_not() {
    for (refusal, times) in [
        (Answer::status(401), 2),
        (Answer::status(402), 2),
        (Answer::status(403), 4),
        (Answer::status(404).error("model_not_found", "The model `up0` does not exist."), 1),
    ] {
        let (own, other) = (Upstream::start(), Upstream::start());
        let well = || Answer::auto("well");
        own.script((0..times).flat_map(|_| [refusal.clone(), well()]));
        own.always(well());
        let weir = weir(&own, "api_key: key-1", &other, "[d0, d1]");
        for _ in 0..times {
            assert_eq!(answered(&weir), by("d1", 2), "{refusal:?}");
        }
        for _ in 0..3 {
            assert_eq!(answered(&weir), by("d1", 1), "{refusal:?}");
        }
        assert_eq!(state(&weir, "own", "1"), Some(0.0), "{refusal:?}");
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(2.0), "{refusal:?}");
        let events = weir.admin("GET", "/admin/events").json();
        let event =
            events["events"].as_array().unwrap().iter().find(|e| e["cause"] == "refused_here").unwrap();
        let of = (&event["deployment"], &event["provider"], &event["credential"], &event["to"]);
        assert_eq!(of, (&json!("d0"), &json!("own"), &json!(1), &json!("open")), "{event}");
    }
}

/// An address that an upstream does not serve is the client's choice.
#[test]
fn a_404_of_an_address_benches_nobody() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::status(404).error("not_found", "Not Found"));
    other.always(Answer::auto("well"));
    let weir = weir(&own, "api_key: key-1", &other, "[d0, d2]");
    for _ in 0..5 {
        assert_eq!(answered(&weir), by("d2", 2));
    }
}

#[test]
fn calls_take_the_credentials_in_turn() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::auto("well"));
    let weir = weir(&own, "api_keys: [key-1, key-2, key-3]", &other, "[d0]");
    for _ in 0..6 {
        assert_eq!(answered(&weir), by("d0", 1));
    }
    assert_eq!(keys(&own), ["key-1", "key-2", "key-3", "key-1", "key-2", "key-3"]);
}

#[test]
fn a_refused_credential_is_replaced_by_another_at_once() {
    for stream in [false, true] {
        let (own, other) = (Upstream::start(), Upstream::start());
        own.script([Answer::status(401)]);
        own.always(Answer::auto("well"));
        let weir = weir(&own, "api_keys: [key-1, key-2]", &other, "[d0, d2]");
        let (reply, text) = ask(&weir, stream);
        assert_eq!((text.as_str(), reply.header("x-weir-attempts")), ("well", Some("2")));
        for _ in 0..2 {
            assert_eq!(answered(&weir), by("d0", 1));
        }
        assert_eq!(keys(&own), ["key-1", "key-2", "key-2", "key-2"]);
        assert_eq!((state(&weir, "own", "1"), state(&weir, "own", "2")), (Some(2.0), Some(0.0)));
        assert_eq!(calls(&other), 0);
    }
}

#[test]
fn a_limited_credential_is_left_alone_for_as_long_as_it_asked() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.script([Answer::status(429).header("retry-after", "60")]);
    own.always(Answer::auto("well"));
    let weir = weir(&own, "api_keys: [key-1, key-2]", &other, "[d0, d2]");
    assert_eq!(answered(&weir), by("d0", 2));
    assert_eq!(answered(&weir), by("d0", 1));
    assert_eq!(keys(&own), ["key-1", "key-2", "key-2"]);
    assert_eq!(weir.metric("weir_deployment_resting_seconds", &[("deployment", "d0")]), Some(0.0));
    assert_eq!((state(&weir, "own", "1"), calls(&other)), (Some(0.0), 0), "limited is not refused");
}

/// A limit that does not say for how long is waited out with two credentials as it is with one.
#[test]
fn two_credentials_that_are_limited_are_tried_as_often_as_one() {
    for keys in ["api_key: key-1", "api_keys: [key-1, key-2]"] {
        let (own, other) = (Upstream::start(), Upstream::start());
        own.script([Answer::status(429), Answer::status(429)]);
        own.always(Answer::auto("well"));
        let weir = weir(&own, keys, &other, "[d0]");
        assert_eq!(answered(&weir), by("d0", 3), "{keys}");
    }
}

/// What an upstream asked for holds, also where there is nobody else: it is not called, and the client is told for how long.
#[test]
fn a_rest_holds_for_the_last_deployment_too() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::status(429).header("retry-after", "50"));
    let weir = weir(&own, "api_key: key-1", &other, "[d0]");
    for nth in 0..5 {
        let (reply, text) = ask(&weir, false);
        assert_eq!(reply.status, 429, "{text}");
        let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((40..=50).contains(&after), "{after}");
        let code = if nth == 0 { "upstream_429" } else { "all_deployments_rest" };
        assert_eq!(reply.json()["error"]["code"], code, "{text}");
    }
    assert_eq!(calls(&own), 1);
}

/// A short rest is waited out, which an explanation does not do to say who is called then.
#[test]
fn whoever_rests_shortly_is_who_would_be_called() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::status(429).header("retry-after", "9"));
    let weir = weir(&own, "api_key: key-1", &other, "[d0]");
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(false)).unwrap();
    own.wait_for_end(0);
    weir.wait_for_metric("weir_deployment_in_flight", &[("deployment", "d0")], 0.0);
    let question = json!({ "request": call(false) }).to_string();
    let authorized = [("authorization", "Bearer testkit-admin-token")];
    let explain = weir_testkit::client::call;
    let told =
        explain(weir.admin, "POST", "/admin/explain", &authorized, question.as_bytes()).unwrap().json();
    assert_eq!(told["plans"][0]["dropped"][0]["reason"], "resting", "{told}");
    assert_eq!(told["first_call"], "d0", "{told}");
    drop(client);
}

#[test]
fn when_all_credentials_are_dead_another_deployment_answers() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::status(401));
    other.always(Answer::auto("well"));
    let weir = weir(&own, "api_keys: [key-1, key-2, key-3]", &other, "[d0, d2]");
    assert_eq!(answered(&weir), by("d2", 3), "the last attempt goes elsewhere");
    assert_eq!(answered(&weir), by("d2", 2));
    assert_eq!(answered(&weir), by("d2", 1));
    assert_eq!(keys(&own), ["key-1", "key-2", "key-3"]);
}

/// A 403 may be about one request; of a credential that gets nothing else it is not.
#[test]
fn refusals_of_requests_bench_a_credential_when_nothing_else_happens_to_it() {
    let (own, other) = (Upstream::start(), Upstream::start());
    let denied = || Answer::status(403);
    own.script([denied(), denied(), Answer::auto("well"), denied(), denied(), denied()]);
    own.always(Answer::auto("well"));
    other.always(Answer::auto("other"));
    let weir = weir(&own, "api_key: key-1", &other, "[d0, d2]");
    let answers: Vec<_> = (0..8).map(|_| answered(&weir)).collect();
    let expect = [
        by("d2", 2),
        by("d2", 2),
        by("d0", 1),
        by("d2", 2),
        by("d2", 2),
        by("d2", 2),
        by("d2", 1),
        by("d2", 1),
    ];
    assert_eq!(answers, expect);
    assert_eq!((calls(&own), state(&weir, "own", "1")), (6, Some(2.0)));
}

/// A caller's own mistakes bench nobody.
#[test]
fn a_callers_mistakes_change_nothing() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.always(Answer::status(400));
    let weir = weir(&own, "api_key: key-1", &other, "[d0, d2]");
    for _ in 0..20 {
        assert_eq!(weir.post(CHAT, &[], &call(false)).status, 400);
    }
    let events: Value = weir.admin("GET", "/admin/events").json();
    assert_eq!((events["told"].as_u64(), state(&weir, "own", "1"), calls(&other)), (Some(0), Some(0.0), 0));
}

/// A key that is replaced by a reload is not held responsible for the one before.
#[test]
fn a_new_key_begins_anew() {
    let (own, other) = (Upstream::start(), Upstream::start());
    own.script([Answer::status(401)]);
    own.always(Answer::auto("well"));
    other.always(Answer::auto("other"));
    let weir = weir(&own, "api_key: key-1", &other, "[d0, d2]");
    assert_eq!(answered(&weir), by("d2", 2));
    let config = std::fs::read_to_string(weir.folder().join("weir.yaml")).unwrap();
    std::fs::write(weir.folder().join("weir.yaml"), config.replace("key-1", "key-new")).unwrap();
    assert_eq!(weir.reload().status, 200);
    let renewed = weir.process.eventually(|| (answered(&weir) == by("d0", 1)).then_some(()));
    assert!(renewed.is_some(), "d0 never came back");
    assert_eq!(keys(&own).last().map(String::as_str), Some("key-new"));
}
