//! The store as its users see it: on a file of its own, with the time as an argument.

mod bounds;
mod files;
mod objects;
mod responses;

use crate::{NewResponse, Owner, Settings, Status, Store};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const KEEP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("weir-store-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("weir.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

fn settings(path: &Path) -> Settings {
    Settings {
        path: path.to_owned(),
        keep: KEEP,
        max_total: 1 << 20,
        max_entry: 64 << 10,
        timeout: Duration::from_secs(30),
    }
}

async fn opened(folder: &Folder) -> Store {
    let store = Store::start(settings(&folder.file())).await;
    assert!(store.is_open(), "{:?}", store.sweep(now()).await);
    store
}

/// A day in the middle of it all.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn alice() -> Owner {
    Owner::key("alice")
}

fn bob() -> Owner {
    Owner::key("bob")
}

fn response(id: &str, previous: Option<&str>) -> NewResponse {
    NewResponse {
        id: id.to_owned(),
        previous: previous.map(str::to_owned),
        status: Status::Completed,
        input: format!("[\"input of {id}\"]"),
        body: format!("{{\"id\":\"{id}\"}}"),
    }
}
