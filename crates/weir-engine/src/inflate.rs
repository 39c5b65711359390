//! Answers that come compressed although none was asked for.

use bytes::Bytes;
use flate2::write::GzDecoder;
use std::io::Write;
use weir_core::{Class, Fault};

/// What one piece of a compressed answer may grow to.
const MOST_FROM_ONE_PIECE: usize = 8 * 1024 * 1024;

/// Decompresses a gzip body piece by piece (RFC 1952).
pub(crate) struct Inflate(GzDecoder<Bounded>);

/// A buffer that refuses to grow without end.
#[derive(Default)]
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_FROM_ONE_PIECE {
            return Err(std::io::Error::other("a piece of the answer decompresses to more than 8 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Inflate {
    pub(crate) fn new() -> Self {
        Inflate(GzDecoder::new(Bounded::default()))
    }

    /// Whether the compressed body is complete: its trailer has been seen and agrees.
    ///
    /// # Errors
    /// When it ends early or its checksum is wrong.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.0.try_finish().map_err(|e| {
            let message = "the model's server broke off its answer";
            Fault::new(Class::Truncated, 502, "upstream_truncated", message).with_cause(e.to_string())
        })
    }

    /// What `piece` adds to the decompressed body.
    ///
    /// # Errors
    /// When it is not gzip, or grows beyond measure.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Bytes, Fault> {
        let done = self.0.write_all(piece).and_then(|()| self.0.flush());
        done.map_err(|e| {
            let message = "the model's server sent a compressed answer that cannot be read";
            Fault::new(Class::Malformed, 502, "upstream_malformed", message).with_cause(e.to_string())
        })?;
        Ok(std::mem::take(&mut self.0.get_mut().0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn any_cut_gives_the_same_text() {
        let text = b"data: {\"a\":1}\n\ndata: [DONE]\n\n".repeat(20);
        let body = compressed(&text);
        for size in [1, 2, 7, body.len()] {
            let mut inflate = Inflate::new();
            let out: Vec<u8> = body.chunks(size).flat_map(|piece| inflate.push(piece).unwrap()).collect();
            assert_eq!(out, text, "pieces of {size}");
        }
    }

    #[test]
    fn a_cut_body_is_not_complete() {
        let body = compressed(b"{\"a\":1}");
        for cut in [body.len(), body.len() - 1, body.len() / 2] {
            let mut inflate = Inflate::new();
            inflate.push(&body[..cut]).unwrap();
            let complete = inflate.finish().map_err(|fault| fault.class);
            assert_eq!(complete, if cut == body.len() { Ok(()) } else { Err(Class::Truncated) }, "{cut}");
        }
    }

    #[test]
    fn a_bomb_is_a_fault() {
        let bomb = compressed(&vec![0; 3 * MOST_FROM_ONE_PIECE]);
        assert_eq!(Inflate::new().push(&bomb).unwrap_err().class, Class::Malformed);
        assert_eq!(Inflate::new().push(b"not gzip at all").unwrap_err().class, Class::Malformed);
    }
}
