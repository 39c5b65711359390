//! Policies choose by what they promise to choose by, and requests may ask for what their route allows.

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Deployments `d0`, `d1`, … at one upstream each, with what is said of each, and one route `m` over all of them.
fn weir(upstreams: &[&Upstream], deployments: &[&str], route: &str) -> RunningWeir {
    let (mut providers, mut stated) = (String::new(), String::new());
    for (i, (upstream, said)) in upstreams.iter().zip(deployments).enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        stated += &format!("  d{i}: {{ provider: p{i}, model: up{i}, {said} }}\n");
    }
    let all: Vec<String> = (0..upstreams.len()).map(|i| format!("d{i}")).collect();
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n{providers}deployments:\n{stated}routes:\n  spare: {{ deployments: [d0] }}\n  \
         m: {{ deployments: [{}], retries: {{ base: 1ms, cap: 5ms }}, {route} }}\n",
        all.join(", ")
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn call(more: &Value) -> Value {
    let mut call = json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] });
    let fields = call.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value.clone())));
    call
}

fn ask(weir: &RunningWeir, headers: &[(&str, &str)], more: &Value) -> Reply {
    weir.post(CHAT, headers, &call(more))
}

/// Who answers.
fn who(weir: &RunningWeir, headers: &[(&str, &str)], more: &Value) -> String {
    let reply = ask(weir, headers, more);
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-weir-deployment").unwrap().to_owned()
}

#[test]
fn the_first_of_the_file_answers_while_it_can() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let weir = weir(&[&first, &second], &["weight: 1", "weight: 9"], "policy: priority");
    for _ in 0..10 {
        assert_eq!(who(&weir, &[], &json!({})), "d0");
    }
    first.script([Answer::status(500)]);
    assert_eq!(who(&weir, &[], &json!({})), "d1");
    assert_eq!(who(&weir, &[], &json!({})), "d0");
}

/// A deployment that becomes slow loses the traffic, and has it again when the other becomes slower still.
#[test]
fn latency_moves_traffic_away_from_a_slow_deployment_and_back() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let slow = |text: &str, millis| Answer::auto(text).delay(Duration::from_millis(millis));
    first.always(slow("slow", 400));
    let weir = weir(&[&first, &second], &["weight: 1", "weight: 1"], "policy: { kind: latency, probe: 0 }");
    // However busy the machine is: in the end the quick one answers again and again.
    let mut in_a_row = 0;
    let settled = (0..100).any(|_| {
        in_a_row = if who(&weir, &[], &json!({})) == "d1" { in_a_row + 1 } else { 0 };
        in_a_row == 8
    });
    assert!(settled, "the slow one was called {} times", first.calls().len());
    assert!(!first.calls().is_empty(), "nobody knew that it is slow");
    let reply = ask(&weir, &[], &json!({}));
    for header in ["x-weir-predicted-ms", "x-weir-latency-ms"] {
        assert!(
            reply.header(header).is_some_and(|ms| ms.parse::<f64>().is_ok_and(|ms| ms > 0.0)),
            "{header}"
        );
    }
    second.always(slow("slower", 900));
    let back = (0..40).position(|_| who(&weir, &[], &json!({})) == "d0");
    assert!(back.is_some(), "the other has become the slower one");
}

/// An empty name is no session that everybody who sends one would share.
#[test]
fn an_empty_session_is_none() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let weir = weir(&[&first, &second], &["", ""], "policy: { kind: sticky, over: round_robin }");
    let by =
        |name: &str| (0..4).map(|_| who(&weir, &[("x-weir-session", name)], &json!({}))).collect::<Vec<_>>();
    let one = by("s");
    assert!(one.iter().all(|deployment| *deployment == one[0]), "{one:?}");
    let none = by(" ");
    assert!(none[0] != none[1] && none[1] != none[2], "{none:?}");
}

