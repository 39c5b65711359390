//! The plan of one request in one route: whom to call, in which order, and why.

use crate::health::Health;
use crate::policy::{Ask, Order, Policy, Request};
use crate::{Chance, SplitMix64};
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use weir_core::{Cost, Moment, Need};

/// Why a deployment is in a plan, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Drawn at random by weight.
    ByWeight,
    /// Its turn is next.
    InTurn,
    /// It stands first among those that may be called.
    Preferred,
    /// The least work is under way there.
    LeastBusy,
    /// The lowest latency is expected there.
    LowestLatency,
    /// The lowest cost is expected there.
    Cheapest,
    /// It is expected to keep the latency budget.
    InBudget,
    /// Nobody is expected to keep the latency budget; this one comes nearest.
    OverBudget,
    /// Too little is known about it yet; it is called to find out.
    Unproven,
    /// Called although another is better, to see whether that is still so.
    Probe,
    /// The best within the cap on cost.
    BestQuality,
    /// Its expected cost is above the cap.
    OverPrice,
    /// Nobody knows its price, so nobody can say that it is cheap, or within a cap.
    PriceUnknown,
    /// The best sum of weighted figures.
    BestScore,
    /// Its cache holds some of the prompt, and waiting and computing the rest takes least there.
    CacheHeld,
    /// The session's own place.
    Sticky,
    /// The session's own place would cost it more than moving here does.
    Moved,
    /// It has no weight, and too few others may be called.
    LastResort,
    /// Breakers would leave nobody, so traffic is spread over them all instead of being refused.
    Spread,
    /// It is back from an outage and gets its share of calls by degrees; this one is not among them, as long as another
    /// may be called.
    Ramping,
    /// Its breaker is open, but so are most of the pool's, so that the others would have to bear too much.
    Panic,
    /// Its breaker is open until then.
    BreakerOpen(Moment),
    /// Its breaker, or that of its credential, is half-open and the probes are out.
    Probing,
    /// The upstream refused its credential, which is benched until then.
    CredentialBenched(Moment),
    /// The upstream refused its calls, or does not know its model, and it is left alone until then.
    Refused(Moment),
    /// The upstream asked not to be called until then.
    Resting(Moment),
    /// As many calls are in flight as may be.
    Full,
    /// It failed this request already, in a way that will not change.
    Barred,
    /// The answer broke off, and it completes none that others began.
    NoContinuation,
    /// The route has made as many repeated calls as its traffic allows; see [`crate::retry_budget`].
    RetryBudget,
    /// The route has made as many second calls beside first ones as its `hedge.extra` allows.
    HedgeBudget,
    /// It serves another model, and the client allows no fallback.
    OtherModel,
    /// It is not in the table of deployments.
    Unknown,
    /// Its model does not take what the request uses.
    Lacks(Need),
    /// The request is too long for its model's context window.
    ContextTooSmall,
    /// The request asks for a longer answer than its model gives.
    OutputTooSmall,
    /// It has not the labels that a route on the request's way requires, or is not among the deployments it names.
    Label,
    /// It is not in a region that the request asks for.
    Region,
    /// Its provider has nothing like the operation that is called, as others here have.
    NotServed,
}

