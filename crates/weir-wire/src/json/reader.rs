//! The cursor under everything that reads JSON here.

use super::walk::{self, Stop, What};
use super::{JsonFault, Kind, MAX_DEPTH, Text};
use std::ops::Range;

/// A cursor over JSON text. It stands before a value; each method that reads leaves it behind that value. A visitor
/// given to [`Reader::members`] or [`Reader::elements`] must read exactly one value per call.
pub(crate) struct Reader<'b> {
    text: &'b str,
    at: usize,
    /// How many more levels may open.
    room: u32,
}

type Read<T> = Result<T, JsonFault>;

impl<'b> Reader<'b> {
    /// A cursor at the start of `bytes`, which must be UTF-8.
    pub(crate) fn new(bytes: &'b [u8]) -> Read<Self> {
        match simdutf8::basic::from_utf8(bytes) {
            Ok(text) => Ok(Reader { text, at: 0, room: MAX_DEPTH }),
            // The fast check does not say where; the slow one does.
            Err(_) => {
                let offset = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), |_| 0);
                Err(JsonFault { offset, what: "invalid UTF-8" })
            }
        }
    }

    /// Reads an object that is all there is.
    pub(crate) fn whole_object(
        &mut self,
        each: &mut impl FnMut(&mut Self, Text<'b>) -> Read<()>,
    ) -> Read<()> {
        if self.peek()? != Kind::Object {
            return Err(Stop::at(self.at, What::NoObject).into());
        }
        self.members(each)?;
        self.at = walk::space(self.bytes(), self.at);
        if self.at != self.text.len() {
            return Err(Stop::at(self.at, What::TextBehind).into());
        }
        Ok(())
    }

    /// The kind of the value that follows, which stays unread.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Read<Kind> {
        self.at = walk::space(self.bytes(), self.at);
        match self.byte(self.at) {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            _ => Err(walk::no_value(self.bytes(), self.at).into()),
        }
    }

    /// Shows every member of an object; any other value is passed over and gives `false`.
    #[inline]
    pub(crate) fn members(&mut self, each: &mut impl FnMut(&mut Self, Text<'b>) -> Read<()>) -> Read<bool> {
        let bytes = self.bytes();
        if !self.opens(b'{')? {
            return Ok(false);
        }
        let mut at = walk::space(bytes, self.at);
        if self.byte(at) == Some(b'}') {
            self.closed(at);
            return Ok(true);
        }
        loop {
            let ((end, escaped), behind) = walk::key(bytes, at)?;
            self.at = behind;
            each(self, Text::new(self.text, at, end, escaped))?;
            at = walk::space(bytes, self.at);
            match self.byte(at) {
                Some(b',') => at = walk::space(bytes, at + 1),
                Some(b'}') => break,
                _ => return Err(walk::no_comma(bytes, at, true).into()),
            }
        }
        self.closed(at);
        Ok(true)
    }

    /// Shows every element of an array; any other value is passed over and gives `false`.
    #[inline]
    pub(crate) fn elements(&mut self, each: &mut impl FnMut(&mut Self) -> Read<()>) -> Read<bool> {
        let bytes = self.bytes();
        if !self.opens(b'[')? {
            return Ok(false);
        }
        let mut at = walk::space(bytes, self.at);
        if self.byte(at) == Some(b']') {
            self.closed(at);
            return Ok(true);
        }
        loop {
            self.at = at;
            each(self)?;
            at = walk::space(bytes, self.at);
            match self.byte(at) {
                Some(b',') => at = walk::space(bytes, at + 1),
                Some(b']') => break,
                _ => return Err(walk::no_comma(bytes, at, false).into()),
            }
        }
        self.closed(at);
        Ok(true)
    }

    /// Reads a string; any other value is passed over and gives `None`.
    #[inline]
    pub(crate) fn text(&mut self) -> Read<Option<Text<'b>>> {
        let bytes = self.bytes();
        let start = walk::space(bytes, self.at);
        if self.byte(start) != Some(b'"') {
            return self.skip().map(|()| None);
        }
        let (end, escaped) = walk::string(bytes, start)?;
        self.at = end + 1;
        Ok(Some(Text::new(self.text, start, end, escaped)))
    }

    /// Reads any value: what it is and where.
    #[inline(always)]
    pub(crate) fn value(&mut self) -> Read<(Kind, Range<usize>)> {
        let kind = self.peek()?;
        let start = self.at;
        self.skip()?;
        Ok((kind, start..self.at))
    }

    /// Passes over any value.
    #[inline]
    pub(crate) fn skip(&mut self) -> Read<()> {
        self.at = past(self.bytes(), self.at, self.room)?;
        Ok(())
    }

    /// Reads any value: what it is and how it is written.
    #[inline]
    pub(crate) fn raw(&mut self) -> Read<(Kind, &'b str)> {
        let (kind, range) = self.value()?;
        // A value begins and ends with ASCII, so the range lies on character boundaries.
        Ok((kind, self.text.get(range).unwrap_or_default()))
    }

    /// Reads a number that is whole and fits; any other value is passed over and gives its kind.
    #[inline]
    pub(crate) fn whole_number(&mut self) -> Read<Result<u64, Kind>> {
        let at = walk::space(self.bytes(), self.at);
        if let Some((number, end)) = walk::short_number(self.bytes(), at) {
            self.at = end;
            return Ok(Ok(number));
        }
        let (kind, text) = self.raw()?;
        Ok(text.parse().map_err(|_| kind))
    }

    /// Whether an object or array, by its bracket, begins here: then it is open. Any other value is passed over.
    #[inline(always)]
    fn opens(&mut self, bracket: u8) -> Read<bool> {
        let at = walk::space(self.bytes(), self.at);
        if self.byte(at) != Some(bracket) {
            return self.skip().map(|()| false);
        }
        if self.room == 0 {
            return Err(Stop::at(at, What::TooDeep).into());
        }
        self.room -= 1;
        self.at = at + 1;
        Ok(true)
    }

    /// The closing bracket of what was opened last stands at `at`.
    #[inline(always)]
    fn closed(&mut self, at: usize) {
        self.room += 1;
        self.at = at + 1;
    }

    #[inline(always)]
    fn bytes(&self) -> &'b [u8] {
        self.text.as_bytes()
    }

    #[inline(always)]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }
}

/// Behind the value that follows `at`. Once in the program, and not in each of its callers.
#[inline(never)]
fn past(bytes: &[u8], at: usize, room: u32) -> Result<usize, Stop> {
    walk::value(bytes, walk::space(bytes, at), room)
}
