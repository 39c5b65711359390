//! One upstream call, up to the point where its answer is known to be good.
//!
//! Until then nothing has reached the client, so whatever goes wrong here can be tried again elsewhere.

use crate::attempt::Opened;
use crate::call::{Call, TRACESTATE};
use crate::call_record::CallRecord;
use crate::deployment::{Deployment, Provider};
use crate::inflate::Inflate;
use crate::record::TRACEPARENT;
use crate::tokens::Held;
use crate::translation::{Translation, cannot_be_told, too_large, watch_as_it_comes};
use crate::waiting::Waits;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use http_body::Body;
use smallvec::SmallVec;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};
use weir_core::endpoint::Gives;
use weir_core::timeouts::MinSpeed;
use weir_core::{Class, Endpoint, Fault, Usage};
use weir_net::{AnswerBody, Limits, Pieces, Request};
use weir_provider::{Quirks, Refusal, StreamUsage, fault, unexpected_status};
use weir_routing::Lease;
use weir_wire::call::{CallFacts, InAddress};
use weir_wire::format::Framing;
use weir_wire::neutral::Lost;
use weir_wire::quality::Flaw;
use weir_wire::reply::{ReplyFacts, reply_facts};
use weir_wire::splice::{Prefill, Rewrite, splice};
use weir_wire::sse;
use weir_wire::watch::{End, Step, StreamWatch, Words};

/// So much of a refusal's body is read.
const REFUSAL_READ: usize = 64 * 1024;

/// So many bytes before a stream's first token are kept for the client.
const KEPT_BEFORE_TOKEN: usize = 16 * 1024;

/// How long a body may go on once its stream has said that it is over. Usually it ends in the same breath, and then its
/// connection can be used again.
pub(crate) const AFTER_END_MARK: Duration = Duration::from_millis(500);

/// How long the rest of a stream is waited for once its only choice has its finish reason: its usage, and its end mark. A
/// server that forgets the latter and keeps the connection open has said everything by then.
pub(crate) const AFTER_FINISH: Duration = Duration::from_secs(2);

/// No hold is longer than a request.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

/// After so many events without a token, whatever they are is taken for the answer.
const EVENTS_BEFORE_TOKEN: u64 = 64;

/// Time limits of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    pub(crate) connect: Duration,
    /// Until the head of a whole answer, or the first token of a stream. Setting up a connection does not count.
    pub(crate) first: Instant,
    /// How long a stream's events are held back while none of them says anything.
    pub(crate) hold: Duration,
    /// Silence between two pieces of a body.
    pub(crate) idle: Duration,
    /// The least speed of a stream, if any.
    pub(crate) min_speed: Option<MinSpeed>,
    /// When it must be over, to the last byte.
    pub(crate) deadline: Instant,
}

impl CallLimits {
    /// The same for a call whose stream counts from its first token on, whatever comes before.
    pub(crate) fn holding(self) -> Self {
        CallLimits { hold: LONGEST_HOLD, ..self }
    }
}

/// What waiting for a stream's events adds to.
pub(crate) struct Awaits<'a> {
    pub(crate) waited: &'a mut Duration,
    pub(crate) first_token: &'a mut Option<Duration>,
    /// When the request began, from which the first token is counted.
    pub(crate) started: Instant,
}

/// An answer that is not a stream.
pub(crate) struct WholeAnswer {
    pub(crate) content_type: Option<HeaderValue>,
    /// All of it, or the beginning of one that is too large to be held.
    pub(crate) body: Bytes,
    /// The rest of a large one.
    pub(crate) rest: Option<Source>,
    /// What it says about itself; unknown for a large one.
    pub(crate) facts: Option<ReplyFacts>,
    /// Why it is of no use. One that has a flaw has been accounted for already.
    pub(crate) flaw: Option<Flaw>,
    pub(crate) limits: CallLimits,
    pub(crate) lease: Option<Lease>,
}

