//! A messages call, written.

use super::NAME;
use crate::format::write::merge;
use crate::format::{Losing, Target};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    CacheHint, Call, Media, MediaKind, Output, Param, Part, Role, Source, Thinking, Tool, ToolCall,
    ToolChoice, ToolResult, Turn,
};
use serde_json::value::RawValue;

/// `max_tokens` must be stated; this is, where neither the client nor the deployment knows better.
const MOST_TOKENS: u64 = 4096;

/// The least that may be thought (<https://docs.anthropic.com/en/docs/build-with-claude/extended-thinking>).
const LEAST_BUDGET: u64 = 1024;

/// What stands where Anthropic wants a word and the client said none.
const NOTHING: &str = ".";

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.put("model", target.model);
        let budget = limits(body, call, target, losing);
        instructions(body, call, losing);
        body.list("messages", |list| turns(list, call, losing));
        tools(body, call, losing);
        settings(body, call, budget.is_some(), losing);
    });
    if let Some(extra) = &call.extra {
        merge(&mut out, extra.text());
    }
    out
}

/// How much may be said, and how much of it thought.
fn limits(
    body: &mut Object<'_>,
    call: &Call<'_>,
    target: &Target<'_>,
    losing: &mut Losing<'_>,
) -> Option<u64> {
    let wanted = call.reasoning.and_then(|reasoning| reasoning.budget()).filter(|budget| *budget > 0);
    let most = target.max_output.unwrap_or(u64::MAX);
    // Thinking rules out that a tool is forced, and an answer to a tool's result has to go on with the thoughts that led
    // to the call: where they are another model's, there are none.
    let forced = matches!(call.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let budget = wanted.map(|budget| budget.max(LEAST_BUDGET));
    let (max_tokens, budget) = match (call.max_tokens, budget) {
        (None, None) => (target.max_output.unwrap_or(MOST_TOKENS), None),
        (None, Some(budget)) => {
            let budget = budget.min(most.saturating_sub(LEAST_BUDGET).max(LEAST_BUDGET));
            (budget.saturating_add(MOST_TOKENS).min(most), Some(budget))
        }
        (Some(said), None) => (said, None),
        (Some(said), Some(_)) if said <= LEAST_BUDGET => (said, None),
        (Some(said), Some(budget)) => (said, Some(budget.min(said - 1).max(LEAST_BUDGET))),
    };
    let budget = budget.filter(|budget| *budget < max_tokens && !forced && !misses_thoughts(call));
    losing.note_if(wanted.is_some() && budget.is_none(), Param::Reasoning);
    body.put("max_tokens", &max_tokens);
    if let Some(budget) = budget {
        body.object("thinking", |thinking| {
            thinking.put("type", "enabled");
            thinking.put("budget_tokens", &budget);
        });
    }
    budget
}

/// Whether the conversation stands in the middle of a round of tools that the model began without thoughts of its own.
fn misses_thoughts(call: &Call<'_>) -> bool {
    let answered = call
        .turns
        .last()
        .is_some_and(|turn| turn.parts.iter().any(|part| matches!(part, Part::ToolResult(_))));
    let asked = call.turns.iter().rev().find(|turn| turn.role == Role::Assistant);
    answered && asked.is_some_and(|turn| !turn.parts.iter().any(|part| own_thought(part).is_some()))
}

/// A thought that Anthropic sealed.
fn own_thought<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Thinking<'a>> {
    match part {
        Part::Thinking(thought) if thought.proof.as_ref().is_some_and(|proof| proof.format == *NAME) => {
            Some(thought)
        }
        _ => None,
    }
}

