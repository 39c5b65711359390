//! The live figures of a deployment, shared by every core, and the lease that one call holds.

use crate::Chance;
use crate::apart::Apart;
use crate::bell::{Bell, Bells};
use crate::breaker::{self, Breaker, Jitter, Refusal, State, Ticket};
use crate::concurrency::{KEPT, KEPT_WHEN_LATE, KEPT_WHEN_SILENT, Learned};
use crate::credential::{Credential, Pass, Seat};
use crate::events::{Cause, Events, Subject, Teller};
use crate::fault_policy::{Effect, effect, overloads};
use crate::gauges::Gauges;
use crate::plan::Reason;
use crate::rate::{self, Rate};
use crate::slow::{self, Slow};
use crate::windows::{Sample, Windows};
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::Duration;
use weir_core::{Class, Fault, Moment};

/// What the operator says about a deployment's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Calls in flight at most; `None` for no limit.
    pub max_concurrency: Option<u32>,
    /// Whether a limit is learnt from its complaints; see [`crate::concurrency`].
    pub learns_concurrency: bool,
    /// When its breaker opens.
    pub breaker: breaker::Settings,
    /// Its breaker opens, too, when so many of a hundred calls ended in faults of the deployment; see [`crate::rate`].
    pub error_percent: u32,
    /// And when it is too slow.
    pub slow: slow::Settings,
}

impl Settings {
    /// Default for `error_percent`.
    pub const ERROR_PERCENT: u32 = 40;
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_concurrency: None,
            learns_concurrency: true,
            breaker: breaker::Settings::default(),
            error_percent: Self::ERROR_PERCENT,
            slow: slow::Settings::default(),
        }
    }
}

/// So long a credential is left alone after a rate limit that does not say for how long, where there are others.
const REST_OF_ONE_OF_SEVERAL: Duration = Duration::from_secs(1);

/// Everything Weir knows about how a deployment is doing: its breaker, whether it rests, and its calls in flight.
///
/// Atomics only, each complete in itself, so relaxed ordering is enough. Reads are plain loads; a call that goes well
/// writes nothing but the counts of calls in flight and ended, and its part of the [`Windows`].
///
/// What every plan reads comes first, in as few cache lines as it takes: with hundreds of deployments each has to be
/// fetched.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Health {
    breaker: Breaker,
    /// `u32::MAX` for no limit.
    max_concurrency: AtomicU32,
    probes: AtomicU32,
    /// One for each credential; at least one.
    seats: SmallVec<[Seat; 1]>,
    learned: Learned,
    windows: Windows,
    failures: AtomicU32,
    error_percent: AtomicU32,
    cooldown: AtomicU64,
    cooldown_max: AtomicU64,
    ramp: AtomicU64,
    /// Where among several of them the next call begins to look.
    turn: AtomicU32,
    teller: Teller,
    bells: Bells,
    gauges: Gauges,
    slow: Slow,
    /// One for each credential, where there are several.
    apart: Box<[Apart]>,
    in_flight: OwnLine<AtomicU32>,
    rate: OwnLine<Rate>,
}

/// On a cache line of its own: it is written at both ends of every call, and the fields beside it are read by every
/// plan on every core.
#[derive(Debug)]
#[repr(align(64))]
struct OwnLine<T>(T);

/// A deployment's health at one moment, for people and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its breaker.
    pub state: State,
    /// Faults in a row.
    pub consecutive: u32,
    /// Calls in flight.
    pub in_flight: u32,
    /// How long it will still rest because the upstream asked for it; zero when it does not, with one of its credentials.
    pub resting_for: Duration,
}

impl Health {
    /// The health of a deployment nothing is known about yet, with a credential of its own.
    pub fn new(settings: &Settings) -> Self {
        Health::with(settings, smallvec::smallvec![Seat::default()], Teller::default())
    }