/// A stream whose first token is there.
pub(crate) struct StreamAnswer {
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) source: Source,
    pub(crate) watch: StreamWatch,
    /// What has come already and goes to the client first.
    pub(crate) ready: sse::Pieces,
    pub(crate) ended: bool,
    /// As of a [`WholeAnswer`].
    pub(crate) flaw: Option<Flaw>,
    pub(crate) limits: CallLimits,
    pub(crate) lease: Option<Lease>,
}

/// The bytes of an answer's body.
pub(crate) struct Source {
    body: AnswerBody,
    inflate: Option<Box<Inflate>>,
}

impl Source {
    /// The next piece; `None` at an orderly end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                let complete = self.inflate.take().map_or(Ok(()), |mut inflate| inflate.finish());
                return Poll::Ready(complete.err().map(Err));
            };
            let data = match frame {
                Ok(frame) => frame.into_data(),
                Err(fault) => return Poll::Ready(Some(Err(fault))),
            };
            match (data, &mut self.inflate) {
                (Ok(data), None) => return Poll::Ready(Some(Ok(data))),
                (Ok(data), Some(inflate)) => return Poll::Ready(Some(inflate.push(&data))),
                (Err(_trailers), _) => {} // nothing in an upstream's trailers is used
            }
        }
    }

    pub(crate) fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, Fault>>> {
        poll_fn(|cx| self.poll_next(cx))
    }

    /// Whether nothing can follow, and nothing is wrong with what has come: whether a compressed body is complete is asked
    /// at its end.
    fn is_at_end(&self) -> bool {
        self.inflate.is_none() && self.body.is_end_stream()
    }
}

/// Where an answer is taken up.
#[derive(Clone, Copy)]
pub(crate) struct Joint<'a> {
    /// What the client has; nothing where that is a role alone.
    pub(crate) words: &'a Words,
    /// What was taken for it.
    pub(crate) spent: Option<Usage>,
    /// The deployment is given that, and goes on behind it; else it begins anew and has to repeat it.
    pub(crate) prefilled: bool,
}

/// Makes the call that `record` is about; with `begun`, to complete the answer that broke off there.
///
/// # Errors
/// Whatever went wrong before the answer was known to be good.
pub(crate) async fn open(
    record: &mut CallRecord<'_>,
    call: &Call,
    begun: Option<Joint<'_>>,
    limits: CallLimits,
) -> Result<Opened, Fault> {
    let snapshot = record.snapshot;
    let deployment = &snapshot.gateway.deployments[record.deployment];
    let pool = &snapshot.pools[deployment.provider];
    let joint = begun.filter(|begun| !begun.words.is_empty());
    let provider = &snapshot.gateway.providers[deployment.provider];
    let made = provider.serves(call.endpoint).ok_or_else(|| not_served(call.endpoint))?;
    let translation = Translation::between(call.endpoint, made);
    let held = match &provider.tokens {
        Some(kept) => Some(kept.token(record.clock, Instant::now() + limits.connect).await?),
        None => None,
    };
    let to = (provider, deployment, held.as_deref());
    let request = request(record, call, to, (made, translation), joint)?;
    let mut limits = limits;
    let within = Limits { connect: limits.connect, answer: limits.first, deadline: limits.deadline };
    let answer = pool.send(request, within, record.clock, &mut record.setup).await;
    record.has_waited_for_head();
    limits.first = within.answer_after(&record.setup);
    let answer = answer?;
    record.head_came();
    let head = answer.head;
    let compressed = head.content_encoding().is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip"));
    let source = Source { body: answer.body, inflate: compressed.then(|| Box::new(Inflate::new())) };
    match head.status.as_u16() {
        200..=203 => {}
        ..=399 => return Err(unexpected_status(head.status.as_u16())),
        status => {
            let body = Box::pin(refusal_body(source, limits)).await;
            if let Some(kept) = provider.tokens.as_ref().filter(|_| status == 401) {
                kept.was_refused(Instant::now());
            }
            return Err(fault(Refusal {
                status,
                headers: &head.headers(),
                body: &body,
                now: SystemTime::now(),
            }));
        }
    }
    let content_type = content_type(head.content_type(), call.facts.stream);
    if call.facts.stream {
        let content_type = content_type.filter(|_| translation.is_none());
        let comes = Comes { begun, translation };
        open_stream(record, call, comes, source, content_type, limits).await
    } else {
        open_whole(record, call, translation, source, content_type, limits).await
    }
}

