//! What the machine makes of those that refuse to go on, of credentials that may be good elsewhere, and of rests.

use super::*;

/// What was refused as the continuation of an answer was accepted as a request before: it is no caller's mistake.
#[test]
fn a_refused_continuation_is_nobodys_answer() {
    let begin = |deployments: &[u32]| {
        let mut machine =
            Machine::new(&planned(deployments, Reason::ByWeight), RULES, 1, Moment::START + TOTAL);
        machine.on(Event::Begin, Moment::START, &mut SplitMix64::seeded(1));
        machine.on(Event::Answered, Moment::START, &mut SplitMix64::seeded(1));
        machine
    };
    let check = |deployments: &[u32], anew: bool, expect: &[&str]| {
        let mut machine = begin(deployments);
        machine.phase = Phase::Calling(deployments[0]);
        let mut events = vec![Event::Faulted(No(Class::Truncated).fault().unwrap())];
        events.extend(expect.iter().skip(1).map(|_| Event::NotContinued { anew }));
        for (event, expect) in events.into_iter().zip(expect) {
            let said = match machine.on(event, Moment::START, &mut SplitMix64::seeded(1)) {
                Action::Call { deployment, .. } => deployment.to_string(),
                Action::Wait { .. } => "wait".to_owned(),
                Action::Plan { .. } => "plan".to_owned(),
                other => format!("{other:?}"),
            };
            assert_eq!(said, *expect, "{deployments:?}, anew: {anew}");
        }
    };
    check(&[0, 1, 2], false, &["1", "2", "plan"]);
    check(&[0, 1], false, &["1", "wait"]);
    // It is asked to begin anew when nobody else is left.
    check(&[0, 1], true, &["1", "1", "plan"]);
    check(&[0, 1, 2], true, &["1", "2", "plan"]);
}

/// A credential that was refused at one deployment is tried at another that has it, when nobody else is left.
#[test]
fn a_benched_credential_gets_a_second_opinion() {
    let mut chance = SplitMix64::seeded(1);
    let benched = || Event::NotEntered(Reason::CredentialBenched(Moment::START + TOTAL));
    let mut check = |class: Class, expect: &str| {
        let mut machine =
            Machine::new(&planned(&[0, 1, 2], Reason::ByWeight), RULES, 0, Moment::START + TOTAL);
        machine.on(Event::Begin, Moment::START, &mut chance);
        let mut said = Vec::new();
        let busy = || Event::Faulted(No(class).fault().unwrap());
        for event in [Event::Faulted(No(Class::Credential).fault().unwrap()), benched(), busy()] {
            said.push(match machine.on(event, Moment::START, &mut chance) {
                Action::Call { deployment, spread, .. } => {
                    format!("{deployment}{}", if spread { "!" } else { "" })
                }
                Action::Wait { .. } => "wait".to_owned(),
                Action::GiveUp(fault) => fault.class.name().to_owned(),
                other => format!("{other:?}"),
            });
        }
        assert_eq!(said.join(" "), expect);
    };
    check(Class::Credential, "1 2 1!");
    check(Class::Timeout, "1 2 timeout");
}

/// A rest that an upstream asked for holds: a short one is waited out where nobody else is left, a longer one told.
#[test]
fn a_rest_is_waited_out_or_told() {
    let rests = |seconds| Reason::Resting(Moment::START + Duration::from_secs(seconds));
    let plan = |dropped: &[(u32, u64)]| Plan {
        dropped: dropped.iter().map(|(deployment, until)| (*deployment, rests(*until))).collect(),
        ..Plan::default()
    };
    let begin = |plan: &Plan, fallbacks| {
        let mut machine = Machine::new(plan, RULES, fallbacks, Moment::START + TOTAL);
        let action = machine.on(Event::Begin, Moment::START, &mut SplitMix64::seeded(1));
        (machine, action)
    };
    let (mut machine, action) = begin(&plan(&[(0, 7), (1, 4)]), 0);
    let Action::Wait { until } = action else { panic!("{action:?}") };
    assert!(until >= Moment::START + Duration::from_secs(4), "{until:?}");
    let action = machine.on(Event::Waited, until, &mut SplitMix64::seeded(1));
    assert!(matches!(action, Action::Call { deployment: 1, spread: false, .. }), "{action:?}");
    // Others have met a limit there meanwhile: it rests again. That is waited for, but not for ever.
    let (mut now, mut waits) = (until, 0);
    let mut action = machine.on(Event::NotEntered(rests(12)), now, &mut SplitMix64::seeded(1));
    while let Action::Wait { until } = action {
        (now, waits) = (until, waits + 1);
        machine.on(Event::Waited, now, &mut SplitMix64::seeded(1));
        let again = Reason::Resting(now + Duration::from_secs(5));
        action = machine.on(Event::NotEntered(again), now, &mut SplitMix64::seeded(1));
        assert!(waits < 10, "waits for ever");
    }
    let told = |action: &Action| match action {
        Action::GiveUp(fault) => (fault.status, fault.retry_after),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(&action).0, 429);
    let (_, action) = begin(&plan(&[(0, 30), (1, 25)]), 0);
    assert_eq!(told(&action), (429, Some(Duration::from_secs(25))));
    let (mut machine, action) = begin(&plan(&[(0, 2)]), 1);
    assert_eq!(action, Action::Plan { fallback: 0 }, "a fallback comes first");
    let action = machine.on(
        Event::Planned(planned(&[1], Reason::ByWeight)),
        Moment::START,
        &mut SplitMix64::seeded(1),
    );
    assert!(matches!(action, Action::Call { deployment: 1, .. }), "{action:?}");
}
