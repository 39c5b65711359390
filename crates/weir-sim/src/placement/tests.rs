use super::*;
use crate::run::run;
use crate::{Trace, bounds, synthetic};
use weir_routing::SplitMix64;

fn fleet() -> Fleet {
    let some = |n: u32| NonZeroU32::new(n).unwrap();
    Fleet { instances: 8, cache_blocks: 2000, block_tokens: some(512), tokens_per_second: some(8000) }
}

/// Where a prompt goes after others have been placed, all for these waits in seconds.
fn check(mut placement: impl Placement, prompts: &[&[u64]], waits: [u64; 3], expect: &[usize]) {
    let waits = waits.map(Duration::from_secs);
    let placed: Vec<usize> = prompts
        .iter()
        .map(|blocks| {
            let tokens = 512 * blocks.len() as u64;
            let request = Request { at: Moment::START, tokens, blocks: (*blocks).into() };
            placement.choose(&View { now: Moment::START, request: &request, waits: &waits })
        })
        .collect();
    assert_eq!(placed, expect, "{}", placement.name());
}

#[test]
fn baselines_do_what_they_are_known_for() {
    let one: &[u64] = &[1, 2, 3, 4];
    let other: &[u64] = &[1, 2, 5, 6, 7];
    let three = Fleet { instances: 3, ..fleet() };
    check(RoundRobin::default(), &[one; 4], [9, 0, 0], &[0, 1, 2, 0]);
    check(LeastWork, &[one; 2], [3, 2, 4], &[1, 1]);
    check(Additive::new(&three), &[one, one], [1, 0, 1], &[1, 1]);
    // Half of the prompt is known, then less than half; then the queues are too different for that to count.
    check(Threshold::new(&three), &[one, one, other], [1, 1, 1], &[0, 0, 0]);
    check(Threshold::new(&three), &[one, other], [2, 1, 1], &[1, 1]);
    check(Threshold::new(&three), &[one, one], [9, 1, 2], &[1, 1]);
    let mut draws = PowerOfTwo(SplitMix64::seeded(1));
    let request = Request { at: Moment::START, tokens: 1, blocks: one.into() };
    let waits = [9, 0, 0].map(Duration::from_secs);
    let view = View { now: Moment::START, request: &request, waits: &waits };
    let longest = (0..900).filter(|_| draws.choose(&view) == 0).count();
    assert!((60..140).contains(&longest), "both draws hit it in one case of nine: {longest} of 900");
}

/// What the rule promises, on traffic that it was not made on.
fn keeps_its_promises(trace: &Trace) {
    let fleet = fleet();
    let prefix = run(&fleet, trace, &mut ByPrefix::new(&fleet, Settings::MOST_DELAY));
    let additive = run(&fleet, trace, &mut Additive::new(&fleet));
    let least_work = run(&fleet, trace, &mut LeastWork);
    let pooled = bounds::pooled(&fleet, trace);
    let name = &trace.name;
    assert!(prefix.hit_rate() >= 0.95 * pooled, "{name}: {} of {pooled}", prefix.hit_rate());
    assert!(prefix.hit_rate() >= additive.hit_rate() - 0.001, "{name}: {}", additive.hit_rate());
    assert!(prefix.imbalance() <= 1.05, "{name}: {}", prefix.imbalance());
    assert!(prefix.first_token(99) <= least_work.first_token(99), "{name}");
    assert!(prefix.mean_first_token() <= least_work.mean_first_token(), "{name}");
}

#[test]
fn conversations_find_their_beginnings_again() {
    keeps_its_promises(&synthetic::conversations(2, 3000));
}

#[test]
fn instructions_are_where_they_are_needed() {
    keeps_its_promises(&synthetic::instructions(2, 3000));
}

#[test]
fn prompts_that_have_nothing_in_common_are_spread() {
    let trace = crate::variant::all_different(&synthetic::conversations(3, 2000));
    let fleet = Fleet { instances: 40, ..fleet() };
    let prefix = run(&fleet, &trace, &mut ByPrefix::new(&fleet, Settings::MOST_DELAY));
    let least_work = run(&fleet, &trace, &mut LeastWork);
    assert_eq!(prefix.hits, 0);
    // With so many instances for so few prompts, single long ones are what is uneven.
    assert!(prefix.imbalance() <= least_work.imbalance(), "{}", prefix.imbalance());
    let (mine, theirs) = (prefix.mean_first_token(), least_work.mean_first_token());
    assert!(mine <= theirs + theirs / 20, "{mine:?} {theirs:?}");
}
