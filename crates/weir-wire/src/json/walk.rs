//! The grammar of JSON: each function is given where something begins and tells where it ends.
//!
//! All of them take offsets and give offsets, and a fault is one word, so that everything stays in registers: these
//! are the loops in which most of the time for a body goes.

use super::text::{self, plain_length};
use super::{JsonFault, MAX_DEPTH};

/// Why reading stopped, and where: the offset above, a number in [`WHAT`] in the lowest byte.
#[derive(Clone, Copy)]
pub(super) struct Stop(u64);

/// Where something ends.
type End = Result<usize, Stop>;

/// What can be wrong, as [`JsonFault::what`] says it.
#[derive(Clone, Copy)]
pub(super) enum What {
    UnexpectedEnd,
    NoValue,
    NoKey,
    NoColon,
    NoCommaInObject,
    NoCommaInArray,
    TrailingComma,
    TooDeep,
    LeadingZero,
    NoDigit,
    UnendedString,
    Control,
    UnknownEscape,
    BadHex,
    HalfPair,
    NoObject,
    TextBehind,
}

const WHAT: [&str; 17] = [
    "unexpected end",
    "expected a value",
    "expected a key in double quotes",
    "expected `:`",
    "expected `,` or `}`",
    "expected `,` or `]`",
    "trailing comma",
    "nested too deeply",
    "number with a leading zero",
    "number without a digit",
    "string without an end",
    "control character in a string (it must be escaped)",
    "unknown escape",
    "`\\u` without four hexadecimal digits",
    super::HALF_A_PAIR,
    "expected a JSON object",
    "unexpected text after the end of the object",
];

impl Stop {
    #[cold]
    pub(super) fn at(at: usize, what: What) -> Stop {
        Stop((at as u64) << 8 | what as u64)
    }
}

impl From<Stop> for JsonFault {
    #[cold]
    fn from(stop: Stop) -> JsonFault {
        let [what, ..] = stop.0.to_le_bytes();
        let what = WHAT.get(usize::from(what)).copied().unwrap_or_default();
        JsonFault { offset: usize::try_from(stop.0 >> 8).unwrap_or(usize::MAX), what }
    }
}

/// The first byte from `at` on that is no white space.
#[inline(always)]
pub(super) fn space(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(byte) if *byte <= b' ' => spaces(bytes, at),
        _ => at,
    }
}

