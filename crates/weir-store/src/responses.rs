//! Answers that are kept under their ids, and the conversations that they make.

use crate::sqlite::{Connection, Row as SqlRow, failed, is_taken};
use crate::time::{micros, system};
use crate::totals::{self, OVERHEAD};
use crate::{Owner, Trouble};
use sqlx::Row;
use std::time::{Duration, SystemTime};

/// The most turns of one conversation.
pub(crate) const MOST_TURNS: i64 = 1_000;

/// How much longer than an answer those live that it continues: they are told so once a day, not with every turn.
const LONGER: Duration = Duration::from_secs(24 * 60 * 60);

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is to be made.
    Queued,
    /// It is being made.
    InProgress,
    /// It is whole.
    Completed,
    /// It could not be made.
    Failed,
    /// The caller did not want it any more.
    Cancelled,
    /// It ended early: too long, or refused.
    Incomplete,
    /// The process that made it ended before it did. A client is told that it failed.
    Interrupted,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 7] = [
        Status::Queued,
        Status::InProgress,
        Status::Completed,
        Status::Failed,
        Status::Cancelled,
        Status::Incomplete,
        Status::Interrupted,
    ];

    /// Its word in the store; but for `interrupted`, that of OpenAI's API as well.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
            Status::Incomplete => "incomplete",
            Status::Interrupted => "interrupted",
        }
    }

    /// Whether it changes no more.
    pub const fn is_final(self) -> bool {
        !matches!(self, Status::Queued | Status::InProgress)
    }

    fn named(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// An answer to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResponse {
    /// Unlike every other, and not to be guessed.
    pub id: String,
    /// The answer that it continues.
    pub previous: Option<String>,
    /// How far it has come.
    pub status: Status,
    /// What the caller sent that was new: a JSON array of items.
    pub input: String,
    /// The answer as the caller gets it.
    pub body: String,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What it was kept as.
    pub kept: NewResponse,
    /// Since when.
    pub created: SystemTime,
    /// Until when.
    pub expires: SystemTime,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The answer's id.
    pub id: String,
    /// How far it has come.
    pub status: Status,
    /// What the caller sent: a JSON array of items.
    pub input: String,
    /// What was answered.
    pub body: String,
    /// The turn before it, by its id.
    pub previous: Option<String>,
}

impl NewResponse {
    /// What it takes to keep it.
    pub(crate) fn bytes(&self) -> i64 {
        let previous = self.previous.as_ref().map_or(0, String::len);
        let texts = self.id.len() + previous + self.input.len();
        i64::try_from(texts).unwrap_or(i64::MAX).saturating_add(length(&self.body)).saturating_add(OVERHEAD)
    }
}

