//! The one table of metrics: the renderer takes names, labels and help from it, and so does the reference page.

use prometheus_client::metrics::MetricType;
use std::fmt::Write;

/// Description of one metric.
#[derive(Debug)]
pub(crate) struct Metric {
    /// The family's name, without the suffixes `_total` and `_info` that the exposition format adds.
    pub(crate) name: &'static str,
    pub(crate) kind: MetricType,
    pub(crate) labels: &'static [&'static str],
    /// One sentence without its full stop.
    pub(crate) help: &'static str,
    /// Upper bounds of a histogram's buckets in nanoseconds; empty for everything else.
    pub(crate) bounds: &'static [u64],
}

impl Metric {
    const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Metric { name, kind: MetricType::Counter, labels, help, bounds: &[] }
    }

    const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Metric { name, kind: MetricType::Gauge, labels, help, bounds: &[] }
    }

    const fn histogram(name: &'static str, bounds: &'static [u64], help: &'static str) -> Self {
        Metric { name, kind: MetricType::Histogram, labels: &["route", "deployment"], help, bounds }
    }

    /// The name under which a sample is queried.
    pub(crate) fn sample_name(&self) -> String {
        let suffix = match self.kind {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            _ => "",
        };
        format!("{}{suffix}", self.name)
    }
}

const fn micros<const N: usize>(mut bounds: [u64; N]) -> [u64; N] {
    let mut i = 0;
    while i < N {
        bounds[i] *= 1_000;
        i += 1;
    }
    bounds
}

const fn millis<const N: usize>(bounds: [u64; N]) -> [u64; N] {
    micros(micros(bounds))
}

// The `gen_ai` bounds are the explicit bucket boundaries that OpenTelemetry's conventions advise:
// <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/>.

/// Bounds of the whole request, in nanoseconds.
pub(crate) const DURATION_BOUNDS: [u64; 14] =
    millis([10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120, 10_240, 20_480, 40_960, 81_920]);
/// Bounds of the first token, in nanoseconds.
pub(crate) const FIRST_TOKEN_BOUNDS: [u64; 16] =
    millis([1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000]);
/// Bounds of the time per token, in nanoseconds.
pub(crate) const PER_TOKEN_BOUNDS: [u64; 13] =
    millis([10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1_000, 2_500]);
/// Bounds of Weir's own share, in nanoseconds.
pub(crate) const OVERHEAD_BOUNDS: [u64; 14] =
    micros([5, 10, 20, 40, 80, 160, 320, 640, 1_250, 2_500, 5_000, 10_000, 25_000, 100_000]);

/// Bounds of opening a connection, in nanoseconds.
pub(crate) const CONNECT_BOUNDS: [u64; 12] =
    micros([100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000]);

/// Bounds of waits for a place, in nanoseconds.
pub(crate) const QUEUED_BOUNDS: [u64; 11] =
    millis([1, 5, 25, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 60_000]);

const SERVED: &[&str] = &["route", "deployment"];

