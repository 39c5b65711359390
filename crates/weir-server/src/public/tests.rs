use super::*;
use weir_wire::Headers;

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
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    operation(method, path, query, &Headers::from(&map))
}

fn check(method: &str, path: &str, headers: &[(&'static str, &str)], expect: &str) {
    let got = match asked(method, path, headers) {
        Operation::Call(called) => match called.address {
            None => called.endpoint.name().to_owned(),
            Some(address) => format!("{} of {}, {}", called.endpoint.name(), address.model, address.stream),
        },
        Operation::Models(listing) => format!("{listing:?} models"),
        Operation::Model(listing, name) => format!("{listing:?} model {name}"),
        Operation::Show => "show".to_owned(),
        Operation::Version => "version".to_owned(),
        Operation::Nothing(fault) => fault.status.to_string(),
    };
    assert_eq!(got, expect, "{method} {path} {headers:?}");
}

#[test]
fn requests_are_told_apart_by_method_and_path() {
    check("POST", "/v1/chat/completions", &[], "chat");
    check("POST", "/v1/completions", &[], "completions");
    check("POST", "/v1/embeddings", &[], "embeddings");
    check("GET", "/v1/models", &[], "OpenAi models");
    check("GET", "/v1/models/meta/llama-3", &[], "OpenAi model meta/llama-3");
    check("GET", "/v1/models/meta%2Fllama%203%zz", &[], "OpenAi model meta/llama 3%zz");
    check("GET", "/v1/models/%ff", &[], "OpenAi model %ff");
    check("GET", "/v1/chat/completions", &[], "405");
    check("POST", "/v1/models", &[], "405");
    check("DELETE", "/v1/models/x", &[], "405");
}

#[test]
fn apis_that_share_an_address_are_told_apart_by_headers_and_suffix() {
    let anthropic = [("anthropic-version", "2023-06-01")];
    let google = [("x-goog-api-key", "k")];
    check("GET", "/v1/models", &anthropic, "Anthropic models");
    check("GET", "/v1/models/m", &anthropic, "Anthropic model m");
    check("GET", "/v1/models", &google, "Google models");
    check("GET", "/v1beta/models", &[], "Google models");
    check("GET", "/v1beta/models/m", &[], "Google model m");
    check("GET", "/api/tags", &[], "Ollama models");
    check("POST", "/api/show", &[], "show");
    check("GET", "/api/show", &[], "405");
    check("GET", "/api/version", &[], "version");
    for version in ["v1", "v1beta"] {
        let model = format!("/{version}/models/org%2Fm:1");
        check("POST", &format!("{model}:generateContent"), &[], "generate_content of org/m:1, false");
        let stream = format!("{model}:streamGenerateContent");
        check("POST", &format!("{stream}?alt=sse"), &[], "generate_content of org/m:1, true");
        check("POST", &format!("{stream}?key=k&alt=sse"), &[], "generate_content of org/m:1, true");
        check("POST", &stream, &[], "400");
        check("GET", &stream, &[], "405");
        check("POST", &format!("/{version}/models/:generateContent"), &[], "405");
    }
    check("POST", "/v1/responses", &[], "responses");
    check("POST", "/api/chat", &[], "ollama_chat");
    check("POST", "/api/generate", &[], "ollama_generate");
}

#[test]
fn faults_are_told_in_the_words_of_the_api_that_was_called() {
    let check = |method: &str, path: &str, headers: &[(&'static str, &str)], expect: &str| {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let client = client_of(&asked(method, path, headers), path, &Headers::from(&map));
        assert_eq!(client.name(), expect, "{method} {path}");
    };
    check("POST", "/v1/chat/completions", &[], "chat");
    check("POST", "/v1/embeddings", &[], "chat");
    check("POST", "/v1/messages", &[], "messages");
    check("GET", "/v1/messages", &[], "messages");
    check("GET", "/v1/models", &[("anthropic-version", "2023-06-01")], "messages");
    check("POST", "/v1beta/models/m:generateContent", &[], "gemini");
    check("POST", "/v1beta/nothing", &[], "gemini");
    check("POST", "/api/generate", &[], "ollama_generate");
    check("POST", "/api/nothing", &[], "ollama");
    check("GET", "/nothing", &[], "chat");
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
