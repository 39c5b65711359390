//! The server's side of the sockets: plays rendered answers and watches for the peer leaving.

use super::request::{NoRequest, Request, read};
use super::{How, Seen, Shared, State};
use crate::Answer;
use crate::answer::{CutHow, Manner};
use crate::render::{Asked, Rendered, render};
use crate::vendor::Vendor;
use bytes::BytesMut;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How long a socket must take nothing for the call to count as stalled.
const STALL: Duration = Duration::from_millis(200);
/// What a peer may send ahead of an answer before it is no longer watched.
const MOST_AHEAD: usize = 1 << 20;

pub(super) async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("an upstream cannot listen: {error}"),
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, shared.clone()));
            }
            Err(error) => eprintln!("an upstream cannot accept: {error}"),
        }
    }
}

/// Counts the connection as open for as long as it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.update(|state| state.log.open_connections -= 1);
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) {
    let number = shared.update(|state| {
        state.log.open_connections += 1;
        state.log.connections_total += 1;
        state.log.connections_total - 1
    });
    let open = Open(shared.clone());
    if let Err(error) = stream.set_nodelay(true) {
        eprintln!("an upstream's socket: {error}");
    }
    let mut buffer = BytesMut::new();
    let mut idle = None;
    for nth in 0.. {
        if buffer.is_empty() && !wakes_within(&stream, idle).await {
            break;
        }
        let request = match read(&mut stream, &mut buffer).await {
            Ok(request) => request,
            Err(NoRequest::End) => break,
            Err(NoRequest::Malformed(what)) => {
                shared.update(|state| state.log.malformed.push(what));
                break;
            }
        };
        let says_close = request.says_close();
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        let (index, answer, rendered) = shared.update(|state| {
            let asked = Asked { method: &request.method, path: &request.path, body: &body };
            let answer = choose(state, &request, &asked);
            let rendered = render(&answer, &asked);
            (note(state, request, number, nth), answer, rendered)
        });
        let ending = give(&mut stream, &mut buffer, &answer.manner, &rendered, (&shared, index)).await;
        if matches!(ending, Ending::Cut(CutHow::Reset))
            && let Err(error) = stream.set_zero_linger()
        {
            eprintln!("an upstream cannot reset: {error}");
        }
        let goes_on = ending.goes_on(&rendered) && !rendered.closes && !says_close;
        idle = answer.manner.idle;
        if goes_on && idle != Some(Duration::ZERO) {
            shared.end(index, ending.how());
            continue;
        }
        // The end is told only once the socket is closed, so that a test may build on that.
        drop((stream, open));
        shared.end(index, ending.how());
        return;
    }
    drop((stream, open));
}

/// Waits for the next request's first byte (or the end); false when the idle time passed without one.
async fn wakes_within(stream: &TcpStream, idle: Option<Duration>) -> bool {
    match idle {
        None => true,
        Some(idle) => tokio::time::timeout(idle, stream.readable()).await.is_ok(),
    }
}

fn choose(state: &mut State, request: &Request, asked: &Asked<'_>) -> Answer {
    let shown =
        |key: &String| request.headers.iter().any(|(_, value)| value.split(' ').any(|word| word == key));
    if !state.keys.is_empty() && !state.keys.iter().any(shown) {
        return Answer::refused(401, "invalid_api_key", "Incorrect API key provided.");
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if let Some((_, answer)) = state.by_path.iter().find(|(p, _)| p == path) {
        return answer.clone();
    }
    if let Some((_, turns)) = state.by_model.iter().find(|(model, _)| asked.model() == Some(model)) {
        let turn = if turns.len() < 2 { 0 } else { Vendor::of(path).told(asked.body).answers() };
        if let Some(answer) = turns.get(turn).or(turns.last()) {
            return answer.clone();
        }
    }
    let next = state.script.pop_front().or_else(|| state.always.clone());
    next.unwrap_or_else(|| Answer::auto("Hello from testkit"))
}

fn note(state: &mut State, request: Request, at_connection: usize, nth_on_connection: usize) -> usize {
    let Request { method, path, headers, body } = request;
    state.log.calls.push(Seen {
        method,
        path,
        headers,
        body,
        at_connection,
        nth_on_connection,
        events: 0,
        sent: 0,
        stalled: false,
        ended: None,
    });
    state.log.calls.len() - 1
}

/// How playing an answer ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Answered,
    Cut(CutHow),
    PeerClosed,
}

