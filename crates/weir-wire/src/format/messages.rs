//! Anthropic's messages (<https://docs.anthropic.com/en/api/messages>).

mod call;
mod reply;
mod stream;
mod write;

use super::{Asked, Format, Losing, StreamReader, StreamWriter, Target};
use crate::json::write::{Object, object};
use crate::neutral::{Call, Finish, Lost, Param, Reply, Str};
use bytes::Bytes;
use serde::Deserialize;
use weir_core::{Endpoint, Fault, RequestId, Usage};

/// The format's name.
pub(super) const NAME: &str = "messages";

/// Anthropic's messages.
#[derive(Debug)]
pub struct Messages;

impl Format for Messages {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::Messages
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
            Param::Stop => "stop_sequences",
            Param::N => "n",
            Param::Logprobs => "logprobs",
            Param::LogitBias => "logit_bias",
            Param::MaxTokens => "max_tokens",
            Param::Tools | Param::NativeTool => "tools",
            Param::ToolChoice => "tool_choice",
            Param::ParallelTools => "tool_choice.disable_parallel_tool_use",
            Param::Strict => "strict",
            Param::Output => "output_config.format",
            Param::Reasoning => "thinking",
            Param::Thinking => "messages.content.thinking",
            Param::User => "metadata.user_id",
            Param::Metadata => "metadata",
            Param::Cache => "cache_control",
            Param::Name => "messages.name",
            Param::Detail => "detail",
            Param::ToolError => "tool_result.is_error",
            Param::Image => "image",
            Param::Audio => "audio",
            Param::Video => "video",
            Param::Document => "document",
            Param::Citations => "citations",
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
        let mut out = Vec::new();
        write_error(&mut out, fault, id);
        Bytes::from(out)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        Bytes::from([b"event: error\ndata: ", &self.error(fault, id)[..], b"\n\n"].concat())
    }

    fn id_prefix(&self) -> &'static str {
        "msg_"
    }

    fn end_mark(&self) -> &'static [u8] {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    }
}

/// The envelope (<https://docs.anthropic.com/en/api/errors>). Its `type` is the only machine-readable word it has; the
/// code that other formats show stands behind it.
fn write_error(out: &mut Vec<u8>, fault: &Fault, id: Option<&RequestId>) {
    object(out, |body| {
        body.put("type", "error");
        body.object("error", |error| {
            error.put("type", error_type(fault.status));
            error.put("message", &*fault.message);
            error.maybe("code", fault.code.as_deref());
            error.maybe("param", fault.param.as_deref());
        });
        body.maybe("request_id", id.map(RequestId::as_str));
    });
}

fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}

#[derive(Deserialize)]
struct CacheControl<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Str<'a>>,
    #[serde(borrow)]
    ttl: Option<Str<'a>>,
}

/// Tokens: what is read from a cache and what is written to it stand beside `input_tokens`, not within.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Tokens {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    cache_read_input_tokens: Option<u64>,
}

/// How long what is written to the cache is kept, which decides on its price.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
}

impl Tokens {
    /// What a later statement of the same stream adds: its figures are totals and stand in place of earlier ones.
    fn replaced_by(self, later: Tokens) -> Tokens {
        Tokens {
            input_tokens: later.input_tokens.or(self.input_tokens),
            output_tokens: later.output_tokens.or(self.output_tokens),
            cache_creation_input_tokens: later
                .cache_creation_input_tokens
                .or(self.cache_creation_input_tokens),
            cache_creation: later.cache_creation.or(self.cache_creation),
            cache_read_input_tokens: later.cache_read_input_tokens.or(self.cache_read_input_tokens),
        }
    }

    fn usage(self) -> Option<Usage> {
        let (cache_read, cache_write) =
            (self.cache_read_input_tokens.unwrap_or(0), self.cache_creation_input_tokens.unwrap_or(0));
        let for_an_hour = self.cache_creation.and_then(|creation| creation.ephemeral_1h_input_tokens);
        let input = self.input_tokens?.saturating_add(cache_read).saturating_add(cache_write);
        let usage = Usage {
            input,
            cache_read,
            cache_write,
            cache_write_1h: for_an_hour.unwrap_or(0).min(cache_write),
            output: self.output_tokens.unwrap_or(0),
            ..Usage::default()
        };
        usage.is_plausible().then_some(usage)
    }
}

/// The members of a `usage` object.
fn write_usage(object: &mut Object<'_>, usage: Usage) {
    object.put("input_tokens", &usage.input_uncached());
    object.put("cache_creation_input_tokens", &usage.cache_write);
    object.put("cache_read_input_tokens", &usage.cache_read);
    object.put("output_tokens", &usage.output);
}

fn finish_word<'f>(finish: &'f Finish<'_>) -> &'f str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter | Finish::Refusal => "refusal",
        Finish::Pause => "pause_turn",
        Finish::ContextWindow => "model_context_window_exceeded",
        Finish::MalformedCall => "end_turn",
        Finish::Other(word) => word,
    }
}

fn finish<'a>(word: Str<'a>, sequence: Option<Str<'a>>) -> Finish<'a> {
    match &*word {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence(sequence),
        "max_tokens" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Refusal,
        "pause_turn" => Finish::Pause,
        "model_context_window_exceeded" => Finish::ContextWindow,
        _ => Finish::Other(word),
    }
}

fn stop_sequence<'f>(finish: Option<&'f Finish<'_>>) -> Option<&'f str> {
    match finish {
        Some(Finish::StopSequence(text)) => text.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vendors charge more for what is kept longer (`cache_creation`,
    /// <https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching>).
    #[test]
    fn what_is_cached_for_an_hour_is_told_apart() {
        let usage = |text: &str| serde_json::from_str::<Tokens>(text).unwrap().usage().unwrap();
        let counted = usage(
            r#"{"input_tokens":2,"output_tokens":3,"cache_read_input_tokens":4,"cache_creation_input_tokens":10,
                "cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":7}}"#,
        );
        let expect = Usage {
            input: 16,
            cache_read: 4,
            cache_write: 10,
            cache_write_1h: 7,
            output: 3,
            ..Usage::default()
        };
        assert_eq!(counted, expect);
        let none = usage(r#"{"input_tokens":2,"output_tokens":3,"cache_creation":null}"#);
        assert_eq!(none, Usage { input: 2, output: 3, ..Usage::default() });
    }
}
