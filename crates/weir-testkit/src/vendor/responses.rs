//! OpenAI's Responses.

use super::told::{Item, Told, Who, address, list, parsed, string, texts};
use super::{CREATED, Event, Frame, halves};
use crate::openai::words;
use crate::said::{Finish, Part, Said, Tokens};
use serde_json::{Value, json};

pub(super) fn told(body: &Value) -> Told {
    let mut told = Told { system: texts(&body["instructions"]), ..Told::default() };
    if let Value::String(text) = &body["input"] {
        told.say(Who::User, Item::Text(text.clone()));
    }
    for item in list(&body["input"]) {
        match (item["type"].as_str(), item["role"].as_str()) {
            (Some("function_call"), _) => {
                let (id, name) = (string(&item["call_id"]), string(&item["name"]));
                told.say(Who::Model, Item::Call { id, name, arguments: parsed(&item["arguments"]) });
            }
            (Some("function_call_output"), _) => {
                let text = texts(&item["output"]).join("");
                told.say(Who::User, Item::Result { id: string(&item["call_id"]), text });
            }
            (Some("reasoning"), _) => {
                let (summary, seal) = (texts(&item["summary"]).join(""), string(&item["encrypted_content"]));
                told.say(Who::Model, Item::Thought(format!("{summary} sealed {seal}")));
            }
            (_, Some("system" | "developer")) => told.system.extend(texts(&item["content"])),
            (_, Some("user")) => content(&mut told, Who::User, &item["content"]),
            (_, Some("assistant")) => content(&mut told, Who::Model, &item["content"]),
            _ => told.wrong = Some(format!("Invalid value: {}", item["type"])),
        }
    }
    for tool in list(&body["tools"]) {
        told.tools.push((string(&tool["name"]), tool["parameters"].clone()));
    }
    let choice = &body["tool_choice"];
    told.choice(if choice.is_object() { &choice["name"] } else { choice });
    told.term("most", &body["max_output_tokens"]);
    told.term("temperature", &body["temperature"]);
    told.term("top_p", &body["top_p"]);
    told.term("schema", &body["text"]["format"]["schema"]);
    told.term("effort", &body["reasoning"]["effort"]);
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
                Some("input_image") => address("image", &string(&part["image_url"])),
                Some("input_file") => address("file", &string(&part["file_data"])),
                Some("refusal") => Item::Text(string(&part["refusal"])),
                _ => Item::Text(string(&part["text"])),
            },
        );
    }
}

