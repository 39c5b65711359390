//! JSON read in one pass over its bytes, without building a tree.
//!
//! Grammar: RFC 8259, strictly. Beyond it, these are refused although a lenient reader takes them: invalid UTF-8,
//! escapes that name half a surrogate pair (RFC 8259 §8.2 calls their meaning unpredictable), nesting deeper than
//! [`MAX_DEPTH`], and, by [`scan`], two members of one object with the same name (§4: readers differ on which one
//! counts, which is how a second `model` would get past a check).

pub mod nesting;
mod reader;
mod text;
mod walk;
pub(crate) mod write;

pub(crate) use reader::Reader;
pub use text::Text;
pub(crate) use text::{is_inside_of_string, unescaped};

use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// How deep objects and arrays may nest, the outermost one counted.
pub const MAX_DEPTH: u32 = 128;

/// What is wrong with an escape that names half a surrogate pair.
pub(crate) const HALF_A_PAIR: &str = "escape of half a surrogate pair";

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `"…"`
    String,
    /// Any number; its digits are not read.
    Number,
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

impl Kind {
    /// The kind as a sentence names it, article included.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "a string",
            Kind::Number => "a number",
            Kind::Object => "an object",
            Kind::Array => "an array",
            Kind::True | Kind::False => "a boolean",
            Kind::Null => "null",
        }
    }
}

/// Why bytes are not the JSON that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonFault {
    /// Where, in bytes from the start.
    pub offset: usize,
    /// What was wrong there.
    pub what: &'static str,
}

impl JsonFault {
    /// Line and column of the fault in `body`, both counted from one, columns in bytes.
    pub fn position(&self, body: &[u8]) -> (usize, usize) {
        let before = body.get(..self.offset).unwrap_or(body);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1) + 1;
        (line, column)
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}

impl std::error::Error for JsonFault {}

/// What [`JsonFault::what`] says of a repeated member name; its offset is the second one's opening quote.
pub const DUPLICATE: &str = "duplicate key";

/// One member of the scanned object.
#[derive(Clone, Debug)]
pub struct Field<'b> {
    /// The member's name.
    pub key: Text<'b>,
    /// Where its value stands, quotes or brackets included.
    pub value: Range<usize>,
    /// What its value is.
    pub kind: Kind,
}

/// Reads one JSON object that fills `body` and shows each of its members, in order.
///
/// The whole body is checked, nested values included, but members may be shown before a fault further on is found:
/// what `visit` gathered counts only when `Ok` comes back.
pub fn scan<'b>(body: &'b [u8], visit: &mut impl FnMut(&Field<'b>)) -> Result<(), JsonFault> {
    let mut seen = Seen::default();
    let mut reader = Reader::new(body)?;
    reader.whole_object(&mut |reader, key| {
        let at = key.start();
        let (kind, value) = reader.value()?;
        if !seen.insert(key) {
            return Err(JsonFault { offset: at, what: DUPLICATE });
        }
        visit(&Field { key, value, kind });
        Ok(())
    })
}

/// Member names met so far. Few names are compared by a cheap mark first; many go into a set with a random hash, so
/// that a body made of nothing but keys costs no more than its length.
#[derive(Default)]
struct Seen<'b> {
    few: SmallVec<[(u64, Text<'b>); 16]>,
    many: HashSet<Cow<'b, str>>,
}

impl<'b> Seen<'b> {
    const FEW: usize = 64;

    /// Whether the name is new.
    #[inline]
    fn insert(&mut self, name: Text<'b>) -> bool {
        let mark = name.mark();
        if self.few.iter().any(|(m, known)| *m == mark && known.unescape() == name.unescape()) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push((mark, name));
            return true;
        }
        self.many.insert(name.unescape())
    }
}

#[cfg(test)]
mod tests;
