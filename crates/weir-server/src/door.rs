//! The door: one client's socket, with its time limits.
//!
//! hyper reads and writes through a [`Door`], which knows from the [`Gate`] it shares with the request handler whether a
//! request's head is awaited, being read or being served, and ends connections that take too long over it. A head that
//! hyper refuses by itself (too large, not HTTP) gets an answer in the API's envelope here, since hyper's has no body.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use weir_core::{Class, Fault};
use weir_engine::Core;
use weir_engine::line::refused_at_the_door;
use weir_net::poll_write_joined;

/// Of each head so much is kept until its request is served; see [`Gate::objection`].
const HEAD_KEPT: usize = 8 * 1024;

/// So many bytes of the requests behind the one that is being answered are taken in, so that the end behind them is seen.
const READ_AHEAD: usize = 64 * 1024;

/// Where a connection is between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing of a request's head has come yet.
    Idle,
    /// Part of a head has come, or the connection is new.
    Head,
    /// A request is being served.
    Serving,
    /// Its response has been handed to hyper in full, but not written in full.
    Flushing,
}

/// Time limits of a client's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// For the whole head of a request.
    pub(crate) header: Duration,
    /// Between two requests.
    pub(crate) keep_alive: Duration,
    /// Without any progress in writing to a client that does not read.
    pub(crate) send: Duration,
}

/// What the door and the request handler of one connection tell each other.
#[derive(Debug)]
pub(crate) struct Gate {
    place: Cell<Place>,
    since: Cell<Instant>,
    head: RefCell<Vec<u8>>,
    /// Whether the request that is being served has been read to its end.
    whole: Cell<bool>,
}

impl Gate {
    pub(crate) fn new() -> Rc<Gate> {
        let since = Cell::new(Instant::now());
        Rc::new(Gate {
            place: Cell::new(Place::Head),
            since,
            head: RefCell::default(),
            whole: Cell::new(false),
        })
    }

    /// A request's head has been read in full.
    pub(crate) fn serving(&self) {
        self.place.set(Place::Serving);
        self.whole.set(false);
        let mut head = self.head.borrow_mut();
        head.clear();
        head.shrink_to(1024);
    }

    /// The body of the request that is being served has ended.
    pub(crate) fn request_ended(&self) {
        self.whole.set(true);
    }

    /// The response has been handed over in full.
    pub(crate) fn served(&self) {
        self.place.set(Place::Flushing);
    }

