//! Stage 3: the body becomes a call.

use crate::admit::Admitted;
use crate::choose::{Chosen, choose};
use crate::hints::{self, Hints};
use crate::kept::{self, Keep};
use crate::line::Called;
use crate::record::{Asked, Purpose, Record};
use crate::waiting::Waits;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use smallvec::SmallVec;
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::task::{Context, Poll};
use std::time::Instant;
use weir_config::Limits;
use weir_core::endpoint::Gives;
use weir_core::text::number;
use weir_core::usage::Pieces;
use weir_core::{Class, Endpoint, Fault, Usage};
use weir_routing::policy::Bond;
use weir_wire::Headers;
use weir_wire::call::{CallFacts, InAddress};

/// The body of a request, as a server hands it in.
pub trait Unread {
    /// What can go wrong in reading it, in words for the log.
    type Error: std::fmt::Display;

    /// All of it, uncopied, when it has come already; nothing is left then.
    fn take_whole(&mut self) -> Option<Bytes>;

    /// Waits for more of it and appends that to `into`, which may be given room for what is expected; `false` at the end.
    ///
    /// # Errors
    /// When the body breaks off or is not well-formed.
    fn poll_more(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<Result<bool, Self::Error>>;
}

/// So much of a plain prompt is taken to be how its conversation begins.
const OPENING: usize = 1024;

/// Room made at once for a body of that stated length, at most.
const EXPECTED: usize = 256 * 1024;

/// A request whose body has been read: the facts routing needs, and the bytes to pass on.
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    pub(crate) body: Bytes,
    pub(crate) facts: CallFacts,
    /// Which pool serves it, and which that route's fallbacks offer.
    pub(crate) chosen: Chosen,
    /// What it asks of the route it names.
    pub(crate) hints: Hints,
    /// Headers of the client that travel on.
    pub(crate) passed_on: SmallVec<[(HeaderName, HeaderValue); 2]>,
    /// Whether the client takes trailers (`TE: trailers`, RFC 9110 §10.1.4).
    pub(crate) trailers: bool,
    /// What becomes of its answer, where that is kept.
    pub(crate) keep: Option<Box<Keep>>,
    /// For as long as the call lasts. Private, so that nobody else makes a call.
    _admitted: Admitted,
}

impl Call {
    /// What its answer takes, where the call tells that and its answer does not.
    pub(crate) fn taken(&self) -> Option<Usage> {
        if self.endpoint.gives() != Gives::Bytes {
            return None;
        }
        let characters = self.facts.prompt_characters(&self.body);
        Some(Usage { pieces: Pieces { characters, ..Pieces::default() }, ..Usage::default() })
    }
}

/// The request headers that may reach an upstream. Everything else stays here: the client's key, cookies, addresses.
static PASSED_ON: [HeaderName; 3] = [
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("tracestate"),
];
pub(crate) static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Reads the body within its limits, then the facts, then finds the route.
///
/// # Errors
/// 413, 408 and 400 for the body, 404 for a model nobody serves.
pub(crate) async fn read_and_parse<B>(
    record: &mut Record,
    admitted: Admitted,
    called: &Called,
    headers: &Headers,
    body: B,
) -> Result<Box<Call>, Fault>
where
    B: Unread,
{
    let snapshot = record.snapshot.clone();
    let body = read(body, headers, &snapshot.gateway.settings.limits, record).await?;
    if called.endpoint == Endpoint::Responses {
        return Box::pin(kept_parts(record, admitted, called, headers, body)).await;
    }
    parse(record, admitted, called, headers, body)
}

/// The same for a call that may refer to what is kept, and whose answer may be.
async fn kept_parts(
    record: &mut Record,
    admitted: Admitted,
    called: &Called,
    headers: &Headers,
    body: Bytes,
) -> Result<Box<Call>, Fault> {
    let sent = body.len() as u64;
    record.request_bytes = sent;
    let (body, keep) = kept::resolve(record, body).await?;
    let parsed = parse(record, admitted, called, headers, body);
    record.request_bytes = sent;
    let mut call = parsed?;
    if call.facts.stream && keep.as_ref().is_some_and(|keep| keep.in_background()) {
        return Err(kept::no_stream_of_background());
    }
    call.keep = keep;
    Ok(call)
}

