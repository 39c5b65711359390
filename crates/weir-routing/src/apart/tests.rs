use crate::breaker::State;
use crate::chance::Zero;
use crate::credential::Credential;
use crate::events::{BreakerEvent, Cause, Events, Subject};
use crate::health::{Health, HealthBook, Settings};
use crate::plan::Reason;
use crate::slow;
use crate::windows::Sample;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use weir_core::{Class, Fault, Moment};

fn at(millis: u64) -> Moment {
    Moment::START + Duration::from_millis(millis)
}

fn failed() -> Fault {
    Fault::new(Class::ServerError, 500, "x", "x")
}

/// A deployment with so many credentials, and what its breakers tell.
fn deployment(credentials: u32, settings: &Settings) -> (Arc<Health>, Receiver<BreakerEvent>) {
    let (events, told) = Events::new();
    let mut book = HealthBook::telling(events);
    let credentials: Vec<Arc<Credential>> =
        (1..=credentials).map(|n| book.credential(n.into(), &"p".into(), n)).collect();
    (book.get_or_insert("d", 1, settings, &credentials), told)
}

/// What opened, of the deployment (0) or of a credential (from 1), with the word of its cause.
fn opened(told: &Receiver<BreakerEvent>) -> Vec<(u32, &'static str)> {
    let opened = told.try_iter().filter(|event| event.to == State::Open);
    opened
        .map(|event| match event.subject {
            Subject::Deployment(_) => (0, event.cause.name()),
            Subject::Credential { nth, .. } => (nth + 100, event.cause.name()),
            Subject::Seat { nth, .. } => (nth, event.cause.name()),
        })
        .collect()
}

/// One call, which fails if `bad` says so of its credential; which that was, from 1. `None` when it was refused.
fn call(health: &Arc<Health>, now: Moment, bad: impl Fn(usize) -> bool) -> Option<usize> {
    let mut lease = health.acquire(now, false, &mut Zero).ok()?;
    let nth = lease.credential() + 1;
    let fault = failed();
    lease.report(if bad(nth) { Err(&fault) } else { Ok(()) }, now);
    Some(nth)
}

