//! Turns finished exchanges into Prometheus metrics, JSON access-log lines and trace events.
//!
//! Does not know what happens next, where a request came from, nor any HTTP: whoever serves `/metrics` asks for the
//! text, and whoever owns a figure that is not counted here offers it as a [`Sample`].

mod access_log;
mod gauges;
mod json;
mod metric;
mod recorder;
mod render;
mod series;
mod span;

pub use access_log::LogTarget;
pub use gauges::Gauges;
pub use metric::reference;
pub use recorder::Recorder;
pub use render::{CONTENT_TYPE, DeploymentInfo, Sample};

use access_log::Queue;
use series::Shard;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What to emit besides metrics, which are always counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where access-log lines go; `None` writes none.
    pub access_log: Option<LogTarget>,
    /// Whether every exchange becomes a `tracing` event of target `weir::exchange`.
    pub spans: bool,
}

/// A figure that someone else owns, asked for at every scrape.
/// A moment as RFC 3339 has it, in UTC, to the millisecond.
pub fn rfc3339(at: std::time::SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .map_or_else(|_| "9999-12-31T23:59:59.999Z".to_owned(), |at| format!("{at:.3}"))
}

type Source = Arc<dyn Fn() -> Vec<Sample> + Send + Sync>;

/// The hub: knows every core's shard, merges them when asked, and owns the access log's writer thread.
pub struct Telemetry {
    spans: bool,
    log: Option<Arc<Queue>>,
    shards: Mutex<Vec<Arc<Shard>>>,
    gauges: Gauges,
    deployments: Mutex<Vec<DeploymentInfo>>,
    sources: Mutex<Vec<Source>>,
}

impl Telemetry {
    /// Opens the log's target and starts its writer thread. Fails when either cannot be had.
    pub fn start(settings: &Settings) -> io::Result<Arc<Telemetry>> {
        let writer = settings.access_log.as_ref().map(LogTarget::open).transpose()?;
        Self::with_writer(settings.spans, writer)
    }

    /// The same with any writer for the access log; it is called on a thread of its own, with whole lines in pieces of
    /// any size.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn with_writer(spans: bool, writer: Option<Box<dyn io::Write + Send>>) -> io::Result<Arc<Telemetry>> {
        Ok(Arc::new(Telemetry {
            spans,
            log: writer.map(Queue::start).transpose()?,
            shards: Mutex::default(),
            gauges: Gauges::default(),
            deployments: Mutex::default(),
            sources: Mutex::default(),
        }))
    }

    /// A recorder with a shard of its own; one for each core's thread. What it counted stays after it is dropped.
    pub fn recorder(self: &Arc<Self>) -> Recorder {
        let shard = Arc::new(Shard::default());
        lock(&self.shards).push(shard.clone());
        Recorder::new(shard, self.log.clone(), self.spans)
    }

    /// Everything as OpenMetrics text, to be served as [`CONTENT_TYPE`]. Calls every source; blocks no recorder.
    pub fn render(&self) -> String {
        let shards = lock(&self.shards).clone();
        let sources = lock(&self.sources).clone();
        let mut snapshot = render::Snapshot::of(&shards, &self.gauges);
        snapshot.lines_dropped = self.log.as_ref().map_or(0, |log| log.dropped());
        snapshot.deployments = lock(&self.deployments).clone();
        for source in sources {
            snapshot.add_samples(source());
        }
        snapshot.into_text()
    }

    /// Requests that have ended, whatever became of them.
    pub fn requests(&self) -> u64 {
        let shards = lock(&self.shards).clone();
        let series = shards.iter().flat_map(|shard| shard.series());
        series.map(|series| series.counts.all_requests()).sum()
    }

    /// Replaces what `weir_deployment_info` says; call it with every accepted configuration.
    pub fn set_deployments(&self, deployments: Vec<DeploymentInfo>) {
        *lock(&self.deployments) = deployments;
    }

    /// Figures of the whole process.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Adds figures that are asked for at every scrape, on the scraping thread.
    pub fn add_source(&self, source: Box<dyn Fn() -> Vec<Sample> + Send + Sync>) {
        lock(&self.sources).push(Arc::from(source));
    }

    /// Waits until the log lines handed over so far are written or given up, at most `within`. A recorder hands its
    /// last lines over in [`Recorder::tick`] or when it is dropped. Returns whether nothing is left.
    pub fn flush(&self, within: Duration) -> bool {
        self.log.as_ref().is_none_or(|log| log.flush(within))
    }
}

impl Drop for Telemetry {
    /// Ends the writer thread once it has written what is queued; does not wait for it, since it may be
    /// stuck. Lines that a recorder hands over later are lost, so recorders end first.
    fn drop(&mut self) {
        if let Some(log) = &self.log {
            log.close();
        }
    }
}

/// Locks even after a panic elsewhere: nothing kept under these locks is ever half-changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
