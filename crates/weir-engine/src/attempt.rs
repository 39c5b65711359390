//! Stages 7 and 8: the plan, and the loop that carries out what the attempt machine decides. Nothing else in the program
//! calls an upstream twice.

use crate::call::Call;
use crate::call_record::{CallRecord, UnderWay};
use crate::choose::{BYTES_PER_TOKEN, Place};
use crate::core::{Core, Snapshot};
use crate::gateway::Gateway;
use crate::opening::{self, CallLimits, Joint, StreamAnswer, WholeAnswer};
use crate::quality::{Judge, Kept, of_no_use};
use crate::queue::{Queue, Ticket};
use crate::race::Raced;
use crate::record::{Record, Tried};
use crate::relay::BODY_KEPT;
use crate::waiting::Waiting;
use smallvec::SmallVec;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_config::Continues;
use weir_core::exchange::{AttemptCause, WaitCause};
use weir_core::timeouts::MinSpeed;
use weir_core::{Class, Fault, Moment, Need, Timeouts, Usage};
use weir_routing::hedge::Hedge;
use weir_routing::retry_budget::{Share, allows};
use weir_routing::windows::Latency;
use weir_routing::{Action, Event, Lease, Machine, Member, Plan, Reason, Request};
use weir_wire::watch::Words;

/// An answer has begun and nothing of it has reached the client yet.
pub(crate) enum Opened {
    /// An answer that is not a stream.
    Whole(Box<WholeAnswer>),
    /// A stream whose first event is there.
    Stream(Box<StreamAnswer>),
}

/// The attempts of one request: what has been tried, what may still be, and the call they are about. Goes on into the body
/// of a stream, which may break off when part of it has reached the client.
pub(crate) struct Attempts {
    pub(crate) call: Box<Call>,
    pub(crate) machine: Machine,
    pub(crate) deadline: Instant,
    pub(crate) judge: Judge,
    /// An answer of no use, in case that there is no better one.
    pub(crate) kept: Kept,
    /// Deployments that would not go on behind the client's part of an answer.
    unwilling: SmallVec<[usize; 1]>,
    /// The place in the line where it waits.
    ticket: Option<Ticket>,
}

/// The part of an answer that the client has when it breaks off.
pub(crate) struct Begun {
    /// What it says.
    pub(crate) words: Words,
    /// Which model said it.
    pub(crate) same_as: Arc<str>,
}

/// Calls deployments until one answers.
///
/// # Errors
/// The most telling fault, when no deployment of the route and its fallbacks answered.
pub(crate) async fn attempt(record: &mut Record, call: Box<Call>) -> Result<(Opened, Box<Attempts>), Fault> {
    let asked = call.chosen.places[0].route;
    record.snapshot.retry_shares[asked].deposit();
    record.snapshot.hedge_shares[asked].iter().for_each(Share::deposit);
    record.look_at_clock();
    let mut attempts = begin(record, call);
    let opened = attempts.go_on(record, Event::Begin, None).await?;
    Ok((opened, attempts))
}

/// The first plan, and the machine that goes on from there.
pub(crate) fn begin(record: &mut Record, call: Box<Call>) -> Box<Attempts> {
    let snapshot = record.snapshot.clone();
    let asked = call.chosen.places[0];
    let route = &snapshot.gateway.routes[asked.route];
    let deadline = record.started + route.timeouts.total.unwrap_or(Timeouts::TOTAL);
    let first = plan(record, &call, None, &[]);
    let fallbacks = if call.hints.no_fallback { 0 } else { route.fallbacks.len() };
    let mut machine = Machine::new(&first, route.rules, fallbacks, record.core.engine.moment(deadline))
        .with_causes(route.fallbacks.iter().map(|fallback| fallback.on))
        .with_queue(if route.queue.max_waiting > 0 { route.queue.max_wait } else { Duration::ZERO });
    if first.candidates.is_empty() {
        nobody_fits(record, &call, asked).into_iter().for_each(|fault| machine.nobody_fits(fault));
    }
    Box::new(Attempts {
        call,
        machine,
        deadline,
        judge: Judge::default(),
        kept: Kept::default(),
        unwilling: SmallVec::new(),
        ticket: None,
    })
}

