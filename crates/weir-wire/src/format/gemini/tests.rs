use super::*;
use crate::format::chat::Chat;
use crate::format::messages::Messages;
use crate::format::tests::{asked, events, translated_call, translated_stream};
use crate::format::{FORMATS, Framing};
use crate::neutral::Chunk;
use serde_json::{Value, json};
use std::time::Duration;
use weir_core::Class;

const HELLO: &str = r#""contents":[{"parts":[{"text":"Hello"}]}]"#;

/// What a client of Google's says beside hello, as an OpenAI deployment gets it, and what is left behind.
fn check_read(said: &str, wanted: &Value, lost: &str) {
    let body = format!("{{{HELLO}{}{said}}}", if said.is_empty() { "" } else { "," });
    let (mut got, left) = translated_call(&Gemini, &Chat, "m", &body).unwrap();
    let got = got.as_object_mut().unwrap();
    assert_eq!(got.remove("model"), Some("m".into()));
    assert_eq!(got.remove("messages"), Some(json!([{"role": "user", "content": "Hello"}])));
    assert_eq!((&Value::Object(got.clone()), &*left), (wanted, lost), "{said}");
}

/// A conversation of Google's as an OpenAI deployment gets it.
fn check_contents(contents: &Value, wanted: &Value, lost: &str) {
    let body = json!({"contents": contents}).to_string();
    let (got, left) = translated_call(&Gemini, &Chat, "m", &body).unwrap();
    assert_eq!((&got["messages"], &*left), (wanted, lost), "{contents}");
}

/// A part of what an OpenAI client says, as a deployment of Google's gets it.
fn check_write(model: &str, said: &Value, pointer: &str, wanted: &Value, lost: &str) {
    let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (got, left) = translated_call(&Chat, &Gemini, model, &body.to_string()).unwrap();
    let part = got.pointer(pointer).unwrap_or(&Value::Null);
    assert_eq!((part, &*left), (wanted, lost), "{model} {said} {got}");
}

#[test]
fn both_spellings_are_read() {
    let wanted = json!({
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "n": 2, "max_tokens": 9, "stop": ["a"], "seed": 7,
        "presence_penalty": 0.1, "frequency_penalty": 0.2, "logprobs": true, "top_logprobs": 3,
        "reasoning_effort": "low", "service_tier": "flex", "metadata": {"team": "blue"},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "string"}}},
    });
    check_read(
        r#""generationConfig":{"temperature":0.5,"topP":0.9,"topK":40.0,"candidateCount":2,"maxOutputTokens":9,
        "stopSequences":["a"],"seed":7,"presencePenalty":0.1,"frequencyPenalty":0.2,"responseLogprobs":true,
        "logprobs":3,"thinkingConfig":{"thinkingLevel":"LOW"},"responseMimeType":"application/json",
        "responseSchema":{"type":"STRING"}},"serviceTier":"flex","labels":{"team":"blue"},
        "tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}"#,
        &wanted,
        "",
    );
    check_read(
        r#""generation_config":{"temperature":0.5,"top_p":0.9,"top_k":40,"candidate_count":2,"max_output_tokens":9,
        "stop_sequences":["a"],"seed":7,"presence_penalty":0.1,"frequency_penalty":0.2,"response_logprobs":true,
        "logprobs":3,"thinking_config":{"thinking_level":"low"},"response_mime_type":"application/json",
        "response_json_schema":{"type":"string"}},"service_tier":"FLEX","labels":{"team":"blue"},
        "tools":[{"function_declarations":{"name":"f","parameters_json_schema":{"type":"object"}}}],
        "tool_config":{"function_calling_config":{"mode":"any","allowed_function_names":["f"]}}"#,
        &wanted,
        "",
    );
}

