//! The admin API: metrics, the configuration in force, decisions, reload. Its own listener, its own runtime.

mod decisions;

use crate::{Drain, Phase};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use weir_core::{Class, Fault, Secret};
use weir_engine::{Engine, ReloadReport};
use weir_telemetry::Recorder;

/// Connections served at a time; one more is told so and closed.
const MOST_CONNECTIONS: usize = 256;

/// Loads the configuration again: how it stands now, or what is wrong with the file.
pub type Reload = Arc<dyn Fn() -> Result<ReloadReport, String> + Send + Sync>;

/// Everything the admin API works with.
pub struct Admin {
    /// The engine it shows.
    pub engine: Arc<Engine>,
    /// What every write has to show. Without one, writes are refused.
    pub token: Option<Secret>,
    /// Where it listens: on loopback, reads are free.
    pub address: SocketAddr,
    /// Where the configuration comes from, in the operator's words.
    pub source: String,
    /// Does what `POST /admin/reload` asks for.
    pub reload: Reload,
}

/// One route of the admin API. Every route goes through the same guards, which walk this list.
pub struct AdminRoute {
    /// `GET` or `POST`.
    pub method: Method,
    /// The whole path; no two routes have the same. One that ends in `{id}` stands for every path with one part there.
    pub path: &'static str,
    /// Whether it changes anything; writes always need the token.
    pub writes: bool,
    serve: fn(&Admin, &Asked) -> Response<Full<Bytes>>,
}

impl AdminRoute {
    /// What stands in a path for the route's `{id}`, nothing for a route without; `None` for the path of another route.
    fn id<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.path.strip_suffix("{id}") {
            None => (path == self.path).then_some(""),
            Some(before) => path.strip_prefix(before).filter(|id| !id.is_empty() && !id.contains('/')),
        }
    }
}

/// What is asked of a route.
struct Asked {
    phase: Phase,
    /// What stands for `{id}` in its path.
    id: String,
    /// Behind the `?`.
    query: String,
    /// Of a `POST`.
    body: Bytes,
}

/// Every route there is.
pub const ROUTES: [AdminRoute; 9] = [
    AdminRoute { method: Method::GET, path: "/metrics", writes: false, serve: metrics },
    AdminRoute { method: Method::GET, path: "/admin/config", writes: false, serve: config },
    AdminRoute { method: Method::GET, path: "/admin/decisions", writes: false, serve: decisions::list },
    AdminRoute { method: Method::GET, path: "/admin/decisions/{id}", writes: false, serve: decisions::one },
    AdminRoute { method: Method::POST, path: "/admin/explain", writes: false, serve: decisions::explain },
    AdminRoute { method: Method::GET, path: "/admin/events", writes: false, serve: events },
    AdminRoute { method: Method::POST, path: "/admin/reload", writes: true, serve: reload },
    AdminRoute { method: Method::GET, path: "/health/live", writes: false, serve: live },
    AdminRoute { method: Method::GET, path: "/health/ready", writes: false, serve: ready },
];

/// Serves the admin API until the process ends: while it drains, metrics are still read.
///
/// # Errors
/// When the listener cannot be used.
pub async fn run(admin: Arc<Admin>, listener: std::net::TcpListener, mut drain: Drain) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut turned_away = TurnedAway::new(admin.engine.telemetry().recorder());
    loop {
        let accepted = tokio::select! {
            () = drain.reached(Phase::Ended) => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting an admin connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            turned_away.turn_away(&stream);
            continue;
        };
        let (admin, drain) = (admin.clone(), drain.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (admin, phase) = (admin.clone(), drain.phase());
                async move { Ok::<_, Infallible>(answer(admin, request, phase).await) }
            });
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .max_buf_size(32 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(Duration::from_secs(300), serving).await;
            drop(permit);
        });
    }
}

/// Connections for which there was no room.
struct TurnedAway {
    recorder: Recorder,
    /// Since the log last spoke of them, and when that was.
    unsaid: u64,
    said: Option<Instant>,
}

