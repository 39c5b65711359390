//! How long to wait before the same deployment is called again.

use crate::Chance;
use std::time::Duration;

/// Exponential backoff with full jitter: uniform between nothing and `min(cap, base · 2^n)`, both included, where `n`
/// counts the waits before this one.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Of the forms compared there, full
/// jitter spreads callers that failed together best.
pub fn full_jitter(base: Duration, cap: Duration, n: u32, chance: &mut dyn Chance) -> Duration {
    let most = ceiling(base, cap, n).as_nanos();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    Duration::from_nanos(chance.below(most.saturating_add(1)))
}

/// The longest delay [`full_jitter`] may give.
pub fn ceiling(base: Duration, cap: Duration, n: u32) -> Duration {
    1u32.checked_shl(n).and_then(|factor| base.checked_mul(factor)).map_or(cap, |delay| delay.min(cap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use proptest::prelude::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn check(base: u64, cap: u64, n: u32, expect: u64) {
        assert_eq!(ceiling(MS(base), MS(cap), n), MS(expect), "base {base} cap {cap} n {n}");
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        check(100, 1000, 0, 100);
        check(100, 1000, 1, 200);
        check(100, 1000, 3, 800);
        check(100, 1000, 4, 1000);
        check(100, 1000, 31, 1000);
        check(100, 1000, 32, 1000);
        check(100, 1000, u32::MAX, 1000);
        check(100, 50, 0, 50);
        check(0, 1000, 5, 0);
    }

    #[test]
    fn the_whole_range_is_used_evenly() {
        let mut chance = SplitMix64::seeded(7);
        let mut quarters = [0u32; 4];
        for _ in 0..40_000 {
            let delay = full_jitter(MS(100), MS(1000), 2, &mut chance);
            let quarter = usize::try_from(delay.as_nanos() * 4 / (MS(400).as_nanos() + 1)).unwrap();
            quarters[quarter] += 1;
        }
        for count in quarters {
            assert!((9_600..=10_400).contains(&count), "{quarters:?}");
        }
    }

    #[test]
    fn both_ends_are_drawn_and_nothing_beyond() {
        let mut chance = SplitMix64::seeded(3);
        let two = Duration::from_nanos(2);
        let drawn: std::collections::BTreeSet<u128> =
            (0..100).map(|_| full_jitter(two, MS(1), 0, &mut chance).as_nanos()).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn no_delay_is_longer_than_its_ceiling(seed: u64, base in 0u64..1_000_000, cap in 0u64..1_000_000, n: u32) {
            let delay = full_jitter(MS(base), MS(cap), n, &mut SplitMix64::seeded(seed));
            prop_assert!(delay <= ceiling(MS(base), MS(cap), n));
            prop_assert!(delay <= MS(cap));
        }
    }
}
