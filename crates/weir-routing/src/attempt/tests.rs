mod causes;

use super::*;
use crate::chance::Zero;
use crate::health::{Health, Settings};
use crate::plan::{Candidate, plan};
use crate::policy::{self, Member, Policy};
use crate::{Order, SplitMix64};
use proptest::prelude::*;
use std::sync::Arc;
use weir_core::Cause;

mod refusals;

const RULES: Rules = Rules {
    max_retries: 2,
    base: Duration::from_millis(200),
    cap: Duration::from_secs(2),
    retry_after_max: Duration::from_secs(10),
};
const TOTAL: Duration = Duration::from_secs(600);

/// What a deployment says to a call.
#[derive(Clone, Copy, Debug)]
enum Says {
    Yes,
    /// A fault of this class, without `Retry-After`.
    No(Class),
    /// 429 with so many seconds of `Retry-After`.
    Later(u64),
}
use Says::{Later, No, Yes};

impl Says {
    fn fault(self) -> Option<Fault> {
        match self {
            Yes => None,
            No(class) => Some(Fault::new(class, 500, class.name(), "said the upstream")),
            Later(seconds) => {
                let fault = Fault::new(Class::Rate, 429, "rate", "said the upstream");
                Some(fault.with_retry_after(Duration::from_secs(seconds)))
            }
        }
    }

    fn takes(self) -> Duration {
        Duration::from_millis(if matches!(self, No(Class::Timeout)) { 10_000 } else { 20 })
    }
}

#[derive(Debug, PartialEq)]
struct Call {
    deployment: u32,
    at: Moment,
    last: bool,
}

/// What one request came to.
struct Story {
    text: String,
    calls: Vec<Call>,
    end: Action,
}

/// Routes of deployments under a virtual clock: the real plan, health and machine around scripted answers.
struct World {
    now: Moment,
    chance: SplitMix64,
    policies: Vec<Box<dyn Policy>>,
    healths: Vec<Arc<Health>>,
}

impl World {
    /// The first route is the one that is asked for, the others are its fallbacks.
    fn new(routes: &[&[u32]], settings: &[Settings]) -> Self {
        let build = |route: &&[u32]| {
            let members: Vec<Member> = route.iter().map(|&deployment| Member::new(deployment, 1)).collect();
            policy::find("round_robin").unwrap().make(&members)
        };
        let health = |at: usize| Arc::new(Health::new(&settings.get(at).copied().unwrap_or_default()));
        World {
            now: Moment::START,
            chance: SplitMix64::seeded(11),
            policies: routes.iter().map(build).collect(),
            healths: (0..10).map(health).collect(),
        }
    }

    fn plan(&mut self, route: usize, barred: &[u32]) -> Plan {
        let find = |d: u32| self.healths.get(d as usize).map(|health| &**health);
        plan(
            &*self.policies[route],
            &find,
            &policy::Request::default(),
            barred,
            3,
            self.now,
            &mut self.chance,
        )
    }

    fn request(&mut self, says: &mut dyn FnMut(u32, Moment) -> Says) -> Story {
        let (mut words, mut calls) = (Vec::new(), Vec::new());
        let first = self.plan(0, &[]);
        let mut machine = Machine::new(&first, RULES, self.policies.len() - 1, self.now + TOTAL);
        let mut event = Event::Begin;
        loop {
            event = match machine.on(event, self.now, &mut self.chance) {
                Action::Call { deployment, cause, spread, .. } => {
                    let last = machine.is_last(&|_, _| true, &|_, _| true);
                    match self.healths[deployment as usize].acquire(self.now, spread, &mut Zero) {
                        Err(reason) => {
                            words.push(format!("{deployment} {}", reason.name()));
                            Event::NotEntered(reason)
                        }
                        Ok(mut lease) => {
                            words.push(format!("{deployment} {}", cause.name()));
                            calls.push(Call { deployment, at: self.now, last });
                            let says = says(deployment, self.now);
                            self.now = self.now + says.takes();
                            let fault = says.fault();
                            lease.report(fault.as_ref().map_or(Ok(()), Err), self.now);
                            fault.map_or(Event::Answered, Event::Faulted)
                        }
                    }
                }
                Action::Wait { until } => {
                    words.push("wait".to_owned());
                    assert!(until < Moment::START + TOTAL || self.now > until);
                    self.now = until;
                    Event::Waited
                }
                Action::Plan { fallback } => Event::Planned(self.plan(fallback + 1, machine.barred())),
                end => {
                    words.push(match &end {
                        Action::GiveUp(fault) => {
                            format!("{} {}", fault.status, fault.code.as_deref().unwrap_or("-"))
                        }
                        _ => "done".to_owned(),
                    });
                    return Story { text: words.join(", "), calls, end };
                }
            };
        }
    }
}

