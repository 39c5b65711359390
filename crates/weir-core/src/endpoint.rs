//! The public operations that reach a model.

/// What the client asks a model to do. One value per public operation, whatever its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// Every endpoint, for tables and tests that must not miss one.
    pub const ALL: [Endpoint; 3] = [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings];

    /// Path below the API's base URL, as OpenAI's API spells it.
    pub const fn path(self) -> &'static str {
        match self {
            Endpoint::Chat => "/chat/completions",
            Endpoint::Completions => "/completions",
            Endpoint::Embeddings => "/embeddings",
        }
    }

    /// OpenTelemetry's `gen_ai.operation.name`.
    pub const fn operation(self) -> &'static str {
        match self {
            Endpoint::Chat => "chat",
            Endpoint::Completions => "text_completion",
            Endpoint::Embeddings => "embeddings",
        }
    }

    /// Whether the operation has a streamed form.
    pub const fn streams(self) -> bool {
        !matches!(self, Endpoint::Embeddings)
    }
}
