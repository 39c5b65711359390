//! A call, written.

use super::NAME;
use crate::format::write::merge;
use crate::format::{Losing, Target};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    Call, Effort, Media, MediaKind, Output, Param, Part, Role, Source, Thinking, Tool, ToolChoice,
    ToolResult, Turn,
};

/// The least that may be asked for.
const LEAST_TOKENS: u64 = 16;

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.put("model", target.model);
        let turns = match instructions(call) {
            Some(text) => {
                body.put("instructions", text);
                call.turns.get(1..).unwrap_or_default()
            }
            None => &call.turns,
        };
        body.list("input", |list| {
            for turn in turns {
                items(list, turn, losing);
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

/// Instructions that stand first, and are nothing but a text.
fn instructions<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    match call.turns.first() {
        Some(Turn { role: Role::System, parts, name: None }) => match parts.as_slice() {
            [Part::Text(text)] if text.cache.is_none() => Some(&text.text),
            _ => None,
        },
        _ => None,
    }
}

/// A turn is one item for all that is said at a stretch, and one for each thought, call and result.
fn items(list: &mut List<'_>, turn: &Turn<'_>, losing: &mut Losing<'_>) {
    losing.note_if(turn.name.is_some(), Param::Name);
    let is_said = |part: &Part<'_>| matches!(part, Part::Text(_) | Part::Refusal(_) | Part::Media(_));
    let mut rest = turn.parts.as_slice();
    while let Some(first) = rest.first() {
        let said = rest.iter().take_while(|part| is_said(part)).count();
        let (now, later) = rest.split_at(said.max(1));
        rest = later;
        match first {
            Part::Thinking(thought) => reasoning(list, thought, losing),
            Part::ToolCall(call) => list.object(|item| {
                losing.note_if(call.cache.is_some(), Param::Cache);
                losing.note_if(call.proof.is_some(), Param::Thinking);
                item.put("type", "function_call");
                item.put("call_id", &call.id);
                item.put("name", &call.name);
                let arguments = if call.arguments.is_empty() { "{}" } else { &*call.arguments };
                item.put("arguments", arguments);
            }),
            Part::ToolResult(result) => tool_result(list, result, losing),
            Part::Text(_) | Part::Refusal(_) | Part::Media(_) => message(list, turn.role, now, losing),
        }
    }
}

fn message(list: &mut List<'_>, role: Role, parts: &[Part<'_>], losing: &mut Losing<'_>) {
    list.object(|item| {
        item.put("type", "message");
        item.put(
            "role",
            match role {
                Role::System => "system",
                Role::Developer => "developer",
                Role::User => "user",
                Role::Assistant => "assistant",
            },
        );
        contents(item, "content", role, parts, losing);
    });
}

/// Text alone as text, anything else as parts.
fn contents(item: &mut Object<'_>, key: &str, role: Role, parts: &[Part<'_>], losing: &mut Losing<'_>) {
    match parts {
        [Part::Text(text)] => {
            losing.note_if(text.cache.is_some(), Param::Cache);
            item.put(key, &text.text);
        }
        parts => item.list(key, |list| {
            for part in parts {
                content(list, role, part, losing);
            }
        }),
    }
}

fn content(list: &mut List<'_>, role: Role, part: &Part<'_>, losing: &mut Losing<'_>) {
    match part {
        Part::Text(text) => {
            losing.note_if(text.cache.is_some(), Param::Cache);
            list.object(|content| {
                let kind = if role == Role::Assistant { "output_text" } else { "input_text" };
                content.put("type", kind);
                content.put("text", &text.text);
                if let Some((NAME, annotations)) = &text.citations {
                    content.put("annotations", annotations);
                }
            });
        }
        Part::Refusal(words) if role == Role::Assistant => list.object(|content| {
            content.put("type", "refusal");
            content.put("refusal", words);
        }),
        Part::Refusal(words) => list.object(|content| {
            content.put("type", "input_text");
            content.put("text", words);
        }),
        Part::Media(media) if role == Role::Assistant => losing.note(param_of(media)),
        Part::Media(media) => media_content(list, media, losing),
        Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => {} // are items of their own
    }
}