/// The n-th call to deployment d is told `script[d][n]`, and the last of them ever after.
fn scripted(script: &[&[Says]]) -> impl FnMut(u32, Moment) -> Says {
    let script: Vec<Vec<Says>> = script.iter().map(|says| says.to_vec()).collect();
    let mut called = vec![0; script.len()];
    move |deployment, _| {
        let (says, n) = (&script[deployment as usize], &mut called[deployment as usize]);
        *n += 1;
        says[(*n - 1).min(says.len() - 1)]
    }
}

fn check(routes: &[&[u32]], script: &[&[Says]], expect: &str) -> Story {
    let story = World::new(routes, &[]).request(&mut scripted(script));
    assert_eq!(story.text, expect, "{script:?}");
    story
}

const BUSY: Says = No(Class::ServerError);

#[test]
fn one_primary_and_one_fallback() {
    let check = |primary: &[Says], expect: &str| check(&[&[0], &[1]], &[primary, &[Yes]], expect);
    check(&[Yes], "0 first, done");
    let story = check(&[Later(2), Yes], "0 first, wait, 0 retry, done");
    assert!(story.calls[1].at.since(story.calls[0].at) >= Duration::from_secs(2), "{:?}", story.calls);
    check(&[Later(11)], "0 first, 1 fallback, done");
    let story = check(&[No(Class::Rate)], "0 first, wait, 0 retry, wait, 0 retry, 1 fallback, done");
    assert!(story.calls[3].at.since(story.calls[0].at) <= Duration::from_secs(3), "{:?}", story.calls);
    check(&[BUSY, Yes], "0 first, wait, 0 retry, done");
    check(&[BUSY], "0 first, wait, 0 retry, wait, 0 retry, 1 fallback, done");
    check(&[No(Class::Network), Yes], "0 first, wait, 0 retry, done");
    check(&[No(Class::Truncated), Yes], "0 first, wait, 0 retry, done");
    check(&[No(Class::Malformed), Yes], "0 first, wait, 0 retry, done");
    check(&[No(Class::Timeout)], "0 first, 1 fallback, done");
    check(&[BUSY, No(Class::Timeout)], "0 first, wait, 0 retry, 1 fallback, done");
    check(&[No(Class::ContextWindow)], "0 first, 1 fallback, done");
    check(&[No(Class::Credential)], "0 first, 1 fallback, done");
    check(&[No(Class::Refused)], "0 first, 1 fallback, done");
    check(&[No(Class::Unavailable)], "0 first, 1 fallback, done");
    check(&[No(Class::ContentPolicy)], "0 first, 500 content_policy");
    check(&[No(Class::Caller)], "0 first, 500 caller");
    check(&[No(Class::Limited)], "0 first, 500 limited");
    check(&[No(Class::Gateway)], "0 first, 500 gateway");
}

#[test]
fn two_deployments_in_one_route() {
    let check = |a: &[Says], b: &[Says], expect: &str| check(&[&[0, 1]], &[a, b], expect);
    check(&[BUSY], &[Yes], "0 first, 1 retry, done");
    check(&[No(Class::Timeout)], &[Yes], "0 first, 1 retry, done");
    check(&[No(Class::Credential)], &[BUSY, Yes], "0 first, 1 retry, wait, 1 retry, done");
    check(&[BUSY, Yes], &[BUSY], "0 first, 1 retry, wait, 0 retry, done");
    check(&[Later(30)], &[BUSY, Yes], "0 first, 1 retry, wait, 1 retry, done");
    check(&[BUSY], &[BUSY], "0 first, 1 retry, wait, 0 retry, 500 server_error");
    // The other may be called before the two seconds are over.
    check(&[Later(2), Yes], &[BUSY, Yes], "0 first, 1 retry, wait, 1 retry, done");
    // Another model may have room for it; whether it is another is not the machine's to know.
    check(&[No(Class::ContextWindow)], &[Yes], "0 first, 1 retry, done");
    check(&[No(Class::ContextWindow)], &[No(Class::Timeout)], "0 first, 1 retry, 500 context_window");
    check(&[BUSY], &[No(Class::ContextWindow)], "0 first, 1 retry, 500 context_window");
}

