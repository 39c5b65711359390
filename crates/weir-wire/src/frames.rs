//! Streams of AWS's binary messages (`application/vnd.amazon.eventstream`): where each ends in a stream of bytes, and what
//! it says.
//!
//! A message is its length, the length of its headers, a checksum of these two, headers, payload, and a checksum of
//! everything before (<https://smithy.io/2.0/aws/amazon-eventstream.html>; sizes as botocore's `eventstream.py` allows
//! them). Of the headers, `:message-type` says whether it is an event, an exception or an error, and `:event-type`,
//! `:exception-type` or `:error-code` which one.

use std::borrow::Cow;
use std::fmt;

/// Length, length of headers, checksum.
const PRELUDE: usize = 12;

/// The checksum at the end.
const TRAILER: usize = 4;

/// The smallest message has neither headers nor a payload.
const LEAST: usize = PRELUDE + TRAILER;

/// So many bytes of headers a message has at most.
const MOST_HEADERS: usize = 128 * 1024;

/// What stands before the name of what is no event, so that one name is enough to tell events from troubles.
pub const TROUBLE: u8 = b'!';

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'f> {
    /// Exactly the bytes that came.
    pub raw: &'f [u8],
    /// The event's type, such as `messageStart`; an exception's type or an error's code behind a [`TROUBLE`].
    pub name: Cow<'f, [u8]>,
    /// The payload. An error, which has none, gets one that holds its `message`.
    pub data: Cow<'f, [u8]>,
}

/// Why the rest of a stream cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// A message is larger than is held back.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A checksum or a length is wrong, or headers are not what they should be.
    Damaged(&'static str),
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameFault::TooLarge { limit } => {
                write!(f, "a message of the stream is larger than {limit} bytes")
            }
            FrameFault::Damaged(what) => write!(f, "a message of the stream is damaged: {what}"),
        }
    }
}

impl std::error::Error for FrameFault {}

/// Splits a stream of bytes into messages. Only the bytes of a message that a chunk's end cuts are held back, up to a
/// limit; a message that would be larger is refused as soon as it says so. After a fault nothing more is given.
#[derive(Debug)]
pub struct Frames {
    carry: Vec<u8>,
    limit: usize,
    failed: Option<FrameFault>,
}

impl Frames {
    /// At the start of a stream, holding back at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Frames { carry: Vec::new(), limit, failed: None }
    }

    /// Takes the next bytes and gives each message that is now complete.
    ///
    /// # Errors
    /// What came cannot be understood, and neither can what comes after it.
    pub fn push(&mut self, chunk: &[u8], give: &mut impl FnMut(&Frame<'_>)) -> Result<(), FrameFault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        let taken = self.take(chunk, give);
        if let Err(fault) = taken {
            self.failed = Some(fault);
            self.carry = Vec::new();
        }
        taken
    }

    /// Ends the stream: the bytes of a message that was cut, or nothing.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.carry)
    }

    fn take(&mut self, mut chunk: &[u8], give: &mut impl FnMut(&Frame<'_>)) -> Result<(), FrameFault> {
        while !chunk.is_empty() {
            if self.carry.is_empty()
                && let Some(length) = self.length(chunk)?
                && let Some((message, rest)) = chunk.split_at_checked(length)
            {
                give(&parse(message)?);
                chunk = rest;
                continue;
            }
            // First what tells the length, then what is missing of it.
            let wanted = match self.length(&self.carry)? {
                None => PRELUDE,
                Some(length) => length,
            };
            let missing = wanted.saturating_sub(self.carry.len()).min(chunk.len());
            let (more, rest) = chunk.split_at(missing);
            self.carry.extend_from_slice(more);
            chunk = rest;
            if self.length(&self.carry)? == Some(self.carry.len()) {
                let message = std::mem::take(&mut self.carry);
                give(&parse(&message)?);
            }
        }
        Ok(())
    }

    /// How long the message that begins here is, as soon as it says so.
    fn length(&self, start: &[u8]) -> Result<Option<usize>, FrameFault> {
        let Some(prelude) = start.get(..PRELUDE) else { return Ok(None) };
        let (told, checksum) = prelude.split_at(PRELUDE - TRAILER);
        if number(checksum) != crc32fast::hash(told) {
            return Err(FrameFault::Damaged("the checksum of its beginning is wrong"));
        }
        let (length, headers) = told.split_at(4);
        let size = |bytes| usize::try_from(number(bytes)).unwrap_or(usize::MAX);
        let (length, headers) = (size(length), size(headers));
        if length < LEAST || headers > MOST_HEADERS || headers > length - LEAST {
            return Err(FrameFault::Damaged("its lengths do not fit each other"));
        }
        if length > self.limit {
            return Err(FrameFault::TooLarge { limit: self.limit });
        }
        Ok(Some(length))
    }
}

