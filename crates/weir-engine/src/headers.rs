//! Response heads: what a client is told besides the answer itself.

use crate::attempt::Attempts;
use crate::call::Call;
use crate::opening::{StreamAnswer, WholeAnswer};
use crate::record::Record;
use crate::relay::Relay;
use crate::reply::{Reply, Response};
use crate::translation;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use std::time::Duration;
use weir_config::ResponseHeaders;
use weir_core::{Endpoint, Fault, RequestId};
use weir_wire::error;
use weir_wire::headers::FieldName;
use weir_wire::quality::Flaw;
use weir_wire::{HeaderLines, field_name};

const ALLOW: FieldName = field_name!("allow");
const CACHE_CONTROL: FieldName = field_name!("cache-control");
const CONTENT_TYPE: FieldName = field_name!("content-type");
const RETRY_AFTER: FieldName = field_name!("retry-after");
const TRAILER: FieldName = field_name!("trailer");
const WWW_AUTHENTICATE: FieldName = field_name!("www-authenticate");
const REQUEST_ID: FieldName = field_name!("x-request-id");
/// The same where Anthropic's libraries look for it.
const ANTHROPIC_REQUEST_ID: FieldName = field_name!("request-id");
const DECISION: FieldName = field_name!("x-weir-decision");
const DEPLOYMENT: FieldName = field_name!("x-weir-deployment");
const MODEL: FieldName = field_name!("x-weir-model");
const ANSWER: FieldName = field_name!("x-weir-answer");
/// What of a call its deployment could not be told.
const DROPPED: FieldName = field_name!("x-weir-dropped");
const ATTEMPTS: FieldName = field_name!("x-weir-attempts");
const COST: FieldName = field_name!("x-weir-cost");
const OVERHEAD: FieldName = field_name!("x-weir-overhead-ms");
const PREDICTED: FieldName = field_name!("x-weir-predicted-ms");
const LATENCY: FieldName = field_name!("x-weir-latency-ms");
/// What OpenAI's and Anthropic's libraries obey before they look at the status.
const SHOULD_RETRY: FieldName = field_name!("x-should-retry");
const LITELLM_COST: FieldName = field_name!("x-litellm-response-cost");
const LITELLM_MODEL: FieldName = field_name!("x-litellm-model-id");
const PROCESS_TIME: FieldName = field_name!("x-process-time");
const TOKEN_USAGE: FieldName = field_name!("x-token-usage");
const REQUEST_SIZE: FieldName = field_name!("x-request-size");
const RESPONSE_SIZE: FieldName = field_name!("x-response-size");
/// What a stream's trailers hold, as its head has to announce (RFC 9110 §6.6.2).
const TRAILERS: &str = "x-weir-cost, x-weir-overhead-ms, x-weir-latency-ms, x-token-usage";

/// Room for the fields of any usual response.
const USUAL: usize = 512;

/// An answer that Weir gives by itself, as JSON.
pub(crate) fn listing(mut record: Box<Record>, body: Bytes) -> Response {
    let mut headers = begin(&mut record, StatusCode::OK);
    headers.put(CONTENT_TYPE, "application/json");
    Response { status: StatusCode::OK, headers, body: Reply::whole(body, record) }
}

