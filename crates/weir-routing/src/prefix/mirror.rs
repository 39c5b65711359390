//! What a model server's cache is believed to hold.

/// The least recently used order of a cache's blocks, followed from outside.
///
/// A touch renews all blocks of a prompt, its end first, so a block is never older than those that continue it, and
/// what is held is closed under prefixes: with a block, all that lead to it. So not every block has to be looked up to
/// find the longest prefix.
///
/// Memory is taken once and never grows: an array of entries, linked by age, and an open-addressed table of at most half
/// its places in use.
#[derive(Debug)]
pub struct Mirror {
    capacity: usize,
    entries: Vec<Entry>,
    /// For each place of the table the entry that is there, or [`NONE`]. A power of two in length, or empty.
    table: Box<[u32]>,
    newest: u32,
    oldest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    block: u64,
    newer: u32,
    older: u32,
}

const NONE: u32 = u32::MAX;
/// 2^64 divided by the golden ratio: spreads hashes whose lower bits alone differ over the table.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Mirror {
    /// More blocks than this are not followed; a cache that holds more is believed to hold as many.
    pub const MOST_BLOCKS: u32 = 1 << 24;

    /// An empty one, of a cache that holds so many blocks.
    pub fn new(blocks: u32) -> Self {
        let capacity = index(blocks.min(Self::MOST_BLOCKS));
        let table = vec![NONE; Self::places(capacity)].into_boxed_slice();
        Mirror { capacity, entries: Vec::with_capacity(capacity), table, newest: NONE, oldest: NONE }
    }

    /// The heap memory that one of so many blocks takes.
    pub const fn most_bytes(blocks: u32) -> usize {
        let blocks = if blocks < Self::MOST_BLOCKS { blocks } else { Self::MOST_BLOCKS };
        let capacity = index(blocks);
        capacity * size_of::<Entry>() + Self::places(capacity) * size_of::<u32>()
    }

    const fn places(capacity: usize) -> usize {
        if capacity == 0 { 0 } else { (2 * capacity).next_power_of_two() }
    }

    /// How many blocks it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many of a prompt's first blocks it holds.
    pub fn longest_prefix(&self, blocks: &[u64]) -> usize {
        // Most caches hold little of a prompt: the bound doubles from the start, then the last stretch is halved.
        let mut end = 1;
        while blocks.get(end - 1).is_some_and(|block| self.find(*block).is_some()) {
            end *= 2;
        }
        let start = end / 2;
        let stretch = blocks.get(start..blocks.len().min(end)).unwrap_or_default();
        start + stretch.partition_point(|block| self.find(*block).is_some())
    }

    /// Makes a prompt's blocks the newest, the first the newest of all. The oldest others make room.
    pub fn touch(&mut self, blocks: &[u64]) {
        for block in blocks.iter().take(self.capacity).rev() {
            let entry = match self.find(*block) {
                Some(place) => {
                    let entry = self.at(place);
                    self.unlink(entry);
                    entry
                }
                None => self.add(*block),
            };
            self.link_newest(entry);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.table.fill(NONE);
        (self.newest, self.oldest) = (NONE, NONE);
    }

    /// An entry for a block that is not held, taken from the oldest when there is no room; not yet linked.
    fn add(&mut self, block: u64) -> u32 {
        let new = Entry { block, newer: NONE, older: NONE };
        let entry = if self.entries.len() < self.capacity {
            self.entries.push(new);
            // Fits: the capacity is at most MOST_BLOCKS.
            u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
        } else {
            let entry = self.oldest;
            self.unlink(entry);
            let gone = self.entry(entry).map(|entry| entry.block);
            if let Some(place) = gone.and_then(|gone| self.find(gone)) {
                self.vacate(place);
            }
            if let Some(slot) = self.entries.get_mut(index(entry)) {
                *slot = new;
            }
            entry
        };
        let mut place = self.home(block);
        while self.at(place) != NONE {
            place = self.next(place);
        }
        self.set(place, entry);
        entry
    }

    /// The place of a block in the table.
    fn find(&self, block: u64) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        let mut place = self.home(block);
        // Ends: at most half of the places are in use.
        while let Some(entry) = self.entry(self.at(place)) {
            if entry.block == block {
                return Some(place);
            }
            place = self.next(place);
        }
        None
    }

    /// Empties a place and moves up what only stood behind it because it was taken, so that no search ends early.
    fn vacate(&mut self, mut hole: usize) {
        let mut place = self.next(hole);
        while let Some(entry) = self.entry(self.at(place)) {
            let home = self.home(entry.block);
            if self.distance(home, place) >= self.distance(hole, place) {
                self.set(hole, self.at(place));
                hole = place;
            }
            place = self.next(place);
        }
        self.set(hole, NONE);
    }

    fn link_newest(&mut self, entry: u32) {
        let before = self.newest;
        if let Some(slot) = self.entries.get_mut(index(entry)) {
            (slot.newer, slot.older) = (NONE, before);
        }
        match self.entries.get_mut(index(before)) {
            Some(slot) => slot.newer = entry,
            None => self.oldest = entry,
        }
        self.newest = entry;
    }

    fn unlink(&mut self, entry: u32) {
        let Some(Entry { newer, older, .. }) = self.entry(entry) else { return };
        match self.entries.get_mut(index(newer)) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.entries.get_mut(index(older)) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn entry(&self, entry: u32) -> Option<Entry> {
        self.entries.get(index(entry)).copied()
    }

    fn at(&self, place: usize) -> u32 {
        self.table.get(place).copied().unwrap_or(NONE)
    }

    fn set(&mut self, place: usize, entry: u32) {
        if let Some(slot) = self.table.get_mut(place) {
            *slot = entry;
        }
    }

    /// Where a block stands if nothing is in its way: the upper bits of the product.
    #[allow(clippy::cast_possible_truncation, reason = "shifted to as many bits as the table's length has")]
    fn home(&self, block: u64) -> usize {
        let bits = self.table.len().trailing_zeros();
        (block.wrapping_mul(SPREAD) >> (u64::BITS - bits)) as usize
    }

    fn next(&self, place: usize) -> usize {
        (place + 1) & (self.table.len() - 1)
    }

    /// Steps from one place on to another.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.table.len() - 1)
    }
}

/// [`NONE`] is beyond every list.
const fn index(entry: u32) -> usize {
    entry as usize
}

#[cfg(test)]
mod tests;
