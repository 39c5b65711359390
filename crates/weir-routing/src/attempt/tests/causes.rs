//! Which fallbacks a fault leads to.

use super::*;

/// The fallbacks that are asked for a plan after the one deployment of the route said this.
#[track_caller]
fn check_causes(class: Class, causes: &[Causes], expect: &[usize]) {
    let mut chance = SplitMix64::seeded(1);
    let candidates = Order::from_iter([Candidate::new(0, Reason::InTurn)]);
    let plan = Plan { candidates, ..Plan::default() };
    let rules = Rules { max_retries: 0, ..RULES };
    let mut machine = Machine::new(&plan, rules, causes.len(), Moment::START + TOTAL);
    machine.set_causes(causes.iter().copied());
    let mut asked = Vec::new();
    let mut action = machine.on(Event::Begin, Moment::START, &mut chance);
    loop {
        let event = match action {
            Action::Call { .. } => Event::Faulted(Fault::new(class, 500, "x", "said the upstream")),
            Action::Plan { fallback } => {
                asked.push(fallback);
                Event::Planned(Plan::default())
            }
            other => {
                assert!(matches!(&other, Action::GiveUp(fault) if fault.class == class), "{other:?}");
                break;
            }
        };
        action = machine.on(event, Moment::START, &mut chance);
    }
    assert_eq!(asked, expect, "{}", class.name());
}

#[test]
fn fallbacks_are_for_their_causes() {
    let only = |cause| Causes::of([cause]);
    let causes = [only(Cause::Rate), Causes::USUAL, only(Cause::ContentPolicy), only(Cause::ContextWindow)];
    check_causes(Class::Rate, &causes, &[0, 1]);
    check_causes(Class::ServerError, &causes, &[1]);
    check_causes(Class::ContentPolicy, &causes, &[2]);
    check_causes(Class::ContextWindow, &causes, &[1, 3]);
    check_causes(Class::Caller, &causes, &[]);
    check_causes(Class::ContentPolicy, &[Causes::USUAL], &[]);
    check_causes(Class::Truncated, &[only(Cause::InvalidOutput), only(Cause::Rate)], &[0]);
}