/// The facts of a body that has been read, its route, and where that sends it.
///
/// # Errors
/// 400 for the body, 404 for a model nobody serves, and what is wrong with hints.
pub(crate) fn parse(
    record: &mut Record,
    admitted: Admitted,
    called: &Called,
    headers: &Headers,
    body: Bytes,
) -> Result<Box<Call>, Fault> {
    record.request_bytes = body.len() as u64;
    let endpoint = called.endpoint;
    let address =
        called.address.as_deref().map(|address| InAddress { model: &address.model, stream: address.stream });
    let facts = CallFacts::read_at(&body, endpoint, address)?;
    record.streamed = facts.stream;
    let gateway = &record.snapshot.gateway;
    let found = gateway.route(&facts.model);
    record.asked = Some(match &found {
        Ok(found) => Asked::Known(found.model),
        Err(_) => Asked::Unknown(facts.model.chars().take(128).collect()),
    });
    let route = found?.route;
    let hints = Hints::read(headers, gateway, &gateway.routes[route])?;
    let mut chosen = choose(record, route, &facts, &body, headers, &hints);
    let asked = hints.policy.is_some_and(|kind| kind.name == "sticky");
    for place in &mut chosen.places {
        let default = asked.then_some(&[Bond::Session, Bond::User][..]);
        let bonds = gateway.pools[place.pool].policy.bonds().or(default).unwrap_or_default();
        place.session = bonds.iter().find_map(|bond| session(bond, &hints, &facts, &body, headers));
    }
    if hints.dry_run && record.purpose == Purpose::Serve {
        record.purpose = Purpose::DryRun;
    }
    // Without a caller's trace there is none that its state could belong to (W3C trace context §3.3).
    let of_no_trace = |name: &HeaderName| *name == TRACESTATE && !record.continues_a_trace();
    let passed_on = PASSED_ON
        .iter()
        .filter(|name| !of_no_trace(name))
        .filter_map(|name| Some((name.clone(), HeaderValue::from_bytes(headers.get(name)?).ok()?)))
        .collect();
    let trailers = headers
        .all(&header::TE)
        .flat_map(|value| value.split(|b| *b == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"));
    Ok(Box::new(Call {
        endpoint,
        body,
        facts,
        chosen,
        hints,
        passed_on,
        trailers,
        keep: None,
        _admitted: admitted,
    }))
}

/// What keeps a call together with earlier ones, as far as it has that.
fn session(bond: &Bond, hints: &Hints, facts: &CallFacts, body: &[u8], headers: &Headers) -> Option<u64> {
    match bond {
        Bond::Session => hints.session,
        Bond::User => facts.user.clone().and_then(|place| body.get(place)).map(hints::session),
        Bond::Cookie(name) => {
            let pairs = headers.all(&header::COOKIE).flat_map(|line| line.split(|b| *b == b';'));
            let mut values = pairs.filter_map(|pair| {
                pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=").filter(|v| !v.is_empty())
            });
            values.next().map(hints::session)
        }
        Bond::Prefix => {
            let (mut hash, mut any) = (DefaultHasher::new(), false);
            facts.opening(body, OPENING, &mut |said| {
                said.hash(&mut hash);
                any = true;
            });
            any.then(|| hash.finish())
        }
    }
}

/// Reads a whole body within its limits of size and time.
///
/// # Errors
/// 413, 408, or 400 where it breaks off.
pub(crate) async fn read(
    mut body: impl Unread,
    headers: &Headers,
    limits: &Limits,
    record: &mut Record,
) -> Result<Bytes, Fault> {
    let most = limits.max_body;
    if let Some(whole) = body.take_whole() {
        return if whole.len() > most { Err(too_large(most)) } else { Ok(whole) };
    }
    let stated = headers.get(&header::CONTENT_LENGTH).and_then(number);
    if stated.is_some_and(|length| length > most as u64) {
        return Err(too_large(most));
    }
    // Trust a stated length only so far: memory follows what really arrives.
    let expected = stated.and_then(|n| usize::try_from(n).ok()).unwrap_or(0).min(EXPECTED);
    // And one byte more, which whoever reads from a socket wants to see free.
    let mut all = BytesMut::with_capacity(expected + 1);
    let deadline = record.started + limits.body_total;
    let mut waits = Waits::default();
    loop {
        let limit = |now: Instant| deadline.min(now + limits.body_timeout);
        let more = poll_fn(|cx| body.poll_more(cx, &mut all));
        let more = waits.before(limit, &mut record.waited, more).await.map_err(|_| too_slow())?;
        let more = more.map_err(|e| {
            let message = "the request's body is incomplete or not well-formed HTTP";
            Fault::new(Class::Caller, 400, "incomplete_body", message).with_cause(e.to_string())
        })?;
        if all.len() > most {
            return Err(too_large(most));
        }
        if !more {
            return Ok(all.freeze());
        }
    }
}

fn too_large(most: usize) -> Fault {
    let message = format!("the request's body is larger than {most} bytes, the most this gateway takes");
    Fault::new(Class::Caller, 413, "request_too_large", message)
}

fn too_slow() -> Fault {
    let message = "the request's body took too long to arrive; send it again without pauses";
    Fault::new(Class::Caller, 408, "request_timeout", message)
}
