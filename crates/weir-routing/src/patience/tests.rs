use super::*;
use crate::SplitMix64;
use crate::chance::Chance;
use crate::chance::Zero;
use crate::health::Settings;
use crate::windows::Sample;
use proptest::prelude::*;
use std::sync::Arc;
use weir_core::{Class, Fault};

fn stream() -> Request<'static> {
    Request { streamed: true, ..Request::default() }
}

fn whole() -> Request<'static> {
    Request::default()
}

fn check(request: Request<'_>, reasoning: bool, known: Option<(f64, f64)>, expect: f64) {
    let known = known.map(|(p99, samples)| Known { p99, samples });
    let found = limit(&request, reasoning, known).as_secs_f64();
    assert!((found - expect).abs() < 0.01, "{known:?}, reasoning {reasoning}: {found} instead of {expect}");
}

#[test]
fn with_nothing_known_size_and_reasoning_decide() {
    check(stream(), false, None, 10.0);
    check(Request { prompt: 8000, ..stream() }, false, None, 14.0);
    check(Request { most_output: Some(100_000), ..stream() }, false, None, 10.0);
    check(Request { prompt: 8000, ..stream() }, true, None, 56.0);
    check(Request { prompt: u32::MAX, ..stream() }, true, None, 120.0);
    check(Request { most_output: Some(0), ..whole() }, false, None, 60.0);
    check(Request { prompt: 2000, most_output: Some(500), ..whole() }, false, None, 81.0);
    check(whole(), false, None, 60.0 + 81.92);
    check(Request { most_output: Some(32_000), ..whole() }, false, None, 600.0);
}

#[test]
fn what_is_known_lengthens_at_once_and_shortens_with_enough_samples() {
    check(stream(), false, Some((20.0, 1.0)), 60.0);
    check(stream(), false, Some((2.5, 1.0)), 10.0);
    check(stream(), false, Some((2.5, ENOUGH)), 7.5);
    check(stream(), false, Some((0.2, 5000.0)), 5.0);
    check(stream(), false, Some((1000.0, 5000.0)), 120.0);
    check(stream(), false, Some((f64::INFINITY, 5000.0)), 120.0);
    check(stream(), true, Some((2.5, 5000.0)), 40.0);
    check(whole(), false, Some((3.0, 5000.0)), 60.0);
    check(whole(), false, Some((70.0, 5000.0)), 210.0);
}

/// A deployment that has answered a hundred streams in about half a second.
fn quick() -> (Arc<Health>, Moment) {
    let health = Arc::new(Health::new(&Settings::default()));
    let mut chance = SplitMix64::seeded(5);
    let mut now = Moment::START + Duration::from_secs(1);
    for _ in 0..100 {
        now = now + Duration::from_millis(100);
        let first = Some(Duration::from_millis(400 + chance.below(200)));
        health.windows().record(&Sample { first, ..Sample::default() }, now);
    }
    (health, now)
}

/// A limit learnt in good times does not outlive them: who was cut is given the usual time, however short the old one
/// was, and however often it is cut.
#[test]
fn faults_in_a_row_make_a_deployment_unknown() {
    let (health, now) = quick();
    let wait = |now| patience(&stream(), Size::default(), false, &health, now);
    assert_eq!(wait(now), Bounds::STREAM.least);
    let fault = Fault::new(Class::Timeout, 504, "upstream_timeout", "x");
    let mut now = now;
    for _ in 0..4 {
        let mut lease = health.acquire(now, true, &mut Zero).unwrap();
        let waited = wait(now);
        now = now + waited;
        health.windows().record(&Sample { first: Some(waited), ..Sample::default() }, now);
        lease.report(Err(&fault), now);
        assert_eq!(wait(now), Timeouts::FIRST_TOKEN, "neither shorter nor ever longer");
    }
    let mut lease = health.acquire(now, true, &mut Zero).unwrap();
    lease.report(Ok(()), now);
    assert!(wait(now) > Timeouts::FIRST_TOKEN, "it answers, if slowly: {:?}", wait(now));
}

proptest! {
    #[test]
    fn a_limit_is_within_its_bounds_and_longer_prompts_get_no_less(
        streamed: bool,
        reasoning: bool,
        prompt: u32,
        more: u32,
        output: Option<u32>,
        known in proptest::option::of((0.0f64..1e9, 0.0f64..1e6)),
    ) {
        let bounds = if streamed { Bounds::STREAM } else { Bounds::WHOLE };
        let known = known.map(|(p99, samples)| Known { p99, samples });
        let of = |prompt| limit(&Request { prompt, most_output: output, streamed, ..stream() }, reasoning, known);
        let (short, long) = (of(prompt), of(prompt.saturating_add(more)));
        prop_assert!(bounds.least <= short && short <= bounds.most, "{short:?}");
        prop_assert!(short <= long);
    }
}
