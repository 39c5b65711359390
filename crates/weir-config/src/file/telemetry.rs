//! The section `telemetry`.

use crate::config;
use schemars::JsonSchema;
use serde::Deserialize;

/// The access log, trace events and metrics.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// One line of JSON per request.
    pub access_log: AccessLog,
    /// Tell each request on stderr when it has ended, as one event of the target `weir::exchange` that carries what a
    /// span consists of: W3C ids, start and duration, and OpenTelemetry's `gen_ai` attributes.
    #[schemars(example = true)]
    pub spans: bool,
    /// What metrics carry.
    pub metrics: Metrics,
    /// How many decisions are kept for `GET /admin/decisions`.
    pub decisions: Decisions,
}

/// One line of JSON per request, without bodies and secrets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccessLog {
    /// Whether it is written.
    #[schemars(example = false)]
    pub enabled: bool,
    /// Where to: `stdout`, `stderr` or the path of a file, which is appended to.
    #[schemars(example = "/var/log/weir/access.log")]
    pub path: String,
}

impl Default for AccessLog {
    fn default() -> Self {
        AccessLog { enabled: true, path: config::AccessLog::PATH.to_owned() }
    }
}

/// What metrics carry.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// The deployment labels that the info metric of each deployment carries. Letters, digits and `_`, not beginning with
    /// a digit.
    #[schemars(example = serde_json::json!(["region", "gpu"]), extend("x-default" = "none"))]
    pub labels: Vec<String>,
}

/// How many decisions are kept for `GET /admin/decisions`: who was chosen for a request and why, what was called, how long
/// that took and what it cost. Each core keeps its own, in about 1 KiB each (4 KiB at most);
/// nothing of a prompt is in them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Decisions {
    /// The latest so many of each core, 0 to 10000. With 0 here and in `sampled` none is kept, and answers carry no
    /// `x-weir-decision`.
    #[schemars(range(min = 0, max = 10_000), example = 5000)]
    pub recent: u32,
    /// So many more of each core that are kept longer: those of requests that failed, needed a second call or went to a
    /// fallback, and a `sample` of the others; 0 to 10000.
    #[schemars(range(min = 0, max = 10_000), example = 5000)]
    pub sampled: u32,
    /// The share of ordinary requests among these, from 0 to 1.
    #[schemars(range(min = 0, max = 1), example = 0.1)]
    pub sample: f64,
}

impl Default for Decisions {
    fn default() -> Self {
        let config::Decisions { recent, sampled, sample } = config::Decisions::default();
        Decisions { recent, sampled, sample }
    }
}
