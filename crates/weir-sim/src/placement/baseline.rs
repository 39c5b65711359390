//! What others do.

use super::{Placement, View};
use crate::{Fleet, Lru};
use std::cmp::Reverse;
use std::time::Duration;
use weir_routing::{Chance, SplitMix64};

/// One after the other.
#[derive(Debug, Default)]
pub struct RoundRobin {
    turn: usize,
}

impl Placement for RoundRobin {
    fn name(&self) -> String {
        "round robin".to_owned()
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        let turn = self.turn % view.waits.len();
        self.turn = turn + 1;
        turn
    }
}

/// The shorter queue of two drawn at random (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE
/// TPDS 12:10, 2001).
#[derive(Debug)]
pub struct PowerOfTwo(pub SplitMix64);

impl Placement for PowerOfTwo {
    fn name(&self) -> String {
        "power of two".to_owned()
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        let mut draw = || usize::try_from(self.0.below(view.waits.len() as u64)).unwrap_or(0);
        let (one, other) = (draw(), draw());
        if view.waits[other] < view.waits[one] { other } else { one }
    }
}

/// The shortest queue, in seconds of work.
#[derive(Debug)]
pub struct LeastWork;

impl Placement for LeastWork {
    fn name(&self) -> String {
        "least work".to_owned()
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        shortest(view)
    }
}

/// The longest prefix, if it is at least half of the prompt, and the shortest queue otherwise or when queues differ
/// much: as SGLang's router does, with queues in seconds of work instead of numbers of requests.
pub struct Threshold {
    caches: Vec<Lru>,
}

impl Threshold {
    /// Queues differ much when the longest exceeds the shortest by so much,
    const DIFFERENCE: Duration = Duration::from_secs(4);
    /// and is so many tenths of it.
    const TENTHS: u32 = 15;

    /// For a fleet whose caches are empty.
    pub fn new(fleet: &Fleet) -> Self {
        Threshold { caches: caches(fleet) }
    }
}

impl Placement for Threshold {
    fn name(&self) -> String {
        "threshold".to_owned()
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        let blocks = &view.request.blocks;
        let longest = view.waits.iter().max().copied().unwrap_or_default();
        let least = view.waits[shortest(view)];
        let uneven = longest > least + Self::DIFFERENCE && longest * 10 > least * Self::TENTHS;
        let prefix = |instance: &usize| self.caches[*instance].longest_prefix(blocks);
        let best = (0..view.waits.len())
            .max_by_key(|instance| (prefix(instance), Reverse(view.waits[*instance]), Reverse(*instance)))
            .filter(|best| !uneven && prefix(best) * 2 >= blocks.len())
            .unwrap_or_else(|| shortest(view));
        self.caches[best].touch(blocks);
        best
    }
}

/// The earliest first token: queue and uncached prefill, both in seconds, added up.
pub struct Additive {
    fleet: Fleet,
    caches: Vec<Lru>,
}

impl Additive {
    /// For a fleet whose caches are empty.
    pub fn new(fleet: &Fleet) -> Self {
        Additive { fleet: *fleet, caches: caches(fleet) }
    }
}

impl Placement for Additive {
    fn name(&self) -> String {
        "queue + uncached prefill".to_owned()
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        let request = view.request;
        let first_token = |(cache, wait): (&Lru, &Duration)| {
            *wait + self.fleet.prefill(request.tokens, cache.longest_prefix(&request.blocks))
        };
        let first_tokens: Vec<Duration> = self.caches.iter().zip(view.waits).map(first_token).collect();
        let best = least(&first_tokens);
        self.caches[best].touch(&request.blocks);
        best
    }
}

/// A router can follow every cache exactly as long as nobody else uses it, since it knows what it sent.
fn caches(fleet: &Fleet) -> Vec<Lru> {
    vec![Lru::new(fleet.cache_blocks as usize); fleet.instances.max(1)]
}

fn shortest(view: &View<'_>) -> usize {
    least(view.waits)
}

/// The first of the least.
fn least(times: &[Duration]) -> usize {
    times.iter().enumerate().min_by_key(|(_, time)| **time).map_or(0, |(index, _)| index)
}
