//! Cross-origin rules (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use weir_engine::{Reply, Settings};

const EXPOSED: &str = "x-request-id, x-weir-deployment, x-weir-model, x-weir-attempts, x-weir-cost, \
                       x-weir-overhead-ms, x-litellm-response-cost, x-litellm-model-id, x-process-time, x-token-usage, \
                       x-request-size, x-response-size, retry-after";

/// The origin to allow: the request's own, when the configuration lists it or allows any.
pub(crate) fn allowed(settings: &Settings, headers: &HeaderMap) -> Option<HeaderValue> {
    let cors = settings.cors.as_ref()?;
    let origin = headers.get(ORIGIN)?;
    let known = cors.origins.iter().any(|o| &**o == "*" || o.as_bytes() == origin.as_bytes());
    known.then(|| origin.clone())
}

/// The answer to a preflight request, or `None` when it is not one or its origin is not allowed.
pub(crate) fn preflight(
    settings: &Settings,
    method: &Method,
    headers: &HeaderMap,
) -> Option<Response<Reply>> {
    if method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let origin = allowed(settings, headers)?;
    let mut response = Response::new(Reply::plain(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let out = response.headers_mut();
    out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    out.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.unwrap_or(HeaderValue::from_static("authorization, content-type")),
    );
    if let Some(cors) = &settings.cors {
        out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(cors.max_age.as_secs()));
    }
    allow(out, origin);
    Some(response)
}

/// Lets pages of `origin` read a response.
pub(crate) fn allow(out: &mut HeaderMap, origin: HeaderValue) {
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    out.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    out.append(VARY, HeaderValue::from_static("origin"));
}
