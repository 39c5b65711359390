//! Streams of one JSON object a line (`application/x-ndjson`): where each ends in a stream of bytes.

use crate::sse::EventTooLarge;

/// Splits a stream of bytes into lines. Blank ones are left out. Only the bytes of a line that a chunk's end cuts are
/// held back, up to a limit.
#[derive(Debug)]
pub struct Lines {
    carry: Vec<u8>,
    limit: usize,
}

impl Lines {
    /// At the start of a stream, holding back at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Lines { carry: Vec::new(), limit }
    }

    /// Takes the next bytes and gives each line that is now complete.
    ///
    /// # Errors
    /// A line grew beyond the limit; nothing that comes after it can be understood.
    pub fn push(&mut self, mut chunk: &[u8], give: &mut impl FnMut(&[u8])) -> Result<(), EventTooLarge> {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            chunk = rest.get(1..).unwrap_or_default();
            if self.carry.is_empty() {
                give_line(line, give);
            } else {
                self.hold(line)?;
                give_line(&std::mem::take(&mut self.carry), give);
            }
        }
        self.hold(chunk)
    }

    /// Ends the stream: the last line needs no end of its own.
    pub fn finish(&mut self, give: &mut impl FnMut(&[u8])) {
        give_line(&std::mem::take(&mut self.carry), give);
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), EventTooLarge> {
        if self.carry.len() + bytes.len() > self.limit {
            self.carry = Vec::new();
            return Err(EventTooLarge { limit: self.limit });
        }
        self.carry.extend_from_slice(bytes);
        Ok(())
    }
}

fn give_line(line: &[u8], give: &mut impl FnMut(&[u8])) {
    let line = line.trim_ascii();
    if !line.is_empty() {
        give(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(stream: &[u8], size: usize) -> Vec<String> {
        let mut lines = Lines::new(1024);
        let mut got = Vec::new();
        let mut give = |line: &[u8]| got.push(String::from_utf8_lossy(line).into_owned());
        for piece in stream.chunks(size) {
            lines.push(piece, &mut give).unwrap();
        }
        lines.finish(&mut give);
        got
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let stream = b"{\"a\":1}\n\r\n {\"b\":2}\r\n\n{\"c\":3}";
        for size in 1..=stream.len() {
            assert_eq!(
                split(stream, size),
                [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#],
                "in pieces of {size}"
            );
        }
        assert!(split(b"\n \n", 1).is_empty());
    }

    #[test]
    fn a_line_ends_somewhere() {
        let mut lines = Lines::new(8);
        let mut none = |_: &[u8]| panic!("there is no line");
        lines.push(b"12345678", &mut none).unwrap();
        assert_eq!(lines.push(b"9\n", &mut none), Err(EventTooLarge { limit: 8 }));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_split(stream: Vec<u8>, size in 1_usize..9) {
            let joined = split(&stream, size);
            prop_assert_eq!(joined, split(&stream, stream.len().max(1)));
        }
    }
}
