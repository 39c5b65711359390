//! Vendors and servers whose API is OpenAI's: a row each, which says where one differs from [`LIKENESS`].

mod servers;
mod vendors;

use crate::{Auth, CHAT, Kind, Probe, Quirks, usual_path};

pub use servers::SERVERS;
pub use vendors::VENDORS;

/// A likeness of OpenAI's API that is none in particular: what a row starts from.
pub const LIKENESS: Kind = Kind {
    name: "",
    title: "",
    description: "",
    base_url: None,
    locate: None,
    settings: &[],
    paths: usual_path,
    newest: false,
    key_variable: None,
    models: &[],
    auth: Auth::Bearer,
    speaks: CHAT,
    fixed: &[],
    quirks: Quirks::NONE,
    probe: Probe::Models,
    gauges: false,
    source: "",
};

/// For those that know the most tokens of an answer by OpenAI's first word for them alone.
const FIRST_WORD: &[(&str, &str)] = &[("max_completion_tokens", "max_tokens")];
