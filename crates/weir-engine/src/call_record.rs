//! What one upstream call notes while it lasts. The request's own record takes it up when the call has ended, so that two
//! calls can be under way for one request.

use crate::attempt::Opened;
use crate::core::{Core, Snapshot};
use crate::decision::Micros;
use crate::opening::{Awaits, StreamAnswer};
use crate::race::Raced;
use crate::record::{Called, Record, Times};
use std::time::{Duration, Instant};
use weir_core::exchange::Phases;
use weir_core::{Class, Fault, Moment, RequestId, TraceContext, Usage};
use weir_net::Setup;
use weir_routing::windows::{Latency, Sample};
use weir_routing::{Lease, Request};
use weir_wire::neutral::Lost;
use weir_wire::usage::estimate;

/// What a call is taken to last at a deployment about which nothing is known.
const UNKNOWN_WORK: Duration = Duration::from_secs(5);

/// The record of one upstream call.
pub(crate) struct CallRecord<'a> {
    core: &'a Core,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) trace: TraceContext,
    /// Its place among the attempts of the request.
    pub(crate) attempt: usize,
    pub(crate) deployment: usize,
    pub(crate) streamed: bool,
    /// When the request began.
    pub(crate) started: Instant,
    /// When the clock was last looked at.
    pub(crate) clock: Instant,
    /// The same as the decision side counts time.
    moment: Moment,
    pub(crate) called: Called,
    /// Time spent waiting for the upstream.
    pub(crate) waited: Duration,
    /// Of a stream, since the request began.
    pub(crate) first_token: Option<Duration>,
    /// What it took although it came to nothing.
    pub(crate) spent: Option<Usage>,
    /// Events of its stream that were left out, of one that came to nothing.
    pub(crate) left_out: u32,
    /// Its stream, while that is read to see whether it is good.
    pub(crate) opening: Option<Box<StreamAnswer>>,
    /// How long the request's prompt is.
    pub(crate) prompt_bytes: usize,
    /// What came before its answer.
    pub(crate) setup: Setup,
    /// What of the call its deployment could not be told.
    pub(crate) lost: Option<Box<Lost>>,
    pub(crate) id: RequestId,
    /// When the request began, in seconds since 1970.
    pub(crate) unix_seconds: i64,
    phases: Phases,
    times: Times,
    /// The request's record has taken it up.
    over: bool,
}

/// Calls that are under way, and the request that waits for them. What they noted is not lost when it is dropped before they
/// have ended, which is how a client that leaves takes them along.
pub(crate) struct UnderWay<'r, 'c, 'a> {
    pub(crate) record: &'r mut Record,
    pub(crate) one: &'c mut CallRecord<'a>,
    /// Beside the first.
    pub(crate) other: Option<&'c mut CallRecord<'a>>,
    /// When the first began, and how long the request had waited until then.
    began: Instant,
    waited: Duration,
}

impl<'r, 'c, 'a> UnderWay<'r, 'c, 'a> {
    /// This one begins.
    pub(crate) fn begin(record: &'r mut Record, one: &'c mut CallRecord<'a>) -> Self {
        let (began, waited) = (one.clock, record.waited);
        UnderWay { record, one, other: None, began, waited }
    }

    /// All the time since the first one began was spent waiting, for one or the other, up to the last look at the clock.
    pub(crate) fn has_waited(&mut self) {
        self.record.waited = self.waited + self.record.clock.saturating_duration_since(self.began);
    }

    /// The last call under way has ended.
    pub(crate) fn ended(self, opened: Result<Opened, Fault>) -> Raced {
        self.record.takes_up(self.one, opened.as_ref().err());
        opened.map_or_else(Raced::Faulted, Raced::Opened)
    }
}

impl Drop for UnderWay<'_, '_, '_> {
    fn drop(&mut self) {
        let mut gone = false;
        for call in [Some(&mut *self.one), self.other.as_deref_mut()].into_iter().flatten() {
            if !call.over {
                gone = true;
                call.is_cut_off();
                self.record.takes_up(call, None);
            }
        }
        if gone {
            self.has_waited();
        }
    }
}

