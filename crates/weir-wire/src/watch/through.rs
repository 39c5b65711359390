//! Streams that are read into the neutral form: to know what they say, in formats other than OpenAI's, and to be written
//! in another.

use super::told::Heard;
use super::{Seen, damaged, diverged};
use crate::answer::FinishReason;
use crate::format::{Format, Framing, StreamReader, StreamWriter};
use crate::name::ModelName;
use crate::neutral::{Chunk, Piece, Str};
use crate::sse::{Event, Fate};

/// How a stream that is not OpenAI's is read, and written, if it is.
#[derive(Debug)]
pub(super) struct Through {
    reader: Box<dyn StreamReader>,
    /// `None`: the client speaks the same format, and gets the bytes as they come.
    writer: Option<Box<dyn StreamWriter>>,
    /// How what comes is cut.
    pub(super) framing: Framing,
    /// What ends a stream in order in the client's eyes.
    pub(super) end_mark: &'static [u8],
    /// What has been written and not been fetched.
    pub(super) written: Vec<u8>,
}

impl Through {
    pub(super) fn new(from: &dyn Format, to: &dyn Format, writer: Option<Box<dyn StreamWriter>>) -> Self {
        Through {
            reader: from.stream_reader(),
            writer,
            framing: from.framing(),
            end_mark: to.end_mark(),
            written: Vec::new(),
        }
    }

    /// Whether bytes are passed on as they come.
    pub(super) fn passes_on(&self) -> bool {
        self.writer.is_none()
    }

    fn write(&mut self, chunk: &Chunk<'_>) {
        if let Some(writer) = &mut self.writer {
            writer.write(chunk, &mut self.written);
        }
    }

    /// What is missing for an orderly end.
    pub(super) fn end(&mut self) -> Vec<u8> {
        if self.passes_on() {
            return self.end_mark.to_vec();
        }
        self.write(&Chunk::End);
        std::mem::take(&mut self.written)
    }
}

impl Seen {
    /// As [`Seen::judge`](super::Seen::judge), for what is read into the neutral form.
    pub(super) fn judge_through(&mut self, mut through: Box<Through>, event: &Event<'_>) -> Fate {
        let raw = through.passes_on();
        let Some(data) = &event.data else {
            self.through = Some(through);
            return if raw { Fate::Keep } else { Fate::Drop };
        };
        // Both are needed at once: the reader to read, the rest to be told.
        let mut reader = std::mem::replace(&mut through.reader, Box::new(Nothing));
        let before = self.unparsable;
        let read = reader.read(event.name, data, &mut |chunk| self.hear(&mut through, &chunk));
        through.reader = reader;
        self.through = Some(through);
        self.events += 1;
        if read.is_err() {
            // As in OpenAI's format: nothing is put together over a hole.
            if data.trim_ascii_start().starts_with(b"{") {
                self.error = Some(damaged());
            } else {
                self.unparsable += 1;
            }
        }
        match (&self.error, self.done) {
            (Some(_), _) => Fate::Stop,
            (None, true) if raw && self.is_finished() => Fate::Last,
            (None, true) => Fate::Stop,
            (None, false) if raw && self.unparsable == before => Fate::Keep,
            (None, false) => Fate::Drop,
        }
    }

    /// The bytes are over, in order. Some formats say only by that that the answer is whole.
    pub(super) fn ends_through(&mut self) {
        let Some(mut through) = self.through.take() else { return };
        let mut reader = std::mem::replace(&mut through.reader, Box::new(Nothing));
        reader.end(&mut |chunk| self.hear(&mut through, &chunk));
        through.reader = reader;
        self.through = Some(through);
    }

