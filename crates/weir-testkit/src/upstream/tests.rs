use super::*;
use crate::client::{Event, call};
use crate::{Blackhole, Gate, Process, RawClient};
use serde_json::json;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const CHAT: &str = "/v1/chat/completions";

fn ask(upstream: &Upstream, stream: bool) -> RawClient {
    let mut client = RawClient::connect(upstream.addr()).unwrap();
    client.post(CHAT, &[("X-Test", "yes")], &json!({ "model": "m", "stream": stream })).unwrap();
    client
}

fn text(events: &[Event]) -> String {
    events.iter().map(Event::text).collect()
}

#[test]
fn calls_are_recorded_and_answered_in_the_order_of_the_script() {
    let upstream = Upstream::start();
    upstream
        .script([Answer::chat("one"), Answer::status(429).header("Retry-After", "2").error("slow", "down")]);
    upstream.always(Answer::chat("more"));
    upstream.on_model("other", Answer::html(502));
    upstream.on_path("/v1/models", Answer::auto(""));
    let mut client = ask(&upstream, false);
    assert_eq!(client.read_reply().unwrap().json()["choices"][0]["message"]["content"], "one");
    client.post(CHAT, &[], &json!({ "model": "other" })).unwrap();
    assert_eq!(client.read_reply().unwrap().status, 502);
    client.request("GET", "/v1/models?a=b", &[], b"").unwrap();
    assert_eq!(client.read_reply().unwrap().json()["object"], "list");
    client.request("POST", CHAT, &[("transfer-encoding", "chunked"), ("content-length", "")], b"").unwrap();
    client.wait_for_close().unwrap();
    let mut client = ask(&upstream, false);
    let refused = client.read_reply().unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("2")));
    assert_eq!(refused.json()["error"]["code"], "slow");
    client
        .send(b"POST /v1/embeddings HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        .unwrap();
    assert_eq!(client.read_reply().unwrap().json()["choices"][0]["message"]["content"], "more");
    let log = upstream.log();
    assert_eq!(log.malformed.len(), 1, "length and chunks together are no request");
    assert_eq!(log.calls.len(), 5);
    assert_eq!((log.calls[4].at_connection, log.calls[4].nth_on_connection), (1, 1));
    assert_eq!((log.calls[0].header("x-test"), &log.calls[4].body[..]), (Some("yes"), &b"{}"[..]));
    drop(client);
    upstream.wait_for("the close", |log| log.open_connections == 0);
}

#[test]
fn a_gate_lets_one_event_through_at_a_time() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.script([Answer::stream(["Hel", "lo"]).gate(&gate)]);
    let mut client = ask(&upstream, true);
    client.read_head().unwrap();
    let mut events = Vec::new();
    while let Some(event) = client.read_event().unwrap() {
        events.push(event);
        let sent = upstream.wait_for("events", |log| log.calls[0].events >= events.len()).calls[0].events;
        assert_eq!(sent, events.len(), "an event came before its release");
        gate.release();
    }
    assert_eq!(text(&events), "Hello");
    assert_eq!(upstream.wait_for_end(0).how, How::Answered);
}

