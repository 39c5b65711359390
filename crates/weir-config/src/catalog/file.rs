//! A file of the catalogue as it is written. An operator's own has the same keys.

use crate::file::price::Price;
use crate::file::text::{ClassText, DateText, ModalityText, Named, NeedText, OneOrMore};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value as Json;
use std::sync::OnceLock;

/// Models, what is known of them, and what calls to them cost where.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// Who makes these models.
    pub maker: Option<String>,
    /// Where the figures are from, by a name of this file.
    pub sources: Named<Source>,
    /// Who sells calls, by name.
    pub vendors: Named<Vendor>,
    /// The models, by a name that is theirs everywhere.
    pub models: Named<Model>,
}

/// Where figures are from, and when they were so.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// What it is.
    pub title: String,
    /// Where it can be read.
    pub url: Option<String>,
    /// The day on which it said so.
    pub date: DateText,
}

/// Who sells calls to models.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vendor {
    /// Its own spelling.
    pub title: String,
    /// The kinds of provider that are its, unless they have an address elsewhere.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// The hosts of its API; `*` at the beginning stands for any beginning.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether the kind alone says enough, whatever the address: servers of one's own.
    #[serde(default)]
    pub anywhere: bool,
    /// What LiteLLM's price map calls it.
    #[serde(default)]
    pub litellm: Vec<String>,
}

/// A model.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// Its maker's spelling.
    pub title: Option<String>,
    /// What it is meant for.
    pub class: Option<OneOrMore<ClassText>>,
    /// What it takes.
    #[serde(default)]
    pub input: Vec<ModalityText>,
    /// What it gives.
    #[serde(default)]
    pub output: Vec<ModalityText>,
    /// What it is known to be able to do.
    #[serde(default)]
    pub can: Vec<NeedText>,
    /// What it is known not to be able to do. What is in neither list is not known.
    #[serde(default)]
    pub cannot: Vec<NeedText>,
    /// The most tokens of prompt and answer together.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub context_window: Option<u32>,
    /// The most tokens of a prompt, where the answer does not count against it.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_input: Option<u32>,
    /// The most tokens of an answer.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_output: Option<u32>,
    /// Which source says so.
    pub source: Option<String>,
    /// What else there is to know.
    pub note: Option<String>,
    /// Where it can be called.
    #[serde(default)]
    pub offers: Vec<Offer>,
}

/// A model at a vendor.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offer {
    /// The vendor.
    pub at: String,
    /// What it is called there.
    pub id: String,
    /// Other names for the same thing at the same price.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Instead of the model's.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub context_window: Option<u32>,
    /// Instead of the model's.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_input: Option<u32>,
    /// Instead of the model's.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_output: Option<u32>,
    /// What it costs there. What is not stated is not known.
    pub price: Option<Price>,
    /// Prices by resolution or the like, where there is not one for all.
    #[serde(default)]
    pub variants: Named<Price>,
    /// The day from which on it is not to be counted upon.
    pub deprecated: Option<DateText>,
    /// Which source says so, when it is not the model's.
    pub source: Option<String>,
}

/// What every file of an operator is held against.
pub(crate) fn schema() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>().to_value()
    })
}
