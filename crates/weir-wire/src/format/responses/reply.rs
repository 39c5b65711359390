//! A whole answer, read and written.

use super::answer::{self, Calling, State, item_id};
use super::item::{annotations, joined};
use super::{Tokens, finish, free_arguments, free_text, incomplete, proof_of, seal_for};
use crate::error;
use crate::format::Asked;
use crate::format::read;
use crate::format::tools::id_in;
use crate::json::nesting::Nesting;
use crate::json::write::{Object, object};
use crate::neutral::{Choice, Finish, Logprobs, Part, Raw, Reply, Str, Text, Thinking, ToolCall};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use weir_core::Fault;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    created_at: Option<f64>,
    status: Option<Str<'a>>,
    error: Option<serde::de::IgnoredAny>,
    incomplete_details: Option<Incomplete<'a>>,
    #[serde(borrow)]
    output: Option<Vec<Raw<'a>>>,
    usage: Option<Tokens>,
    service_tier: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Incomplete<'a> {
    #[serde(borrow)]
    reason: Option<Str<'a>>,
}

/// What tells an item's kind.
#[derive(Deserialize)]
pub(super) struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Str<'a>,
}

/// An item of a kind that other formats know too.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) call_id: Option<Str<'a>>,
    pub(super) name: Option<Str<'a>>,
    pub(super) arguments: Option<Str<'a>>,
    pub(super) input: Option<Str<'a>>,
    pub(super) content: Option<Vec<Content<'a>>>,
    pub(super) summary: Option<Vec<Words<'a>>>,
    pub(super) encrypted_content: Option<Str<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Words<'a> {
    #[serde(borrow)]
    pub(super) text: Str<'a>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    pub(super) text: Option<Str<'a>>,
    pub(super) refusal: Option<Str<'a>>,
    annotations: Option<Raw<'a>>,
    logprobs: Option<Raw<'a>>,
}

/// The head of an answer, as a stream's first and last events hold it too.
pub(super) struct Head<'a> {
    pub(super) id: Str<'a>,
    pub(super) model: Str<'a>,
    pub(super) created: Option<i64>,
    pub(super) usage: Option<weir_core::Usage>,
    status: Option<Str<'a>>,
    reason: Option<Str<'a>>,
    failed: bool,
}

impl<'a> Head<'a> {
    /// Why the answer ended; `called` says that it calls tools.
    pub(super) fn finish(self, called: bool) -> Finish<'a> {
        finish(self.status, self.reason, called)
    }
}

fn parse<'b>(body: &'b [u8]) -> Result<(Head<'b>, Vec<Raw<'b>>, Option<Str<'b>>), Fault> {
    let answer: Answer<'b> = read::answer(body)?;
    let failed = answer.error.is_some() || answer.status.as_deref() == Some("failed");
    let head = Head {
        id: answer.id.unwrap_or_default(),
        model: answer.model.unwrap_or_default(),
        // Whole seconds, which some servers write with a point.
        created: answer.created_at.and_then(|at| format!("{at:.0}").parse().ok()),
        usage: answer.usage.and_then(Tokens::usage),
        status: answer.status,
        reason: answer.incomplete_details.and_then(|details| details.reason),
        failed,
    };
    Ok((head, answer.output.unwrap_or_default(), answer.service_tier))
}

/// The head of the answer that an event of a stream holds.
pub(super) fn head(body: &[u8]) -> Result<Head<'_>, Fault> {
    parse(body).map(|(head, ..)| head)
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let (head, output, service_tier) = parse(body)?;
    if head.failed {
        return Err(error::fault_inside(body));
    }
    let mut parts = Vec::new();
    let mut logprobs = String::new();
    for raw in output {
        item(raw, &mut parts, &mut logprobs)?;
    }
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let Head { id, model, created, usage, .. } = head;
    let choice = Choice {
        index: 0,
        parts,
        finish: Some(finish(head.status, head.reason, called)),
        logprobs: in_chats_shape(&logprobs),
    };
    Ok(Reply { id, model, created, choices: vec![choice], usage, service_tier })
}

