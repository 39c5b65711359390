//! Google's Gemini API, `generateContent` and `streamGenerateContent` with `alt=sse`
//! (<https://ai.google.dev/api/generate-content>), as Google's clients write it: googleapis/python-genai
//! `google/genai/types.py` and `models.py`, in camel case and in snake case.
//!
//! The model and whether the answer is a stream stand in the address (`/v1beta/models/MODEL:streamGenerateContent`), not in
//! the body: whoever reads a call sets [`Call::model`] and [`Call::stream`], and calls written here hold neither. A client
//! that asks for a stream without `alt=sse` expects a JSON list instead of events.
//!
//! What is of its own kind here:
//! - Ids of calls are optional; clients that have none get results matched by name and order (`format::tools`).
//! - A seal (`thoughtSignature`) stands on the part it belongs to: a call, a text, a thought. Models from Gemini 3 on
//!   refuse calls without one (<https://ai.google.dev/gemini-api/docs/thought-signatures>). Clients decode seals from
//!   base64, so that those of other formats are shown as base64 too.
//! - A model that calls tools ends with `STOP` like any other.
//! - Thoughts are counted beside `candidatesTokenCount`, not within; cached tokens within `promptTokenCount`.
//! - Nothing marks the end of a stream but the end of the bytes, once each candidate has a `finishReason`.
//!
//! For traffic that stays bytes: no top-level member carries model, stream or user; the prompt is in `contents` and
//! `systemInstruction`, limits are in `generationConfig` (`maxOutputTokens`, `candidateCount`). Of an event,
//! `usageMetadata` counts all tokens so far (the last one wins), `candidates[].finishReason` ends an answer,
//! `promptFeedback.blockReason` refuses the prompt, `error` is a fault; there is no `[DONE]`.

mod call;
mod reply;
mod schema;
mod stream;
mod write;

use super::{Asked, Format, Losing, StreamReader, StreamWriter, Target};
use crate::json::write::{Object, object};
use crate::neutral::{Call, Finish, Lost, Param, Proof, Reply, Str};
use bytes::Bytes;
use serde::Deserialize;
use weir_core::{Endpoint, Fault, RequestId, Usage};

/// The format's name.
pub(super) const NAME: &str = "gemini";

/// Google's Gemini API.
#[derive(Debug)]
pub struct Gemini;

impl Format for Gemini {
    fn name(&self) -> &'static str {
        NAME
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::GenerateContent
    }

    fn spelling(&self, param: Param) -> &'static str {
        match param {
            Param::Temperature => "generationConfig.temperature",
            Param::TopP => "generationConfig.topP",
            Param::TopK => "generationConfig.topK",
            Param::MinP => "min_p",
            Param::Seed => "generationConfig.seed",
            Param::FrequencyPenalty => "generationConfig.frequencyPenalty",
            Param::PresencePenalty => "generationConfig.presencePenalty",
            Param::RepetitionPenalty => "repetition_penalty",
            Param::Stop => "generationConfig.stopSequences",
            Param::N => "generationConfig.candidateCount",
            Param::Logprobs => "generationConfig.responseLogprobs",
            Param::LogitBias => "logit_bias",
            Param::MaxTokens => "generationConfig.maxOutputTokens",
            Param::Tools | Param::NativeTool => "tools",
            Param::ToolChoice => "toolConfig.functionCallingConfig",
            Param::ParallelTools => "parallel_tool_calls",
            Param::Strict => "strict",
            Param::Output => "generationConfig.responseSchema",
            Param::Reasoning => "generationConfig.thinkingConfig",
            Param::Thinking => "contents.parts.thought",
            Param::User => "user",
            Param::Metadata => "labels",
            Param::Cache => "cachedContent",
            Param::Name => "contents.name",
            Param::Detail => "mediaResolution",
            Param::ToolError => "contents.parts.functionResponse.response.error",
            Param::Image | Param::Audio | Param::Video | Param::Document => "contents.parts.inlineData",
            Param::Citations => "citationMetadata",
            Param::Task => "taskType",
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
        Bytes::from([b"data: ", &self.error(fault, id)[..], b"\n\n"].concat())
    }
}

