//! Writing a response.

use super::head::Version;
use super::wire::Wire;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame};
use std::cell::RefCell;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};
use weir_engine::{Broken, Reply, Response, panic_text};
use weir_wire::HeaderLines;

/// A piece of a body up to this size is copied together with what goes before and behind it, and all of it leaves in one
/// plain `send`. Larger ones go out as they lie.
const JOINED_UP_TO: usize = 16 * 1024;

/// What is joined of the pieces of a stream that are there at the same time.
const JOINED: usize = 64 * 1024;

thread_local! {
    /// Where what is to be sent is put together. It leaves before anything else runs on this thread, so one will do.
    static JOINING: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(JOINED_UP_TO));
    /// The present second as the `date` header tells it.
    static DATE: RefCell<(u64, String)> = RefCell::default();
}

/// How the body's end is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// There is none.
    None,
    Sized,
    Chunked,
    /// By the connection's end, for clients of HTTP/1.0.
    UntilClose,
}

/// One response on its way out.
pub(crate) struct Writer {
    status: StatusCode,
    head: Option<HeaderLines>,
    reply: Option<Reply>,
    framing: Framing,
    keep_alive: bool,
    version: Version,
    /// Why the body cannot be completed, until everything before that has been sent.
    broken: Option<io::Error>,
}

impl Writer {
    /// `no_body` for the answer to a `HEAD`, of which only the length is told.
    pub(crate) fn new(response: Response, version: Version, keep_alive: bool, no_body: bool) -> Writer {
        let Response { status, headers, body } = response;
        let no_body = no_body || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let framing = match (&body, version) {
            _ if no_body => Framing::None,
            (Reply::Whole(_), _) => Framing::Sized,
            (Reply::Stream(_), Version::Http11) => Framing::Chunked,
            (Reply::Stream(_), Version::Http10) => Framing::UntilClose,
        };
        let keep_alive = keep_alive && framing != Framing::UntilClose;
        Writer { status, head: Some(headers), reply: Some(body), framing, keep_alive, version, broken: None }
    }

    /// Whether the connection may serve another request behind this response.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Sends as much as there is and as the client takes; ready when all of it has been taken.
    ///
    /// # Errors
    /// When the client has left or does not read, or the body cannot be completed. The connection cannot be used further.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<io::Result<()>> {
        loop {
            ready!(wire.poll_flush(cx))?;
            if let Some(broken) = self.broken.take() {
                if self.framing == Framing::UntilClose {
                    wire.break_off();
                }
                return Poll::Ready(Err(broken));
            }
            if self.reply.is_none() {
                return Poll::Ready(Ok(()));
            }
            let gathered = JOINING.with_borrow_mut(|out| {
                out.clear();
                let gathered = self.gather(cx, out);
                if !out.is_empty() {
                    wire.send(cx, out)?;
                }
                if out.capacity() > 2 * JOINED {
                    *out = Vec::new();
                }
                gathered
            })?;
            match gathered {
                Gathered::Large(piece) => {
                    wire.enqueue(piece);
                    if self.framing == Framing::Chunked {
                        wire.enqueue(Bytes::from_static(b"\r\n"));
                    }
                }
                Gathered::Full => {}
                Gathered::Waiting if wire.is_flushed() => {
                    ready!(wire.poll_gone(cx));
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Gathered::Waiting => {}
            }
        }
    }

