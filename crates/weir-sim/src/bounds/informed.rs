//! A cache that does not know the future, but all that a router could learn from the past, and may keep what it likes.

use crate::run::share;
use crate::{Fleet, Trace};
use std::collections::HashMap;
use std::time::Duration;

/// Turns of a conversation that are told apart, and lengths of prompts, by their power of two.
const TURNS: usize = 8;
const LENGTHS: usize = 12;
const CLASSES: usize = TURNS * LENGTHS;
/// Ages are told apart by so much, up to so many of it.
const STEP: Duration = Duration::from_secs(30);
const AGES: usize = 60;

/// The hit rate of one cache as large as all of the fleet's together that gives up the blocks that are least likely to
/// be needed soon. How likely that is, by a conversation's turn, the prompt's length and the time since, it was told from
/// this very trace, before the first prompt. Its prompts can be of no use to each other but by the last that shares them.
///
/// No instance can be made to do this: each gives up what it used longest ago.
pub fn informed(fleet: &Fleet, trace: &Trace) -> f64 {
    let classes = Classes::of(trace);
    let worth = classes.worth(trace);
    let mut cache = Cache::default();
    let mut hits = 0;
    for (index, request) in trace.requests.iter().enumerate() {
        hits += request.blocks.iter().take_while(|block| cache.owner.contains_key(block)).count();
        for block in &request.blocks {
            cache.owner.insert(*block, index);
        }
        cache.owned.push((index, request.blocks.to_vec()));
        while cache.owner.len() > fleet.pooled_blocks() {
            let value = |owner: usize| {
                let age = request.at.since(trace.requests[owner].at);
                worth[classes.class[owner]][age_of(age)]
            };
            if !cache.give_up_least(value, fleet.pooled_blocks()) {
                break;
            }
        }
    }
    share(hits, trace.blocks())
}

/// Blocks by the last prompt that used them.
#[derive(Default)]
struct Cache {
    owner: HashMap<u64, usize>,
    owned: Vec<(usize, Vec<u64>)>,
}

impl Cache {
    /// Gives up blocks of the owner of the least value, the older one of equals, from the end, until so many are left.
    fn give_up_least(&mut self, value: impl Fn(usize) -> f64, blocks: usize) -> bool {
        let values = self.owned.iter().map(|(owner, _)| value(*owner)).enumerate();
        let Some((least, _)) = values.min_by(|(_, a), (_, b)| a.total_cmp(b)) else { return false };
        let (owner, owned) = &mut self.owned[least];
        while self.owner.len() > blocks
            && let Some(block) = owned.pop()
        {
            if self.owner.get(&block) == Some(owner) {
                self.owner.remove(&block);
            }
        }
        if owned.is_empty() {
            // The order of age is kept: it decides between equals.
            self.owned.remove(least);
        }
        true
    }
}

/// The class of each prompt, and the next prompt that goes on from it with how many blocks.
struct Classes {
    class: Vec<usize>,
    next: Vec<Option<(usize, usize)>>,
}

impl Classes {
    fn of(trace: &Trace) -> Self {
        let common = trace.common_blocks();
        let mut last_use: HashMap<u64, usize> = HashMap::new();
        let (mut turns, mut class, mut next) = (Vec::new(), Vec::new(), vec![None; trace.requests.len()]);
        for (index, request) in trace.requests.iter().enumerate() {
            let hits = request.blocks.iter().take_while(|block| last_use.contains_key(block)).count();
            let before = request.blocks[..hits].last().filter(|_| hits > common).map(|block| last_use[block]);
            if let Some(before) = before {
                next[before].get_or_insert((index, hits));
            }
            let turn = before.map_or(0, |before| turns[before] + 1).min(TURNS - 1);
            let length =
                request.blocks.len().checked_ilog2().map_or(0, |log| log as usize + 1).min(LENGTHS - 1);
            turns.push(turn);
            class.push(turn * LENGTHS + length);
            last_use.extend(request.blocks.iter().map(|block| (*block, index)));
        }
        Classes { class, next }
    }

    /// For each class and age the most hits per block and step that keeping its blocks for some time promises (an index
    /// of Gittins' kind).
    fn worth(&self, trace: &Trace) -> Vec<[f64; AGES]> {
        let end = trace.requests.last().map(|request| request.at).unwrap_or_default();
        let (mut needed, mut kept) = (vec![[0.0; AGES]; CLASSES], vec![[0.0; AGES]; CLASSES]);
        for ((request, class), next) in trace.requests.iter().zip(&self.class).zip(&self.next) {
            let until = next.map_or(end, |(next, _)| trace.requests[next].at);
            let last = age_of(until.since(request.at));
            for age in &mut kept[*class][..=last] {
                *age += request.blocks.len() as f64;
            }
            if let Some((_, blocks)) = next {
                needed[*class][last] += *blocks as f64;
            }
        }
        needed.iter().zip(&kept).map(|(needed, kept)| index(needed, kept)).collect()
    }
}

fn index(needed: &[f64; AGES], kept: &[f64; AGES]) -> [f64; AGES] {
    let chance = |age: usize| if kept[age] > 0.0 { (needed[age] / kept[age]).min(1.0) } else { 0.0 };
    std::array::from_fn(|from| {
        let (mut still, mut hits, mut time, mut best) = (1.0, 0.0, 0.0, 0.0f64);
        for age in from..AGES {
            hits += still * chance(age);
            time += still;
            still *= 1.0 - chance(age);
            best = best.max(hits / time);
        }
        best
    })
}

fn age_of(age: Duration) -> usize {
    usize::try_from(age.as_nanos() / STEP.as_nanos()).map_or(AGES - 1, |steps| steps.min(AGES - 1))
}
