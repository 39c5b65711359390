//! The share of calls that ended in a fault, over the last seconds of one deployment.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// So long an ended call counts.
pub const WINDOW: Duration = Duration::from_secs(10);
/// Below so many calls in the window a share says nothing.
pub const LEAST_CALLS: u64 = 10;
/// A deployment that was taken out for its share less than this ago has to prove itself sooner.
pub const SUSPECT_FOR: Duration = Duration::from_secs(60);
/// Instead of [`LEAST_CALLS`], for that long.
pub const LEAST_CALLS_OF_SUSPECT: u64 = 4;

/// As many as [`Rate`] has.
const BUCKETS: u64 = 8;
const COUNT: u64 = (1 << 20) - 1;

/// Counts in buckets of an eighth of the window. Each bucket is one word (24 bits of time, twice 20 bits of counts, which
/// stop at their ends), so that cores share it without a lock and relaxed ordering is enough.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    buckets: [AtomicU64; 8],
    /// When it was last too high, in nanoseconds of the clock and one; 0 for never.
    exceeded: AtomicU64,
}

/// Time in buckets, as far as a bucket remembers it: wraps after eight months.
fn tick(now: Moment) -> u64 {
    let length = u64::try_from(WINDOW.as_nanos()).unwrap_or(u64::MAX) / BUCKETS;
    (now.as_nanos() / length + 1) & ((1 << 24) - 1)
}

impl Rate {
    /// One call has ended.
    pub(crate) fn count(&self, good: bool, now: Moment) {
        let tick = tick(now);
        let Some(bucket) = self.buckets.get(usize::try_from(tick % BUCKETS).unwrap_or(0)) else { return };
        let add = |word: u64| {
            let counts = if word >> 40 == tick { word } else { tick << 40 };
            let (calls, faults) = (counts >> 20 & COUNT, counts & COUNT);
            let (calls, faults) = ((calls + 1).min(COUNT), (faults + u64::from(!good)).min(COUNT));
            Some(tick << 40 | calls << 20 | faults)
        };
        // Cannot fail: `add` always gives a word.
        let _ = bucket.fetch_update(Relaxed, Relaxed, add);
    }

    /// Whether `percent` of the calls in the window, or more, ended in faults, and they are enough to tell. When they
    /// did, the counting begins anew.
    pub(crate) fn exceeds(&self, percent: u32, now: Moment) -> bool {
        let (mut calls, mut faults) = (0, 0);
        let tick = tick(now);
        for bucket in &self.buckets {
            let word = bucket.load(Relaxed);
            if tick.wrapping_sub(word >> 40) & ((1 << 24) - 1) < BUCKETS {
                calls += word >> 20 & COUNT;
                faults += word & COUNT;
            }
        }
        let last = self.exceeded.load(Relaxed);
        let suspect = last > 0 && now.since(Moment::from_nanos(last - 1)) < SUSPECT_FOR;
        let least = if suspect { LEAST_CALLS_OF_SUSPECT } else { LEAST_CALLS };
        let exceeds = calls >= least && faults * 100 >= calls * u64::from(percent);
        if exceeds {
            self.exceeded.store(now.as_nanos() + 1, Relaxed);
            self.buckets.iter().for_each(|bucket| bucket.store(0, Relaxed));
        }
        exceeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After these calls, each (milliseconds, good), whether the share of faults is 40 % or more at `now`.
    fn check(calls: &[(u64, bool)], now: u64, expect: bool) {
        let at = |millis| Moment::START + Duration::from_millis(millis);
        let rate = Rate::default();
        calls.iter().for_each(|&(millis, good)| rate.count(good, at(millis)));
        assert_eq!(rate.exceeds(40, at(now)), expect, "{calls:?} at {now}");
        assert!(!rate.exceeds(40, at(now)), "counting begins anew");
    }

    #[test]
    fn a_share_takes_enough_calls() {
        let mixed = |good: usize, bad: usize| [vec![(0, true); good], vec![(1, false); bad]].concat();
        check(&mixed(6, 4), 2, true);
        check(&mixed(7, 4), 2, false);
        check(&mixed(0, 9), 2, false);
        check(&mixed(0, 10), 2, true);
        check(&mixed(600_000, 400_000), 2, true);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let faults = vec![(500, false); 10];
        check(&faults, 9_000, true);
        check(&faults, 11_300, false);
        check(&[faults, vec![(11_000, true); 10]].concat(), 11_300, false);
    }

    #[test]
    fn a_suspect_is_found_out_sooner() {
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let rate = Rate::default();
        let faults = |n: u64, now| (0..n).for_each(|_| rate.count(false, now));
        faults(10, at(1));
        assert!(rate.exceeds(40, at(1)));
        faults(3, at(20));
        assert!(!rate.exceeds(40, at(20)));
        faults(1, at(20));
        assert!(rate.exceeds(40, at(20)));
        faults(9, at(90));
        assert!(!rate.exceeds(40, at(90)), "a minute later it is as good as any other");
    }
}