impl Attempts {
    /// Calls deployments until one answers, or, with `begun`, until one completes the answer that broke off.
    ///
    /// # Errors
    /// As of [`attempt`].
    pub(crate) async fn go_on(
        &mut self,
        record: &mut Record,
        mut event: Event,
        begun: Option<&Begun>,
    ) -> Result<Opened, Fault> {
        let snapshot = record.snapshot.clone();
        let core = record.core.clone();
        let asked = self.call.chosen.places[0].route;
        let route = &snapshot.gateway.routes[asked];
        loop {
            let now = record.now();
            event = match core.with_chance(|chance| self.machine.on(event, now, chance)) {
                Action::Call { deployment, fallback, cause, spread } => {
                    let index = deployment as usize;
                    let told = begun.is_some_and(|begun| !begun.words.is_empty());
                    let there = place(&self.call, fallback);
                    match enter(record, &self.call, (asked, there), index, told, spread) {
                        Err(reason) => Event::NotEntered(reason),
                        Ok(lease) => {
                            if let Some(ticket) = self.ticket.take() {
                                let waited = ticket.ends(true, now);
                                record.queued += waited;
                                lease.windows().queued(waited, now);
                            }
                            let cause = if told { AttemptCause::Continuation } else { cause };
                            let others = others(record, &self.call, &self.machine, fallback);
                            let made =
                                Made { deployment: index, fallback, cause, others, deadline: self.deadline };
                            let out = outgoing(record, (&core, &snapshot), &self.call, &made, lease);
                            let joint = begun.map(|begun| {
                                joint((&snapshot, record.usage), &self.call, index, begun, &self.unwilling)
                            });
                            let prefilled = joint.is_some_and(|joint| joint.prefilled);
                            let hedge = route.hedge.filter(|_| begun.is_none() && !spread);
                            let raced = match hedge.and_then(|hedge| slow(&hedge, &out, &self.call)) {
                                Some(slow) => {
                                    Box::pin(self.race(record, (&core, &snapshot), out, slow)).await
                                }
                                None => alone(record, &self.call, out, joint, &self.judge).await,
                            };
                            let prefilled = prefilled.then_some(index);
                            match self.comes_to(record, raced, begun.is_some(), prefilled) {
                                ControlFlow::Continue(event) => event,
                                ControlFlow::Break(end) => return end,
                            }
                        }
                    }
                }
                Action::Wait { until } => wait(record, until).await,
                Action::Queue { fallback, until } => self.wait_for_place(record, fallback, until).await,
                Action::Plan { fallback } => self.plan_fallback(record, fallback),
                Action::GiveUp(fault) => {
                    if let Some(ticket) = self.ticket.take() {
                        record.queued += ticket.ends(false, now);
                    }
                    return self.kept.last_resort(record, &self.call, fault);
                }
                Action::Done | Action::GoOn => {
                    let cause = "the attempt machine ended without an answer";
                    return Err(crate::panics::panicked().with_cause(cause));
                }
            };
        }
    }

    /// What a call comes to: the end, or what happens next. `prefilled`: the deployment, when it was given the beginning of the
    /// answer that it takes up (`takes_up`).
    fn comes_to(
        &mut self,
        record: &mut Record,
        raced: Raced,
        takes_up: bool,
        prefilled: Option<usize>,
    ) -> ControlFlow<Result<Opened, Fault>, Event> {
        ControlFlow::Continue(match raced {
            Raced::Opened(opened) if takes_up => return ControlFlow::Break(Ok(opened)),
            Raced::Opened(opened) => match self.kept.keep(record, &self.call, opened) {
                Ok(opened) => return ControlFlow::Break(Ok(opened)),
                Err(fault) => Event::Faulted(fault),
            },
            Raced::Faulted(fault) if takes_up && self.is_refused(&fault) => {
                self.unwilling.extend(prefilled);
                Event::NotContinued { anew: prefilled.is_some() }
            }
            // The clock has been looked at.
            Raced::Faulted(fault) if has_another_credential(record, &fault) => {
                Event::CredentialFaulted(fault)
            }
            Raced::Faulted(fault) => Event::Faulted(fault),
            Raced::GaveUp(fault) => {
                return ControlFlow::Break(self.kept.last_resort(record, &self.call, fault));
            }
        })
    }

