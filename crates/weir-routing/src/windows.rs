//! What the last minute was like at one deployment: sliding windows over its latencies, speeds and faults, and what they
//! say about the next request there.
//!
//! Raw figures mislead: a deployment that was sent the long prompts looks slow. So every sample comes with what was known
//! when the call began, its [`Size`]: prompt tokens, expected output tokens, and how many calls were in flight. A linear
//! model of each latency is fitted to that (in `windows/fit.rs`), and beside the raw latency its ratio to the model's
//! prediction is kept. A forecast is the prediction for the request in hand times a quantile of that ratio; the chance to
//! be in time is how many of the ratios would have been.
//!
//! **Concurrency.** Written by all cores with atomics alone; nobody waits. Time is cut into slices of [`SLICE`]; the
//! window is the present slice and the [`SLICES`] − 1 before it. The first to write into a new slice empties the place of
//! the one that fell out; a sample that another core has in that instant is left out (and none is ever counted in a
//! slice that is not its own).
//!
//! **Cost.** Decisions read a digest: a few atomic loads. The digest is made anew by whoever writes a sample, when it is
//! stale or enough samples have come.
//!
//! **Memory.** [`Windows::MOST_BYTES`] per deployment and never more: taken with its first sample, but for what is kept of
//! waits for a place, which comes with the first of these.

mod digest;
mod fit;
mod histogram;
mod slice;

pub use digest::{Forecast, Percentiles};

use digest::Digest;
use slice::{Ring, Waits};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::fault::Blame;
use weir_core::{Moment, Usage};

/// The length of one slice.
pub const SLICE: Duration = Duration::from_secs(10);
/// So many slices are looked at together.
pub const SLICES: usize = 6;
/// How old a digest may grow while samples come.
const DIGEST_AGE: Duration = Duration::from_secs(1);
/// At most so many samples are kept out of the digest.
const DIGEST_SAMPLES: u64 = 256;
/// Once that many come together, a digest is made no sooner than this after the one before: making it reads every slice.
const DIGEST_REST: Duration = Duration::from_millis(25);
/// Digests are made for each sample while there are no more than this, and a mean takes as many.
const FEW: u64 = 16;

/// What is known of a request when it is decided upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Tokens of its prompt.
    pub prompt: u32,
    /// Tokens it is expected to generate.
    pub output: u32,
    /// Calls in flight at the deployment, itself not among them.
    pub in_flight: u32,
}

/// How one call went, as far as its latency goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// As it was when the call began.
    pub size: Size,
    /// From sending the request to the first token; also how long a call without one was waited for.
    pub first: Option<Duration>,
    /// From sending the request to the end of the answer.
    pub total: Option<Duration>,
    /// From the first token of a stream to its end.
    pub generating: Option<Duration>,
    /// The mean time between two tokens.
    pub gap: Option<Duration>,
    /// What the answer took.
    pub usage: Option<Usage>,
}

/// Which latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Latency {
    /// To the first token.
    First,
    /// To the end of the answer.
    Total,
}

/// What is kept in a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// To the first token, in seconds.
    First,
    /// To the end of the answer, in seconds.
    Total,
    /// Between two tokens, in seconds.
    Gap,
    /// Tokens per second of one answer, from its first token to its end.
    Speed,
    /// First tokens as multiples of what was predicted.
    FirstRatio,
    /// Whole answers as multiples of what was predicted.
    TotalRatio,
    /// Waits for a place there, of the calls that had to, in seconds.
    Queued,
}

impl Series {
    /// Those that samples write.
    const SAMPLED: [Series; 6] =
        [Series::First, Series::Total, Series::Gap, Series::Speed, Series::FirstRatio, Series::TotalRatio];
}

/// How calls ended within the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// In a whole answer.
    pub well: u64,
    /// In a fault of the deployment.
    pub upstream: u64,
    /// In a fault of the caller's.
    pub caller: u64,
    /// In a fault of Weir's or of one of the operator's rules.
    pub own: u64,
}

impl Ends {
    /// The share of ends that are the deployment's fault, among those that say something about it; shrunk towards none
    /// while there are few.
    pub fn error_rate(&self) -> f64 {
        self.upstream as f64 / (self.well + self.upstream + 2) as f64
    }
}

/// The windows of one deployment.
#[derive(Debug, Default)]
pub struct Windows {
    ring: OnceLock<Box<Ring>>,
    digest: Digest,
    /// Microseconds of work that calls in flight are expected to take.
    outstanding: AtomicU64,
}

