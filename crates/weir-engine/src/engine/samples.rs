//! What metrics show of a deployment's health, made when somebody looks.

use weir_core::Moment;
use weir_routing::windows::Series;
use weir_routing::{Health, State};
use weir_telemetry::Sample;

/// The quantiles that are shown of what windows hold.
const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")];

/// Appends the figures of one deployment. What nothing is known of is left out.
pub(super) fn of_deployment(name: &str, health: &Health, now: Moment, samples: &mut Vec<Sample>) {
    let mut push = |metric, more: Option<(&'static str, &str)>, value: f64| {
        let mut labels = vec![("deployment", name.to_owned())];
        labels.extend(more.map(|(label, value)| (label, value.to_owned())));
        // Their words stand in telemetry's table.
        samples.push(Sample { metric, help: "", labels, value });
    };
    let status = health.status(now);
    push("weir_deployment_in_flight", None, f64::from(status.in_flight));
    if let Some(limit) = health.learned_limit(now) {
        push("weir_deployment_learned_limit", None, f64::from(limit));
    }
    let state = match status.state {
        State::Closed => 0.0,
        State::HalfOpen => 1.0,
        State::Open => 2.0,
    };
    push("weir_breaker_state", None, state);
    push("weir_deployment_resting_seconds", None, status.resting_for.as_secs_f64());
    let windows = health.windows();
    push("weir_deployment_outstanding_seconds", None, windows.outstanding().as_secs_f64());
    for (metric, series) in [
        ("weir_deployment_first_token_seconds", Series::First),
        ("weir_deployment_total_seconds", Series::Total),
        ("weir_deployment_tokens_per_second", Series::Speed),
    ] {
        let Some(found) = windows.quantiles(series, QUANTILES.map(|(share, _)| share), now) else { continue };
        for ((_, quantile), value) in QUANTILES.iter().zip(found) {
            push(metric, Some(("quantile", quantile)), value);
        }
    }
    let ends = windows.ends(now);
    let all = ends.well + ends.upstream + ends.caller + ends.own;
    if all > 0 {
        for (blame, count) in [("upstream", ends.upstream), ("caller", ends.caller), ("own", ends.own)] {
            push("weir_deployment_error_ratio", Some(("blame", blame)), count as f64 / all as f64);
        }
    }
    if let Some(said) = health.gauges().shown(now) {
        push("weir_server_requests", Some(("state", "running")), f64::from(said.running));
        push("weir_server_requests", Some(("state", "waiting")), f64::from(said.waiting));
        push("weir_server_requests", Some(("state", "others")), f64::from(said.others));
        if let Some(part) = said.memory {
            push("weir_server_memory_ratio", None, part);
        }
    }
}
