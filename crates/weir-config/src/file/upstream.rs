//! The sections `providers`, `deployments` and `routes`.

use super::price::Price;
use super::rules::{RoutePool, Rule};
use super::text::{
    AfterText, CauseText, ClassText, DurationText, Named, NeedText, OneOrMore, PercentText, SecretText,
    UrlText,
};
use crate::config;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use weir_core::Timeouts as Limits;

/// A vendor or a server that models are called at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// Whose API it speaks.
    #[schemars(example = &"openai", extend("x-roster" = "provider kind"))]
    pub kind: String,
    /// Where the API lives, up to the part before `/chat/completions`. `http` or `https`, without user, query and fragment.
    #[schemars(example = "http://127.0.0.1:8080/v1", extend("x-default" = "the kind's own"))]
    pub base_url: Option<UrlText>,
    /// Which operations its server has, where they are others than the kind usually has. A call to one that it lacks is
    /// translated to one that it has.
    #[schemars(example = serde_json::json!(["chat", "responses"]), extend("x-default" = "the kind's own"))]
    pub endpoints: Option<Vec<String>>,
    /// The credential that is sent upstream. Empty: none.
    #[schemars(example = "${OPENAI_API_KEY}", extend("x-default" = "none"))]
    pub api_key: Option<SecretText>,
    /// Several credentials instead of one, at most 64: calls take them in turn. One that is refused or limited is left out
    /// meanwhile, and a call that meets this is made again with another. Empty ones count for nothing.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["${OPENAI_KEY_1}", "${OPENAI_KEY_2}"]), extend("x-default" = "none"))]
    pub api_keys: Vec<SecretText>,
    /// Headers added to every call. Their values are treated as secrets.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "x-team": "search" }), extend("x-default" = "none"))]
    pub headers: Named<SecretText>,
    /// How long each phase of a call may take. A deployment's and a route's own go before these.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// How the server's certificate is checked.
    #[serde(default)]
    pub tls: Tls,
    /// How long connections are kept.
    #[serde(default)]
    pub pool: Pool,
    /// Active probing of every deployment here that has no `health` of its own. Absent: none.
    pub health: Option<HealthCheck>,
    /// Reading, at the server, how busy it is.
    #[serde(default)]
    #[schemars(extend("x-default" = "by the kind"))]
    pub gauges: Option<Gauges>,
}

/// Reading, at the server, how busy it is: with requests that did not come from here, too. Text in Prometheus' format, by
/// the names of vLLM, SGLang, Text Generation Inference and llama.cpp. A hint for `least_busy` and its like.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gauges {
    /// Whether it is read.
    #[schemars(extend("x-default" = "`true`"))]
    pub enabled: bool,
    /// Path on the provider's server, beginning with `/`.
    #[schemars(example = "/metrics")]
    pub path: String,
    /// Time between two readings, give or take a tenth. What is older than three of them is forgotten.
    #[schemars(example = "10s")]
    pub interval: DurationText,
}

impl Default for Gauges {
    fn default() -> Self {
        Gauges {
            enabled: true,
            path: config::Gauges::PATH.to_owned(),
            interval: DurationText(config::Gauges::INTERVAL),
        }
    }
}

/// How long each phase of a call may take. Where all three levels set one, the route's goes before the deployment's
/// before the provider's; `total` alone holds at each. Each is above zero, at most 24h and no longer than `total`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    /// Opening a connection, name lookup and TLS included.
    #[schemars(example = "2s", extend("x-default" = shown(Limits::CONNECT)))]
    pub connect: Option<DurationText>,
    /// From sending the request to the first byte of an answer, or to the first token of a stream. While another
    /// deployment remains to be tried the default is about 10s for a stream and 1m and more for other answers, by the
    /// prompt, the longest answer allowed, reasoning and what is known of the deployment; the last one has until `total`.
    #[schemars(example = "20s", extend("x-default" = "by size and deployment"))]
    pub first_byte: Option<DurationText>,
    /// How long a stream's first events are held back while none of them says anything: a role, an empty text. What goes
    /// wrong meanwhile is answered with its own status, or elsewhere without a trace. Absent: they are passed on as they
    /// come. What goes wrong then is still made good by another deployment where one can, but the response's head names
    /// the first.
    #[schemars(example = "2s")]
    pub hold: Option<DurationText>,
    /// Silence between two pieces of an answer.
    #[schemars(example = "1m", extend("x-default" = shown(Limits::IDLE)))]
    pub idle: Option<DurationText>,
    /// At a route: the whole request, all attempts and waits included. At a deployment, or else its provider: one call
    /// there, from connecting to the last byte. Both hold; the default is the route's.
    #[schemars(example = "5m", extend("x-default" = shown(Limits::TOTAL)))]
    pub total: Option<DurationText>,
    /// How slow a stream may be. Absent: the defaults of its keys, while another deployment remains that could complete
    /// the answer.
    pub min_speed: Option<MinSpeed>,
}

