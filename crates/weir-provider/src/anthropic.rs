//! Anthropic's own API.

use crate::{Auth, Kind, Probe, Quirks};
use weir_core::Endpoint;

/// Anthropic.
pub const KIND: Kind = Kind {
    name: "anthropic",
    title: "Anthropic",
    description: "Anthropic's API. Calls in other formats are translated.",
    base_url: Some("https://api.anthropic.com/v1"),
    key_variable: Some("ANTHROPIC_API_KEY"),
    models: &["claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5"],
    auth: Auth::Header("x-api-key"),
    speaks: &[Endpoint::Messages, Endpoint::CountTokens],
    fixed: &[("anthropic-version", "2023-06-01")],
    quirks: Quirks { rename: &[("max_completion_tokens", "max_tokens")], ..Quirks::NONE },
    probe: Probe::Models,
    gauges: false,
    source: "https://docs.anthropic.com/en/api/overview",
};
