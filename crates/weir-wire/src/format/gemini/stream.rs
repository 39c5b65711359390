//! A stream of Google's, read and written
//! (<https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>): each event is an answer of its own
//! that holds what is new.

use super::call::parts;
use super::reply::{Answer, Candidate, malformed, neutral_logprobs, write_logprobs};
use super::write::function_call;
use super::{NAME, finish, finish_word, seal_for, usage_of, write_error, write_usage};
use crate::error;
use crate::format::held::{Held, too_large};
use crate::format::{Asked, StreamReader, StreamWriter, read};
use crate::json::write::{List, Object, object};
use crate::neutral::{Chunk, Finish, Part, Piece, Raw, Str, ToolCall};
use std::borrow::Cow;
use weir_core::{Fault, Usage};

/// No more answers than these are kept apart; Google gives eight at most.
const MOST_ANSWERS: u32 = 128;

/// Reads a deployment's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    /// Answers that have begun.
    answers: Vec<Progress>,
    over: bool,
}

#[derive(Debug)]
struct Progress {
    index: u32,
    calls: u32,
    finished: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, _: Option<&[u8]>, data: &[u8], give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let event: Answer<'_> = read::answer(data)?;
        if event.error.is_some_and(|raw| raw.text() != "null") {
            self.over = true;
            give(Chunk::Error(fault_inside(data)));
            return Ok(());
        }
        if !std::mem::replace(&mut self.begun, true) {
            give(Chunk::Begin {
                id: event.response_id.unwrap_or_default(),
                model: event.model_version.unwrap_or_default(),
                created: None,
            });
        }
        for (candidate, at) in event.candidates.into_iter().flatten().zip(0..) {
            self.candidate(candidate, at, give)?;
        }
        if event.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some()) {
            self.progress(0).finished = true;
            give(Chunk::Finish { choice: 0, finish: Finish::ContentFilter });
        }
        if let Some(usage) = event.usage_metadata.and_then(|raw| usage_of(raw.text())) {
            give(Chunk::Usage(usage));
        }
        Ok(())
    }

    fn end(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        let whole = !self.answers.is_empty() && self.answers.iter().all(|answer| answer.finished);
        if whole && !std::mem::replace(&mut self.over, true) {
            give(Chunk::End);
        }
    }
}

impl Reader {
    fn progress(&mut self, index: u32) -> &mut Progress {
        let at = match self.answers.iter().position(|answer| answer.index == index) {
            Some(at) => at,
            None => {
                self.answers.push(Progress { index, calls: 0, finished: false });
                self.answers.len() - 1
            }
        };
        &mut self.answers[at]
    }

    fn candidate(
        &mut self,
        candidate: Candidate<'_>,
        at: u32,
        give: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Fault> {
        let choice = candidate.index.unwrap_or(at);
        if choice >= MOST_ANSWERS {
            return Err(malformed().with_cause(format!("an answer has the number {choice}")));
        }
        let progress = self.progress(choice);
        let parts = match candidate.content.map(parts) {
            Some(Ok(parts)) => parts,
            Some(Err((at, what))) => {
                return Err(malformed().with_cause(format!("part {at} misses {what}")));
            }
            None => Vec::new(),
        };
        for part in parts {
            pieces(part, &mut progress.calls, &mut |piece| give(Chunk::More { choice, piece }));
        }
        if let Some(logprobs) = candidate.logprobs_result.and_then(|raw| neutral_logprobs(raw.text())) {
            give(Chunk::More { choice, piece: Piece::Logprobs(Raw(&logprobs.0)) });
        }
        if let Some(word) = candidate.finish_reason {
            progress.finished = true;
            give(Chunk::Finish { choice, finish: finish(word, progress.calls > 0) });
        }
        Ok(())
    }
}

fn pieces(part: Part<'_>, calls: &mut u32, more: &mut dyn FnMut(Piece<'_>)) {
    match part {
        Part::Text(text) => more(Piece::Text(text.text)),
        Part::Thinking(thought) => {
            if !thought.text.is_empty() {
                more(Piece::Thinking(thought.text));
            }
            if let Some(proof) = thought.proof {
                more(Piece::Proof(proof));
            }
        }
        Part::ToolCall(ToolCall { id, name, arguments, proof, .. }) => {
            let call = *calls;
            *calls = calls.saturating_add(1);
            more(Piece::ToolCall { call, id, name, proof });
            let json = if arguments.is_empty() { Str::from("{}") } else { arguments };
            more(Piece::Arguments { call, json });
        }
        Part::Refusal(text) => more(Piece::Refusal(text)),
        // Pictures that a model makes have no place in a stream of another format.
        Part::Media(_) | Part::ToolResult(_) => {}
    }
}

/// An error in a stream. Its `code` is a status, no name for a program to know it by.
fn fault_inside(data: &[u8]) -> Fault {
    let mut fault = error::fault_inside(data);
    if fault.code.as_ref().is_some_and(|code| code.bytes().all(|b| b.is_ascii_digit())) {
        fault.code = Some(Cow::Borrowed("upstream_error"));
    }
    fault
}