/// How slow a stream may be, from its first token on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MinSpeed {
    /// A stream with fewer tokens a second is broken off, and completed elsewhere where that can be. 0: any speed will do.
    #[schemars(range(min = 0, max = 1_000_000), example = 5)]
    pub tokens_per_second: u32,
    /// Measured over so long.
    #[schemars(example = "30s")]
    pub over: DurationText,
}

impl Default for MinSpeed {
    fn default() -> Self {
        let from = weir_core::timeouts::MinSpeed::default();
        MinSpeed { tokens_per_second: from.tokens_per_second, over: DurationText(from.over) }
    }
}

fn shown(default: std::time::Duration) -> String {
    crate::format::duration_text(default)
}

/// How the server's certificate is checked.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    /// A PEM file of certificate authorities to trust instead of the system's.
    #[schemars(example = "/etc/weir/ca.pem", extend("x-default" = "the system's"))]
    pub ca: Option<String>,
}

/// How long connections are kept.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pool {
    /// How long an unused connection is kept.
    #[schemars(example = "60s", extend("x-default" = "30s"))]
    pub idle: Option<DurationText>,
    /// After how long a connection is not used again, so that a changed DNS entry is noticed.
    #[schemars(example = "10m", extend("x-default" = "5m"))]
    pub max_age: Option<DurationText>,
}

/// Active probing. A probe that fails counts as a fault of the deployment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HealthCheck {
    /// What is asked: `health` (the server's `/health`), `models` (the list of models, which has to hold this one),
    /// `completion` (one token of the model; what that costs is in `weir_cost_usd_total`, `cause` `probe`), `loaded` (Ollama's
    /// `/api/ps`, which has to hold the model), `path` (a GET of `path`, to be answered with a 2xx).
    #[schemars(example = &"completion", extend("x-default" = "`path` where one is given, else by the provider's kind"))]
    pub probe: Option<String>,
    /// Path below the provider's base URL, beginning with `/`.
    #[schemars(example = "/models", extend("x-default" = "none"))]
    pub path: Option<String>,
    /// Time between two probes, give or take a tenth.
    #[schemars(example = "30s")]
    pub interval: DurationText,
}

impl Default for HealthCheck {
    fn default() -> Self {
        HealthCheck { probe: None, path: None, interval: DurationText(config::HealthCheck::INTERVAL) }
    }
}

