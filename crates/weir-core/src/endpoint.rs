//! The operations that reach a model.

/// What a model is asked to do, and in which API's words: one value for each operation. Most are what clients call; some only
/// what a call is made as, at deployments whose API has no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// Anthropic's `POST /v1/messages`
    Messages,
    /// OpenAI's `POST /v1/responses`
    Responses,
    /// Google's `POST /v1beta/models/{model}:generateContent`, and `:streamGenerateContent`, the same as a stream
    GenerateContent,
    /// Ollama's `POST /api/chat`
    OllamaChat,
    /// Ollama's `POST /api/generate`
    OllamaGenerate,
    /// Anthropic's `POST /v1/messages/count_tokens`
    CountTokens,
    /// Google's `POST /v1beta/models/{model}:countTokens`
    CountContents,
    /// Google's `POST /v1beta/models/{model}:embedContent`
    EmbedContent,
    /// Google's `POST /v1beta/models/{model}:batchEmbedContents`
    BatchEmbedContents,
    /// Ollama's `POST /api/embed`
    OllamaEmbed,
    /// `POST /v1/moderations`
    Moderations,
    /// Cohere's and Jina's `POST /v1/rerank`
    Rerank,
    /// `POST /v1/images/generations`
    Images,
    /// `POST /v1/audio/speech`
    Speech,
    /// AWS Bedrock's `POST /model/{model}/converse`, and `converse-stream`, the same as a stream
    Converse,
    /// Cohere's `POST /v2/chat`
    CohereChat,
    /// Cohere's `POST /v2/embed`
    CohereEmbed,
}

/// When an operation's answer is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Never.
    Never,
    /// When the call says `"stream": true`.
    IfAsked,
    /// Unless the call says `"stream": false`.
    UnlessDeclined,
    /// The address says so.
    ByAddress,
}

/// What an operation's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Generated text, in a form that all who generate text can be translated to.
    Text,
    /// Vectors, likewise.
    Vectors,
    /// How many tokens a prompt has.
    Count,
    /// An object with this member.
    Object(&'static str),
    /// Bytes of whatever kind.
    Bytes,
}

/// What is known of one operation.
struct Row {
    endpoint: Endpoint,
    name: &'static str,
    path: &'static str,
    operation: &'static str,
    gives: Gives,
    streams: Streams,
}

const fn row(
    endpoint: Endpoint,
    (name, path): (&'static str, &'static str),
    operation: &'static str,
    gives: Gives,
    streams: Streams,
) -> Row {
    Row { endpoint, name, path, operation, gives, streams }
}

/// In the order of the variants.
const ROWS: [Row; 20] = {
    use Endpoint as E;
    use Gives::{Bytes, Count, Object, Text, Vectors};
    use Streams::{ByAddress, IfAsked, Never, UnlessDeclined};
    [
        row(E::Chat, ("chat", "/chat/completions"), "chat", Text, IfAsked),
        row(E::Completions, ("completions", "/completions"), "text_completion", Text, IfAsked),
        row(E::Embeddings, ("embeddings", "/embeddings"), "embeddings", Vectors, Never),
        row(E::Messages, ("messages", "/messages"), "chat", Text, IfAsked),
        row(E::Responses, ("responses", "/responses"), "chat", Text, IfAsked),
        row(
            E::GenerateContent,
            ("generate_content", "/models/{model}:generateContent"),
            "generate_content",
            Text,
            ByAddress,
        ),
        row(E::OllamaChat, ("ollama_chat", "/api/chat"), "chat", Text, UnlessDeclined),
        row(E::OllamaGenerate, ("ollama_generate", "/api/generate"), "text_completion", Text, UnlessDeclined),
        row(E::CountTokens, ("count_tokens", "/messages/count_tokens"), "count_tokens", Count, Never),
        row(
            E::CountContents,
            ("count_contents", "/models/{model}:countTokens"),
            "count_tokens",
            Count,
            Never,
        ),
        row(E::EmbedContent, ("embed_content", "/models/{model}:embedContent"), "embeddings", Vectors, Never),
        row(
            E::BatchEmbedContents,
            ("batch_embed_contents", "/models/{model}:batchEmbedContents"),
            "embeddings",
            Vectors,
            Never,
        ),
        row(E::OllamaEmbed, ("ollama_embed", "/api/embed"), "embeddings", Vectors, Never),
        row(E::Moderations, ("moderations", "/moderations"), "moderation", Object("results"), Never),
        row(E::Rerank, ("rerank", "/rerank"), "rerank", Object("results"), Never),
        row(E::Images, ("images", "/images/generations"), "image_generation", Object("data"), Never),
        row(E::Speech, ("speech", "/audio/speech"), "text_to_speech", Bytes, Never),
        row(E::Converse, ("converse", "/model/{model}/converse"), "chat", Text, ByAddress),
        row(E::CohereChat, ("cohere_chat", "/v2/chat"), "chat", Text, IfAsked),
        row(E::CohereEmbed, ("cohere_embed", "/v2/embed"), "embeddings", Vectors, Never),
    ]
};

