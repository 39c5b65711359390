//! The sections `server` and `telemetry`.

use super::check_secret;
use crate::config::{self, AccessLog, Admin, Cors, Decisions, Limits, ResponseHeaders, Server, Telemetry};
use crate::file;
use crate::file::text::DurationText;
use crate::format::{duration_text, size_text};
use crate::node::Place;
use crate::problem::Problem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Labels that the info metric has anyway.
const TAKEN_LABELS: [&str; 5] = ["deployment", "provider", "model", "le", "quantile"];

pub(super) fn check_server(
    server: file::server::Server,
    root: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Server {
    let place = root.key("server");
    let listen = server.listen.0;
    let admin = check_admin(server.admin, &place.key("admin"), problems);
    // Keys that have problems count: the operator meant to have some.
    if !listen.ip().is_loopback() && root.key("keys").names().is_empty() {
        let problem =
            place.key("listen").problem(format!("{listen} is not a loopback address and there are no keys"));
        problems.push(problem.with_help("add `keys`, or listen on 127.0.0.1"));
    }
    let known = !place.key("listen").has_broken() && !place.key("admin").has_broken();
    if known && listen.port() != 0 && listen.port() == admin.listen.port() {
        let admin = place.key("admin").key("listen");
        let at = if admin.node.is_some() { admin } else { place.key("listen") };
        problems.push(at.problem(format!("both listeners have the port {}", listen.port())));
    }
    let cors = server.cors.map(|cors| check_cors(cors, &place.key("cors"), problems));
    Server {
        listen,
        admin,
        cores: server.cores,
        limits: check_limits(&server.limits, &place.key("limits"), problems),
        grace: server.grace.0,
        cors,
        headers: ResponseHeaders { litellm: server.headers.litellm, timing: server.headers.timing },
    }
}

fn check_admin(admin: file::server::Admin, place: &Place<'_>, problems: &mut Vec<Problem>) -> Admin {
    let listen = admin.listen.0;
    let token = admin.token.map(|token| token.0).filter(|token| !token.is_empty());
    if let Some(token) = &token {
        problems.extend(check_secret(token, &place.key("token")));
    }
    if !listen.ip().is_loopback() && token.is_none() && !place.key("token").has_broken() {
        let message = format!("{listen} is not a loopback address and there is no token");
        let problem = place.key("listen").problem(message);
        problems.push(problem.with_help("set `server.admin.token`, or listen on 127.0.0.1"));
    }
    Admin { listen, token }
}

fn check_limits(limits: &file::server::Limits, place: &Place<'_>, problems: &mut Vec<Problem>) -> Limits {
    let times = [
        ("header_timeout", &limits.header_timeout),
        ("body_timeout", &limits.body_timeout),
        ("body_total", &limits.body_total),
        ("keep_alive", &limits.keep_alive),
        ("send_timeout", &limits.send_timeout),
    ];
    for (key, time) in times {
        above_zero(time.0, &place.key(key), problems);
    }
    let sizes = [
        ("max_body", limits.max_body.0, 1),
        ("max_header", limits.max_header.0, Limits::LEAST_HEADER),
        ("stream_buffer", limits.stream_buffer.0, 1),
        ("answer_buffer", limits.answer_buffer.0, 1),
    ];
    for (key, size, least) in sizes {
        if size < least {
            problems.push(place.key(key).problem(format!("must be at least {}", size_text(least))));
        }
    }
    if limits.body_timeout.0 > limits.body_total.0 && !place.has_broken() {
        let key = if place.key("body_timeout").node.is_some() { "body_timeout" } else { "body_total" };
        let (part, whole) = (duration_text(limits.body_timeout.0), duration_text(limits.body_total.0));
        problems.push(
            place.key(key).problem(format!("body_timeout ({part}) is longer than body_total ({whole})")),
        );
    }
    Limits {
        max_body: limits.max_body.0,
        max_header: limits.max_header.0,
        header_timeout: limits.header_timeout.0,
        body_timeout: limits.body_timeout.0,
        body_total: limits.body_total.0,
        keep_alive: limits.keep_alive.0,
        send_timeout: limits.send_timeout.0,
        max_requests: limits.max_requests,
        max_connections: limits.max_connections,
        stream_buffer: limits.stream_buffer.0,
        answer_buffer: limits.answer_buffer.0,
    }
}

/// A time limit of zero lets nothing through.
pub(super) fn above_zero(time: Duration, place: &Place<'_>, problems: &mut Vec<Problem>) {
    if time.is_zero() {
        problems.push(place.problem("must be above zero"));
    }
}

/// The same for one that may be left out.
pub(super) fn optional(
    time: Option<DurationText>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Duration> {
    let time = time?.0;
    above_zero(time, place, problems);
    Some(time)
}

fn check_cors(cors: file::server::Cors, place: &Place<'_>, problems: &mut Vec<Problem>) -> Cors {
    let origins = place.key("origins");
    if cors.origins.is_empty() && !origins.has_broken() {
        problems.push(
            origins.problem("no origin: nothing would be allowed").with_help("leave `cors` out for that"),
        );
    }
    Cors {
        origins: cors.origins.into_iter().map(|origin| Arc::from(origin.0)).collect(),
        max_age: cors.max_age.0,
    }
}

pub(super) fn check_telemetry(
    telemetry: file::telemetry::Telemetry,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Telemetry {
    let log = telemetry.access_log;
    if log.path.is_empty() {
        problems.push(place.key("access_log").key("path").problem("the path is empty"));
    }
    let target = match log.path.as_str() {
        AccessLog::PATH => AccessLog::Stdout,
        "stderr" => AccessLog::Stderr,
        path => AccessLog::File(PathBuf::from(path)),
    };
    let labels = place.key("metrics").key("labels");
    let mut metric_labels: Vec<Arc<str>> = Vec::new();
    for (label, at) in telemetry.metrics.labels.into_iter().zip(labels.items()) {
        if !is_metric_label(&label) {
            let problem = at.problem(format!("{} cannot be a metric label", at.shown()));
            problems.push(
                problem.with_help("allowed are letters, digits and _, not a digit first, not __ first"),
            );
        } else if TAKEN_LABELS.contains(&label.as_str()) {
            problems.push(at.problem(format!("metrics use the label {} themselves", at.shown())));
        } else if metric_labels.iter().any(|known| **known == *label) {
            problems.push(at.problem(format!("{} is there twice", at.shown())));
        }
        metric_labels.push(Arc::from(label));
    }
    let file::telemetry::Decisions { recent, sampled, sample } = telemetry.decisions;
    Telemetry {
        access_log: log.enabled.then_some(target),
        spans: telemetry.spans,
        metric_labels,
        decisions: Decisions { recent, sampled, sample },
    }
}

/// <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>
fn is_metric_label(label: &str) -> bool {
    let starts_well = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && !label.starts_with("__") && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl From<&file::upstream::Breaker> for config::Breaker {
    fn from(breaker: &file::upstream::Breaker) -> Self {
        config::Breaker {
            failures: breaker.failures,
            error_percent: breaker.error_percent,
            cooldown: breaker.cooldown.0,
            probes: breaker.probes,
            ramp: breaker.ramp.0,
            slow: config::Slow {
                first_token_p95: breaker.slow.first_token_p95.as_ref().map(|limit| limit.0),
                total_p95: breaker.slow.total_p95.as_ref().map(|limit| limit.0),
                min_samples: breaker.slow.min_samples,
            },
        }
    }
}
