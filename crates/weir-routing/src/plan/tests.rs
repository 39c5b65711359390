use super::*;
use crate::SplitMix64;
use crate::breaker;
use crate::chance::Zero;
use crate::health::{Lease, Settings};
use crate::policy::Request;
use crate::policy::{self, Member};
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Class, Fault};

/// What is the matter with a deployment.
#[derive(Clone, Copy, PartialEq)]
enum Is {
    Well,
    Open,
    Probing,
    Resting,
    Full,
    FullAndOpen,
}

const NOW: Moment = Moment::from_nanos(1_000_000_000_000);

fn health(is: Is) -> (Arc<Health>, Vec<Lease>) {
    let full = matches!(is, Is::Full | Is::FullAndOpen);
    let breaker = breaker::Settings { failures: 1, ..Default::default() };
    let health = Arc::new(Health::new(&Settings {
        max_concurrency: full.then_some(1),
        breaker,
        ..Default::default()
    }));
    let mut held = Vec::new();
    let report = |fault: &Fault, at| health.acquire(at, false, &mut Zero).unwrap().report(Err(fault), at);
    match is {
        Is::Well => {}
        Is::Full => held.push(health.acquire(NOW, false, &mut Zero).unwrap()),
        Is::Open => report(&Fault::new(Class::ServerError, 503, "x", "x"), NOW),
        Is::FullAndOpen => {
            report(&Fault::new(Class::ServerError, 503, "x", "x"), NOW);
            held.push(health.acquire(NOW, true, &mut Zero).unwrap());
        }
        Is::Resting => {
            let fault = Fault::new(Class::Rate, 429, "x", "x").with_retry_after(Duration::from_secs(5));
            report(&fault, NOW);
        }
        Is::Probing => {
            report(&Fault::new(Class::ServerError, 503, "x", "x"), Moment::START);
            held.push(health.acquire(NOW, false, &mut Zero).unwrap());
        }
    }
    (health, held)
}

fn plan_for(all: &[Is], barred: &[u32]) -> Plan {
    let healths: Vec<_> = all.iter().map(|is| health(*is)).collect();
    let members: Vec<Member> = (0u32..).zip(all).map(|(deployment, _)| Member::new(deployment, 1)).collect();
    let policy = policy::find("round_robin").unwrap().make(&members);
    let find = |d: u32| healths.get(d as usize).map(|(health, _)| &**health);
    plan(&*policy, &find, &Request::default(), barred, 3, NOW, &mut SplitMix64::seeded(1))
}

/// `expect` names candidates and dropped ones by deployment and reason.
fn check(all: &[Is], barred: &[u32], candidates: &[(u32, &str)], dropped: &[(u32, &str)]) {
    let plan = plan_for(all, barred);
    let got: Vec<_> = plan.candidates.iter().map(|c| (c.deployment, c.reason.name())).collect();
    assert_eq!(got, candidates);
    let got: Vec<_> = plan.dropped.iter().map(|(d, reason)| (*d, reason.name())).collect();
    assert_eq!(got, dropped);
    assert_eq!(plan.is_spread(), candidates.iter().any(|(_, reason)| *reason == "spread"));
    assert_eq!(plan.met_full(), dropped.iter().any(|(_, reason)| *reason == "full"));
}

#[test]
fn every_choice_has_its_reason() {
    use Is::{Full, FullAndOpen, Open, Probing, Resting, Well};
    check(&[Well, Well], &[], &[(0, "in_turn"), (1, "in_turn")], &[]);
    check(&[Open, Well], &[], &[(1, "in_turn")], &[(0, "breaker_open")]);
    check(&[Resting, Well], &[], &[(1, "in_turn")], &[(0, "resting")]);
    check(&[Probing, Well], &[], &[(1, "in_turn")], &[(0, "probing")]);
    check(&[Full, Well], &[], &[(1, "in_turn")], &[(0, "full")]);
    check(&[Well, Well], &[0], &[(1, "in_turn")], &[(0, "barred")]);
    check(
        &[Open, Resting, Probing],
        &[],
        &[(0, "spread"), (2, "spread")],
        &[(0, "breaker_open"), (1, "resting"), (2, "probing")],
    );
    check(&[Resting, Resting], &[], &[], &[(0, "resting"), (1, "resting")]);
    check(&[Open, Full], &[], &[(0, "spread")], &[(0, "breaker_open"), (1, "full")]);
    check(&[Open, Open], &[0], &[(1, "spread")], &[(0, "barred"), (1, "breaker_open")]);
    check(&[Full, Full], &[], &[], &[(0, "full"), (1, "full")]);
    check(&[FullAndOpen], &[], &[], &[(0, "full")]);
    check(&[], &[], &[], &[]);
    check(&[Well], &[0], &[], &[(0, "barred")]);
}

#[test]
fn a_deployment_missing_from_the_table_is_not_called() {
    let policy = policy::find("weighted").unwrap().make(&[Member::new(9, 1)]);
    let plan = plan(&*policy, &|_| None, &Request::default(), &[], 3, NOW, &mut SplitMix64::seeded(1));
    assert_eq!(
        plan,
        Plan { candidates: Order::new(), dropped: [(9, Reason::Unknown)].into_iter().collect() }
    );
}

#[test]
fn a_thousand_deployments_that_are_out_leave_a_bounded_trace() {
    let mut all = vec![Is::Open; 1000];
    all[700] = Is::Well;
    let plan = plan_for(&all, &[]);
    assert_eq!(plan.candidates[..], [Candidate::new(700, Reason::InTurn)]);
    assert_eq!(plan.dropped.len(), Plan::MOST_DROPPED);
}

