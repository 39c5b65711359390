//! A stream of ConverseStream, read and written
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html>): binary messages of
//! [`crate::frames`], whose names say what their JSON holds.

use super::{Beside, NAME, Tokens, finish, finish_word, write_beside, write_error, write_usage};
use crate::error;
use crate::format::held::{Held, too_large};
use crate::format::read::{self, blob_for, proof_of, proof_of_blob, seal_for};
use crate::format::tools::id_in;
use crate::format::{Asked, Begun, StreamReader, StreamWriter};
use crate::frames::{self, TROUBLE};
use crate::json::write::{Object, object};
use crate::neutral::{Chunk, Finish, Piece, Raw, Str};
use serde::Deserialize;
use weir_core::{Fault, Usage};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    content_block_index: Option<u32>,
    #[serde(borrow)]
    start: Option<Start<'a>>,
    delta: Option<Delta<'a>>,
    stop_reason: Option<Str<'a>>,
    additional_model_response_fields: Option<Beside<'a>>,
    usage: Option<Tokens<'a>>,
    original_status_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolStart<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolStart<'a> {
    #[serde(borrow)]
    tool_use_id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    #[serde(rename = "type")]
    kind: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    tool_use: Option<ToolDelta<'a>>,
    reasoning_content: Option<ReasoningDelta<'a>>,
    citation: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct ToolDelta<'a> {
    #[serde(borrow)]
    input: Option<Str<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningDelta<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    signature: Option<Str<'a>>,
    redacted_content: Option<Str<'a>>,
}

/// Reads a deployment's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    calls: u32,
    /// The call whose block is open, and by what number the block goes.
    call: Option<(u32, u32)>,
    stopped: bool,
    over: bool,
}

impl StreamReader for Reader {
    fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        give: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Fault> {
        let event: Event<'_> = read::answer(data)?;
        let name = name.unwrap_or_default();
        if let Some((&TROUBLE, kind)) = name.split_first() {
            self.over = true;
            give(Chunk::Error(fault(kind, event.original_status_code, data)));
            return Ok(());
        }
        let index = event.content_block_index.unwrap_or_default();
        match name {
            b"messageStart" => self.begin(give),
            b"contentBlockStart" => {
                self.begin(give);
                if let Some(call) = event.start.and_then(|start| start.tool_use) {
                    self.start(index, call, give);
                }
            }
            b"contentBlockDelta" => {
                self.begin(give);
                if let Some(delta) = event.delta {
                    self.delta(index, delta, give);
                }
            }
            b"contentBlockStop" => {
                self.call = None;
                give(Chunk::More { choice: 0, piece: Piece::End });
            }
            b"messageStop" => {
                let sequence = event.additional_model_response_fields.and_then(|beside| beside.stop_sequence);
                if let Some(word) = event.stop_reason {
                    self.stopped = true;
                    give(Chunk::Finish { choice: 0, finish: finish(word, sequence) });
                }
            }
            b"metadata" => {
                if let Some(usage) = event.usage.as_ref().and_then(Tokens::usage) {
                    give(Chunk::Usage(usage));
                }
                self.end(give);
            }
            _ => {} // what is yet to be invented
        }
        Ok(())
    }

    /// An answer that has ended is whole, even where its usage is missing.
    fn end(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        if self.stopped && !std::mem::replace(&mut self.over, true) {
            give(Chunk::End);
        }
    }
}

impl Reader {
    fn begin(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        if !std::mem::replace(&mut self.begun, true) {
            give(Chunk::Begin { id: Str::default(), model: Str::default(), created: None });
        }
    }

    /// Calls of Bedrock's own tools are not the client's to run.
    fn start(&mut self, index: u32, call: ToolStart<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        if call.kind.is_some() {
            return;
        }
        let number = self.calls;
        self.calls = number.saturating_add(1);
        self.call = Some((index, number));
        let (id, name) = (call.tool_use_id.unwrap_or_default(), call.name.unwrap_or_default());
        give(Chunk::More { choice: 0, piece: Piece::ToolCall { call: number, id, name, proof: None } });
    }

    fn delta(&mut self, index: u32, delta: Delta<'_>, give: &mut dyn FnMut(Chunk<'_>)) {
        let mut more = |piece| give(Chunk::More { choice: 0, piece });
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            more(Piece::Text(text));
        }
        if let Some(thought) = delta.reasoning_content {
            if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
                more(Piece::Thinking(text));
            }
            if let Some(seal) = thought.signature.filter(|seal| !seal.is_empty()) {
                more(Piece::Proof(proof_of(NAME, &seal)));
            }
            if let Some(data) = thought.redacted_content.filter(|data| !data.is_empty()) {
                more(Piece::Hidden(proof_of_blob(NAME, &data)));
            }
        }
        if let Some(citation) = delta.citation {
            more(Piece::Citation(NAME, citation));
        }
        let json = delta.tool_use.and_then(|call| call.input).filter(|json| !json.is_empty());
        if let (Some(json), Some((open, call))) = (json, self.call)
            && open == index
        {
            more(Piece::Arguments { call, json });
        }
    }
}

