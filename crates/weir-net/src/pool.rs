//! Connections kept for reuse, newest first.

use crate::answer::{Answer, AnswerBody};
use crate::connect;
use crate::connection::{Broken, Connection};
use crate::head::{self, Reader};
use crate::origin::{Identity, Origin};
use crate::request::Request;
use crate::setup::{Limits, Setup};
use crate::turn::others_first;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use weir_core::{Class, Fault};

/// Idle connections kept per origin and core; the oldest go first.
const MOST_IDLE: usize = 1024;
/// A connection idle for longer is asked whether the peer has closed before it is used (one system call).
const ASK_AFTER: Duration = Duration::from_millis(250);
/// How long a looked-up address is used for new connections.
const ADDRESS_LIFE: Duration = Duration::from_secs(10);

/// How many connections one pool has, and how many it ever opened. Written by the pool's core, read by anyone.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections open now, idle ones included.
    pub open: AtomicU64,
    /// Connections waiting for a request.
    pub idle: AtomicU64,
    /// Connections opened since the start.
    pub opened: AtomicU64,
    /// Calls that were moved to a fresh connection because the peer had closed the pooled one.
    pub stale: AtomicU64,
}

struct Idle {
    connection: Box<Connection>,
    /// Since when it has been seen to lie here, which is looked at with the chores only.
    since: Option<Instant>,
}

/// The connections of one core to one origin: a stack, so that the most recently used one is taken first and those
/// not needed grow old and are closed.
pub struct Pool {
    origin: Arc<Origin>,
    counts: Arc<Counts>,
    idle: RefCell<Vec<Idle>>,
    addresses: RefCell<Option<(Rc<[SocketAddr]>, Instant)>>,
}

impl Pool {
    /// A pool with no connections yet.
    pub fn new(origin: Arc<Origin>) -> Rc<Self> {
        Rc::new(Pool {
            origin,
            counts: Arc::default(),
            idle: RefCell::default(),
            addresses: RefCell::default(),
        })
    }

    /// Its figures.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// The origin it connects to.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// Sends one request and waits for the head of its answer. A pooled connection that turns out to be closed before
    /// the request was written is replaced; once a byte was written the request is never repeated here. `now` decides
    /// which connections are too old. `setup` learns what came before the wait for an answer, whatever becomes of that.
    ///
    /// # Errors
    /// [`Class::Network`] when no connection can be made (status 504 when that took longer than it may) or it breaks
    /// before the answer's head, [`Class::Timeout`] when that head does not come in time, [`Class::Malformed`] when it is
    /// not HTTP.
    pub async fn send(
        self: &Rc<Self>,
        mut request: Request,
        limits: Limits,
        now: Instant,
        setup: &mut Setup,
    ) -> Result<Answer, Fault> {
        others_first().await;
        while let Some(mut pooled) = self.take(now) {
            match exchange(&mut pooled, &mut request, limits.answer_after(setup), setup).await? {
                // Closed by the peer while it lay in the pool, and nothing was written to it.
                Err(Broken::Unsent(_)) => {
                    self.counts.stale.fetch_add(1, Relaxed);
                }
                // It may have been executed: whether to call again is the attempt machine's decision.
                ended => return self.answer(ended, pooled),
            }
        }
        // Boxed: seldom taken, and much larger than everything else here.
        let mut fresh = Box::pin(self.connect(limits, setup)).await?;
        let until = limits.answer_after(setup);
        let ended = exchange(&mut fresh, &mut request, until, setup).await?;
        self.answer(ended, fresh)
    }

    fn answer(
        self: &Rc<Self>,
        ended: Result<head::Read, Broken>,
        connection: Box<Connection>,
    ) -> Result<Answer, Fault> {
        let read = ended.map_err(broken)?;
        let body = AnswerBody::new(read.framing, read.ahead, read.reusable, connection, self.clone());
        Ok(Answer { head: read.head, body })
    }