/// Instructions stand apart, wherever in the conversation they were given.
fn instructions(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    let given = || {
        call.turns.iter().filter(|turn| above(turn.role)).flat_map(|turn| &turn.parts).filter_map(|part| {
            match part {
                Part::Text(text) if !text.text.is_empty() => Some(text),
                _ => None,
            }
        })
    };
    match (given().next(), given().nth(1)) {
        (None, _) => {}
        (Some(only), None) if only.cache.is_none() => body.put("system", &only.text),
        _ => body.list("system", |list| {
            for text in given() {
                list.object(|block| {
                    block.put("type", "text");
                    block.put("text", &text.text);
                    cache_control(block, text.cache);
                });
            }
        }),
    }
    let media = |turn: &Turn<'_>| turn.parts.iter().any(|part| matches!(part, Part::Media(_)));
    losing.note_if(call.turns.iter().any(|turn| above(turn.role) && media(turn)), Param::Image);
    losing.note_if(call.turns.iter().any(|turn| turn.name.is_some()), Param::Name);
}

fn above(role: Role) -> bool {
    matches!(role, Role::System | Role::Developer)
}

/// Sides alternate and the user begins: turns of one side become one.
fn turns(list: &mut List<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    let mut spoken = call.turns.iter().filter(|turn| !above(turn.role)).peekable();
    if spoken.peek().is_none_or(|first| first.role == Role::Assistant) {
        list.object(|message| {
            message.put("role", "user");
            message.put("content", NOTHING);
        });
    }
    while let Some(first) = spoken.next() {
        let role = first.role;
        let mut parts: Vec<&Part<'_>> = first.parts.iter().collect();
        while let Some(next) = spoken.next_if(|next| next.role == role) {
            parts.extend(&next.parts);
        }
        if role == Role::User {
            // Results have to come before anything else.
            parts.sort_by_key(|part| !matches!(part, Part::ToolResult(_)));
        } else {
            // And thoughts before anything else that is said.
            parts.sort_by_key(|part| own_thought(part).is_none());
        }
        let last = role == Role::Assistant && spoken.peek().is_none();
        list.object(|message| {
            message.put("role", if role == Role::Assistant { "assistant" } else { "user" });
            content(message, &parts, last, losing);
        });
    }
}

/// `last`: it is the beginning of the answer, which must not end in white space.
fn content(message: &mut Object<'_>, parts: &[&Part<'_>], last: bool, losing: &mut Losing<'_>) {
    let trimmed = |text: &str| if last { text.trim_end().to_owned() } else { text.to_owned() };
    match parts {
        [Part::Text(text)] if text.cache.is_none() && !trimmed(&text.text).is_empty() => {
            message.put("content", &trimmed(&text.text));
        }
        parts => message.list("content", |list| {
            let mut any = false;
            for (at, part) in parts.iter().enumerate() {
                let end = last && at + 1 == parts.len();
                any |= block(list, part, end, losing);
            }
            if !any {
                list.object(|block| {
                    block.put("type", "text");
                    block.put("text", NOTHING);
                });
            }
        }),
    }
}

/// Writes a part, and says whether there was anything to write.
fn block(list: &mut List<'_>, part: &Part<'_>, end: bool, losing: &mut Losing<'_>) -> bool {
    match part {
        Part::Text(text) => {
            let words = if end { text.text.trim_end() } else { &text.text };
            if words.is_empty() {
                return false;
            }
            list.object(|block| {
                block.put("type", "text");
                block.put("text", words);
                if let Some((NAME, citations)) = &text.citations {
                    block.put("citations", citations);
                }
                cache_control(block, text.cache);
            });
        }
        Part::Refusal(words) => list.object(|block| {
            block.put("type", "text");
            block.put("text", words);
        }),
        Part::Media(media) => return media_block(list, media, losing),
        Part::Thinking(_) => match own_thought(part) {
            Some(thought) => list.object(|block| thinking(block, thought)),
            None => {
                losing.note(Param::Thinking);
                return false;
            }
        },
        Part::ToolCall(call) => list.object(|block| tool_use(block, call)),
        Part::ToolResult(result) => list.object(|block| tool_result(block, result, losing)),
    }
    true
}

