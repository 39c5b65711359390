//! What is written, and how much of it goes together.

use crate::sqlite::{self, Connection};
use crate::{NewResponse, Operation, Owner, Status, Trouble, VendorObject};
use crate::{objects, responses, totals};
use sqlx::{Acquire, Pool, Sqlite};
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The most entries that one sweep ends, so that others get their turn.
pub(crate) const SWEPT_AT_ONCE: i64 = 200;

/// One change of what is kept. Times are those of whoever asked.
#[derive(Debug)]
pub(crate) enum Change {
    PutResponse { owner: Owner, new: NewResponse, now: SystemTime },
    UpdateResponse { owner: Owner, id: String, status: Status, body: String, now: SystemTime },
    DeleteResponse { owner: Owner, id: String, now: SystemTime },
    PutObject { owner: Owner, object: VendorObject, keep: Duration },
    DeleteObject { owner: Owner, id: String, now: SystemTime },
    Sweep { now: SystemTime },
}

/// A change and who waits for it.
pub(crate) struct Write {
    pub(crate) change: Change,
    pub(crate) reply: oneshot::Sender<Result<u64, Trouble>>,
    /// The memory it takes while it waits.
    pub(crate) _room: OwnedSemaphorePermit,
}

/// What holds for every change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long answers are kept.
    pub(crate) keep: Duration,
    /// The bound on everything together, in bytes.
    pub(crate) total: u64,
    /// The bound on one entry, in bytes.
    pub(crate) entry: u64,
}

impl Change {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Change::PutResponse { .. } | Change::UpdateResponse { .. } | Change::PutObject { .. } => {
                Operation::Put
            }
            Change::DeleteResponse { .. } | Change::DeleteObject { .. } => Operation::Delete,
            Change::Sweep { .. } => Operation::Sweep,
        }
    }

    /// What it takes to hold it, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = match self {
            Change::PutResponse { new, .. } => new.bytes(),
            Change::UpdateResponse { body, .. } => {
                i64::try_from(body.len()).unwrap_or(i64::MAX).saturating_add(totals::OVERHEAD)
            }
            Change::PutObject { object, .. } => object.bytes(),
            Change::DeleteResponse { .. } | Change::DeleteObject { .. } | Change::Sweep { .. } => {
                totals::OVERHEAD
            }
        };
        bytes.unsigned_abs()
    }

    /// Carries it out. Gives how many entries it touched.
    async fn apply(&self, connection: &mut Connection, limits: Limits) -> Result<u64, Trouble> {
        match self {
            Change::PutResponse { owner, new, now } => {
                responses::put(connection, (owner, new), *now, limits.keep, limits.total).await
            }
            Change::UpdateResponse { owner, id, status, body, now } => {
                let bounds = (limits.entry, limits.total);
                responses::update(connection, (owner, id), (*status, body), *now, bounds).await
            }
            Change::DeleteResponse { owner, id, now } => {
                responses::delete(connection, (owner, id), *now).await
            }
            Change::PutObject { owner, object, keep } => {
                objects::put(connection, (owner, object), *keep, limits.total).await
            }
            Change::DeleteObject { owner, id, now } => objects::delete(connection, (owner, id), *now).await,
            Change::Sweep { now } => {
                let ended = responses::sweep(connection, *now, SWEPT_AT_ONCE).await?
                    + objects::sweep(connection, *now, SWEPT_AT_ONCE).await?;
                Ok(ended)
            }
        }
    }
}

/// Carries out changes in one transaction, so that they share one flush to the disk; each is whole or not there at all,
/// whatever becomes of the others. Nobody is answered before all of it is on the disk. Gives what is kept then.
pub(crate) async fn write(writer: &Pool<Sqlite>, writes: Vec<Write>, limits: Limits) -> Option<u64> {
    // Whoever has given up is told nothing, and it has not been done.
    let writes: Vec<Write> = writes.into_iter().filter(|write| !write.reply.is_closed()).collect();
    let (results, bytes) = match together(writer, &writes, limits).await {
        Ok((results, bytes)) => (results, Some(bytes)),
        Err(error) => {
            let trouble = sqlite::failed(error);
            tracing::error!(%trouble, changes = writes.len(), "the store could not write");
            (vec![Err(trouble); writes.len()], None)
        }
    };
    for (write, result) in writes.into_iter().zip(results) {
        // Whoever gave up meanwhile does not hear of it.
        let _gone = write.reply.send(result);
    }
    bytes
}

/// Ends some of what has expired, and gives a part of the room back to the disk. Gives how much it ended and what is
/// kept then.
pub(crate) async fn sweep(
    writer: &Pool<Sqlite>,
    now: SystemTime,
    limits: Limits,
) -> Result<(u64, u64), Trouble> {
    let mut connection = writer.acquire().await.map_err(sqlite::failed)?;
    let begun = sqlx::Connection::begin_with(&mut *connection, sqlite::BEGIN).await;
    let mut transaction = begun.map_err(sqlite::failed)?;
    let ended = Change::Sweep { now }.apply(&mut transaction, limits).await?;
    let bytes = totals::bytes(&mut transaction).await?;
    transaction.commit().await.map_err(sqlite::failed)?;
    sqlite::shrink(&mut connection).await?;
    Ok((ended, bytes))
}

async fn together(
    writer: &Pool<Sqlite>,
    writes: &[Write],
    limits: Limits,
) -> Result<(Vec<Result<u64, Trouble>>, u64), sqlx::Error> {
    let mut connection = writer.acquire().await?;
    let mut transaction = sqlx::Connection::begin_with(&mut *connection, sqlite::BEGIN).await?;
    let mut results = Vec::with_capacity(writes.len());
    for write in writes {
        let mut part = transaction.begin().await?;
        let result = write.change.apply(&mut part, limits).await;
        if result.is_ok() {
            part.commit().await?;
        } else {
            part.rollback().await?;
        }
        results.push(result);
    }
    let bytes = totals::bytes(&mut transaction).await.unwrap_or_default();
    transaction.commit().await?;
    Ok((results, bytes))
}
