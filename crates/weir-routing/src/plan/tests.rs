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
        &[(0, "spread"), (1, "spread"), (2, "spread")],
        &[(0, "breaker_open"), (1, "resting"), (2, "probing")],
    );
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
