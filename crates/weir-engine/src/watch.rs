//! What the operator is told of breakers: each of their events once on stderr, the latest of them on request, and how many
//! there were of each kind.
//!
//! Requests only put an event into a queue. It is read with each round of one core's chores and whenever somebody asks, so
//! that requests neither log nor wait for whoever reads the log.

use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};
use weir_core::{Class, Moment};
use weir_routing::events::{Cause, Subject};
use weir_routing::{BreakerEvent, Events, State};

/// So many events are kept for whoever asks.
pub(crate) const MOST_KEPT: usize = 512;

/// An event that has been told.
#[derive(Clone, Debug)]
struct Told {
    /// Counts events since the start, from 1.
    seq: u64,
    at: SystemTime,
    event: BreakerEvent,
    /// Of one that closed: how long it had not been.
    after: Option<Duration>,
}

/// Reads what breakers tell.
pub(crate) struct Watch {
    events: Arc<Events>,
    read: Mutex<Read>,
}

struct Read {
    queue: Receiver<BreakerEvent>,
    /// Oldest first, [`MOST_KEPT`] at most.
    kept: VecDeque<Told>,
    seq: u64,
    /// How many there were, by what a metric tells apart. As many entries as there are breakers, times a few.
    counts: BTreeMap<(Subject, &'static str, &'static str), u64>,
}

impl Watch {
    /// With what breakers tell their events to.
    pub(crate) fn new() -> (Watch, Arc<Events>) {
        let (events, queue) = Events::new();
        let read = Read { queue, kept: VecDeque::new(), seq: 0, counts: BTreeMap::new() };
        (Watch { events: events.clone(), read: Mutex::new(read) }, events)
    }

    /// Tells what there is to tell, unless somebody else does so at this moment.
    pub(crate) fn look(&self, now: Moment) {
        match self.read.try_lock() {
            Ok(mut read) => read.look(now),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().look(now),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    fn looked(&self, now: Moment) -> MutexGuard<'_, Read> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.look(now);
        read
    }

    /// The latest events, newest first. For people: it waits for others who read.
    pub(crate) fn shown(&self, now: Moment) -> Value {
        let read = self.looked(now);
        let events: Vec<Value> = read.kept.iter().rev().map(Told::shown).collect();
        json!({ "events": events, "told": read.seq, "lost": self.events.lost() })
    }

    /// How many events there were: whose, into which state, why.
    pub(crate) fn counts(&self, now: Moment) -> Vec<(Subject, &'static str, &'static str, u64)> {
        let read = self.looked(now);
        read.counts.iter().map(|((subject, to, why), count)| (subject.clone(), *to, *why, *count)).collect()
    }
}

impl Read {
    fn look(&mut self, now: Moment) {
        // No more than fit into the queue, so that a storm of events does not keep whoever looks.
        for event in self.queue.try_iter().take(Events::MOST) {
            let at = SystemTime::now().checked_sub(now.since(event.at)).unwrap_or(SystemTime::UNIX_EPOCH);
            let closed = event.to == State::Closed;
            let same = |told: &&Told| told.event.subject == event.subject;
            let opened = self.kept.iter().rev().filter(same).find(|told| told.event.from == State::Closed);
            let after = opened.filter(|_| closed).map(|opened| event.at.since(opened.event.at));
            self.seq += 1;
            let told = Told { seq: self.seq, at, event, after };
            told.tell();
            let kind = (told.event.subject.clone(), told.event.to.name(), told.event.cause.name());
            *self.counts.entry(kind).or_default() += 1;
            if self.kept.len() == MOST_KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(told);
        }
    }
}

/// A cause's figures, by name.
fn figures(cause: Cause) -> [Option<(&'static str, Value)>; 4] {
    let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    match cause {
        Cause::Row { faults, .. } => [Some(("faults", json!(faults))), None, None, None],
        Cause::Share { calls, faults, .. } => {
            [Some(("faults", json!(faults))), Some(("calls", json!(calls))), None, None]
        }
        Cause::Slow { latency, calls, over, limit } => [
            Some(("latency", json!(latency))),
            Some(("over", json!(over))),
            Some(("calls", json!(calls))),
            Some(("limit_ms", json!(millis(limit)))),
        ],
        Cause::Refused { faults, .. } | Cause::RefusedHere { faults, .. } if faults > 0 => {
            [Some(("faults", json!(faults))), None, None, None]
        }
        Cause::Refused { .. }
        | Cause::RefusedHere { .. }
        | Cause::Probe { .. }
        | Cause::Check { .. }
        | Cause::CooledDown
        | Cause::Passed
        | Cause::Answered => [const { None }; 4],
    }
}

impl Told {
    /// As JSON.
    fn shown(&self) -> Value {
        let BreakerEvent { subject, from, to, cause, .. } = &self.event;
        let mut shown = match subject {
            Subject::Deployment(name) => json!({ "deployment": **name }),
            Subject::Credential { provider, nth } => json!({ "provider": **provider, "credential": nth }),
            Subject::Seat { deployment, provider, nth } => {
                json!({ "deployment": **deployment, "provider": **provider, "credential": nth })
            }
        };
        shown["seq"] = json!(self.seq);
        shown["at"] = json!(weir_telemetry::rfc3339(self.at));
        shown["from"] = json!(from.name());
        shown["to"] = json!(to.name());
        shown["cause"] = json!(cause.name());
        if let Some(class) = cause.class() {
            shown["fault"] = json!(class.name());
        }
        for (name, value) in figures(*cause).into_iter().flatten() {
            shown[name] = value;
        }
        if let Some(after) = self.after {
            shown["after_ms"] = json!(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        }
        shown
    }

    /// Tells the operator.
    fn tell(&self) {
        let BreakerEvent { subject, from, to, cause, .. } = &self.event;
        let (deployment, provider, credential) = match subject {
            Subject::Deployment(name) => (Some(&**name), None, None),
            Subject::Credential { provider, nth } => (None, Some(&**provider), Some(nth)),
            Subject::Seat { deployment, provider, nth } => {
                (Some(&**deployment), Some(&**provider), Some(nth))
            }
        };
        let figures: Vec<String> =
            figures(*cause).into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
        let (fault, figures) = (cause.class().map(Class::name), figures.join(", "));
        let figures = Some(&*figures).filter(|figures| !figures.is_empty());
        let (from, to, cause) = (from.name(), to.name(), cause.name());
        match (self.event.from, self.event.to) {
            (State::Closed, _) if credential.is_some() => tracing::warn!(
                deployment,
                provider,
                credential,
                from,
                to,
                cause,
                fault,
                figures,
                "credential benched: no calls with it but probes"
            ),
            (State::Closed, _) => tracing::warn!(
                deployment,
                from,
                to,
                cause,
                fault,
                figures,
                "breaker opened: no calls but probes"
            ),
            (_, State::Closed) => {
                let after_seconds = self.after.map(|after| after.as_secs_f64());
                match credential {
                    Some(_) => tracing::info!(
                        deployment,
                        provider,
                        credential,
                        from,
                        to,
                        cause,
                        after_seconds,
                        "credential taken again"
                    ),
                    None => tracing::info!(
                        deployment,
                        from,
                        to,
                        cause,
                        after_seconds,
                        "breaker closed: called again"
                    ),
                }
            }
            _ => tracing::debug!(deployment, provider, credential, from, to, cause, fault, "breaker"),
        }
    }
}

#[cfg(test)]
mod tests;
