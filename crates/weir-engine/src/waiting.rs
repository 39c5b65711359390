//! Waiting for something that is usually there already.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The limit passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// So many things that are ready at once are taken before the clock is looked at: who always has something ready is held to
/// his limits, too.
const AT_ONCE: u32 = 16;

/// The waits for one source, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// So many in a row were none.
    at_once: u32,
}

impl Waits {
    /// Runs `future` until it is done or until the moment that `limit` names. The time that passed in waiting is added to
    /// `waited`. What is ready at once costs neither a timer nor, but for each 16th time, a look at the clock.
    pub(crate) async fn before<T>(
        &mut self,
        limit: impl Fn(Instant) -> Instant,
        waited: &mut Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        if self.at_once >= AT_ONCE {
            self.at_once = 0;
            let now = Instant::now();
            if now >= limit(now) {
                return Err(Elapsed);
            }
        }
        let mut future = pin!(future);
        let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = first {
            self.at_once += 1;
            return Ok(output);
        }
        self.at_once = 0;
        let waiting = Waiting::begin(waited);
        tokio::time::timeout_at(limit(waiting.since).into(), future).await.map_err(|_| Elapsed)
    }
}

/// A wait: when it is over, or given up since nobody is there any more to wait for, it has been added to the time waited.
pub(crate) struct Waiting<'a> {
    waited: &'a mut Duration,
    since: Instant,
}

impl<'a> Waiting<'a> {
    /// Begins now.
    pub(crate) fn begin(waited: &'a mut Duration) -> Self {
        Waiting { waited, since: Instant::now() }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.waited += self.since.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn what_is_ready_needs_no_limit() {
        let mut waited = Duration::ZERO;
        let mut waits = Waits::default();
        for _ in 0..AT_ONCE {
            let done = run(waits.before(|_| panic!("no limit is asked for"), &mut waited, async { 7 }));
            assert_eq!((done, waited), (Ok(7), Duration::ZERO));
        }
    }

    #[test]
    fn what_is_always_ready_ends_at_the_limit() {
        let (mut waited, mut waits) = (Duration::ZERO, Waits::default());
        let passed = Instant::now();
        let ready = (0..100).take_while(|_| run(waits.before(|_| passed, &mut waited, async {})).is_ok());
        assert_eq!((ready.count(), waited), (AT_ONCE as usize, Duration::ZERO));
        // A limit that has not passed is none.
        let far = |now: Instant| now + Duration::from_secs(1);
        assert!((0..100).all(|_| run(waits.before(far, &mut waited, async {})).is_ok()));
    }

    #[test]
    fn what_never_comes_ends_at_the_limit() {
        let mut waited = Duration::ZERO;
        let limit = |now| now + Duration::from_millis(1);
        assert_eq!(
            run(Waits::default().before(limit, &mut waited, std::future::pending::<()>())),
            Err(Elapsed)
        );
    }

    #[test]
    fn what_is_given_up_has_been_waited_for() {
        let mut waited = Duration::ZERO;
        let limit = |now| now + Duration::from_secs(1);
        let mut waits = Waits::default();
        let mut wait = Box::pin(waits.before(limit, &mut waited, std::future::pending::<()>()));
        run(async { assert!(polled_once(&mut wait).await.is_pending()) });
        drop(wait);
        assert!(waited > Duration::ZERO);
    }

    async fn polled_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
        poll_fn(|cx| Poll::Ready(pin!(&mut *future).poll(cx))).await
    }
}
