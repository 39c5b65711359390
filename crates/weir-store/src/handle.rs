//! The handle: what can be asked of a store, from anywhere, without ever being held up.

use crate::change::{Change, Limits, Write};
use crate::figures::{Figures, Operation};
use crate::task::{self, Inbox};
use crate::{
    NewResponse, Owner, Response, Status, Trouble, Turn, VendorKind, VendorObject, objects, responses, sqlite,
};
use sqlx::{Pool, Sqlite};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Requests that wait for the task, of each direction.
const WAITING: usize = 256;
/// The most bytes of changes that wait; more where one entry alone may be larger.
const WAITING_BYTES: u64 = 64 << 20;
/// Changes take their room in pieces of so many bytes.
const PIECE: u64 = 1 << 10;

/// What a store is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its file.
    pub path: PathBuf,
    /// How long answers are kept.
    pub keep: Duration,
    /// The bound on everything that is kept together, in bytes.
    pub max_total: u64,
    /// The bound on one entry, in bytes.
    pub max_entry: u64,
    /// How long anybody waits for an operation.
    pub timeout: Duration,
}

/// A store. Cheap to copy; all copies are the same store.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    writes: mpsc::Sender<Write>,
    reads: mpsc::Sender<Read>,
    room: Arc<Semaphore>,
    timeout: Duration,
    pub(crate) limits: Limits,
    pub(crate) figures: Figures,
    /// Why it is not open.
    closed: Mutex<Option<String>>,
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What is read, and who waits for it.
pub(crate) enum Read {
    Response { key: Key, reply: oneshot::Sender<Result<Option<Response>, Trouble>> },
    Conversation { key: Key, most: u64, reply: oneshot::Sender<Result<Vec<Turn>, Trouble>> },
    Object { key: Key, reply: oneshot::Sender<Result<Option<VendorObject>, Trouble>> },
    Objects { owner: Owner, kind: VendorKind, most: u32, now: SystemTime, reply: Objects },
}

type Objects = oneshot::Sender<Result<Vec<VendorObject>, Trouble>>;

/// An entry, by whoever asks for it and when.
pub(crate) struct Key {
    owner: Owner,
    id: String,
    now: SystemTime,
}

impl Store {
    /// Starts the store's task on the runtime this is called on, and tries to open the file once. Where that fails, the
    /// store is there, says so to whoever asks, and goes on trying.
    pub async fn start(settings: Settings) -> Store {
        let Settings { path, keep, max_total, max_entry, timeout } = settings;
        let (writes, incoming_writes) = mpsc::channel(WAITING);
        let (reads, incoming_reads) = mpsc::channel(WAITING);
        let (closing, told) = watch::channel(false);
        let room = WAITING_BYTES.max(max_entry.saturating_mul(2)) / PIECE;
        let shared = Arc::new(Shared {
            writes,
            reads,
            room: Arc::new(Semaphore::new(usize::try_from(room).unwrap_or(Semaphore::MAX_PERMITS))),
            timeout,
            limits: Limits { keep, total: max_total, entry: max_entry },
            figures: Figures::default(),
            closed: Mutex::new(Some("it has not been opened yet".to_owned())),
            closing,
            task: Mutex::new(None),
        });
        let inbox = Inbox { writes: incoming_writes, reads: incoming_reads, closing: told };
        let opened = match task::open(&shared, &path).await {
            Ok(engine) => Some(engine),
            Err(error) => {
                shared.opened(Err(error.to_string()));
                None
            }
        };
        let task = Handle::current().spawn(task::run(shared.clone(), path, opened, inbox));
        *lock(&shared.task) = Some(task);
        Store { shared }
    }

    /// What metrics show.
    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// Whether anything can be kept at the moment.
    pub fn is_open(&self) -> bool {
        self.shared.figures.is_open()
    }

