//! Errors in OpenAI's format: ours to the client, and upstreams' to us.
//!
//! The envelope and its words: <https://platform.openai.com/docs/guides/error-codes/api-errors>.

use crate::json::write::{Object, object};
use crate::usage;
use bytes::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use weir_core::{Class, Fault, RequestId, Usage};

/// The body a client gets for `fault`. `id` names the request to those who run the gateway.
pub fn body(fault: &Fault, id: Option<&RequestId>) -> Bytes {
    Bytes::from(envelope(fault, id, None))
}

/// The same as the last event of a stream that has begun, with the tokens that were `spent` on it. No `[DONE]` may follow
/// it. They stand within `error`, which is what OpenAI's libraries hand to their callers (`APIError.body`).
pub fn event(fault: &Fault, id: Option<&RequestId>, spent: Option<&Usage>) -> Bytes {
    Bytes::from([b"data: ", &*envelope(fault, id, spent), b"\n\n"].concat())
}

fn envelope(fault: &Fault, id: Option<&RequestId>, spent: Option<&Usage>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |envelope| {
        envelope.object("error", |error| {
            error.put("message", &*fault.message);
            error.put("type", fault.kind.as_deref().unwrap_or_else(|| kind_of(fault.status)));
            error.put("param", &fault.param.as_deref());
            error.put("code", &fault.code.as_deref());
            error.maybe("request_id", id.map(RequestId::as_str));
            put_spent(error, spent, usage::write);
        });
    });
    out
}

/// What was spent on an answer that is not whole, as a member `usage` of its error: in the members that the format has for
/// it, which `write` writes, and with its `source`, since most such figures are estimates.
pub(crate) fn put_spent(
    error: &mut Object<'_>,
    spent: Option<&Usage>,
    write: impl FnOnce(&mut Object<'_>, Usage),
) {
    let Some(spent) = spent else { return };
    error.object("usage", |usage| {
        write(usage, *spent);
        usage.put("source", spent.source.name());
    });
}

/// The `type` that OpenAI's API gives to errors of a status.
pub(crate) fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// An upstream's error as it stated it, whatever the shape. Its texts may hold secrets that the upstream echoes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// What it said, at most [`UpstreamError::LONGEST`] bytes; a sentence of ours when it said nothing readable.
    pub message: String,
    /// Its `type`.
    pub kind: Option<String>,
    /// Its `code`; numbers as digits.
    pub code: Option<String>,
    /// The field it blames.
    pub param: Option<String>,
}

/// Reads the body of an upstream's error. `status` is that of the HTTP answer and only used where the body says nothing.
///
/// Known shapes: OpenAI's envelope, also inside a list (Gemini); `{"error":"…"}` (Ollama); `{"detail":…}` (FastAPI: text
/// or a list of complaints), also inside a `message` (Mistral); `{"errors":[…]}` (Cloudflare); the flat
/// `{"object":"error","message":…}` (older vLLM), `{"message":…}`, with `error_code` at Databricks, and `{"Message":…}` (AWS);
/// plain text.
pub fn read_error(status: u16, body: &[u8]) -> UpstreamError {
    let mut error = match serde_json::from_slice::<Value>(body) {
        Ok(value) => UpstreamError::from_value(&value),
        Err(_) => UpstreamError { message: plain_text(body).unwrap_or_default(), ..UpstreamError::default() },
    };
    if error.message.is_empty() {
        error.message = format!("The upstream answered with status {status} and no readable error.");
    }
    truncate(&mut error.message, UpstreamError::LONGEST);
    for text in [&mut error.kind, &mut error.code, &mut error.param].into_iter().flatten() {
        truncate(text, 128);
    }
    error
}

/// The fault of an error that an answer with a status of success reports in place of what was asked for, if it does.
pub fn stated_inside(body: &[u8]) -> Option<Fault> {
    let answer = crate::answer::Answer::read_without_choices(body).ok()?;
    answer.has_error.then(|| fault_inside(body))
}

/// The fault of an error that came inside an answer that had begun as a success: a `200` whose body is an error, or an
/// error event in a stream. Its own words must say what status it would have had; 502 when they do not.
pub(crate) fn fault_inside(body: &[u8]) -> Fault {
    let error = read_error(200, body);
    let status = error.implied_status();
    fault_of(error, status)
}

/// The same, where the format says otherwise than in the body what status the error would have had.
pub(crate) fn fault_inside_with(status: u16, body: &[u8]) -> Fault {
    fault_of(read_error(200, body), status)
}

fn fault_of(error: UpstreamError, status: u16) -> Fault {
    let class = error.class(status);
    if class == Class::Credential {
        return Fault::upstream_credentials(error.message);
    }
    let mut fault = Fault::new(class, status, "upstream_error", error.message)
        .with_cause("error inside an answer with status 200");
    fault.code = error.code.map(Cow::Owned).or(fault.code.take());
    fault.kind = error.kind.map(Cow::Owned);
    fault.param = error.param.map(Cow::Owned);
    fault
}

impl UpstreamError {
    /// The longest message kept, in bytes.
    pub const LONGEST: usize = 2048;

