//! A request's record as it comes about: what the line tells it on the way.

use super::{
    End, Entry, Head, MOST_CANDIDATES, MOST_DROPPED, MOST_PLANS, MOST_WAITS, Micros, Planned, Waited,
    Weighed, Why,
};
use crate::call::Call;
use crate::choose::Place;
use crate::record::{Asked, Record, Times, Tried};
use std::borrow::Cow;
use std::time::Duration;
use weir_core::{Fault, Moment, Outcome};
use weir_routing::Plan;
use weir_routing::windows::Series;

impl Record {
    /// A plan has been made for the route, or for its n-th fallback.
    pub(crate) fn planned(&mut self, call: &Call, place: Place, fallback: Option<usize>, plan: &Plan) {
        if !self.is_kept() && !self.purpose.is_tentative() {
            return;
        }
        if self.decision.is_none() {
            let begun = self.core.decisions.begin(self.decision_head(call), &call.chosen.steps);
            self.decision = Some(begun);
        }
        let now = self.now();
        let (Some(entry), snapshot) = (&self.decision, &self.snapshot) else { return };
        let mut entry = entry.borrow_mut();
        let series = if call.facts.stream { Series::First } else { Series::Total };
        let weighed = plan.candidates.iter().map(|candidate| {
            let health = snapshot.healths.get(candidate.deployment as usize);
            let p95 = health.map_or(0.0, |health| health.windows().percentiles(series).p95);
            let in_flight = health.map_or(0, |health| health.in_flight());
            Weighed::new(candidate, in_flight, Micros::of_seconds(p95))
        });
        let policy = call.hints.policy.map(|kind| kind.name);
        entry.plan(
            Planned { place, fallback: fallback.map(small), at: now, policy, candidates: 0, dropped: 0 },
            weighed,
            plan,
        );
    }

    /// Whether decisions are kept when their requests have ended.
    fn is_kept(&self) -> bool {
        let settings = &self.snapshot.gateway.settings.decisions;
        settings.recent > 0 || settings.sampled > 0
    }

    fn decision_head(&self, call: &Call) -> Head {
        let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let asked = call.chosen.asked;
        Head {
            id: self.id,
            generation: self.snapshot.gateway.generation(),
            at: self.started_at,
            began: self.core.engine.moment(self.started),
            endpoint: self.endpoint,
            model: match &self.asked {
                Some(Asked::Known(model)) => Some(place(*model)),
                Some(Asked::Unknown(_)) | None => None,
            },
            key: self.key,
            route: place(asked),
            streamed: self.streamed,
            dry_run: self.purpose.is_tentative(),
            prompt_tokens: call.chosen.prompt_tokens,
            output_tokens: call.facts.max_tokens,
        }
    }

    /// A call begins. Gives its place among all.
    pub(crate) fn call_begins(&mut self, tried: Tried) -> usize {
        self.current = self.attempts.len();
        self.attempts.push(tried);
        self.note_attempts();
        self.current
    }

    /// Nothing is called until then.
    pub(crate) fn waits(&mut self, until: Moment) {
        let now = self.now();
        let asked = self.attempts.iter().any(|tried| tried.ready == Some(until));
        self.waited_for(now, until.since(now), if asked { Why::RetryAfter } else { Why::Backoff });
    }

    /// Nothing was called from then on, for so long.
    pub(crate) fn waited_for(&mut self, from: Moment, lasted: Duration, why: Why) {
        let Some(entry) = &self.decision else { return };
        let mut entry = entry.borrow_mut();
        let at = Micros::of(from.since(entry.head.began));
        if entry.waits.len() < MOST_WAITS {
            entry.waits.push(Waited { at, lasted: Micros::of(lasted), why });
        } else {
            entry.left_out += 1;
        }
    }

