//! What a call refers to that is kept elsewhere, and the refusal when it is not.

use crate::format::read;
use crate::neutral::{Lost, Raw, Str};
use serde::Deserialize;
use weir_core::{Class, Fault};

/// What a call says of things that are kept: facts for whoever keeps answers, before the call goes anywhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept<'a> {
    /// The answer that the conversation goes on from (`previous_response_id`).
    pub previous: Option<Str<'a>>,
    /// Items in place of which an id stands (`item_reference`), by their place in `input`.
    pub references: Vec<(usize, Str<'a>)>,
    /// Whether the answer is to be kept, where the call says so; by default it is.
    pub store: Option<bool>,
    /// Whether the client will ask for the answer later instead of waiting for it.
    pub background: bool,
}

#[derive(Deserialize)]
struct Facts<'a> {
    #[serde(borrow)]
    input: Option<read::TextOr<'a, Vec<Raw<'a>>>>,
    previous_response_id: Option<Str<'a>>,
    store: Option<bool>,
    background: Option<bool>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Str<'a>>,
    role: Option<serde::de::IgnoredAny>,
    id: Option<Str<'a>>,
}

/// What `body` refers to.
///
/// # Errors
/// The caller's, naming the field that is of a wrong type.
pub fn kept<'b>(body: &'b [u8]) -> Result<Kept<'b>, Fault> {
    let facts: Facts<'b> = read::call(body, &mut Lost::default())?;
    let mut references = Vec::new();
    if let Some(read::TextOr::Other(items)) = facts.input {
        for (at, raw) in items.into_iter().enumerate() {
            let body = raw.text().as_bytes();
            let item: Reference<'b> = read::call_at(body, &format!("input[{at}]"), &mut Lost::default())?;
            let refers = match &item.kind {
                Some(kind) => *kind == *"item_reference",
                None => item.role.is_none(),
            };
            references.extend(item.id.filter(|_| refers).map(|id| (at, id)));
        }
    }
    Ok(Kept {
        previous: facts.previous_response_id,
        references,
        store: facts.store,
        background: facts.background.unwrap_or(false),
    })
}

/// The fault of a call that goes on from an answer that is not here.
pub fn no_answer(id: &str) -> Fault {
    let message = format!("Previous response with id '{id}' not found.");
    Fault::new(Class::Caller, 400, "previous_response_not_found", message).with_param("previous_response_id")
}

/// The fault of an item that stands for another one that is not here.
pub(super) fn no_item(path: &str, item: &[u8]) -> Fault {
    let id = serde_json::from_slice::<Reference<'_>>(item).ok().and_then(|item| item.id).unwrap_or_default();
    let message = format!("Item with id '{id}' not found.");
    Fault::new(Class::Caller, 400, "item_not_found", message).with_param(format!("{path}.id"))
}

/// The fault of a call that takes a part of its prompt from where only OpenAI finds it.
pub(super) fn elsewhere(param: &'static str) -> Fault {
    let message = format!(
        "`{param}` names what OpenAI keeps, and the model that would answer is not OpenAI's: send it in `input`."
    );
    Fault::new(Class::Caller, 400, "unsupported_value", message).with_param(param)
}
