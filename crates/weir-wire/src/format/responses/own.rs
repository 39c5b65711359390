//! Answers under our own names: what an upstream calls its answer means nothing to whoever asks here for it later.

use super::answer::{self, State};
use super::members::{Members, quoted};
use crate::format::Asked;
use crate::json::write::object;
use crate::neutral::Raw;
use crate::sse::{EventTooLarge, Fate, Pieces, Splitter};
use bytes::Bytes;
use weir_core::Fault;

/// What an answer that is kept says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Its id.
    pub id: String,
    /// The answer that it continues.
    pub previous: Option<String>,
    /// Whether it was made while nobody waited for it.
    pub background: bool,
}

impl Naming {
    /// An answer, or the beginning of one, as the client gets it. `None` when it is no object.
    pub fn applied(&self, answer: &[u8], stored: bool) -> Option<String> {
        let id = quoted(&self.id);
        let previous = self.previous.as_deref().map_or_else(|| "null".to_owned(), quoted);
        Some(Members::of(answer)?.with(&[
            ("id", Some(&id)),
            ("previous_response_id", Some(&previous)),
            ("store", Some(truth(stored))),
            ("background", Some(truth(self.background))),
        ]))
    }
}

fn truth(holds: bool) -> &'static str {
    if holds { "true" } else { "false" }
}

/// The state that an answer says it is in.
pub fn status(answer: &str) -> Option<String> {
    Members::of(answer.as_bytes())?.text("status").map(|status| status.to_string())
}

/// An answer of which nothing is there yet.
pub fn begun(asked: &Asked, status: &str) -> String {
    let state = State { created: asked.now, status, ..State::default() };
    String::from_utf8(answer::write(&state, asked)).unwrap_or_default()
}

/// The same answer in another state. A `fault` says why it failed.
pub fn in_state(answer: &str, status: &str, fault: Option<&Fault>) -> String {
    let Some(members) = Members::of(answer.as_bytes()) else { return answer.to_owned() };
    let status = quoted(status);
    let mut error = Vec::new();
    match fault {
        Some(fault) => object(&mut error, |error| {
            error.put("code", fault.code.as_deref().unwrap_or("server_error"));
            error.put("message", &*fault.message);
        }),
        None => error.extend_from_slice(b"null"),
    }
    let error = String::from_utf8(error).unwrap_or_default();
    members.with(&[("status", Some(&status)), ("error", Some(&error))])
}

/// An answer as one that was begun when `begun` was.
pub fn since(answer: &str, begun: &str) -> String {
    let created = Members::of(begun.as_bytes()).and_then(|begun| begun.get("created_at"));
    let of = |answer: Members<'_>| answer.with(&[("created_at", created.map(Raw::text))]);
    Members::of(answer.as_bytes()).filter(|_| created.is_some()).map_or_else(|| answer.to_owned(), of)
}

/// What deleting an answer is answered with.
pub fn deleted(id: &str) -> String {
    let mut out = Vec::with_capacity(96);
    object(&mut out, |answer| {
        answer.put("id", id);
        answer.put("object", "response");
        answer.put("deleted", &true);
    });
    String::from_utf8(out).unwrap_or_default()
}

/// A stream whose answer goes by our name.
#[derive(Debug)]
pub struct OwnStream {
    naming: Naming,
    splitter: Splitter,
}

/// What of a stream may go out, and its end, if that has come.
#[derive(Debug, Default)]
pub struct Passed {
    /// What goes out.
    pub ready: Vec<u8>,
    /// The event with the whole answer. It goes out behind `ready`.
    pub end: Option<Ending>,
    /// What follows that.
    pub rest: Vec<u8>,
}

/// The event that ends a stream.
#[derive(Debug)]
pub struct Ending {
    /// The answer as it is to be kept.
    pub answer: String,
    event: Vec<u8>,
    data: Vec<u8>,
    naming: Naming,
}

impl Ending {
    /// The event, which says whether the answer is kept.
    pub fn event(&self, stored: bool) -> Bytes {
        let named = Members::of(&self.data).and_then(|data| renamed(&data, &self.naming, stored));
        Bytes::from(named.map_or_else(|| self.event.clone(), |(kind, data, _)| event(&kind, &data)))
    }
}

/// The data of an event with the answer in it renamed: the event's name, its data, and the answer.
fn renamed(data: &Members<'_>, naming: &Naming, stored: bool) -> Option<(String, String, String)> {
    let kind = data.text("type")?;
    let answer = naming.applied(data.get("response")?.text().as_bytes(), stored)?;
    Some((kind.to_string(), data.with(&[("response", Some(&answer))]), answer))
}

fn event(kind: &str, data: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(kind.len() + data.len() + 32);
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    // What came in several lines keeps its line ends.
    for line in data.split('\n') {
        out.extend_from_slice(b"\ndata: ");
        out.extend_from_slice(line.as_bytes());
    }
    out.extend_from_slice(b"\n\n");
    out
}

fn is_last(kind: &str) -> bool {
    matches!(kind, "response.completed" | "response.incomplete" | "response.failed")
}

impl OwnStream {
    /// A stream at its beginning; none of its events is larger than `limit`.
    pub fn new(naming: Naming, limit: usize) -> Self {
        OwnStream { naming, splitter: Splitter::new(limit) }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When an event is larger than any may be.
    pub fn push(&mut self, bytes: Bytes) -> Result<Passed, EventTooLarge> {
        let mut passed = Passed::default();
        let naming = &self.naming;
        self.splitter.push(bytes, &mut Pieces::new(), &mut |came| {
            let out = if passed.end.is_some() { &mut passed.rest } else { &mut passed.ready };
            let holds_answer = |data: &&[u8]| memchr::memmem::find(data, br#""response""#).is_some();
            let data = came.data.as_deref().filter(holds_answer).and_then(Members::of);
            match data.as_ref().and_then(|data| renamed(data, naming, true)) {
                None => out.extend_from_slice(came.raw),
                Some((kind, data, answer)) if is_last(&kind) && passed.end.is_none() => {
                    let event = event(&kind, &data);
                    passed.end =
                        Some(Ending { answer, event, data: data.into_bytes(), naming: naming.clone() });
                }
                Some((kind, data, _)) => out.extend_from_slice(&event(&kind, &data)),
            }
            Fate::Drop
        })?;
        Ok(passed)
    }
}

/// Whether an answer was made, or is, while nobody waits for it.
pub fn is_of_background(answer: &str) -> bool {
    let stated = Members::of(answer.as_bytes()).and_then(|answer| answer.get("background"));
    stated.is_some_and(|stated| stated.text() == "true")
}
