//! Server-sent events: where each one ends in a stream of bytes, and what it says.
//!
//! Rules: WHATWG HTML, "Server-sent events", §9.2.5 and §9.2.6 (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//! Lines end with LF, CRLF or CR; a blank line ends an event; what stands before the end of input without a blank
//! line is no event.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// Bytes on their way out, in order.
pub type Pieces = SmallVec<[Bytes; 4]>;

/// One block of lines up to and including its blank line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'e> {
    /// Exactly the bytes that came.
    pub raw: &'e [u8],
    /// The `data` lines joined by LF; `None` when there is none (a comment, `id` or `retry` alone), which a reader of
    /// the stream never hears of.
    pub data: Option<Cow<'e, [u8]>>,
    /// The event's type when an `event` line states one.
    pub name: Option<&'e [u8]>,
}

/// What becomes of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is passed on as it came.
    Keep,
    /// It is left out.
    Drop,
    /// It is passed on, and everything after it is left out for good.
    Last,
    /// It and everything after it is left out for good.
    Stop,
}

/// An event grew beyond the splitter's limit before its end was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the stream is larger than {} bytes", self.limit)
    }
}

impl std::error::Error for EventTooLarge {}

/// Splits a stream of bytes into events and passes on those that may stay.
///
/// Events that lie whole in a pushed chunk are never copied, and a run of kept ones leaves as one slice. Only the bytes
/// of an event that a chunk's end cuts are held back, up to a limit. Every byte is looked at a fixed number of times,
/// however an event is cut.
///
/// How the bytes are cut changes nothing but this: when CRLF is cut in the middle of the blank line that ends an event,
/// the event is complete at the CR, and the LF leaves by itself as soon as it comes.
#[derive(Debug)]
pub struct Splitter {
    carry: BytesMut,
    lines: Lines,
    limit: usize,
    /// No event has ended yet: a byte order mark may stand at its start.
    fresh: bool,
    stopped: bool,
}

impl Splitter {
    /// The usual limit of one event, in bytes: above the largest single delta seen from real upstreams.
    pub const LIMIT: usize = 4 * 1024 * 1024;

