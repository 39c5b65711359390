//! OpenAI's Responses (<https://platform.openai.com/docs/api-reference/responses>; the order of a stream's events:
//! <https://platform.openai.com/docs/api-reference/responses-streaming>; shapes compared with the types of openai-python).
//!
//! What a conversation holds are items: messages, calls of tools, their results, reasoning. In the neutral form those of
//! the model that follow each other are one turn, and so are results.
//!
//! Items and answers that are kept elsewhere (`previous_response_id`, `conversation`, `prompt`, `item_reference`) have to
//! be put in their place before a call is read: the reader refuses what is not there, for a conversation without its
//! beginning is another one. [`kept`] tells what a body refers to.
//!
//! A tool of free text (`custom`) is a function with the one argument `input` to models of other formats; its calls and
//! results come back as the client knows them ([`Asked::free_tools`](super::Asked::free_tools)). Tools that only OpenAI
//! runs, and namespaces of tools, are left behind and named, and so are items that tell of them.
//!
//! Facts for traffic that stays bytes. Members of a call: `model`; `stream`; the prompt in `instructions` and `input` (text,
//! or items with text in `content[].text`, `output`, `arguments`); `user` and `safety_identifier`; `max_output_tokens`,
//! `max_tool_calls`; `reasoning.effort`; `tools`; `text.format`; `store`, `background` and `previous_response_id` for the
//! gateway itself. An answer: `status` (`completed`, `incomplete` with `incomplete_details.reason`, `failed` with `error`),
//! `usage.{input_tokens,output_tokens}` with `input_tokens_details.{cached_tokens,cache_write_tokens}` and
//! `output_tokens_details.reasoning_tokens`. A stream names each event twice, in `event:` and in `type`; text comes in
//! `response.output_text.delta`; the end is `response.completed`, `response.incomplete` or `response.failed`, whose
//! `response` holds usage and finish, or an `error` event; there is no `[DONE]`.

mod answer;
mod call;
mod item;
mod kept;
mod reply;
mod stream;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use kept::{Kept, kept};

use super::{Asked, Begun, Format, Losing, StreamReader, StreamWriter, Target};
use crate::neutral::{Call, Chunk, Finish, Lost, Param, Proof, Reply, Str};
use bytes::Bytes;
use serde::Deserialize;
use std::borrow::Cow;
use weir_core::{Endpoint, Fault, RequestId, Usage};

/// The format's name.
pub(super) const NAME: &str = "responses";

/// OpenAI's Responses.
#[derive(Debug)]
pub struct Responses;

impl Format for Responses {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Responses
    }

    fn spelling(&self, param: Param) -> &'static str {
        match param {
            Param::Temperature => "temperature",
            Param::TopP => "top_p",
            Param::TopK => "top_k",
            Param::MinP => "min_p",
            Param::Seed => "seed",
            Param::FrequencyPenalty => "frequency_penalty",
            Param::PresencePenalty => "presence_penalty",
            Param::RepetitionPenalty => "repetition_penalty",
            Param::Stop => "stop",
            Param::N => "n",
            Param::Logprobs => "top_logprobs",
            Param::LogitBias => "logit_bias",
            Param::MaxTokens => "max_output_tokens",
            Param::Tools | Param::NativeTool => "tools",
            Param::ToolChoice => "tool_choice",
            Param::ParallelTools => "parallel_tool_calls",
            Param::Strict => "tools.strict",
            Param::Output => "text.format",
            Param::Reasoning => "reasoning",
            Param::Thinking => "input.reasoning",
            Param::User => "user",
            Param::Metadata => "metadata",
            Param::Cache => "prompt_cache_key",
            Param::Name => "input.name",
            Param::Detail => "input_image.detail",
            Param::ToolError => "input.is_error",
            Param::Image => "input_image",
            Param::Audio => "input_audio",
            Param::Video => "input_video",
            Param::Document => "input_file",
            Param::Citations => "annotations",
            Param::Task => "task",
            Param::ServiceTier => "service_tier",
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
        Box::new(writer::Writer::new(asked.clone()))
    }

    fn remember(&self, body: &[u8], asked: &mut Asked) {
        answer::remember(body, asked);
    }

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        crate::error::body(fault, id)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        let mut asked = Asked { begun: Begun::Head, ..Asked::default() };
        if let Some(id) = id {
            asked.id = format!("{}{}", self.id_prefix(), id.as_str());
        }
        let mut out = Vec::new();
        writer::Writer::new(asked).write(&Chunk::Error(fault.clone()), &mut out);
        Bytes::from(out)
    }

    fn id_prefix(&self) -> &'static str {
        "resp_"
    }
}

