//! Opening one connection.

use crate::body::Pieces;
use crate::origin::Origin;
use crate::write::poll_write_joined;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use weir_core::{Class, Fault};

/// A response head larger than this is refused.
const MAX_HEAD: usize = 128 * 1024;

/// The socket, shared between the task that drives the connection and the pool, which asks it whether the peer has
/// closed. Both live on one thread and neither holds the borrow across an await.
#[derive(Clone)]
pub(crate) struct Socket(Rc<RefCell<TcpStream>>);

impl Socket {
    /// Whether the peer closed, or sent something nobody asked for, while the connection was idle. One system call.
    pub(crate) fn is_stale(&self) -> bool {
        let stream = self.0.borrow();
        let mut byte = [std::mem::MaybeUninit::<u8>::uninit(); 1];
        match socket2::SockRef::from(&*stream).peek(&mut byte) {
            Err(e) => e.kind() != io::ErrorKind::WouldBlock,
            Ok(_) => true,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_write_joined(Pin::new(&mut *self.0.borrow_mut()), cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // a TCP socket has no buffer of its own
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}

/// Opens a connection to one of `addresses`, the first that accepts, and starts the task that drives it.
///
/// All but the last may take a share of `within` each, so that an address that swallows packets does not use up the
/// time of one that answers.
pub(crate) async fn connect(
    origin: &Origin,
    addresses: &[SocketAddr],
    within: Duration,
) -> Result<(SendRequest<Pieces>, Socket), Fault> {
    let mut last = "the name has no address".to_owned();
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        // The last one has what is left, which the caller limits.
        let share = if left == 1 { within * 2 } else { within / (left + 1) };
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return handshake(origin, stream).await,
            Ok(Err(e)) => last = format!("connect: {e}"),
            Err(_) => last = format!("no connection within {share:?}"),
        }
    }
    Err(unreachable(last))
}

async fn handshake(origin: &Origin, stream: TcpStream) -> Result<(SendRequest<Pieces>, Socket), Fault> {
    stream.set_nodelay(true).map_err(|e| unreachable(format!("TCP_NODELAY: {e}")))?;
    let socket = Socket(Rc::new(RefCell::new(stream)));
    let sender = match &origin.tls {
        None => drive(socket.clone()).await?,
        Some((config, name)) => {
            let connector = tokio_rustls::TlsConnector::from(config.clone());
            let tls = connector.connect(name.clone(), socket.clone()).await;
            drive(tls.map_err(|e| unreachable(format!("TLS: {e}")))?).await?
        }
    };
    Ok((sender, socket))
}

async fn drive<T>(io: T) -> Result<SendRequest<Pieces>, Fault>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|e| unreachable(format!("handshake: {e}")))?;
    tokio::task::spawn_local(async move {
        // Its error also reaches whoever waits for the answer; an idle connection's end is seen by the pool.
        let _ = connection.await;
    });
    Ok(sender)
}

pub(crate) fn unreachable(cause: String) -> Fault {
    Fault::new(Class::Network, 502, "upstream_unreachable", "the connection to the model's server failed")
        .with_cause(cause)
}
