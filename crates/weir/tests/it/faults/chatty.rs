//! Limits of time hold for an upstream that always has something to say, too.

use super::{CHAT, NO_RETRY, QUICK, assert_nothing_left, assert_typed, call, weir};
use weir_testkit::{Answer, How, Upstream};

/// Comments, much of them at a time.
fn comments() -> String {
    ": still thinking\n\n".repeat(2000)
}

fn chunk(delta: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\"finish_reason\":null}}]}}\n\n")
}

#[test]
fn a_stream_that_says_nothing_at_length_is_a_504() {
    let upstream = Upstream::start();
    upstream.always(Answer::event_bytes([comments(), String::new()]).endless_after_events(1));
    let weir = weir(&upstream.url(), &format!("{QUICK}, timeouts: {{ first_byte: 400ms }}"));
    assert_typed("comments", &weir.post(CHAT, &[], &call(true)), 504, "upstream_timeout");
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
    assert_nothing_left(&weir);
}

#[test]
fn a_stream_that_never_ends_is_ended() {
    let (role, words) = (chunk(r#""role":"assistant""#), chunk(r#""content":"and ""#).repeat(500));
    let odd = "data: no json\n\n".repeat(2000);
    let rows = [
        ("a role and comments", "first_byte: 400ms", [role.clone(), comments()]),
        ("a role, held back, and comments", "first_byte: 400ms, hold: 50ms", [role, comments()]),
        ("words", "total: 1s", [words.clone(), words.clone()]),
        ("words and what is dropped", "total: 1s", [words.clone(), odd]),
        ("words and comments", "total: 1s", [words.clone(), comments()]),
        (
            "comments behind words, too slow",
            "min_speed: { tokens_per_second: 1000000, over: 400ms }",
            [words, comments()],
        ),
    ];
    for (row, limit, events) in rows {
        let upstream = Upstream::start();
        let events = events.into_iter().chain([String::new()]);
        upstream.always(Answer::event_bytes(events).endless_after_events(2));
        let weir = weir(&upstream.url(), &format!("{NO_RETRY}, timeouts: {{ {limit} }}"));
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call(true)).unwrap();
        assert_eq!(client.read_head().unwrap().status, 200, "{row}");
        let mut last = None;
        while let Some(event) = client.read_event().unwrap() {
            last = Some(event);
        }
        let last = last.unwrap().json();
        let code = last["error"]["code"].as_str();
        assert!(matches!(code, Some("upstream_timeout" | "upstream_too_slow")), "{row}: {last}");
        assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed, "{row}");
        assert_nothing_left(&weir);
    }
}

/// What follows an end mark is nobody's, however much it is.
#[test]
fn what_comes_behind_the_end_mark_is_left() {
    let whole = chunk(r#""content":"all of it""#).replace("null", r#""stop""#) + "data: [DONE]\n\n";
    for answers in ["", ", answers: { buffer: true }"] {
        let upstream = Upstream::start();
        upstream
            .always(Answer::event_bytes([whole.clone(), comments(), String::new()]).endless_after_events(2));
        let weir = weir(&upstream.url(), &format!("{NO_RETRY}{answers}"));
        let reply = weir.post(CHAT, &[], &call(true));
        assert_eq!(reply.status, 200);
        assert!(reply.text().contains("all of it") && reply.text().ends_with("data: [DONE]\n\n"));
        assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
        assert_nothing_left(&weir);
    }
}

/// An answer that is no stream, first while it is held, then while it is passed on.
#[test]
fn a_whole_answer_that_never_ends_is_cut() {
    let upstream = Upstream::start();
    let answer = Answer::chat(&"x".repeat(1 << 16)).in_pieces(1 << 15).chunked();
    upstream.always(answer.endless_after_events(1));
    let weir = weir(&upstream.url(), &format!("{NO_RETRY}, timeouts: {{ total: 1s }}"));
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &call(false)).unwrap();
    assert_eq!(client.read_head().unwrap().status, 200);
    client.read_body().unwrap_err();
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(entry["outcome"], "timeout", "{entry}");
    assert_nothing_left(&weir);
}
