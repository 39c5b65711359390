//! What breakers tell of themselves: each change of state as an event with its cause.
//!
//! Changes are rare and happen on the path of a request, so telling one neither waits nor grows anything: it goes into a
//! bounded queue, and when nobody has read that for long enough the event is counted as lost instead.

use crate::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use weir_core::{Class, Moment};

/// Whose breaker it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// That of the deployment of this name.
    Deployment(Arc<str>),
    /// That of a credential.
    Credential {
        /// The provider it is for; of several that share it, the one that was named first.
        provider: Arc<str>,
        /// Its place among that provider's credentials, from 1.
        nth: u32,
    },
    /// That of a credential at one deployment.
    Seat {
        /// The deployment's name.
        deployment: Arc<str>,
        /// As of the credential.
        provider: Arc<str>,
        /// As of the credential.
        nth: u32,
    },
}

/// Why a breaker changed its state, with the figures that decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// So many faults in a row, the last of this class.
    Row {
        /// How many.
        faults: u32,
        /// What the last one was.
        class: Class,
    },
    /// Too large a share of the calls in [`rate::WINDOW`](crate::rate::WINDOW) ended in faults, the last of this class.
    Share {
        /// Calls that ended.
        calls: u32,
        /// Those of them that ended in faults.
        faults: u32,
        /// What the last one was.
        class: Class,
    },
    /// Too many calls in [`slow::WINDOW`](crate::slow::WINDOW) took longer than the limit for the 95th percentile.
    Slow {
        /// `first_token` or `total`.
        latency: &'static str,
        /// Calls that were measured.
        calls: u32,
        /// Those of them that took too long.
        over: u32,
        /// The limit.
        limit: Duration,
    },
    /// A probe, or a call on trial, failed: by a fault of this class, or by taking too long.
    Probe {
        /// What it was.
        class: Class,
    },
    /// An active check failed once too often.
    Check {
        /// What the last one ended in.
        class: Class,
    },
    /// The upstream refused the credential.
    Refused {
        /// Whether it was certainly the credential's doing (`credential`) or perhaps the request's (`refused`).
        class: Class,
        /// Refusals in a row that were perhaps the request's.
        faults: u32,
    },
    /// The upstream refused the calls of one deployment, while the credential is good elsewhere, or does not know its model.
    RefusedHere {
        /// What the last one ended in.
        class: Class,
        /// Refusals in a row that were perhaps the request's.
        faults: u32,
    },
    /// The cool-down is over and a probe has left.
    CooledDown,
    /// An active check passed and ended the cool-down.
    Passed,
    /// A call was answered.
    Answered,
}

impl Cause {
    /// The word used in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Row { .. } => "faults_in_a_row",
            Cause::Share { .. } => "error_share",
            Cause::Slow { .. } => "slow",
            Cause::Probe { .. } => "probe_failed",
            Cause::Check { .. } => "check_failed",
            Cause::Refused { .. } => "credential_refused",
            Cause::RefusedHere { .. } => "refused_here",
            Cause::CooledDown => "cooled_down",
            Cause::Passed => "check_passed",
            Cause::Answered => "answered",
        }
    }

    /// The class of the fault that decided, where there was one.
    pub const fn class(self) -> Option<Class> {
        match self {
            Cause::Row { class, .. }
            | Cause::Share { class, .. }
            | Cause::Probe { class }
            | Cause::Check { class }
            | Cause::Refused { class, .. }
            | Cause::RefusedHere { class, .. } => Some(class),
            _ => None,
        }
    }
}

/// One change of one breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerEvent {
    /// When.
    pub at: Moment,
    /// Whose.
    pub subject: Subject,
    /// What it did with calls before.
    pub from: State,
    /// What it does with them now.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// Where breakers tell their events; shared by all of them.
#[derive(Debug)]
pub struct Events {
    queue: SyncSender<BreakerEvent>,
    lost: AtomicU64,
}

impl Events {
    /// So many events wait at most to be read.
    pub const MOST: usize = 1024;

    /// With the end at which they are read.
    pub fn new() -> (Arc<Events>, Receiver<BreakerEvent>) {
        let (queue, read) = sync_channel(Self::MOST);
        (Arc::new(Events { queue, lost: AtomicU64::new(0) }), read)
    }

    /// How many were lost because nobody read.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    pub(crate) fn tell(&self, event: BreakerEvent) {
        if self.queue.try_send(event).is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

/// How one breaker tells: who it is, and where to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Teller(Option<(Subject, Arc<Events>)>);

impl Teller {
    pub(crate) fn new(subject: Subject, events: &Arc<Events>) -> Self {
        Teller(Some((subject, Arc::clone(events))))
    }

    /// Tells a change, if it was one.
    pub(crate) fn tell(&self, change: Option<crate::breaker::Change>, cause: Cause, now: Moment) {
        let (Some(change), Some((subject, events))) = (change, &self.0) else { return };
        let cause = match cause {
            // What counted as one more fault of many while it was closed decides alone when it is half-open.
            Cause::Row { class, .. } | Cause::Share { class, .. } if change.from == State::HalfOpen => {
                Cause::Probe { class }
            }
            Cause::Row { class, .. } => Cause::Row { faults: change.faults, class },
            Cause::Refused { class, .. } => Cause::Refused { class, faults: change.faults },
            Cause::RefusedHere { class, .. } => Cause::RefusedHere { class, faults: change.faults },
            other => other,
        };
        let (subject, from, to) = (subject.clone(), change.from, change.to);
        events.tell(BreakerEvent { at: now, subject, from, to, cause });
    }
}
