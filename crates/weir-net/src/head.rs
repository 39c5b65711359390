//! Reading the head of an answer.

use crate::answer::AnswerHead;
use crate::framing::Framing;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, StatusCode, header};
use std::mem::MaybeUninit;
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
            if let Some(read) = self.head(&head)? {
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
    fn head(&mut self, text: &Bytes) -> Result<Option<Read>, String> {
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut answer = httparse::Response::new(&mut []);
        let parser = httparse::ParserConfig::default();
        match parser.parse_response_with_uninit_headers(&mut answer, text, &mut fields) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Err("the head of the answer is cut".to_owned()),
            Err(e) => return Err(format!("the head of the answer: {e}")),
        }
        let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status else { return Err("the answer has no valid status".to_owned()) };
        if status.is_informational() {
            self.informational += 1;
            if status == StatusCode::SWITCHING_PROTOCOLS || self.informational > MOST_INFORMATIONAL {
                return Err(format!("informational answers without an answer, the last {status}"));
            }
            return Ok(None);
        }
        let (framing, reusable) = framing(status, answer.version == Some(1), answer.headers)?;
        let (mut content_type, mut content_encoding) = (None, None);
        for field in &*answer.headers {
            match field.name.len() {
                12 if is(field, &header::CONTENT_TYPE) => content_type = Some(text.slice_ref(field.value)),
                16 if is(field, &header::CONTENT_ENCODING) => {
                    content_encoding = Some(text.slice_ref(field.value));
                }
                _ => {}
            }
        }
        let head = AnswerHead { status, text: text.clone(), content_type, content_encoding };
        Ok(Some(Read { head, framing, reusable, ahead: Bytes::new() }))
    }
}

fn is(field: &httparse::Header<'_>, name: &HeaderName) -> bool {
    is_named(field.name.as_bytes(), name.as_str().as_bytes())
}

/// Where the head ends: behind its first empty line. Lines may end without a carriage return, as RFC 9112 §2.2 allows a
/// recipient to accept.
fn end_of_head(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(line) = memchr::memchr(b'\n', text.get(from..)?) {
        let next = from + line + 1;
        match &text[next..] {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => from = next,
        }
    }
    None
}

/// Where the body ends (RFC 9112 §6.3), and whether the connection stays usable behind it.
fn framing(
    status: StatusCode,
    persistent: bool,
    fields: &[httparse::Header<'_>],
) -> Result<(Framing, bool), String> {
    let mut length: Option<u64> = None;
    let mut coded = false;
    let (mut closes, mut keeps) = (false, false);
    for field in fields {
        match field.name.len() {
            14 if is(field, &header::CONTENT_LENGTH) => {
                for stated in field.value.split(|b| *b == b',') {
                    let stated = number(stated.trim_ascii()).ok_or("the answer's length is not a number")?;
                    if length.is_some_and(|known| known != stated) {
                        return Err("the answer has two lengths".to_owned());
                    }
                    length = Some(stated);
                }
            }
            17 if is(field, &header::TRANSFER_ENCODING) => {
                if coded || !field.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err("the answer has a transfer coding other than chunked".to_owned());
                }
                coded = true;
            }
            10 if is(field, &header::CONNECTION) => {
                for option in field.value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                    closes |= option.eq_ignore_ascii_case(b"close");
                    keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            _ => {}
        }
    }
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

#[cfg(test)]
mod tests;
