//! Stages 10 to 12: the body that is passed on while it is watched, and the end of the exchange.
//!
//! One relay for everything that flows: streams of events, and whole answers too large to be held.

use crate::attempt::{Attempts, Begun, Opened};
use crate::call::Call;
use crate::headers;
use crate::opening::{AFTER_END_MARK, AFTER_FINISH, CallLimits, Source, StreamAnswer, timed_out};
use crate::panics::caught;
use crate::record::Record;
use crate::reply::Broken;
use crate::translation;
use bytes::Bytes;
use http_body::Frame;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::task::coop::unconstrained;
use tokio::time::Sleep;
use weir_core::usage::UsageSource;
use weir_core::{Class, Fault, Usage};
use weir_routing::Pace;
use weir_routing::fault_policy::{Retry, retry};
use weir_routing::{Event, Lease};
use weir_wire::json::nesting::Nesting;
use weir_wire::sse;
use weir_wire::watch::{End, Step, StreamWatch};

/// A request whose body is larger is not kept while its answer flows, so that the answer cannot be taken up elsewhere.
pub(crate) const BODY_KEPT: usize = 1024 * 1024;

/// What is watched for.
#[allow(clippy::large_enum_variant, reason = "nearly all are the large one, and the relay is boxed")]
enum Watched {
    /// Events: forwarded one by one, judged for completeness.
    Events(StreamWatch),
    /// The bytes of a large answer, of which only the end is looked at.
    Large(Tail),
    /// Bytes that say nothing, of which is known what they take.
    Bytes(Usage),
}

/// How the upstream's part of an answer ended.
enum Ending {
    /// In full.
    Whole,
    /// Before its time, by this fault.
    Broken(Fault),
    /// The client left first: nobody knows.
    Unknown,
}

/// The search for a deployment that completes an answer that broke off. Brings back what it took along.
type Search = Pin<Box<dyn Future<Output = Found>>>;

struct Found {
    record: Box<Record>,
    attempts: Box<Attempts>,
    opened: Result<Opened, Fault>,
}

/// An answer that broke off and may be completed.
struct BrokenOff {
    /// Told to the client when it cannot be.
    fault: Fault,
    /// What the client has.
    begun: Option<Begun>,
    /// Begins when everything has gone out that came before.
    search: Option<Search>,
}

/// A body that is passed on as it arrives.
pub struct Relay {
    /// `None` while another is sought.
    source: Option<Source>,
    watched: Watched,
    ready: sse::Pieces,
    /// How many of `ready` have gone out.
    sent: usize,
    state: State,
    limits: CallLimits,
    /// When something last came.
    last: Instant,
    first_token_at: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    /// Whether a stream is fast enough; `None` when it may be as slow as it likes.
    pace: Option<Pace>,
    lease: Option<Lease>,
    record: Option<Box<Record>>,
    /// What may still be tried when the stream breaks off. Not there for answers that cannot be taken up.
    attempts: Option<Box<Attempts>>,
    broken_off: Option<Box<BrokenOff>>,
    /// The present upstream goes on with an answer that another one began: what time lies between is not all its own.
    takes_up: bool,
    /// What the present upstream took is in the record.
    counted: bool,
    prompt_bytes: usize,
    trailers: bool,
    /// A large answer broke off: the connection has to break, too, since its length was never stated.
    broken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Flowing,
    /// It broke off, and another upstream is sought that completes it.
    Seeking,
    /// Nothing more comes from the upstream.
    Ended,
    /// Everything has been handed over.
    Over,
}

