//! The share of calls that went wrong, over the last seconds of one deployment: those that ended in a fault, or took
//! longer than they may.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// So long an ended call counts as one that ended in a fault or did not.
pub const WINDOW: Duration = Duration::from_secs(10);
/// Below so many calls in that window a share of faults says nothing.
pub const LEAST_CALLS: u32 = 10;
/// The latest stretch of it that holds so many calls is enough to tell: who was well until a moment ago is not
/// excused by that.
pub const ENOUGH_CALLS: u32 = 40;
/// A deployment that was taken out for its share of faults less than this ago has to prove itself sooner.
pub const SUSPECT_FOR: Duration = Duration::from_secs(60);
/// Instead of [`LEAST_CALLS`], for that long.
pub const LEAST_CALLS_OF_SUSPECT: u32 = 4;

/// As many as [`Rate`] has.
const BUCKETS: u64 = 8;
const COUNT: u64 = (1 << 20) - 1;

/// What a window holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Calls that ended in it.
    pub calls: u32,
    /// Those of them that went wrong.
    pub wrong: u32,
}

impl Share {
    /// What is left of it without a part of it.
    pub(crate) fn without(self, part: Share) -> Share {
        let calls = self.calls.saturating_sub(part.calls);
        Share { calls, wrong: self.wrong.saturating_sub(part.wrong).min(calls) }
    }

    /// Whether so many of a hundred went wrong, or more; nobody is judged by no calls at all.
    pub fn reaches(self, percent: u32) -> bool {
        self.calls > 0 && u64::from(self.wrong) * 100 >= u64::from(self.calls) * u64::from(percent)
    }
}

/// Counts in buckets of an eighth of the window. Each bucket is one word (24 bits of time, twice 20 bits of counts, which
/// stop at their ends), so that cores share it without a lock and relaxed ordering is enough.
#[derive(Debug)]
pub(crate) struct Rate {
    buckets: [AtomicU64; 8],
    /// When it was last too high, in nanoseconds of the clock and one; 0 for never.
    exceeded: AtomicU64,
    /// Nanoseconds of one bucket.
    length: u64,
}

impl Rate {
    /// Over so long a window.
    pub(crate) fn over(window: Duration) -> Self {
        let length = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX) / BUCKETS;
        Rate { buckets: Default::default(), exceeded: AtomicU64::new(0), length: length.max(1) }
    }

    /// Time in buckets, as far as a bucket remembers it: wraps after eight months of ten seconds' windows.
    fn tick(&self, now: Moment) -> u64 {
        (now.as_nanos() / self.length + 1) & ((1 << 24) - 1)
    }

    /// One call has ended.
    pub(crate) fn count(&self, good: bool, now: Moment) {
        let tick = self.tick(now);
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

    /// What the stretches hold that end now and are one bucket long, two, and so on up to the whole window.
    pub(crate) fn stretches(&self, now: Moment) -> [Share; 8] {
        let tick = self.tick(now);
        let count = |bits: u64| u32::try_from(bits & COUNT).unwrap_or(u32::MAX);
        let mut stretches = [Share::default(); 8];
        for bucket in &self.buckets {
            let word = bucket.load(Relaxed);
            let age = tick.wrapping_sub(word >> 40) & ((1 << 24) - 1);
            for stretch in stretches.iter_mut().skip(usize::try_from(age).unwrap_or(usize::MAX)) {
                stretch.calls += count(word >> 20);
                stretch.wrong += count(word);
            }
        }
        stretches
    }

    /// What the window that ends now holds.
    pub(crate) fn share(&self, now: Moment) -> Share {
        self.stretches(now).last().copied().unwrap_or_default()
    }

    /// The share of faults, if it is `percent` or more of enough calls to tell. When it is, the counting begins anew.
    pub(crate) fn exceeds(&self, percent: u32, now: Moment) -> Option<Share> {
        let stretches = self.stretches(now);
        let whole = stretches.last().copied().unwrap_or_default();
        let last = self.exceeded.load(Relaxed);
        let suspect = last > 0 && now.since(Moment::from_nanos(last - 1)) < SUSPECT_FOR;
        let least = if suspect { LEAST_CALLS_OF_SUSPECT } else { LEAST_CALLS };
        let enough =
            stretches.into_iter().find(|share| share.calls >= ENOUGH_CALLS && share.reaches(percent));
        let found = enough.or((whole.calls >= least && whole.reaches(percent)).then_some(whole))?;
        self.exceeded.store(now.as_nanos() + 1, Relaxed);
        self.forget();
        Some(found)
    }

    /// Begins anew.
    pub(crate) fn forget(&self) {
        self.buckets.iter().for_each(|bucket| bucket.store(0, Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After these calls, each (milliseconds, good), whether the share of faults is 40 % or more at `now`.
    fn check(calls: &[(u64, bool)], now: u64, expect: bool) {
        let at = |millis| Moment::START + Duration::from_millis(millis);
        let rate = Rate::over(WINDOW);
        calls.iter().for_each(|&(millis, good)| rate.count(good, at(millis)));
        assert_eq!(rate.exceeds(40, at(now)).is_some(), expect, "{calls:?} at {now}");
        assert!(rate.exceeds(40, at(now)).is_none(), "counting begins anew");
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
    fn what_went_well_before_excuses_nobody() {
        let well = vec![(0, true); 400];
        let mixed: Vec<(u64, bool)> = (0..40).map(|n| (5_000 + 30 * n, n % 2 == 0)).collect();
        check(&[well.clone(), mixed.clone()].concat(), 6_200, true);
        check(&[well, mixed.into_iter().take(38).collect()].concat(), 6_200, false);
    }

    #[test]
    fn a_suspect_is_found_out_sooner() {
        let at = |seconds| Moment::START + Duration::from_secs(seconds);
        let rate = Rate::over(WINDOW);
        let faults = |n: u64, now| (0..n).for_each(|_| rate.count(false, now));
        faults(10, at(1));
        assert!(rate.exceeds(40, at(1)).is_some());
        faults(3, at(20));
        assert!(rate.exceeds(40, at(20)).is_none());
        faults(1, at(20));
        assert!(rate.exceeds(40, at(20)).is_some());
        faults(9, at(90));
        assert!(rate.exceeds(40, at(90)).is_none(), "a minute later it is as good as any other");
    }
}
