//! Stage 4: is there room for one more?

use crate::authenticate::Caller;
use crate::record::Record;
use std::time::Duration;
use weir_core::{Class, Fault};

/// The proof that [`admit`] let a request through. What limits set aside for it will be held here.
#[derive(Debug)]
pub(crate) struct Admitted(());

impl Admitted {
    /// For a call that is explained and not served: it takes no room.
    pub(crate) fn to_be_explained() -> Self {
        Admitted(())
    }
}

/// Over the gateway's own capacity a request is refused at once, with the time after which to come back. Limits of the
/// caller will be looked at here as well.
///
/// # Errors
/// 503 when as many requests are being served as the gateway takes.
pub(crate) fn admit(record: &Record, _: &Caller) -> Result<Admitted, Fault> {
    let most = record.snapshot.gateway.settings.limits.max_requests;
    if record.core.engine.requests_in_flight() <= most as usize {
        return Ok(Admitted(()));
    }
    let message =
        format!("this gateway serves {most} requests at a time and has no room now; try again shortly");
    Err(Fault::new(Class::Limited, 503, "gateway_overloaded", message)
        .with_retry_after(Duration::from_secs(1)))
}
