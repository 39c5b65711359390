//! How many tokens one answer took.

/// Tokens of one answer, in the form every provider's figures are brought to.
///
/// `input` counts all prompt tokens, cached ones included; `output` counts all generated tokens, reasoning included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens.
    pub input: u64,
    /// Of `input`: read from the provider's prompt cache.
    pub cache_read: u64,
    /// Of `input`: written to the provider's prompt cache.
    pub cache_write: u64,
    /// All generated tokens.
    pub output: u64,
    /// Of `output`: spent on reasoning.
    pub reasoning: u64,
    /// Where the figures come from.
    pub source: UsageSource,
}

/// Where usage figures come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UsageSource {
    /// The upstream stated them.
    #[default]
    Reported,
    /// The upstream stated none, or the stream ended before it could: counted from what passed.
    Estimated,
}

impl UsageSource {
    /// The word used in logs.
    pub const fn name(self) -> &'static str {
        match self {
            UsageSource::Reported => "reported",
            UsageSource::Estimated => "estimated",
        }
    }
}

impl Usage {
    /// No upstream reports more in one answer; a larger figure is a defect of the upstream and is not billed.
    pub const MOST_TOKENS: u64 = 100_000_000;

    /// Prompt tokens that neither came from nor went to a cache.
    pub fn input_uncached(&self) -> u64 {
        self.input.saturating_sub(self.cache_read).saturating_sub(self.cache_write)
    }

    /// Prompt and generated tokens together.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Those of two answers together: estimated when either is.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        let estimated = [self.source, other.source].contains(&UsageSource::Estimated);
        Usage {
            input: self.input.saturating_add(other.input),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            source: if estimated { UsageSource::Estimated } else { UsageSource::Reported },
        }
    }

    /// Whether the figures can be true: within bounds, parts no larger than their whole.
    pub fn is_plausible(&self) -> bool {
        self.input <= Self::MOST_TOKENS
            && self.output <= Self::MOST_TOKENS
            && self.cache_read.saturating_add(self.cache_write) <= self.input
            && self.reasoning <= self.output
    }
}