    /// Whether this says that a request is wrong which was right when its answer began.
    fn is_refused(&self, fault: &Fault) -> bool {
        match fault.class {
            Class::Caller | Class::ContextWindow => true,
            Class::ContentPolicy => !self.machine.leads_on(fault.class),
            _ => false,
        }
    }

    fn plan_fallback(&mut self, record: &mut Record, fallback: usize) -> Event {
        let plan = plan(record, &self.call, Some(fallback), self.machine.barred());
        if plan.candidates.is_empty() {
            let nobody = nobody_fits(record, &self.call, place(&self.call, Some(fallback)));
            nobody.into_iter().for_each(|fault| self.machine.nobody_fits(fault));
        }
        Event::Planned(plan)
    }

    /// Waits for a turn to look for a place, and looks.
    async fn wait_for_place(&mut self, record: &mut Record, fallback: Option<usize>, until: Moment) -> Event {
        let snapshot = record.snapshot.clone();
        let (asked, Place { pool, .. }) = (self.call.chosen.places[0].route, place(&self.call, fallback));
        let settings = &snapshot.gateway.routes[asked].queue;
        let ticket = match self.ticket.take().filter(|ticket| ticket.is_for(pool)) {
            Some(ticket) => {
                ticket.passes(record.now());
                ticket
            }
            None => match Ticket::draw(&snapshot, pool, asked, settings.max_waiting as usize) {
                Some(ticket) => ticket,
                None => return Event::NoPlace(snapshot.queues[pool].come_again()),
            },
        };
        let (now, before) = (record.now(), record.clock);
        let waiting = Waiting::begin(&mut record.waited);
        let has_turn = ticket.turn(before + until.since(now)).await;
        drop(waiting);
        let waited = record.look_at_clock().saturating_duration_since(before);
        record.waited_for(now, waited, WaitCause::Queue);
        if !has_turn {
            record.queued += ticket.ends(false, record.now());
            return Event::NoPlace(snapshot.queues[pool].come_again());
        }
        self.ticket = Some(ticket);
        let plan = look(record, &self.call, place(&self.call, fallback), self.machine.barred());
        if !plan.candidates.is_empty() {
            record.planned(&self.call, place(&self.call, fallback), fallback, &plan);
        }
        Event::Placed(plan)
    }

    /// Whom it would call first, decided as [`go_on`](Attempts::go_on) decides it. Calls nobody, and does not wait:
    /// `queues` learns how long it would, at most, for a place where all are taken.
    ///
    /// # Errors
    /// What the client would be told when there is nobody to call.
    pub(crate) fn first_call(
        &mut self,
        record: &mut Record,
        queues: &mut Option<Duration>,
    ) -> Result<u32, Fault> {
        let core = record.core.clone();
        let mut event = Event::Begin;
        loop {
            let now = record.now();
            event = match core.with_chance(|chance| self.machine.on(event, now, chance)) {
                Action::Call { deployment, .. } => return Ok(deployment),
                Action::Plan { fallback } => self.plan_fallback(record, fallback),
                Action::GiveUp(fault) => return Err(fault),
                Action::Queue { until, .. } => {
                    queues.get_or_insert(until.since(now));
                    Event::NoPlace(Duration::from_secs(1))
                }
                // Everybody rests, not for long: it would be waited out.
                Action::Wait { .. } => Event::Waited,
                Action::Done | Action::GoOn => {
                    let cause = "the attempt machine ends before the first call";
                    return Err(crate::panics::panicked().with_cause(cause));
                }
            };
        }
    }
}

