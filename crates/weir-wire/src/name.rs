//! Model names.

use std::fmt;
use std::ops::Deref;

/// The name of a model as a client or an upstream wrote it. At most [`ModelName::LONGEST`] bytes, so that every request
/// and stream can hold its own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ModelName(Box<str>);

impl ModelName {
    /// The longest name taken, in bytes.
    pub const LONGEST: usize = 512;

    /// The name, or `None` when it is longer than [`ModelName::LONGEST`].
    pub fn new(name: &str) -> Option<Self> {
        (name.len() <= Self::LONGEST).then(|| ModelName(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
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
