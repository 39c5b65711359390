//! A stream of generated text, passed on as it comes and watched on the way.
//!
//! Format: <https://platform.openai.com/docs/api-reference/chat-streaming>; dialects as served by vLLM, SGLang, Ollama,
//! llama.cpp, Groq, DeepSeek.

mod cut;
mod pattern;
mod through;
mod told;

use crate::answer::{Answer, FinishReason};
use crate::error::fault_inside;
use crate::format::{Asked, Format, Framing};
use crate::json::{self, HALF_A_PAIR, JsonFault};
use crate::name::ModelName;
use crate::splice::push_json_string;
use crate::sse::{Event, EventTooLarge, Fate, Pieces};
use crate::usage::{self, Stated};
use bytes::Bytes;
use cut::Cut;
use pattern::Pattern;
use smallvec::SmallVec;
use through::Through;
use told::{Heard, Told};
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
    cut: Cut,
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
    refused: bool,
    done: bool,
    error: Option<Fault>,
    usual: Pattern,
    /// `None` when nobody asked for it, or when something has gone out that no other stream could take up.
    told: Option<Told>,
    /// An event of which only a part goes out, as it does.
    instead: Option<Bytes>,
    /// For streams in another format than OpenAI's, and for clients who speak another one than the deployment.
    through: Option<Box<Through>>,
}

