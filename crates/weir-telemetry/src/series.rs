//! Counters of one core. A shard has one writer, its recorder, and any number of readers.
//!
//! Because nobody else writes, adding is a plain load and a plain store: no locked instruction, no shared cache line.

use crate::lock;
use crate::metric::{
    CONNECT_BOUNDS, DURATION_BOUNDS, FIRST_TOKEN_BOUNDS, OVERHEAD_BOUNDS, PER_TOKEN_BOUNDS, QUEUED_BOUNDS,
};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weir_core::exchange::{Attempt, AttemptCause, Phases};
use weir_core::usage::UsageSource;
use weir_core::{Class, Exchange, Outcome};

/// Adds `n` to a cell that only this thread writes; stays at the maximum rather than wrap.
pub(crate) fn add(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Relaxed).saturating_add(n), Relaxed);
}

/// Counts per bucket. The number of observations is the sum of the buckets, so the two can never disagree. The sum of
/// what was observed is kept apart, among other sums.
#[derive(Debug)]
pub(crate) struct Histogram<const BUCKETS: usize>([AtomicU64; BUCKETS]);

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Histogram(zeros())
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// Counts `time` in the first bucket whose bound is not below it; the last bucket has no bound.
    fn observe(&self, bounds: &[u64], time: Duration, sum_nanos: &AtomicU64) {
        let nanos = time.as_secs().saturating_mul(1_000_000_000).saturating_add(time.subsec_nanos().into());
        if let Some(bucket) = self.0.get(bounds.partition_point(|&bound| bound < nanos)) {
            add(bucket, 1);
            add(sum_nanos, nanos);
        }
    }

    fn absorb(&self, other: &Self) {
        absorb(&self.0, &other.0);
    }

    /// Counts per bucket, not cumulative.
    pub(crate) fn read(&self) -> Vec<u64> {
        self.0.iter().map(|b| b.load(Relaxed)).collect()
    }
}

/// Sums of what the histograms observed, in nanoseconds.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Sums {
    pub(crate) overhead: AtomicU64,
    pub(crate) duration: AtomicU64,
    pub(crate) first_byte: AtomicU64,
    pub(crate) first_token: AtomicU64,
    pub(crate) per_token: AtomicU64,
    pub(crate) connect: AtomicU64,
    pub(crate) tls: AtomicU64,
}

impl Sums {
    fn all(&self) -> [&AtomicU64; 7] {
        let Sums { overhead, duration, first_byte, first_token, per_token, connect, tls } = self;
        [overhead, duration, first_byte, first_token, per_token, connect, tls]
    }
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

fn absorb(into: &[AtomicU64], from: &[AtomicU64]) {
    for (into, from) in into.iter().zip(from) {
        add(into, from.load(Relaxed));
    }
}

/// The place of an attempt that was cancelled because another answered first; no request ends so.
const ABORTED: usize = 2 + Class::ALL.len();

/// Label values of an outcome, by its index.
pub(crate) const OUTCOMES: [&str; ABORTED + 1] = {
    let mut names = [""; ABORTED + 1];
    names[ABORTED] = "aborted";
    names[outcome_index(Outcome::Answered)] = Outcome::Answered.name();
    names[outcome_index(Outcome::ClientGone)] = Outcome::ClientGone.name();
    let mut i = 0;
    while i < Class::ALL.len() {
        names[outcome_index(Outcome::Failed(Class::ALL[i]))] = Class::ALL[i].name();
        i += 1;
    }
    names
};

const fn outcome_index(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Answered => 0,
        Outcome::ClientGone => 1,
        Outcome::Failed(class) => 2 + class as usize,
    }
}

/// Label values of an attempt's cause, by its index.
pub(crate) const CAUSES: [AttemptCause; 5] = [
    AttemptCause::First,
    AttemptCause::Retry,
    AttemptCause::Fallback,
    AttemptCause::Continuation,
    AttemptCause::Hedge,
];

/// Label values of `token_type`, in the order in which tokens are kept.
pub(crate) const TOKEN_TYPES: [&str; 5] = ["input", "output", "cached_input", "cache_write", "reasoning"];

