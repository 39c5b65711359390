//! The socket, what has been read from it ahead of its use, and its timer.

use super::TimeLimits;
use super::head::{Head, Length, Reader, Refused};
use bytes::{BufMut, Bytes, BytesMut};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use weir_core::{Class, Fault};
use weir_engine::Unread;
use weir_net::{Chunks, MOST_TAKEN, poll_take};

/// So many bytes of the requests behind the one that is being answered are taken in, so that the end behind them is seen.
const READ_AHEAD: usize = 64 * 1024;

/// Taken at once while a head is awaited: room for a head and a usual body. What is left of a large body is read straight
/// to where it belongs.
const WITH_HEAD: usize = 16 * 1024;

/// Room made at least for each read of a body of stated length.
const AT_ONCE: usize = 16 * 1024;

/// So long a request that was sent before the process began to drain has to show.
const LAST_CALL: Duration = Duration::from_millis(50);

/// What a client is told that waits for it before it sends its body.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// One client's socket.
pub(crate) struct Wire {
    stream: TcpStream,
    pub(super) limits: TimeLimits,
    reader: Reader,
    /// Read, and not yet used.
    ahead: Bytes,
    body: BodyState,
    /// Whether the client waits to be told to send its body.
    expects: bool,
    /// Written by nobody yet: what a socket that is full has to take first.
    unsent: SmallVec<[Bytes; 2]>,
    /// Since when the present wait has lasted: for a head, or for the client to read.
    since: Option<Instant>,
    /// Since when an idle connection is only waited for because a request may be on its way.
    last_call: Option<Instant>,
    /// Whether this connection has served a request, so that the client may let it lie.
    used: bool,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer will wake this connection's task.
    armed: bool,
}

