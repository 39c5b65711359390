//! A stream of Cohere's, read and written (<https://docs.cohere.com/v2/docs/streaming>).

use super::logprobs::{self, Item};
use super::{NAME, Tokens, failed, finish, finish_word, write_usage};
use crate::error;
use crate::format::held::{Held, too_large};
use crate::format::tools::id_in;
use crate::format::{Asked, Begun, StreamReader, StreamWriter, read};
use crate::json::write as json;
use crate::neutral::{Chunk, Finish, Piece, Raw, Str};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use weir_core::{Fault, Usage};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
    id: Option<Str<'a>>,
    index: Option<u32>,
    delta: Option<Delta<'a>>,
    logprobs: Option<Item<'a>>,
    /// Of an error, which has no type.
    message: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    message: Option<Said<'a>>,
    finish_reason: Option<Str<'a>>,
    usage: Option<Tokens>,
    error: Option<Str<'a>>,
}

#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: Option<Object<Content<'a>>>,
    tool_plan: Option<Str<'a>>,
    tool_calls: Option<Object<Called<'a>>>,
    citations: Option<Raw<'a>>,
}

/// What one event says more of. The first event has empty lists in its place.
enum Object<T> {
    One(T),
    None,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, or an empty list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Object<T>, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Object::None)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(Object::One)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    thinking: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    arguments: Option<Str<'a>>,
}

/// Reads a deployment's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    calls: u32,
    /// The call that is open, and by what number its events go.
    call: Option<(u32, u32)>,
}

impl StreamReader for Reader {
    fn read(&mut self, _: Option<&[u8]>, data: &[u8], give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        if data == b"[DONE]" {
            return Ok(());
        }
        let event: Event<'_> = read::answer(data)?;
        let Some(kind) = event.kind else {
            if event.message.is_some() {
                give(Chunk::Error(error::fault_inside(data)));
            }
            return Ok(());
        };
        let delta = event.delta;
        let index = event.index.unwrap_or_default();
        if !std::mem::replace(&mut self.begun, true) {
            let id = event.id.unwrap_or_default();
            give(Chunk::Begin { id, model: Str::default(), created: None });
        }
        match &*kind {
            "message-end" => end(delta, give),
            "content-end" | "tool-call-end" => {
                self.call = None;
                give(Chunk::More { choice: 0, piece: Piece::End });
            }
            _ => {
                if let Some(said) = delta.and_then(|delta| delta.message) {
                    self.said(&kind, index, said, give);
                }
                if let Some(logprobs) = event.logprobs.and_then(|item| logprobs::neutral(&[item])) {
                    give(Chunk::More { choice: 0, piece: Piece::Logprobs(Raw(&logprobs.0)) });
                }
            }
        }
        Ok(())
    }
}

fn end(delta: Option<Delta<'_>>, give: &mut dyn FnMut(Chunk<'_>)) {
    let Some(delta) = delta else { return };
    if let Some(usage) = delta.usage.and_then(Tokens::usage) {
        give(Chunk::Usage(usage));
    }
    let error = delta.error.filter(|error| !error.is_empty());
    match (delta.finish_reason, error) {
        (Some(word), error) => match finish(word, error.as_deref()) {
            Ok(finish) => {
                give(Chunk::Finish { choice: 0, finish });
                give(Chunk::End);
            }
            Err(fault) => give(Chunk::Error(fault)),
        },
        (None, Some(error)) => give(Chunk::Error(failed("ERROR", Some(&error)))),
        (None, None) => {}
    }
}

impl Reader {
    fn said(&mut self, kind: &str, index: u32, said: Said<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        let mut more = |piece| give(Chunk::More { choice: 0, piece });
        if let Some(Object::One(content)) = said.content {
            if let Some(text) = content.thinking.filter(|text| !text.is_empty()) {
                more(Piece::Thinking(text));
            }
            if let Some(text) = content.text.filter(|text| !text.is_empty()) {
                more(Piece::Text(text));
            }
        }
        if let Some(text) = said.tool_plan.filter(|text| !text.is_empty()) {
            more(Piece::Thinking(text));
        }
        if let Some(citation) = said.citations.filter(|raw| raw.text().starts_with('{')) {
            more(Piece::Citation(NAME, citation));
        }
        let Some(Object::One(called)) = said.tool_calls else { return };
        let (name, json) =
            called.function.map_or((None, None), |function| (function.name, function.arguments));
        if kind == "tool-call-start" {
            let call = self.calls;
            self.calls = call.saturating_add(1);
            self.call = Some((index, call));
            let (id, name) = (called.id.unwrap_or_default(), name.unwrap_or_default());
            more(Piece::ToolCall { call, id, name, proof: None });
        }
        if let (Some(json), Some((open, call))) = (json.filter(|json| !json.is_empty()), self.call)
            && open == index
        {
            more(Piece::Arguments { call, json });
        }
    }
}

/// What kind of part stands open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
}

/// Writes a client's stream. Of the answers that another format may give side by side, the first is told; calls of tools
/// are told whole.
#[derive(Debug)]
pub(super) struct Writer {
    id: String,
    begun: bool,
    finished: bool,
    open: Option<Open>,
    /// How many parts have begun.
    parts: u32,
    held: Held,
    finish: Option<Finish<'static>>,
    usage: Usage,
}

impl Writer {
    pub(super) fn new(asked: &Asked) -> Self {
        let text = asked.begun == Begun::Text;
        Writer {
            id: asked.id.clone(),
            begun: asked.begun != Begun::Nothing,
            finished: false,
            open: text.then_some(Open::Text),
            parts: u32::from(text),
            held: Held::default(),
            finish: None,
            usage: Usage::default(),
        }
    }

