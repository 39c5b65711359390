//! The bounded way from the cores to the writer thread, and that thread.
//!
//! The lock is held for a few moves of pointers and never while writing, so a target that blocks stops the writer and
//! nobody else. When the queue is full, what comes next is dropped and counted.

use crate::lock;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Buffers that may wait; with buffers of about 32 KiB, 2 MiB.
pub(crate) const MOST_WAITING: usize = 32;
/// Emptied buffers kept for reuse.
const MOST_SPARE: usize = 4;
/// What a new buffer can hold before it grows: a full buffer and one long line.
const CAPACITY: usize = 132 * 1024;

#[derive(Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    /// Buffers accepted and buffers written or given up, since the start; first in, first out.
    handed: u64,
    done: u64,
    closed: bool,
}

/// Lines on their way to the writer thread.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    settled: Condvar,
    dropped: AtomicU64,
}

impl Queue {
    /// Starts the thread that writes to `out`. It ends after [`Queue::close`], once everything is written.
    pub(crate) fn start(out: Box<dyn Write + Send>) -> io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue::default());
        let writer =
            Writer { queue: queue.clone(), out, torn: false, failures: 0, stalls: 0, seen_dropped: 0 };
        std::thread::Builder::new().name("weir-access-log".into()).spawn(move || writer.run())?;
        Ok(queue)
    }

    /// Takes `lines` lines out of `buffer` and leaves an empty one in it. When the queue is full or closed the lines
    /// are dropped and counted, and the same buffer stays.
    pub(crate) fn hand_over(&self, buffer: &mut Vec<u8>, lines: u64) {
        let mut state = lock(&self.state);
        if state.closed || state.waiting.len() >= MOST_WAITING {
            drop(state);
            self.dropped.fetch_add(lines, Relaxed);
            buffer.clear();
            return;
        }
        let empty = state.spare.pop();
        let full = std::mem::replace(buffer, empty.unwrap_or_else(|| Vec::with_capacity(CAPACITY)));
        state.waiting.push_back(full);
        state.handed += 1;
        drop(state);
        self.arrived.notify_one();
    }

    /// Waits until what has been accepted so far is written or given up, at most `within`. Returns whether it is.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let state = lock(&self.state);
        let target = state.handed;
        let (state, _) = self
            .settled
            .wait_timeout_while(state, within, |state| state.done < target)
            .unwrap_or_else(PoisonError::into_inner);
        state.done >= target
    }

    /// Accepts nothing more; the writer ends when it has written what waits.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.arrived.notify_one();
    }

    /// Lines lost since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The next buffer, as soon as there is one; `None` at the end.
    fn next(&self) -> Option<Vec<u8>> {
        let state = lock(&self.state);
        let mut state = self
            .arrived
            .wait_while(state, |state| state.waiting.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting.pop_front()
    }

    /// Takes an ended buffer back.
    fn settle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut state = lock(&self.state);
        state.done += 1;
        if state.spare.len() < MOST_SPARE {
            state.spare.push(buffer);
        }
        drop(state);
        self.settled.notify_all();
    }
}

/// The writer thread's own side.
struct Writer {
    queue: Arc<Queue>,
    out: Box<dyn Write + Send>,
    /// The last thing written was the beginning of a line.
    torn: bool,
    failures: u64,
    stalls: u64,
    seen_dropped: u64,
}

impl Writer {
    fn run(mut self) {
        while let Some(buffer) = self.queue.next() {
            let outcome = self.write_lines(&buffer);
            self.report(outcome);
            self.queue.settle(buffer);
        }
    }

    /// Writes whole lines; what cannot be written is counted as dropped.
    fn write_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut written = 0;
        let outcome = self.end_torn_line().and_then(|()| write_counted(&mut *self.out, lines, &mut written));
        let (done, lost) = lines.split_at(written.min(lines.len()));
        if let Some(&last) = done.last() {
            self.torn = last != b'\n';
        }
        let lost = lost.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.queue.dropped.fetch_add(lost, Relaxed);
        outcome
    }

    /// A line that broke off must not swallow the next one.
    fn end_torn_line(&mut self) -> io::Result<()> {
        if self.torn {
            write_counted(&mut *self.out, b"\n", &mut 0)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Says on the program's own log that lines are lost: the first time, the second, the fourth and so on, so that
    /// lasting trouble neither goes unsaid nor floods. Only this thread says it, since that log may be blocked too.
    fn report(&mut self, outcome: io::Result<()>) {
        let dropped = self.queue.dropped();
        let lost = dropped > self.seen_dropped;
        self.seen_dropped = dropped;
        match outcome {
            Err(error) => {
                self.failures += 1;
                if self.failures.is_power_of_two() {
                    tracing::warn!(%error, failures = self.failures, dropped, "access log cannot be written");
                }
            }
            Ok(()) if lost => {
                self.stalls += 1;
                if self.stalls.is_power_of_two() {
                    tracing::warn!(dropped, "access log is read too slowly; lines were dropped");
                }
            }
            Ok(()) => {}
        }
    }
}

/// Writes all of `bytes`; after an error, `written` says how many got out.
fn write_counted(out: &mut dyn Write, bytes: &[u8], written: &mut usize) -> io::Result<()> {
    while let Some(rest) = bytes.get(*written..).filter(|rest| !rest.is_empty()) {
        match out.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => *written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
