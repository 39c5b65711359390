//! A stream, read.

use super::reply::{self, Item, Kind, in_chats_shape, inside};
use super::{BETWEEN_SUMMARIES, NAME, free_arguments};
use crate::error;
use crate::format::read;
use crate::format::{Stands, StreamReader};
use crate::neutral::{Chunk, Piece, Raw, Str, Thinking};
use serde::Deserialize;
use weir_core::{Class, Fault};

/// Of every event, what readers of other formats can be told. `delta` is a text in the events that are read and anything
/// in others.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    response: Option<Raw<'a>>,
    item: Option<Raw<'a>>,
    output_index: Option<u32>,
    summary_index: Option<u32>,
    delta: Option<Raw<'a>>,
    arguments: Option<Raw<'a>>,
    annotation: Option<Raw<'a>>,
    logprobs: Option<Raw<'a>>,
}

/// So many calls of tools are told apart in one answer.
const MOST_CALLS: usize = 4096;

/// A call of a tool whose item is under way.
#[derive(Debug)]
struct Under {
    /// Which one of the answer's items it is.
    item: u32,
    /// Which one of its calls.
    call: u32,
    /// Whether its tool is one of free text.
    free: bool,
    /// Whether some of its arguments have been given.
    given: bool,
}

/// Reads a deployment's stream.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    over: bool,
    /// How many items have begun.
    items: u32,
    /// How many calls there have been.
    calls: u32,
    under: Vec<Under>,
    /// Whether something was given of the message or the thought whose item is under way.
    given: bool,
    /// Whether probabilities were given of the part that is under way.
    figured: bool,
}

impl StreamReader for Reader {
    fn read(&mut self, _: Option<&[u8]>, data: &[u8], give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let event: Event<'_> = read::answer(data)?;
        if self.over {
            return Ok(());
        }
        match &*event.kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                if let Some(response) = event.response.filter(|_| !self.begun) {
                    self.begin(response, give)?;
                }
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                if let Some(response) = event.response {
                    self.end(&event.kind, response, give)?;
                }
            }
            "error" => {
                self.over = true;
                give(Chunk::Error(error::fault_inside(data)));
            }
            _ => {
                self.begin_without_a_name(give);
                self.more(&event, give)?;
            }
        }
        Ok(())
    }

    /// Every event repeats what its item is called, so that nothing but its own fits behind a beginning.
    fn stands(&self) -> Option<Stands> {
        Some(Stands { begun: self.items, in_text: false })
    }
}

fn more(give: &mut dyn FnMut(Chunk<'_>), piece: Piece<'_>) {
    give(Chunk::More { choice: 0, piece });
}

/// A text that is not empty.
fn text<'a>(raw: Option<Raw<'a>>) -> Result<Option<Str<'a>>, Fault> {
    let text = raw.map(|raw| read::answer::<Option<Str<'a>>>(raw.text().as_bytes())).transpose()?.flatten();
    Ok(text.filter(|text| !text.is_empty()))
}

impl Reader {
    fn begin(&mut self, response: Raw<'_>, give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let head = reply::head(response.text().as_bytes())?;
        self.begun = true;
        give(Chunk::Begin { id: head.id, model: head.model, created: head.created });
        Ok(())
    }

