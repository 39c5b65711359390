//! Until the first byte reaches the client, a failed attempt is made again: at the same place, at another, or on a
//! fallback route; bounded, and truthfully reported.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

mod balance;
mod breaker;
mod credentials;

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_core::Timeouts;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, How, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Deployments `d0`, `d1`, … of upstream models `up0`, `up1`, …, one at each upstream, and these routes. Each upstream
/// has a key of its own, so that it is seen which one was used.
fn weir(upstreams: &[&Upstream], deployment: &str, routes: &str) -> RunningWeir {
    let (mut providers, mut deployments) = (String::new(), String::new());
    for (i, upstream) in upstreams.iter().enumerate() {
        providers +=
            &format!("  p{i}: {{ kind: openai, base_url: '{}', api_key: key-of-p{i} }}\n", upstream.url());
        deployments += &format!("  d{i}: {{ provider: p{i}, model: up{i}, {deployment} }}\n");
    }
    let server =
        "server: { listen: @public@, cores: 1, admin: { listen: @admin@, token: testkit-admin-token } }\n";
    let config = format!("{server}providers:\n{providers}deployments:\n{deployments}routes:\n{routes}");
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

/// One route over all of them, the first preferred: the others have no weight and come in when it has failed.
fn first_preferred(upstreams: &[&Upstream], deployment: &str) -> RunningWeir {
    let members: Vec<String> =
        (0..upstreams.len()).map(|i| format!("{{ name: d{i}, weight: {} }}", u8::from(i == 0))).collect();
    weir(upstreams, deployment, &format!("  m: {{ deployments: [{}], {QUICK} }}\n", members.join(", ")))
}

/// A route to `d0` that falls back on a route to `d1`.
fn with_fallback(upstreams: &[&Upstream], deployment: &str) -> RunningWeir {
    let routes = format!(
        "  m: {{ deployments: [d0], fallbacks: [spare], {QUICK} }}\n  spare: {{ deployments: [d1], {QUICK} }}\n"
    );
    weir(upstreams, deployment, &routes)
}

const QUICK: &str = "retries: { base: 1ms, cap: 5ms }";

fn call(stream: bool) -> Value {
    json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "hello" }] })
}

/// Posts a call and gives the answer with its text, whether streamed or not.
fn ask(weir: &RunningWeir, stream: bool) -> (Reply, String) {
    let reply = weir.post(CHAT, &[], &call(stream));
    let text = match reply.status {
        200 if stream => {
            assert!(reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
            let data = reply.text();
            let chunks = data.split("\n\n").filter_map(|event| event.strip_prefix("data: {"));
            chunks
                .map(|rest| serde_json::from_str::<Value>(&format!("{{{rest}")).unwrap())
                .map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned())
                .collect()
        }
        200 => reply.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned(),
        _ => String::new(),
    };
    (reply, text)
}

fn assert_answer(
    row: &str,
    (reply, text): &(Reply, String),
    expect: &str,
    deployment: usize,
    attempts: usize,
) {
    assert_eq!(reply.status, 200, "{row}: {}", reply.text());
    assert_eq!(text, expect, "{row}");
    assert_eq!(reply.header("x-weir-deployment"), Some(&*format!("d{deployment}")), "{row}");
    assert_eq!(reply.header("x-weir-model"), Some(&*format!("up{deployment}")), "{row}");
    assert_eq!(reply.header("x-weir-attempts"), Some(&*attempts.to_string()), "{row}");
}

fn calls(upstream: &Upstream) -> usize {
    upstream.calls().len()
}

/// Faults after which the same request may well be answered.
fn passing_faults() -> Vec<(&'static str, Answer)> {
    vec![
        ("500", Answer::status(500)),
        ("502 with a page", Answer::html(502)),
        ("503", Answer::status(503)),
        ("529", Answer::status(529)),
        ("429", Answer::status(429)),
        ("408", Answer::status(408)),
        ("reset", Answer::reset_before_headers()),
        ("closed", Answer::close_before_headers()),
        ("not HTTP", Answer::raw("220 mail.example ESMTP\r\n")),
        ("garbage", Answer::garbage()),
        ("empty", Answer::empty()),
        (
            "an error with status 200",
            Answer::json(200, &json!({ "error": { "message": "x", "type": "server_error" } })),
        ),
        ("broken off", Answer::chat("never seen").content_length_too_long()),
        ("a stream without an event", Answer::stream(["x"]).eof_after_events(0)),
    ]
}

