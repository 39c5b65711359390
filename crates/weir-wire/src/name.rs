//! Model names, kept where no allocation is needed for the usual ones.

use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// The name of a model as a client or an upstream wrote it. At most [`ModelName::LONGEST`] bytes; up to 36 are kept
/// inline, so that every request and stream can hold its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ModelName(SmallVec<[u8; 36]>);

impl ModelName {
    /// The longest name taken, in bytes.
    pub const LONGEST: usize = 512;

    /// The name, or `None` when it is longer than [`ModelName::LONGEST`].
    pub fn new(name: &str) -> Option<Self> {
        (name.len() <= Self::LONGEST).then(|| ModelName(SmallVec::from_slice(name.as_bytes())))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // Made from text only, so this never takes the default.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Deref for ModelName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}