    /// What in a request's framing is no honest client's doing: hyper mends or hides these before anybody can see them,
    /// and each is a way to make two readers see different requests (request smuggling, RFC 9112 §2.2, §6.1, §6.3). Call
    /// it before [`Gate::serving`].
    pub(crate) fn objection(&self, method: &Method, headers: &HeaderMap) -> Option<&'static str> {
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        let coding = codings.next();
        if coding.is_some_and(|c| !c.as_bytes().eq_ignore_ascii_case(b"chunked")) || codings.next().is_some()
        {
            return Some("the only Transfer-Encoding taken is one \"chunked\"");
        }
        let head = Head::read(&self.head.borrow(), method);
        let lengths = head.as_ref().map_or(0, |h| h.lengths) + usize::from(coding.is_some());
        if lengths > 1 {
            return Some("the request states its length more than once");
        }
        if head.as_ref().is_some_and(|h| h.bare_line_end) {
            return Some("every line of a request's head has to end in CR LF");
        }
        // Chunks and a length together are the one case that hyper hides and that matters, so that it has to be proven
        // absent: as many lines as headers, from the request's line on.
        let whole = head.is_some_and(|h| h.ended && h.lines == headers.len());
        (coding.is_some() && !whole).then_some(
            "the head of a chunked request has to be shorter than 8 KiB and sent after the answer to the request before it",
        )
    }

    fn move_to(&self, place: Place) {
        self.place.set(place);
        self.since.set(Instant::now());
    }

    fn received(&self, bytes: &[u8]) {
        if self.place.get() == Place::Idle {
            self.move_to(Place::Head);
        }
        if self.place.get() == Place::Head {
            let mut head = self.head.borrow_mut();
            let room = HEAD_KEPT.saturating_sub(head.len());
            head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
}

/// Method and path, as far as they can be told, of a request whose head is not read in full.
fn first_line(sent: &[u8]) -> Option<(&str, &str)> {
    let begin = sent.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
    let line = sent.get(begin..)?.split(|b| matches!(b, b'\r' | b'\n')).next()?;
    let mut words = line.splitn(3, |b| *b == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let path = target.split(|b| matches!(b, b'?' | b'#')).next()?;
    // Another form of target may hold credentials (RFC 9112 §3.2.2).
    let told = method.iter().all(u8::is_ascii_uppercase) && path.starts_with(b"/");
    told.then_some((std::str::from_utf8(method).ok()?, std::str::from_utf8(path).ok()?))
}

/// A request's head as it was sent.
#[derive(Debug, Default)]
struct Head {
    /// Lines between the request's line and the empty one.
    lines: usize,
    /// Those that state a length.
    lengths: usize,
    /// Whether a line ends in LF alone.
    bare_line_end: bool,
    /// Whether the empty line came.
    ended: bool,
}

impl Head {
    /// `None` when `sent` does not begin with the request's line: its beginning came along with the request before it.
    fn read(sent: &[u8], method: &Method) -> Option<Head> {
        // RFC 9112 §2.2: empty lines before a request are passed over.
        let begin = sent.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
        let sent = &sent[begin..];
        sent.strip_prefix(method.as_str().as_bytes())?.strip_prefix(b" ")?;
        let mut head = Head::default();
        let mut start = 0;
        for (number, end) in memchr::memchr_iter(b'\n', sent).enumerate() {
            let line = &sent[start..end];
            start = end + 1;
            head.bare_line_end |= line.last() != Some(&b'\r');
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                head.ended = true;
                break;
            }
            head.lines += usize::from(number > 0);
            let states = line.get(..15).is_some_and(|name| name.eq_ignore_ascii_case(b"content-length:"));
            head.lengths += usize::from(states);
        }
        Some(head)
    }
}

/// A client's socket.
pub(crate) struct Door {
    core: Rc<Core>,
    stream: TcpStream,
    gate: Rc<Gate>,
    limits: TimeLimits,
    timer: Pin<Box<Sleep>>,
    /// Since when the client has not taken what is there for it.
    stalled: Option<Instant>,
    /// What is written instead of hyper's own refusal.
    refusal: Option<Bytes>,
    /// What came while hyper did not want it.
    ahead: BytesMut,
    /// Whether hyper waits for bytes itself, and so learns of their end.
    awaited: bool,
}

impl Door {
    pub(crate) fn new(core: Rc<Core>, stream: TcpStream, gate: Rc<Gate>, limits: TimeLimits) -> Door {
        let timer = Box::pin(tokio::time::sleep(limits.header));
        let ahead = BytesMut::new();
        Door { core, stream, gate, limits, timer, stalled: None, refusal: None, ahead, awaited: false }
    }

    /// Until when the connection may stay where it is; `None` while a request is being served.
    fn deadline(&self) -> Option<Instant> {
        let within = match self.gate.place.get() {
            Place::Idle => self.limits.keep_alive,
            Place::Head => self.limits.header,
            Place::Serving | Place::Flushing => return None,
        };
        Some(self.gate.since.get() + within)
    }

    /// Ready when `deadline` has passed. The timer is left where it is while it is early: when it fires it is set anew,
    /// so that a connection in steady use does not pay for a timer with every request.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        loop {
            if self.timer.deadline().into_std() > deadline {
                self.timer.as_mut().reset(deadline.into());
            }
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline.into());
        }
    }

    /// Runs a write; one that makes no progress for too long fails.
    fn poll_progress(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(done) = write(Pin::new(&mut self.stream), cx) {
            self.stalled = None;
            return Poll::Ready(done);
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        let deadline = since + self.limits.send;
        ready!(self.poll_deadline(cx, deadline));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its response")))
    }

    /// Fails when the client has left while its answer is being made. hyper looks for that itself, but not while bytes of
    /// a further request lie in its buffer. A client that only ended its sending counts as gone, as it does for hyper.
    fn client_is_there(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.awaited || self.gate.place.get() != Place::Serving || !self.gate.whole.get() {
            return Ok(());
        }
        while self.ahead.len() < READ_AHEAD {
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(ready) => ready?,
            }
            let mut piece = [0; 4096];
            match self.stream.try_read(&mut piece) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the client has left")),
                Ok(length) => self.ahead.extend_from_slice(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {} // what was ready is no more
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives hyper what was read ahead.
    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) {
        let piece = self.ahead.split_to(self.ahead.len().min(buf.remaining()));
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        self.gate.received(&piece);
        buf.put_slice(&piece);
        self.awaited = false;
    }

    /// hyper answers a head it cannot parse by itself, before any handler is called. Its status is kept and told in the
    /// API's envelope. `None` when `head` is not such an answer.
    fn refusal_for(&self, head: &[u8]) -> Option<Bytes> {
        if !matches!(self.gate.place.get(), Place::Head | Place::Idle) {
            return None;
        }
        let status: u16 = std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()?;
        Some(response(&self.core, refused_head(status), &self.gate.head.borrow()))
    }
}

/// A fault as a complete response that ends the connection. The request, of which `sent` came, is recorded as any other is.
fn response(core: &Rc<Core>, fault: Fault, sent: &[u8]) -> Bytes {
    let (status, retry_after) = (fault.status, fault.retry_after);
    let (id, body) = refused_at_the_door(core, fault, first_line(sent));
    let reason =
        http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error");
    let again = retry_after.map(|after| format!("retry-after: {}\r\n", after.as_secs().max(1)));
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         x-request-id: {id}\r\n{}connection: close\r\n\r\n",
        body.len(),
        again.unwrap_or_default()
    );
    [head.as_bytes(), &body].concat().into()
}