/// The request as this deployment wants it.
fn request(
    record: &mut CallRecord<'_>,
    call: &Call,
    (provider, deployment, held): (&Provider, &Deployment, Option<&Held>),
    (made, translation): (Endpoint, Option<Translation>),
    joint: Option<Joint<'_>>,
) -> Result<Request, Fault> {
    let prefilled = joint.filter(|joint| joint.prefilled);
    let traceparent = record.trace.header();
    let mut more: SmallVec<[(&HeaderName, &[u8]); 3]> = SmallVec::new();
    more.push((&TRACEPARENT, &traceparent));
    if let Some(held) = held {
        more.push((&header::AUTHORIZATION, held.bearer.expose().as_bytes()));
    }
    for (name, value) in &call.passed_on {
        // What the operator set for this provider stands. What is said to one vendor's API means nothing to another's.
        let foreign = translation.is_some() && *name != TRACESTATE;
        if !foreign && !provider.sets(name) {
            more.push((name, value.as_bytes()));
        }
    }
    let head = provider.head(deployment, record.called.credential, made, call.facts.stream);
    if let Some(translation) = translation {
        let prefill = prefilled.map(|joint| &*joint.words.text);
        let (body, mut lost) = translation.request(record, call, prefill)?;
        let body = if provider.quirks.edit() {
            let address = InAddress { model: &deployment.model, stream: call.facts.stream };
            let facts = CallFacts::read_at(&body, made, made.names_model_in_address().then_some(address))?;
            let spliced = splice(&body, &facts, &rewrite(provider, deployment, None));
            spliced.lost.names().for_each(|name| lost.note(translation.in_clients_words(name)));
            Pieces::new(spliced.pieces)
        } else {
            Pieces::new([body])
        };
        leaves_out(record, call, lost)?;
        return Ok(Request::new(head, &more, body));
    }
    let prefill = prefilled.map(|joint| {
        let (members, in_turn) = provider.quirks.prefill.members();
        Prefill { text: &joint.words.text, members, in_turn }
    });
    let body = splice(&call.body, &call.facts, &rewrite(provider, deployment, prefill));
    leaves_out(record, call, body.lost)?;
    Ok(Request::new(head, &more, Pieces::new(body.pieces)))
}

/// Notes what the deployment is not told.
///
/// # Errors
/// Where the route lets nothing be left out.
fn leaves_out(record: &mut CallRecord<'_>, call: &Call, lost: Lost) -> Result<(), Fault> {
    if lost.is_empty() {
        return Ok(());
    }
    if !record.snapshot.gateway.routes[call.chosen.asked].drop_params {
        return Err(cannot_be_told(&lost));
    }
    record.lost = Some(Box::new(lost));
    Ok(())
}

/// How a deployment wants a body that is in its format.
fn rewrite<'a>(provider: &Provider, deployment: &'a Deployment, prefill: Option<Prefill<'a>>) -> Rewrite<'a> {
    let Quirks { usage, rename, refuses, short_tool_ids, instead_of_model, .. } = provider.quirks;
    Rewrite {
        model: &deployment.model,
        want_usage: usage == StreamUsage::IfAsked,
        rename,
        refuses,
        short_tool_ids,
        instead_of_model,
        prefill,
    }
}

#[cold]
pub(crate) fn not_served(endpoint: Endpoint) -> Fault {
    let message = format!("the model's vendor has nothing like {}; ask for another model", endpoint.path());
    Fault::new(Class::Refused, 400, "endpoint_not_supported", message)
}

