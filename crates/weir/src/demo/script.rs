//! What a demo model server does with one call: a pure function of its character, the call and chance.
//!
//! Bodies are in OpenAI's formats (<https://platform.openai.com/docs/api-reference>).

use super::fleet::Character;
use super::text;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;
use weir_core::Endpoint;
use weir_routing::Chance;

/// What is done with one call. Times count from the call's arrival.
#[derive(Debug, PartialEq)]
pub(super) struct Script {
    pub status: StatusCode,
    pub content_type: &'static str,
    /// Seconds to come back after.
    pub retry_after: Option<u64>,
    /// When the head is sent.
    pub head_at: Duration,
    pub pieces: Vec<Piece>,
    /// The length that the head states; streams state none.
    pub length: Option<u64>,
    /// The connection breaks after the last piece.
    pub cut: bool,
}

/// A part of a body.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub at: Duration,
    pub bytes: Bytes,
}

/// A call as a server got it.
pub(super) struct Asked<'a> {
    pub endpoint: Endpoint,
    pub body: &'a [u8],
    /// Seconds since the epoch.
    pub now: u64,
}

/// A fault that a server commits on purpose.
#[derive(Clone, Copy, PartialEq)]
enum Mishap {
    Overloaded,
    RateLimited,
    BreaksOff,
}

