//! What decisions read: quantiles and coefficients, each an atomic of its own.
//!
//! A reader may see figures of two digests side by side. Each is true of its moment, and they are at most as far apart
//! as two digests in a row.

use super::fit::{FEATURES, Row, dot, row};
use super::slice::Ring;
use super::{Latency, SLICE, SLICES, Series, Size};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// The shares at which the ratios' distribution is kept; between them it is interpolated.
pub(super) const SHARES: [f64; 13] =
    [0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999];
const RAW: usize = 4;

/// A float that all cores read and write; it begins as zero.
#[derive(Debug, Default)]
struct Float(AtomicU32);

impl Float {
    fn get(&self) -> f64 {
        f64::from(f32::from_bits(self.0.load(Relaxed)))
    }

    #[allow(clippy::cast_possible_truncation, reason = "seven digits are more than is known")]
    fn set(&self, value: f64) {
        self.0.store((value as f32).to_bits(), Relaxed);
    }
}

/// A latency's model, and how true it is.
#[derive(Debug, Default)]
struct Model {
    /// All zero while there is none.
    coefficients: [Float; FEATURES],
    /// Samples whose ratio to the model is known.
    samples: Float,
    ratios: [Float; SHARES.len()],
}

/// Percentiles of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Percentiles {
    /// The middle.
    pub p50: f64,
    /// 95 of 100 are below.
    pub p95: f64,
    /// 99 of 100 are below.
    pub p99: f64,
    /// Samples behind them; without any the others are zero.
    pub samples: f64,
}

/// What every plan reads comes first and stands together, since with hundreds of deployments each line of memory has to be
/// fetched.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct Digest {
    /// When it was made, in nanoseconds of the clock, and from how many samples and ends.
    made: AtomicU64,
    made_of: AtomicU64,
    usual_output: Float,
    cached_share: Float,
    error_rate: Float,
    throughput: Float,
    models: [Model; 2],
    raw: [[Float; 4]; RAW],
}

/// What a latency will be for one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// What the model says, in seconds.
    predicted: f64,
    /// Quantiles of the ratio to that, at [`SHARES`].
    ratios: [f64; SHARES.len()],
    /// Samples behind it. Falls to zero as they leave the window.
    pub samples: f64,
}

impl Forecast {
    /// The q-quantile, in seconds.
    pub fn quantile(&self, q: f64) -> f64 {
        let after = SHARES.iter().position(|share| q <= *share).unwrap_or(SHARES.len() - 1);
        let (to, from) = (after, after.saturating_sub(1));
        let span = SHARES[to] - SHARES[from];
        let part = if span > 0.0 { ((q - SHARES[from]) / span).clamp(0.0, 1.0) } else { 0.0 };
        self.predicted * (self.ratios[from] + part * (self.ratios[to] - self.ratios[from]))
    }

    /// The middle.
    pub fn median(&self) -> Duration {
        Duration::try_from_secs_f64(self.quantile(0.5)).unwrap_or(Duration::MAX)
    }

    /// The chance that it is at most `seconds`.
    pub fn within(&self, seconds: f64) -> f64 {
        let ratio = seconds / self.predicted;
        let above = self.ratios.iter().position(|known| *known > ratio);
        match above {
            None => 1.0,
            Some(0) => SHARES[0] * (ratio / self.ratios[0].max(f64::MIN_POSITIVE)).clamp(0.0, 1.0),
            Some(at) => {
                let (low, high) = (self.ratios[at - 1], self.ratios[at]);
                let part = (ratio - low) / (high - low).max(f64::MIN_POSITIVE);
                SHARES[at - 1] + part * (SHARES[at] - SHARES[at - 1])
            }
        }
    }
}

impl Digest {
    /// What the model says, in seconds; `None` while there is none.
    pub(super) fn predict(&self, latency: Latency, size: Size) -> Option<f64> {
        let model = self.models.get(latency as usize)?;
        let mut coefficients: Row = [0.0; FEATURES];
        coefficients.iter_mut().zip(&model.coefficients).for_each(|(slot, known)| *slot = known.get());
        let predicted = dot(&coefficients, &row(latency, size));
        (predicted > 0.0).then(|| predicted.max(1e-4))
    }

