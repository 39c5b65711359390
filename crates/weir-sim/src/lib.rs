//! The decisions that serve traffic, under a virtual clock: what would have happened to this traffic, decided so?
//!
//! No socket and no real clock: a day of traffic takes seconds, and the same input gives the same figures everywhere.
//!
//! [`budget`] sets the policy `latency_budget` beside an oracle; [`breaker`] shows what clients notice of deployments that
//! fail. The other question that is answered is where prompts should go when model servers remember the beginnings of what
//! they have read: a recorded [`Trace`] is [run](run::run) through a [`Fleet`] by a [`Placement`], and set beside what
//! [`bounds`] allow.

pub mod bounds;
pub mod breaker;
pub mod budget;
pub mod cache;
pub mod fleet;
pub mod placement;
pub mod report;
pub mod run;
pub mod synthetic;
pub mod trace;
pub mod variant;

pub use cache::Lru;
pub use fleet::Fleet;
pub use placement::Placement;
pub use run::Outcome;
pub use trace::{Request, Trace};
