//! A call, written.

use crate::format::write::merge;
use crate::format::{Losing, Target};
use crate::json::write::object;
use crate::neutral::{Call, MediaKind, Param, Part, Role, Turn};
use std::borrow::Cow;

/// Sixteen tokens are what servers take it to mean when nothing is said, which nobody means who chats.
const USUAL_TOKENS: u64 = 1024;

/// What ends the model's part of a transcript.
const NEXT_TURN: &str = "\n\nUser:";

/// OpenAI takes so many.
const MOST_STOPS: usize = 4;

pub(super) fn call(call: &Call<'_>, target: &Target<'_>, losing: &mut Losing<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let sampling = &call.sampling;
    object(&mut out, |body| {
        body.put("model", target.model);
        let (prompt, is_transcript) = prompt(call, losing);
        body.put("prompt", &prompt);
        body.maybe("temperature", sampling.temperature.as_ref());
        body.maybe("top_p", sampling.top_p.as_ref());
        body.maybe("seed", sampling.seed.as_ref());
        body.maybe("frequency_penalty", sampling.frequency_penalty.as_ref());
        body.maybe("presence_penalty", sampling.presence_penalty.as_ref());
        body.maybe("top_k", sampling.top_k.as_ref());
        body.maybe("min_p", sampling.min_p.as_ref());
        body.maybe("repetition_penalty", sampling.repetition_penalty.as_ref());
        let mut stop: Vec<&str> = sampling.stop.iter().map(|text| &**text).collect();
        if is_transcript && stop.len() < MOST_STOPS {
            stop.push(NEXT_TURN);
        }
        if !stop.is_empty() {
            body.put("stop", &stop);
        }
        body.maybe("n", sampling.n.as_ref());
        if sampling.logprobs == Some(true) {
            body.put("logprobs", &sampling.top_logprobs.unwrap_or(0));
        }
        body.maybe("logit_bias", sampling.logit_bias.as_ref());
        let most = call.max_tokens.or(target.max_output).unwrap_or(USUAL_TOKENS);
        body.put("max_tokens", &most);
        if call.stream {
            body.put("stream", &true);
            if target.stream_usage {
                body.object("stream_options", |options| options.put("include_usage", &true));
            }
        }
        body.maybe("user", call.user.as_ref());
    });
    losing.note_if(!call.tools.is_empty(), Param::Tools);
    losing.note_if(call.output.is_some(), Param::Output);
    losing.note_if(call.reasoning.is_some(), Param::Reasoning);
    losing.note_if(call.metadata.is_some(), Param::Metadata);
    losing.note_if(call.cache_key.is_some(), Param::Cache);
    losing.note_if(call.service_tier.is_some(), Param::ServiceTier);
    if let Some(extra) = &call.extra {
        merge(&mut out, extra.text());
    }
    out
}

/// What is to be completed, and whether it is a transcript.
fn prompt<'c>(call: &'c Call<'_>, losing: &mut Losing<'_>) -> (Cow<'c, str>, bool) {
    if let [Turn { role: Role::User, parts, name: None }] = call.turns.as_slice()
        && let [Part::Text(text)] = parts.as_slice()
    {
        losing.note_if(text.cache.is_some(), Param::Cache);
        return (Cow::Borrowed(&text.text), false);
    }
    let mut out = String::new();
    for turn in &call.turns {
        losing.note_if(turn.name.is_some(), Param::Name);
        let words = words(turn, losing);
        if words.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str("\n\n");
        }
        out.push_str(match turn.role {
            Role::System | Role::Developer => "",
            Role::User => "User: ",
            Role::Assistant => "Assistant: ",
        });
        out.push_str(&words);
    }
    // What the model is said to have begun, it goes on with.
    if call.turns.last().is_none_or(|turn| turn.role != Role::Assistant) {
        out.push_str("\n\nAssistant:");
    }
    (Cow::Owned(out), true)
}

/// What is said in a turn, as far as words go.
fn words(turn: &Turn<'_>, losing: &mut Losing<'_>) -> String {
    let mut words = String::new();
    for part in &turn.parts {
        match part {
            Part::Text(text) => {
                losing.note_if(text.cache.is_some(), Param::Cache);
                words.push_str(&text.text);
            }
            Part::Refusal(text) => words.push_str(text),
            Part::Thinking(_) => losing.note(Param::Thinking),
            Part::ToolCall(_) | Part::ToolResult(_) => losing.note(Param::Tools),
            Part::Media(media) => losing.note(match media.kind {
                MediaKind::Image => Param::Image,
                MediaKind::Audio => Param::Audio,
                MediaKind::Video => Param::Video,
                MediaKind::Document => Param::Document,
            }),
        }
    }
    words
}