/// One callable place: a provider, one of its models, and what that costs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    /// The name of the provider.
    #[schemars(example = &"openai")]
    pub provider: String,
    /// The model's name at that provider.
    #[schemars(example = &"gpt-4o-mini")]
    pub model: String,
    /// What it costs: by the token (`input` and `output` at least), by the piece, or by the hour (`per_hour` alone). Where
    /// the catalogue does not know it either, costs are unknown, which is not nothing; a price of 0 is nothing.
    #[schemars(example = serde_json::json!({ "input": 0.15, "output": 0.6 }), extend("x-default" = "the catalogue's"))]
    pub price: Option<Price>,
    /// Where the catalogue lists it, as VENDOR/ID: for a server that passes a vendor's model on, or a name of one's own.
    /// `none`: nothing is taken from the catalogue.
    #[schemars(example = &"openai/gpt-4o-mini", extend("x-default" = "by the provider's kind, or its host, and `model`"))]
    pub catalog: Option<String>,
    /// How good its answers are, from 0 to 1000000, in a scale of your own: what the policies `quality` and
    /// `weighted_score` compare.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000), example = 70)]
    pub quality: u32,
    /// Its share in every route that does not give another: 0 to 1000000, relative to the other deployments. 0 gets
    /// traffic only when all others failed.
    #[serde(default = "weight")]
    #[schemars(range(min = 0, max = 1_000_000), example = 3)]
    pub weight: u32,
    /// Calls at one time; above it other deployments are chosen.
    #[schemars(range(min = 1, max = 10_000_000), example = 100, extend("x-default" = "no bound"))]
    pub max_concurrency: Option<u32>,
    /// Whether a lower bound is learnt, too, from the moment on at which it complains that calls are too many (429, 503,
    /// 529, a time limit): taken down then, raised step by step while answers come in good time, gone after five minutes
    /// without a complaint.
    #[serde(default = "yes")]
    #[schemars(example = false)]
    pub learns_concurrency: bool,
    /// How long each phase of a call may take. A route's own go before these.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// Free facts about it, such as architecture, gpu or region, that metrics may carry. At most 32.
    #[serde(default)]
    #[schemars(example = serde_json::json!({ "gpu": "h100", "region": "eu" }), extend("x-default" = "none"))]
    pub labels: Named<String>,
    /// What its model is meant for: coding, reasoning, fast, general, media. Clients reach all deployments of a class as the
    /// model `class:NAME`.
    #[serde(default)]
    #[schemars(example = &"coding", extend("x-default" = "the catalogue's, else none"))]
    pub class: Option<OneOrMore<ClassText>>,
    /// What its model takes of tools, images, audio, json_schema and reasoning; a request that uses another of these is not
    /// sent there. Absent: everything but what the catalogue says it does not take.
    #[schemars(example = serde_json::json!(["tools", "images"]), extend("x-default" = "the catalogue's, else everything"))]
    pub capabilities: Option<Vec<NeedText>>,
    /// The most tokens of prompt and answer together. A request that is estimated to need more is not sent there.
    #[schemars(range(min = 1, max = 1_000_000_000), example = 128_000, extend("x-default" = "the catalogue's, else no bound"))]
    pub context_window: Option<u32>,
    /// The most tokens of a prompt, where the answer does not count against it. A request whose prompt is estimated to have
    /// more is not sent there.
    #[schemars(range(min = 1, max = 1_000_000_000), example = 272_000, extend("x-default" = "the catalogue's, else no bound"))]
    pub max_input: Option<u32>,
    /// The most tokens of an answer. A request that asks for more is not sent there.
    #[schemars(range(min = 1, max = 1_000_000_000), example = 16_384, extend("x-default" = "the catalogue's, else no bound"))]
    pub max_output: Option<u32>,
    /// Active probing. Absent: the provider's.
    pub health: Option<HealthCheck>,
    /// When to stop calling it for a while.
    #[serde(default)]
    pub breaker: Breaker,
    /// How it completes the streamed answer of a deployment that broke off: `restart` (the call is made anew, and what
    /// repeats the client's part word for word is left out), `prefill` (it goes on behind that part, which it takes as the
    /// assistant's turn; only for an answer of the same model), `none`.
    #[schemars(example = &"prefill", extend("x-default" = "restart"))]
    pub continues: Option<String>,
    /// A name for what it serves. Deployments of the same name serve the same model, however their providers call it.
    #[schemars(example = &"llama-3.3-70b", extend("x-default" = "`model`"))]
    pub same_as: Option<String>,
}

fn yes() -> bool {
    true
}

fn weight() -> u32 {
    config::Deployment::WEIGHT
}

/// When to stop calling a deployment for a while.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Breaker {
    /// Consecutive faults of the deployment that open the breaker.
    #[schemars(range(min = 1, max = 1_000_000), example = 3)]
    pub failures: u32,
    /// Faults of the deployment in a hundred calls that open the breaker, too: over the last 10s, of at least 10 calls.
    #[schemars(range(min = 1, max = 100), example = 20)]
    pub error_percent: u32,
    /// How long it stays open before a call is let through to probe, less up to a fifth by chance.
    #[schemars(example = "30s")]
    pub cooldown: DurationText,
    /// Calls that are let through at the same time to probe.
    #[schemars(range(min = 1, max = 1_000_000), example = 3)]
    pub probes: u32,
    /// How long a deployment that is back takes to get its whole share of calls again, from a tenth of it. `0s`: at once.
    #[schemars(example = "1m")]
    pub ramp: DurationText,
    /// Opens the breaker when the deployment has become too slow.
    pub slow: Slow,
}

