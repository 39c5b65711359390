//! Loading the configuration again: on SIGHUP, on request, when the file changes.

use crate::source::{self, Source};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use weir_config::{Config, Problem, Problems, Span};
use weir_engine::{Engine, Pending, ReloadReport};
use weir_server::{Drain, Phase};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Loads one file into one engine.
pub(crate) struct Reloader {
    engine: Arc<Engine>,
    source: Source,
    /// What the process was started with, for what only a restart can change.
    started_with: Config,
    /// The same with the addresses and the number of cores that came of it.
    running: Config,
    /// One at a time, so that an older file never replaces a newer one.
    turn: Mutex<()>,
    /// The catalogue of the operator's own that the file named when it was last read.
    catalog: Mutex<Option<PathBuf>>,
    /// What the files were like before anybody was served: whatever changes from then on is noticed.
    began: Option<Look>,
}

impl Reloader {
    /// `running` is `started_with` as it came to be.
    pub(crate) fn new(engine: Arc<Engine>, source: Source, started_with: Config, running: Config) -> Self {
        let catalog = Mutex::new(started_with.catalog.file.clone());
        let mut new =
            Reloader { engine, source, started_with, running, turn: Mutex::new(()), catalog, began: None };
        new.began = new.look();
        new
    }

    /// Loads the file again. An invalid one changes nothing.
    pub(crate) fn reload(&self) -> Result<ReloadReport, Problems> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.source.path {
            Some(path) => {
                let draft = source::draft(path, &self.source.overrides);
                if let Some(config) = &draft.config {
                    self.catalog().clone_from(&config.catalog.file);
                }
                let loaded = source::finish(draft);
                self.engine.reload(loaded.and_then(|config| self.fits(path, config)))
            }
            None => {
                let at = Span { file: "environment".into(), line: 1, column: 1 };
                let message = "the configuration came from the environment and cannot be loaded again";
                Err(Problem::new(&at, "", message).with_help("start with weir serve -c FILE").into())
            }
        }
    }

    /// The configuration, when it may serve on the listeners there are, with what only a start can set as it was set
    /// then; and what the file says of that. Only loopback may go without keys, and that is decided by where this
    /// process listens, not by what the file now says.
    fn fits(&self, path: &Path, config: Config) -> Result<(Config, Vec<Pending>), Problems> {
        let public = self.running.server.listen;
        if config.keys.is_empty() && !public.ip().is_loopback() {
            let at = Span { file: path.display().to_string().into(), line: 1, column: 1 };
            let message = format!("without keys everybody who reaches {public} could call");
            return Err(Problem::new(&at, "keys", message)
                .with_help("keep a key, or restart on loopback")
                .into());
        }
        let keys = changed_at_restart_only(&self.started_with, &config);
        for key in &keys {
            tracing::warn!("{key} has changed; that takes effect when weir is restarted");
        }
        let (in_force, in_file) = (self.running.redacted_json(), config.redacted_json());
        let value = |of: &serde_json::Value, key: &str| {
            of.pointer(&format!("/{}", key.replace('.', "/"))).cloned().unwrap_or_default()
        };
        let pending = |key| Pending { key, in_force: value(&in_force, key), in_file: value(&in_file, key) };
        Ok((as_running(config, &self.running), keys.into_iter().map(pending).collect()))
    }

    fn catalog(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present state of the files that a configuration is made of.
    fn look(&self) -> Option<Look> {
        let path = self.source.path.as_ref()?;
        Some(Look { file: Seen::of(path), catalog: self.catalog().as_deref().and_then(Seen::of) })
    }

    fn is_gone(&self) -> bool {
        self.source.path.as_ref().is_some_and(|path| !path.exists())
    }

    /// The same, with the outcome in the log.
    pub(crate) fn reload_and_say(&self, why: &str) {
        match self.reload() {
            Ok(report) => {
                tracing::info!(generation = report.generation, "{why}: the configuration was loaded again");
            }
            Err(problems) if self.is_gone() => {
                tracing::warn!("{why}: what was loaded last goes on serving: {problems}");
            }
            Err(problems) => {
                tracing::error!("{why}: the configuration is invalid, the old one goes on:\n{problems}");
            }
        }
    }
}

/// `config` with what only a start can set as it is in `running`.
fn as_running(mut config: Config, running: &Config) -> Config {
    config.server.listen = running.server.listen;
    config.server.admin = running.server.admin.clone();
    config.server.cores = running.server.cores;
    config.server.grace = running.server.grace;
    config.store.clone_from(&running.store);
    config.telemetry.access_log.clone_from(&running.telemetry.access_log);
    config.telemetry.spans = running.telemetry.spans;
    config
}

