use super::*;
use proptest::prelude::*;

fn at(millis: u64) -> Moment {
    Moment::START + Duration::from_millis(millis)
}

/// A limit taken down at one second, with so many calls in flight.
fn learned(in_flight: u32) -> Learned {
    let learned = Learned::default();
    learned.complained(at(500), in_flight, KEPT, at(1000));
    learned
}

#[test]
fn who_never_complains_has_no_limit() {
    let learned = Learned::default();
    (0..1000).for_each(|i| learned.went_well(i, at(u64::from(i))));
    assert_eq!(learned.limit(at(1)), u32::MAX);
}

#[test]
fn the_first_complaint_sets_a_limit() {
    let check = |in_flight, expect| assert_eq!(learned(in_flight).limit(at(1000)), expect, "{in_flight}");
    check(100, 70);
    check(6, 4);
    check(FLOOR, u32::MAX);
    check(1, u32::MAX);
    check(u32::MAX, u32::MAX / ONE);
}

#[test]
fn calls_under_way_together_complain_once() {
    let learned = learned(100);
    assert!(!learned.complained(at(999), 100, KEPT, at(1001)));
    assert!(!learned.complained(at(1000), 100, KEPT, at(2000)));
    assert_eq!(learned.limit(at(2000)), 70);
    assert!(learned.complained(at(1001), 100, KEPT, at(2000)));
    assert_eq!(learned.limit(at(2000)), 49);
    assert!(learned.complained(at(2001), 20, KEPT, at(3000)), "fewer in flight say more than the limit does");
    assert_eq!(learned.limit(at(3000)), 14);
    assert!(learned.complained(at(3001), 14, KEPT_WHEN_LATE, at(4000)));
    assert_eq!(learned.limit(at(4000)), 12);
    assert!(!learned.complained(at(4001), 3, KEPT, at(5000)), "three calls overload nobody");
    for i in 0..100 {
        learned.complained(at(6000 + i), 100, KEPT, at(6000 + i));
    }
    assert_eq!(learned.limit(at(6100)), FLOOR);
}

#[test]
fn a_round_of_good_answers_adds_one() {
    let learned = learned(100);
    (0..75).for_each(|_| learned.went_well(70, at(2000)));
    assert_eq!(learned.limit(at(2000)), 71);
    (0..1000).for_each(|_| learned.went_well(34, at(2000)));
    assert_eq!(learned.limit(at(2000)), 71, "what is not used does not grow");
    (0..10).for_each(|_| learned.went_well(70, at(1000) + QUIET + Duration::from_millis(1)));
    assert_eq!(learned.limit(at(2000)), 81, "after a quiet time each answer adds one");
}

#[test]
fn a_limit_is_forgotten() {
    let learned = learned(100);
    let later = at(1001) + FORGOTTEN;
    assert_eq!((learned.limit(at(1000) + FORGOTTEN), learned.limit(later)), (70, u32::MAX));
    assert!(learned.complained(later, 50, KEPT, later));
    assert_eq!(learned.limit(later), 35, "what was is no bound on what comes");
    learned.went_well(50, later + FORGOTTEN + Duration::from_millis(1));
    assert_eq!(learned.limit(later), u32::MAX);
}

#[test]
fn a_first_token_is_late_against_the_best_of_its_length() {
    let learned = Learned::default();
    let late = |prompt, millis| learned.is_late(prompt, Duration::from_millis(millis));
    assert!(!late(100, 200), "nothing is known yet");
    assert!(!late(120, 500) && late(120, 502), "twice the best and a tenth of a second");
    assert!(!late(100_000, 5000) && late(100_000, 11_000), "a long prompt has a best of its own");
    assert!(!late(u32::MAX, 6000) && !late(0, 90) && !late(0, 270));
    assert!(!late(100, 100) && late(100, 400), "what is better counts from then on");
    for _ in 0..10_000 {
        late(100, 400); // its best is out of reach
    }
    assert!(!late(100, 400));
}

#[test]
fn who_is_not_to_learn_does_not() {
    let learned = learned(100);
    learned.allow(false);
    assert!(!learned.is_set(at(1000)) && !learned.complained(at(2000), 100, KEPT, at(2000)));
    learned.allow(true);
    assert!(learned.complained(at(3000), 100, KEPT, at(3000)));
}

proptest! {
    /// Whatever happens in whatever order: no limit below the floor, none that grows faster than by one an answer, none
    /// that a single round takes down twice.
    #[test]
    fn the_limit_stays_within_its_bounds(
        events in prop::collection::vec((0u64..400_000, 0u64..60_000, 0u32..300, any::<bool>()), 0..300)
    ) {
        let learned = Learned::default();
        let mut now = 0;
        let mut last_cut = None;
        for (step, age, in_flight, well) in events {
            now += step % 5_000 + if step > 395_000 { 300_000 } else { 0 };
            let (before, began) = (learned.limit(at(now)), at(now.saturating_sub(age)));
            if well {
                learned.went_well(in_flight, at(now));
                let after = learned.limit(at(now));
                prop_assert!(after == u32::MAX || before != u32::MAX && (before..=before + 1).contains(&after));
            } else if learned.complained(began, in_flight, KEPT, at(now)) {
                prop_assert!(last_cut.is_none_or(|cut| began > cut));
                last_cut = Some(at(now));
                prop_assert!(learned.limit(at(now)) < before.min(in_flight));
            } else {
                prop_assert_eq!(learned.limit(at(now)), before);
            }
            prop_assert!(learned.limit(at(now)) >= FLOOR);
        }
    }
}
