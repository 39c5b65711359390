//! Token counts as OpenAI's format and its dialects state them.
//!
//! The object: `prompt_tokens`, `completion_tokens`, `total_tokens`, with `prompt_tokens_details.cached_tokens` and
//! `.cache_write_tokens`, `completion_tokens_details.reasoning_tokens`
//! (<https://platform.openai.com/docs/api-reference/chat/object>). DeepSeek adds `prompt_cache_hit_tokens`
//! (<https://api-docs.deepseek.com/guides/kv_cache>). xAI counts reasoning beside `completion_tokens`, which shows in
//! `total_tokens`.

use crate::json::{JsonFault, Kind, Reader};
use weir_core::Usage;
use weir_core::usage::UsageSource;

/// What a `usage` member states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stated {
    /// There is none, or it is null.
    #[default]
    Nothing,
    /// An object that counts nothing: all zero, or figures that cannot be true.
    Useless,
    /// Figures that can be billed.
    Counted(Usage),
}

impl Stated {
    pub(crate) fn counted(self) -> Option<Usage> {
        match self {
            Stated::Counted(usage) => Some(usage),
            Stated::Nothing | Stated::Useless => None,
        }
    }
}

/// Figures read so far; `broken` once one of them is not a whole number.
#[derive(Default)]
struct Figures {
    usage: Usage,
    total: u64,
    broken: bool,
}

/// Reads the value of a `usage` member.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Stated, JsonFault> {
    let mut figures = Figures::default();
    let is_object = reader.members(&mut |reader, key| {
        let usage = &mut figures.usage;
        match &*key.unescape() {
            "prompt_tokens" => usage.input = count(reader, &mut figures.broken)?,
            "completion_tokens" => usage.output = count(reader, &mut figures.broken)?,
            "total_tokens" => figures.total = count(reader, &mut figures.broken)?,
            "prompt_cache_hit_tokens" => {
                usage.cache_read = usage.cache_read.max(count(reader, &mut figures.broken)?);
            }
            "prompt_tokens_details" | "completion_tokens_details" => details(reader, &mut figures)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(if is_object { judge(&figures) } else { Stated::Nothing })
}

fn details(reader: &mut Reader<'_>, figures: &mut Figures) -> Result<(), JsonFault> {
    let usage = &mut figures.usage;
    reader.members(&mut |reader, key| {
        match &*key.unescape() {
            "cached_tokens" => usage.cache_read = usage.cache_read.max(count(reader, &mut figures.broken)?),
            "cache_write_tokens" => usage.cache_write = count(reader, &mut figures.broken)?,
            "reasoning_tokens" => usage.reasoning = count(reader, &mut figures.broken)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(())
}

fn judge(figures: &Figures) -> Stated {
    let mut usage = figures.usage;
    let apart = usage.input.checked_add(usage.output).and_then(|sum| sum.checked_add(usage.reasoning));
    if usage.reasoning > 0 && apart == Some(figures.total) {
        usage.output += usage.reasoning;
    }
    if figures.broken || usage.total() == 0 || !usage.is_plausible() {
        return Stated::Useless;
    }
    Stated::Counted(usage)
}

/// A count of tokens; null is zero, anything but a whole number of them is broken.
fn count(reader: &mut Reader<'_>, broken: &mut bool) -> Result<u64, JsonFault> {
    let (kind, text) = reader.raw()?;
    match (kind, text.parse()) {
        (Kind::Null, _) => Ok(0),
        (Kind::Number, Ok(count)) => Ok(count),
        _ => {
            *broken = true;
            Ok(0)
        }
    }
}

/// A count for answers whose upstream states none: four bytes of prompt or text to a token, which is right for English
/// within a third; an event that carries text is at least one token.
pub fn estimate(prompt_bytes: usize, text_bytes: usize, token_events: u64) -> Usage {
    let tokens = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(4);
    Usage {
        input: tokens(prompt_bytes),
        output: tokens(text_bytes).max(token_events),
        source: UsageSource::Estimated,
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests;
