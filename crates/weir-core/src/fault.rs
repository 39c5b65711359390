//! What went wrong, whose blame it is, and what may be said about it.
//!
//! A [`Fault`] is made where the trouble is seen and carries everything three later readers need: whether to try again
//! (`weir-routing`), what the client gets (`weir-wire`, per format) and what the breaker learns (`weir-routing`).

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// Whose doing a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The request itself; another deployment would answer the same.
    Caller,
    /// A rule of the operator: limits, permissions.
    Policy,
    /// Weir.
    Gateway,
    /// The deployment that was called.
    Upstream,
}

impl Blame {
    /// The word used in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Blame::Caller => "caller",
            Blame::Policy => "policy",
            Blame::Gateway => "gateway",
            Blame::Upstream => "upstream",
        }
    }
}

/// What kind of trouble it is. Retry, fallback and breaker decide by this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request is wrong in itself: malformed, too large, unknown model, no key.
    Caller,
    /// The prompt does not fit the model's context window; a model with a larger one may answer.
    ContextWindow,
    /// The upstream's content policy refused the request.
    ContentPolicy,
    /// The operator's limits or the gateway's own capacity refused the request.
    Limited,
    /// No deployment could be chosen: none left, or all of them full.
    Unavailable,
    /// The upstream did not accept our credential.
    Credential,
    /// The upstream refuses this request from this account (permission, unknown upstream model, exhausted quota).
    Refused,
    /// The upstream's rate limit.
    Rate,
    /// The upstream failed, or says that it has no room (5xx, and what is meant like it).
    ServerError,
    /// The connection could not be made or broke before the answer began.
    Network,
    /// A time limit passed while waiting for the upstream.
    Timeout,
    /// The upstream's answer is not what its API promises.
    Malformed,
    /// The answer broke off after it had begun.
    Truncated,
    /// An answer that broke off was begun anew, and did not repeat what the client had of it.
    Diverged,
    /// The answer came in full and is of no use: empty, a refusal, or not in the format that was asked for.
    InvalidOutput,
    /// A defect of Weir.
    Gateway,
}

impl Class {
    /// Every class, for tables and tests that must not miss one.
    pub const ALL: [Class; 16] = [
        Class::Caller,
        Class::ContextWindow,
        Class::ContentPolicy,
        Class::Limited,
        Class::Unavailable,
        Class::Credential,
        Class::Refused,
        Class::Rate,
        Class::ServerError,
        Class::Network,
        Class::Timeout,
        Class::Malformed,
        Class::Truncated,
        Class::Diverged,
        Class::InvalidOutput,
        Class::Gateway,
    ];

    /// Whose doing it is.
    pub const fn blame(self) -> Blame {
        match self {
            Class::Caller | Class::ContextWindow | Class::ContentPolicy => Blame::Caller,
            Class::Limited => Blame::Policy,
            Class::Gateway => Blame::Gateway,
            _ => Blame::Upstream,
        }
    }

    /// The word used in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Caller => "caller",
            Class::ContextWindow => "context_window",
            Class::ContentPolicy => "content_policy",
            Class::Limited => "limited",
            Class::Unavailable => "unavailable",
            Class::Credential => "credential",
            Class::Refused => "refused",
            Class::Rate => "rate",
            Class::ServerError => "server_error",
            Class::Network => "network",
            Class::Timeout => "timeout",
            Class::Malformed => "malformed",
            Class::Truncated => "truncated",
            Class::Diverged => "diverged",
            Class::InvalidOutput => "invalid_output",
            Class::Gateway => "gateway",
        }
    }
}

/// One thing that went wrong. A pointer to its [`Details`]: faults are rare and travel in the results of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(Box<Details>);

/// What there is to say about a fault.
///
/// `message` is safe to show to a client; `cause` is for the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// What kind of trouble.
    pub class: Class,
    /// HTTP status the client gets.
    pub status: u16,
    /// Stable machine-readable name, such as `model_not_found`.
    pub code: Option<Cow<'static, str>>,
    /// The upstream's own error type, when it stated one.
    pub kind: Option<Cow<'static, str>>,
    /// What was wrong, where, and what to do; no secret, no internals.
    pub message: Cow<'static, str>,
    /// The field of the request that is at fault.
    pub param: Option<Cow<'static, str>>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The upstream's `Retry-After` as it wrote it (seconds, a fraction of a second or a date), to be passed on.
    pub retry_after_text: Option<Box<str>>,
    /// The methods that the address takes, when the request's was another.
    pub allow: Option<&'static str>,
    /// What really happened, for the log.
    pub cause: Option<Box<str>>,
}

impl Fault {
    /// A fault with a code of ours. Everything else is added by the `with_` functions.
    pub fn new(class: Class, status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Fault(Box::new(Details {
            class,
            status,
            code: Some(Cow::Borrowed(code)),
            kind: None,
            message: message.into(),
            param: None,
            retry_after: None,
            retry_after_text: None,
            allow: None,
            cause: None,
        }))
    }

    /// The caller used another method than the address takes; `allow` lists those, as the header `Allow` does.
    pub fn wrong_method(allow: &'static str) -> Self {
        let message = format!("this address wants {allow}");
        let mut fault = Fault::new(Class::Caller, 405, "method_not_allowed", message);
        fault.allow = Some(allow);
        fault
    }

    /// An upstream did not accept our credential: 502 in our words, since the upstream's speak of a key that is not the
    /// client's. Those are for the log.
    pub fn upstream_credentials(said: impl Into<Box<str>>) -> Self {
        let message = "The credential configured for the upstream was not accepted. \
                       This is for the operator of the gateway to mend; your own key is fine.";
        Fault::new(Class::Credential, 502, "upstream_credentials", message).with_cause(said)
    }

    /// The same, naming the field at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same, saying when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same, with what the log should know.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<str>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Whose doing it is.
    pub fn blame(&self) -> Blame {
        self.class.blame()
    }

    /// What there is to say about it, by value.
    pub fn into_details(self) -> Details {
        *self.0
    }
}

impl Deref for Fault {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl DerefMut for Fault {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.class.name(), self.status, self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, " [{cause}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
