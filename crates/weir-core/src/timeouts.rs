//! How long each phase of an upstream call may take.

use std::time::Duration;

/// Limits on one request's upstream side. `None` means "not set here"; [`Timeouts::or`] lays one level over another
/// (route over deployment over provider over defaults).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Opening a connection, name lookup and TLS included.
    pub connect: Option<Duration>,
    /// From sending the request to the first byte of a whole answer, or to the first token of a stream.
    pub first_byte: Option<Duration>,
    /// How long a stream's first events are held back while none of them says anything; not at all where it is not set.
    pub hold: Option<Duration>,
    /// Silence between two pieces of a body.
    pub idle: Option<Duration>,
    /// At a route the whole request, all attempts and waits included; below it one call, to its last byte. A request's
    /// comes on top of a call's, so do not lay this one of a route over others.
    pub total: Option<Duration>,
    /// The least speed of a stream.
    pub min_speed: Option<MinSpeed>,
}

/// A stream that is slower than this over that time has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinSpeed {
    /// Zero for no least speed.
    pub tokens_per_second: u32,
    /// From the first token on, over any time this long.
    pub over: Duration,
}

impl Default for MinSpeed {
    /// That of a stream while another deployment remains that could complete it: an answer of any length takes hours.
    fn default() -> Self {
        MinSpeed { tokens_per_second: 1, over: Duration::from_secs(20) }
    }
}

impl Timeouts {
    /// Default for `connect`.
    pub const CONNECT: Duration = Duration::from_secs(5);
    /// Default for `first_byte` of a stream with a short prompt, at a deployment of which nothing is known yet, while
    /// another remains to be tried. The last one tried has until `total`.
    pub const FIRST_TOKEN: Duration = Duration::from_secs(10);
    /// Default for `idle` of a stream while another deployment remains that could complete it.
    pub const IDLE_WITH_ANOTHER: Duration = Duration::from_secs(10);
    /// Default for `idle` of everything else.
    pub const IDLE: Duration = Duration::from_secs(30);
    /// Default for `total`.
    pub const TOTAL: Duration = Duration::from_secs(600);

    /// These limits, with `below` where one is not set.
    #[must_use]
    pub fn or(self, below: Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.or(below.connect),
            first_byte: self.first_byte.or(below.first_byte),
            hold: self.hold.or(below.hold),
            idle: self.idle.or(below.idle),
            total: self.total.or(below.total),
            min_speed: self.min_speed.or(below.min_speed),
        }
    }
}
