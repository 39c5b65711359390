//! Clients of many makers see the same behind Weir as at the upstream itself. One script per client runs its scenarios at
//! each target and prints what the client saw; here these are compared, entire but for what `differences.txt` lists.
//!
//! The upstream speaks every vendor's format by the path it is called at. Of each `weir` the deployments speak one
//! format: where it is the client's own, everything must be equal; where it is another, what an application acts upon.

use super::{script, variable};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use weir_testkit::said::{Finish, HEARD, Part, Tokens};
use weir_testkit::{Answer, RunningWeir, Said, Upstream, weir};

/// What a client shows at the upstream itself, and at `weir`.
const NATIVE: &str = "sk-native";
const CLIENT: &str = "wr-client-key";

/// Models of the upstream, and what they say turn by turn.
fn models() -> Vec<(&'static str, Vec<Answer>)> {
    let said = |said: Said| vec![Answer::said(said)];
    let graz = json!({ "city": "Graz" });
    let linz = json!({ "city": "Linz" });
    let tool = Said::text("Let me look.").call("call_1", "weather", graz.clone());
    let tools = Said::new().call("call_2", "weather", linz.clone()).call("call_3", "time", linz);
    let thought = |said: &str| Said::new().thought(said, "c2VhbA==");
    let data = json!({ "name": "Graz", "people": 303_270 });
    let mut models = vec![
        ("plain", said(Said::text("Hello there"))),
        ("echo", said(Said::text(HEARD))),
        ("tool", said(tool.clone())),
        ("tools", said(tools.clone())),
        ("echo-call", said(Said::new().call("call_4", "time", json!({ "city": HEARD })))),
        ("loop", vec![Answer::said(tool), Answer::said(tools), Answer::said(Said::text(HEARD))]),
        ("data", said(Said::new().and(Part::Data(data)))),
        ("echo-data", said(Said::new().and(Part::Text(HEARD_AS_DATA.to_owned())))),
        (
            "thinking",
            said(thought("Six times seven. ").and(Part::Text("42".to_owned())).tokens(spent(0, 0, 3))),
        ),
        (
            "thinking-loop",
            vec![
                Answer::said(thought("I should look. ").call("call_1", "weather", graz)),
                Answer::said(Said::text(HEARD)),
            ],
        ),
        ("stop", said(Said::text("One two ").finish(Finish::Stop("END".to_owned())))),
        ("length", said(Said::text("One two three").finish(Finish::Length))),
        ("refusal", said(Said::new().and(Part::Refusal("I will not.".to_owned())).finish(Finish::Refused))),
        ("usage", said(Said::text("Hello there").tokens(spent(70, 10, 30)))),
        ("breaks", vec![Answer::said(Said::text(&long())).breaks_off(529, "overloaded", "Overloaded")]),
        ("embed", vec![Answer::embeddings(4)]),
        ("prompt", vec![Answer::auto("Hello there")]),
    ];
    for (name, status) in [
        ("status-400", 400),
        ("status-403", 403),
        ("status-429", 429),
        ("status-500", 500),
        ("status-529", 529),
    ] {
        let answer = Answer::refused(status, "code_of_the_vendor", "The vendor's own words.");
        models.push((name, vec![if status == 429 { answer.header("retry-after", "1") } else { answer }]));
    }
    models
}

/// More than is read at one time: the beginning has reached the client when the end is seen.
fn long() -> String {
    (0..8).map(|_| "x".repeat(20_000) + " ").collect()
}

/// What is heard, as the value of a member of JSON.
const HEARD_AS_DATA: &str = "{\"name\":\"Graz\",\"people\":1}";

fn spent(cache_read: u64, cache_write: u64, reasoning: u64) -> Tokens {
    Tokens { input: 20, cache_read, cache_write, output: 50, reasoning }
}

