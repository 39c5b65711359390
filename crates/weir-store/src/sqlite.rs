//! The embedded engine. All that holds for SQLite alone is here.

use crate::Trouble;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Pool, SqlSafeStr, Sqlite};
use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One connection, as every statement takes it.
pub(crate) type Connection = sqlx::SqliteConnection;
/// One row.
pub(crate) type Row = sqlx::sqlite::SqliteRow;

/// Reads that go on at the same time; there is one writer beside them.
pub(crate) const READERS: u32 = 2;
/// How long a connection waits for another process that looks at the file.
const BUSY: Duration = Duration::from_secs(1);
/// Pages that go back to the disk with each sweep.
const SHRINK: &str = "PRAGMA incremental_vacuum(2000)";

/// The changes of the schema, in the order in which they came. One that has been released does not change.
const SCHEMA: [(i64, &str, &str); 1] =
    [(1, "responses and vendor objects", include_str!("schema/0001_responses_and_vendor_objects.sql"))];

/// Why the file could not be opened, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder is not there.
    #[error("{0}: the folder {1} is not there; make it, or correct store.path")]
    NoFolder(PathBuf, PathBuf),
    /// It, or its folder, cannot be written to.
    #[error("{0} cannot be written: {1}; let this user write the file and its folder, or correct store.path")]
    NotWritable(PathBuf, String),
    /// Another process has it.
    #[error("{0} is in use by another process; end that, or give each its own store.path")]
    InUse(PathBuf),
    /// It is no database, or a damaged one.
    #[error(
        "{0} is damaged, or no file of Weir's: {1}; move it and its -wal and -shm away, and an empty one takes its place"
    )]
    Damaged(PathBuf, String),
    /// A later version of Weir wrote it.
    #[error(
        "{0} was written by a later version of Weir (schema {1}); use that version, or another store.path"
    )]
    Newer(PathBuf, i64),
    /// Anything else.
    #[error("{0} cannot be opened: {1}")]
    Other(PathBuf, String),
}

/// An open file.
pub(crate) struct Sqlite3 {
    pub(crate) writer: Pool<Sqlite>,
    pub(crate) readers: Pool<Sqlite>,
    /// Nobody else has the file as long as this is locked.
    _lock: File,
}

impl Sqlite3 {
    /// Opens the file, which is made when it is not there, and brings its schema up to date.
    pub(crate) async fn open(path: &Path) -> Result<Sqlite3, OpenError> {
        let lock = lock(path)?;
        create(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            // What was answered survives a power cut as well: one flush for all that is written together.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let pool = |most| {
            let forever: Option<Duration> = None;
            SqlitePoolOptions::new()
                .max_connections(most)
                .test_before_acquire(false)
                .idle_timeout(forever)
                .max_lifetime(forever)
                .acquire_timeout(BUSY)
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(|e| opening(path, &e))?;
        migrator().run(&writer).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                OpenError::Newer(path.to_owned(), version)
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(path, &error),
            other => OpenError::Other(path.to_owned(), other.to_string()),
        })?;
        let readers = pool(READERS).connect_with(options.pragma("query_only", "ON")).await;
        Ok(Sqlite3 { writer, readers: readers.map_err(|e| opening(path, &e))?, _lock: lock })
    }

    /// Writes what is still in the log into the file, and lets go of it.
    pub(crate) async fn close(self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Gives unused pages back to the disk, some at a time.
pub(crate) async fn shrink(connection: &mut Connection) -> Result<(), Trouble> {
    sqlx::query(SHRINK).fetch_all(connection).await.map(drop).map_err(failed)
}

/// How a transaction begins that will write: it waits for its turn now rather than fail in its middle.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

fn migrator() -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        let name = Cow::Borrowed(name);
        Migration::new(version, name, MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(SCHEMA.into_iter().map(migration).collect())
}

/// Takes the file for this process alone. A file of its own is locked, since SQLite's locks on the database would end
/// with the first of our handles that closes. The lock ends with the process, however that ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(OpenError::NoFolder(path.to_owned(), folder.to_owned()));
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private().open(&name).map_err(|error| unwritable(Path::new(&name), &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(OpenError::Other(name.into(), error.to_string())),
    }
}

/// Makes the file if it is not there: what callers said is nobody else's to read.
fn create(path: &Path) -> Result<(), OpenError> {
    private().open(path).map(drop).map_err(|error| unwritable(path, &error))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

fn unwritable(path: &Path, error: &io::Error) -> OpenError {
    OpenError::NotWritable(path.to_owned(), error.to_string())
}

/// Primary result codes, <https://sqlite.org/rescode.html>.
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const READONLY: u32 = 8;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const NOTADB: u32 = 26;
}

fn code(error: &sqlx::Error) -> Option<u32> {
    let extended: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn opening(path: &Path, error: &sqlx::Error) -> OpenError {
    let (path, said) = (path.to_owned(), error.to_string());
    match code(error) {
        Some(code::NOTADB | code::CORRUPT) => OpenError::Damaged(path, said),
        Some(code::READONLY | code::CANTOPEN) => OpenError::NotWritable(path, said),
        Some(code::BUSY) => OpenError::InUse(path),
        _ => OpenError::Other(path, said),
    }
}

/// Whether a statement failed because there is an entry of the same key.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// A statement that failed, with what to do where that is known.
#[allow(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
pub(crate) fn failed(error: sqlx::Error) -> Trouble {
    let what_to_do = match code(&error) {
        Some(code::FULL) => "; the disk is full: make room",
        Some(code::READONLY) => "; the disk has become read-only",
        Some(code::CORRUPT | code::NOTADB) => {
            "; the file is damaged: stop weir, move it and its -wal and -shm away, and start it again"
        }
        _ => "",
    };
    Trouble::Failed(format!("{error}{what_to_do}"))
}
