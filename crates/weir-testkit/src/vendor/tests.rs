use super::*;
use crate::Said;
use crate::said::{Finish, Part};

const FRAME: Frame<'static> = Frame { id: "a", model: "m", usage: true };

const ALL: [Vendor; 4] = [Vendor::Chat, Vendor::Messages, Vendor::Responses, Vendor::Gemini];

#[test]
fn the_path_tells_the_format() {
    let check = |path, vendor| assert_eq!(Vendor::of(path), vendor, "{path}");
    check("/v1/chat/completions", Vendor::Chat);
    check("/v1/messages?beta=true", Vendor::Messages);
    check("/v1/messages/count_tokens", Vendor::Messages);
    check("/v1/responses", Vendor::Responses);
    check("/v1beta/models/m:streamGenerateContent?alt=sse", Vendor::Gemini);
    check("/v1/embeddings", Vendor::Chat);
}

/// The same conversation in every format: a question with a picture, a thought and a call, its result.
fn conversation(vendor: Vendor) -> Value {
    let schema = json!({ "type": "object" });
    match vendor {
        Vendor::Chat => json!({
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": [
                    { "type": "text", "text": "What?" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                ] },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c", "type": "function", "function": { "name": "look", "arguments": "{\"at\": 1}" } },
                ] },
                { "role": "tool", "tool_call_id": "c", "content": "Nothing" },
            ],
            "tools": [{ "type": "function", "function": { "name": "look", "parameters": schema } }],
            "max_tokens": 64,
        }),
        Vendor::Messages => json!({
            "system": "Be brief.",
            "messages": [
                { "role": "user", "content": [
                    { "type": "text", "text": "What?" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
                ] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "c", "name": "look", "input": { "at": 1 } },
                ] },
                { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c", "content": "Nothing" }] },
            ],
            "tools": [{ "name": "look", "input_schema": schema }],
            "max_tokens": 64,
        }),
        Vendor::Responses => json!({
            "instructions": "Be brief.",
            "input": [
                { "role": "user", "content": [
                    { "type": "input_text", "text": "What?" },
                    { "type": "input_image", "image_url": "data:image/png;base64,AAAA" },
                ] },
                { "type": "function_call", "call_id": "c", "name": "look", "arguments": "{\"at\": 1}" },
                { "type": "function_call_output", "call_id": "c", "output": "Nothing" },
            ],
            "tools": [{ "type": "function", "name": "look", "parameters": schema }],
            "max_output_tokens": 64,
        }),
        Vendor::Gemini => json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "contents": [
                { "role": "user", "parts": [
                    { "text": "What?" },
                    { "inlineData": { "mimeType": "image/png", "data": "AAAA" } },
                ] },
                { "role": "model", "parts": [{ "functionCall": { "id": "c", "name": "look", "args": { "at": 1 } } }] },
                { "role": "user", "parts": [
                    { "functionResponse": { "id": "c", "name": "look", "response": { "output": "Nothing" } } },
                ] },
            ],
            "tools": [{ "functionDeclarations": [{ "name": "look", "parameters": schema }] }],
            "generationConfig": { "maxOutputTokens": 64 },
        }),
    }
}

#[test]
fn every_format_is_heard_alike() {
    for vendor in ALL {
        let told = vendor.told(&conversation(vendor));
        let heard = told.to_string();
        assert_eq!(
            heard,
            "system: Be brief.; user: What?; user shows image/png of 4 letters; model calls c look {\"at\":1}; \
             user answers c Nothing; tool look {\"type\":\"object\"}; most 64",
            "{vendor:?}"
        );
        assert_eq!((told.complaint(), told.answers()), (None, 1), "{vendor:?}");
    }
}

#[test]
fn what_a_vendor_would_refuse_is_refused() {
    let check = |vendor: Vendor, pointer: &str, value: Value, expect: &str| {
        let mut body = conversation(vendor);
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(vendor.told(&body).complaint().as_deref(), Some(expect), "{vendor:?}");
    };
    let stranger = "a result for \"d\", which was not called";
    check(Vendor::Chat, "/messages/3/tool_call_id", json!("d"), stranger);
    check(Vendor::Messages, "/messages/2/content/0/tool_use_id", json!("d"), stranger);
    check(Vendor::Responses, "/input/2/call_id", json!("d"), stranger);
    check(Vendor::Gemini, "/contents/2/parts/0/functionResponse/id", json!("d"), stranger);
    let open = "no result for [\"c\"]";
    check(Vendor::Chat, "/messages/3", json!({ "role": "user", "content": "And?" }), open);
    check(Vendor::Messages, "/messages/2/content", json!("And?"), open);
    check(Vendor::Messages, "/max_tokens", Value::Null, "max_tokens: Field required");
    check(Vendor::Messages, "/messages/0/role", json!("system"), "messages: unexpected role \"system\"");
    check(Vendor::Chat, "/messages/0/role", json!("boss"), "Invalid value for role: \"boss\"");
}

/// What a stream's events come to: thoughts, text, arguments and refusals, joined.
fn joined(vendor: Vendor, said: &Said) -> String {
    let paths: &[&str] = match vendor {
        Vendor::Chat => &[
            "/choices/0/delta/reasoning_content",
            "/choices/0/delta/content",
            "/choices/0/delta/refusal",
            "/choices/0/delta/tool_calls/0/function/arguments",
        ],
        Vendor::Messages => &["/delta/thinking", "/delta/text", "/delta/partial_json"],
        Vendor::Responses => &["/delta"],
        Vendor::Gemini => &["/candidates/0/content/parts/0/text"],
    };
    let mut joined = String::new();
    for (_, data) in vendor.stream(said, FRAME) {
        paths.iter().filter_map(|path| data.pointer(path)?.as_str()).for_each(|piece| joined.push_str(piece));
    }
    joined
}

#[test]
fn a_stream_says_what_the_whole_says() {
    let said = Said::new().thought("Well. ", "seal").and(Part::Text("Hello there. ".to_owned()));
    let called = said.clone().call("c", "look", json!({ "at": "é" }));
    for vendor in ALL {
        assert_eq!(joined(vendor, &said), "Well. Hello there. ", "{vendor:?}");
        if vendor != Vendor::Gemini {
            assert_eq!(joined(vendor, &called), "Well. Hello there. {\"at\":\"é\"}", "{vendor:?}");
        }
    }
    let refusal = Said::new().and(Part::Refusal("No way.".to_owned())).finish(Finish::Refused);
    ALL.iter().for_each(|vendor| assert_eq!(joined(*vendor, &refusal), "No way.", "{vendor:?}"));
}

#[test]
fn ends_have_each_vendors_name() {
    let check = |said: &Said, expect: [&str; 4]| {
        let places = ["/choices/0/finish_reason", "/stop_reason", "/status", "/candidates/0/finishReason"];
        for ((vendor, place), expect) in ALL.into_iter().zip(places).zip(expect) {
            let whole = vendor.whole(said, FRAME);
            assert_eq!(whole.pointer(place).and_then(Value::as_str), Some(expect), "{vendor:?}");
        }
    };
    let hello = Said::text("Hello");
    check(&hello, ["stop", "end_turn", "completed", "STOP"]);
    check(&hello.clone().call("c", "look", json!({})), ["tool_calls", "tool_use", "completed", "STOP"]);
    check(&hello.clone().finish(Finish::Length), ["length", "max_tokens", "incomplete", "MAX_TOKENS"]);
    check(&hello.finish(Finish::Stop("END".to_owned())), ["stop", "stop_sequence", "completed", "STOP"]);
}
