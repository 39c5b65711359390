//! The model servers of a simulation.

use std::time::Duration;
use weir_routing::prefix;

/// Model servers that are all alike. Each computes prompts one after the other, in the order of their arrival, and keeps
/// the blocks it used last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// How many there are; at least one.
    pub instances: usize,
    /// Blocks that each one's cache holds.
    pub cache_blocks: u32,
    /// Tokens of a block.
    pub block_tokens: std::num::NonZeroU32,
    /// Tokens of a prompt that each computes in a second.
    pub tokens_per_second: std::num::NonZeroU32,
}

impl Fleet {
    /// How long a prompt of so many tokens takes when its first `cached` blocks need not be computed.
    pub fn prefill(&self, tokens: u64, cached: usize) -> Duration {
        let cached = (cached as u64).saturating_mul(u64::from(self.block_tokens.get()));
        let nanos = u128::from(tokens.saturating_sub(cached)) * 1_000_000_000;
        let nanos = nanos / u128::from(self.tokens_per_second.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Blocks that all caches hold together.
    pub fn pooled_blocks(&self) -> usize {
        self.instances.saturating_mul(self.cache_blocks as usize)
    }

    /// What a router knows of each instance.
    pub fn caches(&self) -> Vec<prefix::Cache> {
        let cache = prefix::Cache { blocks: self.cache_blocks, tokens_per_second: self.tokens_per_second };
        vec![cache; self.instances]
    }
}
