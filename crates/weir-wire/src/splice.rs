//! A request body with a few bytes changed: the model's name, the wish for usage, keys an upstream spells otherwise.

use crate::call::{CallFacts, Span};
use crate::json::Reader;
use bytes::Bytes;
use smallvec::{SmallVec, smallvec};
use std::ops::Range;

/// What an upstream needs otherwise than the client wrote it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rewrite<'a> {
    /// The upstream's name of the model.
    pub model: &'a str,
    /// Whether a stream must end with a usage chunk, asked for or not.
    pub want_usage: bool,
    /// Top-level members to rename, as (from, to). Where `to` is there already, `from` is dropped.
    pub rename: &'a [(&'a str, &'a str)],
    /// The beginning of an answer that the upstream is to go on with.
    pub prefill: Option<Prefill<'a>>,
}

/// An answer's beginning, to be put behind a chat's messages as the assistant's own turn.
#[derive(Clone, Copy, Debug)]
pub struct Prefill<'a> {
    /// What the assistant has said.
    pub text: &'a str,
    /// Members, as they are written in JSON, by which the upstream knows that this turn is to be gone on with.
    pub members: &'a str,
}

impl Prefill<'_> {
    /// What of the most tokens that the request allows is left for the rest of the answer: less what has been said, a token
    /// for four bytes of it, and at least one.
    pub fn left_of(text: &str, most: u64) -> u64 {
        most.saturating_sub(text.len() as u64 / 4).max(1)
    }
}

/// A body in pieces.
#[derive(Clone, Debug)]
pub struct Spliced {
    /// The bytes, in order.
    pub pieces: SmallVec<[Bytes; 4]>,
    /// Bytes of all pieces together: the content length.
    pub len: usize,
}

impl Spliced {
    fn of(piece: Bytes) -> Self {
        Spliced { len: piece.len(), pieces: smallvec![piece] }
    }
}

/// A range of the body and what stands there instead.
struct Edit {
    range: Range<usize>,
    with: Bytes,
}

type Edits = SmallVec<[Edit; 4]>;

/// The body as `rewrite` wants it. `facts` must be those read from this very body. Everything that is not asked to
/// change stays byte by byte as it was; when nothing changes, the original is returned uncopied.
pub fn splice(body: &Bytes, facts: &CallFacts, rewrite: &Rewrite<'_>) -> Spliced {
    let mut edits = Edits::new();
    edit_model(&mut edits, facts, rewrite);
    if let Some(prefill) = rewrite.prefill {
        edit_most(&mut edits, body, facts, prefill.text);
    }
    if !rewrite.rename.is_empty() {
        edit_keys(&mut edits, body, facts, rewrite);
    }
    if let Some(prefill) = rewrite.prefill {
        edit_messages(&mut edits, body, facts, prefill);
    }
    if edits.is_empty() {
        return Spliced::of(body.clone());
    }
    // Stable: at one place, what is put in stands before what is taken out.
    edits.sort_by_key(|edit| edit.range.start);
    apply(body, edits)
}

const WITH_USAGE: &str = r#"{"include_usage":true}"#;

