//! What is not generated text: vectors in every API's words, counts, judgements, ranks, images and sound; and what they cost.

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

/// Upstreams of OpenAI's, Google's, Ollama's and Anthropic's kind, and a route of that name to each.
struct Stage {
    openai: Upstream,
    google: Upstream,
    ollama: Upstream,
    anthropic: Upstream,
    weir: RunningWeir,
}

fn stage() -> Stage {
    let (openai, google, ollama, anthropic) =
        (Upstream::start(), Upstream::start(), Upstream::start(), Upstream::start());
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
keys: {{ me: {{ key: wr-client-key }} }}
providers:
  openai: {{ kind: openai, base_url: '{}' }}
  google: {{ kind: openai, base_url: '{}', endpoints: [batch_embed_contents, count_contents] }}
  ollama: {{ kind: openai, base_url: '{}', endpoints: [ollama_embed] }}
  anthropic: {{ kind: anthropic, base_url: '{}' }}
deployments:
  openai:
    {{ provider: openai, model: up, price: {{ input: 2, output: 4, image: 0.04, character: 0.00001, request: 0.002 }} }}
  google: {{ provider: google, model: up, price: {{ input: 1, output: 1 }} }}
  ollama: {{ provider: ollama, model: up, price: {{ input: 1, output: 1 }} }}
  anthropic: {{ provider: anthropic, model: up }}
routes:
  openai: {{ deployments: [openai], retries: {{ max: 0 }} }}
  google: {{ deployments: [google], retries: {{ max: 0 }} }}
  ollama: {{ deployments: [ollama], retries: {{ max: 0 }} }}
  anthropic: {{ deployments: [anthropic], retries: {{ max: 0 }} }}
",
        openai.url(),
        google.url(),
        ollama.url(),
        anthropic.url(),
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    Stage { openai, google, ollama, anthropic, weir }
}

