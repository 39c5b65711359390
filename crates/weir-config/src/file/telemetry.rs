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
