//! Weir can say what it would do with a request, which is what it then does, and what it did with one, and why.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use weir_testkit::client::{Reply, call};
use weir_testkit::{Answer, Gate, RunningWeir, Scratch, Upstream};

const CHAT: &str = "/v1/chat/completions";
const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// Deployments `d0`, `d1`, … at one upstream each, one core, and what else is said.
fn weir(upstreams: &[&Upstream], rest: &str) -> RunningWeir {
    let (mut providers, mut deployments) = (String::new(), String::new());
    for (i, upstream) in upstreams.iter().enumerate() {
        providers += &format!("  p{i}: {{ kind: openai, base_url: '{}' }}\n", upstream.url());
        deployments +=
            &format!("  d{i}: {{ provider: p{i}, model: up{i}, price: {{ input: 1, output: 2 }} }}\n");
    }
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n{providers}deployments:\n{deployments}{rest}"
    );
    weir_testkit::weir::start(Path::new(WEIR), &config)
}

fn chat(model: &str, stream: bool) -> Value {
    json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "the prompt's own words" }] })
}

fn explain(weir: &RunningWeir, question: &Value) -> Reply {
    call(weir.admin, "POST", "/admin/explain", &[], question.to_string().as_bytes()).unwrap()
}

/// The record of the decision that this answer names.
fn decision_of(weir: &RunningWeir, reply: &Reply) -> Value {
    let id = reply.header("x-weir-decision").unwrap_or_else(|| panic!("no decision: {}", reply.text()));
    let told = weir.admin("GET", &format!("/admin/decisions/{id}"));
    assert_eq!(told.status, 200, "{}", told.text());
    told.json()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["deployment"].as_str().unwrap()).collect()
}

/// The program's own words.
fn run(weir: &RunningWeir, arguments: &[&str]) -> Output {
    Command::new(WEIR).arg("explain").args(arguments).current_dir(weir.folder()).output().unwrap()
}

#[test]
fn an_explanation_is_what_the_next_request_does() {
    let upstreams = [(); 3].map(|()| Upstream::start());
    let all: Vec<&Upstream> = upstreams.iter().collect();
    let weir = weir(
        &all,
        "routes:
  turns: { deployments: [d0, { name: d1, weight: 2 }, d2], policy: round_robin }
  first: { deployments: [d0, d1], policy: priority }
  ruled:
    deployments: [d0]
    pools: { pair: { deployments: [d1, d2], policy: round_robin } }
    rules: [{ name: gold, when: { headers: { x-tier: gold } }, use: pair }, { name: rest, when: { turns: { min: 1 } }, use: turns }]
",
    );
    let gold: &[(&str, &str)] = &[("x-tier", "gold")];
    let agree = |model: &str, headers: &[(&str, &str)]| {
        let calls = || upstreams.iter().map(|upstream| upstream.calls().len()).sum::<usize>();
        let before = calls();
        let named: Value = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let question = json!({ "request": chat(model, false), "headers": named });
        let told = explain(&weir, &question);
        assert_eq!(told.status, 200, "{}", told.text());
        assert_eq!(
            told.json()["first_call"],
            explain(&weir, &question).json()["first_call"],
            "asking changes nothing"
        );
        assert_eq!(calls(), before, "nobody was called");
        let reply = weir.post(CHAT, headers, &chat(model, false));
        assert_eq!(told.json()["first_call"].as_str(), reply.header("x-weir-deployment"), "{}", told.text());
        let did = decision_of(&weir, &reply);
        let said = &told.json()["plans"][0];
        assert_eq!(names(&said["candidates"]), names(&did["plans"][0]["candidates"]), "the same plan");
        assert_eq!(names(&said["dropped"]), names(&did["plans"][0]["dropped"]));
        told.json()
    };
    for _ in 0..5 {
        agree("turns", &[]);
        agree("ruled", gold);
        agree("ruled", &[]);
    }
    // A deployment that is out is told of, and gone around.
    upstreams[0].script([Answer::status(401)]);
    assert_eq!(weir.post(CHAT, &[], &chat("first", false)).header("x-weir-deployment"), Some("d1"));
    let told = agree("first", &[]);
    let dropped = &told["plans"][0]["dropped"][0];
    assert_eq!((&dropped["deployment"], &dropped["reason"]), (&json!("d0"), &json!("credential_benched")));
    assert!(dropped["for_ms"].as_f64().is_some_and(|left| left > 0.0), "{dropped}");
    assert_eq!(dropped["now"]["breaker"], "closed", "{dropped}");
    let told = agree("ruled", gold);
    assert_eq!(
        told["rules"][0]["conditions"],
        json!([{ "condition": "header x-tier is gold", "holds": true }])
    );
    assert_eq!((&told["rules"][0]["use"], &told["rules"][1]["holds"]), (&json!("pair"), &Value::Null));
    assert!(
        explain(&weir, &json!({ "request": chat("nobody", false) })).json()["refused"]["code"]
            == "model_not_found"
    );
}

