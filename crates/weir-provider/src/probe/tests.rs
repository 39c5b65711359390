use super::*;
use crate::kind;

fn check(probe: Probe, status: u16, body: &str, expect: Result<(), &str>) {
    let got = probe.judge(status, body.as_bytes(), "m");
    let got = got.as_ref().copied().map_err(|fault| fault.code.as_deref().unwrap_or_default());
    assert_eq!(got, expect, "{probe:?} {status} {body}");
}

#[test]
fn a_good_answer_is_what_the_probe_says() {
    for probe in [Probe::Health, Probe::Path] {
        check(probe, 200, "", Ok(()));
        check(probe, 204, "anything", Ok(()));
        check(probe, 503, r#"{"status":"Loading model"}"#, Err("probe_status"));
        check(probe, 302, "", Err("probe_status"));
    }
    check(Probe::Models, 200, r#"{"data":[{"id":"a"},{"id":"m"}]}"#, Ok(()));
    check(Probe::Models, 200, r#"{"data":[{"id":"mm"}]}"#, Err("probe_model"));
    check(Probe::Models, 200, r#"{"data":{}}"#, Err("probe_model"));
    check(Probe::Models, 401, r#"{"data":[{"id":"m"}]}"#, Err("probe_status"));
    check(Probe::Models, 200, "<html>", Err("probe_malformed"));
    check(Probe::Completion, 200, r#"{"choices":[{"finish_reason":"length"}]}"#, Ok(()));
    check(Probe::Completion, 200, r#"{"choices":[]}"#, Err("probe_malformed"));
    check(Probe::Completion, 200, r#"{"error":{"message":"CUDA"}}"#, Err("probe_malformed"));
}

/// Ollama answers for every model that is installed; the first request to one that is not loaded waits for it.
#[test]
fn with_ollama_being_loaded_counts() {
    let loaded = |name: &str| {
        format!(
            r#"{{"models":[{{"name":"{name}","model":"{name}","size_vram":5137025024,"expires_at":"2026-01-01T00:00:00Z"}}]}}"#
        )
    };
    check(Probe::Loaded, 200, &loaded("m"), Ok(()));
    check(Probe::Loaded, 200, &loaded("m:latest"), Ok(()));
    check(Probe::Loaded, 200, &loaded("m:70b"), Err("probe_model"));
    check(Probe::Loaded, 200, r#"{"models":[]}"#, Err("probe_model"));
}

#[test]
fn each_kind_is_asked_in_its_own_way() {
    let ask =
        |name: &str, probe: Probe| probe.ask(kind(name).unwrap(), "/base/v1", &Place::default(), "m", "/own");
    let paths = |probe| ask("openai", probe).path;
    assert_eq!(paths(Probe::Health), "/health");
    assert_eq!(paths(Probe::Loaded), "/api/ps");
    assert_eq!(paths(Probe::Models), "/base/v1/models");
    assert_eq!(paths(Probe::Path), "/base/v1/own");
    let asked = ask("openai", Probe::Completion);
    assert_eq!((asked.method, &*asked.path), (Method::POST, "/base/v1/chat/completions"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!((&body["model"], &body["max_completion_tokens"]), (&json!("m"), &json!(1)));
    let body: Value = serde_json::from_str(&ask("ollama", Probe::Completion).body).unwrap();
    assert_eq!((&body["max_tokens"], &body["max_completion_tokens"]), (&json!(1), &Value::Null));
}

#[test]
fn formats_other_than_openais_are_asked_in_their_own() {
    check(Probe::Models, 200, r#"{"models":[{"name":"models/a"},{"name":"models/m"}]}"#, Ok(()));
    check(Probe::Models, 200, r#"{"models":[{"name":"models/mm"}]}"#, Err("probe_model"));
    for good in [r#"{"content":[{}]}"#, r#"{"candidates":[{}]}"#, r#"{"output":[{}]}"#, r#"{"message":{}}"#] {
        check(Probe::Completion, 200, good, Ok(()));
    }
    let ask = |name: &str, probe: Probe| {
        let asked = probe.ask(kind(name).unwrap(), "/base", &Place::default(), "org/m", "");
        (asked.path, serde_json::from_str::<Value>(&asked.body).unwrap_or_default())
    };
    assert_eq!(ask("gemini", Probe::Models).0, "/base/models?pageSize=1000");
    let (path, body) = ask("gemini", Probe::Completion);
    assert_eq!(path, "/base/models/org%2Fm:generateContent");
    assert_eq!(body["generationConfig"]["maxOutputTokens"], 1);
    assert_eq!(body["contents"][0]["parts"][0]["text"], "hi");
    let (path, body) = ask("vertex_anthropic", Probe::Completion);
    assert_eq!(path, "/base/publishers/anthropic/models/org%2Fm:rawPredict");
    assert_eq!((&body["anthropic_version"], &body["max_tokens"]), (&json!("vertex-2023-10-16"), &json!(1)));
    assert_eq!(body.get("model"), None);
}

#[test]
fn defaults_fit_the_kind() {
    for (name, probe, gauges) in [
        ("openai", Probe::Models, false),
        ("vllm", Probe::Health, true),
        ("sglang", Probe::Health, true),
        ("llama_cpp", Probe::Health, true),
        ("ollama", Probe::Loaded, false),
        ("groq", Probe::Models, false),
    ] {
        let kind = kind(name).unwrap();
        assert_eq!((kind.probe, kind.gauges), (probe, gauges), "{name}");
    }
}
