use super::*;
use crate::placement::{LeastWork, RoundRobin};
use crate::{Request, synthetic};
use std::num::NonZeroU32;

/// So small that it can be followed by hand: a block has 10 tokens, which take a second.
fn fleet(instances: usize, cache_blocks: u32) -> Fleet {
    let ten = NonZeroU32::new(10).unwrap();
    Fleet { instances, cache_blocks, block_tokens: ten, tokens_per_second: ten }
}

fn trace(requests: &[(u64, u64, &[u64])]) -> Trace {
    let request = |(second, tokens, blocks): &(u64, u64, &[u64])| Request {
        at: Moment::START + Duration::from_secs(*second),
        tokens: *tokens,
        blocks: (*blocks).into(),
    };
    Trace { name: "by hand".to_owned(), requests: requests.iter().map(request).collect() }
}

#[test]
fn prompts_wait_their_turn_and_find_what_was_computed() {
    // 3 s of work; a prompt that waits 2 s of it and needs 1 s; one that comes when all is done and needs half a second.
    let requests = trace(&[(0, 30, &[1, 2, 3]), (1, 30, &[1, 2, 4]), (9, 25, &[1, 2, 5])]);
    let outcome = run(&fleet(1, 10), &requests, &mut LeastWork);
    let millis: Vec<u128> = outcome.first_tokens.iter().map(Duration::as_millis).collect();
    assert_eq!(millis, [500, 3000, 3000]);
    assert_eq!((outcome.hits, outcome.blocks), (4, 9));
    assert_eq!(outcome.work, [Duration::from_millis(4500)]);
    assert_eq!(outcome.mean_first_token().as_millis(), 2166);
    let alone = run(&fleet(1, 0), &requests, &mut LeastWork);
    assert_eq!((alone.hits, alone.work[0].as_millis()), (0, 8500));
}

#[test]
fn work_is_counted_where_it_is_done() {
    let requests = trace(&[(0, 30, &[1, 2, 3]), (0, 10, &[4]), (0, 20, &[5, 6]), (0, 10, &[4])]);
    let outcome = run(&fleet(2, 10), &requests, &mut RoundRobin::default());
    assert_eq!(outcome.placed, [0, 1, 0, 1]);
    assert_eq!(outcome.work, [Duration::from_secs(5), Duration::from_secs(1)]);
    assert!((outcome.imbalance() - 5.0 / 3.0).abs() < 1e-9);
    assert!((outcome.hit_rate() - 1.0 / 7.0).abs() < 1e-9);
}

#[test]
fn ranks_are_the_nearest() {
    let ascending: Vec<Duration> = (1..=200).map(Duration::from_secs).collect();
    let check = |percent, expect| assert_eq!(nearest_rank(&ascending, percent).as_secs(), expect);
    check(0, 1);
    check(1, 2);
    check(50, 100);
    check(99, 198);
    check(100, 200);
    assert_eq!(nearest_rank(&[], 99), Duration::ZERO);
}

#[test]
fn the_same_trace_has_the_same_outcome() {
    let trace = synthetic::conversations(1, 300);
    let once = || run(&fleet(3, 50), &trace, &mut RoundRobin::default());
    assert_eq!(once(), once());
}
