//! OpenAI's older completions of a text (<https://platform.openai.com/docs/api-reference/completions>; shapes compared with
//! the types of openai-python; vLLM adds `top_k`, `min_p`, `repetition_penalty`).
//!
//! To a chat model a prompt is what the user says. To a model that completes texts a conversation is a transcript; a lone
//! text of the user's is the prompt as it stands. One prompt can be read, as text: several, and tokens, are refused.
//! `echo` is done here: the prompt is put before the answer. The default of 16 tokens is not taken over to chat models.
//!
//! Facts for traffic that stays bytes. Members of a call: `model`; `stream` and `stream_options.include_usage`; `prompt` (a
//! text, a list of texts, of tokens, or of lists of tokens) and `suffix`; `user`; `max_tokens`, `n`, `best_of`. An answer and
//! every event of a stream: `choices[].text`, `choices[].finish_reason` and `usage` as in chat; a stream ends with `[DONE]`;
//! an error is an event with `error`. Ollama puts a `usage` of zeros into every event but the last.

mod call;
mod logprobs;
mod reply;
mod stream;
#[cfg(test)]
mod tests;
mod write;

use super::{Asked, Format, Losing, StreamReader, StreamWriter, Target};
use crate::neutral::{Call, Finish, Lost, Param, Reply, Str};
use bytes::Bytes;
use weir_core::{Endpoint, Fault, RequestId};

/// OpenAI's completions of a text.
#[derive(Debug)]
pub struct Completions;

impl Format for Completions {
    fn name(&self) -> &'static str {
        "completions"
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Completions
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
            Param::Logprobs => "logprobs",
            Param::LogitBias => "logit_bias",
            Param::MaxTokens => "max_tokens",
            Param::Tools | Param::NativeTool => "tools",
            Param::ToolChoice => "tool_choice",
            Param::ParallelTools => "parallel_tool_calls",
            Param::Strict => "strict",
            Param::Output => "response_format",
            Param::Reasoning => "reasoning_effort",
            Param::Thinking => "thinking",
            Param::User => "user",
            Param::Metadata => "metadata",
            Param::Cache => "prompt_cache_key",
            Param::Name => "name",
            Param::Detail => "detail",
            Param::ToolError => "is_error",
            Param::Image => "image",
            Param::Audio => "audio",
            Param::Video => "video",
            Param::Document => "file",
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
        Box::new(stream::Writer::new(asked.clone()))
    }

    fn remember(&self, body: &[u8], asked: &mut Asked) {
        asked.repeated = call::echoed(body).unwrap_or_default();
    }

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        crate::error::body(fault, id)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        crate::error::event(fault, id)
    }

    fn id_prefix(&self) -> &'static str {
        "cmpl-"
    }

    fn end_mark(&self) -> &'static [u8] {
        crate::watch::DONE
    }
}

fn finish_word<'f>(finish: &'f Finish<'_>) -> &'f str {
    match finish {
        Finish::Stop
        | Finish::StopSequence(_)
        | Finish::ToolCalls
        | Finish::Pause
        | Finish::MalformedCall => "stop",
        Finish::Length | Finish::ContextWindow => "length",
        Finish::ContentFilter | Finish::Refusal => "content_filter",
        Finish::Other(word) => word,
    }
}

fn finish<'a>(word: Str<'a>) -> Finish<'a> {
    match &*word {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        _ => Finish::Other(word),
    }
}