/// Writes a client's stream.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    held: Held,
    refused: Vec<u32>,
    /// Why answers ended; told in the last event, with the usage.
    finishes: Vec<(u32, Finish<'static>)>,
    usage: Option<Usage>,
    finished: bool,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        Writer {
            asked,
            held: Held::default(),
            refused: Vec::new(),
            finishes: Vec::new(),
            usage: None,
            finished: false,
        }
    }

    fn event(&self, out: &mut Vec<u8>, candidates: impl FnOnce(&mut List<'_>), usage: Option<Usage>) {
        out.extend_from_slice(b"data: ");
        object(out, |event| {
            event.list("candidates", candidates);
            if let Some(usage) = usage {
                event.object("usageMetadata", |object| write_usage(object, usage));
            }
            event.put("modelVersion", &*self.asked.model);
            event.put("responseId", &*self.asked.id);
        });
        out.extend_from_slice(b"\n\n");
    }

    fn part(&self, out: &mut Vec<u8>, choice: u32, part: impl FnOnce(&mut Object<'_>)) {
        let candidates = |list: &mut List<'_>| {
            list.object(|candidate| {
                candidate.object("content", |content| {
                    content.list("parts", |list| list.object(part));
                    content.put("role", "model");
                });
                candidate.put("index", &choice);
            });
        };
        self.event(out, candidates, None);
    }

    fn more(&mut self, choice: u32, piece: &Piece<'_>, out: &mut Vec<u8>) {
        if !matches!(piece, Piece::ToolCall { .. } | Piece::Arguments { .. } | Piece::Logprobs(_)) {
            self.tell_calls(Some(choice), out);
        }
        match piece {
            Piece::Text(text) => self.part(out, choice, |part| part.put("text", text)),
            Piece::Refusal(text) => {
                if !self.refused.contains(&choice) {
                    self.refused.push(choice);
                }
                self.part(out, choice, |part| part.put("text", text));
            }
            Piece::Thinking(text) => self.part(out, choice, |part| {
                part.put("text", text);
                part.put("thought", &true);
            }),
            Piece::Proof(proof) | Piece::Hidden(proof) => {
                let seal = seal_for(proof);
                let of_a_thought = matches!(piece, Piece::Hidden(_)) || proof.format != *NAME;
                self.part(out, choice, |part| {
                    part.put("text", "");
                    if of_a_thought {
                        part.put("thought", &true);
                    }
                    part.put("thoughtSignature", &seal);
                });
            }
            Piece::ToolCall { .. } | Piece::Arguments { .. } => {
                if !self.held.take(choice, piece) {
                    self.fail(&too_large(), out);
                }
            }
            Piece::Logprobs(logprobs) => {
                let candidates = |list: &mut List<'_>| {
                    list.object(|candidate| {
                        candidate.put("index", &choice);
                        write_logprobs(candidate, logprobs.text());
                    });
                };
                self.event(out, candidates, None);
            }
            Piece::Citation(..) | Piece::End => {}
        }
    }

    /// Tells the calls of an answer, or of all.
    fn tell_calls(&mut self, choice: Option<u32>, out: &mut Vec<u8>) {
        for (choice, _, call) in self.held.give(choice) {
            let seal = call.proof.as_ref().map(seal_for);
            self.part(out, choice, |part| function_call(part, &call, seal.as_deref()));
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.tell_calls(None, out);
        self.finished = true;
        let mut finishes = std::mem::take(&mut self.finishes);
        if finishes.is_empty() {
            finishes.push((0, Finish::Stop));
        }
        let candidates = |list: &mut List<'_>| {
            for (choice, finish) in &finishes {
                let finish = if self.refused.contains(choice) { &Finish::Refusal } else { finish };
                list.object(|candidate| {
                    candidate.object("content", |content| {
                        content.list("parts", |list| list.object(|part| part.put("text", "")));
                        content.put("role", "model");
                    });
                    candidate.put("finishReason", finish_word(finish));
                    candidate.put("index", choice);
                });
            }
        };
        self.event(out, candidates, self.usage);
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.finished = true;
        self.held.drop();
        out.extend_from_slice(b"data: ");
        write_error(out, fault, None, None);
        out.extend_from_slice(b"\n\n");
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match chunk {
            Chunk::Begin { id, model, .. } => {
                if !id.is_empty() {
                    self.asked.id = id.to_string();
                }
                if !model.is_empty() {
                    self.asked.model = model.to_string();
                }
            }
            Chunk::More { choice, piece } => self.more(*choice, piece, out),
            Chunk::Finish { choice, finish } => {
                self.tell_calls(Some(*choice), out);
                self.finishes.retain(|(of, _)| of != choice);
                if self.finishes.len() < MOST_ANSWERS as usize {
                    self.finishes.push((*choice, finish.clone().into_owned()));
                }
            }
            Chunk::Usage(usage) => self.usage = Some(*usage),
            Chunk::End => self.end(out),
            Chunk::Error(fault) => self.fail(fault, out),
        }
    }
}
