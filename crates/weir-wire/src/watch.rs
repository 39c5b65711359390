//! A stream of chat or text completion chunks, passed on as it comes and watched on the way.
//!
//! Format: <https://platform.openai.com/docs/api-reference/chat-streaming>; dialects as served by vLLM, SGLang, Ollama,
//! llama.cpp, Groq, DeepSeek.

mod pattern;

use crate::answer::{Answer, FinishReason};
use crate::error::fault_inside;
use crate::name::ModelName;
use crate::sse::{self, Event, EventTooLarge, Fate, Pieces, Splitter};
use crate::usage::{self, Stated};
use bytes::Bytes;
use pattern::Pattern;
use smallvec::SmallVec;
use weir_core::{Class, Fault, Usage};

/// The event that ends a stream in OpenAI's format.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// How things stand after a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More may come.
    Open,
    /// The stream has said that it is over; [`StreamWatch::end`] judges whether it is complete.
    Done,
    /// The upstream reported an error inside the stream. The event itself was not passed on, nothing after it will be.
    Error(Fault),
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every choice was finished.
    Complete {
        /// What is missing for an orderly end in the client's eyes, to be sent last.
        append: Option<Bytes>,
    },
    /// The answer is not whole: the stream broke off, or its last words were an error.
    Failed(Fault),
}

/// Watches one stream. Bytes go out event by event, as they came; only an event that is not complete is held back.
///
/// Left out are: the usage chunk, when the client did not ask for it; events whose data is not a JSON object (counted);
/// an upstream's error event (reported); a `[DONE]` before every choice was finished (the end is then a fault); anything
/// after the end.
#[derive(Debug)]
pub struct StreamWatch {
    splitter: Splitter,
    seen: Seen,
}

/// What the events said so far.
#[derive(Debug)]
struct Seen {
    wants_usage: bool,
    usage: Option<Usage>,
    model: Option<ModelName>,
    choices: SmallVec<[(u32, Option<FinishReason>); 1]>,
    first_token: bool,
    events: u64,
    token_events: u64,
    text_bytes: usize,
    unparsable: u64,
    done: bool,
    error: Option<Fault>,
    usual: Pattern,
}

impl StreamWatch {
    /// A watch at the start of a stream. `wants_usage`: the client itself asked for the usage chunk. `limit`: the largest
    /// event that may be held back while it is incomplete, in bytes ([`Splitter::LIMIT`] suits all known upstreams).
    pub fn new(wants_usage: bool, limit: usize) -> Self {
        StreamWatch {
            splitter: Splitter::new(limit),
            seen: Seen {
                wants_usage,
                usage: None,
                model: None,
                choices: SmallVec::new(),
                first_token: false,
                events: 0,
                token_events: 0,
                text_bytes: 0,
                unparsable: 0,
                done: false,
                error: None,
                usual: Pattern::default(),
            },
        }
    }

    /// Takes the next bytes from the upstream and appends to `out` what may go to the client now. The only fault is an
    /// event too large to hold.
    pub fn push(&mut self, chunk: Bytes, out: &mut Pieces) -> Result<Step, Fault> {
        let seen = &mut self.seen;
        let pushed = self.splitter.push(chunk, out, &mut |event| seen.judge(event));
        pushed.map_err(|EventTooLarge { limit }| {
            let message = format!("The upstream sent a stream event larger than {limit} bytes.");
            Fault::new(Class::Malformed, 502, "upstream_event_too_large", message)
        })?;
        Ok(match (self.seen.error.take(), self.seen.done) {
            (Some(fault), _) => Step::Error(fault),
            (None, true) => Step::Done,
            (None, false) => Step::Open,
        })
    }

    /// Judges the stream after the upstream closed it in order (a connection that broke is a fault without asking).
    pub fn end(&mut self) -> End {
        let mut append = Vec::new();
        let tail = self.splitter.finish();
        if !tail.is_empty() {
            let event = sse::parse_unfinished(&tail);
            let unparsable = self.seen.unparsable;
            let is_comment = event.data.is_none() && tail.starts_with(b":");
            let fate = self.seen.judge(&event);
            if let Some(fault) = self.seen.error.take() {
                return End::Failed(fault);
            }
            if self.seen.unparsable > unparsable || (event.data.is_none() && !is_comment) {
                return End::Failed(truncated("inside an event"));
            }
            if event.data.is_some() && matches!(fate, Fate::Keep | Fate::Last) {
                append.extend_from_slice(&tail);
                let line_ended = tail.ends_with(b"\n") || tail.ends_with(b"\r");
                append.extend_from_slice(if line_ended { b"\n" } else { b"\n\n" });
            }
        }
        if !self.seen.is_finished() {
            return End::Failed(truncated("before a finish reason"));
        }
        if !self.seen.done {
            append.extend_from_slice(DONE);
        }
        End::Complete { append: (!append.is_empty()).then(|| Bytes::from(append)) }
    }