/// Calls nobody until then.
async fn wait(record: &mut Record, until: Moment) -> Event {
    record.waits(until);
    let wait = until.since(record.now());
    let waiting = Waiting::begin(&mut record.waited);
    tokio::time::sleep(wait).await;
    drop(waiting);
    record.look_at_clock();
    Event::Waited
}

/// How a deployment takes up an answer that has begun.
fn joint<'b>(
    (snapshot, spent): (&Snapshot, Option<Usage>),
    call: &Call,
    index: usize,
    begun: &'b Begun,
    unwilling: &[usize],
) -> Joint<'b> {
    let there = &snapshot.gateway.deployments[index];
    let prefilled = !begun.words.text.is_empty()
        && there.continues == Continues::Prefill
        && call.endpoint.has_messages()
        && there.same_as == begun.same_as
        && !unwilling.contains(&index);
    Joint { words: &begun.words, spent, prefilled }
}

/// Why, after what has been tried for it, a call makes no sense at a deployment of the pool in this place: it has another
/// model than the client was given, or the one for which the prompt was too long.
fn out_of_question(record: &Record, call: &Call, place: Place, index: usize) -> Option<Reason> {
    let first = record.attempts.first()?;
    let gateway = &record.snapshot.gateway;
    let there = gateway.deployments.get(index)?;
    let model = |deployment: usize| gateway.deployments.get(deployment).map(|d| &d.same_as);
    if call.hints.no_fallback && model(first.deployment) != Some(&there.same_as) {
        return Some(Reason::OtherModel);
    }
    let window = |deployment: usize| gateway.takes.get(deployment).and_then(|takes| takes.context_window);
    let members = &gateway.pools[place.pool].members;
    let no_larger = |small: usize| {
        let here = || members.iter().any(|member| member.deployment as usize == small);
        let known = window(index).zip(window(small)).map(|(there, small)| there <= small);
        known.unwrap_or_else(|| model(small) == Some(&there.same_as) && here())
    };
    // A continuation may be too long where the request is not.
    let too_long =
        |t: &&Tried| t.fault == Some(Class::ContextWindow) && t.cause != AttemptCause::Continuation;
    let mut small = record.attempts.iter().filter(too_long);
    small.any(|tried| no_larger(tried.deployment)).then_some(Reason::ContextTooSmall)
}

/// A place at a deployment for a call of a request to the route `asked`, in the place `there`; `told` when the client has
/// words of an answer.
fn enter(
    record: &Record,
    call: &Call,
    (asked, there): (usize, Place),
    index: usize,
    told: bool,
    spread: bool,
) -> Result<Lease, Reason> {
    if let Some(reason) = out_of_question(record, call, there, index) {
        return Err(reason);
    }
    let (snapshot, now) = (&record.snapshot, record.now());
    let floor = &snapshot.gateway.routes[asked].retry_floor;
    let repeats = record.attempts.iter().any(|tried| tried.deployment == index)
        || spread && !record.attempts.is_empty();
    if told && snapshot.gateway.deployments[index].continues == Continues::Never {
        Err(Reason::NoContinuation)
    } else if repeats && !allows(&snapshot.retry_shares[asked], floor, now) {
        Err(Reason::RetryBudget)
    } else {
        record.core.with_chance(|chance| snapshot.healths[index].acquire(now, spread, chance))
    }
}

/// Whether the call that has just ended in this fault may be made again at the same deployment with another credential.
fn has_another_credential(record: &Record, fault: &Fault) -> bool {
    record.deployment().is_some_and(|there| there.health.has_another_credential(fault, record.now()))
}

/// Where the n-th fallback is served; without one, the call itself.
fn place(call: &Call, fallback: Option<usize>) -> Place {
    let places = &call.chosen.places;
    fallback.and_then(|n| places.get(n + 1)).copied().unwrap_or(places[0])
}