impl Relay {
    pub(crate) fn stream(
        record: Box<Record>,
        answer: Box<StreamAnswer>,
        attempts: Box<Attempts>,
    ) -> Pin<Box<Relay>> {
        let first_token_at = record.first_token.map(|after| record.started + after);
        let answer = *answer;
        let watched = Watched::Events(answer.watch);
        let mut relay =
            Relay::new(record, answer.source, watched, answer.limits, answer.lease, &attempts.call);
        relay.ready = answer.ready;
        relay.first_token_at = first_token_at;
        relay.keep_pace();
        relay.counted = answer.flaw.is_some();
        relay.attempts = Some(attempts).filter(|attempts| attempts.call.body.len() <= BODY_KEPT);
        if answer.ended {
            relay.state = State::Ended;
            relay.settle(Ending::Whole);
        }
        Box::pin(relay)
    }

    pub(crate) fn large(
        record: Box<Record>,
        begun: Bytes,
        source: Source,
        limits: CallLimits,
        lease: Option<Lease>,
        call: &Call,
    ) -> Pin<Box<Relay>> {
        let watched = match call.taken() {
            Some(usage) => Watched::Bytes(usage),
            None => {
                let mut tail = Tail::default();
                tail.push(&begun);
                Watched::Large(tail)
            }
        };
        let mut relay = Relay::new(record, source, watched, limits, lease, call);
        relay.ready.push(begun);
        Box::pin(relay)
    }

