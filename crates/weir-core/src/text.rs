//! What is asked of short texts all the time: whether they need any escaping, whether they are a name whatever its case,
//! and which of the operator's names they are. Eight bytes at a time.

use std::hash::{BuildHasherDefault, Hasher};

/// Whether every byte is visible ASCII or a space, and none is `"` or `\`: such a text stands as it is in JSON and in a
/// header. One that is not is looked at more closely by whoever asks.
#[inline]
pub fn is_plain(text: &[u8]) -> bool {
    let (words, last) = words(text);
    words.iter().fold(odd_bytes(last), |odd, word| odd | odd_bytes(u64::from_le_bytes(*word))) == 0
}

/// Whether `text` is `name`, which is in lower case, but for its case.
#[inline]
pub fn is_named(text: &[u8], name: &[u8]) -> bool {
    if text.len() != name.len() {
        return false;
    }
    let ((words_of_text, last_of_text), (words_of_name, last_of_name)) = (words(text), words(name));
    let pairs = words_of_text.iter().zip(words_of_name);
    let differ = |text: u64, name: u64| lower_case(text) ^ name;
    pairs.fold(differ(last_of_text, last_of_name), |any, (text, name)| {
        any | differ(u64::from_le_bytes(*text), u64::from_le_bytes(*name))
    }) == 0
}

/// A text in words of eight bytes. The last overlaps those before it; of a short text it repeats some bytes, of an empty
/// one it is plain.
#[inline]
fn words(text: &[u8]) -> (&[[u8; 8]], u64) {
    let (words, rest) = text.as_chunks::<8>();
    let last = match (text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(last), _, _) => u64::from_le_bytes(*last),
        (None, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => rest.iter().fold(0x6161_6161_6161_6161, |word, byte| word << 8 | u64::from(*byte)),
    };
    (words, last)
}

/// The bytes of a word, letters of ASCII in lower case. Seven bits of each byte are moved so that the eighth says whether
/// it is past one of the two ends of the upper case.
#[inline]
const fn lower_case(word: u64) -> u64 {
    let seven = word & !HIGH;
    let from_a = seven + ONES * (0x80 - b'A' as u64);
    let behind_z = seven + ONES * (0x7f - b'Z' as u64);
    let upper = (from_a ^ behind_z) & !word & HIGH;
    word | upper >> 2
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// Not zero when a byte of the word is none of those.
///
/// After "Bit Twiddling Hacks" (Anderson): a subtraction borrows from the next byte, and an addition carries into it, only
/// where the byte itself is odd.
#[inline]
const fn odd_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let slash = word ^ (ONES * b'\\' as u64);
    let controls = word.wrapping_sub(ONES * 0x20);
    let delete = word.wrapping_add(ONES);
    (word | controls | delete | quote.wrapping_sub(ONES) | slash.wrapping_sub(ONES)) & HIGH
}

/// A number that is written as digits only and fits.
#[inline]
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A number of thousandths in full, with three decimals: what times in milliseconds are written as.
pub struct Thousandths {
    text: [u8; Thousandths::LONGEST],
    start: usize,
}

impl Thousandths {
    /// Twenty digits and a point.
    const LONGEST: usize = 21;

    /// `value / 1000`.
    #[inline]
    pub fn of(value: u64) -> Self {
        let mut written = Thousandths { text: [0; Self::LONGEST], start: Self::LONGEST };
        let (mut whole, rest) = (value / 1_000, value % 1_000);
        for digit in [rest % 10, rest / 10 % 10, rest / 100] {
            written.before(digit);
        }
        written.start -= 1;
        if let Some(place) = written.text.get_mut(written.start) {
            *place = b'.';
        }
        loop {
            written.before(whole % 10);
            whole /= 10;
            if whole == 0 {
                return written;
            }
        }
    }

    #[inline]
    fn before(&mut self, digit: u64) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.text.get_mut(self.start) {
            *place = b'0' + u8::try_from(digit).unwrap_or(0);
        }
    }

    /// As ASCII.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

/// Builds hashers for maps whose keys are the operator's own: names from the configuration, or hashes nobody can steer.
pub type ByName = BuildHasherDefault<NameHasher>;

/// Multiplies eight bytes at a time. Fast and not collision-proof, which only whoever puts the keys into a map could turn
/// against it.
#[derive(Default)]
pub struct NameHasher(u64);

impl NameHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15); // 2⁶⁴ over the golden ratio
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        self.mix(rest.iter().fold(rest.len() as u64, |word, &byte| (word << 8) | u64::from(byte)));
    }

    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    #[inline]
    fn write_u8(&mut self, _end_of_text: u8) {
        // `str` ends with a marker byte; `write` has mixed in the length of the last piece already.
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The map takes its bits from both ends.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn an_odd_byte_is_found_wherever_it_stands() {
        for length in 0..40 {
            for odd in 0..=255u8 {
                let plain = (b' '..=b'~').contains(&odd) && odd != b'"' && odd != b'\\';
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = odd;
                    assert_eq!(is_plain(&text), plain, "{odd} at {at} of {length}");
                }
            }
            assert!(is_plain(&vec![b' '; length]));
            assert!(is_plain(&vec![b'~'; length]));
        }
    }

    #[test]
    fn names_are_compared_as_the_standard_library_does() {
        let name = b"x-az-09[`{@~\xe9-last-part";
        for length in 0..=name.len() {
            for other in 0..=255u8 {
                for at in 0..length {
                    let mut text = name[..length].to_vec();
                    text[at] = other;
                    assert_eq!(is_named(&text, &name[..length]), text.eq_ignore_ascii_case(&name[..length]));
                }
            }
            assert!(is_named(&name[..length].to_ascii_uppercase(), &name[..length]));
            assert!(!is_named(name, &name[..length]) || length == name.len());
        }
    }

    #[test]
    fn numbers_are_digits_that_fit() {
        for text in [
            "",
            "0",
            "007",
            "18446744073709551615",
            "18446744073709551616",
            "+1",
            "-1",
            "1 ",
            "1.0",
            "x",
            "99999999999999999999",
        ] {
            let expect = text.parse().ok().filter(|_| !text.starts_with('+'));
            assert_eq!(number(text.as_bytes()), expect, "{text}");
        }
    }

    #[test]
    fn thousandths_have_three_decimals() {
        for value in [0, 1, 10, 100, 999, 1_000, 12_345, 1_000_000, u64::MAX] {
            let expect = format!("{}.{:03}", value / 1_000, value % 1_000);
            assert_eq!(Thousandths::of(value).as_bytes(), expect.as_bytes());
        }
    }

    #[test]
    fn names_hash_differently() {
        let hash = |name: &str| ByName::default().hash_one(name);
        let names: Vec<String> = (0..500).map(|i| format!("deployment-{i}")).collect();
        let mut hashes: Vec<u64> = names.iter().map(|name| hash(name)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), names.len());
        assert_ne!(hash("a"), hash("a\0"));
    }
}
