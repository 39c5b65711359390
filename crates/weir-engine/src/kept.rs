//! Answers of OpenAI's Responses that are kept: the conversation of a call is put in its place before it goes anywhere, its
//! answer goes by a name of ours, and stands in the store before the client has its end.
//!
//! Whatever format the deployment speaks, what is asked for by its id here is found here, by whoever owns it and by nobody
//! else.

mod asked;
pub(crate) mod background;
mod stream;

pub(crate) use asked::serve;
pub use asked::{Kept, What};
pub(crate) use stream::Keeping;

use crate::record::Record;
use crate::waiting::Waiting;
use bytes::Bytes;
use ring::rand;
use std::fmt::Write;
use std::time::SystemTime;
use weir_core::{Class, Endpoint, Fault};
use weir_store::{NewResponse, Owner, Status, Store, Trouble, Turn};
use weir_wire::call::CallFacts;
use weir_wire::format::responses::{self, Earlier, Naming};

/// Answers that one call may name by ids of their items.
const MOST_REFERRED: usize = 32;

/// Where an answer is kept, and as what.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) owner: Owner,
    pub(crate) naming: Naming,
}

/// What becomes of an answer that is kept.
pub(crate) struct Keep {
    pub(crate) place: Place,
    /// What the client sent: a JSON array of items.
    input: String,
    /// The call as it was sent.
    said: Bytes,
}

impl Keep {
    /// The answer's id.
    pub(crate) fn id(&self) -> &str {
        &self.place.naming.id
    }

    /// The largest answer that may be kept, in bytes.
    pub(crate) fn largest(&self) -> usize {
        usize::try_from(self.place.store.max_entry()).unwrap_or(usize::MAX)
    }

    /// Whether nobody waits for it.
    pub(crate) fn in_background(&self) -> bool {
        self.place.naming.background
    }

    /// A whole answer as the client gets it, once it is kept. Where it cannot be, it says so.
    pub(crate) async fn whole(&self, answer: &Bytes) -> Bytes {
        let naming = &self.place.naming;
        let Some(kept) = naming.applied(answer, true) else { return answer.clone() };
        if self.put(kept.clone()).await {
            return kept.into();
        }
        naming.applied(answer, false).map_or_else(|| answer.clone(), Bytes::from)
    }

    /// Keeps an answer. Gives whether it is kept.
    async fn put(&self, answer: String) -> bool {
        let status = status_of(&answer);
        let kept = self.try_put(status, answer).await;
        if let Err(trouble) = &kept {
            // Each is counted, too; a store that fails would fill the log.
            tracing::debug!(response = self.id(), %trouble, "an answer is not kept");
        }
        kept.is_ok()
    }

    async fn try_put(&self, status: Status, body: String) -> Result<(), Trouble> {
        let Place { store, owner, naming } = &self.place;
        let (id, previous) = (naming.id.clone(), naming.previous.clone());
        let new = NewResponse { id, previous, status, input: self.input.clone(), body };
        store.put_response(owner, new, SystemTime::now()).await
    }
}

/// How far an answer says it has come. One that has another end than these is there in full.
fn status_of(answer: &str) -> Status {
    match responses::status(answer).as_deref() {
        Some("failed") => Status::Failed,
        Some("incomplete") => Status::Incomplete,
        Some("cancelled") => Status::Cancelled,
        _ => Status::Completed,
    }
}

/// Whose what is kept is.
fn owner(record: &Record) -> Owner {
    record.key.map_or_else(Owner::anyone, |key| Owner::key(record.snapshot.gateway.keys.name(key)))
}

/// Puts the conversation of a call in its place. Gives the body, and what becomes of its answer, if that is to be kept.
///
/// # Errors
/// The caller's: it names what is not there. The store's, where the call cannot do without.
pub(crate) async fn resolve(record: &mut Record, body: Bytes) -> Result<(Bytes, Option<Box<Keep>>), Fault> {
    let wants = match responses::kept(&body) {
        Ok(wants) => wants,
        Err(fault) => {
            // What is wrong with any call is told as it is of any.
            CallFacts::read(&body, Endpoint::Responses)?;
            return Err(fault);
        }
    };
    let core = record.core.clone();
    let Some(store) = core.engine.store() else {
        return match (&wants.previous, wants.background) {
            (Some(id), _) => Err(nothing_kept(responses::no_answer(id))),
            (None, true) => Err(nothing_kept(no_background("This gateway cannot answer in the background."))),
            (None, false) => Ok((body, None)),
        };
    };
    let keeps = wants.store != Some(false);
    if wants.background && !keeps {
        let message = "Background mode requires that the answer is kept: leave `store` out, or send `true`.";
        return Err(no_background(message));
    }
    if wants.store == Some(true) && !store.is_open() {
        return Err(Trouble::Closed("an answer was to be kept".to_owned()).into());
    }
    let place = Place {
        store: store.clone(),
        owner: owner(record),
        naming: Naming {
            id: new_id()?,
            previous: wants.previous.as_ref().map(|id| id.to_string()),
            background: wants.background,
        },
    };
    let most = record.snapshot.gateway.settings.limits.max_body.saturating_sub(body.len()) as u64;
    let waiting = Waiting::begin(&mut record.waited);
    let turns = match &wants.previous {
        Some(id) => conversation(&place, id, most).await?,
        None => Vec::new(),
    };
    let found = referred(&place, &wants, &turns).await?;
    drop(waiting);
    if !keeps && turns.is_empty() && found.is_empty() {
        return Ok((body, None));
    }
    let earlier: Vec<Earlier<'_>> = turns.iter().map(earlier).collect();
    let Some(complete) = responses::complete(&body, &earlier, &found, &place.naming.id) else {
        CallFacts::read(&body, Endpoint::Responses)?;
        let message = "Invalid value for `input`: it is a text or a list of items.";
        return Err(Fault::new(Class::Caller, 400, "invalid_value", message).with_param("input"));
    };
    let changed = !turns.is_empty() || !found.is_empty() || wants.background;
    let sent = if changed { Bytes::from(complete.body) } else { body.clone() };
    drop(wants);
    let keep = keeps.then(|| Box::new(Keep { place, input: complete.input, said: body }));
    Ok((sent, keep))
}

