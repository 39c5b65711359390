//! Base64 (RFC 4648), which Google's clients write in either alphabet, with padding or without.

use crate::neutral::Str;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in the standard alphabet.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let sextet = (word >> (18 - 6 * at)) as usize & 63;
            let sign = ALPHABET.get(sextet).copied().unwrap_or(b'=');
            out.push(if at <= chunk.len() { char::from(sign) } else { '=' });
        }
    }
    out
}

/// The bytes a text stands for, if it is base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut word, mut bits) = (0_u32, 0_u32);
    for sign in text.bytes() {
        let sextet = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        word = word << 6 | u32::from(sextet);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits & 0xff) as u8);
        }
    }
    (bits < 6).then_some(out)
}

/// The same bytes in the standard alphabet with padding, which is all that other formats take.
pub(crate) fn standard<'a>(text: Str<'a>) -> Str<'a> {
    let padded = text.len().is_multiple_of(4);
    if padded && memchr::memchr2(b'-', b'_', text.as_bytes()).is_none() {
        return text;
    }
    let mut out = text.replace('-', "+").replace('_', "/");
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    Str::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert_eq!(decode(&text), Some(bytes.clone()));
            let url = text.replace('+', "-").replace('/', "_");
            prop_assert_eq!(decode(url.trim_end_matches('=')), Some(bytes));
            prop_assert_eq!(&*standard(Str::from(url.trim_end_matches('='))), &*text);
        }

        #[test]
        fn no_text_is_too_odd(text: String) {
            decode(&text);
            standard(Str::from(text));
        }
    }

    #[test]
    fn as_the_standard_says() {
        for (text, code) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(text.as_bytes()), code);
            assert_eq!(decode(code).unwrap(), text.as_bytes());
        }
        assert_eq!(decode("a"), None);
        assert_eq!(decode("a#bc"), None);
    }
}
