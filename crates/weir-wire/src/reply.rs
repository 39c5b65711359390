//! A whole answer in OpenAI's format, checked and read in one pass.

use crate::answer::{Answer, FinishReason};
use crate::error::fault_inside;
use crate::json::Reader;
use crate::name::ModelName;
use crate::usage;
use weir_core::{Class, Endpoint, Fault, Usage};

/// What a whole answer says about itself.
#[derive(Clone, Debug)]
pub struct ReplyFacts {
    /// Tokens, when the upstream stated figures that can be true.
    pub usage: Option<Usage>,
    /// The model that answered, by the upstream's account.
    pub model: Option<ModelName>,
    /// Why the first choice ended.
    pub finish: Option<FinishReason>,
    text_bytes: usize,
}

impl ReplyFacts {
    /// The upstream's figures, else an estimate from the answer's text and the prompt's size.
    pub fn usage_or_estimate(&self, prompt_bytes: usize) -> Usage {
        self.usage.unwrap_or_else(|| usage::estimate(prompt_bytes, self.text_bytes, 0))
    }
}

/// Reads an answer that came with a status of success.
///
/// A body that is not one JSON object, or lacks `choices` (`data` for embeddings), is a fault of class `Malformed` with
/// code `upstream_malformed`; one that reports an error instead is that error's fault.
pub fn reply_facts(body: &[u8], endpoint: Endpoint) -> Result<ReplyFacts, Fault> {
    let answer = Answer::read(body).map_err(|fault| malformed(body, &fault.to_string()))?;
    let (answered, wanted) = match endpoint {
        Endpoint::Chat | Endpoint::Completions => (answer.has_choices, "no `choices`"),
        Endpoint::Embeddings => (answer.has_data, "no `data`"),
    };
    if !answered {
        return Err(if answer.has_error { fault_inside(body) } else { malformed(body, wanted) });
    }
    Ok(ReplyFacts {
        usage: answer.usage.counted(),
        model: answer.model.and_then(|model| ModelName::new(&model.unescape())),
        finish: answer.choices.first().and_then(|(_, finish)| *finish),
        text_bytes: answer.text_bytes,
    })
}

/// The usage stated near the end of an answer of which only the last bytes are at hand; `None` when there is none that
/// can be true.
///
/// A key is told from text by what JSON is: inside a string, a quote never stands without a backslash before it.
pub fn usage_at_end(tail: &[u8]) -> Option<Usage> {
    const KEY: &[u8] = b"\"usage\"";
    memchr::memmem::rfind_iter(tail, KEY).find_map(|at| {
        let value = tail.get(at + KEY.len()..)?.trim_ascii_start().strip_prefix(b":")?;
        usage::read(&mut Reader::new(value).ok()?).ok()?.counted()
    })
}

#[cold]
fn malformed(body: &[u8], what: &str) -> Fault {
    let start = String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned();
    let message = "The upstream's answer is not what its API promises.";
    Fault::new(Class::Malformed, 502, "upstream_malformed", message)
        .with_cause(format!("{what}; {} bytes that begin with {start:?}", body.len()))
}

#[cfg(test)]
mod tests;