    fn event(out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut json::Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        json::object(out, |event| {
            event.put("type", kind);
            fill(event);
        });
        out.extend_from_slice(b"\n\n");
    }

    /// An event with a number, and what its message says.
    fn message(out: &mut Vec<u8>, kind: &str, index: u32, fill: impl FnOnce(&mut json::Object<'_>)) {
        Self::event(out, kind, |event| {
            event.put("index", &index);
            event.object("delta", |delta| delta.object("message", fill));
        });
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        Self::event(out, "message-start", |event| {
            event.put("id", &*self.id);
            event.object("delta", |delta| {
                delta.object("message", |message| {
                    message.put("role", "assistant");
                    message.list("content", |_| {});
                    message.put("tool_plan", "");
                    message.list("tool_calls", |_| {});
                    message.list("citations", |_| {});
                });
            });
        });
    }

    fn index(&self) -> u32 {
        self.parts.saturating_sub(1)
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let index = self.index();
            Self::event(out, "content-end", |event| event.put("index", &index));
        }
    }

    fn content(&mut self, open: Open, text: &str, out: &mut Vec<u8>) {
        let kind = if open == Open::Text { "text" } else { "thinking" };
        if self.open != Some(open) {
            self.close(out);
            self.open = Some(open);
            self.parts = self.parts.saturating_add(1);
            Self::message(out, "content-start", self.index(), |message| {
                message.object("content", |content| {
                    content.put("type", kind);
                    content.put(kind, "");
                });
            });
        }
        Self::message(out, "content-delta", self.index(), |message| {
            message.object("content", |content| content.put(kind, text));
        });
    }

    fn more(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Text(text) | Piece::Refusal(text) => {
                self.tell_calls(out);
                self.content(Open::Text, text, out);
            }
            Piece::Thinking(text) => {
                self.tell_calls(out);
                self.content(Open::Thinking, text, out);
            }
            Piece::ToolCall { .. } | Piece::Arguments { .. } => {
                if !self.held.take(0, piece) {
                    self.fail(&too_large(), out);
                }
            }
            Piece::Citation(NAME, citation) => {
                let index = self.index();
                Self::message(out, "citation-start", index, |message| message.put("citations", citation));
                Self::event(out, "citation-end", |event| event.put("index", &index));
            }
            Piece::Logprobs(logprobs) => self.logprobs(logprobs, out),
            Piece::End => {
                self.tell_calls(out);
                self.close(out);
            }
            // Its clients have no place for a seal.
            Piece::Proof(_) | Piece::Hidden(_) | Piece::Citation(..) => {}
        }
    }

    /// Each stands in an event of its own.
    fn logprobs(&self, logprobs: &Raw<'_>, out: &mut Vec<u8>) {
        for item in logprobs::items(logprobs.text()) {
            Self::event(out, "content-delta", |event| {
                event.put("index", &self.index());
                event.object("delta", |delta| {
                    delta.object("message", |message| {
                        message.object("content", |content| content.put("text", ""));
                    });
                });
                event.object("logprobs", |entry| logprobs::put(entry, &item));
            });
        }
    }

    fn tell_calls(&mut self, out: &mut Vec<u8>) {
        for (_, at, call) in self.held.give(None) {
            self.close(out);
            let id = id_in(&self.id, &call.id, at);
            let entry = |message: &mut json::Object<'_>, fill: &dyn Fn(&mut json::Object<'_>)| {
                message.object("tool_calls", |entry| fill(entry));
            };
            Self::message(out, "tool-call-start", at, |message| {
                entry(message, &|entry| {
                    entry.put("id", &*id);
                    entry.put("type", "function");
                    entry.object("function", |function| {
                        function.put("name", &call.name);
                        function.put("arguments", "");
                    });
                });
            });
            if !call.arguments.is_empty() {
                Self::message(out, "tool-call-delta", at, |message| {
                    entry(message, &|entry| {
                        entry.object("function", |function| function.put("arguments", &call.arguments));
                    });
                });
            }
            Self::event(out, "tool-call-end", |event| event.put("index", &at));
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.tell_calls(out);
        self.close(out);
        self.finished = true;
        let finish = self.finish.take().unwrap_or(Finish::Stop);
        Self::event(out, "message-end", |event| {
            event.object("delta", |delta| {
                delta.put("finish_reason", finish_word(&finish));
                delta.object("usage", |object| write_usage(object, self.usage));
            });
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// An answer that fails says so where it says why it ended.
    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.finished = true;
        self.held.drop();
        Self::event(out, "message-end", |event| {
            event.object("delta", |delta| {
                delta.put("finish_reason", if fault.status == 504 { "TIMEOUT" } else { "ERROR" });
                delta.put("error", &*fault.message);
            });
        });
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match chunk {
            Chunk::Begin { id, .. } => {
                if !id.is_empty() {
                    self.id = id.to_string();
                }
                self.begin(out);
            }
            Chunk::More { choice: 0, piece } => {
                self.begin(out);
                self.more(piece, out);
            }
            Chunk::Finish { choice: 0, finish } => {
                self.tell_calls(out);
                self.finish = Some(finish.clone().into_owned());
            }
            Chunk::More { .. } | Chunk::Finish { .. } => {}
            Chunk::Usage(usage) => self.usage = *usage,
            Chunk::End => self.end(out),
            Chunk::Error(fault) => self.fail(fault, out),
        }
    }
}
