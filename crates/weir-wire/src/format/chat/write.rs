//! A chat call, written.

use crate::format::read::seal_for;
use crate::format::write::merge;
use crate::format::{Losing, Target, messages};
use crate::json::write::{List, Object, object};
use crate::neutral::{
    Call, Media, MediaKind, Output, Param, Part, Role, Source, Thinking, Tool, ToolCall, ToolChoice,
    ToolResult, Turn,
};

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |body| {
        body.put("model", target.model);
        body.list("messages", |list| {
            for turn in &call.turns {
                messages_of(list, turn, target, losing);
            }
        });
        tools(body, call, losing);
        settings(body, call, target, losing);
    });
    if let Some(extra) = &call.extra {
        merge(&mut out, extra.text());
    }
    out
}

fn tools(body: &mut Object<'_>, call: &Call<'_>, losing: &mut Losing<'_>) {
    let functions = || {
        call.tools.iter().filter_map(|tool| match tool {
            Tool::Function { name, description, parameters, strict, .. } => {
                Some((name, description, parameters, strict))
            }
            Tool::Native { .. } => None,
        })
    };
    losing.note_if(call.tools.iter().any(|tool| matches!(tool, Tool::Native { .. })), Param::NativeTool);
    losing.note_if(
        call.tools.iter().any(|tool| matches!(tool, Tool::Function { cache: Some(_), .. })),
        Param::Cache,
    );
    if functions().next().is_none() {
        return;
    }
    body.list("tools", |list| {
        for (name, description, parameters, strict) in functions() {
            list.object(|tool| {
                tool.put("type", "function");
                tool.object("function", |function| {
                    function.put("name", name);
                    function.maybe("description", description.as_ref());
                    function.maybe("parameters", parameters.as_ref());
                    function.maybe("strict", strict.as_ref());
                });
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
            choice.object("function", |function| function.put("name", name));
        }),
    }
    body.maybe("parallel_tool_calls", call.parallel_tools.as_ref());
}

fn settings(body: &mut Object<'_>, call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) {
    match &call.output {
        None => {}
        Some(Output::Json) => body.object("response_format", |format| format.put("type", "json_object")),
        Some(Output::Schema { name, description, schema, strict }) => {
            body.object("response_format", |format| {
                format.put("type", "json_schema");
                format.object("json_schema", |wish| {
                    wish.put("name", name.as_deref().unwrap_or("answer"));
                    wish.maybe("description", description.as_ref());
                    wish.put("schema", schema);
                    wish.maybe("strict", strict.as_ref());
                });
            });
        }
    }
    if let Some(effort) = call.reasoning.and_then(|reasoning| reasoning.effort()) {
        body.put("reasoning_effort", effort.name());
    }
    let sampling = &call.sampling;
    body.maybe("temperature", sampling.temperature.as_ref());
    body.maybe("top_p", sampling.top_p.as_ref());
    body.maybe("seed", sampling.seed.as_ref());
    body.maybe("frequency_penalty", sampling.frequency_penalty.as_ref());
    body.maybe("presence_penalty", sampling.presence_penalty.as_ref());
    if target.newest {
        losing.note_if(sampling.top_k.is_some(), Param::TopK);
        losing.note_if(sampling.min_p.is_some(), Param::MinP);
        losing.note_if(sampling.repetition_penalty.is_some(), Param::RepetitionPenalty);
    } else {
        body.maybe("top_k", sampling.top_k.as_ref());
        body.maybe("min_p", sampling.min_p.as_ref());
        body.maybe("repetition_penalty", sampling.repetition_penalty.as_ref());
    }
    if !sampling.stop.is_empty() {
        body.put("stop", &sampling.stop);
    }
    body.maybe("n", sampling.n.as_ref());
    body.maybe("logprobs", sampling.logprobs.as_ref());
    body.maybe("top_logprobs", sampling.top_logprobs.as_ref());
    body.maybe("logit_bias", sampling.logit_bias.as_ref());
    let most = if target.newest { "max_completion_tokens" } else { "max_tokens" };
    body.maybe(most, call.max_tokens.as_ref());
    if call.stream {
        body.put("stream", &true);
        if target.stream_usage {
            body.object("stream_options", |options| options.put("include_usage", &true));
        }
    }
    body.maybe("user", call.user.as_ref());
    body.maybe("metadata", call.metadata.as_ref());
    body.maybe("prompt_cache_key", call.cache_key.as_ref());
    body.maybe("service_tier", call.service_tier.as_ref());
}

/// A turn is one message, and one more for each result of a tool.
fn messages_of(list: &mut List<'_>, turn: &Turn<'_>, target: &Target<'_>, losing: &mut Losing<'_>) {
    let mut rest: Vec<&Part<'_>> = Vec::with_capacity(turn.parts.len());
    for part in &turn.parts {
        match part {
            Part::ToolResult(result) => tool_message(list, result, losing),
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
                Role::Developer if target.newest => "developer",
                Role::System | Role::Developer => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            },
        );
        message.maybe("name", turn.name.as_ref());
        if turn.role == Role::Assistant {
            assistant(message, &rest, losing);
        } else {
            content(message, &rest, losing);
        }
    });
}

fn tool_message(list: &mut List<'_>, result: &ToolResult<'_>, losing: &mut Losing<'_>) {
    losing.note_if(result.cache.is_some(), Param::Cache);
    // What the tool said of it is told; without a word, these are.
    losing.note_if(result.is_error && !result.parts.is_empty(), Param::ToolError);
    list.object(|message| {
        message.put("role", "tool");
        message.put("tool_call_id", &result.id);
        let parts: Vec<&Part<'_>> = result.parts.iter().collect();
        if result.is_error && parts.is_empty() {
            message.put("content", "The tool failed.");
        } else {
            content(message, &parts, losing);
        }
    });
}