#[test]
fn a_decision_shows_every_call_its_blame_and_its_cost() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let weir = weir(
        &[&first, &second],
        "routes:
  m: { deployments: [d0], fallbacks: [spare], retries: { max: 1, base: 1ms, cap: 2ms } }
  spare: { deployments: [d1] }
",
    );
    first.script([Answer::status(500).error("overloaded", "try later"), Answer::status(503)]);
    second.always(Answer::chat("fine").usage(1000, 10));
    let reply = weir.post(CHAT, &[], &chat("m", false));
    assert_eq!(reply.header("x-weir-deployment"), Some("d1"));
    let told = decision_of(&weir, &reply);
    assert_eq!(
        (&told["outcome"], &told["status"], &told["route"]),
        (&json!("ok"), &json!(200), &json!("spare"))
    );
    assert_eq!(told["request_id"].as_str(), reply.header("x-request-id"));
    assert_eq!(told["cost_usd"].as_str(), reply.header("x-weir-cost"));
    let attempts = told["attempts"].as_array().unwrap();
    let line = |attempt: &Value| -> Vec<String> {
        let shown = ["deployment", "cause", "fault", "blame", "status", "code", "cost_usd"];
        shown
            .iter()
            .map(|name| attempt[name].as_str().map_or_else(|| attempt[name].to_string(), str::to_owned))
            .collect()
    };
    assert_eq!(line(&attempts[0]), ["d0", "first", "server_error", "upstream", "500", "overloaded", "0"]);
    assert_eq!(line(&attempts[1])[..5], ["d0", "retry", "server_error", "upstream", "503"]);
    assert_eq!(line(&attempts[2]), ["d1", "fallback", "null", "null", "null", "null", "0.00102"]);
    // In order, each within its request.
    let at = |value: &Value, name: &str| value[name].as_f64().unwrap_or_else(|| panic!("{name}: {value}"));
    for pair in attempts.windows(2) {
        assert!(at(&pair[0], "began_ms") + at(&pair[0], "ms") <= at(&pair[1], "began_ms") + 1e-6, "{told}");
    }
    assert!(at(&attempts[2], "first_byte_ms") <= at(&attempts[2], "ms"));
    assert!(at(&attempts[2], "began_ms") + at(&attempts[2], "ms") <= at(&told, "total_ms") + 0.01, "{told}");
    let wait = &told["waits"][0];
    assert_eq!(wait["why"], "backoff");
    assert!(at(wait, "at_ms") >= at(&attempts[0], "ms") && at(wait, "at_ms") <= at(&attempts[1], "began_ms"));
    assert_eq!(told["plans"][1]["fallback_on"], json!(["unavailable", "rate", "context_window"]));
    assert!(!told.to_string().contains("own words"), "nothing of a prompt is kept");
    // It is in the lists of those that fit, and found by the request's id, too.
    let list =
        |query: &str| weir.admin("GET", &format!("/admin/decisions?{query}")).json()["decisions"].clone();
    for (query, found) in [
        ("route=m", 1),
        ("route=spare&outcome=ok", 1),
        ("deployment=d0", 1),
        ("outcome=failed", 0),
        ("deployment=d1&outcome=failed", 0),
    ] {
        assert_eq!(list(query).as_array().map(Vec::len), Some(found), "{query}");
    }
    assert_eq!(list("limit=1")[0]["id"], told["id"]);
    // A slip of the pen is no empty list.
    for (query, what) in [
        (
            "route=spaer",
            "there is no route \"spaer\", and no decision about one that there was; did you mean \"spare\"?",
        ),
        ("deployment=d", "there is no deployment \"d\","),
    ] {
        let refused = weir.admin("GET", &format!("/admin/decisions?{query}"));
        assert_eq!(
            (refused.status, &refused.json()["error"]["code"]),
            (400, &json!("invalid_query")),
            "{query}"
        );
        assert!(refused.json()["error"]["message"].as_str().unwrap().starts_with(what), "{}", refused.text());
    }
    let by_request =
        weir.admin("GET", &format!("/admin/decisions/{}", reply.header("x-request-id").unwrap()));
    assert_eq!(by_request.json()["id"], told["id"]);
    // A failure has one as well.
    first.script([Answer::status(400).error("bad", "no")]);
    let refused = weir.post(CHAT, &[], &chat("m", false));
    let told = decision_of(&weir, &refused);
    assert_eq!(
        (&told["outcome"], &told["blame"], &told["code"]),
        (&json!("caller"), &json!("caller"), &json!("bad"))
    );
    assert_eq!(list("outcome=failed").as_array().map(Vec::len), Some(1));
    // A wait that was asked for is told apart from a pause.
    first.script([Answer::status(429).header("retry-after-ms", "40"), Answer::chat("fine")]);
    let told = decision_of(&weir, &weir.post(CHAT, &[], &chat("m", false)));
    assert_eq!((&told["waits"][0]["why"], &told["outcome"]), (&json!("retry_after"), &json!("ok")), "{told}");
    assert!(told["waits"][0]["ms"].as_f64().is_some_and(|ms| ms <= 40.0), "{told}");
    for cause in ["backoff", "retry_after"] {
        let logged = weir.wait_for_log(cause, |entry| entry["waits"][0]["cause"] == cause);
        assert!(logged["waits"][0]["ms"].as_f64().is_some_and(|ms| ms > 0.0), "{logged}");
    }
    // A name that is gone from the configuration is known for as long as its decisions are.
    let config = std::fs::read_to_string(&weir.config).unwrap();
    weir.rewrite(&config.replace("spare", "other"));
    assert_eq!(weir.reload().status, 200);
    assert_eq!(list("route=spare").as_array().map(Vec::len), Some(1));
    assert_eq!(list("route=other").as_array().map(Vec::len), Some(0));
    // What it asked for by headers says why nobody else was.
    first.script([Answer::status(503), Answer::chat("fine")]);
    let told = decision_of(&weir, &weir.post(CHAT, &[("x-weir-no-fallback", "1")], &chat("m", false)));
    assert_eq!(told["hints"], json!({ "no_fallback": true }), "{told}");
}