    /// A splitter at the start of a stream that holds back at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Splitter { carry: BytesMut::new(), lines: Lines::default(), limit, fresh: true, stopped: false }
    }

    /// The most bytes it holds back.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Takes the next bytes: shows each event that is now complete to `judge`, and appends to `out` what stays.
    pub fn push(
        &mut self,
        chunk: Bytes,
        out: &mut Pieces,
        judge: &mut impl FnMut(&Event<'_>) -> Fate,
    ) -> Result<(), EventTooLarge> {
        if self.stopped {
            self.complete_last(&chunk, out);
            return Ok(());
        }
        let mut at = 0;
        if !self.carry.is_empty() {
            let Some(end) = self.lines.end_of_event(&chunk) else { return self.hold(&chunk) };
            self.hold(chunk.get(..end).unwrap_or_default())?;
            let raw = std::mem::take(&mut self.carry).freeze();
            let fate = judge(&parse(&raw, std::mem::take(&mut self.fresh)));
            if matches!(fate, Fate::Keep | Fate::Last) {
                out.push(raw);
            }
            if matches!(fate, Fate::Last | Fate::Stop) {
                self.stop(fate);
                return Ok(());
            }
            at = end;
        }
        self.walk(chunk, at, out, judge)
    }

    /// Ends the stream: what came after the last complete event, or nothing.
    pub fn finish(&mut self) -> Bytes {
        self.stopped = true;
        std::mem::take(&mut self.carry).freeze()
    }

    /// Goes over the events of `chunk` from `start`, where one begins. Kept bytes gather in one run, which leaves when
    /// something is left out.
    fn walk(
        &mut self,
        chunk: Bytes,
        start: usize,
        out: &mut Pieces,
        judge: &mut impl FnMut(&Event<'_>) -> Fate,
    ) -> Result<(), EventTooLarge> {
        let mut run = start;
        let mut at = start;
        loop {
            let rest = chunk.get(at..).unwrap_or_default();
            let Some(length) = self.lines.end_of_event(rest) else { break };
            let raw = rest.get(..length).unwrap_or(rest);
            let fate = judge(&parse(raw, std::mem::take(&mut self.fresh)));
            let before = at;
            at += length;
            match fate {
                Fate::Keep => {}
                Fate::Drop => {
                    push_slice(out, &chunk, run, before);
                    run = at;
                }
                Fate::Last | Fate::Stop => {
                    push_slice(out, &chunk, run, if fate == Fate::Last { at } else { before });
                    self.stop(fate);
                    return Ok(());
                }
            }
        }
        self.hold(chunk.get(at..).unwrap_or_default())?;
        if run == 0 && at == chunk.len() && at > 0 {
            out.push(chunk);
        } else {
            push_slice(out, &chunk, run, at);
        }
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), EventTooLarge> {
        if self.carry.len() + bytes.len() > self.limit {
            self.stop(Fate::Stop);
            return Err(EventTooLarge { limit: self.limit });
        }
        self.carry.extend_from_slice(bytes);
        Ok(())
    }

    fn stop(&mut self, fate: Fate) {
        self.stopped = true;
        self.carry = BytesMut::new();
        if fate == Fate::Stop {
            self.lines = Lines::default();
        }
    }

    /// After the last event: when it ended by the CR of a cut CRLF, the LF still belongs to it.
    fn complete_last(&mut self, chunk: &Bytes, out: &mut Pieces) {
        if !chunk.is_empty() && std::mem::take(&mut self.lines.after_cr) && chunk.starts_with(b"\n") {
            push_slice(out, chunk, 0, 1);
        }
    }
}

fn push_slice(out: &mut Pieces, chunk: &Bytes, from: usize, to: usize) {
    if let Some(run) = chunk.get(from..to)
        && !run.is_empty()
    {
        out.push(chunk.slice_ref(run));
    }
}

/// Where in its lines a stream stands between two looks at it.
#[derive(Debug, Default)]
struct Lines {
    /// The current line has bytes already.
    begun: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl Lines {
    /// Goes over `bytes`, which continue the stream. When a blank line ends in them: the offset behind it. An LF that
    /// completes the CRLF of the event before counts as an end of its own.
    fn end_of_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if std::mem::take(&mut self.after_cr) {
            match bytes.first() {
                Some(b'\n') if self.begun => at = 1,
                Some(b'\n') => return Some(1),
                Some(_) => {}
                None => {
                    self.after_cr = true;
                    return None;
                }
            }
            self.begun = false;
        }
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
                self.begun |= !rest.is_empty();
                return None;
            };
            let blank = length == 0 && !self.begun;
            let end = rest.get(length..).unwrap_or_default();
            at += length + if end.starts_with(b"\r\n") { 2 } else { 1 };
            if end == b"\r" {
                // Whether a LF follows is not known yet. `begun` says meanwhile which line the CR ended.
                self.after_cr = true;
                self.begun = !blank;
                return blank.then_some(at);
            }
            self.begun = false;
            if blank {
                return Some(at);
            }
        }
    }
}

/// Reads the lines of one block. `fresh`: it is the first of its stream.
fn parse(raw: &[u8], fresh: bool) -> Event<'_> {
    // The usual event: one `data` line. The space after the colon is optional.
    if let Some(value) = raw.strip_prefix(b"data:")
        && let Some(end) = memchr::memchr2(b'\n', b'\r', value)
        && value.get(end..) == Some(b"\n\n")
    {
        let line = value.get(..end).unwrap_or(value);
        return Event { raw, data: Some(Cow::Borrowed(line.strip_prefix(b" ").unwrap_or(line))), name: None };
    }
    let mut event = Event { raw, data: None, name: None };
    let mut rest = raw;
    if fresh && let Some(after_mark) = raw.strip_prefix("\u{feff}".as_bytes()) {
        rest = after_mark;
    }
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
        read_line(&mut event, line);
    }
    event
}

fn read_line<'e>(event: &mut Event<'e>, line: &'e [u8]) {
    let (field, value) = match memchr::memchr(b':', line) {
        Some(colon) => {
            let (field, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default();
            (field, value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, &b""[..]),
    };
    match field {
        b"data" => match &mut event.data {
            None => event.data = Some(Cow::Borrowed(value)),
            Some(data) => {
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        },
        b"event" => event.name = (!value.is_empty()).then_some(value),
        _ => {}
    }
}

/// Reads what [`Splitter::finish`] gave as the event it would be, had a blank line followed.
pub(crate) fn parse_unfinished(raw: &[u8]) -> Event<'_> {
    parse(raw, true)
}

#[cfg(test)]
mod tests;
