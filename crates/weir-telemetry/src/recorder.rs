//! One core's side: counts an ended exchange, renders its line, emits its event.

use crate::access_log::{LineBuffer, Queue};
use crate::series::{Series, Shard, add};
use crate::span;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use weir_core::exchange::Pair;
use weir_core::text::ByName;
use weir_core::{Cost, Exchange, Outcome};

/// Stands for a route or deployment that was never reached.
pub(crate) const NONE: &str = "none";
/// Stands for the pairs beyond the bound.
const OTHER: &str = "other";
/// Pairs of route and deployment that one core tells apart, about 1.5 KiB each.
const MOST_PAIRS: usize = 10_000;

/// Records what happens on one core. Belongs to one thread; nothing here waits for another one.
pub struct Recorder {
    shard: Arc<Shard>,
    table: RefCell<Table>,
    rejected: RefCell<Vec<(&'static str, Arc<AtomicU64>)>>,
    probes: RefCell<HashMap<Box<str>, Arc<AtomicU64>>>,
    log: Option<RefCell<LineBuffer>>,
    spans: bool,
}

impl Recorder {
    pub(crate) fn new(shard: Arc<Shard>, log: Option<Arc<Queue>>, spans: bool) -> Self {
        Recorder {
            shard,
            table: RefCell::new(Table::new(MOST_PAIRS)),
            rejected: RefCell::default(),
            probes: RefCell::default(),
            log: log.map(|queue| RefCell::new(LineBuffer::new(queue))),
            spans,
        }
    }

    /// Records an ended exchange. Allocates only when a pair of route and deployment is new.
    pub fn record(&self, exchange: &Exchange<'_>) {
        self.count(exchange);
        if let Some(log) = &self.log {
            log.borrow_mut().push(exchange);
        }
        if self.spans {
            span::emit(exchange);
        }
    }

    fn count(&self, exchange: &Exchange<'_>) {
        let mut table = self.table.borrow_mut();
        let route = exchange.route.unwrap_or(NONE);
        let deployment = exchange.deployment.unwrap_or(NONE);
        let home = table.place_of(&self.shard, exchange.pair, route, deployment);
        if let Some(series) = table.get(home) {
            series.counts.count(exchange);
        }
        for attempt in exchange.attempts {
            let place = if attempt.deployment == deployment {
                home
            } else {
                table.place(&self.shard, route, attempt.deployment)
            };
            if let Some(series) = table.get(place) {
                // An attempt without a fault answered, unless the client left before it could.
                let unfaulted = match exchange.outcome {
                    Outcome::ClientGone => Outcome::ClientGone,
                    _ => Outcome::Answered,
                };
                series.counts.count_attempt(attempt, unfaulted);
            }
        }
    }

    /// Moves the number of requests in flight: `1` when one begins, `-1` when it ends.
    pub fn in_flight(&self, delta: i64) {
        self.shard.move_in_flight(delta);
    }

    /// Counts a connection that was closed before a request was read. `reason` is one of a fixed list of words.
    pub fn rejected_connection(&self, reason: &'static str) {
        let mut rejected = self.rejected.borrow_mut();
        if let Some((_, count)) = rejected.iter().find(|(known, _)| *known == reason) {
            add(count, 1);
        } else {
            let count = self.shard.add_reason(reason);
            add(&count, 1);
            rejected.push((reason, count));
        }
    }

    /// Counts what a health probe of a deployment has cost. Deployments are of the configuration, so their number is bounded.
    pub fn probed(&self, deployment: &str, cost: Cost) {
        let pico = u64::try_from(cost.pico_usd()).unwrap_or(0);
        let mut probes = self.probes.borrow_mut();
        match probes.get(deployment) {
            Some(sum) => add(sum, pico),
            None => {
                let sum = self.shard.add_probed(deployment);
                add(&sum, pico);
                probes.insert(deployment.into(), sum);
            }
        }
    }

    /// Hands a half-full log buffer to the writer. Called with every round of a core's chores, it bounds how late a line appears.
    pub fn tick(&self) {
        if let Some(log) = &self.log {
            log.borrow_mut().hand_over();
        }
    }
}

/// Finds a pair's counts by borrowed names.
struct Table {
    places: HashMap<Box<str>, HashMap<Box<str>, usize, ByName>, ByName>,
    /// The same by place in the present snapshot, which asks for fewer lines of memory than names do.
    shortcuts: HashMap<u64, usize, ByName>,
    /// The snapshot they belong to.
    generation: u64,
    series: Vec<Arc<Series>>,
    most: usize,
}

impl Table {
    fn new(most: usize) -> Self {
        let (places, shortcuts) = (HashMap::default(), HashMap::default());
        Table { places, shortcuts, generation: 0, series: Vec::new(), most }
    }

    /// The place of a pair that may be known by its place in the snapshot.
    fn place_of(&mut self, shard: &Shard, pair: Option<Pair>, route: &str, deployment: &str) -> usize {
        let Some(pair) = pair else { return self.place(shard, route, deployment) };
        if pair.generation != self.generation {
            self.shortcuts.clear();
            self.generation = pair.generation;
        }
        let key = u64::from(pair.route) << 32 | u64::from(pair.deployment);
        if let Some(place) = self.shortcuts.get(&key) {
            return *place;
        }
        let place = self.place(shard, route, deployment);
        self.shortcuts.insert(key, place);
        place
    }

    /// The pair's place; that of `other` when the pair is new and the bound is reached.
    fn place(&mut self, shard: &Shard, route: &str, deployment: &str) -> usize {
        match self.find(route, deployment) {
            Some(place) => place,
            None if self.series.len() < self.most => self.add(shard, route, deployment),
            None => match self.find(OTHER, OTHER) {
                Some(place) => place,
                None => self.add(shard, OTHER, OTHER),
            },
        }
    }

    fn find(&self, route: &str, deployment: &str) -> Option<usize> {
        self.places.get(route)?.get(deployment).copied()
    }

    #[cold]
    fn add(&mut self, shard: &Shard, route: &str, deployment: &str) -> usize {
        let place = self.series.len();
        self.series.push(shard.add_series(route, deployment));
        self.places.entry(route.into()).or_default().insert(deployment.into(), place);
        place
    }

    fn get(&self, place: usize) -> Option<&Series> {
        self.series.get(place).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests;
