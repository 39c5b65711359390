//! One condition, and what it is made of.

use super::Facts;
use super::clock::Clock;
use super::pattern::Pattern;
use std::fmt::Write;
use std::sync::Arc;
use weir_core::{Needs, Task};

/// A range of whole numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Span {
    fn has(self, value: u64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    fn shown(self) -> String {
        match (self.min, self.max) {
            (min, u64::MAX) => format!("at least {min}"),
            (0, max) => format!("at most {max}"),
            (min, max) => format!("{min} to {max}"),
        }
    }
}

/// Which values of a header or of metadata are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Any.
    Any,
    /// One of these, exactly.
    OneOf(Box<[Arc<str>]>),
}

impl Wanted {
    /// Whether this value is meant.
    pub fn is(&self, value: &[u8]) -> bool {
        match self {
            Wanted::Any => true,
            Wanted::OneOf(known) => known.iter().any(|one| one.as_bytes() == value),
        }
    }

    fn shown(&self) -> String {
        match self {
            Wanted::Any => "anything".to_owned(),
            Wanted::OneOf(known) => listed(known.iter().map(|one| &**one)),
        }
    }
}

/// Whether a list of regions, as `x-weir-region` has it, names this one.
pub fn names_region(named: &str, region: &str) -> bool {
    named.split(',').any(|one| one.trim() == region)
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

/// What must hold for a rule to win.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Every one of them; with none, always.
    All(Vec<Condition>),
    /// At least one of them.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// One of these patterns is in what the user wrote.
    Text(Vec<Pattern>),
    /// The task is one of these.
    Task(Vec<Task>),
    /// The language is one of these.
    Language(Vec<&'static str>),
    /// So many tokens of prompt, as estimated.
    PromptTokens(Span),
    /// So many tokens of answer are asked for at most. Does not hold for a request that does not say.
    OutputTokens(Span),
    /// So many messages are the user's.
    Turns(Span),
    /// All of these are used.
    Has(Needs),
    /// A header has such a value.
    Header(Arc<str>, Wanted),
    /// `metadata` has such a value.
    Metadata(Arc<str>, Wanted),
    /// One of these regions is among those the request names.
    Region(Vec<Arc<str>>),
    /// One of these keys was presented.
    Key(Vec<Arc<str>>),
    /// It is such a time of day.
    Time(Clock),
}

impl Condition {
    /// Whether it holds. `found` tells whether a pattern is in the text.
    pub(super) fn holds(&self, facts: &Facts<'_>, found: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Condition::All(all) => all.iter().all(|one| one.holds(facts, found)),
            Condition::Any(any) => any.iter().any(|one| one.holds(facts, found)),
            Condition::Not(one) => !one.holds(facts, found),
            Condition::Text(patterns) => patterns.iter().any(|pattern| found(pattern.place)),
            Condition::Task(tasks) => tasks.contains(&facts.task()),
            Condition::Language(known) => facts.language().is_some_and(|it| known.contains(&it)),
            Condition::PromptTokens(span) => span.has(facts.prompt_tokens),
            Condition::OutputTokens(span) => facts.output_tokens.is_some_and(|tokens| span.has(tokens)),
            Condition::Turns(span) => span.has(u64::from(facts.turns)),
            Condition::Has(needs) => facts.needs.cover(*needs),
            Condition::Header(name, wanted) => facts.fields.header(name, wanted),
            Condition::Metadata(key, wanted) => facts.fields.metadata(key, wanted),
            Condition::Region(known) => {
                facts.regions.is_some_and(|named| known.iter().any(|region| names_region(named, region)))
            }
            Condition::Key(names) => facts.key.is_some_and(|key| names.iter().any(|name| **name == *key)),
            Condition::Time(clock) => clock.shows(facts.unix_seconds),
        }
    }

    /// Shows every condition that is not made of others.
    pub(super) fn leaves<'c>(&'c self, see: &mut dyn FnMut(&'c Condition)) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| part.leaves(see));
            }
            Condition::Not(part) => part.leaves(see),
            leaf => see(leaf),
        }
    }

    pub(super) fn wants_text(&self) -> bool {
        let mut wants = false;
        self.leaves(&mut |leaf| {
            wants |= matches!(leaf, Condition::Text(_) | Condition::Task(_) | Condition::Language(_));
        });
        wants
    }

    pub(super) fn wants_prompt(&self) -> bool {
        let mut wants = false;
        self.leaves(&mut |leaf| {
            wants |= matches!(leaf, Condition::Turns(_) | Condition::Has(_) | Condition::PromptTokens(_));
        });
        wants
    }

    /// It in words, with what was found: `task coding (is chat)`.
    pub(super) fn shown(&self, facts: &Facts<'_>) -> String {
        let mut out = String::new();
        let _infallible = match self {
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => Ok(()),
            Condition::Text(patterns) => {
                write!(out, "text matches {}", listed(patterns.iter().map(|pattern| &*pattern.written)))
            }
            Condition::Task(tasks) => {
                write!(out, "task {} (is {})", listed(tasks.iter().map(|t| t.name())), facts.task().name())
            }
            Condition::Language(known) => write!(
                out,
                "language {} (is {})",
                listed(known.iter().copied()),
                facts.language().unwrap_or("not known")
            ),
            Condition::PromptTokens(span) => {
                write!(out, "prompt tokens {} (about {})", span.shown(), facts.prompt_tokens)
            }
            Condition::OutputTokens(span) => match facts.output_tokens {
                Some(tokens) => write!(out, "output tokens {} (asks for {tokens})", span.shown()),
                None => write!(out, "output tokens {} (asks for no number)", span.shown()),
            },
            Condition::Turns(span) => write!(out, "turns {} (are {})", span.shown(), facts.turns),
            Condition::Has(needs) => {
                let names = |needs: Needs| {
                    let names: Vec<_> = needs.iter().map(weir_core::Need::name).collect();
                    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
                };
                write!(out, "has {} (has {})", names(*needs), names(facts.needs))
            }
            Condition::Header(name, wanted) => write!(out, "header {name} is {}", wanted.shown()),
            Condition::Metadata(key, wanted) => write!(out, "metadata {key} is {}", wanted.shown()),
            Condition::Region(known) => write!(
                out,
                "region {} (is {})",
                listed(known.iter().map(|name| &**name)),
                facts.regions.unwrap_or("not named")
            ),
            Condition::Key(names) => write!(
                out,
                "key {} (is {})",
                listed(names.iter().map(|name| &**name)),
                facts.key.unwrap_or("none")
            ),
            Condition::Time(clock) => write!(out, "time {clock} (is {})", clock.local(facts.unix_seconds)),
        };
        out
    }
}
