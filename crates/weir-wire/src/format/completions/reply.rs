//! A whole answer, read and written.

use super::{finish, finish_word, logprobs};
use crate::format::Asked;
use crate::format::chat::write_usage;
use crate::format::read;
use crate::json::write::object;
use crate::neutral::{Choice, Finish, Part, Raw, Reply, Str, Text};
use crate::usage;
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    created: Option<i64>,
    choices: Vec<AnswerChoice<'a>>,
    #[serde(borrow)]
    usage: Option<Raw<'a>>,
    service_tier: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct AnswerChoice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    finish_reason: Option<Str<'a>>,
    logprobs: Option<Raw<'a>>,
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let answer: Answer<'b> = read::answer(body)?;
    let choice = |(choice, at): (AnswerChoice<'b>, u32)| Choice {
        index: choice.index.unwrap_or(at),
        parts: choice
            .text
            .filter(|text| !text.is_empty())
            .map(|text| Part::Text(Text { text, ..Text::default() }))
            .into_iter()
            .collect(),
        finish: choice.finish_reason.map(finish),
        logprobs: choice.logprobs.and_then(logprobs::read),
    };
    Ok(Reply {
        id: answer.id.unwrap_or_default(),
        model: answer.model.unwrap_or_default(),
        created: answer.created,
        choices: answer.choices.into_iter().zip(0..).map(choice).collect(),
        usage: answer.usage.and_then(|raw| usage::of(raw.text().as_bytes())),
        service_tier: answer.service_tier,
    })
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    object(&mut out, |body| {
        body.put("id", if reply.id.is_empty() { &*asked.id } else { &*reply.id });
        body.put("object", "text_completion");
        body.put("created", &reply.created.unwrap_or(asked.now));
        body.put("model", if reply.model.is_empty() { &*asked.model } else { &*reply.model });
        body.list("choices", |list| {
            for choice in &reply.choices {
                list.object(|entry| {
                    entry.put("text", &text(choice, &asked.repeated));
                    entry.put("index", &choice.index);
                    let mut offset = asked.repeated.chars().count();
                    match &choice.logprobs {
                        Some(figures) => logprobs::write(entry, figures.0.get(), &mut offset),
                        None => entry.put("logprobs", &()),
                    }
                    entry.put("finish_reason", finish_word(choice.finish.as_ref().unwrap_or(&Finish::Stop)));
                });
            }
        });
        if let Some(usage) = reply.usage {
            body.object("usage", |object| write_usage(object, usage));
        }
        body.maybe("service_tier", reply.service_tier.as_ref());
    });
    out
}

/// All that is said in words, behind the prompt if that is wanted.
fn text(choice: &Choice<'_>, echo: &str) -> String {
    let mut text = echo.to_owned();
    for part in &choice.parts {
        match part {
            Part::Text(words) => text.push_str(&words.text),
            Part::Refusal(words) => text.push_str(words),
            Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) | Part::Media(_) => {}
        }
    }
    text
}
