//! The answer to one request: its head, and its body as it comes.

use crate::connection::Connection;
use crate::framing::{Chunks, Framing};
use crate::pool::Pool;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use weir_core::{Class, Fault};

/// Head and unread body of an upstream's answer.
pub struct Answer {
    /// Status and headers.
    pub head: AnswerHead,
    /// The body, which holds the connection until it has been read to its end.
    pub body: AnswerBody,
}

/// Status and headers of an answer. The headers stay as they came until somebody asks for one: of most answers two or
/// three are looked at.
#[derive(Debug)]
pub struct AnswerHead {
    /// The status.
    pub status: StatusCode,
    /// The head as it came, known to be well-formed.
    pub(crate) text: Bytes,
    /// Where the values of the two stand that every answer is asked for.
    pub(crate) content_type: Option<Range<usize>>,
    pub(crate) content_encoding: Option<Range<usize>>,
}

impl AnswerHead {
    /// The value of `content-type`.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.text.get(self.content_type.clone()?)
    }

    /// The value of `content-encoding`.
    pub fn content_encoding(&self) -> Option<&[u8]> {
        self.text.get(self.content_encoding.clone()?)
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|b| *b == b'\n').skip(1)
    }

    /// The value of the first header of this name, without the blanks around it.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        let name = name.as_str().as_bytes();
        self.lines().find_map(|line| {
            let (before, after) = line.split_at_checked(name.len())?;
            let value = after.strip_prefix(b":")?;
            before.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
        })
    }

    /// All headers.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in self.lines() {
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let name = HeaderName::from_bytes(&line[..colon]);
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        headers
    }
}

/// The body of an answer. Read to the end, its connection goes back to the pool; dropped before, the connection is
/// closed, which is how a call is cancelled.
pub struct AnswerBody {
    state: State,
    /// Bytes that came with the head.
    ahead: Bytes,
    /// Whether the connection may serve another request afterwards.
    reusable: bool,
    connection: Option<(Box<Connection>, Rc<Pool>)>,
}

/// How the body's end is found, and how far it is.
enum State {
    Sized(u64),
    Chunked(Box<Chunks>),
    UntilClose,
    Ended,
}

impl AnswerBody {
    pub(crate) fn new(
        framing: Framing,
        ahead: Bytes,
        reusable: bool,
        connection: Box<Connection>,
        pool: Rc<Pool>,
    ) -> Self {
        let state = match framing {
            Framing::None => State::Sized(0),
            Framing::Sized(length) => State::Sized(length),
            Framing::Chunked => State::Chunked(Box::default()),
            Framing::UntilClose => State::UntilClose,
        };
        let mut body = AnswerBody { state, ahead, reusable, connection: Some((connection, pool)) };
        if matches!(body.state, State::Sized(0)) {
            let nothing_more = body.ahead.is_empty();
            body.finished(nothing_more);
        }
        body
    }

    /// The body's end has been read, with or without something unasked behind it.
    fn finished(&mut self, nothing_more: bool) {
        self.state = State::Ended;
        if let Some((connection, pool)) = self.connection.take()
            && self.reusable
            && nothing_more
        {
            pool.put(connection);
        }
    }

    fn broken(&mut self, cause: String) -> Option<Result<Frame<Bytes>, Fault>> {
        self.connection = None;
        self.state = State::Ended;
        let message = "the model's server broke off its answer";
        Some(Err(Fault::new(Class::Truncated, 502, "upstream_truncated", message).with_cause(cause)))
    }

    /// Takes what has come; `None` when nothing of it is for the reader.
    fn take(&mut self, mut come: Bytes) -> Option<Result<Frame<Bytes>, Fault>> {
        let data = match &mut self.state {
            State::Ended => return None,
            State::UntilClose => come,
            State::Sized(left) => {
                let mine = usize::try_from(*left).unwrap_or(usize::MAX).min(come.len());
                *left -= mine as u64;
                let data = come.split_to(mine);
                if *left == 0 {
                    self.finished(come.is_empty());
                }
                data
            }
            State::Chunked(chunks) => match chunks.push(&mut come) {
                Err(why) => return self.broken(why.to_owned()),
                Ok(data) => {
                    self.reusable &= come.is_empty();
                    if chunks.has_ended() && !chunks.has_trailers() {
                        self.finished(true);
                    }
                    data
                }
            },
        };
        (!data.is_empty()).then(|| Ok(Frame::data(data)))
    }

    /// The trailers, once everything before them has been taken.
    fn trailers(&mut self) -> Option<HeaderMap> {
        let State::Chunked(chunks) = &mut self.state else { return None };
        let trailers = chunks.take_trailers()?;
        self.finished(true);
        Some(trailers)
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let body = &mut *self;
        loop {
            if let Some(trailers) = body.trailers() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            let come = if body.ahead.is_empty() {
                let (State::Sized(_) | State::Chunked(_) | State::UntilClose, Some((connection, _))) =
                    (&body.state, &mut body.connection)
                else {
                    return Poll::Ready(None);
                };
                match ready!(connection.poll_read(cx)) {
                    Ok(come) => come,
                    Err(e) => return Poll::Ready(body.broken(e.to_string())),
                }
            } else {
                std::mem::take(&mut body.ahead)
            };
            if come.is_empty() {
                if matches!(body.state, State::UntilClose) {
                    body.finished(false);
                    return Poll::Ready(None);
                }
                let cause = "the connection was closed before the answer's end";
                return Poll::Ready(body.broken(cause.to_owned()));
            }
            if let Some(frame) = body.take(come) {
                return Poll::Ready(Some(frame));
            }
            if matches!(body.state, State::Ended) {
                return Poll::Ready(None);
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Sized(left) => SizeHint::with_exact(left),
            State::Ended => SizeHint::with_exact(0),
            State::Chunked(_) | State::UntilClose => SizeHint::default(),
        }
    }
}
