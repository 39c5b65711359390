//! Where each operation's body says what.

use super::{Found, Member, member, prompt};
use crate::json::{Field, Kind};
use weir_core::text::number;
use weir_core::{Endpoint, Need};

/// Where one operation's body holds its prompt, and how its own words are read.
pub(super) struct Shape {
    /// The member that carries the prompt.
    pub(super) prompt: &'static str,
    /// What stands there.
    pub(super) holds: Holds,
    /// What is read besides the members that all have in common.
    pub(super) own: fn(&mut Found, &str, &[u8], &Field<'_>),
    /// The prompt of a body that is right, for errors.
    pub(super) example: &'static str,
}

/// What a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A list of what has been said.
    Turns,
    /// That, or a text.
    TurnsOrText,
    /// A text, a list of texts, or what else the model's vendor takes.
    Texts,
    /// That, or nothing at all.
    TextsOrNothing,
}

/// The shape of what is called there.
pub(super) const fn shape(endpoint: Endpoint) -> &'static Shape {
    match endpoint {
        Endpoint::Chat => &CHAT,
        Endpoint::Completions => &COMPLETIONS,
        Endpoint::Embeddings => &EMBEDDINGS,
        Endpoint::Messages => &MESSAGES,
        Endpoint::Responses => &RESPONSES,
        Endpoint::GenerateContent => &CONTENTS,
        Endpoint::OllamaChat => &OLLAMA_CHAT,
        Endpoint::OllamaGenerate => &OLLAMA_GENERATE,
        Endpoint::CountTokens => &MESSAGES,
        Endpoint::CountContents => &COUNTED_CONTENTS,
        Endpoint::EmbedContent => &EMBEDDED_CONTENT,
        Endpoint::BatchEmbedContents => &EMBEDDED_CONTENTS,
        Endpoint::OllamaEmbed | Endpoint::Moderations => &EMBEDDINGS,
        Endpoint::Rerank => &RERANKED,
        Endpoint::Images => &IMAGES,
        Endpoint::Speech => &SPEECH,
        Endpoint::Converse => &CONVERSE,
        Endpoint::CohereChat => &COHERE_CHAT,
        Endpoint::CohereEmbed => &EMBEDDED_TEXTS,
    }
}

/// A prompt that nothing is known of but its place.
const fn plain(prompt: &'static str, holds: Holds, example: &'static str) -> Shape {
    Shape { prompt, holds, own: |_, _, _, _| {}, example }
}

/// <https://ai.google.dev/api/tokens>: the contents, or a whole request that has them.
const COUNTED_CONTENTS: Shape = Shape {
    own: |found, key, _, field| {
        if matches!(key, "generateContentRequest" | "generate_content_request") {
            found.prompt = Some(Member { at: 0, value: field.value.clone(), kind: field.kind });
        }
    },
    ..plain("contents", Holds::Texts, CONTENTS.example)
};

