//! Response heads: what a client is told besides the answer itself.

use crate::call::Call;
use crate::opening::{StreamAnswer, WholeAnswer};
use crate::record::Record;
use crate::relay::Relay;
use crate::reply::Reply;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use std::fmt::{Display, Write};
use std::time::Duration;
use weir_config::ResponseHeaders;
use weir_core::{Fault, RequestId};
use weir_wire::error;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-weir-deployment");
const MODEL: HeaderName = HeaderName::from_static("x-weir-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-weir-attempts");
const COST: HeaderName = HeaderName::from_static("x-weir-cost");
const OVERHEAD: HeaderName = HeaderName::from_static("x-weir-overhead-ms");
const LITELLM_COST: HeaderName = HeaderName::from_static("x-litellm-response-cost");
const LITELLM_MODEL: HeaderName = HeaderName::from_static("x-litellm-model-id");
const PROCESS_TIME: HeaderName = HeaderName::from_static("x-process-time");
const TOKEN_USAGE: HeaderName = HeaderName::from_static("x-token-usage");
const REQUEST_SIZE: HeaderName = HeaderName::from_static("x-request-size");
const RESPONSE_SIZE: HeaderName = HeaderName::from_static("x-response-size");
/// What a stream's trailers hold, as its head has to announce (RFC 9110 §6.6.2).
const TRAILERS: &str = "x-weir-cost, x-weir-overhead-ms, x-token-usage";

/// The answer to a request for the list of models.
pub(crate) fn listing(mut record: Box<Record>, body: Bytes) -> Response<Reply> {
    let mut values = Values::new();
    let mut response = begin(&mut record, StatusCode::OK, &mut values);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.map(|()| Reply::whole(body, record))
}

/// A whole answer. Everything about it is known, unless it was too large to be held.
pub(crate) fn whole(mut record: Box<Record>, answer: Box<WholeAnswer>, call: &Call) -> Response<Reply> {
    let known = answer.facts.as_ref();
    if let Some(facts) = known {
        let usage = facts.usage_or_estimate(call.facts.prompt_bytes);
        record.cost = record.deployment().map_or(weir_core::Cost::ZERO, |d| d.pricing.cost(&usage));
        record.usage = Some(usage);
    }
    let mut values = Values::new();
    let mut response = match (known, record.deployment()) {
        (Some(_), Some(deployment)) => {
            let about = deployment.about.whole.clone();
            begin_with(&mut record, StatusCode::OK, &mut values, about)
        }
        _ => begin(&mut record, StatusCode::OK, &mut values),
    };
    let headers = response.headers_mut();
    if let Some(stated) = answer.content_type.as_ref().filter(|stated| *stated != "application/json") {
        headers.insert(header::CONTENT_TYPE, stated.clone());
    }
    served_model(headers, &record, known.and_then(|f| f.model.as_deref()));
    headers.insert(OVERHEAD, values.millis(record.overhead()));
    let optional = &record.snapshot.gateway.settings.headers;
    if known.is_some() {
        let cost = values.show(record.cost);
        if optional.litellm {
            headers.insert(LITELLM_COST, cost.clone());
        }
        headers.insert(COST, cost);
    }
    if optional.timing {
        headers
            .insert(PROCESS_TIME, values.show(format_args!("{:.6}", record.started.elapsed().as_secs_f64())));
        headers.insert(REQUEST_SIZE, HeaderValue::from(record.request_bytes));
        if known.is_some() {
            headers.insert(TOKEN_USAGE, HeaderValue::from(record.usage.map_or(0, |u| u.total())));
            headers.insert(RESPONSE_SIZE, HeaderValue::from(answer.body.len()));
        }
    }
    match answer.rest {
        None => response.map(|()| Reply::whole(answer.body, record)),
        Some(rest) => {
            announce_trailers(headers, call);
            let relay = Relay::large(record, answer.body, rest, answer.limits, answer.lease, call);
            response.map(|()| Reply::Stream(relay))
        }
    }
}

/// The head of a stream: what is known when its first token is there. The rest follows as trailers for clients that ask.
pub(crate) fn stream(mut record: Box<Record>, answer: Box<StreamAnswer>, call: &Call) -> Response<Reply> {
    record.head_is_out();
    let mut values = Values::new();
    let mut response = begin(&mut record, StatusCode::OK, &mut values);
    let headers = response.headers_mut();
    let events = HeaderValue::from_static("text/event-stream; charset=utf-8");
    let stated = answer.content_type.clone().filter(|v| v.as_bytes().starts_with(b"text/event-stream"));
    headers.insert(header::CONTENT_TYPE, stated.unwrap_or(events));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    served_model(headers, &record, answer.watch.model().map(|m| m.as_str()));
    headers.insert(OVERHEAD, values.millis(record.overhead()));
    if record.snapshot.gateway.settings.headers.timing {
        headers.insert(REQUEST_SIZE, HeaderValue::from(record.request_bytes));
    }
    announce_trailers(headers, call);
    response.map(|()| Reply::Stream(Relay::stream(record, answer, call)))
}

