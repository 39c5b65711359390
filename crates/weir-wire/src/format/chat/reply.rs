//! A chat answer, read and written.

use super::write::{thinking_block, tool_call};
use super::{ThinkingBlock, finish, finish_word};
use crate::format::Asked;
use crate::format::read::{self, proof_of};
use crate::format::tools::id_in;
use crate::json::write::{Object, object};
use crate::neutral::{Choice, Finish, Part, Raw, Reply, Str, Text, Thinking, ToolCall};
use crate::usage;
pub(in crate::format) use crate::usage::write as write_usage;
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    created: Option<i64>,
    choices: Vec<AnswerChoice<'a>>,
    #[serde(borrow)]
    usage: Option<Raw<'a>>,
    service_tier: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct AnswerChoice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    message: Said<'a>,
    finish_reason: Option<Str<'a>>,
    #[serde(borrow)]
    logprobs: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Said<'a> {
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
    #[serde(borrow)]
    id: Option<Str<'a>>,
    function: Function<'a>,
    extra_content: Option<ExtraContent<'a>>,
}

/// As of a call's message.
#[derive(Deserialize)]
pub(super) struct ExtraContent<'a> {
    #[serde(borrow)]
    pub(super) google: Option<Google<'a>>,
}

/// As of a call's message.
#[derive(Deserialize)]
pub(super) struct Google<'a> {
    #[serde(borrow)]
    pub(super) thought_signature: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Str<'a>,
    arguments: Option<Str<'a>>,
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let answer: Answer<'b> = read::answer(body)?;
    Ok(Reply {
        id: answer.id.unwrap_or_default(),
        model: answer.model.unwrap_or_default(),
        created: answer.created,
        choices: answer
            .choices
            .into_iter()
            .zip(0..)
            .map(|(choice, at)| Choice {
                index: choice.index.unwrap_or(at),
                parts: parts(choice.message),
                finish: choice.finish_reason.map(finish),
                logprobs: choice.logprobs.filter(|raw| raw.text() != "null").map(Into::into),
            })
            .collect(),
        usage: answer.usage.and_then(|raw| usage::of(raw.text().as_bytes())),
        service_tier: answer.service_tier,
    })
}

fn parts<'a>(said: Said<'a>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    for block in said.thinking_blocks.into_iter().flatten() {
        let hidden = block.kind == *"redacted_thinking";
        let seal = if hidden { block.data } else { block.signature };
        parts.push(Part::Thinking(Thinking {
            text: block.thinking.unwrap_or_default(),
            proof: seal.map(|seal| proof_of(crate::format::messages::NAME, &seal)),
            hidden,
        }));
    }
    let thought = said.reasoning_content.or(said.reasoning).filter(|text| !text.is_empty());
    if let Some(text) = thought.filter(|_| parts.is_empty()) {
        parts.push(Part::Thinking(Thinking { text, ..Thinking::default() }));
    }
    if let Some(text) = said.content.filter(|text| !text.is_empty()) {
        parts.push(Part::Text(Text { text, ..Text::default() }));
    }
    if let Some(refusal) = said.refusal.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(refusal));
    }
    for call in said.tool_calls.into_iter().flatten() {
        let seal =
            call.extra_content.and_then(|extra| extra.google).and_then(|google| google.thought_signature);
        parts.push(Part::ToolCall(ToolCall {
            id: call.id.unwrap_or_default(),
            name: call.function.name,
            arguments: call.function.arguments.unwrap_or_default(),
            proof: seal.map(|seal| proof_of("gemini", &seal)),
            cache: None,
        }));
    }
    parts
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let id = if reply.id.is_empty() { &*asked.id } else { &*reply.id };
    object(&mut out, |body| {
        body.put("id", id);
        body.put("object", "chat.completion");
        body.put("created", &reply.created.unwrap_or(asked.now));
        body.put("model", if reply.model.is_empty() { &*asked.model } else { &*reply.model });
        body.list("choices", |list| {
            for choice in &reply.choices {
                list.object(|entry| {
                    entry.put("index", &choice.index);
                    entry.object("message", |message| said(message, &choice.parts, id));
                    entry.put("logprobs", &choice.logprobs);
                    entry.put("finish_reason", finish_word(choice.finish.as_ref().unwrap_or(&Finish::Stop)));
                });
            }
        });
        if let Some(usage) = reply.usage {
            body.object("usage", |object| write_usage(object, usage));
        }
        body.maybe("service_tier", reply.service_tier.as_ref());
    });
    out
}

/// `answer`: by what ids are made for calls that have none.
fn said(message: &mut Object<'_>, parts: &[Part<'_>], answer: &str) {
    message.put("role", "assistant");
    let (mut text, mut refusal, mut thought) = (String::new(), String::new(), String::new());
    for part in parts {
        match part {
            Part::Text(words) => text.push_str(&words.text),
            Part::Refusal(words) => refusal.push_str(words),
            Part::Thinking(thinking) => thought.push_str(&thinking.text),
            Part::ToolCall(_) | Part::ToolResult(_) | Part::Media(_) => {}
        }
    }
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let calls =
        || parts.iter().filter_map(|part| if let Part::ToolCall(call) = part { Some(call) } else { None });
    let nothing = text.is_empty() && (calls().next().is_some() || !refusal.is_empty());
    message.put("content", &(!nothing).then_some(&text));
    message.put("refusal", &some(&refusal));
    message.maybe("reasoning_content", some(&thought).as_ref());
    let sealed = |part: &&Part<'_>| matches!(part, Part::Thinking(thinking) if thinking.proof.is_some());
    if parts.iter().any(|part| sealed(&part)) {
        message.list("thinking_blocks", |list| {
            for part in parts {
                if let Part::Thinking(thinking) = part {
                    list.object(|block| thinking_block(block, thinking));
                }
            }
        });
    }
    if calls().next().is_some() {
        message.list("tool_calls", |list| {
            for (call, at) in calls().zip(0..) {
                list.object(|entry| tool_call(entry, call, &id_in(answer, &call.id, at)));
            }
        });
    }
}
