//! The ring of slices that all cores write into.

use super::digest::Digest;
use super::fit::{Sums, Total, row};
use super::histogram::{Histogram, Merged, Octaves};
use super::{Ends, Latency, SLICE, SLICES, Sample, Series};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::time::Duration;
use weir_core::Moment;
use weir_core::fault::Blame;

/// Nobody may write into the slice while it is being emptied.
const EMPTYING: u64 = u64::MAX;
/// So many samples of a slice all go into the fit; of further ones each [`THINNED`]th, which stands for as many.
const ALL_FITTED: u32 = 256;
const THINNED: u32 = 8;
/// What a slice counts for in the fit, as a share of the one after it.
const DECAY: f64 = 0.7;

/// What happened in one stretch of time.
///
/// What each sample writes stands together, in one cache line: with hundreds of deployments each has to be fetched.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Slice {
    /// The stretch, counted from the clock's start, plus one; zero before the first.
    stretch: AtomicU64,
    prompt: AtomicU64,
    cached: AtomicU64,
    output: AtomicU64,
    answers: AtomicU32,
    samples: AtomicU32,
    /// What the histograms of the series hold.
    octaves: [Octaves; Series::SAMPLED.len()],
    ends: [AtomicU32; 4],
    /// Few deployments are ever waited for.
    queued: OnceLock<Box<Waits>>,
    fits: [Sums; 2],
    series: [Histogram; Series::SAMPLED.len()],
}

/// How long calls waited for a place.
#[derive(Debug, Default)]
pub(super) struct Waits(Histogram, Octaves);

impl Slice {
    fn of(&self, series: Series) -> Option<(&Histogram, &Octaves)> {
        if series == Series::Queued {
            return self.queued.get().map(|waits| (&waits.0, &waits.1));
        }
        self.series.get(series as usize).zip(self.octaves.get(series as usize))
    }

    fn clear(&self) {
        self.series.iter().zip(&self.octaves).for_each(|(series, octaves)| series.clear(octaves));
        if let Some(waits) = self.queued.get() {
            waits.0.clear(&waits.1);
        }
        self.fits.iter().for_each(Sums::clear);
        self.ends.iter().chain([&self.answers, &self.samples]).for_each(|count| count.store(0, Relaxed));
        for sum in [&self.prompt, &self.cached, &self.output] {
            sum.store(0, Relaxed);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    slices: [Slice; SLICES],
    /// Samples and ends ever written.
    written: AtomicU64,
    /// Samples ever written.
    samples: AtomicU64,
    /// When the first was, in nanoseconds of the clock; zero before it.
    since: AtomicU64,
}

/// Tokens and answers of the window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    pub(super) cached: u64,
    pub(super) output: u64,
    pub(super) answers: u64,
}

fn stretch(now: Moment) -> u64 {
    now.as_nanos() / u64::try_from(SLICE.as_nanos()).unwrap_or(u64::MAX) + 1
}

/// For how many samples the one that so many came before in its slice stands in the fit; `None` when others stand for it.
fn share(before: u32) -> Option<f64> {
    match before.checked_sub(ALL_FITTED) {
        None => Some(1.0),
        Some(further) => further.is_multiple_of(THINNED).then_some(f64::from(THINNED)),
    }
}

impl Ring {
    pub(super) fn record(&self, sample: &Sample, digest: &Digest, now: Moment) {
        self.samples.fetch_add(1, Relaxed);
        self.written.fetch_add(1, Relaxed);
        let Some(slice) = self.slice(now) else { return };
        let share = share(slice.samples.fetch_add(1, Relaxed));
        let add = |series: Series, value: f64| {
            if let Some((histogram, octaves)) = slice.of(series) {
                histogram.add(value, octaves);
            }
        };
        let latencies = [
            (Latency::First, sample.first, Series::First, Series::FirstRatio),
            (Latency::Total, sample.total, Series::Total, Series::TotalRatio),
        ];
        for ((latency, taken, raw, ratio), fit) in latencies.into_iter().zip(&slice.fits) {
            let Some(seconds) = taken.map(|taken| taken.as_secs_f64()) else { continue };
            add(raw, seconds);
            let predicted = digest.predict(latency, sample.size);
            if let Some(predicted) = predicted {
                add(ratio, seconds / predicted);
            }
            let scale = predicted.unwrap_or(seconds).max(1e-4);
            if let Some(share) = share {
                fit.add(&row(latency, sample.size), seconds, share / (scale * scale));
            }
        }
        if let Some(gap) = sample.gap {
            add(Series::Gap, gap.as_secs_f64());
        }
        let Some(usage) = sample.usage else { return };
        slice.prompt.fetch_add(usage.input, Relaxed);
        slice.cached.fetch_add(usage.cache_read, Relaxed);
        slice.output.fetch_add(usage.output, Relaxed);
        slice.answers.fetch_add(1, Relaxed);
        let generating = sample.generating.or(sample.total);
        if let Some(time) = generating.filter(|time| !time.is_zero() && usage.output > 1) {
            add(Series::Speed, usage.output as f64 / time.as_secs_f64());
        }
    }

