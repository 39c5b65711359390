//! How each of several credentials of a deployment does, beside the others.
//!
//! Faults and slow calls count for the deployment, whatever the credential: usually they are the server's doing. Where one
//! credential has them and the others have not, they are that credential's (an account of a slower tier, a key that is
//! routed to an ailing region), and it alone is taken out, by the breaker of its seat. A deployment with one credential has
//! nothing of this: there is nobody to compare with.

use crate::rate::{self, LEAST_CALLS, Rate, Share};
use crate::slow::{self, Slow, TooSlow};
use crate::windows::{Sample, Windows};
use weir_core::Moment;

/// When the deployment as a whole is about to be taken out, so many calls of a credential's, and of the others', are enough
/// to say whose doing it is.
const ENOUGH_TO_BLAME: u32 = 3;

/// What one of several credentials goes through at a deployment.
#[derive(Debug)]
pub(crate) struct Apart {
    faults: Rate,
    slow: Slow,
}

impl Apart {
    pub(crate) fn new() -> Self {
        Apart { faults: Rate::over(rate::WINDOW), slow: Slow::new() }
    }

    pub(crate) fn adjust(&self, settings: &slow::Settings) {
        self.slow.adjust(settings);
    }

    /// A call with it has ended, in a fault of the upstream's or well.
    pub(crate) fn count(&self, good: bool, now: Moment) {
        self.faults.count(good, now);
    }

    /// Its share of faults, if so many of a hundred of its calls end in them and clearly fewer of the others'; `all` are the
    /// deployment's. When that is so, the counting begins anew for both.
    pub(crate) fn fails_alone(&self, all: &Rate, percent: u32, now: Moment) -> Option<Share> {
        let (own, whole) = (self.faults.share(now), all.share(now));
        // Who would otherwise go out is the whole deployment.
        let least = if whole.reaches(percent) { ENOUGH_TO_BLAME } else { LEAST_CALLS };
        let others = whole.without(own);
        let alone = own.calls >= least
            && own.reaches(percent)
            && others.calls >= ENOUGH_TO_BLAME
            && !others.reaches(percent);
        alone.then(|| {
            self.faults.forget();
            all.forget();
            own
        })
    }

    /// One call with it has shown what it took. What makes the deployment too slow, by `all`, its counts, or this credential;
    /// and whether it is the credential alone. Of a deployment or a credential on probation (`all_alone`, `own_alone`) this
    /// call decides by itself.
    pub(crate) fn judge(
        &self,
        all: &Slow,
        sample: &Sample,
        windows: &Windows,
        (all_alone, own_alone): (bool, bool),
        now: Moment,
    ) -> Option<(TooSlow, bool)> {
        let (own_before, whole_before) = (self.slow.shares(now), all.shares(now));
        let own = self.slow.judge(sample, windows, own_alone, now);
        let whole = all.judge(sample, windows, all_alone, now);
        let found = own.or(whole)?;
        let at = |shares: &[Share; 2]| shares.get(found.nth).copied().unwrap_or_default();
        let (own_before, whole_before) = (at(&own_before), at(&whole_before));
        let others = whole_before.without(own_before);
        let own_slow = own.is_some() || own_before.calls >= ENOUGH_TO_BLAME && slow::is_too_much(own_before);
        if own_slow && others.calls >= ENOUGH_TO_BLAME && !slow::is_too_much(others) {
            return Some((found, true));
        }
        whole.map(|whole| (whole, false))
    }
}

#[cfg(test)]
mod tests;
