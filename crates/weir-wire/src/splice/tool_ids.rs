//! Ids of tool calls in the form that Mistral's API wants: nine letters and digits.

use super::{Edit, Edits, push_json_string, value_of};
use crate::call::CallFacts;
use crate::neutral::Str;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::hash::{DefaultHasher, Hash, Hasher};

/// How long they are.
const LENGTH: usize = 9;

/// A message of a chat, as far as ids stand in it.
#[derive(Deserialize)]
struct Message<'b> {
    #[serde(borrow, default)]
    tool_call_id: Option<&'b RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Called<'b>>>,
}

#[derive(Deserialize)]
struct Called<'b> {
    #[serde(borrow, default)]
    id: Option<&'b RawValue>,
}

/// Replaces the ids in a chat's messages that have another form. The same id becomes the same, so that a result still finds
/// its call. Messages of a shape that is not a chat's stay as they are: the vendor will say what is wrong with them.
pub(super) fn edit(edits: &mut Edits, body: &Bytes, facts: &CallFacts) {
    let Some(messages) = value_of(body, facts, "messages").and_then(|range| body.get(range)) else { return };
    let Ok(read) = serde_json::from_slice::<Vec<Message<'_>>>(messages) else { return };
    for message in &read {
        let called = message.tool_calls.iter().flatten().filter_map(|called| called.id);
        for id in called.chain(message.tool_call_id) {
            edits.extend(edit_of(body, id.get()));
        }
    }
}

fn edit_of(body: &Bytes, written: &str) -> Option<Edit> {
    let id: Str<'_> = serde_json::from_str(written).ok()?;
    let fits = id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let start = (written.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    (!fits).then(|| {
        let mut with = String::with_capacity(LENGTH + 2);
        push_json_string(&mut with, &short(&id));
        Edit { range: start..start + written.len(), with: Bytes::from(with) }
    })
}

/// The nine letters and digits that stand for an id.
fn short(id: &str) -> String {
    const SIGNS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut hash = DefaultHasher::new();
    id.hash(&mut hash);
    let mut left = hash.finish();
    let mut sign = || {
        let sign = SIGNS.get((left % 62) as usize).copied().unwrap_or(b'0');
        left /= 62;
        char::from(sign)
    };
    (0..LENGTH).map(|_| sign()).collect()
}
