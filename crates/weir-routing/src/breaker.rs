//! The breaker of one deployment: lets calls through, refuses them, or lets one probe through at a time.
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
//! last for minutes, though, so a half-open breaker does not keep everybody waiting for the end of its probe: once the
//! probe's answer has begun it is *on trial* and lets all calls through. The first of them that ends well closes it, the
//! first fault opens it again.
//!
//! Everything is one 64-bit word, changed by compare-and-swap, so readers on other cores never see half a change and
//! relaxed ordering is enough: the word guards no other memory.
//!
//! | bits | field | |
//! |---|---|---|
//! | 0–1 | phase | 0 closed, 1 open (half-open once `until` has passed), 2 half-open with its probe out, 3 half-open on trial |
//! | 2–9 | consecutive | faults in a row while closed |
//! | 10–13 | reopenings | times re-opened since it was last closed; stops at 15 |
//! | 14–23 | generation | counts changes of phase; wraps |
//! | 24–63 | until | milliseconds of the clock at which the cool-down is over; 34 years |
//!
//! A [`Ticket`] carries the generation it was made in, and what is told with an older one is ignored: a call that began
//! before the breaker opened says nothing about what happened since.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use weir_core::Moment;

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Faults in a row that open it; taken as at least 1 and at most 255.
    pub failures: u32,
    /// How long it stays open the first time.
    pub cooldown: Duration,
    /// What the cool-down may grow to by doubling.
    pub cooldown_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { failures: 5, cooldown: Duration::from_secs(10), cooldown_max: Duration::from_secs(30) }
    }
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets them through.
    Closed,
    /// Refuses them.
    Open,
    /// Lets one through at a time, to see; all of them once that one's answer has begun, until one has ended.
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
    /// It is half-open and its probe is out.
    Probing,
}

/// The right to make one call. A probe's ticket must come back by [`Breaker::begun`], [`Breaker::succeeded`],
/// [`Breaker::faulted`], [`Breaker::trip`] or [`Breaker::abandoned`]; until then no other probe leaves.
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    probe: bool,
}

impl Ticket {
    /// Whether this call is the half-open breaker's probe.
    #[cfg(test)]
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
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

    fn closed(self) -> Self {
        Word { consecutive: 0, reopenings: 0, until: 0, ..self.to_phase(CLOSED) }
    }

    fn opened(self, reopenings: u64, settings: &Settings, now: Moment) -> Self {
        let reopenings = reopenings.min(MOST_REOPENINGS);
        let doubled = settings.cooldown.saturating_mul(1 << reopenings);
        let cooldown = doubled.min(settings.cooldown_max.max(settings.cooldown));
        let until = (now + cooldown).as_nanos().div_ceil(1_000_000).min(LATEST);
        Word { reopenings, until, ..self.to_phase(OPEN) }
    }

    fn until(self) -> Moment {
        Moment::from_nanos(self.until.saturating_mul(1_000_000))
    }

    fn cooling(self, now: Moment) -> bool {
        self.phase == OPEN && now < self.until()
    }
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

    /// How often its phase has changed; wraps. For whoever looks now and then and must not miss that a breaker opened and
    /// closed in between.
    pub fn changes(&self) -> u64 {
        self.word().generation
    }

    /// Faults in a row: of a closed breaker those so far, of an open one those that opened it.
    pub fn consecutive(&self) -> u32 {
        u32::try_from(self.word().consecutive).unwrap_or(u32::MAX)
    }

    /// Why a call would be refused now; `None` when it would not. Changes nothing.
    pub fn refusal(&self, now: Moment) -> Option<Refusal> {
        refusal(self.word(), now)
    }

    /// Lets a call through, as the probe when the breaker is half-open; or says why not.
    pub fn enter(&self, now: Moment) -> Result<Ticket, Refusal> {
        let mut refused = None;
        let before = self.change(|word| {
            refused = refusal(word, now);
            (refused.is_none() && word.phase == OPEN).then(|| word.to_phase(PROBING))
        });
        match refused {
            Some(refusal) => Err(refusal),
            None if before.phase == OPEN => {
                Ok(Ticket { generation: before.to_phase(PROBING).generation, probe: true })
            }
            None => Ok(Ticket { generation: before.generation, probe: false }),
        }
    }

