use super::*;
use crate::access_log::LogTarget;
use std::time::{SystemTime, UNIX_EPOCH};
use weir_core::exchange::{Attempt, AttemptCause, Phases};
use weir_core::usage::UsageSource;
use weir_core::{Class, Cost, Endpoint, Exchange, Outcome, RequestId, TraceContext, Usage};

const FIRST: Attempt<'static> = Attempt {
    deployment: "a",
    cause: AttemptCause::First,
    fault: None,
    cost: Cost::ZERO,
    cost_unknown: false,
    aborted: false,
    left_out: 0,
};

/// An answered, streamed chat on deployment `a` of route `smart`.
pub(crate) fn answered() -> Exchange<'static> {
    Exchange {
        id: RequestId::from_random(7),
        trace: TraceContext { trace: 0xabc, span: 0xdef, sampled: true },
        parent_span: None,
        started_at: at(1_763_717_000, 123_456),
        endpoint: Some(Endpoint::Chat),
        method: None,
        path: None,
        model: Some("smart"),
        key: Some("team-a"),
        route: Some("smart"),
        deployment: Some("a"),
        provider: Some("openai"),
        served_model: Some("gpt-4o"),
        pair: None,
        streamed: true,
        outcome: Outcome::Answered,
        status: 200,
        code: None,
        cause: None,
        attempts: &[FIRST],
        usage: Some(Usage { input: 100, cache_read: 20, output: 30, ..Usage::default() }),
        cost: Cost::from_pico_usd(1_500_000_000),
        cost_unknown: false,
        request_bytes: 512,
        response_bytes: 2_048,
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

/// The same, answered by `b` over a new connection after `a` was rate-limited, with estimated tokens
/// and at a price that nobody knows.
pub(crate) fn rescued() -> Exchange<'static> {
    Exchange {
        phases: Phases {
            connect: Duration::from_millis(3),
            tls: Duration::from_millis(7),
            send: Duration::from_micros(250),
            ..answered().phases
        },
        deployment: Some("b"),
        attempts: &[
            Attempt { fault: Some(Class::Rate), left_out: 2, ..FIRST },
            Attempt { cause: AttemptCause::Retry, fault: Some(Class::Timeout), ..FIRST },
            Attempt { deployment: "b", cause: AttemptCause::Fallback, ..FIRST },
        ],
        usage: Some(Usage { input: 10, output: 5, source: UsageSource::Estimated, ..Usage::default() }),
        cost_unknown: true,
        ..answered()
    }
}

/// A request that failed before a route was known.
pub(crate) fn refused() -> Exchange<'static> {
    Exchange {
        endpoint: None,
        model: None,
        key: None,
        route: None,
        deployment: None,
        provider: None,
        pair: None,
        served_model: None,
        streamed: false,
        outcome: Outcome::Failed(Class::Caller),
        status: 401,
        code: Some("invalid_api_key"),
        cause: Some("no key of that hash"),
        attempts: &[],
        usage: None,
        cost: Cost::ZERO,
        cost_unknown: false,
        response_bytes: 120,
        total: Duration::from_micros(50),
        first_token: None,
        inter_token: None,
        queued: Duration::ZERO,
        waits: &[],
        dropped: None,
        phases: Phases::default(),
        ..answered()
    }
}

pub(crate) fn at(seconds: u64, micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
}

pub(crate) fn silent() -> Arc<Telemetry> {
    Telemetry::with_writer(false, None).unwrap()
}

/// The lines of one metric's samples.
pub(crate) fn samples<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    page.lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .collect()
}

fn full_scenario() -> Arc<Telemetry> {
    let hub = silent();
    let (one, two) = (hub.recorder(), hub.recorder());
    one.in_flight(1);
    two.in_flight(1);
    one.in_flight(1);
    one.record(&answered());
    one.in_flight(-1);
    two.record(&answered());
    two.record(&rescued());
    two.record(&refused());
    let queued = Duration::from_millis(300);
    one.record(&Exchange { outcome: Outcome::ClientGone, status: 499, queued, ..answered() });
    one.rejected_connection("too_many");
    two.rejected_connection("too_many");
    two.rejected_connection("tls");
    one.probed("a", Cost::from_pico_usd(11_000_000));
    one.probed("a", Cost::from_pico_usd(11_000_000));
    two.probed("a", Cost::from_pico_usd(11_000_000));
    two.probed("b", Cost::ZERO);
    hub.gauges().set_started(at(1_763_716_999, 500_000));
    hub.gauges().config_loaded(1);
    hub.gauges().reload_accepted(2);
    hub.gauges().reload_rejected();
    hub.set_deployments(vec![DeploymentInfo {
        name: "a".into(),
        provider: "openai".into(),
        model: "gpt-4o".into(),
        labels: vec![("region".into(), "eu \"west\"".into())],
    }]);
    hub.add_source(Box::new(|| {
        let labels = vec![("deployment", "a".to_owned())];
        vec![Sample { metric: "weir_breaker_state", help: "", labels, value: 2.0 }]
    }));
    hub
}

#[test]
fn a_page_shows_everything_that_was_counted() {
    let page = full_scenario().render();
    let golden = include_str!("tests/page.txt");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/page.txt"), &page).unwrap();
    } else {
        assert_eq!(page, golden, "UPDATE_DOCS=1 rewrites src/tests/page.txt; read the difference");
    }
}

