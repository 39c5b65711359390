//! What the program promises, on real sockets: one module per promise.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounting;
mod answers;
mod catalog;
mod choosing;
mod clients;
mod credentials;
mod crowds;
mod door;
mod exhaustion;
mod explaining;
mod failover;
mod faults;
mod formats;
mod framing;
mod lifecycle;
mod outside;
mod panics;
mod patience;
mod quality;
mod regions;
mod reloading;
mod retries;
mod rules;
mod storing;
mod streams;
mod told;