/// Where the reading of a request's body stands.
enum BodyState {
    Sized(u64),
    Chunked(Box<Chunks>),
    Ended,
    /// It cannot be read any further.
    Broken,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, limits: TimeLimits) -> Wire {
        Wire {
            stream,
            limits,
            reader: Reader::default(),
            ahead: Bytes::new(),
            body: BodyState::Ended,
            expects: false,
            unsent: SmallVec::new(),
            since: None,
            last_call: None,
            used: false,
            timer: Box::pin(tokio::time::sleep(limits.header)),
            armed: false,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<Bytes>> {
        poll_take(cx, most, |cx, into| Pin::new(&mut self.stream).poll_read(cx, into))
    }

    /// Ready when `deadline` has passed. The timer is left where it is while it is early: when it fires it is set anew,
    /// so that a connection in steady use does not pay for a timer with every request.
    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let too_late = self.timer.deadline().into_std() > deadline;
        if self.armed && !too_late && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        if too_late {
            self.timer.as_mut().reset(deadline.into());
        }
        loop {
            self.armed = true;
            // Whatever else this task has done: a timer that is not registered now would never be.
            ready!(pin!(unconstrained(self.timer.as_mut())).poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline.into());
        }
    }

    /// The next request's head; `None` when there is none and will be none: the client closed, let the connection lie for
    /// too long, or the process does not serve any further.
    ///
    /// # Errors
    /// Why the request is refused.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        running: bool,
    ) -> Poll<Result<Option<Head>, Refused>> {
        loop {
            if !self.ahead.is_empty() {
                let idle = self.is_idle();
                let head = self.reader.push(&mut self.ahead, self.limits.max_head)?;
                if head.is_some() {
                    self.since = None;
                    self.used = true;
                    return Poll::Ready(Ok(head));
                }
                if idle && !self.is_idle() {
                    self.since = None; // from here on it is the head that takes its time
                }
            }
            let begun = self.reader.has_begun();
            match self.poll_read(cx, WITH_HEAD) {
                Poll::Ready(Ok(come)) if come.is_empty() => return Poll::Ready(Ok(None)),
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(come)) => self.ahead = come,
                // What is on its way is answered; for what may come later there is no time any more.
                Poll::Pending if !running && !begun => {
                    let since = *self.last_call.get_or_insert_with(Instant::now);
                    ready!(self.poll_deadline(cx, since + LAST_CALL));
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending => {
                    let since = *self.since.get_or_insert_with(Instant::now);
                    let within = if self.is_idle() { self.limits.keep_alive } else { self.limits.header };
                    ready!(self.poll_deadline(cx, since + within));
                    return Poll::Ready(if begun { Err(self.reader.refused(too_slow())) } else { Ok(None) });
                }
            }
        }
    }

    /// Whether nothing of a request has come since the last one was answered.
    fn is_idle(&self) -> bool {
        self.used && !self.reader.has_begun()
    }

    pub(crate) fn begin_body(&mut self, length: Length, expects: bool) {
        self.expects = expects;
        self.body = match length {
            Length::Sized(0) => BodyState::Ended,
            Length::Sized(length) => BodyState::Sized(length),
            Length::Chunked => BodyState::Chunked(Box::default()),
        };
    }

    /// All of the request's body, when it came along with the head.
    fn take_whole(&mut self) -> Option<Bytes> {
        match self.body {
            BodyState::Ended => Some(Bytes::new()),
            BodyState::Sized(left) if left <= self.ahead.len() as u64 => self.take_body().ok(),
            _ => None,
        }
    }

    /// Waits for more of the request's body and appends it to `into`; `false` at the end.
    fn poll_more(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<bool>> {
        loop {
            if matches!(self.body, BodyState::Ended | BodyState::Broken) {
                return Poll::Ready(Ok(false));
            }
            if !self.ahead.is_empty() {
                let data = self.take_body()?;
                into.extend_from_slice(&data);
                if !data.is_empty() {
                    return Poll::Ready(Ok(true));
                }
                continue;
            }
            if std::mem::take(&mut self.expects) {
                self.send(cx, CONTINUE)?;
            }
            ready!(self.poll_flush(cx))?;
            let read = match &mut self.body {
                // Straight to where it belongs: a large body is not worth a second copy.
                BodyState::Sized(left) => {
                    let (mine, before) = (usize::try_from(*left).unwrap_or(usize::MAX), into.len());
                    // With room for one byte more than is expected: a read that fills its room says nothing of what is
                    // behind it, and the next look at this socket would cost a call to the system.
                    let most = mine.saturating_add(1);
                    into.reserve(most.min(AT_ONCE));
                    let mut room = into.limit(most);
                    let read = ready!(pin!(self.stream.read_buf(&mut room)).poll(cx));
                    if let Ok(n) = read {
                        if n > mine {
                            self.ahead = into.split_off(before + mine).freeze();
                        }
                        *left -= n.min(mine) as u64;
                    }
                    read
                }
                _ => ready!(self.poll_read(cx, MOST_TAKEN)).map(|come| {
                    self.ahead = come;
                    self.ahead.len()
                }),
            };
            match read {
                Ok(0) | Err(_) => {
                    self.body = BodyState::Broken;
                    let gone =
                        || io::Error::new(io::ErrorKind::UnexpectedEof, "the client closed the connection");
                    return Poll::Ready(Err(read.err().unwrap_or_else(gone)));
                }
                Ok(_) => {}
            }
            match self.body {
                BodyState::Sized(0) => self.body = BodyState::Ended,
                BodyState::Sized(_) => {}
                _ => continue, // what came has yet to be decoded
            }
            return Poll::Ready(Ok(true));
        }
    }

    /// Takes what lies ahead of the body.
    fn take_body(&mut self) -> io::Result<Bytes> {
        self.expects = false;
        match &mut self.body {
            BodyState::Ended | BodyState::Broken => Ok(Bytes::new()),
            BodyState::Sized(left) => {
                let mine = usize::try_from(*left).unwrap_or(usize::MAX).min(self.ahead.len());
                *left -= mine as u64;
                let data = self.ahead.split_to(mine);
                if *left == 0 {
                    self.body = BodyState::Ended;
                }
                Ok(data)
            }
            BodyState::Chunked(chunks) => match chunks.push(&mut self.ahead) {
                Ok(data) => {
                    if chunks.has_ended() {
                        self.body = BodyState::Ended;
                    }
                    Ok(data)
                }
                Err(why) => {
                    self.body = BodyState::Broken;
                    Err(io::Error::new(io::ErrorKind::InvalidData, why))
                }
            },
        }
    }

    /// Passes over what is left of a body that nobody reads, as far as it has come. Whether the next request follows.
    pub(crate) fn skip_body(&mut self) -> bool {
        while !self.ahead.is_empty() && matches!(self.body, BodyState::Sized(_) | BodyState::Chunked(_)) {
            if self.take_body().is_err() {
                return false;
            }
        }
        matches!(self.body, BodyState::Ended)
    }

    /// Ready when the client has left while its answer is being made. A client that only ended its sending counts as gone.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.body, BodyState::Ended) {
            return Poll::Pending; // whoever reads the body learns of its end
        }
        while self.ahead.len() < READ_AHEAD {
            match ready!(self.poll_read(cx, MOST_TAKEN)) {
                Ok(come) if !come.is_empty() => {
                    let ahead = std::mem::take(&mut self.ahead);
                    self.ahead = if ahead.is_empty() {
                        come
                    } else {
                        let mut joined =
                            ahead.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                        joined.extend_from_slice(&come);
                        joined.freeze()
                    };
                }
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Sends what the socket takes of `bytes` at once and keeps the rest for [`Wire::poll_flush`].
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        let mut sent = 0;
        if self.unsent.is_empty() {
            while sent < bytes.len() {
                match Pin::new(&mut self.stream).poll_write(cx, &bytes[sent..]) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(n)) => sent += n,
                    Poll::Ready(Err(e)) => return Err(e),
                    Poll::Pending => break,
                }
            }
        }
        if sent < bytes.len() {
            self.unsent.push(Bytes::copy_from_slice(&bytes[sent..]));
        }
        Ok(())
    }

    /// Puts a large piece behind what is to be sent.
    pub(crate) fn enqueue(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.unsent.push(bytes);
        }
    }

    /// Whether everything has been taken by the socket.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Ready when the socket has taken everything. A client that takes nothing for too long is an error.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let written = {
                let slices: SmallVec<[IoSlice<'_>; 4]> =
                    self.unsent.iter().map(|b| IoSlice::new(b)).collect();
                Pin::new(&mut self.stream).poll_write_vectored(cx, &slices)
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => {
                    self.since = None;
                    self.advance(n);
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(e)),
                Poll::Pending => {
                    let since = *self.since.get_or_insert_with(Instant::now);
                    ready!(self.poll_deadline(cx, since + self.limits.send));
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the client does not read its response",
                    )));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut sent: usize) {
        while let Some(first) = self.unsent.first_mut() {
            if sent < first.len() {
                let _ = first.split_to(sent);
                return;
            }
            sent -= first.len();
            self.unsent.remove(0);
        }
    }

    /// Ends the sending side and reads on until the client ends its own.
    pub(crate) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        loop {
            match ready!(self.poll_read(cx, MOST_TAKEN)) {
                Ok(come) if !come.is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }

    /// Makes the end of this connection show as a broken one, for an answer whose end would else look like its end.
    pub(crate) fn break_off(&mut self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}

fn too_slow() -> Fault {
    let message = "the request's headers took too long to arrive; the connection is closed";
    Fault::new(Class::Caller, 408, "request_timeout", message)
}

/// The body of a request, read from its connection.
pub(crate) struct RequestBody(pub(super) Rc<RefCell<Wire>>);

impl Unread for RequestBody {
    type Error = io::Error;

    fn take_whole(&mut self) -> Option<Bytes> {
        self.0.borrow_mut().take_whole()
    }

    fn poll_more(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<bool>> {
        self.0.borrow_mut().poll_more(cx, into)
    }
}

#[cfg(test)]
mod tests;
