//! What clients notice of deployments that fail, flap, slow down and come back: policy, plan, health and attempt machine
//! as they serve traffic, with the defaults they ship with.
//!
//! Requests come at random times, 100 a second, to four deployments that a pool weighs alike. A call takes
//! `(0.2 + 0.5·prompt/1000)` seconds to its first token, times a log-normal factor, and three times that to its end, unless
//! the [`Scene`] says otherwise; one that fails does so within 50 ms, before its first token.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use weir_core::{Class, Fault, Moment};
use weir_routing::health::Settings;
use weir_routing::plan::plan;
use weir_routing::retry_budget::{Floor, Share, allows};
use weir_routing::windows::{Sample, Size};
use weir_routing::{
    Action, BreakerEvent, Chance, Event, Events, Health, HealthBook, Lease, Machine, Member, Plan, Policy,
    Request, Rules, SplitMix64, slow,
};

/// Requests a second.
pub const RATE: u32 = 100;
/// So long a request lasts at most.
const TOTAL: Duration = Duration::from_secs(600);
const FAILS_WITHIN: Duration = Duration::from_millis(50);
const SIGMA: f64 = 0.3;

/// What a deployment does to a call that begins at this second: whether it fails, with this chance, and how many times as
/// long as usual it takes.
pub type Behaviour = fn(deployment: u32, second: f64) -> (f64, f64);

/// A thing that can happen.
#[derive(Clone, Copy)]
pub struct Scene {
    /// What it is called in the table.
    pub name: &'static str,
    /// How the deployments behave.
    pub behaviour: Behaviour,
    /// How many there are.
    pub deployments: u32,
    /// When it begins, in seconds.
    pub from: u32,
    /// When it is over; the same as `seconds` when it is not.
    pub until: u32,
    /// How long it is looked at.
    pub seconds: u32,
    /// The limit for the 95th percentile of the first token, if there is one.
    pub first_token_p95: Option<Duration>,
}

const fn scene(name: &'static str, behaviour: Behaviour) -> Scene {
    Scene { name, behaviour, deployments: 4, from: 10, until: 70, seconds: 70, first_token_p95: None }
}

fn after(second: f64, begins: f64, chance: f64) -> (f64, f64) {
    (if second >= begins { chance } else { 0.0 }, 1.0)
}

/// How many times as long a slow burn takes: once until its beginning, then rising by as much again every ten seconds.
pub fn slow_burn(second: f64) -> f64 {
    1.0 + ((second - 20.0) / 10.0).max(0.0)
}

/// One of four fails half of its calls.
pub const HALF: Scene =
    scene("one of four fails half", |d, s| if d == 0 { after(s, 10.0, 0.5) } else { (0.0, 1.0) });
/// One of four fails all of its calls.
pub const DOWN: Scene =
    scene("one of four fails all", |d, s| if d == 0 { after(s, 10.0, 1.0) } else { (0.0, 1.0) });
/// One of four is well for three seconds and down for three.
pub const FLAPPING: Scene = scene("one of four flaps, 3 s each", |d, s| {
    if d == 0 && s >= 10.0 && s % 6.0 >= 3.0 { (1.0, 1.0) } else { (0.0, 1.0) }
});
/// Three of four are down, so that more than half are out.
pub const MOST_DOWN: Scene =
    scene("three of four fail all", |d, s| if d < 3 { after(s, 10.0, 1.0) } else { (0.0, 1.0) });
/// All fail for thirty seconds.
pub const STORM: Scene = Scene {
    until: 40,
    ..scene("all fail for 30 s", |_, s| if (10.0..40.0).contains(&s) { (1.0, 1.0) } else { (0.0, 1.0) })
};
/// One is down for twenty seconds and then well.
pub const OUTAGE: Scene = Scene {
    until: 30,
    seconds: 90,
    ..scene("one of four is down for 20 s", |d, s| {
        if d == 0 && (10.0..30.0).contains(&s) { (1.0, 1.0) } else { (0.0, 1.0) }
    })
};
/// One becomes slower and slower; its 95th percentile is above the limit from a factor of 2.6 on.
pub const SLOW_BURN: Scene = Scene {
    from: 36,
    first_token_p95: Some(Duration::from_secs(3)),
    ..scene("one of four slows down", |d, s| (0.0, if d == 0 { slow_burn(s) } else { 1.0 }))
};