fn usage(tokens: Tokens) -> Value {
    let input = tokens.input + tokens.cache_read + tokens.cache_write;
    json!({
        "input_tokens": input,
        "input_tokens_details": { "cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write },
        "output_tokens": tokens.output,
        "output_tokens_details": { "reasoning_tokens": tokens.reasoning },
        "total_tokens": input + tokens.output,
    })
}

fn response(frame: Frame<'_>, status: &str, more: Value) -> Value {
    let mut response = json!({
        "id": format!("resp_{}", frame.id), "object": "response", "created_at": CREATED, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": null, "max_tool_calls": null, "metadata": {}, "model": frame.model, "output": [],
        "parallel_tool_calls": true, "previous_response_id": null, "prompt_cache_key": null,
        "reasoning": { "effort": null, "summary": null }, "safety_identifier": null,
        "service_tier": "default", "store": true, "temperature": 1.0, "text": { "format": { "type": "text" } },
        "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "truncation": "disabled",
        "usage": null, "user": null,
    });
    if let (Some(response), Value::Object(more)) = (response.as_object_mut(), more) {
        response.extend(more);
    }
    response
}

/// An item as it stands when it is done, and its identity.
fn item(part: &Part, at: usize, status: &str) -> (Value, String) {
    let message = |content: Value| {
        let id = format!("msg_testkit_{at}");
        (
            json!({ "id": id, "type": "message", "role": "assistant", "status": status, "content": [content] }),
            id,
        )
    };
    match part {
        Part::Text(text) => message(output(text)),
        Part::Data(data) => message(output(&data.to_string())),
        Part::Refusal(text) => message(json!({ "type": "refusal", "refusal": text })),
        Part::Thought { text, seal } => {
            let id = format!("rs_testkit_{at}");
            let summary = json!([{ "type": "summary_text", "text": text }]);
            (json!({ "id": id, "type": "reasoning", "summary": summary, "encrypted_content": seal }), id)
        }
        Part::Call { id: call, name, arguments } => {
            let id = format!("fc_testkit_{at}");
            let arguments = arguments.to_string();
            let done = json!({
                "id": id, "type": "function_call", "status": status, "call_id": call, "name": name,
                "arguments": arguments,
            });
            (done, id)
        }
    }
}

fn output(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// How it ends: its status, and what is told of that.
fn status(said: &Said) -> (&'static str, Value) {
    match said.finish {
        Finish::Length => ("incomplete", json!({ "reason": "max_output_tokens" })),
        _ => ("completed", Value::Null),
    }
}

fn finished(said: &Said, frame: Frame<'_>) -> Value {
    let (status, details) = status(said);
    let items: Vec<Value> =
        said.parts.iter().enumerate().map(|(at, part)| item(part, at, status).0).collect();
    let more = json!({ "output": items, "incomplete_details": details, "usage": usage(said.tokens) });
    response(frame, status, more)
}

pub(super) fn whole(said: &Said, frame: Frame<'_>) -> Value {
    finished(said, frame)
}

pub(super) fn stream(said: &Said, frame: Frame<'_>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut tell = |name: &'static str, mut data: Value| {
        data["type"] = name.into();
        data["sequence_number"] = events.len().into();
        events.push((name, data));
    };
    let begun = response(frame, "in_progress", Value::Null);
    tell("response.created", json!({ "response": begun }));
    tell("response.in_progress", json!({ "response": begun }));
    for (at, part) in said.parts.iter().enumerate() {
        let (done, id) = item(part, at, status(said).0);
        let mut begun = done.clone();
        match part {
            Part::Thought { .. } => begun["summary"] = json!([]),
            Part::Call { .. } => begun["arguments"] = "".into(),
            _ => begun["content"] = json!([]),
        }
        if begun.get("status").is_some() {
            begun["status"] = "in_progress".into();
        }
        tell("response.output_item.added", json!({ "output_index": at, "item": begun }));
        within(&mut tell, part, at, &id, &done);
        tell("response.output_item.done", json!({ "output_index": at, "item": done }));
    }
    let name = if said.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    tell(name, json!({ "response": finished(said, frame) }));
    events
}

/// What is told between an item's beginning and its end.
fn within(tell: &mut impl FnMut(&'static str, Value), part: &Part, at: usize, id: &str, done: &Value) {
    let place = |more: Value| {
        let mut place = json!({ "output_index": at, "item_id": id });
        if let (Some(place), Value::Object(more)) = (place.as_object_mut(), more) {
            place.extend(more);
        }
        place
    };
    let content = |more: Value| {
        let mut place = place(more);
        place["content_index"] = 0.into();
        place
    };
    let whole = &done["content"][0];
    match part {
        Part::Text(_) | Part::Data(_) => {
            tell("response.content_part.added", content(json!({ "part": output("") })));
            let text = string(&whole["text"]);
            for word in words(&text) {
                tell("response.output_text.delta", content(json!({ "delta": word, "logprobs": [] })));
            }
            tell("response.output_text.done", content(json!({ "text": text, "logprobs": [] })));
            tell("response.content_part.done", content(json!({ "part": whole })));
        }
        Part::Refusal(text) => {
            let empty = json!({ "type": "refusal", "refusal": "" });
            tell("response.content_part.added", content(json!({ "part": empty })));
            for word in words(text) {
                tell("response.refusal.delta", content(json!({ "delta": word })));
            }
            tell("response.refusal.done", content(json!({ "refusal": text })));
            tell("response.content_part.done", content(json!({ "part": whole })));
        }
        Part::Thought { text, .. } => {
            let summary = |text: &str| json!({ "type": "summary_text", "text": text });
            let added = json!({ "summary_index": 0, "part": summary("") });
            tell("response.reasoning_summary_part.added", place(added));
            for word in words(text) {
                let delta = json!({ "summary_index": 0, "delta": word });
                tell("response.reasoning_summary_text.delta", place(delta));
            }
            tell("response.reasoning_summary_text.done", place(json!({ "summary_index": 0, "text": text })));
            let done = json!({ "summary_index": 0, "part": summary(text) });
            tell("response.reasoning_summary_part.done", place(done));
        }
        Part::Call { name, arguments, .. } => {
            let text = arguments.to_string();
            for half in halves(&text) {
                tell("response.function_call_arguments.delta", place(json!({ "delta": half })));
            }
            let done = json!({ "name": name, "arguments": text });
            tell("response.function_call_arguments.done", place(done));
        }
    }
}
