//! A stream, written.

use super::answer::{self, Calling, State, item_id};
use super::reply::{append, call_status, json, said, token_list};
use super::{incomplete, seal_for};
use crate::format::tools::id_in;
use crate::format::{Asked, Begun, StreamWriter};
use crate::json::nesting::Nesting;
use crate::json::write::{Object, object};
use crate::neutral::{Chunk, Finish, Piece, Proof, Raw};
use weir_core::{Class, Fault, Usage};

/// So many bytes of an answer are kept, to be repeated at its end.
const MOST_KEPT: usize = 32 * 1024 * 1024;

/// So many events tell that an answer has begun.
const HEAD_EVENTS: u64 = 2;

/// What is said under way, of a message or of a thought. Items of these kinds follow one another.
#[derive(Debug)]
enum Open {
    Message {
        item: u32,
        /// The parts that are done, in JSON with commas between them.
        contents: String,
        /// How many these are.
        count: u32,
        /// The part that is not.
        part: Option<Part>,
    },
    Thought {
        item: u32,
        text: String,
    },
}

/// A part of a message under way.
#[derive(Debug, Default)]
struct Part {
    refusal: bool,
    text: String,
    annotations: String,
    annotated: u32,
    logprobs: String,
}

/// A call under way. Calls may be side by side.
#[derive(Debug)]
struct Tool {
    item: u32,
    /// Which one of the answer's calls.
    call: u32,
    id: String,
    call_id: String,
    name: String,
    free: bool,
    arguments: String,
    nesting: Nesting,
}

/// Writes a client's stream. Of the answers that another format may give side by side, the first is told.
#[derive(Debug)]
pub(super) struct Writer {
    asked: Asked,
    begun: bool,
    finished: bool,
    /// How many events have been written.
    events: u64,
    /// How many items have begun.
    items: u32,
    open: Option<Open>,
    tools: Vec<Tool>,
    /// Items that are done.
    done: Vec<(u32, String)>,
    /// How many bytes are kept of all these.
    kept: usize,
    /// How many may be.
    pub(super) most_kept: usize,
    refused: bool,
    finish: Option<Finish<'static>>,
    usage: Option<Usage>,
}

impl Writer {
    pub(super) fn new(asked: Asked) -> Self {
        // An answer is taken up behind the first part of its first message: nothing else was told. How many events that
        // took is not known, but each held something.
        let told = (asked.begun == Begun::Text).then(|| asked.told.clone());
        let events = match &told {
            Some(text) => HEAD_EVENTS + 2 + u64::try_from(text.len()).unwrap_or(u64::MAX),
            None if asked.begun == Begun::Head => HEAD_EVENTS,
            None => 0,
        };
        Writer {
            begun: asked.begun != Begun::Nothing,
            finished: false,
            events,
            items: u32::from(told.is_some()),
            kept: told.as_ref().map_or(0, String::len),
            open: told.map(|text| Open::Message {
                item: 0,
                contents: String::new(),
                count: 0,
                part: Some(Part { text, ..Part::default() }),
            }),
            asked,
            tools: Vec::new(),
            done: Vec::new(),
            most_kept: MOST_KEPT,
            refused: false,
            finish: None,
            usage: None,
        }
    }

    fn event(&mut self, out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        object(out, |event| {
            event.put("type", kind);
            event.put("sequence_number", &self.events);
            fill(event);
        });
        out.extend_from_slice(b"\n\n");
        self.events += 1;
    }

    /// An event that shows the whole answer as it stands.
    fn answer(&mut self, out: &mut Vec<u8>, kind: &str, state: &State<'_>) {
        let response = answer::write(state, &self.asked);
        let response = String::from_utf8(response).unwrap_or_default();
        self.event(out, kind, |event| event.json("response", &response));
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let state = State { created: self.asked.now, status: "in_progress", ..State::default() };
        self.answer(out, "response.created", &state);
        self.answer(out, "response.in_progress", &state);
    }