/// All of them, in the order of the table.
pub const SCENES: [Scene; 7] = [HALF, DOWN, FLAPPING, MOST_DOWN, STORM, OUTAGE, SLOW_BURN];

/// What came of a scene.
#[derive(Default)]
pub struct Outcome {
    /// Of each request: when it came, when it ended, whether it was answered.
    pub requests: Vec<(f64, f64, bool)>,
    /// Of each call: when it began, and to whom.
    pub calls: Vec<(f64, u32)>,
    /// What the breakers told.
    pub events: Vec<BreakerEvent>,
}

impl Outcome {
    /// Requests that ended in an error.
    pub fn errors(&self) -> usize {
        self.requests.iter().filter(|(.., answered)| !answered).count()
    }

    /// The share of calls in this stretch that went to this deployment.
    pub fn share(&self, deployment: u32, from: f64, until: f64) -> f64 {
        let within = self.calls.iter().filter(|(at, _)| (from..until).contains(at));
        let (mut all, mut own) = (0u32, 0u32);
        within.for_each(|(_, to)| (all, own) = (all + 1, own + u32::from(*to == deployment)));
        f64::from(own) / f64::from(all.max(1))
    }

    /// Calls for one request, of those that began in this stretch.
    pub fn calls_per_request(&self, from: f64, until: f64) -> f64 {
        let calls = self.calls.iter().filter(|(at, _)| (from..until).contains(at)).count();
        let requests = self.requests.iter().filter(|(at, ..)| (from..until).contains(at)).count();
        calls as f64 / requests.max(1) as f64
    }

    /// When the last request ended in an error, counted from `from`; `None` when none did after that.
    pub fn last_error(&self, from: f64) -> Option<f64> {
        let errors = self.requests.iter().filter(|(_, at, answered)| !answered && *at >= from);
        errors.map(|(_, at, _)| at - from).max_by(f64::total_cmp)
    }

    /// How long after `from` a breaker first opened.
    pub fn opened(&self, from: f64) -> Option<f64> {
        let opened = self.events.iter().filter(|event| event.to == weir_routing::State::Open);
        opened.map(|event| seconds(event.at) - from).find(|after| *after >= 0.0)
    }
}

fn seconds(moment: Moment) -> f64 {
    moment.since(Moment::START).as_secs_f64()
}

/// A request under way.
struct Exchange {
    came: f64,
    machine: Machine,
    size: u32,
    called: Vec<u32>,
    /// The call that is out.
    lease: Option<Lease>,
    sample: Sample,
    fails: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    FirstToken,
    CallEnds,
    WaitEnds,
}

struct World {
    scene: Scene,
    members: Vec<Member>,
    healths: Vec<Arc<Health>>,
    policy: Box<dyn Policy>,
    chance: SplitMix64,
    budget: (Share, Floor),
    agenda: BinaryHeap<Reverse<(Moment, usize, Happens)>>,
    under_way: Vec<Option<Exchange>>,
    outcome: Outcome,
    queue: Receiver<BreakerEvent>,
}