/// Probabilities, in JSON with commas between them, as the neutral form has them.
pub(super) fn in_chats_shape(list: &str) -> Option<Logprobs<'static>> {
    if list.is_empty() {
        return None;
    }
    let text = format!(r#"{{"content":[{list}],"refusal":null}}"#);
    RawValue::from_string(text).ok().map(|raw| Logprobs(Cow::Owned(raw)))
}

/// What stands between a list's brackets, if anything does.
pub(super) fn inside(list: &str) -> Option<&str> {
    let inside = list.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    (!inside.is_empty()).then_some(inside)
}

/// Puts JSON values behind others, with a comma between.
pub(super) fn append(list: &mut String, more: &str) {
    if !list.is_empty() && !more.is_empty() {
        list.push(',');
    }
    list.push_str(more);
}

/// What OpenAI's own tools did and found is not for other formats' clients: the text speaks of it.
fn item<'a>(raw: Raw<'a>, parts: &mut Vec<Part<'a>>, logprobs: &mut String) -> Result<(), Fault> {
    let body = raw.text().as_bytes();
    let kind = read::answer::<Kind<'a>>(body)?.kind;
    if !matches!(&*kind, "message" | "reasoning" | "function_call" | "custom_tool_call") {
        return Ok(());
    }
    let item: Item<'a> = read::answer(body)?;
    match &*kind {
        "message" => {
            for content in item.content.into_iter().flatten() {
                if let Some(list) = content.logprobs.and_then(|raw| inside(raw.text())) {
                    append(logprobs, list);
                }
                parts.extend(content.part());
            }
        }
        "reasoning" => parts.extend(item.thought().map(Part::Thinking)),
        _ => parts.push(Part::ToolCall(item.call())),
    }
    Ok(())
}

impl<'a> Content<'a> {
    fn part(self) -> Option<Part<'a>> {
        let words = |text: Option<Str<'a>>| text.filter(|text| !text.is_empty());
        if self.kind == *"refusal" {
            return words(self.refusal).map(Part::Refusal);
        }
        let citations = annotations(self.annotations);
        words(self.text).map(|text| Part::Text(Text { text, citations, cache: None }))
    }
}

impl<'a> Item<'a> {
    /// The thought it is, if it shows or seals anything.
    pub(super) fn thought(self) -> Option<Thinking<'a>> {
        let mut texts: Vec<_> = self.summary.into_iter().flatten().map(|words| words.text).collect();
        if texts.is_empty() {
            texts = self.content.into_iter().flatten().filter_map(|part| part.text).collect();
        }
        let text = joined(texts);
        let (proof, hidden) = match self.encrypted_content.filter(|seal| !seal.is_empty()) {
            Some(seal) => {
                let (proof, hidden) = proof_of(&seal, text.is_empty());
                (Some(proof), hidden)
            }
            None => (None, false),
        };
        (proof.is_some() || !text.is_empty()).then_some(Thinking { text, proof, hidden })
    }

    /// The call it is.
    pub(super) fn call(self) -> ToolCall<'a> {
        let arguments = match self.input {
            Some(text) => Str::from(free_arguments(&text)),
            None => self.arguments.unwrap_or_default(),
        };
        ToolCall {
            id: self.call_id.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            arguments,
            proof: None,
            cache: None,
        }
    }
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
    let mut asked = asked.clone();
    if !reply.id.is_empty() && !asked.own_id {
        asked.id = reply.id.to_string();
    }
    if !reply.model.is_empty() {
        asked.model = reply.model.to_string();
    }
    let nothing = Choice::default();
    // There is room for one answer; nobody who speaks this format can ask for more.
    let choice = reply.choices.first().unwrap_or(&nothing);
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let incomplete = choice.finish.as_ref().and_then(|finish| incomplete(finish, refused));
    let status = if incomplete.is_some() { "incomplete" } else { "completed" };
    let state = State {
        created: reply.created.unwrap_or(asked.now),
        status,
        incomplete,
        output: &output(choice, status, &asked),
        usage: Some(reply.usage.unwrap_or_default()),
        tier: reply.service_tier.as_deref(),
        ..State::default()
    };
    answer::write(&state, &asked)
}