/// R1, and failover rows 3 and 5: one failure is hidden by exactly one more call, at the same place when there is no
/// other.
#[test]
fn one_failure_is_hidden_by_one_more_call() {
    let upstream = Upstream::start();
    let weir = first_preferred(&[&upstream], "breaker: { error_percent: 100 }");
    let mut asked = 0;
    for stream in [false, true] {
        for (row, fault) in passing_faults() {
            upstream.script([fault, Answer::auto("well again")]);
            assert_answer(row, &ask(&weir, stream), "well again", 0, 2);
            asked += 1;
            assert_eq!(calls(&upstream), 2 * asked, "{row}");
        }
    }
    weir.wait_for_metric("weir_retries_total", &[("route", "m")], asked as f64);
    let entry = weir.wait_for_log("a call", |entry| entry["endpoint"] == "chat");
    assert_eq!(
        (&entry["attempts"], &entry["retries"], &entry["outcome"]),
        (&json!(2), &json!(1), &json!("ok")),
        "{entry}"
    );
    let expect = json!([{ "deployment": "d0", "cause": "first", "fault": "server_error" }, { "deployment": "d0", "cause": "retry", "cost_unknown": true }]);
    assert_eq!(entry["attempted"], expect);
}

/// R2: what always fails is called `1 + retries.max` times and no more, by default three times, and the last fault is
/// the answer.
#[test]
fn calls_are_bounded() {
    let rows = [("", 3), ("max: 0,", 1), ("max: 1,", 2), ("max: 6,", 7)];
    for (max, expect) in rows {
        for (status, answer) in
            [(500, Answer::status(500)), (503, Answer::status(503)), (502, Answer::reset_before_headers())]
        {
            let upstream = Upstream::start();
            upstream.always(answer);
            let route = format!("  m: {{ deployments: [d0], retries: {{ {max} base: 1ms, cap: 5ms }} }}\n");
            let weir = weir(&[&upstream], "breaker: { failures: 100 }", &route);
            let (reply, _) = ask(&weir, false);
            assert_eq!((reply.status, calls(&upstream)), (status, expect), "{max}: {}", reply.text());
            assert_eq!(reply.header("x-weir-attempts"), Some(&*expect.to_string()));
        }
    }
}

/// R2: retries end with the request's own time, whatever their number.
#[test]
fn retries_end_with_the_total_time() {
    let upstream = Upstream::start();
    upstream.always(Answer::status(500));
    let route =
        "  m: { deployments: [d0], retries: { max: 20, base: 24h, cap: 24h }, timeouts: { total: 300ms } }\n";
    let weir = weir(&[&upstream], "", route);
    let (reply, _) = ask(&weir, false);
    assert!([500, 504].contains(&reply.status), "{}", reply.text());
    assert!(calls(&upstream) <= 2, "waits of up to a day leave no room for more within 300 ms");
}

/// A total of a deployment, or else of its provider, limits each call there and not the request: after two calls that took
/// too long the third is made, and has a time of its own.
#[test]
fn a_deployments_total_limits_each_call_alone() {
    for stream in [false, true] {
        let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
        upstreams[0].always(Answer::never());
        upstreams[1].always(Answer::chat("never seen").in_pieces(10).pause_after_events(2));
        upstreams[2].always(Answer::auto("at last"));
        let [first, second, third] = &upstreams;
        let routes = "  m: { deployments: [d0], fallbacks: [n, o] }\n  n: { deployments: [d1] }\n  o: { deployments: [d2] }\n";
        let weir = weir(&[first, second, third], "timeouts: { total: 1s }", routes);
        let answer = ask(&weir, stream);
        assert_eq!((answer.0.status, answer.1.as_str()), (200, "at last"), "{}", answer.0.text());
        assert_eq!(upstreams.each_ref().map(calls), [1, 1, 1]);
        for upstream in &upstreams[..2] {
            assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
        }
    }
}