#[test]
fn what_is_said_beside_the_conversation() {
    let config = |inner: &str| format!("\"generationConfig\":{{{inner}}}");
    let thinking = |inner: &str| config(&format!("\"thinkingConfig\":{{{inner}}}"));
    check_read("", &json!({}), "");
    check_read(&thinking("\"thinkingBudget\":-1"), &json!({"reasoning_effort": "high"}), "");
    check_read(&thinking("\"thinkingBudget\":0"), &json!({"reasoning_effort": "none"}), "");
    check_read(&thinking("\"includeThoughts\":true"), &json!({}), "");
    check_read(&config("\"responseMimeType\":\"text/plain\""), &json!({}), "");
    check_read(
        &config("\"responseMimeType\":\"application/json\""),
        &json!({"response_format": {"type": "json_object"}}),
        "",
    );
    check_read(
        &config(r#""responseMimeType":"text/x.enum","responseSchema":{"type":"STRING","enum":["a"]}"#),
        &json!({}),
        "generationConfig.responseMimeType",
    );
    check_read(&config("\"responseModalities\":[\"TEXT\"]"), &json!({}), "");
    check_read(
        &config("\"responseModalities\":[\"IMAGE\"]"),
        &json!({}),
        "generationConfig.responseModalities",
    );
    check_read(&config("\"speechConfig\":{}"), &json!({}), "generationConfig.speechConfig");
    check_read("\"safetySettings\":[],\"cachedContent\":\"c\"", &json!({}), "safetySettings, cachedContent");
    check_read("\"tools\":[{\"googleSearch\":{}}]", &json!({}), "tools");
    let two = r#""tools":[{"functionDeclarations":[{"name":"f"},{"name":"g","behavior":"X"}]}],"#;
    let any = r#""toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}"#;
    let function = |name: &str| json!({"type": "function", "function": {"name": name}});
    check_read(
        &format!("{two}{any}"),
        &json!({"tools": [function("f"), function("g")], "tool_choice": "required"}),
        "tools[0].functionDeclarations[1].behavior, toolConfig.functionCallingConfig.allowedFunctionNames",
    );
}

#[test]
fn results_without_ids_find_their_calls() {
    let call = |name: &str, args: Value| json!({"functionCall": {"name": name, "args": args}});
    let result =
        |name: &str, response: Value| json!({"functionResponse": {"name": name, "response": response}});
    let called = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let given = |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "content": content});
    check_contents(
        &json!([
            {"role": "user", "parts": {"text": "?"}},
            {"role": "model", "parts": [call("f", json!({"a": 1})), call("f", json!({})), call("g", json!({}))]},
            {"role": "function", "parts": [
                result("g", json!({"output": "of g"})),
                result("f", json!({"result": {"x": [1, 2]}})),
                result("f", json!({"error": "gone", "code": 7})),
            ]},
        ]),
        &json!([
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": null, "tool_calls": [
                called("call_made_0", "f", "{\"a\":1}"),
                called("call_made_1", "f", "{}"),
                called("call_made_2", "g", "{}"),
            ]},
            given("call_made_2", "of g"),
            given("call_made_0", "{\"x\":[1,2]}"),
            given("call_made_1", "{\"code\":7,\"error\":\"gone\"}"),
        ]),
        "",
    );
}

#[test]
fn parts_of_every_kind() {
    check_contents(
        &json!([{"role": "user", "parts": [
            {"inline_data": {"mime_type": "image/png", "data": "_-8"}},
            {"fileData": {"fileUri": "https://example.org/a.WEBP?x=1"}},
            {"inlineData": {"mimeType": "audio/mpeg", "data": "AAAA"}},
            {"inlineData": {"mimeType": "text/plain", "data": "AAAA"}},
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a.png"}},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
            {"text": "?"},
        ]}]),
        &json!([{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,/+8="}},
            {"type": "image_url", "image_url": {"url": "https://example.org/a.WEBP?x=1"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,AAAA"}},
            {"type": "text", "text": "?"},
        ]}]),
        "contents[0].parts[5].executableCode, contents.parts.inlineData",
    );
}

#[test]
fn a_thought_in_pieces_is_one_thought() {
    let seal = crate::base64::encode(b"messages#c2VhbA==").replace('+', "-").replace('/', "_");
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "?"}]},
        {"role": "model", "parts": [
            {"text": "I th", "thought": true},
            {"text": "ink.", "thought": true},
            {"text": "", "thought": true, "thoughtSignature": seal},
            {"text": "Yes."},
        ]},
        {"role": "user", "parts": [{"text": "Why?"}]},
    ], "generationConfig": {"maxOutputTokens": 9}});
    let (got, lost) = translated_call(&Gemini, &Messages, "m", &body.to_string()).unwrap();
    let thought = json!({"type": "thinking", "thinking": "I think.", "signature": "c2VhbA=="});
    assert_eq!(got["messages"][1]["content"], json!([thought, {"type": "text", "text": "Yes."}]));
    assert_eq!(lost, "");
}

