//! The exchange while it lasts: filled in along the line, read once when it ends.

use crate::core::{Core, Snapshot};
use crate::decision::{Entry, Micros};
use http::HeaderName;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};
use weir_core::exchange::{Attempt, AttemptCause, Pair, Phases, Wait};
use weir_core::money::Charge;
use weir_core::{Class, Cost, Endpoint, Exchange, Fault, Moment, Outcome, RequestId, TraceContext, Usage};
use weir_routing::Lease;
use weir_routing::windows::{Sample, Size};
use weir_wire::Headers;
use weir_wire::format::Format;
use weir_wire::format::chat::Chat;

/// W3C trace context, in and out.
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The model a client asked for: one of ours, or the beginning of what it wrote.
pub(crate) enum Asked {
    /// Index in the snapshot's list of models.
    Known(usize),
    /// A name nobody serves, cut to 128 characters.
    Unknown(Box<str>),
}

/// Where a request went that is no call to a model, cut to what a log line may hold. Without its query: keys may stand
/// there.
#[derive(Debug)]
pub struct Address {
    method: Box<str>,
    path: Box<str>,
}

impl Address {
    /// Of a request to `path`, given without its query.
    pub fn new(method: &str, path: &str) -> Box<Address> {
        let cut = |text: &str, most| text.chars().take(most).collect();
        Box::new(Address { method: cut(method, 16), path: cut(path, 256) })
    }
}

/// One upstream call.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// Its place among the attempts of the request.
    pub(crate) nth: u32,
    pub(crate) deployment: usize,
    pub(crate) cause: AttemptCause,
    pub(crate) fault: Option<Class>,
    /// What it has cost, as far as that is known.
    pub(crate) cost: Cost,
    /// Its deployment has no price for what it took.
    pub(crate) cost_unknown: bool,
    /// It was cancelled because a call beside it answered first.
    pub(crate) aborted: bool,
    /// The status and the error code that a client would get for its fault.
    pub(crate) status: u16,
    pub(crate) code: Option<Cow<'static, str>>,
    /// When its deployment may be called again, if that asked not to be before.
    pub(crate) ready: Option<Moment>,
    pub(crate) times: Times,
}

/// When what of a call happened, since its request began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) began: Micros,
    /// How long it took to set up a connection; zero where one was there.
    pub(crate) connect: Micros,
    /// The head of its answer.
    pub(crate) first_byte: Option<Micros>,
    pub(crate) ended: Option<Micros>,
}

