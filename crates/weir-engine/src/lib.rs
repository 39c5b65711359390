//! The straight line that one request travels, and the compiled snapshot it travels on.
//!
//! Knows no HTTP server: it is given a head and an unread body and returns a response whose body carries the exchange to
//! its end. The line itself is [`line::serve`]; it reads like a table of contents.

mod admit;
mod asking;
mod attempt;
mod authenticate;
mod call;
mod call_record;
mod choose;
mod core;
mod count;
pub mod decision;
mod deployment;
mod engine;
pub mod explain;
mod gateway;
mod headers;
mod hints;
mod inflate;
pub mod line;
mod opening;
mod outside;
mod panics;
mod quality;
mod queue;
mod race;
mod record;
mod relay;
mod reply;
mod shown;
mod translation;
mod waiting;
mod watch;
mod weights;

pub use crate::core::{Core, View};
pub use call::Unread;
pub use engine::{Engine, Pending, ReloadReport};
pub use gateway::{Gateway, Rosters, Settings};
pub use line::{Ingress, serve};
pub use panics::{panic_text, panicked};
pub use record::Address;
pub use reply::{Broken, Reply, Response};

/// The names that `providers.<name>.kind` may have.
pub fn provider_kinds() -> Vec<&'static str> {
    weir_provider::kinds().map(|kind| kind.name).collect()
}

/// The names that `routes.<name>.policy` may have.
pub fn policies() -> Vec<&'static str> {
    Rosters::BUILT_IN.policies.iter().map(|kind| kind.name).collect()
}