#[test]
fn what_is_wrong_is_named() {
    for (body, param) in [
        ("{}", ""),
        (r#"{"contents":7}"#, "contents"),
        (r#"{"contents":[{"role":"nobody","parts":[]}]}"#, "contents[0].role"),
        (r#"{"contents":[{"parts":[{"text":7}]}]}"#, "contents[0].parts[0].text"),
        (
            r#"{"contents":[{"parts":[{"functionCall":{"args":{}}}]}]}"#,
            "contents[0].parts[0].functionCall.name",
        ),
        (
            r#"{"contents":[{"parts":[{"inlineData":{"data":"A"}}]}]}"#,
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (r#"{"contents":[],"tools":[{"functionDeclarations":[{}]}]}"#, "tools[0].functionDeclarations[0]"),
        (
            r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"huge"}}}"#,
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (r#"{"contents":[],"generationConfig":{"topK":1.5}}"#, "generationConfig.topK"),
        (
            r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"X"}}}"#,
            "toolConfig.functionCallingConfig.mode",
        ),
    ] {
        let fault = translated_call(&Gemini, &Chat, "m", body).unwrap_err();
        assert_eq!((fault.class, fault.status), (Class::Caller, 400), "{body}");
        assert_eq!(fault.param.as_deref(), Some(param), "{body}: {fault}");
    }
}

#[test]
fn thinking_is_asked_for_as_the_model_knows_it() {
    let level = |word: &str| json!({"thinkingLevel": word});
    let budget = |tokens: u64| json!({"thinkingBudget": tokens});
    for (model, effort, wanted) in [
        ("gemini-3-pro-preview", "minimal", level("low")),
        ("gemini-3-flash", "none", level("minimal")),
        ("models/gemini-3.1-pro", "xhigh", level("high")),
        ("gemini-2.5-pro", "none", budget(128)),
        ("gemini-2.5-pro", "xhigh", budget(32_768)),
        ("gemini-2.5-flash", "xhigh", budget(24_576)),
        ("gemini-2.5-flash-lite", "none", budget(0)),
        ("tuned", "medium", budget(8192)),
    ] {
        let said = json!({"reasoning_effort": effort});
        check_write(model, &said, "/generationConfig/thinkingConfig", &wanted, "");
    }
    let said = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    check_write("gemini-3-pro", &said, "/generationConfig/thinkingConfig", &budget(2000), "");
}

#[test]
fn calls_of_other_models_are_let_through_without_a_seal() {
    let conversation = json!({"messages": [
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "2", "type": "function", "function": {"name": "g", "arguments": "no json"}},
        ]},
        {"role": "tool", "tool_call_id": "2", "content": "{\"a\":1}"},
        {"role": "tool", "tool_call_id": "1", "content": ""},
    ]});
    let f = json!({"id": "1", "name": "f", "args": {}});
    let g = json!({"functionCall": {"id": "2", "name": "g", "args": {"arguments": "no json"}}});
    let results = json!({"role": "user", "parts": [
        {"functionResponse": {"id": "2", "name": "g", "response": {"a": 1}}},
        {"functionResponse": {"id": "1", "name": "f", "response": {"output": ""}}},
    ]});
    let first = json!({"role": "user", "parts": [{"text": "."}]});
    for (model, call) in [
        ("gemini-3-pro", json!({"functionCall": f, "thoughtSignature": "skip_thought_signature_validator"})),
        ("gemini-2.5-pro", json!({"functionCall": f})),
    ] {
        let wanted = json!([first, {"role": "model", "parts": [call, g]}, results]);
        check_write(model, &conversation, "/contents", &wanted, "");
    }
}

#[test]
fn pictures_that_tools_give_stand_where_the_model_looks() {
    let body = json!({"model": "x", "max_tokens": 9, "messages": [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": [
            {"type": "text", "text": "here"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ]}]},
    ]})
    .to_string();
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let response = json!({"id": "1", "name": "f", "response": {"output": "here"}});
    let (got, _) = translated_call(&Messages, &Gemini, "gemini-2.5-flash", &body).unwrap();
    assert_eq!(got["contents"][2]["parts"], json!([{"functionResponse": response}, image]));
    let (got, _) = translated_call(&Messages, &Gemini, "gemini-3-flash", &body).unwrap();
    let mut within = response;
    within["parts"] = json!([image]);
    assert_eq!(got["contents"][2]["parts"], json!([{"functionResponse": within}]));
}

