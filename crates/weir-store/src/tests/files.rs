//! The file: restarts, damage, disks that do not take it, other processes.

use super::{Folder, alice, now, opened, response, settings};
use crate::sqlite::{OpenError, Sqlite3};
use crate::{NewResponse, Status, Store, Trouble};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

async fn refused(path: &Path, part: &str) -> OpenError {
    let Err(error) = Sqlite3::open(path).await else { panic!("{} was opened", path.display()) };
    let said = error.to_string();
    assert!(said.contains(part) && said.contains(&path.display().to_string()), "{said}");
    let store = Store::start(settings(path)).await;
    assert!(!store.is_open());
    let trouble = store.put_response(&alice(), response("r1", None), now()).await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Closed(why) if why.contains(part)), "{trouble}");
    store.close().await;
    error
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    for (id, status) in [("queued", Status::Queued), ("running", Status::InProgress)] {
        store.put_response(&alice(), NewResponse { status, ..response(id, None) }, now()).await.unwrap();
    }
    let bytes = store.figures().bytes();
    store.close().await;
    assert!(matches!(store.response(&alice(), "r1", now()).await, Err(Trouble::Closed(_))));
    let store = opened(&folder).await;
    assert_eq!(store.figures().bytes(), bytes);
    let status = async |id| store.response(&alice(), id, now()).await.unwrap().unwrap().kept.status;
    assert_eq!(status("r1").await, Status::Completed);
    assert_eq!(status("queued").await, Status::Interrupted);
    assert_eq!(status("running").await, Status::Interrupted);
}

#[tokio::test]
async fn nobody_else_may_read_the_file() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}

#[tokio::test]
async fn what_was_written_is_there_even_if_nobody_closes() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    store.put_response(&alice(), response("r1", None), now()).await.unwrap();
    // What a killed process leaves behind.
    let other = Folder::new();
    for name in ["weir.db", "weir.db-wal"] {
        std::fs::copy(folder.0.join(name), other.0.join(name)).unwrap();
    }
    let again = opened(&other).await;
    assert!(again.response(&alice(), "r1", now()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_file_belongs_to_one_process_until_it_ends() {
    let folder = Folder::new();
    let store = opened(&folder).await;
    let error = refused(&folder.file(), "in use by another process").await;
    assert!(matches!(error, OpenError::InUse(_)));
    store.close().await;
    opened(&folder).await.close().await;
}

#[tokio::test]
async fn a_damaged_file_is_told_with_what_to_do() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "this is no database at all, and long enough to be looked at".repeat(99))
        .unwrap();
    let error = refused(&folder.file(), "move it and its -wal and -shm away").await;
    assert!(matches!(error, OpenError::Damaged(..)), "{error:?}");
    std::fs::remove_file(folder.file()).unwrap();
    opened(&folder).await.close().await;
}

#[tokio::test]
async fn a_file_of_a_later_version_is_left_alone() {
    let folder = Folder::new();
    opened(&folder).await.close().await;
    let engine = Sqlite3::open(&folder.file()).await.unwrap();
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999, 'later', TRUE, X'00', 0)";
    sqlx::query(later).execute(&engine.writer).await.unwrap();
    engine.close().await;
    let error = refused(&folder.file(), "later version of Weir (schema 999)").await;
    assert!(matches!(error, OpenError::Newer(_, 999)));
}

#[tokio::test]
async fn places_that_cannot_be_written_are_named() {
    let folder = Folder::new();
    let error = refused(&folder.0.join("not/there/weir.db"), "make it, or correct store.path").await;
    assert!(matches!(error, OpenError::NoFolder(..)));
    // Where nobody may make a file, not even the superuser, as on a disk that is read-only.
    let error = refused(Path::new("/sys/weir.db"), "correct store.path").await;
    assert!(matches!(error, OpenError::NotWritable(..)), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_nothing_else() {
    let folder = Folder::new();
    let engine = Sqlite3::open(&folder.file()).await.unwrap();
    let mut connection = engine.writer.acquire().await.unwrap();
    sqlx::query("PRAGMA max_page_count = 30").fetch_all(&mut *connection).await.unwrap();
    let new = NewResponse { body: "x".repeat(200_000), ..response("r1", None) };
    let put = crate::responses::put;
    let owner = alice();
    let full = put(&mut connection, (&owner, &new), now(), super::KEEP, u64::MAX).await.unwrap_err();
    assert!(matches!(&full, Trouble::Failed(said) if said.contains("make room")), "{full}");
    put(&mut connection, (&owner, &response("r2", None)), now(), super::KEEP, u64::MAX).await.unwrap();
}
