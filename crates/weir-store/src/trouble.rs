//! What can go wrong, and what a client may be told of it.

use std::time::Duration;
use weir_core::{Class, Fault};

/// Why the store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It is not open: it could not be opened yet, or it is being closed.
    #[error("the store is not open: {0}")]
    Closed(String),
    /// More is waiting for it already than may.
    #[error("too much is waiting for the store")]
    Busy,
    /// It took longer than the deadline. What was to be written may still be.
    #[error("the store did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// Its engine failed.
    #[error("the store failed: {0}")]
    Failed(String),
    /// Everything that may be kept is.
    #[error("the store holds all of the {limit} bytes it may")]
    Full {
        /// The bound on everything together.
        limit: u64,
    },
    /// One entry is larger than one may be.
    #[error("{bytes} bytes are more than the {limit} that one entry of the store may have")]
    TooLarge {
        /// What it would take.
        bytes: u64,
        /// What it may.
        limit: u64,
    },
    /// There is an entry of this id.
    #[error("the store has an entry of this id already")]
    Exists,
    /// A conversation holds more turns or bytes than may be read at once.
    #[error("the conversation is longer than what may be read of one: {0}")]
    TooLong(&'static str),
}

impl Trouble {
    /// The word used in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Trouble::Closed(_) => "closed",
            Trouble::Busy => "busy",
            Trouble::Late(_) => "late",
            Trouble::Failed(_) => "failed",
            Trouble::Full { .. } => "full",
            Trouble::TooLarge { .. } => "too_large",
            Trouble::Exists => "exists",
            Trouble::TooLong(_) => "too_long",
        }
    }
}

/// After how long it makes sense to ask again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl From<Trouble> for Fault {
    /// What the engine said is for the log alone.
    fn from(trouble: Trouble) -> Fault {
        let cause = trouble.to_string();
        let fault = match trouble {
            Trouble::Closed(_) | Trouble::Busy | Trouble::Late(_) | Trouble::Failed(_) | Trouble::Exists => {
                let message = "What this gateway keeps of answers cannot be reached at the moment; try again. \
                               Requests with `store: false` do not need it.";
                Fault::new(Class::Gateway, 503, "store_unavailable", message).with_retry_after(RETRY_AFTER)
            }
            Trouble::Full { .. } => {
                let message = "This gateway keeps as much as it may already. Delete what is not needed, or send \
                               `store: false`.";
                Fault::new(Class::Limited, 503, "store_full", message)
            }
            Trouble::TooLarge { bytes, limit } => {
                let message = format!(
                    "This would take {bytes} bytes to keep, and this gateway keeps at most {limit} of one answer. \
                     Send `store: false`, and the conversation itself."
                );
                Fault::new(Class::Limited, 413, "store_entry_too_large", message)
            }
            Trouble::TooLong(what) => {
                let message = format!(
                    "The conversation that `previous_response_id` stands for is too long to be repeated: {what}. \
                     Send the part of it that matters."
                );
                Fault::new(Class::Caller, 400, "conversation_too_long", message)
                    .with_param("previous_response_id")
            }
        };
        fault.with_cause(cause)
    }
}
