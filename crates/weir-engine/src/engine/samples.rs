//! What metrics show of things that are looked at only when somebody asks: health, breakers, queues, connections. Their words
//! stand in telemetry's table.

use crate::deployment::Provider;
use crate::queue::Counts as QueueCounts;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use weir_core::Moment;
use weir_net::Counts;
use weir_routing::events::Subject;
use weir_routing::windows::Series;
use weir_routing::{Health, State};
use weir_store::Figures;
use weir_telemetry::Sample;

/// The quantiles that are shown of what windows hold.
const QUANTILES: [(f64, &str); 3] = [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")];

/// Appends the figures of one deployment. What nothing is known of is left out.
pub(super) fn of_deployment(name: &str, health: &Health, now: Moment, samples: &mut Vec<Sample>) {
    let mut push = |metric, more: Option<(&'static str, &str)>, value: f64| {
        let mut labels = vec![("deployment", name.to_owned())];
        labels.extend(more.map(|(label, value)| (label, value.to_owned())));
        samples.push(Sample { metric, help: "", labels, value });
    };
    let status = health.status(now);
    push("weir_deployment_in_flight", None, f64::from(status.in_flight));
    if let Some(limit) = health.learned_limit(now) {
        push("weir_deployment_learned_limit", None, f64::from(limit));
    }
    push("weir_breaker_state", None, state_figure(status.state));
    push("weir_deployment_resting_seconds", None, status.resting_for.as_secs_f64());
    let windows = health.windows();
    push("weir_deployment_outstanding_seconds", None, windows.outstanding().as_secs_f64());
    for (metric, series) in [
        ("weir_deployment_first_token_seconds", Series::First),
        ("weir_deployment_total_seconds", Series::Total),
        ("weir_deployment_inter_token_seconds", Series::Gap),
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

/// Appends how often breakers have changed.
pub(super) fn of_breakers(
    counts: impl IntoIterator<Item = (Subject, &'static str, &'static str, u64)>,
    samples: &mut Vec<Sample>,
) {
    for (subject, to, cause, count) in counts {
        let (deployment, provider, credential) = match subject {
            Subject::Deployment(name) => (name.to_string(), String::new(), String::new()),
            Subject::Credential { provider, nth } => (String::new(), provider.to_string(), nth.to_string()),
            Subject::Seat { deployment, provider, nth } => {
                (deployment.to_string(), provider.to_string(), nth.to_string())
            }
        };
        let labels = vec![
            ("deployment", deployment),
            ("provider", provider),
            ("credential", credential),
            ("to", to.to_owned()),
            ("cause", cause.to_owned()),
        ];
        #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 changes")]
        let value = count as f64;
        samples.push(Sample { metric: "weir_breaker_transitions_total", help: "", labels, value });
    }
}

/// Appends the breakers of a provider's credentials.
pub(super) fn of_credentials(provider: &Provider, now: Moment, samples: &mut Vec<Sample>) {
    for (nth, credential) in (1u32..).zip(&provider.credentials) {
        let labels = vec![("provider", provider.name.to_string()), ("credential", nth.to_string())];
        let value = state_figure(credential.state(now));
        samples.push(Sample { metric: "weir_credential_state", help: "", labels, value });
    }
}

/// Appends what a route's queue has seen.
pub(super) fn of_queue(route: &str, counts: &QueueCounts, samples: &mut Vec<Sample>) {
    let mut push = |metric, outcome: Option<&str>, value: f64| {
        let mut labels = vec![("route", route.to_owned())];
        labels.extend(outcome.map(|outcome| ("outcome", outcome.to_owned())));
        samples.push(Sample { metric, help: "", labels, value });
    };
    push("weir_queue_waiting", None, f64::from(counts.waiting.load(Relaxed)));
    let outcomes = [
        ("placed", &counts.placed),
        ("in_vain", &counts.in_vain),
        ("turned_away", &counts.turned_away),
        ("gone", &counts.gone),
    ];
    for (outcome, count) in outcomes {
        #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
        let count = count.load(Relaxed) as f64;
        push("weir_queue_waits_total", Some(outcome), count);
    }
    let seconds = Duration::from_micros(counts.micros.load(Relaxed)).as_secs_f64();
    push("weir_queue_wait_seconds_total", None, seconds);
}

/// Appends a provider's connections, those of all cores together.
pub(super) fn of_connections(
    provider: &str,
    pools: impl Iterator<Item = Arc<Counts>>,
    samples: &mut Vec<Sample>,
) {
    let mut sums = [0u64; 4];
    for counts in pools {
        let each = [&counts.open, &counts.idle, &counts.opened, &counts.stale];
        sums.iter_mut().zip(each).for_each(|(sum, count)| *sum += count.load(Relaxed));
    }
    let [open, idle, opened, stale] = sums;
    let mut push = |metric, state: Option<&str>, value: u64| {
        let mut labels = vec![("provider", provider.to_owned())];
        labels.extend(state.map(|state| ("state", state.to_owned())));
        #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 connections")]
        samples.push(Sample { metric, help: "", labels, value: value as f64 });
    };
    push("weir_pool_connections", Some("open"), open);
    push("weir_pool_connections", Some("idle"), idle);
    push("weir_pool_connections_opened_total", None, opened);
    push("weir_pool_connections_stale_total", None, stale);
}

/// Appends what was asked of the store.
pub(super) fn of_store(figures: &Figures, samples: &mut Vec<Sample>) {
    let mut push = |metric, labels, value| samples.push(Sample { metric, help: "", labels, value });
    push("weir_store_up", Vec::new(), f64::from(u8::from(figures.is_open())));
    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 bytes")]
    push("weir_store_bytes", Vec::new(), figures.bytes() as f64);
    for (operation, outcome, count) in figures.operations() {
        let labels = vec![("operation", operation.to_owned()), ("outcome", outcome.to_owned())];
        #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 operations")]
        push("weir_store_operations_total", labels, count as f64);
    }
    for (operation, took) in figures.took() {
        let labels = vec![("operation", operation.to_owned())];
        push("weir_store_operation_seconds_total", labels, took.as_secs_f64());
    }
}

fn state_figure(state: State) -> f64 {
    match state {
        State::Closed => 0.0,
        State::HalfOpen => 1.0,
        State::Open => 2.0,
    }
}