    /// Lets a call through whatever the state, as the probe when one may leave. For traffic that has nowhere else to go.
    pub fn enter_anyway(&self, now: Moment) -> Ticket {
        self.enter(now).unwrap_or_else(|_| Ticket { generation: self.word().generation, probe: false })
    }

    /// The answer to the call of this ticket has begun; its end will be told as well. Lets everybody through a breaker
    /// that is not closed, on trial.
    pub fn begun(&self, ticket: &mut Ticket) {
        self.settle(ticket, |word, _| match word.phase {
            CLOSED | ON_TRIAL => None,
            _ => Some(word.to_phase(ON_TRIAL)),
        });
    }

    /// The call of this ticket was answered, to the end. Closes a breaker that is not closed.
    pub fn succeeded(&self, ticket: &mut Ticket) {
        self.settle(ticket, |word, _| match word.phase {
            CLOSED => (word.consecutive > 0).then_some(Word { consecutive: 0, ..word }),
            _ => Some(word.closed()),
        });
    }

    /// The call of this ticket ended in a fault of the deployment.
    pub fn faulted(&self, ticket: &mut Ticket, settings: &Settings, now: Moment) {
        self.settle(ticket, |word, probe| match word.phase {
            CLOSED => Some(one_fault_more(word, settings, now)),
            _ if on_probe(word, probe) => Some(word.opened(word.reopenings + 1, settings, now)),
            _ => None,
        });
    }

    /// The call of this ticket showed that every other would end the same way: opens at once.
    pub fn trip(&self, ticket: &mut Ticket, settings: &Settings, now: Moment) {
        self.settle(ticket, |word, probe| match word.phase {
            CLOSED => Some(word.opened(0, settings, now)),
            _ if on_probe(word, probe) => Some(word.opened(word.reopenings + 1, settings, now)),
            _ => None,
        });
    }

    /// The call of this ticket ended without saying anything about the deployment. The next call may be the probe.
    pub fn abandoned(&self, ticket: &mut Ticket) {
        self.settle(ticket, |word, probe| (word.phase == PROBING && probe).then(|| word.to_phase(OPEN)));
    }

    /// The result of a check that is not a client's call. A good one ends the cool-down, so that the next call probes;
    /// it neither closes the breaker nor forgets faults, since a server may pass its check and fail every call. A bad
    /// one counts as a fault.
    pub fn checked(&self, ok: bool, settings: &Settings, now: Moment) {
        self.change(|word| match (word.phase, ok) {
            (CLOSED, false) => Some(one_fault_more(word, settings, now)),
            (OPEN, true) if word.cooling(now) => {
                Some(Word { until: (now.as_nanos() / 1_000_000).min(LATEST), ..word })
            }
            (ON_TRIAL, false) => Some(word.opened(word.reopenings + 1, settings, now)),
            (OPEN, false) if !word.cooling(now) => Some(word.opened(word.reopenings + 1, settings, now)),
            _ => None,
        });
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
    fn settle(&self, ticket: &mut Ticket, f: impl Fn(Word, bool) -> Option<Word>) {
        let mut after = None;
        self.change(|word| {
            after = None;
            if word.generation != ticket.generation {
                return None;
            }
            after = f(word, ticket.probe);
            after
        });
        if let Some(after) = after {
            if after.generation != ticket.generation {
                ticket.probe = false;
            }
            ticket.generation = after.generation;
        }
    }
}

fn refusal(word: Word, now: Moment) -> Option<Refusal> {
    match word.phase {
        CLOSED | ON_TRIAL => None,
        OPEN => word.cooling(now).then(|| Refusal::Open(word.until())),
        _ => Some(Refusal::Probing),
    }
}

/// Whether the end of this call decides about a half-open breaker: that of the probe, or, on trial, anybody's.
fn on_probe(word: Word, probe: bool) -> bool {
    word.phase == ON_TRIAL || word.phase == PROBING && probe
}

fn one_fault_more(word: Word, settings: &Settings, now: Moment) -> Word {
    let consecutive = (word.consecutive + 1).min(MOST_CONSECUTIVE);
    let word = Word { consecutive, ..word };
    let failures = u64::from(settings.failures).clamp(1, MOST_CONSECUTIVE);
    if consecutive >= failures { word.opened(0, settings, now) } else { word }
}

#[cfg(test)]
mod tests;
