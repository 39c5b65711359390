//! What clients notice of a faulty deployment, under a virtual clock: policy, breaker and machine together.

use super::*;
use crate::health::{Health, Settings};
use crate::{Member, Request, SplitMix64, policy};
use std::sync::Arc;

/// What came of a simulation.
#[derive(Default)]
struct Figures {
    requests: u32,
    errors: u32,
    /// Calls from the fifth second on: all of them, and those to the first deployment.
    later: u32,
    later_to_faulty: u32,
}

/// A hundred requests a second for `seconds` over four deployments; a call to the first fails when `fails` says so.
fn simulate(seed: u64, seconds: u64, fails: impl Fn(Moment, &mut SplitMix64) -> bool) -> Figures {
    let members: Vec<Member> = (0..4).map(|deployment| Member::new(deployment, 1)).collect();
    let policy = policy::find("weighted").unwrap().make(&members);
    let healths: Vec<Arc<Health>> = (0..4).map(|_| Arc::new(Health::new(&Settings::default()))).collect();
    let health = |deployment: u32| healths.get(deployment as usize).map(|health| &**health);
    let mut chance = SplitMix64::seeded(seed);
    let mut figures = Figures::default();
    for request in 0..seconds * 100 {
        let mut now = Moment::START + Duration::from_millis(request * 10);
        let plan = crate::plan::plan(&*policy, &health, &Request::default(), &[], 3, now, &mut chance);
        let mut machine = Machine::new(&plan, Rules::default(), 0, now + Duration::from_secs(600));
        let mut event = Event::Begin;
        figures.requests += 1;
        loop {
            event = match machine.on(event, now, &mut chance) {
                Action::Call { deployment, spread, .. } => {
                    match healths[deployment as usize].acquire(now, spread) {
                        Err(reason) => Event::NotEntered(reason),
                        Ok(mut lease) => {
                            let late = request >= 500;
                            figures.later += u32::from(late);
                            figures.later_to_faulty += u32::from(late && deployment == 0);
                            if deployment == 0 && fails(now, &mut chance) {
                                let fault = Fault::new(Class::ServerError, 500, "upstream_error", "x");
                                lease.report(Err(&fault), now);
                                Event::Faulted(fault)
                            } else {
                                lease.report(Ok(()), now);
                                Event::Answered
                            }
                        }
                    }
                }
                Action::Wait { until } => {
                    now = until;
                    Event::Waited
                }
                Action::Queue { .. } => unreachable!("nobody may wait"),
                Action::Plan { .. } => Event::Planned(Plan::default()),
                Action::GiveUp(_) => {
                    figures.errors += 1;
                    break;
                }
                Action::Done | Action::GoOn => break,
            };
        }
    }
    figures
}

/// One of four fails half of its calls, all of them, or every third second: no client sees an error, and from the fifth
/// second on it gets less than a hundredth of the calls.
#[test]
fn a_faulty_deployment_is_left_alone_and_nobody_notices() {
    for seed in 0..20 {
        let half = simulate(seed, 120, |_, chance| chance.below(2) == 0);
        assert_eq!(half.errors, 0, "seed {seed}: of {}", half.requests);
        assert!(half.later_to_faulty * 100 < half.later, "seed {seed}: {}", half.later_to_faulty);
        let all = simulate(seed, 120, |_, _| true);
        assert_eq!(all.errors, 0, "seed {seed}");
        assert!(all.later_to_faulty * 500 < all.later, "seed {seed}: {}", all.later_to_faulty);
    }
}

/// A flapping deployment, well for three seconds and down for three, costs no client an error either.
#[test]
fn a_flapping_deployment_costs_no_client_an_error() {
    for seed in 0..20 {
        let figures = simulate(seed, 120, |now, _| now.since(Moment::START).as_secs() % 6 >= 3);
        assert_eq!(figures.errors, 0, "seed {seed}: of {}", figures.requests);
    }
}

/// One call in twenty failing is no reason to take a deployment out.
#[test]
fn a_few_faults_take_nobody_out() {
    for seed in 0..20 {
        let figures = simulate(seed, 60, |_, chance| chance.below(20) == 0);
        assert!(figures.later_to_faulty * 5 > figures.later, "seed {seed}: {}", figures.later_to_faulty);
    }
}

/// A deployment that is well again gets its share back.
#[test]
fn a_deployment_that_is_well_again_gets_its_share() {
    for seed in 0..20 {
        let until = Moment::START + Duration::from_secs(5);
        let figures = simulate(seed, 120, |now, chance| now < until && chance.below(2) == 0);
        assert!(figures.later_to_faulty * 5 > figures.later, "seed {seed}: {}", figures.later_to_faulty);
    }
}