impl TurnedAway {
    /// The log speaks of them at most this often.
    const PAUSE: Duration = Duration::from_secs(60);

    fn new(recorder: Recorder) -> Self {
        TurnedAway { recorder, unsaid: 0, said: None }
    }

    /// Counts one and tells its client, as far as its socket takes it without waiting.
    fn turn_away(&mut self, stream: &TcpStream) {
        self.recorder.rejected_connection("admin_full");
        self.unsaid += 1;
        if self.said.is_none_or(|said| said.elapsed() >= Self::PAUSE) {
            let turned_away = std::mem::take(&mut self.unsaid);
            tracing::warn!(turned_away, most = MOST_CONNECTIONS, "the admin listener has no room");
            self.said = Some(Instant::now());
        }
        let message = "the admin listener has as many connections open as it takes; close some of them";
        let body =
            weir_wire::error::body(&Fault::new(Class::Limited, 503, "admin_overloaded", message), None);
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             retry-after: 1\r\nconnection: close\r\n\r\n",
            body.len()
        );
        // Not by way of the runtime, which does not know yet whether the new socket can be written to.
        let _ = socket2::SockRef::from(stream).send(&[head.as_bytes(), &body].concat());
    }
}

/// What a body may hold beside the request it is about.
const AROUND_A_REQUEST: usize = 64 * 1024;
/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(30);

async fn answer(admin: Arc<Admin>, request: Request<Incoming>, phase: Phase) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let (route, id) = match guarded(&admin, &head) {
        Ok((route, id)) => (route, id.to_owned()),
        Err(fault) => return refuse(&fault),
    };
    let body = match body_of(&admin, route, body).await {
        Ok(body) => body,
        Err(fault) => return refuse(&fault),
    };
    let asked = Asked { phase, id, query: head.uri.query().unwrap_or_default().to_owned(), body };
    // Reload reads files and compiles, decisions wait for cores: not on a thread that others wait for.
    let answered = tokio::task::spawn_blocking(move || (route.serve)(&admin, &asked)).await;
    answered.unwrap_or_else(|_| refuse(&weir_engine::panicked()))
}

/// The body of a `POST`, within the limits of a request's.
async fn body_of(admin: &Admin, route: &AdminRoute, body: Incoming) -> Result<Bytes, Fault> {
    if route.method != Method::POST {
        return Ok(Bytes::new());
    }
    let most = admin.engine.gateway().settings().limits.max_body + AROUND_A_REQUEST;
    let reading = tokio::time::timeout(BODY_WITHIN, Limited::new(body, most).collect()).await;
    let read = reading.map_err(|_| {
        Fault::new(Class::Caller, 408, "request_timeout", "the request's body took too long to arrive")
    })?;
    read.map(|body| body.to_bytes()).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let message = format!("the body is larger than {most} bytes");
            Fault::new(Class::Caller, 413, "request_too_large", message)
        } else {
            Fault::new(Class::Caller, 400, "incomplete_body", "the request's body broke off")
        }
    })
}

/// The guards, the same for every route: who asks (Host, Origin), what exists, who may. With the route goes what its path
/// says for `{id}`.
fn guarded<'h>(
    admin: &Admin,
    head: &'h http::request::Parts,
) -> Result<(&'static AdminRoute, &'h str), Fault> {
    same_site(admin, head)?;
    let path = head.uri.path();
    let Some((route, id)) = ROUTES.iter().find_map(|route| Some((route, route.id(path)?))) else {
        let known: Vec<&str> = ROUTES.iter().map(|r| r.path).collect();
        let message = format!("there is nothing at this address; there is {}", known.join(", "));
        return Err(Fault::new(Class::Caller, 404, "not_found", message));
    };
    if route.method != head.method {
        return Err(Fault::wrong_method(route.method.as_str()));
    }
    let free = !route.writes && (admin.address.ip().is_loopback() || route.path.starts_with("/health/"));
    if free || shows_token(admin, &head.headers) {
        return Ok((route, id));
    }
    let message = match admin.token {
        Some(_) => "send the admin token as \"Authorization: Bearer <token>\"",
        None => "writing needs an admin token and none is configured; set server.admin.token",
    };
    Err(Fault::new(Class::Caller, 401, "admin_token_required", message))
}

