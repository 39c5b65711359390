//! One client's connection: requests one after the other, each with its limits of size and time.
//!
//! HTTP/1.1 is spoken here and not by a library, for two reasons: this is where half of a request's time goes, and a
//! gateway wants a stricter reading of requests than a server that must get on with everybody (see [`head`]).

mod head;
mod response;
mod wire;

use crate::{Drain, Phase};
use head::{Head, Refused};
use response::Writer;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use weir_core::{Class, Fault};
use weir_engine::{Core, Reply, Response};
use weir_net::others_first;

pub(crate) use head::{Method, RequestHead};
pub(crate) use wire::RequestBody;
use wire::Wire;

/// Time limits of a client's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits {
    /// For the whole head of a request.
    pub(crate) header: Duration,
    /// Between two requests.
    pub(crate) keep_alive: Duration,
    /// Without any progress in writing to a client that does not read.
    pub(crate) send: Duration,
    /// Bytes of a request's head.
    pub(crate) max_head: usize,
}

/// A request whose head has been read.
pub(crate) struct Request {
    pub(crate) head: RequestHead,
    pub(crate) body: RequestBody,
    /// When the head had been read.
    pub(crate) received: Instant,
}

/// Serves a connection until its client has left, has been too slow or has broken the rules, or until the process drains.
pub(crate) async fn serve<A>(
    core: Rc<Core>,
    stream: TcpStream,
    limits: TimeLimits,
    mut drain: Drain,
    answer: impl Fn(Request) -> A,
) where
    A: Future<Output = Response>,
{
    let phase = drain.clone();
    let wire = Rc::new(RefCell::new(Wire::new(stream, limits)));
    let mut draining = pin!(drain.reached(Phase::Draining));
    // Asked once, so that the end of serving wakes this task; from then on the phase says it.
    let _ = poll_fn(|cx| Poll::Ready(draining.as_mut().poll(cx))).await;
    let is_running = || phase.phase() == Phase::Running;
    loop {
        let head = match poll_fn(|cx| wire.borrow_mut().poll_head(cx, is_running())).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(refused) => return refuse(&core, &wire, refused).await,
        };
        let Head { request: head, length, keep_alive, expects, version } = head;
        wire.borrow_mut().begin_body(length, expects);
        let (no_body, body) = (head.method == Method::Head, RequestBody(wire.clone()));
        let request = Request { head, body, received: Instant::now() };
        let Some(response) = while_there(&wire, answer(request)).await else { return };
        let keep_alive = wire.borrow_mut().skip_body() && keep_alive && is_running();
        // Of a stream the first token is waited for; a whole answer may follow those of others.
        if matches!(response.body, Reply::Whole(_)) {
            others_first().await;
        }
        let mut writer = Writer::new(response, version, keep_alive, no_body);
        match poll_fn(|cx| writer.poll(cx, &mut wire.borrow_mut())).await {
            Ok(()) if writer.keeps_alive() => {}
            Ok(()) => return linger(&wire).await,
            Err(_) => return, // the client left or does not read; dropping the writer ends what it had in hand
        }
    }
}

/// Runs what makes the answer for as long as the client is there.
async fn while_there<T>(wire: &RefCell<Wire>, making: impl Future<Output = T>) -> Option<T> {
    let mut making = pin!(making);
    poll_fn(|cx| match making.as_mut().poll(cx) {
        Poll::Ready(made) => Poll::Ready(Some(made)),
        Poll::Pending => wire.borrow_mut().poll_gone(cx).map(|()| None),
    })
    .await
}

/// Answers a request whose head was refused, and ends the connection.
async fn refuse(core: &Rc<Core>, wire: &RefCell<Wire>, refused: Refused) {
    let response = refusal(core, refused);
    let mut writer = Writer::new(response, head::Version::Http11, false, false);
    if poll_fn(|cx| writer.poll(cx, &mut wire.borrow_mut())).await.is_ok() {
        linger(wire).await;
    }
}

/// A fault found before the line as a response. It is recorded as any other is.
fn refusal(core: &Rc<Core>, refused: Refused) -> Response {
    weir_engine::line::refused_at_the_door(core, refused.fault, refused.address)
}

/// Tells a client for which there is no room so, as far as its socket takes it without waiting.
pub(crate) fn turn_away(core: &Rc<Core>, stream: &TcpStream) {
    let message = "this gateway has as many connections open as it takes; try again shortly";
    let fault = Fault::new(Class::Limited, 503, "gateway_overloaded", message)
        .with_retry_after(Duration::from_secs(1));
    // Not by way of the runtime, which does not know yet whether the new socket can be written to.
    let _ = socket2::SockRef::from(stream)
        .send(&response::at_once(refusal(core, Refused { fault, address: None })));
}

/// So long a client may go on sending what nobody reads any more.
const LINGER: Duration = Duration::from_secs(2);

/// Ends the sending side and waits a little for the client's end: closing while its bytes come in would make the system
/// throw away the answer that is still on its way to it (RFC 9112 §9.6).
async fn linger(wire: &RefCell<Wire>) {
    let ended = poll_fn(|cx| wire.borrow_mut().poll_ended(cx));
    let _ = tokio::time::timeout(LINGER, ended).await;
}