/// Decides everything about one call.
pub(super) fn script(character: &Character, asked: &Asked<'_>, chance: &mut impl Chance) -> Script {
    let mishap = mishap(character, chance);
    let first_token = first_token(character, chance);
    match mishap {
        Some(Mishap::Overloaded) => {
            let refusal =
                (StatusCode::SERVICE_UNAVAILABLE, "server_error", "overloaded", "too busy, on purpose");
            return refuse(refusal, None, first_token / 4);
        }
        Some(Mishap::RateLimited) => {
            let told = "come back in a second, on purpose";
            let refusal = (StatusCode::TOO_MANY_REQUESTS, "requests", "rate_limit_exceeded", told);
            return refuse(refusal, Some(1), first_token / 4);
        }
        Some(Mishap::BreaksOff) | None => {}
    }
    let Ok(call) = serde_json::from_slice::<Value>(asked.body) else {
        let refusal =
            (StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_json", "the body is not JSON");
        return refuse(refusal, None, Duration::ZERO);
    };
    let cut = mishap == Some(Mishap::BreaksOff);
    if asked.endpoint == Endpoint::Embeddings {
        let body = embeddings(character, &call);
        return whole(&body, first_token, cut);
    }
    let answer = Answer::new(character, asked, &call, chance);
    if call["stream"].as_bool() == Some(true) {
        let include_usage = call["stream_options"]["include_usage"].as_bool() == Some(true);
        let kept = cut.then(|| chance.below(answer.words.len() as u64));
        stream(&answer, include_usage, first_token, character.speed, kept)
    } else {
        let done = first_token + token_time(answer.words.len().saturating_sub(1), character.speed);
        whole(&answer.whole(), done, cut)
    }
}

/// The list of a server's models: itself.
pub(super) fn models(character: &Character, now: u64) -> Script {
    let model = json!({ "id": character.name, "object": "model", "created": now, "owned_by": "weir-demo" });
    whole(&json!({ "object": "list", "data": [model] }), Duration::ZERO, false)
}

/// A path or a method that no server knows.
pub(super) fn not_found() -> Script {
    let told = "a demo server has /v1/chat/completions, /v1/completions, /v1/embeddings and /v1/models";
    refuse((StatusCode::NOT_FOUND, "invalid_request_error", "not_found", told), None, Duration::ZERO)
}

/// A body that did not arrive whole.
pub(super) fn unreadable() -> Script {
    let told = "the body broke off or is larger than 32 MiB";
    refuse((StatusCode::BAD_REQUEST, "invalid_request_error", "incomplete_body", told), None, Duration::ZERO)
}

fn mishap(character: &Character, chance: &mut impl Chance) -> Option<Mishap> {
    if chance.below(1000) >= character.faults {
        return None;
    }
    Some(match chance.below(10) {
        0..4 => Mishap::Overloaded,
        4..7 => Mishap::RateLimited,
        _ => Mishap::BreaksOff,
    })
}

/// A log-normal time around the character's median.
fn first_token(character: &Character, chance: &mut impl Chance) -> Duration {
    // Box and Muller, "A Note on the Generation of Random Normal Deviates" (Ann. Math. Statist. 29:2, 1958).
    let (a, b) = (unit(chance), unit(chance));
    let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
    character.first_token.mul_f64((character.spread * normal).exp())
}

/// A number above 0 and at most 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
fn unit(chance: &mut impl Chance) -> f64 {
    ((chance.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
}

#[allow(clippy::cast_precision_loss, reason = "an answer has a few dozen tokens")]
fn token_time(tokens: usize, speed: f64) -> Duration {
    Duration::from_secs_f64(tokens as f64 / speed)
}

fn refuse(
    (status, kind, code, message): (StatusCode, &str, &str, &str),
    retry_after: Option<u64>,
    at: Duration,
) -> Script {
    let error = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
    Script { status, retry_after, ..whole(&error, at, false) }
}

fn whole(body: &Value, at: Duration, cut: bool) -> Script {
    let bytes = Bytes::from(body.to_string());
    let length = Some(bytes.len() as u64);
    let bytes = if cut { bytes.slice(..bytes.len() / 2) } else { bytes };
    Script {
        status: StatusCode::OK,
        content_type: "application/json",
        retry_after: None,
        head_at: at,
        pieces: vec![Piece { at, bytes }],
        length,
        cut,
    }
}

/// A stream that breaks off after `kept` words, or ends well.
fn stream(
    answer: &Answer<'_>,
    include_usage: bool,
    first_token: Duration,
    speed: f64,
    kept: Option<u64>,
) -> Script {
    let at = |index: usize| first_token + token_time(index, speed);
    let said = kept.map_or(answer.words.len(), |kept| usize::try_from(kept).unwrap_or_default());
    let mut pieces = Vec::with_capacity(said + 1);
    for (index, word) in answer.words.iter().take(said).enumerate() {
        let mut events = String::new();
        if index == 0 && answer.endpoint == Endpoint::Chat {
            let role = json!({ "role": "assistant", "content": "", "refusal": null });
            events.push_str(&answer.chunk(role, "", None, include_usage));
        }
        events.push_str(&answer.chunk(json!({ "content": word }), word, None, include_usage));
        pieces.push(Piece { at: at(index), bytes: events.into() });
    }
    if kept.is_none() {
        let mut events = answer.chunk(json!({}), "", Some(answer.finish), include_usage);
        if include_usage {
            let mut last = answer.head(true);
            last["choices"] = json!([]);
            last["usage"] = answer.usage();
            events.push_str(&event(&last));
        }
        events.push_str("data: [DONE]\n\n");
        pieces.push(Piece { at: at(said.saturating_sub(1)), bytes: events.into() });
    }
    Script {
        status: StatusCode::OK,
        content_type: "text/event-stream; charset=utf-8",
        retry_after: None,
        head_at: first_token,
        pieces,
        length: None,
        cut: kept.is_some(),
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// A generated text and what goes with it.
struct Answer<'a> {
    endpoint: Endpoint,
    model: &'a str,
    id: String,
    created: u64,
    words: Vec<String>,
    finish: &'static str,
    prompt_tokens: u64,
}

impl<'a> Answer<'a> {
    fn new(character: &'a Character, asked: &Asked<'_>, call: &Value, chance: &mut impl Chance) -> Self {
        let mut words = text::words(chance);
        let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|key| call[*key].as_u64());
        let most = limit.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).max(1);
        let finish = if words.len() > most { "length" } else { "stop" };
        words.truncate(most);
        let (prefix, prompt) = match asked.endpoint {
            Endpoint::Chat | Endpoint::Messages => ("chatcmpl", &call["messages"]),
            _ => ("cmpl", &call["prompt"]),
        };
        Answer {
            endpoint: asked.endpoint,
            model: character.name,
            id: format!("{prefix}-{:016x}", chance.next_u64()),
            created: asked.now,
            words,
            finish,
            prompt_tokens: tokens(prompt),
        }
    }

    fn usage(&self) -> Value {
        let completion = self.words.len() as u64;
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        })
    }

    fn head(&self, streamed: bool) -> Value {
        let object = match (self.endpoint, streamed) {
            (Endpoint::Chat | Endpoint::Messages, true) => "chat.completion.chunk",
            (Endpoint::Chat | Endpoint::Messages, false) => "chat.completion",
            _ => "text_completion",
        };
        json!({ "id": self.id, "object": object, "created": self.created, "model": self.model })
    }

    fn whole(&self) -> Value {
        let text = self.words.concat();
        let mut body = self.head(false);
        let mut choice = json!({ "index": 0, "logprobs": null, "finish_reason": self.finish });
        if self.endpoint == Endpoint::Chat {
            choice["message"] = json!({ "role": "assistant", "content": text, "refusal": null });
        } else {
            choice["text"] = json!(text);
        }
        body["choices"] = json!([choice]);
        body["usage"] = self.usage();
        body
    }

    /// One event: a delta in chats, a text in completions.
    fn chunk(&self, delta: Value, text: &str, finish: Option<&str>, include_usage: bool) -> String {
        let mut body = self.head(true);
        let mut choice = json!({ "index": 0, "logprobs": null, "finish_reason": finish });
        if self.endpoint == Endpoint::Chat {
            choice["delta"] = delta;
        } else {
            choice["text"] = json!(text);
        }
        body["choices"] = json!([choice]);
        if include_usage {
            body["usage"] = Value::Null;
        }
        event(&body)
    }
}