/// A number of up to four bytes, the most significant first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A message whose beginning has been checked.
fn parse(message: &[u8]) -> Result<Frame<'_>, FrameFault> {
    let damaged = FrameFault::Damaged;
    let (told, checksum) = message.split_at(message.len().saturating_sub(TRAILER));
    if number(checksum) != crc32fast::hash(told) {
        return Err(damaged("its checksum is wrong"));
    }
    let length = usize::try_from(number(told.get(4..8).unwrap_or_default())).unwrap_or(usize::MAX);
    let body = told.get(PRELUDE..).unwrap_or_default();
    let (headers, payload) = body.split_at_checked(length).ok_or(damaged("its headers are cut"))?;
    let headers = Headers::read(headers)?;
    let trouble = |name: &[u8]| Cow::Owned([&[TROUBLE], name].concat());
    Ok(match headers.kind {
        // Whoever leaves the type out sends events.
        b"event" | b"" => Frame { raw: message, name: headers.event.into(), data: payload.into() },
        b"exception" => Frame { raw: message, name: trouble(headers.exception), data: payload.into() },
        b"error" => {
            let said = String::from_utf8_lossy(headers.error_message);
            let data = serde_json::json!({ "message": said }).to_string().into_bytes();
            Frame { raw: message, name: trouble(headers.error_code), data: data.into() }
        }
        _ => return Err(damaged("it is neither an event nor an exception")),
    })
}

/// The headers that matter; empty where there is none.
#[derive(Default)]
struct Headers<'h> {
    kind: &'h [u8],
    event: &'h [u8],
    exception: &'h [u8],
    error_code: &'h [u8],
    error_message: &'h [u8],
}

impl<'h> Headers<'h> {
    fn read(mut bytes: &'h [u8]) -> Result<Self, FrameFault> {
        let mut headers = Headers::default();
        while !bytes.is_empty() {
            let (name, value, rest) = header(bytes).ok_or(FrameFault::Damaged("a header is cut"))?;
            bytes = rest;
            match name {
                b":message-type" => headers.kind = value,
                b":event-type" => headers.event = value,
                b":exception-type" => headers.exception = value,
                b":error-code" => headers.error_code = value,
                b":error-message" => headers.error_message = value,
                _ => {}
            }
        }
        Ok(headers)
    }
}

/// Name and value of the first header, and what follows it. Values that are no text are only stepped over.
fn header(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let size = match kind {
        0 | 1 => 0, // true, false
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8, // a long, a time
        9 => 16,    // a UUID
        6 | 7 => {
            let (length, rest) = rest.split_at_checked(2)?;
            let (value, rest) = rest.split_at_checked(usize::try_from(number(length)).ok()?)?;
            return Some((name, if *kind == TEXT { value } else { b"" }, rest));
        }
        _ => return None,
    };
    let (_, rest) = rest.split_at_checked(size)?;
    Some((name, b"", rest))
}

/// The type of a header that is text.
const TEXT: u8 = 7;

/// Appends a message with a payload of JSON. A name that begins with [`TROUBLE`] makes it an exception.
pub(crate) fn write(out: &mut Vec<u8>, name: &str, payload: &[u8]) {
    let mut headers = Vec::with_capacity(96);
    let mut text = |name: &str, value: &str| {
        headers.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        headers.extend_from_slice(name.as_bytes());
        headers.push(TEXT);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    };
    match name.strip_prefix(char::from(TROUBLE)) {
        Some(name) => text(":exception-type", name),
        None => text(":event-type", name),
    }
    text(":content-type", "application/json");
    text(":message-type", if name.starts_with(char::from(TROUBLE)) { "exception" } else { "event" });
    message(out, &headers, payload);
}

/// Lengths, headers, payload, checksums.
fn message(out: &mut Vec<u8>, headers: &[u8], payload: &[u8]) {
    let start = out.len();
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&size(LEAST + headers.len() + payload.len()));
    out.extend_from_slice(&size(headers.len()));
    let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    let checksum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
mod tests;