    /// Some servers begin with what they have to say.
    fn begin_without_a_name(&mut self, give: &mut dyn FnMut(Chunk<'_>)) {
        if !std::mem::replace(&mut self.begun, true) {
            give(Chunk::Begin { id: Str::default(), model: Str::default(), created: None });
        }
    }

    fn end(&mut self, kind: &str, response: Raw<'_>, give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let body = response.text().as_bytes();
        if kind == "response.failed" {
            self.over = true;
            give(Chunk::Error(error::fault_inside(body)));
            return Ok(());
        }
        if !self.begun {
            self.begin(response, give)?;
        }
        let head = reply::head(body)?;
        self.over = true;
        let usage = head.usage;
        give(Chunk::Finish { choice: 0, finish: head.finish(self.calls > 0) });
        if let Some(usage) = usage {
            give(Chunk::Usage(usage));
        }
        give(Chunk::End);
        Ok(())
    }

    fn more(&mut self, event: &Event<'_>, give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        match &*event.kind {
            "response.output_text.delta" => {
                if let Some(text) = text(event.delta)? {
                    self.given = true;
                    more(give, Piece::Text(text));
                }
                self.figured |= logprobs(event.logprobs, give);
            }
            "response.output_text.done" if !std::mem::take(&mut self.figured) => {
                logprobs(event.logprobs, give);
            }
            "response.refusal.delta" => {
                if let Some(text) = text(event.delta)? {
                    self.given = true;
                    more(give, Piece::Refusal(text));
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                if let Some(text) = text(event.delta)? {
                    self.given = true;
                    more(give, Piece::Thinking(text));
                }
            }
            "response.reasoning_summary_part.added" if event.summary_index.is_some_and(|at| at > 0) => {
                more(give, Piece::Thinking(Str::from(BETWEEN_SUMMARIES)));
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments(event.output_index, text(event.delta)?, give);
            }
            "response.function_call_arguments.done" => {
                let index = event.output_index;
                if self.under.iter().any(|under| Some(under.item) == index && !under.given) {
                    self.arguments(index, text(event.arguments)?, give);
                }
            }
            "response.output_text.annotation.added" => {
                if let Some(annotation) = event.annotation.filter(|raw| raw.text() != "null") {
                    more(give, Piece::Citation(NAME, annotation));
                }
            }
            "response.content_part.done" => more(give, Piece::End),
            "response.output_item.added" => {
                self.items += 1;
                if let Some(item) = event.item {
                    self.added(event.output_index.unwrap_or_default(), item, give)?;
                }
            }
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.done(event.output_index.unwrap_or_default(), item, give)?;
                }
            }
            _ => {} // what OpenAI's own tools do, and what is yet to be invented
        }
        Ok(())
    }

    fn added(&mut self, index: u32, item: Raw<'_>, give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let body = item.text().as_bytes();
        match &*read::answer::<Kind<'_>>(body)?.kind {
            "message" | "reasoning" => self.given = false,
            kind @ ("function_call" | "custom_tool_call") => {
                let free = kind == "custom_tool_call";
                self.call(index, free, read::answer::<Item<'_>>(body)?, give)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn call(
        &mut self,
        index: u32,
        free: bool,
        item: Item<'_>,
        give: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Fault> {
        let call = self.calls;
        if usize::try_from(call).is_ok_and(|calls| calls >= MOST_CALLS) {
            let message = "The upstream's answer calls more tools than an answer can.";
            return Err(Fault::new(Class::Malformed, 502, "upstream_malformed", message));
        }
        self.calls += 1;
        self.under.push(Under { item: index, call, free, given: false });
        let said = item.input.or(item.arguments).filter(|said| !said.is_empty());
        let (id, name) = (item.call_id.unwrap_or_default(), item.name.unwrap_or_default());
        more(give, Piece::ToolCall { call, id, name, proof: None });
        self.arguments(Some(index), said, give);
        Ok(())
    }

    /// More of what a call says. Free text becomes the one argument of a function, piece by piece.
    fn arguments(&mut self, index: Option<u32>, said: Option<Str<'_>>, give: &mut dyn FnMut(Chunk<'_>)) {
        let at = |under: &&mut Under| index.is_none_or(|index| under.item == index);
        let Some(under) = self.under.iter_mut().rev().find(at) else { return };
        let Some(said) = said else { return };
        let first = !std::mem::replace(&mut under.given, true);
        let json = if under.free {
            let whole = free_arguments(&said);
            let from = if first { 0 } else { FREE_HEAD };
            Str::from(whole.get(from..whole.len().saturating_sub(FREE_TAIL)).unwrap_or_default().to_owned())
        } else {
            said
        };
        more(give, Piece::Arguments { call: under.call, json });
    }

    /// What an item says as a whole is told if its pieces were not; and what only the whole says.
    fn done(&mut self, index: u32, item: Raw<'_>, give: &mut dyn FnMut(Chunk<'_>)) -> Result<(), Fault> {
        let body = item.text().as_bytes();
        let kind = read::answer::<Kind<'_>>(body)?.kind;
        match &*kind {
            "message" if !std::mem::take(&mut self.given) => {
                for part in read::answer::<Item<'_>>(body)?.content.into_iter().flatten() {
                    if let Some(words) = part.refusal.filter(|words| !words.is_empty()) {
                        more(give, Piece::Refusal(words));
                    }
                    if let Some(words) = part.text.filter(|words| !words.is_empty()) {
                        more(give, Piece::Text(words));
                    }
                    more(give, Piece::End);
                }
            }
            "reasoning" => {
                let given = std::mem::take(&mut self.given);
                if let Some(thought) = read::answer::<Item<'_>>(body)?.thought() {
                    thinking(thought, given, give);
                }
            }
            "function_call" | "custom_tool_call" => {
                let free = *kind == *"custom_tool_call";
                let item: Item<'_> = read::answer(body)?;
                match self.under.iter().position(|under| under.item == index) {
                    Some(at) => {
                        if self.under.get(at).is_some_and(|under| !under.given) {
                            let said = item.input.or(item.arguments).filter(|said| !said.is_empty());
                            self.arguments(Some(index), said, give);
                        }
                    }
                    None => self.call(index, free, item, give)?,
                }
                self.called(index, give);
            }
            _ => {}
        }
        Ok(())
    }

    /// A call is whole. That its part ends is told when no other is under way, since an end is everyone's.
    fn called(&mut self, index: u32, give: &mut dyn FnMut(Chunk<'_>)) {
        let Some(at) = self.under.iter().position(|under| under.item == index) else { return };
        let under = self.under.remove(at);
        if under.free {
            let whole = free_arguments("");
            let from = if under.given { FREE_HEAD } else { 0 };
            let json = Str::from(whole.get(from..).unwrap_or_default());
            more(give, Piece::Arguments { call: under.call, json });
        }
        if self.under.is_empty() {
            more(give, Piece::End);
        }
    }
}

/// What stands before and behind a free text that is the one argument of a function.
const FREE_HEAD: usize = r#"{"input":""#.len();
const FREE_TAIL: usize = r#""}"#.len();

fn thinking(thought: Thinking<'_>, given: bool, give: &mut dyn FnMut(Chunk<'_>)) {
    match thought.proof {
        Some(proof) if thought.hidden && !given => more(give, Piece::Hidden(proof)),
        proof => {
            if !given && !thought.text.is_empty() {
                more(give, Piece::Thinking(thought.text));
            }
            if let Some(proof) = proof {
                more(give, Piece::Proof(proof));
            }
            more(give, Piece::End);
        }
    }
}

/// Gives probabilities, if there are any, and says whether there were.
fn logprobs(raw: Option<Raw<'_>>, give: &mut dyn FnMut(Chunk<'_>)) -> bool {
    let Some(logprobs) = raw.and_then(|raw| inside(raw.text())).and_then(in_chats_shape) else {
        return false;
    };
    more(give, Piece::Logprobs(Raw(&logprobs.0)));
    true
}
