//! Ways to place prompts: Weir's own, and what it is to be measured against.

mod baseline;

pub use baseline::{Additive, LeastWork, PowerOfTwo, RoundRobin, Threshold};

use crate::{Fleet, Request};
use std::num::NonZeroU32;
use std::time::Duration;
use weir_core::Moment;
use weir_routing::prefix::{Prefix, Prompt, Ranked, Settings};

/// What a router knows when a prompt comes: nothing of what the caches hold but what follows from its own decisions.
pub struct View<'a> {
    /// The present.
    pub now: Moment,
    /// The prompt.
    pub request: &'a Request,
    /// How long it would wait at each instance; at least one.
    pub waits: &'a [Duration],
}

/// A way to place prompts.
pub trait Placement {
    /// What it is called in reports.
    fn name(&self) -> String;

    /// The instance that this prompt goes to. It will go there: what is learnt from that is learnt here.
    fn choose(&mut self, view: &View<'_>) -> usize;
}

/// Weir's.
pub struct ByPrefix {
    prefix: Prefix,
    most_delay: NonZeroU32,
    ranked: Vec<Ranked>,
}

impl ByPrefix {
    /// With as much delay allowed as `most_delay` says; see [`Settings::most_delay`].
    pub fn new(fleet: &Fleet, most_delay: NonZeroU32) -> Self {
        let settings = Settings { block_tokens: fleet.block_tokens, most_delay };
        ByPrefix { prefix: Prefix::new(settings, &fleet.caches()), most_delay, ranked: Vec::new() }
    }
}

impl Placement for ByPrefix {
    fn name(&self) -> String {
        match self.most_delay {
            NonZeroU32::MAX => "prefix, any delay".to_owned(),
            NonZeroU32::MIN => "prefix, no delay".to_owned(),
            Settings::MOST_DELAY => format!("prefix, delay x {} (default)", self.most_delay),
            _ => format!("prefix, delay x {}", self.most_delay),
        }
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        let prompt = Prompt { blocks: &view.request.blocks, tokens: view.request.tokens };
        let waits = view.waits.iter().map(|wait| Some(*wait));
        self.prefix.rank(view.now, prompt, waits, &mut self.ranked);
        let best = self.ranked.first().map_or(0, |best| best.member);
        self.prefix.placed(view.now, best, prompt);
        best
    }
}

#[cfg(test)]
mod tests;
