//! Reading from sockets.

use bytes::Bytes;
use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;

/// Taken from a socket at once at most, in bytes.
pub const MOST_TAKEN: usize = 64 * 1024;

thread_local! {
    /// Where every read of this thread lands first. What came is then copied out at its own size: an idle connection
    /// holds no buffer, and the one that is always used stays in the cache.
    static LANDING: RefCell<Box<[u8]>> = RefCell::new(vec![0; MOST_TAKEN].into_boxed_slice());
}

/// Takes what a socket has by `read`, at most `most` bytes ([`MOST_TAKEN`] bounds it as well); nothing at its end.
pub fn poll_take(
    cx: &mut Context<'_>,
    most: usize,
    read: impl FnOnce(&mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<Bytes>> {
    LANDING.with_borrow_mut(|landing| {
        let room = landing.len().min(most);
        let mut into = ReadBuf::new(&mut landing[..room]);
        ready!(read(cx, &mut into))?;
        Poll::Ready(Ok(Bytes::copy_from_slice(into.filled())))
    })
}
