//! An answer of Converse, read and written.

use super::call::{Block, parts};
use super::write::{put_thinking, put_tool_use};
use super::{Beside, NAME, Tokens, Trace, finish, finish_word, write_beside, write_usage};
use crate::format::read::{self, blob_for, seal_for};
use crate::format::tools::id_in;
use crate::json::write::{List, object};
use crate::neutral::{Choice, Finish, Lost, Part, Reply, Str};
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Output<'a>,
    stop_reason: Option<Str<'a>>,
    usage: Option<Tokens<'a>>,
    additional_model_response_fields: Option<Beside<'a>>,
    trace: Option<Trace<'a>>,
    service_tier: Option<Tier<'a>>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Vec<Block<'a>>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let answer: Answer<'b> = read::answer(body)?;
    // What Bedrock's own tools did is not for other formats' clients: the text speaks of it.
    let parts = parts("content", answer.output.message.content, &mut Lost::default())?;
    let sequence = answer.additional_model_response_fields.and_then(|beside| beside.stop_sequence);
    let router = answer.trace.and_then(|trace| trace.prompt_router);
    Ok(Reply {
        model: router.and_then(|router| router.invoked_model_id).unwrap_or_default(),
        choices: vec![Choice {
            index: 0,
            parts,
            finish: answer.stop_reason.map(|word| finish(word, sequence)),
            logprobs: None,
        }],
        usage: answer.usage.as_ref().and_then(Tokens::usage),
        service_tier: answer.service_tier.and_then(|tier| tier.kind),
        ..Reply::default()
    })
}

pub(super) fn write(reply: &Reply<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let nothing = Choice::default();
    // This format has room for one answer; nobody who speaks it can ask for more.
    let choice = reply.choices.first().unwrap_or(&nothing);
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let finish = choice.finish.as_ref().map(|finish| if refused { &Finish::Refusal } else { finish });
    object(&mut out, |body| {
        body.object("output", |output| {
            output.object("message", |message| {
                message.put("role", "assistant");
                message.list("content", |list| {
                    let mut calls = 0;
                    choice.parts.iter().for_each(|part| block(list, part, &reply.id, &mut calls));
                });
            });
        });
        body.put("stopReason", finish_word(finish.unwrap_or(&Finish::Stop)));
        body.object("usage", |object| write_usage(object, reply.usage.unwrap_or_default()));
        body.object("metrics", |metrics| metrics.put("latencyMs", &0));
        write_beside(body, finish);
    });
    out
}

/// `answer`: by what ids are made for calls that have none.
fn block(list: &mut List<'_>, part: &Part<'_>, answer: &str, calls: &mut u32) {
    match part {
        Part::Text(text) => match &text.citations {
            Some((NAME, citations)) => list.object(|block| {
                block.object("citationsContent", |cited| {
                    cited.list("content", |list| list.object(|said| said.put("text", &text.text)));
                    cited.put("citations", citations);
                });
            }),
            _ => list.object(|block| block.put("text", &text.text)),
        },
        Part::Refusal(words) => list.object(|block| block.put("text", words)),
        Part::Thinking(thought) => list.object(|block| {
            let seal = if thought.hidden { blob_for } else { seal_for };
            let seal = thought.proof.as_ref().map(|proof| seal(NAME, proof));
            put_thinking(block, &thought.text, seal.as_deref(), thought.hidden);
        }),
        Part::ToolCall(call) => {
            if let Some(proof) = &call.proof {
                let seal = seal_for(NAME, proof);
                list.object(|block| put_thinking(block, "", Some(&seal), false));
            }
            list.object(|block| put_tool_use(block, call, &id_in(answer, &call.id, *calls)));
            *calls += 1;
        }
        Part::ToolResult(_) | Part::Media(_) => {}
    }
}
