use super::*;
use std::future::poll_fn;
use tokio::task::LocalSet;
use tokio::task::coop::consume_budget;

/// A task that has used up its share of the runtime gets "pending" from everything, timers included. The limits of its
/// connection hold all the same.
#[test]
fn limits_hold_for_a_task_without_budget() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let closed = LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let short = Duration::from_millis(50);
        let limits = TimeLimits { header: short, keep_alive: short, send: short, max_head: 8192 };
        let mut wire = Wire::new(stream, limits);
        let waiting = tokio::task::spawn_local(async move {
            let mut spent = false;
            poll_fn(|cx| {
                while !spent && pin!(consume_budget()).poll(cx).is_ready() {}
                spent = true;
                wire.poll_head(cx, true)
            })
            .await
        });
        let closed = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        drop(client);
        closed
    });
    assert!(matches!(closed, Ok(Ok(Ok(None)))), "the connection that said nothing is still open");
}
