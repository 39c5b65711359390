//! A call of Cohere's, written.

use super::NAME;
use super::reply::put_tool_call;
use crate::format::write::merge;
use crate::format::{Losing, Target};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    Call, Effort, Media, MediaKind, Output, Param, Part, Reasoning, Role, Source, Tool, ToolChoice,
    ToolResult, Turn,
};
use std::borrow::Cow;

/// So many stop sequences at most.
const MOST_STOPS: usize = 5;

/// So many of the likeliest tokens at most.
const MOST_K: u64 = 500;

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.put("model", target.model);
        body.list("messages", |list| {
            for turn in &call.turns {
                messages_of(list, turn, target.model, losing);
            }
        });
        tools(body, call, losing);
        settings(body, call, losing);
    });
    if let Some(extra) = &call.extra {
        merge(&mut out, extra.text());
    }
    out
}

/// A turn is one message, and one more for each result of a tool.
fn messages_of(list: &mut List<'_>, turn: &Turn<'_>, model: &str, losing: &mut Losing<'_>) {
    losing.note_if(turn.name.is_some(), Param::Name);
    let mut rest: Vec<&Part<'_>> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match part {
            Part::ToolResult(result) => list.object(|message| tool_message(message, result, losing)),
            part => rest.push(part),
        }
    }
    if rest.is_empty() && !turn.parts.is_empty() {
        return;
    }
    list.object(|message| match turn.role {
        Role::System | Role::Developer => {
            message.put("role", "system");
            content(message, &rest, losing);
        }
        Role::User => {
            message.put("role", "user");
            content(message, &rest, losing);
        }
        Role::Assistant => {
            message.put("role", "assistant");
            answered(message, &rest, model, losing);
        }
    });
}

/// What the model said: words, thoughts, calls.
fn answered(message: &mut Object<'_>, parts: &[&Part<'_>], model: &str, losing: &mut Losing<'_>) {
    let calls: Vec<_> = parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    // A sealed thought is another vendor's.
    let sealed = |part: &&Part<'_>| match part {
        Part::Thinking(thought) => thought.proof.is_some(),
        Part::ToolCall(call) => call.proof.is_some(),
        _ => false,
    };
    losing.note_if(parts.iter().any(sealed), Param::Thinking);
    losing.note_if(calls.iter().any(|call| call.cache.is_some()), Param::Cache);
    let thoughts = || {
        parts.iter().filter_map(|part| match part {
            Part::Thinking(thought) if thought.proof.is_none() && !thought.text.is_empty() => {
                Some(&*thought.text)
            }
            _ => None,
        })
    };
    let is_plan = !calls.is_empty() && !model.contains("reasoning");
    let said: Vec<&Part<'_>> = parts.iter().copied().filter(|part| is_said(part)).collect();
    if !is_plan && thoughts().next().is_some() {
        message.list("content", |list| {
            for text in thoughts() {
                list.object(|block| {
                    block.put("type", "thinking");
                    block.put("thinking", text);
                });
            }
            said.iter().for_each(|part| block(list, part, losing));
        });
    } else if !said.is_empty() || calls.is_empty() {
        content(message, &said, losing);
    }
    if is_plan && thoughts().next().is_some() {
        message.put("tool_plan", &thoughts().collect::<Vec<_>>().join(""));
    }
    if !calls.is_empty() {
        message.list("tool_calls", |list| {
            for call in calls {
                list.object(|entry| put_tool_call(entry, call, &call.id));
            }
        });
    }
    let cited = said.iter().find_map(|part| match part {
        Part::Text(text) => text.citations.as_ref().filter(|(name, _)| *name == NAME),
        _ => None,
    });
    message.maybe("citations", cited.map(|(_, raw)| raw));
}

