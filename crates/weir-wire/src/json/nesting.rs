//! Whether pieces of JSON make a whole, told without reading what they say.

/// The nesting of one JSON object or array that comes in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
    more: bool,
}

impl Nesting {
    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        for byte in piece {
            match byte {
                _ if std::mem::take(&mut self.escaped) => {}
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.more |= self.whole;
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// Whether what has come is one object or array, from its first bracket to its last.
    pub fn is_whole(&self) -> bool {
        self.whole && !self.more && self.depth == 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_it_is_a_whole() {
        let text = r#" {"a":[1,{"b":"}]\\\"{"}],"c":{}} "#.as_bytes();
        let end = text.len() - 1;
        for cut in 0..=text.len() {
            let mut nesting = Nesting::default();
            nesting.push(&text[..cut]);
            assert_eq!(nesting.is_whole(), cut >= end, "{cut}");
            nesting.push(&text[cut..]);
            assert!(nesting.is_whole(), "cut at {cut}");
        }
        for (text, whole) in
            [("{}{}", false), ("{", false), ("", false), ("x", false), ("[]", true), ("{}}", true)]
        {
            let mut nesting = Nesting::default();
            nesting.push(text.as_bytes());
            assert_eq!(nesting.is_whole(), whole, "{text}");
        }
    }
}
