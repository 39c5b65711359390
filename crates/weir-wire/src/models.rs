//! The list of models, in the words of each API that has one.
//!
//! Shapes: <https://platform.openai.com/docs/api-reference/models>, <https://docs.anthropic.com/en/api/models-list>,
//! <https://ai.google.dev/api/models>, <https://docs.ollama.com/api/tags>, <https://docs.ollama.com/api-reference/show-model-details>.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use weir_core::{Class, Endpoint, Fault, Need, Needs};

/// When every listed model came to be, which clients require and which means nothing here: 2025-01-01, in seconds since
/// 1970.
const SINCE: u64 = 1_735_689_600;
/// The same as a date.
const SINCE_DATE: &str = "2025-01-01T00:00:00Z";

/// Which API's words a list is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// OpenAI's.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Google,
    /// Ollama's.
    Ollama,
}

/// One model a client may ask for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelCard<'a> {
    /// The name to ask for.
    pub id: &'a str,
    /// Tokens of prompt and answer together that whatever serves it takes, where that is known.
    pub context_window: Option<u64>,
    /// The most tokens that it generates, where that is known.
    pub max_output: Option<u64>,
    /// What it can do beside plain text, where that is known.
    pub can: Option<Needs>,
}

impl Listing {
    /// An operation of the API whose words these are.
    pub const fn endpoint(self) -> Endpoint {
        match self {
            Listing::OpenAi => Endpoint::Chat,
            Listing::Anthropic => Endpoint::Messages,
            Listing::Google => Endpoint::GenerateContent,
            Listing::Ollama => Endpoint::OllamaChat,
        }
    }

    /// The body that describes this one model.
    pub fn one(self, card: &ModelCard<'_>) -> Bytes {
        body(&match self {
            Listing::Ollama => shown(card),
            _ => self.entry(card),
        })
    }