#[test]
fn a_request_that_runs_is_found_and_its_end_is_told() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.always(Answer::stream(["one ", "two"]).gate(&gate));
    let weir = weir(&[&upstream], "routes: { m: { deployments: [d0] } }\n");
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &chat("m", true)).unwrap();
    gate.release();
    gate.release();
    let head = client.read_head().unwrap();
    let id = head.header("x-weir-decision").unwrap().to_owned();
    let told = |outcome: &str| {
        let told = weir.admin("GET", &format!("/admin/decisions/{id}"));
        assert_eq!((told.status, &told.json()["outcome"]), (200, &json!(outcome)), "{}", told.text());
        told.json()
    };
    let running = told("running");
    assert_eq!(
        (&running["attempts"][0]["deployment"], &running["attempts"][0]["ms"]),
        (&json!("d0"), &Value::Null)
    );
    assert_eq!(weir.admin("GET", "/admin/decisions?outcome=running").json()["decisions"][0]["id"], json!(id));
    gate.open();
    let events = client.read_events().unwrap();
    assert_eq!(events.last().unwrap().data, "[DONE]");
    let ended = told("ok");
    assert!(ended["first_token_ms"].is_number() && ended["attempts"][0]["ms"].is_number(), "{ended}");
}

#[test]
fn a_full_house_is_told_with_the_wait_for_a_place() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.always(Answer::stream(["one ", "two"]).gate(&gate));
    let weir = weir(
        &[&upstream],
        "  one: { provider: p0, model: s, max_concurrency: 1 }\nroutes: { m: { deployments: [one], queue: { max_wait: 3s } } }\n",
    );
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &chat("m", true)).unwrap();
    upstream.wait_for_calls(1);
    let told = explain(&weir, &json!({ "request": chat("m", true) })).json();
    assert_eq!(told["plans"][0]["dropped"][0]["reason"], "full", "{told}");
    assert_eq!((&told["queues_up_to_ms"], &told["first_call"]), (&json!(3000.0), &Value::Null), "{told}");
    assert_eq!(told["refused"]["code"], "all_deployments_full");
    gate.open();
    assert_eq!(client.read_reply().unwrap().status, 200);
}