/// The upstream, and a `weir` in front of it for each format that providers speak.
struct House {
    upstream: Upstream,
    behind: Vec<(&'static str, RunningWeir)>,
}

/// Kinds of provider, where their API begins, and what their server has, by the name of their format.
const FORMATS: [(&str, &str, &str, &str); 4] = [
    ("chat", "openai", "v1", "[chat, completions, embeddings]"),
    ("messages", "anthropic", "v1", "[messages, count_tokens]"),
    ("responses", "openai", "v1", "[responses]"),
    ("gemini", "gemini", "v1beta", "[generate_content]"),
];

/// What a `weir` of that format shows at the upstream.
fn key(format: &str) -> String {
    format!("sk-upstream-{format}")
}

fn house(formats: &[&str]) -> House {
    let upstream = Upstream::start();
    let keys = FORMATS.iter().map(|(format, ..)| key(format));
    upstream.only_keys(keys.chain([NATIVE.to_owned()]));
    upstream.always(Answer::refused(404, "model_not_found", "The model does not exist."));
    let models = models();
    let names: Vec<&str> = models.iter().map(|(name, _)| *name).collect();
    upstream.on_path("/v1/messages/count_tokens", Answer::json(200, &json!({ "input_tokens": 12 })));
    for (name, answers) in models {
        upstream.on_turns(name, answers);
    }
    let start = |format: &str, kind: &str, base: &str, endpoints: &str| {
        let mut config = format!(
            "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
             providers: {{ up: {{ kind: {kind}, endpoints: {endpoints}, base_url: 'http://{}/{base}', api_key: {} }} }}\n\
             keys: {{ client: {{ key: {} }} }}\ndeployments:\n",
            upstream.addr(),
            key(format),
            CLIENT,
        );
        names
            .iter()
            .for_each(|name| config.push_str(&format!("  {name}: {{ provider: up, model: {name} }}\n")));
        config.push_str("routes:\n");
        for name in &names {
            config.push_str(&format!("  {name}: {{ deployments: [{name}], retries: {{ max: 0 }} }}\n"));
        }
        weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
    };
    let wanted = FORMATS.iter().filter(|(format, ..)| formats.contains(format));
    let behind = wanted
        .map(|(format, kind, base, endpoints)| (*format, start(format, kind, base, endpoints)))
        .collect();
    House { behind, upstream }
}

/// A listed difference: of which client, at which target, in which scenarios, where, and why. In each of them `*` stands
/// for anything.
struct Listed {
    line: String,
    patterns: [String; 4],
    used: bool,
}

fn listed() -> Vec<Listed> {
    let text = include_str!("../../clients/differences.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (patterns, why) = line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}"));
            assert!(!why.is_empty());
            let patterns: Vec<String> = patterns.split_whitespace().map(str::to_owned).collect();
            let patterns = patterns.try_into().unwrap_or_else(|_| panic!("not four patterns: {line}"));
            Listed { line: line.to_owned(), patterns, used: false }
        })
        .collect()
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((front, rest)) => text.strip_prefix(front).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
        }),
    }
}

/// The places where two values differ, each with both.
fn differences(at: &str, one: &Value, other: &Value, found: &mut Vec<(String, String)>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let member = |of: &Map<String, Value>| of.get(name).cloned().unwrap_or_default();
                differences(&format!("{at}/{name}"), &member(one), &member(other), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(&format!("{at}/{index}"), one, other, found);
            }
        }
        (one, other) if one == other => {}
        // What was heard, in pieces.
        (Value::String(one), Value::String(other)) if one.contains("; ") || other.contains("; ") => {
            let [one, other] = [one, other].map(|text| {
                // At the end of a call's arguments the text is not the last thing.
                let text = text.strip_suffix("\"}").filter(|_| text.starts_with('{')).unwrap_or(text);
                text.split("; ").collect::<Vec<_>>()
            });
            let mut only = |sign: &str, these: &[&str], those: &[&str]| {
                for piece in these.iter().filter(|piece| !those.contains(*piece)) {
                    let word = piece.split([' ', ':']).next().unwrap_or_default();
                    found.push((format!("{at}/{sign}{word}"), (*piece).to_owned()));
                }
            };
            only("-", &one, &other);
            only("+", &other, &one);
        }
        (one, other) => found.push((at.to_owned(), format!("{one}\n      is {other}"))),
    }
}