/// Stage 7: the order in which the deployments of the call's own pool, or of its n-th fallback's, are to be called.
pub(crate) fn plan(record: &mut Record, call: &Call, fallback: Option<usize>, barred: &[u32]) -> Plan {
    let place = place(call, fallback);
    // Who comes when others wait lines up behind them.
    let plan = if record.snapshot.queues.get(place.pool).is_some_and(Queue::is_busy) {
        record.route = Some(place.route);
        let members = &record.snapshot.gateway.pools[place.pool].members;
        let full = members.iter().take(Plan::MOST_DROPPED).map(|member| (member.deployment, Reason::Full));
        Plan { dropped: full.collect(), ..Plan::default() }
    } else {
        look(record, call, place, barred)
    };
    record.planned(call, place, fallback, &plan);
    plan
}

/// The order in which the deployments of a pool are to be called.
fn look(record: &mut Record, call: &Call, place: Place, barred: &[u32]) -> Plan {
    record.route = Some(place.route);
    let snapshot = &record.snapshot;
    let hedges = call.chosen.places.first().and_then(|asked| snapshot.gateway.routes[asked.route].hedge);
    let wanted =
        snapshot.gateway.routes[place.route].rules.max_retries as usize + 1 + usize::from(hedges.is_some());
    let pool = &snapshot.gateway.pools[place.pool];
    // Who stays with the model of the first needs to know everybody who has it.
    let wanted = if call.hints.no_fallback { wanted.max(pool.members.len()) } else { wanted };
    let now = record.now();
    let health = |deployment: u32| snapshot.healths.get(deployment as usize).map(|h| &**h);
    let engine = &record.core.engine;
    let policy = snapshot.policy(engine, place.pool, call.hints.policy);
    let excluded = |deployment: u32| excluded(record, call, place, deployment);
    let blocks = |tokens: u32, out: &mut Vec<u64>| block_hashes(&engine.block_key, &call.body, tokens, out);
    let tentative = record.purpose.is_tentative();
    let mut request = Request { blocks: Some(&blocks), tentative, ..request(call, place, &snapshot.gateway) };
    let narrows = call.hints.max_cost.is_some() || call.hints.regions.is_some();
    let divides = pool.divided & 1 << call.endpoint as u32 != 0;
    if call.chosen.size.is_some() || narrows || divides || call.chosen.requires_labels() {
        request.excluded = Some(&excluded);
    }
    (request.pool, request.panic_percent) = (&pool.members, pool.panic_percent);
    record.core.with_chance(|chance| {
        weir_routing::plan::plan(&*policy, &health, &request, barred, wanted, now, chance)
    })
}

/// What a policy weighs of a call in this place.
pub(crate) fn request(call: &Call, place: Place, gateway: &Gateway) -> Request<'static> {
    let some = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    Request {
        prompt: some(call.chosen.prompt_tokens),
        most_output: call.facts.max_tokens.map(some),
        usual_output: gateway.routes[place.route].usual_output(),
        streamed: call.facts.stream,
        session: place.session,
        budget: call.hints.budget,
        budget_of_first: call.hints.budget_of_first,
        max_cost: call.hints.max_cost,
        ..Request::default()
    }
}

/// Why a deployment is kept out of this call's plans: it is not where the call may go, its model does not take the call, or
/// it would cost too much there.
pub(crate) fn excluded(record: &Record, call: &Call, place: Place, deployment: u32) -> Option<Reason> {
    out_of_bounds(record, call, place, deployment)
        .or_else(|| unserved(record, call, place, deployment))
        .or_else(|| unfit(record, call, deployment))
        .or_else(|| over_price(record, call, place, deployment))
}

/// Why a call may not go to a deployment, whatever that can do.
fn out_of_bounds(record: &Record, call: &Call, place: Place, deployment: u32) -> Option<Reason> {
    let (gateway, index) = (&record.snapshot.gateway, deployment as usize);
    if !call.chosen.allows(gateway, place, index) {
        return Some(Reason::Label);
    }
    let region = gateway.regions.get(index).and_then(Option::as_deref);
    (!call.hints.allow_region(region)).then_some(Reason::Region)
}

