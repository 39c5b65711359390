use super::*;
use weir_core::Usage;

fn at(millis: u64) -> Moment {
    Moment::START + Duration::from_millis(millis)
}

/// A deployment whose answers take a second for each thousand tokens of prompt and half a second besides, as it has been
/// seen to do; now `factor` times as long.
fn sample(prompt: u32, factor: f64) -> Sample {
    let seconds = (0.5 + f64::from(prompt) / 1000.0) * factor;
    let size = Size { prompt, output: 0, in_flight: 0 };
    Sample { size, first: Some(Duration::from_secs_f64(seconds)), ..Sample::default() }
}

fn learnt() -> Windows {
    let windows = Windows::default();
    for n in 0..200 {
        windows.record(&sample(100 + n * 90 % 8000, 1.0), at(u64::from(n)));
    }
    windows
}

fn slow(first_token: u64, min_samples: u32) -> Slow {
    let slow = Slow::new();
    let first_token = Some(Duration::from_secs(first_token));
    slow.adjust(&Settings { first_token, total: None, min_samples });
    slow
}

/// Of these calls, one in `every` takes `factor` times as long. After which call it is too slow, by a limit of 3 s.
fn check(prompt: u32, factor: f64, every: u64, expect: Option<u64>) {
    let (slow, windows) = (slow(3, 20), learnt());
    let found = (0..400).find(|n| {
        let factor = if n % every == every - 1 { factor } else { 1.0 };
        slow.judge(&sample(prompt, factor), &windows, false, at(1000 + n)).is_some()
    });
    assert_eq!(found, expect, "prompt {prompt}, {factor} times as long, one in {every}");
}

#[test]
fn the_95th_percentile_is_held_against_the_limit() {
    check(1000, 3.0, 1, Some(19));
    check(1000, 3.0, 10, Some(19));
    check(1000, 3.0, 19, Some(37));
    check(1000, 3.0, 25, None);
    check(1000, 1.9, 1, None);
}

#[test]
fn what_a_long_prompt_takes_is_no_slowness() {
    check(8000, 1.0, 1, None);
    check(8000, 1.8, 1, None);
    check(8000, 2.5, 1, Some(19));
    check(100, 2.5, 1, Some(19));
}

#[test]
fn few_samples_say_nothing_and_old_ones_neither() {
    let (slow, windows) = (slow(3, 20), learnt());
    let judge = |now| slow.judge(&sample(1000, 5.0), &windows, false, at(now)).is_some();
    assert!((0..19).all(|n| !judge(1000 + n)));
    assert!((0..19).all(|n| !judge(70_000 + n)), "a minute later those before are forgotten");
    assert!(judge(70_100));
    assert!(!judge(70_101), "the counting begins anew");
}

#[test]
fn a_probe_is_judged_alone() {
    let (slow, windows) = (slow(3, 20), learnt());
    assert_eq!(slow.judge(&sample(1000, 1.5), &windows, true, at(1000)), None);
    let found = slow.judge(&sample(1000, 2.5), &windows, true, at(1000)).unwrap();
    assert_eq!(found.share, Share { calls: 1, wrong: 1 });
    assert_eq!((found.latency, found.limit), ("first_token", Duration::from_secs(3)));
}

#[test]
fn whole_answers_are_judged_by_what_they_turned_out_to_be() {
    let (windows, slow) = (Windows::default(), Slow::new());
    let total = Some(Duration::from_secs(10));
    slow.adjust(&Settings { first_token: None, total, min_samples: 1 });
    let sample = |expected: u32, output: u32, seconds: f64| Sample {
        size: Size { prompt: 1000, output: expected, in_flight: 0 },
        total: Some(Duration::from_secs_f64(seconds)),
        usage: Some(Usage { input: 1000, output: u64::from(output), ..Usage::default() }),
        ..Sample::default()
    };
    for n in 0..200u32 {
        let output = 50 + n * 13 % 1500;
        windows.record(&sample(output, output, 1.0 + f64::from(output) / 50.0), at(u64::from(n)));
    }
    // An answer of 200 tokens takes five seconds; this one was to be short and became long.
    assert_eq!(slow.judge(&sample(100, 1500, 31.0), &windows, false, at(300)), None);
    assert!(slow.judge(&sample(100, 100, 31.0), &windows, false, at(301)).is_some());
}

#[test]
fn without_limits_nobody_is_slow() {
    let (slow, windows) = (Slow::new(), Windows::default());
    slow.adjust(&Settings::default());
    assert!((0..100).all(|n| slow.judge(&sample(1000, 1000.0), &windows, n % 2 == 0, at(n)).is_none()));
}
