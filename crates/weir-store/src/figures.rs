//! What metrics show of the store.

use crate::Trouble;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What is asked of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new entry, or a change of one.
    Put,
    /// One entry.
    Get,
    /// The turns of a conversation, or the entries of a kind.
    List,
    /// The end of one entry.
    Delete,
    /// The end of those that have expired.
    Sweep,
}

/// Every operation with its name in metrics.
pub const OPERATIONS: [(Operation, &str); 5] = [
    (Operation::Put, "put"),
    (Operation::Get, "get"),
    (Operation::List, "list"),
    (Operation::Delete, "delete"),
    (Operation::Sweep, "sweep"),
];

/// How an operation may end, by its name in metrics: well, or by [`Trouble::name`].
pub const OUTCOMES: [&str; 9] =
    ["ok", "closed", "busy", "late", "failed", "full", "too_large", "exists", "too_long"];

/// Counts of what was asked and how it went.
#[derive(Debug, Default)]
pub struct Figures {
    ended: [[AtomicU64; OUTCOMES.len()]; OPERATIONS.len()],
    micros: [AtomicU64; OPERATIONS.len()],
    open: AtomicBool,
    bytes: AtomicU64,
}

impl Figures {
    pub(crate) fn ended<T>(&self, operation: Operation, result: &Result<T, Trouble>, took: Duration) {
        let name = result.as_ref().err().map_or("ok", Trouble::name);
        let place = OUTCOMES.iter().position(|outcome| *outcome == name).unwrap_or_default();
        self.ended[operation as usize][place].fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros[operation as usize].fetch_add(micros, Relaxed);
    }

    pub(crate) fn opened(&self, open: bool) {
        self.open.store(open, Relaxed);
    }

    pub(crate) fn holds(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }

    /// Operations that have ended, each with its outcome and their number; those that never were are left out.
    pub fn operations(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        OPERATIONS.iter().zip(&self.ended).flat_map(|((_, operation), counts)| {
            let counts = OUTCOMES.iter().zip(counts).map(|(outcome, count)| (*outcome, count.load(Relaxed)));
            counts.filter(|(_, count)| *count > 0).map(|(outcome, count)| (*operation, outcome, count))
        })
    }

    /// The time that operations took, waiting included.
    pub fn took(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        let times = self.micros.iter().map(|micros| Duration::from_micros(micros.load(Relaxed)));
        OPERATIONS.iter().map(|(_, name)| *name).zip(times)
    }

    /// Whether the store is open.
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }

    /// What the entries take, as far as is known.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}
