//! A stream of Ollama's, read and written: each line is an answer of its own that holds what is new
//! (<https://docs.ollama.com/api/streaming>).

use super::reply::{Answer, neutral_logprobs, write_end, write_head, write_logprobs};
use super::write::tool_call;
use super::{Kind, finish, write_error};
use crate::error;
use crate::format::held::{Held, too_large};
use crate::format::{Asked, StreamReader, StreamWriter, read};
use crate::json::write::{Object, object};
use crate::neutral::{Chunk, Finish, Part, Piece, Raw, Str, ToolCall};
use weir_core::{Fault, Usage};

/// Reads a deployment's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    calls: u32,
}

impl StreamReader for Reader {
    fn read(&mut self, _: Option<&[u8]>, data: &[u8], give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let mut line: Answer<'_> = read::answer(data)?;
        if line.error.is_some_and(|raw| raw.text() != "null") {
            give(Chunk::Error(error::fault_inside(data)));
            return Ok(());
        }
        if !std::mem::replace(&mut self.begun, true) {
            let created = line.created();
            let model = line.model.take().unwrap_or_default();
            give(Chunk::Begin { id: Str::default(), model, created });
        }
        for part in line.parts() {
            self.pieces(part, &mut |piece| give(Chunk::More { choice: 0, piece }));
        }
        if let Some(logprobs) = line.logprobs.as_deref().and_then(neutral_logprobs) {
            give(Chunk::More { choice: 0, piece: Piece::Logprobs(Raw(&logprobs.0)) });
        }
        if line.done == Some(true) {
            let usage = line.usage();
            give(Chunk::Finish { choice: 0, finish: finish(line.done_reason, self.calls > 0) });
            if let Some(usage) = usage {
                give(Chunk::Usage(usage));
            }
            give(Chunk::End);
        }
        Ok(())
    }
}

impl Reader {
    fn pieces(&mut self, part: Part<'_>, more: &mut dyn FnMut(Piece<'_>)) {
        match part {
            Part::Thinking(thought) => more(Piece::Thinking(thought.text)),
            Part::Text(text) => more(Piece::Text(text.text)),
            Part::ToolCall(ToolCall { id, name, arguments, proof, .. }) => {
                let call = self.calls;
                self.calls = call.saturating_add(1);
                more(Piece::ToolCall { call, id, name, proof });
                let json = if arguments.is_empty() { Str::from("{}") } else { arguments };
                more(Piece::Arguments { call, json });
            }
            Part::Media(_) | Part::ToolResult(_) | Part::Refusal(_) => {}
        }
    }
}

/// Writes a client's stream. Of the answers that another format may give side by side, the first is told.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    kind: Kind,
    held: Held,
    refused: bool,
    finish: Option<Finish<'static>>,
    usage: Option<Usage>,
    finished: bool,
}

impl Writer {
    pub(super) fn new(asked: Asked, kind: Kind) -> Self {
        Writer {
            asked,
            kind,
            held: Held::default(),
            refused: false,
            finish: None,
            usage: None,
            finished: false,
        }
    }

    /// A line with `content`, to which `message` adds what else is said, and `rest` what stands around it.
    fn line(
        &self,
        out: &mut Vec<u8>,
        content: &str,
        message: impl FnOnce(&mut Object<'_>),
        rest: impl FnOnce(&mut Object<'_>),
    ) {
        object(out, |line| {
            write_head(line, &self.asked.model, self.asked.now);
            match self.kind {
                Kind::Chat => line.object("message", |said| {
                    said.put("role", "assistant");
                    said.put("content", content);
                    message(said);
                }),
                Kind::Generate => {
                    line.put("response", content);
                    message(line);
                }
            }
            rest(line);
        });
        out.push(b'\n');
    }

    fn more(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let going_on = |line: &mut Object<'_>| line.put("done", &false);
        match piece {
            Piece::Text(text) => {
                self.tell_calls(out);
                self.line(out, text, |_| {}, going_on);
            }
            Piece::Refusal(text) => {
                self.refused = true;
                self.line(out, text, |_| {}, going_on);
            }
            Piece::Thinking(text) => {
                self.tell_calls(out);
                self.line(out, "", |message| message.put("thinking", text), going_on);
            }
            // A prompt is answered in words; who asks by one can offer no tools.
            Piece::ToolCall { .. } | Piece::Arguments { .. } if self.kind == Kind::Generate => {}
            Piece::ToolCall { .. } | Piece::Arguments { .. } => {
                if !self.held.take(0, piece) {
                    self.fail(&too_large(), out);
                }
            }
            Piece::Logprobs(logprobs) => {
                let rest = |line: &mut Object<'_>| {
                    going_on(line);
                    write_logprobs(line, logprobs.text());
                };
                self.line(out, "", |_| {}, rest);
            }
            Piece::End => self.tell_calls(out),
            // Its clients have no place for a seal.
            Piece::Proof(_) | Piece::Hidden(_) | Piece::Citation(..) => {}
        }
    }

    fn tell_calls(&mut self, out: &mut Vec<u8>) {
        for (_, at, call) in self.held.give(None) {
            let calls = |message: &mut Object<'_>| {
                message.list("tool_calls", |list| list.object(|entry| tool_call(entry, &call, at)));
            };
            self.line(out, "", calls, |line| line.put("done", &false));
        }
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.finished = true;
        self.held.drop();
        write_error(out, fault, None, None);
        out.push(b'\n');
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match chunk {
            Chunk::Begin { model, created, .. } => {
                if !model.is_empty() {
                    self.asked.model = model.to_string();
                }
                self.asked.now = created.unwrap_or(self.asked.now);
            }
            Chunk::More { choice: 0, piece } => self.more(piece, out),
            Chunk::Finish { choice: 0, finish } => {
                self.tell_calls(out);
                self.finish = Some(finish.clone().into_owned());
            }
            Chunk::More { .. } | Chunk::Finish { .. } => {}
            Chunk::Usage(usage) => self.usage = Some(*usage),
            Chunk::End => {
                self.tell_calls(out);
                self.finished = true;
                let finish = self.finish.take().filter(|_| !self.refused);
                let finish = finish.unwrap_or(if self.refused { Finish::Refusal } else { Finish::Stop });
                self.line(out, "", |_| {}, |line| write_end(line, &finish, self.usage));
            }
            Chunk::Error(fault) => self.fail(fault, out),
        }
    }
}
