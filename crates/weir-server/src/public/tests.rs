use super::*;

fn asked(method: &str, path: &str, headers: &[(&'static str, &str)]) -> Operation {
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        _ => Method::Other,
    };
    let mut map = http::HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    operation(method, path, &Headers::from(&map))
}

fn check(method: &str, path: &str, headers: &[(&'static str, &str)], expect: &str) {
    let got = match asked(method, path, headers) {
        Operation::Call(endpoint) => endpoint.operation().to_owned(),
        Operation::Models => "models".to_owned(),
        Operation::Model(name) => format!("model {name}"),
        Operation::Nothing(fault) => fault.status.to_string(),
    };
    assert_eq!(got, expect, "{method} {path} {headers:?}");
}

#[test]
fn requests_are_told_apart_by_method_and_path() {
    check("POST", "/v1/chat/completions", &[], "chat");
    check("POST", "/v1/completions", &[], "text_completion");
    check("POST", "/v1/embeddings", &[], "embeddings");
    check("GET", "/v1/models", &[], "models");
    check("GET", "/v1/models/meta/llama-3", &[], "model meta/llama-3");
    check("GET", "/v1/models/meta%2Fllama%203%zz", &[], "model meta/llama 3%zz");
    check("GET", "/v1/models/%ff", &[], "model %ff");
    check("GET", "/v1/chat/completions", &[], "405");
    check("POST", "/v1/models", &[], "405");
    check("DELETE", "/v1/models/x", &[], "405");
}

#[test]
fn no_spelling_of_a_path_reaches_another_one() {
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/models/",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/V1/chat/completions",
        "/v1/./chat/completions",
        "/v1/x/../chat/completions",
        "/v1/%63hat/completions",
        "/v1/chat%2fcompletions",
        "/admin/config",
        "/metrics",
    ] {
        check("POST", path, &[], "404");
    }
}

#[test]
fn a_body_has_to_be_json() {
    let chat = "/v1/chat/completions";
    check("POST", chat, &[("content-type", "application/json; charset=utf-8")], "chat");
    check("POST", chat, &[("content-type", "Application/JSON")], "chat");
    check("POST", chat, &[("content-type", "application/vnd.x+json")], "chat");
    check("POST", chat, &[("content-type", "text/plain")], "415");
    check("POST", chat, &[("content-type", "multipart/form-data; boundary=x")], "415");
    check("POST", chat, &[("content-encoding", "gzip")], "415");
    check("POST", chat, &[("content-encoding", "identity")], "chat");
}

#[test]
fn health_needs_nothing() {
    let status = |path, phase| health(Method::Get, path, phase).map(|r| r.status.as_u16());
    assert_eq!(status("/health/live", Phase::Draining), Some(200));
    assert_eq!(status("/health/ready", Phase::Running), Some(200));
    assert_eq!(status("/health/ready", Phase::Draining), Some(503));
    assert_eq!(status("/health", Phase::Running), None);
}
