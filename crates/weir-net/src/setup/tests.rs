use super::*;
use crate::{Head, Origin, OriginSettings, Pool, Request};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use http_body::Body;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(60);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn listening() -> (TcpListener, Rc<Pool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, Pool::new(Origin::new(&url, OriginSettings::default()).unwrap().into()))
}

fn request(bytes: usize) -> Request {
    let head = Head::new(&Method::POST, &PathAndQuery::from_static("/"), &HeaderMap::new());
    Request::new(&head, &[], Bytes::from(vec![b'x'; bytes]).into())
}

/// Reads a request with a body of so many bytes and answers it.
async fn answer(stream: &mut TcpStream, bytes: usize) {
    let mut buffer = vec![0; 1 << 16];
    let (mut read, mut all) = (0, usize::MAX);
    let mut head = Vec::new();
    while read < all {
        let n = stream.read(&mut buffer).await.unwrap();
        assert!(n > 0);
        read += n;
        if all == usize::MAX {
            head.extend_from_slice(&buffer[..n]);
            if let Some(at) = head.windows(4).position(|w| w == b"\r\n\r\n") {
                all = at + 4 + bytes;
            }
        }
    }
    stream.write_all(ANSWER).await.unwrap();
}

/// Sends and reads the answer to its end, so that the connection is pooled again.
async fn exchanged(pool: &Rc<Pool>, bytes: usize) -> Setup {
    let (mut setup, now) = (Setup::default(), Instant::now());
    let mut answer = pool.send(request(bytes), Limits::by(now + LONG, LONG), now, &mut setup).await.unwrap();
    while poll_fn(|cx| Pin::new(&mut answer.body).poll_frame(cx)).await.is_some() {}
    setup
}

#[test]
fn a_connection_that_is_there_costs_nothing() {
    run(async {
        let (listener, pool) = listening().await;
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            for _ in 0..2 {
                answer(&mut stream, 10).await;
            }
        };
        let asking = async {
            let fresh = exchanged(&pool, 10).await;
            assert!(fresh.connect > Duration::ZERO, "{fresh:?}");
            assert_eq!((fresh.tls, fresh.send), (Duration::ZERO, Duration::ZERO));
            assert_eq!(exchanged(&pool, 10).await, Setup { sent: true, ..Setup::default() });
        };
        tokio::join!(serving, asking);
    });
}

/// More than the kernel takes unread: the rest waits for the peer.
#[test]
fn a_request_that_the_peer_takes_slowly_is_told_as_sending() {
    const LARGE: usize = 64 << 20;
    run(async {
        let (listener, pool) = listening().await;
        let mut asking = pin!(exchanged(&pool, LARGE));
        let mut accepting = pin!(listener.accept());
        let mut stream = loop {
            let accepted = poll_fn(|cx| {
                assert!(asking.as_mut().poll(cx).is_pending(), "answered by nobody");
                accepting.as_mut().poll(cx)
            });
            if let Ok((stream, _)) = accepted.await {
                break stream;
            }
        };
        // The request leaves until nobody takes more of it.
        for _ in 0..1000 {
            let once = poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx)));
            assert!(once.await.is_pending(), "answered by nobody");
            tokio::task::yield_now().await;
        }
        let (setup, ()) = tokio::join!(asking, answer(&mut stream, LARGE));
        assert!(setup.send > Duration::ZERO, "{setup:?}");
    });
}

/// Who gives up knows whether anything was asked.
#[test]
fn what_was_given_up_before_it_was_sent_is_known() {
    run(async {
        let (_listener, pool) = listening().await;
        let (mut setup, now) = (Setup::default(), Instant::now());
        let mut asking = Box::pin(pool.send(request(10), Limits::by(now + LONG, LONG), now, &mut setup));
        // One turn for others, then a connection that is not there yet.
        for _ in 0..2 {
            assert!(poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx).is_pending())).await);
        }
        drop(asking);
        assert!(!setup.sent, "{setup:?}");
    });
}

/// No server is late because the way to it was long; but what must be over is over.
#[test]
fn the_wait_for_an_answer_begins_when_the_connection_stands() {
    let now = Instant::now();
    let seconds = |n| now + Duration::from_secs(n);
    let limits = Limits { connect: LONG, answer: seconds(10), deadline: seconds(15) };
    let setup = |connect, tls| Setup {
        connect: Duration::from_secs(connect),
        tls: Duration::from_secs(tls),
        send: LONG,
        sent: true,
    };
    for (setup, expect) in [(setup(0, 0), 10), (setup(1, 2), 13), (setup(3, 9), 15)] {
        assert_eq!(limits.answer_after(&setup), seconds(expect), "{setup:?}");
    }
}