#[test]
fn records_are_bounded_and_what_went_wrong_is_kept_longer() {
    let upstream = Upstream::start();
    upstream.always(Answer::chat("fine"));
    let weir = weir(
        &[&upstream],
        "routes: { m: { deployments: [d0], retries: { max: 0 } } }\ntelemetry: { decisions: { recent: 3, sampled: 2, sample: 0 } }\n",
    );
    let ask = || weir.post(CHAT, &[], &chat("m", false)).header("x-weir-decision").unwrap().to_owned();
    let status = |id: &str| weir.admin("GET", &format!("/admin/decisions/{id}")).status;
    let fine: Vec<String> = (0..5).map(|_| ask()).collect();
    assert_eq!(fine.iter().map(|id| status(id)).collect::<Vec<_>>(), [404, 404, 200, 200, 200]);
    upstream.script([Answer::status(500)]);
    let failed = ask();
    let later: Vec<String> = (0..4).map(|_| ask()).collect();
    assert_eq!(status(&failed), 200, "it has left the latest ones and is kept all the same");
    assert_eq!(status(&later[0]), 404);
    let listed = weir.admin("GET", "/admin/decisions").json();
    let ids: Vec<&str> =
        listed["decisions"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&later[3], &later[2], &later[1], &failed], "the latest first");
    assert_eq!(listed["cores_without_answer"], 0);
    let gone = weir.admin("GET", &format!("/admin/decisions/{}", fine[0]));
    assert_eq!(gone.json()["error"]["code"], "decision_not_found");
    assert_eq!(weir.admin("GET", "/admin/decisions?limit=many").json()["error"]["code"], "invalid_query");
    // A reload keeps what there is, under the names of its time, and may keep none from then on.
    let before = std::fs::read_to_string(&weir.config).unwrap();
    weir.rewrite(&before.replace("recent: 3, sampled: 2", "recent: 0, sampled: 0"));
    assert_eq!(weir.reload().status, 200);
    let reply = weir.post(CHAT, &[], &chat("m", false));
    assert_eq!((reply.status, reply.header("x-weir-decision")), (200, None));
}

#[test]
fn a_dry_run_calls_nobody_and_is_a_request_all_the_same() {
    let upstream = Upstream::start();
    let weir = weir(
        &[&upstream],
        "keys: { app: { key: wr-app-key } }\nroutes:
  m: { deployments: [d0], hints: [dry_run, max_cost] }
  n: { deployments: [d0] }
",
    );
    let app = ("authorization", "Bearer wr-app-key");
    let dry = ("x-weir-dry-run", "true");
    let code =
        |reply: &Reply| (reply.status, reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned());
    assert_eq!(code(&weir.post(CHAT, &[dry], &chat("m", false))), (401, "missing_api_key".to_owned()));
    assert_eq!(code(&weir.post(CHAT, &[app, dry], &chat("n", false))), (403, "hint_not_allowed".to_owned()));
    let odd = weir.post(CHAT, &[app, ("x-weir-dry-run", "perhaps")], &chat("m", false));
    assert_eq!(code(&odd), (400, "invalid_hint".to_owned()));
    let reply = weir.post(CHAT, &[app, dry], &chat("m", true));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!((&reply.json()["first_call"], &reply.json()["key"]), (&json!("d0"), &json!("app")));
    let told = decision_of(&weir, &reply);
    assert_eq!(
        (&told["dry_run"], &told["attempts"], &told["outcome"]),
        (&json!(true), &json!([]), &json!("ok"))
    );
    let id = reply.header("x-request-id").unwrap();
    let line = weir.wait_for_log("the dry run", |line| line["request_id"] == id);
    assert_eq!((&line["attempts"], &line["route"]), (&json!(0), &json!("m")));
    // What a request would be refused is told, not answered.
    let reply = weir.post(CHAT, &[app, dry, ("x-weir-max-cost", "0.000001")], &chat("m", false));
    assert_eq!(
        (reply.status, &reply.json()["refused"]["code"]),
        (200, &json!("max_cost_exceeded")),
        "{}",
        reply.text()
    );
    assert_eq!(upstream.calls().len(), 0);
    let reply = weir.post(CHAT, &[app, ("x-weir-dry-run", "false")], &chat("m", false));
    assert_eq!((reply.status, upstream.calls().len()), (200, 1));
    // Before there is a plan there is no decision.
    assert_eq!(weir.post(CHAT, &[app], &chat("nobody", false)).header("x-weir-decision"), None);
}

