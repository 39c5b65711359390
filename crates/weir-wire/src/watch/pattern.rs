//! The chunk that comes a thousand times: everything as before, only its text is new.

use crate::json;
use std::ops::Range;

/// One text chunk that was read in full, without its text.
///
/// Bytes that agree with it before and after the text, and have the inside of a valid JSON string in between, are the
/// same JSON with another text: the string begins where it began, and nothing in between ends it early. So such a chunk
/// need not be read again to know all it says.
#[derive(Debug, Default)]
pub(super) struct Pattern {
    around: Vec<u8>,
    /// Where in `around` the text was cut out.
    cut: usize,
}

impl Pattern {
    /// Chunks above this are not remembered; they are rare, and each stream would hold one.
    const LARGEST: usize = 2048;

    /// Remembers `data`, whose text stands at `text` between its quotes.
    pub(super) fn learn(&mut self, data: &[u8], text: Range<usize>) {
        self.around.clear();
        if let (Some(before), Some(after)) = (data.get(..text.start), data.get(text.end..))
            && data.len() <= Self::LARGEST
        {
            self.around.extend_from_slice(before);
            self.around.extend_from_slice(after);
            self.cut = text.start;
        }
    }

    /// The text of `data`, as written, when the text is all that differs and is not empty.
    pub(super) fn text<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let (before, after) = self.around.split_at_checked(self.cut)?;
        let text = data.strip_prefix(before)?.strip_suffix(after)?;
        (!before.is_empty() && !text.is_empty() && json::is_inside_of_string(text)).then_some(text)
    }
}

#[cfg(test)]
mod tests;