impl Windows {
    /// The heap memory that the windows of one deployment take at most.
    pub const MOST_BYTES: usize = size_of::<Ring>() + SLICES * size_of::<Waits>();

    /// A call has ended or its first token has come: what there is to learn from that.
    pub fn record(&self, sample: &Sample, now: Moment) {
        let ring = self.ring.get_or_init(Box::default);
        ring.record(sample, &self.digest, now);
        self.renew(ring, now);
    }

    /// A call has waited so long for its place here.
    pub fn queued(&self, waited: Duration, now: Moment) {
        self.ring.get_or_init(Box::default).queued(waited, now);
    }

    /// A call has ended: well, or by a fault with this blame.
    pub fn ended(&self, end: Result<(), Blame>, now: Moment) {
        let ring = self.ring.get_or_init(Box::default);
        ring.ended(end, now);
        self.renew(ring, now);
    }

    /// What this latency will be for a request of this size, so far as is known.
    pub fn forecast(&self, latency: Latency, size: Size, now: Moment) -> Option<Forecast> {
        self.digest.forecast(latency, size, now)
    }

    /// Seconds that this latency is expected to take for a request of this size, by what was learnt; `None` before that.
    pub(crate) fn predicted(&self, latency: Latency, size: Size) -> Option<f64> {
        self.digest.predict(latency, size)
    }

    /// Percentiles of a series as of the latest digest, with the number of samples behind them.
    pub fn percentiles(&self, series: Series) -> Percentiles {
        self.digest.percentiles(series)
    }

    /// The q-quantile of a series over the window that ends now: exact but for the width of a bucket. Reads everything:
    /// not for the path of a request.
    pub fn quantile(&self, series: Series, q: f64, now: Moment) -> Option<f64> {
        self.ring.get()?.merged(series, now).quantile(q)
    }

    /// Several quantiles of a series over the window that ends now; `None` when it holds no sample. Reads everything: not for
    /// the path of a request.
    pub fn quantiles<const N: usize>(
        &self,
        series: Series,
        shares: [f64; N],
        now: Moment,
    ) -> Option<[f64; N]> {
        let merged = self.ring.get()?.merged(series, now);
        (merged.total > 0).then(|| merged.quantiles(shares))
    }

    /// How calls ended within the window that ends now.
    pub fn ends(&self, now: Moment) -> Ends {
        self.ring.get().map_or(Ends::default(), |ring| ring.ends(now))
    }

    /// The share of calls that ended by the deployment's fault, as of the latest digest.
    pub fn error_rate(&self, now: Moment) -> f64 {
        self.digest.error_rate(now)
    }

    /// Tokens that it generates per second over all calls together, as of the latest digest; at least what one call alone
    /// gets, since an idle machine is not a slow one.
    pub fn throughput(&self) -> Option<f64> {
        self.digest.throughput()
    }

    /// The share of prompt tokens that the provider's cache held, as of the latest digest.
    pub fn cached_share(&self) -> f64 {
        self.digest.cached_share()
    }

    /// Tokens of the usual answer, as of the latest digest; `None` before there were some.
    pub fn usual_output(&self) -> Option<u32> {
        self.digest.usual_output()
    }

    /// A call that is expected to take this long has begun.
    pub(crate) fn took_on(&self, work: Duration) {
        self.outstanding.fetch_add(micros(work), Relaxed);
    }

    /// A call that was expected to take this long has ended.
    pub(crate) fn put_down(&self, work: Duration) {
        self.outstanding.fetch_sub(micros(work), Relaxed);
    }

    /// The work that calls in flight are expected to take, together.
    pub fn outstanding(&self) -> Duration {
        Duration::from_micros(self.outstanding.load(Relaxed))
    }

    fn renew(&self, ring: &Ring, now: Moment) {
        let most = (ring.samples() / FEW).clamp(1, DIGEST_SAMPLES);
        let rest = if most == DIGEST_SAMPLES { DIGEST_REST } else { Duration::ZERO };
        if self.digest.is_due(ring.written(), most, rest..DIGEST_AGE, now) {
            self.digest.renew(ring, now);
        }
    }
}

/// An hour is the most that one call counts for, so that sums cannot overflow.
fn micros(work: Duration) -> u64 {
    u64::try_from(work.as_micros()).unwrap_or(u64::MAX).min(3_600_000_000)
}

#[cfg(test)]
mod tests;
