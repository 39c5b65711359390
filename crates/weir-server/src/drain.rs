//! Ending in good order.

use tokio::sync::watch;

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// Not ready for new work any more: listeners are closed, requests under way go on.
    Draining,
    /// The grace period is over: what is left is cut.
    Ended,
}

/// Says when the process moves on to its next phase. Cloned into everything that has to end with it.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<Phase>);

/// The other end: held by whoever decides that the process ends.
#[derive(Debug)]
pub struct Stop(watch::Sender<Phase>);

impl Stop {
    /// A running process.
    pub fn new() -> (Stop, Drain) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (Stop(sender), Drain(receiver))
    }

    /// Moves on to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let later = phase > *now;
            if later {
                *now = phase;
            }
            later
        });
    }
}

impl Drain {
    /// The present phase.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until the process is in `phase` or a later one. Also returns when nobody is left to say so.
    pub async fn reached(&mut self, phase: Phase) {
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
