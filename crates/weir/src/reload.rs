//! Loading the configuration again: on SIGHUP, on request, when the file changes.

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use weir_config::{Problem, Problems, ProcessEnvironment, Span};
use weir_engine::Engine;

/// A change is read when the file has been quiet for so long: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

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
            Err(problems) => tracing::error!("{why}: the configuration is invalid, the old one goes on:\n{problems}"),
        }
    }
}

/// Follows the file. The folder is watched, not the file: editors replace files, and Kubernetes swaps a link beside them.
/// Ends when the returned watcher is dropped.
pub(crate) fn watch(reloader: &Arc<Reloader>) -> Option<RecommendedWatcher> {
    let path = reloader.path.clone()?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let (changed, changes) = channel();
    let watching = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|e| !e.kind.is_access()) {
            let _ = changed.send(());
        }
    })
    .and_then(|mut watcher| watcher.watch(&folder, RecursiveMode::NonRecursive).map(|()| watcher));
    let watcher = match watching {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "the configuration file is not followed; send SIGHUP after a change");
            return None;
        }
    };
    let reloader = reloader.clone();
    let spawned = std::thread::Builder::new()
        .name("weir-reload".to_owned())
        .spawn(move || follow(&reloader, &path, &changes));
    if let Err(error) = spawned {
        tracing::warn!(%error, "the configuration file is not followed; send SIGHUP after a change");
    }
    Some(watcher)
}

fn follow(reloader: &Reloader, path: &Path, changes: &Receiver<()>) {
    let mut known = std::fs::read(path).ok();
    while changes.recv().is_ok() {
        loop {
            match changes.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        // Other files of the folder change, too.
        let now = std::fs::read(path).ok();
        if now.is_some() && now != known {
            known = now;
            reloader.reload_and_say("the file changed");
        }
    }
}
