//! Conversations put in their place, and answers under our names.

use super::super::*;
use serde_json::{Value, json};

const ID: &str = "resp_0123456789abcdef0123456789abcdef";

fn naming() -> Naming {
    Naming { id: ID.to_owned(), previous: Some("resp_before".to_owned()), background: false }
}

fn completed(body: &Value, earlier: &[(Value, Value)], found: &[(usize, Value)]) -> (Value, Value) {
    let texts: Vec<(String, String)> =
        earlier.iter().map(|(input, answer)| (input.to_string(), answer.to_string())).collect();
    let earlier: Vec<Earlier<'_>> = texts.iter().map(|(input, answer)| Earlier { input, answer }).collect();
    let found: Vec<(usize, String)> = found.iter().map(|(at, item)| (*at, item.to_string())).collect();
    let complete = complete(body.to_string().as_bytes(), &earlier, &found, ID).unwrap();
    (serde_json::from_slice(&complete.body).unwrap(), serde_json::from_str(&complete.input).unwrap())
}

#[test]
fn what_was_said_before_stands_before_a_call() {
    let user = |id: &str| json!({ "id": id, "type": "message", "role": "user", "content": "Hi" });
    let answer = json!({ "id": "resp_before", "status": "completed", "output": [
        { "type": "reasoning", "id": "rs_1", "summary": [] },
        { "type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "seal" },
        { "type": "message", "id": "msg_2", "status": "completed", "role": "assistant", "content": [] },
        { "type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "web_search_call", "id": "ws_1", "status": "completed" },
    ] });
    let body = json!({ "model": "m", "previous_response_id": "resp_before", "background": true, "input": [
        { "type": "function_call_output", "call_id": "c", "output": "1" },
        { "type": "item_reference", "id": "msg_x" },
    ], "metadata": { "a": 1.50 } });
    let meant = json!({ "type": "message", "id": "msg_x", "role": "user", "content": "meant" });
    let (sent, kept) = completed(&body, &[(json!([user("msg_1")]), answer)], &[(1, meant.clone())]);
    assert_eq!(
        sent,
        json!({ "model": "m", "input": [
            { "type": "message", "role": "user", "content": "Hi" },
            { "type": "reasoning", "summary": [], "encrypted_content": "seal" },
            { "type": "message", "role": "assistant", "content": [] },
            { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
            { "type": "web_search_call", "id": "ws_1", "status": "completed" },
            { "type": "function_call_output", "call_id": "c", "output": "1" },
            { "type": "message", "role": "user", "content": "meant" },
        ], "metadata": { "a": 1.50 } })
    );
    let id = format!("fc_{ID}_in0");
    assert_eq!(
        kept,
        json!([{ "type": "function_call_output", "call_id": "c", "output": "1", "id": id }, meant])
    );
    assert_eq!(answer_of(&id), Some(ID));
}

#[test]
fn a_call_that_begins_a_conversation_stays_as_it_is() {
    let (sent, kept) = completed(&json!({ "model": "m", "input": "Hi" }), &[], &[]);
    assert_eq!(sent, json!({ "model": "m", "input": "Hi" }));
    assert_eq!(kept[0]["content"], json!([{ "type": "input_text", "text": "Hi" }]));
    let own = json!([{ "role": "user", "content": "Hi", "id": "msg_own" }]);
    let (sent, kept) = completed(&json!({ "input": own }), &[], &[]);
    assert_eq!((&sent["input"], &kept), (&own, &own));
    for none in ["", "[]", "{}", r#"{"input":3}"#, r#"{"input":"#] {
        assert_eq!(complete(none.as_bytes(), &[], &[], ID), None, "{none}");
    }
}

#[test]
fn an_answers_id_stands_in_those_of_its_items() {
    let check = |item: &str, answer: Option<&str>| assert_eq!(answer_of(item), answer, "{item}");
    check("msg_resp_ab_0", Some("resp_ab"));
    check("resp_ab_in3", Some("resp_ab"));
    check("msg_resp_ab", None);
    check("msg_0123", None);
    check("é_resp_é_", Some("resp_é"));
}

#[test]
fn an_answer_goes_by_our_name() {
    let told = br#"{"id":"theirs","x":1.0,"output":[ 1 ],"store":false,"previous_response_id":null}"#;
    assert_eq!(
        naming().applied(told, true).unwrap(),
        format!(
            r#"{{"id":"{ID}","x":1.0,"output":[ 1 ],"store":true,"previous_response_id":"resp_before","background":false}}"#
        )
    );
    assert_eq!(naming().applied(b"[]", true), None);
    assert_eq!(naming().applied(b"{", true), None);
    let failed = in_state(r#"{"id":"a","status":"queued"}"#, "failed", Some(&no_answer("b")));
    let failed: Value = serde_json::from_str(&failed).unwrap();
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("previous_response_not_found"))
    );
}

/// Everything that goes out of a stream, in pieces of so many bytes, and the answer at its end.
fn through(stream: &str, size: usize, stored: bool) -> (String, Option<String>) {
    let mut own = OwnStream::new(naming(), 1 << 20);
    let (mut out, mut answer) = (Vec::new(), None);
    for piece in stream.as_bytes().chunks(size) {
        let passed = own.push(Bytes::copy_from_slice(piece)).unwrap();
        out.extend(passed.ready);
        if let Some(end) = passed.end {
            out.extend(end.event(stored));
            answer = Some(end.answer);
        }
        out.extend(passed.rest);
    }
    (String::from_utf8(out).unwrap(), answer)
}

#[test]
fn a_streams_answer_goes_by_our_name() {
    let head = r#"{"type":"response.created","response":{"id":"theirs"}}"#;
    let delta = r#"{"type":"response.output_text.delta","delta":"a \"response\": {}"}"#;
    let last = r#"{"type":"response.completed","response":{"id":"theirs","output":[]},"n":1}"#;
    for end in ["\n", "\r\n"] {
        let event = |data: &str| format!("event: x{end}data: {data}{end}{end}");
        let stream =
            [event(head), event(delta), format!(": ping{end}{end}"), event(last), event(delta)].concat();
        let mut all = Vec::new();
        for size in [1, 7, 64, stream.len()] {
            let (out, answer) = through(&stream, size, true);
            assert_eq!(out.matches(ID).count(), 2, "{out}");
            assert!(!out.contains("theirs") && out.contains(&event(delta)), "{out}");
            assert!(out.contains("event: response.completed\ndata: {"), "{out}");
            assert_eq!(status(&answer.clone().unwrap()), None);
            assert!(answer.unwrap().contains(r#""store":true"#));
            // A line end that is cut in two leaves an empty line, which ends nothing.
            all.push(out.replace('\r', "").replace("\n\n\n", "\n\n"));
            let (out, answer) = through(&stream, size, false);
            assert!(
                out.contains(r#""output":[],"previous_response_id":"resp_before","store":false"#),
                "{out}"
            );
            assert!(answer.unwrap().contains(r#""store":true"#));
        }
        assert!(all.windows(2).all(|two| two[0] == two[1]), "however it is cut");
    }
    // Data in several lines stays data.
    let lines = "data: {\"type\":\"response.failed\",\ndata: \"response\":{\ndata: \"id\":\"theirs\"}}\n\n";
    let (out, answer) = through(lines, lines.len(), true);
    assert!(
        out.lines()
            .filter(|line| !line.is_empty())
            .all(|line| line.starts_with("data: ") || line.starts_with("event: ")),
        "{out}"
    );
    assert!(answer.unwrap().contains(ID));
    // What is no answer passes as it is.
    for other in [
        "data: {\"response\":3}\n\n",
        "data: \"response\"\n\n",
        "data: {\"type\":\"x\",\"response\":null}\n\n",
    ] {
        assert_eq!(through(other, 5, true), (other.to_owned(), None));
    }
}

#[test]
fn items_are_listed_in_pages() {
    let items = r#"[{"id":"a"},{"id":"b"},{"no":1},{"id":"d"}]"#;
    let check = |order, after, limit, expect: &str, more: bool| {
        let page: Value = serde_json::from_str(&page(items, order, after, limit)).unwrap();
        assert_eq!((page["data"].to_string(), &page["has_more"]), (expect.to_owned(), &json!(more)));
    };
    check(Order::Earliest, None, 2, r#"[{"id":"a"},{"id":"b"}]"#, true);
    check(Order::Latest, None, 9, r#"[{"id":"d"},{"no":1},{"id":"b"},{"id":"a"}]"#, false);
    check(Order::Latest, Some("b"), 9, r#"[{"id":"a"}]"#, false);
    check(Order::Earliest, Some("b"), 1, r#"[{"no":1}]"#, true);
    check(Order::Earliest, Some("d"), 1, "[]", false);
    check(Order::Earliest, Some("never"), 1, r#"[{"id":"a"}]"#, true);
}
