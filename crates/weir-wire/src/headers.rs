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
use weir_core::text::{Thousandths, is_named, is_plain};

/// The fields of a request, in the buffer they came in.
#[derive(Clone, Default)]
pub struct Headers {
    text: Bytes,
    fields: Fields,
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
pub struct Fields {
    all: Vec<Field>,
    /// One bit for each length of a name, the lengths counted modulo 64. Most names that are asked for are not there, and
    /// most of those are told by this.
    lengths: u64,
}

/// The bit of [`Fields::lengths`] for names of this length.
#[inline]
const fn bit(length: usize) -> u64 {
    1 << (length % 64)
}

impl Fields {
    /// Adds one. One beyond 4 GiB is none.
    #[inline]
    pub fn push(&mut self, name: Range<usize>, value: Range<usize>) {
        let place = |range: Range<usize>| {
            let (start, length) = (u32::try_from(range.start).ok()?, u32::try_from(range.len()).ok()?);
            Some(Place { start, length })
        };
        if self.all.capacity() == 0 {
            self.all.reserve(USUAL);
        }
        self.lengths |= bit(name.len());
        if let (Some(name), Some(value)) = (place(name), place(value)) {
            self.all.push(Field { name, value });
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

/// Room that is made at first: as many fields as most clients send.
const USUAL: usize = 16;

impl Headers {
    /// With fields that were found in `text`.
    pub fn new(text: Bytes, fields: Fields) -> Self {
        Headers { text, fields }
    }

    /// A part of the buffer that the fields came in; nothing, when it has no such part.
    pub fn part(&self, range: Range<usize>) -> &[u8] {
        self.text.get(range).unwrap_or_default()
    }

    /// Every field, in order: name as it was written, and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.all.iter().map(|field| (field.name.in_text(&self.text), field.value.in_text(&self.text)))
    }

    /// The values of all fields of this name.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let name = name.as_str().as_bytes();
        let length = name.len();
        let any = self.fields.lengths & bit(length) != 0;
        let fields = if any { self.fields.all.as_slice() } else { &[] };
        let named = fields.iter().filter(move |field| {
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

/// The name of a response's field as it stands in its line, with the colon and the blank behind it; made by
/// [`field_name!`](crate::field_name).
#[derive(Clone, Copy, Debug)]
pub struct FieldName(pub &'static str);

/// A [`FieldName`] of a name in lower case.
#[macro_export]
macro_rules! field_name {
    ($name:literal) => {
        $crate::headers::FieldName(concat!($name, ": "))
    };
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
    pub fn put(&mut self, name: FieldName, value: impl Display) {
        let before = self.text.len();
        self.text.extend_from_slice(name.0.as_bytes());
        let written = write!(self.text, "{value}").is_ok();
        let value = self.text.get(before + name.0.len()..).unwrap_or_default();
        if written && is_value(value) {
            self.last = Some(before + name.0.len());
            self.text.extend_from_slice(b"\r\n");
        } else {
            self.text.truncate(before);
            self.last = None;
        }
    }

    /// The same with a whole number.
    #[inline]
    pub fn number(&mut self, name: FieldName, value: impl itoa::Integer) {
        self.plain(name, itoa::Buffer::new().format(value).as_bytes());
    }

    /// The same with a time, in milliseconds with three decimals.
    #[inline]
    pub fn millis(&mut self, name: FieldName, time: Duration) {
        let micros = time.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(time.subsec_micros()));
        self.plain(name, Thousandths::of(micros).as_bytes());
    }

    /// The same with a value that is text already.
    #[inline]
    pub fn text(&mut self, name: FieldName, value: &[u8]) {
        if is_value(value) {
            self.plain(name, value);
        } else {
            self.last = None;
        }
    }

    /// The same with a value that Weir has written itself, and that is visible ASCII. Inlined, so that a name of known
    /// length is a few moves.
    #[inline(always)]
    pub fn plain(&mut self, FieldName(name): FieldName, value: &[u8]) {
        self.text.extend_from_slice(name.as_bytes());
        self.last = Some(self.text.len());
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
    }

    /// Adds another field with the value of the one that was added just before.
    pub fn repeat(&mut self, FieldName(name): FieldName) {
        let Some(last) = self.last else { return };
        let value = last..self.text.len().saturating_sub(2);
        self.text.extend_from_slice(name.as_bytes());
        self.last = Some(self.text.len());
        self.text.extend_from_within(value);
        self.text.extend_from_slice(b"\r\n");
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

/// Whether a header can hold this value.
fn is_value(value: &[u8]) -> bool {
    is_plain(value) || value.iter().all(|byte| (*byte >= b' ' || *byte == b'\t') & (*byte != 0x7f))
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
        lines.put(field_name!("content-type"), "application/json");
        lines.put(field_name!("etag"), "a\r\nset-cookie: b");
        lines.number(field_name!("age"), 7u8);
        assert_eq!(lines.as_bytes(), b"content-type: application/json\r\nage: 7\r\n");
        lines.repeat(field_name!("max-forwards"));
        lines.millis(field_name!("date"), Duration::from_nanos(12_000_345_678));
        assert!(lines.as_bytes().ends_with(b"age: 7\r\nmax-forwards: 7\r\ndate: 12000.345\r\n"));
        let mut more = HeaderLines::default();
        more.put(field_name!("age"), "8");
        lines.extend(&more);
        let map = lines.to_map();
        assert_eq!(map[header::CONTENT_TYPE], "application/json");
        assert_eq!(map.get_all(header::AGE).iter().collect::<Vec<_>>(), ["7", "8"]);
    }
}
