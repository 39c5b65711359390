//! The neutral form: what a request, an answer and a piece of a stream say, whatever format they came in.
//!
//! It is made only where a client and a deployment speak different formats; same-format traffic stays bytes. It holds
//! everything that at least two formats can express. What a format says that the neutral form has no place for is noted
//! in [`Lost`] by whoever reads it, what the neutral form says that the other format cannot is noted there by whoever writes
//! it; nothing is left out without a word.
//!
//! Texts are borrowed from the bytes they were read from wherever these hold them unescaped. JSON that Weir has no business
//! with (schemas, arguments, metadata) stays as it was written.

mod call;
mod chunk;
mod lost;
mod reply;
mod text;

pub use call::{
    CacheHint, Call, Effort, Media, MediaKind, Output, Part, Proof, Reasoning, Role, Sampling, Source, Text,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
pub use chunk::{Chunk, Piece};
pub use lost::{Lost, Param};
pub use reply::{Choice, Finish, Reply};
pub use text::{Raw, Str};
