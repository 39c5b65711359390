use super::*;
use proptest::prelude::*;

/// The same, told in the plainest way: blocks from the newest to the oldest.
#[derive(Debug, Default)]
struct Plain {
    capacity: usize,
    blocks: Vec<u64>,
}

impl Plain {
    fn touch(&mut self, prompt: &[u64]) {
        self.blocks.retain(|block| !prompt.contains(block));
        let mut kept = std::mem::take(&mut self.blocks);
        self.blocks.extend_from_slice(prompt);
        self.blocks.append(&mut kept);
        self.blocks.truncate(self.capacity);
    }

    fn longest_prefix(&self, prompt: &[u64]) -> usize {
        prompt.iter().take_while(|block| self.blocks.contains(block)).count()
    }
}

/// From the newest to the oldest, and back.
fn listed(mirror: &Mirror) -> Vec<u64> {
    let walk = |mut at: u32, step: fn(Entry) -> u32| {
        let mut blocks = Vec::new();
        while let Some(entry) = mirror.entry(at) {
            blocks.push(entry.block);
            at = step(entry);
        }
        blocks
    };
    let down = walk(mirror.newest, |entry| entry.older);
    let mut up = walk(mirror.oldest, |entry| entry.newer);
    up.reverse();
    assert_eq!(down, up);
    down
}

/// A prompt of a tree of prompts: each way is a choice of branch, and a block's hash stands for all ways up to it.
fn prompt(ways: &[u8]) -> Vec<u64> {
    let mut hash = 0u64;
    let step = |way: &u8| {
        hash = hash.wrapping_mul(31).wrapping_add(u64::from(*way) + 1);
        hash
    };
    ways.iter().map(step).collect()
}

fn check(capacity: u32, touches: &[&[u64]], expect: &[u64]) {
    let mut mirror = Mirror::new(capacity);
    for touch in touches {
        mirror.touch(touch);
    }
    assert_eq!(listed(&mirror), expect);
    assert_eq!(mirror.len(), expect.len());
    assert!(expect.iter().all(|block| mirror.find(*block).is_some()));
}

#[test]
fn the_oldest_make_room_and_of_one_prompt_its_end() {
    check(0, &[&[1, 2]], &[]);
    check(4, &[&[1, 2, 3]], &[1, 2, 3]);
    check(4, &[&[1, 2, 3], &[4, 5]], &[4, 5, 1, 2]);
    check(4, &[&[1, 2, 3], &[4, 5], &[1, 2, 6]], &[1, 2, 6, 4]);
    check(3, &[&[1, 2, 3, 4, 5]], &[1, 2, 3]);
    check(1, &[&[1], &[2], &[1]], &[1]);
    check(4, &[&[], &[7]], &[7]);
}

#[test]
fn a_cleared_mirror_is_as_new() {
    let mut mirror = Mirror::new(2);
    mirror.touch(&[1, 2]);
    mirror.clear();
    assert!(mirror.is_empty());
    assert_eq!(mirror.longest_prefix(&[1, 2]), 0);
    mirror.touch(&[3]);
    assert_eq!(listed(&mirror), [3]);
}

#[test]
fn memory_is_stated_and_never_grows() {
    for blocks in [0, 1, 3, 2000] {
        let mut mirror = Mirror::new(blocks);
        for prompt in 0..3000u64 {
            mirror.touch(&[prompt * 3, prompt * 3 + 1, prompt * 3 + 2]);
        }
        let bytes = mirror.entries.capacity() * size_of::<Entry>() + mirror.table.len() * size_of::<u32>();
        assert_eq!(bytes, Mirror::most_bytes(blocks));
        assert_eq!(mirror.len(), blocks as usize);
    }
    assert_eq!(Mirror::most_bytes(u32::MAX), Mirror::most_bytes(Mirror::MOST_BLOCKS));
}

proptest! {
    #[test]
    fn it_is_the_plain_one(
        capacity in 0u32..40,
        prompts in prop::collection::vec(prop::collection::vec(0u8..3, 0..12), 0..80),
    ) {
        let mut mirror = Mirror::new(capacity);
        let mut plain = Plain { capacity: capacity as usize, blocks: Vec::new() };
        for ways in &prompts {
            let prompt = prompt(ways);
            prop_assert_eq!(mirror.longest_prefix(&prompt), plain.longest_prefix(&prompt));
            mirror.touch(&prompt);
            plain.touch(&prompt);
            prop_assert_eq!(&listed(&mirror), &plain.blocks);
        }
    }
}
