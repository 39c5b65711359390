//! What the operator is told of deployments that fail: every change once, however many requests it took to bring it about.
//!
//! One core looks at all breakers with each round of its chores, so requests neither log nor wait for whoever reads
//! the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Class, Moment};
use weir_routing::{Health, State};

/// What was seen of each breaker last.
#[derive(Default)]
pub(crate) struct Watch(HashMap<Arc<str>, Seen>);

struct Seen {
    /// Whose breaker it is: a deployment that was moved begins with a new one.
    health: Arc<Health>,
    state: State,
    changes: u64,
    /// When it was first seen not closed.
    since: Moment,
}

/// A change of one breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// From closed to open, or already half-open again.
    Opened {
        to: State,
        /// What the latest fault was.
        cause: Option<Class>,
        /// Faults in a row.
        faults: u32,
    },
    /// Between open and half-open: nothing is decided yet.
    Between { from: State, to: State },
    /// Closed again.
    Closed { from: State, after: Duration },
}

impl Watch {
    /// Looks at every deployment and gives what has changed since the last look, in the deployments' order.
    pub(crate) fn look<'d>(
        &mut self,
        deployments: impl Iterator<Item = (&'d Arc<str>, &'d Arc<Health>)> + Clone,
        now: Moment,
    ) -> Vec<(Arc<str>, Turn)> {
        let mut turns = Vec::new();
        let mut count = 0;
        for (name, health) in deployments.clone() {
            count += 1;
            let fresh = || Seen { health: health.clone(), state: State::Closed, changes: 0, since: now };
            let seen = self.0.entry(name.clone()).or_insert_with(fresh);
            if !Arc::ptr_eq(&seen.health, health) {
                *seen = fresh();
            }
            seen.look(now, |turn| turns.push((name.clone(), turn)));
        }
        if self.0.len() > count {
            let names: Vec<&Arc<str>> = deployments.map(|(name, _)| name).collect();
            self.0.retain(|name, _| names.contains(&name));
        }
        turns
    }
}

impl Seen {
    fn look(&mut self, now: Moment, mut say: impl FnMut(Turn)) {
        let status = self.health.status(now);
        let (from, to) = (std::mem::replace(&mut self.state, status.state), status.state);
        let unseen = std::mem::replace(&mut self.changes, status.changes) != status.changes;
        let opened = |to| Turn::Opened { to, cause: status.latest_fault, faults: status.consecutive };
        match (from, to) {
            (State::Closed, State::Closed) if unseen => {
                say(opened(State::Open));
                say(Turn::Closed { from: State::HalfOpen, after: Duration::ZERO });
            }
            (State::Closed, State::Closed) => {}
            (State::Closed, to) => {
                self.since = now;
                say(opened(to));
            }
            (from, State::Closed) => say(Turn::Closed { from, after: now.since(self.since) }),
            (from, to) if from != to => say(Turn::Between { from, to }),
            _ => {}
        }
    }
}

impl Turn {
    /// Tells the operator.
    pub(crate) fn tell(self, deployment: &str) {
        match self {
            Turn::Opened { to, cause, faults } => {
                let cause = cause.map_or("unknown", Class::name);
                let (from, to) = (State::Closed.name(), to.name());
                // A breaker that closed meanwhile has forgotten how many there were.
                let faults = (faults > 0).then_some(faults);
                tracing::warn!(deployment, from, to, cause, faults, "breaker opened: no calls but probes");
            }
            Turn::Between { from, to } => {
                tracing::debug!(deployment, from = from.name(), to = to.name(), "breaker");
            }
            Turn::Closed { from, after } => {
                let (from, to) = (from.name(), State::Closed.name());
                let after_seconds = after.as_secs_f64();
                tracing::info!(deployment, from, to, after_seconds, "breaker closed: called again");
            }
        }
    }
}

#[cfg(test)]
mod tests;
