//! Names of single requests.

use std::fmt;

/// The last `N` hexadecimal digits of a number, eight at a time; `N` is a multiple of eight.
fn hex<const N: usize>(value: u128) -> [u8; N] {
    let mut out = [b'0'; N];
    let mut left = value;
    for eight in out.as_rchunks_mut::<8>().1.iter_mut().rev() {
        let [a, b, c, d, ..] = left.to_le_bytes();
        *eight = hex_digits(u32::from_le_bytes([a, b, c, d]));
        left >>= 32;
    }
    out
}

/// Eight digits: each half of a byte is moved into a byte of its own, all of them at once.
fn hex_digits(value: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut halves = u64::from(value);
    halves = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    halves = (halves | halves << 8) & 0x00ff_00ff_00ff_00ff;
    halves = (halves | halves << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // One in each byte that is ten or more, which is a letter.
    let letters = (halves + 6 * ONES) >> 4 & ONES;
    let between = u64::from(b'a' - b'0' - 10);
    (halves + u64::from(b'0') * ONES + letters * between).to_be_bytes()
}

/// The id of one request: 96 random bits, printed as `req_` and 24 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 28]);

impl RequestId {
    /// From random bits; the lowest 96 are used.
    pub fn from_random(bits: u128) -> Self {
        let mut text = *b"req_000000000000000000000000";
        text[4..].copy_from_slice(&hex::<24>(bits));
        RequestId(text)
    }

    /// The printed form.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same as bytes, all of them ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The id of the decision about this request: the same digits behind `dec_`. One request makes one decision, so
    /// either id leads to the other.
    pub fn decision(&self) -> [u8; 28] {
        let mut text = self.0;
        text[..3].copy_from_slice(b"dec");
        text
    }

    /// Reads the id of a request or of the decision about it.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("req_").or_else(|| text.strip_prefix("dec_"))?;
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != 24 || !digits.bytes().all(digit) {
            return None;
        }
        u128::from_str_radix(digits, 16).ok().map(RequestId::from_random)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A W3C trace context (<https://www.w3.org/TR/trace-context/>, version 00).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// 16-byte id of the whole trace; never zero.
    pub trace: u128,
    /// 8-byte id of the span that calls; never zero.
    pub span: u64,
    /// Whether the caller records this trace.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` header; `None` when it is not well-formed, which the specification says to treat as absent.
    pub fn parse(header: &str) -> Option<Self> {
        let bytes = header.as_bytes();
        if bytes.len() < 55 || bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' {
            return None;
        }
        let field = |range: std::ops::Range<usize>| {
            let text = header.get(range)?;
            let lower = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if lower { u128::from_str_radix(text, 16).ok() } else { None }
        };
        let version = field(0..2)?;
        if version == 0xff || (version == 0 && bytes.len() != 55) || (bytes.len() > 55 && bytes[55] != b'-') {
            return None;
        }
        let trace = field(3..35)?;
        let span = u64::try_from(field(36..52)?).ok()?;
        let flags = field(53..55)?;
        (trace != 0 && span != 0).then_some(TraceContext { trace, span, sampled: flags & 1 == 1 })
    }

    /// The trace's id as 32 hexadecimal digits.
    pub fn trace_hex(&self) -> [u8; 32] {
        hex(self.trace)
    }

    /// The `traceparent` header that says `self.span` is the caller.
    pub fn header(&self) -> [u8; 55] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
        out[3..35].copy_from_slice(&hex::<32>(self.trace));
        out[36..52].copy_from_slice(&hex::<16>(u128::from(self.span)));
        out[54] = if self.sampled { b'1' } else { b'0' };
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_prints_its_bits() {
        assert_eq!(RequestId::from_random(0xabc).as_str(), "req_000000000000000000000abc");
        for bits in [0, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX, 0x9a9a_9a9a << 64] {
            let expect = format!("{bits:032x}");
            assert_eq!(hex::<32>(bits), expect.as_bytes());
            assert_eq!(hex::<24>(bits), expect.as_bytes()[8..]);
            assert_eq!(hex::<16>(bits), expect.as_bytes()[16..]);
        }
    }

    #[test]
    fn a_request_and_its_decision_have_one_id() {
        let id = RequestId::from_random(0xabc);
        assert_eq!(&id.decision(), b"dec_000000000000000000000abc");
        for text in [id.as_str(), "dec_000000000000000000000abc"] {
            assert_eq!(RequestId::parse(text), Some(id));
        }
        for bad in [
            "",
            "000000000000000000000abc",
            "dec_abc",
            "dec_00000000000000000000+abc",
            "dec_000000000000000000000ABC",
        ] {
            assert_eq!(RequestId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn traceparent_round_trips() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(text).unwrap();
        assert!(context.sampled);
        assert_eq!(&context.header(), text.as_bytes());
    }

    #[test]
    fn malformed_traceparents_count_as_absent() {
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "éé-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
