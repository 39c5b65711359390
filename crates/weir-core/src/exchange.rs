//! The record of one request's whole life, as telemetry reads it when the request has ended.

use crate::{Class, Cost, Endpoint, RequestId, TraceContext, Usage};
use std::time::{Duration, SystemTime};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A complete answer reached the client.
    Answered,
    /// The request failed; the class says of what.
    Failed(Class),
    /// The client hung up first.
    ClientGone,
}

impl Outcome {
    /// The word used in logs and metric labels: `ok`, `client_gone`, or the fault's class.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Answered => "ok",
            Outcome::ClientGone => "client_gone",
            Outcome::Failed(class) => class.name(),
        }
    }
}

/// One upstream call of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The deployment that was called.
    pub deployment: &'a str,
    /// Why this call was made.
    pub cause: AttemptCause,
    /// What went wrong; `None` when it answered.
    pub fault: Option<Class>,
    /// What it cost, whether its answer was of use or not.
    pub cost: Cost,
    /// What it cost is not, or not wholly, known, since its deployment has no price for what it took.
    pub cost_unknown: bool,
    /// It was cancelled because a call beside it answered first.
    pub aborted: bool,
    /// Events of its stream that were left out, since nobody could read them.
    pub left_out: u32,
}

/// Why an upstream call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptCause {
    /// The first call of the request.
    First,
    /// Another call in the same route.
    Retry,
    /// The first call in another route.
    Fallback,
    /// To complete an answer that broke off after its beginning had reached the client.
    Continuation,
    /// A second call beside one that had not answered by then.
    Hedge,
}

impl AttemptCause {
    /// The word used in logs and metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            AttemptCause::First => "first",
            AttemptCause::Retry => "retry",
            AttemptCause::Fallback => "fallback",
            AttemptCause::Continuation => "continuation",
            AttemptCause::Hedge => "hedge",
        }
    }
}

/// Why nothing was called for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitCause {
    /// Everyone had failed: a random pause before one is called again.
    Backoff,
    /// A deployment asked not to be called before then.
    RetryAfter,
    /// Every deployment was full.
    Queue,
}

impl WaitCause {
    /// The word used in logs.
    pub const fn name(self) -> &'static str {
        match self {
            WaitCause::Backoff => "backoff",
            WaitCause::RetryAfter => "retry_after",
            WaitCause::Queue => "queue",
        }
    }
}

/// A pause of one request in which nothing was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Why.
    pub cause: WaitCause,
    /// When it began, since the request's head.
    pub after: Duration,
    /// How long it was to last.
    pub lasted: Duration,
}

/// A route and a deployment by their places in one snapshot: names the same two for as long as the snapshot lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Counts snapshots.
    pub generation: u64,
    /// The route's place.
    pub route: u32,
    /// The deployment's place.
    pub deployment: u32,
}

/// What the time of one call went into: the one that answered, or was tried last. Its parts follow each other; what is
/// missing beside the total is Weir's own share and, of failed calls, the wait in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Looking up the upstream's name and opening a connection; zero where one was there.
    pub connect: Duration,
    /// Agreeing on encryption; zero where a connection was there.
    pub tls: Duration,
    /// Waiting until the upstream took the whole request; zero where it left in one go.
    pub send: Duration,
    /// From then to the head of the answer; `None` when there was none.
    pub first_byte: Option<Duration>,
    /// From the first token of a stream to its end; `None` without both.
    pub generation: Option<Duration>,
}

/// Everything known about one ended request. Borrowed: the names belong to the snapshot the request began with.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// The id the client got as `x-request-id`.
    pub id: RequestId,
    /// The trace and the span of this request.
    pub trace: TraceContext,
    /// The caller's span, when it sent one.
    pub parent_span: Option<u64>,
    /// Wall-clock time at which the request's head was read.
    pub started_at: SystemTime,
    /// What was asked; `None` when the request failed before that was known.
    pub endpoint: Option<Endpoint>,
    /// The method of a request that is no call to a model (bounded, never a metric label).
    pub method: Option<&'a str>,
    /// The path of such a request, without its query, in which keys may stand (bounded, never a metric label).
    pub path: Option<&'a str>,
    /// The model the client asked for, as it wrote it (bounded, never a metric label).
    pub model: Option<&'a str>,
    /// The name of the key that was presented.
    pub key: Option<&'a str>,
    /// The route that served the request.
    pub route: Option<&'a str>,
    /// The deployment that answered, or was tried last.
    pub deployment: Option<&'a str>,
    /// Where those two stand in their snapshot, for whoever keeps something for each such pair.
    pub pair: Option<Pair>,
    /// That deployment's provider.
    pub provider: Option<&'a str>,
    /// The upstream model of that deployment.
    pub served_model: Option<&'a str>,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status the client got.
    pub status: u16,
    /// The stable error code the client got.
    pub code: Option<&'a str>,
    /// What really went wrong, for the log only.
    pub cause: Option<&'a str>,
    /// Every upstream call, in order.
    pub attempts: &'a [Attempt<'a>],
    /// Tokens of the answer, and of what was generated in attempts at it that broke off.
    pub usage: Option<Usage>,
    /// What all attempts cost.
    pub cost: Cost,
    /// Of an attempt that is not, or not wholly, known: they cost more than `cost`, and nobody knows how much.
    pub cost_unknown: bool,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// From the request's head to the end of the response.
    pub total: Duration,
    /// From the request's head to the first token (of streams only).
    pub first_token: Option<Duration>,
    /// Mean time between two tokens of a stream, the first one left out.
    pub inter_token: Option<Duration>,
    /// What the latest call's time went into.
    pub phases: Phases,
    /// Time spent waiting for a place, since every deployment was full.
    pub queued: Duration,
    /// The pauses between its calls, the first [`Exchange::MOST_WAITS`] of them.
    pub waits: &'a [Wait],
    /// What of the call the deployment that answered could not be told, named in the client's words (bounded).
    pub dropped: Option<&'a str>,
    /// Time spent in Weir itself: total less waiting for the client's body and for upstreams.
    pub overhead: Duration,
}

impl Exchange<'_> {
    /// So many pauses are kept.
    pub const MOST_WAITS: usize = 8;

    /// Calls beyond the first in the same route.
    pub fn retries(&self) -> usize {
        self.attempts.iter().filter(|a| a.cause == AttemptCause::Retry).count()
    }

    /// Calls beside another that had not answered by then.
    pub fn hedges(&self) -> usize {
        self.attempts.iter().filter(|a| a.cause == AttemptCause::Hedge).count()
    }

    /// Moves to another route.
    pub fn fallbacks(&self) -> usize {
        self.attempts.iter().filter(|a| a.cause == AttemptCause::Fallback).count()
    }
}
