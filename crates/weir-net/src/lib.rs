//! The only crate that speaks HTTP outward: connections, pools, TLS, name lookup. How sockets are read ([`poll_take`]), when
//! they are written ([`others_first`]), the field lines of a head ([`FieldLines`]) and the chunked coding ([`Chunks`]) it
//! shares with the crate that speaks HTTP inward.
//!
//! Knows no models, routes or vendors: it is given an [`Origin`] and a request, and gives back an [`Answer`] or a
//! [`weir_core::Fault`]. It never repeats a request; it only takes another connection when a pooled one
//! turns out to be closed before the request was written.
//!
//! It speaks HTTP/1.1 itself, because this is where a call's microseconds go: a request is rendered into
//! one buffer, and its answer read, in the future that waits for it.
//!
//! Everything here lives on one thread: a [`Pool`] belongs to one core, and so do its connections.

mod answer;
mod connect;
mod connection;
mod fields;
mod framing;
mod head;
mod landing;
mod origin;
mod pool;
mod request;
mod setup;
mod turn;

pub use answer::{Answer, AnswerBody, AnswerHead};
pub use fields::{FieldLine, FieldLines, NoField, end_of_line, end_of_token, line_feed};
pub use framing::Chunks;
pub use landing::{MOST_TAKEN, poll_take};
pub use origin::{Origin, OriginError, OriginSettings};
pub use pool::{Counts, Pool, Pools};
pub use request::{Head, Pieces, Request};
pub use setup::{Limits, Setup};
pub use turn::others_first;
