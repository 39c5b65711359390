//! Bytes ⇄ facts for public formats: what a request asks for, what an answer says about itself, and the few bytes that
//! change on the way. Knows no sockets, no vendor's URLs and no policy.

mod answer;
mod base64;
pub mod call;
pub mod error;
pub mod format;
pub mod headers;
pub mod json;
pub mod json_schema;
pub mod lines;
pub mod models;
pub mod name;
pub mod neutral;
pub mod quality;
pub mod reply;
pub mod splice;
pub mod sse;
pub mod usage;
pub mod vectors;
pub mod watch;

pub use answer::FinishReason;
pub use headers::{HeaderLines, Headers};
pub use name::ModelName;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;
