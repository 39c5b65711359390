//! Formats of generated text: a file each, and a line in [`FORMATS`].
//!
//! A [`Format`] reads and writes calls, replies and streams of one public API, to and from the
//! [neutral form](crate::neutral). So a client of any of them can be answered by a deployment that speaks any other:
//! N formats, not N × N translations.

pub mod chat;
pub mod completions;
pub mod gemini;
mod held;
#[cfg(test)]
mod hostile;
mod logprobs;
pub mod messages;
pub mod ollama;
pub(crate) mod read;
pub mod responses;
#[cfg(test)]
mod tests;
mod tools;
mod write;

use crate::neutral::{Call, Chunk, Lost, Param, Reply};
use bytes::Bytes;
use std::fmt::Debug;
use weir_core::{Endpoint, Fault, RequestId};

/// One public API for generated text.
pub trait Format: Debug + Sync {
    /// The name by which configuration, logs and seals know it.
    fn name(&self) -> &'static str;

    /// The operation whose calls and answers are in it.
    fn endpoint(&self) -> Endpoint;

    /// How it spells what a call may ask for, for errors and lists of what was left behind.
    fn spelling(&self, param: Param) -> &'static str;

    /// Reads a client's call. Members that the neutral form has no place for are noted.
    ///
    /// # Errors
    /// The caller's, status 400, naming the field: of a wrong type, unknown or missing.
    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault>;

    /// Writes a call for a deployment. What this format has no place for is noted.
    ///
    /// # Errors
    /// The caller's, status 400: what is asked for makes no sense without the part that would be left out.
    fn write_call(
        &self,
        call: &Call<'_>,
        target: &Target<'_>,
        losing: &mut Losing<'_>,
    ) -> Result<Vec<u8>, Fault>;

    /// Reads a deployment's whole answer.
    ///
    /// # Errors
    /// The upstream's: not what its API promises.
    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Reply<'b>, Fault>;

    /// Writes a whole answer for a client.
    fn write_reply(&self, reply: &Reply<'_>, asked: &Asked) -> Vec<u8>;

    /// What reads a deployment's stream.
    fn stream_reader(&self) -> Box<dyn StreamReader>;

    /// What writes a client's stream.
    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter>;

    /// Notes in `asked` what of a client's call has to be known again when its answer is written.
    fn remember(&self, _body: &[u8], _asked: &mut Asked) {}

    /// How its streams are cut into events.
    fn framing(&self) -> Framing {
        Framing::Events
    }

    /// The body a client gets for a fault. `id` names the request to those who run the gateway.
    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes;

    /// The same as the last event of a stream that has begun.
    fn error_event(&self, fault: &Fault, _id: Option<&RequestId>) -> Bytes {
        let mut out = Vec::new();
        self.stream_writer(&Asked::default()).write(&Chunk::Error(fault.clone()), &mut out);
        Bytes::from(out)
    }

    /// What answers' names begin with, for answers that are named by Weir.
    fn id_prefix(&self) -> &'static str {
        ""
    }

    /// What ends a stream in order; nothing where its last event says that.
    fn end_mark(&self) -> &'static [u8] {
        b""
    }
}

/// Every format.
pub const FORMATS: &[&dyn Format] = &[
    &chat::Chat,
    &messages::Messages,
    &responses::Responses,
    &completions::Completions,
    &gemini::Gemini,
    &ollama::Ollama,
    &ollama::Generate,
];

/// The format of that name.
pub fn format(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

/// The format of what is called, where that is generated text.
pub fn of(endpoint: Endpoint) -> Option<&'static dyn Format> {
    match endpoint {
        Endpoint::Chat => Some(&chat::Chat), // as nearly all are
        _ => FORMATS.iter().copied().find(|format| format.endpoint() == endpoint),
    }
}

/// How a stream is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events (`text/event-stream`).
    Events,
    /// A JSON object a line (`application/x-ndjson`).
    Lines,
}

impl Framing {
    /// The media type of such a stream.
    pub const fn content_type(self) -> &'static str {
        match self {
            Framing::Events => "text/event-stream; charset=utf-8",
            Framing::Lines => "application/x-ndjson",
        }
    }
}

/// The deployment a call is written for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// What it calls its model.
    pub model: &'a str,
    /// The most tokens it generates, where that is known.
    pub max_output: Option<u64>,
    /// Whether usage of streams has to be asked for, and may be.
    pub stream_usage: bool,
    /// Whether it knows the role `developer` and `max_completion_tokens`, which came with OpenAI's reasoning models and
    /// which most compatible servers refuse.
    pub newest: bool,
}

/// What a client's call said that matters for how it is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The model, in the client's words.
    pub model: String,
    /// Whether the client wants usage in its stream, where its format lets it choose.
    pub stream_usage: bool,
    /// Our name for the answer, where the vendor gave none.
    pub id: String,
    /// What of the answer the client has already: what is written goes on with it.
    pub begun: Begun,
    /// Now, in seconds since 1970, for formats that say when an answer was made.
    pub now: i64,
    /// The text of the answer that the client has already, where it is [`Begun::Text`].
    pub told: String,
    /// Whether the answer goes by our name for it, whatever the vendor's is: where it is asked for by its name later, and
    /// where its parts are told by it.
    pub own_id: bool,
    /// Whether the answer is kept, to be asked for again by its id.
    pub stored: bool,
    /// What of the call the format repeats in its answers, as it repeats it.
    pub repeated: String,
    /// The tools that the client knows as tools of free text. To a model of another format they are functions with the
    /// one argument `input`.
    pub free_tools: Vec<String>,
}

/// What a client has of an answer whose stream is taken up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begun {
    /// Nothing.
    #[default]
    Nothing,
    /// That it has begun.
    Head,
    /// And some of its text, which may go on.
    Text,
}

/// Notes what cannot be written, in the words of the client's format.
#[derive(Debug)]
pub struct Losing<'a> {
    /// The client's format.
    pub client: &'a dyn Format,
    /// Where it is noted.
    pub lost: &'a mut Lost,
}

impl Losing<'_> {
    /// Notes that `param` is left behind.
    pub fn note(&mut self, param: Param) {
        self.lost.note(self.client.spelling(param));
    }

    /// Notes it if it was asked for, and the neutral value says so by being there.
    pub fn note_if(&mut self, asked: bool, param: Param) {
        if asked {
            self.note(param);
        }
    }
}

/// Reads one deployment's stream, event by event.
pub trait StreamReader: Debug + Send {
    /// Reads one event: its name, where it has one, and its data. Gives what it says, in order.
    ///
    /// # Errors
    /// The upstream's: data that is not what its API promises. An error that the upstream reports is a
    /// [`Chunk::Error`].
    fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        give: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Fault>;

    /// The bytes are over, in order. Formats whose last event does not say that it is the last have their
    /// [`Chunk::End`] here, if the answer was whole; a stream that gives none was cut.
    fn end(&mut self, _give: &mut dyn FnMut(Chunk<'_>)) {}
}

/// Writes one client's stream.
pub trait StreamWriter: Debug + Send {
    /// Appends the events for one chunk.
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>);
}