/// So many credentials of which these fail: what opens within a hundred calls, ten a second.
fn check(credentials: u32, bad: &[usize], expect: &[(u32, &'static str)]) {
    let (health, told) = deployment(credentials, &Settings::default());
    for n in 0..60 {
        call(&health, at(100 * n), |nth| bad.contains(&nth));
    }
    assert_eq!(opened(&told), expect, "{bad:?} of {credentials}");
}

#[test]
fn one_of_several_that_fails_is_taken_out_alone() {
    check(2, &[1], &[(1, "error_share")]);
    check(2, &[2], &[(2, "error_share")]);
    check(3, &[2], &[(2, "error_share")]);
    // Its faults alone would never be two fifths of all.
    check(4, &[3], &[(3, "error_share")]);
    // What all of them have is the deployment's, and so is what the only one has.
    check(2, &[1, 2], &[(0, "faults_in_a_row")]);
    check(1, &[1], &[(0, "faults_in_a_row")]);
}

/// Of credentials that fail alike none is to blame, however often they do.
#[test]
fn where_all_fail_alike_it_is_the_deployment() {
    let (health, told) = deployment(2, &Settings::default());
    for n in 0..12 {
        // Every second call with either.
        let fails = n % 4 < 2;
        call(&health, at(100 * n), |_| fails);
    }
    assert_eq!(opened(&told), [(0, "error_share")]);
}

#[test]
fn a_few_faults_are_no_reason() {
    let (health, told) = deployment(2, &Settings::default());
    for n in 0..200 {
        call(&health, at(100 * n), |nth| nth == 1 && n % 8 == 0);
    }
    assert_eq!((opened(&told), health.refusal(at(20_000))), (vec![], None));
}

/// It comes back by a probe of its own; what was under way with it when it went out says nothing about the deployment.
#[test]
fn it_is_probed_by_itself_and_comes_back() {
    let (health, told) = deployment(2, &Settings::default());
    let mut under_way: Vec<_> =
        (0..40).filter_map(|_| health.acquire(at(0), false, &mut Zero).ok()).collect();
    let mut now = 0;
    while opened(&told).is_empty() {
        now += 100;
        call(&health, at(now), |nth| nth == 1);
    }
    let fault = failed();
    under_way.retain(|lease| lease.credential() == 0);
    assert_eq!(under_way.len(), 20);
    under_way.iter_mut().for_each(|lease| lease.report(Err(&fault), at(now)));
    call(&health, at(now), |_| true);
    assert_eq!((opened(&told), health.status(at(now)).state), (vec![], State::Closed));
    assert!((0..10).all(|_| call(&health, at(now + 1), |_| false) == Some(2)));
    // The probe fails, and it stays out for twice as long; the next one is answered.
    let served = |from: u64, bad: bool| -> Vec<usize> {
        (0..4).filter_map(|n| call(&health, at(now + from + n), |nth| bad && nth == 1)).collect()
    };
    assert_eq!(served(10_001, true).iter().filter(|nth| **nth == 1).count(), 1);
    assert_eq!(opened(&told), [(1, "probe_failed")]);
    assert_eq!(served(25_000, true), [2; 4]);
    assert_eq!(served(31_000, false).iter().filter(|nth| **nth == 1).count(), 2);
    assert_eq!((opened(&told), health.refusal(at(now + 32_000))), (vec![], None));
}

/// With the other out for a reason of its own there is nobody left to call, and why is said.
#[test]
fn who_is_out_for_faults_is_told_from_who_was_refused() {
    let (health, _told) = deployment(2, &Settings::default());
    (0..20).for_each(|n| {
        call(&health, at(n), |nth| nth == 1);
    });
    let refused = Fault::new(Class::Credential, 401, "x", "x");
    health.acquire(at(30), false, &mut Zero).unwrap().report(Err(&refused), at(30));
    assert!(matches!(health.refusal(at(31)), Some(Reason::BreakerOpen(_))), "{:?}", health.refusal(at(31)));
}

/// So many credentials of which these take three times the limit: what opens within four hundred calls.
fn check_slow(credentials: u32, slow: &[usize], expect: &[(u32, &'static str)]) {
    let limit = slow::Settings { first_token: Some(Duration::from_secs(1)), ..Default::default() };
    let settings = Settings { slow: limit, ..Default::default() };
    let (health, told) = deployment(credentials, &settings);
    let mut found = Vec::new();
    for n in 0..400 {
        let now = at(50 * n);
        let Ok(mut lease) = health.acquire(now, false, &mut Zero) else { break };
        let seconds = if slow.contains(&(lease.credential() + 1)) { 3.0 } else { 0.3 };
        let first = Some(Duration::from_secs_f64(seconds));
        lease.record(&Sample { first, ..Sample::default() }, now);
        lease.begun(now);
        lease.report(Ok(()), now);
        found.extend(told.try_iter().filter(|event| event.to == State::Open));
        if !found.is_empty() {
            break;
        }
    }
    let words: Vec<_> = found
        .iter()
        .map(|event| match (&event.subject, event.cause) {
            (Subject::Seat { nth, .. }, cause) => (*nth, cause.name()),
            (_, cause) => (0, cause.name()),
        })
        .collect();
    assert_eq!(words, expect, "{slow:?} of {credentials}");
    assert!(found.iter().all(|event| matches!(event.cause, Cause::Slow { latency: "first_token", .. })));
}

#[test]
fn one_of_several_that_is_slow_is_taken_out_alone() {
    check_slow(2, &[1], &[(1, "slow")]);
    check_slow(3, &[3], &[(3, "slow")]);
    check_slow(2, &[1, 2], &[(0, "slow")]);
    check_slow(1, &[1], &[(0, "slow")]);
    check_slow(3, &[], &[]);
}
