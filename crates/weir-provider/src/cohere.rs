//! Cohere's own API.

use crate::compatible::LIKENESS;
use crate::{Kind, Place, Probe, usual_path};
use weir_core::Endpoint;

/// Cohere.
pub const KIND: Kind = Kind {
    name: "cohere",
    title: "Cohere",
    description: "Cohere's API: chat, embeddings, ranks. Calls in other formats are translated.",
    base_url: Some("https://api.cohere.com"),
    paths: path,
    key_variable: Some("CO_API_KEY"),
    models: &["command-a-03-2025", "command-r7b-12-2024"],
    speaks: &[Endpoint::CohereChat, Endpoint::CohereEmbed, Endpoint::Rerank],
    probe: Probe::Completion, // the list of models is told in pages, and in a shape of its own
    source: "https://docs.cohere.com/reference/about",
    ..LIKENESS
};

/// Ranks have a path of their own in the second version of the API, which others know by that of the first.
fn path(base_path: &str, place: &Place<'_>, endpoint: Endpoint, stream: bool) -> String {
    match endpoint {
        Endpoint::Rerank => format!("{base_path}/v2{}", endpoint.path()),
        _ => usual_path(base_path, place, endpoint, stream),
    }
}
