//! What policies share whose weights follow how deployments do.

use super::{Build, Setting, Shape};
use crate::adjust::{self, Follow, Weights};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The settings of such a policy.
pub(super) const FOLLOW: Setting = Setting {
    name: "adjust",
    meaning: "What the weights follow, slowly: `performance` (how long an answer of one size takes, faults included), `cost`, or `both`; by steps of a quarter at most, and not for a tenth.",
    shape: Shape::OneOf(&["no", "performance", "cost", "both"]),
    default: "no",
};
pub(super) const LEAST: Setting = Setting {
    name: "adjust_least",
    meaning: "The least part of its weight that a deployment is left with.",
    shape: Shape::Number(adjust::LEAST, 1.0),
    default: "0.5",
};
pub(super) const MOST: Setting = Setting {
    name: "adjust_most",
    meaning: "The greatest multiple of its weight that a deployment gets.",
    shape: Shape::Number(1.0, adjust::MOST),
    default: "2",
};
pub(super) const EVERY: Setting = Setting {
    name: "adjust_every",
    meaning: "The time between two changes.",
    shape: Shape::Duration,
    default: "30s",
};

/// The weights that a pool's policy, or one within it, adjusts; shared by all cores. `None` when it has none to adjust, or
/// is not to.
pub(super) fn weights(build: &Build<'_>) -> Option<Arc<Weights>> {
    build.settings.kind.settings.iter().find(|setting| setting.name == FOLLOW.name)?;
    let (_, follow) =
        Follow::NAMES.into_iter().find(|(name, _)| *name == build.settings.word(FOLLOW.name))?;
    let settings = adjust::Settings {
        follow,
        least: build.settings.number(LEAST.name),
        most: build.settings.number(MOST.name),
        every: build.settings.duration(EVERY.name).unwrap_or_default(),
    };
    let mut identity = DefaultHasher::new();
    (follow, settings.every, settings.least.to_bits(), settings.most.to_bits()).hash(&mut identity);
    for member in build.members {
        (member.deployment, member.weight, member.identity).hash(&mut identity);
    }
    Some(build.shared.weights(build.pool, identity.finish(), || Weights::new(settings, build.members)))
}
