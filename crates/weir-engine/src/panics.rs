//! Panics, kept to the request they happen in.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use weir_core::{Class, Fault};

/// The fault of a request during which Weir itself failed.
pub fn panicked() -> Fault {
    Fault::new(
        Class::Gateway,
        500,
        "internal_error",
        "the gateway failed while serving this request; it has been logged",
    )
}

/// Runs a future; a panic inside becomes a fault and nothing else. State shared with other requests is per-core cells
/// that are only borrowed for single steps, so none of it is left half-changed.
///
/// The future is boxed: it is large and ends when a stream begins, so that an open stream does not pay for it.
pub(crate) async fn caught<F: Future>(mut future: Pin<Box<F>>) -> Result<F::Output, Fault> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(told(&*panic))),
    })
    .await
}

/// The same for a single step.
pub(crate) fn caught_at_once<T>(step: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| told(&*panic))
}

fn told(panic: &(dyn Any + Send)) -> Fault {
    let fault = panicked().with_cause(panic_text(panic));
    tracing::error!(%fault, "a request panicked");
    fault
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn check(caught: Result<Infallible, Fault>) {
        let fault = caught.map(|never: Infallible| never).unwrap_err();
        assert_eq!((fault.status, fault.class), (500, Class::Gateway));
        assert_eq!(fault.cause.as_deref(), Some("scripted"));
        assert!(!fault.message.contains("scripted"));
    }

    #[test]
    fn a_panic_is_one_requests_fault() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        check(runtime.block_on(caught(Box::pin(async { panic!("scripted") }))));
        check(caught_at_once(|| panic!("{}", "scripted".to_owned())));
    }
}
