//! What a deployment does not say of itself it has from the catalogue, and a price that nobody knows is not zero.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";
const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// One upstream, and these deployments at it, each with a route of its own.
fn start(upstream: &Upstream, rest: &str, deployments: &[(&str, &str)]) -> RunningWeir {
    let (mut all, mut routes) = (String::new(), String::new());
    for (name, more) in deployments {
        all += &format!("  {name}: {{ provider: up, model: m-{name}{more} }}\n");
        routes += &format!("  {name}: {{ deployments: [{name}], hints: [max_cost, no_fallback] }}\n");
    }
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers: {{ up: {{ kind: openai, base_url: '{}' }} }}\n\
         deployments:\n{all}routes:\n{routes}{rest}",
        upstream.url()
    );
    weir_testkit::weir::start(Path::new(WEIR), &config)
}

fn answer(usage: &Value) -> Answer {
    Answer::json(
        200,
        &json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "up",
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "hi" } }],
            "usage": usage,
        }),
    )
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

fn ask(weir: &RunningWeir, model: &str, more: &Value) -> Reply {
    let mut call = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    for (key, value) in more.as_object().into_iter().flatten() {
        call[key] = value.clone();
    }
    weir.post(CHAT, &[], &call)
}

fn weir(arguments: &[&str], folder: &Path) -> Output {
    Command::new(WEIR).args(arguments).current_dir(folder).output().unwrap()
}

#[track_caller]
fn told(output: &Output, code: i32) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{told}");
    told
}

#[test]
fn what_is_not_stated_comes_from_the_catalogue() {
    let upstream = Upstream::start();
    let entry = ", catalog: openai/gpt-5.2";
    let weir = start(
        &upstream,
        "",
        &[
            ("listed", entry),
            ("priced", ", catalog: openai/gpt-5.2, price: { input: 1, output: 1 }"),
            ("classed", ", catalog: openai/gpt-5.2, class: fast, max_output: 10"),
            ("alone", ""),
        ],
    );
    upstream.script(std::iter::repeat_with(|| answer(&usage(1000, 50))).take(3));
    // 1000 at 1.75 and 50 at 14 USD per million; then at a price of the deployment's own.
    assert_eq!(ask(&weir, "listed", &json!({})).header("x-weir-cost"), Some("0.00245"));
    assert_eq!(ask(&weir, "priced", &json!({})).header("x-weir-cost"), Some("0.00105"));
    assert_eq!(ask(&weir, "class:reasoning", &json!({})).status, 200, "classes are the catalogue's, too");
    let refused = |model: &str, most: u64| {
        ask(&weir, model, &json!({ "max_tokens": most })).json()["error"]["code"].clone()
    };
    assert_eq!(refused("listed", 128_001), "max_tokens_too_large");
    assert_eq!(refused("classed", 11), "max_tokens_too_large", "what is stated goes before");
    let sound = json!({ "messages": [{ "role": "user", "content": [
        { "type": "input_audio", "input_audio": { "data": "", "format": "wav" } }
    ] }] });
    assert_eq!(ask(&weir, "listed", &sound).json()["error"]["code"], "capability_not_supported");
    let config = weir.admin("GET", "/admin/config").json()["config"].clone();
    let of = |name: &str| config["deployments"][name].clone();
    assert_eq!(
        of("listed")["from_catalog"]["keys"],
        json!(["price", "class", "capabilities", "max_input", "max_output"])
    );
    assert_eq!(of("listed")["catalog"], "openai/gpt-5.2");
    assert_eq!(of("listed")["from_catalog"]["date"], "2026-11-21");
    assert_eq!(
        of("priced")["from_catalog"]["keys"],
        json!(["class", "capabilities", "max_input", "max_output"])
    );
    assert_eq!(of("classed")["from_catalog"]["keys"], json!(["price", "capabilities", "max_input"]));
    assert_eq!((&of("classed")["class"], &of("alone")["catalog"]), (&json!(["fast"]), &Value::Null));
    assert_eq!(of("alone")["price"], Value::Null, "another address is another vendor");
}