    /// Ends in good order: what was taken is written, and the file is closed. Later requests are refused.
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        let task = lock(&self.shared.task).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the store's task did not end well");
        }
    }

    /// Keeps an answer under its id.
    ///
    /// # Errors
    /// [`Trouble::Exists`] for an id that is taken; [`Trouble::TooLarge`], [`Trouble::Full`]; those of every operation.
    pub async fn put_response(
        &self,
        owner: &Owner,
        new: NewResponse,
        now: SystemTime,
    ) -> Result<(), Trouble> {
        self.write(Change::PutResponse { owner: owner.clone(), new, now }).await.map(drop)
    }

    /// Writes an answer anew that was being made. Gives whether there is such a one: not when it has ended meanwhile.
    ///
    /// # Errors
    /// [`Trouble::TooLarge`], [`Trouble::Full`]; those of every operation.
    pub async fn update_response(
        &self,
        (owner, id): (&Owner, &str),
        status: Status,
        body: String,
        now: SystemTime,
    ) -> Result<bool, Trouble> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.write(Change::UpdateResponse { owner, id, status, body, now }).await.map(|touched| touched > 0)
    }

    /// Ends an answer. Gives whether there was one.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn delete_response(&self, owner: &Owner, id: &str, now: SystemTime) -> Result<bool, Trouble> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.write(Change::DeleteResponse { owner, id, now }).await.map(|touched| touched > 0)
    }

    /// One of the owner's answers.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn response(
        &self,
        owner: &Owner,
        id: &str,
        now: SystemTime,
    ) -> Result<Option<Response>, Trouble> {
        let key = Key { owner: owner.clone(), id: id.to_owned(), now };
        self.read(Operation::Get, |reply| Read::Response { key, reply }).await
    }

    /// The conversation that ends with the answer `last`, from its first turn on, with at most `most` bytes of texts. A
    /// first turn that has a previous one shows that this is not there any more; empty when the last is not.
    ///
    /// # Errors
    /// [`Trouble::TooLong`]; those of every operation.
    pub async fn conversation(
        &self,
        owner: &Owner,
        last: &str,
        most: u64,
        now: SystemTime,
    ) -> Result<Vec<Turn>, Trouble> {
        let key = Key { owner: owner.clone(), id: last.to_owned(), now };
        self.read(Operation::List, |reply| Read::Conversation { key, most, reply }).await
    }

    /// Keeps, for so long, where a vendor has something.
    ///
    /// # Errors
    /// As [`Store::put_response`].
    pub async fn put_object(
        &self,
        owner: &Owner,
        object: VendorObject,
        keep: Duration,
    ) -> Result<(), Trouble> {
        self.write(Change::PutObject { owner: owner.clone(), object, keep }).await.map(drop)
    }

    /// Ends what is known of something at a vendor. Gives whether there was such.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn delete_object(&self, owner: &Owner, id: &str, now: SystemTime) -> Result<bool, Trouble> {
        let (owner, id) = (owner.clone(), id.to_owned());
        self.write(Change::DeleteObject { owner, id, now }).await.map(|touched| touched > 0)
    }

    /// One of the owner's.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn object(
        &self,
        owner: &Owner,
        id: &str,
        now: SystemTime,
    ) -> Result<Option<VendorObject>, Trouble> {
        let key = Key { owner: owner.clone(), id: id.to_owned(), now };
        self.read(Operation::Get, |reply| Read::Object { key, reply }).await
    }

    /// The owner's of a kind, the latest first, at most `most`.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn objects(
        &self,
        owner: &Owner,
        kind: VendorKind,
        most: u32,
        now: SystemTime,
    ) -> Result<Vec<VendorObject>, Trouble> {
        let owner = owner.clone();
        self.read(Operation::List, |reply| Read::Objects { owner, kind, most, now, reply }).await
    }

    /// Ends some of what has expired, as the task does by itself once a minute. Gives how much.
    ///
    /// # Errors
    /// Those of every operation.
    pub async fn sweep(&self, now: SystemTime) -> Result<u64, Trouble> {
        self.write(Change::Sweep { now }).await
    }

    async fn write(&self, change: Change) -> Result<u64, Trouble> {
        let operation = change.operation();
        self.ask(operation, |reply| {
            let (bytes, limit) = (change.bytes(), self.shared.limits.entry);
            if bytes > limit {
                return Err(Trouble::TooLarge { bytes, limit });
            }
            let pieces = u32::try_from(bytes / PIECE + 1).unwrap_or(u32::MAX);
            let room = self.shared.room.clone().try_acquire_many_owned(pieces);
            let room = room.map_err(|_| Trouble::Busy)?;
            self.shared.writes.try_send(Write { change, reply, _room: room }).map_err(refused)
        })
        .await
    }

    async fn read<T>(
        &self,
        operation: Operation,
        read: impl FnOnce(oneshot::Sender<Result<T, Trouble>>) -> Read,
    ) -> Result<T, Trouble> {
        self.ask(operation, |reply| self.shared.reads.try_send(read(reply)).map_err(refused)).await
    }

    async fn ask<T>(
        &self,
        operation: Operation,
        send: impl FnOnce(oneshot::Sender<Result<T, Trouble>>) -> Result<(), Trouble>,
    ) -> Result<T, Trouble> {
        let shared = &self.shared;
        let begun = Instant::now();
        let result = async {
            if !shared.figures.is_open() {
                return Err(shared.why_closed());
            }
            let (reply, answer) = oneshot::channel();
            send(reply)?;
            match tokio::time::timeout(shared.timeout, answer).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(shared.why_closed()),
                Err(_) => Err(Trouble::Late(shared.timeout)),
            }
        };
        let result = result.await;
        shared.figures.ended(operation, &result, begun.elapsed());
        result
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it stands behind map_err")]
fn refused<T>(error: mpsc::error::TrySendError<T>) -> Trouble {
    match error {
        mpsc::error::TrySendError::Full(_) => Trouble::Busy,
        mpsc::error::TrySendError::Closed(_) => Trouble::Closed("it is being closed".to_owned()),
    }
}

