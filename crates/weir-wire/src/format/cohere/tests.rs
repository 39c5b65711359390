use super::*;
use crate::format::chat::Chat;
use crate::format::messages::Messages;
use crate::format::tests::{events, translated_call, translated_stream};
use crate::format::{FORMATS, Framing};
use crate::neutral::Chunk;
use serde_json::{Value, json};

/// A part of what an OpenAI client says, as a deployment of Cohere's gets it, and what is left behind.
fn check(model: &str, said: &Value, pointer: &str, wanted: &Value, lost: &str) {
    let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (got, left) = translated_call(&Chat, &Cohere, model, &body.to_string()).unwrap();
    let part = got.pointer(pointer).unwrap_or(&Value::Null);
    assert_eq!((part, &*left), (wanted, lost), "{model} {said} {got}");
}

/// What a client of Cohere's says beside hello, as an OpenAI deployment gets it, and what is left behind.
fn check_read(said: &Value, wanted: &Value, lost: &str) {
    let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (mut got, left) = translated_call(&Cohere, &Chat, "m", &body.to_string()).unwrap();
    let got = got.as_object_mut().unwrap();
    got.remove("model");
    assert_eq!(got.remove("messages"), Some(json!([{"role": "user", "content": "Hello"}])));
    assert_eq!((&Value::Object(got.clone()), &*left), (wanted, lost), "{said}");
}

#[test]
fn settings_keep_to_their_bounds() {
    check("m", &json!({"top_p": 1.0}), "/p", &json!(0.99), "");
    check("m", &json!({"top_p": 0.0}), "/p", &json!(0.01), "");
    check("m", &json!({"top_k": 600}), "/k", &json!(500), "top_k");
    check("m", &json!({"frequency_penalty": -1.0}), "/frequency_penalty", &json!(0.0), "frequency_penalty");
    check("m", &json!({"presence_penalty": 0.5}), "/presence_penalty", &json!(0.5), "");
    let six = json!({"stop": ["1", "2", "3", "4", "5", "6"]});
    check("m", &six, "/stop_sequences", &json!(["1", "2", "3", "4", "5"]), "stop");
    check("m", &json!({"logprobs": true, "top_logprobs": 2}), "/logprobs", &json!(true), "logprobs");
    check("m", &json!({"seed": 4}), "/seed", &json!(4), "");
    let json_object = json!({"response_format": {"type": "json_object"}});
    check("m", &json_object, "/response_format", &json!({"type": "json_object"}), "");
    let lost =
        json!({"n": 2, "logit_bias": {"1": 1}, "service_tier": "flex", "metadata": {"a": "b"}, "user": "u"});
    check("m", &lost, "/n", &Value::Null, "n, logit_bias, user, metadata, service_tier");
}

#[test]
fn how_much_is_thought_is_a_number_of_tokens() {
    let thinking = |word: &str, wanted: Value| {
        check("m", &json!({ "reasoning_effort": word }), "/thinking", &wanted, "");
    };
    thinking("none", json!({"type": "disabled"}));
    thinking("low", json!({"type": "enabled", "token_budget": 1024}));
    check_read(&json!({"thinking": {"type": "disabled"}}), &json!({"reasoning_effort": "none"}), "");
    check_read(&json!({"thinking": {"token_budget": 1000}}), &json!({"reasoning_effort": "low"}), "");
    check_read(&json!({"thinking": {"type": "enabled"}}), &json!({"reasoning_effort": "high"}), "");
}

#[test]
fn the_one_tool_that_is_wanted_is_the_only_one_offered() {
    let tool = |name: &str, strict: bool| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}, "strict": strict}});
    let told = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let said = |choice: Value, strict: bool| json!({"tools": [tool("f", true), tool("g", strict)], "tool_choice": choice});
    check("m", &said(named("g"), true), "/tools", &json!([told("g")]), "");
    check("m", &said(named("g"), true), "/tool_choice", &json!("REQUIRED"), "");
    check("m", &said(named("h"), true), "/tools", &json!([told("f"), told("g")]), "tool_choice");
    check("m", &said(named("h"), true), "/tool_choice", &Value::Null, "tool_choice");
    check("m", &said(json!("none"), true), "/tool_choice", &json!("NONE"), "");
    check("m", &said(json!("auto"), true), "/strict_tools", &json!(true), "");
    check("m", &said(json!("auto"), false), "/strict_tools", &Value::Null, "strict");
}

