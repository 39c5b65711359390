//! What is known of a credential, apart from the deployments that use it.
//!
//! Deployments at one address with one key share that key's fate: when it is refused, all of them would be. So it has a
//! breaker of its own, and theirs learn nothing of it. What an upstream says of its rate limit holds for a deployment
//! and a credential together, since providers limit models apart: that is kept in the `Seat`.
//!
//! A credential that fails, or is slow, at a deployment whose others are well is benched there alone, too: see
//! `apart`.
//!
//! A refusal may be the deployment's own matter, too: of a key that may not use that one model, say. While the credential is
//! good at another deployment, who refuses it there is benched alone, by the seat's own breaker.

use crate::Chance;
use crate::breaker::{self, Breaker, Jitter, State, Ticket};
use crate::events::{Cause, Events, Subject, Teller};
use crate::fault_policy::Effect;
use crate::plan::Reason;
use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
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

/// A credential that another deployment took this lately is good.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// When it was taken is noted as often as this.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// The state of one credential, shared by every deployment that uses it.
#[derive(Debug)]
pub struct Credential {
    provider: Arc<str>,
    nth: u32,
    breaker: Breaker,
    teller: Teller,
    /// Who took it lately: two, so that there is another beside whoever refuses it.
    taken: [Taken; 2],
}

/// A seat, by a number of its own (0 for none), and when a call with it was last answered.
#[derive(Debug, Default)]
struct Taken {
    by: AtomicU64,
    at: AtomicU64,
}

impl Default for Credential {
    fn default() -> Self {
        Credential {
            provider: "".into(),
            nth: 0,
            breaker: Breaker::default(),
            teller: Teller::default(),
            taken: array::from_fn(|_| Taken::default()),
        }
    }
}

impl Credential {
    pub(crate) fn new(provider: Arc<str>, nth: u32, events: Option<&Arc<Events>>) -> Arc<Self> {
        let subject = Subject::Credential { provider: provider.clone(), nth };
        let teller = events.map(|events| Teller::new(subject, events)).unwrap_or_default();
        Arc::new(Credential { provider, nth, teller, ..Credential::default() })
    }

    /// Whether it is benched.
    pub fn state(&self, now: Moment) -> State {
        self.breaker.state(now)
    }