fn tool_message(message: &mut Object<'_>, result: &ToolResult<'_>, losing: &mut Losing<'_>) {
    losing.note_if(result.cache.is_some(), Param::Cache);
    // What the tool said of it is told; without a word, these are.
    losing.note_if(result.is_error && !result.parts.is_empty(), Param::ToolError);
    message.put("role", "tool");
    message.put("tool_call_id", &result.id);
    let parts: Vec<&Part<'_>> = result.parts.iter().collect();
    if result.is_error && parts.is_empty() {
        message.put("content", "The tool failed.");
    } else {
        // Results are of words alone.
        let words: Vec<&Part<'_>> = parts.iter().copied().filter(|part| text_of(part).is_some()).collect();
        parts.iter().filter(|part| text_of(part).is_none()).for_each(|part| note_medium(part, losing));
        content(message, &words, losing);
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

fn is_said(part: &Part<'_>) -> bool {
    text_of(part).is_some() || matches!(part, Part::Media(_))
}

/// A single text is a text, everything else a list.
fn content(message: &mut Object<'_>, parts: &[&Part<'_>], losing: &mut Losing<'_>) {
    let (told, left): (Vec<_>, Vec<_>) =
        parts.iter().copied().partition(|part| text_of(part).is_some() || image_of(part).is_some());
    left.iter().for_each(|part| note_medium(part, losing));
    match told.as_slice() {
        [] => message.put("content", ""),
        [only] if text_of(only).is_some() => {
            note_cache(only, losing);
            message.put("content", text_of(only).unwrap_or_default());
        }
        parts => message.list("content", |list| parts.iter().for_each(|part| block(list, part, losing))),
    }
}

fn note_cache(part: &Part<'_>, losing: &mut Losing<'_>) {
    let cache = match part {
        Part::Text(text) => text.cache,
        Part::Media(media) => media.cache,
        _ => None,
    };
    losing.note_if(cache.is_some(), Param::Cache);
}

fn note_medium(part: &Part<'_>, losing: &mut Losing<'_>) {
    if let Part::Media(media) = part {
        losing.note(match media.kind {
            MediaKind::Image => Param::Image,
            MediaKind::Audio => Param::Audio,
            MediaKind::Video => Param::Video,
            MediaKind::Document => Param::Document,
        });
    }
}

fn block(list: &mut List<'_>, part: &Part<'_>, losing: &mut Losing<'_>) {
    note_cache(part, losing);
    if let Some(text) = text_of(part) {
        list.object(|block| {
            block.put("type", "text");
            block.put("text", text);
        });
        return;
    }
    let Some((url, detail)) = image_of(part) else { return note_medium(part, losing) };
    list.object(|block| {
        block.put("type", "image_url");
        block.object("image_url", |image| {
            image.put("url", &url);
            image.maybe("detail", detail);
        });
    });
}

/// The address of a picture, which may hold it, and how closely it is to be looked at.
fn image_of<'p>(part: &'p Part<'_>) -> Option<(Cow<'p, str>, Option<&'p str>)> {
    let Part::Media(media) = part else { return None };
    let url = match (media.kind, &media.source) {
        (MediaKind::Image, Source::Url(url)) => Cow::Borrowed(&**url),
        (MediaKind::Image, Source::Data { mime, base64 }) => {
            Cow::Owned(format!("data:{mime};base64,{base64}"))
        }
        _ => return None,
    };
    Some((url, media.detail.as_deref()))
}

