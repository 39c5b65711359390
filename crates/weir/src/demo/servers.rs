//! The demo model servers as real HTTP servers: one thread for all of them, a loopback port for each.

use super::fleet::Character;
use super::script::{self, Asked, Piece, Script};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::{Instant, Sleep};
use weir_routing::SplitMix64;

/// A call's body at most.
const MOST_BODY: usize = 32 << 20;

/// Running demo model servers. They end when this is dropped or [`Servers::end`] is called.
pub(super) struct Servers {
    /// Where each listens, in the order they were given.
    pub addresses: Vec<SocketAddr>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Servers {
    /// Starts a server for each character on a free loopback port. What they do follows from `seed` and the calls.
    pub(super) fn start(characters: &'static [Character], seed: u64) -> io::Result<Servers> {
        let listeners = characters
            .iter()
            .map(|_| {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listener.set_nonblocking(true)?;
                Ok(listener)
            })
            .collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("demo-models".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, async move {
                for ((listener, character), seed) in listeners.into_iter().zip(characters).zip(seed..) {
                    tokio::task::spawn_local(listen(listener, character, seed));
                }
                // An error means that the sender is gone, which says the same.
                let _ = stopped.await;
            });
        })?;
        Ok(Servers { addresses, stop, thread })
    }

    /// Closes every connection and listener and waits for that.
    pub(super) fn end(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the demo model servers ended with a panic");
        }
    }
}

async fn listen(listener: TcpListener, character: &'static Character, seed: u64) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, server = character.name, "a demo server cannot listen"),
    };
    let chance = Rc::new(RefCell::new(SplitMix64::seeded(seed)));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::task::spawn_local(serve(stream, character, chance.clone()))),
            Err(error) => {
                tracing::warn!(%error, server = character.name, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await; // out of descriptors: do not spin
            }
        }
    }
}

async fn serve(stream: TcpStream, character: &'static Character, chance: Rc<RefCell<SplitMix64>>) {
    let answer = service_fn(move |request| {
        let chance = chance.clone();
        async move { Ok::<_, Infallible>(answer(request, character, &chance).await) }
    });
    // Without it a token would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    // Clients that hang up and answers cut on purpose end up here.
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await {
        tracing::debug!(%error, server = character.name, "a connection broke");
    }
}

async fn answer(
    request: Request<Incoming>,
    character: &'static Character,
    chance: &RefCell<SplitMix64>,
) -> Response<Play> {
    let arrived = Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/v1").unwrap_or_default();
    let endpoint = weir_provider::OPENAI.iter().copied().find(|endpoint| endpoint.path() == path);
    let script = match (head.method, endpoint) {
        (Method::GET, None) if path == "/models" => script::models(character, now),
        (Method::POST, Some(endpoint)) => match Limited::new(body, MOST_BODY).collect().await {
            Ok(body) => {
                let asked = Asked { endpoint, body: &body.to_bytes(), now };
                script::script(character, &asked, &mut *chance.borrow_mut())
            }
            Err(error) => {
                tracing::debug!(%error, server = character.name, "a call's body did not arrive whole");
                script::unreadable()
            }
        },
        _ => script::not_found(),
    };
    tokio::time::sleep_until(arrived + script.head_at).await;
    play(script, arrived)
}

fn play(script: Script, arrived: Instant) -> Response<Play> {
    let mut response = Response::new(Play {
        timer: Box::pin(tokio::time::sleep_until(arrived)),
        arrived,
        pieces: script.pieces.into_iter(),
        next: None,
        length: script.length,
        cut: script.cut,
        flushed: false,
    });
    *response.status_mut() = script.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(script.content_type));
    if let Some(seconds) = script.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if script.status == StatusCode::OK && script.length.is_none() {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

/// A body that plays its pieces at their times.
struct Play {
    arrived: Instant,
    pieces: std::vec::IntoIter<Piece>,
    /// The piece that the timer runs for.
    next: Option<Piece>,
    timer: Pin<Box<Sleep>>,
    length: Option<u64>,
    cut: bool,
    /// What came before the cut is out.
    flushed: bool,
}

impl Play {
    /// The end after the last piece: an orderly one, or the cut.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if !self.cut {
            return Poll::Ready(None);
        }
        // The connection drops what it has not yet sent when a body fails, but sends it when a body has to wait.
        if !std::mem::replace(&mut self.flushed, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }
}

/// The server breaks its answer off, on purpose.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off on purpose")
    }
}

impl std::error::Error for Cut {}

impl Body for Play {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let play = &mut *self;
        if play.next.is_none() {
            play.next = play.pieces.next();
            let Some(piece) = &play.next else { return play.poll_end(cx) };
            play.timer.as_mut().reset(play.arrived + piece.at);
        }
        std::task::ready!(play.timer.as_mut().poll(cx));
        Poll::Ready(play.next.take().map(|piece| Ok(Frame::data(piece.bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.pieces.len() == 0 && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests;