#[test]
fn what_google_has_no_place_for_is_told() {
    let none = Value::Null;
    let said = json!({
        "logit_bias": {"1": 2}, "min_p": 0.1, "repetition_penalty": 1.1, "user": "u", "metadata": {"a": "b"},
        "prompt_cache_key": "k", "seed": 3_000_000_000_u64, "service_tier": "scale",
    });
    check_write(
        "m",
        &said,
        "/generationConfig",
        &none,
        "seed, min_p, repetition_penalty, logit_bias, user, metadata, cache_control, service_tier",
    );
    let tool = json!([{"type": "function", "function": {"name": "f", "strict": true}}]);
    let said = json!({"tools": tool, "tool_choice": "none"});
    check_write("m", &said, "/toolConfig/functionCallingConfig/mode", &json!("NONE"), "strict");
    let said = json!({"stop": ["1", "2", "3", "4", "5", "6"]});
    check_write("m", &said, "/generationConfig/stopSequences", &json!(["1", "2", "3", "4", "5"]), "stop");
    let picture =
        json!({"type": "image_url", "image_url": {"url": "https://example.org/x", "detail": "low"}});
    let said = json!({"messages": [{"role": "user", "content": [picture]}]});
    let wanted = json!([{"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.org/x"}}]);
    check_write("m", &said, "/contents/0/parts", &wanted, "image_url.detail");
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    let said = json!({"messages": [{"role": "user", "content": [file]}]});
    check_write("m", &said, "/contents/0/parts", &json!([{"text": "."}]), "file");
    check_write(
        "m",
        &json!({"response_format": {"type": "json_object"}}),
        "/generationConfig/responseMimeType",
        &json!("application/json"),
        "",
    );
    check_write("m", &json!({"service_tier": "default"}), "/serviceTier", &json!("standard"), "");
}

#[test]
fn every_end_has_a_word() {
    for (word, calls, wanted) in [
        ("STOP", false, Finish::Stop),
        ("STOP", true, Finish::ToolCalls),
        ("MAX_TOKENS", true, Finish::Length),
        ("PROHIBITED_CONTENT", false, Finish::ContentFilter),
        ("UNEXPECTED_TOOL_CALL", false, Finish::MalformedCall),
        ("LANGUAGE", false, Finish::Other(Str::from("LANGUAGE"))),
    ] {
        assert_eq!(finish(Str::from(word), calls), wanted, "{word}");
    }
    for (finish, word) in [
        (Finish::StopSequence(None), "STOP"),
        (Finish::ContextWindow, "MAX_TOKENS"),
        (Finish::Refusal, "SAFETY"),
        (Finish::MalformedCall, "MALFORMED_FUNCTION_CALL"),
        (Finish::Other(Str::from("LANGUAGE")), "LANGUAGE"),
        (Finish::Other(Str::from("insufficient_system_resource")), "OTHER"),
    ] {
        assert_eq!(finish_word(&finish), word, "{finish:?}");
    }
}

