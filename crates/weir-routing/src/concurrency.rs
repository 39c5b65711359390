//! How many calls at a time a deployment bears, learnt from what it says when they are too many.
//!
//! A deployment that never complains has no limit of this kind. Its first complaint sets one, at [`KEPT`] percent of the
//! calls then in flight. From there on it is additive increase, multiplicative decrease: each answer that comes in good
//! time while at least half of the places are taken adds its part of one place, so that a full round of calls adds one;
//! each complaint takes the limit down to [`KEPT`] percent again ([`KEPT_WHEN_SILENT`] when a time limit has passed), but only once for all calls that were under way
//! together. After [`QUIET`] without a complaint every answer adds a whole place, and after [`FORGOTTEN`] the limit is
//! gone. It is never below [`FLOOR`]: that a deployment fails at few calls says that it is ill, which is the breaker's
//! matter.
//!
//! A complaint is what [`overloads`](crate::fault_policy::overloads) says, and, where there is a limit already, a first
//! token that takes more than [`LATE`] times what this deployment takes at its best for prompts of such a length: then
//! [`KEPT_WHEN_LATE`] percent are kept. Its best is remembered for eight lengths of prompt, each four times the one
//! before, and made a little worse with every sample, so that what is out of reach for good is forgotten within thousands
//! of calls.
//!
//! Sources: V. Jacobson, "Congestion Avoidance and Control", SIGCOMM 1988 (additive increase, one decrease for each window
//! of what is under way; D.-M. Chiu and R. Jain, 1989, show that it converges to fair shares); S. Ha, I. Rhee and L. Xu,
//! "CUBIC", 2008 (0.7 instead of one half; faster growth when long nothing was lost); Netflix, "Performance Under Load",
//! 2018, and its library concurrency-limits (the same for calls, and growth only where the limit is used).

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// The least limit.
pub const FLOOR: u32 = 4;
/// Percent of the limit, or of the calls in flight if those are fewer, that a complaint leaves.
pub const KEPT: u32 = 70;
/// The same for a time limit that passed: news that is as old as the limit is long, of a deployment far beyond what it
/// bears.
pub const KEPT_WHEN_SILENT: u32 = 50;
/// The same for a first token that comes late.
pub const KEPT_WHEN_LATE: u32 = 90;
/// A first token is late that takes so many times what it takes at best…
pub const LATE: u32 = 2;
/// …and this on top.
pub const LATE_BY: Duration = Duration::from_millis(100);
/// So long after the last decrease the limit grows by one with each answer.
pub const QUIET: Duration = Duration::from_secs(30);
/// So long after the last decrease there is no limit any more.
pub const FORGOTTEN: Duration = Duration::from_secs(300);

/// A place in the limit's word, which counts parts of one.
const ONE: u32 = 256;

/// The limit that was learnt of one deployment. Two words that all cores share; each decrease is decided by whoever
/// moves `cut_at`.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    off: AtomicBool,
    /// In parts of a place; 0 for none.
    limit: AtomicU32,
    /// When it was last taken down, in nanoseconds of the clock and one; 0 for never.
    cut_at: AtomicU64,
    /// Microseconds to the first token at its best, by the prompt's length; 0 where nothing is known.
    best: [AtomicU32; 8],
}

impl Learned {
    /// Whether limits are learnt at all. What was learnt is forgotten when they are not.
    pub(crate) fn allow(&self, learns: bool) {
        self.off.store(!learns, Relaxed);
        if !learns {
            self.limit.store(0, Relaxed);
        }
    }

    /// Calls at a time; `u32::MAX` for as many as come.
    pub(crate) fn limit(&self, now: Moment) -> u32 {
        match self.limit.load(Relaxed) {
            0 => u32::MAX,
            _ if self.quiet_for(now) > FORGOTTEN => u32::MAX,
            limit => limit / ONE,
        }
    }

    /// Whether there is a limit.
    pub(crate) fn is_set(&self, now: Moment) -> bool {
        self.limit(now) != u32::MAX
    }

    fn quiet_for(&self, now: Moment) -> Duration {
        now.since(Moment::from_nanos(self.cut_at.load(Relaxed).saturating_sub(1)))
    }

    /// A call that began then has found the deployment overloaded, with so many calls in flight, itself among them. Of
    /// what there is, `kept` percent are kept. Whether that changed anything.
    pub(crate) fn complained(&self, began: Moment, in_flight: u32, kept: u32, now: Moment) -> bool {
        let base = self.limit(now).min(in_flight);
        if base <= FLOOR || self.off.load(Relaxed) {
            return false;
        }
        let (began, now) = (began.as_nanos() + 1, now.as_nanos() + 1);
        let mine = |cut_at: u64| (cut_at == 0 || began > cut_at).then_some(now);
        if self.cut_at.fetch_update(Relaxed, Relaxed, mine).is_err() {
            return false; // it was under way when the limit was last taken down
        }
        // As a share of what is kept of a number of 32 bits, it fits.
        let parts = u64::from(base) * u64::from(ONE) * u64::from(kept) / 100;
        let limit = u32::try_from(parts).unwrap_or(u32::MAX).max(FLOOR * ONE);
        self.limit.store(limit, Relaxed);
        true
    }

    /// A first token has come for a prompt of so many tokens: whether it is late.
    pub(crate) fn is_late(&self, prompt: u32, first: Duration) -> bool {
        let length = (prompt.max(1).ilog2() / 2).saturating_sub(2) as usize;
        let Some(best) = self.best.get(length).or(self.best.last()) else { return false };
        let known = best.load(Relaxed);
        let micros = u32::try_from(first.as_micros()).unwrap_or(u32::MAX).max(1);
        let next = if known == 0 { micros } else { micros.min(known.saturating_add(known / 4096 + 1)) };
        // What another core stores in this instant is as good.
        best.store(next, Relaxed);
        known != 0 && first > Duration::from_micros(known.into()) * LATE + LATE_BY
    }

    /// An answer has come in good time, with so many calls in flight, itself among them.
    pub(crate) fn went_well(&self, in_flight: u32, now: Moment) {
        let limit = self.limit.load(Relaxed);
        if limit == 0 || in_flight < limit / ONE / 2 {
            return;
        }
        let quiet = self.quiet_for(now);
        let grown = |limit: u32| match limit {
            0 => None,
            _ if quiet > FORGOTTEN => Some(0),
            limit if quiet > QUIET => Some(limit.saturating_add(ONE)),
            limit => Some(limit.saturating_add((ONE * ONE).div_ceil(limit))),
        };
        let _ = self.limit.fetch_update(Relaxed, Relaxed, grown); // declined where there is none any more
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod simulation;