/// A whole answer. Everything about it is known, unless it was too large to be held.
pub(crate) fn whole(mut record: Box<Record>, mut answer: Box<WholeAnswer>, call: &Call) -> Response {
    record.look_at_clock();
    let known = answer.facts.as_ref();
    if let Some(facts) = known.filter(|_| answer.flaw.is_none()) {
        record.spent(facts.usage_or_estimate(call.facts.prompt_bytes));
        if let Some(lease) = &mut answer.lease {
            record.answered(lease, None);
        }
    }
    if let Some(lease) = answer.lease.as_mut().filter(|_| answer.rest.is_none()) {
        lease.report(Ok(()), record.now());
    }
    let mut headers = begin(&mut record, StatusCode::OK);
    let stated = answer.content_type.as_ref().map_or(&b"application/json"[..], HeaderValue::as_bytes);
    headers.text(CONTENT_TYPE, stated);
    served_model(&mut headers, &record, known.and_then(|f| f.model.as_deref()));
    headers.millis(OVERHEAD, record.overhead());
    latency(&mut headers, &record);
    flaw(&mut headers, answer.flaw);
    let optional = &record.snapshot.gateway.settings.headers;
    if known.is_some() {
        cost(&mut headers, &record);
        // Who reads that one expects a number.
        if optional.litellm && !record.cost_unknown {
            headers.repeat(LITELLM_COST);
        }
    }
    if optional.timing {
        headers.put(PROCESS_TIME, format_args!("{:.6}", record.started.elapsed().as_secs_f64()));
        headers.number(REQUEST_SIZE, record.request_bytes);
        if known.is_some() {
            headers.number(TOKEN_USAGE, record.usage.map_or(0, |u| u.total()));
            headers.number(RESPONSE_SIZE, answer.body.len());
        }
    }
    let body = match answer.rest {
        None => Reply::whole(answer.body, record),
        Some(rest) => {
            announce_trailers(&mut headers, call);
            Reply::Stream(Relay::large(record, answer.body, rest, answer.limits, answer.lease, call))
        }
    };
    Response { status: StatusCode::OK, headers, body }
}

/// The head of a stream: what is known when its first token is there. The rest follows as trailers for clients that ask.
pub(crate) fn stream(
    mut record: Box<Record>,
    answer: Box<StreamAnswer>,
    attempts: Box<Attempts>,
) -> Response {
    record.look_at_clock();
    record.head_is_out();
    let mut headers = begin(&mut record, StatusCode::OK);
    let stated = answer.content_type.as_ref().map(HeaderValue::as_bytes);
    let usual = record.client.framing().content_type();
    let stated =
        stated.filter(|v| v.starts_with(b"text/event-stream") && usual.starts_with("text/event-stream"));
    headers.text(CONTENT_TYPE, stated.unwrap_or(usual.as_bytes()));
    headers.put(CACHE_CONTROL, "no-cache");
    served_model(&mut headers, &record, answer.watch.model().map(|m| m.as_str()));
    headers.millis(OVERHEAD, record.overhead());
    latency(&mut headers, &record);
    flaw(&mut headers, answer.flaw);
    if record.snapshot.gateway.settings.headers.timing {
        headers.number(REQUEST_SIZE, record.request_bytes);
    }
    announce_trailers(&mut headers, &attempts.call);
    let body = Reply::Stream(Relay::stream(record, answer, attempts));
    Response { status: StatusCode::OK, headers, body }
}

/// A fault, in the client's format.
pub(crate) fn refusal(mut record: Box<Record>, fault: Fault) -> Response {
    let fault = fit_to_tell(&record, fault);
    let body = translation::refusal(&record, &fault);
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = begin(&mut record, status);
    headers.put(CONTENT_TYPE, "application/json");
    if let Some(text) = &fault.retry_after_text {
        headers.put(RETRY_AFTER, text);
    } else if let Some(after) = fault.retry_after {
        // Whole seconds, rounded up: coming back early would only be refused again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.number(RETRY_AFTER, seconds.max(1));
    }
    if record.attempts.len() > 1 && fault.status >= 500 {
        // It has been tried again already, wherever that made sense. A client that did the same with all of it would
        // multiply the calls.
        headers.put(SHOULD_RETRY, "false");
    }
    if let Some(allow) = fault.allow {
        headers.put(ALLOW, allow);
    }
    if fault.status == 401 {
        headers.put(WWW_AUTHENTICATE, "Bearer");
    }
    record.failed(fault);
    Response { status, headers, body: Reply::whole(body, record) }
}

/// The answer to a request whose record is gone.
pub(crate) fn last_words(id: RequestId, fault: &Fault) -> Response {
    let mut headers = HeaderLines::default();
    headers.put(CONTENT_TYPE, "application/json");
    headers.put(REQUEST_ID, id);
    let body = Reply::plain(error::body(fault, Some(&id)));
    Response { status: StatusCode::INTERNAL_SERVER_ERROR, headers, body }
}

