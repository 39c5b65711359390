//! AWS Bedrock's Converse and ConverseStream
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>; every shape is in botocore's
//! `data/bedrock-runtime/2023-09-30/service-2.json`).
//!
//! The model and whether the answer is a stream stand in the address (`/model/MODEL/converse-stream`), not in the body:
//! whoever reads a call sets [`Call::model`] and [`Call::stream`], and calls written here hold neither.
//!
//! What is of its own kind here:
//! - Every block is an object with one member, whose name says what it is.
//! - What is worth keeping is marked by a block of its own (`cachePoint`) behind it.
//! - What only some models take stands in `additionalModelRequestFields`, and which models these are shows in their names
//!   alone (`Family`).
//! - Media come as bytes, or lie in S3; no other address is fetched.
//! - Thoughts of Claude have seals, which Anthropic's own API knows too.
//! - Tokens read from and written to a cache are counted beside `inputTokens`, not within.
//! - Streams are binary messages ([`Framing::Frames`]), and usage comes after the end of the answer, in `metadata`.
//!
//! For traffic that stays bytes: no top-level member carries model, stream or user; the prompt is in `messages` and
//! `system`, the limit is `inferenceConfig.maxTokens`. Of a stream, `messageStop` says why the answer ended, `metadata`
//! carries `usage` and comes last; an exception is a fault.

mod call;
mod media;
mod model;
mod reply;
mod stream;
mod write;

use super::{Asked, Format, Framing, Losing, StreamReader, StreamWriter, Target};
use crate::frames;
use crate::json::write::{Object, object};
use crate::neutral::{Call, Finish, Lost, Param, Reply, Str};
use bytes::Bytes;
use serde::Deserialize;
use weir_core::{Endpoint, Fault, RequestId, Usage};

/// The format's name.
pub(super) const NAME: &str = "converse";

/// AWS Bedrock's Converse.
#[derive(Debug)]
pub struct Converse;

impl Format for Converse {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Converse
    }

    fn spelling(&self, param: Param) -> &'static str {
        match param {
            Param::Temperature => "inferenceConfig.temperature",
            Param::TopP => "inferenceConfig.topP",
            Param::TopK => "additionalModelRequestFields.top_k",
            Param::MinP => "min_p",
            Param::Seed => "seed",
            Param::FrequencyPenalty => "frequency_penalty",
            Param::PresencePenalty => "presence_penalty",
            Param::RepetitionPenalty => "repetition_penalty",
            Param::Stop => "inferenceConfig.stopSequences",
            Param::N => "n",
            Param::Logprobs => "logprobs",
            Param::LogitBias => "logit_bias",
            Param::MaxTokens => "inferenceConfig.maxTokens",
            Param::Tools | Param::NativeTool => "toolConfig.tools",
            Param::ToolChoice => "toolConfig.toolChoice",
            Param::ParallelTools => "disable_parallel_tool_use",
            Param::Strict => "toolSpec.strict",
            Param::Output => "outputConfig.textFormat",
            Param::Reasoning => "additionalModelRequestFields.thinking",
            Param::Thinking => "messages.content.reasoningContent",
            Param::User => "user",
            Param::Metadata => "requestMetadata",
            Param::Cache => "cachePoint",
            Param::Name => "messages.name",
            Param::Detail => "detail",
            Param::ToolError => "toolResult.status",
            Param::Image => "image",
            Param::Audio => "audio",
            Param::Video => "video",
            Param::Document => "document",
            Param::Citations => "citationsContent",
            Param::Task => "task",
            Param::ServiceTier => "serviceTier",
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

    fn write_reply(&self, reply: &Reply<'_>, _asked: &Asked) -> Vec<u8> {
        reply::write(reply)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::<stream::Reader>::default()
    }

    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(asked))
    }

    fn framing(&self) -> Framing {
        Framing::Frames
    }

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        let mut out = Vec::new();
        write_error(&mut out, fault, id);
        Bytes::from(out)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>, _: Option<&Usage>) -> Bytes {
        let mut out = Vec::new();
        frames::write(&mut out, stream::exception(fault.status), &self.error(fault, id));
        Bytes::from(out)
    }
}

