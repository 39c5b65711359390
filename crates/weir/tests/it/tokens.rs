//! Providers whose credential is a token that expires: it is had from a token server, kept, and renewed while calls go on.

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, Gate, RunningWeir, Scratch, Upstream};

const CHAT: &str = "/v1/chat/completions";
const CLIENT_SECRET: &str = "canary-client-secret";

fn fixture(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn start(providers: &str, model: &str) -> RunningWeir {
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
providers:
{providers}
deployments: {{ d: {{ provider: p, model: {model} }} }}
routes: {{ m: {{ deployments: [d], retries: {{ max: 0 }} }} }}
"
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

/// Azure, whose tokens `tokens` gives.
fn azure(upstream: &Upstream, tokens: &Upstream) -> RunningWeir {
    let entra = format!(
        "{{ tenant: t.example, client_id: app, client_secret: {CLIENT_SECRET}, authority: 'http://{}' }}",
        tokens.addr()
    );
    start(&format!("  p: {{ kind: azure, base_url: 'http://{}', entra: {entra} }}", upstream.addr()), "gpt")
}

fn token(token: &str, seconds: u64) -> Answer {
    Answer::json(200, &json!({ "token_type": "Bearer", "access_token": token, "expires_in": seconds }))
}

fn ask(weir: &RunningWeir) -> Reply {
    weir.post(CHAT, &[], &json!({ "model": "m", "messages": [{ "role": "user", "content": "hello" }] }))
}

/// What the last call showed as its credential.
fn shown(upstream: &Upstream) -> String {
    upstream.calls().last().and_then(|call| call.header("authorization")).unwrap_or_default().to_owned()
}

fn shows_nothing_secret(weir: &RunningWeir) {
    let told =
        format!("{} {:?} {}", weir.logs(), weir.access_log(), weir.admin("GET", "/admin/config").text());
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_token_is_renewed_while_calls_go_on() {
    let (upstream, tokens) = (Upstream::start(), Upstream::start());
    upstream.always(Answer::chat("hi"));
    tokens.script([token("canary-a", 2)]);
    tokens.always(token("canary-b", 3600));
    let weir = azure(&upstream, &tokens);
    let reply = ask(&weir);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let call = &upstream.calls()[0];
    assert_eq!(call.path, "/openai/v1/chat/completions");
    assert_eq!((call.header("authorization"), call.header("api-key")), (Some("Bearer canary-a"), None));
    let asked = &tokens.calls()[0];
    assert_eq!((&*asked.method, &*asked.path), ("POST", "/t.example/oauth2/v2.0/token"));
    let form = String::from_utf8(asked.body.to_vec()).unwrap();
    assert!(form.starts_with("grant_type=client_credentials&client_id=app&client_secret="), "{form}");
    // It holds for two seconds. No call fails on the way to the next.
    let renewed = || {
        assert_eq!(ask(&weir).status, 200);
        (shown(&upstream) == "Bearer canary-b").then_some(())
    };
    weir.process.eventually(renewed).unwrap();
    // A reload keeps it.
    assert_eq!(weir.reload().status, 200);
    assert_eq!(ask(&weir).status, 200);
    assert_eq!((shown(&upstream), tokens.calls().len()), ("Bearer canary-b".to_owned(), 2));
    shows_nothing_secret(&weir);
}

#[test]
fn a_call_before_the_first_token_waits_for_it() {
    let (upstream, tokens, gate) = (Upstream::start(), Upstream::start(), Gate::new());
    upstream.always(Answer::chat("hi"));
    tokens.always(token("canary-a", 3600).hold(&gate));
    let weir = azure(&upstream, &tokens);
    tokens.wait_for_calls(1);
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&weir).status);
        weir.wait_for_metric("weir_requests_in_flight", &[], 1.0);
        assert!(upstream.calls().is_empty());
        gate.open();
        assert_eq!(asked.join().unwrap(), 200);
    });
    assert_eq!((shown(&upstream), tokens.calls().len()), ("Bearer canary-a".to_owned(), 1));
}

#[test]
fn without_a_token_a_call_fails_and_says_whose() {
    let (upstream, tokens) = (Upstream::start(), Upstream::start());
    upstream.always(Answer::chat("hi"));
    let refusal =
        json!({ "error": "invalid_client", "error_description": format!("no such {CLIENT_SECRET}") });
    tokens.script([Answer::json(401, &refusal), Answer::garbage(), Answer::json(200, &json!({}))]);
    tokens.always(token("canary-a", 3600));
    let weir = azure(&upstream, &tokens);
    let reply = ask(&weir);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &json!("upstream_credentials")));
    assert!(!reply.text().contains("invalid_client") && upstream.calls().is_empty(), "{}", reply.text());
    let logged = weir.wait_for_log("the call", |line| line["status"] == 502).to_string();
    assert!(
        logged.contains(r#"provider \"p\" has no token for app"#) && logged.contains("invalid_client"),
        "{logged}"
    );
    // It is asked again, and with a token calls go through at once.
    weir.process.eventually(|| (ask(&weir).status == 200).then_some(())).unwrap();
    assert_eq!((shown(&upstream), tokens.calls().len()), ("Bearer canary-a".to_owned(), 4));
    shows_nothing_secret(&weir);
}

