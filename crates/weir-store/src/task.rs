//! The task that has the engine: opens it, writes, lets read, sweeps, closes.

use crate::change::{self, Write};
use crate::handle::{Read, Shared};
use crate::sqlite::{self, OpenError, READERS, Sqlite3};
use crate::{Operation, Trouble, responses, totals};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How long until a file that could not be opened is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How often what has expired is swept.
const SWEEP: Duration = Duration::from_secs(60);
/// The most changes that share one flush.
const TOGETHER: usize = 64;

/// What the task takes.
pub(crate) struct Inbox {
    pub(crate) writes: mpsc::Receiver<Write>,
    pub(crate) reads: mpsc::Receiver<Read>,
    pub(crate) closing: watch::Receiver<bool>,
}

/// Opens the file and leaves nothing in it that looks as if it were going on.
pub(crate) async fn open(shared: &Shared, path: &Path) -> Result<Sqlite3, OpenError> {
    let engine = Sqlite3::open(path).await?;
    let begun = async {
        let failed = |error: sqlx::Error| sqlite::failed(error);
        let mut connection = engine.writer.acquire().await.map_err(failed)?;
        let interrupted = responses::interrupt(&mut connection).await?;
        Ok::<_, Trouble>((interrupted, totals::bytes(&mut connection).await?))
    };
    match begun.await {
        Ok((interrupted, bytes)) => {
            shared.figures.holds(bytes);
            shared.opened(Ok(()));
            tracing::info!(path = %path.display(), bytes, interrupted, "the store is open");
            Ok(engine)
        }
        Err(trouble) => {
            engine.close().await;
            Err(OpenError::Damaged(path.to_owned(), trouble.to_string()))
        }
    }
}

/// Runs until it is told to close. Without an engine it tries to open one, and tells everybody that there is none.
pub(crate) async fn run(shared: Arc<Shared>, path: PathBuf, opened: Option<Sqlite3>, mut inbox: Inbox) {
    let mut engine = opened;
    loop {
        if let Some(engine) = engine.take() {
            serve(&shared, &engine, &mut inbox).await;
            shared.opened(Err("it is being closed".to_owned()));
            engine.close().await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(TRY_AGAIN) => {}
            () = told(&mut inbox.closing) => return,
        }
        match open(&shared, &path).await {
            Ok(opened) => engine = Some(opened),
            Err(error) => shared.opened(Err(error.to_string())),
        }
    }
}

/// Writes and lets read until it is told to close; what has been taken by then is still carried out.
async fn serve(shared: &Shared, engine: &Sqlite3, inbox: &mut Inbox) {
    let Inbox { writes, reads, closing } = inbox;
    tokio::join!(write(shared, engine, writes, closing.clone()), read(engine, reads, closing.clone()));
}

async fn write(
    shared: &Shared,
    engine: &Sqlite3,
    writes: &mut mpsc::Receiver<Write>,
    mut closing: watch::Receiver<bool>,
) {
    let mut sweep = interval_at(Instant::now() + SWEEP, SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            taken = writes.recv_many(&mut batch, TOGETHER) => {
                if taken == 0 {
                    return;
                }
                let bytes = change::write(&engine.writer, std::mem::take(&mut batch), shared.limits).await;
                if let Some(bytes) = bytes {
                    shared.figures.holds(bytes);
                }
            }
            _ = sweep.tick() => sweep_all(shared, engine).await,
            () = told(&mut closing), if !writes.is_closed() => writes.close(),
        }
    }
}

async fn read(engine: &Sqlite3, reads: &mut mpsc::Receiver<Read>, mut closing: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(READERS as usize));
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            next = reads.recv() => {
                let Some(next) = next else { break };
                // The semaphore is never closed.
                let Ok(place) = places.clone().acquire_owned().await else { break };
                while under_way.try_join_next().is_some() {}
                let readers = engine.readers.clone();
                under_way.spawn(async move {
                    next.carry_out(&readers).await;
                    drop(place);
                });
            }
            () = told(&mut closing), if !reads.is_closed() => reads.close(),
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Waits for the word to close.
async fn told(closing: &mut watch::Receiver<bool>) {
    // A sender that is gone says the same.
    let _word = closing.wait_for(|closing| *closing).await.is_ok();
}

/// Ends everything that has expired, some at a time, and gives a part of the room back to the disk.
async fn sweep_all(shared: &Shared, engine: &Sqlite3) {
    let begun = Instant::now();
    let result = async {
        let mut all = 0;
        loop {
            let (ended, bytes) = change::sweep(&engine.writer, SystemTime::now(), shared.limits).await?;
            shared.figures.holds(bytes);
            all += ended;
            if ended == 0 {
                return Ok(all);
            }
        }
    };
    let result: Result<u64, Trouble> = result.await;
    shared.figures.ended(Operation::Sweep, &result, begun.elapsed());
    match result {
        Ok(0) => {}
        Ok(ended) => tracing::debug!(ended, "what had expired in the store is gone"),
        Err(trouble) => tracing::warn!(%trouble, "the store could not be swept; it is tried again"),
    }
}
