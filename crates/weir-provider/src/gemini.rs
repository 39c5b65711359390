//! Google's Gemini API.

use crate::compatible::LIKENESS;
use crate::{Auth, Kind};
use weir_core::Endpoint;

/// Gemini by an API key.
pub const KIND: Kind = Kind {
    name: "gemini",
    title: "Google Gemini API",
    description: "Google's Gemini API. Calls in other formats are translated.",
    base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
    key_variable: Some("GEMINI_API_KEY"),
    models: &[
        "gemini-3.8-flash",
        "gemini-3.5-flash",
        "gemini-3.1-pro-preview",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "gemini-embedding-001",
    ],
    auth: Auth::Header("x-goog-api-key"),
    speaks: &[
        Endpoint::GenerateContent,
        Endpoint::BatchEmbedContents,
        Endpoint::EmbedContent,
        Endpoint::CountContents,
    ],
    source: "https://ai.google.dev/api/generate-content",
    ..LIKENESS
};
