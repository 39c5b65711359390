//! A client that hangs up, at whatever point, ends the upstream call.

use super::{CHAT, NO_RETRY, assert_nothing_left, call, weir};
use serde_json::Value;
use weir_testkit::{Answer, Gate, How, Log, RawClient, Upstream};

/// Sends a call, waits until the upstream has come as far as `when`, reads what `read` reads and hangs up; then waits for
/// the end of the upstream call.
fn check(
    row: &str,
    answer: impl Fn() -> Answer,
    body: &Value,
    when: impl Fn(&Log) -> bool,
    read: impl Fn(&mut RawClient),
) {
    for reset in [false, true] {
        let upstream = Upstream::start();
        upstream.always(answer());
        let weir = weir(&upstream.url(), NO_RETRY);
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], body).unwrap();
        upstream.wait_for(row, &when);
        read(&mut client);
        if reset {
            client.reset().unwrap();
        } else {
            drop(client);
        }
        let ended = upstream.wait_for_end(0);
        assert_eq!(ended.how, How::PeerClosed, "{row}, reset: {reset}");
        assert_nothing_left(&weir);
        let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
        assert_eq!(entry["outcome"], "client_gone", "{row}, reset: {reset}: {entry}");
        assert_eq!(upstream.calls().len(), 1, "{row}: nobody is left to try again for");
    }
}

/// A gate that lets `n` events through, of which the first needs none.
fn opened(n: usize) -> Gate {
    let gate = Gate::new();
    (1..n).for_each(|_| gate.release());
    gate
}

fn events(n: usize) -> impl Fn(&Log) -> bool {
    move |log| log.calls.first().is_some_and(|call| call.events >= n)
}

fn called(log: &Log) -> bool {
    !log.calls.is_empty()
}

/// U4: the upstream never answers.
#[test]
fn before_any_answer() {
    for stream in [false, true] {
        check("no head yet", Answer::never, &call(stream), called, |_| {});
    }
}

/// A whole answer that is being collected: the client has seen nothing yet.
#[test]
fn while_a_whole_answer_comes_in() {
    for n in [1, 3] {
        let answer = || Answer::chat("a whole answer in pieces").in_pieces(20).gate(&opened(n));
        check("pieces of a whole answer", answer, &call(false), events(n), |_| {});
    }
}

/// A large answer that is being passed on.
#[test]
fn in_the_middle_of_a_large_answer() {
    let answer = || Answer::chat(&"x".repeat(4 << 20)).in_pieces(3 << 20).gate(&Gate::new());
    check("a large answer", answer, &call(false), events(1), |client| {
        assert_eq!(client.read_head().unwrap().status, 200);
        client.read_chunk().unwrap().unwrap();
    });
}

/// A stream of which the client holds so many events.
#[test]
fn in_the_middle_of_a_stream() {
    for n in [0, 1, 2, 4] {
        let answer = || Answer::stream(["a", "b", "c", "d", "e"]).gate(&opened(n));
        check("a stream", answer, &call(true), events(n.max(1)), |client| {
            if n < 2 {
                return; // there is no head before the first token
            }
            assert_eq!(client.read_head().unwrap().status, 200);
            for _ in 0..n {
                client.read_event().unwrap().unwrap();
            }
        });
    }
}

/// A client that has sent the next request, or its beginning, when it leaves: what is behind the one that is being
/// answered changes nothing. One that only ends its sending counts as gone, with and without a further request.
#[test]
fn with_another_request_behind_it() {
    let request = |stream| {
        let body = call(stream).to_string();
        let length = body.len();
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let next = request(false);
    type Leave = fn(RawClient) -> Option<RawClient>;
    let ways: [(&str, Leave); 3] = [
        ("closed", |client| {
            drop(client);
            None
        }),
        ("reset", |client| {
            client.reset().unwrap();
            None
        }),
        ("ended its sending", |client| {
            client.finish_sending().unwrap();
            Some(client)
        }),
    ];
    let upstream = Upstream::start();
    let weir = weir(&upstream.url(), NO_RETRY);
    let mut calls = 0;
    for (way, leave) in ways {
        for behind in ["", "P", &next[..next.len() / 2], &next, &next.repeat(20)] {
            for (stream, at_once) in [(false, true), (false, false), (true, true), (true, false)] {
                let row =
                    format!("{way}, {} bytes behind, stream: {stream}, at once: {at_once}", behind.len());
                let streamed = Answer::stream(["a", "b", "c"]).gate(&opened(2));
                upstream.script([if stream { streamed } else { Answer::never() }]);
                let mut client = weir.connect().unwrap();
                let first = request(stream);
                client.send([&first[..], if at_once { behind } else { "" }].concat().as_bytes()).unwrap();
                upstream.wait_for(&row, |log| log.calls.len() > calls);
                if !at_once {
                    client.send(behind.as_bytes()).unwrap();
                }
                if stream {
                    assert_eq!(client.read_head().unwrap().status, 200, "{row}");
                    client.read_event().unwrap().unwrap();
                }
                let left = leave(client);
                assert_eq!(upstream.wait_for_end(calls).how, How::PeerClosed, "{row}");
                assert_nothing_left(&weir);
                drop(left);
                calls += 1;
                assert_eq!(upstream.calls().len(), calls, "{row}: the one behind it has nobody to go to");
                #[allow(clippy::cast_precision_loss, reason = "some dozens")]
                weir.wait_for_metric("weir_requests_total", &[("outcome", "client_gone")], calls as f64);
            }
        }
    }
}

/// A client that leaves while Weir waits before it tries again: nothing is tried again.
#[test]
fn between_two_attempts() {
    let upstream = Upstream::start();
    upstream.script([Answer::status(429).header("retry-after", "9")]);
    let weir = weir(&upstream.url(), "retries: { max: 2 }");
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(false)).unwrap();
    upstream.wait_for_end(0);
    drop(client);
    assert_nothing_left(&weir);
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!((&entry["outcome"], &entry["attempts"]), (&"client_gone".into(), &1.into()), "{entry}");
    assert_eq!(upstream.calls().len(), 1);
}

/// A client that leaves with half of its request unsent: no upstream is called.
#[test]
fn inside_its_own_request() {
    let upstream = Upstream::start();
    let weir = weir(&upstream.url(), NO_RETRY);
    let body = call(false).to_string();
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), body.as_bytes()].concat();
    for cut in [1, head.len() / 2, head.len() - 1, head.len(), head.len() + 1, request.len() - 1] {
        let mut client = weir.connect().unwrap();
        client.send(&request[..cut]).unwrap();
        drop(client);
    }
    assert_nothing_left(&weir);
    let reply = weir.post(CHAT, &[], &call(false));
    assert_eq!(reply.status, 200);
    assert_eq!(upstream.calls().len(), 1, "only the whole request got through");
}
