//! The object that an answer is, whole or in a stream's first and last events, and the items in it.

use crate::format::Asked;
use crate::format::write::merge;
use crate::json::write::{Object, object};
use crate::neutral::Raw;
use serde::Deserialize;
use weir_core::{Fault, Usage};

/// Members of a call that every answer to it repeats, and what stands there when the call does not say.
#[derive(Deserialize)]
struct Repeated<'a> {
    #[serde(borrow)]
    background: Option<Raw<'a>>,
    instructions: Option<Raw<'a>>,
    max_output_tokens: Option<Raw<'a>>,
    max_tool_calls: Option<Raw<'a>>,
    metadata: Option<Raw<'a>>,
    parallel_tool_calls: Option<Raw<'a>>,
    previous_response_id: Option<Raw<'a>>,
    prompt_cache_key: Option<Raw<'a>>,
    reasoning: Option<Raw<'a>>,
    safety_identifier: Option<Raw<'a>>,
    temperature: Option<Raw<'a>>,
    text: Option<Raw<'a>>,
    tool_choice: Option<Raw<'a>>,
    tools: Option<Raw<'a>>,
    top_logprobs: Option<Raw<'a>>,
    top_p: Option<Raw<'a>>,
    truncation: Option<Raw<'a>>,
    user: Option<Raw<'a>>,
}

