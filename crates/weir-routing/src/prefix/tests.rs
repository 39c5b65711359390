use super::*;
use proptest::prelude::*;

const BLOCK: u32 = 100;
const SPEED: u32 = 1000;
/// So many tokens take a second.
const SECOND: u64 = 1000;

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

fn router(caches: &[u32]) -> Prefix {
    let some = |n: u32| NonZeroU32::new(n).unwrap();
    let caches: Vec<Cache> =
        caches.iter().map(|blocks| Cache { blocks: *blocks, tokens_per_second: some(SPEED) }).collect();
    Prefix::new(Settings { block_tokens: some(BLOCK), most_delay: Settings::MOST_DELAY }, &caches)
}

/// Blocks of a conversation so long; two of different names have nothing in common.
fn talk(name: u64, blocks: u64) -> Vec<u64> {
    (0..blocks).map(|block| name * 1_000_000 + block).collect()
}

fn whole(blocks: &[u64]) -> Prompt<'_> {
    Prompt { blocks, tokens: blocks.len() as u64 * u64::from(BLOCK) }
}

fn ranked(router: &Prefix, now: Moment, prompt: Prompt<'_>, waits: &[Option<f64>]) -> Vec<Ranked> {
    let mut out = Vec::new();
    router.rank(now, prompt, waits.iter().map(|wait| wait.map(Duration::from_secs_f64)), &mut out);
    out
}

/// The order of members for a prompt of 20 blocks (2 s) after what was placed, given their waits in seconds.
fn check(placed: &[(usize, u64)], waits: &[Option<f64>], expect: &[usize]) {
    let mut router = router(&[1000; 4]);
    for (member, blocks) in placed {
        router.placed(at(0), *member, whole(&talk(1, *blocks)));
    }
    let order: Vec<usize> =
        ranked(&router, at(0), whole(&talk(1, 20)), waits).iter().map(|r| r.member).collect();
    assert_eq!(order, expect, "{placed:?} {waits:?}");
}

#[test]
fn a_prompt_goes_where_its_beginning_is_unless_it_would_wait_long() {
    let idle = Some(0.0);
    check(&[], &[idle; 4], &[0, 1, 2, 3]);
    check(&[], &[Some(3.0), Some(1.0), idle, Some(2.0)], &[2, 1, 3, 0]);
    check(&[(2, 10)], &[idle; 4], &[2, 0, 1, 3]);
    // A second is spared for a wait that costs a tenth of a second.
    check(&[(2, 10)], &[idle, idle, Some(1.0), idle], &[2, 0, 1, 3]);
    // Four times the two seconds of the earliest are exceeded by 7.5 of waiting and one of computing.
    check(&[(2, 10)], &[idle, idle, Some(7.5), idle], &[0, 1, 3, 2]);
    check(&[(2, 10)], &[None, idle, None, Some(1.0)], &[1, 3]);
    check(&[(2, 10)], &[None; 4], &[]);
    check(&[], &[idle, idle], &[0, 1]);
}

#[test]
fn figures_are_what_they_say() {
    let mut router = router(&[1000, 1000]);
    router.placed(at(0), 1, whole(&talk(1, 10)));
    let prompt = talk(1, 25);
    let prompt = Prompt { blocks: &prompt, tokens: 2450 };
    let order = ranked(&router, at(0), prompt, &[Some(0.5), Some(0.0)]);
    let figures: Vec<_> =
        order.iter().map(|r| (r.member, r.cached, r.first_token().as_millis(), r.work.as_millis())).collect();
    assert_eq!(figures, [(1, 1000, 1450, 1000), (0, 0, 2950, 0)]);
    // The whole prompt is there: nothing is left to compute, and no more is found than was asked.
    let prompt = talk(1, 10);
    let order = ranked(&router, at(0), Prompt { blocks: &prompt, tokens: 950 }, &[None, Some(0.0)]);
    assert_eq!((order[0].cached, order[0].prefill), (950, Duration::ZERO));
}