    /// An item begins. What was said before it is done.
    fn item(&mut self, out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>, &str)) -> u32 {
        self.close("completed", out);
        self.close_tools(false, out);
        let index = self.items;
        self.items += 1;
        let id = item_id(kind, &self.asked.id, index);
        self.event(out, "response.output_item.added", |event| {
            event.put("output_index", &index);
            event.object("item", |item| fill(item, &id));
        });
        index
    }

    fn item_done(&mut self, index: u32, item: String, out: &mut Vec<u8>) {
        self.event(out, "response.output_item.done", |event| {
            event.put("output_index", &index);
            event.json("item", &item);
        });
        self.done.push((index, item));
    }

    /// Where in a message something happens.
    fn at(event: &mut Object<'_>, id: &str, item: u32, part: u32) {
        event.put("item_id", id);
        event.put("output_index", &item);
        event.put("content_index", &part);
    }

    /// Makes sure that a part of a message stands open, of this kind.
    fn part(&mut self, refusal: bool, out: &mut Vec<u8>) {
        match &self.open {
            Some(Open::Message { part: Some(part), .. }) if part.refusal == refusal => return,
            Some(Open::Message { part: Some(_), .. }) => self.close_part(out),
            Some(Open::Message { part: None, .. }) => {}
            Some(Open::Thought { .. }) | None => {
                let item = self.item(out, "msg", |item, id| answer::message(item, id, "in_progress", ""));
                self.open = Some(Open::Message { item, contents: String::new(), count: 0, part: None });
            }
        }
        let Some(Open::Message { item, count, part, .. }) = &mut self.open else { return };
        *part = Some(Part { refusal, ..Part::default() });
        let (item, count) = (*item, *count);
        let id = item_id("msg", &self.asked.id, item);
        self.event(out, "response.content_part.added", |event| {
            Self::at(event, &id, item, count);
            event.object("part", |part| {
                if refusal {
                    answer::refusal_part(part, "");
                } else {
                    answer::text_part(part, "", "", "");
                }
            });
        });
    }

    fn text(&mut self, refusal: bool, text: &str, out: &mut Vec<u8>) {
        self.part(refusal, out);
        let Some(Open::Message { item, count, part: Some(part), .. }) = &mut self.open else { return };
        part.text.push_str(text);
        let (item, count) = (*item, *count);
        let id = item_id("msg", &self.asked.id, item);
        let kind = if refusal { "response.refusal.delta" } else { "response.output_text.delta" };
        self.event(out, kind, |event| {
            Self::at(event, &id, item, count);
            event.put("delta", text);
            if !refusal {
                event.list("logprobs", |_| {});
            }
        });
    }

    fn close_part(&mut self, out: &mut Vec<u8>) {
        let Some(Open::Message { item, contents, count, part }) = &mut self.open else { return };
        let Some(part) = part.take() else { return };
        let (item, at) = (*item, *count);
        let whole = json(|content| {
            if part.refusal {
                answer::refusal_part(content, &part.text);
            } else {
                answer::text_part(content, &part.text, &part.annotations, &part.logprobs);
            }
        });
        append(contents, &whole);
        *count += 1;
        let id = item_id("msg", &self.asked.id, item);
        let kind = if part.refusal { "response.refusal.done" } else { "response.output_text.done" };
        self.event(out, kind, |event| {
            Self::at(event, &id, item, at);
            if part.refusal {
                event.put("refusal", &part.text);
            } else {
                event.put("text", &part.text);
                event.json("logprobs", &["[", &part.logprobs, "]"].concat());
            }
        });
        self.event(out, "response.content_part.done", |event| {
            Self::at(event, &id, item, at);
            event.json("part", &whole);
        });
    }

    /// Where in a thought something happens. Its summary has one part.
    fn at_summary(event: &mut Object<'_>, id: &str, item: u32) {
        event.put("item_id", id);
        event.put("output_index", &item);
        event.put("summary_index", &0);
    }

    /// Makes sure that a thought stands open.
    fn thought(&mut self, out: &mut Vec<u8>) {
        if !matches!(self.open, Some(Open::Thought { .. })) {
            let item = self.item(out, "rs", |item, id| answer::reasoning(item, id, "", None));
            self.open = Some(Open::Thought { item, text: String::new() });
        }
    }

    fn thinking(&mut self, words: &str, out: &mut Vec<u8>) {
        if words.is_empty() {
            return;
        }
        self.thought(out);
        let Some(Open::Thought { item, text }) = &mut self.open else { return };
        let first = text.is_empty();
        text.push_str(words);
        let item = *item;
        let id = item_id("rs", &self.asked.id, item);
        if first {
            self.event(out, "response.reasoning_summary_part.added", |event| {
                Self::at_summary(event, &id, item);
                event.object("part", |part| answer::summary_part(part, ""));
            });
        }
        self.event(out, "response.reasoning_summary_text.delta", |event| {
            Self::at_summary(event, &id, item);
            event.put("delta", words);
        });
    }

    /// A thought is done, with its seal if it has one.
    fn thought_done(&mut self, proof: Option<&Proof<'_>>, hidden: bool, out: &mut Vec<u8>) {
        let Some(Open::Thought { item, text }) = self.open.take() else { return };
        let id = item_id("rs", &self.asked.id, item);
        if !text.is_empty() {
            self.event(out, "response.reasoning_summary_text.done", |event| {
                Self::at_summary(event, &id, item);
                event.put("text", &text);
            });
            self.event(out, "response.reasoning_summary_part.done", |event| {
                Self::at_summary(event, &id, item);
                event.object("part", |part| answer::summary_part(part, &text));
            });
        }
        let seal = proof.map(|proof| seal_for(proof, hidden));
        self.item_done(item, json(|item| answer::reasoning(item, &id, &text, seal.as_deref())), out);
    }

    /// Whatever is said under way is done. The last message of an answer that is not whole is not whole either.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        match &self.open {
            None => {}
            Some(Open::Thought { .. }) => self.thought_done(None, false, out),
            Some(Open::Message { .. }) => {
                self.close_part(out);
                if let Some(Open::Message { item, contents, .. }) = self.open.take() {
                    let id = item_id("msg", &self.asked.id, item);
                    self.item_done(item, json(|item| answer::message(item, &id, status, &contents)), out);
                }
            }
        }
    }

    fn tool(&mut self, call: u32, id: &str, name: &str, out: &mut Vec<u8>) {
        let free = self.asked.free_tools.iter().any(|tool| tool == name);
        let kind = if free { "ctc" } else { "fc" };
        let call_id = id_in(&self.asked.id, id, call).into_owned();
        let item = self.item(out, kind, |item, id| {
            answer::call(item, Calling { id, call_id: &call_id, name, free }, "in_progress", "");
        });
        self.tools.push(Tool {
            item,
            call,
            id: item_id(kind, &self.asked.id, item),
            call_id,
            name: name.to_owned(),
            free,
            arguments: String::new(),
            nesting: Nesting::default(),
        });
    }

    /// Arguments are passed on as they come; a free text is told from them when it is whole.
    fn arguments(&mut self, call: u32, json: &str, out: &mut Vec<u8>) {
        let Some(tool) = self.tools.iter_mut().rev().find(|tool| tool.call == call) else { return };
        tool.arguments.push_str(json);
        tool.nesting.push(json.as_bytes());
        if !tool.free {
            let (id, item) = (tool.id.clone(), tool.item);
            self.event(out, "response.function_call_arguments.delta", |event| {
                event.put("item_id", &id);
                event.put("output_index", &item);
                event.put("delta", json);
            });
        }
    }

    /// Calls whose arguments are whole are done; with `all`, those that are not as well.
    fn close_tools(&mut self, all: bool, out: &mut Vec<u8>) {
        let (done, open) =
            std::mem::take(&mut self.tools).into_iter().partition(|tool| all || tool.nesting.is_whole());
        self.tools = open;
        let done: Vec<Tool> = done;
        for tool in done {
            self.tool_done(&tool, out);
        }
    }

    fn tool_done(&mut self, tool: &Tool, out: &mut Vec<u8>) {
        let said = said(&tool.arguments, tool.free);
        let (kind, member) = if tool.free {
            self.event(out, "response.custom_tool_call_input.delta", |event| {
                event.put("item_id", &tool.id);
                event.put("output_index", &tool.item);
                event.put("delta", &said);
            });
            ("response.custom_tool_call_input.done", "input")
        } else {
            ("response.function_call_arguments.done", "arguments")
        };
        self.event(out, kind, |event| {
            event.put("item_id", &tool.id);
            event.put("output_index", &tool.item);
            event.put(member, &said);
        });
        let calling = Calling { id: &tool.id, call_id: &tool.call_id, name: &tool.name, free: tool.free };
        let status = call_status(&tool.arguments, tool.free);
        self.item_done(tool.item, json(|item| answer::call(item, calling, status, &said)), out);
    }

    fn more(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Text(text) if text.is_empty() => {}
            Piece::Text(text) => self.text(false, text, out),
            Piece::Refusal(text) => {
                self.refused = true;
                self.text(true, text, out);
            }
            Piece::Thinking(text) => self.thinking(text, out),
            Piece::Proof(proof) => {
                self.thought(out);
                self.thought_done(Some(proof), false, out);
            }
            Piece::Hidden(proof) => {
                self.close("completed", out);
                self.thought(out);
                self.thought_done(Some(proof), true, out);
            }
            Piece::ToolCall { call, id, name, proof } => {
                if let Some(proof) = proof {
                    self.close("completed", out);
                    self.thought(out);
                    self.thought_done(Some(proof), false, out);
                }
                self.tool(*call, id, name, out);
            }
            Piece::Arguments { call, json } => self.arguments(*call, json, out),
            Piece::Citation(super::NAME, annotation) => self.annotation(*annotation, out),
            Piece::Citation(..) => {}
            Piece::Logprobs(raw) => {
                if let (Some(Open::Message { part: Some(part), .. }), Some(list)) =
                    (&mut self.open, token_list(raw.text()))
                {
                    append(&mut part.logprobs, list);
                }
            }
            Piece::End => {
                self.close_tools(true, out);
                if matches!(self.open, Some(Open::Thought { .. })) {
                    self.close("completed", out);
                }
                self.close_part(out);
            }
        }
    }

    fn annotation(&mut self, annotation: Raw<'_>, out: &mut Vec<u8>) {
        let Some(Open::Message { item, count, part: Some(part), .. }) = &mut self.open else { return };
        append(&mut part.annotations, annotation.text());
        let (item, count, at) = (*item, *count, part.annotated);
        part.annotated += 1;
        let id = item_id("msg", &self.asked.id, item);
        self.event(out, "response.output_text.annotation.added", |event| {
            Self::at(event, &id, item, count);
            event.put("annotation_index", &at);
            event.put("annotation", &annotation);
        });
    }

    /// The items that are done, in order, in JSON with commas between them.
    fn output(&mut self) -> String {
        let mut done = std::mem::take(&mut self.done);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, item)| item).collect::<Vec<_>>().join(",")
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let finish = self.finish.take().unwrap_or(Finish::Stop);
        let incomplete = incomplete(&finish, self.refused);
        let (kind, status) = match incomplete {
            Some(_) => ("response.incomplete", "incomplete"),
            None => ("response.completed", "completed"),
        };
        self.close(status, out);
        self.close_tools(true, out);
        let output = self.output();
        let usage = Some(self.usage.unwrap_or_default());
        let created = self.asked.now;
        self.answer(
            out,
            kind,
            &State { created, status, incomplete, output: &output, usage, ..State::default() },
        );
    }

    /// Clients look for faults in one of two events, so there are both.
    fn fault(&mut self, fault: &Fault, out: &mut Vec<u8>) {
        self.begin(out);
        let code = fault.code.as_deref().unwrap_or("server_error");
        self.event(out, "error", |event| {
            event.put("code", code);
            event.put("message", &*fault.message);
            event.put("param", &fault.param.as_deref());
            event.object("error", |error| {
                error.put(
                    "type",
                    fault.kind.as_deref().unwrap_or_else(|| crate::error::kind_of(fault.status)),
                );
                error.put("code", code);
                error.put("message", &*fault.message);
                error.put("param", &fault.param.as_deref());
            });
        });
        let (output, created) = (self.output(), self.asked.now);
        // Zeros are what was not counted yet.
        let usage = self.usage.filter(|usage| usage.total() > 0);
        self.answer(
            out,
            "response.failed",
            &State {
                created,
                status: "failed",
                fault: Some(fault),
                output: &output,
                usage,
                ..State::default()
            },
        );
    }

    /// Whether a piece can still be kept. An answer that cannot be repeated at its end has no end in this format.
    fn keeps(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) -> bool {
        self.kept = self.kept.saturating_add(size(piece));
        if self.kept <= self.most_kept {
            return true;
        }
        let message = "The answer is longer than an answer can be in this format's streams.";
        let fault = Fault::new(Class::InvalidOutput, 502, "answer_too_long", message);
        self.finished = true;
        self.fault(&fault, out);
        false
    }
}

