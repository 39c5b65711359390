//! OpenAI's own clients for Python and Node, unchanged but for the base URL.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alike;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use weir_testkit::{Answer, How, Process, RunningWeir, Upstream, weir};

const KEY: &str = "wr-client-key";
const STATUSES: [u16; 7] = [400, 403, 409, 422, 429, 500, 529];

/// An upstream with a model for every check of the scripts, and a gateway with a route of the same name for each.
struct House {
    upstream: Upstream,
    weir: RunningWeir,
}

fn house() -> House {
    let upstream = Upstream::start();
    let mut models: Vec<String> = Vec::new();
    let mut model = |name: &str, answer: Option<Answer>| {
        models.push(name.to_owned());
        if let Some(answer) = answer {
            upstream.on_model(name, answer);
        }
    };
    model("hello", Some(Answer::auto("Hello there")));
    model("org/model", Some(Answer::auto("Hello there")));
    model("tools", Some(Answer::json(200, &tool_call())));
    model("tools-streamed", Some(Answer::events(tool_call_events())));
    model("structured", Some(Answer::auto("{\"name\":\"Graz\",\"people\":303270}")));
    for status in STATUSES {
        let answer = Answer::status(status);
        let answer = if status == 429 { answer.header("retry-after", "7") } else { answer };
        model(&format!("status-{status}"), Some(answer));
    }
    model("cut", Some(Answer::stream(["Hel", "lo", "never seen"]).eof_after_events(3)));
    model("silent", Some(Answer::never()));
    model("endless", Some(Answer::stream(["one ", "two ", "three "]).pause_after_events(3)));
    model("down", Some(Answer::status(503)));
    // The script's answers are left for this one: the first call fails, the client itself tries again.
    model("second-time", None);
    upstream.script([Answer::status(503).header("retry-after", "0"), Answer::chat("Now")]);
    let mut config = format!(
        "providers: {{ up: {{ kind: openai, base_url: {}, api_key: sk-upstream }} }}\n\
         keys: {{ client: {{ key: {KEY} }} }}\nstore: {{}}\ndeployments:\n",
        upstream.url()
    );
    models.iter().for_each(|name| config.push_str(&format!("  {name}: {{ provider: up, model: {name} }}\n")));
    for name in ["down-too", "down-as-well"] {
        config.push_str(&format!("  {name}: {{ provider: up, model: down }}\n"));
    }
    config.push_str("routes:\n");
    for name in models.iter().filter(|name| *name != "down") {
        config.push_str(&format!("  {name}: {{ deployments: [{name}], retries: {{ max: 0 }} }}\n"));
    }
    config.push_str("  down: { deployments: [down, down-too, down-as-well] }\n");
    House { weir: weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config), upstream }
}

fn tool_call() -> Value {
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Graz\"}" } });
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "tools",
        "choices": [{
            "index": 0, "finish_reason": "tool_calls",
            "message": { "role": "assistant", "content": null, "tool_calls": [call] },
        }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14 },
    })
}

fn tool_call_events() -> Vec<String> {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "tools-streamed",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        })
        .to_string()
    };
    let piece = |text: &str| json!({ "tool_calls": [{ "index": 0, "function": { "arguments": text } }] });
    let begun = json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": "weather", "arguments": "" } });
    vec![
        chunk(json!({ "role": "assistant", "content": null, "tool_calls": [begun] }), Value::Null),
        chunk(piece("{\"city\":"), Value::Null),
        chunk(piece("\"Graz\"}"), Value::Null),
        chunk(json!({}), json!("tool_calls")),
    ]
}

/// A variable that `cargo xtask ci` sets. Without it these tests have nothing to run: elsewhere that is said, in CI it fails.
fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).map(PathBuf::from);
    if value.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not set: run the tests by `cargo xtask ci`");
        eprintln!("skipped: {name} is not set; `cargo xtask ci` installs the clients and sets it");
    }
    value
}

/// Runs a script of checks to its end, then holds what the upstream saw against what the client asked.
fn check(mut client: Command, last: &str) {
    let House { upstream, weir } = house();
    client.env("WEIR_URL", weir.url()).env("WEIR_KEY", KEY);
    let mut script = Process::start(&mut client);
    let status = script.wait_for_exit();
    let said = script.stdout();
    assert!(status.success(), "{said}{}", script.stderr());
    assert!(said.lines().last() == Some(&format!("ok {last}")), "{said}");
    eprintln!("{said}");
    // What a client leaves or gives up ends upstream as well.
    for model in ["silent", "endless"] {
        let log = upstream.wait_for("the end of what was left", |log| {
            let mut left = log.calls.iter().filter(|call| call.json()["model"] == model);
            left.all(|call| call.ended.is_some())
        });
        let mut left = log.calls.iter().filter(|call| call.json()["model"] == model).peekable();
        assert!(left.peek().is_some());
        assert!(left.all(|call| call.ended.is_some_and(|ended| ended.how == How::PeerClosed)), "{model}");
    }
    let calls = upstream.calls();
    let seen = |model: &str| calls.iter().find(|call| call.json()["model"] == model).unwrap().json();
    assert_eq!(seen("structured")["response_format"]["type"], "json_schema");
    assert_eq!(seen("tools")["tools"][0]["function"]["name"], "weather");
    for call in &calls {
        let foreign =
            call.headers.iter().find(|(name, value)| name.starts_with("x-stainless") || value.contains(KEY));
        assert_eq!(foreign, None, "clients talk about themselves; upstreams need not know");
    }
    // R5: a client with two retries of its own, in front of three deployments that are all down.
    let amplified = calls.iter().filter(|call| call.json()["model"] == "down").count();
    assert!((2..=6).contains(&amplified), "one request became {amplified} calls");
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
}

fn script(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(of)
}

#[test]
fn pythons_client_works() {
    let Some(packages) = variable("WEIR_PYTHON_PATH") else { return };
    let mut client = Command::new("python3");
    client.arg(script("python/checks.py")).env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    check(client, "leaving_a_stream");
}

#[test]
fn nodes_client_works() {
    let Some(modules) = variable("WEIR_NODE_PATH") else { return };
    let mut client = Command::new("node");
    client.arg(script("node/checks.cjs")).env("NODE_PATH", modules);
    check(client, "aborting_a_stream");
}
