//! The nouns everyone shares: money, usage, faults, time, the record of one exchange.
//!
//! Knows no I/O, no async and no vendor's format. Everything here can be built in a test in one line.

pub mod cause;
pub mod clock;
pub mod endpoint;
pub mod exchange;
pub mod fault;
pub mod id;
pub mod money;
pub mod nearest;
pub mod need;
pub mod secret;
pub mod task;
pub mod text;
pub mod timeouts;
pub mod usage;

pub use cause::{Cause, Causes};
pub use clock::Moment;
pub use endpoint::Endpoint;
pub use exchange::{Exchange, Outcome};
pub use fault::{Blame, Class, Fault};
pub use id::{RequestId, TraceContext};
pub use money::{Cost, Price, Prices, Pricing, Rate, Rates, Tariff, Unit};
pub use need::{ModelClass, Need, Needs};
pub use secret::Secret;
pub use task::Task;
pub use timeouts::Timeouts;
pub use usage::Usage;