/// Whether a deployment's provider has nothing like what is called, as others of its pool have. Where nobody has, the first
/// is chosen all the same, and the call ends there.
fn unserved(record: &Record, call: &Call, place: Place, deployment: u32) -> Option<Reason> {
    let gateway = &record.snapshot.gateway;
    if gateway.pools[place.pool].divided & 1 << call.endpoint as u32 == 0 {
        return None;
    }
    let provider = gateway.providers.get(gateway.deployments.get(deployment as usize)?.provider)?;
    provider.serves(call.endpoint).is_none().then_some(Reason::NotServed)
}

/// Why a deployment's model does not take this call.
fn unfit(record: &Record, call: &Call, deployment: u32) -> Option<Reason> {
    let size = call.chosen.size.as_ref()?;
    record.snapshot.gateway.takes.get(deployment as usize)?.refuse(size)
}

/// Whether this call is expected to cost more at a deployment than its client allows, or nobody can tell.
fn over_price(record: &Record, call: &Call, place: Place, deployment: u32) -> Option<Reason> {
    let most = call.hints.max_cost?;
    let snapshot = &record.snapshot;
    let members = &snapshot.gateway.pools[place.pool].members;
    let member = members.iter().find(|member| member.deployment == deployment)?;
    let health = snapshot.healths.get(deployment as usize).map(|health| &**health);
    let size = request(call, place, &snapshot.gateway).size(health);
    match member.expected_cost(size, health) {
        Some(cost) => (cost > most).then_some(Reason::OverPrice),
        None => Some(Reason::PriceUnknown),
    }
}

/// The fault to tell when every deployment of a pool is kept out by what this call is or asks for.
fn nobody_fits(record: &Record, call: &Call, place: Place) -> Option<Fault> {
    let members = &record.snapshot.gateway.pools[place.pool].members;
    let bounds = || members.iter().map(|member| out_of_bounds(record, call, place, member.deployment));
    if bounds().all(|why| why.is_some()) {
        return Some(nobody_there(call, bounds().any(|why| why == Some(Reason::Region))));
    }
    let members = || members.iter().zip(bounds()).filter(|(_, why)| why.is_none()).map(|(member, _)| member);
    let served = |member: &&Member| unserved(record, call, place, member.deployment).is_none();
    if !members().any(|member| served(&member)) {
        return Some(opening::not_served(call.endpoint));
    }
    let members = || members().filter(served);
    if let Some(size) = &call.chosen.size {
        let why = members().map(|member| unfit(record, call, member.deployment));
        if let Some(fault) = weir_routing::fit::nobody_fits(&call.facts.model, size, why) {
            return Some(fault);
        }
    }
    let nobody = members().all(|member| excluded(record, call, place, member.deployment).is_some());
    nobody.then(max_cost_exceeded)
}

/// The hashes of a body's full blocks, each of everything up to its end. Requests of one application differ only behind
/// what their conversations have in common, so bodies serve as well as prompts.
fn block_hashes(key: &RandomState, body: &[u8], tokens: u32, out: &mut Vec<u64>) {
    let size = usize::try_from(u64::from(tokens) * BYTES_PER_TOKEN).unwrap_or(usize::MAX).max(1);
    let mut before = 0u64;
    out.extend(body.chunks_exact(size).map(|block| {
        before = key.hash_one((before, block));
        before
    }));
}

/// No deployment of a pool is where the call may go. A fallback route may have one.
fn nobody_there(call: &Call, asked: bool) -> Fault {
    let model = &*call.facts.model;
    if asked {
        let message = format!(
            "no deployment of the model \"{model}\" is in a region that x-weir-region names and that may serve it; name \
             others, or leave the header out"
        );
        return Fault::new(Class::Unavailable, 400, "region_not_served", message);
    }
    let message = format!(
        "no deployment of the model \"{model}\" that this request leads to is one that its route requires"
    );
    Fault::new(Class::Unavailable, 503, "no_deployment_allowed", message)
}

