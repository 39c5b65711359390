//! The public API: `/v1/*` and the health checks.

use crate::door::{Door, Gate, TimeLimits};
use crate::{Drain, Phase, cors, door, listen};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use weir_core::{Class, Endpoint, Fault};
use weir_engine::line::Operation;
use weir_engine::{Core, Ingress, Reply, panic_text, serve};

/// The operations of the public API that reach a model, all of them `POST` below `/v1`.
///
/// Every one of them travels the engine's line and so has every guard; a test walks this list.
pub const CALLS: [(&str, Endpoint); 3] = [
    ("/v1/chat/completions", Endpoint::Chat),
    ("/v1/completions", Endpoint::Completions),
    ("/v1/embeddings", Endpoint::Embeddings),
];

/// Serves the public API on one core until the process drains and its connections have ended.
///
/// # Errors
/// When the listener cannot be used.
pub async fn run(
    core: Rc<Core>,
    listener: std::net::TcpListener,
    connections: Arc<AtomicUsize>,
    mut drain: Drain,
) -> io::Result<()> {
    let here = Rc::new(Here::default());
    let watched = drain.clone();
    listen::accept(listener, drain.clone(), |stream| {
        let gateway = core.gateway();
        let limits = &gateway.settings().limits;
        let Some(open) = Open::count(&connections, &here, limits.max_connections as usize) else {
            core.recorder().rejected_connection("full");
            door::turn_away(&core, &stream);
            return;
        };
        let limits = TimeLimits {
            header: limits.header_timeout,
            keep_alive: limits.keep_alive,
            send: limits.send_timeout,
        };
        let connection = connection(core.clone(), stream, limits, watched.clone());
        tokio::task::spawn_local(async move {
            connection.await;
            drop(open);
        });
    })
    .await?;
    // The listener is closed; what is under way goes on until it is done or the grace period is over.
    tokio::select! {
        () = here.empty() => {}
        () = drain.reached(Phase::Ended) => {}
    }
    Ok(())
}

/// The connections open on one core.
#[derive(Default)]
struct Here {
    open: Cell<usize>,
    ended: Notify,
}

impl Here {
    async fn empty(&self) {
        while self.open.get() > 0 {
            self.ended.notified().await;
        }
    }
}

/// One connection, counted as open on its core and in the process until dropped.
struct Open {
    everywhere: Arc<AtomicUsize>,
    here: Rc<Here>,
}

impl Open {
    /// `None` when there are `most` already.
    fn count(everywhere: &Arc<AtomicUsize>, here: &Rc<Here>, most: usize) -> Option<Open> {
        if everywhere.fetch_add(1, Relaxed) >= most {
            everywhere.fetch_sub(1, Relaxed);
            return None;
        }
        here.open.set(here.open.get() + 1);
        Some(Open { everywhere: everywhere.clone(), here: here.clone() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.everywhere.fetch_sub(1, Relaxed);
        self.here.open.set(self.here.open.get() - 1);
        self.here.ended.notify_one();
    }
}

async fn connection(core: Rc<Core>, stream: TcpStream, limits: TimeLimits, mut drain: Drain) {
    if stream.set_nodelay(true).is_err() {
        return; // the client is gone already
    }
    let gate = Gate::new();
    let phase = drain.clone();
    let max_head = core.gateway().settings().limits.max_header;
    let door = Door::new(core.clone(), stream, gate.clone(), limits);
    let service = service_fn(move |request| answer(core.clone(), gate.clone(), phase.phase(), request));
    let serving = http1::Builder::new()
        .header_read_timeout(None) // the door's own limits tell idle connections from slow heads
        .max_buf_size(max_head.max(8192))
        .serve_connection(TokioIo::new(door), service);
    let mut serving = pin!(serving);
    tokio::select! {
        biased;
        // An error here is the client's: it hung up, was too slow, or did not speak HTTP.
        _ = serving.as_mut() => return,
        () = drain.reached(Phase::Draining) => serving.as_mut().graceful_shutdown(),
    }
    let _ = serving.await;
}

/// One request, from its head to the response's head.
async fn answer(
    core: Rc<Core>,
    gate: Rc<Gate>,
    phase: Phase,
    request: Request<Incoming>,
) -> Result<Response<Guarded>, Infallible> {
    let received = Instant::now();
    let objection = objection(&gate, &request);
    gate.serving();
    let (head, body) = request.into_parts();
    let gateway = core.gateway();
    let origin = cors::allowed(gateway.settings(), &head.headers);
    let early = match objection {
        Some(_) => None,
        None => health(&head.method, head.uri.path(), phase)
            .or_else(|| cors::preflight(gateway.settings(), &head.method, &head.headers)),
    };
    let mut response = match early {
        Some(response) => response,
        None => {
            let operation =
                objection.map_or_else(|| operation(&head), |why| Operation::Nothing(malformed(why)));
            let body = Asking { body, gate: gate.clone() };
            let http::request::Parts { method, uri, headers, .. } = head;
            let ingress = Ingress { operation, method, uri, headers, body, received };
            serve(core, ingress).await
        }
    };
    if let Some(origin) = origin {
        cors::allow(response.headers_mut(), origin);
    }
    if objection.is_some() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|reply| Guarded { reply: Some(reply), gate }))
}