impl Ending {
    fn how(self) -> How {
        match self {
            Ending::Answered => How::Answered,
            Ending::Cut(_) => How::Cut,
            Ending::PeerClosed => How::PeerClosed,
        }
    }

    /// Whether the connection is still good for another request.
    fn goes_on(self, rendered: &Rendered) -> bool {
        match self {
            Ending::Answered => true,
            Ending::Cut(CutHow::EarlyEnd) => !rendered.end.is_empty(),
            Ending::Cut(_) | Ending::PeerClosed => false,
        }
    }
}

async fn give(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    manner: &Manner,
    rendered: &Rendered,
    (shared, index): (&Shared, usize),
) -> Ending {
    let (mut read, write) = stream.split();
    let mut line = Line { write, byte_by_byte: manner.byte_by_byte, shared, index };
    tokio::select! {
        biased;
        ending = play(&mut line, manner, rendered) => ending.unwrap_or(Ending::PeerClosed),
        () = peer_gone(&mut read, buffer) => Ending::PeerClosed,
    }
}

/// Ends when the peer has closed its side; keeps what it sends ahead for the next request.
async fn peer_gone(read: &mut ReadHalf<'_>, buffer: &mut BytesMut) {
    while buffer.len() < MOST_AHEAD {
        match read.read_buf(buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    std::future::pending::<()>().await;
}

async fn play(line: &mut Line<'_>, manner: &Manner, rendered: &Rendered) -> io::Result<Ending> {
    if let Some(hold) = &manner.hold {
        hold.pass().await;
    }
    pause(manner.delay).await;
    let cut = manner.cut;
    if let Some(cut) = cut.filter(|cut| cut.after_events.is_none()) {
        return end_early(line, cut.how, rendered).await;
    }
    line.send(&rendered.head).await?;
    for (i, event) in rendered.events.iter().enumerate() {
        if let Some(cut) = cut.filter(|cut| cut.after_events == Some(i)) {
            let last = i.checked_sub(1).and_then(|last| rendered.events.get(last));
            while let (CutHow::Endless, Some(last)) = (cut.how, last) {
                line.send(last).await?;
            }
            return end_early(line, cut.how, rendered).await;
        }
        if i > 0 {
            between(manner).await;
        }
        line.send(event).await?;
        line.shared.on_call(line.index, |call| call.events = i + 1);
    }
    if let Some(cut) = cut {
        return end_early(line, cut.how, rendered).await;
    }
    if let (Some(gate), false) = (&manner.gate, rendered.end.is_empty()) {
        gate.pass().await;
    }
    line.send(&rendered.end).await?;
    Ok(Ending::Answered)
}

async fn between(manner: &Manner) {
    if let Some(gate) = &manner.gate {
        gate.pass().await;
    }
    pause(manner.pace).await;
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

async fn end_early(line: &mut Line<'_>, how: CutHow, rendered: &Rendered) -> io::Result<Ending> {
    match how {
        CutHow::Silence | CutHow::Endless => std::future::pending().await,
        CutHow::EarlyEnd => line.send(&rendered.end).await?,
        CutHow::Reset | CutHow::Broken => {}
    }
    Ok(Ending::Cut(how))
}

/// The writing side of one call.
struct Line<'a> {
    write: WriteHalf<'a>,
    byte_by_byte: bool,
    shared: &'a Shared,
    index: usize,
}

impl Line<'_> {
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let most = if self.byte_by_byte { 1 } else { bytes.len().max(1) };
        for piece in bytes.chunks(most) {
            let mut rest = piece;
            while !rest.is_empty() {
                let taken = self.write_some(rest).await?;
                rest = rest.get(taken..).unwrap_or_default();
                self.shared.on_call(self.index, |call| {
                    call.sent += taken as u64;
                    call.stalled = false;
                });
            }
            if self.byte_by_byte {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(taken) = tokio::time::timeout(STALL, self.write.write(bytes)).await {
            return taken;
        }
        self.shared.on_call(self.index, |call| call.stalled = true);
        self.write.write(bytes).await
    }
}
