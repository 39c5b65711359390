//! Whether a deployment has become too slow: more than five of a hundred calls take longer than the operator allows, which
//! is to say that their 95th percentile is above the limit.
//!
//! A limit is one for a request of [`REFERENCE`] size. What a call of another size took is first converted to that, by
//! what the deployment's own [`Windows`] have learnt of how its latency depends on size: a deployment that
//! is sent the long prompts is not slow for that. How many calls are under way is left in: who is slow under the load it
//! has is slow.

use crate::rate::{Rate, Share};
use crate::windows::{Latency, Sample, Size, Windows};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// So long a call counts.
pub const WINDOW: Duration = Duration::from_secs(60);
/// So many of a hundred may take longer.
const ALLOWED_PERCENT: u32 = 5;
/// Twice as many of the latest hundred or more are enough to tell, whatever the rest of the window was like.
const QUICK_PERCENT: u32 = 10;
const QUICK_CALLS: u32 = 100;

/// The request that limits are meant for.
pub const REFERENCE: Size = Size { prompt: 1000, output: 200, in_flight: 0 };

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For the 95th percentile of the time to the first token; `None` for no limit.
    pub first_token: Option<Duration>,
    /// For the 95th percentile of the time to the end of the answer; `None` for no limit.
    pub total: Option<Duration>,
    /// Fewer calls in the window say nothing.
    pub min_samples: u32,
}

impl Settings {
    /// Default for `min_samples`.
    pub const MIN_SAMPLES: u32 = 20;
}

impl Default for Settings {
    fn default() -> Self {
        Settings { first_token: None, total: None, min_samples: Self::MIN_SAMPLES }
    }
}

/// Counts of one deployment's calls, by latency.
#[derive(Debug)]
pub(crate) struct Slow {
    /// Nanoseconds; `u64::MAX` for none.
    limits: [AtomicU64; 2],
    min_samples: AtomicU32,
    rates: [Rate; 2],
}

/// Too many calls took too long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TooSlow {
    /// Its place among the latencies.
    pub(crate) nth: usize,
    pub(crate) latency: &'static str,
    pub(crate) share: Share,
    pub(crate) limit: Duration,
}

const LATENCIES: [(Latency, &str); 2] = [(Latency::First, "first_token"), (Latency::Total, "total")];

impl Slow {
    pub(crate) fn new() -> Self {
        Slow {
            limits: [const { AtomicU64::new(u64::MAX) }; 2],
            min_samples: AtomicU32::new(Settings::MIN_SAMPLES),
            rates: [Rate::over(WINDOW), Rate::over(WINDOW)],
        }
    }

    pub(crate) fn adjust(&self, settings: &Settings) {
        let nanos = |limit: Option<Duration>| {
            limit.map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX))
        };
        let [first, total] = &self.limits;
        first.store(nanos(settings.first_token), Relaxed);
        total.store(nanos(settings.total), Relaxed);
        self.min_samples.store(settings.min_samples.max(1), Relaxed);
    }

    /// One call has shown what it took. With `alone` it is judged by itself: a probe, whose predecessors have been
    /// judged already.
    pub(crate) fn judge(
        &self,
        sample: &Sample,
        windows: &Windows,
        alone: bool,
        now: Moment,
    ) -> Option<TooSlow> {
        let taken = [sample.first, sample.total];
        let mut found = None;
        for (nth, (((latency, name), taken), (limit, rate))) in
            LATENCIES.into_iter().zip(taken).zip(self.limits.iter().zip(&self.rates)).enumerate()
        {
            let limit = limit.load(Relaxed);
            let Some(taken) = taken.filter(|_| limit < u64::MAX) else { continue };
            let limit = Duration::from_nanos(limit);
            let over = as_reference(taken, latency, sample, windows) > limit;
            let judged = if alone {
                Share { calls: 1, wrong: u32::from(over) }
            } else {
                rate.count(!over, now);
                if over { self.found(rate, now) } else { Share::default() }
            };
            if is_too_much(judged) {
                rate.forget();
                found = Some(TooSlow { nth, latency: name, share: judged, limit });
            }
        }
        found
    }
}

/// Whether so many of these calls took longer than they may that their 95th percentile is above the limit.
pub(crate) fn is_too_much(share: Share) -> bool {
    u64::from(share.wrong) * 100 > u64::from(share.calls) * u64::from(ALLOWED_PERCENT)
}

impl Slow {
    /// What the window that ends now holds of each latency.
    pub(crate) fn shares(&self, now: Moment) -> [Share; 2] {
        self.rates.each_ref().map(|rate| rate.share(now))
    }

    /// The stretch of the window that says the most about slowness; nothing while there are too few calls.
    fn found(&self, rate: &Rate, now: Moment) -> Share {
        let stretches = rate.stretches(now);
        let least = self.min_samples.load(Relaxed);
        let quick = |share: &Share| share.calls >= QUICK_CALLS.max(least) && share.reaches(QUICK_PERCENT);
        let whole = stretches.last().copied().filter(|whole| whole.calls >= least);
        stretches.into_iter().find(quick).or(whole).unwrap_or_default()
    }
}

/// What a call would have taken had it been of the reference's size.
fn as_reference(taken: Duration, latency: Latency, sample: &Sample, windows: &Windows) -> Duration {
    // What was generated is known by now; until then it was a guess.
    let known = sample.usage.and_then(|usage| u32::try_from(usage.output).ok());
    let size = Size { output: known.unwrap_or(sample.size.output), ..sample.size };
    let reference = Size { in_flight: size.in_flight, ..REFERENCE };
    let predicted = |size| windows.predicted(latency, size);
    match (predicted(reference), predicted(size)) {
        (Some(reference), Some(own)) => {
            Duration::try_from_secs_f64(taken.as_secs_f64() * reference / own).unwrap_or(Duration::MAX)
        }
        _ => taken,
    }
}

#[cfg(test)]
mod tests;
