//! Ollama's own API, `/api/chat` and `/api/generate` (<https://docs.ollama.com/api/chat>, ollama/ollama
//! `docs/openapi.yaml` and `api/types.go`), as its clients write it (ollama/ollama-python `ollama/_types.py`).
//!
//! What is of its own kind here:
//! - Streams are lines of JSON, one object each ([`Framing::Lines`]), and `stream` is on unless it is said to be off.
//! - Arguments of tools are objects. Servers name calls since 0.12.10, clients drop the names: results are matched by
//!   the tool's name and their order (`format::tools`).
//! - Pictures are base64 without a type; nothing else can be shown, and nothing by an address.
//! - `think` is yes or no; only gpt-oss takes `low`, `medium` and `high`, other models refuse them.
//! - No tool can be forced, and there is one answer.
//!
//! [`Ollama`] is `/api/chat`; [`Generate`] is `/api/generate`, for clients: a deployment is asked by `/api/chat`.
//!
//! For traffic that stays bytes: `model` and `stream` (absent: true) stand at the top; the prompt is in `messages`, or in
//! `prompt`, `system` and `images`; nothing names a user; the limit is `options.num_predict` (below 1: none). Of a line,
//! `done` ends the answer, `done_reason` says why, and that line alone carries `prompt_eval_count` and `eval_count`;
//! `error` is a fault. There is no other end.

mod call;
mod reply;
mod stream;
mod write;

use super::{Asked, Format, Framing, Losing, StreamReader, StreamWriter, Target};
use crate::json::write::object;
use crate::neutral::{Call, Finish, Lost, Param, Reply, Str};
use bytes::Bytes;
use weir_core::{Endpoint, Fault, RequestId};

/// The format's name.
pub(super) const NAME: &str = "ollama";

/// Ollama's `/api/chat`.
#[derive(Debug)]
pub struct Ollama;

/// Ollama's `/api/generate`: one prompt, one answer.
#[derive(Debug)]
pub struct Generate;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Chat,
    Generate,
}

impl Format for Ollama {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::OllamaChat
    }

    fn spelling(&self, param: Param) -> &'static str {
        spelling(param)
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
        write::call(call, target, Kind::Chat, losing)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Reply<'b>, Fault> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
        reply::write(reply, asked, Kind::Chat)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::<stream::Reader>::default()
    }

    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(asked.clone(), Kind::Chat))
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        error(fault, id)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        Bytes::from([&error(fault, id)[..], b"\n"].concat())
    }
}

impl Format for Generate {
    fn name(&self) -> &'static str {
        "ollama_generate"
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::OllamaGenerate
    }

    fn spelling(&self, param: Param) -> &'static str {
        spelling(param)
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
        call::read_prompt(body, lost)
    }

    fn write_call(
        &self,
        call: &Call<'_>,
        target: &Target<'_>,
        losing: &mut Losing<'_>,
    ) -> Result<Vec<u8>, Fault> {
        write::call(call, target, Kind::Generate, losing)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Reply<'b>, Fault> {
        reply::read(body)
    }

    fn write_reply(&self, reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
        reply::write(reply, asked, Kind::Generate)
    }

    fn stream_reader(&self) -> Box<dyn StreamReader> {
        Box::<stream::Reader>::default()
    }

    fn stream_writer(&self, asked: &Asked) -> Box<dyn StreamWriter> {
        Box::new(stream::Writer::new(asked.clone(), Kind::Generate))
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn error(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        error(fault, id)
    }

    fn error_event(&self, fault: &Fault, id: Option<&RequestId>) -> Bytes {
        Bytes::from([&error(fault, id)[..], b"\n"].concat())
    }
}

fn spelling(param: Param) -> &'static str {
    match param {
        Param::Temperature => "options.temperature",
        Param::TopP => "options.top_p",
        Param::TopK => "options.top_k",
        Param::MinP => "options.min_p",
        Param::Seed => "options.seed",
        Param::FrequencyPenalty => "options.frequency_penalty",
        Param::PresencePenalty => "options.presence_penalty",
        Param::RepetitionPenalty => "options.repeat_penalty",
        Param::Stop => "options.stop",
        Param::N => "n",
        Param::Logprobs => "logprobs",
        Param::LogitBias => "logit_bias",
        Param::MaxTokens => "options.num_predict",
        Param::Tools | Param::NativeTool => "tools",
        Param::ToolChoice => "tool_choice",
        Param::ParallelTools => "parallel_tool_calls",
        Param::Strict => "strict",
        Param::Output => "format",
        Param::Reasoning => "think",
        Param::Thinking => "messages.thinking",
        Param::User => "user",
        Param::Metadata => "metadata",
        Param::Cache => "keep_alive",
        Param::Name => "messages.name",
        Param::Detail => "detail",
        Param::ToolError => "messages.is_error",
        Param::Image | Param::Audio | Param::Video | Param::Document => "images",
        Param::Citations => "citations",
        Param::Task => "task",
        Param::ServiceTier => "service_tier",
    }
}

/// The envelope: its clients read one member, `error`; our code and the request's name stand beside it.
fn error(fault: &Fault, id: Option<&RequestId>) -> Bytes {
    let mut out = Vec::new();
    write_error(&mut out, fault, id);
    Bytes::from(out)
}

fn write_error(out: &mut Vec<u8>, fault: &Fault, id: Option<&RequestId>) {
    object(out, |body| {
        body.put("error", &*fault.message);
        body.maybe("code", fault.code.as_deref());
        body.maybe("param", fault.param.as_deref());
        body.maybe("request_id", id.map(RequestId::as_str));
    });
}

/// Ollama knows two reasons, `stop` and `length`; clients show whatever stands there.
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

/// `calls`: the answer calls tools.
fn finish<'a>(word: Option<Str<'a>>, calls: bool) -> Finish<'a> {
    match word.as_deref() {
        None | Some("stop") if calls => Finish::ToolCalls,
        None | Some("stop" | "") => Finish::Stop,
        Some("length") => Finish::Length,
        Some("content_filter") => Finish::ContentFilter,
        Some(_) => Finish::Other(word.unwrap_or_default()),
    }
}

/// A time as Go's clients read it.
fn written_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// And read.
fn read_time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests;
