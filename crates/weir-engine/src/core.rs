//! One core's share of the engine: its snapshot, pools, policies and counters. Nothing here is shared or locked.

use crate::asking::{self, Jobs};
use crate::decision::Book;
use crate::engine::Engine;
use crate::gateway::Gateway;
use crate::outside::Outside;
use crate::queue::Queue;
use crate::weights;
use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use weir_core::Moment;
use weir_net::{Pool, Pools};
use weir_routing::adjust::Weights;
use weir_routing::retry_budget::Share;
use weir_routing::{Build, Chance, Compiled, Health, Kind, Policy, SplitMix64};
use weir_telemetry::Recorder;

/// How often a core does its chores: log lines handed on, old connections closed.
const TICK: Duration = Duration::from_millis(250);

/// A snapshot together with what each core keeps for itself beside it.
pub(crate) struct Snapshot {
    pub(crate) gateway: Arc<Gateway>,
    /// By provider.
    pub(crate) pools: Vec<Rc<Pool>>,
    /// By deployment: what every plan looks at, side by side.
    pub(crate) healths: Vec<Arc<Health>>,
    /// By pool.
    pub(crate) policies: Vec<Rc<dyn Policy>>,
    /// Policies that requests asked for by name, by pool: made when first asked for, so at most one for each kind.
    hinted: RefCell<Vec<Hinted>>,
    /// By pool: who waits for a place there.
    pub(crate) queues: Vec<Queue>,
    /// By route: this core's part of its retry budget.
    pub(crate) retry_shares: Vec<Share>,
    /// By route: this core's part of its budget of hedges, if it hedges.
    pub(crate) hedge_shares: Vec<Option<Share>>,
    /// The pools whose weights follow how deployments do, by their places.
    adjusted: Vec<(usize, Arc<Weights>)>,
}

/// A pool, a kind that was asked for there, and the policy made of them.
type Hinted = (usize, &'static Kind, Rc<dyn Policy>);

/// How much is done on a core while nobody waits for it.
#[derive(Default)]
pub(crate) struct Behind {
    under_way: Cell<usize>,
    ended: Notify,
}

impl Behind {
    pub(crate) fn begins(&self) {
        self.under_way.set(self.under_way.get() + 1);
    }

    pub(crate) fn ends(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.ended.notify_one();
    }

    async fn rests(&self) {
        while self.under_way.get() > 0 {
            self.ended.notified().await;
        }
    }
}

/// A look at the gateway from one core: holds the core's own reference, so that cores do not contend for a shared count.
pub struct View(Rc<Snapshot>);

impl Deref for View {
    type Target = Gateway;

    fn deref(&self) -> &Gateway {
        &self.0.gateway
    }
}

/// One core. Lives on that core's thread.
pub struct Core {
    pub(crate) engine: Arc<Engine>,
    pub(crate) recorder: Recorder,
    pools: Pools,
    chance: RefCell<SplitMix64>,
    /// For the text of a prompt while rules look at it.
    pub(crate) scratch: RefCell<String>,
    /// What was decided here.
    pub(crate) decisions: Book,
    /// What others want to know, taken out by the chores.
    jobs: RefCell<Option<Jobs>>,
    /// What it does while nobody waits for it.
    pub(crate) behind: Behind,
    snapshot: RefCell<Rc<Snapshot>>,
    generation: Cell<u64>,
}

impl Core {
    /// A core of `engine`, seeded with `seed` for everything that is left to chance on it.
    pub fn new(engine: Arc<Engine>, seed: u64) -> Rc<Core> {
        let pools = Pools::default();
        let gateway = engine.gateway();
        let generation = gateway.generation;
        let snapshot = RefCell::new(Rc::new(Snapshot::new(&engine, &pools, gateway)));
        let recorder = engine.telemetry().recorder();
        let chance = RefCell::new(SplitMix64::seeded(seed));
        let scratch = RefCell::default();
        let jobs = RefCell::new(Some(engine.new_core()));
        let decisions = Book::default();
        let first = snapshot.borrow().gateway.clone();
        decisions.take_up(generation, &first.names, &first.settings.decisions);
        Rc::new(Core {
            engine,
            recorder,
            pools,
            chance,
            scratch,
            decisions,
            jobs,
            behind: Behind::default(),
            snapshot,
            generation: Cell::new(generation),
        })
    }

    /// Waits until nothing is done here that nobody waits for.
    pub async fn rests(&self) {
        self.behind.rests().await;
    }

    /// The process-wide engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// This core's counters.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The newest snapshot. A request takes it once and keeps it.
    pub(crate) fn snapshot(&self) -> Rc<Snapshot> {
        if self.engine.generation() != self.generation.get() {
            let gateway = self.engine.gateway();
            self.generation.set(gateway.generation);
            self.decisions.take_up(gateway.generation, &gateway.names, &gateway.settings.decisions);
            *self.snapshot.borrow_mut() = Rc::new(Snapshot::new(&self.engine, &self.pools, gateway));
        }
        self.snapshot.borrow().clone()
    }

    /// The newest gateway as this core sees it.
    pub fn gateway(&self) -> View {
        View(self.snapshot())
    }

    pub(crate) fn now(&self) -> Moment {
        self.engine.now()
    }

    pub(crate) fn random(&self) -> u64 {
        self.chance.borrow_mut().next_u64()
    }

    pub(crate) fn with_chance<T>(&self, use_it: impl FnOnce(&mut dyn Chance) -> T) -> T {
        use_it(&mut *self.chance.borrow_mut())
    }

    /// Does the core's chores for ever, and what others ask of it. `first` is true on the one core that also asks deployments
    /// how they are, adjusts weights and tells the operator how they are doing.
    pub async fn chores(self: Rc<Core>, first: bool) {
        let mut outside = Outside::default();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut jobs = self.jobs.take();
        loop {
            tokio::select! {
                () = asking::answer(&self, &mut jobs) => continue,
                _ = tick.tick() => {}
            }
            self.recorder.tick();
            self.pools.reap();
            self.snapshot.borrow().queues.iter().for_each(Queue::nudge);
            if first {
                self.look_from_outside(&mut outside);
                self.engine.look_at_breakers();
                self.adjust();
            }
        }
    }

    /// Looks at the weights that are due, and tells what has changed.
    fn adjust(&self) {
        let (snapshot, now) = (self.snapshot(), self.now());
        let health = |deployment: u32| snapshot.healths.get(deployment as usize).map(|health| &**health);
        for (pool, weights) in &snapshot.adjusted {
            let pool = &*snapshot.gateway.pools[*pool].name;
            for change in weights.look(now, &health) {
                let deployment = snapshot.gateway.deployments.get(change.deployment as usize);
                let deployment = deployment.map_or("", |deployment| &*deployment.name);
                let (from, to, why) = (change.from, change.to, weights::reason(&change));
                tracing::info!(pool, deployment, from, to, why, "weight adjusted");
            }
        }
    }
}

/// The pools whose weights follow how deployments do.
pub(crate) fn adjusted<'g>(
    engine: &'g Engine,
    gateway: &'g Gateway,
) -> impl Iterator<Item = (usize, Arc<Weights>)> + 'g {
    gateway.pools.iter().enumerate().filter_map(|(place, pool)| {
        let (settings, shared) = (&pool.policy, &engine.shared);
        let build = Build { pool: &pool.name, members: &pool.members, settings, shared };
        Some((place, weir_routing::policy::weights(&build)?))
    })
}

