//! The items of a conversation, read.

use super::{NAME, free_arguments, kept, proof_of};
use crate::format::read::{self, TextOr, data_url, invalid};
use crate::neutral::{
    Lost, Media, MediaKind, Part, Raw, Role, Source, Str, Text, Thinking, ToolCall, ToolResult, Turn,
};
use serde::Deserialize;
use weir_core::Fault;

/// What tells an item's kind. A message need not say that it is one.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
    #[serde(borrow)]
    role: Option<Raw<'a>>,
    id: Option<Str<'a>>,
}

/// An item of a kind that other formats know too.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Raw<'a>>,
    #[serde(rename = "id", borrow)]
    _id: Option<Raw<'a>>,
    #[serde(rename = "status", borrow)]
    _status: Option<Raw<'a>>,
    #[serde(borrow)]
    role: Option<Str<'a>>,
    content: Option<TextOr<'a, Vec<Content<'a>>>>,
    call_id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    arguments: Option<Str<'a>>,
    input: Option<Str<'a>>,
    output: Option<TextOr<'a, Vec<Content<'a>>>>,
    summary: Option<Vec<Words<'a>>>,
    encrypted_content: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Words<'a> {
    #[serde(rename = "type", borrow)]
    _type: Option<Raw<'a>>,
    #[serde(borrow)]
    text: Str<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(rename = "type", borrow)]
    kind: Str<'a>,
    text: Option<Str<'a>>,
    annotations: Option<Raw<'a>>,
    #[serde(rename = "logprobs", borrow)]
    _logprobs: Option<Raw<'a>>,
    refusal: Option<Str<'a>>,
    image_url: Option<Str<'a>>,
    video_url: Option<Str<'a>>,
    detail: Option<Str<'a>>,
    file_id: Option<Str<'a>>,
    file_url: Option<Str<'a>>,
    file_data: Option<Str<'a>>,
    filename: Option<Str<'a>>,
    input_audio: Option<InputAudio<'a>>,
}

#[derive(Deserialize)]
struct InputAudio<'a> {
    #[serde(borrow)]
    data: Str<'a>,
    format: Str<'a>,
}

/// Appends the turns that the items make.
pub(super) fn read<'a>(items: Vec<Raw<'a>>, turns: &mut Vec<Turn<'a>>, lost: &mut Lost) -> Result<(), Fault> {
    for (at, raw) in items.into_iter().enumerate() {
        let path = format!("input[{at}]");
        let body = raw.text().as_bytes();
        let head: Head<'a> = read::call_at(body, &path, &mut Lost::default())?;
        let kind = match (head.kind, head.role.is_some(), head.id) {
            (Some(kind), ..) => kind,
            (None, true, _) => Str::from("message"),
            (None, false, Some(_)) => Str::from("item_reference"),
            (None, false, None) => return Err(invalid(&format!("{path}.type"), "it is missing")),
        };
        let mut item = || read::call_at::<Item<'a>>(body, &path, lost);
        match &*kind {
            "message" => message(&path, item()?, turns)?,
            "function_call" | "custom_tool_call" => {
                let call = call(&path, &kind, item()?)?;
                said(Part::ToolCall(call), turns);
            }
            "function_call_output" | "custom_tool_call_output" => result(&path, item()?, turns)?,
            "reasoning" => {
                if let Some(thought) = thought(item()?) {
                    said(Part::Thinking(thought), turns);
                }
            }
            "item_reference" => return Err(kept::no_item(&path, body)),
            other => lost.note(format!("{path}({other})")),
        }
    }
    Ok(())
}

/// Adds to what the model says in one go.
fn said<'a>(part: Part<'a>, turns: &mut Vec<Turn<'a>>) {
    match turns.last_mut().filter(|turn| turn.role == Role::Assistant) {
        Some(turn) => turn.parts.push(part),
        None => turns.push(Turn { role: Role::Assistant, parts: vec![part], name: None }),
    }
}

fn message<'a>(path: &str, item: Item<'a>, turns: &mut Vec<Turn<'a>>) -> Result<(), Fault> {
    let role = match item.role.as_deref() {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some(other) => {
            let what = format!("there is no role `{other}`; system, developer, user and assistant are known");
            return Err(invalid(&format!("{path}.role"), &what));
        }
        None => return Err(invalid(&format!("{path}.role"), "it is missing")),
    };
    let content = item.content.ok_or_else(|| invalid(&format!("{path}.content"), "it is missing"))?;
    let parts = contents(&format!("{path}.content"), content)?;
    // Two messages of the model are two turns; what it thinks and calls besides belongs to the one it says then.
    let goes_on = |turn: &&mut Turn<'_>| {
        turn.role == Role::Assistant
            && (turn.parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
                || turn.parts.iter().all(|part| matches!(part, Part::Thinking(_))))
    };
    match turns.last_mut().filter(|_| role == Role::Assistant).filter(goes_on) {
        Some(turn) => turn.parts.extend(parts),
        None => turns.push(Turn { role, parts, name: None }),
    }
    Ok(())
}

fn call<'a>(path: &str, kind: &str, item: Item<'a>) -> Result<ToolCall<'a>, Fault> {
    let missing = |what: &str| invalid(&format!("{path}.{what}"), "it is missing");
    let arguments = if kind == "custom_tool_call" {
        Str::from(free_arguments(&item.input.ok_or_else(|| missing("input"))?))
    } else {
        item.arguments.ok_or_else(|| missing("arguments"))?
    };
    Ok(ToolCall {
        id: item.call_id.ok_or_else(|| missing("call_id"))?,
        name: item.name.ok_or_else(|| missing("name"))?,
        arguments,
        proof: None,
        cache: None,
    })
}