/// <https://ai.google.dev/api/embeddings>
const EMBEDDED_CONTENT: Shape = plain("content", Holds::Texts, r#""content": {"parts": [{"text": "…"}]}"#);
const EMBEDDED_CONTENTS: Shape =
    plain("requests", Holds::Turns, r#""requests": [{"content": {"parts": [{"text": "…"}]}}]"#);

/// <https://docs.cohere.com/reference/embed>
const EMBEDDED_TEXTS: Shape = plain("texts", Holds::Texts, r#""texts": ["…"]"#);

/// <https://docs.cohere.com/reference/rerank>, <https://jina.ai/reranker/>
const RERANKED: Shape = plain("query", Holds::Texts, r#""query": "…", "documents": ["…"]"#);

/// <https://platform.openai.com/docs/api-reference/images/create>
const IMAGES: Shape = Shape {
    own: |found, key, _, field| {
        if key == "stream" && field.kind == Kind::True {
            found.not_here = Some("stream");
        }
    },
    ..plain("prompt", Holds::Texts, r#""prompt": "…""#)
};

/// <https://platform.openai.com/docs/api-reference/audio/createSpeech>
const SPEECH: Shape = Shape {
    own: |found, key, body, field| {
        if key == "stream_format" && body.get(field.value.clone()) == Some(br#""sse""#) {
            found.not_here = Some("stream_format");
        }
    },
    ..plain("input", Holds::Texts, r#""input": "…""#)
};

const MESSAGES_EXAMPLE: &str = r#""messages": [{"role": "user", "content": "…"}]"#;

const CHAT: Shape = plain("messages", Holds::Turns, MESSAGES_EXAMPLE);

const COMPLETIONS: Shape = plain("prompt", Holds::Texts, r#""prompt": "…""#);

const EMBEDDINGS: Shape = plain("input", Holds::Texts, r#""input": "…""#);

/// <https://docs.anthropic.com/en/api/messages>
const MESSAGES: Shape = Shape {
    prompt: "messages",
    holds: Holds::Turns,
    own: |found, key, body, field| {
        let value = || body.get(field.value.clone()).unwrap_or_default();
        match key {
            "system" => found.system = Some(field.value.clone()),
            "thinking" if member(value(), "type").is_some_and(|kind| kind != br#""disabled""#) => {
                found.needs.add(Need::Reasoning);
            }
            "output_format" if prompt::asks_for_a_schema(value()) => found.needs.add(Need::JsonSchema),
            "output_config" if member(value(), "format").is_some_and(prompt::asks_for_a_schema) => {
                found.needs.add(Need::JsonSchema);
            }
            _ => {}
        }
    },
    example: MESSAGES_EXAMPLE,
};

/// <https://platform.openai.com/docs/api-reference/responses/create>
const RESPONSES: Shape = Shape {
    prompt: "input",
    holds: Holds::TurnsOrText,
    own: |found, key, body, field| {
        let value = || body.get(field.value.clone()).unwrap_or_default();
        match key {
            "instructions" if field.kind == Kind::String => found.system = Some(field.value.clone()),
            "max_output_tokens" => found.at_most(value()),
            "reasoning"
                if member(value(), "effort").is_some_and(|word| !matches!(word, b"null" | br#""none""#)) =>
            {
                found.needs.add(Need::Reasoning);
            }
            "text" if member(value(), "format").is_some_and(prompt::asks_for_a_schema) => {
                found.needs.add(Need::JsonSchema);
            }
            _ => {}
        }
    },
    example: r#""input": "…""#,
};

/// <https://ai.google.dev/api/generate-content>; members are spelled in either of the ways in which protocol buffers are
/// written as JSON.
const CONTENTS: Shape = Shape {
    prompt: "contents",
    holds: Holds::Turns,
    own: |found, key, body, field| {
        let value = || body.get(field.value.clone()).unwrap_or_default();
        match key {
            "systemInstruction" | "system_instruction" => found.system = Some(field.value.clone()),
            "generationConfig" | "generation_config" => {
                for most in ["maxOutputTokens", "max_output_tokens"] {
                    found.at_most(member(value(), most).unwrap_or_default());
                }
                let has = |names: &[&str]| names.iter().any(|name| member(value(), name).is_some());
                if has(&[
                    "responseSchema",
                    "response_schema",
                    "responseJsonSchema",
                    "response_json_schema",
                    "_responseJsonSchema",
                ]) {
                    found.needs.add(Need::JsonSchema);
                }
                if has(&["thinkingConfig", "thinking_config"]) {
                    found.needs.add(Need::Reasoning);
                }
            }
            _ => {}
        }
    },
    example: r#""contents": [{"role": "user", "parts": [{"text": "…"}]}]"#,
};

/// <https://docs.ollama.com/api/chat>
const OLLAMA_CHAT: Shape =
    Shape { prompt: "messages", holds: Holds::Turns, own: see_in_ollama, example: MESSAGES_EXAMPLE };

/// <https://docs.ollama.com/api/generate>
const OLLAMA_GENERATE: Shape =
    Shape {
        prompt: "prompt", holds: Holds::TextsOrNothing, own: see_in_ollama, example: r#""prompt": "…""#
    };

fn see_in_ollama(found: &mut Found, key: &str, body: &[u8], field: &Field<'_>) {
    let value = || body.get(field.value.clone()).unwrap_or_default();
    match key {
        "system" if field.kind == Kind::String => found.system = Some(field.value.clone()),
        "options" => found.at_most(member(value(), "num_predict").unwrap_or_default()),
        "format" if field.kind == Kind::Object => found.needs.add(Need::JsonSchema),
        "images" if field.kind == Kind::Array && field.value.len() > 2 => found.needs.add(Need::Images),
        "think" if matches!(field.kind, Kind::True | Kind::String) => found.needs.add(Need::Reasoning),
        _ => {}
    }
}

/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
const CONVERSE: Shape = Shape {
    prompt: "messages",
    holds: Holds::Turns,
    own: |found, key, body, field| {
        let value = || body.get(field.value.clone()).unwrap_or_default();
        match key {
            "system" => found.system = Some(field.value.clone()),
            "inferenceConfig" => found.at_most(member(value(), "maxTokens").unwrap_or_default()),
            "outputConfig" if member(value(), "textFormat").is_some() => found.needs.add(Need::JsonSchema),
            "additionalModelRequestFields" => {
                let wishes = ["thinking", "reasoning_config", "reasoningConfig", "reasoning_effort"];
                if wishes.iter().any(|wish| member(value(), wish).is_some()) {
                    found.needs.add(Need::Reasoning);
                }
            }
            _ => {}
        }
    },
    example: r#""messages": [{"role": "user", "content": [{"text": "…"}]}]"#,
};

/// <https://docs.cohere.com/reference/chat>
const COHERE_CHAT: Shape = Shape {
    prompt: "messages",
    holds: Holds::Turns,
    own: |found, key, body, field| {
        let value = || body.get(field.value.clone()).unwrap_or_default();
        match key {
            "response_format" if member(value(), "json_schema").is_some() => {
                found.needs.add(Need::JsonSchema);
            }
            "thinking" if member(value(), "type").is_none_or(|kind| kind != br#""disabled""#) => {
                found.needs.add(Need::Reasoning);
            }
            _ => {}
        }
    },
    example: MESSAGES_EXAMPLE,
};

impl Found {
    /// Takes note of the most tokens that may be generated, where that is a number.
    fn at_most(&mut self, value: &[u8]) {
        self.max_tokens = self.max_tokens.max(number(value));
    }
}
