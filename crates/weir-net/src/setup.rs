//! What comes before an answer: the connection, and the request on its way.

use std::time::{Duration, Instant};

/// What it took until a request was on its way. Nothing on a connection that was there already, as long as the request
/// leaves in one go: then no clock is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    /// Looking up the name and opening the connection.
    pub connect: Duration,
    /// Agreeing on encryption.
    pub tls: Duration,
    /// Waiting until the peer took the rest of the request.
    pub send: Duration,
    /// Whether any of the request has left.
    pub sent: bool,
}

impl Setup {
    /// What the network took, and the model's server had no part in.
    pub fn connection(&self) -> Duration {
        self.connect + self.tls
    }
}

/// How long a request may wait for its answer.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Opening a connection, if one has to be opened.
    pub connect: Duration,
    /// When the head of the answer has to be there on a connection that is there already; on one that has to be opened,
    /// so much later as that took.
    pub answer: Instant,
    /// When it has to be there in any case.
    pub deadline: Instant,
}

impl Limits {
    /// For one that is over by then, its connection included.
    pub fn by(deadline: Instant, connect: Duration) -> Self {
        Limits { connect, answer: deadline, deadline }
    }

    /// When the head of the answer has to be there after this.
    pub fn answer_after(&self, setup: &Setup) -> Instant {
        (self.answer + setup.connection()).min(self.deadline)
    }
}

#[cfg(test)]
mod tests;
