//! The live figures of a deployment, shared by every core, and the lease that one call holds.

use crate::bell::{Bell, Bells};
use crate::breaker::{self, Breaker, Refusal, State, Ticket};
use crate::concurrency::{KEPT, KEPT_WHEN_LATE, KEPT_WHEN_SILENT, Learned};
use crate::fault_policy::{Effect, effect, overloads};
use crate::gauges::Gauges;
use crate::plan::Reason;
use crate::rate::Rate;
use crate::windows::{Sample, Windows};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
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
        }
    }
}

/// Everything Weir knows about how a deployment is doing: its breaker, whether it rests, and its calls in flight.
///
/// Atomics only, each complete in itself, so relaxed ordering is enough. Reads are plain loads; a call that goes well
/// writes nothing but the counts of calls in flight and ended, and its part of the [`Windows`].
#[derive(Debug)]
pub struct Health {
    breaker: Breaker,
    /// Nanoseconds of the clock.
    resting_until: AtomicU64,
    /// `u32::MAX` for no limit.
    max_concurrency: AtomicU32,
    learned: Learned,
    failures: AtomicU32,
    error_percent: AtomicU32,
    cooldown: AtomicU64,
    cooldown_max: AtomicU64,
    /// The class of the latest fault that the breaker learnt of, as its place in [`Class::ALL`]; anything else before
    /// the first.
    latest_fault: AtomicU8,
    in_flight: OwnLine<AtomicU32>,
    bells: Bells,
    windows: Windows,
    gauges: Gauges,
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
    /// How often the breaker's phase has changed; see [`Breaker::changes`].
    pub changes: u64,
    /// The latest fault that the breaker learnt of.
    pub latest_fault: Option<Class>,
    /// Calls in flight.
    pub in_flight: u32,
    /// How long it will still rest because the upstream asked for it; zero when it does not.
    pub resting_for: Duration,
}

impl Health {
    /// The health of a deployment nothing is known about yet.
    pub fn new(settings: &Settings) -> Self {
        let health = Health {
            breaker: Breaker::default(),
            resting_until: AtomicU64::new(0),
            max_concurrency: AtomicU32::new(0),
            learned: Learned::default(),
            failures: AtomicU32::new(0),
            error_percent: AtomicU32::new(0),
            cooldown: AtomicU64::new(0),
            cooldown_max: AtomicU64::new(0),
            latest_fault: AtomicU8::new(u8::MAX),
            in_flight: OwnLine(AtomicU32::new(0)),
            bells: Bells::default(),
            windows: Windows::default(),
            gauges: Gauges::default(),
            rate: OwnLine(Rate::default()),
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
        self.cooldown.store(nanos(settings.breaker.cooldown), Relaxed);
        self.cooldown_max.store(nanos(settings.breaker.cooldown_max), Relaxed);
    }

    /// Why a call would be refused now; `None` when it would not. Changes nothing. Being full is named before all else:
    /// it is the one reason that no need overrides.
    pub fn refusal(&self, now: Moment) -> Option<Reason> {
        if self.is_full(now) {
            return Some(Reason::Full);
        }
        self.breaker.refusal(now).map(Reason::from).or_else(|| self.resting(now))
    }

    /// Begins one call, as the probe when the breaker is half-open. With `spread`, breaker and rest do not refuse (see
    /// [`Action::Call`](crate::Action::Call)); a full deployment always does.
    ///
    /// # Errors
    /// The reason for the refusal, to be told to the machine as [`Event::NotEntered`](crate::Event::NotEntered).
    pub fn acquire(self: &Arc<Self>, now: Moment, spread: bool) -> Result<Lease, Reason> {
        if !spread && let Some(resting) = self.resting(now) {
            return Err(resting);
        }
        if !self.count_in(now) {
            return Err(Reason::Full);
        }
        let entered = if spread { Ok(self.breaker.enter_anyway(now)) } else { self.breaker.enter(now) };
        match entered {
            Ok(ticket) => Ok(Lease { health: Arc::clone(self), ticket, began: now, work: Duration::ZERO }),
            Err(refusal) => {
                self.in_flight.0.fetch_sub(1, Relaxed);
                Err(refusal.into())
            }
        }
    }

    /// The result of an active check. A good one lets the next call probe an open breaker, a bad one counts as a fault.
    pub fn probed(&self, result: Result<(), &Fault>, now: Moment) {
        if let Err(fault) = result {
            self.remember(fault);
        }
        self.breaker.checked(result.is_ok(), &self.breaker_settings(), now);
    }

    /// Before the breaker learns of it, so that whoever sees it open also sees why.
    fn remember(&self, fault: &Fault) {
        let place = Class::ALL.iter().position(|class| *class == fault.class);
        let place = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX);
        self.latest_fault.store(place, Relaxed);
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
            state: self.breaker.state(now),
            consecutive: self.breaker.consecutive(),
            changes: self.breaker.changes(),
            latest_fault: Class::ALL.get(usize::from(self.latest_fault.load(Relaxed))).copied(),
            in_flight: self.in_flight.0.load(Relaxed),
            resting_for: Moment::from_nanos(self.resting_until.load(Relaxed)).since(now),
        }
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

