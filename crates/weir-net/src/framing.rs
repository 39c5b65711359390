//! Where the body of an answer ends (RFC 9112 §6 and §7): what its head says, and the chunked coding.

use crate::fields::{FieldLine, FieldLines, NoField};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// How the end of an answer's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    None,
    /// So many bytes.
    Sized(u64),
    /// Chunks, the last of which is empty.
    Chunked,
    /// All until the connection is closed.
    UntilClose,
}

/// The longest line with a chunk's size: sixteen digits and an extension, which nothing uses.
const MOST_SIZE_LINE: usize = 1024;

/// All trailers together at most, in bytes.
const MOST_TRAILERS: usize = 16 * 1024;

/// Trailers at most.
const TRAILER_FIELDS: usize = 64;

/// Takes the chunked coding off a body, whatever the cuts between reads. Strict: every line ends in CR LF, a size is
/// hexadecimal digits only, and everything is bounded.
#[derive(Debug, Default)]
pub struct Chunks {
    at: At,
    /// A line that is not complete yet.
    line: BytesMut,
    /// The lines of the trailers so far.
    block: BytesMut,
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// In the line with the next chunk's size.
    #[default]
    Size,
    /// In a chunk of which so many bytes are missing.
    Data(u64),
    /// Before the line end behind a chunk's data.
    AfterData,
    /// In the trailers.
    Trailers,
    End,
}

impl Chunks {
    /// Takes what came and gives the data in it, which may be nothing. What lies behind the end stays in `come`.
    ///
    /// # Errors
    /// What is not as the coding wants it. Nothing can be read after that.
    pub fn push(&mut self, come: &mut Bytes) -> Result<Bytes, &'static str> {
        let mut one = Bytes::new();
        let mut several = BytesMut::new();
        while !come.is_empty() {
            match self.at {
                At::Data(left) => {
                    let mine = usize::try_from(left).unwrap_or(usize::MAX).min(come.len());
                    let left = left - mine as u64;
                    self.at = if left == 0 { At::AfterData } else { At::Data(left) };
                    let data = come.split_to(mine);
                    // Most reads bring one chunk, which is passed on uncopied.
                    if one.is_empty() && several.is_empty() {
                        one = data;
                    } else {
                        if several.is_empty() {
                            several.reserve(one.len() + data.len() + come.len());
                            several.extend_from_slice(&one);
                        }
                        several.extend_from_slice(&data);
                    }
                }
                At::End => break,
                At::Size | At::AfterData | At::Trailers => self.line(come)?,
            }
        }
        Ok(if several.is_empty() { one } else { several.freeze() })
    }

    /// Takes one line, or what has come of it.
    fn line(&mut self, come: &mut Bytes) -> Result<(), &'static str> {
        let end = memchr::memchr(b'\n', come);
        let part = come.split_to(end.map_or(come.len(), |end| end + 1));
        let most = if self.at == At::Trailers { MOST_TRAILERS } else { MOST_SIZE_LINE };
        if self.block.len() + self.line.len() + part.len() > most {
            return Err("a line between two chunks is too long");
        }
        if end.is_none() || !self.line.is_empty() {
            self.line.extend_from_slice(&part);
            if end.is_none() {
                return Ok(());
            }
            let line = std::mem::take(&mut self.line);
            return self.whole_line(&line);
        }
        self.whole_line(&part)
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        if !line.ends_with(b"\r\n") {
            return Err("a line between two chunks does not end in CR LF");
        }
        match self.at {
            At::AfterData if line == b"\r\n" => self.at = At::Size,
            At::AfterData => return Err("a chunk is longer than it says"),
            At::Size => {
                self.at = match size(line)? {
                    0 => At::Trailers,
                    size => At::Data(size),
                }
            }
            At::Trailers if line != b"\r\n" => self.block.extend_from_slice(line),
            At::Trailers => {
                if !self.block.is_empty() {
                    self.block.extend_from_slice(line);
                    self.trailers = Some(trailers(&std::mem::take(&mut self.block))?);
                }
                self.at = At::End;
            }
            At::Data(_) | At::End => {}
        }
        Ok(())
    }

    /// Whether the last chunk and the trailers have come.
    pub fn has_ended(&self) -> bool {
        self.at == At::End
    }

    /// Whether trailers have come that were not taken.
    pub fn has_trailers(&self) -> bool {
        self.trailers.is_some()
    }

    /// The trailers, once.
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }
}

/// The size in a line such as `1a;extension\r\n`. Extensions are passed over, but nothing may hide in them: a control
/// character is where readers disagree on the line's end (RFC 9112 §7.1.1 and §11.2).
fn size(line: &[u8]) -> Result<u64, &'static str> {
    const WRONG: &str = "the size of a chunk is not a hexadecimal number";
    let line = line.strip_suffix(b"\r\n").ok_or(WRONG)?;
    if line.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
        return Err("the line with a chunk's size holds a control character");
    }
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    let blanks = digits.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let digits = &digits[..digits.len() - blanks];
    if digits.is_empty() || digits.len() > 15 {
        return Err(WRONG);
    }
    digits.iter().try_fold(0u64, |size, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(WRONG)?;
        Ok(size << 4 | u64::from(digit))
    })
}

fn trailers(block: &[u8]) -> Result<HeaderMap, &'static str> {
    const WRONG: &str = "the trailers are not well-formed";
    let mut trailers = HeaderMap::new();
    for line in FieldLines::new(block, 0) {
        let FieldLine { name, value } = line.map_err(|NoField| WRONG)?;
        let part = |range| block.get(range).unwrap_or_default();
        let name = HeaderName::from_bytes(part(name)).map_err(|_| WRONG)?;
        trailers.append(name, HeaderValue::from_bytes(part(value)).map_err(|_| WRONG)?);
        if trailers.len() > TRAILER_FIELDS {
            return Err(WRONG);
        }
    }
    Ok(trailers)
}

#[cfg(test)]
mod tests;
