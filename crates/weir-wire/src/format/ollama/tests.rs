use super::*;
use crate::format::chat::Chat;
use crate::format::messages::Messages;
use crate::format::tests::{events, translated_call, translated_stream};
use crate::neutral::Chunk;
use serde_json::{Value, json};
use weir_core::Class;

/// What a client of Ollama's says beside hello, as an OpenAI deployment gets it, and what is left behind.
fn check_read(said: &Value, wanted: &Value, lost: &str) {
    let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hello"}], "stream": false});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (mut got, left) = translated_call(&Ollama, &Chat, "m", &body.to_string()).unwrap();
    let got = got.as_object_mut().unwrap();
    assert_eq!(got.remove("model"), Some("m".into()));
    if said.get("messages").is_none() {
        got.remove("messages");
    }
    assert_eq!((&Value::Object(got.clone()), &*left), (wanted, lost), "{said}");
}

/// A part of what an OpenAI client says, as a deployment of Ollama's gets it.
fn check_write(model: &str, said: &Value, pointer: &str, wanted: &Value, lost: &str) {
    let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (got, left) = translated_call(&Chat, &Ollama, model, &body.to_string()).unwrap();
    let part = got.pointer(pointer).unwrap_or(&Value::Null);
    assert_eq!((part, &*left), (wanted, lost), "{model} {said} {got}");
}

#[test]
fn what_a_client_says() {
    check_read(
        &json!({"options": {
            "temperature": 0.5, "top_p": 0.9, "top_k": 40.0, "min_p": 0.1, "seed": 7, "num_predict": 9, "stop": "a",
            "presence_penalty": 0.1, "frequency_penalty": 0.2, "repeat_penalty": 1.1, "num_ctx": 4096,
        }, "keep_alive": "5m"}),
        &json!({
            "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 7, "max_tokens": 9, "stop": ["a"],
            "presence_penalty": 0.1, "frequency_penalty": 0.2, "repetition_penalty": 1.1,
        }),
        "keep_alive, options.num_ctx",
    );
    check_read(&json!({"options": {"num_predict": -1, "seed": -3}}), &json!({"seed": -3}), "");
    let streamed = json!({"stream": true, "stream_options": {"include_usage": true}});
    check_read(&json!({"stream": null}), &streamed, "");
    check_read(&json!({"stream": true}), &streamed, "");
    check_read(&json!({"format": "json"}), &json!({"response_format": {"type": "json_object"}}), "");
    check_read(&json!({"format": ""}), &json!({}), "");
    for (think, effort) in [(json!(true), "medium"), (json!(false), "none"), (json!("high"), "high")] {
        check_read(&json!({"think": think}), &json!({"reasoning_effort": effort}), "");
    }
}

#[test]
fn results_without_ids_find_their_calls() {
    let call = |name: &str, arguments: Value| json!({"function": {"name": name, "arguments": arguments}});
    let called = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let given = |id: &str, content: &str| json!({"role": "tool", "tool_call_id": id, "content": content});
    check_read(
        &json!({"messages": [
            {"role": "assistant", "tool_calls": [call("f", json!({"a": 1})), call("f", json!("{\"a\":2}"))]},
            {"role": "tool", "tool_name": "f", "content": "1"},
            {"role": "tool", "content": "2"},
        ]}),
        &json!({"messages": [
            {"role": "assistant", "content": null, "tool_calls": [
                called("call_made_0", "f", "{\"a\":1}"), called("call_made_1", "f", "{\"a\":2}"),
            ]},
            given("call_made_0", "1"),
            given("call_made_1", "2"),
        ]}),
        "",
    );
}