    /// The newest idle connection that is still alive.
    fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { mut connection, since }) = idle.pop() {
            self.counts.idle.fetch_sub(1, Relaxed);
            let unused = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            let usable = unused < self.origin.idle()
                && now < connection.until
                && connection.is_alive()
                && (unused < ASK_AFTER || !connection.is_stale());
            if usable {
                return Some(connection);
            }
        }
        None
    }

    /// Gives a connection back after its answer was read to the end.
    pub(crate) fn put(&self, connection: Box<Connection>) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= MOST_IDLE {
            return;
        }
        self.counts.idle.fetch_add(1, Relaxed);
        idle.push(Idle { connection, since: None });
    }

    /// Closes connections that have been idle for too long or that the peer closed. Called with every round of a core's chores.
    pub fn reap(&self) {
        let limit = self.origin.idle();
        let mut idle = self.idle.borrow_mut();
        let before = idle.len();
        let now = Instant::now();
        idle.retain_mut(|i| {
            let since = *i.since.get_or_insert(now);
            now.saturating_duration_since(since) < limit && i.connection.is_alive()
        });
        self.counts.idle.fetch_sub((before - idle.len()) as u64, Relaxed);
        if idle.is_empty() {
            idle.shrink_to_fit();
        }
    }

    async fn connect(&self, limits: Limits, setup: &mut Setup) -> Result<Box<Connection>, Fault> {
        let began = Instant::now();
        let until = limits.answer_after(&Setup::default());
        let within = limits.connect.min(until.saturating_duration_since(began));
        let opening = async {
            let addresses = self.addresses().await?;
            connect::connect(&self.origin, &addresses, within, began, setup).await
        };
        match tokio::time::timeout(within, opening).await {
            Ok(Ok((socket, opened_at))) => {
                Ok(Connection::new(socket, opened_at + self.origin.max_age(), &self.counts))
            }
            Ok(Err(fault)) => {
                self.addresses.borrow_mut().take(); // perhaps the name moved
                Err(fault)
            }
            Err(_) => {
                self.addresses.borrow_mut().take();
                let message = "connecting to the model's server took too long";
                Err(Fault::new(Class::Network, 504, "upstream_connect_timeout", message)
                    .with_cause(format!("no connection within {within:?}")))
            }
        }
    }

    async fn addresses(&self) -> Result<Rc<[SocketAddr]>, Fault> {
        let Identity { host, port, .. } = &self.origin.identity;
        if let Some(ip) = self.origin.ip {
            return Ok(Rc::new([SocketAddr::new(ip, *port)]));
        }
        if let Some((known, at)) = &*self.addresses.borrow()
            && at.elapsed() < ADDRESS_LIFE
        {
            return Ok(known.clone());
        }
        let found: Rc<[SocketAddr]> = tokio::net::lookup_host((&**host, *port))
            .await
            .map_err(|e| connect::unreachable(format!("looking up {host}: {e}")))?
            .collect();
        self.addresses.replace(Some((found.clone(), Instant::now())));
        Ok(found)
    }
}

/// One request and the head of its answer.
async fn exchange(
    connection: &mut Connection,
    request: &mut Request,
    until: Instant,
    setup: &mut Setup,
) -> Result<Result<head::Read, Broken>, Fault> {
    let mut reader = Reader::default();
    let exchanging = poll_fn(|cx| connection.poll_exchange(cx, request, &mut reader, setup));
    tokio::time::timeout_at(until.into(), exchanging).await.map_err(|_| {
        let message = "the model's server did not begin to answer in time";
        Fault::new(Class::Timeout, 504, "upstream_timeout", message)
    })
}

fn broken(why: Broken) -> Fault {
    match why {
        Broken::Malformed(cause) => {
            let message = "the model's server did not answer in HTTP";
            Fault::new(Class::Malformed, 502, "upstream_malformed", message).with_cause(cause)
        }
        Broken::Unsent(error) | Broken::Lost(error) => {
            let message = "the connection to the model's server broke before it answered";
            Fault::new(Class::Network, 502, "upstream_unreachable", message).with_cause(error.to_string())
        }
    }
}

/// The pools of one core, found again by equal origins, so that a reload keeps its connections.
#[derive(Default)]
pub struct Pools {
    known: RefCell<HashMap<Identity, Weak<Pool>>>,
}

impl Pools {
    /// The pool for `origin`: the one in use, if its identity is known, else a new one.
    pub fn get(&self, origin: &Arc<Origin>) -> Rc<Pool> {
        let mut known = self.known.borrow_mut();
        known.retain(|_, pool| pool.strong_count() > 0);
        if let Some(pool) = known.get(&origin.identity).and_then(Weak::upgrade) {
            return pool;
        }
        let pool = Pool::new(origin.clone());
        known.insert(origin.identity.clone(), Rc::downgrade(&pool));
        pool
    }

    /// Calls [`Pool::reap`] on every pool.
    pub fn reap(&self) {
        let pools: Vec<Rc<Pool>> = self.known.borrow().values().filter_map(Weak::upgrade).collect();
        for pool in pools {
            pool.reap();
        }
    }
}
