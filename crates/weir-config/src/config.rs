//! The checked configuration: names resolved, defaults filled in, every value within its bounds.

mod aws;
mod hedge;
mod store;
mod tokens;

pub use aws::{Aws, AwsCredentials};
pub use hedge::{Hedge, HedgeAfter};
pub use store::Store;
pub use tokens::{Entra, TokenSource};

use crate::catalog::Source;
use crate::node::Node;
use crate::problem::{Span, Spanned};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Causes, Endpoint, ModelClass, Needs, Pricing, Secret, Task, Timeouts};

/// Everything the file says, checked. Safe to print: secrets are [`Secret`]s.
#[derive(Clone, Debug)]
pub struct Config {
    /// The listeners and their limits.
    pub server: Server,
    /// The vendors and servers that models are called at, in the order of the file.
    pub providers: Vec<Provider>,
    /// The callable places, in the order of the file.
    pub deployments: Vec<Deployment>,
    /// What clients ask for, in the order of the file. At least one.
    pub routes: Vec<Route>,
    /// Who may call. Empty: everyone, and the public listener is on a loopback address.
    pub keys: Vec<Key>,
    /// What deployments take from it that they do not state.
    pub catalog: CatalogSource,
    /// What is kept after a restart; `None` for nothing.
    pub store: Option<Store>,
    /// Access log, trace events and metrics.
    pub telemetry: Telemetry,
}

/// Which catalogue is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogSource {
    /// The operator's own file, which goes before the built-in one.
    pub file: Option<PathBuf>,
    /// Whether the built-in one is used.
    pub built_in: bool,
}

/// What a deployment has from the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands there: `openai/gpt-4o-mini`.
    pub entry: Arc<str>,
    /// The keys of the deployment that were taken from there.
    pub taken: Vec<&'static str>,
    /// Who says so.
    pub source: Option<Arc<Source>>,
    /// The day from which on the vendor does not promise it any more.
    pub deprecated: Option<Box<str>>,
}

/// The listeners and their limits.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address of the public API. Not a loopback address only when there are keys.
    pub listen: SocketAddr,
    /// The second listener.
    pub admin: Admin,
    /// Cores that serve traffic, 1 to 1024; `None` for all of them.
    pub cores: Option<u32>,
    /// What clients may take.
    pub limits: Limits,
    /// How long requests in flight may go on after the process was asked to end.
    pub grace: Duration,
    /// Which web pages may call from a browser; `None` for no page.
    pub cors: Option<Cors>,
    /// Optional response headers.
    pub headers: ResponseHeaders,
}

impl Server {
    /// Default for `listen`.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7600);
    /// Default for `grace`.
    pub const GRACE: Duration = Duration::from_secs(30);
}

/// The second listener, for metrics and administration.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Its address; not a loopback address only when there is a token.
    pub listen: SocketAddr,
    /// The token that changes need. Never empty.
    pub token: Option<Secret>,
}

impl Admin {
    /// Default for `listen`.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7601);
}

/// What one client, one request and all of them together may take. Sizes are in bytes and above zero, durations above
/// zero and at most 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest request body.
    pub max_body: usize,
    /// The largest request head; at least 8 KiB.
    pub max_header: usize,
    /// How long a client may take to send a head.
    pub header_timeout: Duration,
    /// The longest silence while a client sends a body.
    pub body_timeout: Duration,
    /// How long a client may take to send a whole body.
    pub body_total: Duration,
    /// How long a connection without a request is kept open.
    pub keep_alive: Duration,
    /// How long a client may take none of its answer.
    pub send_timeout: Duration,
    /// Requests at one time, over all cores.
    pub max_requests: u32,
    /// Open client connections, over all cores.
    pub max_connections: u32,
    /// How much of one stream is held for a client that reads slowly.
    pub stream_buffer: usize,
    /// Up to which size an answer that is no stream is held before it is sent on.
    pub answer_buffer: usize,
}

impl Limits {
    /// The least that `max_header` may be: what ordinary clients and browsers send.
    pub const LEAST_HEADER: usize = 8 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_body: 32 << 20,
            max_header: 64 << 10,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            body_total: Duration::from_secs(120),
            keep_alive: Duration::from_secs(75),
            send_timeout: Duration::from_secs(30),
            max_requests: 10_000,
            max_connections: 20_000,
            stream_buffer: 4 << 20,
            answer_buffer: 1 << 20,
        }
    }
}

