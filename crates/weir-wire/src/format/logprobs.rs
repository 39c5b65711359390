//! Probabilities of tokens, between the shape of OpenAI's chat and others'.

use crate::json::write::{List, Object, object};
use crate::neutral::{Logprobs, Raw, Str};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// OpenAI's shape.
#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Vec<Token<'a>>>,
}

/// A token, and others that were likely in its place. Ollama writes it the same way.
#[derive(Deserialize)]
pub(super) struct Token<'a> {
    #[serde(borrow)]
    pub(super) token: Str<'a>,
    pub(super) logprob: f64,
    #[serde(borrow)]
    pub(super) bytes: Option<Raw<'a>>,
    pub(super) top_logprobs: Option<Vec<Token<'a>>>,
}

/// The tokens of what is in OpenAI's shape; none where it is not.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    serde_json::from_str::<Content<'_>>(text).ok().and_then(|said| said.content).unwrap_or_default()
}

/// OpenAI's shape, written by whoever knows another.
pub(super) fn write(fill: impl FnOnce(&mut List<'_>)) -> Option<Logprobs<'static>> {
    let mut out = Vec::new();
    object(&mut out, |said| {
        said.list("content", fill);
        said.put("refusal", &());
    });
    let text = String::from_utf8(out).ok()?;
    RawValue::from_string(text).ok().map(|value| Logprobs(Cow::Owned(value)))
}

/// A token's own members. Where its bytes are not stated, they are those of its text.
pub(super) fn write_token(object: &mut Object<'_>, token: &str, logprob: f64, bytes: Option<&Raw<'_>>) {
    object.put("token", token);
    object.put("logprob", &logprob);
    match bytes {
        Some(bytes) => object.put("bytes", bytes),
        None => object.put("bytes", token.as_bytes()),
    }
}