    pub(super) fn queued(&self, waited: Duration, now: Moment) {
        let Some(slice) = self.slice(now) else { return };
        let Waits(histogram, octaves) = &**slice.queued.get_or_init(Box::default);
        histogram.add(waited.as_secs_f64(), octaves);
    }

    pub(super) fn ended(&self, end: Result<(), Blame>, now: Moment) {
        self.written.fetch_add(1, Relaxed);
        let Some(slice) = self.slice(now) else { return };
        let place = match end {
            Ok(()) => 0,
            Err(Blame::Upstream) => 1,
            Err(Blame::Caller) => 2,
            Err(Blame::Policy | Blame::Gateway) => 3,
        };
        if let Some(count) = slice.ends.get(place) {
            count.fetch_add(1, Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn slices(&self) -> usize {
        self.slices.len()
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Relaxed)
    }

    /// The slice to write into; `None` while another core empties it, and for a moment long past.
    fn slice(&self, now: Moment) -> Option<&Slice> {
        let _ = self.since.compare_exchange(0, now.as_nanos().max(1), Relaxed, Relaxed); // only the first counts
        let stretch = stretch(now);
        let slice = self.slices.get(usize::try_from(stretch % SLICES as u64).unwrap_or(0))?;
        let found = slice.stretch.load(Acquire);
        if found == stretch {
            return Some(slice);
        }
        if found > stretch {
            return None;
        }
        slice.stretch.compare_exchange(found, EMPTYING, Acquire, Relaxed).ok()?;
        slice.clear();
        slice.stretch.store(stretch, Release);
        Some(slice)
    }

    /// The slices of the window that ends now, with their age in slices.
    fn window(&self, now: Moment) -> impl Iterator<Item = (u64, &Slice)> {
        let present = stretch(now);
        self.slices.iter().filter_map(move |slice| {
            let age = present.checked_sub(slice.stretch.load(Acquire))?;
            (age < SLICES as u64 && age < present).then_some((age, slice))
        })
    }

    pub(super) fn merged(&self, series: Series, now: Moment) -> Merged {
        let mut merged = Merged::default();
        for (_, slice) in self.window(now) {
            if let Some((histogram, octaves)) = slice.of(series) {
                merged.add(histogram, octaves);
            }
        }
        merged
    }

    pub(super) fn fit(&self, latency: Latency, now: Moment) -> Option<super::fit::Row> {
        let mut total = Total::default();
        let raw = match latency {
            Latency::First => Series::First,
            Latency::Total => Series::Total,
        };
        for (age, slice) in self.window(now) {
            // Without a sample there is nothing to be fitted.
            let sampled = slice.of(raw).is_some_and(|(_, octaves)| !octaves.is_empty());
            if let Some(sums) = slice.fits.get(latency as usize).filter(|_| sampled) {
                total.add(sums, DECAY.powi(i32::try_from(age).unwrap_or(i32::MAX)));
            }
        }
        total.solve()
    }

    pub(super) fn ends(&self, now: Moment) -> Ends {
        let mut sums = [0u64; 4];
        for (_, slice) in self.window(now) {
            sums.iter_mut().zip(&slice.ends).for_each(|(sum, count)| *sum += u64::from(count.load(Relaxed)));
        }
        let [well, upstream, caller, own] = sums;
        Ends { well, upstream, caller, own }
    }

    pub(super) fn tokens(&self, now: Moment) -> Tokens {
        let mut tokens = Tokens::default();
        for (_, slice) in self.window(now) {
            tokens.prompt += slice.prompt.load(Relaxed);
            tokens.cached += slice.cached.load(Relaxed);
            tokens.output += slice.output.load(Relaxed);
            tokens.answers += u64::from(slice.answers.load(Relaxed));
        }
        tokens
    }

    /// How much of the window has been lived through.
    pub(super) fn observed(&self, now: Moment) -> Duration {
        let lived = now.since(Moment::from_nanos(self.since.load(Relaxed)));
        let within = u64::try_from(SLICE.as_nanos()).unwrap_or(u64::MAX);
        let window = SLICE * (u32::try_from(SLICES).unwrap_or(1) - 1)
            + Duration::from_nanos(now.as_nanos() % within.max(1));
        lived.min(window)
    }
}
