//! The answer to one request.

use crate::pool::{Connection, Pool};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use weir_core::{Class, Fault};

/// Head and unread body of an upstream's answer.
pub struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The body, which holds the connection until it has been read to its end.
    pub body: AnswerBody,
}

/// The body of an answer. Read to the end, its connection goes back to the pool; dropped before, the connection is
/// closed, which is how a call is cancelled.
pub struct AnswerBody {
    body: Incoming,
    connection: Option<(Connection, Rc<Pool>)>,
}

impl AnswerBody {
    pub(crate) fn new(body: Incoming, connection: Connection, pool: Rc<Pool>) -> Self {
        AnswerBody { body, connection: Some((connection, pool)) }
    }

    fn finished(&mut self) {
        if let Some((connection, pool)) = self.connection.take() {
            pool.put(connection);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.finished();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                if self.body.is_end_stream() {
                    self.finished();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.connection = None;
                let message = "the model's server broke off its answer";
                let fault = Fault::new(Class::Truncated, 502, "upstream_truncated", message);
                Poll::Ready(Some(Err(fault.with_cause(error.to_string()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
