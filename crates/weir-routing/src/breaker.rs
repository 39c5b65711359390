//! The breaker of one deployment, or of one credential: lets calls through, refuses them, or lets a few probes through.
//!
//! ```text
//!            `failures` faults in a row, or trip()
//!   closed ───────────────────────────────────────▶ open ◀──────────────┐
//!      ▲                                             │ cool-down over   │ a fault:
//!      │ a call ends well                            ▼                  │ cool-down doubled, up to its cap
//!      └───────────────────────────────────────── half-open ────────────┘
//!                                               probing, then on trial
//! ```
//!
//! Only the end of a call counts as its success: a stream that breaks off after its first token has failed. A stream may
//! last for minutes, though, so a half-open breaker does not keep everybody waiting for the end of its probe: once a
//! probe's answer has begun it is *on trial* and lets all calls through. The first of them that ends well closes it, the
//! first fault opens it again.
//!
//! Whoever was out comes back by degrees: from the moment when ordinary calls are let through again, [`Breaker::share`]
//! rises from [`RAMP_FROM`] to the whole within `ramp`, and plans keep to it.
//!
//! Everything is one 64-bit word, changed by compare-and-swap, so readers on other cores never see half a change and
//! relaxed ordering is enough: the word guards no other memory.
//!
//! | bits | field | |
//! |---|---|---|
//! | 0–1 | phase | 0 closed, 1 open (half-open once `until` has passed), 2 half-open with probes out, 3 half-open on trial |
//! | 2–9 | consecutive | faults in a row while closed |
//! | 10–13 | reopenings | times re-opened since it was last closed; stops at 15 |
//! | 14–23 | generation | counts changes of phase; wraps |
//! | 24–63 | until | milliseconds of the clock: the end of the cool-down (0 when its probes came to nothing), or of the ramp; while probing, how many probes are out |
//!
//! A [`Ticket`] carries the generation it was made in, and what is told with an older one is ignored: a call that began
//! before the breaker opened says nothing about what happened since.

use crate::Chance;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// The share of its calls with which a deployment comes back: a tenth, as Envoy's slow start has it by default.
pub const RAMP_FROM: f64 = 0.1;

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Faults in a row that open it; taken as at least 1 and at most 255.
    pub failures: u32,
    /// How long it stays open the first time; see [`Jitter`].
    pub cooldown: Duration,
    /// What the cool-down may grow to by doubling.
    pub cooldown_max: Duration,
    /// Calls that a half-open one lets through at a time; taken as at least 1.
    pub probes: u32,
    /// So long after it has let ordinary calls through again it has its whole share of them.
    pub ramp: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            failures: 5,
            cooldown: Duration::from_secs(10),
            cooldown_max: Duration::from_secs(30),
            probes: 1,
            ramp: Duration::from_secs(10),
        }
    }
}

/// Chance for one cool-down, drawn before it is known whether there will be one. It takes away up to a fifth, so that
/// deployments that went out together, and gateways that saw them go, do not all probe in the same moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter(u32);

impl Jitter {
    /// Takes nothing away.
    pub const NONE: Jitter = Jitter(0);

    /// Drawn by chance.
    #[allow(clippy::cast_possible_truncation, reason = "the upper half is what is wanted")]
    pub fn drawn(chance: &mut dyn Chance) -> Self {
        Jitter((chance.next_u64() >> 32) as u32)
    }

    fn shorten(self, cooldown: Duration) -> Duration {
        let least = cooldown / 5 * 4;
        least + (cooldown - least).mul_f64(1.0 - f64::from(self.0) / (f64::from(u32::MAX) + 1.0))
    }
}

/// A change between two states, for whoever keeps a record of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it did with calls before.
    pub from: State,
    /// What it does from now on.
    pub to: State,
    /// Faults in a row that it counted when it opened.
    pub faults: u32,
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets them through.
    Closed,
    /// Refuses them.
    Open,
    /// Lets a few through at a time, to see; all of them once an answer has begun, until one has ended.
    HalfOpen,
}

impl State {
    /// The word used in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half_open",
        }
    }
}

/// Why a breaker refuses a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is open until then.
    Open(Moment),
    /// It is half-open and its probes are out.
    Probing,
}

