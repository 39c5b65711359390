//! A call, and a second one beside it when it is slow. When that is, and to whom it goes, is decided in `weir_routing`; here
//! is what it takes to have two calls under way.

use crate::attempt::{Attempts, Made, Opened, Outgoing, one_call, outgoing};
use crate::call::Call;
use crate::call_record::UnderWay;
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
    /// The first good answer is the one, and the other call's connection is closed. An answer of no use is no good one.
    pub(crate) async fn race<'a>(
        &mut self,
        record: &mut Record,
        here: (&'a Core, &'a Snapshot),
        first: Outgoing<'a>,
        slow: Instant,
    ) -> Raced {
        let Attempts { call, machine, deadline, judge, kept, .. } = self;
        let Outgoing { record: mut one, lease, limits } = first;
        let one_at = one.attempt;
        let mut second_record;
        let mut calls = UnderWay::begin(record, &mut one);
        // A role alone is no answer: what has only announced itself has not won.
        let limits = limits.holding();
        let UnderWay { record, one, other, .. } = &mut calls;
        let mut first = Box::pin(one_call(one, call, None, lease, limits, judge));
        if let Ok(opened) = timeout_at(slow.into(), &mut first).await {
            drop(first);
            return calls.ended(opened);
        }
        record.look_at_clock();
        let (lease, limits) = match beside(machine, record, call, *deadline, here) {
            Some(Outgoing { record, lease, limits }) => {
                second_record = record;
                (lease, limits.holding())
            }
            None => {
                let opened = first.await;
                return calls.ended(opened);
            }
        };
        let other = other.insert(&mut second_record);
        let other_at = other.attempt;
        let mut second = Box::pin(one_call(other, call, None, lease, limits, judge));
        let (is_first, opened) = either(&mut first, &mut second).await;
        record.look_at_clock();
        // Noted before the wait for the other: the client may not stay for its end.
        let (rest, still) = if is_first {
            drop(first);
            record.takes_up(one, opened.as_ref().err());
            let opened = opened.and_then(|opened| kept.keep(record, call, opened));
            (rest(machine, record, one.deployment, opened, (second, other_at)).await, other)
        } else {
            drop(second);
            record.takes_up(other, opened.as_ref().err());
            let opened = opened.and_then(|opened| kept.keep(record, call, opened));
            (rest(machine, record, other.deployment, opened, (first, one_at)).await, one)
        };
        let raced = match rest {
            Rest::Over(raced) => {
                still.lost();
                record.takes_up_loser(still);
                raced
            }
            Rest::Last(opened) => {
                record.takes_up(still, opened.as_ref().err());
                opened.map_or_else(Raced::Faulted, Raced::Opened)
            }
        };
        // Both were waited for, for most of the time at once; the last look at the clock may have been for a head.
        record.look_at_clock();
        calls.has_waited();
        raced
    }
}

/// What is left of a race when one of two calls has ended.
enum Rest {
    /// It is over. The other was cancelled.
    Over(Raced),
    /// The other went on alone, and ended like this.
    Last(Result<Opened, Fault>),
}

/// One of two has ended. Unless that is the end of both, the other is waited for.
async fn rest(
    machine: &mut Machine,
    record: &mut Record,
    deployment: usize,
    opened: Result<Opened, Fault>,
    (other, other_at): (impl Future<Output = Result<Opened, Fault>>, usize),
) -> Rest {
    let deployment = index(deployment);
    let fault = match opened {
        Ok(opened) => {
            tell(machine, record, Event::OneAnswered(deployment));
            return Rest::Over(Raced::Opened(opened));
        }
        Err(fault) => fault,
    };
    if let Action::GiveUp(fault) = tell(machine, record, Event::OneFaulted(deployment, fault)) {
        return Rest::Over(Raced::GaveUp(fault));
    }
    record.goes_on_with(other_at);
    Rest::Last(other.await)
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
