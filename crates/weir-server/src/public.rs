//! The public API: `/v1/*` and the health checks.

mod addresses;

pub use addresses::{CALLS, Call, KEPT, called};

use crate::connection::{self, Method, Request, TimeLimits};
use crate::{Drain, Phase, cors, listen};
use addresses::{client_of, operation};
use bytes::Bytes;
use http::StatusCode;
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::Notify;
use weir_engine::line::Operation;
use weir_engine::{Address, Core, Ingress, Reply, Response, serve};
use weir_wire::{HeaderLines, field_name};

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
            connection::turn_away(&core, &stream);
            return;
        };
        let limits = TimeLimits {
            header: limits.header_timeout,
            keep_alive: limits.keep_alive,
            send: limits.send_timeout,
            max_head: limits.max_header,
        };
        if stream.set_nodelay(true).is_err() {
            return; // the client is gone already
        }
        let (core, drain) = (core.clone(), watched.clone());
        tokio::task::spawn_local(async move {
            let phase = drain.clone();
            let answer = |request| answer(core.clone(), phase.phase(), request);
            connection::serve(core.clone(), stream, limits, drain, answer).await;
            drop(open);
        });
    })
    .await?;
    // The listener is closed; what is under way goes on until it is done or the grace period is over.
    tokio::select! {
        () = async { here.empty().await; core.rests().await } => {}
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

/// One request, from its head to the response's head.
async fn answer(core: Rc<Core>, phase: Phase, request: Request) -> Response {
    let Request { head, body, received } = request;
    let gateway = core.gateway();
    let settings = gateway.settings();
    let origin = cors::allowed(settings, &head.headers);
    let path = head.path();
    let early =
        health(head.method, path, phase).or_else(|| cors::preflight(settings, head.method, &head.headers));
    let mut response = match early {
        Some(response) => response,
        None => {
            let operation = operation(head.method, path, head.query(), &head.headers);
            let client = client_of(&operation, path, &head.headers);
            let address = match operation {
                Operation::Call(_) => None,
                _ => Some(Address::new(head.method_name(), path)),
            };
            serve(core, Ingress { operation, client, address, headers: head.headers, body, received }).await
        }
    };
    if let Some(origin) = origin {
        cors::allow(&mut response.headers, &origin);
    }
    response
}

/// Decodes `%XX` in a model's name (RFC 3986 §2.1); anything that is not well-formed stays as it is. The result is only
/// ever compared with names from the configuration.
pub(crate) fn percent_decoded(text: &str) -> String {
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
fn health(method: Method, path: &str, phase: Phase) -> Option<Response> {
    if !matches!(method, Method::Get | Method::Head) {
        return None;
    }
    let (status, body) = match (path, phase) {
        ("/health/live", _) => (StatusCode::OK, r#"{"status":"live"}"#),
        ("/health/ready", Phase::Running) => (StatusCode::OK, r#"{"status":"ready"}"#),
        ("/health/ready", _) => (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"draining"}"#),
        _ => return None,
    };
    let mut headers = HeaderLines::default();
    headers.put(field_name!("content-type"), "application/json");
    Some(Response { status, headers, body: Reply::plain(Bytes::from_static(body.as_bytes())) })
}

#[cfg(test)]
mod tests;
