//! What a model server says of itself: how much it has to do that Weir did not send.
//!
//! A hint, and never more: whoever answers there may be mistaken, late or lying. So it can only add to what Weir counts
//! itself, by at most [`MOST_OTHERS`] requests, and only for as long as it is fresh. A server that says too little gains
//! nothing; one that says too much is called less, and no other suffers.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// So many requests of others are believed at most.
pub const MOST_OTHERS: u32 = 256;
/// No figure is kept that is larger.
const MOST: f64 = 1e6;
/// Stands for "not told".
const UNKNOWN: u32 = u32::MAX;

/// What a server said at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Requests being computed.
    pub running: f64,
    /// Requests that wait.
    pub waiting: f64,
    /// The part of its memory for attention that is in use, from 0 to 1.
    pub memory: Option<f64>,
    /// Of those requests, how many were Weir's own: the most there were between asking and hearing the answer.
    pub ours: u32,
}

/// The latest reading of a deployment's server. Atomics, each complete in itself: written by one core, read by all.
#[derive(Debug)]
pub struct Gauges {
    running: AtomicU32,
    waiting: AtomicU32,
    /// Thousandths.
    memory: AtomicU32,
    others: AtomicU32,
    /// Nanoseconds of the clock; nothing of this counts from then on. Zero before the first reading.
    fresh_until: AtomicU64,
}

impl Default for Gauges {
    fn default() -> Self {
        Gauges {
            running: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            memory: AtomicU32::new(UNKNOWN),
            others: AtomicU32::new(0),
            fresh_until: AtomicU64::new(0),
        }
    }
}

/// What is shown of a fresh reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shown {
    /// Requests being computed.
    pub running: u32,
    /// Requests that wait.
    pub waiting: u32,
    /// The part of its memory for attention that is in use, from 0 to 1.
    pub memory: Option<f64>,
    /// Requests that others than this Weir have there, as far as is believed.
    pub others: u32,
}

impl Gauges {
    /// The server has said this, and it holds for so long.
    pub fn heard(&self, reading: &Reading, life: Duration, now: Moment) {
        let (running, waiting) = (count(reading.running), count(reading.waiting));
        self.running.store(running, Relaxed);
        self.waiting.store(waiting, Relaxed);
        let memory = reading.memory.filter(|part| part.is_finite());
        self.memory.store(memory.map_or(UNKNOWN, |part| count(part.clamp(0.0, 1.0) * 1000.0)), Relaxed);
        let others = (running + waiting).saturating_sub(reading.ours).min(MOST_OTHERS);
        self.others.store(others, Relaxed);
        self.fresh_until.store((now + life).as_nanos(), Relaxed);
    }

    /// Requests that others than this Weir have there, as far as is believed; none when nothing fresh is known.
    pub fn others(&self, now: Moment) -> u32 {
        if self.is_fresh(now) { self.others.load(Relaxed) } else { 0 }
    }

    /// The latest reading, while it is fresh.
    pub fn shown(&self, now: Moment) -> Option<Shown> {
        let memory = Some(self.memory.load(Relaxed)).filter(|known| *known != UNKNOWN);
        self.is_fresh(now).then(|| Shown {
            running: self.running.load(Relaxed),
            waiting: self.waiting.load(Relaxed),
            memory: memory.map(|thousandths| f64::from(thousandths) / 1000.0),
            others: self.others.load(Relaxed),
        })
    }

    fn is_fresh(&self, now: Moment) -> bool {
        now < Moment::from_nanos(self.fresh_until.load(Relaxed))
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within these bounds")]
fn count(figure: f64) -> u32 {
    if figure.is_nan() { 0 } else { figure.clamp(0.0, MOST).round() as u32 }
}

#[cfg(test)]
mod tests;