#[test]
fn where_caches_are_unknown_the_first_token_decides() {
    let mut router = router(&[0, 0]);
    let prompt = talk(1, 20);
    router.placed(at(0), 0, whole(&prompt));
    let order = ranked(&router, at(0), whole(&prompt), &[Some(1.0), Some(0.9)]);
    assert_eq!(order.iter().map(|r| (r.member, r.cached)).collect::<Vec<_>>(), [(1, 0), (0, 0)]);
}

#[test]
fn a_cache_that_was_emptied_attracts_nobody() {
    let mut router = router(&[1000, 1000]);
    let prompt = talk(1, 20);
    router.placed(at(0), 1, whole(&prompt));
    assert_eq!(ranked(&router, at(0), whole(&prompt), &[Some(0.0); 2])[0].member, 1);
    router.forget(1);
    router.forget(7);
    assert_eq!(ranked(&router, at(0), whole(&prompt), &[Some(0.0); 2])[0].member, 0);
}

#[test]
fn a_beginning_that_everybody_has_in_common_spreads() {
    // Two seconds of instructions are the same in every prompt, one second is new; so far only member 0 has seen them.
    let mut router = router(&[1000; 4]);
    let mut served = [0u32; 4];
    for question in 0..400u64 {
        let mut blocks = talk(1, 20);
        blocks.extend(talk(2 + question, 10));
        let now = at(question);
        let best = ranked(&router, now, whole(&blocks), &[Some(0.0); 4])[0].member;
        router.placed(now, best, whole(&blocks));
        served[best] += 1;
    }
    assert!(served.iter().all(|served| (80..=120).contains(served)), "{served:?}");
}

#[test]
fn work_is_forgotten() {
    let mut router = router(&[1000, 1000]);
    router.placed(at(0), 0, Prompt { blocks: &[], tokens: 100 * SECOND });
    let work = |now| ranked(&router, at(now), whole(&[]), &[Some(0.0), None])[0].work.as_secs_f64();
    assert_eq!(work(0), 100.0);
    assert!((work(WORK_MEMORY.as_secs()) - 100.0 / std::f64::consts::E).abs() < 1e-6);
    assert!(work(1_000_000) < 1e-6);
}

#[test]
fn the_longest_figures_do_no_harm() {
    let mut router = router(&[1000, 1000]);
    let endless = Prompt { blocks: &[], tokens: u64::MAX };
    router.placed(at(0), 0, endless);
    router.placed(at(0), 9, endless);
    let order = ranked(&router, at(0), endless, &[Some(1e9), Some(1e9)]);
    assert_eq!(order.iter().map(|r| r.member).collect::<Vec<_>>(), [1, 0]);
    assert!(order.iter().all(|r| r.score.is_finite()));
}

proptest! {
    #[test]
    fn an_order_holds_everybody_once_and_delays_nobody_too_long(
        steps in prop::collection::vec(
            (0u64..6, 0u64..40, prop::collection::vec(prop::option::weighted(0.8, 0u32..20_000), 4)),
            1..60,
        ),
    ) {
        let mut router = router(&[60; 4]);
        for (second, (name, blocks, waits)) in steps.iter().enumerate() {
            let now = at(second as u64);
            let prompt = talk(*name, *blocks);
            let waits: Vec<Option<f64>> =
                waits.iter().map(|wait| wait.map(|millis| f64::from(millis) / 1000.0)).collect();
            let order = ranked(&router, now, whole(&prompt), &waits);
            let mut members: Vec<usize> = order.iter().map(|r| r.member).collect();
            members.sort_unstable();
            let expect: Vec<usize> = (0..4).filter(|member| waits[*member].is_some()).collect();
            prop_assert_eq!(members, expect);
            let earliest = order.iter().map(Ranked::first_token).min();
            for pair in order.windows(2) {
                prop_assert!(pair[0].in_time >= pair[1].in_time);
                prop_assert!(!pair[1].in_time || pair[0].score <= pair[1].score);
            }
            if let Some(best) = order.first() {
                prop_assert!(best.first_token() <= earliest.unwrap() * Settings::MOST_DELAY.get());
                router.placed(now, best.member, whole(&prompt));
            }
        }
    }
}
