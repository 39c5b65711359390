use super::*;
use weir_routing::State;

const SEEDS: std::ops::Range<u64> = 0..4;

/// §7 of what was promised: at most one client in a thousand sees an error, here none at all; within five seconds the
/// faulty one has less than a hundredth of the calls.
#[test]
fn a_faulty_deployment_is_left_alone_and_nobody_notices() {
    for scene in [HALF, DOWN, FLAPPING] {
        for seed in SEEDS {
            let outcome = run(&scene, seed);
            assert_eq!(outcome.errors(), 0, "{} seed {seed}", scene.name);
            let share = outcome.share(0, f64::from(scene.from) + 5.0, f64::from(scene.until));
            assert!(share < 0.01, "{} seed {seed}: {share}", scene.name);
        }
    }
}

#[test]
fn one_that_is_well_is_enough() {
    for seed in SEEDS {
        let outcome = run(&MOST_DOWN, seed);
        assert_eq!(outcome.errors(), 0, "seed {seed}");
        let calls = outcome.calls_per_request(f64::from(MOST_DOWN.from) + 5.0, f64::from(MOST_DOWN.until));
        assert!(calls < 1.15, "seed {seed}: panic costs {calls} calls for one request");
    }
}

/// Calls are at most a fifth more than requests, ten a second and what was saved up; a second after the storm nobody
/// sees an error any more.
#[test]
fn a_storm_is_no_multiple_of_the_load_and_ends_with_its_cause() {
    for seed in SEEDS {
        let outcome = run(&STORM, seed);
        let (from, until) = (f64::from(STORM.from), f64::from(STORM.until));
        let calls = outcome.calls_per_request(from, until);
        assert!(calls <= 1.2 + 10.0 / f64::from(RATE) + 0.1, "seed {seed}: {calls}");
        let last = outcome.last_error(until).unwrap_or_default();
        assert!(last <= 1.0, "seed {seed}: an error {last} s after the end");
    }
}

/// Back from an outage, a deployment is not given its whole share at once; ten seconds later it has it.
#[test]
fn whoever_is_back_comes_back_by_degrees() {
    for seed in SEEDS {
        let outcome = run(&OUTAGE, seed);
        assert_eq!(outcome.errors(), 0, "seed {seed}");
        let back = outcome.events.iter().find(|e| e.to == State::Closed).map(|e| seconds(e.at)).unwrap();
        assert!(back <= f64::from(OUTAGE.until) + 20.0 + 5.0, "seed {seed}: back at {back}");
        let first = outcome.share(0, back, back + 2.0);
        assert!(first <= 0.10, "seed {seed}: {first} at once");
        let later = outcome.share(0, back + 10.0, back + 20.0);
        assert!((0.2..0.3).contains(&later), "seed {seed}: {later} in the end");
    }
}

/// A 95th percentile that rises by a tenth of its usual value a second is found within twenty seconds of passing the
/// limit, and nobody is thought slow before.
#[test]
fn a_slow_burn_is_found() {
    assert!((0.7 * slow_burn(f64::from(SLOW_BURN.from)) * (1.645 * SIGMA).exp() - 3.0).abs() < 0.05);
    for seed in SEEDS {
        let outcome = run(&SLOW_BURN, seed);
        let opened = outcome.events.iter().find(|e| e.to == State::Open).unwrap();
        assert_eq!(opened.cause.name(), "slow", "seed {seed}");
        let after = seconds(opened.at) - f64::from(SLOW_BURN.from);
        assert!((0.0..20.0).contains(&after), "seed {seed}: {after}");
        let share = outcome.share(0, seconds(opened.at) + 5.0, f64::from(SLOW_BURN.until));
        assert!(share < 0.05, "seed {seed}: {share} afterwards: a slow probe lets nobody in");
        assert!(outcome.events.iter().all(|e| e.subject == opened.subject), "seed {seed}");
    }
}

#[test]
fn where_nothing_happens_no_breaker_opens() {
    let quiet = Scene { first_token_p95: Some(Duration::from_secs(2)), ..scene("quiet", |_, _| (0.02, 1.0)) };
    for seed in SEEDS {
        let outcome = run(&quiet, seed);
        assert!(outcome.events.is_empty(), "seed {seed}: {:?}", outcome.events.first());
    }
}
