//! What the whole process shares: the current snapshot, health, telemetry, the clock.

mod samples;

use crate::asking::Questions;
use crate::gateway::{Gateway, Rosters};
use crate::shown::shown;
use crate::watch::Watch;
use arc_swap::ArcSwap;
use ring::rand::SecureRandom;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Instant;
use weir_config::{Config, Draft, Problems};
use weir_core::Moment;
use weir_net::Counts;
use weir_routing::HealthBook;
use weir_store::Store;
use weir_telemetry::{DeploymentInfo, Sample, Telemetry};

/// How the last attempt to load a configuration went.
#[derive(Clone, Debug)]
pub struct ReloadReport {
    /// Counts snapshots since the start; 1 is the first.
    pub generation: u64,
    /// The configuration that serves, defaults filled in, secrets left out.
    pub serving: serde_json::Value,
    /// What the file says and only a restart brings about.
    pub needs_restart: Vec<Pending>,
    /// What was wrong with the last file that was refused; `None` when the last one was taken.
    pub refused: Option<String>,
}

/// A key of the file that a reload does not apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// Its path, such as `server.listen`.
    pub key: &'static str,
    /// What holds until then; secrets left out.
    pub in_force: serde_json::Value,
    /// What the file says.
    pub in_file: serde_json::Value,
}

/// One connection pool's figures, under the name of its provider.
type PoolCounts = (Arc<str>, Weak<Counts>);

/// Everything that outlives a snapshot and is shared by all cores.
pub struct Engine {
    rosters: Rosters,
    current: ArcSwap<Gateway>,
    /// The generation of `current`, so that a core sees with one plain load whether its copy is still the newest.
    generation: AtomicU64,
    book: Mutex<HealthBook>,
    watch: Watch,
    telemetry: Arc<Telemetry>,
    report: Mutex<ReloadReport>,
    pools: Mutex<Vec<PoolCounts>>,
    /// Where each core takes questions.
    pub(crate) cores: Mutex<Vec<Questions>>,
    /// What policies keep for all cores together.
    pub(crate) shared: weir_routing::Shared,
    /// The key of block hashes, so that nobody outside can make prompts whose hashes meet.
    pub(crate) block_key: std::hash::RandomState,
    /// Requests being served on all cores.
    pub(crate) requests: AtomicUsize,
    /// What is kept after a restart, where that is wanted.
    store: OnceLock<Store>,
    started: Instant,
}

impl Engine {
    /// Compiles the first snapshot against `rosters`, which later ones are compiled against as well.
    ///
    /// # Errors
    /// Everything in `config` that the rosters do not know or that cannot be used.
    pub fn new(
        config: &Config,
        rosters: Rosters,
        telemetry: Arc<Telemetry>,
    ) -> Result<Arc<Engine>, Problems> {
        let (watch, events) = Watch::new();
        let mut book = HealthBook::telling(events);
        let gateway = Gateway::compile(config, rosters, &mut book, 1)?;
        telemetry.set_deployments(describe(config));
        telemetry.gauges().config_loaded(1);
        let report =
            ReloadReport { generation: 1, serving: shown(config), needs_restart: Vec::new(), refused: None };
        let engine = Arc::new(Engine {
            rosters,
            current: ArcSwap::from_pointee(gateway),
            generation: AtomicU64::new(1),
            book: Mutex::new(book),
            watch,
            telemetry,
            report: Mutex::new(report),
            pools: Mutex::default(),
            cores: Mutex::default(),
            shared: weir_routing::Shared::default(),
            block_key: std::hash::RandomState::new(),
            requests: AtomicUsize::new(0),
            store: OnceLock::new(),
            started: Instant::now(),
        });
        let source = Arc::downgrade(&engine);
        engine
            .telemetry
            .add_source(Box::new(move || source.upgrade().map_or_else(Vec::new, |e| e.samples())));
        Ok(engine)
    }

    /// Adds to a draft everything that `rosters` do not know or that cannot be used, and what they find doubtful, so
    /// that it is told together with the rest.
    pub fn review(draft: &mut Draft, rosters: Rosters) {
        Gateway::review(draft, rosters);
    }

