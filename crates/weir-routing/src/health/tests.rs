use super::*;
use crate::chance::Zero;
use std::sync::atomic::AtomicBool;
use weir_core::Class;

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

fn health(max_concurrency: Option<u32>) -> Arc<Health> {
    let breaker = breaker::Settings { failures: 2, ..Default::default() };
    Arc::new(Health::new(&Settings { max_concurrency, breaker, ..Default::default() }))
}

fn fault(class: Class) -> Fault {
    Fault::new(class, 500, "x", "x")
}

fn rate(seconds: u64) -> Fault {
    fault(Class::Rate).with_retry_after(Duration::from_secs(seconds))
}

fn call(health: &Arc<Health>, result: Result<(), &Fault>, now: Moment) {
    health.acquire(now, true, &mut Zero).unwrap().report(result, now);
}

/// After these faults in a row at second 100, this is why the next call is refused, if it is.
fn check(faults: &[Fault], refusal: Option<Reason>) {
    let health = health(None);
    for fault in faults {
        call(&health, Err(fault), at(100));
    }
    assert_eq!(health.refusal(at(100)), refusal, "{faults:?}");
    assert_eq!(health.acquire(at(100), false, &mut Zero).err(), refusal, "{faults:?}");
    assert!(health.acquire(at(100), true, &mut Zero).is_ok(), "need overrides");
    assert_eq!(health.status(at(100)).in_flight, 0);
}

#[test]
fn each_fault_teaches_what_it_should() {
    let open = Some(Reason::BreakerOpen(at(110)));
    check(&[], None);
    for class in
        [Class::ServerError, Class::Network, Class::Timeout, Class::Malformed, Class::Truncated, Class::Rate]
    {
        check(&[fault(class)], None);
        check(&[fault(class), fault(class)], open);
    }
    check(&[fault(Class::Credential)], Some(Reason::CredentialBenched(at(110))));
    for class in [Class::Caller, Class::ContextWindow, Class::ContentPolicy, Class::Refused, Class::Gateway] {
        check(&vec![fault(class); 10], None);
    }
    check(&[rate(7)], Some(Reason::Resting(at(107))));
    check(&[rate(7), rate(3)], Some(Reason::Resting(at(107))));
    check(&[rate(3), rate(7)], Some(Reason::Resting(at(107))));
    check(&[rate(3600)], Some(Reason::Resting(at(160))));
    check(&[rate(0), rate(0)], open);
}

#[test]
fn a_callers_mistake_neither_counts_nor_wipes_what_counted() {
    let health = health(None);
    call(&health, Err(&fault(Class::ServerError)), at(0));
    call(&health, Err(&fault(Class::Caller)), at(0));
    assert_eq!(health.status(at(0)).consecutive, 1);
    call(&health, Ok(()), at(0));
    assert_eq!(health.status(at(0)).consecutive, 0);
}

#[test]
fn a_rest_ends_by_itself() {
    let health = health(None);
    call(&health, Err(&rate(5)), at(10));
    assert_eq!(health.status(at(12)).resting_for, Duration::from_secs(3));
    assert_eq!(health.refusal(at(15)), None);
    assert_eq!(health.status(at(15)).resting_for, Duration::ZERO);
}

#[test]
fn a_probe_that_ends_without_a_word_makes_room() {
    let health = health(None);
    call(&health, Err(&fault(Class::ServerError)), at(0));
    call(&health, Err(&fault(Class::ServerError)), at(0));
    let probe = health.acquire(at(10), false, &mut Zero).unwrap();
    assert!(probe.is_probe());
    assert_eq!(health.acquire(at(10), false, &mut Zero).err(), Some(Reason::Probing));
    assert_eq!(health.status(at(10)).in_flight, 1);
    drop(probe);
    let mut probe = health.acquire(at(10), false, &mut Zero).unwrap();
    probe.report(Err(&fault(Class::Caller)), at(10));
    assert!(
        health.acquire(at(10), false, &mut Zero).unwrap().is_probe(),
        "a mistake of the caller proves nothing"
    );
    probe.report(Ok(()), at(10));
    assert_eq!(health.status(at(10)).state, State::HalfOpen, "it is no longer the probe");
}

#[test]
fn a_full_deployment_refuses_even_in_need() {
    let health = health(Some(2));
    let held =
        [health.acquire(at(0), false, &mut Zero).unwrap(), health.acquire(at(0), false, &mut Zero).unwrap()];
    assert_eq!(health.refusal(at(0)), Some(Reason::Full));
    assert_eq!(health.acquire(at(0), false, &mut Zero).err(), Some(Reason::Full));
    assert_eq!(health.acquire(at(0), true, &mut Zero).err(), Some(Reason::Full));
    drop(held);
    assert_eq!(health.refusal(at(0)), None);
    health.adjust(&Settings { max_concurrency: Some(0), ..Default::default() });
    assert_eq!(health.acquire(at(0), false, &mut Zero).err(), Some(Reason::Full));
}

#[test]
fn an_active_check_is_told_to_the_breaker() {
    let health = health(None);
    health.probed(Err(&fault(Class::Network)), at(0), &mut Zero);
    health.probed(Err(&fault(Class::Network)), at(0), &mut Zero);
    assert_eq!(health.status(at(0)).state, State::Open);
    health.probed(Ok(()), at(1), &mut Zero);
    assert_eq!(health.status(at(1)).state, State::HalfOpen);
}

#[test]
fn cores_that_race_never_exceed_the_limit() {
    let health = health(Some(3));
    let exceeded = AtomicBool::new(false);
    let entered = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    let Ok(_lease) = health.acquire(at(0), false, &mut Zero) else { continue };
                    entered.fetch_add(1, Relaxed);
                    exceeded.fetch_or(health.status(at(0)).in_flight > 3, Relaxed);
                }
            });
        }
    });
    assert!(!exceeded.load(Relaxed));
    assert!(entered.load(Relaxed) >= 20_000);
    assert_eq!(health.status(at(0)).in_flight, 0);
}

#[test]
fn health_survives_a_reload_unless_it_is_another_place() {
    let mut book = HealthBook::default();
    let before = book.get_or_insert("a", 1, &Settings::default(), &[]);
    call(&before, Err(&fault(Class::ServerError)), at(0));

    let limited = Settings { max_concurrency: Some(0), ..Default::default() };
    let same = book.get_or_insert("a", 1, &limited, &[]);
    assert!(Arc::ptr_eq(&before, &same));
    assert_eq!(same.refusal(at(0)), Some(Reason::Full), "new settings hold at once");

    let moved = book.get_or_insert("a", 2, &Settings::default(), &[]);
    assert_eq!((moved.status(at(0)).consecutive, same.status(at(0)).consecutive), (0, 1));

    book.get_or_insert("b", 1, &Settings::default(), &[]);
    book.prune(["b"]);
    assert!(!Arc::ptr_eq(&moved, &book.get_or_insert("a", 2, &Settings::default(), &[])));
}
