//! What the machine makes of calls that are slow.

use super::*;
use crate::SplitMix64;
use crate::plan::{Candidate, Reason};

const RULES: Rules = Rules {
    max_retries: 2,
    base: Duration::from_millis(200),
    cap: Duration::from_secs(2),
    retry_after_max: Duration::from_secs(10),
};

/// A machine over these deployments, and what it says to events in a row.
struct Talk {
    machine: Machine,
    chance: SplitMix64,
    now: Moment,
}

impl Talk {
    fn about(deployments: &[u32], rules: Rules) -> Self {
        let candidates = deployments.iter().map(|&d| Candidate::new(d, Reason::InTurn)).collect();
        let plan = Plan { candidates, ..Plan::default() };
        let machine = Machine::new(&plan, rules, 0, Moment::START + Duration::from_secs(600));
        Talk { machine, chance: SplitMix64::seeded(3), now: Moment::START }
    }

    fn say(&mut self, event: Event) -> String {
        match self.machine.on(event, self.now, &mut self.chance) {
            Action::Call { deployment, cause, .. } => {
                let last = self.machine.is_last(&|_, _| true, &|_, _| true);
                format!("{deployment} {}{}", cause.name(), if last { ", the last" } else { "" })
            }
            Action::Wait { until } => {
                self.now = until;
                "wait".to_owned()
            }
            Action::GiveUp(fault) => format!("give up: {}", fault.class.name()),
            Action::GoOn => "go on".to_owned(),
            Action::Done => "done".to_owned(),
            Action::Plan { fallback } => format!("plan {fallback}"),
            Action::Queue { .. } => "queue".to_owned(),
        }
    }

    fn check(&mut self, talk: impl IntoIterator<Item = (Event, &'static str)>) {
        for (nth, (event, expect)) in talk.into_iter().enumerate() {
            let shown = format!("{nth}: {event:?}");
            assert_eq!(self.say(event), expect, "{shown}");
        }
    }
}

fn fault(class: Class) -> Fault {
    Fault::new(class, 500, class.name(), "said the upstream")
}

#[test]
fn whoever_answers_first_is_the_answer_and_may_still_break_off() {
    for winner in [1, 2] {
        let mut talk = Talk::about(&[1, 2, 3], RULES);
        talk.check([
            (Event::Begin, "1 first"),
            (Event::Slow, "2 hedge"),
            (Event::OneAnswered(winner), "done"),
            // Broken off: another completes it, and who lost the race is not out of it.
            (Event::Faulted(fault(Class::Truncated)), if winner == 1 { "2 retry" } else { "1 retry" }),
        ]);
    }
}

#[test]
fn one_of_two_that_fails_leaves_the_other_to_go_on() {
    let mut talk = Talk::about(&[1, 2, 3], RULES);
    talk.check([
        (Event::Begin, "1 first"),
        (Event::Slow, "2 hedge"),
        (Event::OneFaulted(1, fault(Class::Timeout)), "go on"),
        (Event::Slow, "go on"), // once for a request
        (Event::Faulted(fault(Class::ServerError)), "3 retry"),
        (Event::Slow, "go on"),
        (Event::Faulted(fault(Class::ServerError)), "wait"),
        (Event::Waited, "2 retry, the last"), // never the one that was silent
        (Event::Faulted(fault(Class::ServerError)), "give up: server_error"),
    ]);
}

/// Both end in faults: one fault, and no more calls than without a hedge but for that one.
#[test]
fn two_that_fail_are_one_fault() {
    let mut talk = Talk::about(&[1, 2], Rules { max_retries: 0, ..RULES });
    talk.check([
        (Event::Begin, "1 first, the last"),
        (Event::Slow, "2 hedge, the last"),
        (Event::OneFaulted(2, fault(Class::ServerError)), "go on"),
        (Event::Faulted(fault(Class::ServerError)), "give up: server_error"),
    ]);
}

/// One of two that calls the request wrong may be wrong itself: that counts when the other has not answered either.
#[test]
fn a_callers_mistake_is_one_when_neither_answers() {
    for one in [1, 2] {
        let slow = || {
            let mut talk = Talk::about(&[1, 2, 3], RULES);
            talk.check([
                (Event::Begin, "1 first"),
                (Event::Slow, "2 hedge"),
                (Event::OneFaulted(one, fault(Class::Caller)), "go on"),
            ]);
            talk
        };
        slow().check([(Event::Answered, "done")]);
        slow().check([(Event::Faulted(fault(Class::ServerError)), "give up: caller")]);
        slow().check([(Event::CredentialFaulted(fault(Class::Rate)), "give up: caller")]);
        slow().check([(Event::Faulted(fault(Class::ContentPolicy)), "give up: caller")]);
    }
}

#[test]
fn who_cannot_be_entered_is_passed_over_and_a_spent_budget_is_spent() {
    let mut talk = Talk::about(&[1, 2, 3], RULES);
    talk.check([
        (Event::Begin, "1 first"),
        (Event::Slow, "2 hedge"),
        (Event::NotEntered(Reason::Full), "3 hedge"),
        (Event::NotEntered(Reason::OtherModel), "go on"),
        (Event::Faulted(fault(Class::ServerError)), "2 retry"),
        (Event::Slow, "3 hedge"), // the first one was never made
        (Event::NotEntered(Reason::HedgeBudget), "go on"),
        (Event::Faulted(fault(Class::ServerError)), "3 retry, the last"),
    ]);
}

#[test]
fn nobody_else_is_nobody_to_hedge_with() {
    let mut talk = Talk::about(&[1], RULES);
    talk.check([(Event::Begin, "1 first, the last"), (Event::Slow, "go on")]);
    let mut talk = Talk::about(&[1, 2], RULES);
    talk.check([
        (Event::Begin, "1 first"),
        (Event::Faulted(fault(Class::ServerError)), "2 retry"),
        (Event::Slow, "go on"), // the other has failed this request already
    ]);
}

#[test]
fn what_was_not_under_way_is_out_of_step() {
    let mut talk = Talk::about(&[1, 2], RULES);
    talk.check([
        (Event::Begin, "1 first"),
        (Event::Slow, "2 hedge, the last"),
        (Event::OneAnswered(7), "give up: gateway"),
    ]);
    let mut talk = Talk::about(&[1, 2], RULES);
    talk.check([(Event::Begin, "1 first"), (Event::OneAnswered(1), "give up: gateway")]);
}