#[test]
fn usage_counts_thoughts_and_tools() {
    let counted = |text: &str| {
        usage_of(text).map(|usage| (usage.input, usage.cache_read, usage.output, usage.reasoning))
    };
    let all = r#"{"promptTokenCount":10,"toolUsePromptTokenCount":5,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2}"#;
    assert_eq!(counted(all), Some((15, 4, 5, 2)));
    assert_eq!(counted(r#"{"promptTokenCount":10}"#), Some((10, 0, 0, 0)));
    assert_eq!(counted(r#"{"candidatesTokenCount":3}"#), None);
    assert_eq!(counted(r#"{"promptTokenCount":-1}"#), None);
    assert_eq!(counted(r#"{"promptTokenCount":1,"cachedContentTokenCount":2}"#), None);
}

#[test]
fn errors_are_googles() {
    let fault = Fault::new(Class::Limited, 429, "rate_limit_exceeded", "Too much.")
        .with_param("contents")
        .with_retry_after(Duration::from_millis(1500));
    let body: Value = serde_json::from_slice(&Gemini.error(&fault, None)).unwrap();
    let detail = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let wanted = json!({"error": {"code": 429, "message": "Too much.", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": detail("ErrorInfo"), "reason": "rate_limit_exceeded", "domain": "weir"},
        {"@type": detail("BadRequest"), "fieldViolations": [{"field": "contents", "description": "Too much."}]},
        {"@type": detail("RetryInfo"), "retryDelay": "1.5s"},
    ]}});
    assert_eq!(body, wanted);
}

fn reads(events: &[&str]) -> (Vec<String>, Result<(), Fault>) {
    let mut reader = Gemini.stream_reader();
    let mut said = Vec::new();
    let mut end = Ok(());
    for event in events {
        end = reader.read(None, event.as_bytes(), &mut |chunk| said.push(format!("{chunk:?}")));
    }
    reader.end(&mut |chunk| said.push(format!("{chunk:?}")));
    (said, end)
}

#[test]
fn a_stream_that_was_cut_has_no_end() {
    let some = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
    let last = r#"{"candidates":[{"finishReason":"STOP"}]}"#;
    let end = |events: &[&str]| reads(events).0.last().cloned();
    assert_ne!(end(&[some]).as_deref(), Some("End"));
    assert_eq!(end(&[some, last]).as_deref(), Some("End"));
    // Figures may come after the reason.
    assert_eq!(end(&[some, last, r#"{"usageMetadata":{"promptTokenCount":1}}"#]).as_deref(), Some("End"));
    assert_eq!(end(&[]), None);
    let (_, fault) = reads(&[r#"{"candidates":[{"index":4000000000}]}"#]);
    assert_eq!(fault.unwrap_err().class, Class::Malformed);
    let (_, fault) = reads(&[r#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}"#]);
    assert_eq!(fault.unwrap_err().class, Class::Malformed);
}

#[test]
fn an_error_in_a_stream_keeps_its_class() {
    let mut reader = Gemini.stream_reader();
    let mut fault = None;
    let event = br#"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}"#;
    let mut take = |chunk: Chunk<'_>| {
        if let Chunk::Error(error) = chunk {
            fault = Some(error);
        }
    };
    reader.read(None, event, &mut take).unwrap();
    reader.end(&mut take);
    let fault = fault.unwrap();
    assert_eq!(
        (fault.class, fault.status, fault.code.as_deref()),
        (Class::Rate, 429, Some("upstream_error"))
    );
}

#[test]
fn calls_side_by_side_come_one_by_one() {
    let delta = |tool: Value| {
        let choice = json!({"index": 0, "delta": {"tool_calls": [tool]}});
        format!("data: {}\n\n", json!({"id": "1", "choices": [choice]}))
    };
    let begin = |at: u32, name: &str| {
        delta(json!({"index": at, "id": format!("c{at}"), "function": {"name": name, "arguments": ""}}))
    };
    let more = |at: u32, text: &str| delta(json!({"index": at, "function": {"arguments": text}}));
    let stream = [begin(0, "f"), begin(1, "g"), more(1, "{\"b\""), more(0, "{}"), more(1, ":2}")].concat();
    let stream = format!(
        "{stream}data: {}\n\ndata: [DONE]\n\n",
        json!({"choices": [{"index": 0, "finish_reason": "tool_calls"}]})
    );
    let got = events(Framing::Events, &translated_stream(&Chat, &Gemini, stream.as_bytes()));
    let parts: Vec<&Value> =
        got.iter().map(|(_, event)| &event["candidates"][0]["content"]["parts"][0]).collect();
    let call =
        |id: &str, name: &str, args: Value| json!({"functionCall": {"id": id, "name": name, "args": args}});
    assert_eq!(parts, [&call("c0", "f", json!({})), &call("c1", "g", json!({"b": 2})), &json!({"text": ""})]);
}

#[test]
fn arguments_do_not_wait_without_bound() {
    let mut writer = Gemini.stream_writer(&asked());
    let mut out = Vec::new();
    let piece = |piece| Chunk::More { choice: 0, piece };
    let (id, name) = (Str::from("1"), Str::from("f"));
    writer.write(&piece(crate::neutral::Piece::ToolCall { call: 0, id, name, proof: None }), &mut out);
    let json = Str::from("a".repeat(1 << 20));
    for _ in 0..8 {
        let json = json.clone();
        writer.write(&piece(crate::neutral::Piece::Arguments { call: 0, json }), &mut out);
    }
    writer.write(&Chunk::End, &mut out);
    let events = events(Framing::Events, &out);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].1["error"]["code"], 502);
}

#[test]
fn seals_of_others_are_base64_here_and_come_back() {
    for format in FORMATS {
        let proof = Proof { format: Str::from(format.name()), seal: Str::from("c2VhbA==#-_") };
        let shown = seal_for(&proof);
        if format.name() != NAME {
            assert!(crate::base64::decode(&shown).is_some(), "{shown}");
            assert_eq!(proof_of(&Str::from(shown.as_str())), proof);
            let url = shown.replace('+', "-").replace('/', "_");
            assert_eq!(proof_of(&Str::from(url)), proof);
        }
    }
    for own in ["c2VhbA==", "not base64!", "bm9ib2R5I3g="] {
        assert_eq!(proof_of(&Str::from(own)), Proof { format: Str::from(NAME), seal: Str::from(own) });
    }
}
