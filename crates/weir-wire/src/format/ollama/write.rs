//! A call of Ollama's, written.

use super::Kind;
use crate::format::read::invalid;
use crate::format::tools::{self, arguments};
use crate::format::write::merge;
use crate::format::{Losing, Target};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    Call, Effort, Media, MediaKind, Output, Param, Part, Reasoning, Role, Source, Text, Tool, ToolCall,
    ToolChoice, ToolResult, Turn,
};
use std::collections::HashMap;
use weir_core::Fault;

pub(super) fn call(
    call: &Call<'_>,
    target: &Target<'_>,
    kind: Kind,
    losing: &mut Losing<'_>,
) -> Result<Vec<u8>, Fault> {
    let prompt = match kind {
        Kind::Chat => None,
        Kind::Generate => Some(only_prompt(call)?),
    };
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.put("model", target.model);
        if let Some(prompt) = prompt {
            let above = call.turns.iter().filter(|turn| turn.role != Role::User).flat_map(|turn| &turn.parts);
            let system: Vec<&str> = above.filter_map(text_of).collect();
            if !system.is_empty() {
                body.put("system", &system.join("\n"));
            }
            said(body, "prompt", &prompt.parts.iter().collect::<Vec<_>>(), "\n", losing);
        } else {
            let names = tools::names(call);
            body.list("messages", |list| {
                for turn in &call.turns {
                    messages_of(list, turn, &names, losing);
                }
            });
        }
        functions(body, call, kind, losing);
        settings(body, call, target, losing);
    });
    if let Some(extra) = &call.extra {
        merge(&mut out, extra.text());
    }
    Ok(out)
}

/// The one thing the user says. A conversation is more than this can carry.
fn only_prompt<'c, 'a>(call: &'c Call<'a>) -> Result<&'c Turn<'a>, Fault> {
    let mut spoken = call.turns.iter().filter(|turn| !matches!(turn.role, Role::System | Role::Developer));
    match (spoken.next(), spoken.next()) {
        (Some(only), None) if only.role == Role::User => Ok(only),
        _ => {
            Err(invalid("messages", "the model is asked for one answer to one prompt, not in a conversation"))
        }
    }
}

/// A turn is one message, and one more for each result of a tool.
fn messages_of(list: &mut List<'_>, turn: &Turn<'_>, names: &HashMap<&str, &str>, losing: &mut Losing<'_>) {
    losing.note_if(turn.name.is_some(), Param::Name);
    let mut rest: Vec<&Part<'_>> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match part {
            Part::ToolResult(result) => list.object(|message| tool_message(message, result, names, losing)),
            part => rest.push(part),
        }
    }
    if rest.is_empty() && !turn.parts.is_empty() {
        return;
    }
    list.object(|message| {
        message.put(
            "role",
            match turn.role {
                Role::System | Role::Developer => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            },
        );
        // Pieces of an answer belong together as they are; what others say stands line by line.
        said(message, "content", &rest, if turn.role == Role::Assistant { "" } else { "\n" }, losing);
        let mut thoughts = String::new();
        let mut calls = Vec::new();
        for part in rest {
            match part {
                // Open models think in the open; a sealed thought is another vendor's.
                Part::Thinking(thought) if thought.proof.is_none() => thoughts.push_str(&thought.text),
                Part::Thinking(_) => losing.note(Param::Thinking),
                Part::ToolCall(call) => {
                    losing.note_if(call.cache.is_some(), Param::Cache);
                    calls.push(call);
                }
                _ => {}
            }
        }
        if !thoughts.is_empty() {
            message.put("thinking", &thoughts);
        }
        if !calls.is_empty() {
            message.list("tool_calls", |list| {
                for (call, at) in calls.into_iter().zip(0..) {
                    list.object(|entry| tool_call(entry, call, at));
                }
            });
        }
    });
}

fn tool_message(
    message: &mut Object<'_>,
    result: &ToolResult<'_>,
    names: &HashMap<&str, &str>,
    losing: &mut Losing<'_>,
) {
    losing.note_if(result.cache.is_some(), Param::Cache);
    losing.note_if(result.is_error && !result.parts.is_empty(), Param::ToolError);
    message.put("role", "tool");
    if result.is_error && result.parts.is_empty() {
        message.put("content", "The tool failed.");
    } else {
        said(message, "content", &result.parts.iter().collect::<Vec<_>>(), "\n", losing);
    }
    let known = || names.get(&*result.id).copied();
    let name = Some(&*result.name).filter(|name| !name.is_empty()).or_else(known);
    message.maybe("tool_name", name);
    if !result.id.is_empty() && !tools::is_made(&result.id) {
        message.put("tool_call_id", &result.id);
    }
}

fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match part {
        Part::Text(text) => Some(&text.text),
        Part::Refusal(text) => Some(text),
        Part::Media(Media { source: Source::Text(text), .. }) => Some(text),
        _ => None,
    }
}

