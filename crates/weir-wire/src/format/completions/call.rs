//! A call, read.

use crate::format::read::{self, TextOr, invalid};
use crate::neutral::{Call, Lost, Part, Raw, Role, Sampling, Str, Text, Turn};
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    model: Str<'a>,
    #[serde(borrow)]
    prompt: Option<TextOr<'a, Vec<Raw<'a>>>>,
    suffix: Option<Str<'a>>,
    #[serde(rename = "echo")]
    _echo: Option<bool>,
    best_of: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
    min_p: Option<f64>,
    seed: Option<i64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    repetition_penalty: Option<f64>,
    stop: Option<TextOr<'a, Vec<Str<'a>>>>,
    n: Option<u64>,
    logprobs: Option<u64>,
    logit_bias: Option<Raw<'a>>,
    max_tokens: Option<u64>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    user: Option<Str<'a>>,
    extra_body: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

pub(super) fn read<'b>(body: &'b [u8], lost: &mut Lost) -> Result<Call<'b>, Fault> {
    let request: Request<'b> = read::call(body, lost)?;
    let text = prompt(request.prompt.ok_or_else(|| invalid("prompt", "it is missing"))?)?;
    if request.suffix.is_some_and(|suffix| !suffix.is_empty()) {
        lost.note("suffix");
    }
    if request.best_of.is_some_and(|best| best > request.n.unwrap_or(1)) {
        lost.note("best_of");
    }
    Ok(Call {
        model: request.model,
        turns: vec![Turn {
            role: Role::User,
            parts: vec![Part::Text(Text { text, ..Text::default() })],
            name: None,
        }],
        sampling: Sampling {
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: request.top_k,
            min_p: request.min_p,
            seed: request.seed,
            frequency_penalty: request.frequency_penalty,
            presence_penalty: request.presence_penalty,
            repetition_penalty: request.repetition_penalty,
            stop: match request.stop {
                Some(TextOr::Text(text)) => vec![text],
                Some(TextOr::Other(texts)) => texts,
                None => Vec::new(),
            },
            n: request.n,
            logprobs: request.logprobs.map(|_| true),
            top_logprobs: request.logprobs.filter(|top| *top > 0),
            logit_bias: request.logit_bias,
        },
        max_tokens: request.max_tokens,
        stream: request.stream.unwrap_or(false),
        stream_usage: request.stream_options.and_then(|options| options.include_usage).unwrap_or(false),
        user: request.user,
        extra: request.extra_body,
        ..Call::default()
    })
}

/// The one text that there is to complete.
fn prompt<'a>(prompt: TextOr<'a, Vec<Raw<'a>>>) -> Result<Str<'a>, Fault> {
    let list = match prompt {
        TextOr::Text(text) => return Ok(text),
        TextOr::Other(list) => list,
    };
    match list.as_slice() {
        [one] if one.text().starts_with('"') => {
            read::call_at(one.text().as_bytes(), "prompt[0]", &mut Lost::default())
        }
        [] => Err(invalid("prompt", "it is empty")),
        [first, ..] if first.text().starts_with('"') => Err(invalid(
            "prompt",
            "the model that would answer takes one prompt in a call; send one call for each",
        )),
        _ => Err(invalid("prompt", "the model that would answer cannot be given tokens; send text")),
    }
}

#[derive(Deserialize)]
struct Echo<'a> {
    echo: Option<bool>,
    #[serde(borrow)]
    prompt: Option<TextOr<'a, Vec<Raw<'a>>>>,
}

/// The prompt, if the client wants it before the answer.
pub(super) fn echoed(body: &[u8]) -> Option<String> {
    let echo: Echo<'_> = serde_json::from_slice(body).ok()?;
    let text = prompt(echo.prompt.filter(|_| echo.echo == Some(true))?).ok()?;
    Some(text.0.into_owned())
}