#[test]
fn the_client_is_told_what_helps_most() {
    let check = |a: &[Says], b: &[Says], expect: &str| check(&[&[0], &[1]], &[a, b], expect);
    check(&[No(Class::Timeout)], &[No(Class::Refused)], "0 first, 1 fallback, 500 refused");
    check(&[No(Class::ContextWindow)], &[No(Class::Timeout)], "0 first, 1 fallback, 500 context_window");
    check(&[No(Class::Timeout)], &[No(Class::Caller)], "0 first, 1 fallback, 500 caller");
    let story = check(
        &[No(Class::Timeout)],
        &[No(Class::Credential)],
        "0 first, 1 fallback, 502 upstream_credentials",
    );
    let Action::GiveUp(fault) = story.end else { panic!("{:?}", story.end) };
    assert!(!fault.message.contains("said the upstream"));
    assert!(fault.cause.clone().unwrap().contains("said the upstream"));
}

#[test]
fn a_retry_after_reaches_the_client_when_nobody_else_is_left() {
    let story = check(&[&[0]], &[&[Later(30)]], "0 first, 429 rate");
    assert!(matches!(story.end, Action::GiveUp(fault) if fault.retry_after == Some(Duration::from_secs(30))));
}

#[test]
fn a_deployment_that_failed_for_good_is_left_out_of_the_fallback_too() {
    check(&[&[0], &[0, 1]], &[&[No(Class::Timeout)], &[Yes]], "0 first, 1 fallback, done");
    check(&[&[0], &[0]], &[&[No(Class::Timeout)]], "0 first, 500 timeout");
    check(
        &[&[0], &[0]],
        &[&[BUSY, BUSY, BUSY, Yes]],
        "0 first, wait, 0 retry, wait, 0 retry, 0 fallback, done",
    );
}

#[test]
fn what_a_deployment_asked_for_holds_in_the_fallback_too() {
    let (at, mut chance) = (|seconds| Moment::START + Duration::from_secs(seconds), SplitMix64::seeded(1));
    let rules = Rules { max_retries: 0, ..RULES };
    let mut machine = Machine::new(&planned(&[0], Reason::ByWeight), rules, 1, at(600));
    machine.on(Event::Begin, at(0), &mut chance);
    let next = machine.on(Event::Faulted(Later(5).fault().unwrap()), at(0), &mut chance);
    assert_eq!(next, Action::Plan { fallback: 0 });
    let next = machine.on(Event::Planned(planned(&[0], Reason::ByWeight)), at(0), &mut chance);
    assert_eq!(next, Action::Wait { until: at(5) });
}

#[test]
fn the_last_call_is_known_as_such() {
    let check = |routes: &[&[u32]], script: &[&[Says]], expect: &[bool]| {
        let story = World::new(routes, &[]).request(&mut scripted(script));
        assert_eq!(story.calls.iter().map(|call| call.last).collect::<Vec<_>>(), expect, "{}", story.text);
    };
    let slow = No(Class::Timeout);
    check(&[&[0]], &[&[Yes]], &[true]);
    check(&[&[0], &[1]], &[&[slow], &[Yes]], &[false, true]);
    check(&[&[0, 1]], &[&[slow], &[Yes]], &[false, true]);
    // Of two that are busy, the one called again still has the other behind it, but no call is left for that.
    check(&[&[0, 1]], &[&[BUSY], &[BUSY]], &[false, false, true]);
}