    /// The last usage the upstream stated; `None` when it stated none that can be true.
    pub fn usage(&self) -> Option<Usage> {
        self.seen.usage
    }

    /// The upstream's figures, else an estimate from what passed and from the prompt's size.
    pub fn usage_or_estimate(&self, prompt_bytes: usize) -> Usage {
        let seen = &self.seen;
        seen.usage.unwrap_or_else(|| usage::estimate(prompt_bytes, seen.text_bytes, seen.token_events))
    }

    /// The model that answers, by the upstream's account.
    pub fn model(&self) -> Option<&ModelName> {
        self.seen.model.as_ref()
    }

    /// Finish reasons seen so far, as (index of the choice, reason). For fallbacks by the quality of an answer; there are
    /// none yet.
    pub fn finish_reasons(&self) -> impl Iterator<Item = (u32, FinishReason)> {
        self.seen.choices.iter().filter_map(|(index, reason)| Some((*index, (*reason)?)))
    }

    /// Whether something the client can use has come: text, reasoning, a refusal, sound, a call, or a finish reason. A
    /// role alone or an empty text is nothing yet.
    pub fn has_first_token(&self) -> bool {
        self.seen.first_token
    }

    /// Chunks read so far, whatever they carried.
    pub fn events(&self) -> u64 {
        self.seen.events
    }

    /// Events that carried generated content.
    pub fn token_events(&self) -> u64 {
        self.seen.token_events
    }

    /// Whether the stream's end mark has come. [`StreamWatch::end`] judges whether the answer is complete.
    pub fn has_end_mark(&self) -> bool {
        self.seen.done
    }

    /// Events left out because their data was not a JSON object.
    pub fn unparsable(&self) -> u64 {
        self.seen.unparsable
    }
}

impl Seen {
    /// Choices remembered; no upstream offers more per request, and each chunk walks their list.
    const MOST_CHOICES: usize = 1024;

    fn judge(&mut self, event: &Event<'_>) -> Fate {
        let Some(data) = &event.data else { return Fate::Keep };
        if event.name.is_none()
            && let Some(text_bytes) = self.usual.text_length(data)
        {
            self.events += 1;
            self.token_events += 1;
            self.text_bytes += text_bytes;
            return Fate::Keep;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return if self.is_finished() { Fate::Last } else { Fate::Stop };
        }
        let answer = match Answer::read(data) {
            Ok(answer) if !answer.has_error && event.name != Some(b"error") => answer,
            Err(_) if event.name != Some(b"error") => {
                self.unparsable += 1;
                return Fate::Drop;
            }
            _ => {
                self.error = Some(fault_inside(data));
                return Fate::Stop;
            }
        };
        self.note(&answer);
        if let Some(text) = answer.only_text() {
            self.usual.learn(data, text);
        }
        let is_usage_chunk = answer.choices.is_empty() && answer.usage != Stated::Nothing;
        if is_usage_chunk && !self.wants_usage { Fate::Drop } else { Fate::Keep }
    }

    fn note(&mut self, answer: &Answer<'_>) {
        self.events += 1;
        if self.model.is_none() {
            self.model = answer.model.and_then(|model| ModelName::new(&model.unescape()));
        }
        for &(index, finish) in &answer.choices {
            self.first_token |= finish.is_some();
            if let Some((_, known)) = self.choices.iter_mut().find(|(known, _)| *known == index) {
                *known = finish.or(*known);
            } else if self.choices.len() < Self::MOST_CHOICES {
                self.choices.push((index, finish));
            }
        }
        // Zeros beside choices are what some servers write until they know better; in a chunk of their own they are meant.
        if let Some(usage) = answer.usage.counted()
            && (usage.total() > 0 || (self.usage.is_none() && answer.choices.is_empty()))
        {
            self.usage = Some(usage);
        }
        self.first_token |= answer.generated > 0;
        self.token_events += u64::from(answer.generated > 0);
        self.text_bytes += answer.text_bytes;
    }

    /// Whether there was a choice, and each one has its finish reason.
    fn is_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|(_, reason)| reason.is_some())
    }
}

fn truncated(place: &'static str) -> Fault {
    let message = "The upstream's answer broke off before it was complete.";
    Fault::new(Class::Truncated, 502, "upstream_truncated", message)
        .with_cause(format!("stream ended {place}"))
}

#[cfg(test)]
mod tests;
