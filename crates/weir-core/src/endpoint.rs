//! The public operations that reach a model.

/// What the client asks a model to do, and in which public API's words: one value for each public operation.
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
}

impl Endpoint {
    /// Every endpoint, for tables and tests that must not miss one.
    pub const ALL: [Endpoint; 4] =
        [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Messages];

    /// Path below the base URL of an API that has it, as the API it belongs to spells it.
    pub const fn path(self) -> &'static str {
        match self {
            Endpoint::Chat => "/chat/completions",
            Endpoint::Completions => "/completions",
            Endpoint::Embeddings => "/embeddings",
            Endpoint::Messages => "/messages",
        }
    }

    /// OpenTelemetry's `gen_ai.operation.name`.
    pub const fn operation(self) -> &'static str {
        match self {
            Endpoint::Chat | Endpoint::Messages => "chat",
            Endpoint::Completions => "text_completion",
            Endpoint::Embeddings => "embeddings",
        }
    }

    /// Whether it is a conversation, and the prompt a list of messages.
    pub const fn has_messages(self) -> bool {
        matches!(self, Endpoint::Chat | Endpoint::Messages)
    }

    /// Whether a stream tells its usage only to those who ask for it.
    pub const fn tells_usage_if_asked(self) -> bool {
        matches!(self, Endpoint::Chat | Endpoint::Completions)
    }

    /// Whether the operation has a streamed form.
    pub const fn streams(self) -> bool {
        !matches!(self, Endpoint::Embeddings)
    }
}
