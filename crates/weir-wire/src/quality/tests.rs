use super::*;
use crate::reply::reply_facts;
use crate::sse::{Pieces, Splitter};
use serde_json::{Value, json};
use weir_core::Endpoint;

const ALL: Wanted = Wanted { empty: true, refusal: true, json: true, min_output_tokens: 20 };

fn call(more: &Value) -> (CallFacts, Vec<u8>) {
    let mut body = json!({ "model": "m", "messages": [] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = body.to_string().into_bytes();
    (CallFacts::read(&body, Endpoint::Chat).unwrap(), body)
}

fn answer(message: &Value, finish: &str, output: u64) -> Value {
    json!({
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 1, "completion_tokens": output, "total_tokens": output + 1 },
    })
}

/// The flaw of an answer to a call that says `more`, judged as a whole one and as a stream where it can come as one.
#[track_caller]
fn flaw(wanted: Wanted, more: &Value, answer: &Value) -> Option<Flaw> {
    let (call, body) = call(more);
    let format = Format::asked(&call, &body);
    let bytes = answer.to_string().into_bytes();
    let facts = reply_facts(&bytes, Endpoint::Chat, true).unwrap();
    let whole = Whole::of_reply(&facts, &bytes).unwrap();
    let flaw = judge(&whole, wanted, &call, &body, || format.as_ref());

    let mut choice = answer["choices"][0].clone();
    choice["delta"] = choice["message"].take();
    let chunk = json!({ "choices": [choice] });
    let usage = json!({ "choices": [], "usage": answer["usage"] });
    let mut watch = StreamWatch::new(true, Splitter::LIMIT).remembering();
    let stream = format!("data: {chunk}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
    watch.push(stream.into(), &mut Pieces::new()).unwrap();
    let streamed = judge(&Whole::of_stream(&watch), wanted, &call, &body, || format.as_ref());
    if answer["choices"].as_array().unwrap().len() == 1
        && answer["choices"][0]["message"].get("reasoning").is_none()
    {
        assert_eq!(streamed, flaw, "as a stream: {answer}");
    }
    flaw
}

#[track_caller]
fn check(more: &Value, message: &Value, finish: &str, expect: Option<Flaw>) {
    assert_eq!(flaw(ALL, more, &answer(message, finish, 5)), expect, "{message} {finish} to {more}");
}

fn says(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

#[test]
fn an_answer_that_says_nothing_is_empty() {
    let none = json!({});
    for message in
        [says(""), says(" \n\t"), json!({ "content": null }), json!({ "content": "", "tool_calls": [] })]
    {
        check(&none, &message, "stop", Some(Flaw::Empty));
        check(&none, &message, "tool_calls", None);
        check(&json!({ "stop": ["x"] }), &message, "stop", None);
        check(&json!({ "stop": null }), &message, "stop", Some(Flaw::Empty));
        assert_eq!(flaw(Wanted { empty: false, ..ALL }, &none, &answer(&message, "stop", 0)), None);
    }
    check(&none, &says("x"), "stop", None);
    check(&none, &json!({ "content": null, "tool_calls": [{ "id": "1" }] }), "stop", None);
    check(&none, &json!({ "content": "", "reasoning": "thought" }), "stop", None);
    check(&none, &json!({ "content": null, "audio": { "id": "1" } }), "stop", None);
}

#[test]
fn a_refusal_is_told_by_its_mark_or_its_beginning() {
    let none = json!({});
    check(&none, &says(""), "content_filter", Some(Flaw::Refusal));
    check(&none, &json!({ "content": null, "refusal": "No." }), "stop", Some(Flaw::Refusal));
    check(&none, &says("I'm sorry, but I can't assist with that."), "stop", Some(Flaw::Refusal));
    check(&none, &says("  \u{201c}I can\u{2019}t help"), "stop", None);
    check(&none, &says(" I\u{2019}m sorry, I can\u{2019}t do that."), "stop", Some(Flaw::Refusal));
    check(
        &none,
        &says("I can't help with this one, but here is how it is done elsewhere: "),
        "stop",
        Some(Flaw::Refusal),
    );
    check(&none, &says("The words were: I can't assist with that."), "stop", None);
    check(&none, &says(&format!("I can't assist with that. {}", "But. ".repeat(200))), "stop", None);
    let off = Wanted { refusal: false, ..ALL };
    assert_eq!(
        flaw(off, &none, &answer(&says(""), "content_filter", 0)),
        None,
        "what a filter left is not empty"
    );
    assert_eq!(flaw(off, &none, &answer(&says("I can't assist with that."), "stop", 5)), None);
}

#[test]
fn the_format_that_was_asked_for_is_kept() {
    let object = json!({ "response_format": { "type": "json_object" } });
    let schema = json!({ "type": "object", "properties": { "a": { "type": "integer" } }, "required": ["a"] });
    let of = json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": schema } } });
    check(&object, &says("{\"a\": 1}"), "stop", None);
    check(&object, &says(" {\n}\n"), "stop", None);
    check(&object, &says("{\"a\": 1"), "stop", Some(Flaw::InvalidJson));
    check(&object, &says("```json\n{\"a\": 1}\n```"), "stop", Some(Flaw::InvalidJson));
    check(&object, &says("[1]"), "stop", Some(Flaw::InvalidJson));
    check(&object, &says("{\"a\": 1"), "length", Some(Flaw::TooShort));
    check(&object, &json!({ "content": "thinking", "tool_calls": [{}] }), "tool_calls", None);
    check(&of, &says("{\"a\": 1}"), "stop", None);
    check(&of, &says("{\"a\": \"\\u00e4\"}"), "stop", Some(Flaw::SchemaMismatch));
    check(&of, &says("{\"b\": 1}"), "stop", Some(Flaw::SchemaMismatch));
    check(&of, &says("a: 1"), "stop", Some(Flaw::InvalidJson));
    check(&of, &json!({ "content": "a: 1", "reasoning": "thought" }), "stop", Some(Flaw::InvalidJson));
    for odd in [
        json!({}),
        json!({ "response_format": null }),
        json!({ "response_format": { "type": "text" } }),
        json!({ "response_format": { "type": 7 } }),
        json!({ "response_format": { "type": "json_schema" } }),
        json!({ "response_format": { "type": "json_schema", "json_schema": { "schema": 7 } } }),
        json!({ "response_format": { "type": "json_schema", "json_schema": { "schema": { "$ref": "http://a/b" } } } }),
    ] {
        check(&odd, &says("[1]"), "stop", None);
    }
    assert_eq!(flaw(Wanted { json: false, ..ALL }, &object, &answer(&says("x"), "stop", 5)), None);
    let two = json!({ "choices": [
        { "index": 0, "message": says("{}"), "finish_reason": "stop" },
        { "index": 1, "message": says("x"), "finish_reason": "stop" },
    ] });
    assert_eq!(flaw(ALL, &object, &two), None, "of several choices nothing is known");
    let long = format!("{{\"a\": \"{}", "x".repeat(MOST_TEXT));
    check(&object, &says(&long), "stop", None);
}

#[test]
fn a_short_answer_is_one_that_its_limit_cut_off() {
    let check = |more: Value, finish: &str, output: u64, expect: Option<Flaw>| {
        assert_eq!(flaw(ALL, &more, &answer(&says("once upon"), finish, output)), expect, "{more} {output}");
    };
    check(json!({}), "length", 19, Some(Flaw::TooShort));
    check(json!({}), "length", 20, None);
    check(json!({}), "stop", 1, None);
    check(json!({ "max_tokens": 10 }), "length", 10, None);
    check(json!({ "max_tokens": 10 }), "length", 9, Some(Flaw::TooShort));
}

#[test]
fn each_flaw_is_a_fault_of_its_own_name() {
    for flaw in Flaw::ALL {
        let fault = flaw.fault();
        assert_eq!((fault.class, fault.code.as_deref()), (Class::InvalidOutput, Some(flaw.name())));
    }
    let (mut call, _) = call(&json!({}));
    assert!(ALL.of(&call) && !Wanted::default().of(&call));
    call.endpoint = Endpoint::Completions;
    assert!(!ALL.of(&call), "nothing may be what completes a text");
}

#[test]
fn refusals_are_written_as_they_are_compared() {
    for refusal in REFUSALS {
        assert_eq!(refusal, refusal.to_lowercase());
        assert!(is_refusal(refusal), "{refusal}");
    }
}
