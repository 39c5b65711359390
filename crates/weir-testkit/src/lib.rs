//! What tests need around Weir: a scripted upstream on real sockets, a client that shows every byte, and a running
//! `weir` process. It knows HTTP/1.1 and the vendors' formats well enough to break them on purpose, and nothing of
//! Weir's own crates, so that it cannot share their mistakes.
//!
//! Functions that wait do so for an event and give up loudly: after [`DEADLINE`] they panic with what they saw, since
//! a test that calls them has failed by then. Functions that read from a peer under test return [`std::io::Result`],
//! because a broken connection is often just what the test wants to see.

pub mod answer;
mod blackhole;
pub mod client;
mod gate;
mod openai;
pub mod process;
mod render;
pub mod said;
mod scratch;
pub mod upstream;
mod vendor;
pub mod weir;

use std::time::Duration;

pub use answer::Answer;
pub use blackhole::Blackhole;
pub use client::RawClient;
pub use gate::Gate;
pub use process::{Process, free_port};
pub use said::Said;
pub use scratch::Scratch;
pub use upstream::{Ended, How, Log, Seen, Upstream};
pub use weir::RunningWeir;

/// How long anything is waited for. Far longer than a loaded machine needs, so that a pass never depends on it.
pub const DEADLINE: Duration = Duration::from_secs(30);