/// Exceptions that a stream knows, and the status each would have come with.
const EXCEPTIONS: [(&str, u16); 9] = [
    ("internalServerException", 500),
    ("modelStreamErrorException", 424),
    ("validationException", 400),
    ("throttlingException", 429),
    ("serviceUnavailableException", 503),
    ("accessDeniedException", 403),
    ("resourceNotFoundException", 404),
    ("modelTimeoutException", 408),
    ("modelNotReadyException", 503),
];

/// The fault of an exception. A model's own trouble has the status that the model gave.
fn fault(kind: &[u8], original: Option<u16>, data: &[u8]) -> Fault {
    let known = EXCEPTIONS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(kind));
    let status = match known.map_or(502, |(_, status)| *status) {
        424 => original.filter(|status| (500..=599).contains(status)).unwrap_or(502),
        status => status,
    };
    error::fault_inside_with(status, data)
}

/// What an exception of a status is called in a stream.
pub(super) fn exception(status: u16) -> &'static str {
    match status {
        429 => "!throttlingException",
        400..=499 => "!validationException",
        503 | 529 => "!serviceUnavailableException",
        _ => "!internalServerException",
    }
}

/// What kind of block stands open.
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
    /// How many blocks have begun.
    blocks: u32,
    held: Held,
    refused: bool,
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
            blocks: u32::from(text),
            held: Held::default(),
            refused: false,
            finish: None,
            usage: Usage::default(),
        }
    }

    fn event(out: &mut Vec<u8>, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut data = Vec::with_capacity(128);
        object(&mut data, fill);
        frames::write(out, name, &data);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            Self::event(out, "messageStart", |event| event.put("role", "assistant"));
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            self.stop_block(out);
        }
    }

    fn stop_block(&self, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        Self::event(out, "contentBlockStop", |event| event.put("contentBlockIndex", &index));
    }

    /// Only blocks of tools say that they begin.
    fn open(&mut self, open: Open, out: &mut Vec<u8>) {
        if self.open != Some(open) {
            self.close(out);
            self.open = Some(open);
            self.blocks = self.blocks.saturating_add(1);
        }
    }

    fn delta(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        let index = self.blocks.saturating_sub(1);
        Self::event(out, "contentBlockDelta", |event| {
            event.object("delta", fill);
            event.put("contentBlockIndex", &index);
        });
    }

    fn thought(&self, out: &mut Vec<u8>, key: &str, value: &str) {
        self.delta(out, |delta| delta.object("reasoningContent", |thought| thought.put(key, value)));
    }

    fn more(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        if !matches!(piece, Piece::ToolCall { .. } | Piece::Arguments { .. } | Piece::Logprobs(_)) {
            self.tell_calls(out);
        }
        match piece {
            Piece::Text(text) | Piece::Refusal(text) => {
                self.refused |= matches!(piece, Piece::Refusal(_));
                self.open(Open::Text, out);
                self.delta(out, |delta| delta.put("text", text));
            }
            Piece::Thinking(text) => {
                self.open(Open::Thinking, out);
                self.thought(out, "text", text);
            }
            Piece::Proof(proof) => {
                self.open(Open::Thinking, out);
                self.thought(out, "signature", &seal_for(NAME, proof));
                self.close(out);
            }
            Piece::Hidden(proof) => {
                self.close(out);
                self.open(Open::Thinking, out);
                self.thought(out, "redactedContent", &blob_for(NAME, proof));
                self.close(out);
            }
            Piece::ToolCall { .. } | Piece::Arguments { .. } => {
                if !self.held.take(0, piece) {
                    self.fail(&too_large(), out);
                }
            }
            Piece::Citation(NAME, citation) => self.delta(out, |delta| delta.put("citation", citation)),
            Piece::Citation(..) | Piece::Logprobs(_) => {}
            Piece::End => self.close(out),
        }
    }

    fn tell_calls(&mut self, out: &mut Vec<u8>) {
        for (_, at, call) in self.held.give(None) {
            self.close(out);
            if let Some(proof) = &call.proof {
                self.open(Open::Thinking, out);
                self.thought(out, "signature", &seal_for(NAME, proof));
                self.close(out);
            }
            let index = self.blocks;
            self.blocks = index.saturating_add(1);
            Self::event(out, "contentBlockStart", |event| {
                event.object("start", |start| {
                    start.object("toolUse", |entry| {
                        entry.put("toolUseId", &super::write::tool_id(&id_in(&self.id, &call.id, at)));
                        entry.put("name", &call.name);
                    });
                });
                event.put("contentBlockIndex", &index);
            });
            if !call.arguments.is_empty() {
                self.delta(out, |delta| {
                    delta.object("toolUse", |entry| entry.put("input", &call.arguments));
                });
            }
            self.stop_block(out);
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        self.tell_calls(out);
        self.close(out);
        self.finished = true;
        let finish = match self.finish.take() {
            _ if self.refused => Finish::Refusal,
            Some(finish) => finish,
            None => Finish::Stop,
        };
        Self::event(out, "messageStop", |event| {
            event.put("stopReason", finish_word(&finish));
            write_beside(event, Some(&finish));
        });
        Self::event(out, "metadata", |event| {
            event.object("usage", |object| write_usage(object, self.usage));
            event.object("metrics", |metrics| metrics.put("latencyMs", &0));
        });
    }

    fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.finished = true;
        self.held.drop();
        let mut data = Vec::new();
        write_error(&mut data, fault, None);
        frames::write(out, exception(fault.status), &data);
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
