//! How much of a route's traffic may be repeats, so that a fleet in trouble is not given several times its load.
//!
//! A call to a deployment that this request has called before, or to one that only need brought back, takes one unit. A
//! fifth of a unit comes with each request (kept by each core for itself), and ten a second come in any case (shared by
//! all cores, so that a route with little traffic can repeat at all). The figures are linkerd's.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// One core's part of a budget of further calls: so many for a hundred requests.
#[derive(Debug)]
pub struct Share {
    percent: u32,
    /// The most that is saved up, in hundredths of a call.
    most: u32,
    /// What requests have brought, in hundredths of a call.
    saved: Cell<u32>,
}

impl Share {
    const OF_ONE: u32 = 100;

    /// A budget of `percent` calls for a hundred requests, of which `most` are saved up at most.
    pub fn new(percent: u32, most: u32) -> Self {
        Share { percent, most: most.saturating_mul(Self::OF_ONE), saved: Cell::new(0) }
    }

    /// A request begins.
    pub fn deposit(&self) {
        self.saved.set(self.saved.get().saturating_add(self.percent).min(self.most));
    }

    /// Takes one call out of the budget, if it is there.
    pub fn withdraw(&self) -> bool {
        let left = self.saved.get().checked_sub(Self::OF_ONE);
        left.map(|left| self.saved.set(left)).is_some()
    }
}

impl Default for Share {
    /// That of repeats: a fifth, and a hundred saved up.
    fn default() -> Self {
        Share::new(20, 100)
    }
}

/// What all cores share: ten a second, up to fifty saved up. The word is the time at which everything would be saved up
/// again, in nanoseconds of the clock.
#[derive(Debug, Default)]
pub struct Floor(AtomicU64);

impl Floor {
    const EACH: Duration = Duration::from_millis(100);
    const SAVED: Duration = Duration::from_secs(5);

    fn withdraw(&self, now: Moment) -> bool {
        let most = (now + Self::SAVED).as_nanos();
        let take = |full: u64| {
            let after = (Moment::from_nanos(full.max(now.as_nanos())) + Self::EACH).as_nanos();
            (after <= most).then_some(after)
        };
        self.0.fetch_update(Relaxed, Relaxed, take).is_ok()
    }
}

/// Whether one more call may be a repeat; when it may, its unit is taken.
pub fn allows(share: &Share, floor: &Floor, now: Moment) -> bool {
    share.withdraw() || floor.withdraw(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repeats allowed when each of `requests` requests a second for `seconds` wants two.
    fn repeats(requests: u64, seconds: u64) -> u64 {
        let (share, floor) = (Share::default(), Floor::default());
        let mut allowed = 0;
        for request in 0..requests * seconds {
            let now = Moment::from_nanos(request * 1_000_000_000 / requests);
            share.deposit();
            allowed += (0..2).filter(|_| allows(&share, &floor, now)).count() as u64;
        }
        allowed
    }

    /// R4: 500 requests a second to an upstream that fails them all for a minute.
    #[test]
    fn a_storm_is_a_fifth_of_the_traffic_and_ten_a_second() {
        assert!((6_600..=6_650).contains(&repeats(500, 60)), "{}", repeats(500, 60));
    }

    #[test]
    fn little_traffic_repeats_as_it_likes() {
        assert_eq!(repeats(4, 60), 2 * 4 * 60);
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let (share, floor) = (Share::default(), Floor::default());
        (0..1_000_000).for_each(|_| share.deposit());
        let now = Moment::START + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| allows(&share, &floor, now)).count(), 150);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1000).filter(|_| allows(&share, &floor, later)).count(), 10);
    }
}
