//! Ollama's own API.

use crate::compatible::LIKENESS;
use crate::{Kind, Probe};
use weir_core::Endpoint;

/// Ollama by `/api/chat`, `/api/generate` and `/api/embed`.
pub const KIND: Kind = Kind {
    name: "ollama_native",
    title: "Ollama, own API",
    description: "Ollama's own API, which tells thoughts and durations that its likeness of OpenAI's does not.",
    base_url: Some("http://127.0.0.1:11434/v1"),
    speaks: &[Endpoint::OllamaChat, Endpoint::OllamaGenerate, Endpoint::OllamaEmbed, Endpoint::Embeddings],
    probe: Probe::Loaded,
    source: "https://docs.ollama.com/api",
    ..LIKENESS
};