/// What AWS's clients read of an error is its `message`, and its kind where no header tells that (`__type`).
fn write_error(out: &mut Vec<u8>, fault: &Fault, id: Option<&RequestId>) {
    object(out, |body| {
        body.put("__type", error_type(fault.status));
        body.put("message", &*fault.message);
        body.maybe("code", fault.code.as_deref());
        body.maybe("param", fault.param.as_deref());
        body.maybe("request_id", id.map(RequestId::as_str));
    });
}

fn error_type(status: u16) -> &'static str {
    match status {
        401..=403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        400..=499 => "ValidationException",
        503 | 529 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

/// Tokens, as `usage` states them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens<'a> {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    #[serde(borrow)]
    cache_details: Option<Vec<CacheDetail<'a>>>,
}

/// How much of what was written to a cache is kept for how long.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail<'a> {
    #[serde(borrow)]
    ttl: Option<Str<'a>>,
    input_tokens: Option<u64>,
}

impl Tokens<'_> {
    fn usage(&self) -> Option<Usage> {
        let cache_read = self.cache_read_input_tokens.unwrap_or(0);
        let cache_write = self.cache_write_input_tokens.unwrap_or(0);
        let for_an_hour = self
            .cache_details
            .iter()
            .flatten()
            .filter(|detail| detail.ttl.as_deref() == Some("1h"))
            .fold(0_u64, |sum, detail| sum.saturating_add(detail.input_tokens.unwrap_or(0)));
        let usage = Usage {
            input: self.input_tokens?.saturating_add(cache_read).saturating_add(cache_write),
            cache_read,
            cache_write,
            cache_write_1h: for_an_hour.min(cache_write),
            output: self.output_tokens.unwrap_or(0),
            ..Usage::default()
        };
        usage.is_plausible().then_some(usage)
    }
}

fn write_usage(object: &mut Object<'_>, usage: Usage) {
    object.put("inputTokens", &usage.input_uncached());
    object.put("outputTokens", &usage.output);
    object.put("totalTokens", &usage.total());
    object.put("cacheReadInputTokens", &usage.cache_read);
    object.put("cacheWriteInputTokens", &usage.cache_write);
    if usage.cache_write_1h > 0 {
        let rest = usage.cache_write.saturating_sub(usage.cache_write_1h);
        object.list("cacheDetails", |list| {
            for (ttl, tokens) in [("1h", usage.cache_write_1h), ("5m", rest)] {
                if tokens > 0 {
                    list.object(|detail| {
                        detail.put("ttl", ttl);
                        detail.put("inputTokens", &tokens);
                    });
                }
            }
        });
    }
}

fn finish_word<'f>(finish: &'f Finish<'_>) -> &'f str {
    match finish {
        Finish::Stop | Finish::Pause => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "content_filtered",
        Finish::ContextWindow => "model_context_window_exceeded",
        Finish::MalformedCall => "malformed_tool_use",
        Finish::Other(word) => word,
    }
}

fn finish<'a>(word: Str<'a>, sequence: Option<Str<'a>>) -> Finish<'a> {
    match &*word {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(sequence),
        "max_tokens" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "refusal" => Finish::Refusal,
        "model_context_window_exceeded" => Finish::ContextWindow,
        "malformed_tool_use" => Finish::MalformedCall,
        _ => Finish::Other(word),
    }
}

/// What models say beside the answer, where they were asked for it: Claude, which stop sequence it met.
#[derive(Debug, Default, Deserialize)]
struct Beside<'a> {
    #[serde(borrow)]
    stop_sequence: Option<Str<'a>>,
}

fn write_beside(object: &mut Object<'_>, finish: Option<&Finish<'_>>) {
    if let Some(Finish::StopSequence(Some(text))) = finish {
        object.object("additionalModelResponseFields", |beside| beside.put("stop_sequence", text));
    }
}

/// Which model a prompt router chose.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    #[serde(borrow)]
    prompt_router: Option<PromptRouter<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptRouter<'a> {
    #[serde(borrow)]
    invoked_model_id: Option<Str<'a>>,
}

#[cfg(test)]
mod tests;