/// A token for every four bytes of text.
fn tokens(prompt: &Value) -> u64 {
    fn bytes(value: &Value) -> u64 {
        match value {
            Value::String(text) => text.len() as u64,
            Value::Array(items) => items.iter().map(bytes).sum(),
            Value::Object(fields) => {
                ["content", "text"].iter().filter_map(|key| fields.get(*key)).map(bytes).sum()
            }
            Value::Number(_) => 4, // a token, already
            Value::Null | Value::Bool(_) => 0,
        }
    }
    bytes(prompt).div_ceil(4).max(1)
}

/// Numbers of a vector when the call names none, and at most.
const DIMENSIONS: usize = 64;
const MOST_DIMENSIONS: usize = 3072;
/// Vectors of one call at most, as OpenAI's API has it.
const MOST_INPUTS: usize = 2048;

fn embeddings(character: &Character, call: &Value) -> Value {
    let dimensions = call["dimensions"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(DIMENSIONS);
    let dimensions = dimensions.clamp(1, MOST_DIMENSIONS);
    let base64 = call["encoding_format"] == "base64";
    let inputs: Vec<&Value> = match &call["input"] {
        // A list of numbers is one text in tokens.
        Value::Array(items) if !items.iter().all(Value::is_number) => {
            items.iter().take(MOST_INPUTS).collect()
        }
        one => vec![one],
    };
    let embedding = |(index, input): (usize, &&Value)| {
        let vector = vector(input, dimensions);
        let shown = if base64 { json!(base64_of(&vector)) } else { json!(vector) };
        json!({ "object": "embedding", "index": index, "embedding": shown })
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(embedding).collect();
    let tokens = tokens(&call["input"]);
    json!({
        "object": "list",
        "model": character.name,
        "data": data,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}

/// A vector of length one that depends on the text alone: equal texts are equal everywhere.
fn vector(input: &Value, dimensions: usize) -> Vec<f32> {
    // FNV-1a (Fowler, Noll, Vo), the 64-bit form.
    let text = input.to_string();
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mut chance = weir_routing::SplitMix64::seeded(hash);
    let numbers: Vec<f64> = (0..dimensions).map(|_| unit(&mut chance) * 2.0 - 1.0).collect();
    let length = numbers.iter().map(|n| n * n).sum::<f64>().sqrt();
    #[allow(clippy::cast_possible_truncation, reason = "embeddings are single precision")]
    numbers.into_iter().map(|n| (n / length) as f32).collect()
}

/// Little-endian numbers in base64 (RFC 4648 §4), as SDKs ask for them.
fn base64_of(vector: &[f32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|n| n.to_le_bytes()).collect();
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            out.push(if digit <= group.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests;