/// What a request asks for, by method and path. Paths are compared as they are: no decoding, no normalisation.
fn operation(head: &http::request::Parts) -> Operation {
    let path = head.uri.path();
    if let Some((_, endpoint)) = CALLS.iter().find(|(known, _)| *known == path) {
        if head.method != Method::POST {
            return Operation::Nothing(Fault::wrong_method("POST"));
        }
        return match wrong_media(&head.headers) {
            Some(fault) => Operation::Nothing(fault),
            None => Operation::Call(*endpoint),
        };
    }
    let model = path.strip_prefix("/v1/models/").filter(|id| !id.is_empty());
    if path != "/v1/models" && model.is_none() {
        let message =
            "there is nothing at this address; the API is below /v1, for example POST /v1/chat/completions";
        return Operation::Nothing(Fault::new(Class::Caller, 404, "not_found", message));
    }
    if head.method != Method::GET {
        return Operation::Nothing(Fault::wrong_method("GET"));
    }
    match model {
        None => Operation::Models,
        Some(id) => Operation::Model(percent_decoded(id).into()),
    }
}

/// What is wrong with a request before its path is looked at: its framing, or whom it is meant for (RFC 9112 §3.2).
fn objection(gate: &Gate, request: &Request<Incoming>) -> Option<&'static str> {
    let hosts = request.headers().get_all(header::HOST).iter().take(2).count();
    if hosts > 1 || (hosts == 0 && request.version() == http::Version::HTTP_11) {
        return Some("an HTTP/1.1 request has to have exactly one Host header");
    }
    gate.objection(request.method(), request.headers())
}

fn malformed(why: &'static str) -> Fault {
    Fault::new(Class::Caller, 400, "malformed_http", why)
}

fn wrong_media(headers: &HeaderMap) -> Option<Fault> {
    let unsupported =
        |message: String| Some(Fault::new(Class::Caller, 415, "unsupported_media_type", message));
    if let Some(coding) = headers.get(header::CONTENT_ENCODING)
        && coding != "identity"
    {
        return unsupported("compressed request bodies are not supported; send the body as it is".to_owned());
    }
    let value = headers.get(header::CONTENT_TYPE)?;
    let kind = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let json = kind.eq_ignore_ascii_case(b"application/json")
        || (kind.len() > 5 && kind[kind.len() - 5..].eq_ignore_ascii_case(b"+json"));
    if json {
        return None;
    }
    let shown: String = String::from_utf8_lossy(kind).chars().take(64).collect();
    unsupported(format!("the body has to be JSON (content-type: application/json), not {shown:?}"))
}

/// Decodes `%XX` in a model's name (RFC 3986 §2.1); anything that is not well-formed stays as it is. The result is only
/// ever compared with names from the configuration.
fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &tail[2..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The health checks: no key, no log line, no dependence on anything shared.
fn health(method: &Method, path: &str, phase: Phase) -> Option<Response<Reply>> {
    if method != Method::GET && method != Method::HEAD {
        return None;
    }
    let (status, body) = match (path, phase) {
        ("/health/live", _) => (StatusCode::OK, r#"{"status":"live"}"#),
        ("/health/ready", Phase::Running) => (StatusCode::OK, r#"{"status":"ready"}"#),
        ("/health/ready", _) => (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#),
        _ => return None,
    };
    Some(json(status, Bytes::from_static(body.as_bytes())))
}

fn json(status: StatusCode, body: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::plain(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A request's body that tells the door when it has ended.
struct Asking {
    body: Incoming,
    gate: Rc<Gate>,
}

impl Body for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() && self.body.is_end_stream() {
            self.gate.request_ended();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body that tells the door when it has been handed over, and turns a panic into the end of its stream.
pub struct Guarded {
    reply: Option<Reply>,
    gate: Rc<Gate>,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(reply) = &mut self.reply else { return Poll::Ready(None) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *reply).poll_frame(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(None)) => Poll::Ready(None),
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(Ok(frame))),
            Ok(Poll::Ready(Some(Err(broken)))) => Poll::Ready(Some(Err(io::Error::other(broken)))),
            Err(panic) => {
                reply.panicked();
                // What is left of it may panic again when it is dropped.
                let left = self.reply.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(left)));
                let text = panic_text(&*panic);
                tracing::error!(panic = text, "a response panicked");
                Poll::Ready(Some(Err(io::Error::other(text)))) // hyper cuts the connection: no false end
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.reply.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.gate.served();
    }
}

#[cfg(test)]
mod tests;
