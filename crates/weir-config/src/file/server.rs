//! The section `server`.

use super::text::{AddressText, DurationText, OriginText, SecretText, SizeText};
use crate::config;
use schemars::JsonSchema;
use serde::Deserialize;

/// The two listeners, their limits and what their answers carry.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Address and port of the public API. An address that is not loopback needs at least one key in `keys`.
    #[schemars(example = "0.0.0.0:7600")]
    pub listen: AddressText,
    /// The second listener, for metrics and administration.
    pub admin: Admin,
    /// How many processor cores serve traffic, 1 to 1024. Each has its own listener, pools and counters.
    #[schemars(range(min = 1, max = 1024), extend("x-default" = "all of them"), example = 2)]
    pub cores: Option<u32>,
    /// What one client, one request and all of them together may take.
    pub limits: Limits,
    /// How long requests in flight may go on after the process was asked to end.
    #[schemars(example = "2m")]
    pub grace: DurationText,
    /// Which web pages may call from a browser. Absent: none.
    pub cors: Option<Cors>,
    /// Optional response headers.
    pub headers: Headers,
}

impl Default for Server {
    fn default() -> Self {
        Server {
            listen: AddressText(config::Server::LISTEN),
            admin: Admin::default(),
            cores: None,
            limits: Limits::default(),
            grace: DurationText(config::Server::GRACE),
            cors: None,
            headers: Headers::default(),
        }
    }
}

/// The second listener, for metrics and administration.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    /// Address and port of `/metrics` and `/admin`. An address that is not loopback needs `token`.
    #[schemars(example = "0.0.0.0:7601")]
    pub listen: AddressText,
    /// What a caller sends as `Authorization: Bearer …` to change something: 8 to 512 visible ASCII characters. Empty:
    /// no token.
    #[schemars(example = "${WEIR_ADMIN_TOKEN:-}", extend("x-default" = "none"))]
    pub token: Option<SecretText>,
}

impl Default for Admin {
    fn default() -> Self {
        Admin { listen: AddressText(config::Admin::LISTEN), token: None }
    }
}

/// What one client, one request and all of them together may take. Everything here is bounded; nothing can be switched
/// off.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// The largest request body; above it the answer is 413.
    #[schemars(example = "64MiB")]
    pub max_body: SizeText,
    /// The largest request head, at least 8KiB; above it the answer is 431.
    #[schemars(example = "16KiB")]
    pub max_header: SizeText,
    /// How long a client may take to send a request's head; then the connection is closed.
    #[schemars(example = "5s")]
    pub header_timeout: DurationText,
    /// The longest silence while a client sends a body; then the answer is 408.
    #[schemars(example = "5s")]
    pub body_timeout: DurationText,
    /// How long a client may take to send a whole body, at least `body_timeout`; then the answer is 408.
    #[schemars(example = "5m")]
    pub body_total: DurationText,
    /// How long a connection without a request is kept open.
    #[schemars(example = "20s")]
    pub keep_alive: DurationText,
    /// How long a client may take none of its answer; then the request ends.
    #[schemars(example = "1m")]
    pub send_timeout: DurationText,
    /// Requests at one time, over all cores; above it the answer is 503 at once.
    #[schemars(range(min = 1, max = 10_000_000), example = 500)]
    pub max_requests: u32,
    /// Open client connections, over all cores; above it new ones get a 503 and are closed.
    #[schemars(range(min = 1, max = 10_000_000), example = 1000)]
    pub max_connections: u32,
    /// How much of one stream is held for a client that reads slowly; beyond it the upstream is made to wait.
    #[schemars(example = "256KiB")]
    pub stream_buffer: SizeText,
    /// Answers that are no streams are held up to this size before they are sent on, so that their headers can say what
    /// they cost.
    #[schemars(example = "256KiB")]
    pub answer_buffer: SizeText,
}

impl Default for Limits {
    fn default() -> Self {
        let from = config::Limits::default();
        Limits {
            max_body: SizeText(from.max_body),
            max_header: SizeText(from.max_header),
            header_timeout: DurationText(from.header_timeout),
            body_timeout: DurationText(from.body_timeout),
            body_total: DurationText(from.body_total),
            keep_alive: DurationText(from.keep_alive),
            send_timeout: DurationText(from.send_timeout),
            max_requests: from.max_requests,
            max_connections: from.max_connections,
            stream_buffer: SizeText(from.stream_buffer),
            answer_buffer: SizeText(from.answer_buffer),
        }
    }
}

/// Which web pages may call from a browser.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cors {
    /// Origins as browsers send them, `scheme://host` or `scheme://host:port`; `*` for any.
    #[schemars(example = serde_json::json!(["https://app.example"]))]
    pub origins: Vec<OriginText>,
    /// How long a browser may remember the permission.
    #[serde(default = "max_age")]
    #[schemars(example = "1h")]
    pub max_age: DurationText,
}

fn max_age() -> DurationText {
    DurationText(config::Cors::MAX_AGE)
}

/// Optional response headers.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Headers {
    /// Send `x-litellm-response-cost` and `x-litellm-model-id` beside the `x-weir-…` headers.
    #[schemars(example = false)]
    pub litellm: bool,
    /// Send `X-Process-Time`, `X-Token-Usage`, `X-Request-Size` and `X-Response-Size`.
    #[schemars(example = true)]
    pub timing: bool,
}

impl Default for Headers {
    fn default() -> Self {
        let from = config::ResponseHeaders::default();
        Headers { litellm: from.litellm, timing: from.timing }
    }
}
