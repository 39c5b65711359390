//! How a route orders its deployments, and the roster of ways to do it.
//!
//! A policy is one file in this folder and one line in [`POLICIES`].

mod round_robin;
mod weighted;

use crate::{Candidate, Chance};
use smallvec::SmallVec;
use weir_core::Moment;

/// One deployment of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its index in the gateway's table of deployments. A route names each deployment once.
    pub deployment: u32,
    /// Its share of the traffic, relative to the other members. A member of weight 0 is a last resort: it is ordered
    /// behind all others, so it is called first only when no member with a weight may be called.
    pub weight: u32,
}

/// What is asked of a policy.
pub struct Ask<'a> {
    /// The present.
    pub now: Moment,
    /// How many deployments to order at most.
    pub wanted: usize,
    /// Whether a deployment may be called now.
    pub usable: &'a dyn Fn(u32) -> bool,
}

/// Deployments in the order in which they are to be called, each with the reason for its place.
pub type Order = SmallVec<[Candidate; 4]>;

/// A way to order deployments. Each core has its own, so state is a plain cell and no other core waits for it.
pub trait Policy {
    /// Appends to the empty `out` usable members, best first and each once: `ask.wanted` of them, or all there are
    /// when they are fewer. So an order stays empty only when no member is usable.
    fn order(&self, ask: &Ask<'_>, chance: &mut dyn Chance, out: &mut Order);
}

/// A kind of policy.
pub struct Kind {
    /// The name in the configuration.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Name and meaning of each of its settings.
    pub settings: &'static [(&'static str, &'static str)],
    /// Makes one, for one route on one core.
    pub build: fn(&[Member]) -> Box<dyn Policy>,
}

/// Every kind of policy; the first is the default.
pub const POLICIES: &[&Kind] = &[&weighted::KIND, &round_robin::KIND];

/// The kind of this name.
pub fn find(name: &str) -> Option<&'static Kind> {
    POLICIES.iter().copied().find(|kind| kind.name == name)
}

/// The text of `docs/reference/policies.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Policies\n\n\
         <!-- Generated from the roster in crates/weir-routing/src/policy.rs; \
         `UPDATE_DOCS=1 cargo test -p weir-routing` rewrites it. -->\n\n\
         A route's `policy` is one of these: a name, or a map of its `kind` and its settings. A policy only orders\n\
         deployments that may be called now: those whose breaker is open, that rest or that are full are left out\n\
         before it is asked. A deployment of weight 0 is a last resort under every policy: it comes behind all others.\n\n\
         | Policy | Meaning | Settings |\n|---|---|---|\n",
    );
    for (place, kind) in POLICIES.iter().enumerate() {
        let default = if place == 0 { " The default." } else { "" };
        let settings: Vec<String> =
            kind.settings.iter().map(|(name, meaning)| format!("`{name}`: {meaning}")).collect();
        let settings = if settings.is_empty() { "none".to_owned() } else { settings.join("<br>") };
        page.push_str(&format!("| `{}` | {}{default} | {settings} |\n", kind.name, kind.description));
    }
    page
}

#[cfg(test)]
mod tests;
