//! Sockets to accept on.

use crate::{Drain, Phase};
use socket2::{Domain, Protocol, Socket, Type};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const BACKLOG: i32 = 4096;

/// Binds `count` sockets to one address, one for each core; the kernel shares connections out between them
/// (`SO_REUSEPORT`, socket(7)). With port 0 all of them get the same free port.
///
/// # Errors
/// When the address is taken or not this machine's. A port that another process listens on is refused even if that
/// process allows sharing, since half of the traffic would go to it.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // A socket without SO_REUSEPORT finds out whether anybody else is there.
    drop(socket(address, false)?);
    let first = socket(address, true)?;
    let address = first.local_addr()?;
    let rest = (1..count.max(1)).map(|_| socket(address, true));
    std::iter::once(Ok(first)).chain(rest).collect()
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// Accepts connections until the process drains, handing each to `serve`. Out of file descriptors it waits a little
/// instead of spinning.
pub(crate) async fn accept(
    listener: std::net::TcpListener,
    mut drain: Drain,
    mut serve: impl FnMut(TcpStream),
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        tokio::select! {
            biased;
            () = drain.reached(Phase::Draining) => {
                // Whoever was let in by the system before the listener closes has a claim to an answer.
                for _ in 0..BACKLOG {
                    let waiting = poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await;
                    let Poll::Ready(Ok((stream, _))) = waiting else { break };
                    serve(stream);
                }
                return Ok(());
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => serve(stream),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
}