/// The right to make one call. A probe's ticket must come back by [`Breaker::begun`], [`Breaker::succeeded`],
/// [`Breaker::faulted`], [`Breaker::trip`] or [`Breaker::abandoned`]; until then its place is taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    probe: bool,
}

impl Ticket {
    /// Whether this call is a probe of a half-open breaker.
    #[cfg(test)]
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }

    /// Nothing that is told with it counts any more. For one that has been settled, or it keeps its probe's place.
    pub(crate) fn void(&mut self) {
        *self = Ticket { generation: GENERATIONS, probe: false };
    }
}

const CLOSED: u64 = 0;
const OPEN: u64 = 1;
const PROBING: u64 = 2;
const ON_TRIAL: u64 = 3;
const MOST_CONSECUTIVE: u64 = (1 << 8) - 1;
const MOST_REOPENINGS: u64 = (1 << 4) - 1;
const GENERATIONS: u64 = 1 << 10;
const LATEST: u64 = (1 << 40) - 1;

/// The word, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    phase: u64,
    consecutive: u64,
    reopenings: u64,
    generation: u64,
    until: u64,
}

impl Word {
    fn unpack(bits: u64) -> Self {
        Word {
            phase: bits & 3,
            consecutive: bits >> 2 & MOST_CONSECUTIVE,
            reopenings: bits >> 10 & MOST_REOPENINGS,
            generation: bits >> 14 & (GENERATIONS - 1),
            until: bits >> 24,
        }
    }

    fn pack(self) -> u64 {
        self.phase | self.consecutive << 2 | self.reopenings << 10 | self.generation << 14 | self.until << 24
    }

    fn to_phase(self, phase: u64) -> Self {
        Word { phase, generation: (self.generation + 1) % GENERATIONS, ..self }
    }

    /// Lets ordinary calls through, from now on by degrees.
    fn returned(self, phase: u64, settings: &Settings, now: Moment) -> Self {
        let until = match self.phase {
            ON_TRIAL => self.until,
            _ if settings.ramp.is_zero() => 0,
            _ => millis(now + settings.ramp),
        };
        Word { until, ..self.to_phase(phase) }
    }

    fn closed(self, settings: &Settings, now: Moment) -> Self {
        Word { consecutive: 0, reopenings: 0, ..self.returned(CLOSED, settings, now) }
    }

    fn opened(self, reopenings: u64, settings: &Settings, now: Moment, jitter: Jitter) -> Self {
        let reopenings = reopenings.min(MOST_REOPENINGS);
        let doubled = settings.cooldown.saturating_mul(1 << reopenings);
        let cooldown = jitter.shorten(doubled.min(settings.cooldown_max.max(settings.cooldown)));
        Word { reopenings, until: millis(now + cooldown).max(1), ..self.to_phase(OPEN) }
    }

    fn until(self) -> Moment {
        Moment::from_nanos(self.until.saturating_mul(1_000_000))
    }

    fn cooling(self, now: Moment) -> bool {
        self.phase == OPEN && now < self.until()
    }

    /// The state as far as the word itself tells: that a cool-down is over shows when the first probe leaves.
    fn state(self) -> State {
        match self.phase {
            CLOSED => State::Closed,
            OPEN if self.until > 0 => State::Open,
            _ => State::HalfOpen,
        }
    }
}

/// Rounded up: a moment that the word names is never before the one that was meant.
fn millis(moment: Moment) -> u64 {
    moment.as_nanos().div_ceil(1_000_000).min(LATEST)
}

/// See the module's own text.
#[derive(Debug, Default)]
pub struct Breaker(AtomicU64);

impl Breaker {
    /// What it does with calls now.
    pub fn state(&self, now: Moment) -> State {
        let word = self.word();
        match word.phase {
            CLOSED => State::Closed,
            OPEN if word.cooling(now) => State::Open,
            _ => State::HalfOpen,
        }
    }

    /// Faults in a row: of a closed breaker those so far, of an open one those that opened it.
    pub fn consecutive(&self) -> u32 {
        u32::try_from(self.word().consecutive).unwrap_or(u32::MAX)
    }

