//! What a request asks of its route by headers, as far as the route allows it.

use crate::gateway::{Gateway, Route};
use http::HeaderName;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use weir_config::Hint;
use weir_core::nearest::nearest;
use weir_core::{Class, Cost, Fault};
use weir_routing::Kind;
use weir_wire::Headers;

const BUDGETS: [HeaderName; 3] = [
    HeaderName::from_static("x-weir-latency-budget-ms"),
    HeaderName::from_static("latency_budget_ms"),
    HeaderName::from_static("x-slo-ttft-ms"),
];
const MAX_COST: HeaderName = HeaderName::from_static("x-weir-max-cost");
const POLICY: HeaderName = HeaderName::from_static("x-weir-policy");
const SESSION: HeaderName = HeaderName::from_static("x-weir-session");
const NO_FALLBACK: HeaderName = HeaderName::from_static("x-weir-no-fallback");
const REGION: HeaderName = HeaderName::from_static("x-weir-region");

/// A budget above this says nothing.
const LONGEST_MS: u32 = 24 * 3600 * 1000;

/// What a request asks for beyond its body.
#[derive(Default)]
pub(crate) struct Hints {
    pub(crate) budget: Option<Duration>,
    pub(crate) max_cost: Option<Cost>,
    pub(crate) policy: Option<&'static Kind>,
    /// A hash of the session's name.
    pub(crate) session: Option<u64>,
    pub(crate) no_fallback: bool,
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
            hints.budget = hints.budget.or(Some(Duration::from_millis(u64::from(millis))));
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
        if let Some(text) = given(Hint::Session, &SESSION)? {
            hints.session = Some(session(text.as_bytes()));
        }
        if let Some(text) = given(Hint::NoFallback, &NO_FALLBACK)? {
            hints.no_fallback = match &*text {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => return Err(wrong(&NO_FALLBACK, "is neither true nor false")),
            };
        }
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
        region.is_some_and(|region| regions.split(',').any(|allowed| allowed.trim() == region))
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
        "the header {name} is not allowed here; leave it out, or have \"{}\" added to routes.{route}.hints",
        hint.name()
    );
    Fault::new(Class::Limited, 403, "hint_not_allowed", message)
}

fn wrong(name: &HeaderName, what: &str) -> Fault {
    Fault::new(Class::Caller, 400, "invalid_hint", format!("the header {name} {what}"))
}
