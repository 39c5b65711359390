//! What an answer says.

use super::{Part, Raw, Str};
use weir_core::Usage;

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply<'a> {
    /// The vendor's name for it; empty when it gave none.
    pub id: Str<'a>,
    /// The model that answered, by the vendor's account.
    pub model: Str<'a>,
    /// When it was made, in seconds since 1970, where the format says so.
    pub created: Option<i64>,
    /// The answers: one, unless more were asked for.
    pub choices: Vec<Choice<'a>>,
    /// Tokens, when the vendor stated figures that can be true.
    pub usage: Option<Usage>,
    /// The tier of service it was given.
    pub service_tier: Option<Str<'a>>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice<'a> {
    /// Which one, from 0.
    pub index: u32,
    /// What it says, in order.
    pub parts: Vec<Part<'a>>,
    /// Why it ended.
    pub finish: Option<Finish<'a>>,
    /// Probabilities of its tokens, in OpenAI's shape.
    pub logprobs: Option<Raw<'a>>,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish<'a> {
    /// The model was done.
    Stop,
    /// It met a stop sequence, and which one, where that is known.
    StopSequence(Option<Str<'a>>),
    /// The limit of tokens was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// The vendor's filter cut in.
    ContentFilter,
    /// The model will not answer.
    Refusal,
    /// The model rests in the middle of long work, and is to be asked to go on (Anthropic's `pause_turn`).
    Pause,
    /// The context window is full.
    ContextWindow,
    /// A call of a tool that cannot be read.
    MalformedCall,
    /// Something else, in the vendor's word.
    Other(Str<'a>),
}

impl Finish<'_> {
    /// The same, owning its words.
    pub fn into_owned(self) -> Finish<'static> {
        match self {
            Finish::Stop => Finish::Stop,
            Finish::StopSequence(text) => Finish::StopSequence(text.map(Str::into_owned)),
            Finish::Length => Finish::Length,
            Finish::ToolCalls => Finish::ToolCalls,
            Finish::ContentFilter => Finish::ContentFilter,
            Finish::Refusal => Finish::Refusal,
            Finish::Pause => Finish::Pause,
            Finish::ContextWindow => Finish::ContextWindow,
            Finish::MalformedCall => Finish::MalformedCall,
            Finish::Other(word) => Finish::Other(word.into_owned()),
        }
    }
}
