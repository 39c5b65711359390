//! What one JSON object of an answer, a whole one or one chunk of a stream, says about itself.
//!
//! Read leniently, in one pass, owning nothing: a member of an unexpected type counts as absent.

use crate::json::{JsonFault, Kind, Reader, Text};
use crate::neutral::Finish;
use crate::usage::{self, Stated};
use smallvec::SmallVec;
use std::ops::Range;

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The token limit was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// The model calls a function (the older form).
    FunctionCall,
    /// The upstream's content filter cut in.
    ContentFilter,
    /// Something else, in a dialect.
    Other,
}

impl FinishReason {
    /// The word OpenAI's format uses, `other` for dialects.
    pub const fn name(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::FunctionCall => "function_call",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Other => "other",
        }
    }

    /// The nearest word for what the neutral form says.
    pub(crate) fn of(finish: &Finish<'_>) -> Self {
        match finish {
            Finish::Stop | Finish::StopSequence(_) | Finish::Pause => FinishReason::Stop,
            Finish::Length | Finish::ContextWindow => FinishReason::Length,
            Finish::ToolCalls => FinishReason::ToolCalls,
            Finish::ContentFilter | Finish::Refusal => FinishReason::ContentFilter,
            Finish::MalformedCall | Finish::Other(_) => FinishReason::Other,
        }
    }

    fn read(word: &str) -> Self {
        match word {
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "tool_calls" => FinishReason::ToolCalls,
            "function_call" => FinishReason::FunctionCall,
            "content_filter" => FinishReason::ContentFilter,
            _ => FinishReason::Other,
        }
    }
}

/// The facts of one object.
#[derive(Default)]
pub(crate) struct Answer<'b> {
    /// The model that answers, by its own account.
    pub(crate) model: Option<Text<'b>>,
    /// The last `usage` object that counts something, else one that says zero, else what was found; Groq's `x_groq.usage` included.
    pub(crate) usage: Stated,
    /// `choices` is an array.
    pub(crate) has_choices: bool,
    /// `data` is an array.
    pub(crate) has_data: bool,
    /// Index and finish reason of each choice.
    pub(crate) choices: SmallVec<[(u32, Option<FinishReason>); 2]>,
    /// Bytes of generated text, as written.
    pub(crate) text_bytes: usize,
    /// How many members hold something generated: text, reasoning, a refusal, sound, a call.
    pub(crate) generated: usize,
    /// Where the last generated text stands, between its quotes.
    pub(crate) text_at: Range<usize>,
    /// How many of them are the answer's own text: `content` of a chat, `text` of a completion.
    pub(crate) plain: usize,
    /// Where the last of those stands, between its quotes.
    pub(crate) plain_at: Range<usize>,
    /// How many of them are thoughts: `reasoning_content`, or `reasoning`.
    pub(crate) thoughts: usize,
    /// A `refusal` says something.
    pub(crate) refused: bool,
    /// `error` is there and says something.
    pub(crate) has_error: bool,
}

impl<'b> Answer<'b> {
    /// Reads `bytes`, which must be one JSON object and nothing else.
    pub(crate) fn read(bytes: &'b [u8]) -> Result<Self, JsonFault> {
        Answer::read_with(bytes, true)
    }

    /// The same without looking into `choices`, which are most of an answer: only that they are well-formed.
    pub(crate) fn read_without_choices(bytes: &'b [u8]) -> Result<Self, JsonFault> {
        Answer::read_with(bytes, false)
    }