    /// What it stands for has been renewed: where it is benched, that ends now, and the next call tries it.
    pub fn renewed(&self, now: Moment, chance: &mut dyn Chance) {
        let change = self.breaker.checked(true, &SETTINGS, now, Jitter::drawn(chance));
        self.teller.tell(change, Cause::Passed, now);
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

    /// Notes that the upstream took it from this seat. What is lost in a race is one note.
    fn note(&self, seat: u64, now: Moment) {
        let now = now.as_nanos();
        let known = self.taken.iter().find(|taken| taken.by.load(Relaxed) == seat);
        match known {
            Some(taken) if now.saturating_sub(taken.at.load(Relaxed)) < nanos(NOTED_EVERY) => {}
            Some(taken) => taken.at.store(now, Relaxed),
            None => {
                let [one, other] = &self.taken;
                let older = if one.at.load(Relaxed) <= other.at.load(Relaxed) { one } else { other };
                older.by.store(seat, Relaxed);
                older.at.store(now, Relaxed);
            }
        }
    }

    /// Whether it was taken at another seat lately, now that this one refuses it.
    fn is_good_elsewhere(&self, seat: u64, now: Moment) -> bool {
        let (mut good, now) = (false, now.as_nanos());
        for taken in &self.taken {
            match taken.by.load(Relaxed) {
                0 => {}
                by if by == seat => taken.by.store(0, Relaxed),
                _ => good |= now.saturating_sub(taken.at.load(Relaxed)) < nanos(GOOD_FOR),
            }
        }
        good
    }

    /// The upstream took it.
    fn accepted(&self, ticket: &mut Ticket, now: Moment) {
        self.teller.tell(self.breaker.succeeded(ticket, &SETTINGS, now), Cause::Answered, now);
    }

    /// The upstream did not take it. With `surely` the next call would end the same way.
    fn refused(&self, ticket: &mut Ticket, surely: bool, class: Class, now: Moment, jitter: Jitter) {
        let change = if surely {
            self.breaker.trip(ticket, &SETTINGS, now, jitter)
        } else {
            self.breaker.faulted(ticket, &SETTINGS, now, jitter)
        };
        self.teller.tell(change, Cause::Refused { class, faults: 0 }, now);
    }

    /// The call ended without a word about it.
    fn abandoned(&self, ticket: &mut Ticket) {
        self.breaker.abandoned(ticket);
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A deployment's use of one credential.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) credential: Arc<Credential>,
    /// Of what is refused here while the credential is good elsewhere, and of what fails with this one alone.
    breaker: Breaker,
    /// It was faults that opened it last, and no refusal.
    failed: AtomicBool,
    teller: Teller,
    /// Nanoseconds of the clock: until then the upstream asked not to be called with it.
    resting_until: AtomicU64,
}

/// The right to make one call from a seat.
#[derive(Debug)]
pub(crate) struct Pass {
    here: Ticket,
    key: Ticket,
}

impl Pass {
    /// However well the call ends, its seat has learnt what there is to learn.
    pub(crate) fn void_here(&mut self) {
        self.here.void();
    }
}

impl Seat {
    pub(crate) fn of(credential: Arc<Credential>, deployment: &str, events: Option<&Arc<Events>>) -> Self {
        let (provider, nth) = (credential.provider.clone(), credential.nth);
        let subject = Subject::Seat { deployment: deployment.into(), provider, nth };
        let teller = events.map(|events| Teller::new(subject, events)).unwrap_or_default();
        Seat { credential, teller, ..Seat::default() }
    }

    /// A number that no other seat has at the same time.
    fn number(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    pub(crate) fn resting_until(&self) -> Moment {
        Moment::from_nanos(self.resting_until.load(Relaxed))
    }

    pub(crate) fn rest(&self, until: Moment) {
        self.resting_until.fetch_max(until.as_nanos(), Relaxed);
    }

    /// What it does with calls while the credential is good elsewhere.
    pub(crate) fn state(&self, now: Moment) -> State {
        self.breaker.state(now)
    }

    /// Whether it is out, or on probation, since calls with it failed where others did not.
    pub(crate) fn fails(&self, now: Moment) -> bool {
        self.failed.load(Relaxed) && self.state(now) != State::Closed
    }

    /// Why no call can be made with it now.
    pub(crate) fn refusal(&self, now: Moment) -> Option<Reason> {
        let until = self.resting_until();
        if now < until {
            return Some(Reason::Resting(until));
        }
        let here = self.breaker.refusal(SETTINGS.probes, now).map(|refusal| match refusal {
            breaker::Refusal::Open(until) if self.failed.load(Relaxed) => Reason::BreakerOpen(until),
            breaker::Refusal::Open(until) => Reason::Refused(until),
            breaker::Refusal::Probing => Reason::Probing,
        });
        here.or_else(|| self.credential.refusal(now))
    }

    /// Enters a call; with `anyway` whatever breakers say. A rest that was asked for holds.
    pub(crate) fn enter(&self, anyway: bool, now: Moment) -> Option<Pass> {
        if now < self.resting_until() {
            return None;
        }
        let probes = SETTINGS.probes;
        let (mut here, change) = if anyway {
            self.breaker.enter_anyway(probes, now)
        } else {
            self.breaker.enter(probes, now).ok()?
        };
        self.teller.tell(change, Cause::CooledDown, now);
        let Some(key) = self.credential.enter(anyway, now) else {
            self.breaker.abandoned(&mut here);
            return None;
        };
        Some(Pass { here, key })
    }

    /// The upstream took the call.
    pub(crate) fn accepted(&self, pass: &mut Pass, now: Moment) {
        self.credential.note(self.number(), now);
        self.teller.tell(self.breaker.succeeded(&mut pass.here, &SETTINGS, now), Cause::Answered, now);
        self.credential.accepted(&mut pass.key, now);
    }

    /// The upstream did not: by an effect that is about credential or model.
    pub(crate) fn refused(&self, pass: &mut Pass, effect: Effect, class: Class, now: Moment, jitter: Jitter) {
        let good = self.credential.is_good_elsewhere(self.number(), now);
        let change = match effect {
            Effect::Missing => self.breaker.trip(&mut pass.here, &SETTINGS, now, jitter),
            Effect::Bench if good => self.breaker.trip(&mut pass.here, &SETTINGS, now, jitter),
            _ if good => self.breaker.faulted(&mut pass.here, &SETTINGS, now, jitter),
            _ => {
                let surely = effect == Effect::Bench;
                return self.credential.refused(&mut pass.key, surely, class, now, jitter);
            }
        };
        self.failed.store(false, Relaxed);
        self.teller.tell(change, Cause::RefusedHere { class, faults: 0 }, now);
    }

    /// Calls with it fail, or are slow, where those with others are not: it is left alone here.
    pub(crate) fn fails_alone(&self, pass: &mut Pass, cause: Cause, now: Moment, jitter: Jitter) {
        let change = self.breaker.trip(&mut pass.here, &SETTINGS, now, jitter);
        self.failed.store(true, Relaxed);
        self.teller.tell(change, cause, now);
    }

    /// The call ended without a word about either.
    pub(crate) fn abandoned(&self, pass: &mut Pass) {
        self.breaker.abandoned(&mut pass.here);
        self.credential.abandoned(&mut pass.key);
    }
}
