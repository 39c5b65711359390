//! Made-up traffic, for shapes that no recorded trace at hand has. The same seed makes the same trace; `prompts` says about how
//! long it is.

use crate::{Request, Trace};
use std::time::Duration;
use weir_core::Moment;
use weir_routing::{Chance, SplitMix64};

/// Tokens of a block; of each prompt the last block is partial.
const BLOCK: u64 = 512;
const UNFILLED: u64 = 200;

/// Conversations that have nothing in common with each other: each turn repeats all before it and adds to it, and seven
/// in ten are followed by another, a minute later on average.
pub fn conversations(seed: u64, prompts: usize) -> Trace {
    let mut draw = Draw(SplitMix64::seeded(seed));
    let mut fresh = 0;
    let mut requests = Vec::new();
    let mut begins = 0.0;
    while requests.len() < prompts {
        begins += draw.exponential(1.2);
        let (mut now, mut blocks) = (begins, Vec::new());
        loop {
            extend(&mut blocks, &mut fresh, 1 + draw.whole(12.0));
            requests.push(request(now, &blocks));
            if draw.unit() > 0.7 {
                break;
            }
            now += 10.0 + draw.exponential(50.0);
        }
    }
    sorted("conversations that share no beginning", requests)
}

/// Questions behind one of sixty instructions of very different length and popularity; nothing else is shared.
pub fn instructions(seed: u64, prompts: usize) -> Trace {
    let mut draw = Draw(SplitMix64::seeded(seed));
    let mut fresh = 0;
    let kinds: Vec<Vec<u64>> = (0..60)
        .map(|_| {
            let mut blocks = Vec::new();
            extend(&mut blocks, &mut fresh, 4 + draw.0.below(60));
            blocks
        })
        .collect();
    let (mut now, mut requests) = (0.0, Vec::new());
    for _ in 0..prompts {
        now += draw.exponential(0.2);
        // The logarithm of the rank is uniform: the second is asked for half as often as the first.
        let kind = (60f64.powf(draw.unit()) - 1.0).floor();
        let kind = kinds.iter().enumerate().find(|(rank, _)| *rank as f64 >= kind);
        let mut blocks = kind.map(|(_, blocks)| blocks.clone()).unwrap_or_default();
        extend(&mut blocks, &mut fresh, 1 + draw.0.below(16));
        requests.push(request(now, &blocks));
    }
    sorted("instructions of sixty kinds, no prompt twice", requests)
}

struct Draw(SplitMix64);

impl Draw {
    /// Between 0 and 1, neither of them.
    fn unit(&mut self) -> f64 {
        ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.unit().ln() * mean
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
    fn whole(&mut self, mean: f64) -> u64 {
        self.exponential(mean) as u64
    }
}

fn extend(blocks: &mut Vec<u64>, fresh: &mut u64, by: u64) {
    blocks.extend(*fresh..*fresh + by);
    *fresh += by;
}

fn request(at: f64, blocks: &[u64]) -> Request {
    let at = Moment::START + Duration::try_from_secs_f64(at).unwrap_or(Duration::MAX);
    Request { at, tokens: blocks.len() as u64 * BLOCK - UNFILLED, blocks: blocks.into() }
}

fn sorted(name: &str, mut requests: Vec<Request>) -> Trace {
    requests.sort_by_key(|request| request.at);
    Trace { name: name.to_owned(), requests }
}
