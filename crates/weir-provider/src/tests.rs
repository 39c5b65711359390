use super::*;
use std::collections::HashSet;

#[test]
fn the_roster_is_consistent() {
    let mut names = HashSet::new();
    for kind in kinds() {
        assert!(names.insert(kind.name), "{} is listed twice", kind.name);
        assert!(kind.source.starts_with("https://"), "{}: a fact needs its source", kind.name);
        assert!(kind.description.ends_with('.'), "{}: one sentence", kind.name);
        assert!(
            std::ptr::eq(super::kind(kind.name).unwrap(), super::kind(kind.name).unwrap())
                || kind.name == "openai"
        );
    }
    assert!(kind("nobody").is_none());
}

#[test]
fn headers_carry_the_credential_and_the_extras() {
    let host = HeaderValue::from_static("api.example");
    let extra = [("x-team".to_owned(), Secret::new("a"))];
    let headers = openai::KIND.headers(&host, Some(&Secret::new("sk-1")), &extra).unwrap();
    assert_eq!(headers[header::AUTHORIZATION], "Bearer sk-1");
    assert_eq!(headers["x-team"], "a");
    assert!(!format!("{headers:?}").contains("sk-1"), "a sensitive value does not print");
    assert!(!openai::KIND.headers(&host, None, &[]).unwrap().contains_key(header::AUTHORIZATION));
    let broken = [("x-team".to_owned(), Secret::new("a\nb"))];
    assert_eq!(openai::KIND.headers(&host, None, &broken).unwrap_err(), "x-team");
}

#[test]
fn paths_follow_the_base() {
    assert_eq!(openai::KIND.path("/v1", Endpoint::Chat, false), "/v1/chat/completions");
    assert_eq!(openai::KIND.path("", Endpoint::Embeddings, false), "/embeddings");
    // What another API has stands where that has it.
    assert_eq!(openai::KIND.path("/v1", Endpoint::OllamaChat, true), "/api/chat");
    let streamed = openai::KIND.path("/v1beta", Endpoint::GenerateContent, true);
    let named = with_model(&streamed, "org/m 1:ü");
    assert_eq!(named, "/v1beta/models/org%2Fm%201%3A%C3%BC:streamGenerateContent?alt=sse");
}

#[test]
fn the_reference_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/providers.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, reference(), "run with UPDATE_DOCS=1 to write it anew");
}
