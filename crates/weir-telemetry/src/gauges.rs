//! Figures of the whole process, set seldom and from anywhere.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

/// State of the configuration and of the process.
#[derive(Debug, Default)]
pub struct Gauges {
    reloads_ok: AtomicU64,
    reloads_rejected: AtomicU64,
    last_rejected: AtomicBool,
    generation: AtomicU64,
    started_millis: AtomicU64,
}

impl Gauges {
    /// When the process started; not shown before it is set.
    pub fn set_started(&self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.started_millis.store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The configuration the process began with; counts as no reload.
    pub fn config_loaded(&self, generation: u64) {
        self.generation.store(generation, Relaxed);
    }

    /// A new configuration serves from now on.
    pub fn reload_accepted(&self, generation: u64) {
        self.reloads_ok.fetch_add(1, Relaxed);
        self.generation.store(generation, Relaxed);
        self.last_rejected.store(false, Relaxed);
    }

    /// A new configuration was invalid; the old one goes on serving.
    pub fn reload_rejected(&self) {
        self.reloads_rejected.fetch_add(1, Relaxed);
        self.last_rejected.store(true, Relaxed);
    }

    pub(crate) fn reloads(&self) -> [(&'static str, u64); 2] {
        [("ok", self.reloads_ok.load(Relaxed)), ("rejected", self.reloads_rejected.load(Relaxed))]
    }

    pub(crate) fn last_succeeded(&self) -> bool {
        !self.last_rejected.load(Relaxed)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Milliseconds since 1970 UTC; zero when not set.
    pub(crate) fn started_millis(&self) -> u64 {
        self.started_millis.load(Relaxed)
    }
}