/// The new model name, and the wish for usage where it costs least: inside `stream_options` when there is one, else
/// as a new member right behind `model`.
fn edit_model(edits: &mut Edits, facts: &CallFacts, rewrite: &Rewrite<'_>) {
    let mut range = facts.model_range();
    let mut with = String::new();
    if rewrite.model == facts.model.as_str() || range.is_empty() {
        range.start = range.end;
    } else {
        push_json_string(&mut with, rewrite.model);
    }
    if rewrite.want_usage && facts.endpoint.tells_usage_if_asked() && facts.stream && !facts.include_usage {
        match &facts.stream_options {
            None => {
                with.push_str(r#","stream_options":"#);
                with.push_str(WITH_USAGE);
            }
            Some(options) => {
                let edit = match &options.include_usage {
                    Some(value) => Edit { range: value.clone(), with: Bytes::from_static(b"true") },
                    None if options.is_empty => {
                        Edit { range: options.value.clone(), with: Bytes::from_static(WITH_USAGE.as_bytes()) }
                    }
                    None => {
                        let inside = options.value.start + 1;
                        Edit { range: inside..inside, with: Bytes::from_static(br#""include_usage":true,"#) }
                    }
                };
                edits.push(edit);
            }
        }
    }
    if !with.is_empty() {
        edits.push(Edit { range, with: Bytes::from(with) });
    }
}

fn edit_keys(edits: &mut Edits, body: &Bytes, facts: &CallFacts, rewrite: &Rewrite<'_>) {
    let keys: SmallVec<[(String, usize); 16]> = facts.fields.iter().map(|span| key_of(body, *span)).collect();
    let has = |name: &str| keys.iter().any(|(key, _)| key == name);
    let mut one_stays = false;
    let mut end_before = 0;
    for (at, ((key, key_end), span)) in keys.iter().zip(&facts.fields).enumerate() {
        let rename = rewrite.rename.iter().find(|(from, _)| from == key);
        let replaced = rename.is_some_and(|(_, to)| has(to));
        if replaced && at != facts.model_at {
            // With its comma: the one before it, or, while nothing before it stays, the one behind.
            let range = if one_stays {
                end_before..span.end()
            } else {
                span.key()..facts.fields.get(at + 1).map_or(span.end(), |next| next.key())
            };
            edits.retain(|edit| !(edit.range.start >= span.key() && edit.range.end <= span.end()));
            edits.push(Edit { range, with: Bytes::new() });
        } else {
            if let Some((_, to)) = rename
                && at != facts.model_at
            {
                let mut with = String::new();
                push_json_string(&mut with, to);
                edits.push(Edit { range: span.key()..*key_end, with: Bytes::from(with) });
            }
            one_stays = true;
        }
        end_before = span.end();
    }
}

/// What is left of the most tokens that the request allows.
fn edit_most(edits: &mut Edits, body: &Bytes, facts: &CallFacts, said: &str) {
    let limits = ["max_tokens", "max_completion_tokens"];
    for span in facts.fields.iter().filter(|span| limits.contains(&&*key_of(body, **span).0)) {
        let written = body.get(span.value()).and_then(|value| std::str::from_utf8(value).ok());
        if let Some(most) = written.and_then(|most| most.trim().parse::<u64>().ok()) {
            let left = Prefill::left_of(said, most).to_string();
            edits.push(Edit { range: span.value(), with: Bytes::from(left) });
        }
    }
}

/// The assistant's turn behind the last message, and the members that go with it behind the list. Nothing without a list.
fn edit_messages(edits: &mut Edits, body: &Bytes, facts: &CallFacts, prefill: Prefill<'_>) {
    let messages = facts.fields.iter().find(|span| key_of(body, **span).0 == "messages");
    let Some(end) = messages.map(|span| span.end()) else { return };
    let Some(last) = end.checked_sub(1).filter(|last| body.get(*last) == Some(&b']')) else { return };
    let before = body.get(..last).unwrap_or_default().trim_ascii_end().last();
    let mut with = String::from(if before == Some(&b'[') { "" } else { "," });
    with.push_str(r#"{"role":"assistant","content":"#);
    push_json_string(&mut with, prefill.text);
    with.push_str("}]");
    if !prefill.members.is_empty() {
        with.push(',');
        with.push_str(prefill.members);
    }
    edits.push(Edit { range: last..end, with: Bytes::from(with) });
}

/// A member's name, and the offset behind the name's closing quote.
fn key_of(body: &Bytes, span: Span) -> (String, usize) {
    let written = body.get(span.key()..span.value().start).unwrap_or_default();
    match Reader::new(written).and_then(|mut reader| reader.text()) {
        Ok(Some(key)) => (key.unescape().into_owned(), span.key() + key.raw().len() + 2),
        // Only when body and facts do not belong together: then no name matches, and nothing is edited.
        _ => (String::new(), span.key()),
    }
}

fn apply(body: &Bytes, edits: Edits) -> Spliced {
    let removed: usize = edits.iter().map(|edit| edit.range.len()).sum();
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let len = (body.len() + added).saturating_sub(removed);
    let mut at = 0;
    let mut pieces = SmallVec::new();
    let mut push = |piece: Bytes| {
        if !piece.is_empty() {
            pieces.push(piece);
        }
    };
    let part = |range: Range<usize>| body.get(range).map_or_else(Bytes::new, |part| body.slice_ref(part));
    for Edit { range, with } in edits {
        push(part(at..range.start));
        push(with);
        at = range.end;
    }
    push(part(at..body.len()));
    Spliced { pieces, len }
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                out.push_str("\\u00");
                for shift in [4, 0] {
                    out.push(char::from_digit(u32::from(c) >> shift & 15, 16).unwrap_or('0'));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
