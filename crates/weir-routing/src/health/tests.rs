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
    let leases: Vec<Lease> =
        faults.iter().map(|_| health.acquire(at(100), true, &mut Zero).unwrap()).collect();
    for (mut lease, fault) in leases.into_iter().zip(faults) {
        lease.report(Err(fault), at(100));
    }
    assert_eq!(health.refusal(at(100)), refusal, "{faults:?}");
    assert_eq!(health.acquire(at(100), false, &mut Zero).err(), refusal, "{faults:?}");
    let rests = matches!(refusal, Some(Reason::Resting(_)));
    assert_eq!(health.acquire(at(100), true, &mut Zero).is_err(), rests, "need overrides all but a rest");
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

/// A deployment with so many credentials.
fn with_credentials(count: u32) -> Arc<Health> {
    let mut book = HealthBook::default();
    let credentials: Vec<_> = (1..=count).map(|n| book.credential(n.into(), &"p".into(), n)).collect();
    book.get_or_insert("d", 1, &Settings::default(), &credentials)
}

/// One call after the other, each ending so; with which credential each was made.
fn seats(health: &Arc<Health>, ends: &[Option<&Fault>]) -> Vec<usize> {
    let call = |end: &Option<&Fault>| {
        let mut lease = health.acquire(at(1), false, &mut Zero).unwrap();
        lease.report(end.map_or(Ok(()), Err), at(1));
        lease.credential()
    };
    ends.iter().map(call).collect()
}

#[test]
fn credentials_take_turns_and_those_that_are_out_are_left_out() {
    let (refused, limited, failed) = (fault(Class::Credential), rate(30), fault(Class::ServerError));
    let health = with_credentials(3);
    assert_eq!(seats(&health, &[None; 4]), [0, 1, 2, 0]);
    assert_eq!(seats(&health, &[Some(&refused), None, None, None, None]), [1, 2, 0, 2, 2]);
    assert!(health.has_another_credential(&refused, at(1)) && health.has_another_credential(&limited, at(1)));
    assert!(!health.has_another_credential(&failed, at(1)), "no other credential would help against that");
    assert_eq!(seats(&health, &[Some(&limited), Some(&refused)]), [0, 2]);
    assert!(!health.has_another_credential(&refused, at(1)), "there is none left");
    let until = at(11);
    assert_eq!(health.refusal(at(1)), Some(Reason::CredentialBenched(until)), "of all, what ends first");
    assert_eq!(health.acquire(at(1), false, &mut Zero).err(), Some(Reason::CredentialBenched(until)));
    assert!(health.acquire(at(1), true, &mut Zero).is_ok(), "need overrides");
    assert_eq!((health.status(at(1)).state, health.status(at(1)).in_flight), (State::Closed, 0));
    assert_eq!(health.refusal(at(31)), None);
}

#[test]
fn a_limit_without_an_end_rests_one_of_several_for_a_second() {
    let limited = fault(Class::Rate);
    let health = with_credentials(2);
    assert_eq!(seats(&health, &[Some(&limited); 2]), [0, 1]);
    assert_eq!(health.status(at(1)).consecutive, 1, "the second had nobody to leave it to");
    assert_eq!((health.refusal(at(1)), seats(&health, &[None; 2])), (None, vec![1, 1]));
    let alone = with_credentials(1);
    seats(&alone, &[Some(&limited); 2]);
    assert_eq!((alone.refusal(at(1)), alone.status(at(1)).consecutive), (None, 2));
}

#[test]
fn a_credential_is_one_for_all_that_use_it_and_is_probed_by_one_call() {
    let mut book = HealthBook::default();
    let shared = book.credential(7, &"p".into(), 1);
    assert!(Arc::ptr_eq(&shared, &book.credential(7, &"q".into(), 2)));
    let [a, b] = ["a", "b"]
        .map(|name| book.get_or_insert(name, 1, &Settings::default(), std::slice::from_ref(&shared)));
    call(&a, Err(&fault(Class::Credential)), at(0));
    assert_eq!(b.refusal(at(1)), Some(Reason::CredentialBenched(at(10))));
    let mut probe = a.acquire(at(10), false, &mut Zero).unwrap();
    assert_eq!(b.refusal(at(10)), Some(Reason::Probing));
    probe.report(Err(&fault(Class::ServerError)), at(10));
    assert_eq!(b.refusal(at(10)), None, "that said nothing about it: the next call probes");
    b.acquire(at(10), false, &mut Zero).unwrap().begun(at(11));
    assert_eq!((a.refusal(at(11)), shared.state(at(11))), (None, State::Closed), "an answer has begun");
}

/// Who refuses a credential that another deployment takes is benched alone, and comes back by a probe of its own; refused by
/// the second as well it is dead for all.
#[test]
fn a_credential_that_is_good_elsewhere_is_benched_in_one_place() {
    let refused = fault(Class::Credential);
    let mut book = HealthBook::default();
    let shared = book.credential(7, &"p".into(), 1);
    let [a, b] = ["a", "b"]
        .map(|name| book.get_or_insert(name, 1, &Settings::default(), std::slice::from_ref(&shared)));
    call(&b, Ok(()), at(1));
    call(&a, Err(&refused), at(2));
    assert_eq!((a.refusal(at(2)), b.refusal(at(2))), (Some(Reason::Refused(at(12))), None));
    assert_eq!((a.status(at(2)).state, shared.state(at(2))), (State::Open, State::Closed));
    call(&a, Err(&refused), at(12));
    assert_eq!(a.refusal(at(13)), Some(Reason::Refused(at(32))), "its probe failed");
    call(&b, Ok(()), at(32));
    call(&a, Ok(()), at(32));
    assert_eq!((a.refusal(at(32)), a.status(at(32)).state), (None, State::Closed));
    // Revoked: the first to hear of it still knows the other as good, the second knows nobody.
    call(&a, Err(&refused), at(33));
    call(&b, Err(&refused), at(33));
    assert_eq!(shared.state(at(33)), State::Open);
    // What was good a minute ago may not be any more.
    let alone = book.credential(8, &"p".into(), 2);
    let [c, d] = ["c", "d"]
        .map(|name| book.get_or_insert(name, 1, &Settings::default(), std::slice::from_ref(&alone)));
    call(&c, Ok(()), at(1));
    call(&d, Err(&refused), at(62));
    assert_eq!(alone.state(at(62)), State::Open);
}

/// After a slow probe the breaker stays open, however well the answer ends.
#[test]
fn a_slow_probe_has_failed() {
    let slow = slow::Settings { first_token: Some(Duration::from_secs(2)), ..Default::default() };
    let breaker = breaker::Settings { failures: 1, ..Default::default() };
    let health = Arc::new(Health::new(&Settings { breaker, slow, ..Default::default() }));
    call(&health, Err(&fault(Class::ServerError)), at(0));
    let mut probe = health.acquire(at(10), false, &mut Zero).unwrap();
    probe.record(&Sample { first: Some(Duration::from_secs(5)), ..Sample::default() }, at(15));
    probe.begun(at(15));
    probe.report(Ok(()), at(16));
    assert_eq!(health.refusal(at(16)), Some(Reason::BreakerOpen(at(35))));
    let mut probe = health.acquire(at(35), false, &mut Zero).unwrap();
    probe.record(&Sample { first: Some(Duration::from_secs(1)), ..Sample::default() }, at(36));
    probe.begun(at(36));
    assert_eq!(health.refusal(at(36)), None);
}
