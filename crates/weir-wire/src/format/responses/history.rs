//! A call's conversation put in its place: what was said before it, and items for which ids stand.

use super::members::{Members, quoted};
use crate::format::read::TextOr;
use crate::json::write::object;
use crate::neutral::{Raw, Str};
use serde::Deserialize;

/// A turn that is kept.
#[derive(Clone, Copy, Debug)]
pub struct Earlier<'a> {
    /// What the client sent: a JSON array of items.
    pub input: &'a str,
    /// The answer.
    pub answer: &'a str,
}

/// A call with its conversation in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complete {
    /// The body, which refers to nothing that is kept here, and is not to be carried out later.
    pub body: Vec<u8>,
    /// What of it the client sent: a JSON array of items, each with an id.
    pub input: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    output: Vec<Raw<'a>>,
}

/// Puts what was said before in front of a call, and items in the place of ids: `found` knows them by their places in
/// `input`. `id` is the answer's. `None` for a body that is no call.
pub fn complete(
    body: &[u8],
    earlier: &[Earlier<'_>],
    found: &[(usize, String)],
    id: &str,
) -> Option<Complete> {
    let call = Members::of(body)?;
    let mut items = Vec::new();
    for turn in earlier {
        items.extend(list(turn.input).iter().filter_map(|item| said_before(item.text())));
        items.extend(output(turn.answer).iter().filter_map(|item| said_before(item.text())));
    }
    let input = call.get("input")?.text();
    let mut own = Vec::new();
    match serde_json::from_str::<TextOr<'_, Vec<Raw<'_>>>>(input).ok()? {
        TextOr::Text(text) => {
            let item = message(&text);
            own.push(with_id(&item, id, 0));
            items.push(item);
        }
        TextOr::Other(list) => {
            for (at, raw) in list.iter().enumerate() {
                let meant = found.iter().find(|(place, _)| *place == at);
                match meant {
                    Some((_, item)) => {
                        own.push(item.clone());
                        items.extend(said_before(item));
                    }
                    None => {
                        own.push(with_id(raw.text(), id, at));
                        items.push(raw.text().to_owned());
                    }
                }
            }
        }
    }
    // A text that nothing goes before may stay one.
    let as_it_is = earlier.is_empty() && found.is_empty();
    let all = ["[", &items.join(","), "]"].concat();
    let all = if as_it_is { input } else { &all };
    let body = call.with(&[("input", Some(all)), ("previous_response_id", None), ("background", None)]);
    Some(Complete { body: body.into_bytes(), input: ["[", &own.join(","), "]"].concat() })
}

/// The items of an answer, or of what was sent, that have one of these ids.
pub fn find<'t>(turn: Earlier<'t>, ids: &[&str]) -> Vec<(String, &'t str)> {
    let all = list(turn.input).into_iter().chain(output(turn.answer));
    let named = all.filter_map(|item| {
        let id = Members::of(item.text().as_bytes())?.text("id")?;
        ids.contains(&&*id).then(|| (id.to_string(), item.text()))
    });
    named.collect()
}

/// The answer that an item's id names, for ids that were made here.
pub fn answer_of(item: &str) -> Option<&str> {
    const PREFIX: &str = "resp_";
    let from = item.find(PREFIX)?;
    let end = item.get(from + PREFIX.len()..)?.find('_')?;
    item.get(from..from + PREFIX.len() + end)
}

/// The items of a list, and the ids of its first and last.
pub fn page(input: &str, order: Order, after: Option<&str>, limit: usize) -> String {
    let mut items = list(input);
    if order == Order::Latest {
        items.reverse();
    }
    let id_of = |item: &Raw<'_>| Members::of(item.text().as_bytes())?.text("id").map(|id| id.to_string());
    if let Some(after) = after
        && let Some(place) = items.iter().position(|item| id_of(item).as_deref() == Some(after))
    {
        items.drain(..=place);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let mut out = Vec::with_capacity(256);
    object(&mut out, |page| {
        page.put("object", "list");
        let data: Vec<&str> = items.iter().map(|item| item.text()).collect();
        page.json("data", &["[", &data.join(","), "]"].concat());
        page.put("first_id", &items.first().and_then(id_of));
        page.put("last_id", &items.last().and_then(id_of));
        page.put("has_more", &more);
    });
    String::from_utf8(out).unwrap_or_default()
}

/// In which order items are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they were sent.
    Earliest,
    /// The last one first.
    Latest,
}

fn list(items: &str) -> Vec<Raw<'_>> {
    serde_json::from_str(items).unwrap_or_default()
}

fn output(answer: &str) -> Vec<Raw<'_>> {
    serde_json::from_str::<Answer<'_>>(answer).map(|answer| answer.output).unwrap_or_default()
}

fn message(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 96);
    object(&mut out, |item| {
        item.put("type", "message");
        item.put("role", "user");
        item.list("content", |parts| {
            parts.object(|part| {
                part.put("type", "input_text");
                part.put("text", text);
            });
        });
    });
    String::from_utf8(out).unwrap_or_default()
}

/// An item under an id of its own, where it has none.
fn with_id(item: &str, answer: &str, at: usize) -> String {
    let Some(members) = Members::of(item.as_bytes()) else { return item.to_owned() };
    if members.text("id").is_some() {
        return item.to_owned();
    }
    let kind = members.text("type").unwrap_or(Str::from("message"));
    let prefix = match &*kind {
        "message" => "msg",
        "function_call" | "function_call_output" => "fc",
        "custom_tool_call" | "custom_tool_call_output" => "ctc",
        "reasoning" => "rs",
        _ => "item",
    };
    let id = quoted(&format!("{prefix}_{answer}_in{at}"));
    members.with(&[("id", Some(&id)), ("type", Some(&quoted(&kind)))])
}

/// An item of an earlier turn as a call has it that may go to anybody: ids and states mean something only where they were
/// made. Of thoughts, only those that are sealed can be shown again.
fn said_before(item: &str) -> Option<String> {
    let members = Members::of(item.as_bytes())?;
    let kind = members.text("type");
    let ours = || members.with(&[("id", None), ("status", None)]);
    match kind.as_deref() {
        Some("reasoning") => members.text("encrypted_content").map(|_| ours()),
        Some(
            "message"
            | "function_call"
            | "function_call_output"
            | "custom_tool_call"
            | "custom_tool_call_output",
        )
        | None => Some(ours()),
        Some(_) => Some(item.to_owned()),
    }
}
