//! The HTTP faces: the public API and the admin API.
//!
//! Knows no vendors: it turns sockets into requests for the engine's line and the engine's replies into bytes, guards
//! the door (sizes, slow clients, full house, panics) and ends in good order.

pub mod admin;
mod connection;
mod cors;
mod drain;
pub mod listen;
pub mod public;

pub use drain::{Drain, Phase, Stop};