#[inline(never)]
fn spaces(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// A value that begins at `at`, with room for so many more levels.
#[inline(always)]
pub(super) fn value(bytes: &[u8], at: usize, room: u32) -> End {
    match bytes.get(at) {
        Some(b'{' | b'[') => nested(bytes, at, room),
        _ => scalar(bytes, at),
    }
}

/// A value that is no object and no array.
#[inline(always)]
fn scalar(bytes: &[u8], at: usize) -> End {
    match bytes.get(at) {
        Some(b'"') => Ok(string(bytes, at)?.0 + 1),
        Some(b'-' | b'0'..=b'9') => number(bytes, at),
        _ => word(bytes, at),
    }
}

#[inline(never)]
fn word(bytes: &[u8], at: usize) -> End {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first() {
        Some(b't') if rest.starts_with(b"true") => Ok(at + 4),
        Some(b'f') if rest.starts_with(b"false") => Ok(at + 5),
        Some(b'n') if rest.starts_with(b"null") => Ok(at + 4),
        Some(_) => Err(missing(bytes, at, b']', What::NoValue)),
        None => Err(Stop::at(at, What::UnexpectedEnd)),
    }
}

/// A key or value that is not there; when a comma stands right before `close`, that is what is told of.
#[cold]
fn missing(bytes: &[u8], at: usize, close: u8, what: What) -> Stop {
    let before = bytes.get(..at).unwrap_or_default().trim_ascii_end();
    let trailing = bytes.get(at) == Some(&close) && before.ends_with(b",");
    Stop::at(at, if trailing { What::TrailingComma } else { what })
}

/// The kind of a value is asked for that is not there.
#[cold]
pub(super) fn no_value(bytes: &[u8], at: usize) -> Stop {
    match bytes.get(at) {
        Some(_) => missing(bytes, at, b']', What::NoValue),
        None => Stop::at(at, What::UnexpectedEnd),
    }
}

/// An object or array of any depth, without recursion: `objects` holds one bit per open level, the lowest the innermost,
/// set for an object.
#[inline(never)]
fn nested(bytes: &[u8], mut at: usize, room: u32) -> End {
    const { assert!(MAX_DEPTH <= u128::BITS) };
    let mut objects: u128 = 0;
    let mut open = 0;
    loop {
        match bytes.get(at) {
            Some(bracket @ (b'{' | b'[')) => {
                if open == room {
                    return Err(Stop::at(at, What::TooDeep));
                }
                open += 1;
                let object = *bracket == b'{';
                objects = objects << 1 | u128::from(object);
                at = space(bytes, at + 1);
                let close = if object { b'}' } else { b']' };
                if bytes.get(at) != Some(&close) {
                    if object {
                        at = key(bytes, at)?.1;
                    }
                    continue;
                }
            }
            _ => at = space(bytes, scalar(bytes, at)?),
        }
        // Behind a value, or at the end of something empty.
        loop {
            let object = objects & 1 == 1;
            match bytes.get(at) {
                Some(b',') => {
                    at = space(bytes, at + 1);
                    if object {
                        at = key(bytes, at)?.1;
                    }
                    break;
                }
                Some(b'}') if object => {}
                Some(b']') if !object => {}
                _ => return Err(no_comma(bytes, at, object)),
            }
            at += 1;
            open -= 1;
            objects >>= 1;
            if open == 0 {
                return Ok(at);
            }
            at = space(bytes, at);
        }
    }
}

#[cold]
pub(super) fn no_comma(bytes: &[u8], at: usize, object: bool) -> Stop {
    Stop::at(
        at,
        match bytes.get(at) {
            None => What::UnexpectedEnd,
            Some(_) if object => What::NoCommaInObject,
            Some(_) => What::NoCommaInArray,
        },
    )
}

/// A member's name that begins at `at`, and its colon: where the name's closing quote stands and whether there are escapes
/// before it, and where the value begins.
#[inline(always)]
pub(super) fn key(bytes: &[u8], at: usize) -> Result<((usize, bool), usize), Stop> {
    if bytes.get(at) != Some(&b'"') {
        return Err(no_key(bytes, at));
    }
    let (end, escaped) = string(bytes, at)?;
    let colon = space(bytes, end + 1);
    match bytes.get(colon) {
        Some(b':') => Ok(((end, escaped), space(bytes, colon + 1))),
        Some(_) => Err(Stop::at(colon, What::NoColon)),
        None => Err(Stop::at(colon, What::UnexpectedEnd)),
    }
}

#[cold]
fn no_key(bytes: &[u8], at: usize) -> Stop {
    match bytes.get(at) {
        Some(_) => missing(bytes, at, b'}', What::NoKey),
        None => Stop::at(at, What::UnexpectedEnd),
    }
}

/// A string whose opening quote stands at `at`: where the closing one stands, and whether there are escapes before it.
#[inline(always)]
pub(super) fn string(bytes: &[u8], at: usize) -> Result<(usize, bool), Stop> {
    let inside = at + 1;
    let end = inside + plain_length(bytes.get(inside..).unwrap_or_default());
    if bytes.get(end) == Some(&b'"') { Ok((end, false)) } else { Ok((escaped_string(bytes, end)?, true)) }
}

/// The rest of a string, from a byte on that is not plain.
#[inline(never)]
fn escaped_string(bytes: &[u8], mut at: usize) -> End {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match rest {
            [b'"', ..] => return Ok(at),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => at += 2,
            [b'\\', b'u', hex @ ..] => match text::escape(rest) {
                Some((_, length)) => at += length,
                None if text::hex4(hex).is_some() => return Err(Stop::at(at, What::HalfPair)),
                None => return Err(Stop::at(at, What::BadHex)),
            },
            [b'\\', _, ..] => return Err(Stop::at(at, What::UnknownEscape)),
            [b'\\'] | [] => return Err(Stop::at(at, What::UnendedString)),
            [_, ..] => return Err(Stop::at(at, What::Control)),
        }
        at += plain_length(bytes.get(at..).unwrap_or_default());
    }
}

/// A number whose sign or first digit stands at `at`.
#[inline(always)]
fn number(bytes: &[u8], at: usize) -> End {
    let first = at + usize::from(bytes.get(at) == Some(&b'-'));
    let end = whole(bytes, first);
    match bytes.get(end) {
        Some(b'.' | b'e' | b'E') => return fraction(bytes, first, end),
        _ if end == first => return Err(Stop::at(first, What::NoDigit)),
        _ => {}
    }
    if bytes.get(first) == Some(&b'0') && end > first + 1 {
        return Err(Stop::at(first + 1, What::LeadingZero));
    }
    Ok(end)
}

/// A number that goes on at `end` behind the digits before its point.
#[inline(never)]
fn fraction(bytes: &[u8], first: usize, end: usize) -> End {
    if end == first {
        return Err(Stop::at(first, What::NoDigit));
    }
    if bytes.get(first) == Some(&b'0') && end > first + 1 {
        return Err(Stop::at(first + 1, What::LeadingZero));
    }
    let digits = |at: usize| match whole(bytes, at) {
        end if end == at => Err(Stop::at(at, What::NoDigit)),
        end => Ok(end),
    };
    let mut at = end;
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(at + 1 + usize::from(signed))?;
    }
    Ok(at)
}

/// A number of few enough digits to fit and nothing else, and where it ends. `None` says nothing.
#[inline]
pub(super) fn short_number(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    const MOST: usize = 19; // 10^19 is less than 2^64
    let mut number = 0u64;
    let mut end = at;
    while let Some(digit) = bytes.get(end).filter(|byte| byte.is_ascii_digit()) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(*digit - b'0'));
        end += 1;
    }
    let is_whole = !matches!(bytes.get(end), Some(b'.' | b'e' | b'E'));
    let has_leading_zero = end > at + 1 && bytes.get(at) == Some(&b'0');
    (end > at && end <= at + MOST && is_whole && !has_leading_zero).then_some((number, end))
}

#[inline(always)]
fn whole(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
