//! JSON strings: finding their end, and what they say.

use std::borrow::Cow;

/// A JSON string where it stands: checked, not yet unescaped.
#[derive(Clone, Copy, Debug)]
pub struct Text<'b> {
    raw: &'b str,
    start: usize,
    escaped: bool,
}

impl<'b> Text<'b> {
    pub(super) fn new(raw: &'b str, start: usize, escaped: bool) -> Self {
        Text { raw, start, escaped }
    }

    /// The bytes between the quotes, escapes as they were written.
    pub fn raw(&self) -> &'b str {
        self.raw
    }

    /// Where the opening quote stands, in bytes from the start of what was read.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Whether nothing stands between the quotes.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// What the string says.
    #[inline]
    pub fn unescape(&self) -> Cow<'b, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

impl Text<'_> {
    /// Appends what the string says.
    pub fn unescape_into(&self, out: &mut String) {
        if self.escaped { unescape_into(self.raw, out) } else { out.push_str(self.raw) }
    }
}

/// So many words are looked at one by one before a string counts as a long one.
const SHORT: usize = 6;

/// Offset of the first byte of `bytes` that may not stand in a string as it is (`"`, `\` or a control character), or
/// its length. The inner loop of everything here: a short string costs a few words, a long one goes on with `memchr`,
/// whose start costs more and whose stride is longer.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words.iter().take(SHORT) {
        let marks = special_marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    if words.len() > SHORT {
        return at + long_plain_length(bytes.get(at..).unwrap_or_default());
    }
    at + rest.iter().position(|&b| is_special(b)).unwrap_or(rest.len())
}

/// The high bit of the first special byte of a little-endian word is set, no lower one is; higher ones may be wrong.
///
/// After "Bit Twiddling Hacks" (Anderson), `haszero` and `hasless`: subtracting borrows out of a byte only when it is
/// the one looked for, so what is wrong stands above what is right.
#[inline]
const fn special_marks(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let slashes = slash.wrapping_sub(ONES) & !slash;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | slashes | controls) & HIGH
}

fn long_plain_length(bytes: &[u8]) -> usize {
    let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
    let plain = bytes.get(..end).unwrap_or(bytes);
    if plain.iter().fold(false, |any, &byte| any | (byte < 0x20)) {
        return plain.iter().position(|&byte| byte < 0x20).unwrap_or(end);
    }
    end
}

#[inline]
pub(super) fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < 0x20)
}

/// The four hexadecimal digits at the start of `bytes`.
pub(super) fn hex4(bytes: &[u8]) -> Option<u16> {
    bytes.get(..4)?.iter().try_fold(0u16, |value, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u16::try_from(digit).ok()?)
    })
}

/// The value of one escape, and the bytes it takes: `\n` is two, `\u00e9` six, a surrogate pair twelve. `None` when
/// it is not one RFC 8259 §7 knows, or half a pair.
pub(super) fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let value = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex4(bytes.get(2..)?)?;
            if !(0xd800..=0xdfff).contains(&first) {
                return Some((char::from_u32(u32::from(first))?, 6));
            }
            let second = hex4(bytes.get(6..)?.strip_prefix(b"\\u")?)?;
            let pair = char::decode_utf16([first, second]).next()?.ok()?;
            return Some((pair, 12));
        }
        _ => return None,
    };
    Some((value, 2))
}

/// Whether `bytes` could stand between the quotes of a JSON string.
pub(crate) fn is_inside_of_string(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = rest.get(plain_length(rest)..).unwrap_or_default();
        if rest.is_empty() {
            return simdutf8::basic::from_utf8(bytes).is_ok();
        }
        match escape(rest) {
            Some((_, length)) if rest.starts_with(b"\\") => rest = rest.get(length..).unwrap_or_default(),
            _ => return false,
        }
    }
}

/// What the inside of a JSON string says; `None` when it is not UTF-8.
pub(crate) fn unescaped(raw: &[u8]) -> Option<Cow<'_, str>> {
    let raw = simdutf8::basic::from_utf8(raw).ok()?;
    let escaped = memchr::memchr(b'\\', raw.as_bytes()).is_some();
    Some(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
}

#[cold]
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    unescape_into(raw, &mut out);
    out
}

fn unescape_into(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, from) = rest.split_at(at);
        out.push_str(plain);
        // The reader has checked every escape, so both of these are always found.
        let Some((value, length)) = escape(from.as_bytes()) else { break };
        out.push(value);
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
}
