//! Where each event of a stream ends.

use crate::format::Framing;
use crate::frames::{Frame, FrameFault, Frames};
use crate::lines::Lines;
use crate::sse::{self, Event, EventTooLarge, Fate, Pieces, Splitter};
use bytes::Bytes;
use std::borrow::Cow;
use weir_core::{Class, Fault};

/// Cuts a stream into its events, by whatever framing it has.
#[derive(Debug)]
pub(super) enum Cut {
    Events(Splitter),
    Lines {
        lines: Box<Lines>,
        /// Nothing that comes is looked at any more.
        stopped: bool,
    },
    Frames {
        frames: Box<Frames>,
        /// As of lines.
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
            (Cut::Events(splitter), Framing::Frames) => {
                Cut::Frames { frames: Box::new(Frames::new(splitter.limit())), stopped: false }
            }
            (cut, _) => cut,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        match self {
            Cut::Events(_) => Framing::Events,
            Cut::Lines { .. } => Framing::Lines,
            Cut::Frames { .. } => Framing::Frames,
        }
    }

    /// As [`Splitter::push`].
    ///
    /// # Errors
    /// The upstream's: what comes cannot be cut any more.
    pub(super) fn push(
        &mut self,
        chunk: Bytes,
        out: &mut Pieces,
        judge: &mut impl FnMut(&Event<'_>) -> Fate,
    ) -> Result<(), Fault> {
        let mut kept = Vec::new();
        let mut keep = |event: &Event<'_>, end: &[u8], stopped: &mut bool| {
            if *stopped {
                return;
            }
            let fate = judge(event);
            *stopped = matches!(fate, Fate::Last | Fate::Stop);
            if matches!(fate, Fate::Keep | Fate::Last) {
                kept.extend_from_slice(event.raw);
                kept.extend_from_slice(end);
            }
        };
        let pushed = match self {
            Cut::Events(splitter) => return splitter.push(chunk, out, judge).map_err(too_large),
            Cut::Lines { lines, stopped } => {
                let mut give = |line: &[u8]| keep(&line_event(line), b"\n", stopped);
                lines.push(&chunk, &mut give).map_err(too_large)
            }
            Cut::Frames { frames, stopped } => {
                let mut give = |frame: &Frame<'_>| keep(&frame_event(frame), b"", stopped);
                frames.push(&chunk, &mut give).map_err(not_framed)
            }
        };
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
            Cut::Frames { frames, stopped } => {
                let last = frames.finish();
                if *stopped { Bytes::new() } else { Bytes::from(last) }
            }
        }
    }

    /// What [`Cut::finish`] gave as the event it would be, had its end followed.
    pub(super) fn unfinished<'t>(&self, tail: &'t [u8]) -> Event<'t> {
        match self {
            Cut::Events(_) => sse::parse_unfinished(tail),
            // A piece of a message is nothing that its format's reader can make sense of.
            Cut::Lines { .. } | Cut::Frames { .. } => line_event(tail),
        }
    }

    /// The end that such an event lacks.
    pub(super) fn missing_behind(&self, tail: &[u8]) -> &'static [u8] {
        let line_ended = tail.ends_with(b"\n") || tail.ends_with(b"\r");
        match self {
            Cut::Events(_) if !line_ended => b"\n\n",
            Cut::Frames { .. } => b"",
            _ => b"\n",
        }
    }
}

fn too_large(EventTooLarge { limit }: EventTooLarge) -> Fault {
    let message = format!("The upstream sent a stream event larger than {limit} bytes.");
    Fault::new(Class::Malformed, 502, "upstream_event_too_large", message)
}

fn not_framed(fault: FrameFault) -> Fault {
    match fault {
        FrameFault::TooLarge { limit } => too_large(EventTooLarge { limit }),
        FrameFault::Damaged(_) => {
            let message = "The upstream's stream was damaged on its way.";
            Fault::new(Class::Malformed, 502, "upstream_malformed", message).with_cause(fault.to_string())
        }
    }
}

fn frame_event<'f>(frame: &'f Frame<'_>) -> Event<'f> {
    Event { raw: frame.raw, data: Some(Cow::Borrowed(&frame.data)), name: Some(&frame.name) }
}

fn line_event(line: &[u8]) -> Event<'_> {
    Event { raw: line, data: Some(Cow::Borrowed(line)), name: None }
}

#[cfg(test)]
mod tests;
