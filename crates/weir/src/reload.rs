//! Loading the configuration again: on SIGHUP, on request, when the file changes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use weir_config::{Problem, Problems, ProcessEnvironment, Span};
use weir_engine::Engine;
use weir_server::{Drain, Phase};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Loads one file into one engine.
pub(crate) struct Reloader {
    engine: Arc<Engine>,
    path: Option<PathBuf>,
    /// One at a time, so that an older file never replaces a newer one.
    turn: Mutex<()>,
}

impl Reloader {
    /// `path` is `None` when the configuration came from the environment.
    pub(crate) fn new(engine: Arc<Engine>, path: Option<PathBuf>) -> Self {
        Reloader { engine, path, turn: Mutex::new(()) }
    }

    /// Loads the file again. An invalid one changes nothing.
    pub(crate) fn reload(&self) -> Result<u64, Problems> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.path {
            Some(path) => self.engine.reload(weir_config::load(path, &ProcessEnvironment)),
            None => {
                let at = Span { file: "environment".into(), line: 1, column: 1 };
                let message = "the configuration came from the environment and cannot be loaded again";
                Err(Problem::new(&at, "", message).with_help("start with weir serve -c FILE").into())
            }
        }
    }

    /// The same, with the outcome in the log.
    pub(crate) fn reload_and_say(&self, why: &str) {
        match self.reload() {
            Ok(generation) => tracing::info!(generation, "{why}: the configuration was loaded again"),
            Err(problems) => {
                tracing::error!("{why}: the configuration is invalid, the old one goes on:\n{problems}");
            }
        }
    }
}

/// Follows the file until the process drains: looks at it twice a second and loads it when what it says has changed and
/// then stood still for one look. Looking by path follows editors that replace the file and Kubernetes, which swaps a
/// link beside it.
pub(crate) async fn follow(reloader: Arc<Reloader>, mut drain: Drain) {
    let Some(path) = reloader.path.clone() else { return };
    let mut loaded = Seen::of(&path);
    let mut before = loaded.clone();
    loop {
        tokio::select! {
            () = drain.reached(Phase::Draining) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = Seen::of(&path);
        if now.is_some() && now == before && now != loaded {
            loaded = now.clone();
            let reloader = reloader.clone();
            // Reading and compiling take a while and would hold up the admin API.
            let reloading = tokio::task::spawn_blocking(move || reloader.reload_and_say("the file changed"));
            if let Err(error) = reloading.await {
                tracing::error!(%error, "reloading failed");
            }
        }
        before = now;
    }
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Seen {
    fn of(path: &Path) -> Option<Seen> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Seen { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
    }
}
