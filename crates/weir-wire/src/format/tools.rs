//! Calls of tools whose ids are missing: Gemini's and Ollama's APIs can do without, and their clients drop them.

use crate::neutral::{Call, Part, Str, Turn};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

/// How the ids begin that a reader gives to calls which came without.
const MADE: &str = "call_made_";

/// Whether a reader made this id up. Formats that can do without leave it out.
pub(super) fn is_made(id: &str) -> bool {
    id.starts_with(MADE)
}

/// Gives ids to the calls of a conversation that have none, and to results the id and the name of the call they
/// answer: by id, else by name and order. The ids follow from the places alone, so that a conversation that goes on
/// begins with the same words.
pub(super) fn link(turns: &mut [Turn<'_>]) {
    let mut open = Open::default();
    for part in turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        match part {
            Part::ToolCall(call) => {
                if call.id.is_empty() {
                    call.id = Str::from(format!("{MADE}{}", open.calls.len()));
                }
                open.begin(&call.id, &call.name);
            }
            Part::ToolResult(result) => {
                let found = open.answer(&result.id, &result.name);
                if let Some((id, name)) = found.and_then(|at| open.calls.get(at)) {
                    if result.id.is_empty() {
                        result.id = Str::from(id.clone());
                    }
                    if result.name.is_empty() {
                        result.name = Str::from(name.clone());
                    }
                } else if result.id.is_empty() {
                    result.id = Str::from(format!("{MADE}{}", open.calls.len()));
                }
            }
            _ => {}
        }
    }
}

/// Calls met so far. Every look takes the same time, however many there are.
#[derive(Default)]
struct Open {
    /// Their ids and names, in order.
    calls: Vec<(String, String)>,
    by_id: HashMap<String, usize>,
    /// Those of a name, and under the empty name all of them, that no result has answered yet.
    waiting: HashMap<String, VecDeque<usize>>,
    answered: Vec<bool>,
}

impl Open {
    fn begin(&mut self, id: &str, name: &str) {
        let at = self.calls.len();
        self.calls.push((id.to_owned(), name.to_owned()));
        self.answered.push(false);
        self.by_id.insert(id.to_owned(), at);
        for key in [name, ""] {
            self.waiting.entry(key.to_owned()).or_default().push_back(at);
        }
    }

    fn answer(&mut self, id: &str, name: &str) -> Option<usize> {
        let at = if id.is_empty() {
            let waiting = self.waiting.get_mut(name)?;
            loop {
                let at = waiting.pop_front()?;
                if self.answered.get(at) == Some(&false) {
                    break at;
                }
            }
        } else {
            *self.by_id.get(id)?
        };
        if let Some(answered) = self.answered.get_mut(at) {
            *answered = true;
        }
        Some(at)
    }
}

/// The names of the tools called, by the ids of the calls, for formats whose results name the tool. Empty where every
/// result names it already.
pub(super) fn names<'c>(call: &'c Call<'_>) -> HashMap<&'c str, &'c str> {
    let parts = || call.turns.iter().flat_map(|turn| &turn.parts);
    let nameless = |part: &Part<'_>| matches!(part, Part::ToolResult(result) if result.name.is_empty());
    if !parts().any(nameless) {
        return HashMap::new();
    }
    parts()
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((&*call.id, &*call.name)),
            _ => None,
        })
        .collect()
}

/// The id of a call in an answer, for clients who cannot do without: the vendor's own, or one that follows from the
/// answer's id and the call's place, of at most forty characters (more are refused when it comes back).
pub(super) fn id_in<'i>(answer: &str, id: &'i str, at: u32) -> Cow<'i, str> {
    if !id.is_empty() {
        return Cow::Borrowed(id);
    }
    let word: String = answer.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail = word.get(word.len().saturating_sub(24)..).unwrap_or_default();
    Cow::Owned(format!("call_{tail}_{at}"))
}

/// The text of an object of arguments, if it is one.
pub(super) fn arguments(text: &str) -> Option<&str> {
    match text.trim() {
        "" => Some("{}"),
        json if json.starts_with('{') && serde_json::from_str::<&RawValue>(json).is_ok() => Some(json),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
