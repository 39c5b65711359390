//! One connection that speaks HTTP/1.1: at most one request at a time, driven by whoever waits for its answer.
//!
//! There is no task of its own: a request is written, and its answer read, inside the future of the request. That saves
//! two changes of task for each call, and what a call costs is visible where it is made.

use crate::head::{Read, Reader};
use crate::landing::{MOST_TAKEN, poll_take};
use crate::pool::Counts;
use crate::request::Request;
use crate::setup::Setup;
use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

/// A plain or an encrypted socket.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(tls) => tls.get_ref().0,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Socket::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, into),
        }
    }

    /// Writes and, where the socket has a buffer of its own, sees to it that the bytes leave.
    fn poll_send(&mut self, cx: &mut Context<'_>, request: &mut Request) -> Poll<io::Result<()>> {
        while !request.is_sent() {
            let written = match (&mut *self, &request.left()[..]) {
                (Socket::Plain(tcp), [only]) => Pin::new(tcp).poll_write(cx, only),
                (Socket::Plain(tcp), several) => Pin::new(tcp).poll_write_vectored(cx, several),
                (Socket::Tls(tls), several) => Pin::new(&mut **tls).poll_write_vectored(cx, several),
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => request.advance(n),
            }
        }
        match self {
            Socket::Plain(_) => Poll::Ready(Ok(())),
            Socket::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Before a byte of the request was sent.
    Unsent(io::Error),
    /// After that.
    Lost(io::Error),
    /// What came is not HTTP.
    Malformed(String),
}

/// One connection, counted as open until dropped.
pub(crate) struct Connection {
    socket: Socket,
    /// When it is too old to be used again.
    pub(crate) until: Instant,
    counts: Arc<Counts>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Relaxed);
    }
}

impl Connection {
    pub(crate) fn new(socket: Socket, until: Instant, counts: &Arc<Counts>) -> Box<Self> {
        counts.open.fetch_add(1, Relaxed);
        counts.opened.fetch_add(1, Relaxed);
        Box::new(Connection { socket, until, counts: counts.clone() })
    }

    /// Whether an idle connection can still be used: the peer has not closed it and sent nothing that nobody asked for,
    /// as far as the runtime has heard. Costs no system call while nothing has happened.
    pub(crate) fn is_alive(&mut self) -> bool {
        let mut byte = [0u8; 1];
        if let Socket::Plain(tcp) = &self.socket {
            return tcp.try_read(&mut byte).is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
        }
        let mut into = ReadBuf::new(&mut byte);
        // Through TLS, since its own messages (a session ticket) may lie there.
        // Not within the task's budget: it would say "pending" without having looked.
        let look = unconstrained(poll_fn(|cx| self.socket.poll_read(cx, &mut into)));
        pin!(look).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Asks the kernel the same. One system call.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [std::mem::MaybeUninit::<u8>::uninit(); 1];
        match socket2::SockRef::from(self.socket.tcp()).peek(&mut byte) {
            Err(e) => e.kind() != io::ErrorKind::WouldBlock,
            Ok(_) => true,
        }
    }

    /// Sends a request and reads the head of its answer. An answer may come before the request was sent in full; the
    /// connection is then not used again. `setup` learns how long a request took to leave that did not leave at once.
    pub(crate) fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Request,
        reader: &mut Reader,
        setup: &mut Setup,
    ) -> Poll<Result<Read, Broken>> {
        let sent = match self.socket.poll_send(cx, request) {
            Poll::Ready(Ok(())) => {
                if let Some(since) = request.stalled.take() {
                    setup.send = since.elapsed();
                }
                setup.sent = true;
                true
            }
            // TLS may have sent a part of what it says it did not take.
            Poll::Ready(Err(e)) if request.is_unsent() && matches!(self.socket, Socket::Plain(_)) => {
                return Poll::Ready(Err(Broken::Unsent(e)));
            }
            // A peer that refuses a request closes its side, perhaps with an answer that says why.
            Poll::Ready(Err(_)) => false,
            Poll::Pending => {
                request.stalled.get_or_insert_with(Instant::now);
                setup.sent = !request.is_unsent();
                false
            }
        };
        loop {
            let come = ready!(self.poll_read(cx)).map_err(Broken::Lost)?;
            if come.is_empty() {
                let closed = "the connection was closed before an answer";
                return Poll::Ready(Err(Broken::Lost(io::Error::new(io::ErrorKind::UnexpectedEof, closed))));
            }
            if let Some(read) = reader.push(come).map_err(Broken::Malformed)? {
                let reusable = read.reusable && sent;
                return Poll::Ready(Ok(Read { reusable, ..read }));
            }
        }
    }

    /// What comes next; nothing at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        poll_take(cx, MOST_TAKEN, |cx, into| self.socket.poll_read(cx, into))
    }
}