pub(crate) const REQUESTS: Metric = Metric::counter(
    "weir_requests",
    &["route", "deployment", "outcome"],
    "Ended requests; outcome is ok, client_gone or the class of the fault",
);
pub(crate) const DURATION: Metric = Metric::histogram(
    "gen_ai_server_request_duration_seconds",
    &DURATION_BOUNDS,
    "From the head of the request to the end of the response, whatever the outcome",
);
pub(crate) const FIRST_TOKEN: Metric = Metric::histogram(
    "gen_ai_server_time_to_first_token_seconds",
    &FIRST_TOKEN_BOUNDS,
    "From the head of the request to the first token, of streams that had one",
);
pub(crate) const PER_TOKEN: Metric = Metric::histogram(
    "gen_ai_server_time_per_output_token_seconds",
    &PER_TOKEN_BOUNDS,
    "Mean time between two tokens of one stream, the first one left out",
);
pub(crate) const OVERHEAD: Metric = Metric::histogram(
    "weir_overhead_seconds",
    &OVERHEAD_BOUNDS,
    "Time spent in Weir itself, waiting for client and upstream left out",
);
pub(crate) const CONNECT: Metric = Metric::histogram(
    "weir_upstream_connect_seconds",
    &CONNECT_BOUNDS,
    "Name lookup and TCP, of requests whose latest call had to open a connection",
);
pub(crate) const TLS: Metric = Metric::histogram(
    "weir_upstream_tls_seconds",
    &CONNECT_BOUNDS,
    "Agreeing on encryption, of requests whose latest call had to open a connection",
);
pub(crate) const FIRST_BYTE: Metric = Metric::histogram(
    "weir_upstream_first_byte_seconds",
    &FIRST_TOKEN_BOUNDS,
    "From the request's end on the wire to the head of the latest call's answer, connection set-up left out",
);
pub(crate) const QUEUED_TIME: Metric = Metric::histogram(
    "weir_queued_seconds",
    &QUEUED_BOUNDS,
    "How long requests waited for a place, of those that had to, all waits of one together",
);
pub(crate) const TOKENS: Metric = Metric::counter(
    "gen_ai_client_token_usage",
    &["route", "deployment", "token_type"],
    "Tokens; input contains cached_input and cache_write, output contains reasoning",
);
pub(crate) const COST: Metric = Metric::counter(
    "weir_cost_usd",
    &["route", "deployment", "cause"],
    "Cost in USD, counted exactly and rounded to a float here only; cause is request, or probe (health probes that \
     generate a token, of no route)",
);
pub(crate) const COST_UNKNOWN: Metric = Metric::counter(
    "weir_cost_unknown",
    SERVED,
    "Requests whose cost is not, or not wholly, known, because a deployment has no price for what they took",
);
pub(crate) const ESTIMATED: Metric = Metric::counter(
    "weir_usage_estimated",
    SERVED,
    "Requests whose tokens were estimated because the upstream stated none",
);
pub(crate) const ATTEMPTS: Metric = Metric::counter(
    "weir_attempts",
    &["route", "deployment", "cause", "outcome"],
    "Upstream calls; route is the one that served the request, cause is first, retry, fallback, \
     continuation or hedge, outcome is ok, client_gone, aborted (another answered first) or the class of the fault",
);
pub(crate) const RETRIES: Metric =
    Metric::counter("weir_retries", &["route"], "Upstream calls beyond the first in the same route");
pub(crate) const HEDGES: Metric = Metric::counter(
    "weir_hedges",
    &["route"],
    "Second upstream calls beside a first that had not answered in time",
);
pub(crate) const FALLBACKS: Metric = Metric::counter(
    "weir_fallbacks",
    &["route"],
    "Moves to another route; route is the one that served the request",
);
pub(crate) const REQUEST_BYTES: Metric =
    Metric::counter("weir_request_bytes", &["route"], "Bytes of request bodies");
pub(crate) const RESPONSE_BYTES: Metric =
    Metric::counter("weir_response_bytes", &["route"], "Bytes of response bodies");
pub(crate) const IN_FLIGHT: Metric =
    Metric::gauge("weir_requests_in_flight", &[], "Requests that have begun and not ended");
pub(crate) const REJECTED: Metric =
    Metric::counter("weir_connections_rejected", &["reason"], "Connections closed before a request was read");
pub(crate) const LINES_DROPPED: Metric = Metric::counter(
    "weir_log_lines_dropped",
    &[],
    "Access-log lines lost because their target was too slow or failed",
);
pub(crate) const RELOADS: Metric = Metric::counter(
    "weir_config_reloads",
    &["outcome"],
    "Reloads of the configuration; outcome is ok or rejected",
);
pub(crate) const RELOAD_SUCCESS: Metric = Metric::gauge(
    "weir_config_last_reload_success",
    &[],
    "1 when the latest configuration was accepted, 0 when an older one goes on serving",
);
pub(crate) const GENERATION: Metric =
    Metric::gauge("weir_config_generation", &[], "Number of the configuration that serves");
pub(crate) const STARTED: Metric =
    Metric::gauge("process_start_time_seconds", &[], "Start of the process in seconds since 1970, UTC");