impl<'a> CallRecord<'a> {
    /// A call of this size is about to begin under this lease.
    pub(crate) fn begin(
        record: &Record,
        (core, snapshot): (&'a Core, &'a Snapshot),
        (attempt, deployment): (usize, usize),
        (request, prompt_bytes): (&Request<'_>, usize),
        lease: &mut Lease,
    ) -> Self {
        let moment = record.now();
        // The call is in flight itself already.
        let mut size = request.size(Some(lease.health()));
        size.in_flight = size.in_flight.saturating_sub(1);
        let windows = lease.windows();
        let forecast = |latency| windows.forecast(latency, size, moment).map(|forecast| forecast.median());
        let total = forecast(Latency::Total);
        let predicted = if request.streamed { forecast(Latency::First) } else { total };
        lease.expect(total.or(predicted).unwrap_or(UNKNOWN_WORK));
        CallRecord {
            core,
            snapshot,
            trace: record.trace,
            attempt,
            deployment,
            streamed: record.streamed,
            started: record.started,
            clock: record.clock,
            moment,
            called: Called { sent: record.clock, size, predicted, credential: lease.credential() },
            waited: Duration::ZERO,
            first_token: None,
            spent: None,
            left_out: 0,
            opening: None,
            prompt_bytes,
            setup: Setup::default(),
            lost: None,
            id: record.id,
            unix_seconds: record.unix_seconds(),
            phases: Phases::default(),
            over: false,
            times: record.attempts.get(attempt).map(|tried| tried.times).unwrap_or_default(),
        }
    }

    /// Looks at the clock.
    pub(crate) fn look_at_clock(&mut self) -> Instant {
        self.clock = Instant::now();
        self.moment = self.core.engine.moment(self.clock);
        self.clock
    }

    /// The last look at it as the decision side counts time.
    pub(crate) fn now(&self) -> Moment {
        self.moment
    }

    /// The wait for the head of the answer is over, well or not; the clock is looked at.
    pub(crate) fn has_waited_for_head(&mut self) {
        let began = self.clock;
        let waited = self.look_at_clock().saturating_duration_since(began);
        self.waited += waited;
        self.was_set_up();
    }

    /// As much is known of what came before its answer as there will be.
    fn was_set_up(&mut self) {
        let Setup { connect, tls, send, .. } = self.setup;
        self.called.sent = (self.called.sent + self.setup.connection()).min(self.clock);
        self.times.connect = Micros::of(self.setup.connection());
        self.phases = Phases { connect, tls, send, first_byte: None, generation: None };
    }

    /// It is cut off, now. Whatever it was about to say is nobody's.
    fn is_cut_off(&mut self) {
        self.look_at_clock();
        if self.times.first_byte.is_none() {
            self.was_set_up();
        }
        self.first_token = None;
        self.spent = self.generated();
    }

    /// The head of the answer has come just now.
    pub(crate) fn head_came(&mut self) {
        let after = self.clock.saturating_duration_since(self.called.sent);
        self.phases.first_byte = Some(after.saturating_sub(self.phases.send));
        self.times.first_byte = Some(Micros::of(self.clock.saturating_duration_since(self.started)));
    }

    /// Reads a stream that is not known to be good yet.
    pub(crate) fn opens(&mut self, stream: Box<StreamAnswer>) -> (Awaits<'_>, &mut StreamAnswer) {
        (
            Awaits { waited: &mut self.waited, first_token: &mut self.first_token, started: self.started },
            self.opening.insert(stream),
        )
    }

    /// Its stream has come to nothing.
    pub(crate) fn came_to_nothing(&mut self) {
        self.spent = self.generated();
        self.left_out = self.opening.as_mut().map_or(0, |open| open.watch.take_left_out());
    }

    /// What has been generated of a stream that nobody has got. It is paid for.
    pub(crate) fn generated(&self) -> Option<Usage> {
        let watch = &self.opening.as_ref()?.watch;
        (watch.token_events() > 0).then(|| watch.usage_or_estimate(self.prompt_bytes))
    }

    /// The first token of a stream has come.
    pub(crate) fn first_token_came(&self, lease: &mut Lease) {
        if let Some(after) = self.first_token {
            self.called.first_token_came(self.started + after, lease, self.moment);
        }
    }

    /// What this call, which ended in a fault, says about its deployment's latency.
    pub(crate) fn waited_in_vain(&self, lease: &mut Lease, fault: &Fault) {
        self.called.waited_in_vain(self.streamed, self.clock, lease, fault, self.moment);
    }

    /// The same of a call that another one was faster than, and is cut off now. Less than what it was expected to take
    /// would make it look faster than it is, and is left out. Nobody says what it took: at least the prompt it was sent.
    pub(crate) fn lost(&mut self) {
        self.is_cut_off();
        self.opening = None;
        if !self.setup.sent {
            return;
        }
        self.spent = self.spent.or_else(|| Some(estimate(self.prompt_bytes, 0, 0)));
        let wait = self.called.wait(self.streamed, self.clock);
        let longer = wait.first >= self.called.predicted;
        if let Some(health) = self.snapshot.healths.get(self.deployment).filter(|_| longer) {
            health.windows().record(&wait, self.moment);
        }
    }
}

impl Called {
    /// The first token of a stream has come: its deployment's window learns of it at once, since streams last long.
    fn first_token_came(&self, at: Instant, lease: &mut Lease, now: Moment) {
        let first = Some(at.saturating_duration_since(self.sent));
        lease.record(&Sample { size: self.size, first, ..Sample::default() }, now);
    }

