//! Wiring: one thread with a runtime per core for the data plane, one ordinary runtime for everything else.

use crate::cli::Failure;
use crate::reload::{self, Reloader};
use crate::signals::{Signal, Signals};
use crate::source::Source;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use weir_config::{AccessLog, Config};
use weir_engine::{Core, Engine, Rosters};
use weir_server::admin::{self, Admin};
use weir_server::{Drain, Phase, Stop, listen, public};
use weir_store::Store;
use weir_telemetry::{LogTarget, Settings, Telemetry};

/// How long the store may take to write what it has taken.
const STORE_CLOSES: Duration = Duration::from_secs(5);

/// Serves until a signal ends it. Says so once when it begins and once when it has ended.
pub(crate) fn until_signalled(config: &Config, source: Source) -> Result<(), Failure> {
    let runtime = runtime()?;
    // Before anybody can think that this process serves: a SIGHUP to one that does not listen for it ends it.
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(|e| Failure::Runtime(format!("signals: {e}")))?
    };
    let from = source.to_string();
    let running = Running::start_on(runtime, config, source, start_telemetry(config)?)?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = from,
        public = %running.public,
        admin = %running.admin,
        routes = config.routes.len(),
        deployments = config.deployments.len(),
        "weir serves http://{}/v1",
        running.public
    );
    running.serve_until_signalled(signals)
}

/// A running gateway.
pub(crate) struct Running {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    cores: Vec<JoinHandle<()>>,
    /// For everything that is not the data plane.
    pub(crate) runtime: Runtime,
    stop: Stop,
    drain: Drain,
    reloader: Arc<Reloader>,
    grace: Duration,
}

impl Running {
    /// Binds both listeners and starts everything. The access log is `telemetry`'s, whatever `config` says.
    pub(crate) fn start(config: &Config, telemetry: Arc<Telemetry>) -> Result<Running, Failure> {
        Running::start_on(runtime()?, config, Source::default(), telemetry)
    }

    fn start_on(
        runtime: Runtime,
        config: &Config,
        source: Source,
        telemetry: Arc<Telemetry>,
    ) -> Result<Running, Failure> {
        raise_file_limit();
        telemetry.gauges().set_started(SystemTime::now());
        let count = cores(config);
        let sockets = bind(config.server.listen, count, "server.listen", "--listen")?;
        let admin_socket =
            bind(config.server.admin.listen, 1, "server.admin.listen", "--admin-listen")?.remove(0);
        let address = |socket: &TcpListener| socket.local_addr().map_err(|e| Failure::Runtime(e.to_string()));
        let (public, admin) = (address(&sockets[0])?, address(&admin_socket)?);
        let mut running = config.clone();
        running.server.listen = public;
        running.server.admin.listen = admin;
        running.server.cores = u32::try_from(count).ok();
        let engine = Engine::new(&running, Rosters::BUILT_IN, telemetry)?;
        if let Some(store) = &config.store {
            engine.keep_in(runtime.block_on(Store::start(store_settings(store, source.path.as_deref()))));
        }
        let (stop, drain) = Stop::new();
        let from = source.to_string();
        let reloader = Arc::new(Reloader::new(engine.clone(), source, config.clone(), running));
        let face = Arc::new(Admin {
            engine: engine.clone(),
            token: config.server.admin.token.clone(),
            address: admin,
            source: from,
            reload: {
                let reloader = reloader.clone();
                Arc::new(move || reloader.reload().map_err(|problems| problems.to_string()))
            },
        });
        runtime.spawn(log_end("admin", admin::run(face, admin_socket, drain.clone())));
        let connections = Arc::new(AtomicUsize::new(0));
        let cores = sockets
            .into_iter()
            .enumerate()
            .map(|(index, socket)| {
                start_core(index, engine.clone(), socket, connections.clone(), drain.clone())
            })
            .collect::<io::Result<_>>()
            .map_err(|e| Failure::Runtime(format!("starting a core's thread: {e}")))?;
        Ok(Running {
            public,
            admin,
            engine,
            cores,
            runtime,
            stop,
            drain,
            reloader,
            grace: config.server.grace,
        })
    }

    /// Reloads on SIGHUP and on file changes; drains on SIGINT or SIGTERM; exits at once on a second one.
    fn serve_until_signalled(self, mut signals: Signals) -> Result<(), Failure> {
        let reloader = self.reloader.clone();
        self.runtime.spawn(reload::follow(reloader.clone(), self.drain.clone()));
        let signal = self.runtime.block_on(async {
            loop {
                match signals.next().await {
                    Signal::Reload => reloader.reload_and_say("SIGHUP"),
                    Signal::End(name) => break name,
                }
            }
        });
        let (begun, engine) = (Instant::now(), self.engine.clone());
        let under_way = engine.requests_in_flight();
        tracing::info!(signal, under_way, grace = ?self.grace, "draining; a second signal ends at once");
        let second = engine.clone();
        self.runtime.spawn(async move {
            let again = signals.end().await;
            let (served, cut) = (second.telemetry().requests(), second.requests_in_flight());
            let drained_seconds = begun.elapsed().as_secs_f64();
            tracing::warn!(
                signal = again,
                served,
                cut,
                drained_seconds,
                "weir ends at once, on a second signal"
            );
            // Exit code 1: streams were cut on purpose.
            std::process::exit(1);
        });
        let cut = self.end();
        let (served, drained_seconds) = (engine.telemetry().requests(), begun.elapsed().as_secs_f64());
        tracing::info!(signal, served, cut, drained_seconds, "weir has ended");
        Ok(())
    }

