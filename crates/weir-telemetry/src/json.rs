//! Writes the few JSON forms a log line needs straight into a buffer, without a tree and without allocating.

use std::time::Duration;
use weir_core::text::{Thousandths, is_plain};

/// The name of a member as it stands in an object: `"name":`, which needs no escaping.
macro_rules! name {
    ($name:literal) => {
        $crate::json::Name(concat!(",\"", $name, "\":"))
    };
}
pub(crate) use name;

/// A member's name with everything around it, comma first, made by [`name!`].
#[derive(Clone, Copy)]
pub(crate) struct Name(pub(crate) &'static str);

/// Writes the members of one object. Absent values leave their member out.
pub(crate) struct Object<'b> {
    out: &'b mut Vec<u8>,
    empty: bool,
}

impl<'b> Object<'b> {
    pub(crate) fn begin(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Object { out, empty: true }
    }

    /// To write members that stand behind others.
    pub(crate) fn further(out: &'b mut Vec<u8>) -> Self {
        Object { out, empty: false }
    }

    /// Adds members that were written by [`Object::further`].
    pub(crate) fn add(&mut self, members: &[u8]) {
        self.out.extend_from_slice(members);
    }

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Starts a member whose value the caller writes. Inlined, so that a name of known length is a few moves.
    #[inline(always)]
    pub(crate) fn member(&mut self, Name(name): Name) -> &mut Vec<u8> {
        if std::mem::take(&mut self.empty) {
            self.out.extend_from_slice(name.get(1..).unwrap_or_default().as_bytes());
        } else {
            self.out.extend_from_slice(name.as_bytes());
        }
        self.out
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, name: Name, value: &str) {
        string(self.member(name), value);
    }

    #[inline(always)]
    pub(crate) fn text_if(&mut self, name: Name, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A text that is known to need no escaping.
    #[inline(always)]
    pub(crate) fn plain(&mut self, name: Name, value: &[u8]) {
        quoted(self.member(name), value);
    }

    #[inline(always)]
    pub(crate) fn number(&mut self, name: Name, value: u64) {
        integer(self.member(name), value);
    }

    #[inline(always)]
    pub(crate) fn flag(&mut self, name: Name, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Milliseconds with three decimals, rounded half up.
    #[inline(always)]
    pub(crate) fn millis(&mut self, name: Name, value: Duration) {
        millis(self.member(name), value);
    }
}

fn millis(out: &mut Vec<u8>, value: Duration) {
    let micros = value.as_secs().saturating_mul(1_000_000);
    let micros = micros.saturating_add(u64::from((value.subsec_nanos() + 500) / 1_000));
    out.extend_from_slice(Thousandths::of(micros).as_bytes());
}

/// The last digit of a number.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

/// A string of which no byte needs escaping.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// A JSON string. Besides what JSON demands, characters that steer terminals (DEL and U+0080 to U+009F) are escaped,
/// since log lines are read there.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // Nearly every text is.
    if is_plain(text.as_bytes()) {
        quoted(out, text.as_bytes());
    } else {
        escaped(out, text.as_bytes());
    }
}

#[cold]
fn escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let mut copied = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if plain(byte) {
            continue;
        }
        let next = bytes.get(i + 1).copied().unwrap_or_default();
        let (skipped, code) = match byte {
            0xC2 if (0x80..=0x9F).contains(&next) => (2, next),
            0xC2 => continue,
            _ => (1, byte),
        };
        out.extend_from_slice(bytes.get(copied..i).unwrap_or_default());
        copied = i + skipped;
        match code {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            code => {
                out.extend_from_slice(b"\\u00");
                out.extend(
                    [code >> 4, code & 15]
                        .map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }),
                );
            }
        }
    }
    out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    out.push(b'"');
}

/// Whether a byte of UTF-8 is copied as it is. 0xC2 is looked at again, because it begins U+0080 to U+009F.
fn plain(byte: u8) -> bool {
    byte >= 0x20 && !matches!(byte, b'"' | b'\\' | 0x7F | 0xC2)
}

/// A whole number.
pub(crate) fn integer(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        return out.push(digit(value));
    }
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A whole number with leading zeros up to `width` digits, at most 20.
pub(crate) fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value).as_bytes();
    let zeros = width.saturating_sub(digits.len());
    out.extend_from_slice(b"00000000000000000000".get(..zeros).unwrap_or_default());
    out.extend_from_slice(digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_string_survives_and_stays_on_one_line() {
        let every_low: String = (0..=0x2100).filter_map(char::from_u32).collect();
        for text in [
            "",
            "gpt-4o",
            "a\"b\\c",
            "line\nfeed\r\t",
            "\u{1b}[31m\u{9b}",
            "né 模型 🦀",
            "\u{c2}Â°",
            &every_low,
        ] {
            let json = written(|out| string(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
            assert!(!json.chars().any(char::is_control), "{json}");
        }
    }

    #[test]
    fn numbers_print_as_the_standard_library_prints_them() {
        for value in [0, 1, 9, 10, 12_345, u64::MAX] {
            assert_eq!(written(|out| integer(out, value)), value.to_string());
            assert_eq!(written(|out| padded(out, value, 6)), format!("{value:06}"));
        }
    }

    #[test]
    fn times_are_milliseconds_with_three_decimals() {
        for (nanos, expect) in [
            (0, "0.000"),
            (499, "0.000"),
            (500, "0.001"),
            (1_234_567, "1.235"),
            (60_000_000_000, "60000.000"),
        ] {
            let line = written(|out| {
                let mut object = Object::begin(out);
                object.millis(name!("t"), Duration::from_nanos(nanos));
                object.end();
            });
            assert_eq!(line, format!("{{\"t\":{expect}}}"));
        }
    }
}
