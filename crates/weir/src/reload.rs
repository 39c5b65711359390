//! Loading the configuration again: on SIGHUP, on request, when the file changes.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use weir_config::{Config, Problem, Problems, ProcessEnvironment, Span};
use weir_engine::Engine;
use weir_server::{Drain, Phase};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Loads one file into one engine.
pub(crate) struct Reloader {
    engine: Arc<Engine>,
    path: Option<PathBuf>,
    /// Where the public listener is: a reload cannot move it.
    public: SocketAddr,
    /// What the process was started with, for what only a restart can change.
    started_with: Config,
    /// One at a time, so that an older file never replaces a newer one.
    turn: Mutex<()>,
}

impl Reloader {
    /// `path` is `None` when the configuration came from the environment.
    pub(crate) fn new(
        engine: Arc<Engine>,
        path: Option<PathBuf>,
        public: SocketAddr,
        started_with: Config,
    ) -> Self {
        Reloader { engine, path, public, started_with, turn: Mutex::new(()) }
    }

    /// Loads the file again. An invalid one changes nothing.
    pub(crate) fn reload(&self) -> Result<u64, Problems> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.path {
            Some(path) => {
                let loaded = weir_config::load(path, &ProcessEnvironment);
                self.engine.reload(loaded.and_then(|config| self.fits(path, config)))
            }
            None => {
                let at = Span { file: "environment".into(), line: 1, column: 1 };
                let message = "the configuration came from the environment and cannot be loaded again";
                Err(Problem::new(&at, "", message).with_help("start with weir serve -c FILE").into())
            }
        }
    }

    /// The configuration, when it may serve on the listeners there are. Only loopback may go without keys, and that is
    /// decided by where this process listens, not by what the file now says.
    fn fits(&self, path: &Path, config: Config) -> Result<Config, Problems> {
        if config.keys.is_empty() && !self.public.ip().is_loopback() {
            let at = Span { file: path.display().to_string().into(), line: 1, column: 1 };
            let message = format!("without keys everybody who reaches {} could call", self.public);
            return Err(Problem::new(&at, "keys", message)
                .with_help("keep a key, or restart on loopback")
                .into());
        }
        for key in changed_at_restart_only(&self.started_with, &config) {
            tracing::warn!("{key} has changed; that takes effect when weir is restarted");
        }
        Ok(config)
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

/// The keys of the file that differ and that a reload does not apply.
fn changed_at_restart_only(old: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.admin.listen", old.server.admin.listen != new.server.admin.listen),
        ("server.admin.token", old.server.admin.token != new.server.admin.token),
        ("server.cores", old.server.cores != new.server.cores),
        ("server.grace", old.server.grace != new.server.grace),
        ("telemetry.access_log", old.telemetry.access_log != new.telemetry.access_log),
        ("telemetry.spans", old.telemetry.spans != new.telemetry.spans),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
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
            Reloader::new(engine.clone(), Some("t.yaml".into()), public.parse().unwrap(), parsed(keys))
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
}