impl Endpoint {
    /// Every endpoint, for tables and tests that must not miss one.
    pub const ALL: [Endpoint; ROWS.len()] = {
        let mut all = [Endpoint::Chat; ROWS.len()];
        let mut place = 0;
        while place < ROWS.len() {
            all[place] = ROWS[place].endpoint;
            place += 1;
        }
        all
    };

    const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The name by which configuration and decisions know it.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The endpoint of that name.
    pub fn by_name(name: &str) -> Option<Endpoint> {
        Endpoint::ALL.into_iter().find(|endpoint| endpoint.name() == name)
    }

    /// Path below the base URL of an API that has it, as the API it belongs to spells it. Where the model is part of it, it
    /// stands for `{model}`.
    pub const fn path(self) -> &'static str {
        self.row().path
    }

    /// The same for a call whose answer is to be a stream: another one where [`Streams::ByAddress`].
    pub const fn streamed_path(self) -> &'static str {
        match self {
            Endpoint::GenerateContent => "/models/{model}:streamGenerateContent?alt=sse",
            Endpoint::Converse => "/model/{model}/converse-stream",
            _ => self.path(),
        }
    }

    /// Whether the model is named in the address and not in the body.
    pub fn names_model_in_address(self) -> bool {
        self.path().contains("{model}")
    }

    /// OpenTelemetry's `gen_ai.operation.name`.
    pub const fn operation(self) -> &'static str {
        self.row().operation
    }

    /// What its answer is.
    pub const fn gives(self) -> Gives {
        self.row().gives
    }

    /// Whether its answer is generated text, in whatever format: such a call can be made as any other of them.
    pub const fn generates(self) -> bool {
        matches!(self.gives(), Gives::Text)
    }

    /// Whether it is a conversation, and the prompt a list of what has been said.
    pub const fn has_messages(self) -> bool {
        self.generates() && !matches!(self, Endpoint::Completions | Endpoint::OllamaGenerate)
    }

    /// Whether a stream tells its usage only to those who ask for it.
    pub const fn tells_usage_if_asked(self) -> bool {
        matches!(self, Endpoint::Chat | Endpoint::Completions)
    }

    /// Whether its answers cost nothing where no price says otherwise: what they take is not counted.
    pub const fn free(self) -> bool {
        matches!(self, Endpoint::Moderations | Endpoint::CountTokens | Endpoint::CountContents)
    }

    /// When its answer is a stream.
    pub const fn streams(self) -> Streams {
        self.row().streams
    }

    /// Whether its answers are in OpenAI's first format, chunk by chunk or whole: `choices`, which are read as they pass.
    pub const fn answers_in_choices(self) -> bool {
        matches!(self, Endpoint::Chat | Endpoint::Completions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_its_own_row() {
        for (place, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint as usize, place);
            assert_eq!(Endpoint::by_name(endpoint.name()), Some(endpoint));
            let streamed_elsewhere = endpoint.path() != endpoint.streamed_path();
            assert_eq!(endpoint.streams() == Streams::ByAddress, streamed_elsewhere, "{}", endpoint.name());
            assert!(endpoint.names_model_in_address() || !streamed_elsewhere, "{}", endpoint.name());
        }
    }
}
