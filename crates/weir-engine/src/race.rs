//! A call, and a second one beside it when it is slow. When that is, and to whom it goes, is decided in `weir_routing`; here
//! is what it takes to have two calls under way.

use crate::attempt::{Attempts, Made, Opened, Outgoing, one_call, outgoing};
use crate::call::Call;
use crate::call_record::CallRecord;
use crate::core::{Core, Snapshot};
use crate::record::Record;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;
use tokio::time::timeout_at;
use weir_core::Fault;
use weir_routing::retry_budget::Share;
use weir_routing::{Action, Event, Lease, Machine, Reason};
use weir_wire::usage::estimate;

/// How a call ended that may have had a second one beside it.
pub(crate) enum Raced {
    /// By an answer.
    Opened(Opened),
    /// By the fault of the last one that was under way.
    Faulted(Fault),
    /// By a fault that is the answer.
    GaveUp(Fault),
}

impl Attempts {
    /// Makes a call; when it has not answered at the time `slow`, and there is somebody to call, a second one beside it.
    /// The first good answer is the one, and the other call's connection is closed.
    pub(crate) async fn race<'a>(
        &mut self,
        record: &mut Record,
        here: (&'a Core, &'a Snapshot),
        first: Outgoing<'a>,
        slow: Instant,
    ) -> Raced {
        let Attempts { call, machine, deadline, .. } = self;
        let waited = record.waited;
        let Outgoing { record: mut one, lease, limits } = first;
        let (began, one_is, one_at) = (one.clock, one.deployment, one.attempt);
        // A role alone is no answer: what has only announced itself has not won.
        let limits = limits.holding();
        let mut first = Box::pin(one_call(&mut one, call, None, lease, limits));
        if let Ok(opened) = timeout_at(slow.into(), &mut first).await {
            drop(first);
            return ended(record, &one, opened);
        }
        record.look_at_clock();
        let Outgoing { record: mut other, lease, limits } =
            match beside(machine, record, call, *deadline, here) {
                Some(second) => second,
                None => {
                    let opened = first.await;
                    return ended(record, &one, opened);
                }
            };
        let (other_is, other_at) = (other.deployment, other.attempt);
        let limits = limits.holding();
        let mut second = Box::pin(one_call(&mut other, call, None, lease, limits));
        let (is_first, opened) = either(&mut first, &mut second).await;
        record.look_at_clock();
        let ended_is = if is_first { one_is } else { other_is };
        let raced = match opened {
            Ok(opened) => {
                drop((first, second));
                let (winner, loser) = if is_first { (one, other) } else { (other, one) };
                tell(machine, record, Event::OneAnswered(index(ended_is)));
                loses(record, loser, call);
                record.takes_up(&winner, None);
                Raced::Opened(opened)
            }
            Err(fault) => {
                let noted = fault.clone();
                match tell(machine, record, Event::OneFaulted(index(ended_is), fault)) {
                    Action::GiveUp(fault) => {
                        drop((first, second));
                        let (failed, loser) = if is_first { (one, other) } else { (other, one) };
                        loses(record, loser, call);
                        record.takes_up(&failed, Some(&noted));
                        Raced::GaveUp(fault)
                    }
                    _ => {
                        // Noted before the wait: the client may not stay for its end.
                        if is_first {
                            drop(first);
                            record.takes_up(&one, Some(&noted));
                            record.goes_on_with(other_at);
                            let opened = second.await;
                            ended(record, &other, opened)
                        } else {
                            drop(second);
                            record.takes_up(&other, Some(&noted));
                            record.goes_on_with(one_at);
                            let opened = first.await;
                            ended(record, &one, opened)
                        }
                    }
                }
            }
        };
        // Both were waited for, for most of the time at once; the last look at the clock may have been for a head.
        record.look_at_clock();
        record.waited = waited + record.clock.saturating_duration_since(began);
        raced
    }
}

/// The last call under way has ended.
pub(crate) fn ended(record: &mut Record, call: &CallRecord<'_>, opened: Result<Opened, Fault>) -> Raced {
    record.takes_up(call, opened.as_ref().err());
    opened.map_or_else(Raced::Faulted, Raced::Opened)
}

/// What the machine says to this.
fn tell(machine: &mut Machine, record: &Record, event: Event) -> Action {
    let now = record.now();
    record.core.with_chance(|chance| machine.on(event, now, chance))
}

/// The second call, when there is one to be made.
fn beside<'a>(
    machine: &mut Machine,
    record: &mut Record,
    call: &Call,
    deadline: Instant,
    here: (&'a Core, &'a Snapshot),
) -> Option<Outgoing<'a>> {
    let mut event = Event::Slow;
    // Anything but a call means that the first one goes on alone.
    while let Action::Call { deployment, fallback, cause, last, .. } = tell(machine, record, event) {
        let deployment = usize::try_from(deployment).unwrap_or(usize::MAX);
        match enter(record, call, deployment) {
            Ok(lease) => {
                let made = Made { deployment, fallback, cause, last, deadline };
                return Some(outgoing(record, here, call, &made, lease));
            }
            Err(reason) => event = Event::NotEntered(reason),
        }
    }
    None
}

/// A place at this deployment for the second call.
fn enter(record: &Record, call: &Call, deployment: usize) -> Result<Lease, Reason> {
    let snapshot = &record.snapshot;
    let there = snapshot.gateway.deployments.get(deployment).ok_or(Reason::Unknown)?;
    let same = || record.deployment().is_some_and(|first| first.same_as == there.same_as);
    // Who wants no fallback gets the model that was chosen, not the one that was faster.
    if call.hints.no_fallback && !same() {
        return Err(Reason::OtherModel);
    }
    let now = record.now();
    let lease = record.core.with_chance(|chance| there.health.acquire(now, false, chance))?;
    let share = snapshot.hedge_shares.get(call.chosen.places[0].route).and_then(Option::as_ref);
    if share.is_some_and(Share::withdraw) { Ok(lease) } else { Err(Reason::HedgeBudget) }
}

/// A call that another was faster than. Nobody says what it took: at least its prompt, which had been sent.
fn loses(record: &mut Record, mut loser: CallRecord<'_>, call: &Call) {
    loser.look_at_clock();
    loser.lost();
    record.takes_up(&loser, None);
    record.spent(estimate(call.facts.prompt_bytes, 0, 0));
    record.attempt_aborted();
}

/// Which of two ends first, the first before the second.
async fn either<T>(
    first: &mut Pin<Box<impl Future<Output = T>>>,
    second: &mut Pin<Box<impl Future<Output = T>>>,
) -> (bool, T) {
    poll_fn(|cx| match first.as_mut().poll(cx) {
        Poll::Ready(ended) => Poll::Ready((true, ended)),
        Poll::Pending => second.as_mut().poll(cx).map(|ended| (false, ended)),
    })
    .await
}

fn index(deployment: usize) -> u32 {
    u32::try_from(deployment).unwrap_or(u32::MAX)
}
