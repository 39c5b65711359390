//! Whether a stream is fast enough to be worth waiting for.
//!
//! The speed is that of a sliding span, looked at in steps of a quarter of it: a stream is too slow when it brought fewer
//! tokens than [`MinSpeed`] asks for between two looks that are a whole span apart. So a stream that becomes slow is found
//! out after at least one span and at most one and a quarter; one that pauses and then goes on fast is not. Looks cost
//! nothing while tokens flow: whoever watches the stream looks when a timer fires, not when a token comes.

use std::time::Duration;
use weir_core::Moment;
use weir_core::timeouts::MinSpeed;

/// So many looks make a span.
const LOOKS: usize = 4;

/// The pace of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    least: MinSpeed,
    /// The latest looks, oldest first: when, and how many tokens there were.
    looks: [(Moment, u64); LOOKS],
}

impl Pace {
    /// Of a stream that has brought `tokens` by now. `None` when any speed will do.
    pub fn new(least: MinSpeed, tokens: u64, now: Moment) -> Option<Self> {
        (least.tokens_per_second > 0).then_some(Pace { least, looks: [(now, tokens); LOOKS] })
    }

    /// Time between two looks.
    pub fn interval(&self) -> Duration {
        self.least.over / 4
    }

    /// Whether the stream, which has brought `tokens` by now, has been too slow over the last span. To be asked once each
    /// [interval](Pace::interval); a look that comes more than one late says nothing of the upstream, since nobody was
    /// there to take what it may have had, and the span begins anew.
    pub fn is_too_slow(&mut self, tokens: u64, now: Moment) -> bool {
        let [oldest, .., latest] = self.looks;
        if now.since(latest.0) > self.interval() * 2 {
            self.looks = [(now, tokens); LOOKS];
            return false;
        }
        self.looks.rotate_left(1);
        self.looks[LOOKS - 1] = (now, tokens);
        let span = now.since(oldest.0);
        let brought = u128::from(tokens.saturating_sub(oldest.1)) * 1_000_000_000;
        span >= self.least.over && brought < u128::from(self.least.tokens_per_second) * span.as_nanos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEAST: MinSpeed = MinSpeed { tokens_per_second: 2, over: Duration::from_secs(20) };

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    /// The second at which a stream is found too slow that has `tokens(t)` at second t, looked at as it should be.
    fn found(tokens: impl Fn(u64) -> u64, until: u64) -> Option<u64> {
        let mut pace = Pace::new(LEAST, tokens(0), at(0)).unwrap();
        assert_eq!(pace.interval(), Duration::from_secs(5));
        (1..=until / 5).map(|look| look * 5).find(|&t| pace.is_too_slow(tokens(t), at(t)))
    }

    #[test]
    fn a_stream_is_found_out_within_a_span_and_a_quarter() {
        assert_eq!(found(|t| t, 3600), Some(20), "one a second");
        assert_eq!(found(|_| 7, 3600), Some(20), "nothing any more");
        assert_eq!(found(|t| t * 2, 3600), None, "just enough");
        for slow_from in 0..40 {
            let drips = |t: u64| if t < slow_from { t * 50 } else { slow_from * 50 + (t - slow_from) };
            let found = found(drips, 3600).unwrap();
            assert!((slow_from + 15..=slow_from + 25).contains(&found), "slow from {slow_from}: {found}");
        }
    }

    #[test]
    fn bursts_and_pauses_within_the_span_are_no_matter() {
        assert_eq!(found(|t| t / 15 * 40, 3600), None);
    }

    /// Looks that come late are the client's doing, or the gateway's: never the upstream's.
    #[test]
    fn a_look_that_is_late_begins_anew() {
        let mut pace = Pace::new(LEAST, 0, at(0)).unwrap();
        let late: Vec<bool> = [5, 10, 15, 26, 31, 36, 41].map(|t| pace.is_too_slow(1, at(t))).to_vec();
        assert_eq!(late, [false; 7]);
        assert!(pace.is_too_slow(1, at(46)), "a whole span after the late one");
    }

    #[test]
    fn zero_is_no_least_speed() {
        assert!(Pace::new(MinSpeed { tokens_per_second: 0, ..LEAST }, 0, at(0)).is_none());
    }

    proptest! {
        /// Whoever always brings enough is never cut, however the looks fall.
        #[test]
        fn enough_is_never_too_slow(steps in proptest::collection::vec((1u64..30_000, 0u64..100), 1..200)) {
            let mut pace = Pace::new(LEAST, 0, at(0)).unwrap();
            let (mut now, mut tokens) = (at(0), 0);
            for (millis, more) in steps {
                now = now + Duration::from_millis(millis);
                tokens += (millis * 2).div_ceil(1000) + more;
                prop_assert!(!pace.is_too_slow(tokens, now));
            }
        }
    }
}
