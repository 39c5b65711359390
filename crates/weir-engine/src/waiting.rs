//! Waiting for something that is usually there already.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The limit passed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// Runs `future` until it is done or until the moment that `limit` names. The time that passed in waiting is added to
/// `waited`. What is ready at once costs neither a timer nor a look at the clock.
pub(crate) async fn before<T>(
    limit: impl FnOnce(Instant) -> Instant,
    waited: &mut Duration,
    future: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut future = pin!(future);
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    if let Poll::Ready(output) = first {
        return Ok(output);
    }
    let began = Instant::now();
    let output = tokio::time::timeout_at(limit(began).into(), future).await;
    *waited += began.elapsed();
    output.map_err(|_| Elapsed)
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
        let done = run(before(|_| panic!("no limit is asked for"), &mut waited, async { 7 }));
        assert_eq!((done, waited), (Ok(7), Duration::ZERO));
    }

    #[test]
    fn what_never_comes_ends_at_the_limit() {
        let mut waited = Duration::ZERO;
        let limit = |now| now + Duration::from_millis(1);
        assert_eq!(run(before(limit, &mut waited, std::future::pending::<()>())), Err(Elapsed));
    }
}
