//! What lives at a vendor, under an id of ours: a video being made, a batch, a file.

use crate::responses::span;
use crate::sqlite::{Connection, Row as SqlRow, failed, is_taken};
use crate::time::{micros, system};
use crate::totals::{self, OVERHEAD};
use crate::{Owner, Trouble};
use sqlx::Row;
use std::time::{Duration, SystemTime};

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorKind {
    /// A video, made or being made.
    Video,
    /// A batch of requests.
    Batch,
    /// A file.
    File,
}

impl VendorKind {
    /// Every kind.
    pub const ALL: [VendorKind; 3] = [VendorKind::Video, VendorKind::Batch, VendorKind::File];

    /// Its word in the store.
    pub const fn name(self) -> &'static str {
        match self {
            VendorKind::Video => "video",
            VendorKind::Batch => "batch",
            VendorKind::File => "file",
        }
    }
}

/// What lives at a vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorObject {
    /// What callers know it as: unlike every other, and not to be guessed.
    pub id: String,
    /// What it is.
    pub kind: VendorKind,
    /// The provider that has it, by its name in the configuration.
    pub provider: String,
    /// The deployment that made it, by its name; empty where none did.
    pub deployment: String,
    /// What the vendor knows it as.
    pub vendor_id: String,
    /// Since when it is known.
    pub created: SystemTime,
}

impl VendorObject {
    /// What it takes to keep it.
    pub(crate) fn bytes(&self) -> i64 {
        let texts = self.id.len() + self.provider.len() + self.deployment.len() + self.vendor_id.len();
        i64::try_from(texts).unwrap_or(i64::MAX).saturating_add(OVERHEAD)
    }
}

/// Keeps a new one.
pub(crate) async fn put(
    connection: &mut Connection,
    (owner, object): (&Owner, &VendorObject),
    keep: Duration,
    limit: u64,
) -> Result<u64, Trouble> {
    totals::add(connection, object.bytes(), limit).await?;
    let created = micros(object.created);
    sqlx::query(
        "INSERT INTO vendor_objects (id, owner, kind, provider, deployment, vendor_id, created, expires, bytes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&object.id)
    .bind(owner.as_str())
    .bind(object.kind.name())
    .bind(&object.provider)
    .bind(&object.deployment)
    .bind(&object.vendor_id)
    .bind(created)
    .bind(created.saturating_add(span(keep)))
    .bind(object.bytes())
    .execute(connection)
    .await
    .map(|done| done.rows_affected())
    .map_err(|error| if is_taken(&error) { Trouble::Exists } else { failed(error) })
}

/// Ends one. Gives 0 when the owner has none such.
pub(crate) async fn delete(
    connection: &mut Connection,
    (owner, id): (&Owner, &str),
    now: SystemTime,
) -> Result<u64, Trouble> {
    let query = "DELETE FROM vendor_objects WHERE id = $1 AND owner = $2 AND expires > $3 RETURNING bytes";
    let query = sqlx::query(query).bind(id).bind(owner.as_str()).bind(micros(now));
    let rows = query.fetch_all(&mut *connection).await.map_err(failed)?;
    freed(connection, &rows).await
}

/// Ends up to `most` that have expired.
pub(crate) async fn sweep(connection: &mut Connection, now: SystemTime, most: i64) -> Result<u64, Trouble> {
    let query = "DELETE FROM vendor_objects WHERE id IN \
                 (SELECT id FROM vendor_objects WHERE expires <= $1 ORDER BY expires LIMIT $2) RETURNING bytes";
    let query = sqlx::query(query).bind(micros(now)).bind(most);
    let rows = query.fetch_all(&mut *connection).await.map_err(failed)?;
    freed(connection, &rows).await
}

async fn freed(connection: &mut Connection, rows: &[SqlRow]) -> Result<u64, Trouble> {
    let mut freed = 0_i64;
    for row in rows {
        freed = freed.saturating_add(row.try_get(0).map_err(failed)?);
    }
    totals::add(connection, -freed, u64::MAX).await?;
    Ok(rows.len() as u64)
}

/// One of the owner's.
pub(crate) async fn get(
    connection: &mut Connection,
    (owner, id): (&Owner, &str),
    now: SystemTime,
) -> Result<Option<VendorObject>, Trouble> {
    let query = "SELECT id, kind, provider, deployment, vendor_id, created FROM vendor_objects \
                 WHERE id = $1 AND owner = $2 AND expires > $3";
    let query = sqlx::query(query).bind(id).bind(owner.as_str()).bind(micros(now));
    let row = query.fetch_optional(connection).await.map_err(failed)?;
    row.as_ref().map(object).transpose()
}

/// The owner's of a kind, the latest first, at most `most`.
pub(crate) async fn list(
    connection: &mut Connection,
    (owner, kind): (&Owner, VendorKind),
    now: SystemTime,
    most: u32,
) -> Result<Vec<VendorObject>, Trouble> {
    let query = "SELECT id, kind, provider, deployment, vendor_id, created FROM vendor_objects \
                 WHERE owner = $1 AND kind = $2 AND expires > $3 ORDER BY created DESC, id LIMIT $4";
    let query = sqlx::query(query).bind(owner.as_str()).bind(kind.name()).bind(micros(now));
    let rows = query.bind(i64::from(most)).fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(object).collect()
}

fn object(row: &SqlRow) -> Result<VendorObject, Trouble> {
    let text = |column| row.try_get::<String, usize>(column).map_err(failed);
    let name = text(1)?;
    let kind = VendorKind::ALL.into_iter().find(|kind| kind.name() == name);
    Ok(VendorObject {
        id: text(0)?,
        kind: kind.ok_or_else(|| Trouble::Failed(format!("an object of the unknown kind {name:?}")))?,
        provider: text(2)?,
        deployment: text(3)?,
        vendor_id: text(4)?,
        created: system(row.try_get(5).map_err(failed)?),
    })
}