    fn new(
        record: Box<Record>,
        source: Source,
        watched: Watched,
        limits: CallLimits,
        lease: Option<Lease>,
        call: &Call,
    ) -> Relay {
        let last = Instant::now();
        let timer = tokio::time::sleep_until((last + limits.idle).min(limits.deadline).into());
        Relay {
            source: Some(source),
            watched,
            ready: sse::Pieces::new(),
            sent: 0,
            state: State::Flowing,
            limits,
            last,
            first_token_at: None,
            timer: Box::pin(timer),
            pace: None,
            lease,
            record: Some(record),
            attempts: None,
            broken_off: None,
            takes_up: false,
            counted: false,
            prompt_bytes: call.facts.prompt_bytes,
            trailers: call.trailers,
            broken: false,
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.state == State::Over
    }

    pub(crate) fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let relay = &mut *self;
        loop {
            if let Some(piece) = relay.ready.get_mut(relay.sent).map(std::mem::take) {
                relay.sent += 1;
                if let Some(record) = &mut relay.record {
                    record.response_bytes += piece.len() as u64;
                }
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            relay.ready.clear();
            relay.sent = 0;
            match relay.state {
                State::Over => return Poll::Ready(None),
                State::Ended => return Poll::Ready(relay.finish()),
                State::Seeking => {
                    std::task::ready!(relay.poll_seek(cx));
                    continue;
                }
                State::Flowing => {}
            }
            let next = match &mut relay.source {
                Some(source) => source.poll_next(cx),
                None => Poll::Ready(None),
            };
            match next {
                Poll::Ready(Some(Ok(piece))) => {
                    let now = Instant::now();
                    relay.take(piece, now);
                    relay.look_at_limit(now);
                }
                Poll::Ready(Some(Err(fault))) => relay.broke_off(fault),
                Poll::Ready(None) => relay.end(),
                Poll::Pending => match relay.poll_limit(cx) {
                    Poll::Ready(fault) => relay.broke_off(fault),
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Begins to watch how fast the present upstream is.
    fn keep_pace(&mut self) {
        let begun = self.record.as_ref().map(|record| record.core.engine.moment(self.last));
        let tokens = match &self.watched {
            Watched::Events(watch) => watch.tokens(),
            Watched::Large(_) | Watched::Bytes(_) => 0,
        };
        let kept = self.limits.min_speed.filter(|_| self.has_begun()).zip(begun);
        self.pace = kept.and_then(|(least, now)| Pace::new(least, tokens, now));
        self.is_about_to_end();
        self.set_timer(self.last);
    }

    /// Behind its end mark a stream has little time left to end.
    fn is_about_to_end(&mut self) {
        if self.has_end_mark() {
            self.limits.idle = self.limits.idle.min(AFTER_END_MARK);
        } else if self.has_finished() {
            self.limits.idle = self.limits.idle.min(AFTER_FINISH);
        }
    }

    /// Whether something has come that the client can use.
    fn has_begun(&self) -> bool {
        self.first_token_at.is_some() || !matches!(self.watched, Watched::Events(_))
    }

    /// When it has been silent for too long.
    fn silent_until(&self) -> Instant {
        let more_may_come = self.has_begun() || self.has_end_mark();
        if more_may_come { self.last + self.limits.idle } else { self.limits.first }
    }

    /// The timer's next turn.
    fn set_timer(&mut self, now: Instant) {
        let silent = self.silent_until();
        let look = self.pace.as_ref().map_or(silent, |pace| now + pace.interval());
        self.timer.as_mut().reset(silent.min(look).min(self.limits.deadline).into());
    }

    /// Whether the upstream has been too slow for too long.
    fn is_too_slow(&mut self, now: Instant) -> bool {
        let (Some(pace), Watched::Events(watch), Some(record)) =
            (&mut self.pace, &self.watched, &self.record)
        else {
            return false;
        };
        pace.is_too_slow(watch.tokens(), record.core.engine.moment(now))
    }

    /// Ready when the upstream has been silent or slow for too long or the request has lasted too long. The timer stays
    /// where it is while pieces come and is set anew when it fires, so that a piece costs no timer.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        loop {
            // Whatever the task has done in this turn: the source may say "pending" only because that was much.
            std::task::ready!(pin!(unconstrained(self.timer.as_mut())).poll(cx));
            if let Some(fault) = self.passed(Instant::now()) {
                return Poll::Ready(fault);
            }
        }
    }

    /// The same for an upstream that always has something to say, and so never lets the timer fire.
    fn look_at_limit(&mut self, now: Instant) {
        if self.state == State::Flowing
            && now >= self.timer.deadline().into_std()
            && let Some(fault) = self.passed(now)
        {
            self.broke_off(fault);
        }
    }

    /// The limit that has passed; when none has, the timer is set to the next.
    fn passed(&mut self, now: Instant) -> Option<Fault> {
        if now >= self.limits.deadline {
            return Some(timed_out("took too long over its answer"));
        }
        if now >= self.silent_until() {
            return Some(timed_out(if self.has_begun() {
                "fell silent in the middle of its answer"
            } else {
                "sent no token in time"
            }));
        }
        if self.is_too_slow(now) {
            return Some(too_slow());
        }
        self.set_timer(now);
        None
    }

    /// Serving it panicked: nothing of it is touched any more but the record.
    pub(crate) fn panicked(mut self: Pin<&mut Self>) {
        self.state = State::Over;
        if let Some(mut record) = self.record.take() {
            record.panicked();
        }
    }

    fn has_finished(&self) -> bool {
        matches!(&self.watched, Watched::Events(watch) if watch.has_finished())
    }

    fn has_end_mark(&self) -> bool {
        matches!(&self.watched, Watched::Events(watch) if watch.has_end_mark())
    }

    /// A piece has come.
    fn take(&mut self, piece: Bytes, now: Instant) {
        // What stands behind the end mark is nobody's and buys no time, but for the rest of its line end.
        if !self.has_end_mark() {
            self.last = now;
        }
        match &mut self.watched {
            Watched::Large(tail) => {
                tail.push(&piece);
                self.ready.push(piece);
            }
            Watched::Bytes(_) => self.ready.push(piece),
            Watched::Events(watch) => {
                let step = watch.push(piece, &mut self.ready);
                let begins = self.first_token_at.is_none() && watch.has_first_token();
                let finished = watch.has_finished();
                if begins {
                    self.begins();
                }
                match step {
                    // The timer may stand at the end of a longer silence.
                    Ok(Step::Open) if finished && self.limits.idle > AFTER_FINISH => {
                        self.is_about_to_end();
                        self.set_timer(now);
                    }
                    Ok(Step::Open) => {}
                    Ok(Step::Done) => {
                        self.is_about_to_end();
                        self.set_timer(now);
                    }
                    Ok(Step::Error(fault)) | Err(fault) => self.fail(fault),
                }
            }
        }
    }

    /// The first token has come, behind events that were passed on without one.
    fn begins(&mut self) {
        self.first_token_at = Some(self.last);
        self.keep_pace();
        if let (Some(record), Some(lease)) = (&mut self.record, &mut self.lease) {
            record.first_token = Some(self.last.saturating_duration_since(record.started));
            record.look_at_clock();
            record.first_token_came(lease);
            lease.begun(record.now());
        }
    }

    /// The connection broke or fell silent. After the end mark that is no fault of the answer, which is there in full; nor
    /// is silence behind its finish reason.
    fn broke_off(&mut self, fault: Fault) {
        if self.has_end_mark() || self.has_finished() && fault.class == Class::Timeout {
            self.end();
        } else {
            self.fail(fault);
        }
    }

    /// The upstream's body has ended in order, or after its end mark in any way.
    fn end(&mut self) {
        let end = match &mut self.watched {
            Watched::Events(watch) => watch.end(),
            Watched::Large(tail) if tail.ends_an_object() => End::Complete { append: None },
            Watched::Large(_) => End::Failed(cut_off()),
            Watched::Bytes(_) => End::Complete { append: None },
        };
        match end {
            End::Failed(fault) => self.fail(fault),
            End::Complete { append } => {
                self.ready.extend(append);
                self.state = State::Ended;
                self.settle(Ending::Whole);
            }
        }
    }

    /// The upstream cannot complete its answer. When another may, it is sought once everything has gone out that is here.
    fn fail(&mut self, fault: Fault) {
        let retry = retry(fault.class);
        if (retry != Retry::Never || fault.class == Class::ContentPolicy)
            && self.attempts.is_some()
            && let Some(begun) = self.begun()
            // Another route has another model, which cannot go on with this one's words.
            && (matches!(retry, Retry::Elsewhere | Retry::SameOrElsewhere) || begun.text.is_empty())
        {
            self.leave(&fault);
            self.state = State::Seeking;
            self.broken_off = Some(Box::new(BrokenOff { fault, begun: Some(begun), search: None }));
        } else {
            self.give_up(fault);
        }
    }

    /// What the client has of the answer, when it can be taken up there.
    fn begun(&self) -> Option<Begun> {
        let Watched::Events(watch) = &self.watched else { return None };
        let same_as = self.record.as_ref()?.deployment()?.same_as.clone();
        Some(Begun { text: watch.told()?.to_owned(), same_as })
    }

    /// Seeks an upstream that completes the answer, and changes over to it.
    fn poll_seek(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(broken_off) = &mut self.broken_off else {
            self.give_up(cut_off());
            return Poll::Ready(());
        };
        let search = match &mut broken_off.search {
            Some(search) => search,
            None => {
                let (fault, begun) = (broken_off.fault.clone(), broken_off.begun.take());
                let Some(search) = begun.and_then(|begun| self.seek(fault, begun)) else {
                    let broken_off = self.broken_off.take();
                    self.give_up(broken_off.map_or_else(cut_off, |broken_off| broken_off.fault));
                    return Poll::Ready(());
                };
                match &mut self.broken_off {
                    Some(broken_off) => broken_off.search.insert(search),
                    None => return Poll::Ready(()),
                }
            }
        };
        let Found { record, attempts, opened } = std::task::ready!(search.as_mut().poll(cx));
        let fault = self.broken_off.take().map_or_else(cut_off, |broken_off| broken_off.fault);
        self.record = Some(record);
        match opened {
            Ok(Opened::Stream(answer)) => {
                self.attempts = Some(attempts);
                self.go_on_with(*answer);
            }
            Ok(Opened::Whole(_)) => self.give_up(fault),
            Err(_) => self.give_up(fault), // what became of the search is in the record of its attempts
        }
        Poll::Ready(())
    }

    /// Leaves the upstream that broke off. That is noted at once: the client may take its time over what came before, or
    /// never read it.
    fn leave(&mut self, fault: &Fault) {
        self.source = None;
        self.count();
        let has_begun = self.has_begun();
        let Some(record) = &mut self.record else { return };
        record.look_at_clock();
        record.attempt_failed(fault);
        if let Some(mut lease) = self.lease.take() {
            if !has_begun {
                record.waited_in_vain(&mut lease, fault);
            }
            lease.report(Err(fault), record.now());
        }
    }

    /// Begins to seek another upstream.
    fn seek(&mut self, fault: Fault, begun: Begun) -> Option<Search> {
        let mut record = self.record.take()?;
        let mut attempts = self.attempts.take()?;
        record.look_at_clock();
        Some(Box::pin(async move {
            let go_on = Box::pin(attempts.go_on(&mut record, Event::Faulted(fault), Some(&begun)));
            let opened = caught(go_on).await.and_then(|opened| opened);
            Found { record, attempts, opened }
        }))
    }

    fn go_on_with(&mut self, answer: StreamAnswer) {
        self.source = Some(answer.source);
        self.watched = Watched::Events(answer.watch);
        self.ready = answer.ready;
        self.sent = 0;
        self.limits = answer.limits;
        self.lease = answer.lease;
        self.counted = false;
        self.takes_up = self.first_token_at.is_some();
        self.last = Instant::now();
        if let Some(record) = self.record.as_ref().filter(|_| self.first_token_at.is_none()) {
            self.first_token_at = record.first_token.map(|after| record.started + after);
        }
        self.keep_pace();
        self.state = State::Flowing;
        if answer.ended {
            self.state = State::Ended;
            self.settle(Ending::Whole);
        }
    }

    /// The answer cannot be completed. What came before it has been passed on; the client is told in-band, and no end
    /// mark follows, so that it cannot take the answer for a whole one.
    fn give_up(&mut self, fault: Fault) {
        let fault = match &self.record {
            Some(record) => headers::fit_to_tell(record, fault),
            None => fault,
        };
        self.state = State::Ended;
        match (&self.watched, &self.record) {
            (Watched::Events(_), Some(record)) => {
                self.ready.push(translation::last_event(record, &fault));
            }
            _ => self.broken = true,
        }
        self.settle(Ending::Broken(fault));
    }

    /// What the present upstream took, or as much of it as there will ever be, comes into the record, once.
    fn count(&mut self) {
        let Some(record) = self.record.as_mut().filter(|_| !self.counted) else { return };
        self.counted = true;
        record.spent(match &self.watched {
            Watched::Events(watch) => watch.usage_or_estimate(self.prompt_bytes),
            Watched::Large(tail) => tail.usage(self.prompt_bytes, record.response_bytes),
            Watched::Bytes(usage) => *usage,
        });
    }

    /// Stage 11: the answer has come to its end.
    fn settle(&mut self, ending: Ending) {
        self.count();
        let Some(record) = &mut self.record else { return };
        if let Watched::Events(watch) = &self.watched
            && let Some(first) = self.first_token_at
        {
            record.first_token = Some(first.saturating_duration_since(record.started));
            if !self.takes_up {
                let gaps = u32::try_from(watch.token_events().saturating_sub(1)).unwrap_or(u32::MAX);
                record.inter_token = self.last.saturating_duration_since(first).checked_div(gaps);
            }
        }
        if let Watched::Events(watch) = &self.watched
            && watch.unparsable() > 0
        {
            let deployment = record.deployment().map_or("", |d| &*d.name);
            let (request, left_out) = (record.id.as_str(), watch.unparsable());
            tracing::warn!(request, deployment, left_out, "events of a stream were no JSON: left out");
        }
        if let Some(mut lease) = self.lease.take() {
            match &ending {
                Ending::Whole => {
                    record.look_at_clock();
                    record.answered(&mut lease, self.first_token_at.filter(|_| !self.takes_up));
                    lease.report(Ok(()), record.core.now());
                }
                Ending::Broken(fault) => {
                    if self.first_token_at.is_none() && matches!(self.watched, Watched::Events(_)) {
                        record.look_at_clock();
                        record.waited_in_vain(&mut lease, fault);
                    }
                    lease.report(Err(fault), record.core.now());
                }
                Ending::Unknown => {} // a lease that ends unreported says nothing about its deployment
            }
        }
        if let Ending::Broken(fault) = ending {
            if self.source.is_some() {
                record.look_at_clock();
                record.attempt_failed(&fault);
            }
            record.failed(fault);
        }
    }

    /// Everything has been handed over but the trailers. `None` ends the body in order.
    fn finish(&mut self) -> Option<Result<Frame<Bytes>, Broken>> {
        self.state = State::Over;
        let mut record = self.record.take()?;
        record.delivered();
        if self.broken {
            return Some(Err(Broken));
        }
        self.trailers.then(|| Ok(Frame::trailers(headers::trailers(&record))))
    }
}

fn too_slow() -> Fault {
    let message = "the model's server sent its answer too slowly";
    Fault::new(Class::Timeout, 504, "upstream_too_slow", message)
}

fn cut_off() -> Fault {
    Fault::new(Class::Truncated, 502, "upstream_truncated", "the model's server broke off its answer")
}

impl Drop for Relay {
    /// A client that hung up: what was produced until then is accounted for. One that left after it was given the end
    /// mark has its whole answer; some clients do not wait for the end of the body behind it.
    fn drop(&mut self) {
        if !matches!(self.state, State::Flowing | State::Seeking) {
            return;
        }
        let all_sent = self.sent >= self.ready.len();
        let whole = match &mut self.watched {
            Watched::Events(watch) if all_sent && watch.has_end_mark() => {
                matches!(watch.end(), End::Complete { .. })
            }
            _ => false,
        };
        self.settle(if whole { Ending::Whole } else { Ending::Unknown });
        if let Some(record) = self.record.as_mut().filter(|_| whole) {
            record.delivered();
        }
    }
}

/// The end of a large answer, where its usage stands.
#[derive(Default)]
struct Tail {
    end: Vec<u8>,
    nesting: Nesting,
}

impl Tail {
    const KEPT: usize = 16 * 1024;

    fn push(&mut self, piece: &[u8]) {
        self.nesting.push(piece);
        let new = &piece[piece.len().saturating_sub(Self::KEPT)..];
        let surplus = (self.end.len() + new.len()).saturating_sub(Self::KEPT);
        self.end.drain(..surplus.min(self.end.len()));
        self.end.extend_from_slice(new);
    }

    /// Whether the answer is there from its first bracket to its last. A body without a stated length ends the same when its
    /// server dies.
    fn ends_an_object(&self) -> bool {
        self.nesting.is_whole()
    }

    /// The usage the answer ends with, else an estimate from its size.
    fn usage(&self, prompt_bytes: usize, answer_bytes: u64) -> Usage {
        weir_wire::reply::usage_at_end(&self.end).unwrap_or(Usage {
            input: prompt_bytes as u64 / 4,
            output: answer_bytes / 4,
            source: UsageSource::Estimated,
            ..Usage::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_whatever_the_pieces() {
        let body: Vec<u8> = (0..60_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        for size in [1, 1000, 16 * 1024, 40_000, 60_000] {
            let mut tail = Tail::default();
            body.chunks(size).for_each(|piece| tail.push(piece));
            assert_eq!(tail.end, body[body.len() - Tail::KEPT..], "pieces of {size}");
        }
    }
}
