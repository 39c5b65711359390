//! Weights that follow how deployments do: slowly, within bounds, each change with its reason.
//!
//! Every [`Settings::every`] each member's burden is looked at: how long a request of one and the same size is expected to
//! take there, faults included (a call that fails has to be made again), what it is expected to cost, or both multiplied.
//! A member of half the usual burden is to have twice its weight, and so on, within the bounds:
//!
//! > wanted = clamp(geometric mean of all burdens ÷ own burden, least, most)
//!
//! It gets there by steps of at most [`STEP`], and a difference of less than [`DEADBAND`] moves nothing, so that chance
//! and what the change itself brings about do not set it swinging. A member of which nothing is known goes back to the
//! weight the operator gave it.
//!
//! Pure: whoever owns the time calls [`Weights::look`]; traffic reads factors, and does nothing else here.

use crate::windows::{Latency, Size};
use crate::{Health, Member};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use weir_core::{Cost, Moment};

/// A factor changes by this at most, up or down, each time.
pub const STEP: f64 = 1.25;
/// A wanted factor nearer to the present one than this is left alone.
pub const DEADBAND: f64 = 1.1;
/// The bounds that bounds may have.
pub const LEAST: f64 = 0.1;
/// See [`LEAST`]. With it, scaled weights fit into 32 bits.
pub const MOST: f64 = 4.0;
/// Weights are scaled by this, so that factors show.
const SCALE: f64 = 1000.0;
/// What the burden is compared for, so that nobody looks slow for what was sent there.
const COMPARED: Size = Size { prompt: 1000, output: 256, in_flight: 0 };

/// What weights follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Follow {
    /// The expected latency to the end of an answer, and faults.
    Performance,
    /// The expected cost.
    Cost,
    /// Both.
    Both,
}

impl Follow {
    /// By name, as a configuration says it.
    pub const NAMES: [(&str, Follow); 3] =
        [("performance", Follow::Performance), ("cost", Follow::Cost), ("both", Follow::Both)];
}

/// How far and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// What weights follow.
    pub follow: Follow,
    /// The least factor; from [`LEAST`] to 1.
    pub least: f64,
    /// The greatest factor; from 1 to [`MOST`].
    pub most: f64,
    /// Time between two looks.
    pub every: Duration,
}

/// What was known of a member when its weight was looked at, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Whose weight.
    pub deployment: u32,
    /// When.
    pub at: Moment,
    /// The factor before.
    pub from: f64,
    /// The factor since then.
    pub to: f64,
    /// The factor that would have been right, within the bounds.
    pub wanted: f64,
    /// Why; `None` when nothing is known of the member and it goes back.
    pub why: Option<Burden>,
}

/// What a request of one size is expected to mean for a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burden {
    /// Until the end of its answer.
    pub latency: Duration,
    /// The share of calls that end by the deployment's fault.
    pub error_rate: f64,
    /// What it costs.
    pub cost: Cost,
    /// All of it as a multiple of the usual among the members.
    pub of_usual: f64,
}

/// The weights of one pool, shared by all cores.
#[derive(Debug)]
pub struct Weights {
    settings: Settings,
    members: Box<[Member]>,
    /// By member, in thousandths.
    factors: Box<[AtomicU32]>,
    /// Counts looks that changed something.
    version: AtomicU64,
    /// Nanoseconds of the clock; zero before the first look.
    next: AtomicU64,
    /// The latest change of each member.
    latest: Mutex<Vec<Option<Change>>>,
}

impl Weights {
    /// Every member at the weight the operator gave it.
    pub fn new(settings: Settings, members: &[Member]) -> Self {
        Weights {
            settings,
            members: members.into(),
            factors: members.iter().map(|_| AtomicU32::new(1000)).collect(),
            version: AtomicU64::new(0),
            next: AtomicU64::new(0),
            latest: Mutex::new(vec![None; members.len()]),
        }
    }