fn max_cost_exceeded() -> Fault {
    let message = "no deployment with a known price is expected to answer this for what x-weir-max-cost allows; allow more, or ask for less";
    Fault::new(Class::Caller, 400, "max_cost_exceeded", message)
}

/// A call that is to be made.
pub(crate) struct Made {
    pub(crate) deployment: usize,
    /// In which route, as the machine counts them.
    pub(crate) fallback: Option<usize>,
    pub(crate) cause: AttemptCause,
    pub(crate) others: Others,
    /// Of the request.
    pub(crate) deadline: Instant,
}

/// Who is left beside the calls that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nobody.
    None,
    /// Somebody who can answer the request.
    Answer,
    /// And somebody who can complete an answer that has begun.
    Complete,
}

/// Who could still answer if the calls under way, the latest of them in the n-th fallback, came to nothing.
pub(crate) fn others(record: &Record, call: &Call, machine: &Machine, fallback: Option<usize>) -> Others {
    let (snapshot, now) = (&record.snapshot, record.now());
    let callable = |place: Place, deployment: u32, need: bool, completes: bool| {
        let there = snapshot.gateway.deployments.get(deployment as usize);
        there.is_some_and(|there| {
            let refusal = || there.health.refusal(now);
            !(completes && there.continues == Continues::Never)
                && refusal().is_none_or(|reason| need && reason.yields_to_need())
                && out_of_question(record, call, place, deployment as usize).is_none()
                && excluded(record, call, place, deployment).is_none()
        })
    };
    let is_last = |completes: bool| {
        let here = place(call, fallback);
        machine.is_last(
            &|deployment, need| callable(here, deployment, need, completes),
            &|fallback, under_way| {
                let there = place(call, Some(fallback));
                let members = &snapshot.gateway.pools[there.pool].members;
                let out =
                    |deployment| under_way.contains(&deployment) || machine.barred().contains(&deployment);
                let serves = |deployment| !out(deployment) && callable(there, deployment, false, completes);
                !snapshot.queues.get(there.pool).is_some_and(Queue::is_busy)
                    && members.iter().any(|member| serves(member.deployment))
            },
        )
    };
    if is_last(false) {
        Others::None
    } else if !record.streamed || call.body.len() > BODY_KEPT || is_last(true) {
        Others::Answer
    } else {
        Others::Complete
    }
}

/// A call about to be made: its record, its place at the deployment, its limits.
pub(crate) struct Outgoing<'a> {
    pub(crate) record: CallRecord<'a>,
    pub(crate) lease: Lease,
    pub(crate) limits: CallLimits,
}

/// Enters a call into the record of its request.
pub(crate) fn outgoing<'a>(
    record: &mut Record,
    here: (&'a Core, &'a Snapshot),
    call: &Call,
    made: &Made,
    mut lease: Lease,
) -> Outgoing<'a> {
    let place = place(call, made.fallback);
    let (route, request) = (place.route, request(call, place, &here.1.gateway));
    // A plan that yielded nobody may have named another route meanwhile.
    record.route = Some(route);
    let attempt = record.call_begins(Tried::new(record, made.deployment, made.cause));
    let one = CallRecord::begin(
        record,
        here,
        (attempt, made.deployment),
        (&request, call.facts.prompt_bytes),
        &mut lease,
    );
    let limits = limits(&one, route, made, || patience(&one, &request, call));
    Outgoing { record: one, lease, limits }
}

