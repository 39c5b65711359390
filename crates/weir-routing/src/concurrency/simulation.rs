//! An overloaded server under a virtual clock: what it gets done with a learnt limit, and without one.

use crate::health::{Health, Lease, Settings};
use crate::windows::{Sample, Size};
use crate::{Chance, SplitMix64};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Class, Fault, Moment};

/// Calls that the server works at with full speed; each is a second of work.
const CAPACITY: usize = 16;
/// An answer that takes longer is of no use to anybody.
const PATIENCE: Duration = Duration::from_secs(4);
/// So much work is left when the first token comes.
const FIRST_TOKEN: f64 = 0.7;
const STEP: Duration = Duration::from_millis(10);

/// How the server meets more calls than it has room for.
#[derive(Clone, Copy)]
enum Manner {
    /// It works at all of them at once, with so much ado that all together get less done.
    Thrashes,
    /// It refuses them with 503.
    Refuses,
}

#[derive(Debug, Default)]
struct Figures {
    /// Answers in time, for each second that counts, as a share of the capacity.
    goodput: f64,
    /// Calls that the server was bothered with in vain, as a share of all calls it got, in that time.
    in_vain: f64,
    /// The limit in the end.
    limit: Option<u32>,
}

struct Job {
    lease: Lease,
    began: Moment,
    size: Size,
    left: f64,
}

/// What comes when, and what is looked at.
#[derive(Clone, Copy)]
struct Course {
    /// Requests before the 30th second and from then on, as multiples of the capacity.
    load: [f64; 2],
    /// Seconds whose figures count.
    counts: (u64, u64),
    /// How long a request waits for a place.
    max_wait: Duration,
}

impl Course {
    /// The same load for two minutes, of which the second counts; nobody waits.
    fn steady(load: f64) -> Self {
        Course { load: [load; 2], counts: (60, 120), max_wait: Duration::ZERO }
    }
}

fn simulate(manner: Manner, learns: bool, course: Course, seed: u64) -> Figures {
    let mut chance = SplitMix64::seeded(seed);
    let mut settings = Settings { learns_concurrency: learns, ..Settings::default() };
    // The breaker is another matter: it shall not interfere.
    (settings.breaker.failures, settings.error_percent) = (u32::MAX, 100);
    let health = Arc::new(Health::new(&settings));
    let (mut jobs, mut good, mut vain, mut calls) = (Vec::<Job>::new(), 0u32, 0u32, 0u32);
    let mut line = VecDeque::new();
    let at = |seconds| Moment::START + Duration::from_secs(seconds);
    let (from, until) = course.counts;
    let mut now = Moment::START;
    let refused = Fault::new(Class::ServerError, 503, "upstream_error", "no room");
    let late = Fault::new(Class::Timeout, 504, "upstream_timeout", "too late");
    while now < at(until) {
        now = now + STEP;
        let counts = u32::from(now > at(from));
        let load = course.load[usize::from(now >= at(30))];
        if (chance.below(1_000_000) as f64) < load * CAPACITY as f64 * STEP.as_secs_f64() * 1e6 {
            line.push_back(now);
        }
        while let Some(lease) = line.front().and_then(|_| health.acquire(now, true).ok()) {
            line.pop_front();
            calls += counts;
            vain += counts * u32::from(!enters(manner, &mut jobs, lease, &refused, now));
        }
        line.retain(|came| now.since(*came) < course.max_wait);
        let crowd = (jobs.len() as f64 / CAPACITY as f64).max(1.0);
        let speed = STEP.as_secs_f64() / crowd.powf(1.5);
        jobs.retain_mut(|job| {
            let had_begun = job.left <= FIRST_TOKEN;
            job.left -= speed;
            if !had_begun && job.left <= FIRST_TOKEN {
                let first = Some(now.since(job.began));
                job.lease.record(&Sample { size: job.size, first, ..Sample::default() }, now);
            }
            let is_late = now.since(job.began) > PATIENCE;
            if is_late {
                vain += counts;
                job.lease.report(Err(&late), now);
            } else if job.left <= 0.0 {
                good += counts;
                job.lease.report(Ok(()), now);
            }
            !is_late && job.left > 0.0
        });
    }
    Figures {
        goodput: f64::from(good) / (until - from) as f64 / CAPACITY as f64,
        in_vain: f64::from(vain) / f64::from(calls.max(1)),
        limit: health.learned_limit(now),
    }
}

/// Whether the server takes the call.
fn enters(manner: Manner, jobs: &mut Vec<Job>, mut lease: Lease, refused: &Fault, now: Moment) -> bool {
    if matches!(manner, Manner::Refuses) && jobs.len() >= CAPACITY {
        lease.report(Err(refused), now);
        return false;
    }
    let in_flight = u32::try_from(jobs.len()).unwrap();
    let size = Size { prompt: 100, output: 100, in_flight };
    jobs.push(Job { lease, began: now, size, left: 1.0 });
    true
}

/// At three times what it can bear, a server that thrashes gets next to nothing done; behind a learnt limit it does most
/// of what it could.
#[test]
fn an_overloaded_server_goes_on_working() {
    for seed in 0..4 {
        let without = simulate(Manner::Thrashes, false, Course::steady(3.0), seed);
        assert!(without.goodput < 0.1 && without.in_vain > 0.9, "{without:?}");
        let with = simulate(Manner::Thrashes, true, Course::steady(3.0), seed);
        assert!(with.goodput > 0.65 && with.in_vain < 0.05, "seed {seed}: {with:?}");
    }
}

/// One that refuses what is too much is spared most of the refusing.
#[test]
fn a_server_that_refuses_is_bothered_less() {
    for seed in 0..4 {
        let without = simulate(Manner::Refuses, false, Course::steady(3.0), seed);
        assert!(without.in_vain > 0.5, "{without:?}");
        let with = simulate(Manner::Refuses, true, Course::steady(3.0), seed);
        assert!(with.goodput > 0.85 && with.in_vain < 0.1, "seed {seed}: {with:?}");
        assert!(with.goodput > without.goodput - 0.15, "{with:?} {without:?}");
    }
}

/// Whoever has less to do than it can bear is not limited.
#[test]
fn a_server_with_room_has_no_limit() {
    for manner in [Manner::Thrashes, Manner::Refuses] {
        let with = simulate(manner, true, Course::steady(0.4), 1);
        assert!(with.limit.is_none() && with.in_vain == 0.0 && with.goodput > 0.3, "{with:?}");
    }
}

/// The deployments before a fallback go out at once: from one second to the next it is asked for three times what it bears.
/// Within three quarters of a minute it has found out how much that is, and goes on answering; without a limit it would answer nobody
/// any more.
#[test]
fn a_fallback_is_not_crushed_by_those_that_go_out_before_it() {
    let course = Course { load: [0.1, 3.0], counts: (75, 115), max_wait: Duration::from_secs(2) };
    for seed in 0..4 {
        let without = simulate(Manner::Thrashes, false, course, seed);
        assert!(without.goodput < 0.1, "{without:?}");
        for (manner, least) in [(Manner::Thrashes, 0.65), (Manner::Refuses, 0.85)] {
            let with = simulate(manner, true, course, seed);
            assert!(with.goodput > least && with.in_vain < 0.1, "seed {seed}: {with:?}");
        }
    }
}
