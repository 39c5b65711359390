//! Probabilities of tokens: here each kind of figure has a list of its own, and the offset of each token in the text is
//! told; in the neutral form each token has all of its figures.

use crate::format::logprobs::{self, Token, tokens};
use crate::json::write::{List, Object};
use crate::neutral::{Logprobs, Raw, Str};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is said of a token that is as good as impossible.
const HARDLY: f64 = -9999.0;

#[derive(Deserialize)]
struct Lists<'a> {
    #[serde(borrow)]
    tokens: Option<Vec<Str<'a>>>,
    token_logprobs: Option<Vec<Option<f64>>>,
    #[serde(borrow)]
    top_logprobs: Option<Vec<Option<BTreeMap<Str<'a>, f64>>>>,
}

/// As the neutral form has them.
pub(super) fn read(raw: Raw<'_>) -> Option<Logprobs<'static>> {
    let lists: Lists<'_> = serde_json::from_str(raw.text()).ok()?;
    let mut figures = lists.token_logprobs.unwrap_or_default().into_iter();
    let mut tops = lists.top_logprobs.unwrap_or_default().into_iter();
    logprobs::write(|list| {
        for token in lists.tokens.into_iter().flatten() {
            list.object(|entry| {
                logprobs::write_token(entry, &token, figures.next().flatten().unwrap_or(HARDLY), None);
                entry.list("top_logprobs", |list| {
                    for (token, figure) in tops.next().flatten().into_iter().flatten() {
                        list.object(|entry| logprobs::write_token(entry, &token, figure, None));
                    }
                });
            });
        }
    })
}

/// Writes the neutral form's as the value of `logprobs`. `offset` is where their text begins, in characters, and afterwards
/// where it ends.
pub(super) fn write(entry: &mut Object<'_>, neutral: &str, offset: &mut usize) {
    let tokens = tokens(neutral);
    if tokens.is_empty() {
        entry.put("logprobs", &());
        return;
    }
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in &tokens {
        offsets.push(*offset);
        *offset += token.token.chars().count();
    }
    entry.object("logprobs", |logprobs| {
        logprobs.put("tokens", &tokens.iter().map(|token| &*token.token).collect::<Vec<_>>());
        logprobs.put("token_logprobs", &tokens.iter().map(|token| token.logprob).collect::<Vec<_>>());
        let any = tokens.iter().any(|token| token.top_logprobs.as_ref().is_some_and(|top| !top.is_empty()));
        if any {
            logprobs.list("top_logprobs", |list| tokens.iter().for_each(|token| top(list, token)));
        } else {
            logprobs.put("top_logprobs", &());
        }
        logprobs.put("text_offset", &offsets);
    });
}

/// The likeliest tokens by name. Two that are written alike are one, the likelier.
fn top(list: &mut List<'_>, token: &Token<'_>) {
    list.object(|entry| {
        let mut seen: Vec<&str> = Vec::new();
        for top in token.top_logprobs.iter().flatten() {
            if !seen.contains(&&*top.token) {
                seen.push(&top.token);
                entry.put(&top.token, &top.logprob);
            }
        }
    });
}