/// R3: what the caller did wrong is called once, and no other deployment or route is asked.
#[test]
fn a_callers_mistake_is_called_once() {
    for status in [400, 413, 415, 422] {
        let (first, second) = (Upstream::start(), Upstream::start());
        first.always(Answer::status(status).error("bad_thing", "This is wrong."));
        let routes = format!(
            "  m: {{ deployments: [d0, {{ name: d1, weight: 0 }}], fallbacks: [spare], {QUICK} }}\n  spare: {{ deployments: [d1] }}\n"
        );
        let weir = weir(&[&first, &second], "", &routes);
        for stream in [false, true] {
            let (reply, _) = ask(&weir, stream);
            assert_eq!(reply.status, status);
            assert_eq!(reply.json()["error"]["message"], "This is wrong.");
        }
        assert_eq!((calls(&first), calls(&second)), (2, 0), "{status}");
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(0.0));
    }
}

/// Failover row 13: a refusal of the content is the answer.
#[test]
fn a_content_refusal_is_final() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(400).error("content_policy_violation", "Not this."));
    let weir = with_fallback(&[&first, &second], "");
    let (reply, _) = ask(&weir, true);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("content_policy_violation")));
    assert_eq!((calls(&first), calls(&second)), (1, 0));
}

/// Failover row 12: a prompt that is too long for one model may fit another. It is never sent to the same one again, and
/// is no fault of it.
#[test]
fn a_prompt_too_long_goes_to_the_fallback() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(400).error("context_length_exceeded", "Too long."));
    second.always(Answer::auto("it fits here"));
    let weir = with_fallback(&[&first, &second], "");
    for _ in 0..6 {
        assert_answer("too long", &ask(&weir, true), "it fits here", 1, 2);
    }
    assert_eq!((calls(&first), calls(&second)), (6, 6));
    assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(0.0));
    second.always(Answer::status(400).error("context_length_exceeded", "Too long here, too."));
    let (reply, _) = ask(&weir, true);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("context_length_exceeded")));
}

/// Failover rows 2, 4 and 16: a route that always fails is left for its fallback after `1 + max` calls, and everything
/// the client is told is about the one that answered: headers, the stream's `model`, usage.
#[test]
fn a_route_that_always_fails_is_left_for_its_fallback() {
    for fault in [Answer::status(429), Answer::status(503), Answer::reset_before_headers()] {
        let (first, second) = (Upstream::start(), Upstream::start());
        first.always(fault);
        second.always(Answer::auto("from the spare"));
        let weir = with_fallback(&[&first, &second], "breaker: { failures: 100 }");
        let (reply, text) = ask(&weir, true);
        assert_answer("fallback", &(reply.clone(), text), "from the spare", 1, 4);
        assert!(
            reply.text().contains(r#""model":"up1""#) && !reply.text().contains("up0"),
            "{}",
            reply.text()
        );
        assert_answer("fallback", &ask(&weir, false), "from the spare", 1, 4);
        assert_eq!((calls(&first), calls(&second)), (6, 2));
        assert_eq!(second.calls()[0].header("authorization"), Some("Bearer key-of-p1"));
        let entry = weir.wait_for_log("the call", |entry| entry["stream"] == true);
        assert_eq!((&entry["deployment"], &entry["served_model"]), (&json!("d1"), &json!("up1")), "{entry}");
        assert_eq!((&entry["retries"], &entry["fallbacks"]), (&json!(2), &json!(1)), "{entry}");
        assert_eq!(entry["usage"]["source"], "reported", "{entry}");
    }
}

/// Fallbacks come in the order of the file, and the last fault is told when all of them fail.
#[test]
fn fallbacks_come_in_order() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let [first, second, third] = &upstreams;
    first.always(Answer::status(500));
    second.always(Answer::status(503));
    third.always(Answer::auto("third"));
    let routes = "  m: { deployments: [d0], fallbacks: [b, c], retries: { max: 0 } }\n  \
                  b: { deployments: [d1], retries: { max: 0 } }\n  c: { deployments: [d2], retries: { max: 0 } }\n";
    let weir = weir(&[first, second, third], "breaker: { failures: 100 }", routes);
    assert_answer("both fail", &ask(&weir, false), "third", 2, 3);
    third.always(Answer::status(529).error("overloaded", "All of us are."));
    let (reply, _) = ask(&weir, false);
    assert_eq!((reply.status, &reply.json()["error"]["message"]), (529, &json!("All of us are.")));
    assert_eq!((calls(first), calls(second), calls(third)), (2, 2, 2));
}

