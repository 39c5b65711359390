//! When to write: behind everything else that is ready to run.

use std::future::poll_fn;
use std::task::Poll;

/// Lets every task that is ready now run before the caller goes on. Called before what is about to be written is written, so
/// that on a busy core the turn's reading comes first and its writes follow one another.
///
/// A write to a peer that has nothing to do wakes it, which costs the writer a signal to another core, one for each
/// write if the peer falls asleep in between. Written in a row, the first wakes it and the others find it at work. The same is
/// done by Redis, which answers the clients of one turn before it sleeps. On a core with nothing else to do this is one more
/// poll of the task.
pub async fn others_first() {
    let mut waited = false;
    poll_fn(|cx| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;
    use tokio::task::LocalSet;

    #[tokio::test]
    async fn what_every_task_does_first_comes_before_what_any_does_then() {
        let done = Rc::new(RefCell::new(Vec::new()));
        let tasks = LocalSet::new();
        for task in 0..3 {
            let done = done.clone();
            tasks.spawn_local(async move {
                done.borrow_mut().push(("read", task));
                others_first().await;
                done.borrow_mut().push(("written", task));
            });
        }
        tasks.await;
        let order: Vec<_> = done.borrow().iter().map(|(what, _)| *what).collect();
        assert_eq!(order, ["read", "read", "read", "written", "written", "written"]);
    }
}
