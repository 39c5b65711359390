//! Signals, and where the program's own words go.

use std::io::{self, IsTerminal};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGHUP: load the configuration again.
    Reload,
    /// SIGINT or SIGTERM: end. Holds the signal's name.
    End(&'static str),
}

/// The signals this program listens to.
pub(crate) struct Signals {
    hangup: Stream,
    interrupt: Stream,
    terminate: Stream,
}

impl Signals {
    /// Starts listening; from here on these signals do not end the process by themselves.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The name of the next signal that ends the process; others are passed over.
    pub(crate) async fn end(&mut self) -> &'static str {
        loop {
            if let Signal::End(name) = self.next().await {
                return name;
            }
        }
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.interrupt.recv() => Signal::End("SIGINT"),
            _ = self.terminate.recv() => Signal::End("SIGTERM"),
        }
    }
}

/// Sends the program's own log to stderr, filtered by `RUST_LOG` (default `info`). Stdout belongs to the access log.
pub(crate) fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let done = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .compact()
        .try_init();
    drop(done); // a second call, in the demo, changes nothing
}
