//! A model server that does what the test's script says, on a real loopback socket.

mod request;
mod serve;

use crate::{Answer, DEADLINE};
use bytes::Bytes;
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::Notify;

/// One call as the upstream saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `POST`, …
    pub method: String,
    /// The target, query included.
    pub path: String,
    /// In order; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Unframed.
    pub body: Bytes,
    /// Which connection it came on, counted from 0.
    pub at_connection: usize,
    /// Which call on that connection it was, counted from 0.
    pub nth_on_connection: usize,
    /// Events of the answer handed to the socket so far.
    pub events: usize,
    /// Bytes of the answer handed to the socket so far.
    pub sent: u64,
    /// Whether the socket has taken nothing for a while: the peer does not read.
    pub stalled: bool,
    /// How and when the call ended; `None` while it is being answered.
    pub ended: Option<Ended>,
}

impl Seen {
    /// The header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// When the peer closed the connection before the answer was finished.
    pub fn closed(&self) -> Option<Instant> {
        self.ended.filter(|ended| ended.how == How::PeerClosed).map(|ended| ended.at)
    }
}

/// The end of a call.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Why it ended.
    pub how: How,
    /// When.
    pub at: Instant,
    /// Its place among all ends of this upstream, counted from 0.
    pub order: usize,
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The whole answer was handed to the socket.
    Answered,
    /// The script cut the answer.
    Cut,
    /// The peer closed or reset the connection first.
    PeerClosed,
}

/// Everything an upstream has seen.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// In the order in which the calls were read.
    pub calls: Vec<Seen>,
    /// Connections open now.
    pub open_connections: usize,
    /// Connections accepted so far.
    pub connections_total: usize,
    /// What was read and is not a request, in words.
    pub malformed: Vec<String>,
}

impl Log {
    /// Calls that are being answered.
    pub fn in_flight(&self) -> usize {
        self.calls.iter().filter(|call| call.ended.is_none()).count()
    }
}

#[derive(Debug, Default)]
struct State {
    log: Log,
    ends: usize,
    script: VecDeque<Answer>,
    always: Option<Answer>,
    by_path: Vec<(String, Answer)>,
    /// By how often the model has spoken before.
    by_model: Vec<(String, Vec<Answer>)>,
    keys: Vec<String>,
}

/// What the handle and the server's thread share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// A test that failed while it held the lock has told so already: the state itself is still good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    fn on_call(&self, index: usize, change: impl FnOnce(&mut Seen)) {
        self.update(|state| state.log.calls.get_mut(index).map(change));
    }

    fn end(&self, index: usize, how: How) {
        self.update(|state| {
            let ended = Ended { how, at: Instant::now(), order: state.ends };
            state.ends += 1;
            if let Some(call) = state.log.calls.get_mut(index) {
                call.ended = Some(ended);
                call.stalled = false;
            }
        });
    }
}

/// The scripted upstream. Each call is answered by the first of these that there is: the answer set for its path, the
/// one set for its model, the next of the script, the one for always, and `Answer::auto("Hello from testkit")`.
/// Dropping it closes its port and all its connections.
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Starts on a free loopback port.
    pub fn start() -> Self {
        Upstream::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Starts at an address, such as the one a stopped upstream had.
    pub fn start_at(addr: SocketAddr) -> Self {
        Upstream::open(addr).unwrap_or_else(|error| panic!("cannot start an upstream at {addr}: {error}"))
    }

    fn open(addr: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let stop = Arc::new(Notify::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = {
            let (shared, stop) = (shared.clone(), stop.clone());
            move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = stop.notified() => {}
                        () = serve::accept(listener, shared) => {}
                    }
                });
            }
        };
        let thread = std::thread::Builder::new().name(format!("upstream-{}", addr.port())).spawn(run)?;
        Ok(Upstream { addr, shared, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of its API: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// Adds answers for the next calls, one each.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.update(|state| state.script.extend(answers));
    }

    /// The answer when the script is used up.
    pub fn always(&self, answer: Answer) {
        self.shared.update(|state| state.always = Some(answer));
    }

    /// The answer for every call of a path, query left out. Such calls use up nothing of the script.
    pub fn on_path(&self, path: &str, answer: Answer) {
        self.shared.update(|state| state.by_path.insert(0, (path.to_owned(), answer)));
    }

    /// The answer for every call of a model. Such calls use up nothing of the script.
    pub fn on_model(&self, model: &str, answer: Answer) {
        self.on_turns(model, [answer]);
    }

    /// The answers for calls of a model, by how often the model has spoken in the conversation that the call brings along;
    /// the last of them for all later ones too. Such calls use up nothing of the script.
    pub fn on_turns(&self, model: &str, answers: impl IntoIterator<Item = Answer>) {
        let answers = answers.into_iter().collect();
        self.shared.update(|state| state.by_model.insert(0, (model.to_owned(), answers)));
    }

    /// Refuses, by 401, every call that shows none of these keys.
    pub fn only_keys<T: Into<String>>(&self, keys: impl IntoIterator<Item = T>) {
        self.shared.update(|state| state.keys = keys.into_iter().map(Into::into).collect());
    }

    /// Everything seen so far.
    pub fn log(&self) -> Log {
        self.shared.lock().log.clone()
    }

    /// The calls seen so far.
    pub fn calls(&self) -> Vec<Seen> {
        self.log().calls
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.shared.lock().log.open_connections
    }

    /// Connections accepted so far.
    pub fn connections_total(&self) -> usize {
        self.shared.lock().log.connections_total
    }

    /// Waits until `when` holds for the log and gives the log of that moment. Panics, with the log, when it does not
    /// hold within [`DEADLINE`].
    pub fn wait_for(&self, what: &str, when: impl Fn(&Log) -> bool) -> Log {
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), DEADLINE, |state| !when(&state.log))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "{self:?}: waited in vain for {what}; saw {:#?}", state.log);
        state.log.clone()
    }

    /// Waits until at least `n` calls were read.
    pub fn wait_for_calls(&self, n: usize) -> Vec<Seen> {
        self.wait_for(&format!("{n} calls"), |log| log.calls.len() >= n).calls
    }

    /// Waits until call number `index` (from 0) has ended, and tells how.
    pub fn wait_for_end(&self, index: usize) -> Ended {
        let ended = |log: &Log| log.calls.get(index).and_then(|call| call.ended);
        let log = self.wait_for(&format!("the end of call {index}"), |log| ended(log).is_some());
        ended(&log).unwrap_or_else(|| panic!("call {index} has no end"))
    }

    /// Closes its port and all its connections. The address refuses connections from then on.
    pub fn stop(self) {
        drop(self);
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upstream at {}", self.addr)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("{self:?} panicked");
        }
    }
}

#[cfg(test)]
mod tests;