/// One upstream call, up to the point where its answer is known to be good, or to be of no use. A call that is cut off
/// before that (the client hung up, another was faster) drops its lease unreported.
pub(crate) async fn one_call(
    record: &mut CallRecord<'_>,
    call: &Call,
    joint: Option<Joint<'_>>,
    mut lease: Lease,
    limits: CallLimits,
    judge: &Judge,
) -> Result<Opened, Fault> {
    let mut opened = opening::open(record, call, joint, limits).await;
    if opened.is_err() {
        record.look_at_clock();
    }
    match &mut opened {
        // In flight until the client has read it, or hung up; how it ended is not known before.
        Ok(Opened::Stream(answer)) => {
            if answer.watch.has_first_token() {
                record.first_token_came(&mut lease);
                lease.begun(record.now());
            }
            answer.lease = Some(lease);
        }
        Ok(Opened::Whole(answer)) => {
            // Of a whole one the end is told together with what it took.
            if answer.rest.is_some() {
                lease.begun(record.now());
            }
            answer.lease = Some(lease);
        }
        Err(fault) => {
            record.waited_in_vain(&mut lease, fault);
            lease.report(Err(&*fault), record.now());
        }
    }
    match opened {
        Ok(opened) if joint.is_none() => match judge.flaw(record.snapshot, call, &opened) {
            None => Ok(opened),
            Some(flaw) => Box::pin(of_no_use(record, opened, flaw)).await,
        },
        opened => opened,
    }
}

/// One call with none beside it.
async fn alone(
    record: &mut Record,
    call: &Call,
    out: Outgoing<'_>,
    joint: Option<Joint<'_>>,
    judge: &Judge,
) -> Raced {
    let Outgoing { record: mut one, lease, limits } = out;
    let calls = UnderWay::begin(record, &mut one);
    let opened = one_call(calls.one, call, joint, lease, limits, judge).await;
    calls.ended(opened)
}

/// When a second call may be made beside this one, if that is before its time is up.
fn slow(hedge: &Hedge, out: &Outgoing<'_>, call: &Call) -> Option<Instant> {
    let latency = if call.facts.stream { Latency::First } else { Latency::Total };
    let one = &out.record;
    let after = hedge.after(out.lease.windows(), latency, one.called.size, one.now())?;
    Some(one.clock + after).filter(|slow| *slow < out.limits.first)
}

/// How long to wait for this call while there is another deployment to call instead.
fn patience(one: &CallRecord<'_>, request: &Request<'_>, call: &Call) -> Duration {
    let reasons = one.snapshot.gateway.deployments[one.deployment].reasons;
    let reasoning = reasons || call.facts.needs.has(Need::Reasoning);
    let health = &one.snapshot.healths[one.deployment];
    weir_routing::patience::patience(request, one.called.size, reasoning, health, one.now())
}

/// The time limits of one call. The default limit to the first token exists to move on while there is somewhere to move
/// on to; without that, cutting it short would only turn a slow answer into none.
///
/// The request's deadline is that of its route; the deployment's own total is for this call alone.
fn limits(
    one: &CallRecord<'_>,
    route: usize,
    made: &Made,
    patience: impl FnOnce() -> Duration,
) -> CallLimits {
    let gateway = &one.snapshot.gateway;
    let own = gateway.deployments[one.deployment].timeouts();
    let set = gateway.routes[route].timeouts.or(own);
    let deadline = own.total.map_or(made.deadline, |total| made.deadline.min(one.clock + total));
    // Where little time is left, the next one is to have its part of it.
    let share = deadline.saturating_duration_since(one.clock) / 2;
    let first = set.first_byte.or_else(|| (made.others != Others::None).then(|| patience().min(share)));
    let completed_elsewhere = made.others == Others::Complete;
    CallLimits {
        connect: set.connect.unwrap_or(Timeouts::CONNECT),
        first: first.map_or(deadline, |within| deadline.min(one.clock + within)),
        hold: set.hold.unwrap_or_default(),
        idle: set.idle.unwrap_or(if completed_elsewhere {
            Timeouts::IDLE_WITH_ANOTHER.min(share)
        } else {
            Timeouts::IDLE
        }),
        min_speed: set.min_speed.or_else(|| completed_elsewhere.then(MinSpeed::default)),
        deadline,
    }
}
