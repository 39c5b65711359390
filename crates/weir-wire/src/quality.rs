//! Is an answer that came in full of any use? Judged by what it says about itself and by what the request asked for.
//!
//! Only of chat completions, and of their text only where there is one choice. Where something cannot be known, the
//! answer is good.

use crate::answer::FinishReason;
use crate::call::CallFacts;
use crate::json;
use crate::json_schema::{Fit, Schema};
use crate::reply::ReplyFacts;
use crate::watch::StreamWatch;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use weir_core::{Class, Fault};

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing was generated, or nothing but space, although the model was done.
    Empty,
    /// The model, or a filter of its server, refused.
    Refusal,
    /// JSON was asked for, and this is none.
    InvalidJson,
    /// JSON of a schema was asked for, and this is not of it.
    SchemaMismatch,
    /// The token limit cut it short.
    TooShort,
}

impl Flaw {
    /// Every flaw, for pages and tests.
    pub const ALL: [Flaw; 5] =
        [Flaw::Empty, Flaw::Refusal, Flaw::InvalidJson, Flaw::SchemaMismatch, Flaw::TooShort];

    /// The word used in headers and as a code.
    pub const fn name(self) -> &'static str {
        match self {
            Flaw::Empty => "empty_answer",
            Flaw::Refusal => "refused_answer",
            Flaw::InvalidJson => "invalid_json_answer",
            Flaw::SchemaMismatch => "schema_mismatch",
            Flaw::TooShort => "short_answer",
        }
    }

    /// The fault of whoever answered so. Its words are for the client.
    pub fn fault(self) -> Fault {
        let message = match self {
            Flaw::Empty => "The model answered with nothing.",
            Flaw::Refusal => "The model refused to answer.",
            Flaw::InvalidJson => "The model's answer is not the JSON that was asked for.",
            Flaw::SchemaMismatch => "The model's answer does not fit the JSON schema that was asked for.",
            Flaw::TooShort => "The model's answer was cut short by its token limit.",
        };
        Fault::new(Class::InvalidOutput, 502, self.name(), message)
    }
}

/// What is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Empty answers.
    pub empty: bool,
    /// Refusals.
    pub refusal: bool,
    /// Answers that are not in the `response_format` that was asked for.
    pub json: bool,
    /// Answers that were cut short before so many tokens; zero for none.
    pub min_output_tokens: u32,
}

impl Wanted {
    /// Whether anything is looked for in an answer to this call.
    pub fn of(self, call: &CallFacts) -> bool {
        call.endpoint.has_messages() && self != Wanted::default()
    }
}

/// The format that a request asked for.
#[derive(Debug)]
pub enum Format {
    /// Any JSON object.
    Object,
    /// JSON of a schema.
    Of(Box<Schema>),
}

impl Format {
    /// The format that this call asks for, when it is one that answers can be held against. `body` must be the one that
    /// the facts were read from.
    pub fn asked(call: &CallFacts, body: &[u8]) -> Option<Format> {
        #[derive(serde::Deserialize)]
        struct Stated<'b> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'b, str>,
            #[serde(borrow)]
            json_schema: Option<Named<'b>>,
        }
        #[derive(serde::Deserialize)]
        struct Named<'b> {
            #[serde(borrow)]
            schema: Option<&'b RawValue>,
        }
        let stated: Stated<'_> = serde_json::from_slice(body.get(call.response_format.clone()?)?).ok()?;
        match &*stated.kind {
            "json_object" => Some(Format::Object),
            "json_schema" => {
                let schema = stated.json_schema?.schema?;
                Schema::read(schema.get().as_bytes()).map(|schema| Format::Of(Box::new(schema)))
            }
            _ => None,
        }
    }

    fn judge(&self, text: &str) -> Option<Flaw> {
        match self {
            Format::Object if !text.trim_ascii_start().starts_with('{') => Some(Flaw::InvalidJson),
            Format::Object => serde_json::from_str::<IgnoredAny>(text).is_err().then_some(Flaw::InvalidJson),
            Format::Of(schema) => match serde_json::from_str(text) {
                Err(_) => Some(Flaw::InvalidJson),
                Ok(value) => (schema.judge(&value) == Fit::Differs).then_some(Flaw::SchemaMismatch),
            },
        }
    }
}

/// A chat answer that is there in full, as far as its quality goes.
#[derive(Clone, Debug)]
pub struct Whole<'a> {
    /// Why its only choice stopped; `None` when that is not said, or of several.
    finish: Option<FinishReason>,
    generated: bool,
    refused: bool,
    /// The text of its only choice.
    text: Option<Cow<'a, str>>,
    /// Tokens of the answer, stated or estimated.
    output: u64,
}