#[test]
fn a_picture_shows_its_type() {
    for (data, mime) in [
        ("iVBORw0KGgoAAAA=", "image/png"),
        ("/9j/4AAQ", "image/jpeg"),
        ("UklGRiQA", "image/webp"),
        ("R0lGODlh", "image/gif"),
        ("data:image/tiff;base64,R0lGODlh", "image/tiff"),
    ] {
        let url = format!("data:{mime};base64,{}", data.rsplit(',').next().unwrap());
        check_read(
            &json!({"messages": [{"role": "user", "content": "", "images": [data]}]}),
            &json!({"messages": [{"role": "user", "content": [
                {"type": "text", "text": ""}, {"type": "image_url", "image_url": {"url": url}},
            ]}]}),
            "",
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (format, body, param) in [
        (&Ollama as &dyn Format, r#"{"model":"m","messages":[]}"#, "messages"),
        (&Ollama, r#"{"model":"m","messages":[{"role":"bard"}]}"#, "messages[0].role"),
        (&Ollama, r#"{"model":"m","messages":[{"role":"user"}],"think":"hard"}"#, "think"),
        (&Ollama, r#"{"model":"m","messages":[{"role":"user"}],"format":7}"#, "format"),
        (&Ollama, r#"{"model":"m","messages":[{"role":"user"}],"options":{"top_k":1.5}}"#, "options.top_k"),
        (&Generate, r#"{"model":"m","prompt":""}"#, "prompt"),
        (&Generate, r#"{"model":"m","prompt":["a"]}"#, "prompt"),
    ] {
        let fault = translated_call(format, &Chat, "m", body).unwrap_err();
        assert_eq!((fault.class, fault.status), (Class::Caller, 400), "{body}");
        assert_eq!(fault.param.as_deref(), Some(param), "{body}: {fault}");
    }
}

#[test]
fn a_deployment_is_told_what_it_takes() {
    let none = Value::Null;
    for (model, effort, wanted) in [
        ("qwen3", "high", json!(true)),
        ("qwen3", "none", json!(false)),
        ("gpt-oss:20b", "xhigh", json!("high")),
        ("gpt-oss:20b", "minimal", json!("low")),
    ] {
        check_write(model, &json!({"reasoning_effort": effort}), "/think", &wanted, "");
    }
    check_write("m", &json!({"stream": true}), "/stream", &json!(true), "");
    check_write("m", &json!({"response_format": {"type": "json_object"}}), "/format", &json!("json"), "");
    check_write(
        "m",
        &json!({"user": "u", "n": 2, "logit_bias": {"1": 1}}),
        "/options",
        &none,
        "n, logit_bias, user",
    );
    let tools = json!([{"type": "function", "function": {"name": "f", "strict": true}}]);
    let empty = json!({"type": "object", "properties": {}});
    check_write("m", &json!({"tools": tools}), "/tools/0/function/parameters", &empty, "strict");
    check_write("m", &json!({"tools": tools, "tool_choice": "none"}), "/tools", &none, "");
    let url = json!({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let said = json!({"messages": [{"role": "user", "content": [text("a"), url, text("b")]}]});
    check_write("m", &said, "/messages/0", &json!({"role": "user", "content": "a\nb"}), "image_url");
    let thought = json!({"messages": [{"role": "assistant", "reasoning_content": "hm", "content": "a"}]});
    check_write(
        "m",
        &thought,
        "/messages/0",
        &json!({"role": "assistant", "content": "a", "thinking": "hm"}),
        "",
    );
}

#[test]
fn a_prompt_carries_no_conversation() {
    let body = json!({"model": "x", "max_tokens": 9, "system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}]});
    let (got, lost) = translated_call(&Messages, &Generate, "m", &body.to_string()).unwrap();
    let wanted = json!({"model": "m", "system": "Be brief.", "prompt": "Hi", "stream": false, "options": {"num_predict": 9}});
    assert_eq!((got, &*lost), (wanted, ""));
    let turn = |role: &str| json!({"role": role, "content": "a"});
    let body =
        json!({"model": "x", "max_tokens": 9, "messages": [turn("user"), turn("assistant"), turn("user")]});
    assert_eq!(translated_call(&Messages, &Generate, "m", &body.to_string()).unwrap_err().status, 400);
    let body = json!({"model": "x", "prompt": "a", "suffix": "b", "raw": true, "stream": false});
    let (_, lost) = translated_call(&Generate, &Chat, "m", &body.to_string()).unwrap();
    assert_eq!(lost, "raw, suffix");
}

#[test]
fn figures_and_ends() {
    let read = |text: &str| {
        Ollama
            .read_reply(text.as_bytes())
            .map(|reply| (reply.usage, reply.choices[0].finish.clone().map(Finish::into_owned)))
    };
    let usage = |input, output| Some(Usage { input, output, ..Usage::default() });
    let said =
        |rest: &str| format!(r#"{{"model":"m","message":{{"role":"assistant","content":"a"}}{rest}}}"#);
    let done = |rest: &str| said(&format!(r#","done":true{rest}"#));
    assert_eq!(read(&said("")).unwrap(), (None, None));
    assert_eq!(read(&done("")).unwrap(), (None, Some(Finish::Stop)));
    assert_eq!(read(&done(r#","prompt_eval_count":3,"eval_count":2"#)).unwrap().0, usage(3, 2));
    assert_eq!(read(&done(r#","eval_count":2"#)).unwrap().0, usage(0, 2));
    assert_eq!(read(&done(r#","prompt_eval_count":-3,"eval_count":2"#)).unwrap().0, None);
    assert_eq!(read(&done(r#","done_reason":"length""#)).unwrap().1, Some(Finish::Length));
    assert_eq!(read(&done(r#","done_reason":"load""#)).unwrap().1, Some(Finish::Other(Str::from("load"))));
    assert_eq!(read(r#"{"done":true}"#).unwrap_err().class, Class::Malformed);
    assert_eq!(read_time("2023-08-04T08:52:19.385406455-07:00"), Some(1_691_164_339));
    assert_eq!(written_time(1_691_164_339), "2023-08-04T15:52:19Z");
    assert_eq!(written_time(i64::MAX), "1970-01-01T00:00:00Z");
}

#[test]
fn errors_have_one_member_that_is_read() {
    let fault =
        Fault::new(Class::Caller, 404, "model_not_found", "There is no such model.").with_param("model");
    let body: Value = serde_json::from_slice(&Ollama.error(&fault, None)).unwrap();
    let wanted = json!({"error": "There is no such model.", "code": "model_not_found", "param": "model"});
    assert_eq!(body, wanted);
}

#[test]
fn a_stream_that_was_cut_has_no_end() {
    let mut reader = Ollama.stream_reader();
    let mut said = Vec::new();
    let line = br#"{"model":"m","message":{"role":"assistant","content":"a"},"done":false}"#;
    let mut take = |chunk: Chunk<'_>| said.push(format!("{chunk:?}"));
    reader.read(None, line, &mut take).unwrap();
    reader.end(&mut take);
    assert!(!said.iter().any(|chunk| chunk == "End"), "{said:?}");
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
    let finish = json!({"choices": [{"index": 0, "finish_reason": "tool_calls"}]});
    let stream = format!("{stream}data: {finish}\n\ndata: [DONE]\n\n");
    let got = events(Framing::Lines, &translated_stream(&Chat, &Ollama, stream.as_bytes()));
    let calls: Vec<&Value> = got.iter().map(|(_, line)| &line["message"]["tool_calls"][0]).collect();
    let call = |id: &str, at: u32, name: &str, arguments: Value| json!({"id": id, "function": {"index": at, "name": name, "arguments": arguments}});
    assert_eq!(calls, [&call("c0", 0, "f", json!({})), &call("c1", 1, "g", json!({"b": 2})), &Value::Null]);
    // A prompt's answer has no place for calls.
    let got = events(Framing::Lines, &translated_stream(&Chat, &Generate, stream.as_bytes()));
    assert_eq!(got.len(), 1);
    assert_eq!((&got[0].1["done"], &got[0].1["response"]), (&json!(true), &json!("")));
}
