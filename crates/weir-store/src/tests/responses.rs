//! Answers: whose they are, how long they live, what they continue.

use super::{DAY, Folder, KEEP, alice, bob, now, opened, response};
use crate::{NewResponse, Owner, Status, Trouble};
use std::time::Duration;

#[tokio::test]
async fn what_was_put_is_there_as_it_was() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    let new = NewResponse { body: "{\"text\":\"Grüße, \\u0000 🚀\"}".to_owned(), ..response("r1", None) };
    store.put_response(&alice(), new.clone(), now()).await.unwrap();
    let found = store.response(&alice(), "r1", now()).await.unwrap().unwrap();
    assert_eq!(found.kept, new);
    assert_eq!((found.created, found.expires), (now(), now() + KEEP));
    assert_eq!(store.response(&alice(), "r2", now()).await.unwrap(), None);
}

#[tokio::test]
async fn to_another_owner_it_is_not_there() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    store
        .put_response(&alice(), NewResponse { status: Status::Queued, ..response("r2", None) }, now())
        .await
        .unwrap();
    for other in [bob(), Owner::anyone(), Owner::key(""), Owner::key("Alice")] {
        assert_eq!(store.response(&other, "r1", now()).await.unwrap(), None, "{other:?}");
        assert!(store.conversation(&other, "r1", 1 << 20, now()).await.unwrap().is_empty(), "{other:?}");
        assert!(!store.delete_response(&other, "r1", now()).await.unwrap(), "{other:?}");
        let changed = store.update_response((&other, "r2"), Status::Failed, "{}".into(), now()).await;
        assert!(!changed.unwrap(), "{other:?}");
        // Nor can it be continued from: another's turn is a turn that is missing.
        let id = format!("of {other:?}");
        store.put_response(&other, response(&id, Some("r1")), now()).await.unwrap();
        let turns = store.conversation(&other, &id, 1 << 20, now()).await.unwrap();
        assert_eq!(turns.len(), 1);
        assert_eq!(turns[0].previous.as_deref(), Some("r1"));
    }
    assert!(store.response(&alice(), "r1", now()).await.unwrap().is_some());
    let taken = store.put_response(&bob(), response("r1", None), now()).await;
    assert_eq!(taken, Err(Trouble::Exists));
    assert_eq!(
        store.response(&alice(), "r2", now()).await.unwrap().unwrap().kept.status,
        Status::Queued,
        "nobody else has changed it"
    );
}

#[tokio::test]
async fn what_was_deleted_is_gone() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    let before = store.figures().bytes();
    assert!(before > 0);
    assert!(store.delete_response(&alice(), "r1", now()).await.unwrap());
    assert!(!store.delete_response(&alice(), "r1", now()).await.unwrap());
    assert_eq!(store.response(&alice(), "r1", now()).await.unwrap(), None);
    assert_eq!(store.figures().bytes(), 0);
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    assert_eq!(store.figures().bytes(), before, "its texts went with it");
}

#[tokio::test]
async fn what_has_expired_is_neither_read_nor_kept() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("old", None), now()).await.unwrap();
    store.put_response(&alice(), response("new", None), now() + DAY).await.unwrap();
    let end = now() + KEEP;
    let last = end - Duration::from_micros(1);
    assert!(store.response(&alice(), "old", last).await.unwrap().is_some());
    assert_eq!(store.response(&alice(), "old", end).await.unwrap(), None);
    assert!(store.conversation(&alice(), "old", 1 << 20, end).await.unwrap().is_empty());
    assert!(!store.delete_response(&alice(), "old", end).await.unwrap());
    assert_eq!(store.sweep(last).await, Ok(0));
    assert_eq!(store.sweep(end).await, Ok(1));
    assert_eq!(store.sweep(end).await, Ok(0));
    assert_eq!(store.response(&alice(), "old", now()).await.unwrap(), None, "swept");
    assert!(store.response(&alice(), "new", end).await.unwrap().is_some());
}

