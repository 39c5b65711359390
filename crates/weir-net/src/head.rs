//! Reading the head of an answer.

use crate::answer::AnswerHead;
use crate::fields::{FieldLine, FieldLines, NoField, end_of_line, line_feed};
use crate::framing::Framing;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, StatusCode, header};
use std::ops::Range;
use weir_core::text::{is_named, number};

/// A head larger than this is refused.
const MAX_HEAD: usize = 128 * 1024;

/// Header lines at most.
const MAX_FIELDS: usize = 100;

/// Informational answers (1xx) before the one that counts, at most.
const MOST_INFORMATIONAL: u32 = 16;

/// A head that has been read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) head: AnswerHead,
    pub(crate) framing: Framing,
    /// Whether the connection may serve another request when the body has been read.
    pub(crate) reusable: bool,
    /// What came behind it.
    pub(crate) ahead: Bytes,
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// What has come while it is not complete.
    part: BytesMut,
    informational: u32,
}

impl Reader {
    /// Takes what has come; the head once it is complete.
    ///
    /// # Errors
    /// What is not HTTP about it.
    pub(crate) fn push(&mut self, come: Bytes) -> Result<Option<Read>, String> {
        let mut come = if self.part.is_empty() {
            come
        } else {
            // Only what is new, and the end of a line before it, can complete the head.
            let known = self.part.len().saturating_sub(3);
            self.part.extend_from_slice(&come);
            if end_of_head(&self.part[known..]).is_none() {
                return self.bounded().map(|()| None);
            }
            std::mem::take(&mut self.part).freeze()
        };
        while let Some(end) = end_of_head(&come) {
            let head = come.split_to(end);
            if let Some(read) = self.head(head)? {
                return Ok(Some(Read { ahead: come, ..read }));
            }
        }
        self.part.extend_from_slice(&come);
        self.bounded().map(|()| None)
    }

    fn bounded(&self) -> Result<(), String> {
        if self.part.len() <= MAX_HEAD {
            return Ok(());
        }
        Err(format!("the head of the answer is larger than {MAX_HEAD} bytes"))
    }

    /// Reads one complete head; `None` when it is only informational.
    fn head(&mut self, text: Bytes) -> Result<Option<Read>, String> {
        let no_http = || "the head of the answer is not HTTP/1.x".to_owned();
        let (persistent, at) = first_line(&text).ok_or_else(no_http)?;
        let code = text.get(at..at + 3).and_then(number).and_then(|code| u16::try_from(code).ok());
        let status = code.and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status else { return Err("the answer has no valid status".to_owned()) };
        let at = end_of_reason(&text, at + 3).ok_or_else(no_http)?;
        let stated = Stated::read(&text, at)?;
        if status.is_informational() {
            self.informational += 1;
            if status == StatusCode::SWITCHING_PROTOCOLS || self.informational > MOST_INFORMATIONAL {
                return Err(format!("informational answers without an answer, the last {status}"));
            }
            return Ok(None);
        }
        let (framing, reusable) = stated.framing(status, persistent)?;
        let Stated { content_type, content_encoding, .. } = stated;
        let head = AnswerHead { status, text, content_type, content_encoding };
        Ok(Some(Read { head, framing, reusable, ahead: Bytes::new() }))
    }
}

/// Whether the server speaks HTTP/1.1 and not 1.0, and where the status stands. Empty lines before it are passed over.
fn first_line(text: &[u8]) -> Option<(bool, usize)> {
    let mut at = 0;
    while let Some(next) = end_of_line(text, at) {
        at = next;
    }
    let line = text.get(at..)?;
    let persistent = line.starts_with(b"HTTP/1.1 ");
    (persistent || line.starts_with(b"HTTP/1.0 ")).then_some((persistent, at + 9))
}

/// Behind the first line, whose status ends at `at`. What it says in words, if it does, may be anything visible.
fn end_of_reason(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b' ') {
        return end_of_line(text, at);
    }
    let rest = text.get(at..)?;
    let length = rest.iter().take_while(|b| **b >= b' ' && **b != 0x7f || **b == b'\t').count();
    end_of_line(text, at + length)
}

/// Where the head ends: behind its first empty line. Lines may end without a carriage return, as RFC 9112 §2.2 allows a
/// recipient to accept.
fn end_of_head(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(line) = line_feed(text, from) {
        let next = line + 1;
        match &text[next..] {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => from = next,
        }
    }
    None
}

/// What the fields of a head state about its body and its connection.
#[derive(Default)]
struct Stated {
    length: Option<u64>,
    coded: bool,
    closes: bool,
    keeps: bool,
    content_type: Option<Range<usize>>,
    content_encoding: Option<Range<usize>>,
}

impl Stated {
    /// Reads the fields of a head from `at` on.
    fn read(text: &[u8], at: usize) -> Result<Stated, String> {
        let mut stated = Stated::default();
        let mut left = MAX_FIELDS;
        for line in FieldLines::new(text, at) {
            let no_field = |NoField| "the head of the answer has a line that is no header".to_owned();
            let FieldLine { name, value } = line.map_err(no_field)?;
            left = left.checked_sub(1).ok_or("the head of the answer has too many headers")?;
            let name = text.get(name).unwrap_or_default();
            let is = |known: &HeaderName| is_named(name, known.as_str().as_bytes());
            let said = text.get(value.clone()).unwrap_or_default();
            match name.len() {
                12 if is(&header::CONTENT_TYPE) => stated.content_type = Some(value),
                16 if is(&header::CONTENT_ENCODING) => stated.content_encoding = Some(value),
                14 if is(&header::CONTENT_LENGTH) => stated.length(said)?,
                17 if is(&header::TRANSFER_ENCODING) => {
                    if stated.coded || !said.eq_ignore_ascii_case(b"chunked") {
                        return Err("the answer has a transfer coding other than chunked".to_owned());
                    }
                    stated.coded = true;
                }
                10 if is(&header::CONNECTION) => {
                    for option in said.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                        stated.closes |= option.eq_ignore_ascii_case(b"close");
                        stated.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
        }
        Ok(stated)
    }

    fn length(&mut self, said: &[u8]) -> Result<(), String> {
        for length in said.split(|b| *b == b',') {
            let length = number(length.trim_ascii()).ok_or("the answer's length is not a number")?;
            if self.length.is_some_and(|known| known != length) {
                return Err("the answer has two lengths".to_owned());
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// Where the body ends (RFC 9112 §6.3), and whether the connection stays usable behind it.
    fn framing(&self, status: StatusCode, persistent: bool) -> Result<(Framing, bool), String> {
        let Stated { length, coded, closes, keeps, .. } = *self;
        let reusable = !closes && (persistent || keeps);
        // What announces a body where there is none may send one all the same.
        if status == StatusCode::NO_CONTENT {
            return Ok((Framing::None, reusable && !coded && length.unwrap_or(0) == 0));
        }
        if status == StatusCode::NOT_MODIFIED {
            return Ok((Framing::None, reusable && !coded));
        }
        Ok(match (coded, length) {
            (true, _) if !persistent => return Err("an HTTP/1.0 answer has a transfer coding".to_owned()),
            // Two statements about the end: the coding counts, and the connection is not trusted any further.
            (true, length) => (Framing::Chunked, reusable && length.is_none()),
            (false, Some(length)) => (Framing::Sized(length), reusable),
            (false, None) => (Framing::UntilClose, false),
        })
    }
}

#[cfg(test)]
mod tests;