#[test]
fn who_cannot_be_called_is_nobody_to_go_on_to() {
    let mut machine = Machine::new(&planned(&[0, 1], Reason::ByWeight), RULES, 2, Moment::START + TOTAL);
    machine.set_causes([Causes::USUAL, Causes::of([Cause::ContextWindow])]);
    machine.on(Event::Begin, Moment::START, &mut Zero);
    let is_last = |here: bool, serves: &[usize]| {
        machine.is_last(&|deployment, _| here && deployment == 1, &|fallback, under_way| {
            assert_eq!(under_way[0], 0);
            serves.contains(&fallback)
        })
    };
    assert!(is_last(false, &[]));
    assert!(!is_last(true, &[]));
    assert!(!is_last(false, &[0]));
    assert!(is_last(false, &[1]), "a fallback for other causes");
}

fn full() -> Settings {
    Settings { max_concurrency: Some(0), ..Default::default() }
}

#[test]
fn full_deployments_are_refused_in_our_words() {
    let check = |routes: &[&[u32]], settings: &[Settings], expect: &str| {
        let story = World::new(routes, settings).request(&mut scripted(&[&[Yes], &[Yes]]));
        assert_eq!(story.text, expect);
        if let Action::GiveUp(fault) = story.end {
            assert_eq!((fault.class, fault.retry_after), (Class::Unavailable, Some(Duration::from_secs(1))));
        }
    };
    check(&[&[0]], &[full()], "503 all_deployments_full");
    check(&[&[0], &[1]], &[full(), full()], "503 all_deployments_full");
    check(&[&[0], &[1]], &[full()], "1 fallback, done");
    check(&[&[0, 1]], &[full()], "1 first, done");
    check(&[&[]], &[], "503 no_deployment_available");
}

#[test]
fn a_place_taken_between_plan_and_call_costs_no_attempt() {
    let mut chance = SplitMix64::seeded(1);
    let mut machine = Machine::new(&planned(&[0, 1], Reason::ByWeight), RULES, 0, Moment::START + TOTAL);
    machine.on(Event::Begin, Moment::START, &mut chance);
    let next = machine.on(Event::NotEntered(Reason::Full), Moment::START, &mut chance);
    assert!(matches!(next, Action::Call { deployment: 1, cause: AttemptCause::First, .. }), "{next:?}");
    let next = machine.on(Event::NotEntered(Reason::Full), Moment::START, &mut chance);
    assert_eq!(next, Action::GiveUp(all_deployments_full(TRY_AGAIN)));
}

fn all_full(deployments: &[u32]) -> Plan {
    Plan { dropped: deployments.iter().map(|&d| (d, Reason::Full)).collect(), ..Plan::default() }
}

/// What a machine whose requests may wait for two seconds does after `events`, each at its second; the last action.
fn queueing(first: &Plan, fallbacks: usize, events: Vec<(u64, Event)>) -> Action {
    let mut chance = SplitMix64::seeded(1);
    let at = |seconds| Moment::START + Duration::from_secs(seconds);
    let mut machine = Machine::new(first, RULES, fallbacks, at(600));
    machine.set_queue(Duration::from_secs(2));
    let mut action = machine.on(Event::Begin, at(0), &mut chance);
    for (seconds, event) in events {
        action = machine.on(event, at(seconds), &mut chance);
    }
    action
}

#[test]
fn who_finds_everyone_full_waits_for_a_place() {
    let until = Moment::START + Duration::from_secs(2);
    let waits = |fallback| Action::Queue { fallback, until };
    let one = || planned(&[1], Reason::ByWeight);
    assert_eq!(queueing(&all_full(&[0]), 0, vec![]), waits(None));
    // Fallbacks first; then the line of the route that was asked for, or of the first that was full.
    assert_eq!(queueing(&all_full(&[0]), 1, vec![]), Action::Plan { fallback: 0 });
    let planned_full = || Event::Planned(all_full(&[1]));
    assert_eq!(queueing(&all_full(&[0]), 1, vec![(0, planned_full())]), waits(None));
    assert_eq!(queueing(&Plan::default(), 1, vec![(0, planned_full())]), waits(Some(0)));
    // A look that leads to nothing goes on waiting, until the time is over; then it is told when to come again.
    let looks = |more: Vec<(u64, Event)>| {
        let mut events = vec![(1, Event::Placed(all_full(&[0])))];
        events.extend(more);
        events
    };
    assert_eq!(queueing(&all_full(&[0]), 0, looks(vec![])), waits(None));
    let over = queueing(&all_full(&[0]), 0, looks(vec![(2, Event::NoPlace(Duration::from_secs(7)))]));
    assert_eq!(over, Action::GiveUp(all_deployments_full(Duration::from_secs(7))));
    assert_eq!(
        queueing(&all_full(&[0]), 0, looks(vec![(2, Event::Placed(all_full(&[0])))])),
        Action::GiveUp(all_deployments_full(TRY_AGAIN))
    );
    // A place is a call as any other, and one that was taken meanwhile is waited for again.
    let placed = queueing(&all_full(&[1]), 0, vec![(1, Event::Placed(one()))]);
    assert!(matches!(placed, Action::Call { deployment: 1, cause: AttemptCause::First, .. }), "{placed:?}");
    let lost = vec![(1, Event::Placed(one())), (1, Event::NotEntered(Reason::Full))];
    assert_eq!(queueing(&all_full(&[1]), 0, lost), waits(None));
}