pub(crate) const DEPLOYMENTS: Metric = Metric {
    name: "weir_deployment",
    kind: MetricType::Info,
    labels: &["deployment", "provider", "model"],
    help: "Always 1; carries the labels of each configured deployment, for joins on deployment",
    bounds: &[],
};
const DEPLOYMENT_IN_FLIGHT: Metric = Metric::gauge(
    "weir_deployment_in_flight",
    &["deployment"],
    "Upstream calls that have begun and not ended",
);
const LEARNED_LIMIT: Metric = Metric::gauge(
    "weir_deployment_learned_limit",
    &["deployment"],
    "Calls at a time that the deployment was learnt to bear; not there for those that do not complain",
);
const QUEUE: Metric = Metric::gauge(
    "weir_queue_waiting",
    &["route"],
    "Requests that wait for a place because every deployment is full",
);
const QUEUED: Metric = Metric::counter(
    "weir_queue_waits",
    &["route", "outcome"],
    "Waits for a place; outcome is placed, in_vain, turned_away or gone",
);
const QUEUE_SECONDS: Metric =
    Metric::counter("weir_queue_wait_seconds", &["route"], "Time spent in all waits for a place");
const BREAKER: Metric = Metric::gauge(
    "weir_breaker_state",
    &["deployment"],
    "State of the deployment's breaker: 0 closed, 1 half-open, 2 open",
);
const POOL: Metric = Metric::gauge(
    "weir_pool_connections",
    &["provider", "state"],
    "Upstream connections; state is idle or open",
);

const RESTING: Metric = Metric::gauge(
    "weir_deployment_resting_seconds",
    &["deployment"],
    "How long the deployment still rests because its upstream asked for it",
);
const CREDENTIAL: Metric = Metric::gauge(
    "weir_credential_state",
    &["provider", "credential"],
    "State of the breaker of a provider's credential, counted from 1: 0 taken, 1 half-open, 2 benched",
);
const TRANSITIONS: Metric = Metric::counter(
    "weir_breaker_transitions",
    &["deployment", "provider", "credential", "to", "cause"],
    "Changes of breakers by the state they led to and why; of a deployment's, or of a provider's credential",
);
const OUTSTANDING: Metric = Metric::gauge(
    "weir_deployment_outstanding_seconds",
    &["deployment"],
    "What the upstream calls under way are expected to take, all together",
);
const LAST_MINUTE: &[&str] = &["deployment", "quantile"];
const RECENT_FIRST_TOKEN: Metric = Metric::gauge(
    "weir_deployment_first_token_seconds",
    LAST_MINUTE,
    "From a call's connection to its first token, over the last minute; quantile is 0.5, 0.95 or 0.99",
);
const RECENT_TOTAL: Metric = Metric::gauge(
    "weir_deployment_total_seconds",
    LAST_MINUTE,
    "From a call's connection to the end of its answer, over the last minute",
);
const RECENT_GAP: Metric = Metric::gauge(
    "weir_deployment_inter_token_seconds",
    LAST_MINUTE,
    "Mean time between two tokens of one stream, over the last minute",
);
const RECENT_SPEED: Metric = Metric::gauge(
    "weir_deployment_tokens_per_second",
    LAST_MINUTE,
    "Tokens per second of one answer, from its first token to its end, over the last minute",
);
const RECENT_ERRORS: Metric = Metric::gauge(
    "weir_deployment_error_ratio",
    &["deployment", "blame"],
    "Calls of the last minute that ended in a fault, as a part of all that ended; blame is upstream, caller or own \
     (Weir's or the operator's rules)",
);
const SERVER_REQUESTS: Metric = Metric::gauge(
    "weir_server_requests",
    &["deployment", "state"],
    "Requests at the model server as it says itself, while that is fresh; state is running, waiting, or others: those of \
     both that did not come from this Weir, as far as is believed",
);
const SERVER_MEMORY: Metric = Metric::gauge(
    "weir_server_memory_ratio",
    &["deployment"],
    "Part of the model server's key-value cache in use, as it says itself, while that is fresh",
);
const POOL_OPENED: Metric =
    Metric::counter("weir_pool_connections_opened", &["provider"], "Upstream connections opened");
const POOL_STALE: Metric = Metric::counter(
    "weir_pool_connections_stale",
    &["provider"],
    "Pooled connections that the peer had closed when they were needed",
);