impl StreamWatch {
    /// A watch at the start of a stream. `wants_usage`: the client itself asked for the usage chunk. `limit`: the largest
    /// event that may be held back while it is incomplete, in bytes ([`Splitter::LIMIT`](crate::sse::Splitter::LIMIT) suits all known upstreams).
    pub fn new(wants_usage: bool, limit: usize) -> Self {
        StreamWatch {
            cut: Cut::events(limit),
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
                refused: false,
                done: false,
                error: None,
                usual: Pattern::default(),
                told: None,
                instead: None,
                through: None,
            },
        }
    }

    /// The same watch over a stream in format `from`, to be passed on as it comes. Once it has told something, no other
    /// stream can take it up: its events would not fit behind these.
    #[must_use]
    pub fn reading(self, from: &dyn Format) -> Self {
        self.through(Through::new(from, from, None))
    }

    /// The same watch over a stream in format `from`, to be written in format `to` for the client who `asked`.
    #[must_use]
    pub fn translating(self, from: &dyn Format, to: &dyn Format, asked: &Asked) -> Self {
        let writer = to.stream_writer(asked);
        self.through(Through::new(from, to, Some(writer)))
    }

    fn through(mut self, through: Through) -> Self {
        self.cut = self.cut.framed(through.framing);
        self.seen.through = Some(Box::new(through));
        self
    }

    /// How what comes is cut into events.
    pub fn framing(&self) -> Framing {
        self.cut.framing()
    }

    /// The same watch, remembering what the client is told, so that [`StreamWatch::told`] has it.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.seen.told = Some(Told::nothing());
        self
    }

    /// The same watch over a stream that takes up an answer of which the client has `told` already. With `repeats` the
    /// stream begins the answer anew: what repeats `told` is left out, and the first word that differs is an error of
    /// class [`Class::Diverged`]. Without, it goes on behind it, and where it begins anew all the same that is seen. Events that say nothing are left out until it has joined.
    /// When `told` is nothing, whatever the stream says first is the answer's beginning.
    #[must_use]
    pub fn taking_up(mut self, told: &str, repeats: bool) -> Self {
        self.seen.told = Some(Told::joining(told, repeats));
        self
    }

    /// The text the client has been told, when another stream could take the answer up behind it: so far it is nothing,
    /// or one choice's plain text, and unfinished.
    pub fn told(&self) -> Option<&str> {
        let finished = self.seen.choices.iter().any(|(_, reason)| reason.is_some());
        let told = self.seen.told.as_ref().filter(|told| !finished && !told.is_joining())?;
        let fixed = self.seen.through.as_ref().is_some_and(|through| through.passes_on());
        Some(told.text()).filter(|text| text.is_empty() || !fixed)
    }

    /// The text that has gone out, finished or not, when it is nothing but one choice's and not too long to be remembered.
    pub fn text(&self) -> Option<&str> {
        self.seen.told.as_ref().filter(|told| !told.is_joining()).map(Told::text)
    }

    /// Whether a `refusal` has said something.
    pub fn has_refused(&self) -> bool {
        self.seen.refused
    }

    /// Takes the next bytes from the upstream and appends to `out` what may go to the client now. The only fault is an
    /// event too large to hold.
    pub fn push(&mut self, chunk: Bytes, out: &mut Pieces) -> Result<Step, Fault> {
        let seen = &mut self.seen;
        let before = out.len();
        let pushed = self.cut.push(chunk, out, &mut |event| seen.judge(event));
        if let Some(through) = self.seen.through.as_mut().filter(|through| !through.written.is_empty()) {
            out.push(Bytes::from(std::mem::take(&mut through.written)));
        }
        if let Some(part) = self.seen.instead.take() {
            // Whatever stood before it in this stream was left out.
            out.insert(before, part);
        }
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
        let tail = self.cut.finish();
        if !tail.is_empty() {
            let event = self.cut.unfinished(&tail);
            let unparsable = self.seen.unparsable;
            let is_comment = event.data.is_none() && tail.starts_with(b":");
            // What this says reaches the client only if the stream turns out to be whole.
            let told = self.seen.told.clone();
            let fate = self.seen.judge(&event);
            let part = self.seen.instead.take();
            if let Some(fault) = self.seen.error.take() {
                self.seen.told = told;
                let cut = fault.class == Class::Malformed;
                return End::Failed(if cut { truncated("inside an event") } else { fault });
            }
            if self.seen.unparsable > unparsable || (event.data.is_none() && !is_comment) {
                self.seen.told = told;
                return End::Failed(truncated("inside an event"));
            }
            if !self.seen.is_finished() {
                self.seen.told = told;
            }
            if let Some(part) = part {
                append.extend_from_slice(&part);
            } else if event.data.is_some() && matches!(fate, Fate::Keep | Fate::Last) {
                append.extend_from_slice(&tail);
                append.extend_from_slice(self.cut.missing_behind(&tail));
            }
        }
        self.seen.ends_through();
        if !self.seen.is_finished() {
            return End::Failed(truncated("before a finish reason"));
        }
        if let Some(through) = &mut self.seen.through {
            let translates = !through.passes_on();
            if translates {
                append = std::mem::take(&mut through.written);
            }
            if !self.seen.done {
                append.extend(through.end());
            }
        } else if !self.seen.done {
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

    /// Finish reasons seen so far, as (index of the choice, reason).
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

    /// Tokens generated so far, as far as can be told from what passed.
    pub fn tokens(&self) -> u64 {
        usage::estimate(0, self.seen.text_bytes, self.seen.token_events).output
    }

    /// Whether its only choice has its finish reason: nothing can follow but usage and the end mark.
    pub fn has_finished(&self) -> bool {
        matches!(&*self.seen.choices, [(_, Some(_))])
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
        if let Some(through) = self.through.take() {
            return self.judge_through(through, event);
        }
        let joining = self.told.as_ref().is_some_and(Told::is_joining);
        let Some(data) = &event.data else { return if joining { Fate::Drop } else { Fate::Keep } };
        if event.name.is_none()
            && !joining
            && let Some(text) = self.usual.text(data)
        {
            self.events += 1;
            self.token_events += 1;
            self.text_bytes += text.len();
            self.remember(text);
            return Fate::Keep;
        }
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return if self.is_finished() { Fate::Last } else { Fate::Stop };
        }
        let answer = match Answer::read(data) {
            Ok(answer) if !answer.has_error && event.name != Some(b"error") => answer,
            Err(fault) if event.name != Some(b"error") => return self.unreadable(data, fault),
            _ => {
                self.error = Some(fault_inside(data));
                return Fate::Stop;
            }
        };
        self.note(&answer);
        if joining {
            return self.join(&answer, data);
        }
        if let Some(text) = answer.only_text() {
            self.usual.learn(data, text);
        }
        if answer.is_plain() {
            self.remember(data.get(answer.text_at.clone()).unwrap_or_default());
        } else {
            self.told = None;
        }
        let is_usage_chunk = answer.choices.is_empty() && answer.usage != Stated::Nothing;
        if is_usage_chunk && !self.wants_usage { Fate::Drop } else { Fate::Keep }
    }

    /// An event that cannot be read. One that says nothing is left out; a damaged chunk takes its text with it, and nothing
    /// may be put together over such a hole. Half of a surrogate pair, which some servers cut in two, is grammatical:
    /// that is the client's to join.
    fn unreadable(&mut self, data: &[u8], fault: JsonFault) -> Fate {
        if fault.what == HALF_A_PAIR {
            self.events += 1;
            self.token_events += 1;
            self.text_bytes += 1;
            self.first_token = true;
            self.told = None;
            return Fate::Keep;
        }
        if carries_text(data) {
            self.error = Some(damaged());
            return Fate::Stop;
        }
        self.unparsable += 1;
        Fate::Drop
    }

    /// Text that goes out.
    fn remember(&mut self, text: &[u8]) {
        let Some(told) = &mut self.told else { return };
        let kept = json::unescaped(text).is_some_and(|text| told.hear(&text) == Heard::New);
        if !kept || told.is_too_long() {
            self.told = None;
        }
    }

    /// An event of a stream that takes up an answer, none of which has gone out yet.
    fn join(&mut self, answer: &Answer<'_>, data: &[u8]) -> Fate {
        let finished = answer.choices.iter().any(|(_, reason)| reason.is_some());
        if let Some(told) = self.told.as_mut().filter(|told| told.text().is_empty()) {
            if answer.generated == 0 && !finished {
                return Fate::Drop; // the client has its like already
            }
            told.join();
            if answer.is_plain() {
                self.remember(data.get(answer.text_at.clone()).unwrap_or_default());
            } else {
                self.told = None;
            }
            return Fate::Keep;
        }
        let text = data.get(answer.text_at.clone()).and_then(json::unescaped).filter(|_| answer.plain > 0);
        let Some(told) = &mut self.told else { return Fate::Keep };
        let heard = match (&text, answer.is_plain()) {
            (_, false) => Heard::Differs,
            (None, true) => Heard::Known,
            (Some(text), true) => told.hear(text),
        };
        let ends_short = finished && told.is_repeating();
        let from = match heard {
            Heard::New => 0,
            Heard::NewFrom(from) => from,
            Heard::Known if finished && !ends_short => text.as_ref().map_or(0, |text| text.len()),
            Heard::Known if !ends_short => {
                self.first_token = false; // of what is new
                return Fate::Drop;
            }
            Heard::Known | Heard::Differs => {
                self.first_token = false;
                self.error = Some(diverged());
                return Fate::Stop;
            }
        };
        told.join();
        let held = told.take_held();
        let Some(text) = text.filter(|_| from > 0 || !held.is_empty()) else { return Fate::Keep };
        let mut new = String::new();
        push_json_string(&mut new, &(held + text.get(from..).unwrap_or_default()));
        // The text stands between quotes, which are written anew.
        let before = answer.text_at.start.checked_sub(1).and_then(|quote| data.get(..quote));
        let after = data.get(answer.text_at.end + 1..);
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        // Line breaks between the members would each need a `data` of their own.
        let line =
            |part: &[u8]| part.iter().map(|b| if *b == b'\n' { b' ' } else { *b }).collect::<Vec<u8>>();
        self.instead =
            Some(Bytes::from([b"data: ", &*line(before), new.as_bytes(), &*line(after), b"\n\n"].concat()));
        Fate::Drop
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
        self.refused |= answer.refused;
    }

    /// Whether there was a choice, and each one has its finish reason.
    fn is_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|(_, reason)| reason.is_some())
    }
}