/// Text alone as text, anything else as parts.
fn content(message: &mut Object<'_>, parts: &[&Part<'_>], losing: &mut Losing<'_>) {
    match parts {
        [] => message.put("content", ""),
        [Part::Text(text)] => {
            losing.note_if(text.cache.is_some(), Param::Cache);
            message.put("content", &text.text);
        }
        parts => message.list("content", |list| {
            for part in parts {
                content_part(list, part, losing);
            }
        }),
    }
}

fn content_part(list: &mut List<'_>, part: &Part<'_>, losing: &mut Losing<'_>) {
    let text = |list: &mut List<'_>, text: &str| {
        list.object(|part| {
            part.put("type", "text");
            part.put("text", text);
        });
    };
    match part {
        Part::Text(words) => {
            losing.note_if(words.cache.is_some(), Param::Cache);
            text(list, &words.text);
        }
        Part::Refusal(words) => text(list, words),
        Part::Media(media) => media_part(list, media, losing),
        Part::Thinking(_) => losing.note(Param::Thinking),
        Part::ToolCall(_) | Part::ToolResult(_) => {} // stand in messages of their own
    }
}

fn media_part(list: &mut List<'_>, media: &Media<'_>, losing: &mut Losing<'_>) {
    losing.note_if(media.cache.is_some(), Param::Cache);
    let url = match &media.source {
        Source::Url(url) => url.to_string(),
        Source::Data { mime, base64 } => format!("data:{mime};base64,{base64}"),
        Source::Text(text) => {
            list.object(|part| {
                part.put("type", "text");
                part.put("text", text);
            });
            return;
        }
        Source::File(_) => String::new(),
    };
    match (media.kind, &media.source) {
        (MediaKind::Image, Source::File(_)) => losing.note(Param::Image),
        (MediaKind::Image, _) => list.object(|part| {
            part.put("type", "image_url");
            part.object("image_url", |image| {
                image.put("url", &url);
                image.maybe("detail", media.detail.as_ref());
            });
        }),
        (MediaKind::Audio, Source::Data { mime, base64 }) => list.object(|part| {
            part.put("type", "input_audio");
            part.object("input_audio", |audio| {
                audio.put("data", base64);
                let format = mime.rsplit('/').next().unwrap_or("wav");
                audio.put(
                    "format",
                    match format {
                        "mpeg" => "mp3",
                        "x-wav" | "wave" => "wav",
                        other => other,
                    },
                );
            });
        }),
        (MediaKind::Audio, _) => losing.note(Param::Audio),
        (MediaKind::Video, Source::File(_)) => losing.note(Param::Video),
        (MediaKind::Video, _) => list.object(|part| {
            part.put("type", "video_url");
            part.object("video_url", |video| video.put("url", &url));
        }),
        (MediaKind::Document, Source::Url(_)) => losing.note(Param::Document),
        (MediaKind::Document, source) => list.object(|part| {
            part.put("type", "file");
            part.object("file", |file| {
                match source {
                    Source::File(id) => file.put("file_id", id),
                    _ => file.put("file_data", &url),
                }
                file.maybe("filename", media.name.as_ref());
            });
        }),
    }
}

fn assistant(message: &mut Object<'_>, parts: &[&Part<'_>], losing: &mut Losing<'_>) {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(&*text.text),
            _ => None,
        })
        .collect();
    let calls: Vec<&ToolCall<'_>> = parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    match (texts.as_slice(), calls.is_empty()) {
        ([], false) => message.put("content", &()),
        ([], true) => message.put("content", ""),
        (texts, _) => message.put("content", &texts.concat()),
    }
    if let Some(refusal) = parts.iter().find_map(|part| match part {
        Part::Refusal(words) => Some(words),
        _ => None,
    }) {
        message.put("refusal", refusal);
    }
    // Another vendor's thoughts are of no use to a model, and its seal would be refused.
    losing.note_if(parts.iter().any(|part| matches!(part, Part::Thinking(_))), Param::Thinking);
    losing.note_if(parts.iter().any(|part| matches!(part, Part::Media(_))), Param::Image);
    if !calls.is_empty() {
        message.list("tool_calls", |list| {
            for call in calls {
                list.object(|entry| tool_call(entry, call, &call.id));
            }
        });
    }
}

/// A call as messages hold it.
pub(super) fn tool_call(entry: &mut Object<'_>, call: &ToolCall<'_>, id: &str) {
    entry.put("id", id);
    entry.put("type", "function");
    entry.object("function", |function| {
        function.put("name", &call.name);
        let arguments = if call.arguments.is_empty() { "{}" } else { &*call.arguments };
        function.put("arguments", arguments);
    });
    if let Some(proof) = &call.proof {
        entry.object("extra_content", |extra| {
            extra.object("google", |google| google.put("thought_signature", &seal_for("gemini", proof)));
        });
    }
}

/// Thoughts as messages hold them: with their seals, for those who hand them back.
pub(super) fn thinking_block(block: &mut Object<'_>, thought: &Thinking<'_>) {
    let seal = thought.proof.as_ref().map(|proof| seal_for(messages::NAME, proof));
    if thought.hidden {
        block.put("type", "redacted_thinking");
        block.maybe("data", seal.as_ref());
    } else {
        block.put("type", "thinking");
        block.put("thinking", &thought.text);
        block.maybe("signature", seal.as_ref());
    }
}