    /// Takes note of a chunk, and writes it, if anything is written.
    fn hear(&mut self, through: &mut Through, chunk: &Chunk<'_>) {
        if self.error.is_some() || self.done {
            return;
        }
        let joining = self.told.as_ref().is_some_and(|told| told.is_joining());
        match chunk {
            Chunk::Begin { model, .. } => {
                if self.model.is_none() {
                    self.model = ModelName::new(model).filter(|name| !name.is_empty());
                }
                if !joining {
                    through.write(chunk);
                }
            }
            Chunk::More { choice, piece } => self.hear_piece(through, *choice, piece, chunk),
            Chunk::Finish { choice, finish } => {
                if joining && self.told.as_ref().is_some_and(|told| told.is_repeating()) {
                    self.first_token = false;
                    self.error = Some(diverged());
                    return;
                }
                if let Some(told) = &mut self.told {
                    told.join();
                }
                self.first_token = true;
                self.choice(*choice, Some(FinishReason::of(finish)));
                through.write(chunk);
            }
            Chunk::Usage(usage) => {
                if usage.total() > 0 || self.usage.is_none() {
                    self.usage = Some(*usage);
                }
                through.write(chunk);
            }
            Chunk::End => {
                self.done = true;
                // An end before every choice was finished is no end.
                if self.is_finished() {
                    through.write(chunk);
                }
            }
            Chunk::Error(fault) => self.error = Some(fault.clone()),
        }
    }

    fn hear_piece(&mut self, through: &mut Through, choice: u32, piece: &Piece<'_>, chunk: &Chunk<'_>) {
        let bytes = match piece {
            Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) => text.len(),
            Piece::Arguments { json, .. } => json.len(),
            Piece::ToolCall { name, .. } => name.len(),
            Piece::Hidden(_) => 1,
            Piece::Proof(_) | Piece::Citation(..) | Piece::Logprobs(_) | Piece::End => 0,
        };
        self.choice(choice, None);
        self.refused |= matches!(piece, Piece::Refusal(_));
        if bytes > 0 {
            self.first_token = true;
            self.token_events += 1;
            self.text_bytes += bytes;
        }
        let joining = self.told.as_ref().is_some_and(|told| told.is_joining());
        match piece {
            Piece::Text(text) if joining => self.join_text(through, choice, text),
            _ if joining && bytes == 0 => {}
            _ if joining && self.told.as_ref().is_some_and(|told| !told.text().is_empty()) => {
                self.first_token = false;
                self.error = Some(diverged());
            }
            Piece::Text(text) => {
                self.remember_plain(text);
                through.write(chunk);
            }
            _ => {
                if bytes > 0 {
                    self.told = None;
                }
                through.write(chunk);
            }
        }
    }

    /// A text of a stream that takes up an answer, none of which has gone out yet.
    fn join_text(&mut self, through: &mut Through, choice: u32, text: &str) {
        let Some(told) = &mut self.told else { return };
        let from = match told.hear(text) {
            Heard::New => 0,
            Heard::NewFrom(from) => from,
            Heard::Known => {
                self.first_token = false; // of what is new
                return;
            }
            Heard::Differs => {
                self.first_token = false;
                self.error = Some(diverged());
                return;
            }
        };
        told.join();
        let new = told.take_held() + text.get(from..).unwrap_or_default();
        let new = Str::from(&*new);
        through.write(&Chunk::More { choice, piece: Piece::Text(new) });
    }

    /// Text that goes out.
    fn remember_plain(&mut self, text: &str) {
        let Some(told) = &mut self.told else { return };
        if told.hear(text) != Heard::New || told.is_too_long() {
            self.told = None;
        }
    }

    fn choice(&mut self, index: u32, finish: Option<FinishReason>) {
        if let Some((_, known)) = self.choices.iter_mut().find(|(known, _)| *known == index) {
            *known = finish.or(*known);
        } else if self.choices.len() < Self::MOST_CHOICES {
            self.choices.push((index, finish));
        }
    }
}

/// Stands in for a reader that is at work.
#[derive(Debug)]
struct Nothing;

impl StreamReader for Nothing {
    fn read(
        &mut self,
        _: Option<&[u8]>,
        _: &[u8],
        _: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), weir_core::Fault> {
        Ok(())
    }
}