/// A fault without what is private of any deployment that was called, whatever way an upstream's words took to get here.
/// Every fault passes through here before a client or the log learns of it.
pub(crate) fn fit_to_tell(record: &Record, fault: Fault) -> Fault {
    let gateway = &record.snapshot.gateway;
    let called = record.attempts.iter().filter_map(|tried| gateway.deployments.get(tried.deployment));
    let providers = called.filter_map(|deployment| gateway.providers.get(deployment.provider));
    providers.fold(fault, |fault, provider| {
        let fault = provider.private.cut_out_of(fault);
        provider.tokens.iter().fold(fault, |fault, kept| kept.cut_out_of(fault))
    })
}

/// The trailers of a stream that has ended.
pub(crate) fn trailers(record: &Record) -> HeaderMap {
    let mut trailers = HeaderLines::default();
    cost(&mut trailers, record);
    trailers.millis(OVERHEAD, record.overhead());
    if let Some(latency) = took(record) {
        trailers.millis(LATENCY, latency);
    }
    trailers.number(TOKEN_USAGE, record.usage.map_or(0, |u| u.total()));
    trailers.to_map()
}

/// What it cost; a price that nobody knows makes the sum unknown and not smaller.
fn cost(headers: &mut HeaderLines, record: &Record) {
    if record.cost_unknown {
        headers.plain(COST, b"unknown");
    } else {
        headers.plain(COST, record.cost.decimal().as_bytes());
    }
}

/// The fields that name a deployment, rendered once.
pub(crate) fn about(deployment: &str, optional: ResponseHeaders) -> HeaderLines {
    let mut about = HeaderLines::default();
    about.put(DEPLOYMENT, deployment);
    if optional.litellm {
        about.put(LITELLM_MODEL, deployment);
    }
    about
}

/// The beginning of every response.
fn begin(record: &mut Record, status: StatusCode) -> HeaderLines {
    record.status = status.as_u16();
    let mut headers = HeaderLines::with_capacity(USUAL);
    headers.plain(REQUEST_ID, record.id.as_bytes());
    if record.endpoint == Some(Endpoint::Messages) {
        headers.plain(ANTHROPIC_REQUEST_ID, record.id.as_bytes());
    }
    if let Some(dropped) = &record.dropped {
        headers.put(DROPPED, dropped);
    }
    if let Some(id) = record.decision_id() {
        headers.plain(DECISION, &id);
    }
    if let Some(deployment) = record.deployment() {
        headers.extend(&deployment.about);
        headers.number(ATTEMPTS, record.attempts.len());
    }
    headers
}

/// The model that answered: what the upstream calls itself, else what it was asked for as.
fn served_model(headers: &mut HeaderLines, record: &Record, stated: Option<&str>) {
    let asked = || record.deployment().map(|d| &*d.model);
    if let Some(model) = stated.or_else(asked) {
        headers.text(MODEL, model.as_bytes());
    }
}

/// How long the deployment took to its first token, or to its answer when that is no stream, and what was expected. Of a
/// stream whose first token has not come yet only the latter is known, and the trailers tell the other.
fn latency(headers: &mut HeaderLines, record: &Record) {
    if let Some(latency) = took(record) {
        headers.millis(LATENCY, latency);
    }
    if let Some(predicted) = record.called.predicted {
        headers.millis(PREDICTED, predicted);
    }
}

/// From the call to its first token, or to its answer when that is no stream, as its deployment's windows measure it.
fn took(record: &Record) -> Option<Duration> {
    let first_token = || record.first_token.map(|after| record.started + after);
    let came = if record.streamed { first_token()? } else { record.clock };
    // A call that goes on with another one's answer has no first token of its own.
    came.checked_duration_since(record.called.sent)
}

/// Why an answer is of no use that is given all the same, for want of a better one.
fn flaw(headers: &mut HeaderLines, flaw: Option<Flaw>) {
    if let Some(flaw) = flaw {
        headers.put(ANSWER, flaw.name());
    }
}

fn announce_trailers(headers: &mut HeaderLines, call: &Call) {
    if call.trailers {
        headers.put(TRAILER, TRAILERS);
    }
}