fn diverged() -> Fault {
    let message = "The answer broke off, and another attempt at it did not say the same.";
    Fault::new(Class::Diverged, 502, "upstream_truncated", message)
}

/// Whether in what cannot be read a member stands that holds generated text.
fn carries_text(data: &[u8]) -> bool {
    const KEYS: [&[u8]; 6] = [
        b"\"content\"",
        b"\"text\"",
        b"\"arguments\"",
        b"\"refusal\"",
        b"\"reasoning\"",
        b"\"reasoning_content\"",
    ];
    KEYS.iter().any(|key| {
        memchr::memmem::find_iter(data, key).any(|at| {
            let value = data.get(at + key.len()..).unwrap_or_default().trim_ascii_start();
            let text =
                value.strip_prefix(b":").map(<[u8]>::trim_ascii_start).and_then(|v| v.strip_prefix(b"\""));
            text.is_some_and(|text| text.first().is_some_and(|first| *first != b'"'))
        })
    })
}

fn damaged() -> Fault {
    let message = "The upstream sent a damaged piece of its answer.";
    Fault::new(Class::Malformed, 502, "upstream_malformed", message)
}

fn truncated(place: &'static str) -> Fault {
    let message = "The upstream's answer broke off before it was complete.";
    Fault::new(Class::Truncated, 502, "upstream_truncated", message)
        .with_cause(format!("stream ended {place}"))
}

#[cfg(test)]
mod tests;
