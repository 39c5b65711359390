//! Answers that are an object of their own: images, judgements, ranks, counts.

use super::{ReplyFacts, malformed, told};
use crate::name::ModelName;
use crate::neutral::{Raw, Str};
use serde::Deserialize;
use std::collections::HashMap;
use weir_core::usage::Pieces;
use weir_core::{Endpoint, Fault, Usage};

/// Tokens in either of OpenAI's spellings.
#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(alias = "prompt_tokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens")]
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    image_tokens: Option<u64>,
}

/// What Cohere bills (<https://docs.cohere.com/reference/rerank>).
#[derive(Default, Deserialize)]
struct Meta {
    billed_units: Option<Billed>,
}

#[derive(Deserialize)]
struct Billed {
    search_units: Option<f64>,
}

/// Reads such an answer, which has to have `member`, if one is named.
///
/// # Errors
/// The upstream's: it is none, or reports an error.
pub(super) fn facts(body: &[u8], endpoint: Endpoint, member: Option<&str>) -> Result<ReplyFacts, Fault> {
    let answer: HashMap<Str<'_>, Raw<'_>> = serde_json::from_slice(body)
        .map_err(|error| told(body, malformed(body, &format!("{:?}", error.classify()))))?;
    if let Some(name) = member.filter(|name| !answer.contains_key(&Str::from(*name))) {
        return Err(told(body, malformed(body, &format!("no `{name}`"))));
    }
    let member = |name: &str| answer.get(&Str::from(name)).copied();
    let list = |name: &str| {
        let list = member(name)?;
        serde_json::from_str::<Vec<serde::de::IgnoredAny>>(list.text()).ok().map(|list| list.len())
    };
    let pieces = match endpoint {
        Endpoint::Images => {
            let images = list("data").and_then(|made| u32::try_from(made).ok()).unwrap_or(u32::MAX);
            Pieces { images, ..Pieces::default() }
        }
        Endpoint::Rerank => Pieces { requests: searches(member("meta")).unwrap_or(1), ..Pieces::default() },
        _ => Pieces::default(),
    };
    let tokens = member("usage").and_then(|usage| serde_json::from_str::<Tokens>(usage.text()).ok());
    let usage = tokens.map(|tokens| Usage {
        input: tokens.input_tokens.or(tokens.total_tokens).unwrap_or(0),
        output: tokens.output_tokens.unwrap_or(0),
        image_input: tokens.input_tokens_details.and_then(|details| details.image_tokens).unwrap_or(0),
        image_output: if endpoint == Endpoint::Images { tokens.output_tokens.unwrap_or(0) } else { 0 },
        ..Usage::default()
    });
    let model = member("model").and_then(|model| serde_json::from_str::<Str<'_>>(model.text()).ok());
    // What is paid for by the piece is known, whatever tokens it took.
    let counted = usage.or_else(|| (pieces != Pieces::default() || endpoint.free()).then(Usage::default));
    Ok(ReplyFacts {
        usage: counted.filter(Usage::is_plausible).map(|usage| Usage { pieces, ..usage }),
        model: model.and_then(|model| ModelName::new(&model)).filter(|name| !name.is_empty()),
        ..ReplyFacts::default()
    })
}

/// Searches that were billed; a part of one counts as one.
fn searches(meta: Option<Raw<'_>>) -> Option<u32> {
    let meta: Meta = serde_json::from_str(meta?.text()).ok()?;
    let units = meta.billed_units?.search_units.filter(|units| (0.0..1e9).contains(units))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range has been checked")]
    Some(units.ceil() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(endpoint: Endpoint, member: Option<&str>, body: &str) -> Result<Usage, String> {
        match facts(body.as_bytes(), endpoint, member) {
            Ok(facts) => Ok(facts.usage_or_estimate(40)),
            Err(fault) => Err(fault.code.clone().unwrap_or_default().into_owned()),
        }
    }

    #[test]
    fn what_was_made_is_counted() {
        let images = |body: &str| check(Endpoint::Images, Some("data"), body);
        let two = images(r#"{"created":1,"data":[{"url":"x"},{"b64_json":"y"}]}"#).unwrap();
        assert_eq!((two.pieces.images, two.input, two.output), (2, 0, 0));
        let tokens = r#"{"data":[{}],"usage":{"input_tokens":50,"output_tokens":4160,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}"#;
        let one = images(tokens).unwrap();
        assert_eq!((one.pieces.images, one.input, one.image_input), (1, 50, 40));
        assert_eq!((one.output, one.image_output), (4160, 4160));
        let rerank = |body: &str| check(Endpoint::Rerank, Some("results"), body).unwrap().pieces.requests;
        assert_eq!(rerank(r#"{"results":[],"meta":{"billed_units":{"search_units":2}}}"#), 2);
        assert_eq!(rerank(r#"{"results":[],"usage":{"total_tokens":9}}"#), 1);
        let judged = check(Endpoint::Moderations, Some("results"), r#"{"results":[]}"#).unwrap();
        assert_eq!(judged.total(), 0);
    }

    #[test]
    fn what_is_no_such_answer_is_a_fault() {
        let images = |body: &str| check(Endpoint::Images, Some("data"), body).unwrap_err();
        assert_eq!(images("<html>"), "upstream_malformed");
        assert_eq!(images(r#"{"created":1}"#), "upstream_malformed");
        assert_eq!(images(r#"{"error":{"message":"no","code":"busy"}}"#), "busy");
    }
}
