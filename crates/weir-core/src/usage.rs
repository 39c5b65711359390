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
    /// Of `cache_write`: to be kept for an hour rather than for the usual five minutes.
    pub cache_write_1h: u64,
    /// Of `input`: sound.
    pub audio_input: u64,
    /// Of `input`: images.
    pub image_input: u64,
    /// All generated tokens.
    pub output: u64,
    /// Of `output`: spent on reasoning.
    pub reasoning: u64,
    /// Of `output`: sound.
    pub audio_output: u64,
    /// Of `output`: images.
    pub image_output: u64,
    /// What the vendor bills, where that is not what was read and written (Cohere).
    pub billed: Option<Billed>,
    /// What is not counted in tokens.
    pub pieces: Pieces,
    /// Where the figures come from.
    pub source: UsageSource,
}

/// Tokens that a vendor bills, where it says so apart from what it counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billed {
    /// Of the prompt.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

/// What answers take that is not counted in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// Images made.
    pub images: u32,
    /// Sound or film taken in, in milliseconds.
    pub input_millis: u32,
    /// Sound or film made, in milliseconds.
    pub output_millis: u32,
    /// Characters of text read out.
    pub characters: u32,
    /// Searches, or calls that have a price as such.
    pub requests: u32,
}

impl Pieces {
    fn plus(self, other: Pieces) -> Pieces {
        Pieces {
            images: self.images.saturating_add(other.images),
            input_millis: self.input_millis.saturating_add(other.input_millis),
            output_millis: self.output_millis.saturating_add(other.output_millis),
            characters: self.characters.saturating_add(other.characters),
            requests: self.requests.saturating_add(other.requests),
        }
    }
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
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            audio_input: self.audio_input.saturating_add(other.audio_input),
            image_input: self.image_input.saturating_add(other.image_input),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            audio_output: self.audio_output.saturating_add(other.audio_output),
            image_output: self.image_output.saturating_add(other.image_output),
            billed: self.billed_with(other),
            pieces: self.pieces.plus(other.pieces),
            source: if estimated { UsageSource::Estimated } else { UsageSource::Reported },
        }
    }

    /// What is billed of two answers together, where at least one of them says that it differs.
    fn billed_with(&self, other: Usage) -> Option<Billed> {
        if self.billed.is_none() && other.billed.is_none() {
            return None;
        }
        let of = |usage: &Usage| usage.billed.unwrap_or(Billed { input: usage.input, output: usage.output });
        let (one, two) = (of(self), of(&other));
        Some(Billed {
            input: one.input.saturating_add(two.input),
            output: one.output.saturating_add(two.output),
        })
    }

    /// Whether the figures can be true: within bounds, parts no larger than their whole.
    pub fn is_plausible(&self) -> bool {
        self.input <= Self::MOST_TOKENS
            && self.output <= Self::MOST_TOKENS
            && self.billed.is_none_or(|billed| billed.input.max(billed.output) <= Self::MOST_TOKENS)
            && self.cache_read.saturating_add(self.cache_write) <= self.input
            && self.cache_write_1h <= self.cache_write
            && self.audio_input.max(self.image_input) <= self.input
            && self.reasoning.max(self.audio_output).max(self.image_output) <= self.output
    }
}