#[test]
fn calls_before_a_wait_count_after_it() {
    let fault = || Event::Faulted(Fault::new(Class::Timeout, 504, "x", "x"));
    let mut first = planned(&[0, 1], Reason::ByWeight);
    first.dropped = all_full(&[2, 3]).dropped;
    // Two of three calls have been made when it begins to wait: one more is left.
    let waits = queueing(&first, 0, vec![(0, fault()), (0, fault())]);
    assert!(matches!(waits, Action::Queue { .. }), "{waits:?}");
    let placed = || Event::Placed(planned(&[2, 3], Reason::ByWeight));
    let third = queueing(&first, 0, vec![(0, fault()), (0, fault()), (1, placed())]);
    assert!(matches!(third, Action::Call { deployment: 2, cause: AttemptCause::Retry, .. }), "{third:?}");
    let end = queueing(&first, 0, vec![(0, fault()), (0, fault()), (1, placed()), (1, fault())]);
    assert!(matches!(end, Action::GiveUp(_)), "{end:?}");
    // Who has an answer, if of no use, is not kept waiting.
    let of_no_use = || Event::Faulted(Fault::new(Class::InvalidOutput, 502, "x", "x"));
    let given = queueing(&first, 0, vec![(0, of_no_use()), (0, of_no_use())]);
    assert!(matches!(given, Action::GiveUp(_)), "{given:?}");
}

#[test]
fn a_lost_race_for_the_probe_is_no_refusal() {
    let mut chance = SplitMix64::seeded(1);
    let mut machine = Machine::new(&planned(&[4], Reason::ByWeight), RULES, 0, Moment::START + TOTAL);
    machine.on(Event::Begin, Moment::START, &mut chance);
    let next = machine.on(Event::NotEntered(Reason::Probing), Moment::START, &mut chance);
    assert!(
        matches!(next, Action::Call { deployment: 4, cause: AttemptCause::First, spread: true, .. }),
        "{next:?}"
    );
    // Whoever refuses even so is not asked for ever.
    let next = machine.on(Event::NotEntered(Reason::Probing), Moment::START, &mut chance);
    assert_eq!(next, Action::GiveUp(no_deployment_available()));
}

#[test]
fn open_breakers_give_way_to_a_fallback_and_are_tried_when_there_is_none() {
    let check = |routes: &[&[u32]], broken: &[u32], script: &[&[Says]], expect: &str| {
        let mut world = World::new(routes, &[]);
        for &deployment in broken {
            let fault = No(Class::Credential).fault().unwrap();
            world.healths[deployment as usize]
                .acquire(world.now, false, &mut Zero)
                .unwrap()
                .report(Err(&fault), world.now);
        }
        assert_eq!(world.request(&mut scripted(script)).text, expect);
    };
    check(&[&[0], &[1]], &[0], &[&[Yes], &[Yes]], "1 fallback, done");
    check(&[&[0], &[1]], &[0, 1], &[&[Yes], &[Yes]], "0 first, done");
    check(&[&[0], &[1]], &[0, 1], &[&[BUSY, Yes], &[Yes]], "0 first, wait, 0 retry, done");
    check(&[&[0], &[]], &[0], &[&[Yes]], "0 first, done");
    check(&[&[], &[1]], &[1], &[&[Yes], &[Yes]], "1 fallback, done");
    check(&[&[0, 1]], &[0, 1], &[&[BUSY], &[Yes]], "0 first, 1 retry, done");
    // The fallback was called, so the primary is spared.
    check(&[&[0], &[1]], &[0], &[&[Yes], &[No(Class::Refused)]], "1 fallback, 500 refused");
}