    /// The latest attempt ended in this.
    pub(crate) fn attempt_failed(&mut self, fault: &Fault) {
        let after = Micros::of(self.clock.saturating_duration_since(self.started));
        let ready = fault.retry_after.map(|after| self.now() + after);
        let code = match &fault.code {
            // An upstream's own word, which nobody has looked at yet.
            Some(Cow::Owned(_)) => {
                let code = crate::headers::fit_to_tell(self, fault.clone()).into_details().code;
                code.map(|code| code.chars().take(64).collect::<String>().into())
            }
            known => known.clone(),
        };
        if let Some(tried) = self.attempts.get_mut(self.current) {
            tried.fault = Some(fault.class);
            (tried.status, tried.code, tried.ready) = (fault.status, code, ready);
            tried.times.ended = Some(after);
        }
        self.note_attempts();
    }

    /// Such was the course of the latest attempt.
    pub(crate) fn attempt_went(&mut self, times: Times) {
        if let Some(tried) = self.attempts.get_mut(self.current) {
            tried.times = times;
        }
    }

    /// The latest attempt was cancelled, since another one had answered.
    pub(crate) fn attempt_aborted(&mut self) {
        let after = Micros::of(self.clock.saturating_duration_since(self.started));
        if let Some(tried) = self.attempts.get_mut(self.current) {
            tried.aborted = true;
            tried.times.ended = Some(after);
        }
        self.note_attempts();
    }

    fn note_attempts(&self) {
        if let Some(entry) = &self.decision {
            entry.borrow_mut().attempted(&self.attempts, self.current);
        }
    }

    /// The request has ended like this: its record goes to the core's.
    pub(crate) fn decision_ends(&mut self, outcome: Outcome, total: Duration, overhead: Duration) {
        let Some(entry) = self.decision.take() else { return };
        let total = Micros::of(total);
        if let Some(tried) = self.attempts.get_mut(self.current) {
            tried.times.ended.get_or_insert(total);
        }
        let mut ended = entry.borrow_mut();
        ended.attempted(&self.attempts, self.current);
        ended.end = Some(End {
            outcome,
            status: self.status,
            code: self.fault_code(),
            route: self.route.and_then(|route| u32::try_from(route).ok()),
            usage: self.usage,
            cost: self.cost,
            cost_unknown: self.cost_unknown,
            total,
            first_token: self.first_token.map(Micros::of),
            predicted: self.called.predicted.filter(|_| !self.attempts.is_empty()).map(Micros::of),
            overhead: Micros::of(overhead),
            answered_by: Some(self.current)
                .filter(|nth| outcome == Outcome::Answered && nth + 1 < self.attempts.len())
                .and_then(|nth| u32::try_from(nth).ok()),
        });
        drop(ended);
        let core = &self.core;
        #[allow(clippy::cast_precision_loss, reason = "53 bits of chance are enough")]
        let chance = || (core.random() >> 11) as f64 / (1u64 << 53) as f64;
        core.decisions.end(entry, self.purpose.is_recorded(), chance);
    }

    /// The id under which this request's decision can be looked up, once there is one.
    pub(crate) fn decision_id(&self) -> Option<[u8; 28]> {
        let kept = self.purpose.is_recorded() && self.is_kept();
        self.decision.as_ref().filter(|_| kept).map(|_| self.id.decision())
    }
}

impl Entry {
    pub(super) fn plan(
        &mut self,
        mut planned: Planned,
        weighed: impl ExactSizeIterator<Item = Weighed>,
        plan: &Plan,
    ) {
        let lines = weighed.len() + plan.dropped.len();
        if self.plans.len() >= MOST_PLANS {
            self.left_out += u32::from(small(lines + 1));
            return;
        }
        let (before, dropped) = (self.candidates.len(), self.dropped.len());
        // One by one: there are two or three, and what `extend` does first costs more than they do.
        weighed.take(MOST_CANDIDATES - before).for_each(|one| self.candidates.push(one));
        plan.dropped.iter().take(MOST_DROPPED - dropped).for_each(|one| self.dropped.push(*one));
        planned.candidates = small(self.candidates.len() - before);
        planned.dropped = small(self.dropped.len() - dropped);
        self.left_out += u32::from(small(lines)) - u32::from(planned.candidates) - u32::from(planned.dropped);
        self.plans.push(planned);
    }
}

fn small(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}