/// Lives through a scene.
pub fn run(scene: &Scene, seed: u64) -> Outcome {
    let Some(mut world) = World::new(scene, seed) else { return Outcome::default() };
    let mut arrivals = SplitMix64::seeded(seed ^ 0x5eed);
    let mut next = Moment::START;
    let end = Moment::START + Duration::from_secs(u64::from(scene.seconds));
    loop {
        let planned = world.agenda.peek().map(|Reverse((at, ..))| *at);
        if next < end && planned.is_none_or(|at| next <= at) {
            world.arrive(next, &mut arrivals);
            next = next + Duration::from_secs_f64(-uniform(&mut arrivals).ln() / f64::from(RATE));
        } else if let Some(Reverse((now, nth, happens))) = world.agenda.pop() {
            world.happen(now, nth, happens);
        } else {
            break;
        }
        world.outcome.events.extend(world.queue.try_iter());
    }
    world.outcome
}

impl World {
    fn new(scene: &Scene, seed: u64) -> Option<World> {
        let members: Vec<Member> = (0..scene.deployments).map(|d| Member::new(d, 1)).collect();
        let (events, queue) = Events::new();
        let mut book = HealthBook::telling(events);
        let slow = slow::Settings { first_token: scene.first_token_p95, ..slow::Settings::default() };
        let settings = Settings { slow, ..Settings::default() };
        let health = |m: &Member| book.get_or_insert(&m.deployment.to_string(), 0, &settings, &[]);
        Some(World {
            scene: *scene,
            healths: members.iter().map(health).collect(),
            policy: weir_routing::policy::find("weighted")?.make(&members),
            members,
            chance: SplitMix64::seeded(seed),
            budget: (Share::default(), Floor::default()),
            agenda: BinaryHeap::new(),
            under_way: Vec::new(),
            outcome: Outcome::default(),
            queue,
        })
    }

    fn request(&self, prompt: u32) -> Request<'_> {
        Request { prompt, streamed: true, pool: &self.members, panic_percent: 50, ..Request::default() }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    fn arrive(&mut self, now: Moment, arrivals: &mut SplitMix64) {
        let prompt = (1000.0 * (0.8 * normal(arrivals)).exp()).clamp(10.0, 20_000.0) as u32;
        self.budget.0.deposit();
        let max_retries = self.scene.deployments.saturating_sub(1).clamp(2, 4);
        let rules = Rules { max_retries, ..Rules::default() };
        let find = |d: u32| self.healths.get(d as usize).map(|health| &**health);
        let mut chance = self.chance.clone();
        let wanted = rules.max_retries as usize + 1;
        let first = plan(&*self.policy, &find, &self.request(prompt), &[], wanted, now, &mut chance);
        self.chance = chance;
        let machine = Machine::new(&first, rules, 0, now + TOTAL);
        let (came, called, sample) = (seconds(now), Vec::new(), Sample::default());
        let exchange = Exchange { came, machine, size: prompt, called, lease: None, sample, fails: false };
        self.go_on(now, self.under_way.len(), exchange, Event::Begin);
    }

    fn happen(&mut self, now: Moment, nth: usize, happens: Happens) {
        let Some(mut exchange) = self.under_way.get_mut(nth).and_then(Option::take) else { return };
        let event = match (happens, &mut exchange.lease) {
            (Happens::WaitEnds, _) => Event::Waited,
            (Happens::FirstToken, Some(lease)) => {
                lease.record(&Sample { total: None, ..exchange.sample }, now);
                lease.begun(now);
                self.under_way[nth] = Some(exchange);
                return;
            }
            (Happens::CallEnds, lease) => {
                let Some(mut lease) = lease.take() else { return };
                if exchange.fails {
                    let fault = Fault::new(Class::ServerError, 500, "upstream_error", "x");
                    lease.report(Err(&fault), now);
                    Event::Faulted(fault)
                } else {
                    lease.record(&Sample { first: None, ..exchange.sample }, now);
                    lease.report(Ok(()), now);
                    Event::Answered
                }
            }
            (Happens::FirstToken, None) => return,
        };
        self.go_on(now, nth, exchange, event);
    }

