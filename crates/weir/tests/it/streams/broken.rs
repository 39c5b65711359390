//! A stream that breaks off keeps what had come, says so in-band, and never looks like a whole one.

use super::{CHAT, DONE, all_events, assert_complete, call, open, weir};
use serde_json::{Value, json};
use weir_testkit::client::Event;
use weir_testkit::{Answer, Gate, How, Upstream};

fn deltas() -> Vec<String> {
    (0..12).map(|i| format!(" word{i}")).collect()
}

/// The error event that must be the last of a stream that broke off.
fn last_words(events: &[Event]) -> Value {
    let last = events.last().unwrap();
    let error = last.json()["error"].clone();
    assert!(error["message"].is_string() && error["request_id"].is_string(), "{events:?}");
    assert!(events.iter().all(|event| event.data != DONE), "{events:?}");
    assert_eq!(super::finish(events), None, "{events:?}");
    error
}

/// U6, U7: after 8 events (the role and seven words) the upstream resets, closes, or ends in good order. Whatever the
/// manner, the prefix is delivered and the end is an error event.
#[test]
fn a_cut_stream_keeps_its_prefix_and_ends_in_an_error_event() {
    let rows = [
        ("reset", Answer::stream(deltas()).reset_after_events(8)),
        ("closed", Answer::stream(deltas()).broken_after_events(8)),
        ("ended in good order", Answer::stream(deltas()).eof_after_events(8)),
        ("[DONE] without a finish reason", Answer::stream(deltas()[..7].to_vec()).without_finish()),
        (
            "neither finish reason nor [DONE]",
            Answer::stream(deltas()[..7].to_vec()).without_finish().without_done(),
        ),
        ("ended with the connection", Answer::stream(deltas()).until_close().broken_after_events(8)),
    ];
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    for (row, answer) in rows {
        let before = upstream.calls().len();
        upstream.script([answer]);
        let events = all_events(&weir, &call());
        assert_eq!(super::text(&events), deltas()[..7].concat(), "{row}");
        let error = last_words(&events);
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!("upstream_truncated"), &json!("server_error")),
            "{row}"
        );
        assert_eq!(upstream.calls().len(), before + 1, "{row}: after the first byte nothing is tried again");
    }
    let labels = [("outcome", "truncated")];
    weir.wait_for_metric("weir_requests_total", &labels, 6.0);
    // Some of them had stated their usage before they broke off; for the others it is estimated.
    let entry = weir.wait_for_log("an estimate", |entry| entry["usage"]["source"] == "estimated");
    assert_eq!(entry["outcome"], "truncated");
    assert_eq!((&entry["status"], &entry["blame"]), (&json!(200), &json!("upstream")), "{entry}");
    assert!(entry["usage"]["output"].as_u64().unwrap() >= 7, "what had come is accounted for: {entry}");
}

/// A cut inside an event: its beginning is not passed on, since a client could not read it.
#[test]
fn half_an_event_is_not_passed_on() {
    let whole =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"kept\"},\"finish_reason\":null}]}\n\n";
    let half = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lost";
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    for cut in [Answer::event_bytes([whole, half]), Answer::event_bytes([whole, half]).broken_after_events(2)]
    {
        upstream.script([cut]);
        let events = all_events(&weir, &call());
        assert_eq!(super::text(&events), "kept");
        assert_eq!(last_words(&events)["code"], "upstream_truncated");
    }
}

/// R8: a 200 whose first event is an error is a failed attempt, tried again unseen; when every attempt ends so, the
/// client gets the upstream's error with a status of its own.
#[test]
fn an_error_as_the_first_event_is_tried_again() {
    let overloaded =
        r#"{"error":{"message":"We are overloaded","type":"overloaded_error","code":"overloaded"}}"#;
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    let as_event = || Answer::events([overloaded]);
    let named = Answer::event_bytes([format!("event: error\ndata: {overloaded}\n\n")]);
    let after_comments =
        Answer::event_bytes([": processing\n\n".to_owned(), format!("data: {overloaded}\n\n")]);
    let as_body = Answer::body(200, "application/json", overloaded);
    for first in [as_event(), named, after_comments, as_body] {
        let before = upstream.calls().len();
        upstream.script([first, Answer::stream(["rescued"])]);
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call()).unwrap();
        let head = client.read_head().unwrap();
        assert_eq!((head.status, head.header("x-weir-attempts")), (200, Some("2")));
        assert_complete(&client.read_events().unwrap(), "rescued");
        assert_eq!(upstream.calls().len(), before + 2);
    }
    upstream.script([as_event(), as_event(), as_event()]);
    let reply = weir.post(CHAT, &[], &call());
    assert_eq!(reply.status, 503, "{}", reply.text());
    let error = reply.json()["error"].clone();
    assert_eq!((&error["code"], &error["message"]), (&json!("overloaded"), &json!("We are overloaded")));
}

/// An error event in the middle reaches the client in our envelope, ends the stream and frees the upstream call.
#[test]
fn an_error_event_in_the_middle_is_passed_on_in_band() {
    let chunk = |text: &str| {
        json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] })
            .to_string()
    };
    let error = r#"{"error":{"message":"GPU fell over","type":"server_error","code":"gpu_lost"}}"#;
    let gate = Gate::new();
    let upstream = Upstream::start();
    let data = [chunk("He"), chunk("llo"), error.to_owned(), chunk(" never seen")];
    upstream.always(Answer::events(data).gate(&gate));
    let weir = weir(&[&upstream]);
    let mut client = open(&weir, &[], &call());
    gate.release();
    assert_eq!(client.read_event().unwrap().unwrap().text(), "He");
    assert_eq!(client.read_event().unwrap().unwrap().text(), "llo");
    gate.release();
    let rest = client.read_events().unwrap();
    assert_eq!(rest.len(), 1, "{rest:?}");
    let error = last_words(&rest);
    assert_eq!((&error["code"], &error["message"]), (&json!("gpu_lost"), &json!("GPU fell over")));
    assert_eq!(upstream.wait_for_end(0).how, How::PeerClosed);
}

/// Once every choice is finished and `[DONE]` has come, nothing that befalls the connection makes the answer a broken
/// one.
#[test]
fn trouble_after_the_end_mark_is_no_trouble() {
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    // The role, the word, the finish reason, usage and `[DONE]` are five events.
    let answer = || Answer::stream(["whole"]);
    let rows =
        [answer().reset_after_events(5), answer().broken_after_events(5), answer().pause_after_events(5)];
    for (i, row) in rows.into_iter().enumerate() {
        upstream.script([row]);
        assert_complete(&all_events(&weir, &call()), "whole");
        weir.wait_for_metric("weir_requests_total", &[("outcome", "ok")], (i + 1) as f64);
    }
}