fn build(engine: &Engine, pool: &crate::gateway::Pool, settings: &Compiled) -> Rc<dyn Policy> {
    let build = Build { pool: &pool.name, members: &pool.members, settings, shared: &engine.shared };
    Rc::from((settings.kind.build)(&build))
}

impl Snapshot {
    fn new(engine: &Engine, pools: &Pools, gateway: Arc<Gateway>) -> Self {
        let pool = |provider: &crate::deployment::Provider| {
            let pool = pools.get(&provider.origin);
            engine.watch_pool(&provider.name, pool.counts());
            pool
        };
        Snapshot {
            pools: gateway.providers.iter().map(pool).collect(),
            healths: gateway.deployments.iter().map(|d| d.health.clone()).collect(),
            policies: gateway.pools.iter().map(|pool| build(engine, pool, &pool.policy)).collect(),
            hinted: RefCell::default(),
            queues: gateway.pools.iter().map(|_| Queue::default()).collect(),
            adjusted: adjusted(engine, &gateway).collect(),
            retry_shares: gateway.routes.iter().map(|_| Share::default()).collect(),
            hedge_shares: gateway.routes.iter().map(|route| Some(route.hedge?.share())).collect(),
            gateway,
        }
    }

    /// The policy of a pool: its own, or another that the request asked for, with that one's default settings.
    pub(crate) fn policy(
        &self,
        engine: &Engine,
        pool: usize,
        asked: Option<&'static Kind>,
    ) -> Rc<dyn Policy> {
        let (own, compiled) = (&self.policies[pool], &self.gateway.pools[pool]);
        let Some(kind) = asked.filter(|kind| kind.name != compiled.policy.kind.name) else {
            return own.clone();
        };
        let mut hinted = self.hinted.borrow_mut();
        if let Some((.., known)) = hinted.iter().find(|(of, known, _)| *of == pool && known.name == kind.name)
        {
            return known.clone();
        }
        let policy = build(engine, compiled, &Compiled::defaults(kind));
        hinted.push((pool, kind, policy.clone()));
        policy
    }
}