/// A browser that was led here by another site (DNS rebinding, a form post) says so in `Host` or `Origin`.
fn same_site(admin: &Admin, head: &http::request::Parts) -> Result<(), Fault> {
    let refused =
        |code| Err(Fault::new(Class::Caller, 403, code, "this address is not for pages of other sites"));
    let text = |name| head.headers.get(name).map(|v: &HeaderValue| v.to_str().unwrap_or("?"));
    let host =
        text(header::HOST).or_else(|| head.uri.authority().map(http::uri::Authority::as_str)).unwrap_or("");
    if head.headers.get_all(header::HOST).iter().count() > 1 {
        return refused("host_not_allowed");
    }
    if admin.address.ip().is_loopback() {
        let name =
            host.parse::<http::uri::Authority>().map(|a| a.host().to_ascii_lowercase()).unwrap_or_default();
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let loopback =
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !loopback {
            return refused("host_not_allowed");
        }
    }
    match text(header::ORIGIN) {
        Some(origin) if !["http://", "https://"].iter().any(|s| origin.strip_prefix(s) == Some(host)) => {
            refused("origin_not_allowed")
        }
        _ => Ok(()),
    }
}

fn shows_token(admin: &Admin, headers: &HeaderMap) -> bool {
    let Some(token) = admin.token.as_ref().filter(|t| !t.is_empty()) else { return false };
    let shown = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    shown.split_at_checked(7).is_some_and(|(scheme, rest)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && token.matches(rest.trim_ascii())
    })
}

fn metrics(admin: &Admin, _: &Asked) -> Response<Full<Bytes>> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    respond(StatusCode::OK, kind, admin.engine.telemetry().render().into())
}

fn config(admin: &Admin, _: &Asked) -> Response<Full<Bytes>> {
    let report = admin.engine.report();
    let shown = json!({
        "generation": report.generation,
        "source": admin.source,
        "refused": report.refused,
        "needs_restart": needs_restart(&report),
        "config": report.serving,
    });
    json_body(StatusCode::OK, &shown)
}

fn events(admin: &Admin, _: &Asked) -> Response<Full<Bytes>> {
    json_body(StatusCode::OK, &admin.engine.breaker_events())
}

/// Each key of the file that waits for a restart, with what holds until then and what the file says.
fn needs_restart(report: &ReloadReport) -> Vec<serde_json::Value> {
    let pending = report.needs_restart.iter();
    pending.map(|p| json!({ "key": p.key, "in_force": p.in_force, "in_file": p.in_file })).collect()
}

fn reload(admin: &Admin, _: &Asked) -> Response<Full<Bytes>> {
    match (admin.reload)() {
        Ok(report) => {
            let done = json!({ "generation": report.generation, "needs_restart": needs_restart(&report) });
            json_body(StatusCode::OK, &done)
        }
        Err(problems) => {
            let fault = Fault::new(Class::Caller, 422, "invalid_config", problems);
            refuse(&fault)
        }
    }
}

fn live(_: &Admin, _: &Asked) -> Response<Full<Bytes>> {
    json_body(StatusCode::OK, &json!({ "status": "live" }))
}

fn ready(_: &Admin, asked: &Asked) -> Response<Full<Bytes>> {
    match asked.phase {
        Phase::Running => json_body(StatusCode::OK, &json!({ "status": "ready" })),
        Phase::Draining | Phase::Ended => {
            json_body(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "draining" }))
        }
    }
}

fn json_body(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", value.to_string().into())
}

fn refuse(fault: &Fault) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, "application/json", weir_wire::error::body(fault, None));
    if let Some(allow) = fault.allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if fault.status == 401 {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