#[test]
fn a_breaker_that_opens_meanwhile_ends_the_retries() {
    let mut world = World::new(&[&[0], &[1]], &[]);
    let mut says = scripted(&[&[BUSY], &[Yes]]);
    let stories: Vec<String> = (0..3).map(|_| world.request(&mut says).text).collect();
    assert_eq!(
        stories,
        [
            "0 first, wait, 0 retry, wait, 0 retry, 1 fallback, done",
            "0 first, wait, 0 retry, wait, 0 breaker_open, 1 fallback, done",
            "1 fallback, done",
        ]
    );
}

#[test]
fn an_outage_of_a_minute_is_survived_and_its_end_is_noticed() {
    for phase in 0..40 {
        let mut world = World::new(&[&[0], &[1]], &[]);
        let recovery = Moment::START + Duration::from_millis(60_000 - 100 * phase);
        let (mut during, mut first_success) = (0, None);
        for n in 0..25 {
            world.now = Moment::START + Duration::from_secs(4 * n);
            let story = world.request(&mut |deployment, now| match deployment {
                0 if now < recovery => {
                    during += 1;
                    BUSY
                }
                0 => {
                    first_success = first_success.or(Some(now));
                    Yes
                }
                _ => Yes,
            });
            assert_eq!(story.end, Action::Done, "{}", story.text);
        }
        assert!(during <= 10, "{during} calls during the outage");
        let noticed = first_success.unwrap().since(recovery);
        assert!(noticed <= Duration::from_secs(30), "noticed after {noticed:?}");
    }
}

#[test]
fn nothing_begins_after_the_deadline() {
    let mut chance = SplitMix64::seeded(1);
    let at = |seconds| Moment::START + Duration::from_secs(seconds);
    let mut check = |fallbacks, fault: Says, now: u64, expect: Action| {
        let mut machine = Machine::new(&planned(&[0], Reason::ByWeight), RULES, fallbacks, at(20));
        machine.on(Event::Begin, at(0), &mut chance);
        assert_eq!(machine.on(Event::Faulted(fault.fault().unwrap()), at(now), &mut chance), expect);
    };
    check(1, Later(5), 15, Action::Plan { fallback: 0 });
    check(0, Later(5), 15, Action::GiveUp(Later(5).fault().unwrap()));
    check(0, Later(5), 14, Action::Wait { until: at(19) });
    check(1, No(Class::Timeout), 20, Action::GiveUp(No(Class::Timeout).fault().unwrap()));

    let mut machine = Machine::new(&planned(&[0], Reason::ByWeight), RULES, 0, at(20));
    let end = machine.on(Event::Begin, at(20), &mut chance);
    assert!(matches!(&end, Action::GiveUp(fault) if fault.status == 504), "{end:?}");

    let mut machine = Machine::new(&planned(&[0], Reason::ByWeight), RULES, 0, at(20));
    machine.on(Event::Begin, at(0), &mut chance);
    machine.on(Event::Faulted(Later(5).fault().unwrap()), at(10), &mut chance);
    let end = machine.on(Event::Waited, at(20), &mut chance);
    assert_eq!(end, Action::GiveUp(Later(5).fault().unwrap()), "the wait ended late");
}

#[test]
fn an_event_out_of_step_ends_the_request_as_our_own_fault() {
    let mut chance = SplitMix64::seeded(1);
    for event in [Event::Waited, Event::Answered, Event::Planned(Plan::default())] {
        let mut machine = Machine::new(&planned(&[0], Reason::ByWeight), RULES, 1, Moment::START + TOTAL);
        let end = machine.on(event, Moment::START, &mut chance);
        assert!(matches!(&end, Action::GiveUp(fault) if fault.class == Class::Gateway), "{end:?}");
    }
}