/// How much of an answer a piece is, and what is kept besides.
fn size(piece: &Piece<'_>) -> usize {
    const BESIDE: usize = 256;
    match piece {
        Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) => text.len(),
        Piece::Arguments { json, .. } => json.len(),
        Piece::Proof(proof) | Piece::Hidden(proof) => proof.seal.len() + BESIDE,
        Piece::ToolCall { id, name, .. } => id.len() + name.len() + BESIDE,
        Piece::Citation(_, raw) | Piece::Logprobs(raw) => raw.text().len(),
        Piece::End => BESIDE,
    }
}

impl StreamWriter for Writer {
    fn write(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        if self.finished {
            return;
        }
        match chunk {
            Chunk::Begin { id, model, created } => {
                if !self.begun {
                    if !id.is_empty() && !self.asked.own_id {
                        self.asked.id = id.to_string();
                    }
                    if !model.is_empty() {
                        self.asked.model = model.to_string();
                    }
                    self.asked.now = created.unwrap_or(self.asked.now);
                }
                self.begin(out);
            }
            Chunk::More { choice: 0, piece } => {
                self.begin(out);
                if self.keeps(piece, out) {
                    self.more(piece, out);
                }
            }
            Chunk::Finish { choice: 0, finish } => self.finish = Some(finish.clone().into_owned()),
            Chunk::More { .. } | Chunk::Finish { .. } => {}
            Chunk::Usage(usage) => self.usage = Some(*usage),
            Chunk::End => {
                self.finished = true;
                self.end(out);
            }
            Chunk::Error(fault) => {
                self.finished = true;
                self.fault(fault, out);
            }
        }
    }
}
