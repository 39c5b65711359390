//! The attempt machine: what to do next with one request. All retry and fallback in the program is decided here.
//!
//! The machine is told what happened and when ([`Event`]) and says what to do ([`Action`]); it neither calls nor waits.
//! In each route it
//! 1. calls the plan's candidates in order, moving on at once after a fault;
//! 2. when none is left untried, waits (full jitter, or as long as a short `Retry-After` asks) and calls one again that
//!    may be called again;
//! 3. after `1 + max_retries` calls, or with nobody left, goes on to the next fallback route.
//!
//! Where it met full deployments and nobody else is left, it waits for a place, if it may ([`Machine::set_queue`]); what
//! it called in that route before still counts.
//!
//! A call that is slow may get a second one beside it, to the next candidate, once for a request: a *hedge*. Whichever
//! answers first wins, and the other is cancelled. Whoever drives the machine says when a call is slow, and keeps the
//! hedges within their budget ([`crate::hedge`]); two calls are the most that are under way at once.
//!
//! Routes whose deployments are all kept out by breakers or rests are passed over first, and come into play when no
//! other route led to a single call: breakers are overridden then, and a short rest is waited out.
//!
//! ```text
//!                    ┌──Slow──▶ Call beside it, or GoOn
//!  Begin ──▶ Call ───┴Answered──▶ Done
//!             │ ▲ ▲
//!     Faulted │ │ └─Waited── Wait
//!             ▼ │             ▲
//!       (what next?) ─────────┘
//!             │ ▲
//!             │ └──Planned── Plan (next fallback route), Placed── Queue (for a place)
//!             ▼                ▲
//!          GiveUp              └── (what next?)
//! ```

use crate::Chance;
use crate::backoff::full_jitter;
use crate::fault_policy::{Retry, retry};
use crate::plan::{Plan, Reason};
use smallvec::SmallVec;
use std::time::Duration;
use weir_core::exchange::AttemptCause;
use weir_core::{Causes, Class, Fault, Moment};

/// Bounds on what is tried for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Calls beyond the first, in each route.
    pub max_retries: u32,
    /// The first wait is at most this long; each further one in the same route may be twice as long.
    pub base: Duration,
    /// No wait of the machine's own is longer.
    pub cap: Duration,
    /// A `Retry-After` up to this is waited out; after a longer one the deployment is left alone.
    pub retry_after_max: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            max_retries: 2,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(5),
            retry_after_max: Duration::from_secs(10),
        }
    }
}

/// What happened.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one lives at a time, for as long as it is looked at")]
pub enum Event {
    /// The request begins.
    Begin,
    /// The call answered: its first token, or its whole answer, is good.
    Answered,
    /// The call ended in a fault before anything reached the client.
    Faulted(Fault),
    /// The same, and it was the fault of the credential, while the deployment has another that may be used (see
    /// [`Health::has_another_credential`](crate::Health::has_another_credential)).
    CredentialFaulted(Fault),
    /// The call was to complete an answer that had begun, and was refused for what it was: the request itself has been
    /// accepted before. With `anew` the deployment has not been asked yet to begin the answer anew.
    NotContinued {
        /// It may be called again, in that way.
        anew: bool,
    },
    /// The deployment refused the call before it was made (see [`Health::acquire`](crate::Health::acquire)). Not an
    /// attempt.
    NotEntered(Reason),
    /// The call has not answered by the time at which a second one may be made beside it.
    Slow,
    /// Of two calls that are under way this one ended in a fault, and nothing has reached the client.
    OneFaulted(u32, Fault),
    /// Of two calls that are under way this one answered; the other is cancelled. The answer may still break off, and
    /// [`Event::Faulted`] tells that.
    OneAnswered(u32),
    /// The wait is over.
    Waited,
    /// The plan that was asked for. Empty when the route cannot serve this request.
    Planned(Plan),
    /// A place may have come free: a new plan of the route that is waited at.
    Placed(Plan),
    /// There is no place to be had in time; when it makes sense to come again.
    NoPlace(Duration),
}