fn refused_head(status: u16) -> Fault {
    match status {
        431 => {
            let message = "the request's headers are too large or too many; send fewer or shorter ones";
            Fault::new(Class::Caller, 431, "headers_too_large", message)
        }
        414 => Fault::new(Class::Caller, 414, "uri_too_long", "the request's address is too long"),
        _ => Fault::new(Class::Caller, 400, "malformed_http", "the request is not well-formed HTTP/1.1"),
    }
}

/// Tells a client for which there is no room so, as far as its socket takes it without waiting.
pub(crate) fn turn_away(core: &Rc<Core>, stream: &TcpStream) {
    let message = "this gateway has as many connections open as it takes; try again shortly";
    let fault = Fault::new(Class::Limited, 503, "gateway_overloaded", message)
        .with_retry_after(Duration::from_secs(1));
    // Not by way of the runtime, which does not know yet whether the new socket can be written to.
    let _ = socket2::SockRef::from(stream).send(&response(core, fault, &[]));
}

fn too_slow() -> Fault {
    let message = "the request's headers took too long to arrive; the connection is closed";
    Fault::new(Class::Caller, 408, "request_timeout", message)
}

impl AsyncRead for Door {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let door = self.get_mut();
        if !door.ahead.is_empty() {
            door.hand_out(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut door.stream).poll_read(cx, buf);
        door.awaited = read.is_pending();
        if let Poll::Ready(done) = read {
            door.gate.received(&buf.filled()[before..]);
            return Poll::Ready(done);
        }
        if door.stalled.is_some() {
            return Poll::Pending; // the timer belongs to the write that is waiting
        }
        let Some(deadline) = door.deadline() else { return Poll::Pending };
        ready!(door.poll_deadline(cx, deadline));
        let slow_head = door.gate.place.get() == Place::Head && !door.gate.head.borrow().is_empty();
        if slow_head {
            // Best effort: a client that is too slow to send may still read.
            let told = response(&door.core, too_slow(), &door.gate.head.borrow());
            let _ = door.stream.try_write(&told);
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request came in time")))
    }
}

impl AsyncWrite for Door {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let door = self.get_mut();
        if door.refusal.is_none() {
            door.refusal = door.refusal_for(buf);
        }
        while let Some(mut left) = door.refusal.take().filter(|r| !r.is_empty()) {
            let written = door.poll_progress(cx, |stream, cx| stream.poll_write(cx, &left));
            match written {
                Poll::Ready(Ok(n)) => {
                    left.advance(n);
                    if left.is_empty() {
                        return Poll::Ready(Ok(buf.len()));
                    }
                    door.refusal = Some(left);
                }
                other => {
                    door.refusal = Some(left);
                    return other;
                }
            }
        }
        door.poll_progress(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !matches!(self.gate.place.get(), Place::Serving | Place::Flushing) {
            let first = bufs.iter().find(|b| !b.is_empty()).map_or(&[][..], |b| b);
            return self.poll_write(cx, first);
        }
        let door = self.get_mut();
        door.poll_progress(cx, |stream, cx| poll_write_joined(stream, cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper calls this when everything it had has been written, whenever it has looked at the connection.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gate.place.get() == Place::Flushing {
            self.gate.move_to(Place::Idle);
        }
        // A TCP socket has no buffer of its own that could be flushed.
        Poll::Ready(self.get_mut().client_is_there(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