/// A thought with its seal, as its own vendor and its clients hold it.
fn thinking(block: &mut Object<'_>, thought: &Thinking<'_>) {
    let seal = thought.proof.as_ref().map(|proof| &*proof.seal).unwrap_or_default();
    if thought.hidden {
        block.put("type", "redacted_thinking");
        block.put("data", seal);
    } else {
        block.put("type", "thinking");
        block.put("thinking", &thought.text);
        block.put("signature", seal);
    }
}

/// The call of a tool. Arguments that are no object, which models make at times, become the only member of one.
pub(super) fn tool_use(block: &mut Object<'_>, call: &ToolCall<'_>) {
    block.put("type", "tool_use");
    block.put("id", &tool_id(&call.id));
    block.put("name", &call.name);
    match arguments(&call.arguments) {
        Some(json) => block.json("input", json),
        None => block.object("input", |input| input.put("arguments", &call.arguments)),
    }
    cache_control(block, call.cache);
}

/// The text of an object of arguments, if it is one.
fn arguments(text: &str) -> Option<&str> {
    match text.trim() {
        "" => Some("{}"),
        json if json.starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok() => Some(json),
        _ => None,
    }
}

/// Ids are of letters, digits, `_` and `-`; others' are made so, alike for call and result.
fn tool_id(id: &str) -> String {
    if id.is_empty() {
        return "call".to_owned();
    }
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' }).collect()
}

fn tool_result(block: &mut Object<'_>, result: &ToolResult<'_>, losing: &mut Losing<'_>) {
    block.put("type", "tool_result");
    block.put("tool_use_id", &tool_id(&result.id));
    match result.parts.as_slice() {
        [] => {}
        [Part::Text(text)] => block.put("content", &text.text),
        parts => block.list("content", |list| {
            for part in parts {
                self::block(list, part, false, losing);
            }
        }),
    }
    if result.is_error {
        block.put("is_error", &true);
    }
    cache_control(block, result.cache);
}

fn media_block(list: &mut List<'_>, media: &Media<'_>, losing: &mut Losing<'_>) -> bool {
    let kind = match media.kind {
        MediaKind::Image => "image",
        MediaKind::Document => "document",
        MediaKind::Audio => {
            losing.note(Param::Audio);
            return false;
        }
        MediaKind::Video => {
            losing.note(Param::Video);
            return false;
        }
    };
    losing.note_if(media.detail.is_some(), Param::Detail);
    list.object(|block| {
        block.put("type", kind);
        block.object("source", |source| match &media.source {
            Source::Url(url) => {
                source.put("type", "url");
                source.put("url", url);
            }
            Source::Data { mime, base64 } => {
                source.put("type", "base64");
                source.put("media_type", mime);
                source.put("data", base64);
            }
            Source::File(id) => {
                source.put("type", "file");
                source.put("file_id", id);
            }
            Source::Text(text) => {
                source.put("type", "text");
                source.put("media_type", "text/plain");
                source.put("data", text);
            }
        });
        if media.kind == MediaKind::Document {
            block.maybe("title", media.name.as_ref());
        }
        cache_control(block, media.cache);
    });
    true
}

fn cache_control(block: &mut Object<'_>, cache: Option<CacheHint>) {
    if let Some(hint) = cache {
        block.object("cache_control", |control| {
            control.put("type", "ephemeral");
            if hint == CacheHint::Hour {
                control.put("ttl", "1h");
            }
        });
    }
}

