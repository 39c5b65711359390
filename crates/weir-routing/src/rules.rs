//! Rules of a route: which of its pools, or which other route, serves a request. The first rule that holds wins.
//!
//! Pure: everything a condition looks at is in [`Facts`]. What costs something to find out (the prompt's text, its
//! messages) is wanted only when a rule asks for it ([`Rules::wants_text`], [`Rules::wants_prompt`]), and what is derived
//! from it is derived once.

mod clock;
mod condition;
mod language;
mod pattern;
mod task;

pub use clock::{Clock, ClockError};
pub use condition::{Condition, Span, Wanted, names_region};
pub use language::{LANGUAGES, language};
pub use pattern::{Pattern, PatternError, Patterns};
pub use task::classify;

use regex::SetMatches;
use std::cell::OnceCell;
use weir_core::{Needs, Task};

/// What rules look at.
pub struct Facts<'a> {
    /// The prompt, in tokens as estimated from its length.
    pub prompt_tokens: u64,
    /// The most tokens the client asks for.
    pub output_tokens: Option<u64>,
    /// What the call uses.
    pub needs: Needs,
    /// Messages of the user.
    pub turns: u32,
    /// What the user wrote; empty unless [`Rules::wants_text`].
    pub text: &'a str,
    /// The latest message of it.
    pub latest: &'a str,
    /// The task that the client states.
    pub stated_task: Option<Task>,
    /// The regions in which the request may be served, by its own account, with commas between.
    pub regions: Option<&'a str>,
    /// The name of the key that was presented.
    pub key: Option<&'a str>,
    /// Now, in seconds since 1970.
    pub unix_seconds: i64,
    /// Headers and metadata.
    pub fields: &'a dyn Fields,
    /// What is derived from these, when first asked for.
    pub derived: Derived,
}

/// Headers and metadata of a request, asked for by name.
pub trait Fields {
    /// Whether a header of this name has a value that is `wanted`.
    fn header(&self, name: &str, wanted: &Wanted) -> bool;
    /// Whether `metadata` has this key, with a text, or a text in a list, that is `wanted`.
    fn metadata(&self, key: &str, wanted: &Wanted) -> bool;
}

/// What is found out about a text, once for all rules.
#[derive(Default)]
pub struct Derived {
    task: OnceCell<Task>,
    language: OnceCell<Option<&'static str>>,
    matches: OnceCell<Option<SetMatches>>,
}

impl Facts<'_> {
    /// The task: as stated, else as the prompt sounds.
    pub fn task(&self) -> Task {
        *self.derived.task.get_or_init(|| self.stated_task.unwrap_or_else(|| classify(self.latest)))
    }

    /// The language of the latest message, as far as it can be told.
    pub fn language(&self) -> Option<&'static str> {
        *self.derived.language.get_or_init(|| language(self.latest))
    }
}

/// The rules of one route, in order.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Condition>,
    patterns: Patterns,
    wants_text: bool,
    wants_prompt: bool,
}

impl Rules {
    /// Of conditions whose patterns are in `patterns`.
    pub fn new(rules: Vec<Condition>, patterns: Patterns) -> Self {
        let wants_text = rules.iter().any(Condition::wants_text);
        let wants_prompt = wants_text || rules.iter().any(Condition::wants_prompt);
        Rules { rules, patterns, wants_text, wants_prompt }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule looks at what the user wrote.
    pub fn wants_text(&self) -> bool {
        self.wants_text
    }

    /// Whether a rule looks at the messages: their number, or what they hold.
    pub fn wants_prompt(&self) -> bool {
        self.wants_prompt
    }

    /// The place of the first rule that holds.
    pub fn first(&self, facts: &Facts<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| self.holds(rule, facts))
    }

    /// How the rule at `place` comes out, with each of its single conditions in words and whether that one holds. Slower
    /// than [`first`](Rules::first): for explanations.
    pub fn told(&self, place: usize, facts: &Facts<'_>) -> Option<(bool, Vec<(String, bool)>)> {
        let rule = self.rules.get(place)?;
        let mut told = Vec::new();
        rule.leaves(&mut |leaf| told.push((leaf.shown(facts), self.holds(leaf, facts))));
        Some((self.holds(rule, facts), told))
    }

    fn holds(&self, rule: &Condition, facts: &Facts<'_>) -> bool {
        rule.holds(facts, &|pattern| {
            let matches = facts.derived.matches.get_or_init(|| self.patterns.matches(facts.text));
            matches.as_ref().is_some_and(|matches| matches.matched(pattern))
        })
    }
}

#[cfg(test)]
mod tests;