/// Tokens: what is read from a cache and what is written to it stand within `input_tokens`.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Tokens {
    input_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Tokens {
    fn usage(self) -> Option<Usage> {
        self.input_tokens.or(self.output_tokens)?;
        let details = self.input_tokens_details;
        let usage = Usage {
            input: self.input_tokens.unwrap_or(0),
            cache_read: details.and_then(|details| details.cached_tokens).unwrap_or(0),
            cache_write: details.and_then(|details| details.cache_write_tokens).unwrap_or(0),
            output: self.output_tokens.unwrap_or(0),
            reasoning: self.output_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0),
            ..Usage::default()
        };
        usage.is_plausible().then_some(usage)
    }
}

/// Why an answer ended, by its status and what it says of being incomplete.
fn finish<'a>(status: Option<Str<'a>>, reason: Option<Str<'a>>, called: bool) -> Finish<'a> {
    match (status, reason) {
        (Some(status), reason) if status == *"incomplete" => match reason {
            Some(reason) if reason == *"max_output_tokens" => Finish::Length,
            Some(reason) if reason == *"content_filter" => Finish::ContentFilter,
            Some(reason) => Finish::Other(reason),
            None => Finish::Length,
        },
        (Some(status), _) if status != *"completed" => Finish::Other(status),
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// The reason for which an answer is incomplete, if it is. An answer that refuses in words of its own is complete.
fn incomplete<'f>(finish: &'f Finish<'_>, refused: bool) -> Option<&'f str> {
    match finish {
        Finish::Length | Finish::ContextWindow => Some("max_output_tokens"),
        Finish::Refusal | Finish::ContentFilter if refused => None,
        Finish::ContentFilter | Finish::Refusal => Some("content_filter"),
        Finish::Other(word) => Some(word),
        Finish::Stop
        | Finish::StopSequence(_)
        | Finish::ToolCalls
        | Finish::Pause
        | Finish::MalformedCall => None,
    }
}

/// Between the parts of a thought's summary, where they are one text.
const BETWEEN_SUMMARIES: &str = "\n\n";

/// The argument that a tool of free text takes where it is a function.
#[derive(Deserialize)]
struct Free<'a> {
    #[serde(borrow)]
    input: Str<'a>,
}

/// The free text in the arguments of a function. A model that wrote it plainly meant the same.
fn free_text(arguments: &str) -> Cow<'_, str> {
    match serde_json::from_str::<Free<'_>>(arguments) {
        Ok(free) => free.input.0,
        Err(_) => Cow::Borrowed(arguments),
    }
}

/// The arguments of a function that stand for a free text.
fn free_arguments(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    crate::json::write::object(&mut out, |arguments| arguments.put("input", text));
    String::from_utf8(out).unwrap_or_default()
}

/// Says of another vendor's seal that it is all there is of the thought.
const HIDDEN: &str = "hidden#";

/// What a client keeps of a thought as `encrypted_content`.
fn seal_for(proof: &Proof<'_>, hidden: bool) -> String {
    if hidden && proof.format != *NAME {
        format!("{}#{HIDDEN}{}", proof.format, proof.seal)
    } else {
        super::read::seal_for(NAME, proof)
    }
}

/// The proof in a thought's `encrypted_content`, and whether it is all there is.
fn proof_of<'a>(seal: &Str<'a>, no_words: bool) -> (Proof<'a>, bool) {
    let proof = super::read::proof_of(NAME, seal);
    if proof.format == *NAME {
        return (proof, no_words);
    }
    match proof.seal.strip_prefix(HIDDEN).map(str::to_owned) {
        Some(seal) => (Proof { format: proof.format, seal: Str::from(seal) }, true),
        None => (proof, false),
    }
}