    fn with(settings: &Settings, mut seats: SmallVec<[Seat; 1]>, teller: Teller) -> Self {
        if seats.is_empty() {
            seats.push(Seat::default());
        }
        let several = if seats.len() > 1 { seats.len() } else { 0 };
        let health = Health {
            breaker: Breaker::default(),
            max_concurrency: AtomicU32::new(0),
            learned: Learned::default(),
            failures: AtomicU32::new(0),
            error_percent: AtomicU32::new(0),
            probes: AtomicU32::new(0),
            cooldown: AtomicU64::new(0),
            cooldown_max: AtomicU64::new(0),
            ramp: AtomicU64::new(0),
            seats,
            turn: AtomicU32::new(0),
            teller,
            in_flight: OwnLine(AtomicU32::new(0)),
            bells: Bells::default(),
            windows: Windows::default(),
            gauges: Gauges::default(),
            rate: OwnLine(Rate::over(rate::WINDOW)),
            slow: Slow::new(),
            apart: (0..several).map(|_| Apart::new()).collect(),
        };
        health.adjust(settings);
        health
    }

    /// Takes new settings. What was learnt stays.
    pub fn adjust(&self, settings: &Settings) {
        self.max_concurrency.store(settings.max_concurrency.unwrap_or(u32::MAX), Relaxed);
        self.learned.allow(settings.learns_concurrency);
        self.failures.store(settings.breaker.failures, Relaxed);
        self.error_percent.store(settings.error_percent, Relaxed);
        self.probes.store(settings.breaker.probes, Relaxed);
        self.cooldown.store(nanos(settings.breaker.cooldown), Relaxed);
        self.cooldown_max.store(nanos(settings.breaker.cooldown_max), Relaxed);
        self.ramp.store(nanos(settings.breaker.ramp), Relaxed);
        self.slow.adjust(&settings.slow);
        self.apart.iter().for_each(|apart| apart.adjust(&settings.slow));
    }

    /// Why a call would be refused now; `None` when it would not. Changes nothing. Being full is named before all else:
    /// it is the one reason that no need overrides.
    pub fn refusal(&self, now: Moment) -> Option<Reason> {
        if self.is_full(now) {
            return Some(Reason::Full);
        }
        let probes = self.probes.load(Relaxed);
        self.breaker.refusal(probes, now).map(Reason::from).or_else(|| self.no_seat(now))
    }

    /// The share of its calls that it is to have while it comes back from an outage; `None` for all of them.
    pub fn share(&self, now: Moment) -> Option<f64> {
        self.breaker.share(Duration::from_nanos(self.ramp.load(Relaxed)), now)
    }

    /// Calls that ended in faults in the last [`rate::WINDOW`], since it was last opened for their share.
    pub fn recent_faults(&self, now: Moment) -> u32 {
        self.rate.0.share(now).wrong
    }

    /// Begins one call, as a probe when the breaker is half-open. With `spread`, breakers do not refuse (see
    /// [`Action::Call`](crate::Action::Call)); a full deployment, or one that rests, always does.
    ///
    /// # Errors
    /// The reason for the refusal, to be told to the machine as [`Event::NotEntered`](crate::Event::NotEntered).
    pub fn acquire(
        self: &Arc<Self>,
        now: Moment,
        spread: bool,
        chance: &mut dyn Chance,
    ) -> Result<Lease, Reason> {
        if !spread && let Some(reason) = self.no_seat(now) {
            return Err(reason);
        }
        if !self.count_in(now) {
            return Err(Reason::Full);
        }
        match self.enter(now, spread) {
            Ok((ticket, seat, key)) => {
                let jitter = Jitter::drawn(chance);
                let health = Arc::clone(self);
                Ok(Lease { health, ticket, seat, key, jitter, began: now, work: Duration::ZERO })
            }
            Err(reason) => {
                self.in_flight.0.fetch_sub(1, Relaxed);
                Err(reason)
            }
        }
    }

    fn enter(&self, now: Moment, spread: bool) -> Result<(Ticket, usize, Pass), Reason> {
        let probes = self.probes.load(Relaxed);
        let (mut ticket, change) =
            if spread { self.breaker.enter_anyway(probes, now) } else { self.breaker.enter(probes, now)? };
        self.teller.tell(change, Cause::CooledDown, now);
        let Some((seat, key)) = self.sit(now, spread) else {
            self.breaker.abandoned(&mut ticket);
            return Err(self.no_seat(now).unwrap_or(Reason::Probing));
        };
        Ok((ticket, seat, key))
    }

