//! Header fields: as they came in, and as they go out.
//!
//! Both keep the bytes of the wire. A request's dozen fields are looked up a few times each, and a response's are written
//! once, so neither is worth a map.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::{self, Display};
use std::io::Write;
use std::ops::Range;
use std::time::Duration;
use weir_core::text::{is_named, is_plain};

/// The fields of a request, in the buffer they came in.
#[derive(Clone, Default)]
pub struct Headers {
    text: Bytes,
    fields: Vec<Field>,
}

/// Where one field lies in the buffer.
#[derive(Clone, Copy)]
struct Field {
    name: Place,
    value: Place,
}

#[derive(Clone, Copy)]
struct Place {
    start: u32,
    length: u32,
}

impl Place {
    fn in_text(self, text: &[u8]) -> &[u8] {
        let start = self.start as usize;
        text.get(start..start + self.length as usize).unwrap_or_default()
    }
}

/// Where the fields of a request lie in a buffer.
#[derive(Clone, Default)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// Adds one. One beyond 4 GiB is none.
    #[inline]
    pub fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        let place = |range: Range<usize>| {
            let (start, length) = (u32::try_from(range.start).ok()?, u32::try_from(range.len()).ok()?);
            Some(Place { start, length })
        };
        if self.0.capacity() == 0 {
            self.0.reserve(USUAL);
        }
        if let (Some(name), Some(value)) = (place(name), place(value)) {
            self.0.push(Field { name, value });
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Room that is made at first: as many fields as most clients send.
const USUAL: usize = 16;

impl Headers {
    /// With fields that were found in `text`.
    pub fn new(text: Bytes, fields: Fields) -> Self {
        Headers { text, fields: fields.0 }
    }

    /// A part of the buffer that the fields came in; nothing, when it has no such part.
    pub fn part(&self, range: Range<usize>) -> &[u8] {
        self.text.get(range).unwrap_or_default()
    }

    /// Every field, in order: name as it was written, and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (field.name.in_text(&self.text), field.value.in_text(&self.text)))
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let name = name.as_str().as_bytes();
        let length = name.len();
        let named = self.fields.iter().filter(move |field| {
            field.name.length as usize == length && is_named(field.name.in_text(&self.text), name)
        });
        named.map(|field| field.value.in_text(&self.text))
    }

    /// The value of the first field of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The same as text; `None`, too, when it is not visible ASCII.
    pub fn text(&self, name: &HeaderName) -> Option<&str> {
        let value = self.get(name)?;
        if !is_plain(value) && !value.iter().all(|b| (b' '..0x7f).contains(b) || *b == b'\t') {
            return None;
        }
        std::str::from_utf8(value).ok()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl fmt::Debug for Headers {
    /// Names only: keys are among the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let (mut text, mut fields) = (BytesMut::new(), Fields::default());
        let mut put = |part: &[u8]| {
            let start = text.len();
            text.put_slice(part);
            start..text.len()
        };
        for (name, value) in map {
            fields.push(put(name.as_str().as_bytes()), put(value.as_bytes()));
        }
        Headers::new(text.freeze(), fields)
    }
}

/// The fields of a response, rendered line by line as HTTP/1.1 sends them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderLines {
    text: Vec<u8>,
    /// Where the last value begins, unless there is none to repeat.
    last: Option<usize>,
}

