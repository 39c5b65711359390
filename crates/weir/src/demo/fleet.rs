//! The six demo model servers, as a table.

use std::time::Duration;
use weir_core::Price;

/// How one demo model server behaves, and what calling it is said to cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Character {
    /// The name of the server, of its one model and of its deployment.
    pub name: &'static str,
    /// Median time to the first token; the times are log-normal.
    pub first_token: Duration,
    /// Standard deviation of the logarithm of that time: 0.2 is steady, 0.9 has a long tail.
    pub spread: f64,
    /// Tokens per second after the first.
    pub speed: f64,
    /// Per million prompt tokens.
    pub input: Price,
    /// Per million generated tokens.
    pub output: Price,
    /// Calls of a thousand that fail: refused, told to come back later, or broken off.
    pub faults: u64,
    /// Its share in the route `demo`.
    pub weight: u32,
}

const fn cents(per_million: u64) -> Price {
    Price::from_micro_usd_per_million(per_million * 10_000)
}

/// The servers, fastest first.
pub(super) const SERVERS: [Character; 6] = [
    Character {
        name: "quick-small",
        first_token: Duration::from_millis(60),
        spread: 0.25,
        speed: 180.0,
        input: cents(10),
        output: cents(40),
        faults: 2,
        weight: 5,
    },
    Character {
        name: "quick-medium",
        first_token: Duration::from_millis(140),
        spread: 0.3,
        speed: 95.0,
        input: cents(40),
        output: cents(160),
        faults: 5,
        weight: 4,
    },
    Character {
        name: "flaky",
        first_token: Duration::from_millis(160),
        spread: 0.9,
        speed: 70.0,
        input: cents(15),
        output: cents(60),
        faults: 200,
        weight: 2,
    },
    Character {
        name: "steady-large",
        first_token: Duration::from_millis(280),
        spread: 0.1,
        speed: 60.0,
        input: cents(250),
        output: cents(1000),
        faults: 0,
        weight: 2,
    },
    Character {
        name: "bargain",
        first_token: Duration::from_millis(420),
        spread: 0.6,
        speed: 35.0,
        input: cents(3),
        output: cents(8),
        faults: 20,
        weight: 3,
    },
    Character {
        name: "thinker",
        first_token: Duration::from_millis(1200),
        spread: 0.35,
        speed: 45.0,
        input: cents(300),
        output: cents(1200),
        faults: 10,
        weight: 1,
    },
];

/// A route of the demo's router.
#[derive(Clone, Copy, Debug)]
pub(super) struct DemoRoute {
    /// The model that clients ask for.
    pub name: &'static str,
    /// Names from [`SERVERS`]; none means all of them.
    pub servers: &'static [&'static str],
    /// Where it goes on when its own servers failed.
    pub fallback: Option<&'static str>,
    /// Calls after the first within the route.
    pub retries: u32,
    /// What it is for.
    pub purpose: &'static str,
    /// Its share of the demo's own traffic.
    pub traffic: u64,
}

impl DemoRoute {
    /// Whether a server answers for this route without a fallback.
    pub(super) fn has(&self, server: &str) -> bool {
        self.servers.is_empty() || self.servers.contains(&server)
    }
}

/// The routes of the demo's router.
pub(super) const ROUTES: [DemoRoute; 5] = [
    DemoRoute {
        name: "demo",
        servers: &[],
        fallback: Some("demo-fast"),
        retries: 2,
        purpose: "all six, by weight",
        traffic: 6,
    },
    DemoRoute {
        name: "demo-fast",
        servers: &["quick-small", "quick-medium"],
        fallback: None,
        retries: 2,
        purpose: "the two quick ones",
        traffic: 1,
    },
    DemoRoute {
        name: "demo-cheap",
        servers: &["bargain", "flaky"],
        fallback: Some("demo-fast"),
        retries: 2,
        purpose: "the two cheapest ones",
        traffic: 1,
    },
    DemoRoute {
        name: "demo-best",
        servers: &["thinker", "steady-large"],
        fallback: Some("demo-fast"),
        retries: 2,
        purpose: "the two large ones",
        traffic: 1,
    },
    DemoRoute {
        name: "demo-flaky",
        servers: &["flaky"],
        fallback: Some("demo-fast"),
        retries: 0,
        purpose: "the flaky one alone, no retry",
        traffic: 1,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_servers_differ() {
        let distinct =
            |figure: fn(&Character) -> u64| SERVERS.iter().map(figure).collect::<HashSet<_>>().len();
        assert_eq!(SERVERS.iter().map(|s| s.name).collect::<HashSet<_>>().len(), SERVERS.len());
        assert_eq!(distinct(|s| s.first_token.as_micros().try_into().unwrap()), SERVERS.len());
        assert_eq!(distinct(|s| s.output.micro_usd_per_million()), SERVERS.len());
        assert_eq!(distinct(|s| s.faults), SERVERS.len());
        assert_eq!(distinct(|s| s.speed.to_bits()), SERVERS.len());
        assert!(SERVERS.is_sorted_by_key(|s| s.first_token));
        assert_eq!(SERVERS.iter().filter(|s| s.faults >= 200).count(), 1, "one is flaky");
        assert!(SERVERS.iter().any(|s| s.faults == 0), "one never fails");
        assert!(SERVERS.iter().all(|s| s.output > s.input));
    }

    #[test]
    fn routes_name_servers_that_are_there() {
        for route in &ROUTES {
            for server in route.servers {
                assert!(SERVERS.iter().any(|s| s.name == *server), "{}: {server}", route.name);
            }
        }
    }
}
