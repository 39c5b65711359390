//! How a route orders its deployments, and the roster of ways to do it.
//!
//! A policy is one file in this folder and one line in [`POLICIES`].

mod adjusted;
mod between_cores;
mod cost;
mod latency;
mod latency_budget;
mod least_busy;
mod power_of_two;
mod prefix;
mod priority;
mod quality;
mod ranking;
mod round_robin;
mod settings;
mod sticky;
mod weighted;
mod weighted_score;

pub use between_cores::Shared;
pub use settings::{Bond, Compiled, Setting, Shape, usd};

use crate::adjust::Weights;
use crate::windows::{Latency, Size};
use crate::{Candidate, Chance, Health, Reason};
use smallvec::SmallVec;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Cost, Moment, Tariff};

/// One deployment of a route.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its index in the gateway's table of deployments. A route names each deployment once.
    pub deployment: u32,
    /// Its share of the traffic, relative to the other members. A member of weight 0 is a last resort: it is ordered
    /// behind all others, so it is called first only when no member with a weight may be called.
    pub weight: u32,
    /// What it costs.
    pub pricing: Tariff,
    /// How good its answers are, as the operator rates it; more is better.
    pub quality: u32,
    /// Stands for it wherever its place in the table does not: the same after a reload and at every Weir that has it.
    pub identity: u64,
}

impl Member {
    /// One of which no more is known.
    pub fn new(deployment: u32, weight: u32) -> Self {
        Member { deployment, weight, identity: u64::from(deployment), ..Member::default() }
    }

    /// What a request of this size is expected to cost here. With a price by the token: the prompt, of which as much is
    /// taken to be cached as was in the last minute, and the expected output. With a price by the hour: the machine's
    /// time for its output at the throughput it has now, or for an idle one at the speed one call gets; nothing while
    /// that is not known. `None` when nobody knows the price.
    pub fn expected_cost(&self, size: Size, health: Option<&Health>) -> Option<Cost> {
        let cached = health.map_or(0.0, |health| health.windows().cached_share());
        self.expected_cost_with(size, health, cached)
    }

    /// The same, when so much of the prompt is cached.
    pub(crate) fn expected_cost_with(
        &self,
        size: Size,
        health: Option<&Health>,
        cached: f64,
    ) -> Option<Cost> {
        let windows = health.map(Health::windows);
        match self.pricing {
            Tariff::Unknown => None,
            Tariff::PerToken { .. } => {
                let input = u64::from(size.prompt);
                let share = cached.clamp(0.0, 1.0);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of input")]
                let cache_read = (share * input as f64).round() as u64;
                self.pricing.of_tokens(input, cache_read, u64::from(size.output))
            }
            Tariff::PerHour(micro_usd) => {
                let throughput = windows.and_then(|windows| windows.throughput());
                let seconds = throughput.map_or(0.0, |throughput| f64::from(size.output) / throughput);
                #[allow(clippy::cast_possible_truncation, reason = "an estimate")]
                Some(Cost::from_pico_usd((micro_usd as f64 * 1e6 / 3600.0 * seconds) as i128))
            }
        }
    }
}

/// A cost to compare: what nobody knows is dearer than everything.
pub(crate) fn comparable(cost: Option<Cost>) -> f64 {
    cost.map_or(f64::INFINITY, Cost::approx_usd)
}

/// Writes the block hashes of a prompt cut into blocks of so many tokens; see [`Prompt`](crate::prefix::Prompt).
pub type Blocks<'a> = &'a dyn Fn(u32, &mut Vec<u64>);

/// What is known of a request when its deployments are ordered.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// Tokens of its prompt, estimated.
    pub prompt: u32,
    /// The most tokens it allows to be generated.
    pub most_output: Option<u32>,
    /// Tokens of the usual answer in this route, for deployments of which too little is known.
    pub usual_output: Option<u32>,
    /// Whether its answer is to be a stream.
    pub streamed: bool,
    /// What keeps it with earlier ones: a hash of its session, user, cookie or beginning.
    pub session: Option<u64>,
    /// The hashes of its prompt's blocks; made only when a policy asks.
    pub blocks: Option<Blocks<'a>>,
    /// How long the client allows, instead of the policy's own latency budget.
    pub budget: Option<Duration>,
    /// What the client allows it to cost.
    pub max_cost: Option<Cost>,
    /// Keeps deployments out of this request's plans, whatever the policy.
    pub excluded: Option<&'a dyn Fn(u32) -> Option<Reason>>,
    /// The whole pool, to see how much of it is out; nobody panics about an empty one.
    pub pool: &'a [Member],
    /// When breakers keep more of it out than this, see [`plan`](crate::plan::plan); 100 for never.
    pub panic_percent: u32,
    /// Asked for an explanation and not to be carried out: no policy takes a turn for it or remembers it.
    pub tentative: bool,
}