impl HeaderLines {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        HeaderLines { text: Vec::with_capacity(bytes), last: None }
    }

    /// Adds a field. A value that no header can hold (line ends and other control characters) is left out with its name.
    pub fn put(&mut self, name: &HeaderName, value: impl Display) {
        self.field(name, |out| write!(out, "{value}").is_ok());
    }

    /// The same with a whole number.
    pub fn number(&mut self, name: &HeaderName, value: impl itoa::Integer) {
        self.text(name, itoa::Buffer::new().format(value).as_bytes());
    }

    /// The same with a time, in milliseconds with three decimals.
    pub fn millis(&mut self, name: &HeaderName, time: Duration) {
        let micros = time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_micros()));
        let digit = |place| b'0' + u8::try_from(micros % 1_000 / place % 10).unwrap_or(0);
        let mut whole = itoa::Buffer::new();
        let whole = whole.format(micros / 1_000).as_bytes();
        self.field(name, |out| {
            out.extend_from_slice(whole);
            out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
            true
        });
    }

    /// The same with a value that is text already.
    pub fn text(&mut self, name: &HeaderName, value: &[u8]) {
        self.field(name, |out| {
            out.extend_from_slice(value);
            true
        });
    }

    /// Adds another field with the value of the one that was added just before.
    pub fn repeat(&mut self, name: &HeaderName) {
        let Some(last) = self.last else { return };
        let value = last..self.text.len().saturating_sub(2);
        self.field(name, |out| {
            out.extend_from_within(value);
            true
        });
    }

    #[inline]
    fn field(&mut self, name: &HeaderName, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        let before = self.text.len();
        self.text.extend_from_slice(name.as_str().as_bytes());
        self.text.extend_from_slice(b": ");
        let start = self.text.len();
        let written = write(&mut self.text);
        let value = self.text.get(start..).unwrap_or_default();
        if written && (is_plain(value) || value.iter().all(|b| fits(*b))) {
            self.last = Some(start);
            self.text.extend_from_slice(b"\r\n");
        } else {
            self.text.truncate(before);
            self.last = None;
        }
    }

    /// Adds all fields of another.
    pub fn extend(&mut self, other: &HeaderLines) {
        self.text.extend_from_slice(&other.text);
        self.last = None;
    }

    /// The rendered lines, each with its line end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// As a map, for servers that take one.
    pub fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in self.as_bytes().split(|b| *b == b'\n') {
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let name = HeaderName::from_bytes(&line[..colon]);
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                map.append(name, value);
            }
        }
        map
    }
}

/// Whether a value may hold this byte.
fn fits(byte: u8) -> bool {
    (byte >= b' ' || byte == b'\t') & (byte != 0x7f)
}

impl fmt::Debug for HeaderLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeaderLines").field(&String::from_utf8_lossy(&self.text)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header;

    fn received() -> Headers {
        let text = Bytes::from_static(b"Host: h\r\nX-A: 1\r\nx-a: \xff\r\nAuthorization: Bearer secret\r\n");
        let mut fields = Fields::default();
        for (name, value) in [(0..4, 6..7), (9..12, 14..15), (17..20, 22..23), (25..38, 40..53)] {
            fields.push(name, value);
        }
        Headers::new(text, fields)
    }

    #[test]
    fn fields_are_found_whatever_their_case() {
        let headers = received();
        let name = HeaderName::from_static("x-a");
        assert_eq!(headers.get(&header::HOST), Some(&b"h"[..]));
        assert_eq!(headers.all(&name).collect::<Vec<_>>(), [&b"1"[..], b"\xff"]);
        assert_eq!(headers.text(&name), Some("1"));
        assert_eq!(headers.get(&header::COOKIE), None);
        assert_eq!((headers.len(), headers.is_empty()), (4, false));
    }

    #[test]
    fn values_do_not_print() {
        assert_eq!(format!("{:?}", received()), r#"["Host", "X-A", "x-a", "Authorization"]"#);
    }

    #[test]
    fn a_map_becomes_fields() {
        let mut map = HeaderMap::new();
        map.append("x-a", HeaderValue::from_static("1"));
        map.append("x-a", HeaderValue::from_static("2"));
        let headers = Headers::from(&map);
        assert_eq!(headers.all(&HeaderName::from_static("x-a")).collect::<Vec<_>>(), [b"1", b"2"]);
    }

    #[test]
    fn lines_are_rendered_and_never_split() {
        let mut lines = HeaderLines::default();
        lines.put(&header::CONTENT_TYPE, "application/json");
        lines.put(&header::ETAG, "a\r\nset-cookie: b");
        lines.number(&header::AGE, 7u8);
        assert_eq!(lines.as_bytes(), b"content-type: application/json\r\nage: 7\r\n");
        lines.repeat(&header::MAX_FORWARDS);
        lines.millis(&header::DATE, Duration::from_nanos(12_000_345_678));
        assert!(lines.as_bytes().ends_with(b"age: 7\r\nmax-forwards: 7\r\ndate: 12000.345\r\n"));
        let mut more = HeaderLines::default();
        more.put(&header::AGE, "8");
        lines.extend(&more);
        let map = lines.to_map();
        assert_eq!(map[header::CONTENT_TYPE], "application/json");
        assert_eq!(map.get_all(header::AGE).iter().collect::<Vec<_>>(), ["7", "8"]);
    }
}
