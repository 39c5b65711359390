//! OpenAI's chat completions, with `reasoning_content` as DeepSeek, vLLM and others add it.

use super::told::{Item, Told, Who, address, data, list, parsed, string, texts};
use super::{CREATED, Event, Frame, halves};
use crate::openai::words;
use crate::said::{Finish, Part, Said, Tokens};
use serde_json::{Value, json};

pub(super) fn told(body: &Value) -> Told {
    let mut told = Told::default();
    for message in list(&body["messages"]) {
        let id = string(&message["tool_call_id"]);
        match message["role"].as_str() {
            Some("system" | "developer") => told.system.extend(texts(&message["content"])),
            Some("user") => content(&mut told, Who::User, &message["content"]),
            Some("assistant") => {
                if let Some(thought) = message["reasoning_content"].as_str() {
                    told.say(Who::Model, Item::Thought(thought.to_owned()));
                }
                content(&mut told, Who::Model, &message["content"]);
                for call in list(&message["tool_calls"]) {
                    let (name, arguments) = (&call["function"]["name"], &call["function"]["arguments"]);
                    let (name, arguments) = (string(name), parsed(arguments));
                    told.say(Who::Model, Item::Call { id: string(&call["id"]), name, arguments });
                }
            }
            Some("tool") => {
                told.say(Who::User, Item::Result { id, text: texts(&message["content"]).join("") });
            }
            _ => told.wrong = Some(format!("Invalid value for role: {}", message["role"])),
        }
    }
    for tool in list(&body["tools"]) {
        told.tools.push((string(&tool["function"]["name"]), tool["function"]["parameters"].clone()));
    }
    let choice = &body["tool_choice"];
    told.choice(if choice.is_object() { &choice["function"]["name"] } else { choice });
    let most =
        if body["max_tokens"].is_null() { &body["max_completion_tokens"] } else { &body["max_tokens"] };
    told.term("most", most);
    told.term("temperature", &body["temperature"]);
    told.term("top_p", &body["top_p"]);
    told.stop(&body["stop"]);
    told.term("schema", &body["response_format"]["json_schema"]["schema"]);
    told.term("effort", &body["reasoning_effort"]);
    told.parallel(&body["parallel_tool_calls"]);
    told
}

fn content(told: &mut Told, who: Who, content: &Value) {
    if let Value::String(text) = content {
        return told.say(who, Item::Text(text.clone()));
    }
    for part in list(content) {
        told.say(
            who,
            match part["type"].as_str() {
                Some("image_url") => address("image", &string(&part["image_url"]["url"])),
                Some("file") => address("file", &string(&part["file"]["file_data"])),
                Some("input_audio") => data("audio", &string(&part["input_audio"]["data"])),
                Some("refusal") => Item::Text(string(&part["refusal"])),
                _ => Item::Text(string(&part["text"])),
            },
        );
    }
}

fn finish(said: &Said) -> &'static str {
    match said.finish {
        Finish::Length => "length",
        Finish::Done if said.calls() => "tool_calls",
        Finish::Done | Finish::Stop(_) | Finish::Refused => "stop",
    }
}

fn usage(tokens: Tokens) -> Value {
    let prompt = tokens.input + tokens.cache_read + tokens.cache_write;
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": { "cached_tokens": tokens.cache_read, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    })
}

pub(super) fn whole(said: &Said, frame: Frame<'_>) -> Value {
    let mut message = json!({ "role": "assistant", "content": null, "refusal": null });
    let (mut text, mut thoughts, mut calls) = (String::new(), String::new(), Vec::new());
    for part in &said.parts {
        match part {
            Part::Text(said) => text.push_str(said),
            Part::Thought { text, .. } => thoughts.push_str(text),
            Part::Refusal(text) => message["refusal"] = text.as_str().into(),
            Part::Call { id, name, arguments } => calls.push(json!({
                "id": id, "type": "function",
                "function": { "name": name, "arguments": arguments.to_string() },
            })),
            Part::Data(_) => {}
        }
    }
    if !text.is_empty() {
        message["content"] = text.into();
    }
    if !thoughts.is_empty() {
        message["reasoning_content"] = thoughts.into();
    }
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    json!({
        "id": frame.id, "object": "chat.completion", "created": CREATED, "model": frame.model,
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish(said) }],
        "usage": usage(said.tokens), "service_tier": "default", "system_fingerprint": "fp_testkit",
    })
}

pub(super) fn stream(said: &Said, frame: Frame<'_>) -> Vec<Event> {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": frame.id, "object": "chat.completion.chunk", "created": CREATED, "model": frame.model,
            "service_tier": "default", "system_fingerprint": "fp_testkit", "choices": choices,
        });
        if frame.usage {
            chunk["usage"] = usage;
        }
        ("", chunk)
    };
    let choice = |delta: Value, finish: Value| {
        let choices = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        chunk(choices, Value::Null)
    };
    let delta = |delta: Value| choice(delta, Value::Null);
    let mut events = vec![delta(json!({ "role": "assistant", "content": "", "refusal": null }))];
    let mut calls = 0;
    for part in &said.parts {
        match part {
            Part::Text(text) => {
                events.extend(words(text).into_iter().map(|word| delta(json!({ "content": word }))));
            }
            Part::Thought { text, .. } => {
                events
                    .extend(words(text).into_iter().map(|word| delta(json!({ "reasoning_content": word }))));
            }
            Part::Refusal(text) => {
                events.extend(words(text).into_iter().map(|word| delta(json!({ "refusal": word }))));
            }
            Part::Call { id, name, arguments } => {
                let function = json!({ "name": name, "arguments": "" });
                let call = json!({ "index": calls, "id": id, "type": "function", "function": function });
                events.push(delta(json!({ "tool_calls": [call] })));
                for half in halves(&arguments.to_string()) {
                    let call = json!({ "index": calls, "function": { "arguments": half } });
                    events.push(delta(json!({ "tool_calls": [call] })));
                }
                calls += 1;
            }
            Part::Data(_) => {}
        }
    }
    events.push(choice(json!({}), finish(said).into()));
    if frame.usage {
        events.push(chunk(json!([]), usage(said.tokens)));
    }
    events
}
