//! The only crate that speaks HTTP outward: connections, pools, TLS, name lookup. How buffers are best written to a
//! socket ([`poll_write_joined`]) it shares with the crate that speaks HTTP inward.
//!
//! Knows no models, routes or vendors: it is given an [`Origin`] and a request, and gives back an [`Answer`] or a
//! [`weir_core::Fault`]. It never repeats a request; it only takes another connection when a pooled one
//! turns out to be closed before the request was written.
//!
//! Everything here lives on one thread: a [`Pool`] belongs to one core and its connections are driven by tasks of that
//! core's `LocalSet`.

mod answer;
mod body;
mod connect;
mod origin;
mod pool;
mod write;

pub use answer::{Answer, AnswerBody};
pub use body::Pieces;
pub use origin::{Origin, OriginError, OriginSettings};
pub use pool::{Counts, Pool, Pools};
pub use write::poll_write_joined;