#[test]
fn every_metric_of_the_table_appears_and_no_other() {
    let page = full_scenario().render();
    let shown: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut expect: Vec<&str> = metric::COUNTED.iter().map(|metric| metric.name).collect();
    expect.push("weir_breaker_state");
    assert_eq!(shown, expect);
}

#[test]
fn shards_are_added_up_whoever_counted() {
    let together = silent();
    let apart = silent();
    let alone = together.recorder();
    for exchange in [answered(), rescued(), refused(), answered()] {
        alone.record(&exchange);
        apart.recorder().record(&exchange); // a core of its own that has ended since
    }
    assert_eq!(apart.render(), together.render());
    let requests = samples(&together.render(), "weir_requests_total").join("\n");
    assert!(
        requests.contains("weir_requests_total{route=\"smart\",deployment=\"a\",outcome=\"ok\"} 2"),
        "{requests}"
    );
}

#[test]
fn every_outcome_has_its_own_label() {
    let hub = silent();
    let recorder = hub.recorder();
    let failures = Class::ALL.map(Outcome::Failed);
    let all: Vec<Outcome> = [Outcome::Answered, Outcome::ClientGone].into_iter().chain(failures).collect();
    for (times, &outcome) in (1..).zip(&all) {
        for _ in 0..times {
            recorder.record(&Exchange { outcome, ..answered() });
        }
    }
    let page = hub.render();
    let shown = samples(&page, "weir_requests_total");
    assert_eq!(shown.len(), all.len(), "{shown:?}");
    for (times, outcome) in (1..).zip(&all) {
        let name = outcome.name();
        let expect =
            format!("weir_requests_total{{route=\"smart\",deployment=\"a\",outcome=\"{name}\"}} {times}");
        assert!(shown.contains(&expect.as_str()), "{expect} is missing in {shown:?}");
    }
}

#[test]
fn every_attempt_has_its_own_label() {
    let hub = silent();
    let recorder = hub.recorder();
    let faults: Vec<Option<Class>> = [None].into_iter().chain(Class::ALL.map(Some)).collect();
    let causes = [AttemptCause::First, AttemptCause::Retry, AttemptCause::Fallback];
    for cause in causes {
        for &fault in &faults {
            recorder.record(&Exchange { attempts: &[Attempt { cause, fault, ..FIRST }], ..answered() });
        }
    }
    let page = hub.render();
    let shown = samples(&page, "weir_attempts_total");
    assert_eq!(shown.len(), causes.len() * faults.len());
    for cause in causes {
        for fault in &faults {
            let outcome = fault.map_or("ok", |class| class.name());
            let expect = format!("cause=\"{}\",outcome=\"{outcome}\"}} 1", cause.name());
            assert!(shown.iter().any(|line| line.ends_with(&expect)), "{expect} is missing");
        }
    }
    for counted in ["weir_retries_total", "weir_fallbacks_total"] {
        assert_eq!(samples(&page, counted), [format!("{counted}{{route=\"smart\"}} {}", faults.len())]);
    }
}

#[test]
fn what_a_client_sends_is_never_a_label() {
    let hub = silent();
    let hostile = "canary-model\"}\n# EOF\n";
    hub.recorder().record(&Exchange { model: Some(hostile), key: Some("canary-key"), ..refused() });
    hub.recorder().record(&Exchange { model: Some(hostile), cause: Some("canary-cause"), ..answered() });
    let page = hub.render();
    assert!(!page.contains("canary"), "{page}");
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn costs_are_summed_exactly() {
    let hub = silent();
    let recorder = hub.recorder();
    for pico in [1, 999_999_999_999, 2_500_000_000_000, -5] {
        recorder.record(&Exchange { cost: Cost::from_pico_usd(pico), ..answered() });
    }
    assert_eq!(
        samples(&hub.render(), "weir_cost_usd_total"),
        ["weir_cost_usd_total{route=\"smart\",deployment=\"a\",cause=\"request\"} 3.5"]
    );
    recorder.record(&Exchange { cost: Cost::from_pico_usd(i128::MAX), ..answered() });
    recorder.record(&answered());
    assert_eq!(
        samples(&hub.render(), "weir_cost_usd_total"),
        ["weir_cost_usd_total{route=\"smart\",deployment=\"a\",cause=\"request\"} 18446744.07370955"],
        "a sum beyond the counter stays at its end"
    );
}

#[test]
fn lines_reach_a_file_in_order_and_a_second_start_appends() {
    let path = std::env::temp_dir().join(format!("weir-telemetry-{}.log", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let settings = Settings { access_log: Some(LogTarget::File(path.clone())), spans: false };
    for status in [200, 201] {
        let hub = Telemetry::start(&settings).unwrap();
        let recorder = hub.recorder();
        for request_bytes in 0..500 {
            recorder.record(&Exchange { status, request_bytes, ..answered() });
        }
        recorder.tick();
        assert!(hub.flush(Duration::from_secs(60)));
        assert_eq!(hub.render().matches("weir_log_lines_dropped_total 0").count(), 1);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let seen: Vec<(u64, u64)> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| (line["status"].as_u64().unwrap(), line["request_bytes"].as_u64().unwrap()))
        .collect();
    let expect: Vec<(u64, u64)> =
        [200, 201].into_iter().flat_map(|s| (0..500).map(move |n| (s, n))).collect();
    assert_eq!(seen, expect);
}

#[test]
fn a_target_that_cannot_be_opened_is_an_error_at_start() {
    let target = LogTarget::File("/nonexistent-folder/access.log".into());
    let error = Telemetry::start(&Settings { access_log: Some(target), spans: false }).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
