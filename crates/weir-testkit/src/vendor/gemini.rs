//! Google's `generateContent`. Calls of tools come and go without ids where the client keeps none.

use super::told::{Item, Told, Who, data, list, string, texts};
use super::{Event, Frame};
use crate::openai::words;
use crate::said::{Finish, Part, Said, Tokens};
use serde_json::{Value, json};

/// A member by its name in camel case or, as the API takes it too, in snake case.
fn member<'a>(value: &'a Value, camel: &str, snake: &str) -> &'a Value {
    if value[camel].is_null() { &value[snake] } else { &value[camel] }
}

pub(super) fn told(body: &Value) -> Told {
    let system = member(body, "systemInstruction", "system_instruction");
    let mut told = Told { system: texts(&system["parts"]), ..Told::default() };
    for content in list(&body["contents"]) {
        let who = if content["role"] == "model" { Who::Model } else { Who::User };
        for part in list(&content["parts"]) {
            let item = named(item(part), &told);
            told.say(who, item);
        }
    }
    for tool in list(&body["tools"]) {
        for function in list(member(tool, "functionDeclarations", "function_declarations")) {
            let schema = member(function, "parametersJsonSchema", "parameters_json_schema");
            let schema = if schema.is_null() { &function["parameters"] } else { schema };
            told.tools.push((string(&function["name"]), schema.clone()));
        }
    }
    let config = member(body, "generationConfig", "generation_config");
    let calling = member(body, "toolConfig", "tool_config");
    let calling = member(calling, "functionCallingConfig", "function_calling_config");
    let names = member(calling, "allowedFunctionNames", "allowed_function_names");
    told.choice(if list(names).len() == 1 { &names[0] } else { &calling["mode"] });
    told.term("most", member(config, "maxOutputTokens", "max_output_tokens"));
    told.term("temperature", &config["temperature"]);
    told.term("top_p", member(config, "topP", "top_p"));
    told.stop(member(config, "stopSequences", "stop_sequences"));
    told.term("schema", member(config, "responseSchema", "response_schema"));
    told.term("schema", member(config, "responseJsonSchema", "response_json_schema"));
    let thinking = member(config, "thinkingConfig", "thinking_config");
    told.budget(member(thinking, "thinkingBudget", "thinking_budget"));
    told.term("effort", member(thinking, "thinkingLevel", "thinking_level"));
    told
}

/// A result without an id is that of the first call of its name that has none yet.
fn named(item: Item, told: &Told) -> Item {
    let Item::Result { id: name, text } = item else { return item };
    let mut open: Vec<(&str, &str)> = Vec::new();
    for (_, item) in &told.turns {
        match item {
            Item::Call { id, name, .. } => open.push((id, name)),
            Item::Result { id, .. } => open.retain(|(call, _)| call != id),
            _ => {}
        }
    }
    let by_id = open.iter().any(|(id, _)| *id == name);
    let first = open.iter().find(|(_, called)| !by_id && *called == name);
    Item::Result { id: first.map_or(name.clone(), |(id, _)| (*id).to_owned()), text }
}

/// What a tool said: a text where it stands alone under the names that the API and its clients give it.
fn answer(response: &Value) -> String {
    let said = ["output", "result"].iter().find_map(|name| response[name].as_str());
    said.map_or_else(|| response.to_string(), str::to_owned)
}

fn item(part: &Value) -> Item {
    let (call, result) = (&part["functionCall"], &part["functionResponse"]);
    let (inline, file) = (member(part, "inlineData", "inline_data"), member(part, "fileData", "file_data"));
    let id =
        |value: &Value| if value["id"].is_null() { string(&value["name"]) } else { string(&value["id"]) };
    match () {
        () if part["thought"] == true => {
            Item::Thought(format!("{} sealed {}", string(&part["text"]), string(&part["thoughtSignature"])))
        }
        () if call.is_object() => {
            Item::Call { id: id(call), name: string(&call["name"]), arguments: call["args"].clone() }
        }
        () if result.is_object() => Item::Result { id: id(result), text: answer(&result["response"]) },
        () if inline.is_object() => {
            data(&string(member(inline, "mimeType", "mime_type")), &string(&inline["data"]))
        }
        () if file.is_object() => {
            let at = string(member(file, "fileUri", "file_uri"));
            Item::Media(format!("{} at {at}", string(member(file, "mimeType", "mime_type"))))
        }
        () => Item::Text(string(&part["text"])),
    }
}

fn finish(said: &Said) -> &'static str {
    match said.finish {
        Finish::Length => "MAX_TOKENS",
        Finish::Refused => "SAFETY",
        Finish::Done | Finish::Stop(_) => "STOP",
    }
}

/// Thoughts are counted beside the candidates here.
fn usage(tokens: Tokens) -> Value {
    let prompt = tokens.input + tokens.cache_read + tokens.cache_write;
    let mut usage = json!({
        "promptTokenCount": prompt,
        "candidatesTokenCount": tokens.output - tokens.reasoning,
        "totalTokenCount": prompt + tokens.output,
    });
    if tokens.reasoning > 0 {
        usage["thoughtsTokenCount"] = tokens.reasoning.into();
    }
    if tokens.cache_read > 0 {
        usage["cachedContentTokenCount"] = tokens.cache_read.into();
    }
    usage
}

fn parts(part: &Part) -> Vec<Value> {
    match part {
        Part::Text(text) | Part::Refusal(text) => {
            words(text).into_iter().map(|word| json!({ "text": word })).collect()
        }
        Part::Data(data) => vec![json!({ "text": data.to_string() })],
        Part::Thought { text, seal } => {
            vec![json!({ "text": text, "thought": true, "thoughtSignature": seal })]
        }
        Part::Call { id, name, arguments } => {
            vec![json!({ "functionCall": { "id": id, "name": name, "args": arguments } })]
        }
    }
}

fn reply(frame: Frame<'_>, parts: &[Value], end: Option<&Said>) -> Value {
    let mut candidate = json!({ "content": { "role": "model", "parts": parts }, "index": 0 });
    let mut reply = json!({ "modelVersion": frame.model, "responseId": frame.id });
    if let Some(said) = end {
        candidate["finishReason"] = finish(said).into();
        reply["usageMetadata"] = usage(said.tokens);
    }
    reply["candidates"] = json!([candidate]);
    reply
}

pub(super) fn whole(said: &Said, frame: Frame<'_>) -> Value {
    let whole = |part: &Part| match part {
        Part::Text(text) | Part::Refusal(text) => vec![json!({ "text": text })],
        part => parts(part),
    };
    reply(frame, &said.parts.iter().flat_map(whole).collect::<Vec<_>>(), Some(said))
}

pub(super) fn stream(said: &Said, frame: Frame<'_>) -> Vec<Event> {
    let pieces = said.parts.iter().flat_map(parts);
    let mut events: Vec<Event> = pieces.map(|piece| ("", reply(frame, &[piece], None))).collect();
    events.push(("", reply(frame, &[json!({ "text": "" })], Some(said))));
    events
}
