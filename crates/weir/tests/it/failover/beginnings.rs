//! Streams that have begun and said nothing yet: what goes wrong then is made good elsewhere, or told in the right way.

use super::{Answer, CHAT, Upstream, ask, call, calls, chunk, pair, right, weir, weir_with, words};
use serde_json::json;
use weir_testkit::Gate;

fn role() -> String {
    chunk(r#""role":"assistant","content":"""#, "null", "")
}

/// The client has a role and nothing else, so whoever says something next begins the answer.
#[test]
fn a_stream_that_has_said_nothing_is_begun_anew_elsewhere() {
    let too_long = r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#.to_owned();
    let rows = [
        ("a reset", Answer::events([role()]).reset_after_events(1)),
        ("an end", Answer::events([role()]).broken_after_events(1)),
        ("an error that another route may not share", Answer::events([role(), too_long])),
    ];
    for (row, broken) in rows {
        let upstreams = pair();
        upstreams[0].always(broken);
        upstreams[1].always(right());
        let weir = weir(&upstreams, "", "continues: none");
        let seen = ask(&weir);
        seen.assert_right(row);
        let roles = seen.chunks.iter().filter(|c| c["choices"][0]["delta"]["role"].is_string()).count();
        assert_eq!(roles, 1, "{row}: {}", seen.reply.text());
        assert_eq!(seen.chunks.last().unwrap()["model"], "other", "{row}");
        assert_eq!(calls(&upstreams[1]), 1, "{row}");
        let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
        assert_eq!((&entry["outcome"], &entry["deployment"]), (&json!("ok"), &json!("fallback")), "{entry}");
        assert!(entry["first_token_ms"].is_number(), "{row}: {entry}");
        let last = entry["attempted"].as_array().unwrap().last().unwrap();
        assert_eq!(last["cause"], "fallback", "{row}: nothing was continued: {entry}");
    }
}

/// Not only text begins an answer.
#[test]
fn a_tool_call_may_be_what_is_said_first() {
    let tool =
        chunk(r#""tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]"#, "null", "");
    let upstreams = pair();
    upstreams[0].always(Answer::events([role()]).reset_after_events(1));
    upstreams[1].always(Answer::events([role(), tool, chunk("", r#""tool_calls""#, "")]));
    let weir = weir(&upstreams, "", "");
    let reply = weir.post(CHAT, &[], &call());
    assert!(reply.text().contains(r#""id":"t""#), "{}", reply.text());
    assert!(reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
    assert_eq!(reply.text().matches("assistant").count(), 1, "{}", reply.text());
}

/// When nobody can, the client that has a head already is told in-band.
#[test]
fn when_nobody_begins_it_the_client_is_told() {
    let upstreams = pair();
    upstreams[0].always(Answer::events([role()]).reset_after_events(1));
    upstreams[1].always(Answer::status(500));
    let weir = weir(&upstreams, "", "");
    ask(&weir).assert_safe("nobody", "");
}

/// A route may rather have its streams begin late than have one begin that nobody answers.
#[test]
fn held_back_events_leave_no_trace_of_a_fault() {
    let upstreams = pair();
    upstreams[0].always(Answer::events([role()]).reset_after_events(1));
    upstreams[1].always(right());
    let held = weir(&upstreams, "timeouts: { hold: 10s }", "");
    let seen = ask(&held);
    seen.assert_right("held back");
    assert_eq!(seen.reply.header("x-weir-deployment"), Some("fallback"));
    upstreams[1].always(Answer::status(400).error("wrong", "Not like this."));
    assert_eq!(held.post(CHAT, &[], &call()).status, 400);
}

/// The client has the role before the upstream says its first word: at once, or when it has been held back long enough.
#[test]
fn a_beginning_is_not_held_back_for_good() {
    for primary in ["", "timeouts: { hold: 20ms }"] {
        let upstreams = pair();
        let gate = Gate::new();
        upstreams[0].always(Answer::stream(words()).gate(&gate));
        let weir = weir(&upstreams, primary, "");
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call()).unwrap();
        assert_eq!(client.read_head().unwrap().header("x-weir-deployment"), Some("primary"));
        assert!(client.read_event().unwrap().unwrap().data.contains("assistant"), "{primary}");
        gate.open();
        let text: String = client.read_events().unwrap().iter().map(|event| event.text()).collect();
        assert_eq!(text, words().concat());
        assert_eq!(upstreams.each_ref().map(|u: &Upstream| calls(u)), [1, 0]);
    }
}

/// A fallback that is for what a filter refuses is asked although a role has gone out.
#[test]
fn a_refusal_by_a_filter_behind_a_role_leads_to_its_fallback() {
    let filtered = r#"{"error":{"message":"filtered","code":"content_filter"}}"#.to_owned();
    let upstreams = pair();
    let gate = Gate::new();
    upstreams[0].always(Answer::events([role(), filtered]).gate(&gate));
    upstreams[1].always(right());
    let led_on = weir_with(&upstreams, "", "", "{ route: spare, on: content_policy }");
    let mut client = led_on.connect().unwrap();
    client.post(CHAT, &[], &call()).unwrap();
    assert_eq!(client.read_head().unwrap().header("x-weir-deployment"), Some("primary"));
    assert!(client.read_event().unwrap().unwrap().data.contains("assistant"));
    gate.open();
    let events = client.read_events().unwrap();
    let text: String = events.iter().map(|event| event.text()).collect();
    assert_eq!((text, &*events.last().unwrap().data), (words().concat(), "[DONE]"));
    // Where there is none, the client is told what it is.
    let plain = weir(&upstreams, "timeouts: { hold: 1ms }", "");
    let reply = plain.post(CHAT, &[], &call());
    assert!(reply.text().contains("content_filter"), "{}", reply.text());
}

/// A stream that says that it is over has said all there is, even if that is nothing: nobody waits for more of it.
#[test]
fn an_end_mark_behind_a_role_is_an_end() {
    let role = format!("data: {}\n\n", role());
    let mark = "data: [DONE]\n\n".to_owned();
    let rows = [
        ("", Answer::event_bytes([format!("{role}{mark}")]).pause_after_events(1)),
        ("timeouts: { hold: 1m }", Answer::event_bytes([role, mark.clone()]).pause_after_events(2)),
        ("", Answer::event_bytes([mark]).pause_after_events(1)),
    ];
    for (primary, over) in rows {
        let upstreams = pair();
        upstreams[0].always(over);
        // With nobody else it would have all the time there is.
        let weir = weir_with(&upstreams, primary, "", "{ route: spare, on: content_policy }");
        let reply = weir.post(CHAT, &[], &call());
        assert!(!reply.text().contains("[DONE]"), "{}", reply.text());
        assert!(reply.text().contains("upstream_truncated"), "{}", reply.text());
    }
}

/// A word and an error in one piece, behind a role that the client has: the word reaches it, and the error is handled as one
/// in the middle of a stream is.
#[test]
fn a_word_in_one_piece_with_an_error_is_passed_on() {
    let word = chunk(&format!(r#""content":"{}""#, words()[0]), "null", "");
    let error = r#"{"error":{"message":"it broke","type":"server_error","code":"internal"}}"#;
    let both = format!("data: {word}\n\ndata: {error}\n\n");
    for (row, then) in [("completed", right()), ("told", Answer::status(500))] {
        let (upstreams, gate) = (pair(), Gate::new());
        let role = format!("data: {}\n\n", role());
        upstreams[0].script([Answer::event_bytes([role, both.clone()]).gate(&gate)]);
        upstreams[0].always(Answer::status(500));
        upstreams[1].always(then);
        let weir = weir(&upstreams, "breaker: { failures: 1 }", "");
        let mut client = weir.connect().unwrap();
        client.post(CHAT, &[], &call()).unwrap();
        assert_eq!(client.read_head().unwrap().header("x-weir-deployment"), Some("primary"));
        assert!(client.read_event().unwrap().unwrap().data.contains("assistant"));
        gate.open();
        let events = client.read_events().unwrap();
        let text: String = events.iter().map(|event| event.text()).collect();
        let last = events.last().unwrap();
        match row {
            "completed" => assert_eq!((text, &*last.data), (words().concat(), "[DONE]")),
            _ => {
                assert_eq!(text, words()[0], "{row}");
                assert!(last.json()["error"]["message"].is_string(), "{row}: {last:?}");
            }
        }
        let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
        assert!(entry["first_token_ms"].is_number(), "{row}: {entry}");
        assert_eq!(entry["attempted"][0]["fault"], "server_error", "{row}: {entry}");
        assert!(entry["attempted"][0]["cost_usd"].is_string(), "{row}: {entry}");
        // Its first token is in its window; a deployment that is silent has none there.
        assert!(
            weir.metric("weir_deployment_first_token_seconds", &[("deployment", "primary")]).is_some(),
            "{row}"
        );
    }
}

/// The same as the first thing that is said, when nothing has reached the client: another begins anew, as if this one had not
/// been, but what it generated is paid for. With nobody else the client gets the error alone, as one.
#[test]
fn a_first_word_in_one_piece_with_an_error_is_begun_anew() {
    let word = chunk(r#""content":"quite another word""#, "null", "");
    let error = r#"{"error":{"message":"it broke","type":"server_error","code":"internal"}}"#;
    let upstreams = pair();
    upstreams[0].always(Answer::event_bytes([format!("data: {word}\n\ndata: {error}\n\n")]));
    upstreams[1].always(right());
    let weir = weir(&upstreams, "", "continues: none");
    let seen = ask(&weir);
    seen.assert_right("begun anew");
    assert_eq!(seen.reply.header("x-weir-deployment"), Some("fallback"));
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert!(entry["attempted"][0]["cost_usd"].is_string(), "{entry}");
    upstreams[1].always(Answer::status(500));
    let reply = weir.post(CHAT, &[], &call());
    assert!(reply.status >= 500 && reply.json()["error"]["message"].is_string(), "{}", reply.text());
}
