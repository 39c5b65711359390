//! Decides: which deployments may answer a request, in which order, and what to do after each fault.
//!
//! Pure and synchronous. Knows no sockets, no clock and no bodies: time comes as [`weir_core::Moment`], chance as a
//! [`Chance`], so that traffic and simulations run the same code.
//!
//! One request: [`plan`](plan::plan) asks a route's [`Policy`] for an order among the deployments whose [`Health`]
//! lets them be called; the attempt [`Machine`] turns what happens into the next action; a [`Lease`] stands for one call
//! in flight and tells the deployment's health how it went.
//!
//! [`Prefix`](prefix::Prefix) places prompts where model servers remember their beginnings;
//! [`Windows`] keeps what the last minute was like at a deployment, and policies weigh it.

pub mod adjust;
mod apart;
pub mod attempt;
pub mod backoff;
pub mod bell;
pub mod breaker;
pub mod chance;
pub mod concurrency;
pub mod credential;
pub mod events;
pub mod fault_policy;
pub mod fit;
pub mod gauges;
pub mod health;
pub mod hedge;
pub mod pace;
pub mod patience;
pub mod plan;
pub mod policy;
pub mod prefix;
pub mod rate;
pub mod retry_budget;
pub mod rules;
pub mod slow;
pub mod windows;

pub use attempt::{Action, Event, Machine, Rules};
pub use bell::Bell;
pub use breaker::State;
pub use chance::{Chance, SplitMix64};
pub use credential::Credential;
pub use events::{BreakerEvent, Events};
pub use health::{Health, HealthBook, Lease, Status};
pub use pace::Pace;
pub use plan::{Candidate, Figure, Plan, Reason};
pub use policy::{Ask, Build, Compiled, Kind, Member, Order, POLICIES, Policy, Request, Shared, reference};
pub use windows::Windows;