fn earlier(turn: &Turn) -> Earlier<'_> {
    Earlier { input: &turn.input, answer: &turn.body }
}

/// What was said until the answer `last`.
async fn conversation(place: &Place, last: &str, most: u64) -> Result<Vec<Turn>, Fault> {
    let turns = place.store.conversation(&place.owner, last, most, SystemTime::now()).await?;
    let (Some(first), Some(end)) = (turns.first(), turns.last()) else {
        return Err(responses::no_answer(last));
    };
    if let Some(gone) = &first.previous {
        return Err(responses::no_answer(gone));
    }
    if !matches!(end.status, Status::Completed | Status::Incomplete) {
        let status = shown(end.status).name();
        let message = format!(
            "The response with id '{last}' is {status}; only one that is completed can be continued."
        );
        return Err(Fault::new(Class::Caller, 400, "previous_response_not_completed", message)
            .with_param("previous_response_id"));
    }
    Ok(turns)
}

/// The items for which the call has ids of ours. Others are left to the upstream: it may know them.
async fn referred(
    place: &Place,
    wants: &responses::Kept<'_>,
    turns: &[Turn],
) -> Result<Vec<(usize, String)>, Fault> {
    let ids: Vec<&str> = wants.references.iter().map(|(_, id)| &**id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut known: Vec<(String, String)> = Vec::new();
    let owned = |(id, item): (String, &str)| (id, item.to_owned());
    for turn in turns {
        known.extend(responses::find(earlier(turn), &ids).into_iter().map(owned));
    }
    let mut answers: Vec<&str> = ids
        .iter()
        .filter(|id| !known.iter().any(|(found, _)| found == *id))
        .filter_map(|id| responses::answer_of(id))
        .collect();
    answers.sort_unstable();
    answers.dedup();
    for answer in answers.into_iter().take(MOST_REFERRED) {
        if let Some(there) = place.store.response(&place.owner, answer, SystemTime::now()).await? {
            let turn = Earlier { input: &there.kept.input, answer: &there.kept.body };
            known.extend(responses::find(turn, &ids).into_iter().map(owned));
        }
    }
    let item = |id: &str| known.iter().find(|(found, _)| found == id).map(|(_, item)| item.clone());
    Ok(wants.references.iter().filter_map(|(at, id)| Some((*at, item(id)?))).collect())
}

/// An id that nobody can guess.
fn new_id() -> Result<String, Fault> {
    let random = rand::generate::<[u8; 16]>(&rand::SystemRandom::new())
        .map_err(|_| crate::panics::panicked().with_cause("the system gives no random bytes"))?;
    let mut id = String::with_capacity(37);
    id.push_str("resp_");
    for byte in random.expose() {
        // A string takes everything.
        let _written = write!(id, "{byte:02x}");
    }
    Ok(id)
}

/// As a client is told of it.
fn shown(status: Status) -> Status {
    if status == Status::Interrupted { Status::Failed } else { status }
}

fn no_background(message: &str) -> Fault {
    Fault::new(Class::Caller, 400, "not_supported", message.to_owned()).with_param("background")
}

/// The same, where the reason is that nothing is.
fn nothing_kept(mut fault: Fault) -> Fault {
    let message = format!(
        "{} It keeps no answers: its configuration has no section `store`.",
        fault.message.replace("not found.", "not found in this gateway.")
    );
    fault.message = message.into();
    fault
}

/// The fault of a call that wants to follow in a stream what is made in the background.
pub(crate) fn no_stream_of_background() -> Fault {
    let message = "An answer that is made in the background cannot be streamed here: ask for it by its id, or \
                   stream it without `background`.";
    Fault::new(Class::Caller, 400, "not_supported", message).with_param("stream")
}