/// Where a price is from can be asked: of a file, and of a gateway.
#[test]
fn where_a_price_is_from_is_told() {
    let upstream = Upstream::start();
    let weir_ = start(&upstream, "", &[("listed", ", catalog: openai/gpt-5.2"), ("alone", "")]);
    let config = weir_.folder().join("weir.yaml");
    let config = config.to_str().unwrap();
    let check = told(&weir(&["check", "-c", config], weir_.folder()), 0);
    for line in [
        "listed: price, class, capabilities, max_input, max_output from the catalogue (openai/gpt-5.2 of 2026-11-21)",
        "alone: price unknown",
    ] {
        assert!(check.contains(line), "{check}");
    }
    let check: Value =
        serde_json::from_str(&told(&weir(&["check", "-c", config, "--json"], weir_.folder()), 0)).unwrap();
    assert_eq!(check["catalog"]["listed"]["entry"], "openai/gpt-5.2");
    assert_eq!(check["catalog"]["alone"]["price_known"], false);
    let explain = |model: &str| {
        let request =
            json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] }).to_string();
        std::fs::write(weir_.folder().join("call.json"), request).unwrap();
        told(&weir(&["explain", "-c", config, "-r", "call.json"], weir_.folder()), 0)
    };
    let listed = explain("listed");
    assert!(listed.contains("(catalog openai/gpt-5.2 of 2026-11-21)"), "{listed}");
    let alone = explain("alone");
    assert!(alone.contains("price unknown"), "{alone}");
}

#[test]
fn an_unknown_price_is_not_zero() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "", &[("alone", ""), ("free", ", price: { input: 0, output: 0 }")]);
    upstream.script([answer(&usage(9, 5)), answer(&usage(9, 5))]);
    let reply = ask(&weir, "alone", &json!({}));
    assert_eq!(
        (reply.header("x-weir-cost"), reply.header("x-litellm-response-cost")),
        (Some("unknown"), None)
    );
    let id = reply.header("x-request-id").unwrap().to_owned();
    let line = weir.wait_for_log("the line", |line| line["request_id"] == id.as_str());
    assert_eq!((&line["cost_usd"], &line["cost_unknown"]), (&Value::Null, &json!(true)), "{line}");
    let decision =
        weir.admin("GET", &format!("/admin/decisions/{}", reply.header("x-weir-decision").unwrap())).json();
    assert_eq!(
        (&decision["cost_usd"], &decision["cost_unknown"]),
        (&Value::Null, &json!(true)),
        "{decision}"
    );
    weir.wait_for_metric("weir_cost_unknown_total", &[("deployment", "alone")], 1.0);
    let free = ask(&weir, "free", &json!({}));
    assert_eq!((free.header("x-weir-cost"), free.header("x-litellm-response-cost")), (Some("0"), Some("0")));
    assert_eq!(weir.metric("weir_cost_unknown_total", &[("deployment", "free")]), None);
    // A caller with a limit is not sent where nobody can say what it will cost.
    let call = json!({ "model": "alone", "messages": [{ "role": "user", "content": "hi" }] });
    let capped = weir.post(CHAT, &[("x-weir-max-cost", "100")], &call);
    assert_eq!(
        (capped.status, &capped.json()["error"]["code"]),
        (400, &json!("max_cost_exceeded")),
        "{}",
        capped.text()
    );
}

/// Figures of one's own go before the built-in ones, and a change of them takes effect by itself.
#[test]
fn an_own_file_is_followed() {
    let upstream = Upstream::start();
    let folder = tempfile("own");
    let own = folder.join("own.yaml");
    let write = |price: &str| {
        let offer = format!("{{ at: openai, id: gpt-5.2, price: {price} }}");
        std::fs::write(&own, format!("models: {{ gpt-5.2: {{ offers: [{offer}] }} }}\n")).unwrap();
    };
    write("{ input: 1, output: 0 }");
    let rest = format!("catalog: {{ file: '{}' }}\n", own.display());
    let weir = start(&upstream, &rest, &[("listed", ", catalog: openai/gpt-5.2")]);
    let cost = || {
        upstream.script([answer(&usage(1000, 1000))]);
        ask(&weir, "listed", &json!({})).header("x-weir-cost").map(str::to_owned)
    };
    assert_eq!(cost().as_deref(), Some("0.001"));
    assert_eq!(
        ask(&weir, "listed", &json!({ "max_tokens": 128_001 })).status,
        400,
        "the rest stays the catalogue's"
    );
    let generation = || weir.metric("weir_config_generation", &[]);
    let before = generation();
    write("{ input: 2, output: 0, cached_input: 1 }");
    assert!(weir.process.eventually(|| (generation() > before).then_some(())).is_some(), "{}", weir.logs());
    assert_eq!(cost().as_deref(), Some("0.002"));
    // A file with a mistake changes nothing, and says where.
    write("{ inptu: 2 }");
    let rejected = || weir.metric("weir_config_last_reload_success", &[]).filter(|ok| *ok == 0.0);
    assert!(weir.process.eventually(rejected).is_some(), "{}", weir.logs());
    assert_eq!(cost().as_deref(), Some("0.002"));
    let reply = weir.reload();
    assert_eq!(reply.status, 422);
    assert!(
        reply.text().contains("own.yaml:1:") && reply.text().contains("did you mean"),
        "{}",
        reply.text()
    );
    std::fs::remove_file(&own).unwrap();
    let reply = weir.reload();
    assert!(reply.status == 422 && reply.text().contains("catalog.file"), "{}", reply.text());
    std::fs::remove_dir_all(folder).unwrap();
}

