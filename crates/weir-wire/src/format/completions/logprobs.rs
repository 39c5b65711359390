//! Probabilities of tokens: here each kind of figure has a list of its own, and the offset of each token in the text is
//! told; in the neutral form each token has all of its figures.

use crate::json::write::{List, Object, object};
use crate::neutral::{Raw, Str};
use serde::Deserialize;
use serde_json::value::RawValue;
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
pub(super) fn read(raw: Raw<'_>) -> Option<Box<RawValue>> {
    let lists: Lists<'_> = serde_json::from_str(raw.text()).ok()?;
    let mut figures = lists.token_logprobs.unwrap_or_default().into_iter();
    let mut tops = lists.top_logprobs.unwrap_or_default().into_iter();
    let mut out = Vec::with_capacity(raw.text().len() * 2);
    object(&mut out, |logprobs| {
        logprobs.list("content", |list| {
            for token in lists.tokens.into_iter().flatten() {
                list.object(|entry| {
                    one(entry, &token, figures.next().flatten().unwrap_or(HARDLY));
                    entry.list("top_logprobs", |list| {
                        for (token, figure) in tops.next().flatten().into_iter().flatten() {
                            list.object(|entry| one(entry, &token, figure));
                        }
                    });
                });
            }
        });
        logprobs.put("refusal", &());
    });
    RawValue::from_string(String::from_utf8(out).ok()?).ok()
}

fn one(entry: &mut Object<'_>, token: &str, figure: f64) {
    entry.put("token", token);
    entry.put("logprob", &figure);
    entry.put("bytes", token.as_bytes());
}

#[derive(Deserialize)]
struct Tokens<'a> {
    #[serde(borrow)]
    content: Option<Vec<Token<'a>>>,
}

#[derive(Deserialize)]
struct Token<'a> {
    #[serde(borrow)]
    token: Str<'a>,
    logprob: Option<f64>,
    top_logprobs: Option<Vec<Top<'a>>>,
}

#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    token: Str<'a>,
    logprob: Option<f64>,
}

/// Writes the neutral form's as the value of `logprobs`. `offset` is where their text begins, in characters, and afterwards
/// where it ends.
pub(super) fn write(entry: &mut Object<'_>, neutral: &str, offset: &mut usize) {
    let tokens = serde_json::from_str::<Tokens<'_>>(neutral).ok().and_then(|tokens| tokens.content);
    let Some(tokens) = tokens else {
        entry.put("logprobs", &());
        return;
    };
    let figures: Vec<f64> = tokens.iter().map(|token| token.logprob.unwrap_or(HARDLY)).collect();
    let mut offsets = Vec::with_capacity(tokens.len());
    for token in &tokens {
        offsets.push(*offset);
        *offset += token.token.chars().count();
    }
    entry.object("logprobs", |logprobs| {
        logprobs.put("tokens", &tokens.iter().map(|token| &*token.token).collect::<Vec<_>>());
        logprobs.put("token_logprobs", &figures);
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
                entry.put(&top.token, &top.logprob.unwrap_or(HARDLY));
            }
        }
    });
}