    pub(super) fn forecast(&self, latency: Latency, size: Size, now: Moment) -> Option<Forecast> {
        let predicted = self.predict(latency, size)?;
        let model = self.models.get(latency as usize)?;
        // What is older than the window says nothing; until then it fades.
        let age = now.since(Moment::from_nanos(self.made.load(Relaxed))).as_secs_f64();
        let window = SLICE.as_secs_f64() * SLICES as f64;
        let samples = model.samples.get() * (1.0 - age / window).clamp(0.0, 1.0);
        if samples <= 0.0 {
            return None;
        }
        let mut ratios = [0.0; SHARES.len()];
        ratios.iter_mut().zip(&model.ratios).for_each(|(slot, known)| *slot = known.get());
        Some(Forecast { predicted, ratios, samples })
    }

    pub(super) fn percentiles(&self, series: Series) -> Percentiles {
        let Some([p50, p95, p99, samples]) = self.raw.get(series as usize) else {
            return Percentiles::default();
        };
        Percentiles { p50: p50.get(), p95: p95.get(), p99: p99.get(), samples: samples.get() }
    }

    pub(super) fn error_rate(&self, now: Moment) -> f64 {
        let age = now.since(Moment::from_nanos(self.made.load(Relaxed))).as_secs_f64();
        self.error_rate.get() * (1.0 - age / (SLICE.as_secs_f64() * SLICES as f64)).clamp(0.0, 1.0)
    }

    pub(super) fn throughput(&self) -> Option<f64> {
        Some(self.throughput.get()).filter(|known| *known > 0.0)
    }

    pub(super) fn cached_share(&self) -> f64 {
        self.cached_share.get()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of counts")]
    pub(super) fn usual_output(&self) -> Option<u32> {
        Some(self.usual_output.get().round() as u32).filter(|known| *known > 0)
    }

    /// Whether to make it anew now: when `most` samples and ends are not in it, once it is as old as the range begins,
    /// or for any at the range's end. True for one caller only.
    pub(super) fn is_due(&self, written: u64, most: u64, age: Range<Duration>, now: Moment) -> bool {
        let known = self.made_of.load(Relaxed);
        let old = now.since(Moment::from_nanos(self.made.load(Relaxed)));
        let due = written.saturating_sub(known) >= most && old >= age.start || old >= age.end;
        due && written > known && self.made_of.compare_exchange(known, written, Relaxed, Relaxed).is_ok()
    }

    pub(super) fn renew(&self, ring: &Ring, now: Moment) {
        let models = [(Latency::First, Series::FirstRatio), (Latency::Total, Series::TotalRatio)];
        for ((latency, series), model) in models.into_iter().zip(&self.models) {
            let Some(fitted) = ring.fit(latency, now) else { continue };
            model.coefficients.iter().zip(fitted).for_each(|(slot, found)| slot.set(found));
            let ratios = ring.merged(series, now);
            if ratios.total > 0 {
                let found = ratios.quantiles(SHARES);
                model.ratios.iter().zip(found).for_each(|(slot, found)| slot.set(found));
            } else {
                // The very first sample: nothing was predicted for it. It is taken as it is.
                model.ratios.iter().for_each(|slot| slot.set(1.0));
            }
            model.samples.set(ratios.total.max(1) as f64);
        }
        for (series, slots) in Series::SAMPLED.into_iter().zip(&self.raw) {
            let merged = ring.merged(series, now);
            let [p50, p95, p99] = merged.quantiles([0.5, 0.95, 0.99]);
            slots.iter().zip([p50, p95, p99, merged.total as f64]).for_each(|(slot, found)| slot.set(found));
        }
        self.error_rate.set(ring.ends(now).error_rate());
        let tokens = ring.tokens(now);
        let observed = ring.observed(now).as_secs_f64();
        let together = if observed >= 1.0 { tokens.output as f64 / observed } else { 0.0 };
        self.throughput.set(together.max(self.percentiles(Series::Speed).p50));
        if tokens.prompt > 0 {
            self.cached_share.set(tokens.cached as f64 / tokens.prompt as f64);
        }
        if tokens.answers >= super::FEW {
            self.usual_output.set(tokens.output as f64 / tokens.answers as f64);
        }
        self.made.store(now.as_nanos(), Relaxed);
    }
}
