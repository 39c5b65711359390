//! The section `store`, checked.

use std::path::PathBuf;
use std::time::Duration;

/// What is kept after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its file; when it is not absolute, from the folder of the configuration's own.
    pub path: PathBuf,
    /// How many days answers are kept; 1 to 3650.
    pub keep_days: u32,
    /// The most bytes of everything together; at least `max_entry`.
    pub max_total: usize,
    /// The most bytes of one answer; at least 1 KiB.
    pub max_entry: usize,
    /// How long a request waits for it; above zero.
    pub timeout: Duration,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            path: PathBuf::from("weir.db"),
            keep_days: 30,
            max_total: 1 << 30,
            max_entry: 8 << 20,
            timeout: Duration::from_secs(2),
        }
    }
}