    fn read_with(bytes: &'b [u8], choices: bool) -> Result<Self, JsonFault> {
        let mut answer = Answer::default();
        let mut reader = Reader::new(bytes)?;
        reader.whole_object(&mut |reader, key| {
            match &*key.unescape() {
                "model" => answer.model = reader.text()?.filter(|model| !model.is_empty()),
                "choices" if !choices => answer.has_choices = reader.value()?.0 == Kind::Array,
                "choices" => answer.has_choices = reader.elements(&mut |reader| answer.choice(reader))?,
                "data" => answer.has_data = reader.value()?.0 == Kind::Array,
                "usage" => answer.see_usage(usage::read(reader)?),
                "x_groq" => {
                    reader.members(&mut |reader, key| {
                        match &*key.unescape() {
                            "usage" => answer.see_usage(usage::read(reader)?),
                            _ => reader.skip()?,
                        }
                        Ok(())
                    })?;
                }
                "error" => {
                    let (kind, text) = reader.raw()?;
                    answer.has_error = !matches!(kind, Kind::Null | Kind::False) && text != "\"\"";
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(answer)
    }

    fn see_usage(&mut self, stated: Stated) {
        // Where two places speak, one that counts goes before one that says zero.
        let says_more = match (self.usage, stated) {
            (Stated::Counted(_), Stated::Counted(new)) => new.total() > 0,
            (known, stated) => known == Stated::Nothing || stated.counted().is_some(),
        };
        if says_more {
            self.usage = stated;
        }
    }

    fn choice(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        let mut index = 0;
        let mut finish = None;
        let is_choice = reader.members(&mut |reader, key| {
            match &*key.unescape() {
                "index" => {
                    let number = reader.whole_number()?.ok();
                    index = number.and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
                }
                "finish_reason" => {
                    let word = reader.text()?.filter(|word| !word.is_empty());
                    finish = word.map(|word| FinishReason::read(&word.unescape()));
                }
                "delta" | "message" => self.delta(reader)?,
                "text" => self.read_plain(reader)?,
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        if is_choice {
            self.choices.push((index, finish));
        }
        Ok(())
    }

    fn delta(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        reader.members(&mut |reader, key| {
            match &*key.unescape() {
                "content" => self.read_plain(reader)?,
                "reasoning" | "reasoning_content" => {
                    let before = self.generated;
                    self.read_generated(reader)?;
                    self.thoughts += self.generated - before;
                }
                "tool_calls" | "function_call" | "audio" => self.read_generated(reader)?,
                "refusal" => {
                    let before = self.generated;
                    self.read_generated(reader)?;
                    self.refused |= self.generated > before;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(())
    }

    /// A member that holds the answer's own text.
    fn read_plain(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        let before = self.text_bytes;
        self.read_generated(reader)?;
        if self.text_bytes > before {
            self.plain += 1;
            self.plain_at = self.text_at.clone();
        }
        Ok(())
    }

    /// Whether this chunk brings nothing but text of the answer's first choice, or nothing generated at all.
    pub(crate) fn is_plain(&self) -> bool {
        self.generated == self.plain && self.plain <= 1 && matches!(self.choices.as_slice(), [] | [(0, _)])
    }

    /// Whether this chunk brings nothing but a thought of the answer's first choice.
    pub(crate) fn is_thought(&self) -> bool {
        self.thoughts > 0 && self.generated == self.thoughts && matches!(self.choices.as_slice(), [(0, _)])
    }

    /// A member that holds what the model generated: text, or a list or object of something else.
    fn read_generated(&mut self, reader: &mut Reader<'b>) -> Result<(), JsonFault> {
        let (kind, at) = reader.value()?;
        let inside = at.start + 1..at.end.saturating_sub(1);
        match kind {
            Kind::String | Kind::Array | Kind::Object if inside.is_empty() => {}
            Kind::String => {
                self.generated += 1;
                self.text_bytes += inside.len();
                self.text_at = inside;
            }
            Kind::Array | Kind::Object => self.generated += 1,
            Kind::Number | Kind::True | Kind::False | Kind::Null => {}
        }
        Ok(())
    }

    /// Where the text stands, when this is a chunk that brings one piece of text to one choice and says nothing else.
    pub(crate) fn only_text(&self) -> Option<Range<usize>> {
        let one_choice = matches!(self.choices.as_slice(), [(_, None)]);
        let plain = one_choice && self.usage == Stated::Nothing && !self.has_error;
        (plain && self.generated == 1 && self.text_bytes > 0).then(|| self.text_at.clone())
    }
}