    /// The body that lists `cards`, in their order.
    pub fn all(self, cards: &[ModelCard<'_>]) -> Bytes {
        let entries: Vec<Value> = cards.iter().map(|card| self.entry(card)).collect();
        let id = |card: Option<&ModelCard<'_>>| card.map(|card| card.id.to_owned());
        body(&match self {
            Listing::OpenAi => json!({ "object": "list", "data": entries }),
            Listing::Anthropic => json!({
                "data": entries,
                "has_more": false,
                "first_id": id(cards.first()),
                "last_id": id(cards.last()),
            }),
            Listing::Google | Listing::Ollama => json!({ "models": entries }),
        })
    }

    /// The body that tells the version (Ollama's `GET /api/version`).
    pub fn version() -> Bytes {
        body(&json!({ "version": env!("CARGO_PKG_VERSION") }))
    }

    fn entry(self, card: &ModelCard<'_>) -> Value {
        let id = card.id;
        match self {
            Listing::OpenAi => {
                json!({ "id": id, "object": "model", "created": SINCE, "owned_by": "weir" })
            }
            Listing::Anthropic => {
                json!({ "type": "model", "id": id, "display_name": id, "created_at": SINCE_DATE })
            }
            Listing::Google => {
                let mut entry = json!({
                    "name": format!("models/{id}"),
                    "version": "001",
                    "displayName": id,
                    "supportedGenerationMethods": ["generateContent"],
                });
                put(&mut entry, "inputTokenLimit", card.context_window);
                put(&mut entry, "outputTokenLimit", card.max_output);
                entry
            }
            Listing::Ollama => json!({
                "name": id,
                "model": id,
                "modified_at": SINCE_DATE,
                "size": 0,
                "digest": "",
                "details": details(),
            }),
        }
    }
}

fn body(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn put(entry: &mut Value, key: &str, value: Option<u64>) {
    if let (Some(entry), Some(value)) = (entry.as_object_mut(), value) {
        entry.insert(key.to_owned(), value.into());
    }
}

/// What Ollama knows of a file that a model is in. There is none.
fn details() -> Value {
    json!({
        "parent_model": "",
        "format": "",
        "family": "",
        "families": [],
        "parameter_size": "",
        "quantization_level": "",
    })
}

/// As Ollama describes one model.
fn shown(card: &ModelCard<'_>) -> Value {
    let mut info = Map::new();
    info.insert("general.architecture".to_owned(), "weir".into());
    if let Some(tokens) = card.context_window {
        info.insert("weir.context_length".to_owned(), tokens.into());
    }
    let mut can = vec!["completion"];
    let words = [(Need::Tools, "tools"), (Need::Images, "vision"), (Need::Reasoning, "thinking")];
    can.extend(
        words.iter().filter(|(need, _)| card.can.is_some_and(|can| can.has(*need))).map(|(_, word)| *word),
    );
    json!({
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": details(),
        "model_info": info,
        "capabilities": can,
        "modified_at": SINCE_DATE,
    })
}

/// The model that a request for its description names (Ollama's `POST /api/show`).
///
/// # Errors
/// The caller's, status 400: there is no name in it.
pub fn named(body: &[u8]) -> Result<String, Fault> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(alias = "name")]
        model: String,
    }
    serde_json::from_slice(body).map(|asked: Asked| asked.model).map_err(|error| {
        let message = format!("the body is not {{\"model\": \"…\"}}: {error}");
        Fault::new(Class::Caller, 400, "invalid_json", message).with_param("model")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cards() -> [ModelCard<'static>; 2] {
        let mut can = Needs::default();
        can.add(Need::Images);
        let known = ModelCard {
            id: "gpt-4o",
            context_window: Some(128_000),
            max_output: Some(16_384),
            can: Some(can),
        };
        [known, ModelCard { id: "a\"b", ..ModelCard::default() }]
    }

    fn check(got: &Bytes, expect: &Value) {
        assert_eq!(serde_json::from_slice::<Value>(got).unwrap(), *expect);
    }

    #[test]
    fn bodies_have_the_documented_shape() {
        let one = json!({ "id": "gpt-4o", "object": "model", "created": SINCE, "owned_by": "weir" });
        let two = json!({ "id": "a\"b", "object": "model", "created": SINCE, "owned_by": "weir" });
        check(&Listing::OpenAi.one(&cards()[0]), &one);
        check(&Listing::OpenAi.all(&cards()), &json!({ "object": "list", "data": [one, two] }));
        check(&Listing::OpenAi.all(&[]), &json!({ "object": "list", "data": [] }));
        let card =
            |id: &str| json!({ "type": "model", "id": id, "display_name": id, "created_at": SINCE_DATE });
        let all = json!({
            "data": [card("gpt-4o"), card("a\"b")],
            "has_more": false, "first_id": "gpt-4o", "last_id": "a\"b",
        });
        check(&Listing::Anthropic.all(&cards()), &all);
        check(
            &Listing::Google.one(&cards()[0]),
            &json!({
                "name": "models/gpt-4o", "version": "001", "displayName": "gpt-4o",
                "supportedGenerationMethods": ["generateContent"],
                "inputTokenLimit": 128_000, "outputTokenLimit": 16_384,
            }),
        );
    }

    #[test]
    fn ollama_is_told_what_a_model_can_do() {
        let shown: Value = serde_json::from_slice(&Listing::Ollama.one(&cards()[0])).unwrap();
        assert_eq!(shown["capabilities"], json!(["completion", "vision"]));
        assert_eq!(shown["model_info"]["weir.context_length"], 128_000);
        let tags: Value = serde_json::from_slice(&Listing::Ollama.all(&cards())).unwrap();
        assert_eq!(tags["models"][1]["model"], "a\"b");
    }

    #[test]
    fn a_description_is_asked_for_by_name() {
        assert_eq!(named(br#"{"model":"m","verbose":true}"#).unwrap(), "m");
        assert_eq!(named(br#"{"name":"m"}"#).unwrap(), "m");
        assert_eq!(named(b"{}").unwrap_err().status, 400);
    }
}