    fn go_on(&mut self, now: Moment, nth: usize, mut exchange: Exchange, mut event: Event) {
        loop {
            event = match exchange.machine.on(event, now, &mut self.chance) {
                Action::Call { deployment, spread, .. } => {
                    let repeats =
                        exchange.called.contains(&deployment) || spread && !exchange.called.is_empty();
                    let entered = if repeats && !allows(&self.budget.0, &self.budget.1, now) {
                        Err(weir_routing::Reason::RetryBudget)
                    } else {
                        self.healths[deployment as usize].acquire(now, spread, &mut self.chance)
                    };
                    match entered {
                        Err(reason) => Event::NotEntered(reason),
                        Ok(lease) => {
                            self.call(now, nth, deployment, lease, &mut exchange);
                            break;
                        }
                    }
                }
                Action::Wait { until } => {
                    self.agenda.push(Reverse((until, nth, Happens::WaitEnds)));
                    break;
                }
                Action::Plan { .. } => Event::Planned(Plan::default()),
                end @ (Action::Done | Action::GoOn | Action::Queue { .. } | Action::GiveUp(_)) => {
                    let answered = end == Action::Done;
                    self.outcome.requests.push((exchange.came, seconds(now), answered));
                    return;
                }
            };
        }
        if nth == self.under_way.len() {
            self.under_way.push(Some(exchange));
        } else {
            self.under_way[nth] = Some(exchange);
        }
    }

    fn call(&mut self, now: Moment, nth: usize, deployment: u32, lease: Lease, exchange: &mut Exchange) {
        self.outcome.calls.push((seconds(now), deployment));
        exchange.called.push(deployment);
        let size = self.request(exchange.size).size(Some(lease.health()));
        let size = Size { in_flight: size.in_flight.saturating_sub(1), ..size };
        let (chance, factor) = (self.scene.behaviour)(deployment, seconds(now));
        exchange.fails = uniform(&mut self.chance) <= chance;
        exchange.lease = Some(lease);
        if exchange.fails {
            let takes = FAILS_WITHIN.mul_f64(uniform(&mut self.chance));
            self.agenda.push(Reverse((now + takes, nth, Happens::CallEnds)));
            return;
        }
        let usual = 0.2 + 0.5 * f64::from(exchange.size) / 1000.0;
        let first = Duration::from_secs_f64(usual * factor * (SIGMA * normal(&mut self.chance)).exp());
        exchange.sample = Sample { size, first: Some(first), total: Some(first * 3), ..Sample::default() };
        self.agenda.push(Reverse((now + first, nth, Happens::FirstToken)));
        self.agenda.push(Reverse((now + first * 3, nth, Happens::CallEnds)));
    }
}

/// What clients notice in each scene.
pub fn report(seed: u64) -> String {
    let mut out = format!(
        "Breakers as shipped: {RATE} requests a second, failing deployments beside others that are well\n\n\
         | what happens | requests | errors | calls per request meanwhile | share of the first, 5 s after | \
         opened after, s | last error after its end, s | changes |\n|---|---|---|---|---|---|---|---|\n"
    );
    for scene in SCENES {
        let outcome = run(&scene, seed);
        let (from, until) = (f64::from(scene.from), f64::from(scene.until));
        let after = |found: Option<f64>| found.map_or("–".to_owned(), |seconds| format!("{seconds:.1}"));
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} | {:.2} % | {} | {} | {} |",
            scene.name,
            outcome.requests.len(),
            outcome.errors(),
            outcome.calls_per_request(from, until),
            100.0 * outcome.share(0, from + 5.0, until),
            after(outcome.opened(from)),
            after(outcome.last_error(until).filter(|_| scene.until < scene.seconds)),
            outcome.events.len()
        );
    }
    out
}

/// In (0, 1].
fn uniform(chance: &mut SplitMix64) -> f64 {
    ((chance.next_u64() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
}

/// Box and Muller, 1958.
fn normal(chance: &mut SplitMix64) -> f64 {
    (-2.0 * uniform(chance).ln()).sqrt() * (std::f64::consts::TAU * uniform(chance)).cos()
}

#[cfg(test)]
mod tests;