type Seen = BTreeMap<String, BTreeMap<String, Value>>;

/// Runs a script and compares what its client saw at every target with what it saw at the upstream. `own` is the format
/// whose bytes pass for each of its scenarios: by the beginning of their names. `formats` are those of the deployments.
fn check(name: &str, mut client: Command, own: &[(&str, &str)], formats: &[&str]) {
    let House { upstream, behind } = house(formats);
    let target =
        |name: &str, origin: String, key: &str| json!({ "name": name, "origin": origin, "key": key });
    let mut targets = vec![target("native", format!("http://{}", upstream.addr()), NATIVE)];
    targets.extend(
        behind.iter().map(|(format, weir)| target(format, format!("http://{}", weir.public), CLIENT)),
    );
    let output = client.env("WEIR_TARGETS", Value::from(targets).to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}");
    assert!(output.status.success(), "{said}");
    let last = output.stdout.trim_ascii().split(|byte| *byte == b'\n').next_back().unwrap_or_default();
    let mut seen: Seen = serde_json::from_slice(last).unwrap_or_else(|error| panic!("{error}: {said}"));
    let native = seen.remove("native").unwrap();
    let broken: Vec<_> = native.iter().filter(|(_, data)| data.get("raised").is_some()).collect();
    assert!(broken.is_empty() && !native.is_empty(), "scenarios that fail without Weir: {broken:#?}\n{said}");
    let mut listed = listed();
    listed.retain(|listed| fits(&listed.patterns[0], name));
    let mut wrong = Vec::new();
    for (target, scenarios) in &seen {
        assert_eq!(scenarios.len(), native.len());
        for (scenario, data) in scenarios {
            let format = own.iter().find(|(front, _)| scenario.starts_with(front)).map(|(_, format)| *format);
            let mut found = Vec::new();
            differences("", &native[scenario], data, &mut found);
            if format != Some(target) {
                found.retain(|(at, _)| !at.starts_with("/exact"));
            }
            for (at, both) in found {
                let fitting = listed.iter_mut().find(|listed| {
                    let [_, targets, scenarios, places] = &listed.patterns;
                    fits(targets, target) && fits(scenarios, scenario) && fits(places, &at)
                });
                match fitting {
                    Some(listed) => listed.used = true,
                    None => wrong.push(format!("{name} {target} {scenario} {at}\n         {both}")),
                }
            }
        }
    }
    let unused = listed.iter().filter(|listed| !listed.used && listed.patterns[0] == name);
    wrong.extend(unused.map(|listed| format!("this difference is there no longer: {}", listed.line)));
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    same_calls(&upstream, own);
    for (_, weir) in &behind {
        weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    }
}

/// What the upstream is sent through Weir in the client's own format is what the client sends it: of a client that speaks
/// but one, so that each call is known to be such.
fn same_calls(upstream: &Upstream, own: &[(&str, &str)]) {
    let [(_, format)] = own else { return };
    let calls = upstream.calls();
    let sent = |key: &str| {
        let with = |value: &str| value.split(' ').any(|word| word == key);
        let calls = calls.iter().filter(|call| call.headers.iter().any(|(_, value)| with(value)));
        let call = |call: &weir_testkit::Seen| {
            let mut body = call.json();
            // Weir asks for the usage of every stream.
            body.as_object_mut().map(|body| body.remove("stream_options"));
            (call.path.clone(), body)
        };
        // What Weir itself refuses does not get there.
        let known = |(path, body): &(String, Value)| body["model"] != "nobody" && !path.contains("/nobody:");
        calls.map(call).filter(known).collect::<Vec<_>>()
    };
    let (direct, through) = (sent(NATIVE), sent(&key(format)));
    assert_eq!(direct.len(), through.len());
    for (direct, through) in direct.iter().zip(&through) {
        assert_eq!(direct.1, through.1);
        assert_eq!(direct.0.split('?').next(), through.0.split('?').next());
    }
}