impl Shared {
    /// The file has been opened, or why not. Tells the log when that is new.
    pub(crate) fn opened(&self, result: Result<(), String>) {
        let mut closed = lock(&self.closed);
        self.figures.opened(result.is_ok());
        let reason = result.err();
        if let Some(reason) = reason.as_deref().filter(|_| *closed != reason && !*self.closing.borrow()) {
            tracing::error!(
                reason,
                "the store is not open; what needs it is refused, everything else goes on, and it is tried again"
            );
        }
        *closed = reason;
    }

    fn why_closed(&self) -> Trouble {
        Trouble::Closed(lock(&self.closed).clone().unwrap_or_else(|| "it is being closed".to_owned()))
    }
}

/// Nothing under these locks is ever half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Read {
    /// Reads for whoever still waits.
    pub(crate) async fn carry_out(self, readers: &Pool<Sqlite>) {
        let given_up = match &self {
            Read::Response { reply, .. } => reply.is_closed(),
            Read::Conversation { reply, .. } => reply.is_closed(),
            Read::Object { reply, .. } => reply.is_closed(),
            Read::Objects { reply, .. } => reply.is_closed(),
        };
        if given_up {
            return;
        }
        match self {
            Read::Response { key: Key { owner, id, now }, reply } => {
                let found = with(readers, async |c| responses::get(c, (&owner, &id), now).await).await;
                drop(reply.send(found));
            }
            Read::Conversation { key: Key { owner, id, now }, most, reply } => {
                let last = (&owner, &*id);
                let found = with(readers, async |c| responses::conversation(c, last, now, most).await).await;
                drop(reply.send(found));
            }
            Read::Object { key: Key { owner, id, now }, reply } => {
                let found = with(readers, async |c| objects::get(c, (&owner, &id), now).await).await;
                drop(reply.send(found));
            }
            Read::Objects { owner, kind, most, now, reply } => {
                let found = with(readers, async |c| objects::list(c, (&owner, kind), now, most).await).await;
                drop(reply.send(found));
            }
        }
    }
}

/// Reads in one transaction, so that what is read belongs together.
async fn with<T>(
    readers: &Pool<Sqlite>,
    read: impl AsyncFnOnce(&mut sqlite::Connection) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let mut transaction = readers.begin().await.map_err(sqlite::failed)?;
    let found = read(&mut transaction).await;
    transaction.commit().await.map_err(sqlite::failed)?;
    if let Err(trouble @ Trouble::Failed(_)) = &found {
        tracing::error!(%trouble, "the store could not read");
    }
    found
}
