//! Where requests wait for a place when every deployment of a pool is full: one line for each core and pool, first come,
//! first served, and nobody beyond its time.
//!
//! Nobody polls. A [`Bell`] hangs at each deployment of the pool while somebody waits; a call that ends there, on whatever
//! core, rings it, and who stands first has a *turn*: a look for a place by a plan of its own. Who finds none, since what
//! is free is not for this request, gives the turn to the next in line, as long as a deployment of the pool has room at
//! all. So the order is kept, and nobody is held up by one who cannot use what there is. Who comes when others wait lines
//! up behind them.
//!
//! Beside that each core rings its bells with its chores, four times a second: a breaker that closes, a rest that is over
//! and a limit that is forgotten make room without a call that ends.

use crate::core::Snapshot;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use weir_core::Moment;
use weir_routing::Bell;

/// The line of one pool on one core.
#[derive(Default)]
pub(crate) struct Queue {
    line: RefCell<VecDeque<Rc<Waiter>>>,
    bell: Arc<Bell>,
    /// Somebody has a turn.
    taken: Cell<bool>,
    /// When somebody last found a place, and the usual time between two of them.
    drained: Cell<Option<(Moment, Duration)>>,
}

#[derive(Default)]
struct Waiter {
    has_turn: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Waiter {
    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// What became of requests that had to wait, over all cores.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Those that do.
    pub(crate) waiting: AtomicU32,
    /// Those that found a place.
    pub(crate) placed: AtomicU64,
    /// Those that found none in time.
    pub(crate) in_vain: AtomicU64,
    /// Those that were not let in, since too many waited.
    pub(crate) turned_away: AtomicU64,
    /// Those whose client left.
    pub(crate) gone: AtomicU64,
    /// How long all of them waited.
    pub(crate) micros: AtomicU64,
}

impl Queue {
    const SOONEST: Duration = Duration::from_secs(1);
    const LATEST: Duration = Duration::from_secs(60);

    /// Whether somebody waits.
    pub(crate) fn is_busy(&self) -> bool {
        !self.line.borrow().is_empty()
    }

    /// Lets whoever stands first look for a place.
    pub(crate) fn nudge(&self) {
        if self.is_busy() {
            self.bell.ring();
        }
    }

    /// When it makes sense to come again: when those who wait will have found places at the pace of the last ones.
    pub(crate) fn come_again(&self) -> Duration {
        let each = self.drained.get().map_or(Duration::ZERO, |(_, each)| each);
        let ahead = u32::try_from(self.line.borrow().len() + 1).unwrap_or(u32::MAX);
        each.saturating_mul(ahead).clamp(Self::SOONEST, Self::LATEST)
    }

    /// Somebody has found a place.
    fn drains(&self, now: Moment) {
        let next = match self.drained.get() {
            None => Duration::ZERO,
            Some((last, Duration::ZERO)) => now.since(last),
            Some((last, each)) => (each * 3 + now.since(last).min(Self::LATEST)) / 4,
        };
        self.drained.set(Some((now, next)));
    }

    /// The turn goes to whoever stands at `place` when there `is_room` and somebody does; else it is over.
    fn hand_on(&self, place: usize, is_room: bool) {
        let line = self.line.borrow();
        let next = line.get(place).filter(|_| is_room);
        self.taken.set(next.is_some());
        if let Some(next) = next {
            next.has_turn.set(true);
        }
        // Without a turn, who stands first listens to the bell again.
        if let Some(woken) = next.or(line.front()) {
            woken.wake();
        }
    }
}

/// A request's place in a line. Leaves it when dropped.
pub(crate) struct Ticket {
    snapshot: Rc<Snapshot>,
    pool: usize,
    /// Whose counts.
    route: usize,
    waiter: Rc<Waiter>,
    since: Instant,
    counted: bool,
}

impl Ticket {
    /// Lines up; `None` when `most` wait there already.
    pub(crate) fn draw(snapshot: &Rc<Snapshot>, pool: usize, route: usize, most: usize) -> Option<Ticket> {
        let queue = snapshot.queues.get(pool)?;
        let counts = &snapshot.gateway.routes.get(route)?.queue_counts;
        if queue.line.borrow().len() >= most {
            counts.turned_away.fetch_add(1, Relaxed);
            return None;
        }
        counts.waiting.fetch_add(1, Relaxed);
        let waiter = Rc::new(Waiter::default());
        let since = Instant::now();
        let ticket =
            Ticket { snapshot: snapshot.clone(), pool, route, waiter: waiter.clone(), since, counted: false };
        if !queue.is_busy() {
            ticket.healths().for_each(|health| health.hang(&queue.bell));
        }
        queue.line.borrow_mut().push_back(waiter.clone());
        // Those before have looked since something changed, unless one of them is about to. And who is the first has not
        // looked since its bell hangs.
        if !queue.taken.get() && !queue.bell.is_unheard() {
            queue.taken.set(true);
            waiter.has_turn.set(true);
        }
        Some(ticket)
    }

