//! Answers that are made while nobody waits for them.

use super::{Keep, Place, status_of};
use crate::attempt::{Opened, attempt};
use crate::call::Call;
use crate::core::Core;
use crate::headers;
use crate::panics::{caught, caught_at_once, panicked};
use crate::record::{Origin, Record};
use crate::translation::too_large;
use bytes::Bytes;
use http_body::Body;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Notify, Semaphore};
use weir_core::{Class, Fault};
use weir_store::{Status, Trouble};
use weir_wire::format::responses::{self, Responses};
use weir_wire::format::{Asked, Format};

/// How long after each other the end of an answer is tried to be written, where the store does not take it.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// What is made in the background, on all cores together.
pub(crate) struct Background {
    /// Who may be at it.
    places: Semaphore,
    /// How many may be at it or wait for that.
    most: usize,
    under_way: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Background {
    /// `at_once` are carried out together, and `waiting` more wait for it.
    pub(crate) fn new(at_once: usize, waiting: usize) -> Self {
        Background {
            places: Semaphore::new(at_once),
            most: at_once.saturating_add(waiting),
            under_way: Mutex::default(),
        }
    }

    /// Ends the making of an answer, if it is being made.
    pub(crate) fn cancel(&self, id: &str) {
        if let Some(told) = self.under_way().get(id) {
            told.notify_one();
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those under way, until dropped.
struct Entry {
    core: Rc<Core>,
    id: String,
    cancelled: Arc<Notify>,
}

impl Entry {
    /// # Errors
    /// 503 when as many are under way as may be.
    fn new(core: &Rc<Core>, id: &str) -> Result<Entry, Fault> {
        let background = core.engine.background();
        let mut under_way = background.under_way();
        if under_way.len() >= background.most {
            let message = "This gateway makes as many answers in the background as it may; try again later.";
            let fault = Fault::new(Class::Limited, 503, "background_full", message);
            return Err(fault.with_retry_after(Duration::from_secs(5)));
        }
        let cancelled = Arc::new(Notify::new());
        under_way.insert(id.to_owned(), cancelled.clone());
        core.behind.begins();
        Ok(Entry { core: core.clone(), id: id.to_owned(), cancelled })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.core.engine.background().under_way().remove(&self.id);
        self.core.behind.ends();
    }
}

/// Keeps that an answer is to be made, begins to make it, and gives what the client learns of that.
///
/// # Errors
/// The store's, and 503 when too many are under way.
pub(crate) async fn begin(record: &mut Record, mut call: Box<Call>) -> Result<Bytes, Fault> {
    let Some(keep) = &mut call.keep else { return Err(panicked().with_cause("an answer without a place")) };
    let entry = Entry::new(&record.core, keep.id())?;
    let queued = queued(record, keep, call.facts.model.as_str());
    keep.try_put(Status::Queued, queued.clone()).await?;
    keep.input = String::new();
    let work =
        Work { entry, place: keep.place.clone(), origin: record.origin(), begun: queued.clone(), call };
    tokio::task::spawn_local(work.run());
    Ok(queued.into())
}

fn queued(record: &Record, keep: &Keep, model: &str) -> String {
    let mut asked = Asked {
        model: model.to_owned(),
        id: keep.id().to_owned(),
        now: record.unix_seconds(),
        ..Asked::default()
    };
    Responses.remember(&keep.said, &mut asked);
    let begun = responses::begun(&asked, Status::Queued.name());
    keep.place.naming.applied(begun.as_bytes(), true).unwrap_or(begun)
}

/// An answer to be made.
struct Work {
    entry: Entry,
    place: Place,
    origin: Origin,
    /// The answer as it stands.
    begun: String,
    call: Box<Call>,
}

impl Work {
    async fn run(self) {
        let Work { entry, place, origin, begun, call } = self;
        let made = async {
            // The semaphore is never closed.
            let _at_it = entry.core.engine.background().places.acquire().await;
            let state = responses::in_state(&begun, Status::InProgress.name(), None);
            match write(&place, Status::InProgress, state).await {
                Ok(true) => {}
                // It was deleted, or cancelled.
                Ok(false) => return None,
                Err(trouble) => told(&place, &trouble),
            }
            Some(make(&entry.core, origin, call, &place, &begun).await)
        };
        // Whoever cancels it has written that.
        let made = tokio::select! {
            biased;
            () = entry.cancelled.notified() => None,
            made = made => made,
        };
        if let Some(answer) = made {
            end(&place, answer, &begun).await;
        }
    }
}

/// Makes the answer. One that failed says why.
async fn make(core: &Rc<Core>, origin: Origin, call: Box<Call>, place: &Place, begun: &str) -> String {
    let mut record = Record::behind(core, origin);
    let opened = caught(Box::pin(attempt(&mut record, call))).await.and_then(|opened| opened);
    let whole = match opened {
        Ok((Opened::Whole(answer), _)) if answer.rest.is_some() => {
            let fault = too_large(usize::try_from(place.store.max_entry()).unwrap_or(usize::MAX));
            drop(headers::refusal(record, fault.clone()));
            Err(fault)
        }
        Ok((Opened::Whole(answer), attempts)) => {
            caught_at_once(|| headers::whole(record, answer, &attempts.call)).map(|response| response.body)
        }
        Ok((Opened::Stream(_), _)) => Err(panicked().with_cause("a stream that nobody asked for")),
        Err(fault) => {
            let fault = headers::fit_to_tell(&record, fault);
            drop(headers::refusal(record, fault.clone()));
            Err(fault)
        }
    };
    let fault = match whole {
        Ok(mut body) => {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let bytes = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
            match bytes.and_then(|bytes| place.naming.applied(&bytes, true)) {
                Some(answer) => return responses::since(&answer, begun),
                None => {
                    let message = "The model's server answered with something that is no response.";
                    Fault::new(Class::Malformed, 502, "upstream_malformed", message)
                }
            }
        }
        Err(fault) => fault,
    };
    responses::in_state(begun, Status::Failed.name(), Some(&fault))
}

/// Writes how an answer ended, for as long as that makes sense.
async fn end(place: &Place, answer: String, begun: &str) {
    let mut answer = answer;
    for pause in AGAIN.into_iter().map(Some).chain([None]) {
        let trouble = match write(place, status_of(&answer), answer.clone()).await {
            Ok(_) => return,
            Err(trouble) => trouble,
        };
        told(place, &trouble);
        if matches!(trouble, Trouble::Full { .. } | Trouble::TooLarge { .. }) {
            answer = responses::in_state(begun, Status::Failed.name(), Some(&Fault::from(trouble)));
        }
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn write(place: &Place, status: Status, body: String) -> Result<bool, Trouble> {
    let Place { store, owner, naming } = place;
    store.update_response((owner, &naming.id), status, body, SystemTime::now()).await
}

fn told(place: &Place, trouble: &Trouble) {
    let response = &*place.naming.id;
    tracing::warn!(response, %trouble, "the state of an answer in the background could not be written");
}
