//! The response's body, which carries the exchange to its end.

use crate::record::Record;
use crate::relay::Relay;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use weir_wire::HeaderLines;

/// The answer to a public request.
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields, but for those that belong to a connection.
    pub headers: HeaderLines,
    /// Its body.
    pub body: Reply,
}

/// The body of every public response.
pub enum Reply {
    /// All of it at once.
    Whole(Whole),
    /// Passed on as it arrives.
    Stream(Pin<Box<Relay>>),
}

/// A body that cannot be completed and has no in-band way to say so: the server has to cut the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upstream broke off its answer")
    }
}

impl std::error::Error for Broken {}

/// A body that is there already. The exchange ends when the server has taken it.
pub struct Whole {
    bytes: Option<Bytes>,
    record: Option<Box<Record>>,
}

impl Reply {
    /// A body without an exchange, for answers that never reach the line.
    pub fn plain(bytes: Bytes) -> Self {
        Reply::Whole(Whole { bytes: Some(bytes), record: None })
    }

    /// Notes that serving this body panicked, before it is dropped.
    pub fn panicked(&mut self) {
        match self {
            Reply::Whole(whole) => {
                if let Some(record) = &mut whole.record {
                    record.panicked();
                }
            }
            Reply::Stream(relay) => relay.as_mut().panicked(),
        }
    }

    pub(crate) fn whole(bytes: Bytes, record: Box<Record>) -> Self {
        Reply::Whole(Whole { bytes: Some(bytes), record: Some(record) })
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Reply::Stream(relay) => relay.as_mut().poll_frame(cx),
            Reply::Whole(whole) => {
                let bytes = whole.bytes.take();
                if let (Some(bytes), Some(mut record)) = (&bytes, whole.record.take()) {
                    record.response_bytes = bytes.len() as u64;
                    record.delivered();
                }
                Poll::Ready(bytes.map(|b| Ok(Frame::data(b))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Reply::Whole(whole) => whole.bytes.is_none(),
            Reply::Stream(relay) => relay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Reply::Whole(whole) => SizeHint::with_exact(whole.bytes.as_ref().map_or(0, Bytes::len) as u64),
            Reply::Stream(_) => SizeHint::default(),
        }
    }
}