    fn resting(&self, now: Moment) -> Option<Reason> {
        let until = Moment::from_nanos(self.resting_until.load(Relaxed));
        (now < until).then_some(Reason::Resting(until))
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
    began: Moment,
    /// What it is expected to take.
    work: Duration,
}

impl Lease {
    /// Whether this call is the half-open breaker's probe.
    #[cfg(test)]
    pub(crate) fn is_probe(&self) -> bool {
        self.ticket.is_probe()
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

    /// Tells what the call shows of its deployment's latency.
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
    }

    /// Tells that the answer has begun and is good so far. How it ends is [reported](Lease::report) all the same: this
    /// alone neither closes the breaker nor wipes out earlier faults, but it lets others through a half-open one.
    pub fn begun(&mut self) {
        self.health.breaker.begun(&mut self.ticket);
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
        let effect = result.map_err(|fault| (effect(fault), fault));
        if let Err((Effect::Fault | Effect::Open, fault)) = &effect {
            health.remember(fault);
        }
        match effect.map_err(|(effect, _)| effect) {
            Ok(()) => {
                health.rate.0.count(true, now);
                health.breaker.succeeded(&mut self.ticket);
            }
            Err(Effect::None) => health.breaker.abandoned(&mut self.ticket),
            Err(Effect::Fault) => {
                health.rate.0.count(false, now);
                if health.rate.0.exceeds(health.error_percent.load(Relaxed), now) {
                    health.breaker.trip(&mut self.ticket, &health.breaker_settings(), now);
                } else {
                    health.breaker.faulted(&mut self.ticket, &health.breaker_settings(), now);
                }
            }
            Err(Effect::Open) => health.breaker.trip(&mut self.ticket, &health.breaker_settings(), now),
            Err(Effect::Rest(rest)) => {
                health.resting_until.fetch_max((now + rest).as_nanos(), Relaxed);
                health.breaker.abandoned(&mut self.ticket);
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.health.breaker.abandoned(&mut self.ticket);
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
}

impl HealthBook {
    /// The health of the deployment `name`, with these settings from now on. `identity` is a hash of what makes it the
    /// same place (URL, upstream model, credential): when that has changed, what was learnt is about something else
    /// and is forgotten.
    pub fn get_or_insert(&mut self, name: &str, identity: u64, settings: &Settings) -> Arc<Health> {
        if let Some((known, health)) = self.entries.get(name)
            && *known == identity
        {
            health.adjust(settings);
            return Arc::clone(health);
        }
        let health = Arc::new(Health::new(settings));
        self.entries.insert(name.into(), (identity, Arc::clone(&health)));
        health
    }

    /// Forgets every deployment whose name is not among `names`.
    pub fn prune<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let names: HashSet<&str> = names.into_iter().collect();
        self.entries.retain(|name, _| names.contains(&**name));
    }
}

#[cfg(test)]
mod tests;
