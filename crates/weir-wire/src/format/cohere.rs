//! Cohere's chat, `/v2/chat` (<https://docs.cohere.com/reference/chat>; every shape is in cohere-ai/cohere-python
//! `src/cohere/v2` and `src/cohere/types`).
//!
//! What is of its own kind here:
//! - What a model says to itself before it calls tools is its `tool_plan`; other thoughts are parts of the content, and
//!   neither has a seal. Both are thoughts in other formats; handed back with calls of tools they are a plan again, but to
//!   models made for reasoning.
//! - A tool can be demanded, not which: the one that is wanted is the only one offered.
//! - There is one answer, and of probabilities only those of what was said, for runs of tokens.
//! - What is billed differs from what was read and written: both stand in `usage`, as numbers that may have a point.
//! - Neither the model's name nor the time is told.
//!
//! For traffic that stays bytes: `model` and `stream` stand at the top; the prompt is in `messages` and `documents`; nothing
//! names a user; the limit is `max_tokens`. Of an event, `type` says what it is; `message-end` ends the answer, says why
//! and carries `usage`, and `error` where it failed; behind it comes `[DONE]`.

mod call;
mod logprobs;
mod reply;
mod stream;
mod write;

use super::{Asked, Format, Losing, StreamReader, StreamWriter, Target};
use crate::json::write::{Object, object};
use crate::neutral::{Call, Finish, Lost, Param, Reply, Str};
use bytes::Bytes;
use serde::Deserialize;
use weir_core::usage::{Billed, Pieces};
use weir_core::{Class, Endpoint, Fault, RequestId, Usage};

/// The format's name.
pub(super) const NAME: &str = "cohere";

/// Cohere's chat.
#[derive(Debug)]
pub struct Cohere;

impl Format for Cohere {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::CohereChat
    }

    fn spelling(&self, param: Param) -> &'static str {
        match param {
            Param::Temperature => "temperature",
            Param::TopP => "p",
            Param::TopK => "k",
            Param::MinP => "min_p",
            Param::Seed => "seed",
            Param::FrequencyPenalty => "frequency_penalty",
            Param::PresencePenalty => "presence_penalty",
            Param::RepetitionPenalty => "repetition_penalty",
            Param::Stop => "stop_sequences",
            Param::N => "n",
            Param::Logprobs => "logprobs",
            Param::LogitBias => "logit_bias",
            Param::MaxTokens => "max_tokens",
            Param::Tools | Param::NativeTool => "tools",
            Param::ToolChoice => "tool_choice",
            Param::ParallelTools => "parallel_tool_calls",
            Param::Strict => "strict_tools",
            Param::Output => "response_format",
            Param::Reasoning => "thinking",
            Param::Thinking => "messages.content.thinking",
            Param::User => "user",
            Param::Metadata => "metadata",
            Param::Cache => "cache_control",
            Param::Name => "messages.name",
            Param::Detail => "detail",
            Param::ToolError => "messages.is_error",
            Param::Image => "image_url",
            Param::Audio => "audio",
            Param::Video => "video",
            Param::Document => "documents",
            Param::Citations => "citations",
            Param::Task => "task",
            Param::ServiceTier => "priority",
        }
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
        call::read(body, lost)
    }

    fn write_call(
        &self,
        call: &Call<'_>,
        target: &Target<'_>,
        losing: &mut Losing<'_>,
    ) -> Result<Vec<u8>, Fault> {
        Ok(write::call(call, target, losing))
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Reply<'b>, Fault> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
        reply::write(reply, asked)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::<stream::Reader>::default()
    }

    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(asked))
    }

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.maybe("id", id.map(RequestId::as_str));
            body.put("message", &*fault.message);
            body.maybe("code", fault.code.as_deref());
            body.maybe("param", fault.param.as_deref());
        });
        Bytes::from(out)
    }

    fn end_mark(&self) -> &'static [u8] {
        b"data: [DONE]\n\n"
    }
}

/// A count, which comes with a point (`71.0`) and is rounded up should there be something behind it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(transparent)]
struct Count(f64);

impl Count {
    /// None where it cannot be true.
    fn whole(self) -> Option<u64> {
        let Count(number) = self;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within bounds, and whole"
        )]
        (0.0..=u32::MAX.into()).contains(&number).then(|| number.ceil() as u64)
    }
}

/// Tokens, as `usage` states them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Tokens {
    billed_units: Option<Units>,
    tokens: Option<Units>,
    cached_tokens: Option<Count>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Units {
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    search_units: Option<Count>,
}

impl Tokens {
    /// Some answers state only what is billed.
    fn usage(self) -> Option<Usage> {
        let counted = |units: Units| Some((units.input_tokens?.whole()?, units.output_tokens?.whole()?));
        let billed = self.billed_units.and_then(counted);
        let (input, output) = self.tokens.and_then(counted).or(billed)?;
        let searches = self.billed_units.and_then(|units| units.search_units).and_then(Count::whole);
        let usage = Usage {
            input,
            output,
            cache_read: self.cached_tokens.and_then(Count::whole).unwrap_or(0).min(input),
            billed: billed.map(|(input, output)| Billed { input, output }),
            pieces: Pieces {
                requests: u32::try_from(searches.unwrap_or(0)).unwrap_or(u32::MAX),
                ..Pieces::default()
            },
            ..Usage::default()
        };
        usage.is_plausible().then_some(usage)
    }
}

fn write_usage(object: &mut Object<'_>, usage: Usage) {
    let billed = usage.billed.unwrap_or(Billed { input: usage.input, output: usage.output });
    object.object("billed_units", |units| {
        units.put("input_tokens", &billed.input);
        units.put("output_tokens", &billed.output);
        if usage.pieces.requests > 0 {
            units.put("search_units", &usage.pieces.requests);
        }
    });
    object.object("tokens", |tokens| {
        tokens.put("input_tokens", &usage.input);
        tokens.put("output_tokens", &usage.output);
    });
    object.put("cached_tokens", &usage.cache_read);
}

fn finish_word<'f>(finish: &'f Finish<'_>) -> &'f str {
    match finish {
        Finish::Stop | Finish::Pause | Finish::ContentFilter | Finish::Refusal | Finish::MalformedCall => {
            "COMPLETE"
        }
        Finish::StopSequence(_) => "STOP_SEQUENCE",
        Finish::Length | Finish::ContextWindow => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
        Finish::Other(word) => word,
    }
}

/// # Errors
/// The answer failed, and says so where it says why it ended. `said`: in what words.
fn finish<'a>(word: Str<'a>, said: Option<&str>) -> Result<Finish<'a>, Fault> {
    Ok(match &*word {
        "COMPLETE" => Finish::Stop,
        "STOP_SEQUENCE" => Finish::StopSequence(None),
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        "ERROR_TOXIC" => Finish::ContentFilter,
        "ERROR_LIMIT" => Finish::ContextWindow,
        "ERROR" | "TIMEOUT" => return Err(failed(&word, said)),
        _ => Finish::Other(word),
    })
}

/// The fault of an answer that failed on its way.
fn failed(word: &str, said: Option<&str>) -> Fault {
    let message = said.filter(|said| !said.is_empty()).unwrap_or("The upstream could not finish its answer.");
    let status = if word == "TIMEOUT" { 504 } else { 502 };
    let message: String = message.chars().take(512).collect();
    Fault::new(Class::ServerError, status, "upstream_error", message)
        .with_cause("the answer's reason to end is an error")
}

#[cfg(test)]
mod tests;
