//! `weir demo`: six model servers, a router in front of them, something to paste and, on wish, a load.

mod fleet;
mod guide;
mod paint;
mod router;
mod script;
mod servers;
mod summary;
mod text;
mod told;
mod traffic;

use crate::cli::{Failure, say};
use crate::run::Running;
use crate::signals;
use fleet::{ROUTES, SERVERS};
use paint::Paint;
use router::Ports;
use servers::Servers;
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use summary::Stage;
use tokio::task::LocalSet;
use told::Told;
use traffic::Load;
use weir_config::ProcessEnvironment;
use weir_telemetry::Telemetry;

/// The ports that the guide and the docs name, as long as nobody else has them.
const USUAL: Ports = Ports { public: 7600, admin: 7601 };
/// Between two looks at the figures, on a terminal and elsewhere.
const REDRAW: Duration = Duration::from_millis(500);
const REPORT: Duration = Duration::from_secs(2);
/// How long requests under way are waited for at the end; a second Ctrl-C cuts them.
const FINISH: Duration = Duration::from_secs(5);

#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Send so many requests a second and show what becomes of them
    #[arg(long, value_name = "RPS", value_parser = rate)]
    traffic: Option<f64>,
    /// End after so many seconds instead of at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    during: Option<Duration>,
    /// What the servers' chance follows from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.01..=1000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("from 0.01 to 1000 requests a second".to_owned())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=86400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("from 0.1 to 86400 seconds".to_owned())
    }
}

/// Runs the demo until a signal, or until its time is over.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if std::env::var_os("RUST_LOG").is_some() {
        signals::log_to_stderr(); // only on wish: lines in between would spoil the picture
    }
    let servers = Servers::start(&SERVERS, arguments.seed)
        .map_err(|e| Failure::Runtime(format!("starting the demo model servers: {e}")))?;
    // A load has its own picture; without one, each request of the user's is told as it ends.
    let log: Option<Box<dyn Write + Send>> = match arguments.traffic {
        Some(_) => None,
        None => Some(Box::new(Told::new(io::stdout(), Paint::of_stdout()))),
    };
    let outcome = start_gateway(&servers, free_or_any(USUAL), log).and_then(|gateway| {
        let outcome = show(&gateway, arguments);
        let _cut = gateway.end(); // requests that the demo's end cuts are no news
        outcome
    });
    servers.end();
    outcome
}

/// The wanted ports, 0 for each that is taken.
fn free_or_any(wanted: Ports) -> Ports {
    let free = |port: u16| if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() { port } else { 0 };
    Ports { public: free(wanted.public), admin: free(wanted.admin) }
}

/// Starts the router. What it logs of each request goes to `log`.
fn start_gateway(
    servers: &Servers,
    ports: Ports,
    log: Option<Box<dyn Write + Send>>,
) -> Result<Running, Failure> {
    let text = router::yaml(&SERVERS, &servers.addresses, &ROUTES, ports);
    let config = weir_config::parse("demo", &text, &ProcessEnvironment)?;
    let telemetry: Arc<Telemetry> =
        Telemetry::with_writer(false, log).map_err(|e| Failure::Runtime(format!("starting the log: {e}")))?;
    Running::start(&config, telemetry)
}

