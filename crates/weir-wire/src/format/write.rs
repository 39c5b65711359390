//! What writers of all formats share.

/// Whether the pieces of one JSON object, so far, make a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

impl Balance {
    /// Takes a piece.
    pub(super) fn push(&mut self, json: &str) {
        for byte in json.bytes() {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole = self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether they do.
    pub(super) fn is_whole(self) -> bool {
        self.whole
    }
}

/// Puts the members of one object's text behind those of another that is complete.
pub(super) fn merge(out: &mut Vec<u8>, extra: &str) {
    let inner = extra.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).map(str::trim);
    if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
        out.pop();
        out.push(b',');
        out.extend_from_slice(inner.as_bytes());
        out.push(b'}');
    }
}
