//! Anthropic's messages.

use super::told::{Item, Told, Who, address, data, list, string, texts};
use super::{Event, Frame, halves};
use crate::openai::words;
use crate::said::{Finish, Part, Said, Tokens};
use serde_json::{Value, json};

pub(super) fn told(body: &Value) -> Told {
    let mut told = Told { system: texts(&body["system"]), ..Told::default() };
    for message in list(&body["messages"]) {
        let who = match message["role"].as_str() {
            Some("user") => Who::User,
            Some("assistant") => Who::Model,
            _ => {
                told.wrong = Some(format!("messages: unexpected role {}", message["role"]));
                continue;
            }
        };
        match &message["content"] {
            Value::String(text) => told.say(who, Item::Text(text.clone())),
            blocks => list(blocks).iter().for_each(|block| told.say(who, item(block))),
        }
    }
    for tool in list(&body["tools"]) {
        told.tools.push((string(&tool["name"]), tool["input_schema"].clone()));
    }
    let choice = &body["tool_choice"];
    told.choice(if choice["type"] == "tool" { &choice["name"] } else { &choice["type"] });
    if choice["disable_parallel_tool_use"] == true {
        told.parallel(&json!(false));
    }
    if !body["max_tokens"].is_u64() {
        told.wrong = Some("max_tokens: Field required".to_owned());
    }
    told.term("most", &body["max_tokens"]);
    told.term("temperature", &body["temperature"]);
    told.term("top_p", &body["top_p"]);
    told.stop(&body["stop_sequences"]);
    told.term("schema", &body["output_config"]["format"]["schema"]);
    told.budget(&body["thinking"]["budget_tokens"]);
    told.term("effort", &body["output_config"]["effort"]);
    told
}

fn item(block: &Value) -> Item {
    let source = &block["source"];
    match block["type"].as_str() {
        Some(kind @ ("image" | "document")) if source["type"] == "url" => {
            address(kind, &string(&source["url"]))
        }
        Some("image" | "document") => data(&string(&source["media_type"]), &string(&source["data"])),
        Some("thinking") => {
            Item::Thought(format!("{} sealed {}", string(&block["thinking"]), string(&block["signature"])))
        }
        Some("tool_use") => {
            let (id, name) = (string(&block["id"]), string(&block["name"]));
            Item::Call { id, name, arguments: block["input"].clone() }
        }
        Some("tool_result") => {
            Item::Result { id: string(&block["tool_use_id"]), text: texts(&block["content"]).join("") }
        }
        _ => Item::Text(string(&block["text"])),
    }
}

fn finish(said: &Said) -> (&'static str, Value) {
    match &said.finish {
        Finish::Length => ("max_tokens", Value::Null),
        Finish::Stop(at) => ("stop_sequence", at.as_str().into()),
        Finish::Refused => ("refusal", Value::Null),
        Finish::Done if said.calls() => ("tool_use", Value::Null),
        Finish::Done => ("end_turn", Value::Null),
    }
}

fn usage(tokens: Tokens, output: u64) -> Value {
    json!({
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": output,
        "service_tier": "standard",
    })
}

/// A block at its beginning, and its deltas.
fn block(part: &Part) -> (Value, Vec<Value>) {
    let text = |text: &str| {
        let deltas = words(text).into_iter().map(|word| json!({ "type": "text_delta", "text": word }));
        (json!({ "type": "text", "text": "" }), deltas.collect())
    };
    match part {
        Part::Text(said) | Part::Refusal(said) => text(said),
        Part::Data(data) => text(&data.to_string()),
        Part::Thought { text, seal } => {
            let thinking =
                words(text).into_iter().map(|word| json!({ "type": "thinking_delta", "thinking": word }));
            let seal = json!({ "type": "signature_delta", "signature": seal });
            let begun = json!({ "type": "thinking", "thinking": "", "signature": "" });
            (begun, thinking.chain([seal]).collect())
        }
        Part::Call { id, name, arguments } => {
            let text = arguments.to_string();
            let pieces = ["", halves(&text)[0], halves(&text)[1]];
            let deltas = pieces.map(|half| json!({ "type": "input_json_delta", "partial_json": half }));
            (json!({ "type": "tool_use", "id": id, "name": name, "input": {} }), deltas.into())
        }
    }
}

fn done(part: &Part) -> Value {
    match part {
        Part::Text(text) | Part::Refusal(text) => json!({ "type": "text", "text": text }),
        Part::Data(data) => json!({ "type": "text", "text": data.to_string() }),
        Part::Thought { text, seal } => json!({ "type": "thinking", "thinking": text, "signature": seal }),
        Part::Call { id, name, arguments } => {
            json!({ "type": "tool_use", "id": id, "name": name, "input": arguments })
        }
    }
}

pub(super) fn whole(said: &Said, frame: Frame<'_>) -> Value {
    let (reason, sequence) = finish(said);
    json!({
        "id": frame.id, "type": "message", "role": "assistant", "model": frame.model,
        "content": said.parts.iter().map(done).collect::<Vec<_>>(),
        "stop_reason": reason, "stop_sequence": sequence,
        "usage": usage(said.tokens, said.tokens.output),
    })
}

pub(super) fn stream(said: &Said, frame: Frame<'_>) -> Vec<Event> {
    let (reason, sequence) = finish(said);
    let message = json!({
        "id": frame.id, "type": "message", "role": "assistant", "model": frame.model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage(said.tokens, 1),
    });
    let mut events = vec![
        ("message_start", json!({ "type": "message_start", "message": message })),
        ("ping", json!({ "type": "ping" })),
    ];
    for (index, part) in said.parts.iter().enumerate() {
        let (begun, deltas) = block(part);
        let start = json!({ "type": "content_block_start", "index": index, "content_block": begun });
        events.push(("content_block_start", start));
        for delta in deltas {
            let data = json!({ "type": "content_block_delta", "index": index, "delta": delta });
            events.push(("content_block_delta", data));
        }
        events.push(("content_block_stop", json!({ "type": "content_block_stop", "index": index })));
    }
    let end = json!({
        "type": "message_delta",
        "delta": { "stop_reason": reason, "stop_sequence": sequence },
        "usage": usage(said.tokens, said.tokens.output),
    });
    events.push(("message_delta", end));
    events.push(("message_stop", json!({ "type": "message_stop" })));
    events
}
