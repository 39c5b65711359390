//! Token counts as OpenAI's format and its dialects state them.
//!
//! The object: `prompt_tokens`, `completion_tokens`, `total_tokens`, with `prompt_tokens_details.cached_tokens` and
//! `.cache_write_tokens`, `completion_tokens_details.reasoning_tokens`, and `audio_tokens` in both
//! (<https://platform.openai.com/docs/api-reference/chat/object>). DeepSeek adds `prompt_cache_hit_tokens`
//! (<https://api-docs.deepseek.com/guides/kv_cache>). xAI counts reasoning beside `completion_tokens`, which shows in
//! `total_tokens`.

use crate::json::write::{Object, object};
use crate::json::{JsonFault, Kind, Reader};
use smallvec::SmallVec;
use std::ops::Range;
use weir_core::Usage;
use weir_core::usage::UsageSource;

/// What a `usage` member states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stated {
    /// There is none, or it is null.
    #[default]
    Nothing,
    /// An object that counts nothing: neither prompt nor completion, or figures that cannot be true.
    Useless,
    /// Figures that can be billed. Zero is a figure: an answer from an upstream's cache may have taken nothing.
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

/// Figures read so far; `stated` once a prompt or a completion is counted, `broken` once a figure is no whole number.
#[derive(Default)]
struct Figures {
    usage: Usage,
    total: u64,
    stated: bool,
    broken: bool,
}

/// The figures of a `usage` member's value, if they can be true.
pub(crate) fn of(value: &[u8]) -> Option<Usage> {
    read(&mut Reader::new(value).ok()?).ok()?.counted()
}

/// Reads the value of a `usage` member.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Stated, JsonFault> {
    let mut figures = Figures::default();
    let is_object = reader.members(&mut |reader, key| {
        match &*key.unescape() {
            "prompt_tokens" => figures.usage.input = counted(reader, &mut figures)?,
            "completion_tokens" => figures.usage.output = counted(reader, &mut figures)?,
            "total_tokens" => figures.total = count(reader, &mut figures.broken)?.unwrap_or(0),
            "prompt_cache_hit_tokens" => {
                let usage = &mut figures.usage;
                usage.cache_read = usage.cache_read.max(count(reader, &mut figures.broken)?.unwrap_or(0));
            }
            "prompt_tokens_details" => details(reader, &mut figures, true)?,
            "completion_tokens_details" => details(reader, &mut figures, false)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(if is_object { judge(&figures) } else { Stated::Nothing })
}

fn details(reader: &mut Reader<'_>, figures: &mut Figures, of_prompt: bool) -> Result<(), JsonFault> {
    let usage = &mut figures.usage;
    reader.members(&mut |reader, key| {
        match &*key.unescape() {
            "cached_tokens" => {
                usage.cache_read = usage.cache_read.max(count(reader, &mut figures.broken)?.unwrap_or(0));
            }
            "cache_write_tokens" => usage.cache_write = count(reader, &mut figures.broken)?.unwrap_or(0),
            "reasoning_tokens" => usage.reasoning = count(reader, &mut figures.broken)?.unwrap_or(0),
            "audio_tokens" => {
                let sound = if of_prompt { &mut usage.audio_input } else { &mut usage.audio_output };
                // Only a share of what is counted already: an odd one leaves the rest as good as it is.
                *sound = count(reader, &mut false)?.unwrap_or(0);
            }
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
    if figures.broken || !figures.stated || !usage.is_plausible() {
        return Stated::Useless;
    }
    Stated::Counted(usage)
}

/// A count without which there is no usage.
fn counted(reader: &mut Reader<'_>, figures: &mut Figures) -> Result<u64, JsonFault> {
    let count = count(reader, &mut figures.broken)?;
    figures.stated |= count.is_some();
    Ok(count.unwrap_or(0))
}

/// A count of tokens; null states none, anything but a whole number of them is broken.
fn count(reader: &mut Reader<'_>, broken: &mut bool) -> Result<Option<u64>, JsonFault> {
    match reader.whole_number()? {
        Ok(count) => Ok(Some(count)),
        Err(Kind::Null) => Ok(None),
        Err(_) => {
            *broken = true;
            Ok(None)
        }
    }
}

/// `chunk` with this usage in every place where it states some; `None` when it states none.
pub(crate) fn restated(chunk: &[u8], usage: Usage) -> Option<Vec<u8>> {
    let mut places = SmallVec::<[Range<usize>; 2]>::new();
    let mut note = |reader: &mut Reader<'_>| {
        let (kind, at) = reader.value()?;
        if kind == Kind::Object {
            places.push(at);
        }
        Ok(())
    };
    let mut reader = Reader::new(chunk).ok()?;
    let read = reader.whole_object(&mut |reader, key| match &*key.unescape() {
        "usage" => note(reader),
        "x_groq" => reader
            .members(&mut |reader, key| match &*key.unescape() {
                "usage" => note(reader),
                _ => reader.skip(),
            })
            .map(|_| ()),
        _ => reader.skip(),
    });
    read.ok().filter(|()| !places.is_empty())?;
    let mut stated = Vec::new();
    object(&mut stated, |object| write(object, usage));
    let (mut out, mut at) = (Vec::with_capacity(chunk.len() + stated.len()), 0);
    for place in places {
        out.extend_from_slice(chunk.get(at..place.start)?);
        out.extend_from_slice(&stated);
        at = place.end;
    }
    out.extend_from_slice(chunk.get(at..)?);
    Some(out)
}

/// Writes the members of a `usage` object.
pub(crate) fn write(object: &mut Object<'_>, usage: Usage) {
    object.put("prompt_tokens", &usage.input);
    object.put("completion_tokens", &usage.output);
    object.put("total_tokens", &usage.total());
    object.object("prompt_tokens_details", |details| {
        details.put("cached_tokens", &usage.cache_read);
        if usage.cache_write > 0 {
            details.put("cache_write_tokens", &usage.cache_write);
        }
    });
    object.object("completion_tokens_details", |details| details.put("reasoning_tokens", &usage.reasoning));
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
