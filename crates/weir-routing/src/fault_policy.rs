//! What a fault means for trying again, and what the deployment's health learns from it. Two functions, each of which
//! looks at every [`Class`]; nothing else in the program decides this.

use std::time::Duration;
use weir_core::{Class, Fault};

/// Whether, and where, a request may be sent again after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The fault is the answer.
    Never,
    /// To another model, of this route or of a fallback: every deployment of this one would answer the same.
    OtherModel,
    /// To any deployment but this one, for the rest of the request.
    Elsewhere,
    /// To another deployment, or to this one after a wait.
    SameOrElsewhere,
}

/// Whether, and where, to try again after a fault of this class, as long as nothing has reached the client.
pub const fn retry(class: Class) -> Retry {
    match class {
        Class::Caller | Class::ContentPolicy | Class::Limited | Class::Gateway => Retry::Never,
        Class::ContextWindow => Retry::OtherModel,
        // A deployment that was silent for a whole time limit would cost the client another one.
        Class::Timeout => Retry::Elsewhere,
        // Nor would one that chose other words choose the first ones the next time.
        Class::Diverged => Retry::Elsewhere,
        // What one model got wrong it would probably get wrong again.
        Class::InvalidOutput => Retry::Elsewhere,
        Class::Credential | Class::Refused | Class::Unavailable => Retry::Elsewhere,
        Class::Rate | Class::ServerError | Class::Network | Class::Malformed | Class::Truncated => {
            Retry::SameOrElsewhere
        }
    }
}

/// What a deployment's health learns from the end of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the fault says nothing about the deployment.
    None,
    /// One fault more.
    Fault,
    /// Its credential is benched at once: the next call with it, of whatever deployment, would end the same way.
    Bench,
    /// Its credential was refused, perhaps for this request only: benched when nothing but that happens to it.
    Doubt,
    /// The deployment has not got what it is there for: benched at once with that credential, which may be good elsewhere.
    Missing,
    /// No new calls for this long.
    Rest(Duration),
}

/// The longest a deployment rests because of one `Retry-After`. An upstream that asks for more is asked again.
pub const LONGEST_REST: Duration = Duration::from_secs(60);

/// What the deployment's health learns from a fault.
pub fn effect(fault: &Fault) -> Effect {
    match fault.class {
        Class::Caller | Class::ContextWindow | Class::ContentPolicy => Effect::None,
        Class::Limited | Class::Unavailable | Class::Gateway => Effect::None,
        // An account's refusal may concern this request (its model, its words) or the credential; never the deployment's
        // health. Of a wrong path or method (404, 405) it is neither.
        Class::Refused if matches!(fault.status, 402 | 403 | 429) => Effect::Doubt,
        Class::Refused if knows_no_model(fault) => Effect::Missing,
        Class::Refused => Effect::None,
        // It answers, only in other words.
        Class::Diverged => Effect::None,
        // How good an answer is says nothing about whether the next one will come.
        Class::InvalidOutput => Effect::None,
        Class::Credential => Effect::Bench,
        Class::Rate => match fault.retry_after {
            Some(after) if !after.is_zero() => Effect::Rest(after.min(LONGEST_REST)),
            _ => Effect::Fault,
        },
        Class::ServerError | Class::Network | Class::Timeout | Class::Malformed | Class::Truncated => {
            Effect::Fault
        }
    }
}

/// Whether a refusal says that the upstream has not got the deployment's model. A 404 of an address that it does not serve
/// is none: the client chose that.
fn knows_no_model(fault: &Fault) -> bool {
    let says = |words: &[&str]| {
        let message = fault.message.to_ascii_lowercase();
        words.iter().any(|words| message.contains(words))
    };
    fault.status == 404
        && (fault.code.as_deref() == Some("model_not_found")
            || says(&["model"])
                && says(&["not found", "not exist", "no such", "not deployed", "unknown model"]))
}