impl Tried {
    /// A call that begins now.
    pub(crate) fn new(record: &Record, deployment: usize, cause: AttemptCause) -> Self {
        let began = Micros::of(record.clock.saturating_duration_since(record.started));
        Tried {
            nth: u32::try_from(record.attempts.len()).unwrap_or(u32::MAX),
            deployment,
            cause,
            fault: None,
            cost: Cost::ZERO,
            cost_unknown: false,
            aborted: false,
            status: 0,
            code: None,
            ready: None,
            times: Times { began, ..Times::default() },
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be answered.
    Serve,
    /// To be told what would be done with it; else a request like any other.
    DryRun,
    /// The same, for the operator: no request at all, and recorded nowhere.
    Explain,
}

impl Purpose {
    /// Whether nothing is carried out.
    pub(crate) fn is_tentative(self) -> bool {
        self != Purpose::Serve
    }

    /// Whether it is counted, logged and kept.
    pub(crate) fn is_recorded(self) -> bool {
        self != Purpose::Explain
    }
}

/// A call to a deployment: what its latency is to be judged by.
#[derive(Clone, Copy)]
pub(crate) struct Called {
    /// When it began; of a call that had to open a connection, when that stood: no model is slow because a network is.
    pub(crate) sent: Instant,
    /// What was known of it then.
    pub(crate) size: Size,
    /// How long its first token, or its answer when that is no stream, was expected to take.
    pub(crate) predicted: Option<Duration>,
    /// Which of its provider's credentials it is made with.
    pub(crate) credential: usize,
}

/// The record of one request. It travels with the request, then with the response's body, and is written when it is
/// dropped: completion, a client that hangs up and a panic all end here.
pub(crate) struct Record {
    pub(crate) core: Rc<Core>,
    pub(crate) snapshot: Rc<Snapshot>,
    pub(crate) purpose: Purpose,
    /// What was decided for it, once there was a plan. Among its core's records all the time.
    pub(crate) decision: Option<Rc<RefCell<Entry>>>,
    pub(crate) id: RequestId,
    /// Our span in the caller's trace, or in one of our own.
    pub(crate) trace: TraceContext,
    parent_span: Option<u64>,
    pub(crate) started_at: SystemTime,
    pub(crate) started: Instant,
    /// When the clock was last looked at: near enough for everything that follows without a wait.
    pub(crate) clock: Instant,
    /// The same as the decision side counts time.
    moment: Moment,
    pub(crate) endpoint: Option<Endpoint>,
    /// The format in which the client is told what is wrong.
    pub(crate) client: &'static dyn Format,
    pub(crate) address: Option<Box<Address>>,
    pub(crate) asked: Option<Asked>,
    pub(crate) key: Option<u32>,
    pub(crate) route: Option<usize>,
    pub(crate) streamed: bool,
    pub(crate) attempts: SmallVec<[Tried; 2]>,
    /// Which of them answered, or was begun last.
    pub(crate) current: usize,
    /// `None` until the end is known; a record dropped without one belongs to a client that hung up.
    outcome: Option<Outcome>,
    pub(crate) status: u16,
    /// The fault that ended it.
    fault: Option<Fault>,
    /// Of all attempts together.
    pub(crate) usage: Option<Usage>,
    /// Of the latest that is known.
    latest_usage: Option<Usage>,
    pub(crate) cost: Cost,
    /// Nobody knows what an attempt cost, so that `cost` is not all of it.
    pub(crate) cost_unknown: bool,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) first_token: Option<Duration>,
    pub(crate) inter_token: Option<Duration>,
    /// The latest call, as far as its latency goes.
    pub(crate) called: Called,
    /// What that call's time goes into.
    pub(crate) phases: Phases,
    /// Time spent waiting for the client's body or for upstreams.
    pub(crate) waited: Duration,
    /// Of it, time spent waiting for a place at a deployment.
    pub(crate) queued: Duration,
    /// The pauses between its calls.
    pub(crate) waits: Vec<Wait>,
    /// What of the call the deployment that answers could not be told, in the client's words.
    pub(crate) dropped: Option<Box<str>>,
    overhead: Option<Duration>,
}

impl Record {
    /// Begins the record of one request and counts it as being served.
    pub(crate) fn begin(core: &Rc<Core>, headers: &Headers, received: Instant) -> Box<Record> {
        core.engine.requests.fetch_add(1, Relaxed);
        core.recorder.in_flight(1);
        let parent = headers.text(&TRACEPARENT).and_then(TraceContext::parse);
        let (high, low, span) = (core.random(), core.random(), core.random() | 1);
        let random = u128::from(high) << 64 | u128::from(low);
        let trace = TraceContext {
            trace: parent.map_or(random | 1, |p| p.trace),
            span,
            sampled: parent.is_some_and(|p| p.sampled),
        };
        Box::new(Record {
            core: core.clone(),
            snapshot: core.snapshot(),
            purpose: Purpose::Serve,
            decision: None,
            id: RequestId::from_random(random),
            trace,
            parent_span: parent.map(|p| p.span),
            started_at: SystemTime::now(),
            started: received,
            clock: received,
            moment: core.engine.moment(received),
            endpoint: None,
            client: &Chat,
            address: None,
            asked: None,
            key: None,
            route: None,
            streamed: false,
            attempts: SmallVec::new(),
            current: 0,
            outcome: None,
            status: 0,
            fault: None,
            usage: None,
            latest_usage: None,
            cost: Cost::ZERO,
            cost_unknown: false,
            request_bytes: 0,
            response_bytes: 0,
            first_token: None,
            inter_token: None,
            called: Called { sent: received, size: Size::default(), predicted: None, credential: 0 },
            phases: Phases::default(),
            waited: Duration::ZERO,
            queued: Duration::ZERO,
            waits: Vec::new(),
            dropped: None,
            overhead: None,
        })
    }

    /// Looks at the clock.
    pub(crate) fn look_at_clock(&mut self) -> Instant {
        self.clock = Instant::now();
        self.moment = self.core.engine.moment(self.clock);
        self.clock
    }

    /// The clock was looked at for it.
    pub(crate) fn sees_clock(&mut self, clock: Instant, moment: Moment) {
        (self.clock, self.moment) = (clock, moment);
    }

    /// When it began, in seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> i64 {
        let since = self.started_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    /// The last look at it as the decision side counts time.
    pub(crate) fn now(&self) -> Moment {
        self.moment
    }

    /// The deployment that answered, or was tried last.
    pub(crate) fn deployment(&self) -> Option<&crate::deployment::Deployment> {
        self.tried().and_then(|tried| self.snapshot.gateway.deployments.get(tried.deployment))
    }

    /// The attempt that answered, or was begun last.
    fn tried(&self) -> Option<&Tried> {
        self.attempts.get(self.current)
    }

    /// This attempt is the one that counts from now on.
    pub(crate) fn goes_on_with(&mut self, attempt: usize) {
        self.current = attempt;
    }

    /// Route and deployment by their places.
    fn pair(&self) -> Option<Pair> {
        let place = |place: usize| u32::try_from(place).ok();
        Some(Pair {
            generation: self.snapshot.gateway.generation,
            route: place(self.route?)?,
            deployment: place(self.tried()?.deployment)?,
        })
    }

    /// An answer has come in full, and the clock has been looked at: what its deployment's window learns of that.
    pub(crate) fn answered(&mut self, lease: &mut Lease, first_token_at: Option<Instant>) {
        let now = self.clock;
        self.phases.generation = first_token_at.map(|first| now.saturating_duration_since(first));
        let sample = Sample {
            size: self.called.size,
            first: None,
            total: Some(now.saturating_duration_since(self.called.sent)),
            generating: self.phases.generation,
            gap: self.inter_token,
            usage: self.latest_usage,
        };
        lease.record(&sample, self.moment);
        if let (Some(usage), Some(route)) =
            (self.latest_usage, self.route.and_then(|r| self.snapshot.gateway.routes.get(r)))
        {
            route.answered(usage.output);
        }
    }