/// Which web pages may call from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Origins in lower case as browsers send them, or `*`. At least one.
    pub origins: Vec<Arc<str>>,
    /// How long a browser may remember the permission.
    pub max_age: Duration,
}

impl Cors {
    /// Default for `max_age`.
    pub const MAX_AGE: Duration = Duration::from_secs(600);
}

/// Optional response headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// `x-litellm-response-cost` and `x-litellm-model-id`.
    pub litellm: bool,
    /// `X-Process-Time`, `X-Token-Usage`, `X-Request-Size` and `X-Response-Size`.
    pub timing: bool,
}

impl Default for ResponseHeaders {
    fn default() -> Self {
        ResponseHeaders { litellm: true, timing: false }
    }
}

/// A vendor or a server that models are called at.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name, unlike that of every other provider.
    pub name: Arc<str>,
    /// Whose API it speaks; not yet compared with the kinds there are.
    pub kind: Spanned<String>,
    /// `http` or `https` URL without user, query, fragment and trailing slash; `None` for the kind's own.
    pub base_url: Option<Spanned<String>>,
    /// The operations its server has; `None` for what its kind usually has.
    pub endpoints: Option<Vec<Endpoint>>,
    /// The credentials that calls are made with, in turn. None of them empty or there twice; visible ASCII.
    pub api_keys: Vec<Secret>,
    /// The version of its API, where one was stated.
    pub api_version: Option<Spanned<String>>,
    /// The cloud's project, where one was stated.
    pub project: Option<Spanned<String>>,
    /// The cloud's region, where one was stated.
    pub location: Option<Spanned<String>>,
    /// What tokens are had by that calls are made with; not yet looked into.
    pub tokens: Option<Spanned<TokenSource>>,
    /// Where in AWS it is, and what calls are signed with.
    pub aws: Option<Spanned<Aws>>,
    /// Headers added to every call: names in lower case and each only once, values of visible ASCII, space and tab.
    pub headers: Vec<(String, Secret)>,
    /// Its limits of time.
    pub timeouts: Timeouts,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// How long connections are kept.
    pub pool: Pool,
    /// Active probing of its deployments; already part of each deployment's own.
    pub health: Option<HealthCheck>,
    /// Reading what the server says of itself.
    pub gauges: Gauges,
    /// Where it is written.
    pub at: Span,
}

/// How long connections are kept. `None` leaves it to whoever opens them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// How long an unused connection is kept.
    pub idle: Option<Duration>,
    /// After how long a connection is not used again.
    pub max_age: Option<Duration>,
}

/// Active probing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked; not yet compared with the probes there are. `None` for a GET of `path`, or without one for what the
    /// provider's kind usually is asked.
    pub probe: Option<Spanned<String>>,
    /// Path below the provider's base URL, beginning with `/`.
    pub path: Option<String>,
    /// Time between two probes, more or less; at least 100 ms.
    pub interval: Duration,
}

impl HealthCheck {
    /// Default for `interval`.
    pub const INTERVAL: Duration = Duration::from_secs(10);
    /// The shortest interval: probing must not become load.
    pub const LEAST_INTERVAL: Duration = Duration::from_millis(100);
}

/// Reading what a model server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Whether it is read; `None` leaves that to the provider's kind.
    pub enabled: Option<bool>,
    /// Path on the server, beginning with `/`.
    pub path: String,
    /// Time between two readings, more or less; at least 100 ms.
    pub interval: Duration,
}

impl Gauges {
    /// Default for `path`.
    pub const PATH: &str = "/metrics";
    /// Default for `interval`.
    pub const INTERVAL: Duration = Duration::from_secs(5);
}

impl Default for Gauges {
    fn default() -> Self {
        Gauges { enabled: None, path: Self::PATH.to_owned(), interval: Self::INTERVAL }
    }
}