/// Says what there is, then sends and shows until the end.
fn show(gateway: &Running, arguments: &Arguments) -> Result<(), Failure> {
    let paint = Paint::of_stdout();
    say(&guide::guide(&ROUTES, gateway.public, gateway.admin, paint))?;
    for (usual, real) in [(USUAL.public, gateway.public), (USUAL.admin, gateway.admin)] {
        if usual != real.port() {
            say(&format!("Port {usual} is taken, so this demo uses the free port {}.", real.port()))?;
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::Runtime(format!("starting the demo's runtime: {e}")))?;
    LocalSet::new().block_on(&runtime, async {
        let mut end = End::new(arguments.during)?;
        match arguments.traffic {
            Some(rate) => {
                let load = Load::new(gateway.public).map_err(|e| Failure::Runtime(e.to_string()))?;
                drive(&load, rate, arguments.seed, end, paint).await
            }
            None => {
                say("\nWaiting for your requests: paste one of the above, and each is shown here when it has ended.")?;
                say("Ctrl-C ends everything; weir demo --traffic 20 sends a load by itself.\n")?;
                say(&told::heading(paint))?;
                end.comes().await;
                Ok(())
            }
        }
    })
}

/// When the demo ends: with a signal, or with its time.
struct End {
    signals: signals::Signals,
    /// How long it lasts, and since when.
    during: Option<Duration>,
    began: tokio::time::Instant,
}

impl End {
    /// Listens to signals from now on.
    fn new(during: Option<Duration>) -> Result<Self, Failure> {
        let signals = signals::Signals::new().map_err(|e| Failure::Runtime(format!("signals: {e}")))?;
        Ok(End { signals, during, began: tokio::time::Instant::now() })
    }

    /// Waits for the end.
    async fn comes(&mut self) {
        match self.during {
            None => drop(self.signals.end().await),
            Some(during) => tokio::select! {
                _ = self.signals.end() => {}
                () = tokio::time::sleep_until(self.began + during) => {}
            },
        }
    }

    /// Waits for a signal alone.
    async fn signal(&mut self) {
        self.signals.end().await;
    }
}

/// Sends the load and shows its figures again and again.
async fn drive(load: &Load, rate: f64, seed: u64, mut end: End, paint: Paint) -> Result<(), Failure> {
    let live = io::stdout().is_terminal();
    let mut picture = Picture { live, rate, paint, lines: 0 };
    let mut tick = tokio::time::interval(if live { REDRAW } else { REPORT });
    tick.tick().await; // the first is at once
    say("")?;
    {
        let mut coming = std::pin::pin!(end.comes());
        let mut sending = std::pin::pin!(load.run(rate, seed));
        loop {
            tokio::select! {
                () = &mut coming => break,
                never = &mut sending => match never {},
                _ = tick.tick() => picture.draw(load, Stage::Sending)?,
            }
        }
    }
    let mut finishing = std::pin::pin!(load.finish(FINISH));
    loop {
        tokio::select! {
            () = &mut finishing => break,
            () = end.signal() => break,
            _ = tick.tick() => picture.draw(load, Stage::Finishing)?,
        }
    }
    load.cut();
    picture.last(load)
}

/// The figures where they were drawn before; line by line on what is not a terminal.
struct Picture {
    live: bool,
    rate: f64,
    paint: Paint,
    /// How many lines it has now.
    lines: usize,
}

impl Picture {
    fn draw(&mut self, load: &Load, stage: Stage) -> Result<(), Failure> {
        if self.live {
            self.screen(load, stage)
        } else {
            say(&summary::line(&load.figures(), load.elapsed()))
        }
    }

    /// The figures at the end, in full.
    fn last(&mut self, load: &Load) -> Result<(), Failure> {
        if !self.live {
            say("")?;
        }
        self.screen(load, Stage::Ended)
    }

    fn screen(&mut self, load: &Load, stage: Stage) -> Result<(), Failure> {
        let text = summary::screen(&load.figures(), load.elapsed(), self.rate, stage, self.paint);
        // Cursor to the first column (a terminal echoes ^C), up, and clear to the end (ECMA-48 §8.3.15, §8.3.22,
        // §8.3.39), in one write so that nothing flickers.
        let back = if self.lines > 0 { format!("\r\u{1b}[{}A\u{1b}[J", self.lines) } else { String::new() };
        self.lines = text.lines().count();
        let mut stdout = io::stdout();
        write!(stdout, "{back}{text}")
            .and_then(|()| stdout.flush())
            .map_err(|e| Failure::Runtime(format!("writing to stdout: {e}")))
    }
}

#[cfg(test)]
mod tests;
