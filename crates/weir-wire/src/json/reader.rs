//! The cursor under everything that reads JSON here.

use super::text::{self, Text};
use super::{JsonFault, Kind, MAX_DEPTH};
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
            return self.fault("expected a JSON object");
        }
        self.members(each)?;
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            self.fault("unexpected text after the end of the object")
        }
    }

    /// The kind of the value that follows, which stays unread.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Read<Kind> {
        self.space();
        match self.byte() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(_) => self.fault("expected a value"),
            None => self.fault("unexpected end"),
        }
    }

    /// Shows every member of an object; any other value is passed over and gives `false`.
    pub(crate) fn members(&mut self, each: &mut impl FnMut(&mut Self, Text<'b>) -> Read<()>) -> Read<bool> {
        if self.peek()? != Kind::Object {
            self.skip()?;
            return Ok(false);
        }
        self.open()?;
        if !self.closes(b'}') {
            loop {
                let key = self.key()?;
                each(self, key)?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.room += 1;
        Ok(true)
    }

    /// Shows every element of an array; any other value is passed over and gives `false`.
    pub(crate) fn elements(&mut self, each: &mut impl FnMut(&mut Self) -> Read<()>) -> Read<bool> {
        if self.peek()? != Kind::Array {
            self.skip()?;
            return Ok(false);
        }
        self.open()?;
        if !self.closes(b']') {
            loop {
                each(self)?;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.room += 1;
        Ok(true)
    }

    /// Reads a string; any other value is passed over and gives `None`.
    pub(crate) fn text(&mut self) -> Read<Option<Text<'b>>> {
        if self.peek()? == Kind::String {
            return self.string().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// Reads any value: what it is and where.
    #[inline(always)]
    pub(crate) fn value(&mut self) -> Read<(Kind, Range<usize>)> {
        let kind = self.peek()?;
        let start = self.at;
        match kind {
            Kind::Object | Kind::Array => self.nested(kind)?,
            _ => self.scalar(kind)?,
        }
        Ok((kind, start..self.at))
    }

    /// Passes over any value.
    pub(crate) fn skip(&mut self) -> Read<()> {
        self.value().map(|_| ())
    }

    /// Reads any value: what it is and how it is written.
    pub(crate) fn raw(&mut self) -> Read<(Kind, &'b str)> {
        let (kind, range) = self.value()?;
        // A value begins and ends with ASCII, so the range lies on character boundaries.
        Ok((kind, self.text.get(range).unwrap_or_default()))
    }

    #[inline(always)]
    fn scalar(&mut self, kind: Kind) -> Read<()> {
        match kind {
            Kind::String => self.string().map(|_| ()),
            Kind::Number => self.number(),
            Kind::True => self.word("true"),
            Kind::False => self.word("false"),
            _ => self.word("null"),
        }
    }

    /// Passes over an object or array of any depth without recursion: `objects` holds one bit per open level, the
    /// lowest the innermost, set for an object.
    fn nested(&mut self, mut kind: Kind) -> Read<()> {
        let mut objects: u128 = 0;
        let mut open = 0u32;
        loop {
            let ended = match kind {
                Kind::Object | Kind::Array => {
                    self.open()?;
                    let object = kind == Kind::Object;
                    objects = objects << 1 | u128::from(object);
                    open += 1;
                    let empty = self.closes(if object { b'}' } else { b']' });
                    if !empty && object {
                        self.key()?;
                    }
                    empty
                }
                _ => {
                    self.scalar(kind)?;
                    !self.next_in(objects & 1 == 1)?
                }
            };
            if ended {
                loop {
                    self.room += 1;
                    objects >>= 1;
                    open -= 1;
                    if open == 0 {
                        return Ok(());
                    }
                    if self.next_in(objects & 1 == 1)? {
                        break;
                    }
                }
            }
            kind = self.peek()?;
        }
    }

    /// After a value inside an object or array: whether another one follows (its key then is already read).
    #[inline(always)]
    fn next_in(&mut self, object: bool) -> Read<bool> {
        let more = self.goes_on(if object { b'}' } else { b']' })?;
        if more && object {
            self.key()?;
        }
        Ok(more)
    }

    #[inline(always)]
    fn open(&mut self) -> Read<()> {
        if self.room == 0 {
            return self.fault("nested too deeply");
        }
        self.room -= 1;
        self.at += 1;
        Ok(())
    }

    /// Whether the object or array just opened is empty; then its end is read too.
    #[inline(always)]
    fn closes(&mut self, close: u8) -> bool {
        self.space();
        let empty = self.byte() == Some(close);
        self.at += usize::from(empty);
        empty
    }

    /// After a member or element: reads the comma (`true`) or the end (`false`).
    #[inline(always)]
    fn goes_on(&mut self, close: u8) -> Read<bool> {
        self.space();
        match self.byte() {
            Some(b',') => {
                self.at += 1;
                self.space();
                if self.byte() == Some(close) { self.fault("trailing comma") } else { Ok(true) }
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if close == b'}' => self.fault("expected `,` or `}`"),
            Some(_) => self.fault("expected `,` or `]`"),
            None => self.fault("unexpected end"),
        }
    }

    /// Reads a member's name and the colon.
    #[inline(always)]
    fn key(&mut self) -> Read<Text<'b>> {
        self.space();
        match self.byte() {
            Some(b'"') => {}
            Some(_) => return self.fault("expected a key in double quotes"),
            None => return self.fault("unexpected end"),
        }
        let key = self.string()?;
        self.space();
        match self.byte() {
            Some(b':') => {
                self.at += 1;
                Ok(key)
            }
            Some(_) => self.fault("expected `:`"),
            None => self.fault("unexpected end"),
        }
    }

    /// Reads a string whose opening quote the cursor stands at.
    #[inline(always)]
    fn string(&mut self) -> Read<Text<'b>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            self.at += text::plain_length(rest);
            match self.byte() {
                Some(b'"') => {
                    // Quotes are ASCII, so both ends are character boundaries.
                    let raw = self.text.get(start + 1..self.at).unwrap_or_default();
                    self.at += 1;
                    return Ok(Text::new(raw, start, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.at += self.escape(bytes.get(self.at..).unwrap_or_default())?;
                }
                Some(_) => return self.fault("control character in a string (it must be escaped)"),
                None => return self.fault("string without an end"),
            }
        }
    }

    /// The length of the escape that `rest` starts with.
    #[inline(always)]
    fn escape(&self, rest: &[u8]) -> Read<usize> {
        match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => match text::escape(rest) {
                Some((_, length)) => Ok(length),
                None if text::hex4(rest.get(2..).unwrap_or_default()).is_some() => {
                    self.fault("escape of half a surrogate pair")
                }
                None => self.fault("`\\u` without four hexadecimal digits"),
            },
            Some(_) => self.fault("unknown escape"),
            None => self.fault("string without an end"),
        }
    }

    fn word(&mut self, word: &'static str) -> Read<()> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.fault("expected a value");
        }
        self.at += word.len();
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Read<()> {
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
            if self.byte().is_some_and(|b| b.is_ascii_digit()) {
                return self.fault("number with a leading zero");
            }
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    #[inline(always)]
    fn digits(&mut self) -> Read<()> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return self.fault("number without a digit");
        }
        self.at += count;
        Ok(())
    }

    #[inline(always)]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[cold]
    fn fault<T>(&self, what: &'static str) -> Read<T> {
        Err(JsonFault { offset: self.at, what })
    }
}
