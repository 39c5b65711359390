//! Bounds of size, number and time.

use super::{Folder, alice, bob, now, opened, response, settings};
use crate::{NewResponse, Settings, Status, Store, Trouble};
use std::time::Duration;
use weir_core::{Class, Fault};

fn of_size(id: &str, bytes: usize) -> NewResponse {
    NewResponse { body: "x".repeat(bytes), ..response(id, None) }
}

#[tokio::test]
async fn one_entry_is_bounded() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    let limit = 64 << 10;
    let large = store.put_response(&alice(), of_size("large", 64 << 10), now()).await;
    assert!(
        matches!(large, Err(Trouble::TooLarge { bytes, limit: l }) if bytes > limit && l == limit),
        "{large:?}"
    );
    let new = NewResponse { status: Status::InProgress, ..of_size("grows", 60 << 10) };
    store.put_response(&alice(), new, now()).await.unwrap();
    let before = store.figures().bytes();
    let grown =
        store.update_response((&alice(), "grows"), Status::Completed, "x".repeat(65_300), now()).await;
    assert!(matches!(grown, Err(Trouble::TooLarge { .. })), "{grown:?}");
    assert_eq!(store.figures().bytes(), before);
    let found = store.response(&alice(), "grows", now()).await.unwrap().unwrap();
    assert_eq!(found.kept.status, Status::InProgress, "nothing of a refused change is left");
}

#[tokio::test]
async fn all_of_them_are_bounded() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    let mut kept = 0;
    let full = loop {
        match store.put_response(&alice(), of_size(&format!("r{kept}"), 60 << 10), now()).await {
            Ok(()) => kept += 1,
            Err(trouble) => break trouble,
        }
    };
    assert_eq!((full, kept), (Trouble::Full { limit: 1 << 20 }, 16));
    assert!(store.figures().bytes() <= 1 << 20);
    store.put_response(&bob(), response("small", None), now()).await.unwrap();
    assert!(store.delete_response(&alice(), "r0", now()).await.unwrap());
    store.put_response(&alice(), of_size("again", 60 << 10), now()).await.unwrap();
}

#[tokio::test]
async fn one_that_fails_takes_none_of_its_neighbours_along() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("taken", None), now()).await.unwrap();
    let owner = alice();
    let (one, two, three) = tokio::join!(
        store.put_response(&owner, response("one", None), now()),
        store.put_response(&owner, response("taken", None), now()),
        store.put_response(&owner, response("three", None), now()),
    );
    assert_eq!((one, two, three), (Ok(()), Err(Trouble::Exists), Ok(())));
    assert!(store.response(&alice(), "three", now()).await.unwrap().is_some());
    let expect: u64 =
        ["taken", "one", "three"].iter().map(|id| response(id, None).bytes().unsigned_abs()).sum();
    assert_eq!(store.figures().bytes(), expect);
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let folder = Folder::new();
    let store = Store::start(Settings { timeout: Duration::ZERO, ..settings(&folder.file()) }).await;
    let late = store.put_response(&alice(), response("r1", None), now()).await;
    assert_eq!(late, Err(Trouble::Late(Duration::ZERO)));
}

#[tokio::test]
async fn too_many_that_wait_are_turned_away_at_once() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    // The runtime has one thread: nothing is taken from the channel before all have asked.
    let owner = alice();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..400 {
        let (store, owner) = (store.clone(), owner.clone());
        asked.spawn(async move { store.response(&owner, "r1", now()).await });
    }
    let results = asked.join_all().await;
    let busy = results.iter().filter(|result| **result == Err(Trouble::Busy)).count();
    let well = results.iter().filter(|result| **result == Ok(None)).count();
    assert_eq!(busy + well, 400);
    assert!(busy >= 100 && well >= 256, "{busy} {well}");
    let counted: Vec<_> = store.figures().operations().collect();
    assert_eq!(counted, [("get", "ok", well as u64), ("get", "busy", busy as u64)]);
}

#[test]
fn troubles_are_told_as_faults() {
    let check = |trouble: Trouble, class: Class, status: u16, code: &str| {
        let cause = trouble.to_string();
        assert!(crate::OUTCOMES.contains(&trouble.name()), "{cause}");
        let fault = Fault::from(trouble);
        assert_eq!((fault.class, fault.status, fault.code.as_deref()), (class, status, Some(code)));
        assert_eq!(fault.cause.as_deref(), Some(&*cause));
        assert!(!fault.message.contains("secret"), "{fault}");
    };
    let said = || "unable to open /secret/place".to_owned();
    check(Trouble::Closed(said()), Class::Gateway, 503, "store_unavailable");
    check(Trouble::Failed(said()), Class::Gateway, 503, "store_unavailable");
    check(Trouble::Busy, Class::Gateway, 503, "store_unavailable");
    check(Trouble::Late(Duration::from_secs(2)), Class::Gateway, 503, "store_unavailable");
    check(Trouble::Exists, Class::Gateway, 503, "store_unavailable");
    check(Trouble::Full { limit: 7 }, Class::Limited, 503, "store_full");
    check(Trouble::TooLarge { bytes: 9, limit: 7 }, Class::Limited, 413, "store_entry_too_large");
    check(Trouble::TooLong("it is long"), Class::Caller, 400, "conversation_too_long");
}
