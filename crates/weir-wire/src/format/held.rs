//! Calls of tools on their way to formats that tell each of them in one piece.

use crate::neutral::{Piece, Proof, Str, ToolCall};
use weir_core::{Class, Fault};

/// So many bytes may wait.
const MOST: usize = 4 * 1024 * 1024;

/// The fault of calls that are too large to wait.
pub(super) fn too_large() -> Fault {
    let message = "The arguments of the calls of tools are larger than can be passed on in this format.";
    Fault::new(Class::Malformed, 502, "upstream_malformed", message)
}

/// Calls whose arguments may not be whole yet. Elsewhere they come in pieces, those of several calls side by side.
#[derive(Debug, Default)]
pub(super) struct Held {
    calls: Vec<One>,
    bytes: usize,
}

#[derive(Debug)]
struct One {
    choice: u32,
    call: u32,
    told: ToolCall<'static>,
    json: String,
}

impl Held {
    /// Takes in the beginning of a call, or more of its arguments. False when there is no room for it.
    pub(super) fn take(&mut self, choice: u32, piece: &Piece<'_>) -> bool {
        match piece {
            Piece::ToolCall { call, id, name, proof } => {
                self.bytes += id.len() + name.len() + size_of::<One>();
                let own = |text: &Str<'_>| text.clone().into_owned();
                let proof =
                    proof.as_ref().map(|proof| Proof { format: own(&proof.format), seal: own(&proof.seal) });
                let told = ToolCall { id: own(id), name: own(name), proof, ..ToolCall::default() };
                self.calls.push(One { choice, call: *call, told, json: String::new() });
            }
            Piece::Arguments { call, json } => {
                let of = |one: &&mut One| one.choice == choice && one.call == *call;
                if let Some(one) = self.calls.iter_mut().rev().find(of) {
                    self.bytes += json.len();
                    one.json.push_str(json);
                }
            }
            _ => {}
        }
        self.bytes <= MOST
    }

    /// Gives the calls of one answer, or of all, with the answer and the number of each.
    pub(super) fn give(&mut self, choice: Option<u32>) -> Vec<(u32, u32, ToolCall<'static>)> {
        if self.calls.is_empty() {
            return Vec::new();
        }
        let is_wanted = |one: &One| choice.is_none_or(|choice| choice == one.choice);
        let (wanted, rest) = std::mem::take(&mut self.calls).into_iter().partition(is_wanted);
        self.calls = rest;
        if self.calls.is_empty() {
            self.bytes = 0;
        }
        let wanted: Vec<One> = wanted;
        let whole = |One { choice, call, told, json }| {
            (choice, call, ToolCall { arguments: Str::from(json), ..told })
        };
        wanted.into_iter().map(whole).collect()
    }

    /// Forgets them.
    pub(super) fn drop(&mut self) {
        *self = Held::default();
    }
}
