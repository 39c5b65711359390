//! What no placement can do better than, and what would have to be different for that.

mod informed;

pub use informed::informed;

use crate::run::{nearest_rank, share};
use crate::{Fleet, Lru, Request, Trace};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// The share of blocks that came before: what one cache without an end would find.
pub fn endless(trace: &Trace) -> f64 {
    share(endless_hits(trace).iter().sum(), trace.blocks())
}

/// The first token that `percent` percent of the prompts would have in time if nobody ever waited and nothing that was
/// computed once were computed again.
pub fn first_token(fleet: &Fleet, trace: &Trace, percent: usize) -> Duration {
    let hits = endless_hits(trace);
    let mut times: Vec<Duration> =
        trace.requests.iter().zip(hits).map(|(request, hits)| fleet.prefill(request.tokens, hits)).collect();
    times.sort_unstable();
    nearest_rank(&times, percent)
}

/// The hit rate of one cache as large as all of the fleet's together, that also keeps what was used last.
///
/// No strict bound, but hard to pass: work is what is computed, and what is computed is kept, so instances that are given
/// equal work replace their blocks equally fast, and none of them keeps much for longer than this cache would. And this
/// one never holds a block twice.
pub fn pooled(fleet: &Fleet, trace: &Trace) -> f64 {
    let mut cache = Lru::new(fleet.pooled_blocks());
    let mut hits = 0;
    for request in &trace.requests {
        hits += cache.longest_prefix(&request.blocks);
        cache.touch(&request.blocks);
    }
    share(hits, trace.blocks())
}

/// The hit rate of that one cache if it knew the future: it gives up the block that is needed last (Belady, "A study of
/// replacement algorithms for a virtual-storage computer", IBM Systems Journal 5:2, 1966) and does not keep what is never
/// needed again.
pub fn clairvoyant(fleet: &Fleet, trace: &Trace) -> f64 {
    share(foreseen_hits(trace.requests.iter(), fleet.pooled_blocks()), trace.blocks())
}

/// The hit rate of the fleet if each prompt went where it did go, but each cache knew the future.
pub fn clairvoyant_caches(fleet: &Fleet, trace: &Trace, placed: &[usize]) -> f64 {
    let hits = (0..fleet.instances).map(|instance| {
        let here = trace.requests.iter().zip(placed).filter(|(_, placed)| **placed == instance);
        foreseen_hits(here.map(|(request, _)| request), fleet.cache_blocks as usize)
    });
    share(hits.sum(), trace.blocks())
}

/// For each prompt the number of its first blocks that came before.
fn endless_hits(trace: &Trace) -> Vec<usize> {
    let mut known: HashSet<u64> = HashSet::new();
    let hits = |request: &Request| {
        let hits = request.blocks.iter().take_while(|block| known.contains(block)).count();
        known.extend(request.blocks.iter().copied());
        hits
    };
    trace.requests.iter().map(hits).collect()
}

/// A block's worth to a cache that knows the future: needed next by which prompt, then how deep in it. The greatest goes
/// first, so of one prompt the end.
type Need = (usize, usize);

fn foreseen_hits<'a>(requests: impl Iterator<Item = &'a Request>, capacity: usize) -> usize {
    let requests: Vec<&Request> = requests.collect();
    let mut next_use: HashMap<u64, usize> = HashMap::new();
    let mut needs: Vec<Vec<Option<usize>>> = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate().rev() {
        needs.push(request.blocks.iter().map(|block| next_use.get(block).copied()).collect());
        next_use.extend(request.blocks.iter().map(|block| (*block, index)));
    }
    needs.reverse();
    let mut held: HashMap<u64, Need> = HashMap::new();
    let mut order: BTreeSet<(Need, u64)> = BTreeSet::new();
    let mut hits = 0;
    for (request, needs) in requests.iter().zip(needs) {
        hits += request.blocks.iter().take_while(|block| held.contains_key(block)).count();
        for (depth, (block, next)) in request.blocks.iter().zip(needs).enumerate() {
            if let Some(before) = held.remove(block) {
                order.remove(&(before, *block));
            }
            if let Some(next) = next {
                held.insert(*block, (next, depth));
                order.insert(((next, depth), *block));
            }
        }
        while held.len() > capacity
            && let Some((_, block)) = order.pop_last()
        {
            held.remove(&block);
        }
    }
    hits
}

#[cfg(test)]
mod tests;
