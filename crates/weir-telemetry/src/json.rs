//! Writes the few JSON forms a log line needs straight into a buffer, without a tree and without allocating.

use std::time::Duration;

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

    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    /// Starts a member whose value the caller writes.
    #[inline]
    pub(crate) fn member(&mut self, Name(name): Name) -> &mut Vec<u8> {
        let name = if self.empty { name.get(1..).unwrap_or_default() } else { name };
        self.empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out
    }

    pub(crate) fn text(&mut self, name: Name, value: &str) {
        string(self.member(name), value);
    }

    pub(crate) fn text_if(&mut self, name: Name, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A text that is known to need no escaping.
    pub(crate) fn plain(&mut self, name: Name, value: &[u8]) {
        let out = self.member(name);
        out.push(b'"');
        out.extend_from_slice(value);
        out.push(b'"');
    }

    pub(crate) fn number(&mut self, name: Name, value: u64) {
        integer(self.member(name), value);
    }

    pub(crate) fn flag(&mut self, name: Name, value: bool) {
        self.member(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Milliseconds with three decimals, rounded half up.
    pub(crate) fn millis(&mut self, name: Name, value: Duration) {
        let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        let micros = nanos.saturating_add(500) / 1_000;
        let out = self.member(name);
        integer(out, micros / 1_000);
        out.push(b'.');
        padded(out, micros % 1_000, 3);
    }
}

/// A JSON string. Besides what JSON demands, characters that steer terminals (DEL and U+0080 to U+009F) are escaped,
/// since log lines are read there.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    // Nearly every text is plain; this look at all of it at once is much cheaper than the one below.
    if !bytes.iter().fold(false, |any, &byte| any | !plain(byte)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
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

/// Pico-USD as an exact decimal number of USD, without trailing zeros; the same text as `Cost` prints.
pub(crate) fn usd(out: &mut Vec<u8>, pico: i128) {
    const SCALE: u128 = 1_000_000_000_000;
    if pico < 0 {
        out.push(b'-');
    }
    let pico = pico.unsigned_abs();
    let whole = pico / SCALE;
    match u64::try_from(whole) {
        Ok(whole) => integer(out, whole),
        Err(_) => out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes()),
    }
    let fraction = u64::try_from(pico % SCALE).unwrap_or_default(); // below 10¹²
    if fraction > 0 {
        out.push(b'.');
        padded(out, fraction, 12);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::Cost;

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
    fn money_prints_as_cost_prints_it() {
        for pico in
            [0, 1, -1, 999_999_999_999, 1_000_000_000_000, 1_230_000_000_000, 50, i128::MAX, i128::MIN]
        {
            assert_eq!(written(|out| usd(out, pico)), Cost::from_pico_usd(pico).to_string());
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