/// What an answer is taken to be long while nothing is known, in tokens.
const USUAL_OUTPUT: u32 = 256;

impl Request<'_> {
    /// The latency that counts where `wanted` is asked for. An answer that is no stream has no first token before its end.
    pub fn latency(&self, wanted: Latency) -> Latency {
        if self.streamed { wanted } else { Latency::Total }
    }

    /// Its size at a deployment: the output is what is usual there or else in the route, within what the request allows.
    pub fn size(&self, health: Option<&Health>) -> Size {
        let usual = health.and_then(|health| health.windows().usual_output());
        let usual = usual.or(self.usual_output).unwrap_or(USUAL_OUTPUT);
        let output = self.most_output.map_or(usual, |most| usual.min(most));
        Size { prompt: self.prompt, output, in_flight: health.map_or(0, Health::in_flight) }
    }
}

/// What is asked of a policy.
#[derive(Clone, Copy)]
pub struct Ask<'a, 'h> {
    /// The present.
    pub now: Moment,
    /// How many deployments to order at most.
    pub wanted: usize,
    /// Whether a deployment may be called now.
    pub usable: &'a dyn Fn(u32) -> bool,
    /// What the request is like.
    pub request: &'a Request<'a>,
    /// The live figures of a deployment.
    pub health: &'a dyn Fn(u32) -> Option<&'h Health>,
}

/// Deployments in the order in which they are to be called, each with the reason for its place.
pub type Order = SmallVec<[Candidate; 4]>;

/// A way to order deployments. Each core has its own, so state is a plain cell and no other core waits for it.
pub trait Policy {
    /// Appends to the empty `out` usable members, best first and each once: `ask.wanted` of them, or all there are
    /// when they are fewer. So an order stays empty only when no member is usable.
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order);
}

/// What a policy is made of.
#[derive(Clone, Copy)]
pub struct Build<'a> {
    /// A name that no other pool has: what is shared between cores is found by it.
    pub pool: &'a str,
    /// Its deployments.
    pub members: &'a [Member],
    /// The policy's settings.
    pub settings: &'a Compiled,
    /// State that all cores have in common.
    pub shared: &'a Shared,
}

/// A kind of policy.
pub struct Kind {
    /// The name in the configuration.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
    /// Makes one, for one pool on one core.
    pub build: fn(&Build<'_>) -> Box<dyn Policy>,
}

impl Kind {
    /// One with default settings that shares nothing.
    pub fn make(&'static self, members: &[Member]) -> Box<dyn Policy> {
        let (settings, shared) = (Compiled::defaults(self), Shared::default());
        (self.build)(&Build { pool: "", members, settings: &settings, shared: &shared })
    }
}

/// Every kind of policy; the first is the default.
pub const POLICIES: &[&Kind] = &[
    &weighted::KIND,
    &round_robin::KIND,
    &priority::KIND,
    &least_busy::KIND,
    &power_of_two::KIND,
    &latency::KIND,
    &cost::KIND,
    &latency_budget::KIND,
    &quality::KIND,
    &weighted_score::KIND,
    &prefix::KIND,
    &sticky::KIND,
];

/// The weights that this policy, or one within it, adjusts.
pub fn weights(build: &Build<'_>) -> Option<Arc<Weights>> {
    build.settings.within().find_map(|settings| adjusted::weights(&Build { settings, ..*build }))
}

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
         before it is asked. A deployment of weight 0 is a last resort under every policy: it comes behind all others.\n\
         Which to choose: [Choosing among deployments](../concepts/choosing-among-deployments.md).\n\n\
         | Policy | Meaning |\n|---|---|\n",
    );
    for (place, kind) in POLICIES.iter().enumerate() {
        let default = if place == 0 { " The default." } else { "" };
        // Writing into a string does not fail.
        let _ = writeln!(page, "| `{}` | {}{default} |", kind.name, kind.description);
    }
    page.push_str("\n## Settings\n\nPolicies that are not listed take none.\n\n");
    page.push_str("| Policy | Setting | Value | Default | Meaning |\n|---|---|---|---|---|\n");
    for kind in POLICIES {
        for Setting { name, meaning, shape, default } in kind.settings {
            let default = if default.is_empty() { "none".to_owned() } else { format!("`{default}`") };
            let _ = writeln!(page, "| `{}` | `{name}` | {shape} | {default} | {meaning} |", kind.name);
        }
    }
    page
}

#[cfg(test)]
mod tests;
