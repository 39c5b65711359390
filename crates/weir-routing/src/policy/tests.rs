use super::*;
use crate::{Reason, SplitMix64};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::HashSet;

fn members(weights: &[u32]) -> Vec<Member> {
    (0u32..).zip(weights).map(|(deployment, &weight)| Member::new(deployment, weight)).collect()
}

fn build(name: &str, weights: &[u32]) -> Box<dyn Policy> {
    find(name).unwrap().make(&members(weights))
}

fn ask<'a, 'h>(
    wanted: usize,
    usable: &'a dyn Fn(u32) -> bool,
    request: &'a Request<'a>,
    health: &'a dyn Fn(u32) -> Option<&'h Health>,
) -> Ask<'a, 'h> {
    Ask { now: Moment::START, wanted, usable, request, health }
}

fn order(
    policy: &dyn Policy,
    wanted: usize,
    usable: &dyn Fn(u32) -> bool,
    chance: &mut dyn Chance,
) -> Vec<u32> {
    let mut out = Order::new();
    policy.order(&ask(wanted, usable, &Request::default(), &|_| None), chance, &mut out);
    out.iter().map(|candidate| candidate.deployment).collect()
}

/// The first choices of `picks` orders in a row.
fn firsts(
    policy: &dyn Policy,
    picks: usize,
    usable: &dyn Fn(u32) -> bool,
    chance: &mut dyn Chance,
) -> Vec<u32> {
    (0..picks).filter_map(|_| order(policy, 3, usable, chance).first().copied()).collect()
}

fn counts(picks: &[u32], members: usize) -> Vec<u64> {
    let mut counts = vec![0; members];
    for &pick in picks {
        counts[pick as usize] += 1;
    }
    counts
}

fn is_any(_: u32) -> bool {
    true
}

#[test]
fn the_roster_has_no_name_twice_and_finds_each() {
    for kind in POLICIES {
        assert_eq!(find(kind.name).unwrap().description, kind.description);
    }
    assert_eq!(POLICIES.iter().map(|kind| kind.name).collect::<HashSet<_>>().len(), POLICIES.len());
    assert!(find("best").is_none());
}

#[test]
fn the_reference_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/policies.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(found, reference(), "run with UPDATE_DOCS=1 to write it anew");
}

