//! A stream whose answer is kept. Its last event waits until it is.

use super::Keep;
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use weir_wire::format::responses::{Ending, OwnStream};
use weir_wire::sse::EventTooLarge;

/// No event of a stream that gets here is larger: the watch before lets none through.
const LARGEST: usize = 256 << 20;

/// Gives whether an answer is kept.
type Storing = Pin<Box<dyn Future<Output = bool>>>;

/// What stands between a relay and its client.
pub(crate) struct Keeping {
    keep: Option<Box<Keep>>,
    stream: OwnStream,
    ready: VecDeque<Bytes>,
    end: Option<(Ending, Storing)>,
    rest: Vec<u8>,
}

impl Keeping {
    pub(crate) fn new(keep: Box<Keep>) -> Box<Keeping> {
        let stream = OwnStream::new(keep.place.naming.clone(), LARGEST);
        let (ready, end, rest) = (VecDeque::new(), None, Vec::new());
        Box::new(Keeping { keep: Some(keep), stream, ready, end, rest })
    }

    /// Takes what is to go out.
    pub(crate) fn take(&mut self, bytes: Bytes) -> Result<(), EventTooLarge> {
        let passed = self.stream.push(bytes)?;
        if !passed.ready.is_empty() {
            self.ready.push_back(passed.ready.into());
        }
        match (passed.end, self.keep.take()) {
            (Some(end), Some(keep)) => {
                let answer = end.answer.clone();
                self.end = Some((end, Box::pin(async move { keep.put(answer).await })));
                self.rest = passed.rest;
            }
            // An answer ends once.
            (Some(again), None) => self.ready.extend([again.event(false), passed.rest.into()]),
            (None, keep) => self.keep = keep,
        }
        Ok(())
    }

    /// What goes out next; `None` when there is nothing here.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(next) = self.ready.pop_front() {
            return Poll::Ready(Some(next));
        }
        let Some((end, storing)) = &mut self.end else { return Poll::Ready(None) };
        let stored = ready!(storing.as_mut().poll(cx));
        let event = end.event(stored);
        self.end = None;
        let rest = std::mem::take(&mut self.rest);
        self.ready.extend((!rest.is_empty()).then(|| rest.into()));
        Poll::Ready(Some(event))
    }
}
