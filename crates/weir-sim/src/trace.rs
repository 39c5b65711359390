//! Recorded traffic.

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;
use weir_core::Moment;

/// One prompt of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it came.
    pub at: Moment,
    /// The length of its prompt.
    pub tokens: u64,
    /// Its blocks in order, each named for everything up to and with it: two prompts that agree up to the end of a block
    /// have that block in common.
    pub blocks: Box<[u64]>,
}

/// Prompts in the order of their arrival; never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What it is called in reports.
    pub name: String,
    /// The prompts.
    pub requests: Vec<Request>,
}

/// Why a trace cannot be used.
#[derive(Debug)]
pub enum Problem {
    /// The file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A line is not a request.
    Line {
        /// The trace's name.
        name: String,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// It is too large for memory.
    Long {
        /// The trace's name.
        name: String,
    },
    /// There is no request in it.
    Empty {
        /// The trace's name.
        name: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unreadable { path, cause } => write!(f, "{}: {cause}", path.display()),
            Problem::Line { name, line, cause } => write!(
                f,
                "{name}, line {line}: {cause}; a line is wanted like \
                 {{\"timestamp\": 27482, \"input_length\": 6955, \"hash_ids\": [46, 47, 48]}}, times in milliseconds"
            ),
            Problem::Long { name } => {
                write!(f, "{name} has more than {} requests: cut it", Trace::MOST_REQUESTS)
            }
            Problem::Empty { name } => write!(f, "{name} holds no request"),
        }
    }
}

impl std::error::Error for Problem {}

/// A line as Mooncake published its traces; other members are not looked at.
#[derive(Deserialize)]
struct Line {
    timestamp: u64,
    input_length: u64,
    hash_ids: Box<[u64]>,
}

impl Trace {
    /// The longest trace that is read.
    pub const MOST_REQUESTS: usize = 5_000_000;

    /// Reads a file of JSON lines; one whose name ends in `.gz` is unpacked on the way.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let unreadable = |cause| Problem::Unreadable { path: path.to_owned(), cause };
        let file = File::open(path).map_err(unreadable)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let parsed = if path.extension().is_some_and(|extension| extension == "gz") {
            Self::parse(name, BufReader::new(GzDecoder::new(file)))
        } else {
            Self::parse(name, BufReader::new(file))
        };
        parsed.map_err(|problem| match problem {
            Problem::Unreadable { cause, .. } => unreadable(cause),
            other => other,
        })
    }

    /// Reads JSON lines. Requests are put in the order of their times; those of one time stay as they stand.
    pub fn parse(name: String, lines: impl BufRead) -> Result<Self, Problem> {
        let mut requests = Vec::new();
        for (number, line) in lines.lines().enumerate() {
            let line = line.map_err(|cause| Problem::Unreadable { path: PathBuf::from(&name), cause })?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(&line).map_err(|cause| Problem::Line {
                name: name.clone(),
                line: number + 1,
                cause,
            })?;
            if requests.len() >= Self::MOST_REQUESTS {
                return Err(Problem::Long { name });
            }
            let at = Moment::START + Duration::from_millis(line.timestamp);
            requests.push(Request { at, tokens: line.input_length, blocks: line.hash_ids });
        }
        requests.sort_by_key(|request| request.at);
        if requests.is_empty() { Err(Problem::Empty { name }) } else { Ok(Trace { name, requests }) }
    }

    /// From the first to the last arrival.
    pub fn span(&self) -> Duration {
        match (self.requests.first(), self.requests.last()) {
            (Some(first), Some(last)) => last.at.since(first.at),
            _ => Duration::ZERO,
        }
    }

    /// The blocks of all prompts, as often as they come.
    pub fn blocks(&self) -> usize {
        self.requests.iter().map(|request| request.blocks.len()).sum()
    }

    /// How many first blocks all prompts have in common.
    pub fn common_blocks(&self) -> usize {
        let Some((first, others)) = self.requests.split_first() else { return 0 };
        let shared =
            |blocks: &[u64]| first.blocks.iter().zip(blocks).take_while(|(one, other)| one == other).count();
        others.iter().map(|request| shared(&request.blocks)).min().unwrap_or(first.blocks.len())
    }
}

#[cfg(test)]
mod tests;