#[test]
fn thoughts_before_calls_are_their_plan() {
    let turn = |calls: bool| {
        let mut content = vec![json!({"type": "text", "text": "Well."})];
        if calls {
            content.push(json!({"type": "tool_use", "id": "c", "name": "f", "input": {}}));
        }
        json!({"role": "assistant", "content": content})
    };
    // Only Cohere's and other open thoughts have no seal; these come from its own clients.
    let plan = json!({"model": "x", "messages": [{"role": "assistant", "tool_plan": "I look.",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}]});
    let (got, lost) = translated_call(&Cohere, &Cohere, "command-a-03-2025", &plan.to_string()).unwrap();
    assert_eq!((&got["messages"], &*lost), (&plan["messages"], ""));
    let (got, _) =
        translated_call(&Cohere, &Cohere, "command-a-reasoning-08-2025", &plan.to_string()).unwrap();
    let thought = json!([{"type": "thinking", "thinking": "I look."}]);
    assert_eq!((&got["messages"][0]["content"], &got["messages"][0]["tool_plan"]), (&thought, &Value::Null));

    let body = json!({"model": "x", "max_tokens": 9, "messages": [turn(true)]}).to_string();
    let (got, lost) = translated_call(&Messages, &Cohere, "m", &body).unwrap();
    assert_eq!((&got["messages"][0]["content"], &*lost), (&json!("Well."), ""));
    // A sealed thought is another vendor's.
    let mut sealed = turn(false);
    let thought = json!({"type": "thinking", "thinking": "So.", "signature": "c2ln"});
    sealed["content"].as_array_mut().unwrap().insert(0, thought);
    let body = json!({"model": "x", "max_tokens": 9, "messages": [sealed]}).to_string();
    let (got, lost) = translated_call(&Messages, &Cohere, "m", &body).unwrap();
    let wanted = json!({"role": "assistant", "content": "Well."});
    assert_eq!((&got["messages"][0], &*lost), (&wanted, "messages.content.thinking"));
}

#[test]
fn results_are_of_words_alone() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}});
    let result = |content: Value, failed: bool| {
        let block =
            json!({"type": "tool_result", "tool_use_id": "c", "content": content, "is_error": failed});
        json!({"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}).to_string()
    };
    for (content, failed, wanted, lost) in [
        (json!([image, {"type": "text", "text": "A cat."}]), false, json!("A cat."), "image"),
        (json!([]), true, json!("The tool failed."), ""),
        (json!([]), false, json!(""), ""),
    ] {
        let (got, left) = translated_call(&Messages, &Cohere, "m", &result(content, failed)).unwrap();
        let message = json!({"role": "tool", "tool_call_id": "c", "content": wanted});
        assert_eq!((&got["messages"][0], &*left), (&message, lost));
    }
}

#[test]
fn calls_of_coheres_own_clients_are_read() {
    check_read(&json!({"k": 0, "p": 0.5}), &json!({"top_p": 0.5}), "");
    check_read(&json!({"safety_mode": "STRICT", "priority": 1}), &json!({}), "priority, safety_mode");
    let schema = json!({"type": "object"});
    let format = json!({"response_format": {"type": "json_object", "json_schema": schema}});
    let wanted = json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}});
    check_read(&format, &json!({ "response_format": wanted }), "");
    let document = json!({"model": "x", "messages": [{"role": "tool", "tool_call_id": "c",
        "content": [{"type": "document", "document": {"data": {"a": 1}}}]}]});
    let (got, lost) = translated_call(&Cohere, &Chat, "m", &document.to_string()).unwrap();
    assert_eq!((&got["messages"][0]["content"], &*lost), (&json!("{\"a\":1}"), ""));
    for (body, param) in [
        (json!({"messages": []}), "model"),
        (json!({"model": "x", "messages": [{"role": "robot"}]}), "messages[0].role"),
        (json!({"model": "x", "messages": [{"role": "tool", "content": "1"}]}), "messages[0].tool_call_id"),
        (json!({"model": "x", "messages": [], "tool_choice": "ANY"}), "tool_choice"),
        (json!({"model": "x", "messages": [], "response_format": {"type": "xml"}}), "response_format.type"),
    ] {
        let fault = Cohere.read_call(body.to_string().as_bytes(), &mut Lost::default()).unwrap_err();
        assert_eq!((fault.status, fault.class), (400, Class::Caller), "{body}");
        let named = fault.param.as_deref().unwrap_or_default();
        assert!(named == param || fault.message.contains(param), "{param}: {fault:?}");
    }
}

