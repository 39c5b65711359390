//! OpenAI's chat completions (<https://platform.openai.com/docs/api-reference/chat>), and what compatible servers and
//! LiteLLM's users made of them: `reasoning_content` or `reasoning` for what a model thought, `thinking_blocks` for
//! thoughts with a seal, `cache_control` on parts, `thinking` with a number of tokens, `top_k`, `extra_body`.

mod call;
mod reply;
mod stream;
mod write;

pub(super) use reply::write_usage;

use super::{Asked, Format, Losing, StreamReader, StreamWriter, Target};
use crate::neutral::{CacheHint, Call, Finish, Lost, Param, Reply, Str};
use bytes::Bytes;
use serde::Deserialize;
use weir_core::{Endpoint, Fault, RequestId};

/// The format's name.
pub(super) const NAME: &str = "chat";

/// OpenAI's chat completions.
#[derive(Debug)]
pub struct Chat;

impl Format for Chat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Chat
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
            Param::MaxTokens => "max_completion_tokens",
            Param::Tools | Param::NativeTool => "tools",
            Param::ToolChoice => "tool_choice",
            Param::ParallelTools => "parallel_tool_calls",
            Param::Strict => "strict",
            Param::Output => "response_format",
            Param::Reasoning => "reasoning_effort",
            Param::Thinking => "messages.thinking_blocks",
            Param::User => "user",
            Param::Metadata => "metadata",
            Param::Cache => "cache_control",
            Param::Name => "messages.name",
            Param::Detail => "image_url.detail",
            Param::ToolError => "messages.is_error",
            Param::Image => "image_url",
            Param::Audio => "input_audio",
            Param::Video => "video_url",
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

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        crate::error::body(fault, id)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        crate::error::event(fault, id)
    }

    fn id_prefix(&self) -> &'static str {
        "chatcmpl-"
    }

    fn end_mark(&self) -> &'static [u8] {
        crate::watch::DONE
    }
}

/// Anthropic's mark on a part, which OpenAI's format has no word for and which its users write all the same.
#[derive(Deserialize)]
struct CacheControl<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    #[serde(borrow)]
    ttl: Option<Str<'a>>,
}

impl CacheControl<'_> {
    fn hint(&self) -> CacheHint {
        if self.ttl.as_deref() == Some("1h") { CacheHint::Hour } else { CacheHint::Usual }
    }
}

/// A thought with its seal, as LiteLLM passes on Anthropic's.
#[derive(Deserialize)]
struct ThinkingBlock<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    #[serde(borrow)]
    thinking: Option<Str<'a>>,
    #[serde(borrow)]
    signature: Option<Str<'a>>,
    #[serde(borrow)]
    data: Option<Str<'a>>,
}

fn finish_word<'f>(finish: &'f Finish<'_>) -> &'f str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::Pause | Finish::MalformedCall => "stop",
        Finish::Length | Finish::ContextWindow => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter | Finish::Refusal => "content_filter",
        Finish::Other(word) => word,
    }
}

fn finish<'a>(word: Str<'a>) -> Finish<'a> {
    match &*word {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        _ => Finish::Other(word),
    }
}