    /// The share of its calls that it is to have while it comes back; `None` when that is all of them, and while it
    /// refuses calls.
    pub fn share(&self, ramp: Duration, now: Moment) -> Option<f64> {
        let word = self.word();
        let ramping = matches!(word.phase, CLOSED | ON_TRIAL) && word.until > 0 && now < word.until();
        ramping.then(|| {
            let left = word.until().since(now).as_secs_f64() / ramp.as_secs_f64().max(1e-3);
            (1.0 - left).clamp(RAMP_FROM, 1.0)
        })
    }

    /// Why a call would be refused now; `None` when it would not. Changes nothing.
    pub fn refusal(&self, probes: u32, now: Moment) -> Option<Refusal> {
        refusal(self.word(), probes, now)
    }

    /// Lets a call through, as a probe when the breaker is half-open; or says why not.
    ///
    /// # Errors
    /// The refusal.
    pub fn enter(&self, probes: u32, now: Moment) -> Result<(Ticket, Option<Change>), Refusal> {
        let (mut refused, mut after) = (None, None);
        let before = self.change(|word| {
            refused = refusal(word, probes, now);
            after = match word.phase {
                _ if refused.is_some() => None,
                OPEN => Some(Word { until: 1, ..word.to_phase(PROBING) }),
                PROBING => Some(Word { until: word.until + 1, ..word }),
                _ => None,
            };
            after
        });
        match (refused, after) {
            (Some(refusal), _) => Err(refusal),
            (None, Some(after)) => {
                Ok((Ticket { generation: after.generation, probe: true }, changed(before, after)))
            }
            (None, None) => Ok((Ticket { generation: before.generation, probe: false }, None)),
        }
    }

    /// Lets a call through whatever the state, as a probe when one may leave. For traffic that has nowhere else to go.
    pub fn enter_anyway(&self, probes: u32, now: Moment) -> (Ticket, Option<Change>) {
        self.enter(probes, now)
            .unwrap_or_else(|_| (Ticket { generation: self.word().generation, probe: false }, None))
    }

    /// The answer to the call of this ticket has begun; its end will be told as well. Lets everybody through a breaker
    /// that is not closed, on trial.
    pub fn begun(&self, ticket: &mut Ticket, settings: &Settings, now: Moment) -> Option<Change> {
        self.settle(ticket, |word, _| match word.phase {
            CLOSED | ON_TRIAL => None,
            _ => Some(word.returned(ON_TRIAL, settings, now)),
        })
    }

    /// The call of this ticket was answered, to the end. Closes a breaker that is not closed.
    pub fn succeeded(&self, ticket: &mut Ticket, settings: &Settings, now: Moment) -> Option<Change> {
        self.settle(ticket, |word, _| match word.phase {
            CLOSED => (word.consecutive > 0).then_some(Word { consecutive: 0, ..word }),
            _ => Some(word.closed(settings, now)),
        })
    }

    /// The call of this ticket ended in a fault of the deployment.
    pub fn faulted(
        &self,
        ticket: &mut Ticket,
        settings: &Settings,
        now: Moment,
        jitter: Jitter,
    ) -> Option<Change> {
        self.went_wrong(ticket, settings, now, jitter, |word| one_fault_more(word, settings, now, jitter))
    }

    /// The call of this ticket showed that every other would end the same way: opens at once.
    pub fn trip(
        &self,
        ticket: &mut Ticket,
        settings: &Settings,
        now: Moment,
        jitter: Jitter,
    ) -> Option<Change> {
        self.went_wrong(ticket, settings, now, jitter, |word| word.opened(0, settings, now, jitter))
    }

    /// What a bad end makes of a closed breaker is for `closed` to say; one that was half-open opens again.
    fn went_wrong(
        &self,
        ticket: &mut Ticket,
        settings: &Settings,
        now: Moment,
        jitter: Jitter,
        closed: impl Fn(Word) -> Word,
    ) -> Option<Change> {
        self.settle(ticket, |word, probe| match word.phase {
            CLOSED => Some(closed(word)),
            _ if on_probe(word, probe) => Some(word.opened(word.reopenings + 1, settings, now, jitter)),
            _ => None,
        })
    }