/// One callable place.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its name, unlike that of every other deployment.
    pub name: Arc<str>,
    /// Index into [`Config::providers`].
    pub provider: usize,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// What it costs.
    pub pricing: Pricing,
    /// How good its answers are, as the operator rates it; at most 1,000,000.
    pub quality: u32,
    /// Its share in routes that give no other; at most 1,000,000.
    pub weight: u32,
    /// Calls at one time; at least 1; `None` for no bound.
    pub max_concurrency: Option<u32>,
    /// Whether a lower bound is learnt from its complaints.
    pub learns_concurrency: bool,
    /// Its own limits of time.
    pub timeouts: Timeouts,
    /// Free facts about it.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// What its model is meant for.
    pub classes: Vec<ModelClass>,
    /// What its model takes; `None` for everything.
    pub capabilities: Option<Needs>,
    /// The most tokens of prompt and answer together; at least 1.
    pub context_window: Option<u32>,
    /// The most tokens of a prompt alone; at least 1.
    pub max_input: Option<u32>,
    /// The most tokens of an answer; at least 1.
    pub max_output: Option<u32>,
    /// What of this is from the catalogue; `None` when it does not list the deployment, or is not to be asked.
    pub listed: Option<Listed>,
    /// Active probing: its own, else its provider's.
    pub health: Option<HealthCheck>,
    /// When to stop calling it for a while.
    pub breaker: Breaker,
    /// How it completes an answer that broke off.
    pub continues: Continues,
    /// Deployments of the same name here serve the same model.
    pub same_as: Arc<str>,
    /// Where it is written.
    pub at: Span,
}

impl Deployment {
    /// Default for `weight`.
    pub const WEIGHT: u32 = 1;
}

/// How a deployment completes a streamed answer that broke off at another, or at itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Continues {
    /// The call is made anew; what repeats the client's part word for word is left out.
    #[default]
    Restart,
    /// It goes on behind the client's part, which it is given as the assistant's turn.
    Prefill,
    /// It does not.
    Never,
}

impl Continues {
    /// Each with its name in the file.
    pub const NAMES: [(&str, Continues); 3] =
        [("restart", Continues::Restart), ("prefill", Continues::Prefill), ("none", Continues::Never)];
}

/// When to stop calling a deployment for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Consecutive faults that open it; at least 1.
    pub failures: u32,
    /// Faults in a hundred calls that open it, too; 1 to 100.
    pub error_percent: u32,
    /// How long it stays open before a call probes; chance takes up to a fifth off.
    pub cooldown: Duration,
    /// Calls that probe at the same time; at least 1.
    pub probes: u32,
    /// How long it takes to get its whole share of calls again.
    pub ramp: Duration,
    /// What is too slow.
    pub slow: Slow,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker {
            failures: 5,
            error_percent: 40,
            cooldown: Duration::from_secs(10),
            probes: 1,
            ramp: Duration::from_secs(10),
            slow: Slow::default(),
        }
    }
}

/// When a deployment is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slow {
    /// For the 95th percentile of the time to the first token; `None` for no limit.
    pub first_token_p95: Option<Duration>,
    /// For the 95th percentile of the time to the end of the answer; `None` for no limit.
    pub total_p95: Option<Duration>,
    /// Fewer calls say nothing; at least 1.
    pub min_samples: u32,
}

impl Default for Slow {
    fn default() -> Self {
        Slow { first_token_p95: None, total_p95: None, min_samples: 20 }
    }
}

/// What serves a model that clients ask for.
#[derive(Clone, Debug)]
pub struct Route {
    /// The name clients ask for.
    pub name: Arc<str>,
    /// Whether it stands in the file; else it was made of a class of deployments.
    pub is_written: bool,
    /// Other names for it. No name or alias occurs twice in a configuration.
    pub aliases: Vec<Arc<str>>,
    /// The policy's kind; not yet compared with the policies there are.
    pub policy: Spanned<String>,
    /// The policy's settings: a map, empty when none were given.
    pub settings: Node,
    /// Indices into [`Config::deployments`] with the weight each has here. At least one; no index twice; the weights are
    /// not all zero.
    pub deployments: Vec<(usize, u32)>,
    /// Further sets of deployments.
    pub pools: Vec<RoutePool>,
    /// Which of them, or which other route, serves a request: the first that holds.
    pub rules: Vec<Rule>,
    /// When breakers keep out more of a hundred deployments of a pool, they are not kept to; 100 for never.
    pub panic_percent: u32,
    /// Routes to go on with. No cycles.
    pub fallbacks: Vec<Fallback>,
    /// Labels that a deployment must have, each with one of its values, to serve a request that names this route or is led
    /// here. A deployment of the route, or of its pools, has them.
    pub require: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// The deployments that alone may serve such a request, as indices into [`Config::deployments`]; all when empty.
    pub only: Vec<usize>,
    /// What a request may ask of the route by its headers; none twice.
    pub hints: Vec<Hint>,
    /// How often and how soon to try again.
    pub retries: Retries,
    /// How requests wait for a place.
    pub queue: Queue,
    /// When a second call is made beside one that is slow.
    pub hedge: Option<Hedge>,
    /// Which answers are of no use.
    pub answers: Answers,
    /// Whether what a deployment's format has no place for is left out of a call; else the call is not made there.
    pub drop_params: bool,
    /// Its own limits of time.
    pub timeouts: Timeouts,
    /// Where it is written.
    pub at: Span,
}