fn planned(deployments: &[u32], reason: Reason) -> Plan {
    let candidates: Order =
        deployments.iter().map(|&deployment| Candidate::new(deployment, reason)).collect();
    Plan { candidates, ..Plan::default() }
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        1 => Just(Yes),
        1 => (0..Class::ALL.len()).prop_map(|at| No(Class::ALL[at])),
        6 => prop::sample::select(vec![Class::Rate, Class::ServerError, Class::Network, Class::Timeout]).prop_map(No),
        2 => (0u64..20).prop_map(Later),
    ]
}

#[derive(Clone, Debug)]
enum Turn {
    Says(Says),
    Refuses(Reason),
}

fn turn() -> impl Strategy<Value = Turn> {
    let refusals = vec![Reason::Full, Reason::Probing, Reason::BreakerOpen(Moment::START)];
    prop_oneof![4 => says().prop_map(Turn::Says), 1 => prop::sample::select(refusals).prop_map(Turn::Refuses)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn every_request_ends_within_its_bounds(
        routes in prop::collection::vec((prop::collection::hash_set(0u32..6, 0..5), any::<bool>()), 1..4),
        turns in prop::collection::vec((turn(), 0u64..4_000), 60),
        max_retries in 0u32..4,
        total in 0u64..60,
        max_wait in 0u64..5,
        seed: u64,
    ) {
        let rules = Rules { max_retries, ..RULES };
        let deadline = Moment::START + Duration::from_secs(total);
        let plans: Vec<Plan> = routes
            .iter()
            .map(|(members, spread)| {
                let members: Vec<u32> = members.iter().copied().collect();
                planned(&members, if *spread { Reason::Spread } else { Reason::ByWeight })
            })
            .collect();
        let mut chance = SplitMix64::seeded(seed);
        let max_wait = Duration::from_secs(max_wait);
        let mut machine = Machine::new(&plans[0], rules, plans.len() - 1, deadline);
        machine.set_queue(max_wait);
        let (mut now, mut event, mut turns) = (Moment::START, Event::Begin, turns.into_iter());
        let (mut calls, mut steps, mut last, mut over) = (0, 0, false, false);
        let mut waits_since = None;
        let mut closed: Vec<u32> = Vec::new();
        let mut ready = [Moment::START; 6];
        loop {
            steps += 1;
            prop_assert!(steps < 200, "goes on for ever");
            let was_silent = matches!(&event, Event::Faulted(fault) if fault.class == Class::Timeout);
            let action = machine.on(event, now, &mut chance);
            if last && was_silent {
                prop_assert!(matches!(action, Action::GiveUp(_) | Action::Queue { .. }), "something was left: {action:?}");
            }
            event = match action {
                Action::Call { deployment, fallback, spread, .. } => {
                    prop_assert!(!over, "called after a fault that is final");
                    prop_assert!(!closed.contains(&deployment), "{deployment} is called again");
                    prop_assert!(now < deadline && now >= ready[deployment as usize]);
                    let plan = &plans[fallback.map_or(0, |n| n + 1)];
                    prop_assert!(plan.candidates.iter().any(|c| c.deployment == deployment));
                    prop_assert!(spread || !plan.is_spread());
                    let Some((turn, millis)) = turns.next() else { break };
                    last = machine.is_last(&|_, _| true, &|_, _| true);
                    match turn {
                        Turn::Refuses(reason) => Event::NotEntered(reason),
                        Turn::Says(says) => {
                            calls += 1;
                            now = now + Duration::from_millis(millis);
                            let Some(fault) = says.fault() else {
                                prop_assert_eq!(machine.on(Event::Answered, now, &mut chance), Action::Done);
                                break;
                            };
                            let kind = retry(fault.class);
                            over = kind == Retry::Never;
                            let after = fault.retry_after.unwrap_or_default();
                            if kind != Retry::SameOrElsewhere || after > rules.retry_after_max {
                                closed.push(deployment);
                            }
                            ready[deployment as usize] = now + after;
                            Event::Faulted(fault)
                        }
                    }
                }
                Action::Wait { until } => {
                    prop_assert!(until < deadline && until >= now);
                    prop_assert!(until.since(now) <= rules.cap.max(rules.retry_after_max));
                    now = until;
                    Event::Waited
                }
                Action::Queue { fallback, until } => {
                    prop_assert!(!over && now < until && until <= deadline);
                    let queue = *waits_since.get_or_insert(now);
                    prop_assert!(until <= queue + max_wait);
                    now = now + Duration::from_millis(chance.below(1500));
                    if now < until {
                        Event::Placed(plans[fallback.map_or(0, |n| n + 1)].clone())
                    } else {
                        now = until;
                        Event::NoPlace(Duration::from_secs(3))
                    }
                }
                Action::Plan { fallback } => Event::Planned(plans[fallback + 1].clone()),
                Action::GiveUp(fault) => {
                    let ours = fault.code.as_deref() == Some("upstream_credentials");
                    prop_assert_eq!(fault.class == Class::Credential, ours);
                    break;
                }
                Action::Done | Action::GoOn => return Err(TestCaseError::fail("done without an answer")),
            };
        }
        prop_assert!(calls <= (1 + max_retries) as usize * plans.len(), "{calls} calls");
    }

    #[test]
    fn a_retry_after_is_waited_out_whatever_the_jitter(seconds in 1u64..=10, seed: u64) {
        let mut chance = SplitMix64::seeded(seed);
        let mut machine = Machine::new(&planned(&[0], Reason::ByWeight), RULES, 0, Moment::START + TOTAL);
        machine.on(Event::Begin, Moment::START, &mut chance);
        let action = machine.on(Event::Faulted(Later(seconds).fault().unwrap()), Moment::START, &mut chance);
        let Action::Wait { until } = action else { return Err(TestCaseError::fail(format!("{action:?}"))) };
        prop_assert!(until >= Moment::START + Duration::from_secs(seconds));
    }
}

/// What is called when these events answer the calls, of a plan of deployments 0 and 1.
fn called(events: Vec<Event>) -> Vec<u32> {
    let (mut chance, mut now) = (SplitMix64::seeded(1), Moment::START);
    let mut machine = Machine::new(&planned(&[0, 1], Reason::ByWeight), RULES, 0, now + TOTAL);
    let mut action = machine.on(Event::Begin, now, &mut chance);
    let mut called = Vec::new();
    for event in events {
        if let Action::Wait { until } = action {
            now = until;
            action = machine.on(Event::Waited, now, &mut chance);
        }
        let Action::Call { deployment, .. } = action else { break };
        called.push(deployment);
        action = machine.on(event, now, &mut chance);
    }
    called
}

#[test]
fn with_another_credential_the_same_deployment_is_called_again_but_not_for_ever() {
    let refused = || Event::CredentialFaulted(No(Class::Credential).fault().unwrap());
    let failed = |class| Event::Faulted(No(class).fault().unwrap());
    assert_eq!(called(vec![refused(), Event::Answered]), [0, 0]);
    assert_eq!(
        called(vec![refused(), refused(), Event::Answered]),
        [0, 0, 1],
        "the last call is for another"
    );
    assert_eq!(called(vec![failed(Class::Credential), refused(), refused(), Event::Answered]), [0, 1, 1]);
    assert_eq!(called(vec![refused(), failed(Class::ServerError), Event::Answered]), [0, 0, 1]);
}

/// Whoever is called in a panic is called once.
#[test]
fn a_panic_call_is_not_repeated() {
    let mut plan = planned(&[0, 1], Reason::ByWeight);
    plan.candidates[0].reason = Reason::Panic;
    let mut chance = SplitMix64::seeded(1);
    let mut machine = Machine::new(&plan, RULES, 0, Moment::START + TOTAL);
    let first = machine.on(Event::Begin, Moment::START, &mut chance);
    assert!(matches!(first, Action::Call { deployment: 0, spread: true, .. }), "{first:?}");
    let busy = || Event::Faulted(BUSY.fault().unwrap());
    let second = machine.on(busy(), Moment::START, &mut chance);
    assert!(matches!(second, Action::Call { deployment: 1, spread: false, .. }), "{second:?}");
    let Action::Wait { until } = machine.on(busy(), Moment::START, &mut chance) else { panic!("no wait") };
    let third = machine.on(Event::Waited, until, &mut chance);
    assert!(matches!(third, Action::Call { deployment: 1, spread: false, .. }), "{third:?}");
}