/// The envelope, with Google's standard details: our code as the reason, the field at fault, the request's name and when
/// to try again (<https://cloud.google.com/apis/design/errors>).
fn write_error(out: &mut Vec<u8>, fault: &Fault, id: Option<&RequestId>) {
    const DETAIL: &str = "type.googleapis.com/google.rpc.";
    let detail = |name: &str| format!("{DETAIL}{name}");
    object(out, |body| {
        body.object("error", |error| {
            error.put("code", &fault.status);
            error.put("message", &*fault.message);
            error.put("status", status_word(fault.status));
            error.list("details", |list| {
                if let Some(code) = &fault.code {
                    list.object(|info| {
                        info.put("@type", &detail("ErrorInfo"));
                        info.put("reason", &**code);
                        info.put("domain", "weir");
                    });
                }
                if let Some(param) = &fault.param {
                    list.object(|request| {
                        request.put("@type", &detail("BadRequest"));
                        request.list("fieldViolations", |list| {
                            list.object(|violation| {
                                violation.put("field", &**param);
                                violation.put("description", &*fault.message);
                            });
                        });
                    });
                }
                if let Some(id) = id {
                    list.object(|request| {
                        request.put("@type", &detail("RequestInfo"));
                        request.put("requestId", id.as_str());
                    });
                }
                if let Some(after) = fault.retry_after {
                    list.object(|retry| {
                        retry.put("@type", &detail("RetryInfo"));
                        retry.put("retryDelay", &format!("{}s", after.as_secs_f64()));
                    });
                }
            });
        });
    });
}

/// Google's word for a status (<https://cloud.google.com/apis/design/errors#handling_errors>).
fn status_word(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        400..=499 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

/// Tokens, as the last statement counts them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    prompt_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
}

impl Tokens {
    fn usage(self) -> Option<Usage> {
        let some = |count: Option<u64>| count.unwrap_or(0);
        let reasoning = some(self.thoughts_token_count);
        let usage = Usage {
            input: self.prompt_token_count?.saturating_add(some(self.tool_use_prompt_token_count)),
            cache_read: some(self.cached_content_token_count),
            output: some(self.candidates_token_count).saturating_add(reasoning),
            reasoning,
            ..Usage::default()
        };
        usage.is_plausible().then_some(usage)
    }
}

/// Figures that are not what they should be are none; the answer stands all the same.
fn usage_of(raw: &str) -> Option<Usage> {
    serde_json::from_str::<Tokens>(raw).ok().and_then(Tokens::usage)
}

/// The members of `usageMetadata`.
fn write_usage(object: &mut Object<'_>, usage: Usage) {
    object.put("promptTokenCount", &usage.input);
    object.put("candidatesTokenCount", &usage.output.saturating_sub(usage.reasoning));
    if usage.reasoning > 0 {
        object.put("thoughtsTokenCount", &usage.reasoning);
    }
    if usage.cache_read > 0 {
        object.put("cachedContentTokenCount", &usage.cache_read);
    }
    object.put("totalTokenCount", &usage.total());
}

fn finish_word<'f>(finish: &'f Finish<'_>) -> &'f str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls | Finish::Pause => "STOP",
        Finish::Length | Finish::ContextWindow => "MAX_TOKENS",
        Finish::ContentFilter | Finish::Refusal => "SAFETY",
        Finish::MalformedCall => "MALFORMED_FUNCTION_CALL",
        Finish::Other(word) if word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => word,
        Finish::Other(_) => "OTHER",
    }
}

/// `calls`: the answer calls tools.
fn finish<'a>(word: Str<'a>, calls: bool) -> Finish<'a> {
    match &*word {
        "STOP" if calls => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" | "CONTINUATION" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "ESCALATION"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => Finish::MalformedCall,
        _ => Finish::Other(word),
    }
}

/// A seal as Google's clients can hold it: they decode it from base64.
fn seal_for(proof: &Proof<'_>) -> String {
    let sealed = super::read::seal_for(NAME, proof);
    if proof.format == *NAME { sealed } else { crate::base64::encode(sealed.as_bytes()) }
}

/// A seal as a client handed it back, whatever alphabet it writes base64 in.
fn proof_of<'a>(seal: &Str<'a>) -> Proof<'a> {
    let foreign = crate::base64::decode(seal)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(|text| super::read::proof_of(NAME, &Str::from(text)))
        .filter(|proof| super::format(&proof.format).is_some() && proof.format != *NAME);
    foreign.unwrap_or_else(|| Proof { format: Str::from(NAME), seal: seal.clone() })
}

#[cfg(test)]
mod tests;
