//! The cache of a simulated model server.

use std::collections::{BTreeMap, HashMap};

/// Keeps the blocks that were used last. Written apart from the router's mirror and in the plainest way, so that the two
/// do not share their mistakes.
#[derive(Clone, Debug, Default)]
pub struct Lru {
    capacity: usize,
    uses: u64,
    last_use: HashMap<u64, u64>,
    by_use: BTreeMap<u64, u64>,
}

impl Lru {
    /// An empty one for so many blocks.
    pub fn new(capacity: usize) -> Self {
        Lru { capacity, ..Lru::default() }
    }

    /// How many of a prompt's first blocks it holds.
    pub fn longest_prefix(&self, blocks: &[u64]) -> usize {
        blocks.iter().take_while(|block| self.last_use.contains_key(block)).count()
    }

    /// Uses a prompt's blocks; the first counts as used last, since all others need it.
    pub fn touch(&mut self, blocks: &[u64]) {
        for block in blocks.iter().rev() {
            self.uses += 1;
            if let Some(before) = self.last_use.insert(*block, self.uses) {
                self.by_use.remove(&before);
            }
            self.by_use.insert(self.uses, *block);
        }
        while self.last_use.len() > self.capacity
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.last_use.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(capacity: usize, touches: &[&[u64]], prompt: &[u64], expect: usize) {
        let mut cache = Lru::new(capacity);
        for touch in touches {
            cache.touch(touch);
        }
        assert_eq!(cache.longest_prefix(prompt), expect, "{capacity} {touches:?} {prompt:?}");
    }

    #[test]
    fn what_was_used_last_stays() {
        check(10, &[], &[1], 0);
        check(10, &[&[1, 2, 3]], &[1, 2, 4], 2);
        check(4, &[&[1, 2, 3], &[4, 5]], &[1, 2, 3], 2);
        check(4, &[&[1, 2, 3], &[4, 5], &[1, 2]], &[4, 5], 2);
        check(3, &[&[1, 2, 3], &[4, 5]], &[1, 2, 3], 1);
        check(2, &[&[1, 2, 3]], &[1, 2, 3], 2);
        check(0, &[&[1]], &[1], 0);
        // The second block is there, the first is not: nothing of the prompt can be used.
        check(1, &[&[2]], &[1, 2], 0);
    }
}