const fn param_of(media: &Media<'_>) -> Param {
    match media.kind {
        MediaKind::Image => Param::Image,
        MediaKind::Audio => Param::Audio,
        MediaKind::Video => Param::Video,
        MediaKind::Document => Param::Document,
    }
}

fn media_content(list: &mut List<'_>, media: &Media<'_>, losing: &mut Losing<'_>) {
    losing.note_if(media.cache.is_some(), Param::Cache);
    let data_url = |mime: &str, base64: &str| format!("data:{mime};base64,{base64}");
    match (media.kind, &media.source) {
        (_, Source::Text(text)) => list.object(|content| {
            content.put("type", "input_text");
            content.put("text", text);
        }),
        (MediaKind::Image, source) => list.object(|content| {
            content.put("type", "input_image");
            match source {
                Source::File(id) => content.put("file_id", id),
                Source::Data { mime, base64 } => content.put("image_url", &data_url(mime, base64)),
                Source::Url(text) | Source::Text(text) => content.put("image_url", text),
            }
            content.maybe("detail", media.detail.as_ref());
        }),
        (MediaKind::Document, source) => list.object(|content| {
            content.put("type", "input_file");
            match source {
                Source::File(id) => content.put("file_id", id),
                Source::Data { mime, base64 } => content.put("file_data", &data_url(mime, base64)),
                Source::Url(text) | Source::Text(text) => content.put("file_url", text),
            }
            // A file that is sent has to have a name.
            match (&media.name, source) {
                (Some(name), Source::Data { .. }) => content.put("filename", name),
                (None, Source::Data { .. }) => content.put("filename", "document.pdf"),
                _ => {}
            }
        }),
        (MediaKind::Audio, Source::Data { mime, base64 }) => list.object(|content| {
            content.put("type", "input_audio");
            content.object("input_audio", |audio| {
                audio.put("data", base64);
                audio.put(
                    "format",
                    match mime.rsplit('/').next().unwrap_or("wav") {
                        "mpeg" => "mp3",
                        "x-wav" | "wave" => "wav",
                        other => other,
                    },
                );
            });
        }),
        (MediaKind::Audio | MediaKind::Video, _) => losing.note(param_of(media)),
    }
}

/// Another vendor's thoughts are of no use to a model, and its seal would be refused.
fn reasoning(list: &mut List<'_>, thought: &Thinking<'_>, losing: &mut Losing<'_>) {
    let Some(proof) = thought.proof.as_ref().filter(|proof| proof.format == *NAME) else {
        losing.note(Param::Thinking);
        return;
    };
    list.object(|item| {
        item.put("type", "reasoning");
        item.list("summary", |list| {
            if !thought.text.is_empty() {
                list.object(|part| super::answer::summary_part(part, &thought.text));
            }
        });
        item.put("encrypted_content", &proof.seal);
    });
}

fn tool_result(list: &mut List<'_>, result: &ToolResult<'_>, losing: &mut Losing<'_>) {
    losing.note_if(result.cache.is_some(), Param::Cache);
    losing.note_if(result.is_error && !result.parts.is_empty(), Param::ToolError);
    list.object(|item| {
        item.put("type", "function_call_output");
        item.put("call_id", &result.id);
        match result.parts.as_slice() {
            [] if result.is_error => item.put("output", "The tool failed."),
            [] => item.put("output", ""),
            parts => contents(item, "output", Role::User, parts, losing),
        }
    });
}

fn tools(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    losing.note_if(call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. })), Param::NativeTool);
    losing.note_if(
        call.tools.iter().any(|tool| matches!(tool, Tool::Function { cache: Some(_), .. })),
        Param::Cache,
    );
    if !call.tools.iter().any(|tool| matches!(tool, Tool::Function { .. })) {
        return;
    }
    body.list("tools", |list| {
        for tool in &call.tools {
            let Tool::Function { name, description, parameters, strict, .. } = tool else { continue };
            list.object(|tool| {
                tool.put("type", "function");
                tool.put("name", name);
                tool.maybe("description", description.as_ref());
                match parameters {
                    Some(parameters) => tool.put("parameters", parameters),
                    None => tool.json("parameters", r#"{"type":"object","properties":{}}"#),
                }
                // Here alone a function is strict unless it is said not to be.
                tool.put("strict", &strict.unwrap_or(false));
            });
        }
    });
    match &call.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => body.put("tool_choice", "auto"),
        Some(ToolChoice::None) => body.put("tool_choice", "none"),
        Some(ToolChoice::Required) => body.put("tool_choice", "required"),
        Some(ToolChoice::Named(name)) => body.object("tool_choice", |choice| {
            choice.put("type", "function");
            choice.put("name", name);
        }),
    }
    body.maybe("parallel_tool_calls", call.parallel_tools.as_ref());
}