#[test]
fn a_deployment_that_is_due_to_be_probed_may_be_planned() {
    let (health, _) = health(Is::Open);
    let policy = policy::find("weighted").unwrap().make(&[Member::new(0, 1)]);
    let find = |_| Some(&*health);
    let after = NOW + Duration::from_secs(11);
    let plan = plan(&*policy, &find, &Request::default(), &[], 3, after, &mut SplitMix64::seeded(1));
    assert_eq!(plan.candidates[..], [Candidate::new(0, Reason::ByWeight)]);
}

/// Well again since so many of ten seconds.
fn ramping(since: u64) -> Arc<Health> {
    let health = health(Is::Open).0;
    let back = NOW + Duration::from_secs(20);
    health.acquire(back, false, &mut Zero).unwrap().report(Ok(()), back);
    assert!(health.share(back + Duration::from_secs(since)).is_some());
    health
}

/// Of 2000 plans, `since` seconds after it came back, the share in which the first of the pool is first.
fn share_of_first(healths: &[Arc<Health>], since: u64, panic_percent: u32) -> (f64, Vec<Plan>) {
    let members: Vec<Member> =
        (0u32..).zip(healths).map(|(deployment, _)| Member::new(deployment, 1)).collect();
    let policy = policy::find("weighted").unwrap().make(&members);
    let find = |d: u32| healths.get(d as usize).map(|health| &**health);
    let request = Request { pool: &members, panic_percent, ..Request::default() };
    let now = NOW + Duration::from_secs(20 + since);
    let mut chance = SplitMix64::seeded(since);
    let plans: Vec<Plan> =
        (0..2000).map(|_| plan(&*policy, &find, &request, &[], 3, now, &mut chance)).collect();
    let first = plans.iter().filter(|plan| plan.candidates[0].deployment == 0).count();
    (first as f64 / 2000.0, plans)
}

#[test]
fn whoever_is_back_gets_its_share_by_degrees_and_stays_in_every_plan() {
    for (since, expect) in [(0, 0.05), (5, 0.25), (8, 0.4)] {
        let (share, plans) = share_of_first(&[ramping(since), health(Is::Well).0], since, 100);
        assert!((share - expect).abs() < 0.04, "after {since} s: {share}");
        assert!(plans.iter().all(|plan| plan.candidates.len() == 2));
        let behind = plans.iter().filter(|p| p.candidates[1] == Candidate::new(0, Reason::Ramping)).count();
        assert!(behind as f64 / 2000.0 > 1.0 - 3.0 * expect, "{behind}");
    }
}

#[test]
fn whoever_is_back_and_alone_is_called_as_usual() {
    let (share, plans) = share_of_first(&[ramping(0)], 0, 50);
    assert!(plans.iter().all(|plan| !plan.is_spread() && plan.candidates[0].reason == Reason::ByWeight));
    assert!((share - 1.0).abs() < f64::EPSILON, "{share}");
    let (share, _) = share_of_first(&[ramping(0), ramping(0)], 0, 100);
    assert!((share - 0.5).abs() < 0.05, "two of them: {share}");
}

/// Open, after so many faults in the last ten seconds of the plan that is made 20 s after [`NOW`].
fn failing(faults: u32) -> Arc<Health> {
    let cooldown = Duration::from_secs(60);
    let breaker = breaker::Settings { failures: 1, cooldown, cooldown_max: cooldown, ..Default::default() };
    let health = Arc::new(Health::new(&Settings { breaker, ..Default::default() }));
    let fault = Fault::new(Class::ServerError, 503, "x", "x");
    let at = NOW + Duration::from_secs(19);
    for _ in 0..faults {
        health.acquire(at, true, &mut Zero).unwrap().report(Err(&fault), at);
    }
    health
}

#[test]
fn in_a_panic_those_that_are_out_are_tried_the_less_the_more_they_fail() {
    for (faults, expect) in [(1, 0.18), (3, 0.09), (9, 0.035)] {
        let out = [failing(faults), failing(1), failing(1)];
        let (share, plans) = share_of_first(&[out.as_slice(), &[health(Is::Well).0]].concat(), 0, 50);
        assert!((share - expect).abs() < 0.03, "{faults} faults: {share}");
        for plan in &plans {
            let reasons: Vec<&str> = plan.candidates.iter().map(|c| c.reason.name()).collect();
            assert!(matches!(reasons[..], ["by_weight"] | ["panic", "by_weight"]), "{reasons:?}");
            assert_eq!(plan.candidates.last().unwrap().deployment, 3, "whoever is well is in every plan");
        }
    }
}

#[test]
fn half_of_the_pool_is_no_reason_to_panic_and_neither_are_dead_credentials() {
    let never = |healths: &[Arc<Health>], percent| {
        let (share, _) = share_of_first(healths, 0, percent);
        assert!(share < f64::EPSILON, "{share}");
    };
    let well = || health(Is::Well).0;
    never(&[failing(1), failing(1), well(), well()], 50);
    never(&[failing(1), failing(1), failing(1), well()], 75);
    never(&[failing(1), failing(1), failing(1), well()], 100);
    let benched = || {
        let health = well();
        let fault = Fault::new(Class::Credential, 401, "x", "x");
        let at = NOW + Duration::from_secs(19);
        health.acquire(at, false, &mut Zero).unwrap().report(Err(&fault), at);
        health
    };
    never(&[benched(), benched(), benched(), well()], 50);
}