fn tools(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    losing.note_if(call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. })), Param::NativeTool);
    if !call.tools.iter().any(|tool| matches!(tool, Tool::Function { .. })) {
        return;
    }
    body.list("tools", |list| {
        for tool in &call.tools {
            let Tool::Function { name, description, parameters, strict, cache } = tool else { continue };
            list.object(|entry| {
                entry.put("name", name);
                entry.maybe("description", description.as_ref());
                match parameters {
                    Some(schema) => entry.put("input_schema", schema),
                    None => entry.json("input_schema", r#"{"type":"object","properties":{}}"#),
                }
                if *strict == Some(true) {
                    entry.put("strict", &true);
                }
                cache_control(entry, *cache);
            });
        }
    });
    let one_at_a_time = call.parallel_tools == Some(false);
    let kind = match &call.tool_choice {
        None if !one_at_a_time => return,
        None | Some(ToolChoice::Auto) => "auto",
        Some(ToolChoice::None) => "none",
        Some(ToolChoice::Required) => "any",
        Some(ToolChoice::Named(_)) => "tool",
    };
    body.object("tool_choice", |choice| {
        choice.put("type", kind);
        if let Some(ToolChoice::Named(name)) = &call.tool_choice {
            choice.put("name", name);
        }
        if one_at_a_time && kind != "none" {
            choice.put("disable_parallel_tool_use", &true);
        }
    });
}

fn settings(body: &mut Object<'_>, call: &Call<'_>, thinks: bool, losing: &mut Losing<'_>) {
    let sampling = &call.sampling;
    // Thinking goes with its own way of drawing tokens only; and newer models take one of the two, not both.
    match sampling.temperature {
        Some(temperature) if thinks => losing.note_if(temperature != 1.0, Param::Temperature),
        Some(temperature) => {
            losing.note_if(temperature > 1.0, Param::Temperature);
            body.put("temperature", &temperature.min(1.0));
        }
        None => {}
    }
    match sampling.top_p {
        Some(top_p) if sampling.temperature.is_none() && !(thinks && top_p < 0.95) => {
            body.put("top_p", &top_p);
        }
        Some(top_p) => losing.note_if(top_p < 1.0, Param::TopP),
        None => {}
    }
    match sampling.top_k {
        Some(_) if thinks => losing.note(Param::TopK),
        top_k => body.maybe("top_k", top_k.as_ref()),
    }
    // A sequence of nothing but white space is refused.
    let stop: Vec<_> = sampling.stop.iter().filter(|text| !text.trim().is_empty()).collect();
    losing.note_if(stop.len() < sampling.stop.len(), Param::Stop);
    if !stop.is_empty() {
        body.put("stop_sequences", &stop);
    }
    lost_sampling(call, losing);
    output(body, call, losing);
    if call.stream {
        body.put("stream", &true);
    }
    if let Some(user) = &call.user {
        body.object("metadata", |metadata| metadata.put("user_id", user));
    }
    losing.note_if(call.metadata.is_some(), Param::Metadata);
    match call.service_tier.as_deref() {
        Some("auto") => body.put("service_tier", "auto"),
        Some("default" | "standard") => body.put("service_tier", "standard_only"),
        Some(_) => losing.note(Param::ServiceTier),
        None => {}
    }
}

fn lost_sampling(call: &Call<'_>, losing: &mut Losing<'_>) {
    let sampling = &call.sampling;
    losing.note_if(sampling.min_p.is_some(), Param::MinP);
    losing.note_if(sampling.seed.is_some(), Param::Seed);
    losing.note_if(sampling.frequency_penalty.is_some_and(|p| p != 0.0), Param::FrequencyPenalty);
    losing.note_if(sampling.presence_penalty.is_some_and(|p| p != 0.0), Param::PresencePenalty);
    losing.note_if(sampling.repetition_penalty.is_some_and(|p| p != 1.0), Param::RepetitionPenalty);
    losing.note_if(sampling.n.is_some_and(|n| n > 1), Param::N);
    losing.note_if(sampling.logprobs == Some(true) || sampling.top_logprobs.is_some(), Param::Logprobs);
    losing.note_if(sampling.logit_bias.is_some(), Param::LogitBias);
    losing.note_if(call.cache_key.is_some(), Param::Cache);
}

/// Any JSON at all cannot be asked for, only JSON by a schema.
fn output(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    match &call.output {
        Some(Output::Schema { schema, .. }) => body.object("output_config", |config| {
            config.object("format", |format| {
                format.put("type", "json_schema");
                format.put("schema", schema);
            });
        }),
        Some(Output::Json) => losing.note(Param::Output),
        None => {}
    }
}
