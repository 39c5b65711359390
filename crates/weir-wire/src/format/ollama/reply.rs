//! An answer of Ollama's, read and written.

use super::call::Called;
use super::write::tool_call;
use super::{Kind, finish, finish_word, read_time, written_time};
use crate::format::Asked;
use crate::format::logprobs::{self, Token, tokens, write_token};
use crate::format::read::{self, Whole};
use crate::json::write::{List, Object, object};
use crate::neutral::{Choice, Finish, Logprobs, Part, Raw, Reply, Str, Text, Thinking};
use serde::Deserialize;
use weir_core::{Class, Fault, Usage};

/// An answer, or a line of a stream of it.
#[derive(Deserialize)]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Str<'a>>,
    created_at: Option<Str<'a>>,
    /// Of `/api/chat`.
    pub(super) message: Option<Said<'a>>,
    /// Of `/api/generate`.
    pub(super) response: Option<Str<'a>>,
    pub(super) thinking: Option<Str<'a>>,
    pub(super) done: Option<bool>,
    pub(super) done_reason: Option<Str<'a>>,
    prompt_eval_count: Option<Whole>,
    eval_count: Option<Whole>,
    pub(super) logprobs: Option<Vec<Token<'a>>>,
    pub(super) error: Option<Raw<'a>>,
}

/// What is said.
#[derive(Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Str<'a>>,
    pub(super) thinking: Option<Str<'a>>,
    pub(super) tool_calls: Option<Vec<Called<'a>>>,
}

impl<'a> Answer<'a> {
    /// When it was made.
    pub(super) fn created(&self) -> Option<i64> {
        self.created_at.as_deref().and_then(read_time)
    }

    /// Old servers leave out the prompt's count when all of it was kept from before.
    pub(super) fn usage(&self) -> Option<Usage> {
        let count = |count: Option<Whole>| count.map(|Whole(count)| u64::try_from(count).ok());
        let usage = Usage {
            input: count(self.prompt_eval_count).unwrap_or(Some(0))?,
            output: count(self.eval_count)??,
            ..Usage::default()
        };
        usage.is_plausible().then_some(usage)
    }

    /// What it says, in order: thoughts, words, calls.
    pub(super) fn parts(&mut self) -> Vec<Part<'a>> {
        let said = self.message.take();
        let (content, thinking, calls) = match said {
            Some(said) => (said.content, said.thinking, said.tool_calls),
            None => (self.response.take(), self.thinking.take(), None),
        };
        let some = |text: Option<Str<'a>>| text.filter(|text| !text.is_empty());
        let mut parts = Vec::with_capacity(1);
        parts.extend(some(thinking).map(|text| Part::Thinking(Thinking { text, ..Thinking::default() })));
        parts.extend(some(content).map(|text| Part::Text(Text { text, ..Text::default() })));
        parts.extend(calls.into_iter().flatten().map(|call| Part::ToolCall(call.into_call())));
        parts
    }
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let mut answer: Answer<'b> = read::answer(body)?;
    if answer.message.is_none() && answer.response.is_none() {
        let message = "The upstream's answer is not what its API promises.";
        let fault = Fault::new(Class::Malformed, 502, "upstream_malformed", message);
        return Err(fault.with_cause("neither message nor response"));
    }
    let parts = answer.parts();
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let (created, usage) = (answer.created(), answer.usage());
    Ok(Reply {
        model: answer.model.unwrap_or_default(),
        created,
        choices: vec![Choice {
            index: 0,
            parts,
            finish: (answer.done == Some(true)).then(|| finish(answer.done_reason, calls)),
            logprobs: answer.logprobs.as_deref().and_then(neutral_logprobs),
        }],
        usage,
        ..Reply::default()
    })
}

/// Ollama's account of probabilities in OpenAI's shape, which differs by what stands around it.
pub(super) fn neutral_logprobs(tokens: &[Token<'_>]) -> Option<Logprobs<'static>> {
    logprobs::write(|list| write_tokens(list, tokens, true))
}

fn write_tokens(list: &mut List<'_>, tokens: &[Token<'_>], outer: bool) {
    for token in tokens {
        list.object(|entry| {
            write_token(entry, &token.token, token.logprob, token.bytes.as_ref());
            if outer {
                let others = token.top_logprobs.as_deref().unwrap_or_default();
                entry.list("top_logprobs", |list| write_tokens(list, others, false));
            }
        });
    }
}

/// And the way back.
pub(super) fn write_logprobs(body: &mut Object<'_>, text: &str) {
    body.list("logprobs", |list| write_tokens(list, &tokens(text), true));
}

/// What every answer and every line begins with.
pub(super) fn write_head(body: &mut Object<'_>, model: &str, created: i64) {
    body.put("model", model);
    body.put("created_at", &written_time(created));
}

/// What an answer, or the last line of one, ends with.
pub(super) fn write_end(body: &mut Object<'_>, finish: &Finish<'_>, usage: Option<Usage>) {
    body.put("done", &true);
    body.put("done_reason", finish_word(finish));
    if let Some(usage) = usage {
        body.put("prompt_eval_count", &usage.input);
        body.put("eval_count", &usage.output);
    }
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked, kind: Kind) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let nothing = Choice::default();
    // This format has room for one answer; nobody who speaks it can ask for more.
    let choice = reply.choices.first().unwrap_or(&nothing);
    let (mut text, mut thoughts, mut refused, mut calls) = (String::new(), String::new(), false, Vec::new());
    for part in &choice.parts {
        match part {
            Part::Text(words) => text.push_str(&words.text),
            Part::Refusal(words) => {
                refused = true;
                text.push_str(words);
            }
            Part::Thinking(thought) => thoughts.push_str(&thought.text),
            Part::ToolCall(call) => calls.push(call),
            Part::ToolResult(_) | Part::Media(_) => {}
        }
    }
    let thoughts = Some(thoughts).filter(|text| !text.is_empty());
    let finish = choice.finish.as_ref().filter(|_| !refused);
    let finish = finish.unwrap_or(if refused { &Finish::Refusal } else { &Finish::Stop });
    object(&mut out, |body| {
        let model = if reply.model.is_empty() { &*asked.model } else { &*reply.model };
        write_head(body, model, reply.created.unwrap_or(asked.now));
        if kind == Kind::Generate {
            body.put("response", &text);
            body.maybe("thinking", thoughts.as_ref());
        } else {
            body.object("message", |message| {
                message.put("role", "assistant");
                message.put("content", &text);
                message.maybe("thinking", thoughts.as_ref());
                if !calls.is_empty() {
                    message.list("tool_calls", |list| {
                        for (call, at) in calls.iter().zip(0..) {
                            list.object(|entry| tool_call(entry, call, at));
                        }
                    });
                }
            });
        }
        write_end(body, finish, reply.usage);
        if let Some(logprobs) = &choice.logprobs {
            write_logprobs(body, logprobs.0.get());
        }
    });
    out
}