/// What to do next.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Call this deployment. Answered by [`Event::Answered`], [`Event::Slow`], [`Event::Faulted`] or
    /// [`Event::NotEntered`]; by [`Event::OneAnswered`], [`Event::OneFaulted`] or [`Event::NotEntered`] when it is made
    /// beside another ([`AttemptCause::Hedge`]).
    Call {
        /// Its index in the gateway's table of deployments.
        deployment: u32,
        /// In which route: `None` for the one that was asked for, `Some(n)` for its n-th fallback.
        fallback: Option<usize>,
        /// Why this call is made.
        cause: AttemptCause,
        /// Enter even if a breaker would refuse: there is nobody else.
        spread: bool,
    },
    /// Go on waiting for the call that is under way.
    GoOn,
    /// Do nothing until then. Answered by [`Event::Waited`].
    Wait {
        /// The end of the wait, before the deadline.
        until: Moment,
    },
    /// Wait until one of the full deployments of this route may have a place. Answered by [`Event::Placed`] or
    /// [`Event::NoPlace`].
    Queue {
        /// `None` for the route that was asked for, `Some(n)` for its n-th fallback.
        fallback: Option<usize>,
        /// The end of the wait, not beyond the deadline.
        until: Moment,
    },
    /// Make a plan for the n-th fallback route. Answered by [`Event::Planned`].
    Plan {
        /// n, from 0.
        fallback: usize,
    },
    /// The request is answered.
    Done,
    /// The client gets this fault.
    GiveUp(Fault),
}