/// The items of an answer, in JSON with commas between them.
fn output(choice: &Choice<'_>, status: &str, asked: &Asked) -> String {
    let mut items: Vec<String> = Vec::new();
    let mut contents = String::new();
    let mut calls = 0;
    let mut logprobs = choice.logprobs.as_ref().and_then(|raw| token_list(raw.0.get())).unwrap_or_default();
    for part in &choice.parts {
        match part {
            Part::Text(text) => {
                let citations = match &text.citations {
                    Some((super::NAME, raw)) => inside(raw.text()).unwrap_or_default(),
                    _ => "",
                };
                let logprobs = std::mem::take(&mut logprobs);
                append(&mut contents, &json(|part| answer::text_part(part, &text.text, citations, logprobs)));
            }
            Part::Refusal(words) => {
                append(&mut contents, &json(|part| answer::refusal_part(part, words)));
            }
            Part::Thinking(thought) => {
                spoken(&mut contents, "completed", &mut items, asked);
                let id = item_id("rs", &asked.id, index(&items));
                let seal = thought.proof.as_ref().map(|proof| seal_for(proof, thought.hidden));
                items.push(json(|item| answer::reasoning(item, &id, &thought.text, seal.as_deref())));
            }
            Part::ToolCall(call) => {
                spoken(&mut contents, "completed", &mut items, asked);
                // A seal on a call has no place of its own here (Gemini's): a thought without words holds it.
                if let Some(proof) = &call.proof {
                    let id = item_id("rs", &asked.id, index(&items));
                    let seal = seal_for(proof, false);
                    items.push(json(|item| answer::reasoning(item, &id, "", Some(&seal))));
                }
                items.push(called(call, calls, index(&items), asked));
                calls += 1;
            }
            Part::ToolResult(_) | Part::Media(_) => {}
        }
    }
    spoken(&mut contents, status, &mut items, asked);
    items.join(",")
}

fn index(items: &[String]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Makes a message of what was said so far.
fn spoken(contents: &mut String, status: &str, items: &mut Vec<String>, asked: &Asked) {
    if !contents.is_empty() {
        let id = item_id("msg", &asked.id, index(items));
        items.push(json(|item| answer::message(item, &id, status, contents)));
        contents.clear();
    }
}

fn called(call: &ToolCall<'_>, at: u32, index: u32, asked: &Asked) -> String {
    let free = asked.free_tools.iter().any(|name| call.name == **name);
    let id = item_id(if free { "ctc" } else { "fc" }, &asked.id, index);
    let call_id = id_in(&asked.id, &call.id, at);
    let calling = Calling { id: &id, call_id: &call_id, name: &call.name, free };
    let said = said(&call.arguments, free);
    json(|item| answer::call(item, calling, call_status(&call.arguments, free), &said))
}

/// What a call says to its tool.
pub(super) fn said(arguments: &str, free: bool) -> Cow<'_, str> {
    match (free, arguments) {
        (true, _) => free_text(arguments),
        (false, "") => Cow::Borrowed("{}"),
        (false, _) => Cow::Borrowed(arguments),
    }
}

/// A call whose arguments break off must not be run. Of a free text that is written plainly nobody can tell.
pub(super) fn call_status(arguments: &str, free: bool) -> &'static str {
    let mut nesting = Nesting::default();
    nesting.push(arguments.as_bytes());
    let plain = free && !arguments.trim_start().starts_with('{');
    if arguments.is_empty() || plain || nesting.is_whole() { "completed" } else { "incomplete" }
}

/// An object, as text.
pub(super) fn json(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = Vec::with_capacity(128);
    object(&mut out, fill);
    String::from_utf8(out).unwrap_or_default()
}

#[derive(Deserialize)]
struct ChatLogprobs<'a> {
    #[serde(borrow)]
    content: Option<Raw<'a>>,
}

/// What the neutral form's probabilities list, in JSON with commas between.
pub(super) fn token_list(logprobs: &str) -> Option<&str> {
    let chat: ChatLogprobs<'_> = serde_json::from_str(logprobs).ok()?;
    inside(chat.content?.text())
}
