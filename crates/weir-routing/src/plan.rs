//! The plan of one request in one route: whom to call, in which order, and why.

use crate::Chance;
use crate::health::Health;
use crate::policy::{Ask, Order, Policy};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use weir_core::{Moment, Need};

/// Why a deployment is in a plan, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Drawn at random by weight.
    ByWeight,
    /// Its turn is next.
    InTurn,
    /// It has no weight, and too few others may be called.
    LastResort,
    /// Breakers and rests would leave nobody, so traffic is spread over them all instead of being refused.
    Spread,
    /// Its breaker is open until then.
    BreakerOpen(Moment),
    /// Its breaker is half-open and the probe is out.
    Probing,
    /// The upstream asked not to be called until then.
    Resting(Moment),
    /// As many calls are in flight as may be.
    Full,
    /// It failed this request already, in a way that will not change.
    Barred,
    /// It is not in the table of deployments.
    Unknown,
    /// Its model does not take what the request uses.
    Lacks(Need),
    /// The request is too long for its model's context window.
    ContextTooSmall,
    /// The request asks for a longer answer than its model gives.
    OutputTooSmall,
}

impl Reason {
    /// The word used in logs and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::ByWeight => "by_weight",
            Reason::InTurn => "in_turn",
            Reason::LastResort => "last_resort",
            Reason::Spread => "spread",
            Reason::BreakerOpen(_) => "breaker_open",
            Reason::Probing => "probing",
            Reason::Resting(_) => "resting",
            Reason::Full => "full",
            Reason::Barred => "barred",
            Reason::Unknown => "unknown",
            Reason::Lacks(_) => "lacks_capability",
            Reason::ContextTooSmall => "context_too_small",
            Reason::OutputTooSmall => "output_too_small",
        }
    }

    /// Whether it keeps a deployment out only as long as there is another.
    pub(crate) const fn yields_to_need(self) -> bool {
        matches!(self, Reason::BreakerOpen(_) | Reason::Probing | Reason::Resting(_))
    }
}

/// One deployment of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its index in the gateway's table of deployments.
    pub deployment: u32,
    /// Why it has this place.
    pub reason: Reason,
}

/// An ordered choice of deployments, with reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Whom to call, best first, each once.
    pub candidates: Order,
    /// Whom the choice met and passed over, and why; the first [`Plan::MOST_DROPPED`] of them. Deployments the choice
    /// did not look at are in neither list.
    pub dropped: SmallVec<[(u32, Reason); 2]>,
}

impl Plan {
    /// So many dropped deployments are remembered.
    pub const MOST_DROPPED: usize = 16;

    /// Whether these candidates would ordinarily be refused, and are named because the route has nobody else.
    pub fn is_spread(&self) -> bool {
        self.candidates.first().is_some_and(|candidate| candidate.reason == Reason::Spread)
    }

    /// Whether somebody was passed over for being full.
    pub fn met_full(&self) -> bool {
        self.dropped.iter().any(|(_, reason)| *reason == Reason::Full)
    }
}

/// Orders up to `wanted` deployments of a route by its policy, out of those that may be called now.
///
/// When there are none only because of breakers and rests, those are ordered instead (a *spread* plan): traffic goes on
/// and finds out who is back. A plan is empty when every deployment is full, barred or unknown.
///
/// `health` finds a deployment's health by its index; `barred` are deployments that already failed this request for
/// good ([`Machine::barred`](crate::Machine::barred)).
pub fn plan<'h>(
    policy: &dyn Policy,
    health: &dyn Fn(u32) -> Option<&'h Health>,
    barred: &[u32],
    wanted: usize,
    now: Moment,
    chance: &mut dyn Chance,
) -> Plan {
    plan_fitting(policy, health, &|_| None, barred, wanted, now, chance)
}

/// The same among deployments that the request fits: `unfit` says of each why it does not. What does not fit is left out
/// of a spread plan, too.
pub fn plan_fitting<'h>(
    policy: &dyn Policy,
    health: &dyn Fn(u32) -> Option<&'h Health>,
    unfit: &dyn Fn(u32) -> Option<Reason>,
    barred: &[u32],
    wanted: usize,
    now: Moment,
    chance: &mut dyn Chance,
) -> Plan {
    let dropped = RefCell::new(SmallVec::<[(u32, Reason); 2]>::new());
    let yields = Cell::new(false);
    let refusal = |deployment: u32| {
        if barred.contains(&deployment) {
            return Some(Reason::Barred);
        }
        let refused = || health(deployment).map_or(Some(Reason::Unknown), |health| health.refusal(now));
        unfit(deployment).or_else(refused)
    };
    let usable = |deployment: u32| {
        let Some(reason) = refusal(deployment) else { return true };
        yields.set(yields.get() || reason.yields_to_need());
        let mut dropped = dropped.borrow_mut();
        if dropped.len() < Plan::MOST_DROPPED && !dropped.iter().any(|(known, _)| *known == deployment) {
            dropped.push((deployment, reason));
        }
        false
    };
    let mut candidates = Order::new();
    policy.order(&Ask { now, wanted, usable: &usable }, chance, &mut candidates);
    if candidates.is_empty() && yields.into_inner() {
        let usable = |deployment: u32| refusal(deployment).is_none_or(Reason::yields_to_need);
        policy.order(&Ask { now, wanted, usable: &usable }, chance, &mut candidates);
        for candidate in &mut candidates {
            candidate.reason = Reason::Spread;
        }
    }
    Plan { candidates, dropped: dropped.into_inner() }
}

#[cfg(test)]
mod tests;