#[test]
fn the_program_explains_by_a_file_or_by_a_gateway() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let weir = weir(
        &[&first, &second],
        "  small: { provider: p0, model: s, capabilities: [], context_window: 100 }
routes:
  m:
    deployments: [small, d0]
    policy: priority
    rules:
      - { name: gold, when: { headers: { x-tier: gold }, task: coding }, use: best }
    fallbacks: [{ route: best, on: context_window }]
  best: { deployments: [d1], retries: { max: 0 } }
",
    );
    let request = json!({
        "model": "m", "max_tokens": 50, "tools": [{ "type": "function", "function": { "name": "f" } }],
        "messages": [{ "role": "user", "content": "Write a Python function." }],
    });
    std::fs::write(weir.folder().join("call.json"), request.to_string()).unwrap();
    let said = |arguments: &[&str]| {
        let output = run(&weir, arguments);
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text, _) = said(&["--request", "call.json"]);
    assert_eq!(
        text,
        "model m: about 6 tokens of prompt, up to 50 of answer, uses tools

rules
  · m / gold
      yes  task coding (is coding)
      no   header x-tier is gold

route m, by priority, up to 3 calls
  1.  d0     preferred            about $0.000106
  ✗   small  does not take tools  price unknown

fallback best, by weighted (after context_window)
  1.  d1  by weight  about $0.000106

first call: d0
"
    );
    assert_eq!(code, Some(0));
    let (code, told, _) = said(&["-r", "call.json", "--headers", "X-Tier: gold", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["first_call"], &told["rules"][0]["use"], code),
        (&json!("d1"), &json!("best"), Some(0))
    );
    // What the running gateway knows of its deployments, a file does not.
    first.script([Answer::status(401)]);
    let reply = weir.post(CHAT, &[], &request);
    assert_eq!((reply.status, reply.header("x-weir-deployment")), (502, Some("d0")), "{}", reply.text());
    let live = format!("http://{}", weir.admin);
    let (code, text, said_wrong) = said(&["-r", "call.json", "--admin", &live]);
    assert_eq!(code, Some(0), "{text}{said_wrong}");
    assert!(text.contains("1.  d0     spread, though credential benched for "), "{text}");
    assert!(!text.contains("✗   d0"), "who is called is not left out: {text}");
    let (code, text, _) = said(&["--id", reply.header("x-weir-decision").unwrap()]);
    assert_eq!(code, Some(0));
    assert!(text.contains("credential, 502 upstream_credentials after"), "{text}");
    assert!(text.contains("1.  d0  first") && text.contains("credential by the upstream: 502"), "{text}");
    // And what cannot be told.
    let (code, text, _) = said(&["-r", "call.json", "--path", "/v1/embeddings"]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("the client would get 400 missing_required_parameter"), "{text}");
    let unknown = "dec_000000000000000000000000";
    for (arguments, code, part) in [
        (&["--id", unknown][..], 1, "no decision of this id"),
        (&["--id", "../config"], 2, "is no id"),
        (&["-r", "none.json"], 2, "none.json"),
        (&["-r", "call.json", "--key", "eve"], 2, "no key of the configuration is named"),
        (&["-r", "call.json", "--path", "/v1/x"], 2, "there is /v1/chat/completions"),
        (&["-r", "call.json", "--headers", "gold"], 2, "write NAME: VALUE"),
        (&["-r", "call.json", "-c", "none.yaml"], 2, "none.yaml"),
        (&["--id", unknown, "--admin", "http://127.0.0.1:1"], 1, "no admin listener answers there"),
        (&["--id", unknown, "--admin", "http://127.0.0.1:1"], 1, "http://127.0.0.1:1: "),
        (&[], 2, "--request"),
    ] {
        let (got, _, words) = said(arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {words}");
        assert!(words.contains(part), "{arguments:?}: {words}");
    }
}