    /// The next credential that may be used; with `anyway`, the next one of all when there is none.
    fn sit(&self, now: Moment, anyway: bool) -> Option<(usize, Pass)> {
        let seats = self.seats.len();
        let first = if seats > 1 { self.turn.fetch_add(1, Relaxed) as usize % seats } else { 0 };
        let mut turns = (first..seats).chain(0..first);
        let enter = |nth: usize, anyway| Some((nth, self.seats.get(nth)?.enter(anyway, now)?));
        let found = turns.clone().find_map(|nth| enter(nth, false));
        found.or_else(|| if anyway { turns.find_map(|nth| enter(nth, true)) } else { None })
    }

    /// Whether another credential than this one may be used now.
    fn has_another_seat(&self, than: usize, now: Moment) -> bool {
        self.seats.iter().enumerate().any(|(nth, seat)| nth != than && seat.refusal(now).is_none())
    }

    /// Why no credential may be used now: of several reasons the one that ends first.
    fn no_seat(&self, now: Moment) -> Option<Reason> {
        let mut soonest: Option<(Moment, Reason)> = None;
        for seat in &self.seats {
            let reason = seat.refusal(now)?;
            let ends = reason.until().unwrap_or(now);
            if soonest.is_none_or(|(known, _)| ends < known) {
                soonest = Some((ends, reason));
            }
        }
        soonest.map(|(_, reason)| reason)
    }

    /// Whether a call that ended in this fault may be made again here at once, since it was the credential's and another
    /// one may be used.
    pub fn has_another_credential(&self, fault: &Fault, now: Moment) -> bool {
        let its_own = fault.class == Class::Rate
            || matches!(effect(fault), Effect::Bench | Effect::Doubt | Effect::Missing);
        self.seats.len() > 1 && its_own && self.refusal(now).is_none()
    }

    /// The result of an active check. A good one lets the next call probe an open breaker, a bad one counts as a fault.
    pub fn probed(&self, result: Result<(), &Fault>, now: Moment, chance: &mut dyn Chance) {
        let jitter = Jitter::drawn(chance);
        let change = self.breaker.checked(result.is_ok(), &self.breaker_settings(), now, jitter);
        let cause = result.map_or_else(|fault| Cause::Check { class: fault.class }, |()| Cause::Passed);
        self.teller.tell(change, cause, now);
    }