impl Reason {
    /// The word used in logs and headers.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::ByWeight => "by_weight",
            Reason::InTurn => "in_turn",
            Reason::Preferred => "preferred",
            Reason::LeastBusy => "least_busy",
            Reason::LowestLatency => "lowest_latency",
            Reason::Cheapest => "cheapest",
            Reason::InBudget => "in_budget",
            Reason::OverBudget => "over_budget",
            Reason::Unproven => "unproven",
            Reason::Probe => "probe",
            Reason::BestQuality => "best_quality",
            Reason::OverPrice => "over_price",
            Reason::PriceUnknown => "price_unknown",
            Reason::BestScore => "best_score",
            Reason::CacheHeld => "cache_held",
            Reason::Sticky => "sticky",
            Reason::Moved => "moved",
            Reason::LastResort => "last_resort",
            Reason::Spread => "spread",
            Reason::Ramping => "ramping",
            Reason::Panic => "panic",
            Reason::BreakerOpen(_) => "breaker_open",
            Reason::Probing => "probing",
            Reason::CredentialBenched(_) => "credential_benched",
            Reason::Refused(_) => "refused",
            Reason::Resting(_) => "resting",
            Reason::Full => "full",
            Reason::Barred => "barred",
            Reason::NoContinuation => "no_continuation",
            Reason::RetryBudget => "retry_budget",
            Reason::HedgeBudget => "hedge_budget",
            Reason::OtherModel => "other_model",
            Reason::Unknown => "unknown",
            Reason::Lacks(_) => "lacks_capability",
            Reason::ContextTooSmall => "context_too_small",
            Reason::OutputTooSmall => "output_too_small",
            Reason::Label => "label_required",
            Reason::Region => "other_region",
            Reason::NotServed => "operation_not_served",
        }
    }

    /// Whether it keeps a deployment out only as long as there is another: what Weir has concluded may be wrong. What the
    /// upstream has asked for itself holds.
    pub const fn yields_to_need(self) -> bool {
        matches!(
            self,
            Reason::BreakerOpen(_) | Reason::Probing | Reason::CredentialBenched(_) | Reason::Refused(_)
        )
    }

    /// Whether it is the deployment's breaker that keeps it out.
    const fn is_breaker(self) -> bool {
        matches!(self, Reason::BreakerOpen(_) | Reason::Probing)
    }

    /// When it will have passed, if that is known.
    pub(crate) const fn until(self) -> Option<Moment> {
        match self {
            Reason::BreakerOpen(until)
            | Reason::CredentialBenched(until)
            | Reason::Refused(until)
            | Reason::Resting(until) => Some(until),
            _ => None,
        }
    }
}

/// One deployment of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its index in the gateway's table of deployments.
    pub deployment: u32,
    /// Why it has this place.
    pub reason: Reason,
    /// The figure that spoke for it.
    pub figure: Figure,
}

impl Candidate {
    /// One that no figure speaks for.
    pub const fn new(deployment: u32, reason: Reason) -> Self {
        Candidate { deployment, reason, figure: Figure::None }
    }
}

/// What a policy weighed, as it saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Figure {
    /// Nothing that could be told in a figure.
    #[default]
    None,
    /// An expected latency, at the percentile that the policy looks at.
    Latency(Duration),
    /// Work under way.
    Busy(Duration),
    /// An expected cost.
    Cost(Cost),
    /// The chance to keep the latency budget, in thousandths, where enough is known to tell one; and the expected cost.
    Budget(Option<u16>, Cost),
    /// That chance, where nobody knows the price.
    Chance(Option<u16>),
    /// A quality score, and the expected cost.
    Quality(u32, Cost),
    /// That score, where nobody knows the price.
    Rated(u32),
    /// A weighted sum in thousandths; less is better.
    Score(u32),
    /// Tokens that a cache is expected to hold, and when the first token is expected.
    Cached(u64, Duration),
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

/// Orders up to `wanted` deployments of a pool by its policy, out of those that may be called now.
///
/// A deployment that is *ramping*, back from an outage, is demoted behind the others but for its share of the requests,
/// by chance; it stays in the plan, and has its place when there is nobody else.
///
/// When there are none only because of breakers, those are ordered instead (a *spread* plan): traffic goes on and finds out
/// who is back; what the request itself excludes is left out of that, too. A plan is empty when every deployment is full,
/// resting, excluded, barred or unknown.
///
/// When somebody may be called, but breakers keep out more than the request's `panic_percent` of the pool, the few that
/// are left would have to bear the load of all; then the plan is one of *panic*: see `panicked` below.
///
/// `health` finds a deployment's health by its index; `request` is what policies weigh, and whom it excludes; `barred` are
/// deployments that already failed this request for good ([`Machine::barred`](crate::Machine::barred)).
pub fn plan<'h>(
    policy: &dyn Policy,
    health: &dyn Fn(u32) -> Option<&'h Health>,
    request: &Request<'_>,
    barred: &[u32],
    wanted: usize,
    now: Moment,
    chance: &mut dyn Chance,
) -> Plan {
    let dropped = RefCell::new(SmallVec::<[(u32, Reason); 2]>::new());
    let demoted = RefCell::new(SmallVec::<[u32; 2]>::new());
    let (yields, open) = (Cell::new(false), Cell::new(false));
    let draw = chance.next_u64();
    let refusal = |deployment: u32| {
        if barred.contains(&deployment) {
            return Some(Reason::Barred);
        }
        if let Some(reason) = request.excluded.and_then(|excluded| excluded(deployment)) {
            return Some(reason);
        }
        health(deployment).map_or(Some(Reason::Unknown), |health| health.refusal(now))
    };
    let usable = |deployment: u32| {
        let Some(reason) = refusal(deployment) else {
            let share = health(deployment).and_then(|health| health.share(now));
            let demote = share.is_some_and(|share| unit(draw, deployment) >= share);
            if demote && !demoted.borrow().contains(&deployment) {
                demoted.borrow_mut().push(deployment);
            }
            return !demote;
        };
        yields.set(yields.get() || reason.yields_to_need());
        open.set(open.get() || reason.is_breaker());
        let mut dropped = dropped.borrow_mut();
        if dropped.len() < Plan::MOST_DROPPED && !dropped.iter().any(|(known, _)| *known == deployment) {
            dropped.push((deployment, reason));
        }
        false
    };
    let mut candidates = Order::new();
    policy.order(&Ask { now, wanted, usable: &usable, request, health }, chance, &mut candidates);
    let demoted = demoted.take();
    if candidates.is_empty() && !demoted.is_empty() {
        let usable = |deployment: u32| demoted.contains(&deployment);
        policy.order(&Ask { now, wanted, usable: &usable, request, health }, chance, &mut candidates);
    } else {
        let room = wanted.saturating_sub(candidates.len()).min(demoted.len());
        let (behind, left_out) = demoted.split_at(room);
        candidates.extend(behind.iter().map(|d| Candidate::new(*d, Reason::Ramping)));
        dropped.borrow_mut().extend(left_out.iter().map(|d| (*d, Reason::Ramping)));
    }
    if candidates.is_empty() && yields.get() {
        let usable = |deployment: u32| refusal(deployment).is_none_or(Reason::yields_to_need);
        policy.order(&Ask { now, wanted, usable: &usable, request, health }, chance, &mut candidates);
        for candidate in &mut candidates {
            candidate.reason = Reason::Spread;
        }
    } else if open.get() && wanted > 1 && too_many_out(request, &refusal) {
        panicked(
            policy,
            &Ask { now, wanted, usable: &usable, request, health },
            &refusal,
            chance,
            &mut candidates,
        );
    }
    Plan { candidates, dropped: dropped.take() }
}

