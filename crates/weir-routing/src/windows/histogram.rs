//! Log-linear histograms of positive numbers.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Buckets of equal width in each octave. A bucket's middle is at most `1 / (2·PARTS + 1)`, 2.4 %, off any value in it.
const PARTS: usize = 20;
/// Values below 2⁻¹³ (122 µs) count as that.
const LEAST: i32 = -13;
/// Values from 2¹³ (2.3 hours) on count as the largest.
const MOST: i32 = 13;
const LOWEST: f64 = power_of_two(LEAST);
const HIGHEST: f64 = power_of_two(MOST) * (1.0 - f64::EPSILON);
#[allow(clippy::cast_sign_loss, reason = "MOST is above LEAST")]
pub(super) const BUCKETS: usize = (MOST - LEAST) as usize * PARTS;

#[allow(clippy::cast_sign_loss, reason = "far within the exponents there are")]
const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// The bucket of a value.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before they are cut")]
pub(super) fn bucket(value: f64) -> usize {
    let value = value.clamp(LOWEST, HIGHEST);
    let bits = value.to_bits();
    let octave = (bits >> 52) as i32 - 1023 - LEAST;
    let mantissa = (bits & ((1 << 52) - 1)) as u128;
    octave.max(0) as usize * PARTS + ((mantissa * PARTS as u128) >> 52) as usize
}

/// The lower edge of a bucket, and the upper one of that before.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "there are few octaves")]
pub(super) fn edge(bucket: usize) -> f64 {
    let within = (bucket % PARTS) as f64 / PARTS as f64;
    power_of_two(LEAST + (bucket / PARTS) as i32) * (1.0 + within)
}

/// Counts that all cores write.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU32; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Histogram([const { AtomicU32::new(0) }; BUCKETS])
    }
}

/// Which octaves of a histogram hold something, as bits. A latency keeps to a few of them: the others need not be read.
/// They are kept apart from the counts, beside what else is written with each sample.
#[derive(Debug, Default)]
pub(super) struct Octaves(AtomicU32);

impl Octaves {
    /// Whether none does.
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Relaxed) == 0
    }

    fn add(&self, bucket: usize) {
        let bit = 1u32 << (bucket / PARTS);
        if self.0.load(Relaxed) & bit == 0 {
            self.0.fetch_or(bit, Relaxed);
        }
    }
}

/// The buckets of these octaves, octave by octave.
fn buckets(octaves: u32) -> impl Iterator<Item = Range<usize>> {
    let mut left = octaves;
    std::iter::from_fn(move || {
        (left != 0).then(|| {
            let from = left.trailing_zeros() as usize * PARTS;
            left &= left - 1;
            from..from + PARTS
        })
    })
}

impl Histogram {
    pub(super) fn add(&self, value: f64, octaves: &Octaves) {
        let bucket = bucket(value);
        if let Some(count) = self.0.get(bucket) {
            count.fetch_add(1, Relaxed);
            octaves.add(bucket);
        }
    }

    pub(super) fn clear(&self, octaves: &Octaves) {
        for buckets in buckets(octaves.0.swap(0, Relaxed)) {
            self.0.get(buckets).unwrap_or_default().iter().for_each(|count| count.store(0, Relaxed));
        }
    }
}

/// The sum of several histograms.
pub(super) struct Merged {
    counts: [u32; BUCKETS],
    octaves: u32,
    pub(super) total: u64,
}

impl Default for Merged {
    fn default() -> Self {
        Merged { counts: [0; BUCKETS], octaves: 0, total: 0 }
    }
}

impl Merged {
    pub(super) fn add(&mut self, histogram: &Histogram, octaves: &Octaves) {
        let octaves = octaves.0.load(Relaxed);
        self.octaves |= octaves;
        for buckets in buckets(octaves) {
            let (Some(sums), Some(counts)) = (self.counts.get_mut(buckets.clone()), histogram.0.get(buckets))
            else {
                continue;
            };
            for (sum, count) in sums.iter_mut().zip(counts) {
                let count = count.load(Relaxed);
                *sum = sum.saturating_add(count);
                self.total += u64::from(count);
            }
        }
    }

    /// The values at several shares of the counts, `shares` in ascending order; 0 for all when nothing was counted.
    pub(super) fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let mut found = [0.0; N];
        let mut wanted = shares.iter().zip(&mut found).peekable();
        let mut below = 0u64;
        for (bucket, &count) in buckets(self.octaves)
            .flatten()
            .filter_map(|bucket| Some((bucket, self.counts.get(bucket)?)))
            .filter(|(_, count)| **count > 0)
        {
            below += u64::from(count);
            // The nearest-rank quantile: the least value that at least this share does not exceed.
            while let Some((_, found)) =
                wanted.next_if(|(share, _)| below as f64 >= (**share * self.total as f64).max(1.0) - 1e-9)
            {
                let (from, to) = (edge(bucket), edge(bucket + 1));
                *found = 2.0 * from * to / (from + to);
            }
        }
        found
    }

    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        (self.total > 0).then(|| self.quantiles([share]).first().copied()).flatten()
    }
}