impl Default for Breaker {
    fn default() -> Self {
        let from = config::Breaker::default();
        Breaker {
            failures: from.failures,
            error_percent: from.error_percent,
            cooldown: DurationText(from.cooldown),
            probes: from.probes,
            ramp: DurationText(from.ramp),
            slow: Slow::default(),
        }
    }
}

/// When a deployment is too slow: percentiles over the last minute, for a prompt of 1000 tokens and an answer of 200. What
/// other requests took is converted to that size by what is known of the deployment.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Slow {
    /// The most that the 95th percentile of the time to the first token may be, of streams.
    #[schemars(example = "5s", extend("x-default" = "no limit"))]
    pub first_token_p95: Option<DurationText>,
    /// The most that the 95th percentile of the time to the end of the answer may be.
    #[schemars(example = "1m", extend("x-default" = "no limit"))]
    pub total_p95: Option<DurationText>,
    /// With fewer calls in the minute nothing is said.
    #[schemars(range(min = 1, max = 1_000_000), example = 100)]
    pub min_samples: u32,
}

impl Default for Slow {
    fn default() -> Self {
        Slow { first_token_p95: None, total_p95: None, min_samples: config::Slow::default().min_samples }
    }
}

/// What serves a model that clients ask for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    /// Other names for the same route. No name may be used twice.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["gpt-4o-mini"]), extend("x-default" = "none"))]
    pub aliases: Vec<String>,
    /// How deployments are chosen: the name of a policy, or a map of its `kind` and its settings.
    #[schemars(example = &"round_robin", extend("x-default" = config::Route::POLICY))]
    #[expect(dead_code, reason = "read from the tree, with its settings; here for the schema")]
    pub policy: Option<Policy>,
    /// The deployments that answer, by name, or as a map that gives a weight of its own. At least one; the weights must
    /// not all be zero. Needed, but for a route that is named after a class (`class:coding`): it has the deployments of that.
    #[schemars(example = serde_json::json!(["gpt-4o-mini-eu", { "name": "other", "weight": 2 }]), extend("x-default" = "those of the class", "x-usual" = true))]
    pub deployments: Option<Vec<Target>>,
    /// Further sets of deployments, by name, for rules to lead to.
    #[serde(default)]
    #[schemars(extend("x-default" = "none"))]
    pub pools: Named<RoutePool>,
    /// Which pool or other route serves a request: the first rule that holds decides; where none does, `deployments`. At
    /// most 100.
    #[serde(default)]
    #[schemars(extend("x-default" = "none"))]
    pub rules: Vec<Rule>,
    /// Routes to go on with when every deployment here has failed, in this order: by name, or as a map that says for which
    /// causes. No cycles.
    #[serde(default)]
    #[schemars(example = serde_json::json!(["backup", { "route": "large", "on": ["context_window"] }]), extend("x-default" = "none"))]
    pub fallbacks: Vec<Fallback>,
    /// When breakers keep out more than this share of a pool's deployments, in percent, the rest would have to bear too
    /// much: those that are out are then called, too, each the less often the more it fails. 100: never.
    #[serde(default = "panic_percent")]
    #[schemars(range(min = 1, max = 100), example = 80)]
    pub panic_percent: u32,
    /// What a deployment must be like to serve a request that names this route.
    #[serde(default)]
    pub require: Require,
    /// What a request may ask of this route by headers: `latency_budget` (`x-weir-latency-budget-ms`), `max_cost`
    /// (`x-weir-max-cost`), `policy` (`x-weir-policy`), `session` (`x-weir-session`), `no_fallback`
    /// (`x-weir-no-fallback`), `dry_run` (`x-weir-dry-run`), `region` (`x-weir-region`: only deployments whose label
    /// `region` has one of these values, parted by commas), `task` (`x-weir-task`). A request that asks for what is not in the list is refused.
    #[schemars(example = serde_json::json!(["latency_budget", "session"]), extend("x-default" = "`session`, `no_fallback`, `task`"))]
    pub hints: Option<Vec<String>>,
    /// Whether what a call asks for and a deployment of another format cannot be told is left out, and named in
    /// `x-weir-dropped`. `false`: such a deployment does not serve the call, and where no other does it is refused, naming what
    /// it was.
    #[serde(default = "drop_params")]
    #[schemars(example = false)]
    pub drop_params: bool,
    /// How often and how soon to try again.
    #[serde(default)]
    pub retries: Retries,
    /// How requests wait for a place when every deployment that could answer is full.
    #[serde(default)]
    pub queue: Queue,
    /// A second call, to the next deployment, beside one that is slow; whichever answers first is the answer. Absent: none.
    pub hedge: Option<Hedge>,
    /// Which chat answers are of no use, although they came in full and in order: another deployment is asked then, and
    /// after that the fallbacks that are for `invalid_output`.
    #[serde(default)]
    pub answers: Answers,
    /// How long each phase of a call may take.
    #[serde(default)]
    pub timeouts: Timeouts,
}

