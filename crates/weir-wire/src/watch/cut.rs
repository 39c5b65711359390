//! Where each event of a stream ends.

use crate::format::Framing;
use crate::lines::Lines;
use crate::sse::{self, Event, EventTooLarge, Fate, Pieces, Splitter};
use bytes::Bytes;
use std::borrow::Cow;

/// Cuts a stream into its events, by whatever framing it has.
#[derive(Debug)]
pub(super) enum Cut {
    Events(Splitter),
    Lines {
        lines: Box<Lines>,
        /// Nothing that comes is looked at any more.
        stopped: bool,
    },
}

impl Cut {
    /// Of server-sent events, an event at most `limit` bytes long where it has to be held back.
    pub(super) fn events(limit: usize) -> Self {
        Cut::Events(Splitter::new(limit))
    }

    /// The same at the start of a stream that is framed so.
    pub(super) fn framed(self, framing: Framing) -> Self {
        match (self, framing) {
            (Cut::Events(splitter), Framing::Lines) => {
                Cut::Lines { lines: Box::new(Lines::new(splitter.limit())), stopped: false }
            }
            (cut, _) => cut,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        match self {
            Cut::Events(_) => Framing::Events,
            Cut::Lines { .. } => Framing::Lines,
        }
    }

    /// As [`Splitter::push`].
    pub(super) fn push(
        &mut self,
        chunk: Bytes,
        out: &mut Pieces,
        judge: &mut impl FnMut(&Event<'_>) -> Fate,
    ) -> Result<(), EventTooLarge> {
        let (lines, stopped) = match self {
            Cut::Events(splitter) => return splitter.push(chunk, out, judge),
            Cut::Lines { lines, stopped } => (lines, stopped),
        };
        let mut kept = Vec::new();
        let pushed = lines.push(&chunk, &mut |line| {
            if *stopped {
                return;
            }
            let fate = judge(&line_event(line));
            *stopped = matches!(fate, Fate::Last | Fate::Stop);
            if matches!(fate, Fate::Keep | Fate::Last) {
                kept.extend_from_slice(line);
                kept.push(b'\n');
            }
        });
        if !kept.is_empty() {
            out.push(Bytes::from(kept));
        }
        pushed
    }

    /// As [`Splitter::finish`].
    pub(super) fn finish(&mut self) -> Bytes {
        match self {
            Cut::Events(splitter) => splitter.finish(),
            Cut::Lines { lines, stopped } => {
                let mut last = Vec::new();
                lines.finish(&mut |line| last.extend_from_slice(line));
                if *stopped { Bytes::new() } else { Bytes::from(last) }
            }
        }
    }

    /// What [`Cut::finish`] gave as the event it would be, had its end followed.
    pub(super) fn unfinished<'t>(&self, tail: &'t [u8]) -> Event<'t> {
        match self {
            Cut::Events(_) => sse::parse_unfinished(tail),
            Cut::Lines { .. } => line_event(tail),
        }
    }

    /// The end that such an event lacks.
    pub(super) fn missing_behind(&self, tail: &[u8]) -> &'static [u8] {
        let line_ended = tail.ends_with(b"\n") || tail.ends_with(b"\r");
        match self {
            Cut::Events(_) if !line_ended => b"\n\n",
            _ => b"\n",
        }
    }
}

fn line_event(line: &[u8]) -> Event<'_> {
    Event { raw: line, data: Some(Cow::Borrowed(line)), name: None }
}
