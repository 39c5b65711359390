//! A stream, read and written.

use super::{finish, finish_word, logprobs};
use crate::error;
use crate::format::chat::write_usage;
use crate::format::read;
use crate::format::{Asked, Begun as Taken, StreamReader, StreamWriter};
use crate::json::write::{Object, object};
use crate::neutral::{Chunk, Piece, Raw, Str};
use crate::usage;
use serde::Deserialize;
use weir_core::{Fault, Usage};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    created: Option<i64>,
    choices: Option<Vec<EventChoice<'a>>>,
    #[serde(borrow)]
    usage: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct EventChoice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    finish_reason: Option<Str<'a>>,
    logprobs: Option<Raw<'a>>,
}

/// Reads a deployment's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
}

impl StreamReader for Reader {
    fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        give: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Fault> {
        if data.trim_ascii() == b"[DONE]" {
            give(Chunk::End);
            return Ok(());
        }
        let event: Event<'_> = read::answer(data)?;
        if name == Some(b"error") || event.error.is_some() {
            give(Chunk::Error(error::fault_inside(data)));
            return Ok(());
        }
        if !std::mem::replace(&mut self.begun, true) {
            give(Chunk::Begin {
                id: event.id.unwrap_or_default(),
                model: event.model.unwrap_or_default(),
                created: event.created,
            });
        }
        for (choice, at) in event.choices.into_iter().flatten().zip(0..) {
            let index = choice.index.unwrap_or(at);
            if let Some(text) = choice.text.filter(|text| !text.is_empty()) {
                give(Chunk::More { choice: index, piece: Piece::Text(text) });
            }
            if let Some(figures) = choice.logprobs.and_then(logprobs::read) {
                give(Chunk::More { choice: index, piece: Piece::Logprobs(Raw(&figures.0)) });
            }
            if let Some(word) = choice.finish_reason {
                give(Chunk::Finish { choice: index, finish: finish(word) });
            }
        }
        // Ollama states zeros as long as it has not counted.
        let usage = event.usage.and_then(|raw| usage::of(raw.text().as_bytes()));
        if let Some(usage) = usage.filter(|usage| usage.total() > 0) {
            give(Chunk::Usage(usage));
        }
        Ok(())
    }
}

/// So many answers are told apart: OpenAI gives no more.
const MOST_CHOICES: usize = 128;

/// An answer that has begun.
#[derive(Debug)]
struct Begun {
    choice: u32,
    /// Where the text of its next token begins, in characters.
    offset: usize,
}

/// Writes a client's stream.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    begun: Vec<Begun>,
    finished: bool,
    usage: Option<Usage>,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        let offset = asked.repeated.chars().count() + asked.told.chars().count();
        let begun = match asked.begun {
            Taken::Nothing => Vec::new(),
            Taken::Head | Taken::Text => vec![Begun { choice: 0, offset }],
        };
        Writer { asked, begun, finished: false, usage: None }
    }

    fn event(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        object(out, |event| {
            event.put("id", &*self.asked.id);
            event.put("object", "text_completion");
            event.put("created", &self.asked.now);
            event.put("model", &*self.asked.model);
            fill(event);
        });
        out.extend_from_slice(b"\n\n");
    }

    fn choice(
        &self,
        out: &mut Vec<u8>,
        choice: u32,
        text: &str,
        finish: Option<&str>,
        figures: impl FnOnce(&mut Object<'_>),
    ) {
        self.event(out, |event| {
            event.list("choices", |list| {
                list.object(|entry| {
                    entry.put("text", text);
                    entry.put("index", &choice);
                    figures(entry);
                    entry.put("finish_reason", &finish);
                });
            });
            if self.asked.stream_usage {
                event.put("usage", &());
            }
        });
    }

    fn text(&self, out: &mut Vec<u8>, choice: u32, text: &str, finish: Option<&str>) {
        self.choice(out, choice, text, finish, |entry| entry.put("logprobs", &()));
    }

    /// An answer begins with the prompt, if that is wanted. Says where the answer stands, if it is told at all.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) -> Option<usize> {
        if let Some(at) = self.begun.iter().position(|begun| begun.choice == choice) {
            return Some(at);
        }
        if self.begun.len() >= MOST_CHOICES {
            return None;
        }
        self.begun.push(Begun { choice, offset: self.asked.repeated.chars().count() });
        if !self.asked.repeated.is_empty() {
            self.text(out, choice, &self.asked.repeated, None);
        }
        Some(self.begun.len() - 1)
    }

    fn more(&mut self, choice: u32, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(at) = self.begin(choice, out) else { return };
        match piece {
            Piece::Text(text) | Piece::Refusal(text) => self.text(out, choice, text, None),
            // They belong to a text that has gone out; an event without one brings them.
            Piece::Logprobs(raw) => {
                let mut offset = self.begun.get(at).map_or(0, |begun| begun.offset);
                self.choice(out, choice, "", None, |entry| logprobs::write(entry, raw.text(), &mut offset));
                if let Some(begun) = self.begun.get_mut(at) {
                    begun.offset = offset;
                }
            }
            Piece::Thinking(_)
            | Piece::Proof(_)
            | Piece::Hidden(_)
            | Piece::ToolCall { .. }
            | Piece::Arguments { .. }
            | Piece::Citation(..)
            | Piece::End => {}
        }
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match chunk {
            Chunk::Begin { id, model, created } => {
                if !id.is_empty() {
                    self.asked.id = id.to_string();
                }
                if !model.is_empty() {
                    self.asked.model = model.to_string();
                }
                self.asked.now = created.unwrap_or(self.asked.now);
            }
            Chunk::More { choice, piece } => self.more(*choice, piece, out),
            Chunk::Finish { choice, finish } => {
                if self.begin(*choice, out).is_some() {
                    self.text(out, *choice, "", Some(finish_word(finish)));
                }
            }
            Chunk::Usage(usage) => self.usage = Some(*usage),
            Chunk::End => {
                self.finished = true;
                if let Some(usage) = self.usage.filter(|_| self.asked.stream_usage) {
                    self.event(out, |event| {
                        event.list("choices", |_| {});
                        event.object("usage", |object| write_usage(object, usage));
                    });
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Chunk::Error(fault) => {
                self.finished = true;
                out.extend_from_slice(&error::event(fault, None, None));
            }
        }
    }
}
