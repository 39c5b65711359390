use super::Completions;
use crate::format::tests::{TARGET, asked, events, json};
use crate::format::{Asked, Format, Framing, Losing, Target, format};
use crate::neutral::{Chunk, Lost, Piece, Str};
use serde_json::{Value, json};
use weir_core::{Class, Fault};

fn chat() -> &'static dyn Format {
    format("chat").unwrap()
}

#[track_caller]
fn check_prompt(prompt: &Value, lost: &str, more: &Value) {
    let mut body = json!({"model": "m", "prompt": prompt});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (body, mut noted) = (body.to_string(), Lost::default());
    let call = Completions.read_call(body.as_bytes(), &mut noted).unwrap();
    let written =
        chat().write_call(&call, &TARGET, &mut Losing { client: &Completions, lost: &mut noted }).unwrap();
    assert_eq!(json(&written)["messages"], json!([{"role": "user", "content": "Once \"upon\""}]));
    assert_eq!(noted.to_string(), lost);
}

#[test]
fn a_prompt_is_what_the_user_says() {
    check_prompt(&json!("Once \"upon\""), "", &json!({"echo": true, "max_tokens": 5, "best_of": 1}));
    check_prompt(&json!(["Once \"upon\""]), "", &json!({"n": 2, "best_of": 2}));
    check_prompt(&json!("Once \"upon\""), "suffix, best_of", &json!({"suffix": "end", "best_of": 3}));
}

#[track_caller]
fn check_refused(body: &Value, param: &str) {
    let text = body.to_string();
    let fault = Completions.read_call(text.as_bytes(), &mut Lost::default()).unwrap_err();
    assert_eq!((fault.status, fault.param.as_deref()), (400, Some(param)), "{fault:?}");
}

#[test]
fn more_than_one_prompt_and_tokens_are_refused() {
    check_refused(&json!({"model": "m"}), "prompt");
    check_refused(&json!({"model": "m", "prompt": []}), "prompt");
    check_refused(&json!({"model": "m", "prompt": ["a", "b"]}), "prompt");
    check_refused(&json!({"model": "m", "prompt": [1, 2]}), "prompt");
    check_refused(&json!({"model": "m", "prompt": [[1, 2]]}), "prompt");
    check_refused(&json!({"model": "m", "prompt": 7}), "prompt");
    check_refused(&json!({"model": "m", "prompt": "a", "logprobs": true}), "logprobs");
}

#[track_caller]
fn check_written(messages: &Value, prompt: &str, lost: &str) {
    let body = json!({"model": "m", "messages": messages}).to_string();
    let mut noted = Lost::default();
    let call = chat().read_call(body.as_bytes(), &mut noted).unwrap();
    let written =
        Completions.write_call(&call, &TARGET, &mut Losing { client: chat(), lost: &mut noted }).unwrap();
    let written = json(&written);
    assert_eq!(written["prompt"], prompt);
    assert_eq!(written["max_tokens"], 1024);
    assert_eq!(noted.to_string(), lost);
}

#[test]
fn a_conversation_is_a_transcript() {
    check_written(&json!([{"role": "user", "content": "Hi"}]), "Hi", "");
    check_written(&json!([{"role": "developer", "content": "Be brief."}]), "Be brief.\n\nAssistant:", "");
    check_written(
        &json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "I am"}]),
        "User: Hi\n\nAssistant: I am",
        "",
    );
    check_written(
        &json!([{"role": "user", "content": "Hi"},
               {"role": "assistant", "content": null, "tool_calls": [
                   {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
               {"role": "tool", "tool_call_id": "a", "content": "1"}]),
        "User: Hi\n\nAssistant:",
        "tools",
    );
}

#[test]
fn as_many_tokens_as_there_may_be_are_asked_for() {
    let mut lost = Lost::default();
    let call = chat().read_call(br#"{"model":"m","messages":[]}"#, &mut lost).unwrap();
    let target = Target { max_output: Some(300), ..TARGET };
    let written =
        Completions.write_call(&call, &target, &mut Losing { client: chat(), lost: &mut lost }).unwrap();
    assert_eq!(json(&written)["max_tokens"], 300);
}

fn echoing() -> Asked {
    let mut asked = asked();
    Completions.remember(br#"{"model":"m","prompt":["Once "],"echo":true}"#, &mut asked);
    assert_eq!(asked.repeated, "Once ");
    asked
}

#[test]
fn the_prompt_comes_first_if_that_is_wanted() {
    let body = json!({"id": "a", "model": "m", "created": 1, "choices": [{"message": {"content": "upon"}, "logprobs":
        {"content": [{"token": "up", "logprob": -1, "top_logprobs": []}, {"token": "on", "logprob": -2}]}}]});
    let body = body.to_string();
    let reply = chat().read_reply(body.as_bytes()).unwrap();
    let answer = json(&Completions.write_reply(&reply, &echoing()));
    assert_eq!(answer["choices"][0]["text"], "Once upon");
    assert_eq!(
        answer["choices"][0]["logprobs"],
        json!({"tokens": ["up", "on"], "token_logprobs": [-1.0, -2.0], "top_logprobs": null, "text_offset": [5, 7]})
    );
    let text = |choice, text| Chunk::More { choice, piece: Piece::Text(Str::from(text)) };
    let mut writer = Completions.stream_writer(&echoing());
    let mut out = Vec::new();
    for chunk in [text(0, "upon"), text(1, "more"), text(0, " a"), Chunk::End] {
        writer.write(&chunk, &mut out);
    }
    let texts: Vec<_> = events(Framing::Events, &out)
        .iter()
        .filter_map(|(_, event)| {
            Some((event["choices"][0]["index"].as_u64()?, event["choices"][0]["text"].clone()))
        })
        .collect();
    let wanted = [(0, "Once "), (0, "upon"), (1, "Once "), (1, "more"), (0, " a")];
    assert_eq!(texts, wanted.map(|(choice, text)| (choice, Value::from(text))));
    let mut silent = asked();
    Completions.remember(br#"{"model":"m","prompt":"Once ","echo":false}"#, &mut silent);
    assert_eq!(silent.repeated, "");
}

#[test]
fn zeros_are_no_usage() {
    let mut reader = Completions.stream_reader();
    let mut usage = Vec::new();
    let zeros = r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let counted = r#"{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}"#;
    for figures in [zeros, counted, zeros] {
        let event = format!(r#"{{"choices":[],"usage":{figures}}}"#);
        reader
            .read(None, event.as_bytes(), &mut |chunk| {
                if let Chunk::Usage(stated) = chunk {
                    usage.push(stated.total());
                }
            })
            .unwrap();
    }
    assert_eq!(usage, [5]);
}

#[test]
fn a_fault_ends_a_stream() {
    let mut writer = Completions.stream_writer(&asked());
    let mut out = Vec::new();
    writer.write(&Chunk::Error(Fault::new(Class::Rate, 429, "rate_limited", "Too many.")), &mut out);
    writer.write(&Chunk::End, &mut out);
    let events = events(Framing::Events, &out);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].1["error"]["code"], "rate_limited");
}

#[test]
fn answers_are_told_apart_up_to_a_bound() {
    let mut writer = Completions.stream_writer(&asked());
    let mut out = Vec::new();
    for choice in 0..1000 {
        writer.write(&Chunk::More { choice, piece: Piece::Text(Str::from("x")) }, &mut out);
    }
    assert_eq!(events(Framing::Events, &out).len(), 128);
}