/// Which of several tools is to be called cannot be said; so only that one is offered.
fn tools(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    losing.note_if(call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. })), Param::NativeTool);
    let wanted = match &call.tool_choice {
        Some(ToolChoice::Named(name)) => Some(name),
        _ => None,
    };
    let functions = || {
        call.tools.iter().filter_map(|tool| match tool {
            Tool::Function { name, description, parameters, strict, cache } => {
                Some((name, description, parameters, strict, cache))
            }
            Tool::Native { .. } => None,
        })
    };
    if functions().next().is_none() {
        return;
    }
    let known = wanted.filter(|wanted| functions().any(|(name, ..)| name == *wanted));
    losing.note_if(wanted.is_some() && known.is_none(), Param::ToolChoice);
    let offered = || functions().filter(|(name, ..)| known.is_none_or(|known| *name == known));
    body.list("tools", |list| {
        for (name, description, parameters, _, cache) in offered() {
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
    // It is said of all of them or of none.
    let strict = |strict: &Option<bool>| *strict == Some(true);
    if offered().all(|(_, _, _, wish, _)| strict(wish)) {
        body.put("strict_tools", &true);
    } else {
        losing.note_if(offered().any(|(_, _, _, wish, _)| strict(wish)), Param::Strict);
    }
    match &call.tool_choice {
        Some(ToolChoice::Required) => body.put("tool_choice", "REQUIRED"),
        Some(ToolChoice::Named(_)) if known.is_some() => body.put("tool_choice", "REQUIRED"),
        Some(ToolChoice::None) => body.put("tool_choice", "NONE"),
        Some(ToolChoice::Auto | ToolChoice::Named(_)) | None => {}
    }
    losing.note_if(call.parallel_tools == Some(false), Param::ParallelTools);
}

fn settings(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    match &call.output {
        None => {}
        Some(Output::Json) => body.object("response_format", |format| format.put("type", "json_object")),
        Some(Output::Schema { schema, .. }) => body.object("response_format", |format| {
            format.put("type", "json_object");
            format.put("json_schema", schema);
        }),
    }
    if let Some(reasoning) = call.reasoning {
        thinking(body, reasoning);
    }
    body.maybe("max_tokens", call.max_tokens.as_ref());
    sampling(body, call, losing);
    if call.stream {
        body.put("stream", &true);
    }
    losing.note_if(call.user.is_some(), Param::User);
    losing.note_if(call.metadata.is_some(), Param::Metadata);
    losing.note_if(call.cache_key.is_some(), Param::Cache);
    let tier = call.service_tier.as_deref();
    losing.note_if(tier.is_some_and(|tier| !matches!(tier, "auto" | "default")), Param::ServiceTier);
}

/// How tokens are drawn, within the bounds of each.
fn sampling(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    let sampling = &call.sampling;
    body.maybe("temperature", sampling.temperature.as_ref());
    // The likeliest tokens' share is below 1; all of them is as good as nearly all.
    body.maybe("p", sampling.top_p.map(|p| p.clamp(0.01, 0.99)).as_ref());
    losing.note_if(sampling.top_k.is_some_and(|k| k > MOST_K), Param::TopK);
    body.maybe("k", sampling.top_k.map(|k| k.min(MOST_K)).as_ref());
    body.maybe("seed", sampling.seed.as_ref());
    for (key, penalty, param) in [
        ("frequency_penalty", sampling.frequency_penalty, Param::FrequencyPenalty),
        ("presence_penalty", sampling.presence_penalty, Param::PresencePenalty),
    ] {
        losing.note_if(penalty.is_some_and(|p| !(0.0..=1.0).contains(&p)), param);
        body.maybe(key, penalty.map(|p| p.clamp(0.0, 1.0)).as_ref());
    }
    losing.note_if(sampling.stop.len() > MOST_STOPS, Param::Stop);
    if !sampling.stop.is_empty() {
        body.put("stop_sequences", &sampling.stop.iter().take(MOST_STOPS).collect::<Vec<_>>());
    }
    body.maybe("logprobs", sampling.logprobs.as_ref());
    losing.note_if(sampling.top_logprobs.is_some_and(|others| others > 0), Param::Logprobs);
    losing.note_if(sampling.min_p.is_some(), Param::MinP);
    losing.note_if(sampling.repetition_penalty.is_some_and(|p| p != 1.0), Param::RepetitionPenalty);
    losing.note_if(sampling.n.is_some_and(|n| n > 1), Param::N);
    losing.note_if(sampling.logit_bias.is_some(), Param::LogitBias);
}

fn thinking(body: &mut Object<'_>, reasoning: Reasoning) {
    if reasoning.effort().is_none() {
        return;
    }
    body.object("thinking", |thinking| {
        if reasoning.effort() == Some(Effort::None) {
            thinking.put("type", "disabled");
        } else {
            thinking.put("type", "enabled");
            thinking.maybe("token_budget", reasoning.budget().as_ref());
        }
    });
}
