//! The only crate that keeps anything after a restart: answers of the Responses API ([`Response`]) and what lives at a
//! vendor under an id of ours ([`VendorObject`]).
//!
//! A [`Store`] is a handle that any thread may use and that never blocks one: what is asked goes over a bounded channel
//! to a task on the runtime the store was started on, and comes back within a deadline, or as a [`Trouble`]. The engine
//! is SQLite, all of it in `sqlite`; the SQL elsewhere is such that PostgreSQL takes it as well.
//!
//! Everything has an [`Owner`], and to whoever is not, it is not there. Everything expires. Knows neither HTTP nor what
//! the texts it keeps mean.

mod change;
mod figures;
mod handle;
mod objects;
mod responses;
mod sqlite;
mod task;
mod time;
mod totals;
mod trouble;

pub use figures::{Figures, OPERATIONS, OUTCOMES, Operation};
pub use handle::{Settings, Store};
pub use objects::{VendorKind, VendorObject};
pub use responses::{NewResponse, Response, Status, Turn};
pub use sqlite::OpenError;
pub use trouble::Trouble;

use std::sync::Arc;

/// Whose an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(Arc<str>);

impl Owner {
    /// Whoever presents this key, by its name in the configuration.
    pub fn key(name: &str) -> Self {
        Owner(format!("key:{name}").into())
    }

    /// Everybody, where no key is asked for.
    pub fn anyone() -> Self {
        Owner("anyone".into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
