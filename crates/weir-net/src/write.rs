//! Writing several buffers to a socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// Up to so many bytes are copied together and sent by `send`; more go out as they lie by `writev`. Copying a few
/// kilobytes costs less than the kernel's longer way for a list of buffers.
const JOINED_UP_TO: usize = 8 * 1024;

/// Writes what it can of `buffers`, in order.
pub fn poll_write_joined(
    stream: Pin<&mut TcpStream>,
    cx: &mut Context<'_>,
    buffers: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let mut filled = buffers.iter().filter(|b| !b.is_empty());
    let (first, second) = (filled.next(), filled.next());
    let total: usize = buffers.iter().map(|b| b.len()).sum();
    match (first, second) {
        (Some(only), None) => stream.poll_write(cx, only),
        (Some(_), Some(_)) if total <= JOINED_UP_TO => stream.poll_write(cx, &joined(buffers, total)),
        _ => stream.poll_write_vectored(cx, buffers),
    }
}

fn joined(buffers: &[IoSlice<'_>], total: usize) -> Vec<u8> {
    let mut joined = Vec::with_capacity(total);
    for buffer in buffers {
        joined.extend_from_slice(buffer);
    }
    joined
}