/// Failover rows 6 and 7: silence, with or without a head, costs one attempt; the limit that moves on is ten seconds by
/// default and shorter here.
#[test]
fn silence_is_met_elsewhere_and_not_twice_at_the_same_place() {
    assert_eq!(Timeouts::FIRST_TOKEN, Duration::from_secs(10));
    for silent in [Answer::never(), Answer::stream(["late"]).pause_after_events(0)] {
        let (first, second) = (Upstream::start(), Upstream::start());
        first.always(silent);
        second.always(Answer::auto("in time"));
        let routes = format!(
            "  m: {{ deployments: [d0], fallbacks: [spare], {QUICK}, timeouts: {{ first_byte: 250ms }} }}\n  spare: {{ deployments: [d1] }}\n"
        );
        let weir = weir(&[&first, &second], "", &routes);
        assert_answer("silence", &ask(&weir, true), "in time", 1, 2);
        assert_eq!((calls(&first), calls(&second)), (1, 1));
        assert_eq!(first.wait_for_end(0).how, How::PeerClosed);
    }
}

/// Failover row 1: the only deployment there is asks for a short pause and gets it.
#[test]
fn a_short_retry_after_is_waited_out_where_there_is_no_other() {
    const PAUSE: Duration = Duration::from_millis(700);
    let upstream = Upstream::start();
    upstream.script([Answer::status(429).header("retry-after", "0.7"), Answer::auto("after the pause")]);
    let weir = first_preferred(&[&upstream], "");
    assert_answer("429", &ask(&weir, true), "after the pause", 0, 2);
    let ends: Vec<_> = upstream.calls().iter().map(|call| call.ended.unwrap().at).collect();
    // The one promise about time here: not before it was asked for. Later is always possible, so this cannot flicker.
    assert!(ends[1] - ends[0] >= PAUSE, "{:?}", ends[1] - ends[0]);
}

/// A `Retry-After` beyond `retry_after_max` is not waited out: the client gets it, word for word, after one call.
#[test]
fn a_long_retry_after_is_passed_on() {
    let upstream = Upstream::start();
    upstream.always(Answer::status(429).header("retry-after", "11"));
    let weir = first_preferred(&[&upstream], "");
    let (reply, _) = ask(&weir, false);
    assert_eq!((reply.status, reply.header("retry-after"), calls(&upstream)), (429, Some("11"), 1));
}

/// R6, failover row 1: with another deployment at hand nobody waits, and the one that asked for a pause is left alone.
#[test]
fn a_retry_after_is_met_elsewhere_at_once() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(429).header("retry-after", "3600"));
    second.always(Answer::auto("meanwhile"));
    let weir = first_preferred(&[&first, &second], "");
    assert_answer("the first call", &ask(&weir, false), "meanwhile", 1, 2);
    for _ in 0..10 {
        assert_answer("while it rests", &ask(&weir, true), "meanwhile", 1, 1);
    }
    assert_eq!((calls(&first), calls(&second)), (1, 11));
    assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "d0")]), Some(0.0), "resting is no fault");
    let resting = weir.metric("weir_deployment_resting_seconds", &[("deployment", "d0")]).unwrap();
    assert!(resting > 0.0 && resting <= 60.0, "{resting}: a pause is obeyed for a minute at most");
}

