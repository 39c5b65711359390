//! When a second call is made beside one that is slow.
//!
//! Of calls to one deployment a few take many times as long as the others: a queue, a collection of garbage, a lost packet.
//! A second call, to another deployment, after the first has taken longer than most, cuts that tail at the price of few
//! further calls (Dean and Barroso, [The Tail at Scale](https://research.google/pubs/the-tail-at-scale/), 2013). That
//! holds only while few calls are slow. When all are, because the model servers are overloaded, second calls make it
//! worse, so there is a budget: hedges are a share of a route's requests ([`Share`]).
//!
//! "Longer than most" is a percentile of what the first call's own deployment takes for a call of this size
//! ([`crate::windows`]), as long as enough is known of that, or a time that the operator sets. What is waited for is the
//! first token of a stream, and all of another answer.

use crate::retry_budget::Share;
use crate::windows::{Latency, Size, Windows};
use std::time::Duration;
use weir_core::Moment;

/// So many samples are behind a percentile that decides; with fewer there are no hedges.
pub const ENOUGH: f64 = 20.0;
/// So many hedges are saved up at most, on each core.
const SAVED: u32 = 10;

/// When a call is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// When it has taken longer than so many of a hundred do.
    Percentile(u8),
    /// When it has taken so long.
    Time(Duration),
}

/// How a route hedges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hedge {
    /// When a second call may be made.
    pub after: After,
    /// At most so many for a hundred requests.
    pub extra_percent: u32,
}

impl Hedge {
    /// How long a call of this size to the deployment of these windows is waited for before a second one may be made;
    /// `None` while too little is known.
    pub fn after(&self, windows: &Windows, latency: Latency, size: Size, now: Moment) -> Option<Duration> {
        match self.after {
            After::Time(time) => Some(time),
            After::Percentile(percentile) => {
                let forecast = windows.forecast(latency, size, now)?;
                let seconds = forecast.quantile(f64::from(percentile) / 100.0);
                (forecast.samples >= ENOUGH).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
            }
        }
    }

    /// One core's part of the budget. It begins empty: the first hedge is paid for by requests before it.
    pub fn share(&self) -> Share {
        Share::new(self.extra_percent, SAVED)
    }
}

#[cfg(test)]
mod tests;
