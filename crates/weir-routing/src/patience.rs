//! How long a call is waited for while there is another deployment to call instead.
//!
//! The limit is on the first token of a stream, and on the head of an answer that is no stream, which comes when all of
//! it has been generated. It holds where nobody has set `timeouts.first_byte`, and not for the last candidate, which has
//! as long as the request: cutting that one short would turn a slow answer into none.
//!
//! With nothing known of the deployment:
//!
//! ```text
//! stream:        10 s + prompt tokens / 2000
//! other answers: 60 s + prompt tokens / 2000 + output tokens / 25
//! ```
//!
//! of which the output is the most that the request allows, or else 2048. Both are what slow hardware takes to read a
//! prompt and to write an answer, on top of the ten seconds after which a stream that says nothing is usually dead. Four
//! times as much where reasoning is asked for, or is what the model is meant for: it is generated before the first token
//! that shows.
//!
//! With the deployment's own windows: three times the 99th percentile that is [forecast](crate::windows) for a call of
//! this size. A call that takes three times as long as 99 of 100 will most likely not come at all. That may be more than
//! the above from the first sample on, and less from [`ENOUGH`] on, when 99 of 100 are known; not less where reasoning is
//! asked for, which most calls that were measured may have done without. In all it is within [`bounds`](Bounds).
//!
//! Two loops that this could close, and what keeps them open. A call that was cut counts in the windows as one that took
//! as long as it was waited for: were that to lengthen the limit, a dead deployment would be waited for ever longer. And a
//! limit that has been learnt in good times may be too short for worse ones, when every call would be cut that was only
//! slower. So what has been learnt counts only while the latest answers came: a deployment with faults in a row is one of
//! which nothing is known.

use crate::health::Health;
use crate::policy::Request;
use crate::windows::{Latency, Size};
use std::time::Duration;
use weir_core::{Moment, Timeouts};

/// So many samples tell the 99th percentile well enough to wait less than where nothing is known.
pub const ENOUGH: f64 = 50.0;
/// A call is given up after so many times its forecast 99th percentile.
const TIMES: f64 = 3.0;
/// Tokens of a prompt that a slow server reads in a second.
const READ: u32 = 2000;
/// Tokens of an answer that a slow server writes in a second.
const WRITTEN: u32 = 25;
/// Tokens of an answer for which the request sets no bound.
const USUAL_MOST: u32 = 2048;
/// How much longer where reasoning comes first.
const REASONING: u32 = 4;

/// What a limit starts from and stays within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What a call takes at most that has nothing to read and nothing to write.
    pub base: Duration,
    /// No limit is shorter.
    pub least: Duration,
    /// No limit is longer.
    pub most: Duration,
}

impl Bounds {
    /// Of the first token of a stream.
    pub const STREAM: Bounds =
        Bounds { base: Timeouts::FIRST_TOKEN, least: Duration::from_secs(5), most: Duration::from_secs(120) };
    /// Of an answer that is no stream.
    pub const WHOLE: Bounds =
        Bounds { base: Duration::from_secs(60), least: Duration::from_secs(60), most: Timeouts::TOTAL };
}

/// What is known of how long a call of this size takes at a deployment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Seconds in which 99 of 100 have come.
    pub p99: f64,
    /// Samples behind it.
    pub samples: f64,
}

/// How long to wait for a call of this request at a deployment; `size` is the call's there, `reasoning` whether that comes
/// before the first token. See the [module](self).
pub fn patience(
    request: &Request<'_>,
    size: Size,
    reasoning: bool,
    health: &Health,
    now: Moment,
) -> Duration {
    let latency = request.latency(Latency::First);
    // The longest answer that may come is not to be cut because the usual one is short.
    let size = Size { output: request.most_output.unwrap_or(size.output), ..size };
    let known = || {
        let forecast = health.windows().forecast(latency, size, now)?;
        Some(Known { p99: forecast.quantile(0.99), samples: forecast.samples })
    };
    limit(request, reasoning, if health.faults_in_a_row() > 0 { None } else { known() })
}

/// The same by what is known: the whole formula.
fn limit(request: &Request<'_>, reasoning: bool, known: Option<Known>) -> Duration {
    let bounds = if request.streamed { Bounds::STREAM } else { Bounds::WHOLE };
    let output = if request.streamed { 0 } else { request.most_output.unwrap_or(USUAL_MOST) };
    let tokens = seconds(request.prompt, READ) + seconds(output, WRITTEN);
    let unlearned = (bounds.base + tokens) * if reasoning { REASONING } else { 1 };
    let learned = known.map(|Known { p99, samples }| {
        let own = Duration::try_from_secs_f64(TIMES * p99).unwrap_or(bounds.most);
        if samples >= ENOUGH && !reasoning { own } else { own.max(unlearned) }
    });
    learned.unwrap_or(unlearned).clamp(bounds.least, bounds.most)
}

fn seconds(tokens: u32, a_second: u32) -> Duration {
    Duration::from_millis(u64::from(tokens) * 1000 / u64::from(a_second))
}

#[cfg(test)]
mod tests;