/// What an answer says about its type, unless that is what Weir would say anyway.
fn content_type(stated: Option<&[u8]>, stream: bool) -> Option<HeaderValue> {
    let usual: &[u8] = if stream { b"text/event-stream; charset=utf-8" } else { b"application/json" };
    stated.filter(|stated| *stated != usual).and_then(|stated| HeaderValue::from_bytes(stated).ok())
}

pub(crate) fn timed_out(what: &'static str) -> Fault {
    Fault::new(Class::Timeout, 504, "upstream_timeout", format!("the model's server {what}"))
}

async fn refusal_body(mut source: Source, limits: CallLimits) -> Bytes {
    let mut all = BytesMut::new();
    let until = limits.deadline.min(Instant::now() + limits.idle.min(Duration::from_secs(5)));
    let (mut waits, mut waited) = (Waits::default(), Duration::ZERO);
    // A refusal whose body breaks off is a refusal all the same.
    while let Ok(Some(Ok(piece))) = waits.before(|_| until, &mut waited, source.next()).await {
        all.extend_from_slice(&piece[..piece.len().min(REFUSAL_READ - all.len())]);
        if all.len() == REFUSAL_READ {
            break;
        }
    }
    all.freeze()
}

async fn open_whole(
    record: &mut CallRecord<'_>,
    call: &Call,
    translation: Option<Translation>,
    mut source: Source,
    content_type: Option<HeaderValue>,
    limits: CallLimits,
) -> Result<Opened, Fault> {
    // Sound is not waited for: there is nothing to be read in it.
    let most = match call.endpoint.gives() {
        Gives::Bytes => 0,
        _ => record.snapshot.gateway.settings.limits.answer_buffer,
    };
    // What is to be kept is put under our name before it goes out. Beyond what may be kept it is an answer like any other.
    let keeps = call.keep.as_ref().filter(|_| translation.is_none());
    let most = keeps.map_or(most, |keep| most.max(keep.largest()));
    let (mut body, all) = held(&mut source, most, limits, &mut record.waited).await?;
    let mut content_type = content_type;
    let (facts, rest) = if let Some(translation) = translation {
        if !all {
            return Err(too_large(most));
        }
        let (written, facts) = translation.whole(record, call, &body)?;
        (body, content_type) = (written, None);
        (Some(facts), None)
    } else if all {
        let judged = crate::quality::wanted(record.snapshot, call).is_some();
        let facts = match call.taken() {
            Some(usage) => ReplyFacts::known(usage),
            None => reply_facts(&body, call.endpoint, judged)?,
        };
        (Some(facts), None)
    } else {
        (None, Some(source))
    };
    Ok(Opened::Whole(Box::new(WholeAnswer {
        content_type,
        body,
        rest,
        facts,
        flaw: None,
        limits,
        lease: None,
    })))
}

/// Reads a body until its end or until more than `most` bytes are there, and says which.
async fn held(
    source: &mut Source,
    most: usize,
    limits: CallLimits,
    waited: &mut Duration,
) -> Result<(Bytes, bool), Fault> {
    let (mut all, mut waits) = (BytesMut::new(), Waits::default());
    loop {
        let limit = |now: Instant| limits.deadline.min(now + limits.idle);
        let next = waits.before(limit, waited, source.next()).await;
        let Some(piece) = next.map_err(|_| timed_out("fell silent in the middle of its answer"))? else {
            return Ok((all.freeze(), true));
        };
        let piece = piece?;
        if all.is_empty() {
            if source.is_at_end() || piece.len() > most {
                return Ok((piece, source.is_at_end()));
            }
            all.reserve(piece.len() * 2);
        }
        all.extend_from_slice(&piece);
        if all.len() > most {
            return Ok((all.freeze(), false));
        }
    }
}

/// How a stream comes to the client.
#[derive(Clone, Copy)]
struct Comes<'a> {
    /// The client has the beginning of an answer, if only a role.
    begun: Option<Joint<'a>>,
    translation: Option<Translation>,
}