    /// Ends in good order: listeners closed, requests finished within the grace period, log written. Gives how many
    /// requests were cut because they were not.
    pub(crate) fn end(self) -> usize {
        self.stop.advance(Phase::Draining);
        let stop = self.stop;
        let grace = self.grace;
        let (done, all_done) = std::sync::mpsc::channel::<()>();
        let cores = self.cores;
        let waiting = std::thread::spawn(move || {
            for core in cores {
                let _ = core.join();
            }
            drop(done);
        });
        let mut left = 0;
        if all_done.recv_timeout(grace) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            left = self.engine.requests_in_flight();
            tracing::warn!(requests = left, "the grace period is over; what is left is cut");
        }
        stop.advance(Phase::Ended);
        let _ = waiting.join();
        if let Some(store) = self.engine.store() {
            let closing = async { tokio::time::timeout(STORE_CLOSES, store.close()).await };
            if self.runtime.block_on(closing).is_err() {
                tracing::warn!(
                    "the store does not end; what it has answered is on its disk, and the process ends without it"
                );
            }
        }
        self.engine.telemetry().flush(Duration::from_secs(2));
        self.runtime.shutdown_timeout(Duration::from_millis(200));
        left
    }
}

/// The runtime of everything that is not the data plane.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("weir-admin")
        .enable_all()
        .build()
        .map_err(|e| Failure::Runtime(format!("starting the admin runtime: {e}")))
}

/// Lets this process open as many files as it may: every stream holds two sockets, and the usual soft limit of 1,024
/// would end at some five hundred of them.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(%error, current = limit.current, "the limit of open files could not be raised");
    }
}

/// A path that is not absolute begins where the configuration is.
fn store_settings(store: &weir_config::Store, config: Option<&Path>) -> weir_store::Settings {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let folder = config.and_then(Path::parent).unwrap_or(Path::new(""));
    weir_store::Settings {
        path: folder.join(&store.path),
        keep: DAY * store.keep_days,
        max_total: store.max_total as u64,
        max_entry: store.max_entry as u64,
        timeout: store.timeout,
    }
}

fn start_telemetry(config: &Config) -> Result<Arc<Telemetry>, Failure> {
    let access_log = config.telemetry.access_log.as_ref().map(|log| match log {
        AccessLog::Stdout => LogTarget::Stdout,
        AccessLog::Stderr => LogTarget::Stderr,
        AccessLog::File(path) => LogTarget::File(path.clone()),
    });
    let settings = Settings { access_log, spans: config.telemetry.spans };
    Telemetry::start(&settings)
        .map_err(|e| Failure::Usage(format!("telemetry.access_log: cannot open the log: {e}")))
}

/// How many cores serve: as configured, else as many as this process may use.
fn cores(config: &Config) -> usize {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    config.server.cores.map_or_else(available, |n| n as usize)
}

fn bind(address: SocketAddr, count: usize, key: &str, flag: &str) -> Result<Vec<TcpListener>, Failure> {
    listen::bind(address, count).map_err(|error| {
        let way_out = match error.kind() {
            io::ErrorKind::AddrInUse => {
                let free = SocketAddr::new(address.ip(), address.port().saturating_add(100));
                format!(
                    "another process listens there; stop it, or start weir elsewhere with {flag} {free}, \
                     or set {key} to a free port"
                )
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine has no such address; correct {key} or {flag}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need privileges; set {key} or {flag} to a higher one")
            }
            _ => format!("check {key} or {flag}"),
        };
        Failure::Runtime(format!("cannot listen on {address}: {error}\n  {way_out}"))
    })
}

/// One core of the data plane: its thread, its runtime, everything that runs there. The one place where the data plane
/// is spawned.
fn start_core(
    index: usize,
    engine: Arc<Engine>,
    socket: TcpListener,
    connections: Arc<AtomicUsize>,
    drain: Drain,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("weir-core-{index}")).spawn(move || {
        let seed = engine.random_seed();
        LocalSet::new().block_on(&runtime, async move {
            let core = Core::new(engine, seed);
            let chores = tokio::task::spawn_local(core.clone().chores(index == 0));
            log_end("a core", public::run(core, socket, connections, drain)).await;
            chores.abort();
        });
    })
}

async fn log_end(what: &str, running: impl Future<Output = io::Result<()>>) {
    if let Err(error) = running.await {
        tracing::error!(%error, "{what} ended");
    }
}
