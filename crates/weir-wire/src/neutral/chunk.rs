//! What a piece of a stream says.

use super::{Finish, Proof, Raw, Str};
use weir_core::{Fault, Usage};

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk<'a> {
    /// The stream begins. Comes first, and once.
    Begin {
        /// The vendor's name for the answer; empty when it gave none.
        id: Str<'a>,
        /// The model that answers, by the vendor's account.
        model: Str<'a>,
        /// When, in seconds since 1970, where the format says so.
        created: Option<i64>,
    },
    /// More of an answer.
    More {
        /// Which one, from 0.
        choice: u32,
        /// What.
        piece: Piece<'a>,
    },
    /// An answer ends.
    Finish {
        /// Which one, from 0.
        choice: u32,
        /// Why.
        finish: Finish<'a>,
    },
    /// Tokens so far, all of them: a later one replaces it.
    Usage(Usage),
    /// The stream is over, in order.
    End,
    /// The stream is over, with a fault.
    Error(Fault),
}

/// More of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    /// More of a text.
    Text(Str<'a>),
    /// More of a thought.
    Thinking(Str<'a>),
    /// The seal of the thought that went before.
    Proof(Proof<'a>),
    /// A thought that the vendor hides, whole.
    Hidden(Proof<'a>),
    /// More of a refusal.
    Refusal(Str<'a>),
    /// The model begins to call a tool.
    ToolCall {
        /// Which one of this answer's calls, from 0.
        call: u32,
        /// Its id; empty where the format has none.
        id: Str<'a>,
        /// The tool's name.
        name: Str<'a>,
        /// As of a [`ToolCall`](super::ToolCall).
        proof: Option<Proof<'a>>,
    },
    /// More of a call's arguments, as JSON text.
    Arguments {
        /// Which one of this answer's calls.
        call: u32,
        /// The text.
        json: Str<'a>,
    },
    /// Where the text that went before was taken from, with the name of the format that writes it so.
    Citation(&'static str, Raw<'a>),
    /// Probabilities of the tokens that come with it, in OpenAI's shape.
    Logprobs(Raw<'a>),
    /// A part has ended; what follows, of whatever kind, is another one.
    End,
}