    /// Puts together what is there of head and body.
    fn gather(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> io::Result<Gathered> {
        if let Some(head) = self.head.take() {
            self.put_head(&head, out)?;
        }
        loop {
            if self.framing == Framing::None {
                self.reply = None;
                return Ok(Gathered::Full);
            }
            match self.poll_frame(cx) {
                Poll::Pending => return Ok(Gathered::Waiting),
                Poll::Ready(Some(Err(broken))) => {
                    self.broken = Some(broken);
                    self.reply = None;
                    return Ok(Gathered::Full);
                }
                Poll::Ready(None) => {
                    if self.framing == Framing::Chunked {
                        out.extend_from_slice(b"0\r\n\r\n");
                    }
                    self.reply = None;
                    return Ok(Gathered::Full);
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        if let Some(large) = self.put_data(data, out)? {
                            return Ok(Gathered::Large(large));
                        }
                        if out.len() >= JOINED {
                            return Ok(Gathered::Full);
                        }
                    }
                    Err(frame) => {
                        if let (Ok(trailers), Framing::Chunked) = (frame.into_trailers(), self.framing) {
                            put_trailers(&trailers, out);
                        }
                        self.reply = None;
                        return Ok(Gathered::Full);
                    }
                },
            }
        }
    }

    /// The body's next frame. A panic is the end of this response and of nothing else.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(reply) = &mut self.reply else { return Poll::Ready(None) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *reply).poll_frame(cx))) {
            Ok(polled) => polled
                .map(|frame| frame.map(|frame| frame.map_err(|broken: Broken| io::Error::other(broken)))),
            Err(panic) => {
                reply.panicked();
                // What is left of it may panic again when it is dropped.
                let left = self.reply.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(left)));
                let text = panic_text(&*panic);
                tracing::error!(panic = text, "a response panicked");
                Poll::Ready(Some(Err(io::Error::other(text))))
            }
        }
    }

    fn put_head(&self, head: &HeaderLines, out: &mut Vec<u8>) -> io::Result<()> {
        if (self.version, self.status) == (Version::Http11, StatusCode::OK) {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            out.extend_from_slice(match self.version {
                Version::Http11 => b"HTTP/1.1 ",
                Version::Http10 => b"HTTP/1.0 ",
            });
            out.extend_from_slice(self.status.as_str().as_bytes());
            out.extend_from_slice(b" ");
            out.extend_from_slice(self.status.canonical_reason().unwrap_or("Other").as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(head.as_bytes());
        let length = self.reply.as_ref().and_then(|reply| reply.size_hint().exact());
        match (self.framing, length) {
            (Framing::Chunked, _) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            (Framing::Sized | Framing::None, Some(length)) if self.status != StatusCode::NO_CONTENT => {
                out.extend_from_slice(b"content-length: ");
                out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            _ => {}
        }
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        } else if self.version == Version::Http10 {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        put_date(out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Adds a piece of the body; gives back one that is better not copied.
    fn put_data(&self, data: Bytes, out: &mut Vec<u8>) -> io::Result<Option<Bytes>> {
        if data.is_empty() {
            return Ok(None); // an empty chunk would be the end
        }
        let chunked = self.framing == Framing::Chunked;
        if chunked {
            write!(out, "{:x}\r\n", data.len())?;
        }
        if data.len() > JOINED_UP_TO {
            return Ok(Some(data));
        }
        out.extend_from_slice(&data);
        if chunked {
            out.extend_from_slice(b"\r\n");
        }
        Ok(None)
    }
}

/// What there was of a response.
enum Gathered {
    /// All of it, or as much as is sent at once.
    Full,
    /// A piece that goes out behind what was put together.
    Large(Bytes),
    /// Nothing more for now.
    Waiting,
}

fn put_trailers(trailers: &HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn put_date(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(known, text)| {
        if *known != second || text.is_empty() {
            *known = second;
            *text = httpdate::fmt_http_date(now);
        }
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    });
}

/// A whole response that ends its connection, as bytes.
pub(super) fn at_once(response: Response) -> Vec<u8> {
    let mut writer = Writer::new(response, Version::Http11, false, false);
    let mut out = Vec::new();
    // A whole reply is there at once, and writing to memory cannot fail.
    if let Ok(Gathered::Large(piece)) =
        writer.gather(&mut Context::from_waker(std::task::Waker::noop()), &mut out)
    {
        out.extend_from_slice(&piece);
    }
    out
}