impl Route {
    /// Default for `policy`.
    pub const POLICY: &str = "weighted";
    /// Default for `panic_percent`, as Envoy's panic threshold has it.
    pub const PANIC_PERCENT: u32 = 50;
    /// Default for `hints`: those that ask for no more than the route would give. A session is kept in one place, and
    /// without fallbacks there is only less to call.
    pub const HINTS: &[Hint] = &[Hint::Session, Hint::NoFallback, Hint::Task];

    /// Whether it requires anything of a deployment.
    pub fn is_choosy(&self) -> bool {
        !self.require.is_empty() || !self.only.is_empty()
    }

    /// Whether a deployment, at its place in the configuration, is what the route requires.
    pub fn allows(&self, index: usize, deployment: &Deployment) -> bool {
        let has = |name: &str, values: &[Arc<str>]| {
            deployment.labels.iter().any(|(known, value)| **known == *name && values.contains(value))
        };
        (self.only.is_empty() || self.only.contains(&index))
            && self.require.iter().all(|(name, values)| has(name, values))
    }

    /// Every deployment it may call by itself, those of its pools included; one may come more than once.
    pub fn members(&self) -> impl Iterator<Item = usize> + '_ {
        let pools = self.pools.iter().flat_map(|pool| &pool.deployments);
        self.deployments.iter().chain(pools).map(|(index, _)| *index)
    }
}

/// Deployments of a route that rules lead to.
#[derive(Clone, Debug)]
pub struct RoutePool {
    /// Its name, unlike that of every other pool of the route.
    pub name: Arc<str>,
    /// The policy's kind; not yet compared with the policies there are.
    pub policy: Spanned<String>,
    /// The policy's settings: a map, empty when none were given.
    pub settings: Node,
    /// As those of a route.
    pub deployments: Vec<(usize, u32)>,
}

/// Which pool or route serves a request, when a condition holds.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What explanations call it.
    pub name: Arc<str>,
    /// What must hold.
    pub when: Condition,
    /// What serves the request then.
    pub leads_to: LeadsTo,
}

/// What a rule leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadsTo {
    /// Index into [`Route::pools`].
    Pool(usize),
    /// Index into [`Config::routes`]; never back to a route on the way.
    Route(usize),
}

/// What must hold for a rule to win. Patterns, languages and zones are not yet compared with those there are.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Every one of them.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// One of these words is in the user's text.
    Keywords(Vec<Spanned<String>>),
    /// One of these regular expressions is found in the user's text.
    Regex(Vec<Spanned<String>>),
    /// The task is one of these.
    Task(Vec<Task>),
    /// The language is one of these.
    Language(Vec<Spanned<String>>),
    /// Tokens of the prompt, from and to.
    PromptTokens(u64, u64),
    /// Tokens asked for, from and to.
    OutputTokens(u64, u64),
    /// Messages of the user, from and to.
    Turns(u64, u64),
    /// All of these are used.
    Has(Needs),
    /// A header, in lower case, has one of these values; any for none.
    Header(Arc<str>, Vec<Arc<str>>),
    /// A key of `metadata` has one of these values; any for none.
    Metadata(Arc<str>, Vec<Arc<str>>),
    /// One of these regions is among those the request names.
    Region(Vec<Arc<str>>),
    /// One of these keys was presented.
    Key(Vec<Arc<str>>),
    /// The time of day.
    Time {
        /// 0 is Monday; all when empty.
        days: Vec<u8>,
        /// Minutes after midnight.
        from: u16,
        /// Minutes after midnight.
        to: u16,
        /// The time zone.
        zone: Spanned<String>,
    },
}

/// A route to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// Index into [`Config::routes`].
    pub route: usize,
    /// What it is for.
    pub on: Causes,
}

/// What a request may ask of a route by a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// `x-weir-latency-budget-ms`, `latency_budget_ms` or `x-slo-ttft-ms`: how long its answer may take.
    LatencyBudget,
    /// `x-weir-max-cost`: how many USD it may be expected to cost.
    MaxCost,
    /// `x-weir-policy`: by which policy its deployments are chosen.
    Policy,
    /// `x-weir-session`: which requests belong together.
    Session,
    /// `x-weir-no-fallback`: this route or an error.
    NoFallback,
    /// `x-weir-dry-run`: the decision alone, and why.
    DryRun,
    /// `x-weir-region`: only deployments whose label `region` has one of these values.
    Region,
    /// `x-weir-task`: what is to be done, for rules.
    Task,
}