/// A fault, in the client's format.
pub(crate) fn refusal(mut record: Box<Record>, fault: Fault) -> Response<Reply> {
    let fault = fit_to_tell(&record, fault);
    let body = error::body(&fault, Some(&record.id));
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = begin(&mut record, status, &mut Values::new());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(MODEL); // no model answered
    if let Some(text) = &fault.retry_after_text
        && let Ok(value) = HeaderValue::from_str(text)
    {
        headers.insert(header::RETRY_AFTER, value);
    } else if let Some(after) = fault.retry_after {
        // Whole seconds, rounded up: coming back early would only be refused again.
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from((after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)),
        );
    }
    if let Some(allow) = fault.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if fault.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // What is left of a body that was too large, too slow or broken is not waited for.
    if record.body_given_up {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    record.failed(fault);
    response.map(|()| Reply::whole(body, record))
}

/// The answer to a request whose record is gone.
pub(crate) fn last_words(id: RequestId, fault: &Fault) -> Response<Reply> {
    let mut response = Response::new(Reply::plain(error::body(fault, Some(&id))));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REQUEST_ID, Values::new().show(id));
    response
}

/// A fault without what is private of any deployment that was called, whatever way an upstream's words took to get here.
/// Every fault passes through here before a client or the log learns of it.
pub(crate) fn fit_to_tell(record: &Record, fault: Fault) -> Fault {
    let called =
        record.attempts.iter().filter_map(|tried| record.snapshot.gateway.deployments.get(tried.deployment));
    called.fold(fault, |fault, deployment| deployment.private.cut_out_of(fault))
}

/// The trailers of a stream that has ended.
pub(crate) fn trailers(record: &Record) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    let mut values = Values::new();
    trailers.insert(COST, values.show(record.cost));
    trailers.insert(OVERHEAD, values.millis(record.overhead()));
    trailers.insert(TOKEN_USAGE, HeaderValue::from(record.usage.map_or(0, |u| u.total())));
    trailers
}

/// The headers that are the same for every answer of one deployment at the first attempt.
pub(crate) struct About {
    /// For whatever ends with it.
    any: HeaderMap,
    /// For whole answers: with a place for each header that is written anew, so that a copy need not grow.
    whole: HeaderMap,
}

impl About {
    /// `name` of the deployment, `model` as it is called there.
    pub(crate) fn new(name: &HeaderValue, model: &HeaderValue, optional: ResponseHeaders) -> Self {
        let mut any = HeaderMap::with_capacity(12);
        any.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        any.insert(REQUEST_ID, HeaderValue::from_static(""));
        any.insert(ATTEMPTS, HeaderValue::from_static("1"));
        any.insert(DEPLOYMENT, name.clone());
        any.insert(MODEL, model.clone());
        if optional.litellm {
            any.insert(LITELLM_MODEL, name.clone());
        }
        let mut whole = any.clone();
        let costs = if optional.litellm { &[COST, LITELLM_COST][..] } else { &[COST] };
        for name in costs.iter().chain([&OVERHEAD]) {
            whole.insert(name, HeaderValue::from_static(""));
        }
        About { any, whole }
    }
}

/// The beginning of every response.
fn begin(record: &mut Record, status: StatusCode, values: &mut Values) -> Response<()> {
    let about = record.deployment().map(|deployment| deployment.about.any.clone());
    begin_with(record, status, values, about.unwrap_or_else(|| HeaderMap::with_capacity(8)))
}

fn begin_with(
    record: &mut Record,
    status: StatusCode,
    values: &mut Values,
    headers: HeaderMap,
) -> Response<()> {
    record.status = status.as_u16();
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, values.show(record.id));
    if record.attempts.len() > 1 {
        headers.insert(ATTEMPTS, HeaderValue::from(record.attempts.len()));
    }
    response
}

/// What the upstream calls itself, where that is not what it was asked for as.
fn served_model(headers: &mut HeaderMap, record: &Record, stated: Option<&str>) {
    let asked = record.deployment().map(|d| &*d.model);
    if let Some(stated) = stated.filter(|s| Some(*s) != asked)
        && let Ok(value) = HeaderValue::from_str(stated)
    {
        headers.insert(MODEL, value);
    }
}

fn announce_trailers(headers: &mut HeaderMap, call: &Call) {
    if call.trailers {
        headers.insert(header::TRAILER, HeaderValue::from_static(TRAILERS));
    }
}

/// Header values that are written for one response: all in one buffer.
struct Values(BytesMut);

impl Values {
    fn new() -> Self {
        Values(BytesMut::with_capacity(128))
    }

    /// Digits and hexadecimal words as a header's value.
    fn show(&mut self, value: impl Display) -> HeaderValue {
        // Neither can fail: writing to memory, and characters that every header may hold.
        let _ = write!(self.0, "{value}");
        HeaderValue::from_maybe_shared(self.0.split().freeze()).unwrap_or(HeaderValue::from_static("-"))
    }

    fn millis(&mut self, time: Duration) -> HeaderValue {
        let micros = time.as_micros();
        self.show(format_args!("{}.{:03}", micros / 1000, micros % 1000))
    }
}