/// The keys of the file that differ and that a reload does not apply; the same that [`as_running`] sets.
fn changed_at_restart_only(old: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.admin.listen", old.server.admin.listen != new.server.admin.listen),
        ("server.admin.token", old.server.admin.token != new.server.admin.token),
        ("server.cores", old.server.cores != new.server.cores),
        ("server.grace", old.server.grace != new.server.grace),
        ("store", old.store != new.store),
        ("telemetry.access_log", old.telemetry.access_log != new.telemetry.access_log),
        ("telemetry.spans", old.telemetry.spans != new.telemetry.spans),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

/// Follows the file until the process drains: looks at it twice a second and loads it when what it says has changed and
/// then stood still for one look. Looking by path follows editors that replace the file and Kubernetes, which swaps a
/// link beside it. A file that is gone is tried as well, once: it is a configuration that cannot be read. The same goes for
/// the catalogue that the file names.
pub(crate) async fn follow(reloader: Arc<Reloader>, mut drain: Drain) {
    let Some(mut loaded) = reloader.began.clone() else { return };
    let mut before = loaded.clone();
    loop {
        tokio::select! {
            () = drain.reached(Phase::Draining) => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let Some(now) = reloader.look() else { return };
        if now == before && now != loaded {
            let why = match (&now.file, now.file == loaded.file) {
                (None, _) => "the file is gone",
                (Some(_), true) => "the catalogue's file changed",
                (Some(_), false) => "the file changed",
            };
            loaded = now.clone();
            let reloader = reloader.clone();
            // Reading and compiling take a while and would hold up the admin API.
            let reloading = tokio::task::spawn_blocking(move || reloader.reload_and_say(why));
            if let Err(error) = reloading.await {
                tracing::error!(%error, "reloading failed");
            }
        }
        before = now;
    }
}

/// What a configuration is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    file: Option<Seen>,
    /// That of the catalogue it names.
    catalog: Option<Seen>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::ProcessEnvironment;
    use weir_engine::Rosters;
    use weir_telemetry::{Settings, Telemetry};

    const FILE: &str = "
providers: { p: { kind: openai, base_url: \"http://127.0.0.1:1/v1\" } }
deployments: { d: { provider: p, model: m } }
routes: { r: { deployments: [d] } }
";

    fn parsed(extra: &str) -> Config {
        weir_config::parse("t.yaml", &format!("{FILE}{extra}"), &ProcessEnvironment).unwrap()
    }

    #[test]
    fn a_listener_that_is_open_to_others_keeps_its_keys() {
        let keys = "keys: { alice: { key: alice-secret } }\n";
        let engine =
            Engine::new(&parsed(keys), Rosters::BUILT_IN, Telemetry::start(&Settings::default()).unwrap())
                .unwrap();
        let reloader = |public: &str| {
            let mut running = parsed(keys);
            running.server.listen = public.parse().unwrap();
            Reloader::new(engine.clone(), Source::default(), parsed(keys), running)
        };
        let path = Path::new("t.yaml");
        let refused = reloader("0.0.0.0:7600").fits(path, parsed("")).unwrap_err();
        assert!(refused.to_string().contains("without keys everybody"), "{refused}");
        assert!(reloader("0.0.0.0:7600").fits(path, parsed(keys)).is_ok());
        assert!(reloader("127.0.0.1:7600").fits(path, parsed("")).is_ok());
    }

    #[test]
    fn what_only_a_restart_changes_is_named() {
        let new = "server: { listen: 127.0.0.1:9, cores: 7 }\ntelemetry: { spans: true }\n";
        let changed = changed_at_restart_only(&parsed(""), &parsed(new));
        assert_eq!(changed, ["server.listen", "server.cores", "telemetry.spans"]);
        assert!(changed_at_restart_only(&parsed(new), &parsed(new)).is_empty());
    }

    #[test]
    fn what_waits_for_a_restart_is_kept_as_it_was() {
        let all = "server: { listen: 127.0.0.1:9, admin: { listen: 127.0.0.1:8, token: canary-token }, cores: 7, \
                   grace: 9s }\ntelemetry: { spans: true, access_log: { path: stderr } }\nstore: {}\n";
        let (old, new) = (parsed(""), parsed(all));
        let telemetry = Telemetry::start(&Settings::default()).unwrap();
        let engine = Engine::new(&old, Rosters::BUILT_IN, telemetry).unwrap();
        let reloader = Reloader::new(engine, Source::default(), old.clone(), old.clone());
        let (config, pending) = reloader.fits(Path::new("t.yaml"), new.clone()).unwrap();
        assert!(changed_at_restart_only(&old, &config).is_empty(), "{config:?}");
        let keys: Vec<&str> = pending.iter().map(|p| p.key).collect();
        assert_eq!(keys, changed_at_restart_only(&old, &new), "each that differs is told");
        assert!(pending.iter().all(|p| p.in_force != p.in_file && !p.in_file.is_null()), "{pending:?}");
        assert!(!format!("{pending:?}").contains("canary"), "{pending:?}");
    }
}