impl<'a> Whole<'a> {
    /// Of an answer whose facts were read to be judged; `None` when they were not.
    pub fn of_reply(facts: &ReplyFacts, body: &'a [u8]) -> Option<Self> {
        let said = facts.said.as_ref()?;
        let whole =
            said.text.as_deref().filter(|text| text.len() <= MOST_TEXT).map(|t| Cow::Owned(t.to_owned()));
        let text = said.text_at.clone().and_then(|at| body.get(at));
        Some(Whole {
            finish: said.finish,
            generated: said.generated,
            refused: said.refused,
            text: whole.or_else(|| text.filter(|text| text.len() <= MOST_TEXT).and_then(json::unescaped)),
            output: facts.usage_or_estimate(0).output,
        })
    }

    /// Of a stream that has come to its end, or to a finish reason without having said anything.
    pub fn of_stream(watch: &'a StreamWatch) -> Self {
        let mut reasons = watch.finish_reasons();
        let finish = reasons.next().map(|(_, reason)| reason).filter(|_| reasons.next().is_none());
        Whole {
            finish,
            generated: watch.token_events() > 0,
            refused: watch.has_refused(),
            text: watch.text().filter(|text| !text.is_empty() && text.len() <= MOST_TEXT).map(Cow::Borrowed),
            output: watch.usage_or_estimate(0).output,
        }
    }
}

/// Longer answers are not held against a format. (Streams remember no more anyway.)
const MOST_TEXT: usize = 256 * 1024;
/// An answer longer than this is no refusal, however it begins.
const LONGEST_REFUSAL: usize = 600;
/// A text of more bytes is not nothing but space.
const MOST_SPACE: usize = 64;

/// What refusals begin with, in small letters and straight apostrophes. Few and plain ones: what is missed costs a
/// fallback, what is wrongly found costs an answer.
pub const REFUSALS: [&str; 16] = [
    "i can't assist with",
    "i cannot assist with",
    "i can't help with",
    "i cannot help with",
    "i'm sorry, but i can't",
    "i'm sorry, but i cannot",
    "i'm sorry, i can't",
    "i'm sorry, i cannot",
    "sorry, but i can't",
    "sorry, i can't",
    "i'm unable to assist with",
    "i'm unable to help with",
    "i'm not able to assist with",
    "i'm not able to help with",
    "i am unable to assist with",
    "as an ai language model, i cannot",
];

/// The flaw of an answer to `call`, whose bytes are `body`; `None` for a good one, and for one that cannot be judged.
/// `format` gives the format that the call [asked for](Format::asked), and is asked at most once.
pub fn judge<'f>(
    answer: &Whole<'_>,
    wanted: Wanted,
    call: &CallFacts,
    body: &[u8],
    format: impl FnOnce() -> Option<&'f Format>,
) -> Option<Flaw> {
    let text = answer.text.as_deref();
    let refuses = answer.refused || answer.finish == Some(FinishReason::ContentFilter);
    if refuses || wanted.refusal && text.is_some_and(is_refusal) {
        return wanted.refusal.then_some(Flaw::Refusal);
    }
    match answer.finish {
        Some(FinishReason::Length) => {
            let floor = call.max_tokens.unwrap_or(u64::MAX).min(wanted.min_output_tokens.into());
            return (answer.output < floor).then_some(Flaw::TooShort);
        }
        Some(FinishReason::ToolCalls | FinishReason::FunctionCall) => return None,
        _ => {}
    }
    let says_nothing =
        !answer.generated || text.is_some_and(|text| text.len() <= MOST_SPACE && text.trim().is_empty());
    if says_nothing {
        // Where a stop sequence was given, it may be what came first.
        return (wanted.empty && !call.states(body, b"stop")).then_some(Flaw::Empty);
    }
    if !wanted.json {
        return None;
    }
    format().zip(text).and_then(|(format, text)| format.judge(text))
}

fn is_refusal(text: &str) -> bool {
    if text.len() > LONGEST_REFUSAL {
        return false;
    }
    let longest = REFUSALS.iter().map(|refusal| refusal.len()).max().unwrap_or(0);
    let plain = |c: char| if c == '\u{2019}' { '\'' } else { c.to_ascii_lowercase() };
    let begins = text.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    let begins: String = begins.chars().take(longest).map(plain).collect();
    REFUSALS.iter().any(|refusal| begins.starts_with(refusal))
}

#[cfg(test)]
mod tests;