    /// Replaces the snapshot. Requests under way keep theirs; a configuration that does not compile changes nothing. With
    /// the configuration comes what of its file it does not contain, since only a restart would bring that about.
    ///
    /// # Errors
    /// What was wrong, which `/admin/config` and a metric show as well.
    pub fn reload(&self, loaded: Result<(Config, Vec<Pending>), Problems>) -> Result<ReloadReport, Problems> {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = report.generation + 1;
        let compiled = loaded.and_then(|(config, pending)| {
            let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            let gateway = Gateway::compile(&config, self.rosters, &mut book, generation)?;
            book.prune(gateway.deployments.iter().map(|d| &*d.name));
            self.shared.prune();
            Ok((gateway, config, pending))
        });
        match compiled {
            Ok((gateway, config, needs_restart)) => {
                self.telemetry.set_deployments(describe(&config));
                self.current.store(Arc::new(gateway));
                self.generation.store(generation, Relaxed);
                self.telemetry.gauges().reload_accepted(generation);
                *report = ReloadReport { generation, serving: shown(&config), needs_restart, refused: None };
                Ok(report.clone())
            }
            Err(problems) => {
                self.telemetry.gauges().reload_rejected();
                report.refused = Some(problems.to_string());
                Err(problems)
            }
        }
    }

    /// What is to be kept after a restart goes there from now on. Once, before anything is served.
    pub fn keep_in(&self, store: Store) {
        if self.store.set(store).is_err() {
            tracing::warn!("there is a store already; a second one is not used");
        }
    }

    /// What is kept after a restart; `None` where nothing is.
    pub fn store(&self) -> Option<&Store> {
        self.store.get()
    }

    /// A seed for one core's chance. Request ids come from it, so it is not to be guessed.
    pub fn random_seed(&self) -> u64 {
        let mut bytes = [0; 8];
        match ring::rand::SystemRandom::new().fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            // Keys could not have been hashed without randomness, so a gateway with keys never gets here.
            Err(_) => u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// How the last attempt to load a configuration went.
    pub fn report(&self) -> ReloadReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest snapshot.
    pub fn gateway(&self) -> Arc<Gateway> {
        self.current.load_full()
    }

    /// The generation of the newest snapshot.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Where exchanges are counted and logged.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// Tells the operator of breakers that have changed.
    pub(crate) fn look_at_breakers(&self) {
        self.watch.look(self.now());
    }

    /// The latest changes of breakers, newest first.
    pub fn breaker_events(&self) -> serde_json::Value {
        self.watch.shown(self.now())
    }

    /// Requests being served now.
    pub fn requests_in_flight(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// Now, on the clock that breakers and plans use.
    pub(crate) fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    pub(crate) fn moment(&self, at: Instant) -> Moment {
        let nanos = at.saturating_duration_since(self.started).as_nanos();
        Moment::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(crate) fn watch_pool(&self, provider: &Arc<str>, counts: &Arc<Counts>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|(_, known)| known.strong_count() > 0);
        if !pools.iter().any(|(_, known)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(counts))) {
            pools.push((provider.clone(), Arc::downgrade(counts)));
        }
    }

    /// Figures that are read when somebody looks: health of deployments and credentials, queues, connections to providers.
    fn samples(&self) -> Vec<Sample> {
        let (gateway, now) = (self.gateway(), self.now());
        let mut samples = Vec::new();
        for deployment in &gateway.deployments {
            samples::of_deployment(&deployment.name, &deployment.health, now, &mut samples);
        }
        samples::of_breakers(self.watch.counts(now), &mut samples);
        for provider in &gateway.providers {
            samples::of_credentials(provider, now, &mut samples);
        }
        for route in &gateway.routes {
            samples::of_queue(&route.name, &route.queue_counts, &mut samples);
        }
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        for provider in &gateway.providers {
            let live =
                pools.iter().filter(|(name, _)| *name == provider.name).filter_map(|(_, c)| c.upgrade());
            samples::of_connections(&provider.name, live, &mut samples);
        }
        if let Some(store) = self.store() {
            samples::of_store(store.figures(), &mut samples);
        }
        samples
    }
}

fn describe(config: &Config) -> Vec<DeploymentInfo> {
    let carried = &config.telemetry.metric_labels;
    let describe = |d: &weir_config::Deployment| DeploymentInfo {
        name: d.name.to_string(),
        provider: config.providers[d.provider].name.to_string(),
        model: d.model.to_string(),
        labels: carried
            .iter()
            .map(|wanted| {
                let value =
                    d.labels.iter().find(|(name, _)| **name == **wanted).map_or("", |(_, value)| value);
                (wanted.to_string(), value.to_owned())
            })
            .collect(),
    };
    config.deployments.iter().map(describe).collect()
}