async fn open_stream(
    record: &mut CallRecord<'_>,
    call: &Call,
    comes: Comes<'_>,
    source: Source,
    content_type: Option<HeaderValue>,
    limits: CallLimits,
) -> Result<Opened, Fault> {
    let most = record.snapshot.gateway.settings.limits.stream_buffer;
    let watch = StreamWatch::new(call.facts.include_usage, most);
    let Comes { begun, translation } = comes;
    let (again, joint) = (begun.is_some(), begun.filter(|begun| !begun.words.is_empty()));
    let has = begun.map(|begun| begun.words);
    let watch = match translation {
        Some(translation) => translation.watch(watch, record, call, has),
        None => watch_as_it_comes(watch, record, call, has),
    };
    let watch = match begun {
        None => watch.remembering(),
        Some(begun) => watch.taking_up(begun.words, !begun.prefilled).adding(begun.spent),
    };
    let ready = sse::Pieces::new();
    let held = crate::quality::holds(record.snapshot, call);
    let limits = CallLimits { hold: held.map_or(limits.hold, |_| LONGEST_HOLD), ..limits };
    let (ended, flaw, lease) = (false, None, None);
    let (awaits, open) = record.opens(Box::new(StreamAnswer {
        content_type,
        source,
        watch,
        ready,
        ended,
        flaw,
        limits,
        lease,
    }));
    let begun = match first_events(awaits.waited, again, open).await {
        Ok(None) if joint.is_none() => {
            if open.watch.has_first_token() {
                *awaits.first_token = Some(awaits.started.elapsed());
            }
            match held.filter(|_| !again) {
                Some(most) => to_the_end(awaits, open, most).await.map(|()| None),
                None => Ok(None),
            }
        }
        begun => begun,
    };
    if begun.is_err() {
        record.came_to_nothing();
    }
    match (begun, record.opening.take()) {
        (Ok(None), Some(open)) => Ok(Opened::Stream(open)),
        (Ok(Some(piece)), Some(open)) => {
            Err(Box::pin(not_a_stream(piece, open.source, call, most, limits)).await)
        }
        (Ok(_), None) => Err(lost_track()),
        (Err(fault), _) => Err(fault),
    }
}

/// A stream that was being read is not there any more. Nothing takes it away.
pub(crate) fn lost_track() -> Fault {
    crate::panics::panicked().with_cause("a stream was lost while it was read")
}

/// Reads a stream up to its first token, or, when it takes up an answer, the first that is new; but events that say
/// nothing yet (a role, an empty text) are held back for no longer than [`CallLimits::hold`]. Until here nothing of it goes
/// to the client, and the call can still be made elsewhere as if this one had not been. Gives the first piece when it is none
/// of a stream.
async fn first_events(
    waited: &mut Duration,
    joins: bool,
    open: &mut StreamAnswer,
) -> Result<Option<Bytes>, Fault> {
    let limits = open.limits;
    let (mut first_piece, mut waits) = (true, Waits::default());
    let mut held_until = None;
    loop {
        // One that repeats what the client has does not keep it waiting by being silent.
        let repeats = joins && open.watch.token_events() > 0;
        let limit = |now: Instant| {
            let first = held_until.map_or(limits.first, |until| limits.first.min(until));
            if repeats { limits.deadline.min(now + limits.idle) } else { first }
        };
        let next = match waits.before(limit, waited, open.source.next()).await {
            Err(_) if held_until.is_some_and(|until| until < limits.first) => return Ok(None),
            next => next.map_err(|_| timed_out("sent no token in time"))?,
        };
        let Some(piece) = next else { return ended(open).map(|()| None) };
        let piece = piece?;
        if std::mem::take(&mut first_piece) && !looks_like_events(open.watch.framing(), &piece) {
            return Ok(Some(piece));
        }
        let step = open.watch.push(piece, &mut open.ready)?;
        if let Step::Error(fault) = step {
            return Err(fault);
        }
        if open.watch.has_first_token() {
            return Ok(None);
        }
        if step == Step::Done {
            // It has said that it is over, and nothing before.
            return ended(open).map(|()| None);
        }
        let events = open.watch.events();
        let too_much = open.ready.iter().map(Bytes::len).sum::<usize>() > KEPT_BEFORE_TOKEN;
        if !joins && events > 0 {
            if too_much || events >= EVENTS_BEFORE_TOKEN || limits.hold.is_zero() {
                return Ok(None);
            }
            held_until = held_until.or_else(|| Some(Instant::now() + limits.hold));
        }
        if too_much {
            // Comments are of no use to the client once they are late.
            open.ready.clear();
        }
    }
}