/// An answer as Cohere's reference shows it (<https://docs.cohere.com/reference/chat>): numbers with a point, what is
/// billed apart from what was counted, citations of what a tool gave.
#[test]
fn what_is_billed_is_told_apart_from_what_was_counted() {
    let reply = json!({"id": "a", "finish_reason": "COMPLETE", "message": {"role": "assistant",
        "content": [{"type": "text", "text": "18 degrees."}],
        "citations": [{"start": 0, "end": 2, "text": "18", "sources": [{"type": "tool", "id": "c:0"}]}]},
        "usage": {"billed_units": {"input_tokens": 5.0, "output_tokens": 3.2, "search_units": 1.0},
            "tokens": {"input_tokens": 71.0, "output_tokens": 8.0}, "cached_tokens": 64.0}});
    let text = reply.to_string();
    let read = Cohere.read_reply(text.as_bytes()).unwrap();
    let usage = read.usage.unwrap();
    assert_eq!((usage.input, usage.output, usage.cache_read), (71, 8, 64));
    assert_eq!(usage.billed, Some(Billed { input: 5, output: 4 }));
    assert_eq!(usage.pieces.requests, 1);
    let again: Value = serde_json::from_slice(&reply::write(&read, &Asked::default())).unwrap();
    assert_eq!(again["message"], reply["message"]);
    assert_eq!(
        again["usage"]["billed_units"],
        json!({"input_tokens": 5, "output_tokens": 4, "search_units": 1})
    );

    let usage = |text: &str| serde_json::from_str::<Tokens>(text).unwrap().usage();
    let only_billed = usage(r#"{"billed_units":{"input_tokens":5,"output_tokens":3}}"#).unwrap();
    assert_eq!((only_billed.input, only_billed.output), (5, 3));
    for none in [
        "{}",
        r#"{"tokens":{"input_tokens":-1,"output_tokens":1}}"#,
        r#"{"tokens":{"input_tokens":1e300,"output_tokens":1}}"#,
    ] {
        assert_eq!(usage(none), None, "{none}");
    }
}

#[test]
fn an_answer_that_failed_is_no_answer() {
    for (word, status) in [("ERROR", 502), ("TIMEOUT", 504)] {
        let reply = json!({"id": "a", "finish_reason": word, "message": {"content": []}}).to_string();
        let fault = Cohere.read_reply(reply.as_bytes()).unwrap_err();
        assert_eq!((fault.class, fault.status), (Class::ServerError, status));
    }
    let toxic = finish(Str::from("ERROR_TOXIC"), None).unwrap();
    assert_eq!(toxic, Finish::ContentFilter);
    assert_eq!(finish(Str::from("NEW"), None).unwrap(), Finish::Other(Str::from("NEW")));
}

fn told(events: &[Value]) -> Vec<String> {
    let mut told = Vec::new();
    let mut reader = Cohere.stream_reader();
    for event in events {
        let mut give = |chunk: Chunk<'_>| {
            told.push(match chunk {
                Chunk::Begin { id, .. } => format!("begin {id}"),
                Chunk::Error(fault) => format!("{} {}", fault.status, fault.message),
                Chunk::Finish { finish, .. } => format!("{finish:?}"),
                Chunk::More { piece, .. } => format!("{piece:?}"),
                Chunk::Usage(usage) => format!("{} tokens", usage.total()),
                Chunk::End => "end".to_owned(),
            });
        };
        reader.read(None, event.to_string().as_bytes(), &mut give).unwrap();
    }
    told
}

#[test]
fn a_stream_says_how_it_ends() {
    let end = |delta: Value| json!({"type": "message-end", "delta": delta});
    let start = json!({"type": "message-start", "id": "a"});
    let tell = |event: Value| told(&[start.clone(), event]).split_off(1);
    assert_eq!(tell(end(json!({"finish_reason": "COMPLETE"}))), ["Stop", "end"]);
    assert_eq!(tell(end(json!({"finish_reason": "ERROR", "error": "Broke"}))), ["502 Broke"]);
    assert_eq!(tell(end(json!({"error": "Broke"}))), ["502 Broke"]);
    assert_eq!(
        tell(end(json!({"finish_reason": "TIMEOUT"}))),
        ["504 The upstream could not finish its answer."]
    );
    assert!(tell(end(json!({}))).is_empty());
    assert!(tell(json!({"type": "debug", "prompt": "…"})).is_empty());
    assert_eq!(tell(json!({"message": "too many requests"})), ["502 too many requests"]);
}

#[test]
fn plans_citations_and_probabilities_stream_too() {
    let message =
        |kind: &str, message: Value| json!({"type": kind, "index": 0, "delta": {"message": message}});
    let cited = json!({"start": 0, "end": 2, "text": "18"});
    let mut delta = message("content-delta", json!({"content": {"text": "18"}}));
    delta["logprobs"] = json!({"text": "18", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]});
    let said = told(&[
        message("tool-plan-delta", json!({"tool_plan": "I look."})),
        delta,
        message("citation-start", json!({ "citations": cited })),
    ]);
    assert_eq!(said[0], "begin ");
    assert!(said[1].starts_with("Thinking") && said[2].starts_with("Text"), "{said:?}");
    // Of several tokens nothing says which letters are whose.
    assert!(said[3].contains(r#""token":"18","logprob":-0.75"#), "{said:?}");
    assert!(said[4].starts_with("Citation(\"cohere\""), "{said:?}");
}

#[test]
fn what_streams_to_its_clients_can_be_read_again() {
    let stream = concat!(
        "data: {\"id\":\"a\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},",
        "\"logprobs\":{\"content\":[{\"token\":\"Hi\",\"logprob\":-0.5,\"top_logprobs\":[]}]}}]}\n\n",
        "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: [DONE]\n\n"
    );
    let written = translated_stream(&Chat, &Cohere, stream.as_bytes());
    let got = events(Framing::Events, &written);
    let kinds: Vec<&str> = got.iter().map(|(name, _)| &**name).collect();
    let wanted = [
        "message-start",
        "content-start",
        "content-delta",
        "content-delta",
        "content-end",
        "message-end",
        "",
    ];
    assert_eq!(kinds, wanted);
    assert_eq!(got[3].1["logprobs"], json!({"text": "Hi", "token_ids": [], "logprobs": [-0.5]}));
    for to in FORMATS {
        let again = translated_stream(&Cohere, *to, &written);
        assert!(!again.is_empty(), "{to:?}");
    }
}