/// Results of one round belong to one turn.
fn result<'a>(path: &str, item: Item<'a>, turns: &mut Vec<Turn<'a>>) -> Result<(), Fault> {
    let id = item.call_id.ok_or_else(|| invalid(&format!("{path}.call_id"), "it is missing"))?;
    let parts = match item.output {
        Some(output) => contents(&format!("{path}.output"), output)?,
        None => Vec::new(),
    };
    let part = Part::ToolResult(ToolResult { id, parts, ..ToolResult::default() });
    let is_round = |turn: &&mut Turn<'_>| {
        turn.role == Role::User
            && !turn.parts.is_empty()
            && turn.parts.iter().all(|part| matches!(part, Part::ToolResult(_)))
    };
    match turns.last_mut().filter(is_round) {
        Some(turn) => turn.parts.push(part),
        None => turns.push(Turn { role: Role::User, parts: vec![part], name: None }),
    }
    Ok(())
}

/// A thought: its summary, or else the words themselves.
fn thought(item: Item<'_>) -> Option<Thinking<'_>> {
    let mut texts: Vec<Str<'_>> = item.summary.into_iter().flatten().map(|words| words.text).collect();
    if texts.is_empty() {
        texts = match item.content {
            Some(TextOr::Text(text)) => vec![text],
            Some(TextOr::Other(content)) => content.into_iter().filter_map(|part| part.text).collect(),
            None => Vec::new(),
        };
    }
    let text = joined(texts);
    let (proof, hidden) = match item.encrypted_content.filter(|seal| !seal.is_empty()) {
        Some(seal) => {
            let (proof, hidden) = proof_of(&seal, text.is_empty());
            (Some(proof), hidden)
        }
        None => (None, false),
    };
    (proof.is_some() || !text.is_empty()).then_some(Thinking { text, proof, hidden })
}

/// The parts of a thought's summary as one text.
pub(super) fn joined(mut texts: Vec<Str<'_>>) -> Str<'_> {
    match texts.len() {
        0 => Str::default(),
        1 => texts.swap_remove(0),
        _ => Str::from(texts.iter().map(|text| &**text).collect::<Vec<_>>().join(super::BETWEEN_SUMMARIES)),
    }
}

fn contents<'a>(path: &str, content: TextOr<'a, Vec<Content<'a>>>) -> Result<Vec<Part<'a>>, Fault> {
    match content {
        TextOr::Text(text) => Ok(vec![Part::Text(Text { text, ..Text::default() })]),
        TextOr::Other(parts) => parts
            .into_iter()
            .enumerate()
            .map(|(at, content)| part(&format!("{path}[{at}]"), content))
            .collect(),
    }
}

fn part<'a>(path: &str, content: Content<'a>) -> Result<Part<'a>, Fault> {
    let missing = |what: &str| invalid(&format!("{path}.{what}"), "it is missing");
    let data_or_url = |url: Str<'a>| match data_url(&url) {
        Some((mime, base64)) => Source::Data { mime, base64 },
        None => Source::Url(url),
    };
    let media = |kind, source, name, detail| Part::Media(Media { kind, source, name, detail, cache: None });
    Ok(match &*content.kind {
        "input_text" | "output_text" | "text" => Part::Text(Text {
            text: content.text.ok_or_else(|| missing("text"))?,
            citations: annotations(content.annotations),
            cache: None,
        }),
        "refusal" => Part::Refusal(content.refusal.ok_or_else(|| missing("refusal"))?),
        "input_image" => {
            let source = match (content.file_id, content.image_url) {
                (_, Some(url)) => data_or_url(url),
                (Some(id), None) => Source::File(id),
                (None, None) => return Err(missing("image_url")),
            };
            media(MediaKind::Image, source, None, content.detail)
        }
        "input_video" => {
            let source = data_or_url(content.video_url.ok_or_else(|| missing("video_url"))?);
            media(MediaKind::Video, source, None, None)
        }
        "input_audio" => {
            let audio = content.input_audio.ok_or_else(|| missing("input_audio"))?;
            let mime = Str::from(format!("audio/{}", audio.format));
            media(MediaKind::Audio, Source::Data { mime, base64: audio.data }, None, None)
        }
        "input_file" => {
            let source = match (content.file_data, content.file_url, content.file_id) {
                (Some(data), ..) => match data_url(&data) {
                    Some((mime, base64)) => Source::Data { mime, base64 },
                    None => Source::Data { mime: Str::from("application/pdf"), base64: data },
                },
                (None, Some(url), _) => Source::Url(url),
                (None, None, Some(id)) => Source::File(id),
                (None, None, None) => return Err(missing("file_data")),
            };
            media(MediaKind::Document, source, content.filename, None)
        }
        other => {
            let what = format!("there is no kind of content `{other}`");
            return Err(invalid(&format!("{path}.type"), &what));
        }
    })
}

/// Where a text was taken from, if it says so.
pub(super) fn annotations<'a>(raw: Option<Raw<'a>>) -> Option<(&'static str, Raw<'a>)> {
    raw.filter(|raw| !matches!(raw.text(), "null" | "[]")).map(|raw| (NAME, raw))
}
