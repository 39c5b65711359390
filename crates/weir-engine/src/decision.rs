//! What was decided for a request, and why: the rules, the plans, the calls, the end.
//!
//! A request fills in its `Entry` as it travels, and its core keeps that in a `Book` when it has ended. Numbers and
//! places only: names are looked up, and anything is rendered, when somebody asks ([`Found`]). Entries are used again,
//! so a request asks for no memory for its own.

mod book;
mod follow;
mod names;
mod search;
mod shown;

pub(crate) use book::Book;
pub(crate) use names::Names;
pub use search::{Found, Listed, Query, Unknown};
pub(crate) use shown::shown;

use crate::choose::Place;
use crate::record::Tried;
use smallvec::{Array, SmallVec};
use std::borrow::Cow;
use std::time::{Duration, SystemTime};
use weir_core::exchange::{Exchange, WaitCause};
use weir_core::{Cost, Endpoint, Moment, Outcome, RequestId, Task, Usage};
use weir_routing::{Candidate, Figure, Reason};

/// Bounds of one entry; what is beyond them is counted.
const MOST_STEPS: usize = 8;
const MOST_PLANS: usize = 4;
const MOST_CANDIDATES: usize = 16;
const MOST_DROPPED: usize = 16;
const MOST_ATTEMPTS: usize = 8;
const MOST_WAITS: usize = Exchange::MOST_WAITS;

/// A time since a request began, or between two events of it, in microseconds; up to 71 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Micros(u32);

impl Micros {
    pub(crate) fn of(time: Duration) -> Self {
        Micros(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))
    }

    /// Of a figure that is kept in seconds.
    pub(crate) fn of_seconds(seconds: f64) -> Self {
        Micros::of(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
    }

    fn millis(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    fn since(self, earlier: Micros) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

/// The rules of one route have been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) route: u32,
    /// The first that held; `None` when none did.
    pub(crate) rule: Option<u32>,
}

/// One plan. Its candidates and those it dropped follow those of the plan before in the entry's lists.
#[derive(Clone, Copy, Debug)]
struct Planned {
    place: Place,
    /// For the n-th fallback of the route.
    fallback: Option<u16>,
    at: Moment,
    /// The policy, when the request asked for another than the pool's.
    policy: Option<&'static str>,
    candidates: u16,
    dropped: u16,
}

/// A candidate of a plan, and what it looked like then.
#[derive(Clone, Copy, Debug)]
struct Weighed {
    reason: Reason,
    figure: Slim,
    deployment: u32,
    in_flight: u32,
    /// The 95th percentile of the latency that counts, over the last minute; zero when there is none.
    p95: Micros,
}

impl Weighed {
    fn new(candidate: &Candidate, in_flight: u32, p95: Micros) -> Self {
        let Candidate { deployment, reason, figure } = *candidate;
        Weighed { reason, figure: figure.into(), deployment, in_flight, p95 }
    }
}

/// A [`Figure`] in half of its room: costs up to 18 million USD, in pico-USD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slim {
    None,
    Latency(Micros),
    Busy(Micros),
    Cost(u64),
    Budget(Option<u16>, u64),
    Chance(Option<u16>),
    Quality(u32, u64),
    Rated(u32),
    Score(u32),
    Cached(u32, Micros),
}

impl From<Figure> for Slim {
    fn from(figure: Figure) -> Self {
        let pico = |cost: Cost| u64::try_from(cost.pico_usd().max(0)).unwrap_or(u64::MAX);
        match figure {
            Figure::None => Slim::None,
            Figure::Latency(time) => Slim::Latency(Micros::of(time)),
            Figure::Busy(work) => Slim::Busy(Micros::of(work)),
            Figure::Cost(cost) => Slim::Cost(pico(cost)),
            Figure::Budget(chance, cost) => Slim::Budget(chance, pico(cost)),
            Figure::Chance(chance) => Slim::Chance(chance),
            Figure::Quality(quality, cost) => Slim::Quality(quality, pico(cost)),
            Figure::Rated(quality) => Slim::Rated(quality),
            Figure::Score(score) => Slim::Score(score),
            Figure::Cached(tokens, first) => {
                Slim::Cached(u32::try_from(tokens).unwrap_or(u32::MAX), Micros::of(first))
            }
        }
    }
}

/// A pause between two calls.
#[derive(Clone, Copy, Debug)]
struct Waited {
    at: Micros,
    lasted: Micros,
    why: WaitCause,
}

/// What it asked for by headers, as far as the route allowed that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct AskedFor {
    no_fallback: bool,
    /// A session of its own.
    session: bool,
    /// Regions it may be served in.
    regions: bool,
    /// For the first token, whatever the policy's is for.
    of_first: bool,
    budget: Option<Micros>,
    /// In pico-USD.
    max_cost: Option<u64>,
    policy: Option<&'static str>,
    task: Option<Task>,
}

