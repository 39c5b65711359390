use super::*;
use crate::chance::Chance;
use crate::health::{Health, Settings};
use crate::plan::{Candidate, Plan, Reason};
use crate::windows::Sample;
use crate::{Action, Event, Lease, Machine, Rules, SplitMix64};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

const P95: Hedge = Hedge { after: After::Percentile(95), extra_percent: 5 };

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// How long the first token was waited for, in seconds, and how many second calls there were for each request.
struct Figures {
    p50: f64,
    p99: f64,
    extra: f64,
}

/// Requests over two deployments in turn, of which each takes 0.4 s or so to its first token, and `slow` of a hundred
/// calls ten times as long; through the real machine, windows and budget.
fn simulate(hedge: Option<Hedge>, slow: u64, seed: u64) -> Figures {
    const REQUESTS: usize = 6000;
    const WARM_UP: usize = 1000;
    let healths = [0, 1].map(|_| Arc::new(Health::new(&Settings::default())));
    let (mut luck, mut chance) = (SplitMix64::seeded(seed), SplitMix64::seeded(seed + 1));
    let mut takes = || {
        let usual = 0.3 + luck.below(200) as f64 / 1000.0;
        if luck.below(100) < slow { usual * 10.0 } else { usual }
    };
    let share = hedge.map(|hedge| hedge.share());
    let mut firsts: BinaryHeap<Reverse<(Moment, u32, Duration)>> = BinaryHeap::new();
    let (mut waits, mut extra) = (Vec::new(), 0);
    for nth in 0..REQUESTS {
        let began = Moment::START + Duration::from_millis(20 * nth as u64);
        while let Some(Reverse((at, deployment, first))) = firsts.peek().copied().filter(|f| f.0.0 <= began) {
            firsts.pop();
            let sample = Sample { first: Some(first), ..Sample::default() };
            healths[deployment as usize].windows().record(&sample, at);
        }
        share.iter().for_each(Share::deposit);
        let order: [u32; 2] = if nth % 2 == 0 { [0, 1] } else { [1, 0] };
        let candidates = order.iter().map(|&d| Candidate::new(d, Reason::InTurn)).collect();
        let plan = Plan { candidates, ..Plan::default() };
        let mut machine = Machine::new(&plan, Rules::default(), 0, began + Duration::from_secs(600));
        let call = |action: Action, now| -> (u32, Lease) {
            let Action::Call { deployment, .. } = action else { panic!("{action:?}") };
            (deployment, healths[deployment as usize].acquire(now, false, &mut crate::chance::Zero).unwrap())
        };
        let (first, _one) = call(machine.on(Event::Begin, began, &mut chance), began);
        let one = began + seconds(takes());
        let windows = healths[first as usize].windows();
        let after = hedge.and_then(|h| h.after(windows, Latency::First, Size::default(), began));
        let slow = after.map(|after| began + after).filter(|slow| *slow < one);
        let mut answered = one;
        if let Some(slow) = slow
            && share.as_ref().is_some_and(Share::withdraw)
        {
            let (second, _other) = call(machine.on(Event::Slow, slow, &mut chance), slow);
            let other = slow + seconds(takes());
            answered = one.min(other);
            let winner = if one <= other { first } else { second };
            assert_eq!(machine.on(Event::OneAnswered(winner), answered, &mut chance), Action::Done);
            extra += usize::from(nth >= WARM_UP);
            if winner == second {
                firsts.push(Reverse((answered, second, answered.since(slow))));
            }
        }
        // One that lost took at least so long.
        firsts.push(Reverse((answered, first, answered.since(began))));
        if nth >= WARM_UP {
            waits.push(answered.since(began).as_secs_f64());
        }
    }
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| waits[waits.len() * percent / 100];
    Figures { p50: at(50), p99: at(99), extra: extra as f64 / waits.len() as f64 }
}

/// The promise: a tail that is cut to a fraction, for no more further calls than were allowed.
#[test]
fn the_tail_falls_for_the_share_of_calls_that_was_allowed() {
    for seed in 0..3 {
        let without = simulate(None, 3, seed);
        let with = simulate(Some(P95), 3, seed);
        assert!(without.p99 > 3.0, "seed {seed}: {}", without.p99);
        assert!(with.p99 < 1.1, "seed {seed}: {} instead of {}", with.p99, without.p99);
        assert!(with.p50 <= without.p50 * 1.02, "seed {seed}: {} and {}", with.p50, without.p50);
        assert!(with.extra <= 0.05 + 0.003, "seed {seed}: {}", with.extra);
    }
}

/// When every second call is slow, the budget holds all the same.
#[test]
fn a_general_slowness_does_not_double_the_load() {
    let all = simulate(Some(Hedge { after: After::Time(seconds(0.6)), ..P95 }), 50, 9);
    assert!((0.04..=0.053).contains(&all.extra), "{}", all.extra);
}

#[test]
fn a_percentile_needs_samples_and_a_time_needs_none() {
    let windows = Windows::default();
    let after = |hedge: Hedge, now| hedge.after(&windows, Latency::First, Size::default(), now);
    let now = Moment::START + Duration::from_secs(5);
    assert_eq!(after(P95, now), None);
    let time = Hedge { after: After::Time(seconds(0.8)), ..P95 };
    assert_eq!(after(time, now), Some(seconds(0.8)));
    for nth in 1..=200 {
        let first = Some(Duration::from_millis(100 + nth % 100));
        windows.record(&Sample { first, ..Sample::default() }, now);
        if nth < 20 {
            assert_eq!(after(P95, now), None, "{nth}");
        }
    }
    let p95 = after(P95, now).unwrap().as_secs_f64();
    assert!((0.185..0.205).contains(&p95), "{p95}");
    assert_eq!(after(P95, now + Duration::from_secs(61)), None, "what is older than the window says nothing");
}