/// A number in [0, 1) that is the same each time it is asked for in one plan, and as good as independent from one
/// deployment to the next (the finalizer of SplitMix64).
fn unit(draw: u64, deployment: u32) -> f64 {
    let own = SplitMix64::seeded(draw ^ u64::from(deployment) << 32).next_u64();
    (own >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether breakers keep out more of the pool than the request's `panic_percent`, not counting those that could not be
/// called in any case.
fn too_many_out(request: &Request<'_>, refusal: &dyn Fn(u32) -> Option<Reason>) -> bool {
    let (mut all, mut out) = (0u64, 0u64);
    for member in request.pool {
        match refusal(member.deployment) {
            Some(reason) if reason.is_breaker() => (all, out) = (all + 1, out + 1),
            None | Some(Reason::Full | Reason::Resting(_)) => all += 1,
            Some(_) => {}
        }
    }
    out * 100 > all * u64::from(request.panic_percent)
}

/// Breakers do not refuse, they only thin out: a deployment whose breaker is open takes part in one request of `1 + n`,
/// where n are its faults of the last ten seconds; ramps are not kept to. When such a deployment would be first it is,
/// and whoever may be called in the ordinary way comes behind it, so that no request is lost by that. A first answer
/// closes its breaker.
///
/// Source: Envoy's panic threshold, below which its balancer disregards the health of hosts. That calls get fewer with
/// each fault is ours: a deployment that is really down should not keep costing every request its first attempt.
fn panicked(
    policy: &dyn Policy,
    ask: &Ask<'_, '_>,
    refusal: &dyn Fn(u32) -> Option<Reason>,
    chance: &mut dyn Chance,
    candidates: &mut Order,
) {
    let draw = chance.next_u64();
    let admitted = |deployment: u32| match refusal(deployment) {
        None => true,
        Some(reason) if reason.is_breaker() => {
            let faults = (ask.health)(deployment).map_or(0, |health| health.recent_faults(ask.now));
            unit(draw, deployment) * (1.0 + f64::from(faults)) < 1.0
        }
        Some(_) => false,
    };
    let mut order = Order::new();
    policy.order(&Ask { usable: &admitted, wanted: 1, ..*ask }, chance, &mut order);
    let Some(mut first) = order.into_iter().next() else { return };
    if refusal(first.deployment).is_some() {
        first.reason = Reason::Panic;
    }
    candidates.retain(|candidate| candidate.deployment != first.deployment);
    candidates.truncate(ask.wanted - 1);
    candidates.insert(0, first);
}

#[cfg(test)]
mod tests;