impl Stage {
    fn ask(&self, path: &str, body: &Value) -> Reply {
        let reply = self.weir.post(path, &[("authorization", "Bearer wr-client-key")], body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply
    }
}

#[test]
fn vectors_come_in_every_apis_words() {
    let stage = stage();
    let values = json!([[0.5, -1.0], [2.0, 0.25]]);
    let entry = |index: usize| json!({ "object": "embedding", "index": index, "embedding": values[index] });
    let usage = json!({ "prompt_tokens": 3, "total_tokens": 3 });
    let openai = json!({ "object": "list", "data": [entry(0), entry(1)], "model": "up", "usage": usage });
    stage.openai.always(Answer::json(200, &openai));
    let google = json!({ "embeddings": [{ "values": values[0] }, { "values": values[1] }] });
    stage.google.always(Answer::json(200, &google));
    let ollama = json!({ "model": "up", "embeddings": values, "prompt_eval_count": 3 });
    stage.ollama.always(Answer::json(200, &ollama));
    for model in ["openai", "google", "ollama"] {
        let asked = json!({ "model": model, "input": ["one", "zwei"] });
        let got = stage.ask("/v1/embeddings", &asked).json();
        let vectors: Vec<&Value> =
            got["data"].as_array().unwrap().iter().map(|one| &one["embedding"]).collect();
        assert_eq!(json!(vectors), values, "{model}");
        assert!(got["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{model}");
        assert_eq!(stage.ask("/api/embed", &asked).json()["embeddings"], values, "{model}");
        let content = |text: &str| json!({ "content": { "parts": [{ "text": text }] } });
        let batch = json!({ "requests": [content("one"), content("zwei")] });
        for version in ["v1beta", "v1"] {
            let path = format!("/{version}/models/{model}:batchEmbedContents");
            assert_eq!(stage.ask(&path, &batch).json()["embeddings"], google["embeddings"], "{model}");
            let path = format!("/{version}/models/{model}:embedContent");
            let one = stage.ask(&path, &content("one")).json();
            assert_eq!(one["embedding"]["values"], values[0], "{model}");
        }
    }
    let sent = stage.google.calls();
    assert!(
        sent.iter().all(|call| call.path.ends_with("/models/up:batchEmbedContents")),
        "{:?}",
        sent[0].path
    );
    assert_eq!(sent[0].json()["requests"][1]["model"], "models/up");
    assert!(stage.ollama.calls().iter().all(|call| call.path.ends_with("/api/embed")));
}

/// The official libraries ask for base64 and decode it themselves.
#[test]
fn vectors_are_translated_into_base64_and_back() {
    let stage = stage();
    stage.ollama.always(Answer::json(200, &json!({ "embeddings": [[0.5, -1]] })));
    let asked = json!({ "model": "ollama", "input": "x", "encoding_format": "base64" });
    assert_eq!(stage.ask("/v1/embeddings", &asked).json()["data"][0]["embedding"], "AAAAPwAAgL8=");
}

#[test]
fn tokens_are_counted_by_who_can_and_else_estimated() {
    let stage = stage();
    stage.anthropic.always(Answer::json(200, &json!({ "input_tokens": 14 })));
    stage.google.always(Answer::json(200, &json!({ "totalTokens": 9 })));
    let words = "word ".repeat(400);
    let messages = |model: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": words }] });
        stage.ask("/v1/messages/count_tokens", &body).json()["input_tokens"].as_u64().unwrap()
    };
    let contents = |model: &str| {
        let body = json!({ "contents": [{ "parts": [{ "text": words }] }] });
        let path = format!("/v1beta/models/{model}:countTokens");
        stage.ask(&path, &body).json()["totalTokens"].as_u64().unwrap()
    };
    assert_eq!((messages("anthropic"), contents("google")), (14, 9));
    assert!((300..900).contains(&messages("openai")), "{}", messages("openai"));
    assert!((300..900).contains(&contents("openai")), "{}", contents("openai"));
    assert!(stage.openai.calls().is_empty());
    assert_eq!(stage.anthropic.calls()[0].json()["model"], "up");
}

#[test]
fn images_ranks_judgements_and_sound_pass_and_are_paid_for_by_the_piece() {
    let stage = stage();
    stage.openai.always(Answer::auto("ID3 sound of a weir"));
    let cost = |reply: &Reply| reply.header("x-weir-cost").map(str::to_owned);
    let asked = json!({ "model": "openai", "prompt": "a weir", "n": 2, "size": "256x256" });
    let images = stage.ask("/v1/images/generations", &asked);
    assert_eq!((images.json()["data"].as_array().unwrap().len(), cost(&images)), (2, Some("0.08".into())));
    assert_eq!(stage.openai.calls().pop().unwrap().json()["size"], "256x256");
    for path in ["/v1/rerank", "/v2/rerank"] {
        let asked = json!({ "model": "openai", "query": "weir", "documents": ["a", "b"] });
        let ranks = stage.ask(path, &asked);
        assert_eq!(
            (ranks.json()["results"][0]["index"].as_u64(), cost(&ranks)),
            (Some(0), Some("0.002".into()))
        );
    }
    let judged = stage.ask("/v1/moderations", &json!({ "model": "openai", "input": "x" }));
    assert_eq!((&judged.json()["results"][0]["flagged"], cost(&judged)), (&json!(false), Some("0".into())));
    let asked = json!({ "model": "openai", "input": "Grüß dich", "voice": "alloy" });
    let sound = stage.ask("/v1/audio/speech", &asked);
    assert_eq!((&*sound.text(), sound.header("content-type")), ("ID3 sound of a weir", Some("audio/mpeg")));
    let line = stage
        .weir
        .wait_for_log("the sound", |line| line["request_id"] == sound.header("x-request-id").unwrap());
    assert_eq!(line["cost_usd"].to_string().trim_matches('"'), "0.00009", "{line}");
}

#[test]
fn what_is_not_streamed_here_says_so() {
    let stage = stage();
    let check = |path: &str, body: Value, param: &str| {
        let reply = stage.weir.post(path, &[("authorization", "Bearer wr-client-key")], &body);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["code"]), (400, &json!("not_supported")), "{path}");
        assert_eq!(error["param"], param);
    };
    check("/v1/images/generations", json!({ "model": "openai", "prompt": "x", "stream": true }), "stream");
    check(
        "/v1/audio/speech",
        json!({ "model": "openai", "input": "x", "stream_format": "sse" }),
        "stream_format",
    );
    assert!(stage.openai.calls().is_empty());
}