    /// Whether the caller sent a trace of its own.
    pub(crate) fn continues_a_trace(&self) -> bool {
        self.parent_span.is_some()
    }

    /// Time spent in Weir itself: until the clock was last looked at, or until a stream's first token, since from then on Weir waits and passes on
    /// in turns too short to be told apart.
    pub(crate) fn overhead(&self) -> Duration {
        let until_now = || self.clock.saturating_duration_since(self.started);
        self.overhead.unwrap_or_else(|| until_now().saturating_sub(self.waited))
    }

    /// What the latest attempt took comes on top of what others did.
    pub(crate) fn spent(&mut self, usage: Usage) {
        let charge = self.deployment().map_or(Charge::NOTHING, |d| d.pricing.charge(&usage));
        if let Some(tried) = self.attempts.get_mut(self.current) {
            tried.cost += charge.cost;
            tried.cost_unknown |= !charge.complete;
        }
        self.cost += charge.cost;
        self.cost_unknown |= !charge.complete;
        self.latest_usage = Some(usage);
        self.usage = Some(self.usage.map_or(usage, |before| before.plus(usage)));
    }

    /// A stream begins: its overhead is settled.
    pub(crate) fn head_is_out(&mut self) {
        self.overhead = Some(self.overhead());
    }

    /// The response has been handed over in full. Unless a fault was noted before, that is a good end.
    pub(crate) fn delivered(&mut self) {
        self.outcome.get_or_insert(Outcome::Answered);
    }

    /// The error code that the client got.
    pub(crate) fn fault_code(&self) -> Option<Cow<'static, str>> {
        self.fault.as_ref().and_then(|fault| fault.code.clone())
    }

    /// Weir itself failed. Before the head went out the client gets a 500; after it, a cut connection.
    pub(crate) fn panicked(&mut self) {
        if self.status == 0 {
            self.status = 500;
        }
        self.failed(crate::panics::panicked());
    }

    /// The request failed.
    pub(crate) fn failed(&mut self, fault: Fault) {
        self.outcome = Some(Outcome::Failed(fault.class));
        self.fault = Some(fault);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.core.engine.requests.fetch_sub(1, Relaxed);
        self.core.recorder.in_flight(-1);
        if self.outcome.is_none() && std::thread::panicking() {
            self.panicked();
        }
        let outcome = self.outcome.unwrap_or(Outcome::ClientGone);
        let total = self.started.elapsed();
        let overhead = self.overhead.unwrap_or_else(|| total.saturating_sub(self.waited));
        if self.purpose.is_recorded() {
            self.record_exchange(outcome, total, overhead);
        }
        self.decision_ends(outcome, total, overhead);
    }
}

impl Record {
    fn record_exchange(&self, outcome: Outcome, total: Duration, overhead: Duration) {
        let gateway = &self.snapshot.gateway;
        let attempts: SmallVec<[Attempt<'_>; 4]> = self
            .attempts
            .iter()
            .map(|tried| Attempt {
                deployment: gateway.deployments.get(tried.deployment).map_or("", |d| &d.name),
                cause: tried.cause,
                fault: tried.fault,
                cost: tried.cost,
                cost_unknown: tried.cost_unknown,
                aborted: tried.aborted,
            })
            .collect();
        let deployment = self.deployment();
        let exchange = Exchange {
            id: self.id,
            trace: self.trace,
            parent_span: self.parent_span,
            started_at: self.started_at,
            endpoint: self.endpoint,
            method: self.address.as_ref().map(|address| &*address.method),
            path: self.address.as_ref().map(|address| &*address.path),
            model: self.asked.as_ref().map(|asked| match asked {
                Asked::Known(index) => gateway.models().get(*index).map_or("", |m| &**m),
                Asked::Unknown(text) => text,
            }),
            key: self.key.map(|key| gateway.keys.name(key)),
            route: self.route.and_then(|r| gateway.routes.get(r)).map(|r| &*r.name),
            deployment: deployment.map(|d| &*d.name),
            pair: self.pair(),
            provider: deployment.and_then(|d| gateway.providers.get(d.provider)).map(|p| &*p.name),
            served_model: deployment.map(|d| &*d.model),
            streamed: self.streamed,
            outcome,
            status: self.status,
            code: self.fault.as_ref().and_then(|f| f.code.as_deref()),
            cause: self.fault.as_ref().and_then(|f| f.cause.as_deref()),
            attempts: &attempts,
            usage: self.usage,
            cost: self.cost,
            cost_unknown: self.cost_unknown,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            total,
            first_token: self.first_token,
            inter_token: self.inter_token,
            phases: self.phases,
            queued: self.queued,
            waits: &self.waits,
            dropped: self.dropped.as_deref(),
            overhead,
        };
        self.core.recorder.record(&exchange);
    }
}
