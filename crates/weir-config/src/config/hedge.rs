//! A second call beside one that is slow.

use crate::format::duration_text;
use std::fmt;
use std::time::Duration;

/// Second calls beside first ones that are slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// When a call is slow.
    pub after: HedgeAfter,
    /// At most so many for a hundred requests: 1 to 100.
    pub extra_percent: u32,
}

impl Default for Hedge {
    fn default() -> Self {
        Hedge { after: HedgeAfter::Percentile(95), extra_percent: 5 }
    }
}

/// When a call is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HedgeAfter {
    /// When it has taken longer than so many of a hundred do at its deployment: 50 to 99.
    Percentile(u8),
    /// When it has taken so long, which is above zero.
    Time(Duration),
}

impl fmt::Display for HedgeAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HedgeAfter::Percentile(percentile) => write!(f, "p{percentile}"),
            HedgeAfter::Time(time) => f.write_str(&duration_text(*time)),
        }
    }
}
