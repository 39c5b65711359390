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
    let nowhere = Place::default();
    let path = |base: &str, endpoint, stream| openai::KIND.path(base, &nowhere, endpoint, stream);
    assert_eq!(path("/v1", Endpoint::Chat, false), "/v1/chat/completions");
    assert_eq!(path("", Endpoint::Embeddings, false), "/embeddings");
    // What another API has stands where that has it.
    assert_eq!(path("/v1", Endpoint::OllamaChat, true), "/api/chat");
    let streamed = path("/v1beta", Endpoint::GenerateContent, true);
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

#[test]
fn azure_is_addressed_by_its_version() {
    let dated = Place { api_version: Some("2024-10-21"), ..Place::default() };
    let check = |base: &str, place: &Place<'_>, endpoint, expect: &str| {
        assert_eq!(azure::KIND.path(base, place, endpoint, false), expect);
    };
    for base in ["", "/openai", "/openai/v1"] {
        check(base, &Place::default(), Endpoint::Chat, "/openai/v1/chat/completions");
        check(base, &Place::default(), Endpoint::Responses, "/openai/v1/responses");
        let deployed = "/openai/deployments/{model}/chat/completions?api-version=2024-10-21";
        check(base, &dated, Endpoint::Chat, deployed);
        check(base, &dated, Endpoint::Responses, "/openai/responses?api-version=2024-10-21");
    }
}

#[test]
fn vertex_is_where_its_project_is() {
    let locate = vertex::GEMINI.locate.unwrap();
    let place = |location| Place { project: Some("p"), location, ..Place::default() };
    let regional = "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1";
    assert_eq!(locate(&place(Some("europe-west1"))).unwrap(), regional);
    let global = "https://aiplatform.googleapis.com/v1/projects/p/locations/global";
    assert_eq!(locate(&place(None)).unwrap(), global);
    assert!(locate(&Place::default()).unwrap_err().contains("project"));
    let path = |kind: &Kind, endpoint, stream| kind.path("/b", &Place::default(), endpoint, stream);
    let gemini = path(&vertex::GEMINI, Endpoint::GenerateContent, true);
    assert_eq!(gemini, "/b/publishers/google/models/{model}:streamGenerateContent?alt=sse");
    let claude = path(&vertex::CLAUDE, Endpoint::Messages, false);
    assert_eq!(claude, "/b/publishers/anthropic/models/{model}:rawPredict");
}

#[test]
fn coheres_paths_are_of_its_second_version() {
    let path = |endpoint| cohere::KIND.path("", &Place::default(), endpoint, false);
    let made = [Endpoint::CohereChat, Endpoint::CohereEmbed, Endpoint::Rerank].map(path);
    assert_eq!(made, ["/v2/chat", "/v2/embed", "/v2/rerank"]);
    assert_eq!(cohere::KIND.serves(Endpoint::Embeddings), Some(Endpoint::CohereEmbed));
}

#[test]
fn bedrock_is_where_its_region_is() {
    let locate = |region| bedrock::KIND.locate.unwrap()(&Place { region, ..Place::default() });
    assert_eq!(locate(Some("eu-central-1")).unwrap(), "https://bedrock-runtime.eu-central-1.amazonaws.com");
    assert_eq!(locate(Some("cn-north-1")).unwrap(), "https://bedrock-runtime.cn-north-1.amazonaws.com.cn");
    assert!(locate(None).unwrap_err().contains("aws.region"));
}