    /// What a call that ended in this fault says about its deployment's latency: one that was given up waiting for took at
    /// least so long.
    fn waited_in_vain(&self, streamed: bool, clock: Instant, lease: &mut Lease, fault: &Fault, now: Moment) {
        if fault.class == Class::Timeout {
            lease.record(&self.wait(streamed, clock), now);
        }
    }

    fn wait(&self, streamed: bool, until: Instant) -> Sample {
        let waited = Some(until.saturating_duration_since(self.sent));
        let total = waited.filter(|_| !streamed);
        Sample { size: self.size, first: waited, total, ..Sample::default() }
    }
}

impl Record {
    /// The first token of a stream has come, behind events that were passed on without one.
    pub(crate) fn first_token_came(&self, lease: &mut Lease) {
        if let Some(after) = self.first_token {
            self.called.first_token_came(self.started + after, lease, self.now());
        }
    }

    /// What the latest call, which ended in a fault behind such events, says about its deployment's latency.
    pub(crate) fn waited_in_vain(&self, lease: &mut Lease, fault: &Fault) {
        self.called.waited_in_vain(self.streamed, self.clock, lease, fault, self.now());
    }

    /// Takes up what a call noted that has ended; with its fault, if it ended in one.
    pub(crate) fn takes_up(&mut self, call: &mut CallRecord<'_>, fault: Option<&Fault>) {
        call.over = true;
        self.goes_on_with(call.attempt);
        self.sees_clock(call.clock, call.moment);
        self.waited += call.waited;
        self.called = call.called;
        self.phases = call.phases;
        self.dropped = call.lost.take().map(|lost| lost.to_string().into());
        if fault.is_none() {
            self.first_token = self.first_token.or(call.first_token);
        }
        if let Some(usage) = call.spent {
            self.spent(usage);
        }
        self.left_out(call.left_out);
        self.attempt_went(call.times);
        if let Some(fault) = fault {
            self.attempt_failed(fault);
        }
    }

    /// Takes up what a call noted that another was faster than. The other one stays the one that counts.
    pub(crate) fn takes_up_loser(&mut self, loser: &mut CallRecord<'_>) {
        loser.over = true;
        let counts = std::mem::replace(&mut self.current, loser.attempt);
        self.attempt_went(loser.times);
        if let Some(usage) = loser.spent {
            self.spent(usage);
        }
        self.attempt_aborted();
        self.goes_on_with(counts);
    }
}
