//! A message, read and written.

use super::write::tool_use;
use super::{NAME, Tokens, finish, finish_word, stop_sequence, write_usage};
use crate::format::Asked;
use crate::format::read::{self, proof_of, seal_for};
use crate::format::tools::id_in;
use crate::json::write::{List, Object, object};
use crate::neutral::{Choice, Finish, Part, Proof, Raw, Reply, Str, Text, Thinking, ToolCall};
use serde::Deserialize;
use weir_core::Fault;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    model: Option<Str<'a>>,
    content: Vec<Block<'a>>,
    stop_reason: Option<Str<'a>>,
    stop_sequence: Option<Str<'a>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    text: Option<Str<'a>>,
    citations: Option<Raw<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    input: Option<Raw<'a>>,
    thinking: Option<Str<'a>>,
    signature: Option<Str<'a>>,
    data: Option<Str<'a>>,
}

pub(super) fn read<'b>(body: &'b [u8]) -> Result<Reply<'b>, Fault> {
    let message: Message<'b> = read::answer(body)?;
    let choice = Choice {
        index: 0,
        parts: message.content.into_iter().filter_map(part).collect(),
        finish: message.stop_reason.map(|word| finish(word, message.stop_sequence)),
        logprobs: None,
    };
    Ok(Reply {
        id: message.id.unwrap_or_default(),
        model: message.model.unwrap_or_default(),
        created: None,
        choices: vec![choice],
        usage: message.usage.and_then(Tokens::usage),
        service_tier: None,
    })
}

/// What the vendor's own tools did and found is not for other formats' clients: the text speaks of it.
fn part<'a>(block: Block<'a>) -> Option<Part<'a>> {
    let seal = |seal: Option<Str<'a>>| seal.filter(|seal| !seal.is_empty()).map(|seal| proof_of(NAME, &seal));
    Some(match &*block.kind {
        "text" => Part::Text(Text {
            text: block.text.unwrap_or_default(),
            citations: block
                .citations
                .filter(|raw| !matches!(raw.text(), "null" | "[]"))
                .map(|raw| (NAME, raw)),
            cache: None,
        }),
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.id.unwrap_or_default(),
            name: block.name.unwrap_or_default(),
            arguments: block.input.map(|input| Str::from(input.text())).unwrap_or_default(),
            proof: None,
            cache: None,
        }),
        "thinking" => Part::Thinking(Thinking {
            text: block.thinking.unwrap_or_default(),
            proof: seal(block.signature),
            hidden: false,
        }),
        "redacted_thinking" => {
            Part::Thinking(Thinking { text: Str::default(), proof: seal(block.data), hidden: true })
        }
        _ => return None,
    })
}

pub(super) fn write(reply: &Reply<'_>, asked: &Asked) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let nothing = Choice::default();
    // This format has room for one answer; nobody who speaks it can ask for more.
    let choice = reply.choices.first().unwrap_or(&nothing);
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let finish = choice.finish.as_ref().map(|finish| if refused { &Finish::Refusal } else { finish });
    let id = if reply.id.is_empty() { &*asked.id } else { &*reply.id };
    object(&mut out, |message| {
        message.put("id", id);
        message.put("type", "message");
        message.put("role", "assistant");
        message.put("model", if reply.model.is_empty() { &*asked.model } else { &*reply.model });
        message.list("content", |list| {
            let mut calls = 0;
            choice.parts.iter().for_each(|part| block(list, part, id, &mut calls));
        });
        message.put("stop_reason", finish_word(finish.unwrap_or(&Finish::Stop)));
        message.put("stop_sequence", &stop_sequence(finish));
        message.object("usage", |object| write_usage(object, reply.usage.unwrap_or_default()));
    });
    out
}

/// A seal on what follows, which has no place of its own here (Gemini's, on a call): a thought without words holds it, and
/// its client hands it back.
pub(super) fn empty_thought(block: &mut Object<'_>, proof: &Proof<'_>) {
    block.put("type", "thinking");
    block.put("thinking", "");
    block.put("signature", &seal_for(NAME, proof));
}

/// `answer`: by what ids are made for calls that have none.
fn block(list: &mut List<'_>, part: &Part<'_>, answer: &str, calls: &mut u32) {
    match part {
        Part::Text(text) => list.object(|block| {
            block.put("type", "text");
            block.put("text", &text.text);
            // Where there are none the member is left out: not every client takes null for it.
            if let Some((NAME, citations)) = &text.citations {
                block.put("citations", citations);
            }
        }),
        Part::Refusal(words) => list.object(|block| {
            block.put("type", "text");
            block.put("text", words);
        }),
        Part::Thinking(thought) => list.object(|block| {
            let seal = thought.proof.as_ref().map(|proof| seal_for(NAME, proof)).unwrap_or_default();
            if thought.hidden {
                block.put("type", "redacted_thinking");
                block.put("data", &seal);
            } else {
                block.put("type", "thinking");
                block.put("thinking", &thought.text);
                block.put("signature", &seal);
            }
        }),
        Part::ToolCall(call) => {
            if let Some(proof) = &call.proof {
                list.object(|block| empty_thought(block, proof));
            }
            list.object(|block| tool_use(block, call, &id_in(answer, &call.id, *calls)));
            *calls += 1;
        }
        Part::ToolResult(_) | Part::Media(_) => {}
    }
}