/// Python with the packages in a folder, about to run a script.
fn python(packages: &str, of: &str) -> Option<Command> {
    let mut python = Command::new("python3");
    python.arg(script(&format!("python/{of}"))).env("PYTHONPATH", variable(packages)?);
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    Some(python)
}

const NEWEST: &str = "WEIR_PYTHON_PATH";

#[test]
fn openais_for_python() {
    let Some(client) = python(NEWEST, "openai_chat.py") else { return };
    check("openai", client, &[("", "chat")], &ALL);
}

#[test]
fn anthropics_for_python() {
    let Some(client) = python(NEWEST, "anthropic_messages.py") else { return };
    check("anthropic", client, &[("", "messages")], &ALL);
}

const OTHERS: &str = "WEIR_PYTHON_PATH_OTHERS";
const ALL: [&str; 4] = ["chat", "messages", "responses", "gemini"];
const THREE: [&str; 3] = ["chat", "messages", "responses"];
const TWO: [&str; 2] = ["chat", "messages"];
const EACH: [(&str, &str); 4] =
    [("chat/", "chat"), ("messages/", "messages"), ("responses/", "responses"), ("gemini/", "gemini")];

#[test]
fn langchains_models() {
    let Some(client) = python(NEWEST, "langchain_models.py") else { return };
    check("langchain", client, &EACH, &THREE);
}

#[test]
fn pydantic_ais_agents() {
    let Some(client) = python(NEWEST, "pydantic_ai_agents.py") else { return };
    check("pydantic-ai", client, &EACH, &ALL);
}

#[test]
fn instructors_outputs() {
    let Some(client) = python(OTHERS, "instructor_clients.py") else { return };
    check("instructor", client, &EACH, &TWO);
}

#[test]
fn litellm_as_a_client() {
    let Some(client) = python(OTHERS, "litellm_client.py") else { return };
    check("litellm", client, &EACH, &TWO);
}

#[test]
fn llama_indexs_models() {
    let Some(client) = python(OTHERS, "llama_index_models.py") else { return };
    check("llama-index", client, &[("", "chat")], &TWO);
}

/// Node with the modules that are installed for it, about to run a script.
fn node(of: &str) -> Option<Command> {
    let mut node = Command::new("node");
    node.arg(script(&format!("node/{of}"))).env("NODE_PATH", variable("WEIR_NODE_PATH")?);
    Some(node)
}

#[test]
fn openais_for_node() {
    let Some(client) = node("openai_chat.cjs") else { return };
    check("openai-node", client, &[("", "chat")], &TWO);
}

#[test]
fn anthropics_for_node() {
    let Some(client) = node("anthropic_messages.cjs") else { return };
    check("anthropic-node", client, &[("", "messages")], &TWO);
}

#[test]
fn vercels_ai_sdk() {
    let Some(client) = node("ai_sdk.cjs") else { return };
    check("ai-sdk", client, &EACH, &THREE);
}

#[test]
fn openais_for_python_by_responses() {
    let Some(client) = python(NEWEST, "openai_responses.py") else { return };
    check("openai-responses", client, &[("", "responses")], &ALL);
}

#[test]
fn googles_for_python() {
    let Some(client) = python(NEWEST, "google_genai.py") else { return };
    check("google-genai", client, &[("", "gemini")], &ALL);
}

#[test]
fn googles_for_node() {
    let Some(client) = node("google_genai.cjs") else { return };
    check("google-genai-node", client, &[("", "gemini")], &ALL);
}