/// A credential that one upstream does not accept costs its own deployment alone; when none is accepted, the client is
/// told in our words that it is not its own key.
#[test]
fn a_dead_credential_benches_its_own_deployment_alone() {
    for status in [401, 402] {
        let (first, second) = (Upstream::start(), Upstream::start());
        first
            .always(Answer::status(status).error("invalid_api_key", "Incorrect API key provided: key-of-p0"));
        second.always(Answer::auto("accepted"));
        let weir = first_preferred(&[&first, &second], "");
        assert_answer("refused", &ask(&weir, true), "accepted", 1, 2);
        for _ in 0..3 {
            assert_answer("benched at once", &ask(&weir, false), "accepted", 1, 1);
        }
        assert_eq!(calls(&first), 1);
        let benched =
            |provider| weir.metric("weir_credential_state", &[("provider", provider), ("credential", "1")]);
        assert_eq!((benched("p0"), benched("p1")), (Some(2.0), Some(0.0)));
        assert_eq!(
            weir.metric("weir_breaker_state", &[("deployment", "d0")]),
            Some(0.0),
            "it is not at fault"
        );
        second
            .always(Answer::status(status).error("invalid_api_key", "Incorrect API key provided: key-of-p1"));
        let (reply, _) = ask(&weir, false);
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &json!("upstream_credentials")));
        assert!(!reply.text().contains("key-of"), "{}", reply.text());
    }
}

/// `x-weir-no-fallback`: this model or an error, whole and streamed.
#[test]
fn a_client_may_refuse_fallbacks() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(503));
    second.always(Answer::auto("spare"));
    let weir = with_fallback(&[&first, &second], "");
    for stream in [false, true] {
        let reply = weir.post(CHAT, &[("x-weir-no-fallback", "1")], &call(stream));
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert_eq!(calls(&second), 0);
    }
    let reply = weir.post(CHAT, &[("x-weir-no-fallback", "false")], &call(false));
    assert_eq!((reply.status, calls(&second)), (200, 1), "{}", reply.text());
    assert_eq!(first.calls()[0].header("x-weir-no-fallback"), None);
}

/// R9: another model answers where the one that was asked for does not, streamed and not; a fallback that does not exist is
/// named at the start and at a reload, and one whose model its server does not have is named by its health check.
#[test]
fn r9_a_fallback_serves_and_a_bad_one_is_named() {
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::status(503));
    second.always(Answer::auto("spare words"));
    let list = |id: &str| Answer::json(200, &json!({ "object": "list", "data": [{ "id": id }] }));
    first.on_path("/v1/models", list("up0"));
    second.on_path("/v1/models", list("up1"));
    let weir = with_fallback(&[&first, &second], "health: { interval: 100ms }");
    for stream in [false, true] {
        let (reply, text) = ask(&weir, stream);
        let served = (reply.status, reply.header("x-weir-deployment"), reply.header("x-weir-model"), &*text);
        assert_eq!(served, (200, Some("d1"), Some("up1"), "spare words"), "stream: {stream}");
    }
    let good = std::fs::read_to_string(&weir.config).unwrap();
    let bad = good.replace("fallbacks: [spare]", "fallbacks: [spaer]");
    let named = "no route named \"spaer\"; did you mean \"spare\"?";
    weir.rewrite(&bad);
    let refused = weir.reload();
    assert!(refused.status != 200 && refused.text().contains("no route named"), "{}", refused.text());
    let scratch = weir_testkit::Scratch::new();
    scratch.write("bad.yaml", &bad);
    let started = std::process::Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["serve", "-c", "bad.yaml"])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(started.status.code() == Some(2) && said.contains(named), "{said}");
    weir.rewrite(&good);
    assert_eq!(weir.reload().status, 200);
    second.on_path("/v1/models", list("another"));
    let names =
        |line: &str| line.contains("health probe fails") && line.contains("d1") && line.contains("up1");
    let told = weir.process.eventually(|| weir.logs().lines().any(names).then_some(()));
    assert!(told.is_some(), "{}", weir.logs());
}

/// R4: when everything fails, repeats soon are a fifth of the traffic and no more.
#[test]
fn retries_are_a_share_of_the_traffic() {
    const REQUESTS: usize = 400;
    let upstream = Upstream::start();
    upstream.always(Answer::status(500));
    let weir = first_preferred(&[&upstream], "");
    for _ in 0..REQUESTS {
        assert_eq!(ask(&weir, false).0.status, 500);
    }
    let before = calls(&upstream);
    assert!(before < 2 * REQUESTS, "without a budget there were three calls for each: {before}");
    upstream.always(Answer::auto("well"));
    assert_eq!(ask(&weir, false).1, "well");
}
