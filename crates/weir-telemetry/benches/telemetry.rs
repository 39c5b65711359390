//! What it costs the core that served a request to record it: counted only, and with a line of the access log.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use criterion::Criterion;
use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_core::exchange::{Attempt, AttemptCause, Pair, Phases};
use weir_core::{Cost, Endpoint, Exchange, Outcome, RequestId, TraceContext, Usage};
use weir_telemetry::{LogTarget, Settings, Telemetry};

/// Requests of one core between two ticks, when it is busy.
const BETWEEN_TICKS: u32 = 4_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let log = LogTarget::File("/dev/null".into());
    for (name, access_log) in [("count", None), ("count and log", Some(log))] {
        let hub = Telemetry::start(&Settings { access_log, spans: false }).unwrap();
        let recorder = hub.recorder();
        let start = UNIX_EPOCH + Duration::from_secs(1_763_717_000);
        let mut told = 0u32;
        criterion.bench_function(&format!("record/{name}"), |bench| {
            bench.iter(|| {
                told = told.wrapping_add(1);
                recorder.record(black_box(&answered(start + Duration::from_micros(told.into()))));
                if told.is_multiple_of(BETWEEN_TICKS) {
                    recorder.tick();
                }
            });
        });
    }
    criterion.final_summary();
}

/// A streamed chat that began at that time.
fn answered(started_at: SystemTime) -> Exchange<'static> {
    const ATTEMPTS: &[Attempt<'static>] = &[Attempt {
        deployment: "openai-mini",
        cause: AttemptCause::First,
        fault: None,
        cost: Cost::ZERO,
        cost_unknown: false,
        aborted: false,
        left_out: 0,
    }];
    Exchange {
        id: RequestId::from_random(7),
        trace: TraceContext { trace: 0xabc, span: 0xdef, sampled: true },
        parent_span: None,
        started_at,
        endpoint: Some(Endpoint::Chat),
        method: None,
        path: None,
        model: Some("gpt-4o-mini"),
        key: Some("team-a"),
        route: Some("chat"),
        deployment: Some("openai-mini"),
        provider: Some("openai"),
        served_model: Some("gpt-4o-mini-2024-07-18"),
        pair: Some(Pair { generation: 1, route: 0, deployment: 0 }),
        streamed: true,
        outcome: Outcome::Answered,
        status: 200,
        code: None,
        cause: None,
        attempts: ATTEMPTS,
        usage: Some(Usage { input: 100, cache_read: 20, output: 30, ..Usage::default() }),
        cost: Cost::from_pico_usd(33_000_000),
        cost_unknown: false,
        request_bytes: 512,
        response_bytes: 9_048,
        total: Duration::from_millis(900),
        first_token: Some(Duration::from_millis(80)),
        inter_token: Some(Duration::from_micros(26_500)),
        queued: Duration::ZERO,
        waits: &[],
        dropped: None,
        phases: Phases {
            first_byte: Some(Duration::from_millis(79)),
            generation: Some(Duration::from_millis(820)),
            ..Phases::default()
        },
        overhead: Duration::from_nanos(41_250),
    }
}