/// The texts as one, and the pictures.
fn said(message: &mut Object<'_>, key: &str, parts: &[&Part<'_>], between: &str, losing: &mut Losing<'_>) {
    let cached = |part: &&Part<'_>| matches!(part, Part::Text(Text { cache: Some(_), .. }));
    losing.note_if(parts.iter().any(cached), Param::Cache);
    let mut texts = parts.iter().filter_map(|part| text_of(part));
    match (texts.next(), texts.next()) {
        (only, None) => message.put(key, only.unwrap_or_default()),
        (Some(first), Some(second)) => {
            let all: Vec<&str> = [first, second].into_iter().chain(texts).collect();
            message.put(key, &all.join(between));
        }
        (None, Some(_)) => {}
    }
    let mut images = Vec::new();
    for part in parts {
        let Part::Media(media) = part else { continue };
        losing.note_if(media.cache.is_some(), Param::Cache);
        match (media.kind, &media.source) {
            (_, Source::Text(_)) => {}
            (MediaKind::Image, Source::Data { base64, .. }) => {
                losing.note_if(media.detail.as_deref().is_some_and(|detail| detail != "auto"), Param::Detail);
                images.push(base64);
            }
            (MediaKind::Image, _) => losing.note(Param::Image),
            (MediaKind::Audio, _) => losing.note(Param::Audio),
            (MediaKind::Video, _) => losing.note(Param::Video),
            (MediaKind::Document, _) => losing.note(Param::Document),
        }
    }
    if !images.is_empty() {
        message.put("images", &images);
    }
}

/// The call of a tool. Arguments that are no object, which models make at times, become the only member of one.
pub(super) fn tool_call(entry: &mut Object<'_>, call: &ToolCall<'_>, at: u32) {
    if !call.id.is_empty() && !tools::is_made(&call.id) {
        entry.put("id", &call.id);
    }
    entry.object("function", |function| {
        function.put("index", &at);
        function.put("name", &call.name);
        match arguments(&call.arguments) {
            Some(json) => function.json("arguments", json),
            None => function.object("arguments", |args| args.put("arguments", &call.arguments)),
        }
    });
}

fn functions(body: &mut Object<'_>, call: &Call<'_>, kind: Kind, losing: &mut Losing<'_>) {
    losing.note_if(call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. })), Param::NativeTool);
    // A model that may call none is best not told of any.
    let none = call.tool_choice == Some(ToolChoice::None);
    if none || !call.tools.iter().any(|tool| matches!(tool, Tool::Function { .. })) {
        return;
    }
    if kind == Kind::Generate {
        losing.note(Param::Tools);
        return;
    }
    body.list("tools", |list| {
        for tool in &call.tools {
            let Tool::Function { name, description, parameters, strict, cache } = tool else { continue };
            losing.note_if(*strict == Some(true), Param::Strict);
            losing.note_if(cache.is_some(), Param::Cache);
            list.object(|tool| {
                tool.put("type", "function");
                tool.object("function", |function| {
                    function.put("name", name);
                    function.maybe("description", description.as_ref());
                    match parameters {
                        Some(schema) => function.put("parameters", schema),
                        None => function.json("parameters", r#"{"type":"object","properties":{}}"#),
                    }
                });
            });
        }
    });
    let forced = matches!(call.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    losing.note_if(forced, Param::ToolChoice);
    losing.note_if(call.parallel_tools == Some(false), Param::ParallelTools);
}

fn settings(body: &mut Object<'_>, call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) {
    match &call.output {
        None => {}
        Some(Output::Json) => body.put("format", "json"),
        Some(Output::Schema { schema, .. }) => body.put("format", schema),
    }
    if let Some(reasoning) = call.reasoning {
        think(body, reasoning, target.model);
    }
    let sampling = &call.sampling;
    body.maybe("logprobs", sampling.logprobs.as_ref());
    body.maybe("top_logprobs", sampling.top_logprobs.as_ref());
    body.put("stream", &call.stream);
    let mut options = Vec::new();
    object(&mut options, |options| {
        options.maybe("temperature", sampling.temperature.as_ref());
        options.maybe("top_p", sampling.top_p.as_ref());
        options.maybe("top_k", sampling.top_k.as_ref());
        options.maybe("min_p", sampling.min_p.as_ref());
        options.maybe("seed", sampling.seed.as_ref());
        options.maybe("num_predict", call.max_tokens.as_ref());
        if !sampling.stop.is_empty() {
            options.put("stop", &sampling.stop);
        }
        options.maybe("presence_penalty", sampling.presence_penalty.as_ref());
        options.maybe("frequency_penalty", sampling.frequency_penalty.as_ref());
        options.maybe("repeat_penalty", sampling.repetition_penalty.as_ref());
    });
    if let Ok(options) = String::from_utf8(options)
        && options != "{}"
    {
        body.json("options", &options);
    }
    losing.note_if(sampling.n.is_some_and(|n| n > 1), Param::N);
    losing.note_if(sampling.logit_bias.is_some(), Param::LogitBias);
    losing.note_if(call.user.is_some(), Param::User);
    losing.note_if(call.metadata.is_some(), Param::Metadata);
    losing.note_if(call.cache_key.is_some(), Param::Cache);
    let tier = call.service_tier.as_deref();
    losing.note_if(tier.is_some_and(|tier| !matches!(tier, "auto" | "default")), Param::ServiceTier);
}

/// How much is each model's own affair, but for gpt-oss, which takes three words and no plain yes or no.
fn think(body: &mut Object<'_>, reasoning: Reasoning, model: &str) {
    match reasoning.effort() {
        None => body.maybe("think", reasoning.shown.filter(|shown| *shown).as_ref()),
        Some(Effort::None) => body.put("think", &false),
        Some(effort) if model.contains("gpt-oss") => body.put(
            "think",
            match effort {
                Effort::None | Effort::Minimal | Effort::Low => "low",
                Effort::Medium => "medium",
                Effort::High | Effort::Max => "high",
            },
        ),
        Some(_) => body.put("think", &true),
    }
}
