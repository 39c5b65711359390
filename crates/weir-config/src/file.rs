//! The file as it is written: every key with its meaning, its default and an example. These comments are the
//! reference page and the descriptions in the JSON Schema.

pub(crate) mod price;
pub(crate) mod rules;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod telemetry;
pub(crate) mod text;
pub(crate) mod upstream;

use schemars::JsonSchema;
use serde::Deserialize;
use server::Server;
use store::Store;
use telemetry::Telemetry;
use text::{Named, SecretText};
use upstream::{Deployment, Provider, Route};

/// The configuration of Weir.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Weir configuration")]
pub(crate) struct File {
    /// The two listeners, their limits and what their answers carry.
    pub server: Server,
    /// The vendors and servers that models are called at, by name.
    pub providers: Named<Provider>,
    /// The callable places, by name: a provider, one of its models, and what that costs.
    pub deployments: Named<Deployment>,
    /// What clients ask for, by the name they put into `model`.
    pub routes: Named<Route>,
    /// Who may call, by name. Without any key every caller is let in, which only a loopback address allows.
    pub keys: Named<Key>,
    /// What is publicly known of models, and taken for what deployments do not state themselves.
    pub catalog: Catalog,
    /// What is kept after a restart. Absent: nothing is, and what needs it is refused.
    pub store: Option<Store>,
    /// The access log, trace events and metrics.
    pub telemetry: Telemetry,
}

/// What is publicly known of models, and taken for what deployments do not state themselves: class, capabilities, limits
/// and prices.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Catalog {
    /// A file of your own, in the format of the built-in files; it goes before them, figure by figure. Loaded again with the
    /// configuration.
    #[schemars(example = "prices.yaml", extend("x-default" = "none"))]
    pub file: Option<String>,
    /// Whether the catalogue that is part of the program is used.
    #[schemars(example = false)]
    pub built_in: bool,
}

impl Default for Catalog {
    fn default() -> Self {
        Catalog { file: None, built_in: true }
    }
}

/// One caller's key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    /// What the caller sends as `Authorization: Bearer …`: 8 to 512 visible ASCII characters, unlike every other key.
    #[schemars(example = "${ALICE_KEY}")]
    pub key: SecretText,
}
