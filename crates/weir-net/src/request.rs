//! What is sent: a head that was rendered once, a few headers of the moment, and a body of known length.

use bytes::{BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method};
use smallvec::SmallVec;
use std::fmt;
use std::io::IoSlice;
use std::time::Instant;

/// A body up to this size is copied behind the head, so that both leave in one plain `send`; larger ones go out as they
/// lie. Copying a few kilobytes costs less than the kernel's longer way for a list of buffers, unless what is copied to
/// is in no cache: with many calls of one turn under way at a time that is soon so.
const JOINED_UP_TO: usize = 4 * 1024;

/// Buffers given to one `writev` at most.
const MOST_SLICES: usize = 8;

/// Request line and headers that are the same for every call to one place, ready to be copied.
#[derive(Clone)]
pub struct Head(Bytes);

impl fmt::Debug for Head {
    /// Without the headers: a credential is among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.0.split(|b| *b == b'\r').next().unwrap_or_default();
        write!(f, "Head({:?})", String::from_utf8_lossy(line))
    }
}

impl Head {
    /// Renders a head. `headers` must name the host; the body's length is added with the body.
    pub fn new(method: &Method, path: &PathAndQuery, headers: &HeaderMap) -> Self {
        let mut text = BytesMut::with_capacity(256);
        text.put_slice(method.as_str().as_bytes());
        text.put_slice(b" ");
        text.put_slice(path.as_str().as_bytes());
        text.put_slice(b" HTTP/1.1\r\n");
        for (name, value) in headers {
            put_header(&mut text, name, value.as_bytes());
        }
        Head(text.freeze())
    }

    /// Method and path, as they stand in its first line.
    pub fn line(&self) -> (&str, &str) {
        let line = self.0.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }
}

/// A body made of slices of one or more buffers, sent in order with their exact total length.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    pieces: SmallVec<[Bytes; 3]>,
    total: usize,
}

impl Pieces {
    /// From its pieces, in order.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        // One by one: there are two or three, and what `collect` does first costs more than they do.
        let mut all = Pieces::default();
        for piece in pieces {
            if !piece.is_empty() {
                all.total += piece.len();
                all.pieces.push(piece);
            }
        }
        all
    }

    /// Its pieces, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &**piece)
    }

    /// All of it, in bytes.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

impl From<Bytes> for Pieces {
    fn from(all: Bytes) -> Self {
        Pieces::new([all])
    }
}

/// One request, as the bytes that go over the wire.
pub struct Request {
    /// Head, and the body where it is small.
    start: Bytes,
    rest: SmallVec<[Bytes; 3]>,
    sent: usize,
    total: usize,
    /// Since when the peer has not taken more of it.
    pub(crate) stalled: Option<Instant>,
}

impl Request {
    /// With further headers behind those of the prepared head.
    pub fn new(head: &Head, more: &[(&HeaderName, &[u8])], body: Pieces) -> Self {
        let further: usize = more.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let joined = body.len() <= JOINED_UP_TO;
        let copied = if joined { body.len() } else { 0 };
        let mut start = BytesMut::with_capacity(head.0.len() + further + 48 + copied);
        start.put_slice(&head.0);
        for (name, value) in more {
            put_header(&mut start, name, value);
        }
        if !body.is_empty() {
            start.put_slice(b"content-length: ");
            put_number(&mut start, body.len());
            start.put_slice(b"\r\n");
        }
        start.put_slice(b"\r\n");
        let mut rest = body.pieces;
        if joined {
            rest.iter().for_each(|piece| start.put_slice(piece));
            rest.clear();
        }
        let total = start.len() + rest.iter().map(Bytes::len).sum::<usize>();
        Request { start: start.freeze(), rest, sent: 0, total, stalled: None }
    }

    /// Whether no byte has been sent: only then may it be given to another connection.
    pub(crate) fn is_unsent(&self) -> bool {
        self.sent == 0
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.sent == self.total
    }

    pub(crate) fn advance(&mut self, by: usize) {
        self.sent += by;
    }

    /// What is left to send, or its beginning.
    pub(crate) fn left(&self) -> SmallVec<[IoSlice<'_>; MOST_SLICES]> {
        let mut skip = self.sent;
        let mut left = SmallVec::new();
        for piece in std::iter::once(&self.start).chain(&self.rest) {
            match piece.get(skip..) {
                Some(unsent) if !unsent.is_empty() => {
                    skip = 0;
                    if left.len() < MOST_SLICES {
                        left.push(IoSlice::new(unsent));
                    }
                }
                _ => skip -= piece.len(),
            }
        }
        left
    }
}

fn put_header(text: &mut BytesMut, name: &HeaderName, value: &[u8]) {
    text.put_slice(name.as_str().as_bytes());
    text.put_slice(b": ");
    text.put_slice(value);
    text.put_slice(b"\r\n");
}

fn put_number(text: &mut BytesMut, mut number: usize) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b"0123456789"[number % 10];
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.put_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};

    fn head() -> Head {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("h:1"));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer sk-secret"));
        Head::new(&Method::POST, &PathAndQuery::from_static("/v1/x?y=1"), &headers)
    }

    /// Sends `step` bytes at a time and gives what arrived.
    fn sent(mut request: Request, step: usize) -> String {
        let mut all = Vec::new();
        while !request.is_sent() {
            let left: Vec<u8> = request.left().iter().flat_map(|s| s.iter().copied()).collect();
            assert!(!left.is_empty());
            let n = step.min(left.len());
            all.extend_from_slice(&left[..n]);
            request.advance(n);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn a_request_arrives_whole_however_it_is_cut() {
        let more = [(&header::TE, &b"trailers"[..])];
        let start =
            "POST /v1/x?y=1 HTTP/1.1\r\nhost: h:1\r\nauthorization: Bearer sk-secret\r\nte: trailers\r\n";
        let small = vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")];
        let large: Vec<Bytes> = (b'a'..b'a' + 12).map(|c| Bytes::from(vec![c; 5000])).collect();
        for pieces in [vec![], small, large] {
            let body: Vec<u8> = pieces.concat();
            let body = String::from_utf8(body).unwrap();
            let length =
                if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
            let expect = format!("{start}{length}\r\n{body}");
            let smallest = if body.len() < 1000 { 1 } else { 997 }; // what is left is copied at every step
            for step in [smallest, 1009, 4999, usize::MAX] {
                assert_eq!(sent(Request::new(&head(), &more, Pieces::new(pieces.clone())), step), expect);
            }
        }
    }

    #[test]
    fn a_head_prints_without_its_credential() {
        assert_eq!(head().line(), ("POST", "/v1/x?y=1"));
        assert_eq!(format!("{:?}", head()), "Head(\"POST /v1/x?y=1 HTTP/1.1\")");
    }

    #[test]
    fn numbers_are_written_in_full() {
        for number in [0, 9, 10, 1_234_567, usize::MAX] {
            let mut text = BytesMut::new();
            put_number(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