/// A new folder of this process.
fn tempfile(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("weir-catalog-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_catalogue_answers_questions() {
    let folder = tempfile("cli");
    let run = |arguments: &[&str], code: i32| {
        let all: Vec<&str> = std::iter::once("catalog").chain(arguments.iter().copied()).collect();
        told(&weir(&all, &folder), code)
    };
    let list = run(&["list", "--class", "coding", "--vendor", "anthropic"], 0);
    assert!(list.contains("claude-sonnet-4.6") && !list.contains("gpt-5.2"), "{list}");
    let all: Value = serde_json::from_str(&run(&["list", "--json"], 0)).unwrap();
    assert!(all["models"].as_array().unwrap().len() >= 60);
    let show = run(&["show", "anthropic/claude-sonnet-4-6"], 0);
    for word in ["Claude Sonnet 4.6", "cache_write_1h $6 per million", "LiteLLM's price map", "2026-11-21"] {
        assert!(show.split_whitespace().collect::<Vec<_>>().join(" ").contains(word), "{word}\n{show}");
    }
    let show: Value = serde_json::from_str(&run(&["show", "gpt-5.2", "--json"], 0)).unwrap();
    assert_eq!(show["offers"][0]["price"]["input"], "1.75");
    assert!(run(&["show", "gpt-5.22"], 2).contains("did you mean \"gpt-5.2\""));
    assert!(run(&["list", "--class", "codin"], 2).contains("did you mean \"coding\"?"));
    assert!(run(&["list", "--vendor", "opena"], 2).contains("did you mean \"openai\"?"));
    let map = json!({
        "gpt-5.2": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2e-06,
                     "output_cost_per_token": 1.4e-05 },
        "groq/new": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 1e-06,
                      "output_cost_per_token": 1e-13 },
    });
    std::fs::write(folder.join("map.json"), map.to_string()).unwrap();
    let diff = run(&["diff", "map.json"], 1);
    assert!(
        diff.contains("openai/gpt-5.2") && diff.contains("1.75") && diff.contains("1 are not in"),
        "{diff}"
    );
    let import = run(&["import", "map.json", "-o", "own.yaml", "--date", "2026-11-20"], 0);
    assert!(import.contains("2 entries") && import.contains("finer than the finest price"), "{import}");
    assert!(run(&["import", "map.json", "-o", "own.yaml"], 2).contains("--force"));
    let show = run(&["show", "gpt-5.2", "--file", "own.yaml"], 0);
    assert!(show.contains("$2 per million") && show.contains("2026-11-20"), "{show}");
    let same = run(&["diff", "own.yaml", "--json"], 1);
    assert_eq!(serde_json::from_str::<Value>(&same).unwrap()["new"].as_array().map(Vec::len), Some(1));
    std::fs::write(folder.join("empty.yaml"), "models: {}\n").unwrap();
    assert!(run(&["diff", "empty.yaml"], 0).contains("0 differ"));
    assert!(run(&["diff", "missing.yaml"], 2).contains("missing.yaml"));
    assert!(run(&["import", "empty.yaml"], 2).contains("not a price map"));
    std::fs::remove_dir_all(folder).unwrap();
}
