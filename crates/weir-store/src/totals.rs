//! How much is kept, and the bound on it.

use crate::Trouble;
use crate::sqlite::{Connection, failed};
use sqlx::Row;

/// What an entry takes beside its texts.
pub(crate) const OVERHEAD: i64 = 256;

/// Counts more bytes as kept, unless that would be more than `limit`; less always goes.
pub(crate) async fn add(connection: &mut Connection, bytes: i64, limit: u64) -> Result<(), Trouble> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let query = "UPDATE totals SET bytes = bytes + $1 WHERE name = 'all' AND ($1 <= 0 OR bytes + $1 <= $2)";
    let done = sqlx::query(query).bind(bytes).bind(most).execute(connection).await.map_err(failed)?;
    if done.rows_affected() == 0 { Err(Trouble::Full { limit }) } else { Ok(()) }
}

/// What all entries take.
pub(crate) async fn bytes(connection: &mut Connection) -> Result<u64, Trouble> {
    let row = sqlx::query("SELECT bytes FROM totals WHERE name = 'all'").fetch_one(connection).await;
    let bytes: i64 = row.and_then(|row| row.try_get(0)).map_err(failed)?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}
