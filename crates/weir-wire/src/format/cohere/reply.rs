//! An answer of Cohere's, read and written.

use super::call::{Block, Called, cite, part};
use super::logprobs::{self, Item};
use super::{NAME, Tokens, finish, finish_word, write_usage};
use crate::format::Asked;
use crate::format::read;
use crate::format::tools::id_in;
use crate::json::write::{Object, object};
use crate::neutral::{Choice, Finish, Lost, Part, Raw, Reply, Str, Thinking, ToolCall};
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    finish_reason: Option<Str<'a>>,
    message: Said<'a>,
    usage: Option<Tokens>,
    logprobs: Option<Vec<Item<'a>>>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
    tool_plan: Option<Str<'a>>,
    tool_calls: Option<Vec<Called<'a>>>,
    citations: Option<Raw<'a>>,
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let answer: Answer<'b> = read::answer(body)?;
    let said = answer.message;
    let mut parts = Vec::new();
    if let Some(text) = said.tool_plan.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking(Thinking { text, ..Thinking::default() }));
    }
    for block in said.content.into_iter().flatten() {
        parts.extend(part("message.content", block, &mut Lost::default())?);
    }
    cite(&mut parts, said.citations);
    parts.extend(said.tool_calls.into_iter().flatten().map(|call| Part::ToolCall(call.into_call())));
    Ok(Reply {
        id: answer.id.unwrap_or_default(),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: answer.finish_reason.map(|word| finish(word, None)).transpose()?,
            logprobs: answer.logprobs.as_deref().and_then(logprobs::neutral),
        }],
        usage: answer.usage.and_then(Tokens::usage),
        ..Reply::default()
    })
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let nothing = Choice::default();
    // This format has room for one answer; nobody who speaks it can ask for more.
    let choice = reply.choices.first().unwrap_or(&nothing);
    let id = if reply.id.is_empty() { &*asked.id } else { &*reply.id };
    object(&mut out, |body| {
        body.put("id", id);
        body.put("finish_reason", finish_word(choice.finish.as_ref().unwrap_or(&Finish::Stop)));
        body.object("message", |message| {
            message.put("role", "assistant");
            said(message, &choice.parts, id);
        });
        body.object("usage", |object| write_usage(object, reply.usage.unwrap_or_default()));
        if let Some(logprobs) = &choice.logprobs {
            body.list("logprobs", |list| {
                for token in logprobs::items(logprobs.0.get()) {
                    list.object(|item| logprobs::put(item, &token));
                }
            });
        }
    });
    out
}

/// Thoughts before calls of tools are their plan, as in [`super::write`].
fn said(message: &mut Object<'_>, parts: &[Part<'_>], answer: &str) {
    let calls: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    let is_plan = !calls.is_empty();
    let mut plan = String::new();
    let mut citations = None;
    message.list("content", |list| {
        for part in parts {
            match part {
                Part::Thinking(thought) if is_plan => plan.push_str(&thought.text),
                Part::Thinking(thought) if thought.text.is_empty() => {}
                Part::Thinking(thought) => list.object(|block| {
                    block.put("type", "thinking");
                    block.put("thinking", &thought.text);
                }),
                Part::Text(text) => {
                    citations = text.citations.as_ref().filter(|(name, _)| *name == NAME).or(citations);
                    list.object(|block| {
                        block.put("type", "text");
                        block.put("text", &text.text);
                    });
                }
                Part::Refusal(words) => list.object(|block| {
                    block.put("type", "text");
                    block.put("text", words);
                }),
                Part::ToolCall(_) | Part::ToolResult(_) | Part::Media(_) => {}
            }
        }
    });
    if is_plan {
        message.put("tool_plan", &plan);
        message.list("tool_calls", |list| {
            for (call, at) in calls.into_iter().zip(0..) {
                list.object(|entry| put_tool_call(entry, call, &id_in(answer, &call.id, at)));
            }
        });
    }
    message.maybe("citations", citations.map(|(_, raw)| raw));
}

/// The call of a tool, whose arguments are a text.
pub(super) fn put_tool_call(entry: &mut Object<'_>, call: &ToolCall<'_>, id: &str) {
    entry.put("id", id);
    entry.put("type", "function");
    entry.object("function", |function| {
        function.put("name", &call.name);
        function.put("arguments", if call.arguments.is_empty() { "{}" } else { &*call.arguments });
    });
}
