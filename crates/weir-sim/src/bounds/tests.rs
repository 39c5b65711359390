use super::*;
use crate::placement::{ByPrefix, LeastWork};
use crate::run::run;
use crate::synthetic;
use std::num::NonZeroU32;
use weir_core::Moment;
use weir_routing::prefix::Settings;

fn fleet(instances: usize, cache_blocks: u32) -> Fleet {
    let ten = NonZeroU32::new(10).unwrap();
    Fleet { instances, cache_blocks, block_tokens: ten, tokens_per_second: ten }
}

fn trace(prompts: &[&[u64]]) -> Trace {
    let request = |(second, blocks): (u64, &&[u64])| Request {
        at: Moment::START + Duration::from_secs(second),
        tokens: 10 * blocks.len() as u64,
        blocks: (**blocks).into(),
    };
    Trace { name: "by hand".to_owned(), requests: (0..).zip(prompts).map(request).collect() }
}

#[test]
fn by_hand() {
    // One comes back after a scan of three others; of two places one is enough to keep it, if that is known.
    let scan = trace(&[&[1], &[2], &[3], &[4], &[1]]);
    let check = |what: &str, got: f64, expect: f64| assert!((got - expect).abs() < 1e-9, "{what}: {got}");
    check("endless", endless(&scan), 0.2);
    check("pooled", pooled(&fleet(1, 2), &scan), 0.0);
    check("pooled, room for all", pooled(&fleet(2, 2), &scan), 0.2);
    check("clairvoyant", clairvoyant(&fleet(1, 2), &scan), 0.2);
    check("nothing fits", clairvoyant(&fleet(1, 0), &scan), 0.0);
    check("together", clairvoyant_caches(&fleet(2, 1), &scan, &[0, 0, 1, 1, 0]), 0.2);
    check("apart", clairvoyant_caches(&fleet(2, 1), &scan, &[0, 0, 1, 1, 1]), 0.0);
    // Of two that come back the sooner one is kept.
    let two = trace(&[&[1], &[2], &[2], &[1]]);
    check("the sooner", clairvoyant(&fleet(1, 1), &two), 0.25);
    // A prompt's beginning is worth more than its end.
    let turns = trace(&[&[1, 2, 3], &[1, 2, 3, 4]]);
    check("the beginning", clairvoyant(&fleet(1, 2), &turns), 2.0 / 7.0);
    assert_eq!(first_token(&fleet(1, 2), &turns, 100), Duration::from_secs(3));
    assert_eq!(first_token(&fleet(1, 2), &turns, 50), Duration::from_secs(1));
}

#[test]
fn bounds_are_in_their_order() {
    let trace = synthetic::conversations(4, 2000);
    let fleet = Fleet {
        instances: 4,
        cache_blocks: 500,
        block_tokens: NonZeroU32::new(512).unwrap(),
        tokens_per_second: NonZeroU32::new(8000).unwrap(),
    };
    let all =
        [endless(&trace), clairvoyant(&fleet, &trace), informed(&fleet, &trace), pooled(&fleet, &trace)];
    assert!(all.is_sorted_by(|more, less| more >= less), "{all:?}");
    let outcome = run(&fleet, &trace, &mut ByPrefix::new(&fleet, Settings::MOST_DELAY));
    let foreseen = clairvoyant_caches(&fleet, &trace, &outcome.placed);
    assert!(foreseen >= outcome.hit_rate() && foreseen <= all[1], "{foreseen} {all:?}");
    let spread = run(&fleet, &trace, &mut LeastWork);
    assert!(spread.first_token(99) >= first_token(&fleet, &trace, 99));
}

#[test]
fn hindsight_keeps_what_comes_back() {
    // Short prompts come back every 30 s, long ones never: used last is the wrong thing to keep.
    let mut prompts: Vec<Request> = Vec::new();
    for second in 0..600u64 {
        let at = Moment::START + Duration::from_secs(second);
        prompts.push(Request { at, tokens: 10, blocks: [second % 30].into() });
        let blocks = (0..20).map(|block| 1_000_000 + second * 20 + block).collect();
        prompts.push(Request { at, tokens: 200, blocks });
    }
    let trace = Trace { name: "a scan".to_owned(), requests: prompts };
    let fleet = fleet(1, 100);
    assert_eq!(pooled(&fleet, &trace), 0.0);
    assert!((informed(&fleet, &trace) - endless(&trace)).abs() < 1e-9);
}