    /// The call of this ticket ended without saying anything about the deployment. The next call may be the probe.
    pub fn abandoned(&self, ticket: &mut Ticket) {
        let held = ticket.probe;
        self.settle(ticket, |word, probe| match (word.phase, word.until) {
            (PROBING, 2..) if probe => Some(Word { until: word.until - 1, ..word }),
            (PROBING, _) if probe => Some(Word { until: 0, ..word.to_phase(OPEN) }),
            _ => None,
        });
        if held {
            ticket.probe = false; // its place is free, and only once
        }
    }

    /// The result of a check that is not a client's call. A good one ends the cool-down, so that the next call probes;
    /// it neither closes the breaker nor forgets faults, since a server may pass its check and fail every call. A bad
    /// one counts as a fault.
    pub fn checked(&self, ok: bool, settings: &Settings, now: Moment, jitter: Jitter) -> Option<Change> {
        let mut after = None;
        let before = self.change(|word| {
            after = match (word.phase, ok) {
                (CLOSED, false) => Some(one_fault_more(word, settings, now, jitter)),
                (OPEN, true) if word.cooling(now) => Some(Word { until: 0, ..word }),
                (ON_TRIAL, false) => Some(word.opened(word.reopenings + 1, settings, now, jitter)),
                (OPEN, false) if !word.cooling(now) => {
                    Some(word.opened(word.reopenings + 1, settings, now, jitter))
                }
                _ => None,
            };
            after
        });
        after.and_then(|after| changed(before, after))
    }

    fn word(&self) -> Word {
        Word::unpack(self.0.load(Relaxed))
    }

    /// Applies `f` until it is not overtaken, and gives the word it was last applied to. `None` stores nothing: the
    /// common case, a success on a closed breaker, leaves the cache line shared between cores.
    fn change(&self, mut f: impl FnMut(Word) -> Option<Word>) -> Word {
        let mut bits = self.0.load(Relaxed);
        loop {
            let word = Word::unpack(bits);
            let Some(next) = f(word) else { return word };
            match self.0.compare_exchange_weak(bits, next.pack(), Relaxed, Relaxed) {
                Ok(_) => return word,
                Err(newer) => bits = newer,
            }
        }
    }

    /// Applies `f` if the ticket is of the present generation. Afterwards the ticket is an ordinary one of the
    /// generation it brought about, so that a call may first be answered and later still turn out to be cut short.
    fn settle(&self, ticket: &mut Ticket, f: impl Fn(Word, bool) -> Option<Word>) -> Option<Change> {
        let mut after = None;
        let before = self.change(|word| {
            after = None;
            if word.generation != ticket.generation {
                return None;
            }
            after = f(word, ticket.probe);
            after
        });
        let after = after?;
        if after.generation != ticket.generation {
            ticket.probe = false;
        }
        ticket.generation = after.generation;
        changed(before, after)
    }
}

fn changed(before: Word, after: Word) -> Option<Change> {
    let (from, to) = (before.state(), after.state());
    let faults = u32::try_from(after.consecutive).unwrap_or(u32::MAX);
    (from != to).then_some(Change { from, to, faults })
}

fn refusal(word: Word, probes: u32, now: Moment) -> Option<Refusal> {
    match word.phase {
        CLOSED | ON_TRIAL => None,
        OPEN => word.cooling(now).then(|| Refusal::Open(word.until())),
        _ => (word.until >= u64::from(probes.max(1))).then_some(Refusal::Probing),
    }
}

/// Whether the end of this call decides about a half-open breaker: that of a probe, or, on trial, anybody's.
fn on_probe(word: Word, probe: bool) -> bool {
    word.phase == ON_TRIAL || word.phase == PROBING && probe
}

fn one_fault_more(word: Word, settings: &Settings, now: Moment, jitter: Jitter) -> Word {
    let consecutive = (word.consecutive + 1).min(MOST_CONSECUTIVE);
    let word = Word { consecutive, ..word };
    let failures = u64::from(settings.failures).clamp(1, MOST_CONSECUTIVE);
    if consecutive >= failures { word.opened(0, settings, now, jitter) } else { word }
}

#[cfg(test)]
mod tests;
