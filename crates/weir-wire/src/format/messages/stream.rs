//! A stream of a message, read and written (<https://docs.anthropic.com/en/docs/build-with-claude/streaming>).

use super::{NAME, Tokens, finish, finish_word, stop_sequence, write_error, write_usage};
use crate::error;
use crate::format::read::{self, proof_of, seal_for};
use crate::format::tools::id_in;
use crate::format::{Asked, Begun, Stands, StreamReader, StreamWriter};
use crate::json::nesting::Nesting;
use crate::json::write::{Object, object};
use crate::neutral::{Chunk, Finish, Piece, Raw, Str};
use serde::Deserialize;
use weir_core::{Fault, Usage};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    index: Option<u32>,
    message: Option<Started<'a>>,
    content_block: Option<Block<'a>>,
    delta: Option<Delta<'a>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Started<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    text: Option<Str<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    data: Option<Str<'a>>,
    thinking: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    partial_json: Option<Str<'a>>,
    thinking: Option<Str<'a>>,
    signature: Option<Str<'a>>,
    citation: Option<Raw<'a>>,
    stop_reason: Option<Str<'a>>,
    stop_sequence: Option<Str<'a>>,
}

/// Reads a deployment's stream.
#[derive(Debug)]
pub(super) struct Reader {
    tokens: Tokens,
    calls: u32,
    /// The call whose block is open, and by what number the block goes.
    call: Option<(u32, u32)>,
    /// As long as blocks come in the order of their numbers.
    stands: Option<Stands>,
}

impl Default for Reader {
    fn default() -> Self {
        Reader { tokens: Tokens::default(), calls: 0, call: None, stands: Some(Stands::default()) }
    }
}

impl StreamReader for Reader {
    fn read(&mut self, _: Option<&[u8]>, data: &[u8], give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let event: Event<'_> = read::answer(data)?;
        match &*event.kind {
            "message_start" => {
                let Some(message) = event.message else { return Ok(()) };
                give(Chunk::Begin {
                    id: message.id.unwrap_or_default(),
                    model: message.model.unwrap_or_default(),
                    created: None,
                });
                self.count(message.usage, give);
            }
            "content_block_start" => {
                if let Some(block) = event.content_block {
                    self.start(event.index.unwrap_or_default(), block, give);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.delta(event.index.unwrap_or_default(), delta, give);
                }
            }
            "content_block_stop" => {
                self.call = None;
                self.stands = self.stands.map(|stands| Stands { in_text: false, ..stands });
                give(Chunk::More { choice: 0, piece: Piece::End });
            }
            "message_delta" => {
                if let Some(delta) = event.delta
                    && let Some(word) = delta.stop_reason
                {
                    give(Chunk::Finish { choice: 0, finish: finish(word, delta.stop_sequence) });
                }
                self.count(event.usage, give);
            }
            "message_stop" => give(Chunk::End),
            "error" => give(Chunk::Error(error::fault_inside(data))),
            _ => {} // `ping`, and what is yet to be invented
        }
        Ok(())
    }

    fn stands(&self) -> Option<Stands> {
        self.stands
    }
}

impl Reader {
    /// Figures are totals so far.
    fn count(&mut self, stated: Option<Tokens>, give: &mut dyn FnMut(Chunk<'_>)) {
        let Some(stated) = stated else { return };
        self.tokens = self.tokens.replaced_by(stated);
        if let Some(usage) = self.tokens.usage() {
            give(Chunk::Usage(usage));
        }
    }

    fn start(&mut self, index: u32, block: Block<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        let in_order = self.stands.filter(|stands| stands.begun == index);
        self.stands = in_order.map(|_| Stands { begun: index + 1, in_text: &*block.kind == "text" });
        let mut more = |piece| give(Chunk::More { choice: 0, piece });
        match &*block.kind {
            "tool_use" => {
                let call = self.calls;
                self.calls += 1;
                self.call = Some((index, call));
                more(Piece::ToolCall {
                    call,
                    id: block.id.unwrap_or_default(),
                    name: block.name.unwrap_or_default(),
                    proof: None,
                });
            }
            "redacted_thinking" => {
                if let Some(data) = block.data {
                    more(Piece::Hidden(proof_of(NAME, &data)));
                }
            }
            _ => {
                if let Some(text) = block.text.filter(|text| !text.is_empty()) {
                    more(Piece::Text(text));
                }
                if let Some(text) = block.thinking.filter(|text| !text.is_empty()) {
                    more(Piece::Thinking(text));
                }
            }
        }
    }

    fn delta(&mut self, index: u32, delta: Delta<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        let mut more = |piece| give(Chunk::More { choice: 0, piece });
        if let Some(text) = delta.text {
            more(Piece::Text(text));
        }
        if let Some(text) = delta.thinking {
            more(Piece::Thinking(text));
        }
        if let Some(seal) = delta.signature.filter(|seal| !seal.is_empty()) {
            more(Piece::Proof(proof_of(NAME, &seal)));
        }
        if let Some(citation) = delta.citation {
            more(Piece::Citation(NAME, citation));
        }
        // Arguments of the vendor's own tools come in the same way, and are not the client's to run.
        if let (Some(json), Some((open, call))) = (delta.partial_json, self.call)
            && open == index
            && !json.is_empty()
        {
            more(Piece::Arguments { call, json });
        }
    }
}

/// So many bytes of arguments wait for another call's to be whole.
const MOST_HELD: usize = 1024 * 1024;

/// What kind of block stands open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    /// Of this call, whose arguments stand so.
    Tool(u32, Nesting),
}

