//! One trace through one fleet.

use crate::placement::View;
use crate::{Fleet, Lru, Placement, Trace};
use std::time::Duration;
use weir_core::Moment;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What placed the prompts.
    pub name: String,
    /// Blocks that were found in the cache of the instance they came to.
    pub hits: usize,
    /// Blocks of all prompts.
    pub blocks: usize,
    /// The work of each instance: time spent computing prompts.
    pub work: Vec<Duration>,
    /// From arrival to the first token (waiting and computing), the shortest first.
    pub first_tokens: Vec<Duration>,
    /// The instance each prompt came to.
    pub placed: Vec<usize>,
}

/// Places every prompt of the trace as it comes. A prompt's blocks count as cached from its arrival on.
pub fn run(fleet: &Fleet, trace: &Trace, placement: &mut dyn Placement) -> Outcome {
    let instances = fleet.instances.max(1);
    let mut caches = vec![Lru::new(fleet.cache_blocks as usize); instances];
    let mut free_at = vec![Moment::START; instances];
    let mut outcome = Outcome {
        name: placement.name(),
        hits: 0,
        blocks: trace.blocks(),
        work: vec![Duration::ZERO; instances],
        first_tokens: Vec::with_capacity(trace.requests.len()),
        placed: Vec::with_capacity(trace.requests.len()),
    };
    let mut waits = vec![Duration::ZERO; instances];
    for request in &trace.requests {
        for (wait, free_at) in waits.iter_mut().zip(&free_at) {
            *wait = free_at.since(request.at);
        }
        let chosen = placement.choose(&View { now: request.at, request, waits: &waits }) % instances;
        let hits = caches[chosen].longest_prefix(&request.blocks);
        caches[chosen].touch(&request.blocks);
        let prefill = fleet.prefill(request.tokens, hits);
        free_at[chosen] = request.at + waits[chosen] + prefill;
        outcome.hits += hits;
        outcome.work[chosen] += prefill;
        outcome.first_tokens.push(waits[chosen] + prefill);
        outcome.placed.push(chosen);
    }
    outcome.first_tokens.sort_unstable();
    outcome
}

impl Outcome {
    /// The share of blocks that were found.
    pub fn hit_rate(&self) -> f64 {
        share(self.hits, self.blocks)
    }

    /// The work of the busiest instance over the mean.
    pub fn imbalance(&self) -> f64 {
        let total: f64 = self.work.iter().map(Duration::as_secs_f64).sum();
        let most = self.work.iter().map(Duration::as_secs_f64).fold(0.0, f64::max);
        if total > 0.0 { most * self.work.len() as f64 / total } else { 1.0 }
    }

    /// The first token that so many percent of the prompts had in time (nearest rank).
    pub fn first_token(&self, percent: usize) -> Duration {
        nearest_rank(&self.first_tokens, percent)
    }

    /// The mean first token.
    pub fn mean_first_token(&self) -> Duration {
        let total: f64 = self.first_tokens.iter().map(Duration::as_secs_f64).sum();
        let mean = total / self.first_tokens.len().max(1) as f64;
        Duration::try_from_secs_f64(mean).unwrap_or(Duration::MAX)
    }
}

/// `part` of `whole`; nothing of nothing is none.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The value that `percent` percent of these, in ascending order, do not exceed.
pub(crate) fn nearest_rank(ascending: &[Duration], percent: usize) -> Duration {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