    /// What kind of trouble this error is when it comes with `status` (400 and above).
    pub fn class(&self, status: u16) -> Class {
        match status {
            400..=499 if self.says(&["context_length_exceeded", "exceed_context_size_error"]) => {
                Class::ContextWindow
            }
            400 | 413 | 422 if self.speaks_of_context() => Class::ContextWindow,
            400 if self.speaks_of_the_key() => Class::Credential,
            400..=499 if self.says(&["content_policy_violation", "content_filter"]) => Class::ContentPolicy,
            401 | 402 => Class::Credential,
            403..=405 => Class::Refused,
            429 if self.says(&["insufficient_quota"]) => Class::Refused,
            429 => Class::Rate,
            // Not worked on: OpenAI's own clients repeat these.
            408 | 409 | 425 => Class::ServerError,
            400..=499 => Class::Caller,
            _ => Class::ServerError,
        }
    }

    fn from_value(value: &Value) -> Self {
        let value = value.get(0).unwrap_or(value);
        let listed = || value.get("errors").and_then(|errors| errors.get(0));
        let envelope = value.get("error").or_else(listed);
        let stated = envelope.filter(|error| error.is_object()).unwrap_or(value);
        let mut error = UpstreamError {
            message: text_of(stated, "message").or_else(|| text_of(stated, "Message")).unwrap_or_default(),
            // An event that is an error and no more says so, which is no kind of error.
            kind: text_of(stated, "type").filter(|kind| kind != "error"),
            code: text_of(stated, "code").or_else(|| text_of(stated, "error_code")),
            param: text_of(stated, "param"),
        };
        if let Some(text) = envelope.and_then(Value::as_str).or(value.as_str()) {
            text.clone_into(&mut error.message);
        }
        if error.message.is_empty() {
            let within = || stated.get("message").and_then(|message| message.get("detail"));
            error.read_detail(value.get("detail").or_else(within).unwrap_or(&Value::Null));
        }
        error
    }

    /// FastAPI's `detail`: text, or a list of `{"loc":["body","field"],"msg":…}`.
    fn read_detail(&mut self, detail: &Value) {
        match detail {
            Value::String(text) => self.message.clone_from(text),
            Value::Object(_) => self.message = text_of(detail, "message").unwrap_or_default(),
            Value::Array(complaints) => {
                let said = complaints.iter().map(|complaint| {
                    let place: Vec<String> = complaint
                        .get("loc")
                        .and_then(Value::as_array)
                        .map(|parts| parts.iter().filter(|part| *part != "body").filter_map(word).collect())
                        .unwrap_or_default();
                    let place = place.join(".");
                    let what = text_of(complaint, "msg").unwrap_or_default();
                    self.param.get_or_insert_with(|| place.clone());
                    format!("{place}: {what}")
                });
                self.message = said.take(8).collect::<Vec<_>>().join("; ");
            }
            _ => {}
        }
    }

    /// The status an error would have come with, by its `code` and `type`.
    fn implied_status(&self) -> u16 {
        const WORDS: [(&str, u16); 16] = [
            ("authentication_error", 401),
            ("invalid_api_key", 401),
            ("permission_error", 403),
            ("not_found_error", 404),
            ("model_not_found", 404),
            ("rate_limit_error", 429),
            ("rate_limit_exceeded", 429),
            ("requests", 429),
            ("tokens", 429),
            ("insufficient_quota", 429),
            ("overloaded_error", 503),
            ("context_length_exceeded", 400),
            ("content_policy_violation", 400),
            ("content_filter", 400),
            ("invalid_request_error", 400),
            ("BadRequestError", 400),
        ];
        let number = self.code.as_deref().and_then(|code| code.parse().ok());
        let by_word = || WORDS.iter().find(|(word, _)| self.says(&[word])).map(|(_, status)| *status);
        number.filter(|status| (400..=599).contains(status)).or_else(by_word).unwrap_or(502)
    }

    /// Whether `code` or `type` is one of these words.
    fn says(&self, words: &[&str]) -> bool {
        [&self.code, &self.kind].into_iter().flatten().any(|said| words.contains(&said.as_str()))
    }

    /// Google and xAI answer a wrong key with 400, and no other word than these.
    fn speaks_of_the_key(&self) -> bool {
        let begins =
            ["API key not valid", "API key expired", "API Key not found", "Incorrect API key provided"];
        begins.iter().any(|words| self.message.starts_with(words))
    }

    /// Servers without a code for it say it in words (vLLM, SGLang, llama.cpp; Anthropic, Bedrock).
    fn speaks_of_context(&self) -> bool {
        const WORDS: [&str; 5] =
            ["context length", "context window", "context size", "prompt is too long", "input is too long"];
        let message = self.message.to_ascii_lowercase();
        WORDS.iter().any(|words| message.contains(words))
    }
}

fn text_of(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(word)
}

/// Text that is not empty, or a number as digits.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Text that a person may have written; not a page, not bytes.
fn plain_text(body: &[u8]) -> Option<String> {
    // A cut inside the last character is no reason to doubt the rest.
    let start = body.get(..UpstreamError::LONGEST).unwrap_or(body);
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(start.get(..e.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    let text = text.trim();
    let readable = !text.is_empty()
        && !text.starts_with(['<', '{', '['])
        && !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    readable.then(|| text.to_owned())
}

fn truncate(text: &mut String, longest: usize) {
    let mut end = longest;
    while !text.is_char_boundary(end.min(text.len())) {
        end -= 1;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests;