/// All counts of one pair of route and deployment.
///
/// In the order in which a good answer touches them, so that it touches few cache lines: with hundreds of deployments
/// each of them has to be fetched.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Counts {
    pub(crate) tokens: [AtomicU64; TOKEN_TYPES.len()],
    /// Exact; the maximum is about 18.4 million USD per pair, core and process.
    pub(crate) cost_pico_usd: AtomicU64,
    pub(crate) request_bytes: AtomicU64,
    pub(crate) response_bytes: AtomicU64,
    pub(crate) sums: Sums,
    pub(crate) requests: [AtomicU64; OUTCOMES.len()],
    pub(crate) overhead: Histogram<{ OVERHEAD_BOUNDS.len() + 1 }>,
    pub(crate) duration: Histogram<{ DURATION_BOUNDS.len() + 1 }>,
    pub(crate) first_byte: Histogram<{ FIRST_TOKEN_BOUNDS.len() + 1 }>,
    /// By cause, then by outcome.
    pub(crate) attempts: [[AtomicU64; OUTCOMES.len()]; CAUSES.len()],
    pub(crate) first_token: Histogram<{ FIRST_TOKEN_BOUNDS.len() + 1 }>,
    pub(crate) per_token: Histogram<{ PER_TOKEN_BOUNDS.len() + 1 }>,
    pub(crate) connect: Histogram<{ CONNECT_BOUNDS.len() + 1 }>,
    pub(crate) tls: Histogram<{ CONNECT_BOUNDS.len() + 1 }>,
    pub(crate) queued: Histogram<{ QUEUED_BOUNDS.len() + 1 }>,
    /// Apart from the other sums: an answer that never waited does not touch it, and they fill what a cache line has left.
    pub(crate) queued_nanos: AtomicU64,
    pub(crate) estimated: AtomicU64,
    pub(crate) cost_unknown: AtomicU64,
    pub(crate) left_out: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Counts {
            requests: zeros(),
            attempts: std::array::from_fn(|_| zeros()),
            tokens: zeros(),
            cost_pico_usd: AtomicU64::new(0),
            estimated: AtomicU64::new(0),
            cost_unknown: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            sums: Sums::default(),
            duration: Histogram::default(),
            first_token: Histogram::default(),
            per_token: Histogram::default(),
            overhead: Histogram::default(),
            connect: Histogram::default(),
            tls: Histogram::default(),
            queued: Histogram::default(),
            queued_nanos: AtomicU64::new(0),
            first_byte: Histogram::default(),
        }
    }
}

impl Counts {
    /// Counts everything about an ended exchange except its attempts, which may belong to other deployments.
    pub(crate) fn count(&self, exchange: &Exchange<'_>) {
        if let Some(cell) = self.requests.get(outcome_index(exchange.outcome)) {
            add(cell, 1);
        }
        self.duration.observe(&DURATION_BOUNDS, exchange.total, &self.sums.duration);
        self.overhead.observe(&OVERHEAD_BOUNDS, exchange.overhead, &self.sums.overhead);
        if let Some(time) = exchange.first_token {
            self.first_token.observe(&FIRST_TOKEN_BOUNDS, time, &self.sums.first_token);
        }
        if let Some(time) = exchange.inter_token {
            self.per_token.observe(&PER_TOKEN_BOUNDS, time, &self.sums.per_token);
        }
        let Phases { connect, tls, first_byte, .. } = exchange.phases;
        if let Some(time) = first_byte {
            self.first_byte.observe(&FIRST_TOKEN_BOUNDS, time, &self.sums.first_byte);
        }
        if !connect.is_zero() {
            self.connect.observe(&CONNECT_BOUNDS, connect, &self.sums.connect);
        }
        if !tls.is_zero() {
            self.tls.observe(&CONNECT_BOUNDS, tls, &self.sums.tls);
        }
        if !exchange.queued.is_zero() {
            self.queued.observe(&QUEUED_BOUNDS, exchange.queued, &self.queued_nanos);
        }
        if let Some(usage) = &exchange.usage {
            let tokens = [usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning];
            for (cell, n) in self.tokens.iter().zip(tokens) {
                add(cell, n);
            }
            if usage.source == UsageSource::Estimated {
                add(&self.estimated, 1);
            }
        }
        // A counter cannot go down, so a cost below zero, which no price can yield, counts as nothing.
        let pico = exchange.cost.pico_usd().max(0);
        add(&self.cost_pico_usd, u64::try_from(pico).unwrap_or(u64::MAX));
        if exchange.cost_unknown {
            add(&self.cost_unknown, 1);
        }
        add(&self.request_bytes, exchange.request_bytes);
        add(&self.response_bytes, exchange.response_bytes);
    }

    /// Requests of every outcome.
    pub(crate) fn all_requests(&self) -> u64 {
        self.requests.iter().map(|cell| cell.load(Relaxed)).sum()
    }

