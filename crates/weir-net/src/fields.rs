//! The field lines of a head (RFC 9112 §5): one reading of them for both directions.

use std::ops::Range;

/// The field lines of a head, from behind its first line to the empty one.
pub struct FieldLines<'t> {
    text: &'t [u8],
    at: usize,
}

/// Where a field's name and value stand in their head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldLine {
    /// The name, as it was written.
    pub name: Range<usize>,
    /// The value, without the blanks around it.
    pub value: Range<usize>,
}

/// A line that is no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoField;

impl<'t> FieldLines<'t> {
    /// Of the head `text`, of which the first line ends before `at`.
    pub fn new(text: &'t [u8], at: usize) -> Self {
        FieldLines { text, at }
    }

    #[inline]
    fn read(&mut self) -> Result<Option<FieldLine>, NoField> {
        let begin = self.at;
        let colon = end_of_token(self.text, begin);
        if colon == begin {
            let end = end_of_line(self.text, begin).ok_or(NoField)?;
            return if end == self.text.len() { Ok(None) } else { Err(NoField) };
        }
        if self.text.get(colon) != Some(&b':') {
            return Err(NoField);
        }
        let is_blank = |at: usize| matches!(self.text.get(at), Some(b' ' | b'\t'));
        let mut from = colon + 1;
        while is_blank(from) {
            from += 1;
        }
        let end = end_of_value(self.text, from);
        self.at = end_of_line(self.text, end).ok_or(NoField)?;
        let mut to = end;
        while to > from && is_blank(to - 1) {
            to -= 1;
        }
        Ok(Some(FieldLine { name: begin..colon, value: from..to }))
    }
}

/// Ends at the empty line with which the head has to end.
///
/// # Errors
/// A line without a name and a colon right behind it, one that goes on in the next (folded, RFC 9112 §5.2), one with a
/// control character in it other than a tab, and an end before or behind the empty line. Whether a line may end without a
/// carriage return is not decided here: it is taken.
impl Iterator for FieldLines<'_> {
    type Item = Result<FieldLine, NoField>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Behind a line's end that stands at `at`.
#[inline]
pub fn end_of_line(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [b'\r', b'\n', ..] => Some(at + 2),
        [b'\n', ..] => Some(at + 1),
        _ => None,
    }
}

