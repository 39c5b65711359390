//! JSON strings: finding their end, and what they say.

use std::borrow::Cow;
use wide::u8x16;

/// A JSON string where it stands: checked, not yet unescaped.
#[derive(Clone, Copy, Debug)]
pub struct Text<'b> {
    /// All that is read.
    all: &'b str,
    /// Where the quotes stand in it.
    start: usize,
    end: usize,
    escaped: bool,
}

impl<'b> Text<'b> {
    /// The string whose quotes stand at `start` and `end` of `all`.
    #[inline(always)]
    pub(super) fn new(all: &'b str, start: usize, end: usize, escaped: bool) -> Self {
        Text { all, start, end, escaped }
    }

    /// The bytes between the quotes, escapes as they were written.
    #[inline]
    pub fn raw(&self) -> &'b str {
        // Quotes are ASCII, so both ends are character boundaries.
        self.all.get(self.start + 1..self.end).unwrap_or_default()
    }

    /// Where the opening quote stands, in bytes from the start of what was read.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Whether nothing stands between the quotes.
    pub fn is_empty(&self) -> bool {
        self.end == self.start + 1
    }

    /// What the string says.
    #[inline]
    pub fn unescape(&self) -> Cow<'b, str> {
        if self.escaped { Cow::Owned(unescape(self.raw())) } else { Cow::Borrowed(self.raw()) }
    }
}

impl Text<'_> {
    /// Appends what the string says.
    pub fn unescape_into(&self, out: &mut String) {
        if self.escaped { unescape_into(self.raw(), out) } else { out.push_str(self.raw()) }
    }

    /// The first eight bytes of what it says and its length in one word: different words mean different strings.
    #[inline]
    pub(super) fn mark(&self) -> u64 {
        if self.escaped {
            return mark(unescape(self.raw()).as_bytes());
        }
        let length = self.end - self.start - 1;
        // Names are seldom eight bytes long or longer, but what stands behind them is at hand.
        match self.all.as_bytes().get(self.start + 1..).and_then(|from| from.first_chunk()) {
            Some(head) => {
                let head = u64::from_le_bytes(*head);
                let kept = if length < 8 { head & ((1 << (8 * length)) - 1) } else { head };
                with_length(kept, length)
            }
            None => mark(self.raw().as_bytes()),
        }
    }
}

/// The same of bytes.
pub(super) fn mark(name: &[u8]) -> u64 {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(name) {
        *to = *from;
    }
    with_length(u64::from_le_bytes(head), name.len())
}

#[inline]
fn with_length(head: u64, length: usize) -> u64 {
    head ^ (length as u64).rotate_right(8)
}

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// Offset of the first byte of `bytes` that may not stand in a string as it is (`"`, `\` or a control character), or
/// its length. The inner loop of everything here: most strings end in the first block, which is why it stands apart.
#[inline(always)]
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    match bytes.first_chunk::<BLOCK>() {
        Some(block) => match special_marks(block).to_bitmask() {
            0 => long_plain_length(bytes),
            marks => marks.trailing_zeros() as usize,
        },
        None => short_plain_length(bytes),
    }
}

/// The same of a string whose first block is plain. The second block still stands apart: many names end in it.
#[inline(never)]
fn long_plain_length(bytes: &[u8]) -> usize {
    const FOUR: usize = 4 * BLOCK;
    let mut at = BLOCK;
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        match special_marks(block).to_bitmask() {
            0 => at += BLOCK,
            marks => return at + marks.trailing_zeros() as usize,
        }
        while let Some(four) = bytes.get(at..).and_then(|rest| rest.first_chunk::<FOUR>()) {
            let (blocks, _) = four.as_chunks::<BLOCK>();
            if blocks.iter().fold(u8x16::ZERO, |any, block| any | special_marks(block)).any() {
                break;
            }
            at += FOUR;
        }
    }
    at + short_plain_length(bytes.get(at..).unwrap_or_default())
}

/// The same of less than a block. What fills it up is special.
#[inline(never)]
fn short_plain_length(bytes: &[u8]) -> usize {
    let mut block = [0; BLOCK];
    for (to, from) in block.iter_mut().zip(bytes) {
        *to = *from;
    }
    special_marks(&block).to_bitmask().trailing_zeros() as usize
}

/// All bits of the special bytes of a block are set, all others are not. With its second bit turned, a quote stands right
/// above the control characters, and nothing else does.
#[inline(always)]
fn special_marks(block: &[u8; BLOCK]) -> u8x16 {
    const TURNED: u8 = 2;
    let bytes = u8x16::new(*block);
    let turned = bytes ^ u8x16::splat(TURNED);
    let low = turned.min(u8x16::splat(b'"' ^ TURNED)).simd_eq(turned);
    low | bytes.simd_eq(u8x16::splat(b'\\'))
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
