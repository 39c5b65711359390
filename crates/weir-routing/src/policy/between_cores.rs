//! What policies keep for all cores together.

use super::prefix::State;
use crate::adjust::Weights;
use crate::prefix::Prefix;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// By pool and by what it was made for.
type Known<T> = Mutex<HashMap<(Box<str>, u64), Arc<T>>>;

/// What policies keep for all cores together, over reloads that change nothing about it.
///
/// Looked up when a policy is made, not for requests. What is behind a lock in it is locked for the microseconds that one
/// look or one change takes; a core that finds it locked does not wait: it tries a few times and then goes without.
#[derive(Debug, Default)]
pub struct Shared {
    prefixes: Known<Mutex<Prefix>>,
    weights: Known<Weights>,
}

fn of<T>(known: &Known<T>, pool: &str, identity: u64, make: impl FnOnce() -> T) -> Arc<T> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry((pool.into(), identity)).or_insert_with(|| Arc::new(make())).clone()
}

fn prune<T>(known: &Known<T>) {
    known.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, state| Arc::strong_count(state) > 1);
}

impl Shared {
    pub(super) fn prefix(&self, pool: &str, identity: u64, make: impl FnOnce() -> Prefix) -> State {
        of(&self.prefixes, pool, identity, || Mutex::new(make()))
    }

    pub(super) fn weights(&self, pool: &str, identity: u64, make: impl FnOnce() -> Weights) -> Arc<Weights> {
        of(&self.weights, pool, identity, make)
    }

    /// Forgets what no policy uses any more.
    pub fn prune(&self) {
        prune(&self.prefixes);
        prune(&self.weights);
    }
}