/// The first line feed from `at` on. Lines of a head are short: eight bytes at a time find their ends sooner than a search
/// made for long texts, which has to be set up for each line.
#[inline]
pub fn line_feed(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = text.get(at..)?;
        let Some(word) = rest.first_chunk::<8>() else {
            return rest.iter().position(|byte| *byte == b'\n').map(|further| at + further);
        };
        // As in `control_marks`: the first mark is right.
        let others = u64::from_le_bytes(*word) ^ (ONES * b'\n' as u64);
        let marks = others.wrapping_sub(ONES) & !others & HIGH;
        if marks != 0 {
            return Some(at + (marks.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
}

/// Where the token (RFC 9110 §5.6.2) ends that begins at `at`. Most are letters, digits and dashes: those are passed over
/// eight at a time.
#[inline]
pub fn end_of_token(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        match odd_in_name(u64::from_le_bytes(*word)) {
            0 => at += 8,
            odd => {
                at += (odd.trailing_zeros() / 8) as usize;
                break;
            }
        }
    }
    while text.get(at).is_some_and(|byte| TOKEN[usize::from(*byte)]) {
        at += 1;
    }
    at
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// The high bit of each byte is set that is no letter, digit or dash. Seven bits of a byte are moved so that the eighth
/// says whether it is past one of the two ends of a range; no sum leaves its byte.
#[inline]
const fn odd_in_name(word: u64) -> u64 {
    const fn within(seven: u64, first: u8, last: u8) -> u64 {
        (seven + ONES * (0x80 - first as u64)) ^ (seven + ONES * (0x7f - last as u64))
    }
    let seven = word & !HIGH;
    let letters = within(seven | (0x20 * ONES), b'a', b'z');
    let others = within(seven, b'0', b'9') | within(seven, b'-', b'-');
    !(letters | others) & HIGH | word & HIGH
}

/// Whether a byte may stand in a token.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// The first byte from `at` on that no value may hold: a control character other than a tab. Eight bytes at a time.
#[inline]
fn end_of_value(text: &[u8], mut at: usize) -> usize {
    loop {
        match text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(word) => match control_marks(u64::from_le_bytes(*word)) {
                0 => at += 8,
                marks => {
                    at += (marks.trailing_zeros() / 8) as usize;
                    if text.get(at) != Some(&b'\t') {
                        return at;
                    }
                    at += 1;
                }
            },
            None => {
                let rest = text.get(at..).unwrap_or_default();
                let fits = |byte: &u8| *byte >= b' ' && *byte != 0x7f || *byte == b'\t';
                return at + rest.iter().take_while(|byte| fits(byte)).count();
            }
        }
    }
}

/// The high bit of the first control character of a little-endian word is set, no lower one is; higher ones may be wrong.
///
/// After "Bit Twiddling Hacks" (Anderson), `hasless` and `haszero`: subtracting borrows out of a byte only when it is the
/// one looked for, so what is wrong stands above what is right.
#[inline]
const fn control_marks(word: u64) -> u64 {
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    let delete = word ^ (ONES * 0x7f);
    let deletes = delete.wrapping_sub(ONES) & !delete;
    (controls | deletes) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let owned = |line: FieldLine| (text[line.name].to_vec(), text[line.value].to_vec());
        FieldLines::new(text, 0).map(|line| line.map(owned)).collect::<Result<_, _>>().ok()
    }

    fn as_httparse_reads(text: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let Ok(httparse::Status::Complete((end, fields))) = httparse::parse_headers(text, &mut fields) else {
            return None;
        };
        let owned = |field: &httparse::Header<'_>| (field.name.as_bytes().to_vec(), field.value.to_vec());
        (end == text.len()).then(|| fields.iter().map(owned).collect())
    }

    #[test]
    fn names_and_values_are_found() {
        let found =
            fields(b"Host: h\r\nx-a:\r\nx-b: \t a b\t \r\nx-c:\xc3\xa9 a very long value\tit is\n\r\n")
                .unwrap();
        let found: Vec<_> = found.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(
            found,
            [
                (&b"Host"[..], &b"h"[..]),
                (b"x-a", b""),
                (b"x-b", b"a b"),
                (b"x-c", b"\xc3\xa9 a very long value\tit is"),
            ]
        );
    }

    #[test]
    fn the_first_line_feed_is_found() {
        for length in 0..20 {
            for odd in [b'\n', b'\n' - 1, b'\n' + 1, b'\n' | 0x80, 0] {
                for (first, second) in (0..length).flat_map(|first| (first..length).map(move |n| (first, n)))
                {
                    let mut text = vec![b'a'; length];
                    (text[first], text[second]) = (odd, b'\n');
                    for at in 0..=length {
                        let expect = text.iter().skip(at).position(|b| *b == b'\n').map(|n| n + at);
                        assert_eq!(line_feed(&text, at), expect, "{text:?} from {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_is_judged_as_another_reader_judges_it() {
        for byte in 0..=255u8 {
            for at in 0..26 {
                let mut text = b"x-a-name: and its value\r\n\r\n".to_vec();
                if let Some(place) = text.get_mut(at) {
                    *place = byte;
                }
                assert_eq!(fields(&text), as_httparse_reads(&text), "{byte} at {at}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn another_reader_sees_the_same(
            text in "(([A-Za-z-]{0,12}|[ -~]{0,4}):[ \\t]{0,2}[ -~\\t\\x00\\x7f\u{e9}]{0,30}(\\r\\n|\\n|\\r| )){0,4}(\\r\\n|\\n)?",
        ) {
            prop_assert_eq!(fields(text.as_bytes()), as_httparse_reads(text.as_bytes()), "{:?}", text);
        }
    }
}
