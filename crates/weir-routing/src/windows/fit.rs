//! Least squares with few features, fitted online: a latency as a sum of non-negative parts.
//!
//! | latency | features |
//! |---|---|
//! | first token | 1, prompt, calls in flight, calls in flight × prompt |
//! | total | 1, prompt, output, calls in flight, calls in flight × output |
//!
//! So time per token may depend on how many share the machine. Tokens are counted in thousands, calls in tens. Each sample
//! weighs by one over the square of what it was predicted to be: what is to be small is the relative error. No
//! coefficient is below zero, since nothing gets faster by more work; features whose coefficient would be are left out.

use super::{Latency, Size};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub(super) const FEATURES: usize = 5;
/// Sums of one slice: the upper half of the features' products, their products with the latency, and the count.
const SUMS: usize = FEATURES * (FEATURES + 1) / 2 + FEATURES + 1;
/// Ridge, as a share of each feature's own mean square: enough to decide between features that never differ.
const RIDGE: f64 = 1e-4;

pub(super) type Row = [f64; FEATURES];

/// The features of a request.
pub(super) fn row(latency: Latency, size: Size) -> Row {
    let (prompt, output) = (f64::from(size.prompt) / 1000.0, f64::from(size.output) / 1000.0);
    let load = f64::from(size.in_flight) / 10.0;
    match latency {
        Latency::First => [1.0, prompt, load, load * prompt, 0.0],
        Latency::Total => [1.0, prompt, output, load, load * output],
    }
}

pub(super) fn dot(a: &Row, b: &Row) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Sums that all cores add to.
#[derive(Debug)]
pub(super) struct Sums([AtomicU64; SUMS]);

impl Default for Sums {
    fn default() -> Self {
        Sums([const { AtomicU64::new(0) }; SUMS])
    }
}

impl Sums {
    /// Adds one sample; `weight` is above zero.
    pub(super) fn add(&self, row: &Row, seconds: f64, weight: f64) {
        let mut terms = [0.0; SUMS];
        let mut slots = terms.iter_mut();
        for (i, a) in row.iter().enumerate() {
            for (b, slot) in row.iter().skip(i).zip(&mut slots) {
                *slot = weight * a * b;
            }
        }
        for (a, slot) in row.iter().zip(&mut slots) {
            *slot = weight * a * seconds;
        }
        if let Some(count) = slots.next() {
            *count = 1.0;
        }
        for (sum, term) in self.0.iter().zip(terms).filter(|(_, term)| *term != 0.0) {
            let add = |bits| Some((f64::from_bits(bits) + term).to_bits());
            let _ = sum.fetch_update(Relaxed, Relaxed, add); // the function never declines
        }
    }

    pub(super) fn clear(&self) {
        self.0.iter().for_each(|sum| sum.store(0, Relaxed));
    }
}

/// Sums of several slices, the older ones counting less.
pub(super) struct Total([f64; SUMS]);

impl Default for Total {
    fn default() -> Self {
        Total([0.0; SUMS])
    }
}

impl Total {
    pub(super) fn add(&mut self, sums: &Sums, share: f64) {
        for (total, sum) in self.0.iter_mut().zip(&sums.0) {
            *total += share * f64::from_bits(sum.load(Relaxed));
        }
    }

    /// The coefficients; `None` when there is nothing to fit.
    pub(super) fn solve(&self) -> Option<Row> {
        let count = self.0.last().copied().filter(|count| *count > 0.0)?;
        let mut products = [[0.0; FEATURES]; FEATURES];
        let mut sums = self.0.iter().copied();
        for i in 0..FEATURES {
            for j in i..FEATURES {
                let sum = sums.next()?;
                *products.get_mut(i)?.get_mut(j)? = sum;
                *products.get_mut(j)?.get_mut(i)? = sum;
            }
        }
        let mut right = [0.0; FEATURES];
        right.iter_mut().zip(sums).for_each(|(slot, sum)| *slot = sum);
        let mut used = [true; FEATURES];
        for (i, used) in used.iter_mut().enumerate() {
            let own = products.get(i)?.get(i)?;
            *used = own.is_finite() && *own / count > 1e-18;
        }
        // At most one feature is left out in each turn.
        for _ in 0..FEATURES {
            let found = gauss(&products, &right, &used)?;
            let worst = (0..FEATURES).filter(|i| used[*i]).min_by(|a, b| found[*a].total_cmp(&found[*b]))?;
            if found[worst] >= 0.0 {
                return Some(found);
            }
            used[worst] = false;
        }
        None
    }
}

/// Solves the ridged normal equations of the features in use; the others get zero.
#[allow(clippy::needless_range_loop, reason = "elimination is about rows and columns")]
fn gauss(products: &[Row; FEATURES], right: &Row, used: &[bool; FEATURES]) -> Option<Row> {
    let mut left = *products;
    let mut right = *right;
    for i in 0..FEATURES {
        if used[i] {
            left[i][i] *= 1.0 + RIDGE;
            for j in 0..FEATURES {
                if !used[j] {
                    left[i][j] = 0.0;
                }
            }
        } else {
            left[i] = [0.0; FEATURES];
            left[i][i] = 1.0;
            right[i] = 0.0;
        }
    }
    for pivot in 0..FEATURES {
        // Symmetric and positive definite by its ridge: no rows need to change places.
        let head = left[pivot][pivot];
        if !(head.is_finite() && head > 0.0) {
            return None;
        }
        for below in pivot + 1..FEATURES {
            let factor = left[below][pivot] / head;
            for column in pivot..FEATURES {
                left[below][column] -= factor * left[pivot][column];
            }
            right[below] -= factor * right[pivot];
        }
    }
    for i in (0..FEATURES).rev() {
        let known: f64 = (i + 1..FEATURES).map(|j| left[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / left[i][i];
    }
    right.iter().all(|x| x.is_finite()).then_some(right)
}