#[test]
fn cost_follows_the_shape_of_the_request() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let dear_output = "price: { input: 0.1, output: 10 }";
    let dear_input = "price: { input: 1, output: 1 }";
    let weir = weir(&[&first, &second], &[dear_output, dear_input], "policy: cost");
    let long = json!({ "max_tokens": 1, "messages": [{ "role": "user", "content": "word ".repeat(4000) }] });
    assert_eq!(who(&weir, &[], &long), "d0");
    assert_eq!(who(&weir, &[], &json!({ "max_tokens": 500 })), "d1");
}

#[test]
fn a_session_stays_in_its_place_across_a_reload_and_comes_back_after_a_fault() {
    let upstreams: Vec<Upstream> = (0..4).map(|_| Upstream::start()).collect();
    let all: Vec<&Upstream> = upstreams.iter().collect();
    let weir = weir(&all, &["weight: 1"; 4], "policy: sticky");
    let of = |session: &str| who(&weir, &[("x-weir-session", session)], &json!({}));
    let places: Vec<String> = (0..24).map(|i| of(&format!("s{i}"))).collect();
    assert!((0..4).all(|i| places.contains(&format!("d{i}"))), "all have some: {places:?}");
    assert_eq!(weir.reload().status, 200);
    for (i, place) in places.iter().enumerate() {
        assert_eq!(of(&format!("s{i}")), *place);
    }
    let home: usize = places[0][1..].parse().unwrap();
    upstreams[home].script([Answer::status(500)]);
    assert_ne!(of("s0"), places[0]);
    assert_eq!(of("s0"), places[0]);
    // Without the header, the user is what keeps requests together.
    let user = who(&weir, &[], &json!({ "user": "u1" }));
    for _ in 0..10 {
        assert_eq!(who(&weir, &[], &json!({ "user": "u1" })), user);
    }
}

#[test]
fn hints_hold_where_the_route_allows_them() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let route =
        "policy: priority, fallbacks: [spare], hints: [max_cost, policy, no_fallback, latency_budget]";
    let prices = ["price: { input: 0, output: 1000 }", "price: { input: 0, output: 1 }"];
    let weir = weir(&[&first, &second], &prices, route);
    let few = json!({ "max_tokens": 100 });
    assert_eq!(who(&weir, &[], &few), "d0");
    assert_eq!(who(&weir, &[("x-weir-policy", "cost")], &few), "d1");
    assert_eq!(
        who(&weir, &[("x-weir-max-cost", "0.0001")], &few),
        "d1",
        "the first is expected to cost more"
    );
    let check = |headers: &[(&str, &str)], status: u16, code: &str, part: &str| {
        let reply = ask(&weir, headers, &few);
        assert_eq!(
            (reply.status, reply.json()["error"]["code"].as_str()),
            (status, Some(code)),
            "{headers:?}"
        );
        assert!(reply.text().contains(part), "{}", reply.text());
    };
    let alone = ("x-weir-no-fallback", "true");
    check(&[("x-weir-max-cost", "0.000001"), alone], 400, "max_cost_exceeded", "x-weir-max-cost");
    check(&[("x-weir-max-cost", "dear")], 400, "invalid_hint", "x-weir-max-cost");
    check(&[("x-weir-max-cost", "0.1234567890123")], 400, "invalid_hint", "more than twelve digits");
    assert_eq!(ask(&weir, &[("x-weir-max-cost", "0.123456789012")], &few).status, 200);
    check(&[("x-weir-policy", "chepest")], 400, "invalid_hint", "names no policy");
    check(&[("x-weir-latency-budget-ms", "soon")], 400, "invalid_hint", "milliseconds");
    check(&[("x-weir-session", "s")], 403, "hint_not_allowed", "routes.m.hints");
    assert_eq!(who(&weir, &[("x-weir-latency-budget-ms", "500")], &few), "d0");
    // With its fallback a failing route is answered by the spare one; without, by the error.
    let calls = first.calls().len();
    for upstream in [&first, &second] {
        upstream.script([Answer::status(400)]);
    }
    assert_eq!(ask(&weir, &[alone], &few).status, 400);
    assert!(first.calls().len() > calls);
}

