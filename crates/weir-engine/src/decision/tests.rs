use super::*;
use weir_core::exchange::AttemptCause;
use weir_routing::Plan;

fn tried(deployment: usize) -> Tried {
    Tried {
        nth: u32::try_from(deployment).unwrap(),
        deployment,
        cause: AttemptCause::Retry,
        fault: None,
        cost: Cost::ZERO,
        cost_unknown: false,
        aborted: false,
        left_out: 0,
        status: 0,
        code: None,
        ready: None,
        times: crate::record::Times::default(),
    }
}

/// What somebody is told about how much memory records take (`telemetry.decisions` in the reference) is so.
#[test]
fn an_entry_is_as_small_as_is_said() {
    let lists = MOST_STEPS * size_of::<Step>()
        + MOST_PLANS * size_of::<Planned>()
        + MOST_CANDIDATES * size_of::<Weighed>()
        + MOST_DROPPED * size_of::<(u32, Reason)>()
        + MOST_ATTEMPTS * size_of::<Tried>()
        + MOST_WAITS * size_of::<Waited>();
    assert!(size_of::<Entry>() <= 1024, "{}", size_of::<Entry>());
    assert!(size_of::<Entry>() + lists <= 4096, "{}", size_of::<Entry>() + lists);
}

#[test]
fn of_many_calls_the_first_the_last_and_the_one_that_counts_are_kept() {
    let mut entry = Entry::new();
    let all: Vec<Tried> = (0..20).map(tried).collect();
    for (calls, counts, expect) in [
        (8, 7, &[0, 1, 2, 3, 4, 5, 6, 7][..]),
        (8, 2, &[0, 1, 2, 3, 4, 5, 6, 7]),
        (9, 7, &[0, 1, 2, 3, 4, 5, 7, 8]),
        (20, 19, &[0, 1, 2, 3, 4, 5, 6, 19]),
        (20, 0, &[0, 1, 2, 3, 4, 5, 6, 19]),
        (20, 6, &[0, 1, 2, 3, 4, 5, 6, 19]),
        (20, 11, &[0, 1, 2, 3, 4, 5, 11, 19]),
        (20, 18, &[0, 1, 2, 3, 4, 5, 18, 19]),
        (1, 0, &[0]),
    ] {
        entry.attempted(&all[..calls], counts);
        let kept: Vec<u32> = entry.attempts.iter().map(|tried| tried.nth).collect();
        assert_eq!((&kept[..], entry.calls()), (expect, calls), "{calls} calls, of which {counts} counts");
    }
}

#[test]
fn plans_keep_their_own_lines_within_bounds() {
    let mut entry = Entry::new();
    let plan = |candidates: u32, dropped: u32| Plan {
        candidates: (0..candidates).map(|d| Candidate::new(d, Reason::InTurn)).collect(),
        dropped: (0..dropped).map(|d| (100 + d, Reason::Full)).collect(),
    };
    for (candidates, dropped) in [(3, 1), (0, 2), (9, 0), (9, 16), (1, 1)] {
        let plan = plan(candidates, dropped);
        let weighed = plan.candidates.iter().map(|candidate| Weighed::new(candidate, 0, Micros(0)));
        let place = Place::new(0, 0);
        let planned =
            Planned { place, fallback: None, at: Moment::START, policy: None, candidates: 0, dropped: 0 };
        entry.plan(planned, weighed, &plan);
    }
    let lines: Vec<(usize, usize)> = entry.plans().map(|(_, of, out)| (of.len(), out.len())).collect();
    assert_eq!(lines, [(3, 1), (0, 2), (9, 0), (4, 13)]);
    assert_eq!(entry.left_out, 5 + 3 + 3, "what had no room, and a plan of two lines");
    let (_, of, _) = entry.plans().nth(2).unwrap();
    assert_eq!(of[0].deployment, 0, "each plan has its own");
}

#[test]
fn times_stay_within_their_range() {
    assert_eq!(Micros::of(Duration::from_secs(1 << 20)), Micros(u32::MAX));
    assert_eq!(Micros::of_seconds(-1.0), Micros(0));
    assert_eq!(Micros::of_seconds(f64::NAN), Micros(0));
    assert_eq!(Micros::of_seconds(0.0015).millis(), 1.5);
    assert_eq!(Micros(5).since(Micros(7)), Micros(0));
}

#[test]
fn figures_keep_what_they_say() {
    let cost = Cost::from_pico_usd(12_345_678);
    let time = Duration::from_micros(1_234);
    let check = |figure: Figure, expect: Slim| assert_eq!(Slim::from(figure), expect);
    check(Figure::Latency(time), Slim::Latency(Micros(1_234)));
    check(Figure::Budget(Some(970), cost), Slim::Budget(Some(970), 12_345_678));
    check(Figure::Cost(Cost::from_pico_usd(-1)), Slim::Cost(0));
    check(Figure::Cost(Cost::from_pico_usd(i128::MAX)), Slim::Cost(u64::MAX));
    check(Figure::Cached(u64::MAX, time), Slim::Cached(u32::MAX, Micros(1_234)));
    assert!(size_of::<Slim>() * 2 <= size_of::<Figure>(), "{}", size_of::<Slim>());
}