#[test]
fn a_token_that_the_upstream_refuses_is_replaced() {
    let (upstream, tokens) = (Upstream::start(), Upstream::start());
    upstream.script([Answer::status(401)]);
    upstream.always(Answer::chat("hi"));
    tokens.script([token("canary-a", 3600)]);
    tokens.always(token("canary-b", 3600));
    let weir = azure(&upstream, &tokens);
    assert_eq!(ask(&weir).status, 502);
    tokens.wait_for_calls(2);
    assert!(tokens.calls().len() == 2, "once for one refusal");
    shows_nothing_secret(&weir);
}

/// A key file whose tokens are had at `tokens`.
fn key_file(scratch: &Scratch, tokens: &Upstream) -> PathBuf {
    let mut file: Value = serde_json::from_str(&fixture("google/service-account.json")).unwrap();
    file["token_uri"] = format!("http://{}/token", tokens.addr()).into();
    scratch.write("key.json", &file.to_string())
}

#[test]
fn a_service_account_calls_gemini_and_claude_on_vertex() {
    let (upstream, tokens, scratch) = (Upstream::start(), Upstream::start(), Scratch::new());
    tokens.always(token("canary-a", 3600));
    let file = key_file(&scratch, &tokens);
    let provider = |kind: &str| {
        let place = format!("base_url: 'http://{}/v1/projects/x/locations/global'", upstream.addr());
        format!("  p: {{ kind: {kind}, {place}, service_account: 'file:{}' }}", file.display())
    };
    for (kind, model, format, path) in [
        ("vertex", "gemini-3.5-flash", "gemini", "google/models/gemini-3.5-flash:generateContent"),
        (
            "vertex_anthropic",
            "claude-sonnet-4-5@20250929",
            "messages",
            "anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        ),
    ] {
        let answer = fixture(&format!("formats/text/{format}.reply.json"));
        upstream.always(Answer::body(200, "application/json", answer));
        let weir = start(&provider(kind), model);
        let reply = ask(&weir);
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "Bratislava.");
        let call = upstream.calls().pop().unwrap();
        assert_eq!(call.path, format!("/v1/projects/x/locations/global/publishers/{path}"));
        assert_eq!(call.header("authorization"), Some("Bearer canary-a"));
        let body = call.json();
        assert_eq!(body.get("model"), None, "{body}");
        if format == "messages" {
            assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
            assert_eq!(call.header("anthropic-version"), None);
            // In its own format as well, and as a stream.
            let own = json!({ "model": "m", "max_tokens": 5, "messages": [{ "role": "user", "content": "hi" }], "stream": true });
            let events = fixture("formats/text/messages.stream.sse");
            upstream.always(Answer::body(200, "text/event-stream", events));
            assert_eq!(weir.post("/v1/messages", &[], &own).status, 200);
            let call = upstream.calls().pop().unwrap();
            assert!(call.path.ends_with(":streamRawPredict"), "{}", call.path);
            let mut expect = own;
            expect.as_object_mut().unwrap().remove("model");
            expect["anthropic_version"] = "vertex-2023-10-16".into();
            assert_eq!(call.json(), expect);
        }
        shows_nothing_secret(&weir);
    }
    let assertion = String::from_utf8(tokens.calls()[0].body.to_vec()).unwrap();
    assert!(assertion.contains("jwt-bearer&assertion=ey"), "{assertion}");
}

#[test]
fn a_key_file_is_checked_offline() {
    let scratch = Scratch::new();
    let broken = scratch
        .write("key.json", r#"{"type":"service_account","client_email":"a@b","private_key":"canary"}"#);
    let check = |provider: &str| {
        let config = scratch.write(
            "weir.yaml",
            &format!("providers:\n  p: {{ {provider} }}\ndeployments: {{ d: {{ provider: p, model: m }} }}\nroutes: {{ m: {{ deployments: [d] }} }}\n"),
        );
        let done =
            Command::new(env!("CARGO_BIN_EXE_weir")).args(["check", "-c"]).arg(config).output().unwrap();
        assert!(!done.status.success());
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(!said.contains("canary"), "{said}");
        said
    };
    let said = check(&format!("kind: vertex, project: x, service_account: 'file:{}'", broken.display()));
    assert!(said.contains("providers.p.service_account: its \"private_key\" is no PEM"), "{said}");
    let said = check("kind: vertex, location: europe-west1");
    assert!(said.contains("give the project"), "{said}");
    let said = check("kind: openai, api_version: 2024-10-21");
    assert!(
        said.contains("kind \"openai\" takes no `api_version`") && said.contains("it is for azure"),
        "{said}"
    );
    let said = check(
        "kind: azure, base_url: 'https://x.openai.azure.com', api_key: k, entra: { tenant: a/b, client_id: c, client_secret: canary }",
    );
    assert!(said.contains("two credentials") && said.contains("entra.tenant: must be a name"), "{said}");
}
