//! OpenAI's own API, and any server that speaks it.

use crate::{Auth, Kind, Probe, Quirks};
use weir_core::Endpoint;

/// OpenAI.
pub const KIND: Kind = Kind {
    name: "openai",
    title: "OpenAI",
    description: "OpenAI's API, or any server that speaks it at the given `base_url`.",
    base_url: Some("https://api.openai.com/v1"),
    key_variable: Some("OPENAI_API_KEY"),
    models: &[
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4.1-nano",
        "o4-mini",
        "gpt-5",
        "gpt-5-mini",
        "text-embedding-3-small",
        "text-embedding-3-large",
    ],
    auth: Auth::Bearer,
    speaks: &[
        Endpoint::Chat,
        Endpoint::Completions,
        Endpoint::Embeddings,
        Endpoint::Responses,
        Endpoint::Moderations,
        Endpoint::Images,
        Endpoint::Speech,
    ],
    fixed: &[],
    quirks: Quirks::NONE,
    probe: Probe::Models,
    gauges: false,
    source: "https://platform.openai.com/docs/api-reference",
};