fn settings(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    match &call.output {
        None => {}
        Some(Output::Json) => body.object("text", |text| {
            text.object("format", |format| format.put("type", "json_object"));
        }),
        Some(Output::Schema { name, description, schema, strict }) => body.object("text", |text| {
            text.object("format", |format| {
                format.put("type", "json_schema");
                format.put("name", name.as_deref().unwrap_or("answer"));
                format.maybe("description", description.as_ref());
                format.put("schema", schema);
                format.maybe("strict", strict.as_ref());
            });
        }),
    }
    let effort = call.reasoning.and_then(|reasoning| reasoning.effort());
    let shown = call.reasoning.and_then(|reasoning| reasoning.shown) == Some(true);
    if effort.is_some() || shown {
        body.object("reasoning", |reasoning| {
            reasoning.maybe("effort", effort.map(Effort::name));
            if shown {
                reasoning.put("summary", "auto");
            }
        });
    }
    let sampling = &call.sampling;
    include(body, call, effort);
    body.maybe("temperature", sampling.temperature.as_ref());
    body.maybe("top_p", sampling.top_p.as_ref());
    body.maybe("top_logprobs", sampling.top_logprobs.as_ref());
    losing.note_if(call.max_tokens.is_some_and(|most| most < LEAST_TOKENS), Param::MaxTokens);
    body.maybe("max_output_tokens", call.max_tokens.map(|most| most.max(LEAST_TOKENS)).as_ref());
    // What is asked of other formats is not kept anywhere.
    body.put("store", &false);
    if call.stream {
        body.put("stream", &true);
    }
    body.maybe("user", call.user.as_ref());
    body.maybe("metadata", call.metadata.as_ref());
    body.maybe("prompt_cache_key", call.cache_key.as_ref());
    body.maybe("service_tier", call.service_tier.as_ref());
    losing.note_if(!sampling.stop.is_empty(), Param::Stop);
    losing.note_if(sampling.n.is_some_and(|n| n > 1), Param::N);
    losing.note_if(sampling.top_k.is_some(), Param::TopK);
    losing.note_if(sampling.min_p.is_some(), Param::MinP);
    losing.note_if(sampling.seed.is_some(), Param::Seed);
    losing.note_if(sampling.frequency_penalty.is_some_and(|p| p != 0.0), Param::FrequencyPenalty);
    losing.note_if(sampling.presence_penalty.is_some_and(|p| p != 0.0), Param::PresencePenalty);
    losing.note_if(sampling.repetition_penalty.is_some_and(|p| p != 1.0), Param::RepetitionPenalty);
    losing.note_if(sampling.logit_bias.is_some(), Param::LogitBias);
}

/// A model that thinks has to be asked for the seals of its thoughts, since they are kept nowhere; one that does not
/// refuses to be.
fn include(body: &mut Object<'_>, call: &Call<'_>, effort: Option<Effort>) {
    let own = |part: &Part<'_>| matches!(part, Part::Thinking(Thinking { proof: Some(proof), .. }) if proof.format == *NAME);
    let thought = || call.turns.iter().any(|turn| turn.parts.iter().any(own));
    let mut wanted = Vec::new();
    if effort.is_some_and(|effort| effort != Effort::None) || (effort.is_none() && thought()) {
        wanted.push("reasoning.encrypted_content");
    }
    if call.sampling.logprobs == Some(true) {
        wanted.push("message.output_text.logprobs");
    }
    if !wanted.is_empty() {
        body.put("include", &wanted);
    }
}