fn drop_params() -> bool {
    true
}

fn panic_percent() -> u32 {
    config::Route::PANIC_PERCENT
}

/// How requests wait for a place when every deployment that could answer is full, those of the fallbacks included: first
/// come, first served, on each core for itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Queue {
    /// The longest wait of one request; it never goes beyond the request's `total`.
    #[schemars(example = "10s")]
    pub max_wait: DurationText,
    /// Requests that wait on one core; one more is refused at once. 0: nobody waits.
    #[schemars(range(min = 0, max = 100_000), example = 20)]
    pub max_waiting: u32,
}

impl Default for Queue {
    fn default() -> Self {
        let from = config::Queue::default();
        Queue { max_wait: DurationText(from.max_wait), max_waiting: from.max_waiting }
    }
}

/// What a deployment must be like to serve a request that names this route, wherever rules and fallbacks lead.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Require {
    /// Every one of these labels, with one of these values.
    #[schemars(example = serde_json::json!({ "region": ["eu", "ch"] }), extend("x-default" = "none"))]
    pub labels: Named<OneOrMore<String>>,
    /// It is one of these deployments. Another may stand in a pool, or in the route of a fallback, and is left out.
    #[schemars(example = serde_json::json!(["gpt-4o-eu"]), extend("x-default" = "any"))]
    pub deployments: Option<Vec<String>>,
}

/// Second calls beside first ones that are slow.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hedge {
    /// When a call without a first token (without an answer, when it is no stream) is slow: a percentile of what its own
    /// deployment takes for calls of its size, p50 to p99, or a time.
    #[schemars(example = "800ms")]
    pub after: AfterText,
    /// How many second calls there may be for a hundred requests of the route: 1% to 100%.
    #[schemars(example = "2%")]
    pub extra: PercentText,
}

impl Default for Hedge {
    fn default() -> Self {
        let from = config::Hedge::default();
        Hedge { after: AfterText(from.after), extra: PercentText(from.extra_percent) }
    }
}

/// Which chat answers are of no use. Streams are judged at their end where `buffer` holds them, else only by whether they
/// say anything at all before any of their events goes out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answers {
    /// Those that say nothing although the model was done.
    #[schemars(example = false)]
    pub empty: bool,
    /// Those that are not in the `response_format` of the request: no JSON, or not of its schema.
    #[schemars(example = false)]
    pub json: bool,
    /// Refusals: a `refusal`, the finish reason `content_filter`, or a short answer that begins as refusals do.
    #[schemars(example = true)]
    pub refusal: bool,
    /// Those that the token limit cut off before this many tokens, and before what the request allowed. 0: none.
    #[schemars(range(min = 0, max = 1_000_000), example = 16)]
    pub min_output_tokens: u32,
    /// Whether streams are held until their end, so that they can be judged, too, and begun anew when they break: up to
    /// `server.limits.answer_buffer` of them. Costs the client the streaming.
    #[schemars(example = true)]
    pub buffer: bool,
    /// What the client gets when nobody answers better: `last`, the last such answer, marked by `x-weir-answer`; or
    /// `error`, a 502.
    #[schemars(example = &"error")]
    pub otherwise: String,
}

impl Default for Answers {
    fn default() -> Self {
        let from = config::Answers::default();
        Answers {
            empty: from.empty,
            json: from.json,
            refusal: from.refusal,
            min_output_tokens: from.min_output_tokens,
            buffer: from.buffer,
            otherwise: from.otherwise.name().to_owned(),
        }
    }
}

