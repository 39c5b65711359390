//! A gate that a test opens step by step, so that order is proven by cause and not by time.

use std::sync::Arc;
use tokio::sync::Semaphore;

/// Holds back pieces of an answer until the test lets them go. Clones share one gate: a release lets one waiting
/// answer pass, whichever it is.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Gate(Arc::new(Semaphore::new(0)))
    }

    /// Lets one passage through; remembered when nobody waits yet.
    pub fn release(&self) {
        self.0.add_permits(1);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.close();
    }

    /// Waits for a release.
    pub(crate) async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Gate::new()
    }
}