impl Hint {
    /// Every hint.
    pub const ALL: [Hint; 8] = [
        Hint::LatencyBudget,
        Hint::MaxCost,
        Hint::Policy,
        Hint::Session,
        Hint::NoFallback,
        Hint::DryRun,
        Hint::Region,
        Hint::Task,
    ];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Hint::LatencyBudget => "latency_budget",
            Hint::MaxCost => "max_cost",
            Hint::Policy => "policy",
            Hint::Session => "session",
            Hint::NoFallback => "no_fallback",
            Hint::DryRun => "dry_run",
            Hint::Region => "region",
            Hint::Task => "task",
        }
    }
}

/// How often and how soon to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Calls after the first one, within one route; at most 20.
    pub max: u32,
    /// The longest wait before the first retry.
    pub base: Duration,
    /// The longest wait before any retry; at least `base`.
    pub cap: Duration,
    /// The longest `Retry-After` that is obeyed.
    pub retry_after_max: Duration,
}

impl Retries {
    /// Default for `max`, of a route that orders so many deployments: two, or enough for a call to each of them, up to
    /// five. So a single one that is well is found, though all the others fail.
    pub fn usual(deployments: usize) -> u32 {
        u32::try_from(deployments.saturating_sub(1).clamp(2, 4)).unwrap_or(2)
    }
}

impl Default for Retries {
    fn default() -> Self {
        Retries {
            max: Retries::usual(0),
            base: Duration::from_millis(250),
            cap: Duration::from_secs(5),
            retry_after_max: Duration::from_secs(10),
        }
    }
}

/// How requests wait for a place at a full deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The longest wait of one request; above zero.
    pub max_wait: Duration,
    /// Requests that wait on one core for one pool; at most 100,000.
    pub max_waiting: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { max_wait: Duration::from_secs(2), max_waiting: 100 }
    }
}

/// Which chat answers are of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Those that say nothing.
    pub empty: bool,
    /// Those that are not in the format that was asked for.
    pub json: bool,
    /// Refusals.
    pub refusal: bool,
    /// Those that were cut off before so many tokens; at most 1,000,000.
    pub min_output_tokens: u32,
    /// Whether streams are held until their end.
    pub buffer: bool,
    /// What the client gets when nobody answers better.
    pub otherwise: Otherwise,
}

impl Default for Answers {
    fn default() -> Self {
        Answers {
            empty: true,
            json: true,
            refusal: false,
            min_output_tokens: 0,
            buffer: false,
            otherwise: Otherwise::default(),
        }
    }
}

/// What a client gets when every answer was of no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Otherwise {
    /// The last of them.
    #[default]
    Last,
    /// An error.
    Error,
}

impl Otherwise {
    /// All of them.
    pub const ALL: [Otherwise; 2] = [Otherwise::Last, Otherwise::Error];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Otherwise::Last => "last",
            Otherwise::Error => "error",
        }
    }
}

/// One caller's key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Whose it is.
    pub name: Arc<str>,
    /// What the caller sends: 8 to 512 visible ASCII characters, unlike every other key.
    pub secret: Secret,
}

/// Access log, trace events, metrics and records of decisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// Where the access log goes; `None` for nowhere.
    pub access_log: Option<AccessLog>,
    /// Whether every request is told as a trace event when it has ended.
    pub spans: bool,
    /// Deployment labels that the info metric carries; each a valid metric label, none twice.
    pub metric_labels: Vec<Arc<str>>,
    /// How many decisions are kept.
    pub decisions: Decisions,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry {
            access_log: Some(AccessLog::Stdout),
            spans: false,
            metric_labels: Vec::new(),
            decisions: Decisions::default(),
        }
    }
}

/// How many records of decisions each core keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decisions {
    /// The latest so many; at most 10,000.
    pub recent: u32,
    /// So many more of those that are to be kept longer; at most 10,000.
    pub sampled: u32,
    /// The share of ordinary requests among these, from 0 to 1.
    pub sample: f64,
}

impl Default for Decisions {
    fn default() -> Self {
        Decisions { recent: 512, sampled: 512, sample: 0.01 }
    }
}

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file that is appended to.
    File(PathBuf),
}

impl AccessLog {
    /// Default for `path`.
    pub const PATH: &str = "stdout";
}
