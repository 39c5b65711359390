//! Why a request goes on to a fallback route.

use crate::Class;

/// One reason to go on to a fallback route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody here could be called, or whoever was failed.
    Unavailable,
    /// The upstream's rate limit.
    Rate,
    /// The prompt does not fit.
    ContextWindow,
    /// The upstream's content policy refused.
    ContentPolicy,
    /// The answer was of no use: cut off, empty or not what was asked for.
    InvalidOutput,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 5] =
        [Cause::Unavailable, Cause::Rate, Cause::ContextWindow, Cause::ContentPolicy, Cause::InvalidOutput];

    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Unavailable => "unavailable",
            Cause::Rate => "rate",
            Cause::ContextWindow => "context_window",
            Cause::ContentPolicy => "content_policy",
            Cause::InvalidOutput => "invalid_output",
        }
    }
}

/// A set of [`Cause`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Causes(u8);

impl Causes {
    /// What a fallback route is for when nothing else is said.
    pub const USUAL: Causes =
        Causes(1 << Cause::Unavailable as u8 | 1 << Cause::Rate as u8 | 1 << Cause::ContextWindow as u8);

    /// Of these.
    pub fn of(causes: impl IntoIterator<Item = Cause>) -> Self {
        Causes(causes.into_iter().fold(0, |all, cause| all | 1 << cause as u8))
    }

    /// Whether it is among them.
    pub const fn has(self, cause: Cause) -> bool {
        self.0 & 1 << cause as u8 != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Cause> {
        Cause::ALL.into_iter().filter(move |cause| self.has(*cause))
    }

    /// Whether a fault of this class is a reason among them.
    pub const fn meet(self, class: Class) -> bool {
        match class {
            Class::Rate => self.has(Cause::Rate),
            Class::ContextWindow => self.has(Cause::ContextWindow),
            Class::ContentPolicy => self.has(Cause::ContentPolicy),
            Class::InvalidOutput => self.has(Cause::InvalidOutput),
            Class::Malformed | Class::Truncated | Class::Diverged => {
                self.has(Cause::Unavailable) || self.has(Cause::InvalidOutput)
            }
            // A caller's mistake leads to a fallback only where nobody here can do what is asked.
            Class::Caller
            | Class::Limited
            | Class::Unavailable
            | Class::Credential
            | Class::Refused
            | Class::ServerError
            | Class::Network
            | Class::Timeout
            | Class::Gateway => self.has(Cause::Unavailable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_met_by_its_cause() {
        let only = |cause| Causes::of([cause]);
        assert!(only(Cause::Rate).meet(Class::Rate) && !only(Cause::Unavailable).meet(Class::Rate));
        assert!(only(Cause::ContentPolicy).meet(Class::ContentPolicy));
        assert!(!Causes::USUAL.meet(Class::ContentPolicy));
        assert!(only(Cause::InvalidOutput).meet(Class::InvalidOutput));
        assert!(!Causes::USUAL.meet(Class::InvalidOutput), "quality is asked for");
        assert!(only(Cause::InvalidOutput).meet(Class::Truncated) && Causes::USUAL.meet(Class::Truncated));
        assert!(
            !only(Cause::ContextWindow).meet(Class::ServerError) && Causes::USUAL.meet(Class::ServerError)
        );
        assert_eq!(
            Causes::USUAL.iter().map(Cause::name).collect::<Vec<_>>(),
            ["unavailable", "rate", "context_window"]
        );
    }
}
