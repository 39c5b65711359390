//! Stages 7 and 8: the plan, and the loop that carries out what the attempt machine decides. Nothing else in the program
//! calls an upstream twice.

use crate::call::Call;
use crate::choose::Place;
use crate::opening::{self, CallLimits, StreamAnswer, WholeAnswer};
use crate::record::{Record, Tried};
use std::time::Instant;
use weir_core::{Fault, Timeouts};
use weir_routing::{Action, Event, Lease, Machine, Plan, Reason};

/// An answer has begun and nothing of it has reached the client yet.
pub(crate) enum Opened {
    /// An answer that is not a stream.
    Whole(Box<WholeAnswer>),
    /// A stream whose first event is there.
    Stream(Box<StreamAnswer>),
}

/// Calls deployments until one answers.
///
/// # Errors
/// The most telling fault, when no deployment of the route and its fallbacks answered.
pub(crate) async fn attempt(record: &mut Record, call: &Call) -> Result<Opened, Fault> {
    let snapshot = record.snapshot.clone();
    let core = record.core.clone();
    let asked = call.chosen.places[0];
    let route = &snapshot.gateway.routes[asked.route];
    let deadline = record.started + route.timeouts.total.unwrap_or(Timeouts::TOTAL);
    record.look_at_clock();
    let first = plan(record, call, asked, &[]);
    let mut machine = Machine::new(&first, route.rules, route.fallbacks.len(), core.engine.moment(deadline))
        .with_causes(route.fallbacks.iter().map(|fallback| fallback.on));
    if first.candidates.is_empty() {
        nobody_fits(record, call, asked).into_iter().for_each(|fault| machine.nobody_fits(fault));
    }
    let mut event = Event::Begin;
    loop {
        let now = record.now();
        event = match core.with_chance(|chance| machine.on(event, now, chance)) {
            Action::Call { deployment, fallback, cause, last, spread } => {
                let index = deployment as usize;
                let here = place(call, fallback).route;
                match snapshot.healths[index].acquire(now, spread) {
                    Err(reason) => Event::NotEntered(reason),
                    Ok(lease) => {
                        // A plan that yielded nobody may have named another route meanwhile.
                        record.route = Some(here);
                        record.attempts.push(Tried { deployment: index, cause, fault: None });
                        let limits = limits(record, index, here, last, deadline);
                        match one_call(record, call, lease, limits).await {
                            Ok(opened) => return Ok(opened),
                            Err(fault) => Event::Faulted(fault), // the clock has been looked at
                        }
                    }
                }
            }
            Action::Wait { until } => {
                let wait = until.since(now);
                tokio::time::sleep(wait).await;
                record.look_at_clock();
                record.waited += wait;
                Event::Waited
            }
            Action::Plan { fallback } => {
                let next = place(call, Some(fallback));
                let plan = plan(record, call, next, machine.barred());
                if plan.candidates.is_empty() {
                    nobody_fits(record, call, next).into_iter().for_each(|fault| machine.nobody_fits(fault));
                }
                Event::Planned(plan)
            }
            Action::GiveUp(fault) => return Err(fault),
            Action::Done => {
                return Err(
                    crate::panics::panicked().with_cause("the attempt machine ended without an answer")
                );
            }
        };
    }
}

/// Where the n-th fallback is served; without one, the call itself.
fn place(call: &Call, fallback: Option<usize>) -> Place {
    let places = &call.chosen.places;
    fallback.and_then(|n| places.get(n + 1)).copied().unwrap_or(places[0])
}

/// Stage 7: the order in which the deployments of a pool are to be called.
fn plan(record: &mut Record, call: &Call, place: Place, barred: &[u32]) -> Plan {
    record.route = Some(place.route);
    let snapshot = &record.snapshot;
    let wanted = snapshot.gateway.routes[place.route].rules.max_retries as usize + 1;
    let now = record.now();
    let health = |deployment: u32| snapshot.healths.get(deployment as usize).map(|h| &**h);
    let unfit = |deployment: u32| unfit(record, call, deployment);
    let policy = &*snapshot.policies[place.pool];
    record.core.with_chance(|chance| {
        weir_routing::plan::plan_fitting(policy, &health, &unfit, barred, wanted, now, chance)
    })
}

/// Why a deployment's model does not take this call.
fn unfit(record: &Record, call: &Call, deployment: u32) -> Option<Reason> {
    let size = call.chosen.size.as_ref()?;
    record.snapshot.gateway.takes.get(deployment as usize)?.refuse(size)
}

/// The fault to tell when no deployment of a pool takes this call.
fn nobody_fits(record: &Record, call: &Call, place: Place) -> Option<Fault> {
    let size = call.chosen.size.as_ref()?;
    let members = record.snapshot.gateway.pools[place.pool].members.iter();
    weir_routing::fit::nobody_fits(
        &call.facts.model,
        size,
        members.map(|member| unfit(record, call, member.deployment)),
    )
}

/// One upstream call, up to the point where its answer is known to be good. A call that is cut off before that (the
/// client hung up) drops its lease unreported.
async fn one_call(
    record: &mut Record,
    call: &Call,
    mut lease: Lease,
    limits: CallLimits,
) -> Result<Opened, Fault> {
    let mut opened = opening::open(record, call, limits).await;
    if opened.is_err() {
        record.look_at_clock();
    }
    match &mut opened {
        // In flight until the client has read it, or hung up; how it ended is not known before.
        Ok(Opened::Stream(answer)) => {
            lease.begun();
            answer.lease = Some(lease);
        }
        Ok(Opened::Whole(answer)) => {
            match answer.rest {
                Some(_) => lease.begun(),
                None => lease.report(Ok(()), record.now()),
            }
            answer.lease = Some(lease);
        }
        Err(fault) => {
            lease.report(Err(&*fault), record.now());
            if let Some(tried) = record.attempts.last_mut() {
                tried.fault = Some(fault.class);
            }
        }
    }
    opened
}

/// The time limits of one call. The default limit to the first token exists to move on while there is somewhere to move
/// on to; without that, or for an answer that is not a stream, cutting it short would only turn a slow answer into none.
///
/// `deadline` is that of the request, by its route; the deployment's own total is for this call alone.
fn limits(record: &Record, deployment: usize, route: usize, last: bool, deadline: Instant) -> CallLimits {
    let gateway = &record.snapshot.gateway;
    let own = gateway.deployments[deployment].timeouts();
    let set = gateway.routes[route].timeouts.or(own);
    let deadline = own.total.map_or(deadline, |total| deadline.min(record.clock + total));
    let default_first = (record.streamed && !last).then_some(Timeouts::FIRST_TOKEN);
    let first =
        set.first_byte.or(default_first).map_or(deadline, |within| deadline.min(record.clock + within));
    CallLimits {
        connect: set.connect.unwrap_or(Timeouts::CONNECT),
        first,
        idle: set.idle.unwrap_or(Timeouts::IDLE),
        deadline,
    }
}
