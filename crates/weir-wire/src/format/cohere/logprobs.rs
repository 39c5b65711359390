//! Probabilities as Cohere states them: of a piece of text, with the tokens that it was made of.

use crate::format::logprobs::{self, Token, tokens, write_token};
use crate::json::write::Object;
use crate::neutral::{Logprobs, Str};
use serde::Deserialize;

/// A piece of text and its tokens.
#[derive(Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    logprobs: Option<Vec<f64>>,
}

/// The same in OpenAI's shape. Where the piece is of several tokens, nothing says which letters are whose: the piece is
/// told as one, with the probability of all of them together.
pub(super) fn neutral(items: &[Item<'_>]) -> Option<Logprobs<'static>> {
    if items.is_empty() {
        return None;
    }
    logprobs::write(|list| {
        for item in items {
            let text = item.text.as_deref().unwrap_or_default();
            let logprob: f64 = item.logprobs.iter().flatten().sum();
            list.object(|entry| {
                write_token(entry, text, logprob, None);
                entry.list("top_logprobs", |_| {});
            });
        }
    })
}

/// A token's text and the probability of it, in OpenAI's shape.
pub(super) fn items(text: &str) -> Vec<Token<'_>> {
    tokens(text)
}

/// And the way back. Numbers of tokens are nobody else's.
pub(super) fn put(item: &mut Object<'_>, token: &Token<'_>) {
    item.put("text", &token.token);
    item.list("token_ids", |_| {});
    item.put("logprobs", &[token.logprob]);
}