/// How often and how soon to try again: after the n-th failure a random time up to `base` × 2ⁿ⁻¹, at most `cap`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retries {
    /// Calls after the first one, within this route: 0 to 20.
    #[schemars(range(min = 0, max = 20), example = 1, extend("x-default" = "`2`, or with more than three deployments a call to each, up to `4`"))]
    pub max: Option<u32>,
    /// The longest wait before the first retry.
    #[schemars(example = "100ms")]
    pub base: DurationText,
    /// The longest wait before any retry; at least `base`.
    #[schemars(example = "2s")]
    pub cap: DurationText,
    /// An upstream's `Retry-After` is waited out up to this; a deployment that asks for more is not tried again.
    #[schemars(example = "30s")]
    pub retry_after_max: DurationText,
}

impl Default for Retries {
    fn default() -> Self {
        let from = config::Retries::default();
        Retries {
            max: None,
            base: DurationText(from.base),
            cap: DurationText(from.cap),
            retry_after_max: DurationText(from.retry_after_max),
        }
    }
}

/// A deployment of a route: its name, or a map.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Target {
    /// The name of a deployment.
    Name(String),
    /// A deployment with a weight of its own in this route.
    Weighted(Weighted),
}

/// A deployment with a weight of its own in this route.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weighted {
    /// The name of the deployment.
    #[schemars(example = "gpt-4o-mini-eu")]
    pub name: String,
    /// Its share in this route.
    #[schemars(range(min = 0, max = 1_000_000), example = 2, extend("x-default" = "the deployment's"))]
    pub weight: Option<u32>,
}

impl Target {
    pub(crate) fn name(&self) -> &str {
        match self {
            Target::Name(name) => name,
            Target::Weighted(weighted) => &weighted.name,
        }
    }

    pub(crate) fn weight(&self) -> Option<u32> {
        match self {
            Target::Name(_) => None,
            Target::Weighted(weighted) => weighted.weight,
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a deployment or a map")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Target, E> {
                Ok(Target::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                Weighted::deserialize(MapAccessDeserializer::new(map)).map(Target::Weighted)
            }
        }

        from.deserialize_any(NameOrMap)
    }
}

/// A route to go on with: its name, or a map.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Fallback {
    /// The name of a route.
    Name(String),
    /// A route and what it is for.
    For(FallbackFor),
}

/// A route to go on with, and what it is for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FallbackFor {
    /// The name of the route.
    #[schemars(example = &"large")]
    pub route: String,
    /// For which causes: unavailable, rate, context_window, content_policy, invalid_output.
    #[schemars(example = serde_json::json!(["context_window"]), extend("x-default" = "unavailable, rate and context_window"))]
    pub on: Option<OneOrMore<CauseText>>,
}

impl Fallback {
    pub(crate) fn name(&self) -> &str {
        match self {
            Fallback::Name(name) => name,
            Fallback::For(fallback) => &fallback.route,
        }
    }

    pub(crate) fn on(&self) -> Option<&[CauseText]> {
        match self {
            Fallback::Name(_) => None,
            Fallback::For(fallback) => fallback.on.as_ref().map(OneOrMore::as_slice),
        }
    }
}

impl<'de> Deserialize<'de> for Fallback {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = Fallback;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a route or a map")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Fallback, E> {
                Ok(Fallback::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fallback, A::Error> {
                FallbackFor::deserialize(MapAccessDeserializer::new(map)).map(Fallback::For)
            }
        }

        from.deserialize_any(NameOrMap)
    }
}

/// A route's policy. What it holds stays in the tree: only the policy knows its settings.
#[derive(Clone, Copy)]
pub(crate) struct Policy;

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Policy)
    }
}

impl JsonSchema for Policy {
    fn schema_name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How deployments are chosen: the name of a policy, or a map of its `kind` and its settings.",
            "anyOf": [
                { "type": "string", "x-roster": "policy" },
                {
                    "type": "object",
                    "properties": {
                        "kind": {
                            "type": "string",
                            "description": "The name of the policy. The other keys of the map are its settings.",
                            "x-roster": "policy",
                            "examples": ["weighted"]
                        }
                    },
                    "required": ["kind"],
                    "additionalProperties": true
                }
            ]
        })
    }
}