/// Keeps a new one, and those that it continues at least as long.
pub(crate) async fn put(
    connection: &mut Connection,
    (owner, new): (&Owner, &NewResponse),
    now: SystemTime,
    keep: Duration,
    limit: u64,
) -> Result<u64, Trouble> {
    let expires = micros(now).saturating_add(span(keep));
    totals::add(connection, new.bytes(), limit).await?;
    sqlx::query(
        "INSERT INTO responses (id, owner, previous, status, created, expires, bytes, body_bytes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&new.id)
    .bind(owner.as_str())
    .bind(&new.previous)
    .bind(new.status.name())
    .bind(micros(now))
    .bind(expires)
    .bind(new.bytes())
    .bind(length(&new.body))
    .execute(&mut *connection)
    .await
    .map_err(|error| if is_taken(&error) { Trouble::Exists } else { failed(error) })?;
    sqlx::query("INSERT INTO response_texts (id, input, body) VALUES ($1, $2, $3)")
        .bind(&new.id)
        .bind(&new.input)
        .bind(&new.body)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    if let Some(previous) = &new.previous {
        outlive(connection, (owner, previous), micros(now), expires).await?;
    }
    Ok(1)
}

/// Lets those that lead to `last` live longer than until `expires`. One that is gone cuts the way: what lies behind it
/// cannot be continued any more.
async fn outlive(
    connection: &mut Connection,
    (owner, last): (&Owner, &str),
    now: i64,
    expires: i64,
) -> Result<(), Trouble> {
    sqlx::query(
        "WITH RECURSIVE chain (id, previous, depth) AS ( \
             SELECT id, previous, 1 FROM responses WHERE id = $1 AND owner = $2 AND expires > $3 \
             UNION ALL \
             SELECT r.id, r.previous, c.depth + 1 FROM responses r JOIN chain c ON r.id = c.previous \
             WHERE r.owner = $2 AND r.expires > $3 AND c.depth < $4 \
         ) \
         UPDATE responses SET expires = $5 WHERE expires < $6 AND id IN (SELECT id FROM chain)",
    )
    .bind(last)
    .bind(owner.as_str())
    .bind(now)
    .bind(MOST_TURNS)
    .bind(expires.saturating_add(span(LONGER)))
    .bind(expires)
    .execute(connection)
    .await
    .map(drop)
    .map_err(failed)
}

/// Writes one anew that is not final yet. Gives 0 when there is none such.
pub(crate) async fn update(
    connection: &mut Connection,
    (owner, id): (&Owner, &str),
    (status, body): (Status, &str),
    now: SystemTime,
    limits: (u64, u64),
) -> Result<u64, Trouble> {
    let row = sqlx::query(
        "SELECT bytes, body_bytes FROM responses \
         WHERE id = $1 AND owner = $2 AND expires > $3 AND status IN ('queued', 'in_progress')",
    )
    .bind(id)
    .bind(owner.as_str())
    .bind(micros(now))
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    let Some(row) = row else { return Ok(0) };
    let (bytes, old): (i64, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    let more = length(body).saturating_sub(old);
    let (most_of_one, limit) = limits;
    let bytes = bytes.saturating_add(more);
    if u64::try_from(bytes).unwrap_or_default() > most_of_one {
        return Err(Trouble::TooLarge { bytes: bytes.unsigned_abs(), limit: most_of_one });
    }
    totals::add(connection, more, limit).await?;
    sqlx::query("UPDATE responses SET status = $1, bytes = $2, body_bytes = $3 WHERE id = $4")
        .bind(status.name())
        .bind(bytes)
        .bind(length(body))
        .bind(id)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let query = sqlx::query("UPDATE response_texts SET body = $1 WHERE id = $2").bind(body).bind(id);
    query.execute(connection).await.map(|done| done.rows_affected()).map_err(failed)
}

/// Ends one. Gives 0 when the owner has none such.
pub(crate) async fn delete(
    connection: &mut Connection,
    (owner, id): (&Owner, &str),
    now: SystemTime,
) -> Result<u64, Trouble> {
    let query = "DELETE FROM responses WHERE id = $1 AND owner = $2 AND expires > $3 RETURNING id, bytes";
    let query = sqlx::query(query).bind(id).bind(owner.as_str()).bind(micros(now));
    let rows = query.fetch_all(&mut *connection).await.map_err(failed)?;
    forget(connection, rows).await
}

/// Ends up to `most` that have expired.
pub(crate) async fn sweep(connection: &mut Connection, now: SystemTime, most: i64) -> Result<u64, Trouble> {
    let query = "DELETE FROM responses WHERE id IN \
                 (SELECT id FROM responses WHERE expires <= $1 ORDER BY expires LIMIT $2) RETURNING id, bytes";
    let query = sqlx::query(query).bind(micros(now)).bind(most);
    let rows = query.fetch_all(&mut *connection).await.map_err(failed)?;
    forget(connection, rows).await
}

async fn forget(connection: &mut Connection, rows: Vec<SqlRow>) -> Result<u64, Trouble> {
    let mut freed = 0_i64;
    for row in &rows {
        let id: &str = row.try_get(0).map_err(failed)?;
        freed = freed.saturating_add(row.try_get(1).map_err(failed)?);
        let query = sqlx::query("DELETE FROM response_texts WHERE id = $1").bind(id);
        query.execute(&mut *connection).await.map_err(failed)?;
    }
    totals::add(connection, -freed, u64::MAX).await?;
    Ok(rows.len() as u64)
}

/// Says of all that were being made that they were interrupted: whoever made them is not there any more.
pub(crate) async fn interrupt(connection: &mut Connection) -> Result<u64, Trouble> {
    let query = "UPDATE responses SET status = 'interrupted' WHERE status IN ('queued', 'in_progress')";
    let done = sqlx::query(query).execute(connection).await.map_err(failed)?;
    Ok(done.rows_affected())
}

/// One of the owner's.
pub(crate) async fn get(
    connection: &mut Connection,
    (owner, id): (&Owner, &str),
    now: SystemTime,
) -> Result<Option<Response>, Trouble> {
    let query = "SELECT r.id, r.previous, r.status, t.input, t.body, r.created, r.expires \
                 FROM responses r JOIN response_texts t ON t.id = r.id \
                 WHERE r.id = $1 AND r.owner = $2 AND r.expires > $3";
    let query = sqlx::query(query).bind(id).bind(owner.as_str()).bind(micros(now));
    let row = query.fetch_optional(connection).await.map_err(failed)?;
    row.map(|row| {
        let at = |column| row.try_get::<i64, usize>(column).map(system).map_err(failed);
        let kept = NewResponse {
            id: row.try_get(0).map_err(failed)?,
            previous: row.try_get(1).map_err(failed)?,
            status: status(&row, 2)?,
            input: row.try_get(3).map_err(failed)?,
            body: row.try_get(4).map_err(failed)?,
        };
        Ok(Response { kept, created: at(5)?, expires: at(6)? })
    })
    .transpose()
}

/// The conversation that ends with `last`, from its beginning as far as it is there: a first turn that has a previous
/// one lacks that. Empty when the owner has no such last one. At most `most` bytes of texts.
pub(crate) async fn conversation(
    connection: &mut Connection,
    (owner, last): (&Owner, &str),
    now: SystemTime,
    most: u64,
) -> Result<Vec<Turn>, Trouble> {
    const CHAIN: &str = "WITH RECURSIVE chain (id, previous, bytes, depth) AS ( \
             SELECT id, previous, bytes, 1 FROM responses WHERE id = $1 AND owner = $2 AND expires > $3 \
             UNION ALL \
             SELECT r.id, r.previous, r.bytes, c.depth + 1 FROM responses r JOIN chain c ON r.id = c.previous \
             WHERE r.owner = $2 AND r.expires > $3 AND c.depth <= $4 \
         ) \
         SELECT id, bytes FROM chain ORDER BY depth DESC";
    let query = sqlx::query(CHAIN).bind(last).bind(owner.as_str()).bind(micros(now)).bind(MOST_TURNS);
    let rows = query.fetch_all(&mut *connection).await.map_err(failed)?;
    if rows.len() > usize::try_from(MOST_TURNS).unwrap_or(usize::MAX) {
        return Err(Trouble::TooLong("it has more than 1000 turns"));
    }
    let mut bytes = 0_u64;
    for row in &rows {
        let more: i64 = row.try_get(1).map_err(failed)?;
        bytes = bytes.saturating_add(u64::try_from(more).unwrap_or_default());
    }
    if bytes > most {
        return Err(Trouble::TooLong("it is larger than a request may be"));
    }
    let mut turns = Vec::with_capacity(rows.len());
    for row in &rows {
        let query = "SELECT r.id, r.status, t.input, t.body, r.previous \
                     FROM responses r JOIN response_texts t ON t.id = r.id WHERE r.id = $1";
        let query = sqlx::query(query).bind(row.try_get::<&str, usize>(0).map_err(failed)?);
        let row = query.fetch_one(&mut *connection).await.map_err(failed)?;
        turns.push(Turn {
            id: row.try_get(0).map_err(failed)?,
            status: status(&row, 1)?,
            input: row.try_get(2).map_err(failed)?,
            body: row.try_get(3).map_err(failed)?,
            previous: row.try_get(4).map_err(failed)?,
        });
    }
    Ok(turns)
}

fn status(row: &SqlRow, column: usize) -> Result<Status, Trouble> {
    let name: &str = row.try_get(column).map_err(failed)?;
    Status::named(name).ok_or_else(|| Trouble::Failed(format!("an answer of the unknown status {name:?}")))
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// A stretch of time as the tables hold it.
pub(crate) fn span(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