#[test]
fn hints_that_a_route_does_not_allow_are_refused_before_any_call() {
    let upstream = Upstream::start();
    let weir = weir(&[&upstream], &["weight: 1"], "policy: weighted");
    for header in ["x-weir-latency-budget-ms", "latency_budget_ms", "x-slo-ttft-ms", "x-weir-max-cost"] {
        let reply = ask(&weir, &[(header, "5")], &json!({}));
        assert_eq!(reply.status, 403, "{header}");
        assert_eq!(reply.json()["error"]["code"], "hint_not_allowed");
    }
    assert_eq!(upstream.calls().len(), 0);
    assert_eq!(who(&weir, &[("x-weir-session", "s")], &json!({})), "d0", "a session may always be named");
}

/// Whatever keeps a conversation together, the first of the list that a request has decides.
#[test]
fn conversations_stay_by_cookie_by_user_and_by_how_they_begin() {
    let upstreams: Vec<Upstream> = (0..4).map(|_| Upstream::start()).collect();
    let all: Vec<&Upstream> = upstreams.iter().collect();
    let policy = "policy: { kind: sticky, by: [{ cookie: sid }, user, prefix], moving_costs: 1h }";
    let weir = weir(&all, &["weight: 1"; 4], policy);
    let places = |ask: &dyn Fn(usize, usize) -> String| {
        let mut distinct = std::collections::BTreeSet::new();
        for conversation in 0..12 {
            let turns: Vec<String> = (0..3).map(|turn| ask(conversation, turn)).collect();
            assert!(turns.iter().all(|who| *who == turns[0]), "conversation {conversation}: {turns:?}");
            distinct.insert(turns[0].clone());
        }
        assert!(distinct.len() > 1, "all at {distinct:?}");
    };
    places(&|conversation, turn| {
        let cookie = format!("theme=dark; sid=s{conversation}; turn={turn}");
        who(&weir, &[("cookie", &cookie)], &json!({ "user": format!("u{turn}") }))
    });
    places(&|conversation, turn| {
        let said = json!([{ "role": "user", "content": format!("turn {turn}") }]);
        who(
            &weir,
            &[("cookie", "theme=dark")],
            &json!({ "user": format!("u{conversation}"), "messages": said }),
        )
    });
    places(&|conversation, turn| {
        let mut said = vec![json!({ "role": "system", "content": "be kind" })];
        said.push(json!({ "role": "user", "content": format!("about {conversation}") }));
        for n in 0..turn {
            said.push(json!({ "role": "assistant", "content": format!("answer {n}") }));
            said.push(json!({ "role": "user", "content": format!("question {n}") }));
        }
        who(&weir, &[], &json!({ "messages": said }))
    });
}

/// The slower one loses weight within its bound; operators read why.
#[test]
fn weights_follow_how_deployments_do() {
    let (quick, slow) = (Upstream::start(), Upstream::start());
    slow.always(Answer::auto("slow").delay(Duration::from_millis(150)));
    let policy = "policy: { kind: weighted, adjust: performance, adjust_least: 0.5, adjust_every: 100ms }";
    let weir = weir(&[&quick, &slow], &["weight: 10", "weight: 10"], policy);
    let of = |deployment: &str| {
        let reply = weir.admin("GET", "/admin/weights");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["routes.m"][deployment].clone()
    };
    assert_eq!(of("d1"), json!({ "weight": 10, "factor": 1.0, "latest_change": null }));
    weir.process.eventually(|| {
        who(&weir, &[], &json!({}));
        let factor = of("d1")["factor"].as_f64().unwrap();
        assert!(factor >= 0.5, "within its bound: {factor}");
        // Three steps of a fifth; the rest of the way to the bound is less than a tenth, which moves nothing.
        (factor < 0.52).then_some(())
    });
    let change = &of("d1")["latest_change"];
    assert!(change["from"].as_f64() > change["to"].as_f64(), "{change}");
    assert!(change["why"].as_str().is_some_and(|why| why.contains("more than usual here")), "{change}");
    let told = weir.process.wait_for_line("the change", |line| {
        (line.contains("weight adjusted") && line.contains("deployment=\"d1\"")).then(|| line.to_owned())
    });
    assert!(told.contains("INFO") && told.contains("why="), "{told}");
}