const STORE_UP: Metric =
    Metric::gauge("weir_store_up", &[], "1 when the store is open, 0 when what needs it is refused");
const STORE_BYTES: Metric = Metric::gauge("weir_store_bytes", &[], "What the entries of the store take");
const STORE_OPERATIONS: Metric = Metric::counter(
    "weir_store_operations",
    &["operation", "outcome"],
    "What was asked of the store; operation is put, get, list, delete or sweep, outcome is ok, closed, busy, late, failed, \
     full, too_large, exists or too_long",
);
const STORE_SECONDS: Metric = Metric::counter(
    "weir_store_operation_seconds",
    &["operation"],
    "Time that was spent waiting for the store, all together",
);

/// Every metric counted here, in the order of the page.
pub(crate) const COUNTED: [&Metric; 27] = [
    &REQUESTS,
    &DURATION,
    &FIRST_TOKEN,
    &PER_TOKEN,
    &OVERHEAD,
    &CONNECT,
    &TLS,
    &FIRST_BYTE,
    &QUEUED_TIME,
    &TOKENS,
    &COST,
    &COST_UNKNOWN,
    &ESTIMATED,
    &ATTEMPTS,
    &RETRIES,
    &HEDGES,
    &FALLBACKS,
    &REQUEST_BYTES,
    &RESPONSE_BYTES,
    &IN_FLIGHT,
    &REJECTED,
    &LINES_DROPPED,
    &RELOADS,
    &RELOAD_SUCCESS,
    &GENERATION,
    &STARTED,
    &DEPLOYMENTS,
];

/// Metrics whose figures come from a source; a source may offer others as well.
pub(crate) const PULLED: [&Metric; 24] = [
    &DEPLOYMENT_IN_FLIGHT,
    &LEARNED_LIMIT,
    &QUEUE,
    &QUEUED,
    &QUEUE_SECONDS,
    &BREAKER,
    &CREDENTIAL,
    &TRANSITIONS,
    &RESTING,
    &OUTSTANDING,
    &RECENT_FIRST_TOKEN,
    &RECENT_TOTAL,
    &RECENT_GAP,
    &RECENT_SPEED,
    &RECENT_ERRORS,
    &SERVER_REQUESTS,
    &SERVER_MEMORY,
    &POOL,
    &POOL_OPENED,
    &POOL_STALE,
    &STORE_UP,
    &STORE_BYTES,
    &STORE_OPERATIONS,
    &STORE_SECONDS,
];

/// The reference page `docs/reference/metrics.md`, as Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         <!-- Generated from crates/weir-telemetry/src/metric.rs; \
         `UPDATE_DOCS=1 cargo test -p weir-telemetry` rewrites it. -->\n\n\
         `GET /metrics` on the admin listener answers in the OpenMetrics text format. Names follow OpenTelemetry's\n\
         `gen_ai` conventions where one exists, with dots turned into underscores and base units as suffixes.\n\n\
         Label values come from the configuration and from fixed lists, never from what a client sends. `none` stands\n\
         for a route or deployment that was never reached, `other` for those beyond the bound on distinct pairs. A\n\
         series appears when it is first counted and survives reloads.\n\n\
         | Metric | Type | Labels | Meaning |\n|---|---|---|---|\n",
    );
    for metric in COUNTED.iter().chain(&PULLED) {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let more = if metric.kind.as_str() == "info" { ", and the deployment's own" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {}{more} | {}. |",
            metric.sample_name(),
            metric.kind.as_str(),
            if labels.is_empty() { "–".to_owned() } else { labels.join(", ") },
            metric.help
        );
    }
    page.push_str("\n## Buckets\n\nUpper bounds in seconds.\n\n| Histogram | Bounds |\n|---|---|\n");
    for metric in COUNTED.iter().filter(|m| !m.bounds.is_empty()) {
        let bounds: Vec<String> = metric.bounds.iter().map(|&nanos| seconds(nanos).to_string()).collect();
        let _ = writeln!(page, "| `{}` | {} |", metric.name, bounds.join(", "));
    }
    page
}

/// Nanoseconds as seconds.
#[allow(clippy::cast_precision_loss, reason = "export only; counting is done in whole nanoseconds")]
pub(crate) fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests;