/// One candidate of the present route.
#[derive(Clone, Copy, Debug)]
struct Try {
    deployment: u32,
    /// Called though its breaker is open, and only once; see [`Reason::Panic`].
    anyway: bool,
    state: TryState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TryState {
    Untried,
    /// Faulted as the n-th call of the request; may be called again from `ready` on.
    Faulted {
        ready: Moment,
        nth: u32,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Calling(u32),
    /// The first, and the one beside it.
    Both(u32, u32),
    Waiting(u32),
    Planning(usize),
    Queued(Option<usize>),
    Ended,
}

/// The state of one request's attempts.
#[derive(Debug)]
pub struct Machine {
    rules: Rules,
    deadline: Moment,
    fallbacks: usize,
    /// What each fallback route is for; the usual causes where nothing is said.
    causes: SmallVec<[Causes; 2]>,
    next_fallback: usize,
    phase: Phase,
    /// The present route and its candidates.
    route: Option<usize>,
    tries: SmallVec<[Try; 4]>,
    spread: bool,
    calls_here: u32,
    waits_here: u32,
    /// Calls in all routes.
    calls: u32,
    hedged: bool,
    /// What one of two calls ended in that would be the answer, were there not the other: it is, when that fails, too.
    verdict: Option<Fault>,
    /// Deployments that are not called again for this request, in whatever route.
    barred: SmallVec<[u32; 4]>,
    /// Deployments that asked, by a `Retry-After` short enough to wait out, not to be called before then.
    asked_to_wait: SmallVec<[(u32, Moment); 2]>,
    /// Deployments of the routes it came by that rest, until when.
    resting: SmallVec<[(Option<usize>, u32, Moment); 1]>,
    /// One of them has been waited for.
    rested: bool,
    /// Whom this request found benched with a credential, and in which route: the refusal may have been about another
    /// deployment only.
    benched: SmallVec<[(Option<usize>, u32); 1]>,
    /// The first route that breakers kept closed.
    kept_out: Option<(Option<usize>, SmallVec<[u32; 4]>)>,
    met_full: bool,
    /// How long all waits for a place may take together; zero for none.
    max_wait: Duration,
    /// When they end, once there was one.
    wait_until: Option<Moment>,
    /// The first route with full deployments, and the calls made there.
    full: Option<(Option<usize>, u32)>,
    come_again: Option<Duration>,
    /// What the client would be told now.
    told: Option<Fault>,
}

impl Machine {
    /// For a request whose route has this plan and `fallbacks` fallback routes, in order and without their own.
    /// Nothing begins and no wait ends at or after `deadline`.
    pub fn new(plan: &Plan, rules: Rules, fallbacks: usize, deadline: Moment) -> Self {
        let mut machine = Machine {
            rules,
            deadline,
            fallbacks,
            causes: SmallVec::new(),
            next_fallback: 0,
            phase: Phase::Fresh,
            route: None,
            tries: SmallVec::new(),
            spread: false,
            calls_here: 0,
            waits_here: 0,
            calls: 0,
            hedged: false,
            verdict: None,
            barred: SmallVec::new(),
            asked_to_wait: SmallVec::new(),
            resting: SmallVec::new(),
            rested: false,
            benched: SmallVec::new(),
            kept_out: None,
            met_full: false,
            max_wait: Duration::ZERO,
            wait_until: None,
            full: None,
            come_again: None,
            told: None,
        };
        machine.take_up(None, plan);
        machine
    }

    /// What each fallback route is for, in their order; the usual causes without it.
    pub fn set_causes(&mut self, causes: impl IntoIterator<Item = Causes>) {
        self.causes.extend(causes);
    }

    /// How long it may wait for a place where all deployments are full; not at all without it.
    pub fn set_queue(&mut self, max_wait: Duration) {
        self.max_wait = max_wait;
    }

    /// Why the route about to be entered has an empty plan, when it is the request's own doing: what the client is told
    /// unless a fallback route answers, and what decides which of them is asked.
    pub fn nobody_fits(&mut self, fault: Fault) {
        self.told.get_or_insert(fault);
    }

    /// Whether the n-th fallback route is for faults of this class.
    fn is_for(&self, fallback: usize, class: Class) -> bool {
        self.causes.get(fallback).copied().unwrap_or(Causes::USUAL).meet(class)
    }

    /// Whether a fallback route that is left is for faults of this class.
    pub fn leads_on(&self, class: Class) -> bool {
        (self.next_fallback..self.fallbacks).any(|fallback| self.is_for(fallback, class))
    }

    /// Deployments that a new plan for this request must leave out.
    pub fn barred(&self) -> &[u32] {
        &self.barred
    }

    /// The next action. An event that does not answer the last action is a defect of the caller and ends the request.
    pub fn on(&mut self, event: Event, now: Moment, chance: &mut dyn Chance) -> Action {
        let phase = std::mem::replace(&mut self.phase, Phase::Ended);
        match (phase, event) {
            (Phase::Fresh, Event::Begin) => self.next(now, chance),
            (Phase::Calling(_), Event::Answered) => Action::Done,
            (Phase::Calling(deployment), Event::Faulted(fault)) => {
                self.faulted(deployment, fault, now, chance)
            }
            (Phase::Calling(deployment), Event::CredentialFaulted(fault)) => {
                self.credential_faulted(deployment, fault, now, chance)
            }
            (Phase::Calling(deployment), Event::NotContinued { anew }) => {
                if anew {
                    self.put_last(deployment);
                } else {
                    self.bar(deployment);
                }
                self.next(now, chance)
            }
            (Phase::Calling(deployment), Event::NotEntered(reason)) => {
                self.not_entered(deployment, reason, now);
                self.next(now, chance)
            }
            (Phase::Calling(first), Event::Slow) => self.hedge(first, None, now),
            (Phase::Both(first, second), Event::NotEntered(reason)) => {
                self.calls -= 1;
                self.hedged = false;
                // Nobody else would fit into the budget either.
                let budget = reason == Reason::HedgeBudget;
                if budget { self.go_on(first) } else { self.hedge(first, Some(second), now) }
            }
            (Phase::Both(first, second), Event::OneFaulted(faulted, fault))
                if faulted == first || faulted == second =>
            {
                if let Err(fault) = self.note(faulted, fault, now) {
                    self.verdict = Some(fault);
                }
                self.go_on(if faulted == first { second } else { first })
            }
            (Phase::Both(first, second), Event::OneAnswered(answered))
                if answered == first || answered == second =>
            {
                self.phase = Phase::Calling(answered);
                self.verdict = None;
                Action::Done
            }
            (Phase::Waiting(deployment), Event::Waited) if now < self.deadline => self.call(deployment),
            (Phase::Waiting(_), Event::Waited) => self.give_up(now),
            (Phase::Planning(fallback), Event::Planned(plan)) => {
                self.take_up(Some(fallback), &plan);
                self.next(now, chance)
            }
            (Phase::Queued(route), Event::Placed(plan)) => {
                let calls = self.full.take().map_or(0, |(_, calls)| calls);
                self.take_up(route, &plan);
                self.calls_here = calls;
                self.next(now, chance)
            }
            (Phase::Queued(_), Event::NoPlace(come_again)) => {
                self.max_wait = Duration::ZERO;
                self.come_again = Some(come_again);
                self.leave_route(now, chance)
            }
            (phase, event) => Action::GiveUp(out_of_step(phase, &event)),
        }
    }

    /// Enters a route by its plan.
    fn take_up(&mut self, route: Option<usize>, plan: &Plan) {
        if plan.met_full() {
            self.meets_full(route);
        }
        for (deployment, reason) in &plan.dropped {
            if let Reason::Resting(until) = *reason {
                self.rests(route, *deployment, until);
            }
        }
        let allowed = plan.candidates.iter().map(|c| c.deployment).filter(|d| !self.barred.contains(d));
        let allowed: SmallVec<[u32; 4]> = allowed.collect();
        if plan.is_spread() {
            self.enter(route, &[], false);
            self.kept_out.get_or_insert((route, allowed));
        } else {
            self.enter(route, &allowed, false);
            let panics = plan.candidates.first().is_some_and(|first| first.reason == Reason::Panic);
            if let Some(first) = self.tries.first_mut().filter(|_| panics) {
                first.anyway = plan.candidates.first().is_some_and(|c| c.deployment == first.deployment);
            }
        }
    }

    fn enter(&mut self, route: Option<usize>, deployments: &[u32], spread: bool) {
        self.route = route;
        self.spread = spread;
        self.calls_here = 0;
        self.waits_here = 0;
        let (asked_to_wait, nth) = (&self.asked_to_wait, self.calls);
        let entered = |&deployment| {
            // The same deployment may serve a fallback route as well; what it asked for holds there too.
            let asked = asked_to_wait.iter().rev().find(|(known, _)| *known == deployment);
            let state = asked.map_or(TryState::Untried, |&(_, ready)| TryState::Faulted { ready, nth });
            Try { deployment, anyway: false, state }
        };
        self.tries = deployments.iter().map(entered).collect();
    }

    fn faulted(&mut self, deployment: u32, fault: Fault, now: Moment, chance: &mut dyn Chance) -> Action {
        if let Some(verdict) = self.verdict.take() {
            return Action::GiveUp(verdict);
        }
        match self.note(deployment, fault, now) {
            Ok(()) => self.next(now, chance),
            Err(fault) => Action::GiveUp(fault),
        }
    }

    /// A call to this deployment ended in a fault.
    ///
    /// # Errors
    /// The fault, when it is the answer.
    fn note(&mut self, deployment: u32, fault: Fault, now: Moment) -> Result<(), Fault> {
        match retry(fault.class) {
            Retry::Never if fault.class == Class::ContentPolicy && self.leads_on(fault.class) => {
                self.bar(deployment);
                self.tries.clear();
            }
            Retry::Never => return Err(fault),
            Retry::OtherModel => {
                self.bar(deployment);
                // Whoever drives the machine knows which of the others have the same one, and does not enter them.
                self.tries.retain(|t| t.state == TryState::Untried);
            }
            Retry::Elsewhere => self.bar(deployment),
            Retry::SameOrElsewhere => {
                let after = fault.retry_after.unwrap_or_default();
                if after > self.rules.retry_after_max {
                    self.bar(deployment);
                } else {
                    let ready = if after.is_zero() { Moment::START } else { now + after };
                    if !after.is_zero() {
                        self.asked_to_wait.push((deployment, ready));
                    }
                    self.mark(deployment, TryState::Faulted { ready, nth: self.calls });
                }
            }
        }
        self.tell(fault);
        Ok(())
    }

    /// The client is told of the latest fault, except that a prompt which is too long helps it more than what befell a
    /// fallback afterwards.
    fn tell(&mut self, fault: Fault) {
        if self.told.as_ref().is_none_or(|told| told.class != Class::ContextWindow) {
            self.told = Some(fault);
        }
    }

    /// The credential is at fault and there is another: the deployment is called again at once. Not with the last call,
    /// though, when there is another deployment; that one may have better luck.
    fn credential_faulted(
        &mut self,
        deployment: u32,
        fault: Fault,
        now: Moment,
        chance: &mut dyn Chance,
    ) -> Action {
        let another = self.tries.iter().any(|t| t.deployment != deployment && t.state == TryState::Untried);
        let spare = u32::from(another);
        let over = self.calls_here + spare > self.rules.max_retries || now >= self.deadline;
        if over || self.verdict.is_some() {
            return self.faulted(deployment, fault, now, chance);
        }
        self.tell(fault);
        self.call(deployment)
    }

    /// A second call beside the first: to the next candidate that nobody has called, behind one that `refused`.
    fn hedge(&mut self, first: u32, refused: Option<u32>, now: Moment) -> Action {
        let behind = refused.and_then(|refused| self.tries.iter().position(|t| t.deployment == refused));
        let left = self.tries.iter().skip(behind.map_or(0, |place| place + 1));
        let untried = |t: &&Try| t.state == TryState::Untried && t.deployment != first;
        let next = left.copied().find(|t| untried(&t)).filter(|_| !self.hedged && !self.spread);
        let Some(Try { deployment: second, .. }) = next.filter(|_| now < self.deadline) else {
            return self.go_on(first);
        };
        self.calls += 1;
        self.hedged = true;
        self.phase = Phase::Both(first, second);
        Action::Call { deployment: second, fallback: self.route, cause: AttemptCause::Hedge, spread: false }
    }

    fn go_on(&mut self, with: u32) -> Action {
        self.phase = Phase::Calling(with);
        Action::GoOn
    }

    /// Whether nobody else could answer if the calls that are under way were silent until a time limit. `callable` says
    /// of a deployment of the present route whether it may be called now, or, with `true`, in need; `serves` of the n-th
    /// fallback route whether it has somebody to call for this request, but for those it is given.
    ///
    /// Of two that are under way both are cut by the same trouble, if it is not theirs: the second has nobody in the first.
    pub fn is_last(
        &self,
        callable: &dyn Fn(u32, bool) -> bool,
        serves: &dyn Fn(usize, &[u32]) -> bool,
    ) -> bool {
        let under_way = match self.phase {
            Phase::Calling(one) => [one; 2],
            Phase::Both(first, second) => [first, second],
            _ => return false,
        };
        let another = |t: &Try| {
            !under_way.contains(&t.deployment)
                && t.state != TryState::Gone
                && callable(t.deployment, self.spread)
        };
        let more_here = self.calls_here <= self.rules.max_retries && self.tries.iter().any(another);
        let leads_on = |fallback| self.is_for(fallback, Class::Timeout) && serves(fallback, &under_way);
        !more_here && !(self.next_fallback..self.fallbacks).any(leads_on)
    }

    fn not_entered(&mut self, deployment: u32, reason: Reason, now: Moment) {
        self.calls -= 1;
        self.calls_here -= 1;
        self.mark(deployment, TryState::Gone);
        if let Reason::Resting(until) = reason {
            self.rests(self.route, deployment, until);
            // It may be waited for, as if it had asked this request, but not again and again.
            if self.waits_here <= self.rules.max_retries && self.is_short(until, now) {
                self.mark(deployment, TryState::Faulted { ready: until, nth: self.calls });
            }
        }
        if reason == Reason::Full {
            self.meets_full(self.route);
        }
        if matches!(reason, Reason::CredentialBenched(_)) && !self.spread {
            self.benched.push((self.route, deployment));
        }
        // What was entered by need is not kept for need a second time, or a refusal would go round for ever.
        if reason.yields_to_need() && !self.spread {
            let (route, kept) = self.kept_out.get_or_insert_with(|| (self.route, SmallVec::new()));
            if *route == self.route && !kept.contains(&deployment) {
                kept.push(deployment);
            }
        }
    }

    /// Whether a rest until then is one that is waited out.
    fn is_short(&self, until: Moment, now: Moment) -> bool {
        until.since(now) <= self.rules.retry_after_max
    }

    /// A deployment of this route has asked not to be called before then.
    fn rests(&mut self, route: Option<usize>, deployment: u32, until: Moment) {
        if !self.barred.contains(&deployment) {
            self.resting.push((route, deployment, until));
        }
    }

    /// It may be called again, when everyone else has been.
    fn put_last(&mut self, deployment: u32) {
        if let Some(at) = self.tries.iter().position(|t| t.deployment == deployment) {
            let known = self.tries.remove(at);
            let state = if known.anyway { TryState::Gone } else { TryState::Untried };
            self.tries.push(Try { state, ..known });
        }
    }

    fn meets_full(&mut self, route: Option<usize>) {
        self.met_full = true;
        self.full.get_or_insert((route, 0));
    }

    fn bar(&mut self, deployment: u32) {
        self.barred.push(deployment);
        self.mark(deployment, TryState::Gone);
    }

    fn mark(&mut self, deployment: u32, state: TryState) {
        if let Some(known) = self.tries.iter_mut().find(|t| t.deployment == deployment) {
            known.state = if known.anyway { TryState::Gone } else { state };
        }
    }

    /// What next, when no call is under way?
    fn next(&mut self, now: Moment, chance: &mut dyn Chance) -> Action {
        if now >= self.deadline {
            return self.give_up(now);
        }
        if self.calls_here <= self.rules.max_retries {
            if let Some(fresh) = self.tries.iter().find(|t| t.state == TryState::Untried) {
                return self.call(fresh.deployment);
            }
            if let Some((deployment, ready)) = self.soonest() {
                let delay = full_jitter(self.rules.base, self.rules.cap, self.waits_here, chance);
                let until = ready.max(now + delay);
                if until < self.deadline {
                    self.waits_here += 1;
                    self.phase = Phase::Waiting(deployment);
                    return Action::Wait { until };
                }
            }
        }
        self.leave_route(now, chance)
    }

    /// Of those that may be called again, the one that may be so first; among equals, the one whose fault is longest
    /// ago.
    fn soonest(&self) -> Option<(u32, Moment)> {
        let faulted = self.tries.iter().filter_map(|t| match t.state {
            TryState::Faulted { ready, nth } => Some((ready, nth, t.deployment)),
            TryState::Untried | TryState::Gone => None,
        });
        faulted.min().map(|(ready, _, deployment)| (deployment, ready))
    }

    fn call(&mut self, deployment: u32) -> Action {
        let cause = match (self.calls_here, self.route) {
            (0, None) => AttemptCause::First,
            (0, Some(_)) => AttemptCause::Fallback,
            _ => AttemptCause::Retry,
        };
        self.calls += 1;
        self.calls_here += 1;
        self.phase = Phase::Calling(deployment);
        let spread = self.spread || self.tries.iter().any(|t| t.deployment == deployment && t.anyway);
        Action::Call { deployment, fallback: self.route, cause, spread }
    }

    fn leave_route(&mut self, now: Moment, chance: &mut dyn Chance) -> Action {
        if let Some((route, calls)) = &mut self.full
            && *route == self.route
        {
            *calls = self.calls_here.max(*calls);
        }
        let class = self.told.as_ref().map_or(Class::Unavailable, |told| told.class);
        while self.next_fallback < self.fallbacks {
            let fallback = self.next_fallback;
            self.next_fallback += 1;
            if !self.is_for(fallback, class) {
                continue;
            }
            self.phase = Phase::Planning(fallback);
            return Action::Plan { fallback };
        }
        if let Some((fallback, until)) = self.waits_for_a_place(now) {
            self.phase = Phase::Queued(fallback);
            return Action::Queue { fallback, until };
        }
        // A wait for a place may have taken all the time there was.
        if self.calls == 0
            && now < self.deadline
            && let Some((route, deployments)) = self.kept_out.take()
            && let Some(&first) = deployments.first()
        {
            self.enter(route, &deployments, true);
            return self.call(first);
        }
        let refused = self.told.as_ref().is_some_and(|told| told.class == Class::Credential);
        let benched = std::mem::take(&mut self.benched);
        if let Some(&(route, first)) = benched.first().filter(|_| refused && now < self.deadline) {
            let here = benched.iter().filter(|(of, _)| *of == route);
            let deployments: SmallVec<[u32; 4]> = here.map(|(_, deployment)| *deployment).collect();
            self.enter(route, &deployments, true);
            return self.call(first);
        }
        if let Some((deployment, until)) = self.waits_for_a_rest(now) {
            self.phase = Phase::Waiting(deployment);
            let until = until + full_jitter(self.rules.base, self.rules.cap, 0, chance);
            return if until < self.deadline { Action::Wait { until } } else { self.give_up(now) };
        }
        self.give_up(now)
    }

    /// Nobody could be called, and the first route with somebody who only rests, and not for long, is entered: for whom,
    /// and until when, to wait there. Once for a request.
    fn waits_for_a_rest(&mut self, now: Moment) -> Option<(u32, Moment)> {
        if self.calls > 0 || std::mem::replace(&mut self.rested, true) {
            return None;
        }
        let &(route, ..) = self.resting.first()?;
        let resting = self.resting.clone();
        let here = || resting.iter().filter(|(of, ..)| *of == route);
        let &(_, deployment, until) = here().min_by_key(|(_, _, until)| *until)?;
        if !self.is_short(until, now) {
            return None;
        }
        let deployments: SmallVec<[u32; 4]> = here().map(|(_, deployment, _)| *deployment).collect();
        self.enter(route, &deployments, false);
        for (t, (_, _, ready)) in self.tries.iter_mut().zip(here()) {
            t.state = TryState::Faulted { ready: *ready, nth: 0 };
        }
        self.waits_here = 1;
        Some((deployment, until))
    }

    /// When the first of those that rest may be called again.
    fn rests_until(&self, now: Moment) -> Option<Moment> {
        self.resting.iter().map(|(_, _, until)| *until).filter(|until| *until > now).min()
    }

    /// Where, and until when, to wait for a place at a full deployment, now that nobody else is left to call.
    fn waits_for_a_place(&mut self, now: Moment) -> Option<(Option<usize>, Moment)> {
        let (route, calls) = self.full?;
        // Who has an answer, if of no use, is not kept waiting for a better one.
        let answered = self.told.as_ref().is_some_and(|told| told.class == Class::InvalidOutput);
        if self.max_wait.is_zero() || answered || calls > self.rules.max_retries {
            return None;
        }
        let until = *self.wait_until.get_or_insert((now + self.max_wait).min(self.deadline));
        (now < until).then_some((route, until))
    }

    fn give_up(&mut self, now: Moment) -> Action {
        Action::GiveUp(match self.told.take() {
            Some(fault) if fault.class == Class::Credential => {
                let said = fault.into_details();
                Fault::upstream_credentials(said.cause.unwrap_or_else(|| said.message.into()))
            }
            Some(fault) => fault,
            None if now >= self.deadline => out_of_time(),
            None if self.met_full => all_deployments_full(self.come_again.unwrap_or(TRY_AGAIN)),
            None => self
                .rests_until(now)
                .map_or_else(no_deployment_available, |until| all_deployments_rest(until.since(now))),
        })
    }
}

/// So long a client is asked to wait when nobody could be called: long enough for a place to come free.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The fault a client gets when every deployment has as many calls in flight as it may: 503, try again after this.
pub fn all_deployments_full(come_again: Duration) -> Fault {
    let message =
        "Every deployment of this model has as many requests in flight as it may. Try again shortly.";
    Fault::new(Class::Unavailable, 503, "all_deployments_full", message).with_retry_after(come_again)
}

/// The fault a client gets when every deployment that could be called asked not to be before then: 429, as the upstream
/// would say itself.
pub fn all_deployments_rest(come_again: Duration) -> Fault {
    let message = "The upstream of this model has asked for a pause. Try again when it is over.";
    Fault::new(Class::Rate, 429, "all_deployments_rest", message).with_retry_after(come_again)
}

/// The fault a client gets when no deployment could be called for another reason: 503, try again in a second.
pub fn no_deployment_available() -> Fault {
    let message = "No deployment of this model can take requests at the moment. Try again shortly.";
    Fault::new(Class::Unavailable, 503, "no_deployment_available", message).with_retry_after(TRY_AGAIN)
}

fn out_of_time() -> Fault {
    let message = "The time allowed for this request passed before a deployment could be called.";
    Fault::new(Class::Timeout, 504, "timeout", message)
}

fn out_of_step(phase: Phase, event: &Event) -> Fault {
    Fault::new(Class::Gateway, 500, "internal_error", "The gateway met a defect of its own.")
        .with_cause(format!("attempt machine: {event:?} while {phase:?}"))
}

#[cfg(test)]
mod hedging;

#[cfg(test)]
mod tests;
