use super::*;
use crate::{Chance, SplitMix64};
use proptest::prelude::*;

fn at(seconds: f64) -> Moment {
    Moment::START + Duration::from_secs_f64(seconds)
}

fn took(seconds: f64, size: Size) -> Sample {
    let taken = Some(Duration::from_secs_f64(seconds));
    Sample { size, first: taken, total: taken, ..Sample::default() }
}

/// A draw from the standard normal distribution (Box and Muller, 1958).
fn normal(chance: &mut SplitMix64) -> f64 {
    let mut uniform = || (chance.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    (-2.0 * (1.0 - uniform()).ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}

proptest! {
    #[test]
    fn quantiles_are_within_three_percent_of_the_true_value(
        millis in prop::collection::vec(0.2f64..2_000_000.0, 1..400),
        q in 0.01f64..1.0,
    ) {
        let windows = Windows::default();
        for value in &millis {
            windows.record(&took(value / 1000.0, Size::default()), at(5.0));
        }
        let mut sorted = millis;
        sorted.sort_by(f64::total_cmp);
        for q in [0.5, 0.95, 0.99, q] {
            let share = |rank: usize| rank as f64 / sorted.len() as f64;
            let rank = (1..=sorted.len()).find(|rank| share(*rank) >= q - 1e-12).unwrap();
            let truth = sorted[rank - 1] / 1000.0;
            let found = windows.quantile(Series::First, q, at(5.0)).unwrap();
            prop_assert!((found / truth - 1.0).abs() <= 0.03, "{q}: {found} for {truth}");
        }
    }

    #[test]
    fn every_value_lies_between_the_edges_of_its_bucket(value in 0.000_123f64..8000.0) {
        let bucket = histogram::bucket(value);
        prop_assert!(bucket < histogram::BUCKETS);
        prop_assert!(histogram::edge(bucket) <= value && value < histogram::edge(bucket + 1));
    }
}

#[test]
fn values_beyond_all_edges_count_as_the_outermost() {
    let windows = Windows::default();
    windows.record(&took(0.0, Size::default()), at(0.0));
    windows.record(&took(1e6, Size::default()), at(0.0));
    assert!(windows.quantile(Series::Total, 0.5, at(0.0)).unwrap() < 0.000_13);
    assert!(windows.quantile(Series::Total, 1.0, at(0.0)).unwrap() > 8000.0);
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let windows = Windows::default();
    assert_eq!(windows.quantile(Series::First, 0.5, at(0.0)), None);
    windows.record(&took(9.0, Size::default()), at(5.0));
    windows.ended(Err(Blame::Upstream), at(5.0));
    assert!(windows.quantile(Series::First, 0.5, at(59.9)).is_some());
    assert!(windows.forecast(Latency::First, Size::default(), at(59.9)).is_some());
    assert_eq!(windows.quantile(Series::First, 0.5, at(60.0)), None);
    assert_eq!(windows.forecast(Latency::First, Size::default(), at(66.0)), None);
    assert_eq!((windows.ends(at(59.0)).upstream, windows.ends(at(60.0)).upstream), (1, 0));
    // The place of the first slice is taken again, emptied.
    windows.record(&took(1.0, Size::default()), at(65.0));
    let found = windows.quantile(Series::First, 1.0, at(65.0)).unwrap();
    assert!((found - 1.0).abs() < 0.03, "{found}");
    // A clock that was read long ago writes nothing into a slice that is not its own.
    windows.record(&took(9.0, Size::default()), at(5.0));
    assert!(windows.quantile(Series::First, 1.0, at(65.0)).unwrap() < 1.1);
}

#[test]
fn a_busy_deployment_is_fitted_as_well_from_fewer_samples() {
    let windows = Windows::default();
    for i in 0..8000u32 {
        let size = Size { prompt: if i % 3 == 0 { 8000 } else { 1000 }, ..Size::default() };
        let seconds = 0.2 + f64::from(size.prompt) / 10_000.0;
        windows.record(&took(seconds, size), at(1.0 + f64::from(i) / 1000.0));
    }
    for prompt in [1000, 4000, 8000] {
        let size = Size { prompt, ..Size::default() };
        let found = windows.forecast(Latency::First, size, at(9.0)).unwrap().quantile(0.5);
        let truth = 0.2 + f64::from(prompt) / 10_000.0;
        assert!((found / truth - 1.0).abs() < 0.05, "{prompt}: {found} for {truth}");
    }
}

#[test]
fn a_busy_deployment_does_not_digest_all_the_time() {
    let windows = Windows::default();
    let median = || windows.percentiles(Series::First).p50;
    let many = |seconds: f64, now: f64| {
        (0..5000).for_each(|_| windows.record(&took(seconds, Size::default()), at(now)));
    };
    many(1.0, 1.0);
    let before = median();
    many(3.0, 1.024);
    assert_eq!(median(), before);
    many(3.0, 1.026);
    assert!(median() > 2.9, "{}", median());
}

#[test]
fn a_forecast_grows_with_the_prompt_and_the_queue() {
    let windows = Windows::default();
    let mut chance = SplitMix64::seeded(7);
    let truth =
        |size: Size| (0.1 + 0.2 * f64::from(size.prompt) / 1000.0) * (1.0 + 0.05 * f64::from(size.in_flight));
    for i in 0..2000 {
        let pick = |chance: &mut SplitMix64, most| u32::try_from(chance.below(most)).unwrap();
        let size = Size { prompt: pick(&mut chance, 8000), output: 0, in_flight: pick(&mut chance, 20) };
        let noise = (0.3 * normal(&mut chance)).exp();
        windows.record(&took(truth(size) * noise, size), at(f64::from(i) * 0.02));
    }
    for (prompt, in_flight) in [(100, 0), (4000, 0), (7500, 0), (4000, 15), (100, 15)] {
        let size = Size { prompt, output: 0, in_flight };
        let forecast = windows.forecast(Latency::First, size, at(40.0)).unwrap();
        for (q, deviations) in [(0.5, 0.0f64), (0.9, 1.2816), (0.99, 2.3263)] {
            let expect = truth(size) * (0.3 * deviations).exp();
            let found = forecast.quantile(q);
            assert!((found / expect - 1.0).abs() < 0.12, "{size:?} {q}: {found} for {expect}");
            assert!((forecast.within(found) - q).abs() < 0.01, "{size:?} {q}: {}", forecast.within(found));
        }
    }
}

#[test]
fn a_forecast_goes_along_with_a_change() {
    let windows = Windows::default();
    for i in 0..200 {
        windows.record(&took(0.1, Size::default()), at(f64::from(i) * 0.1));
    }
    for i in 0..200 {
        windows.record(&took(0.8, Size::default()), at(20.0 + f64::from(i) * 0.1));
    }
    let forecast = windows.forecast(Latency::First, Size::default(), at(40.0)).unwrap();
    assert!(forecast.quantile(0.95) > 0.7, "{forecast:?}");
}

#[test]
fn the_first_sample_is_taken_as_it_is() {
    let windows = Windows::default();
    windows.record(&took(0.5, Size { prompt: 1000, ..Size::default() }), at(1.0));
    let forecast =
        windows.forecast(Latency::First, Size { prompt: 1000, ..Size::default() }, at(1.0)).unwrap();
    assert!((forecast.quantile(0.95) - 0.5).abs() < 0.02, "{forecast:?}");
    assert_eq!(forecast.samples, 1.0);
}

#[test]
fn tokens_make_speed_throughput_and_shares() {
    let windows = Windows::default();
    let usage = Usage { input: 1000, cache_read: 250, output: 100, ..Usage::default() };
    for i in 0..40 {
        let sample = Sample {
            first: Some(Duration::from_secs(1)),
            total: Some(Duration::from_secs(3)),
            generating: Some(Duration::from_secs(2)),
            gap: Some(Duration::from_millis(20)),
            usage: Some(usage),
            ..Sample::default()
        };
        windows.record(&sample, at(f64::from(i) * 0.5));
    }
    assert!((windows.percentiles(Series::Speed).p50 / 50.0 - 1.0).abs() < 0.03);
    assert!((windows.percentiles(Series::Gap).p95 / 0.02 - 1.0).abs() < 0.03);
    let throughput = windows.throughput().unwrap();
    assert!((190.0..215.0).contains(&throughput), "two answers of 100 tokens a second: {throughput}");
    assert!((windows.cached_share() - 0.25).abs() < 1e-6);
    assert_eq!(windows.usual_output(), Some(100));
}

#[test]
fn a_callers_mistake_is_no_error_of_the_deployment() {
    let windows = Windows::default();
    for _ in 0..50 {
        windows.ended(Err(Blame::Caller), at(0.0));
    }
    assert_eq!(windows.error_rate(at(0.0)), 0.0);
    for _ in 0..48 {
        windows.ended(Ok(()), at(0.0));
    }
    for _ in 0..50 {
        windows.ended(Err(Blame::Upstream), at(1.0));
    }
    assert!((windows.ends(at(1.0)).error_rate() - 0.5).abs() < 1e-9);
    assert!((windows.error_rate(at(1.3)) - 0.5).abs() < 0.05);
}

#[test]
fn cores_that_write_at_once_lose_nothing_within_a_slice() {
    let windows = Windows::default();
    windows.ended(Ok(()), at(1.0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    windows.record(&took(0.25, Size::default()), at(1.0));
                    windows.ended(Ok(()), at(1.0));
                    windows.took_on(Duration::from_millis(3));
                    windows.put_down(Duration::from_millis(3));
                }
            });
        }
    });
    assert_eq!(windows.ends(at(1.0)).well, 20_001);
    assert_eq!(windows.ring.get().unwrap().merged(Series::First, at(1.0)).total, 20_000);
    assert_eq!(windows.outstanding(), Duration::ZERO);
}

#[test]
fn waits_for_a_place_have_a_window_of_their_own() {
    let windows = Windows::default();
    (1..=100u32).for_each(|n| windows.queued(Duration::from_millis(u64::from(n) * 10), at(1.0)));
    let [p50, p99] = windows.quantiles(Series::Queued, [0.5, 0.99], at(2.0)).unwrap();
    assert!((p50 / 0.5 - 1.0).abs() < 0.03 && (p99 / 0.99 - 1.0).abs() < 0.03, "{p50} {p99}");
    assert_eq!(windows.quantiles(Series::First, [0.5], at(2.0)), None);
    assert_eq!(windows.quantiles(Series::Queued, [0.5], at(70.0)), None, "the last minute is");
    // Its slice is used again.
    windows.queued(Duration::from_secs(2), at(61.0));
    let [p50] = windows.quantiles(Series::Queued, [0.5], at(61.0)).unwrap();
    assert!((p50 / 2.0 - 1.0).abs() < 0.03, "{p50}");
}

#[test]
fn memory_is_bounded() {
    assert_eq!(Windows::default().ring.get_or_init(Box::default).slices(), SLICES);
    const { assert!(Windows::MOST_BYTES <= 92 * 1024 && size_of::<Windows>() <= 512) };
}