/// A call that has to wait, because blocks do not overlap here as calls may elsewhere.
#[derive(Debug)]
struct Waiting {
    call: u32,
    id: String,
    name: String,
    json: String,
    /// The call's seal, in a block of its own before it.
    seal: Option<String>,
}

/// Writes a client's stream. Of the answers that another format may give side by side, the first is told.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    begun: bool,
    finished: bool,
    open: Option<Open>,
    /// How many blocks have begun.
    blocks: u32,
    /// Calls that began while another's arguments were not whole yet.
    waiting: Vec<Waiting>,
    refused: bool,
    finish: Option<Finish<'static>>,
    usage: Usage,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        Writer {
            begun: asked.begun != Begun::Nothing,
            finished: false,
            open: (asked.begun == Begun::Text).then_some(Open::Text),
            blocks: u32::from(asked.begun == Begun::Text) + u32::from(asked.after_thought),
            waiting: Vec::new(),
            refused: false,
            finish: None,
            usage: Usage::default(),
            asked,
        }
    }

    fn event(out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        object(out, |event| {
            event.put("type", kind);
            fill(event);
        });
        out.extend_from_slice(b"\n\n");
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        Self::event(out, "message_start", |event| {
            event.object("message", |message| {
                message.put("id", &*self.asked.id);
                message.put("type", "message");
                message.put("role", "assistant");
                message.put("model", &*self.asked.model);
                message.list("content", |_| {});
                message.put("stop_reason", &());
                message.put("stop_sequence", &());
                message.object("usage", |object| write_usage(object, self.usage));
            });
        });
    }

    fn start(&mut self, open: Open, out: &mut Vec<u8>, block: impl FnOnce(&mut Object<'_>)) {
        self.close(out);
        let index = self.blocks;
        self.blocks += 1;
        self.open = Some(open);
        Self::event(out, "content_block_start", |event| {
            event.put("index", &index);
            event.object("content_block", block);
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let index = self.blocks.saturating_sub(1);
            Self::event(out, "content_block_stop", |event| event.put("index", &index));
        }
    }

    fn delta(&self, out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let index = self.blocks.saturating_sub(1);
        Self::event(out, "content_block_delta", |event| {
            event.put("index", &index);
            event.object("delta", |delta| {
                delta.put("type", kind);
                fill(delta);
            });
        });
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if self.open != Some(Open::Text) {
            self.start(Open::Text, out, |block| {
                block.put("type", "text");
                block.put("text", "");
            });
        }
        self.delta(out, "text_delta", |delta| delta.put("text", text));
    }

    fn thinking(&mut self, out: &mut Vec<u8>) {
        if self.open != Some(Open::Thinking) {
            self.start(Open::Thinking, out, |block| {
                block.put("type", "thinking");
                block.put("thinking", "");
                block.put("signature", "");
            });
        }
    }

    fn more(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Text(text) => self.text(text, out),
            Piece::Refusal(text) => {
                self.refused = true;
                self.text(text, out);
            }
            Piece::Thinking(text) => {
                self.thinking(out);
                self.delta(out, "thinking_delta", |delta| delta.put("thinking", text));
            }
            Piece::Proof(proof) => {
                self.thinking(out);
                let seal = seal_for(NAME, proof);
                self.delta(out, "signature_delta", |delta| delta.put("signature", &seal));
                self.close(out);
            }
            Piece::Hidden(proof) => {
                let seal = seal_for(NAME, proof);
                self.start(Open::Thinking, out, |block| {
                    block.put("type", "redacted_thinking");
                    block.put("data", &seal);
                });
                self.close(out);
            }
            Piece::ToolCall { call, id, name, proof } => {
                let id = id_in(&self.asked.id, id, *call).into_owned();
                let (name, json, proof) = (name.to_string(), String::new(), proof.as_ref());
                let seal = proof.map(|proof| seal_for(NAME, proof));
                self.waiting.push(Waiting { call: *call, id, name, json, seal });
                self.next_calls(false, out);
            }
            Piece::Arguments { call, json } => self.arguments(*call, json, out),
            Piece::Citation(NAME, citation) => {
                self.delta(out, "citations_delta", |delta| delta.put("citation", citation));
            }
            Piece::Citation(..) | Piece::Logprobs(_) => {}
            // Its own vendor's readers say when a call's block ends, and then it is whole, whatever it looks like.
            Piece::End => {
                self.next_calls(true, out);
                self.close(out);
            }
        }
    }

    fn arguments(&mut self, call: u32, json: &str, out: &mut Vec<u8>) {
        match &mut self.open {
            Some(Open::Tool(open, nesting)) if *open == call => {
                nesting.push(json.as_bytes());
                self.delta(out, "input_json_delta", |delta| delta.put("partial_json", json));
                self.next_calls(false, out);
            }
            _ => {
                if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.call == call) {
                    waiting.json.push_str(json);
                }
                let held = self.waiting.iter().map(|waiting| waiting.json.len()).sum::<usize>();
                self.next_calls(held > MOST_HELD, out);
            }
        }
    }

    /// Begins the blocks of calls that waited, as far as each one before is whole; with `all`, come what may.
    fn next_calls(&mut self, all: bool, out: &mut Vec<u8>) {
        while !self.waiting.is_empty() {
            if !all && matches!(self.open, Some(Open::Tool(_, nesting)) if !nesting.is_whole()) {
                return;
            }
            let Waiting { call, id, name, json, seal } = self.waiting.remove(0);
            if let Some(seal) = seal {
                self.close(out);
                self.thinking(out);
                self.delta(out, "signature_delta", |delta| delta.put("signature", &seal));
            }
            let mut nesting = Nesting::default();
            nesting.push(json.as_bytes());
            self.start(Open::Tool(call, nesting), out, |block| {
                block.put("type", "tool_use");
                block.put("id", &id);
                block.put("name", &name);
                block.object("input", |_| {});
            });
            if !json.is_empty() {
                self.delta(out, "input_json_delta", |delta| delta.put("partial_json", &json));
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.begin(out);
        self.next_calls(true, out);
        self.close(out);
        let finish = match self.finish.take() {
            _ if self.refused => Finish::Refusal,
            Some(finish) => finish,
            None => Finish::Stop,
        };
        Self::event(out, "message_delta", |event| {
            event.object("delta", |delta| {
                delta.put("stop_reason", finish_word(&finish));
                delta.put("stop_sequence", &stop_sequence(Some(&finish)));
            });
            event.object("usage", |object| write_usage(object, self.usage));
        });
        Self::event(out, "message_stop", |_| {});
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        match chunk {
            Chunk::Begin { id, model, .. } => {
                if !id.is_empty() {
                    self.asked.id = id.to_string();
                }
                if !model.is_empty() {
                    self.asked.model = model.to_string();
                }
                self.begin(out);
            }
            Chunk::More { choice: 0, piece } => {
                self.begin(out);
                self.more(piece, out);
            }
            Chunk::Finish { choice: 0, finish } => self.finish = Some(finish.clone().into_owned()),
            Chunk::More { .. } | Chunk::Finish { .. } => {}
            Chunk::Usage(usage) => self.usage = *usage,
            Chunk::End => self.end(out),
            Chunk::Error(fault) => {
                self.finished = true;
                out.extend_from_slice(b"event: error\ndata: ");
                write_error(out, fault, None, None);
                out.extend_from_slice(b"\n\n");
            }
        }
    }
}
