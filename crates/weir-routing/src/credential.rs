//! What is known of a credential, apart from the deployments that use it.
//!
//! Deployments at one address with one key share that key's fate: when it is refused, all of them would be. So it has a
//! breaker of its own, and theirs learn nothing of it. What an upstream says of its rate limit holds for a deployment
//! and a credential together, since providers limit models apart: that is kept in the `Seat`.

use crate::breaker::{self, Breaker, Jitter, State, Ticket};
use crate::events::{Cause, Events, Subject, Teller};
use crate::plan::Reason;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::{Class, Moment};

/// How a credential's breaker behaves: a refusal that may be about the request counts, three in a row are no coincidence.
const SETTINGS: breaker::Settings = breaker::Settings {
    failures: 3,
    cooldown: Duration::from_secs(10),
    cooldown_max: Duration::from_secs(60),
    probes: 1,
    ramp: Duration::ZERO,
};

/// The state of one credential, shared by every deployment that uses it.
#[derive(Debug, Default)]
pub struct Credential {
    breaker: Breaker,
    teller: Teller,
}

impl Credential {
    pub(crate) fn new(provider: Arc<str>, nth: u32, events: Option<&Arc<Events>>) -> Arc<Self> {
        let subject = Subject::Credential { provider, nth };
        let teller = events.map(|events| Teller::new(subject, events)).unwrap_or_default();
        Arc::new(Credential { breaker: Breaker::default(), teller })
    }

    /// Whether it is benched.
    pub fn state(&self, now: Moment) -> State {
        self.breaker.state(now)
    }

    fn refusal(&self, now: Moment) -> Option<Reason> {
        self.breaker.refusal(SETTINGS.probes, now).map(|refusal| match refusal {
            breaker::Refusal::Open(until) => Reason::CredentialBenched(until),
            breaker::Refusal::Probing => Reason::Probing,
        })
    }

    fn enter(&self, anyway: bool, now: Moment) -> Option<Ticket> {
        let entered = if anyway {
            Some(self.breaker.enter_anyway(SETTINGS.probes, now))
        } else {
            self.breaker.enter(SETTINGS.probes, now).ok()
        };
        let (ticket, change) = entered?;
        self.teller.tell(change, Cause::CooledDown, now);
        Some(ticket)
    }

    /// The upstream took it.
    pub(crate) fn accepted(&self, ticket: &mut Ticket, now: Moment) {
        self.teller.tell(self.breaker.succeeded(ticket, &SETTINGS, now), Cause::Answered, now);
    }

    /// The upstream did not take it. With `surely` the next call would end the same way.
    pub(crate) fn refused(
        &self,
        ticket: &mut Ticket,
        surely: bool,
        class: Class,
        now: Moment,
        jitter: Jitter,
    ) {
        let change = if surely {
            self.breaker.trip(ticket, &SETTINGS, now, jitter)
        } else {
            self.breaker.faulted(ticket, &SETTINGS, now, jitter)
        };
        self.teller.tell(change, Cause::Refused { class, faults: 0 }, now);
    }

    /// The call ended without a word about it.
    pub(crate) fn abandoned(&self, ticket: &mut Ticket) {
        self.breaker.abandoned(ticket);
    }
}

/// A deployment's use of one credential.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) credential: Arc<Credential>,
    /// Nanoseconds of the clock: until then the upstream asked not to be called with it.
    resting_until: AtomicU64,
}

impl Seat {
    pub(crate) fn of(credential: Arc<Credential>) -> Self {
        Seat { credential, resting_until: AtomicU64::new(0) }
    }

    pub(crate) fn resting_until(&self) -> Moment {
        Moment::from_nanos(self.resting_until.load(Relaxed))
    }

    pub(crate) fn rest(&self, until: Moment) {
        self.resting_until.fetch_max(until.as_nanos(), Relaxed);
    }

    /// Why no call can be made with it now.
    pub(crate) fn refusal(&self, now: Moment) -> Option<Reason> {
        let until = self.resting_until();
        if now < until {
            return Some(Reason::Resting(until));
        }
        self.credential.refusal(now)
    }

    pub(crate) fn enter(&self, anyway: bool, now: Moment) -> Option<Ticket> {
        if now < self.resting_until() {
            return None;
        }
        self.credential.enter(anyway, now)
    }
}