    /// What the last minute was like.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// What its server says of itself.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Calls in flight.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.0.load(Relaxed)
    }

    /// Faults in a row: zero as soon as an answer has ended well.
    pub fn faults_in_a_row(&self) -> u32 {
        self.breaker.consecutive()
    }

    /// The figures now.
    pub fn status(&self, now: Moment) -> Status {
        Status {
            state: self.state(now),
            consecutive: self.breaker.consecutive(),
            in_flight: self.in_flight.0.load(Relaxed),
            resting_for: self.seats.iter().map(|s| s.resting_until().since(now)).min().unwrap_or_default(),
        }
    }

    /// That of its breaker, or, where that is closed, of refusals by which all of its credentials are out.
    fn state(&self, now: Moment) -> State {
        let own = self.breaker.state(now);
        let mut seats = self.seats.iter().map(|seat| seat.state(now));
        let first = seats.next().filter(|first| *first != State::Closed);
        let out = first.filter(|_| own == State::Closed && seats.all(|state| state != State::Closed));
        out.unwrap_or(own)
    }

    /// Whether it has a place for one more call.
    pub fn has_room(&self, now: Moment) -> bool {
        !self.is_full(now)
    }

    /// From now on this bell rings when a call ends here. Hang it up before looking for a place.
    pub fn hang(&self, bell: &Arc<Bell>) {
        self.bells.hang(bell);
    }

    /// It rings no longer.
    pub fn take_down(&self, bell: &Arc<Bell>) {
        self.bells.take_down(bell);
    }

    /// The calls at a time that it was learnt to bear; `None` as long as it does not complain.
    pub fn learned_limit(&self, now: Moment) -> Option<u32> {
        Some(self.learned.limit(now)).filter(|limit| *limit != u32::MAX)
    }

    /// Calls at a time, set or learnt; `u32::MAX` for no limit.
    fn limit(&self, now: Moment) -> u32 {
        self.max_concurrency.load(Relaxed).min(self.learned.limit(now))
    }

    fn is_full(&self, now: Moment) -> bool {
        let max = self.limit(now);
        max != u32::MAX && self.in_flight.0.load(Relaxed) >= max
    }

    /// Counts a call in, unless that would be one too many. Checked and counted in one step: two cores that race for
    /// the last place do not both get it, and neither makes the other miss it.
    fn count_in(&self, now: Moment) -> bool {
        let max = self.limit(now);
        let count = &self.in_flight.0;
        if max == u32::MAX {
            count.fetch_add(1, Relaxed);
            return true;
        }
        count.fetch_update(Relaxed, Relaxed, |n| (n < max).then_some(n + 1)).is_ok()
    }

    fn breaker_settings(&self) -> breaker::Settings {
        breaker::Settings {
            failures: self.failures.load(Relaxed),
            cooldown: Duration::from_nanos(self.cooldown.load(Relaxed)),
            cooldown_max: Duration::from_nanos(self.cooldown_max.load(Relaxed)),
            probes: self.probes.load(Relaxed),
            ramp: Duration::from_nanos(self.ramp.load(Relaxed)),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Open(until) => Reason::BreakerOpen(until),
            Refusal::Probing => Reason::Probing,
        }
    }
}

/// One call in flight. Dropping it ends the call; a probe dropped unreported makes room for the next probe.
#[derive(Debug)]
pub struct Lease {
    health: Arc<Health>,
    ticket: Ticket,
    /// Which of the deployment's credentials it uses.
    seat: usize,
    /// And the right to do so.
    key: Pass,
    /// For the cool-down that this call may bring about.
    jitter: Jitter,
    began: Moment,
    /// What it is expected to take.
    work: Duration,
}

impl Lease {
    /// Whether this call is a probe of a half-open breaker.
    #[cfg(test)]
    pub(crate) fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// Which of the deployment's credentials the call is to be made with, by its place among them.
    pub fn credential(&self) -> usize {
        self.seat
    }

    /// Tells how long the call is expected to take, so that policies see the work under way and not only its calls.
    pub fn expect(&mut self, work: Duration) {
        self.health.windows.put_down(self.work);
        self.health.windows.took_on(work);
        self.work = work;
    }

    /// The health of its deployment.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The windows of its deployment, for what the call shows of its latency.
    pub fn windows(&self) -> &Windows {
        &self.health.windows
    }

    /// Tells what the call shows of its deployment's latency, for its windows and for whoever judges whether it is too
    /// slow. Tell it before the answer is said to have [begun](Lease::begun) or to have [ended](Lease::report) well.
    pub fn record(&mut self, sample: &Sample, now: Moment) {
        let health = &self.health;
        health.windows.record(sample, now);
        // Only who has complained before is judged by this as well.
        if let Some(first) = sample.first
            && health.learned.is_late(sample.size.prompt, first)
            && health.learned.is_set(now)
        {
            health.learned.complained(self.began, health.in_flight(), KEPT_WHEN_LATE, now);
        }
        let alone = health.breaker.state(now) != State::Closed;
        let found = match health.apart.get(self.seat) {
            Some(apart) => {
                let own = health.seats.get(self.seat).is_some_and(|seat| seat.fails(now));
                apart.judge(&health.slow, sample, &health.windows, (alone, own), now)
            }
            None => health.slow.judge(sample, &health.windows, alone, now).map(|slow| (slow, false)),
        };
        let Some((slow, of_credential)) = found else { return };
        let (latency, limit) = (slow.latency, slow.limit);
        let cause = Cause::Slow { latency, calls: slow.share.calls, over: slow.share.wrong, limit };
        if of_credential {
            if let Some(seat) = health.seats.get(self.seat) {
                seat.fails_alone(&mut self.key, cause, now, self.jitter);
                self.key.void_here();
            }
            return;
        }
        let change = health.breaker.trip(&mut self.ticket, &health.breaker_settings(), now, self.jitter);
        // However well it ends, it has said what there is to say.
        self.ticket.void();
        health.teller.tell(change, cause, now);
    }

