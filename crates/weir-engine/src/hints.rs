//! What a request asks of its route by headers, as far as the route allows it.

use crate::gateway::{Gateway, Route};
use http::HeaderName;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use weir_config::{Hint, path_key};
use weir_core::nearest::nearest;
use weir_core::{Class, Cost, Fault, Task};
use weir_routing::Kind;
use weir_routing::rules::names_region;
use weir_wire::Headers;

static BUDGETS: [HeaderName; 3] =
    [HeaderName::from_static("x-weir-latency-budget-ms"), HeaderName::from_static("latency_budget_ms"), TTFT];
/// By its name about the first token.
const TTFT: HeaderName = HeaderName::from_static("x-slo-ttft-ms");
static MAX_COST: HeaderName = HeaderName::from_static("x-weir-max-cost");
static POLICY: HeaderName = HeaderName::from_static("x-weir-policy");
static SESSION: HeaderName = HeaderName::from_static("x-weir-session");
static NO_FALLBACK: HeaderName = HeaderName::from_static("x-weir-no-fallback");
static TASK: HeaderName = HeaderName::from_static("x-weir-task");
static DRY_RUN: HeaderName = HeaderName::from_static("x-weir-dry-run");
static REGION: HeaderName = HeaderName::from_static("x-weir-region");

/// A budget above this says nothing.
const LONGEST_MS: u32 = 24 * 3600 * 1000;

/// What a request asks for beyond its body.
#[derive(Default)]
pub(crate) struct Hints {
    pub(crate) budget: Option<Duration>,
    /// It was given for the first token.
    pub(crate) budget_of_first: bool,
    pub(crate) max_cost: Option<Cost>,
    pub(crate) policy: Option<&'static Kind>,
    /// A hash of the session's name.
    pub(crate) session: Option<u64>,
    pub(crate) no_fallback: bool,
    /// What is to be done, by the client's own account.
    pub(crate) task: Option<Task>,
    /// The decision is asked for, and no answer.
    pub(crate) dry_run: bool,
    /// Regions it may be served in, parted by commas.
    pub(crate) regions: Option<Box<str>>,
}

impl Hints {
    /// Reads the headers of a request to this route.
    ///
    /// # Errors
    /// 403 for a hint that the route does not allow, 400 for one that says nothing.
    pub(crate) fn read(headers: &Headers, gateway: &Gateway, route: &Route) -> Result<Self, Fault> {
        let mut hints = Hints::default();
        if !headers.iter().any(|(name, _)| may_be_hint(name)) {
            return Ok(hints);
        }
        let given = |hint: Hint, name: &HeaderName| -> Result<Option<String>, Fault> {
            let Some(value) = headers.get(name) else { return Ok(None) };
            if !route.hints.contains(&hint) {
                return Err(not_allowed(name, hint, &route.name));
            }
            let text = std::str::from_utf8(value).map_err(|_| wrong(name, "is no text"))?;
            Ok(Some(text.trim().to_owned()))
        };
        for name in &BUDGETS {
            let Some(text) = given(Hint::LatencyBudget, name)? else { continue };
            let millis = text.parse::<u32>().ok().filter(|millis| (1..=LONGEST_MS).contains(millis));
            let millis = millis
                .ok_or_else(|| wrong(name, "is no whole number of milliseconds above 0, at most a day"))?;
            if hints.budget.is_none() {
                hints.budget = Some(Duration::from_millis(u64::from(millis)));
                hints.budget_of_first = *name == TTFT;
            }
        }
        if let Some(text) = given(Hint::MaxCost, &MAX_COST)? {
            let cost = weir_routing::policy::usd(&text).map_err(|error| wrong(&MAX_COST, &error))?;
            hints.max_cost = Some(cost);
        }
        if let Some(text) = given(Hint::Policy, &POLICY)? {
            let known = || gateway.rosters.policies.iter().map(|kind| kind.name);
            let kind = gateway.rosters.policies.iter().find(|kind| kind.name == text);
            hints.policy = Some(kind.copied().ok_or_else(|| {
                let shown: String = text.chars().take(64).collect();
                let near = nearest(&text, known());
                let help = near.first().map_or(String::new(), |best| format!("; did you mean \"{best}\"?"));
                wrong(&POLICY, &format!("names no policy: \"{shown}\"{help}"))
            })?);
        }
        if let Some(text) = given(Hint::Session, &SESSION)?.filter(|text| !text.is_empty()) {
            hints.session = Some(session(text.as_bytes()));
        }
        if let Some(text) = given(Hint::Task, &TASK)? {
            hints.task = Some(Task::named(&text).ok_or_else(|| {
                let all = Task::ALL.map(Task::name).join(", ");
                wrong(&TASK, &format!("names no task; they are {all}"))
            })?);
        }
        let yes = |hint: Hint, name: &HeaderName| match given(hint, name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(wrong(name, "is neither true nor false")),
        };
        hints.no_fallback = yes(Hint::NoFallback, &NO_FALLBACK)?;
        hints.dry_run = yes(Hint::DryRun, &DRY_RUN)?;
        if let Some(text) = given(Hint::Region, &REGION)? {
            if text.split(',').all(|region| region.trim().is_empty()) {
                return Err(wrong(&REGION, "names no region"));
            }
            hints.regions = Some(text.into());
        }
        Ok(hints)
    }

    /// Whether it may be served in this region.
    pub(crate) fn allow_region(&self, region: Option<&str>) -> bool {
        let Some(regions) = &self.regions else { return true };
        region.is_some_and(|region| names_region(regions, region))
    }
}

/// Whether a header's name begins as those of hints do. Most requests have none, and each hint's own look through the
/// headers costs them more than this one for all.
fn may_be_hint(name: &[u8]) -> bool {
    let begins = |with: &[u8]| name.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    match name.first() {
        Some(b'x' | b'X') => begins(b"x-weir-") || begins(b"x-slo-"),
        Some(b'l' | b'L') => begins(b"latency_"),
        _ => false,
    }
}

/// The same number for the same name on every core and at every Weir, so that all send a session to one place. Whoever
/// chooses a session's name so as to share a place with another gains nothing that a name could not be told to give.
pub(crate) fn session(name: &[u8]) -> u64 {
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    hash.finish()
}

fn not_allowed(name: &HeaderName, hint: Hint, route: &str) -> Fault {
    let message = format!(
        "the header {name} is not allowed here; leave it out, or have \"{}\" added to {}.hints",
        hint.name(),
        path_key("routes", route)
    );
    Fault::new(Class::Limited, 403, "hint_not_allowed", message)
}

fn wrong(name: &HeaderName, what: &str) -> Fault {
    Fault::new(Class::Caller, 400, "invalid_hint", format!("the header {name} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_has_a_name_that_may_be_one() {
        let others = [&MAX_COST, &POLICY, &SESSION, &NO_FALLBACK, &TASK, &DRY_RUN, &REGION];
        for name in BUDGETS.iter().chain(others) {
            assert!(may_be_hint(name.as_str().as_bytes()), "{name}");
            assert!(may_be_hint(name.as_str().to_ascii_uppercase().as_bytes()), "{name}");
        }
        assert!(!may_be_hint(b"x-stainless-lang"));
        assert!(!may_be_hint(b"x-weir"));
    }
}
