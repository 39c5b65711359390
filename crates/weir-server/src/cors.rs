//! Cross-origin rules (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use crate::connection::Method;
use bytes::Bytes;
use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use weir_engine::{Reply, Response, Settings};
use weir_wire::{HeaderLines, Headers};

const EXPOSED: &str = "x-request-id, x-weir-decision, x-weir-deployment, x-weir-model, x-weir-attempts, x-weir-cost, \
                       x-weir-overhead-ms, x-weir-latency-ms, x-weir-predicted-ms, x-litellm-response-cost, \
                       x-litellm-model-id, x-process-time, x-token-usage, x-request-size, x-response-size, retry-after";

/// The origin to allow: the request's own, when the configuration lists it or allows any.
pub(crate) fn allowed(settings: &Settings, headers: &Headers) -> Option<String> {
    let cors = settings.cors.as_ref()?;
    let origin = headers.text(&ORIGIN)?;
    let known = cors.origins.iter().any(|o| &**o == "*" || **o == *origin);
    known.then(|| origin.to_owned())
}

/// The answer to a preflight request, or `None` when it is not one or its origin is not allowed.
pub(crate) fn preflight(settings: &Settings, method: Method, headers: &Headers) -> Option<Response> {
    if method != Method::Options {
        return None;
    }
    headers.get(&ACCESS_CONTROL_REQUEST_METHOD)?;
    allowed(settings, headers)?;
    let mut out = HeaderLines::default();
    out.put(&ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS");
    let wanted = headers.get(&ACCESS_CONTROL_REQUEST_HEADERS);
    out.text(&ACCESS_CONTROL_ALLOW_HEADERS, wanted.unwrap_or(b"authorization, content-type"));
    if let Some(cors) = &settings.cors {
        out.put(&ACCESS_CONTROL_MAX_AGE, cors.max_age.as_secs());
    }
    Some(Response { status: StatusCode::NO_CONTENT, headers: out, body: Reply::plain(Bytes::new()) })
}

/// Lets pages of `origin` read a response.
pub(crate) fn allow(out: &mut HeaderLines, origin: &str) {
    out.put(&ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    out.put(&ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    out.put(&VARY, "origin");
}
