//! The file becomes a checked [`Config`]; the same types become its schema and its reference page.
//!
//! Knows nothing of runtime state, of the vendors there are and of what a policy does: kinds and settings are kept as
//! they were written, with their places, for whoever has the rosters.
//!
//! The way of a file: `yaml` reads a tree that remembers positions, `conform` fills in variables and holds it against
//! the schema, `decode` makes the loose types in `file`, `check` turns these into [`Config`]. Problems of all steps are
//! reported together, in a [`Draft`] to which whoever has the rosters adds its own.

pub mod catalog;
mod check;
mod config;
mod conform;
mod decode;
mod draft;
mod environment;
mod file;
mod format;
mod node;
mod problem;
mod redacted;
mod reference;
mod schema;
mod shape;
mod substitute;
#[cfg(test)]
mod testing;
mod yaml;

pub use config::{
    AccessLog, Admin, Answers, Breaker, CatalogSource, Condition, Config, Continues, Cors, Decisions,
    Deployment, Fallback, Gauges, HealthCheck, Hedge, HedgeAfter, Hint, Key, LeadsTo, Limits, Listed,
    Otherwise, Pool, Provider, Queue, ResponseHeaders, Retries, Route, RoutePool, Rule, Server, Slow, Store,
    Telemetry,
};
pub use draft::{Draft, Overrides, Reader};
pub use environment::{Environment, ProcessEnvironment};
pub use format::{date, duration, duration_text};
pub use node::{Node, Scalar, Value, path_key};
pub use problem::{Problem, Problems, Span, Spanned};
pub use reference::reference;
pub use schema::{SchemaNames, schema};

use std::path::Path;

/// Reads and checks the file at `path`.
///
/// # Errors
/// Everything that is wrong with it; a file that cannot be read is one problem.
pub fn load(path: &Path, env: &dyn Environment) -> Result<Config, Problems> {
    Reader::new(env).load(path).finish().map(|(config, _)| config)
}

/// Checks the text of a configuration; `name` is what problems call the file.
///
/// # Errors
/// Everything that is wrong with it. Text that is no YAML is one problem.
pub fn parse(name: &str, text: &str, env: &dyn Environment) -> Result<Config, Problems> {
    Reader::new(env).parse(name, text).finish().map(|(config, _)| config)
}

#[cfg(test)]
mod tests;
