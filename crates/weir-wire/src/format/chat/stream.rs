//! A chat stream, read and written (<https://platform.openai.com/docs/api-reference/chat-streaming>).

use super::reply::{ExtraContent, write_usage};
use super::write::thinking_block;
use super::{ThinkingBlock, finish, finish_word};
use crate::error;
use crate::format::read::{self, proof_of, seal_for};
use crate::format::tools::id_in;
use crate::format::{Asked, Begun, StreamReader, StreamWriter, messages};
use crate::json::write::{Object, object};
use crate::neutral::{Chunk, Piece, Raw, Str, Thinking};
use crate::usage;
use serde::Deserialize;
use weir_core::Fault;

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
    delta: Option<Delta<'a>>,
    finish_reason: Option<Str<'a>>,
    logprobs: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<Str<'a>>,
    refusal: Option<Str<'a>>,
    reasoning_content: Option<Str<'a>>,
    reasoning: Option<Str<'a>>,
    thinking_blocks: Option<Vec<ThinkingBlock<'a>>>,
    tool_calls: Option<Vec<Called<'a>>>,
}

#[derive(Deserialize)]
struct Called<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    id: Option<Str<'a>>,
    function: Option<Function<'a>>,
    extra_content: Option<ExtraContent<'a>>,
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
    /// Calls that have begun, as (answer, index of the call).
    calls: Vec<(u32, u32)>,
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
        if name == Some(b"error") || event.error.is_some_and(|raw| raw.text() != "null") {
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
            if let Some(delta) = choice.delta {
                self.delta(index, delta, give);
            }
            if let Some(logprobs) = choice.logprobs.filter(|raw| raw.text() != "null") {
                give(Chunk::More { choice: index, piece: Piece::Logprobs(logprobs) });
            }
            if let Some(word) = choice.finish_reason {
                give(Chunk::Finish { choice: index, finish: finish(word) });
            }
        }
        if let Some(usage) = event.usage.and_then(|raw| usage::of(raw.text().as_bytes())) {
            give(Chunk::Usage(usage));
        }
        Ok(())
    }
}

impl Reader {
    fn delta(&mut self, choice: u32, delta: Delta<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        let mut more = |piece| give(Chunk::More { choice, piece });
        let some = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(|text| text.into_owned());
        let mut sealed_text = false;
        for block in delta.thinking_blocks.into_iter().flatten() {
            let own = messages::NAME;
            if let Some(data) = block.data {
                more(Piece::Hidden(proof_of(own, &data)));
                continue;
            }
            if let Some(text) = some(block.thinking) {
                sealed_text = true;
                more(Piece::Thinking(text));
            }
            if let Some(seal) = some(block.signature) {
                more(Piece::Proof(proof_of(own, &seal)));
            }
        }
        if let Some(text) = some(delta.reasoning_content.or(delta.reasoning)).filter(|_| !sealed_text) {
            more(Piece::Thinking(text));
        }
        if let Some(text) = some(delta.content) {
            more(Piece::Text(text));
        }
        if let Some(text) = some(delta.refusal) {
            more(Piece::Refusal(text));
        }
        for (called, at) in delta.tool_calls.into_iter().flatten().zip(0..) {
            self.called(choice, at, called, give);
        }
    }

    fn called(&mut self, choice: u32, at: u32, called: Called<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        let call = called.index.unwrap_or(at);
        let Some(function) = called.function else { return };
        if !self.calls.contains(&(choice, call)) {
            self.calls.push((choice, call));
            let seal =
                called.extra_content.and_then(|e| e.google).and_then(|google| google.thought_signature);
            let piece = Piece::ToolCall {
                call,
                id: called.id.unwrap_or_default(),
                name: function.name.unwrap_or_default(),
                proof: seal.map(|seal| proof_of("gemini", &seal)),
            };
            give(Chunk::More { choice, piece });
        }
        if let Some(json) = function.arguments.filter(|json| !json.is_empty()) {
            give(Chunk::More { choice, piece: Piece::Arguments { call, json } });
        }
    }
}