/// What is known when the first plan is made.
#[derive(Clone, Copy, Debug)]
struct Head {
    id: RequestId,
    /// Of the snapshot that all places are of.
    generation: u64,
    at: SystemTime,
    began: Moment,
    endpoint: Option<Endpoint>,
    /// By its place among the names that may be asked for.
    model: Option<u32>,
    key: Option<u32>,
    /// The route that was asked for.
    route: u32,
    streamed: bool,
    dry_run: bool,
    prompt_tokens: u64,
    output_tokens: Option<u64>,
    hinted: AskedFor,
}

/// How it ended.
#[derive(Clone, Debug)]
struct End {
    outcome: Outcome,
    status: u16,
    code: Option<Cow<'static, str>>,
    /// The route that served it.
    route: Option<u32>,
    usage: Option<Usage>,
    cost: Cost,
    cost_unknown: bool,
    total: Micros,
    first_token: Option<Micros>,
    predicted: Option<Micros>,
    overhead: Micros,
    /// The call whose answer was given when it was not the last one, by its place among all.
    answered_by: Option<u32>,
}

/// The record of one decision.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    head: Head,
    /// `None` while the request runs.
    end: Option<End>,
    steps: SmallVec<[Step; 1]>,
    plans: SmallVec<[Planned; 1]>,
    candidates: SmallVec<[Weighed; 3]>,
    dropped: SmallVec<[(u32, Reason); 1]>,
    attempts: SmallVec<[Tried; 1]>,
    waits: SmallVec<[Waited; 1]>,
    /// So many lines more there would have been.
    left_out: u32,
    /// Where it stands among the requests that run.
    place: usize,
}

impl Entry {
    fn new() -> Self {
        let head = Head {
            id: RequestId::from_random(0),
            generation: 0,
            at: SystemTime::UNIX_EPOCH,
            began: Moment::START,
            endpoint: None,
            model: None,
            key: None,
            route: 0,
            streamed: false,
            dry_run: false,
            prompt_tokens: 0,
            output_tokens: None,
            hinted: AskedFor::default(),
        };
        Entry {
            head,
            end: None,
            steps: SmallVec::new(),
            plans: SmallVec::new(),
            candidates: SmallVec::new(),
            dropped: SmallVec::new(),
            attempts: SmallVec::new(),
            waits: SmallVec::new(),
            left_out: 0,
            place: 0,
        }
    }

    /// Begins anew, in the memory there is.
    fn begin(&mut self, head: Head, steps: &[Step]) {
        self.head = head;
        self.end = None;
        refill(&mut self.steps, steps.get(..MOST_STEPS).unwrap_or(steps));
        self.plans.clear();
        self.candidates.clear();
        self.dropped.clear();
        self.attempts.clear();
        self.waits.clear();
        self.left_out = 0;
    }

    /// The calls so far; of many the first ones, the one that counts, and the last.
    fn attempted(&mut self, attempts: &[Tried], counts: usize) {
        const FIRST: usize = MOST_ATTEMPTS - 2;
        self.attempts.clear();
        if attempts.len() <= MOST_ATTEMPTS {
            return self.attempts.extend(attempts.iter().cloned());
        }
        let last = attempts.len() - 1;
        let middle = if (FIRST..last).contains(&counts) { counts } else { FIRST };
        self.attempts.extend((0..FIRST).chain([middle, last]).filter_map(|nth| attempts.get(nth)).cloned());
    }

    /// How many calls there were, kept or not.
    fn calls(&self) -> usize {
        self.attempts.last().map_or(0, |last| last.nth as usize + 1)
    }

    /// Each plan with its candidates and those it dropped.
    fn plans(&self) -> impl Iterator<Item = (&Planned, &[Weighed], &[(u32, Reason)])> {
        let (mut candidates, mut dropped) = (&*self.candidates, &*self.dropped);
        self.plans.iter().map(move |plan| {
            let (mine, others) = candidates.split_at(candidates.len().min(usize::from(plan.candidates)));
            let (out, rest) = dropped.split_at(dropped.len().min(usize::from(plan.dropped)));
            (candidates, dropped) = (others, rest);
            (plan, mine, out)
        })
    }

    /// Where each plan is for.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.plans.iter().map(|plan| plan.place)
    }

    /// Whether there is a plan for the n-th fallback.
    pub(crate) fn has_planned(&self, fallback: usize) -> bool {
        self.plans.iter().any(|plan| plan.fallback.is_some_and(|known| usize::from(known) == fallback))
    }

    /// Whether it is kept longer than most, whatever chance says.
    fn is_special(&self) -> bool {
        let fine = matches!(&self.end, Some(end) if end.outcome == Outcome::Answered);
        !fine || self.attempts.len() > 1 || self.plans.len() > 1 && !self.head.dry_run
    }
}

fn refill<A: Array>(into: &mut SmallVec<A>, from: &[A::Item])
where
    A::Item: Copy,
{
    into.clear();
    into.extend_from_slice(from);
}

#[cfg(test)]
mod tests;