    /// Tells that the answer has begun and is good so far. How it ends is [reported](Lease::report) all the same: this
    /// alone neither closes the breaker nor wipes out earlier faults, but it lets others through a half-open one.
    pub fn begun(&mut self, now: Moment) {
        let health = &self.health;
        let change = health.breaker.begun(&mut self.ticket, &health.breaker_settings(), now);
        health.teller.tell(change, Cause::Answered, now);
        if let Some(seat) = health.seats.get(self.seat) {
            seat.accepted(&mut self.key, now);
        }
    }

    /// Tells how the call ended; `Ok` when its answer was there to the end. Report a fault here before the machine hears
    /// of it, so that a wait of the machine does not end before the rest does.
    pub fn report(&mut self, result: Result<(), &Fault>, now: Moment) {
        let health = &self.health;
        health.windows.ended(result.map_err(Fault::blame), now);
        match result {
            Ok(()) => health.learned.went_well(health.in_flight(), now),
            Err(fault) if overloads(fault) => {
                let kept = if fault.class == Class::Timeout { KEPT_WHEN_SILENT } else { KEPT };
                health.learned.complained(self.began, health.in_flight(), kept, now);
            }
            Err(_) => {}
        }
        let Some(seat) = health.seats.get(self.seat) else { return };
        let fault = match result {
            Ok(()) => {
                health.rate.0.count(true, now);
                if let Some(apart) = health.apart.get(self.seat) {
                    apart.count(true, now);
                }
                let change = health.breaker.succeeded(&mut self.ticket, &health.breaker_settings(), now);
                health.teller.tell(change, Cause::Answered, now);
                seat.accepted(&mut self.key, now);
                return;
            }
            Err(fault) => fault,
        };
        let effect = match effect(fault) {
            // Others may be used meanwhile, so the limit is this one's and not the deployment's.
            Effect::Fault if fault.class == Class::Rate && health.has_another_seat(self.seat, now) => {
                Effect::Rest(REST_OF_ONE_OF_SEVERAL)
            }
            other => other,
        };
        if effect == Effect::Fault {
            return self.failed(fault.class, now);
        }
        match effect {
            Effect::None | Effect::Fault => {}
            Effect::Bench | Effect::Doubt | Effect::Missing => {
                seat.refused(&mut self.key, effect, fault.class, now, self.jitter);
            }
            Effect::Rest(rest) => seat.rest(now + rest),
        }
        // Where it has been refused, that has been settled.
        seat.abandoned(&mut self.key);
        self.health.breaker.abandoned(&mut self.ticket);
    }

    /// The call ended in a fault of the deployment, or of this one of several credentials.
    fn failed(&mut self, class: Class, now: Moment) {
        let of_credential = self.fails_alone(class, now);
        if let Some(seat) = self.health.seats.get(self.seat) {
            seat.abandoned(&mut self.key);
        }
        if of_credential {
            self.health.breaker.abandoned(&mut self.ticket);
        } else {
            self.faulted(class, now);
        }
    }

    /// Counts a fault, and says whether it is the doing of this one of several credentials: then its seat has learnt of it,
    /// and the deployment need not.
    fn fails_alone(&mut self, class: Class, now: Moment) -> bool {
        let health = &self.health;
        let apart = health.apart.get(self.seat).zip(health.seats.get(self.seat));
        if let Some((_, seat)) = apart.filter(|(_, seat)| seat.fails(now)) {
            seat.fails_alone(&mut self.key, Cause::Probe { class }, now, self.jitter);
            return true;
        }
        health.rate.0.count(false, now);
        let Some((apart, seat)) = apart else { return false };
        apart.count(false, now);
        let percent = health.error_percent.load(Relaxed);
        let Some(share) = apart.fails_alone(&health.rate.0, percent, now) else { return false };
        let cause = Cause::Share { calls: share.calls, faults: share.wrong, class };
        seat.fails_alone(&mut self.key, cause, now, self.jitter);
        true
    }