/// Whether a fault says that the deployment has more to do than it bears: it has no room, or too little time.
pub fn overloads(fault: &Fault) -> bool {
    match fault.class {
        Class::Rate | Class::Timeout => true,
        Class::ServerError => matches!(fault.status, 503 | 529),
        Class::Caller
        | Class::ContextWindow
        | Class::ContentPolicy
        | Class::Limited
        | Class::Unavailable
        | Class::Credential
        | Class::Refused
        | Class::Network
        | Class::Malformed
        | Class::Truncated
        | Class::Diverged
        | Class::InvalidOutput
        | Class::Gateway => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::Blame;

    fn fault(class: Class) -> Fault {
        Fault::new(class, 500, "x", "x")
    }

    fn check(class: Class, expect_retry: Retry, expect_effect: Effect) {
        assert_eq!(retry(class), expect_retry, "{}", class.name());
        assert_eq!(effect(&fault(class)), expect_effect, "{}", class.name());
    }

    #[test]
    fn each_class_has_its_retry_and_its_effect() {
        check(Class::Caller, Retry::Never, Effect::None);
        check(Class::ContentPolicy, Retry::Never, Effect::None);
        check(Class::Limited, Retry::Never, Effect::None);
        check(Class::Gateway, Retry::Never, Effect::None);
        check(Class::ContextWindow, Retry::OtherModel, Effect::None);
        check(Class::Unavailable, Retry::Elsewhere, Effect::None);
        check(Class::Refused, Retry::Elsewhere, Effect::None);
        check(Class::Diverged, Retry::Elsewhere, Effect::None);
        check(Class::InvalidOutput, Retry::Elsewhere, Effect::None);
        check(Class::Credential, Retry::Elsewhere, Effect::Bench);
        check(Class::Timeout, Retry::Elsewhere, Effect::Fault);
        check(Class::Rate, Retry::SameOrElsewhere, Effect::Fault);
        check(Class::ServerError, Retry::SameOrElsewhere, Effect::Fault);
        check(Class::Network, Retry::SameOrElsewhere, Effect::Fault);
        check(Class::Malformed, Retry::SameOrElsewhere, Effect::Fault);
        check(Class::Truncated, Retry::SameOrElsewhere, Effect::Fault);
    }

    #[test]
    fn only_upstreams_pay_for_faults() {
        for class in Class::ALL {
            if class.blame() != Blame::Upstream {
                assert_eq!(effect(&fault(class)), Effect::None, "{}", class.name());
            }
        }
    }

    #[test]
    fn who_has_no_room_says_so() {
        for (class, status, expect) in [
            (Class::Rate, 429, true),
            (Class::Timeout, 504, true),
            (Class::ServerError, 503, true),
            (Class::ServerError, 529, true),
            (Class::ServerError, 500, false),
            (Class::Network, 502, false),
            (Class::Caller, 503, false),
        ] {
            assert_eq!(overloads(&Fault::new(class, status, "x", "x")), expect, "{} {status}", class.name());
        }
    }

    #[test]
    fn a_rate_limit_rests_for_as_long_as_it_says_within_bounds() {
        let rate = |seconds| effect(&fault(Class::Rate).with_retry_after(Duration::from_secs(seconds)));
        assert_eq!(rate(0), Effect::Fault);
        assert_eq!(rate(7), Effect::Rest(Duration::from_secs(7)));
        assert_eq!(rate(86_400), Effect::Rest(LONGEST_REST));
    }

    #[test]
    fn an_accounts_refusal_is_a_doubt_about_the_credential_unless_it_is_about_the_address() {
        let refused = |status| effect(&Fault::new(Class::Refused, status, "x", "x"));
        assert_eq!([402, 403, 429].map(refused), [Effect::Doubt; 3]);
        assert_eq!([404, 405].map(refused), [Effect::None; 2]);
    }

    #[test]
    fn an_unknown_model_is_the_deployments() {
        let check = |status: u16, code: &'static str, said: &'static str, expect: Effect| {
            assert_eq!(effect(&Fault::new(Class::Refused, status, code, said)), expect, "{status} {said}");
        };
        check(404, "model_not_found", "no", Effect::Missing);
        check(404, "x", "The model `m` does not exist or you do not have access to it.", Effect::Missing);
        check(404, "x", "model 'm' not found, try pulling it first", Effect::Missing);
        check(404, "x", "Not Found", Effect::None);
        check(
            404,
            "x",
            "This is a chat model and not supported in the v1/completions endpoint.",
            Effect::None,
        );
        check(403, "model_not_found", "no", Effect::Doubt);
    }

    #[test]
    fn the_page_on_faults_says_the_same() {
        let page = include_str!("../../../docs/concepts/faults.md");
        for class in Class::ALL {
            let name = class.name();
            let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no row of {name}")).split(" | ").collect();
            let again = match retry(class) {
                Retry::Never => "no",
                Retry::OtherModel => "by another model",
                Retry::Elsewhere => "elsewhere",
                Retry::SameOrElsewhere => "here or elsewhere",
            };
            let learns = match effect(&fault(class)) {
                Effect::None => "nothing",
                Effect::Fault => "a fault",
                Effect::Bench => "benches the credential",
                Effect::Doubt | Effect::Missing | Effect::Rest(_) => {
                    panic!("{name} does so only with more to go by")
                }
            };
            assert_eq!(cells[1], class.blame().name(), "{name}");
            assert!(cells[3].starts_with(again), "{name}: {again}");
            assert!(cells[4].ends_with(learns), "{name}: {learns}");
        }
    }
}