proptest! {
    #[test]
    fn every_policy_keeps_its_contract(
        weights in prop::collection::vec(0u32..4, 0..40),
        down in prop::collection::hash_set(0u32..40, 0..40),
        wanted in 0usize..6,
        seed: u64,
    ) {
        for kind in POLICIES {
            let policy = kind.make(&members(&weights));
            let mut chance = SplitMix64::seeded(seed);
            let usable = |d: u32| !down.contains(&d);
            let up = (0u32..).zip(&weights).filter(|(d, _)| usable(*d)).count();
            for _ in 0..3 {
                let order = order(&*policy, wanted, &usable, &mut chance);
                prop_assert_eq!(order.len(), wanted.min(up), "{}", kind.name);
                prop_assert_eq!(order.iter().collect::<HashSet<_>>().len(), order.len(), "{}: one twice", kind.name);
                prop_assert!(order.iter().all(|d| usable(*d)), "{}: an unusable one", kind.name);
                let weightless = order.iter().position(|d| weights[*d as usize] == 0).unwrap_or(order.len());
                prop_assert!(
                    order[weightless..].iter().all(|d| weights[*d as usize] == 0),
                    "{}: a last resort before a member with a weight: {order:?}", kind.name
                );
            }
        }
    }

    #[test]
    fn what_is_asked_tentatively_is_what_comes_next_and_changes_nothing(
        weights in prop::collection::vec(0u32..4, 1..8),
        before in 0usize..5,
        seed: u64,
    ) {
        let blocks = |_: u32, out: &mut Vec<u64>| out.extend([1, 2, 3]);
        let real = Request { prompt: 2000, session: Some(seed), blocks: Some(&blocks), ..Request::default() };
        let tentative = Request { tentative: true, ..real };
        for kind in POLICIES {
            let policy = kind.make(&members(&weights));
            let order = |request: &Request<'_>| {
                let mut out = Order::new();
                policy.order(&ask(3, &is_any, request, &|_| None), &mut SplitMix64::seeded(seed), &mut out);
                out
            };
            for _ in 0..before {
                order(&real);
            }
            let told = order(&tentative);
            prop_assert_eq!(&told, &order(&tentative), "{}: told twice", kind.name);
            prop_assert_eq!(&told, &order(&real), "{}: told and done", kind.name);
        }
    }

    #[test]
    fn round_robin_gives_each_cycle_exactly_its_weights(weights in prop::collection::vec(1u32..12, 1..8)) {
        let policy = build("round_robin", &weights);
        let cycle: u32 = weights.iter().sum();
        for _ in 0..3 {
            let picks = firsts(&*policy, cycle as usize, &is_any, &mut SplitMix64::seeded(0));
            let expect: Vec<u64> = weights.iter().map(|w| u64::from(*w)).collect();
            prop_assert_eq!(counts(&picks, weights.len()), expect);
        }
    }

    #[test]
    fn round_robin_spaces_turns_evenly(weights in prop::collection::vec(1u32..12, 2..8)) {
        let policy = build("round_robin", &weights);
        let cycle: u32 = weights.iter().sum();
        let picks = firsts(&*policy, 3 * cycle as usize, &is_any, &mut SplitMix64::seeded(0));
        for (i, &mine) in weights.iter().enumerate() {
            let turns: Vec<usize> = (0..picks.len()).filter(|at| picks[*at] as usize == i).collect();
            for pair in turns.windows(2) {
                let between = counts(&picks[pair[0] + 1..pair[1]], weights.len());
                for (j, &theirs) in weights.iter().enumerate().filter(|(j, _)| *j != i) {
                    let fair = u64::from(theirs / mine)..=u64::from(theirs.div_ceil(mine));
                    prop_assert!(fair.contains(&between[j]), "{j} came {} times between two turns of {i}", between[j]);
                }
            }
        }
    }

    #[test]
    fn round_robin_makes_up_for_nothing_and_returns_to_its_shares(
        weights in prop::collection::vec(1u32..9, 2..7),
        gone in 0u32..7,
        absence in 1usize..200,
    ) {
        let gone = gone % u32::try_from(weights.len()).unwrap();
        let policy = build("round_robin", &weights);
        let mut chance = SplitMix64::seeded(0);
        let without = |d: u32| d != gone;
        prop_assert!(!firsts(&*policy, absence, &without, &mut chance).contains(&gone));
        let cycle = weights.iter().sum::<u32>() as usize;
        let back = counts(&firsts(&*policy, cycle, &is_any, &mut chance), weights.len());
        for (got, &weight) in back.iter().zip(&weights) {
            prop_assert!(got.abs_diff(u64::from(weight)) <= 1, "{back:?} of {weights:?}");
        }
        let later = counts(&firsts(&*policy, cycle, &is_any, &mut chance), weights.len());
        prop_assert_eq!(later, weights.iter().map(|w| u64::from(*w)).collect::<Vec<_>>());
    }
}

#[test]
fn round_robin_is_smooth_and_shows_who_comes_next() {
    let check = |weights: &[u32], expect: &[&[u32]]| {
        let policy = build("round_robin", weights);
        for expected in expect {
            assert_eq!(order(&*policy, 2, &is_any, &mut SplitMix64::seeded(0)), *expected, "{weights:?}");
        }
    };
    check(&[1, 1], &[&[0, 1], &[1, 0], &[0, 1]]);
    check(&[2, 1], &[&[0, 1], &[1, 0], &[0, 1], &[0, 1], &[1, 0]]);
    check(&[1, 1, 1], &[&[0, 1], &[1, 2], &[2, 0], &[0, 1]]);
    check(&[4, 0], &[&[0, 1], &[0, 1]]);
    check(&[0, 0], &[&[0, 1], &[1, 0], &[0, 1]]);
}