    fn faulted(&mut self, class: Class, now: Moment) {
        let health = &self.health;
        let settings = health.breaker_settings();
        // What happens to a breaker that is not closed decides by itself; the counts are for the panic then.
        let closed = health.breaker.state(now) == State::Closed;
        let exceeds = || health.rate.0.exceeds(health.error_percent.load(Relaxed), now);
        let (change, cause) = match closed.then(exceeds).flatten() {
            Some(share) => (
                health.breaker.trip(&mut self.ticket, &settings, now, self.jitter),
                Cause::Share { calls: share.calls, faults: share.wrong, class },
            ),
            None => (
                health.breaker.faulted(&mut self.ticket, &settings, now, self.jitter),
                Cause::Row { faults: 0, class },
            ),
        };
        health.teller.tell(change, cause, now);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.health.breaker.abandoned(&mut self.ticket);
        if let Some(seat) = self.health.seats.get(self.seat) {
            seat.abandoned(&mut self.key);
        }
        // In one order with whoever hangs a bell up and looks for a place then.
        self.health.in_flight.0.fetch_sub(1, SeqCst);
        self.health.bells.ring();
        self.health.windows.put_down(self.work);
    }
}

/// The health of every deployment by name, kept over reloads of the configuration.
///
/// Use it only for a configuration that is known to be good: settings take effect at once.
#[derive(Debug, Default)]
pub struct HealthBook {
    entries: HashMap<Box<str>, (u64, Arc<Health>)>,
    credentials: HashMap<u64, Weak<Credential>>,
    events: Option<Arc<Events>>,
}

impl HealthBook {
    /// One whose breakers tell what happens to them.
    pub fn telling(events: Arc<Events>) -> Self {
        HealthBook { events: Some(events), ..HealthBook::default() }
    }

    /// The credential that `identity`, a hash of address and key, stands for. `provider` and `nth`, from 1, say whose it
    /// is to people.
    pub fn credential(&mut self, identity: u64, provider: &Arc<str>, nth: u32) -> Arc<Credential> {
        if let Some(known) = self.credentials.get(&identity).and_then(Weak::upgrade) {
            return known;
        }
        let credential = Credential::new(provider.clone(), nth, self.events.as_ref());
        self.credentials.insert(identity, Arc::downgrade(&credential));
        credential
    }

    /// The health of the deployment `name`, with these settings from now on. `identity` is a hash of what makes it the
    /// same place (URL, upstream model, `credentials`): when that has changed, what was learnt is about something else
    /// and is forgotten.
    pub fn get_or_insert(
        &mut self,
        name: &str,
        identity: u64,
        settings: &Settings,
        credentials: &[Arc<Credential>],
    ) -> Arc<Health> {
        if let Some((known, health)) = self.entries.get(name)
            && *known == identity
        {
            health.adjust(settings);
            return Arc::clone(health);
        }
        let teller = |events| Teller::new(Subject::Deployment(name.into()), events);
        let teller = self.events.as_ref().map(teller).unwrap_or_default();
        let seat = |credential: &Arc<Credential>| Seat::of(credential.clone(), name, self.events.as_ref());
        let seats = credentials.iter().map(seat).collect();
        let health = Arc::new(Health::with(settings, seats, teller));
        self.entries.insert(name.into(), (identity, Arc::clone(&health)));
        health
    }

    /// Forgets every deployment whose name is not among `names`.
    pub fn prune<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let names: HashSet<&str> = names.into_iter().collect();
        self.entries.retain(|name, _| names.contains(&**name));
        self.credentials.retain(|_, credential| credential.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests;