/// Writes a client's stream.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    begun: Vec<u32>,
    finished: bool,
    usage: Option<weir_core::Usage>,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        let begun = if asked.begun == Begun::Nothing { Vec::new() } else { vec![0] };
        Writer { asked, begun, finished: false, usage: None }
    }

    fn event(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"data: ");
        object(out, |event| {
            event.put("id", &*self.asked.id);
            event.put("object", "chat.completion.chunk");
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
        delta: impl FnOnce(&mut Object<'_>),
        finish: Option<&str>,
    ) {
        self.event(out, |event| {
            event.list("choices", |list| {
                list.object(|entry| {
                    entry.put("index", &choice);
                    entry.object("delta", delta);
                    entry.put("finish_reason", &finish);
                });
            });
            if self.asked.stream_usage {
                event.put("usage", &());
            }
        });
    }

    /// The first event of an answer names who speaks, and nothing else.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        if self.begun.contains(&choice) {
            return;
        }
        self.begun.push(choice);
        self.choice(
            out,
            choice,
            |delta| {
                delta.put("role", "assistant");
                delta.put("content", "");
                delta.put("refusal", &());
            },
            None,
        );
    }

    fn more(&mut self, choice: u32, piece: &Piece<'_>, out: &mut Vec<u8>) {
        if !matches!(piece, Piece::End | Piece::Citation(..)) {
            self.begin(choice, out);
        }
        let thought = |delta: &mut Object<'_>, thinking: &Thinking<'_>| {
            delta.list("thinking_blocks", |list| list.object(|block| thinking_block(block, thinking)));
        };
        match piece {
            Piece::Text(text) => self.choice(out, choice, |delta| delta.put("content", text), None),
            Piece::Refusal(text) => self.choice(out, choice, |delta| delta.put("refusal", text), None),
            Piece::Thinking(text) => {
                self.choice(out, choice, |delta| delta.put("reasoning_content", text), None);
            }
            Piece::Proof(proof) => {
                let thinking = Thinking { proof: Some(proof.clone()), ..Thinking::default() };
                self.choice(out, choice, |delta| thought(delta, &thinking), None);
            }
            Piece::Hidden(proof) => {
                let thinking = Thinking { proof: Some(proof.clone()), hidden: true, ..Thinking::default() };
                self.choice(out, choice, |delta| thought(delta, &thinking), None);
            }
            Piece::ToolCall { call, id, name, proof } => self.tool(out, choice, |entry| {
                entry.put("index", call);
                entry.put("id", &*id_in(&self.asked.id, id, *call));
                entry.put("type", "function");
                entry.object("function", |function| {
                    function.put("name", name);
                    function.put("arguments", "");
                });
                if let Some(proof) = proof {
                    entry.object("extra_content", |extra| {
                        extra.object("google", |google| {
                            google.put("thought_signature", &seal_for("gemini", proof));
                        });
                    });
                }
            }),
            Piece::Arguments { call, json } => self.tool(out, choice, |entry| {
                entry.put("index", call);
                entry.object("function", |function| function.put("arguments", json));
            }),
            // The tokens have gone out; an event of their own says how likely they were. Clients gather both.
            Piece::Logprobs(logprobs) => self.event(out, |event| {
                event.list("choices", |list| {
                    list.object(|entry| {
                        entry.put("index", &choice);
                        entry.object("delta", |_| {});
                        entry.put("logprobs", logprobs);
                        entry.put("finish_reason", &());
                    });
                });
                if self.asked.stream_usage {
                    event.put("usage", &());
                }
            }),
            Piece::Citation(..) | Piece::End => {}
        }
    }

    fn tool(&self, out: &mut Vec<u8>, choice: u32, fill: impl FnOnce(&mut Object<'_>)) {
        self.choice(out, choice, |delta| delta.list("tool_calls", |list| list.object(fill)), None);
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        match chunk {
            Chunk::Begin { id, model, created } => {
                if !id.is_empty() {
                    self.asked.id = id.to_string();
                }
                if !model.is_empty() {
                    self.asked.model = model.to_string();
                }
                self.asked.now = created.unwrap_or(self.asked.now);
                self.begin(0, out);
            }
            Chunk::More { choice, piece } => self.more(*choice, piece, out),
            Chunk::Finish { choice, finish } => {
                self.begin(*choice, out);
                self.choice(out, *choice, |_| {}, Some(finish_word(finish)));
            }
            Chunk::Usage(usage) => self.usage = Some(*usage),
            Chunk::End if !std::mem::replace(&mut self.finished, true) => {
                if let Some(usage) = self.usage.filter(|_| self.asked.stream_usage) {
                    self.event(out, |event| {
                        event.list("choices", |_| {});
                        event.object("usage", |object| write_usage(object, usage));
                    });
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Chunk::End => {}
            Chunk::Error(fault) => {
                self.finished = true;
                out.extend_from_slice(&error::event(fault, None, None));
            }
        }
    }
}
