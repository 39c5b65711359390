//! What chooses among a route's pools: `rules` and their conditions.

use super::text::{DayText, Named, NeedText, OneOrMore, TaskText, TimeText};
use super::upstream::{Policy, Target};
use schemars::JsonSchema;
use serde::Deserialize;

/// Deployments of a route that rules lead to, with a policy of their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoutePool {
    /// How deployments are chosen, as for a route.
    #[schemars(example = &"round_robin", extend("x-default" = crate::config::Route::POLICY))]
    #[expect(dead_code, reason = "read from the tree, with its settings; here for the schema")]
    pub policy: Option<Policy>,
    /// The deployments, as for a route.
    #[schemars(example = serde_json::json!(["gpt-4o-mini-eu"]))]
    pub deployments: Vec<Target>,
}

/// Which pool or route serves a request, when a condition holds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What explanations call it.
    #[schemars(example = &"code", extend("x-default" = "its number"))]
    pub name: Option<String>,
    /// What must hold. Absent: always.
    #[serde(default)]
    pub when: Condition,
    /// A pool of this route, or another route, whose own rules then decide on. No cycles.
    #[serde(rename = "use")]
    #[schemars(example = &"coders")]
    pub leads_to: String,
}

/// What must hold for a rule to win: every key that is there.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Condition {
    /// Every one of these conditions.
    #[schemars(example = serde_json::json!([{ "task": "coding" }, { "turns": { "max": 3 } }]), extend("x-default" = "none"))]
    pub all: Option<Vec<Condition>>,
    /// At least one of these conditions.
    #[schemars(example = serde_json::json!([{ "task": "coding" }, { "keywords": ["sql"] }]), extend("x-default" = "none"))]
    pub any: Option<Vec<Condition>>,
    /// Not this condition.
    #[schemars(example = serde_json::json!({ "key": "trial" }), extend("x-default" = "none"))]
    pub not: Option<Box<Condition>>,
    /// One of these words or phrases is in what the user wrote, in either case and not inside of a longer word.
    #[schemars(example = serde_json::json!(["sql", "unit test"]), extend("x-default" = "any"))]
    pub keywords: Option<OneOrMore<String>>,
    /// One of these regular expressions (the syntax of Rust's `regex`) is found in what the user wrote.
    #[schemars(example = "(?i)invoice [0-9]+", extend("x-default" = "any"))]
    pub regex: Option<OneOrMore<String>>,
    /// What is to be done, by the header `x-weir-task`, else as the user's latest message sounds: coding, analysis,
    /// reasoning, creative, extraction, qa, translation or chat.
    #[schemars(example = &"coding", extend("x-default" = "any"))]
    pub task: Option<OneOrMore<TaskText>>,
    /// The language of the user's latest message, as ISO 639-1 names it.
    #[schemars(example = serde_json::json!(["de", "fr"]), extend("x-default" = "any"))]
    pub language: Option<OneOrMore<String>>,
    /// The size of the prompt, in tokens as estimated from its length.
    #[schemars(extend("x-default" = "any"))]
    pub prompt_tokens: Option<Range>,
    /// The most tokens the client asks for. A request that asks for no number does not fit.
    #[schemars(extend("x-default" = "any"))]
    pub output_tokens: Option<Range>,
    /// Messages of the user.
    #[schemars(extend("x-default" = "any"))]
    pub turns: Option<Range>,
    /// All of these are used: tools, images, audio, json_schema, reasoning.
    #[schemars(example = &"images", extend("x-default" = "any"))]
    pub has: Option<OneOrMore<NeedText>>,
    /// Every one of these headers has one of its values; `*` stands for any.
    #[schemars(example = serde_json::json!({ "x-tier": ["gold", "silver"] }), extend("x-default" = "any"))]
    pub headers: Option<Named<OneOrMore<String>>>,
    /// Every one of these keys of the body's `metadata` has one of its values, or a list with one; `*` stands for any.
    #[schemars(example = serde_json::json!({ "tags": "batch" }), extend("x-default" = "any"))]
    pub metadata: Option<Named<OneOrMore<String>>>,
    /// Of the regions that the request names in `x-weir-region`, which the route's `hints` have to allow, one is among these.
    #[schemars(example = serde_json::json!(["eu", "ch"]), extend("x-default" = "any"))]
    pub region: Option<OneOrMore<String>>,
    /// The name of the key that was presented.
    #[schemars(example = &"alice", extend("x-default" = "any"))]
    pub key: Option<OneOrMore<String>>,
    /// The time of day.
    #[schemars(extend("x-default" = "any"))]
    pub time: Option<TimeOfDay>,
}

/// A range of whole numbers, both ends included.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct Range {
    /// The least.
    #[schemars(example = 1000, extend("x-default" = "0"))]
    pub min: Option<u32>,
    /// The most.
    #[schemars(example = 8000, extend("x-default" = "any"))]
    pub max: Option<u32>,
}

/// Days and hours.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeOfDay {
    /// mon, tue, wed, thu, fri, sat, sun. A span over midnight belongs to the day on which it begins.
    #[schemars(example = serde_json::json!(["mon", "tue"]), extend("x-default" = "all"))]
    pub days: Option<OneOrMore<DayText>>,
    /// When it begins.
    #[schemars(example = "09:00")]
    pub from: TimeText,
    /// When it ends; before `from` it is on the next day.
    #[schemars(example = "17:00")]
    pub to: TimeText,
    /// The time zone, by its IANA name.
    #[schemars(example = "Europe/Berlin", extend("x-default" = "UTC"))]
    pub zone: Option<String>,
}
