//! A request body of known length in a few pieces.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use smallvec::SmallVec;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body made of slices of one or more buffers, sent in order with their exact total length.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// Two stand inline: a request is moved several times on its way to the socket.
    pieces: SmallVec<[Bytes; 2]>,
    next: usize,
    left: u64,
}

impl Pieces {
    /// From its pieces, in order.
    pub fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces: SmallVec<[Bytes; 2]> = pieces.into_iter().filter(|p| !p.is_empty()).collect();
        let left = pieces.iter().map(|p| p.len() as u64).sum();
        Pieces { pieces, next: 0, left }
    }

    /// Bytes not yet sent.
    pub fn len(&self) -> u64 {
        self.left
    }

    /// Whether nothing is left to send.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl From<Bytes> for Pieces {
    fn from(all: Bytes) -> Self {
        Pieces::new([all])
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let at = self.next;
        let piece = self.pieces.get_mut(at).map(std::mem::take).unwrap_or_default();
        self.next += 1;
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn check(pieces: &[&'static str], expect: &str) {
        let body = Pieces::new(pieces.iter().map(|p| Bytes::from_static(p.as_bytes())));
        assert_eq!(body.len(), expect.len() as u64);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let all = runtime.block_on(body.collect()).unwrap().to_bytes();
        assert_eq!(all, expect.as_bytes());
    }

    #[test]
    fn pieces_arrive_in_order_whatever_their_number() {
        check(&[], "");
        check(&["a"], "a");
        check(&["a", "", "b"], "ab");
        check(&["1", "2", "3", "4", "5", "6", "7", "8"], "12345678");
    }
}