impl Repeated<'_> {
    fn write(&self) -> String {
        let members: [(&str, Option<Raw<'_>>, &str); 18] = [
            ("background", self.background, "false"),
            ("instructions", self.instructions, "null"),
            ("max_output_tokens", self.max_output_tokens, "null"),
            ("max_tool_calls", self.max_tool_calls, "null"),
            ("metadata", self.metadata, "{}"),
            ("parallel_tool_calls", self.parallel_tool_calls, "true"),
            ("previous_response_id", self.previous_response_id, "null"),
            ("prompt_cache_key", self.prompt_cache_key, "null"),
            ("reasoning", self.reasoning, r#"{"effort":null,"summary":null}"#),
            ("safety_identifier", self.safety_identifier, "null"),
            ("temperature", self.temperature, "null"),
            ("text", self.text, r#"{"format":{"type":"text"}}"#),
            ("tool_choice", self.tool_choice, r#""auto""#),
            ("tools", self.tools, "[]"),
            ("top_logprobs", self.top_logprobs, "0"),
            ("top_p", self.top_p, "null"),
            ("truncation", self.truncation, r#""disabled""#),
            ("user", self.user, "null"),
        ];
        let mut out = Vec::with_capacity(512);
        object(&mut out, |body| {
            for (name, said, usual) in members {
                body.json(name, said.map_or(usual, Raw::text));
            }
        });
        String::from_utf8(out).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct NamedTool<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<crate::neutral::Str<'a>>,
    name: Option<crate::neutral::Str<'a>>,
}

/// Notes what of a call its answer repeats, and the tools of free text. A body that cannot be read has no answer.
pub(super) fn remember(body: &[u8], asked: &mut Asked) {
    let Ok(repeated) = serde_json::from_slice::<Repeated<'_>>(body) else { return };
    let tools = repeated.tools.and_then(|raw| serde_json::from_str::<Vec<NamedTool<'_>>>(raw.text()).ok());
    asked.free_tools = tools
        .into_iter()
        .flatten()
        .filter(|tool| tool.kind.as_deref() == Some("custom"))
        .filter_map(|tool| tool.name.map(|name| name.0.into_owned()))
        .collect();
    asked.repeated = repeated.write();
    asked.own_id = true;
}

/// What changes from one state of an answer to the next.
#[derive(Debug, Default)]
pub(super) struct State<'x> {
    pub(super) created: i64,
    pub(super) status: &'x str,
    pub(super) fault: Option<&'x Fault>,
    pub(super) incomplete: Option<&'x str>,
    /// The items, in JSON, with commas between them.
    pub(super) output: &'x str,
    pub(super) usage: Option<Usage>,
    pub(super) tier: Option<&'x str>,
}

/// The object. Id and model are those of `asked`.
pub(super) fn write(state: &State<'_>, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(768 + state.output.len() + asked.repeated.len());
    object(&mut out, |body| {
        body.put("id", &*asked.id);
        body.put("object", "response");
        body.put("created_at", &state.created);
        body.put("status", state.status);
        match state.fault {
            Some(fault) => body.object("error", |error| {
                error.put("code", fault.code.as_deref().unwrap_or("server_error"));
                error.put("message", &*fault.message);
            }),
            None => body.put("error", &()),
        }
        match state.incomplete {
            Some(reason) => body.object("incomplete_details", |details| details.put("reason", reason)),
            None => body.put("incomplete_details", &()),
        }
        body.put("model", &*asked.model);
        body.json("output", &["[", state.output, "]"].concat());
        body.maybe("service_tier", state.tier);
        body.put("store", &asked.stored);
        match state.usage {
            Some(usage) => body.object("usage", |object| write_usage(object, usage)),
            None => body.put("usage", &()),
        }
    });
    if asked.repeated.is_empty() {
        let nothing = serde_json::from_str::<Repeated<'_>>("{}").map(|usual| usual.write());
        merge(&mut out, &nothing.unwrap_or_default());
    } else {
        merge(&mut out, &asked.repeated);
    }
    out
}

fn write_usage(object: &mut Object<'_>, usage: Usage) {
    object.put("input_tokens", &usage.input);
    object.object("input_tokens_details", |details| {
        details.put("cached_tokens", &usage.cache_read);
        details.put("cache_write_tokens", &usage.cache_write);
    });
    object.put("output_tokens", &usage.output);
    object.object("output_tokens_details", |details| details.put("reasoning_tokens", &usage.reasoning));
    object.put("total_tokens", &usage.total());
}

/// The id of an item: what it is, whose answer's, and which one.
pub(super) fn item_id(kind: &str, answer: &str, index: u32) -> String {
    format!("{kind}_{answer}_{index}")
}

/// A message. `contents` are its parts, in JSON, with commas between them.
pub(super) fn message(item: &mut Object<'_>, id: &str, status: &str, contents: &str) {
    item.put("id", id);
    item.put("type", "message");
    item.put("status", status);
    item.json("content", &["[", contents, "]"].concat());
    item.put("role", "assistant");
}

/// A part that is text. Annotations and probabilities are in JSON, with commas between them.
pub(super) fn text_part(part: &mut Object<'_>, text: &str, annotations: &str, logprobs: &str) {
    part.put("type", "output_text");
    part.json("annotations", &["[", annotations, "]"].concat());
    part.json("logprobs", &["[", logprobs, "]"].concat());
    part.put("text", text);
}

/// A part that is a refusal.
pub(super) fn refusal_part(part: &mut Object<'_>, words: &str) {
    part.put("type", "refusal");
    part.put("refusal", words);
}

/// A thought. Without a text there is no summary.
pub(super) fn reasoning(item: &mut Object<'_>, id: &str, text: &str, seal: Option<&str>) {
    item.put("id", id);
    item.put("type", "reasoning");
    item.maybe("encrypted_content", seal);
    item.list("summary", |list| {
        if !text.is_empty() {
            list.object(|part| summary_part(part, text));
        }
    });
}

/// A part of a thought's summary.
pub(super) fn summary_part(part: &mut Object<'_>, text: &str) {
    part.put("type", "summary_text");
    part.put("text", text);
}

/// What a call of a tool is, beside its state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calling<'x> {
    pub(super) id: &'x str,
    pub(super) call_id: &'x str,
    pub(super) name: &'x str,
    /// Whether its tool is one of free text.
    pub(super) free: bool,
}

/// A call of a tool. `said` are its arguments, or its free text.
pub(super) fn call(item: &mut Object<'_>, calling: Calling<'_>, status: &str, said: &str) {
    item.put("id", calling.id);
    item.put("type", if calling.free { "custom_tool_call" } else { "function_call" });
    item.put("status", status);
    item.put(if calling.free { "input" } else { "arguments" }, said);
    item.put("call_id", calling.call_id);
    item.put("name", calling.name);
}