    /// Changes whenever a weight does.
    pub fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }

    /// By member: the factor on its weight.
    pub fn factors(&self) -> impl Iterator<Item = (&Member, f64)> {
        self.members.iter().zip(&self.factors).map(|(member, factor)| (member, thousandths(factor)))
    }

    /// The members with the weights they have now, all scaled alike; one without weight stays so.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a million times 4 × SCALE fits"
    )]
    pub fn members(&self) -> Vec<Member> {
        let scaled = |(member, factor): (&Member, f64)| {
            let weight = (f64::from(member.weight) * factor * SCALE).round() as u32;
            Member { weight: if member.weight == 0 { 0 } else { weight.max(1) }, ..*member }
        };
        self.factors().map(scaled).collect()
    }

    /// By member: what last changed its weight.
    pub fn latest(&self) -> Vec<Option<Change>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at every member when that is due, and gives what has changed. Not for the path of a request.
    pub fn look<'h>(&self, now: Moment, health: &dyn Fn(u32) -> Option<&'h Health>) -> Vec<Change> {
        let due = self.next.load(Relaxed);
        if now.as_nanos() < due {
            return Vec::new();
        }
        let next = (now + self.settings.every).as_nanos();
        // The first look only begins to wait, and of several that are due together one looks.
        let mine = self.next.compare_exchange(due, next, Relaxed, Relaxed).is_ok();
        if !mine || due == 0 {
            return Vec::new();
        }
        let burdens: Vec<Option<(f64, Burden)>> =
            self.members.iter().map(|member| self.burden(member, now, health(member.deployment))).collect();
        let known = || burdens.iter().flatten().map(|(burden, _)| burden.ln());
        let usual = known().sum::<f64>() / known().count().max(1) as f64;
        let mut changes = Vec::new();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        for (((member, cell), burden), slot) in
            self.members.iter().zip(&self.factors).zip(burdens).zip(latest.iter_mut())
        {
            let why =
                burden.map(|(burden, figures)| Burden { of_usual: (burden.ln() - usual).exp(), ..figures });
            let from = thousandths(cell);
            let wanted = why.map_or(1.0, |why| 1.0 / why.of_usual);
            let wanted = wanted.clamp(self.settings.least, self.settings.most);
            let to = step(from, wanted);
            if to != from {
                cell.store(as_thousandths(to), Relaxed);
                let change = Change { deployment: member.deployment, at: now, from, to, wanted, why };
                *slot = Some(change);
                changes.push(change);
            }
        }
        if !changes.is_empty() {
            self.version.fetch_add(1, Relaxed);
        }
        changes
    }

    /// What is expected of a member; `None` while that is not known. A member without weight is not looked at.
    fn burden(&self, member: &Member, now: Moment, health: Option<&Health>) -> Option<(f64, Burden)> {
        let health = health.filter(|_| member.weight > 0)?;
        let windows = health.windows();
        let size = Size { in_flight: health.in_flight(), ..COMPARED };
        let forecast = windows.forecast(Latency::Total, size, now);
        let latency = forecast.map_or(Duration::ZERO, |forecast| forecast.median());
        let error_rate = windows.error_rate(now).clamp(0.0, 0.9);
        let cost = member.expected_cost(size, Some(health));
        let slow = Some(latency.as_secs_f64() / (1.0 - error_rate)).filter(|seconds| *seconds > 0.0);
        let dear = cost.map(Cost::approx_usd).filter(|usd| *usd > 0.0);
        let burden = match self.settings.follow {
            Follow::Performance => slow?,
            Follow::Cost => dear?,
            Follow::Both => slow? * dear?,
        };
        Some((burden, Burden { latency, error_rate, cost: cost.unwrap_or_default(), of_usual: 1.0 }))
    }
}

/// The next factor on the way from one to another, in whole thousandths; the same when they are near each other.
fn step(from: f64, wanted: f64) -> f64 {
    let ratio = wanted / from;
    if (1.0 / DEADBAND..=DEADBAND).contains(&ratio) {
        return from;
    }
    (from * ratio.clamp(1.0 / STEP, STEP) * 1000.0).round() / 1000.0
}

fn thousandths(cell: &AtomicU32) -> f64 {
    f64::from(cell.load(Relaxed)) / 1000.0
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a factor is at most MOST")]
fn as_thousandths(factor: f64) -> u32 {
    (factor * 1000.0).round() as u32
}

#[cfg(test)]
mod tests;