/// How a stream of `"Hel"`, `"lo"` looks to its reader: the text, and the error that ended it.
fn check(manner: impl Fn(Answer) -> Answer, expect: (&str, Option<ErrorKind>), how: How) {
    let upstream = Upstream::start();
    upstream.script([manner(Answer::stream(["Hel", "lo"]))]);
    let mut client = ask(&upstream, true);
    let mut events = Vec::new();
    let error = client.read_head().err().or_else(|| {
        loop {
            match client.read_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    });
    assert_eq!((text(&events).as_str(), error.map(|e| e.kind())), expect);
    assert_eq!(upstream.wait_for_end(0).how, how);
}

#[test]
fn answers_misbehave_as_told() {
    let (reset, eof) = (Some(ErrorKind::ConnectionReset), Some(ErrorKind::UnexpectedEof));
    check(|a| a, ("Hello", None), How::Answered);
    check(|a| a.byte_by_byte().crlf(), ("Hello", None), How::Answered);
    check(|a| a.until_close().without_done(), ("Hello", None), How::Answered);
    check(|a| a.reset_after_events(2), ("Hel", reset), How::Cut);
    check(|a| a.broken_after_events(2), ("Hel", eof), How::Cut);
    check(|a| a.eof_after_events(2), ("Hel", None), How::Cut);
    check(|_| Answer::reset_before_headers(), ("", reset), How::Cut);
    check(|_| Answer::close_before_headers(), ("", eof), How::Cut);
    check(|_| Answer::chat("x").content_length_too_long(), ("", eof), How::Answered);
    check(|_| Answer::raw("garbage\r\n\r\n"), ("", Some(ErrorKind::InvalidData)), How::Answered);
}

#[test]
fn a_peer_that_leaves_is_noticed_at_every_point() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    let answers =
        [Answer::never(), Answer::stream(["a", "b"]).gate(&gate), Answer::auto("c d").pause_after_events(2)];
    for (i, (answer, events)) in answers.into_iter().zip([0, 1, 2]).enumerate() {
        upstream.script([answer]);
        let client = ask(&upstream, true);
        upstream.wait_for("events", |log| log.calls.len() > i && log.calls[i].events == events);
        assert!(upstream.calls()[i].ended.is_none());
        if i == 1 {
            client.reset().unwrap();
        } else {
            drop(client);
        }
        assert_eq!(upstream.wait_for_end(i).how, How::PeerClosed);
        assert!(upstream.calls()[i].closed().is_some());
    }
}

#[test]
fn a_peer_that_does_not_read_stalls_the_upstream() {
    let upstream = Upstream::start();
    upstream.script([Answer::stream((0..256).map(|_| "x".repeat(64 * 1024)))]);
    let mut client = RawClient::connect_with_buffer(upstream.addr(), 8192).unwrap();
    client.post(CHAT, &[], &json!({ "stream": true })).unwrap();
    let sent = upstream.wait_for("a stall", |log| log.calls.iter().any(|call| call.stalled)).calls[0].sent;
    assert!(sent < 16 << 20, "{sent} bytes went nowhere");
    client.read_head().unwrap();
    assert_eq!(text(&client.read_events().unwrap()).len(), 256 * 64 * 1024);
}

#[test]
fn idle_connections_close_when_told() {
    let upstream = Upstream::start();
    upstream.always(Answer::auto("x").keep_alive(Duration::from_millis(1)));
    let mut client = ask(&upstream, false);
    assert_eq!(client.read_reply().unwrap().header("connection"), None);
    client.wait_for_close().unwrap();
    assert_eq!(upstream.wait_for_end(0).how, How::Answered);
}

#[test]
fn a_stopped_upstream_refuses_and_can_come_back() {
    let upstream = Upstream::start();
    let addr = upstream.addr();
    upstream.stop();
    assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let upstream = Upstream::start_at(addr);
    assert_eq!(call(upstream.addr(), "GET", "/v1/models", &[], b"").unwrap().status, 200);
}

#[test]
fn a_black_hole_neither_accepts_nor_refuses() {
    let hole = Blackhole::start();
    let error = TcpStream::connect_timeout(&hole.addr(), Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_process_is_heard_signalled_and_reaped() {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("trap 'echo bye >&2; exit 3' TERM; echo ready 7; while :; do :; done");
    let mut process = Process::start(&mut shell);
    let word = process.wait_for_line("readiness", |line| line.strip_prefix("ready ").map(str::to_owned));
    assert_eq!(word, "7");
    assert!(process.resident_bytes() > 0 && process.open_files() > 0);
    process.signal("TERM");
    assert_eq!(process.wait_for_exit().code(), Some(3));
    assert_eq!(process.stderr(), "bye\n");
}
