use super::*;
use weir_core::Fault;
use weir_routing::{breaker, health};

const COOLDOWN: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

fn health() -> Arc<Health> {
    let breaker = breaker::Settings { failures: 2, cooldown: COOLDOWN, cooldown_max: COOLDOWN };
    Arc::new(Health::new(&health::Settings { breaker, ..Default::default() }))
}

fn call(health: &Arc<Health>, class: Option<Class>, now: Moment) {
    let fault = class.map(|class| Fault::new(class, 500, "x", "x"));
    health.acquire(now, true).unwrap().report(fault.as_ref().map_or(Ok(()), Err), now);
}

/// At this second calls end so, then the watch looks and says this.
type Step<'a> = (u64, &'a [Option<Class>], &'a [Turn]);

#[track_caller]
fn check(steps: &[Step<'_>]) {
    let (mut watch, health, name) = (Watch::default(), health(), Arc::from("d"));
    for (second, calls, expect) in steps {
        for class in *calls {
            call(&health, *class, at(*second));
        }
        let turns = watch.look([(&name, &health)].into_iter(), at(*second));
        let turns: Vec<Turn> = turns.into_iter().map(|(_, turn)| turn).collect();
        assert_eq!(turns, *expect, "at second {second}");
    }
}

const NETWORK: Option<Class> = Some(Class::Network);
const OPENED: Turn = Turn::Opened { to: State::Open, cause: NETWORK, faults: 2 };

#[test]
fn an_outage_is_told_once_at_each_end() {
    check(&[
        (0, &[], &[]),
        (1, &[None, NETWORK], &[]),
        (2, &[NETWORK, NETWORK, NETWORK], &[OPENED]),
        (3, &[NETWORK], &[]),
        (12, &[], &[Turn::Between { from: State::Open, to: State::HalfOpen }]),
        (13, &[NETWORK], &[Turn::Between { from: State::HalfOpen, to: State::Open }]),
        (14, &[], &[]),
        (30, &[None], &[Turn::Closed { from: State::Open, after: Duration::from_secs(28) }]),
        (31, &[None], &[]),
    ]);
}

#[test]
fn a_refused_credential_is_named() {
    let cause = Some(Class::Credential);
    check(&[(0, &[cause], &[Turn::Opened { to: State::Open, cause, faults: 0 }])]);
}

#[test]
fn what_opened_and_closed_between_two_looks_is_told() {
    let (mut watch, health, name) = (Watch::default(), health(), Arc::from("d"));
    call(&health, NETWORK, at(1));
    call(&health, NETWORK, at(1));
    call(&health, None, at(11));
    let turns = watch.look([(&name, &health)].into_iter(), at(12));
    let [(_, Turn::Opened { cause: NETWORK, .. }), (_, Turn::Closed { .. })] = turns.as_slice() else {
        panic!("{turns:?}");
    };
}

#[test]
fn a_deployment_that_is_gone_or_was_moved_is_forgotten() {
    let (mut watch, first, name) = (Watch::default(), health(), Arc::from("d"));
    call(&first, NETWORK, at(1));
    call(&first, NETWORK, at(1));
    assert_eq!(watch.look([(&name, &first)].into_iter(), at(1)).len(), 1);
    assert_eq!(
        watch.look([(&name, &health())].into_iter(), at(2)),
        [],
        "another place, no word about the old one"
    );
    assert_eq!(watch.look([].into_iter(), at(3)), []);
    assert!(watch.0.is_empty());
}
