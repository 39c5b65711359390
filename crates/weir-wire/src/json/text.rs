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
    pub fn unescape(&self) -> Cow<'b, str> {
        if self.escaped { Cow::Owned(unescape(self.raw)) } else { Cow::Borrowed(self.raw) }
    }
}

/// Offset of the first byte of `bytes` that may not stand in a string as it is (`"`, `\` or a control character), or
/// its length. The inner loop of everything here: a short string costs one block of vector compares, a long one goes
/// on with `memchr`, whose start costs more and whose stride is longer.
#[inline]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let Some((block, rest)) = bytes.split_first_chunk::<16>() else {
        return bytes.iter().position(|&b| is_special(b)).unwrap_or(bytes.len());
    };
    let (first, second) = block.split_at(8);
    let a = swar(first);
    if a != 0 { return (a.trailing_zeros() / 8) as usize; }
    let b = swar(second);
    if b != 0 { return 8 + (b.trailing_zeros() / 8) as usize; }
    16 + long_plain_length(rest)
}

#[inline]
fn swar(block: &[u8]) -> u64 {
    let mut w = [0u8; 8];
    w.copy_from_slice(block);
    let w = u64::from_le_bytes(w);
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let quote = w ^ (ONES * b'"' as u64);
    let slash = w ^ (ONES * b'\\' as u64);
    (quote.wrapping_sub(ONES) & !quote | slash.wrapping_sub(ONES) & !slash | w.wrapping_sub(ONES * 0x20) & !w) & HIGH
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

fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
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
    out
}