    /// Whether it is for this pool.
    pub(crate) fn is_for(&self, pool: usize) -> bool {
        self.pool == pool
    }

    fn healths(&self) -> impl Iterator<Item = &Arc<weir_routing::Health>> {
        let members = self.snapshot.gateway.pools.get(self.pool).map_or(&[][..], |pool| &pool.members);
        members.iter().filter_map(|member| self.snapshot.healths.get(member.deployment as usize))
    }

    fn has_room(&self, now: Moment) -> bool {
        self.healths().any(|health| health.has_room(now))
    }

    /// The turn led to nothing: it is for others now.
    pub(crate) fn passes(&self, now: Moment) {
        let Some(queue) = self.snapshot.queues.get(self.pool) else { return };
        if self.waiter.has_turn.replace(false) {
            let place = queue.line.borrow().iter().position(|known| Rc::ptr_eq(known, &self.waiter));
            queue.hand_on(place.map_or(0, |place| place + 1), self.has_room(now));
        }
    }

    /// Waits for a turn; `false` when `until` comes first.
    pub(crate) async fn turn(&self, until: Instant) -> bool {
        let Some(queue) = self.snapshot.queues.get(self.pool) else { return false };
        let mut over = pin!(tokio::time::sleep_until(until.into()));
        poll_fn(|cx| {
            *self.waiter.waker.borrow_mut() = Some(cx.waker().clone());
            let is_first = queue.line.borrow().front().is_some_and(|first| Rc::ptr_eq(first, &self.waiter));
            if is_first && !queue.taken.get() && queue.bell.is_heard(cx.waker()) {
                queue.taken.set(true);
                self.waiter.has_turn.set(true);
            }
            if self.waiter.has_turn.get() {
                return Poll::Ready(true);
            }
            over.as_mut().poll(cx).map(|()| false)
        })
        .await
    }

    /// It has found a place, or none: gives how long it waited.
    pub(crate) fn ends(mut self, placed: bool, now: Moment) -> Duration {
        if let Some(queue) = self.snapshot.queues.get(self.pool).filter(|_| placed) {
            queue.drains(now);
        }
        let counts = self.snapshot.gateway.routes.get(self.route).map(|route| &route.queue_counts);
        if let Some(counts) = counts {
            (if placed { &counts.placed } else { &counts.in_vain }).fetch_add(1, Relaxed);
        }
        self.counted = true;
        self.since.elapsed()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(counts) = self.snapshot.gateway.routes.get(self.route).map(|route| &route.queue_counts) {
            counts.waiting.fetch_sub(1, Relaxed);
            counts.gone.fetch_add(u64::from(!self.counted), Relaxed);
            let waited = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
            counts.micros.fetch_add(waited, Relaxed);
        }
        let Some(queue) = self.snapshot.queues.get(self.pool) else { return };
        let place = queue.line.borrow().iter().position(|known| Rc::ptr_eq(known, &self.waiter));
        if let Some(place) = place {
            queue.line.borrow_mut().remove(place);
        }
        if !queue.is_busy() {
            queue.taken.set(false);
            self.healths().for_each(|health| health.take_down(&queue.bell));
        } else if self.waiter.has_turn.get() {
            // Whoever found a place may not have taken the only one.
            queue.hand_on(place.unwrap_or(0), true);
        } else if place == Some(0) && !queue.taken.get() {
            queue.hand_on(0, false);
        }
    }
}