/// Of more calls than a record keeps, the one whose answer was given is among those kept, under its own number.
#[test]
fn of_many_calls_the_one_that_answered_is_named() {
    let upstream = Upstream::start();
    upstream.always(Answer::status(404));
    upstream.on_model("up8", Answer::auto("").usage(9, 0));
    let members: Vec<String> = (0..12).map(|i| format!("d{i}")).collect();
    let weir = weir(
        &[&upstream; 12],
        &format!(
            "routes:\n  m: {{ deployments: [{}], policy: priority, retries: {{ max: 11, base: 1ms, cap: 1ms }} }}\n",
            members.join(", ")
        ),
    );
    let reply = weir.post(CHAT, &[], &chat("m", false));
    let told = |name: &str| reply.header(name).map(str::to_owned).unwrap_or_default();
    assert_eq!(
        [told("x-weir-deployment"), told("x-weir-attempts"), told("x-weir-answer")],
        ["d8", "12", "empty_answer"]
    );
    weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    let listed = &weir.admin("GET", "/admin/decisions").json()["decisions"][0];
    assert_eq!((&listed["deployment"], &listed["attempts"]), (&json!("d8"), &json!(12)), "{listed}");
    let told = decision_of(&weir, &reply);
    assert_eq!((&told["answered_by"], &told["left_out"]), (&json!(9), &json!(4)), "{told}");
    assert_eq!(names(&told["attempts"]), ["d0", "d1", "d2", "d3", "d4", "d5", "d8", "d11"]);
    let output = run(&weir, &["--id", reply.header("x-weir-decision").unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(" 9.   d8"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_rules_secrets_are_told_to_nobody_who_does_not_know_them() {
    let upstream = Upstream::start();
    let weir = weir(
        &[&upstream],
        "routes:
  m:
    deployments: [d0]
    hints: [dry_run]
    pools: { own: { deployments: [d0] } }
    rules:
      - { name: ours, when: { any: [{ headers: { authorization: Bearer sk-abc } }, { headers: { x-tier: gold-pass } }] }, use: own }
",
    );
    let asked = chat("m", false);
    let dry = weir.post(CHAT, &[("x-weir-dry-run", "true")], &asked);
    let conditions = &dry.json()["rules"][0]["conditions"];
    assert_eq!(conditions[0]["condition"], "any of these", "{}", dry.text());
    assert_eq!(conditions[0]["conditions"][1]["condition"], "header x-tier is what the rule wants");
    let told = explain(&weir, &json!({ "request": asked }));
    let of = &told.json()["rules"][0]["conditions"][0]["conditions"];
    assert_eq!(of[1], json!({ "condition": "header x-tier is gold-pass", "holds": false }));
    assert_eq!(of[0]["condition"], "header authorization is what the rule wants");
    let config = weir.admin("GET", "/admin/config").text();
    assert!(config.contains("gold-pass"), "{config}");
    for (text, what) in
        [(dry.text(), "sk-abc"), (dry.text(), "gold-pass"), (told.text(), "sk-abc"), (config, "sk-abc")]
    {
        assert!(!text.contains(what), "{what}: {text}");
    }
}

#[test]
fn what_an_upstream_says_does_not_move_the_cursor() {
    let upstream = Upstream::start();
    let weir = weir(&[&upstream], "routes: { m: { deployments: [d0], retries: { max: 0 } } }\n");
    upstream.always(Answer::status(400).error("a\u{1b}[2J\u{9b}b", "no"));
    let reply = weir.post(CHAT, &[], &chat("m", false));
    for more in [None, Some("--json")] {
        let id = reply.header("x-weir-decision").unwrap();
        let said = run(&weir, &[&["--id", id], more.as_slice()].concat()).stdout;
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("[2J"), "{said}");
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    }
}

#[test]
fn without_a_configuration_it_asks_where_gateways_listen() {
    let empty = Scratch::new();
    let said = |arguments: &[&str]| {
        let mut program = Command::new(WEIR);
        let output = program.arg("explain").args(arguments).current_dir(empty.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    // Whether a gateway listens there, a test cannot know; none has made this decision.
    let (code, words) = said(&["--id", "dec_000000000000000000000000"]);
    assert!(code == Some(1) && words.starts_with("http://127.0.0.1:7601: "), "{words}");
    let (code, words) = said(&["--request", "-"]);
    assert!(
        code == Some(2) && words.contains("no weir.yaml here") && words.contains("--admin URL"),
        "{words}"
    );
}
