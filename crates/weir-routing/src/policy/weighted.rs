//! Random by weight, without replacement.

use super::{Ask, Kind, Member, Order, Policy, adjusted};
use crate::adjust::Weights;
use crate::{Candidate, Chance, Reason};
use std::cell::RefCell;
use std::sync::Arc;

pub(super) const KIND: Kind = Kind {
    name: "weighted",
    description: "Picks at random, each deployment in proportion to its weight, which may follow how deployments do.",
    settings: &[adjusted::FOLLOW, adjusted::LEAST, adjusted::MOST, adjusted::EVERY],
    build: |build| match adjusted::weights(build) {
        Some(weights) => Box::new(Adjusted::new(weights)),
        None => Box::new(Weighted::new(build.members)),
    },
};

/// By weights that others move. A core makes its sums anew when they have moved, which is seldom.
struct Adjusted {
    weights: Arc<Weights>,
    /// The sums, and the version of the weights that they are of.
    inner: RefCell<(u64, Weighted)>,
}

impl Adjusted {
    fn new(weights: Arc<Weights>) -> Self {
        let (version, inner) = (weights.version(), Weighted::new(&weights.members()));
        Adjusted { weights, inner: RefCell::new((version, inner)) }
    }
}

impl Policy for Adjusted {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        let mut inner = self.inner.borrow_mut();
        let version = self.weights.version();
        if inner.0 != version {
            *inner = (version, Weighted::new(&self.weights.members()));
        }
        inner.1.order(ask, chance, out);
    }
}

/// Up to this many members one pass over all is cheaper than draws that may miss.
const FEW: usize = 8;

/// Draws beyond those wanted before a pass over all members takes over.
const SPARE_DRAWS: usize = 4;

/// Draws against cumulative sums (binary search), and draws again when it hits a member that is taken or unusable:
/// what remains is distributed as if only the usable ones had been in the draw. Draws are bounded; after them one pass
/// over all members finishes the order exactly. So a route of hundreds costs about as much as a route of two.
pub(super) struct Weighted {
    /// Members with a weight.
    members: Box<[Member]>,
    /// `sums[i]`: the weight of `members[..=i]` together.
    sums: Box<[u64]>,
    /// Members without one.
    last_resorts: Box<[u32]>,
    /// Room for one pass, kept so that a warm request allocates nothing.
    left: RefCell<Vec<Member>>,
}

impl Weighted {
    pub(super) fn new(all: &[Member]) -> Self {
        let members: Box<[Member]> = all.iter().copied().filter(|m| m.weight > 0).collect();
        let mut sum = 0u64;
        let sums = members.iter().map(|m| {
            sum += u64::from(m.weight);
            sum
        });
        Weighted {
            sums: sums.collect(),
            last_resorts: all.iter().filter(|m| m.weight == 0).map(|m| m.deployment).collect(),
            left: RefCell::new(Vec::with_capacity(members.len())),
            members,
        }
    }

    fn draw(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        let Some(&total) = self.sums.last() else { return };
        for _ in 0..ask.wanted.saturating_add(SPARE_DRAWS) {
            if out.len() >= ask.wanted {
                return;
            }
            let drawn = chance.below(total);
            let at = self.sums.partition_point(|sum| *sum <= drawn);
            let Some(member) = self.members.get(at) else { return };
            if !is_in(out, member.deployment) && (ask.usable)(member.deployment) {
                out.push(Candidate::new(member.deployment, Reason::ByWeight));
            }
        }
    }

    fn sweep(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        let mut left = self.left.borrow_mut();
        left.clear();
        let mut total = 0u64;
        for member in &self.members {
            if !is_in(out, member.deployment) && (ask.usable)(member.deployment) {
                total += u64::from(member.weight);
                left.push(*member);
            }
        }
        while out.len() < ask.wanted && !left.is_empty() {
            let mut drawn = chance.below(total);
            let hit = left.iter().position(|m| {
                let weight = u64::from(m.weight);
                let hit = drawn < weight;
                drawn = drawn.saturating_sub(weight);
                hit
            });
            let Some(at) = hit else { return };
            let member = left.swap_remove(at);
            total -= u64::from(member.weight);
            out.push(Candidate::new(member.deployment, Reason::ByWeight));
        }
    }
}

fn is_in(order: &Order, deployment: u32) -> bool {
    order.iter().any(|candidate| candidate.deployment == deployment)
}

impl Policy for Weighted {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        if self.members.len() > FEW {
            self.draw(ask, chance, out);
        }
        if out.len() < ask.wanted.min(self.members.len()) {
            self.sweep(ask, chance, out);
        }
        if out.len() < ask.wanted && !self.last_resorts.is_empty() {
            let count = self.last_resorts.len();
            let start = usize::try_from(chance.below(count as u64)).unwrap_or(0);
            for &deployment in self.last_resorts.iter().cycle().skip(start).take(count) {
                if out.len() < ask.wanted && (ask.usable)(deployment) {
                    out.push(Candidate::new(deployment, Reason::LastResort));
                }
            }
        }
    }
}
