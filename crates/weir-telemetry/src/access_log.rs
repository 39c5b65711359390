//! The access log: one JSON line per exchange, rendered on the core that served it and written by a thread of its own.

mod line;
mod queue;

pub(crate) use queue::Queue;

use line::LineFormat;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use weir_core::Exchange;

/// Where access-log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, created when missing, appended to when not.
    File(PathBuf),
}

impl LogTarget {
    /// Opens the target unbuffered: lines come in batches, and a buffer of the library's would keep half a line after
    /// a failed write.
    pub(crate) fn open(&self) -> io::Result<Box<dyn io::Write + Send>> {
        let file = match self {
            LogTarget::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            LogTarget::Stderr => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            LogTarget::File(path) => OpenOptions::new().create(true).append(true).open(path)?,
        };
        Ok(Box::new(file))
    }
}

/// Lines of one core that are not handed over yet.
pub(crate) struct LineBuffer {
    queue: Arc<Queue>,
    format: LineFormat,
    bytes: Vec<u8>,
    lines: u64,
}

impl LineBuffer {
    /// Beyond this the buffer is handed over at once.
    const FULL: usize = 128 * 1024;

    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        LineBuffer { queue, format: LineFormat::default(), bytes: Vec::new(), lines: 0 }
    }

    pub(crate) fn push(&mut self, exchange: &Exchange<'_>) {
        self.format.write(&mut self.bytes, exchange);
        self.lines += 1;
        if self.bytes.len() > Self::FULL {
            self.hand_over();
        }
    }

    /// Gives what is here to the writer, or drops it when the writer is too far behind. Never waits for output.
    pub(crate) fn hand_over(&mut self) {
        if self.lines > 0 {
            self.queue.hand_over(&mut self.bytes, self.lines);
            self.lines = 0;
        }
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        self.hand_over();
    }
}