    /// Counts one upstream call.
    pub(crate) fn count_attempt(&self, attempt: &Attempt<'_>, unfaulted: Outcome) {
        let outcome = match attempt.fault {
            _ if attempt.aborted => ABORTED,
            fault => outcome_index(fault.map_or(unfaulted, Outcome::Failed)),
        };
        let cell = self.attempts.get(attempt.cause as usize).and_then(|row| row.get(outcome));
        if let Some(cell) = cell {
            add(cell, 1);
        }
        if attempt.left_out > 0 {
            add(&self.left_out, attempt.left_out.into());
        }
    }

    /// Adds another shard's counts of the same pair. Only for counts that nobody else writes.
    pub(crate) fn absorb(&self, other: &Counts) {
        absorb(&self.requests, &other.requests);
        for (into, from) in self.attempts.iter().zip(&other.attempts) {
            absorb(into, from);
        }
        absorb(&self.tokens, &other.tokens);
        for (into, from) in [
            (&self.cost_pico_usd, &other.cost_pico_usd),
            (&self.estimated, &other.estimated),
            (&self.cost_unknown, &other.cost_unknown),
            (&self.left_out, &other.left_out),
            (&self.request_bytes, &other.request_bytes),
            (&self.response_bytes, &other.response_bytes),
        ] {
            add(into, from.load(Relaxed));
        }
        for (into, from) in self.sums.all().into_iter().zip(other.sums.all()) {
            add(into, from.load(Relaxed));
        }
        self.duration.absorb(&other.duration);
        self.first_token.absorb(&other.first_token);
        self.per_token.absorb(&other.per_token);
        self.overhead.absorb(&other.overhead);
        self.connect.absorb(&other.connect);
        self.tls.absorb(&other.tls);
        self.queued.absorb(&other.queued);
        add(&self.queued_nanos, other.queued_nanos.load(Relaxed));
        self.first_byte.absorb(&other.first_byte);
    }
}

/// The counts of one pair with its names.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) route: Box<str>,
    pub(crate) deployment: Box<str>,
    pub(crate) counts: Counts,
}

/// What one core has counted. The mutexes are taken when something new appears and when someone reads, never to count.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    series: Mutex<Vec<Arc<Series>>>,
    rejected: Mutex<Vec<(&'static str, Arc<AtomicU64>)>>,
    /// What probes have cost by deployment, in pico-USD.
    probes: Mutex<Vec<(Box<str>, Arc<AtomicU64>)>>,
    in_flight: AtomicI64,
}

impl Shard {
    /// Adds counts for a new pair and shows them to the readers.
    pub(crate) fn add_series(&self, route: &str, deployment: &str) -> Arc<Series> {
        let series = Arc::new(Series {
            route: route.into(),
            deployment: deployment.into(),
            counts: Counts::default(),
        });
        lock(&self.series).push(series.clone());
        series
    }

    /// Adds a counter for a new reason and shows it to the readers.
    pub(crate) fn add_reason(&self, reason: &'static str) -> Arc<AtomicU64> {
        let count = Arc::new(AtomicU64::new(0));
        lock(&self.rejected).push((reason, count.clone()));
        count
    }

    /// Adds a sum of what a deployment's probes cost and shows it to the readers.
    pub(crate) fn add_probed(&self, deployment: &str) -> Arc<AtomicU64> {
        let sum = Arc::new(AtomicU64::new(0));
        lock(&self.probes).push((deployment.into(), sum.clone()));
        sum
    }

    /// What probes have cost by deployment, in pico-USD.
    pub(crate) fn probes(&self) -> Vec<(Box<str>, u64)> {
        lock(&self.probes).iter().map(|(name, sum)| (name.clone(), sum.load(Relaxed))).collect()
    }

    /// Moves the number of requests in flight; only the owner calls it.
    pub(crate) fn move_in_flight(&self, delta: i64) {
        self.in_flight.store(self.in_flight.load(Relaxed).saturating_add(delta), Relaxed);
    }

    /// Requests begun and not ended on this core.
    pub(crate) fn in_flight(&self) -> i64 {
        self.in_flight.load(Relaxed)
    }

    /// Every pair so far.
    pub(crate) fn series(&self) -> Vec<Arc<Series>> {
        lock(&self.series).clone()
    }

    /// Rejected connections by reason.
    pub(crate) fn rejected(&self) -> Vec<(&'static str, u64)> {
        lock(&self.rejected).iter().map(|(reason, count)| (*reason, count.load(Relaxed))).collect()
    }
}