/// Reads a stream that has begun until it has ended, or until more than `most` bytes of it are held.
pub(crate) async fn to_the_end(
    awaits: Awaits<'_>,
    open: &mut StreamAnswer,
    most: usize,
) -> Result<(), Fault> {
    let limits = open.limits;
    let mut held = open.ready.iter().map(Bytes::len).sum::<usize>();
    let (mut waits, mut over_by, mut marked) = (Waits::default(), None, false);
    while !open.ended && held <= most {
        if open.watch.has_end_mark() && !marked {
            marked = true;
            over_by = Some(limits.deadline.min(Instant::now() + limits.idle.min(AFTER_END_MARK)));
        } else if open.watch.has_finished() && over_by.is_none() {
            over_by = Some(limits.deadline.min(Instant::now() + limits.idle.min(AFTER_FINISH)));
        }
        let begun = open.watch.has_first_token();
        let limit = |now: Instant| match over_by {
            Some(over_by) => over_by,
            None if begun => limits.deadline.min(now + limits.idle),
            None => limits.first,
        };
        let fault = match waits.before(limit, awaits.waited, open.source.next()).await {
            Ok(Some(Ok(piece))) => {
                held += piece.len();
                let step = open.watch.push(piece, &mut open.ready)?;
                if !begun && open.watch.has_first_token() {
                    *awaits.first_token = Some(awaits.started.elapsed());
                }
                match step {
                    Step::Error(fault) => return Err(fault),
                    Step::Open | Step::Done => continue,
                }
            }
            Ok(None) => None,
            Ok(Some(Err(fault))) => Some(fault),
            Err(_) if open.watch.has_finished() => None,
            Err(_) => Some(timed_out("fell silent in the middle of its answer")),
        };
        // Behind the end mark nothing is missing.
        if let Some(fault) = fault.filter(|_| !open.watch.has_end_mark()) {
            return Err(fault);
        }
        ended(open)?;
    }
    Ok(())
}

/// Nothing more comes.
fn ended(open: &mut StreamAnswer) -> Result<(), Fault> {
    match open.watch.end() {
        End::Failed(fault) => return Err(fault),
        End::Complete { append } => open.ready.extend(append),
    }
    open.ended = true;
    Ok(())
}

/// Whether a body's beginning can be a stream of that framing, whatever its content type says.
fn looks_like_events(framing: Framing, piece: &[u8]) -> bool {
    match framing {
        Framing::Events => !matches!(piece.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')),
        // An error looks like an event there, and is read as one.
        Framing::Lines => !matches!(piece.trim_ascii_start().first(), Some(b'[' | b'<')),
        // A message begins with its length, whose first byte is 0 for any that is held.
        Framing::Frames => matches!(piece.first(), None | Some(0)),
    }
}

/// What is wrong with an answer that should have been a stream: usually an error with status 200.
async fn not_a_stream(
    piece: Bytes,
    mut source: Source,
    call: &Call,
    most: usize,
    limits: CallLimits,
) -> Fault {
    let rest = match held(&mut source, most, limits, &mut Duration::default()).await {
        Ok((rest, _)) => rest,
        Err(fault) => return fault,
    };
    match reply_facts(&[&piece[..], &rest[..]].concat(), call.endpoint, false) {
        Err(fault) => fault,
        Ok(_) => {
            let message = "the model's server sent a whole answer where a stream was asked for";
            Fault::new(Class::Malformed, 502, "upstream_malformed", message)
        }
    }
}