#[tokio::test]
async fn a_conversation_is_told_from_its_beginning() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    for (id, previous) in [("r1", None), ("r2", Some("r1")), ("other", Some("r1")), ("r3", Some("r2"))] {
        store.put_response(&alice(), response(id, previous), now()).await.unwrap();
    }
    let turns = store.conversation(&alice(), "r3", 1 << 20, now()).await.unwrap();
    let told: Vec<_> = turns.iter().map(|turn| (&*turn.id, &*turn.input, turn.status)).collect();
    assert_eq!(
        told,
        [
            ("r1", "[\"input of r1\"]", Status::Completed),
            ("r2", "[\"input of r2\"]", Status::Completed),
            ("r3", "[\"input of r3\"]", Status::Completed)
        ]
    );
    assert_eq!(turns[2].body, "{\"id\":\"r3\"}");
    store.delete_response(&alice(), "r2", now()).await.unwrap();
    let turns = store.conversation(&alice(), "r3", 1 << 20, now()).await.unwrap();
    assert_eq!((turns.len(), turns[0].previous.as_deref()), (1, Some("r2")), "what is missing shows");
    let too_long = store.conversation(&alice(), "other", 100, now()).await;
    assert!(matches!(too_long, Err(Trouble::TooLong(_))), "{too_long:?}");
}

#[tokio::test]
async fn a_conversation_has_an_end() {
    let folder = Folder::new();
    let store =
        crate::Store::start(crate::Settings { max_total: 1 << 30, ..super::settings(&folder.file()) }).await;
    let mut previous: Option<String> = None;
    for turn in 0..1001 {
        let id = format!("r{turn}");
        store.put_response(&alice(), response(&id, previous.as_deref()), now()).await.unwrap();
        previous = Some(id);
    }
    let told = store.conversation(&alice(), "r999", 1 << 30, now()).await.unwrap();
    assert_eq!(told.len(), 1000);
    let told = store.conversation(&alice(), "r1000", 1 << 30, now()).await;
    assert_eq!(told, Err(Trouble::TooLong("it has more than 1000 turns")));
    // One that leads to itself does not go round for ever.
    store.put_response(&alice(), response("round", Some("round")), now()).await.unwrap();
    let told = store.conversation(&alice(), "round", 1 << 30, now()).await;
    assert!(matches!(told, Err(Trouble::TooLong(_))), "{told:?}");
}

#[tokio::test]
async fn what_is_continued_lives_as_long_as_what_continues_it() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    store.put_response(&alice(), response("alone", None), now()).await.unwrap();
    let later = now() + 20 * DAY;
    store.put_response(&alice(), response("r2", Some("r1")), later).await.unwrap();
    let end = later + KEEP - Duration::from_micros(1);
    store.sweep(end).await.unwrap();
    assert_eq!(store.conversation(&alice(), "r2", 1 << 20, end).await.unwrap().len(), 2);
    assert_eq!(store.response(&alice(), "alone", end).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_being_made_changes_until_it_has_ended() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    let new = NewResponse { status: Status::Queued, ..response("r1", None) };
    store.put_response(&alice(), new, now()).await.unwrap();
    let before = store.figures().bytes();
    let status = async |status, body: &str| {
        let id = (&alice(), "r1");
        store.update_response(id, status, body.to_owned(), now()).await.unwrap()
    };
    assert!(status(Status::InProgress, "{\"longer\":\"than it was\"}").await);
    assert!(store.figures().bytes() > before);
    assert!(status(Status::Cancelled, "{}").await);
    assert!(store.figures().bytes() < before);
    assert!(!status(Status::Completed, "{\"too\":\"late\"}").await);
    let found = store.response(&alice(), "r1", now()).await.unwrap().unwrap().kept;
    assert_eq!((found.status, &*found.body, &*found.input), (Status::Cancelled, "{}", "[\"input of r1\"]"));
    store.delete_response(&alice(), "r1", now()).await.unwrap();
    assert_eq!(store.figures().bytes(), 0, "what it took was counted right");
}

#[test]
fn every_status_has_a_word_of_its_own() {
    for status in Status::ALL {
        assert_eq!(Status::ALL.iter().filter(|other| other.name() == status.name()).count(), 1);
        assert_eq!(status.is_final(), !["queued", "in_progress"].contains(&status.name()));
    }
}