/// Whether the counts fit the weights: Pearson's χ² below the value that chance exceeds once in a thousand.
fn fits(counts: &[u64], weights: &[u32], most: f64) {
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let draws = counts.iter().sum::<u64>() as f64;
    let chi2: f64 = counts
        .iter()
        .zip(weights)
        .filter(|(_, w)| **w > 0)
        .map(|(&count, &weight)| {
            let expect = draws * f64::from(weight) / total;
            (count as f64 - expect).powi(2) / expect
        })
        .sum();
    assert!(chi2 < most, "χ² {chi2} of {counts:?} for {weights:?}");
}

#[test]
fn weighted_draws_in_proportion() {
    let mut chance = SplitMix64::seeded(2024);
    let few = [1, 2, 3, 10, 84];
    let picks = firsts(&*build("weighted", &few), 100_000, &is_any, &mut chance);
    fits(&counts(&picks, few.len()), &few, 18.47); // 4 degrees of freedom

    let many: Vec<u32> = (0..500).map(|i| 1 + i % 7).collect();
    let picks = firsts(&*build("weighted", &many), 200_000, &is_any, &mut chance);
    fits(&counts(&picks, many.len()), &many, 602.4); // 499 degrees of freedom

    // With most members down the draws miss, and the pass that follows must keep the proportions.
    let usable = |d: u32| d.is_multiple_of(100);
    let left: Vec<u32> = many.iter().enumerate().map(|(i, w)| if i % 100 == 0 { *w } else { 0 }).collect();
    let picks = firsts(&*build("weighted", &many), 50_000, &usable, &mut chance);
    let counts = counts(&picks, many.len());
    assert_eq!(picks.len(), 50_000);
    fits(&counts, &left, 18.47);
}

#[test]
fn weighted_fills_later_places_without_replacement() {
    // P(second = j) = Σ over i ≠ j of p_i · p_j / (1 − p_i), which for shares of 1, 3 and 6 tenths is
    // (3/10·1/7 + 6/10·1/4 = 27/140, 1/10·3/9 + 6/10·3/4 = 29/60, 1/10·6/9 + 3/10·6/7 = 34/105): 81, 203, 136 in 420.
    let mut chance = SplitMix64::seeded(99);
    let policy = build("weighted", &[1, 3, 6]);
    let seconds: Vec<u32> = (0..60_000).map(|_| order(&*policy, 2, &is_any, &mut chance)[1]).collect();
    fits(&counts(&seconds, 3), &[81, 203, 136], 13.82); // 2 degrees of freedom
}

#[test]
fn a_thousand_members_are_not_all_looked_at() {
    for (name, most) in [("weighted", 7), ("round_robin", 3)] {
        let policy = build(name, &vec![3; 1000]);
        let mut chance = SplitMix64::seeded(5);
        for _ in 0..100 {
            let looked = Cell::new(0);
            let usable = |_| {
                looked.set(looked.get() + 1);
                true
            };
            assert_eq!(order(&*policy, 3, &usable, &mut chance).len(), 3);
            assert!(looked.get() <= most, "{name} looked at {}", looked.get());
        }
    }
}

#[test]
fn a_heavy_member_that_is_down_is_met_once_per_order() {
    let policy = build("round_robin", &[1_000_000, 1]);
    let looked = Cell::new(0);
    let usable = |d| {
        looked.set(looked.get() + 1);
        d == 1
    };
    assert_eq!(order(&*policy, 3, &usable, &mut SplitMix64::seeded(0)), [1]);
    assert_eq!(looked.get(), 2);
}

#[test]
fn reasons_say_how_a_place_was_got() {
    let check = |name: &str, expect: [Reason; 2]| {
        let mut out = Order::new();
        let request = Request::default();
        let ask = ask(2, &is_any, &request, &|_| None);
        build(name, &[0, 1]).order(&ask, &mut SplitMix64::seeded(0), &mut out);
        assert_eq!([out[0].reason, out[1].reason], expect);
    };
    check("weighted", [Reason::ByWeight, Reason::LastResort]);
    check("round_robin", [Reason::InTurn, Reason::LastResort]);
}

mod figures;
mod told;
