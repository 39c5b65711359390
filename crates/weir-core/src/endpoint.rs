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
    /// OpenAI's `POST /v1/responses`
    Responses,
    /// Google's `POST /v1beta/models/{model}:generateContent`, and `:streamGenerateContent`, the same as a stream
    GenerateContent,
    /// Ollama's `POST /api/chat`
    OllamaChat,
    /// Ollama's `POST /api/generate`
    OllamaGenerate,
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

/// What is known of one operation.
struct Row {
    name: &'static str,
    path: &'static str,
    operation: &'static str,
    streams: Streams,
    /// Its answer is generated text, which other APIs have, too.
    generates: bool,
}

const fn row(
    name: &'static str,
    path: &'static str,
    operation: &'static str,
    streams: Streams,
    generates: bool,
) -> Row {
    Row { name, path, operation, streams, generates }
}

/// In the order of [`Endpoint::ALL`].
const ROWS: [Row; Endpoint::ALL.len()] = [
    row("chat", "/chat/completions", "chat", Streams::IfAsked, true),
    row("completions", "/completions", "text_completion", Streams::IfAsked, true),
    row("embeddings", "/embeddings", "embeddings", Streams::Never, false),
    row("messages", "/messages", "chat", Streams::IfAsked, true),
    row("responses", "/responses", "chat", Streams::IfAsked, true),
    row("generate_content", "/models/{model}:generateContent", "generate_content", Streams::ByAddress, true),
    row("ollama_chat", "/api/chat", "chat", Streams::UnlessDeclined, true),
    row("ollama_generate", "/api/generate", "text_completion", Streams::UnlessDeclined, true),
];

impl Endpoint {
    /// Every endpoint, for tables and tests that must not miss one.
    pub const ALL: [Endpoint; 8] = [
        Endpoint::Chat,
        Endpoint::Completions,
        Endpoint::Embeddings,
        Endpoint::Messages,
        Endpoint::Responses,
        Endpoint::GenerateContent,
        Endpoint::OllamaChat,
        Endpoint::OllamaGenerate,
    ];

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
            _ => self.path(),
        }
    }

    /// OpenTelemetry's `gen_ai.operation.name`.
    pub const fn operation(self) -> &'static str {
        self.row().operation
    }

    /// Whether its answer is generated text, in whatever format: such a call can be made as any other of them.
    pub const fn generates(self) -> bool {
        self.row().generates
    }

    /// Whether it is a conversation, and the prompt a list of what has been said.
    pub const fn has_messages(self) -> bool {
        self.generates() && !matches!(self, Endpoint::Completions | Endpoint::OllamaGenerate)
    }

    /// Whether a stream tells its usage only to those who ask for it.
    pub const fn tells_usage_if_asked(self) -> bool {
        matches!(self, Endpoint::Chat | Endpoint::Completions)
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
            let in_address = endpoint.path().contains("{model}");
            assert_eq!(endpoint.streams() == Streams::ByAddress, in_address, "{}", endpoint.name());
            assert_eq!(endpoint.path() != endpoint.streamed_path(), in_address, "{}", endpoint.name());
        }
    }
}
