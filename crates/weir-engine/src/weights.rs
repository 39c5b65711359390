//! Weights that follow how deployments do, as people are shown them.

use crate::core::adjusted;
use crate::engine::Engine;
use serde_json::{Value as Json, json};
use weir_routing::adjust::{Change, DEADBAND};

/// Why a weight was changed, in a sentence.
pub(crate) fn reason(change: &Change) -> String {
    let Some(why) = change.why else {
        return "nothing is known of it any more; back to its own weight".to_owned();
    };
    let part = if why.of_usual > DEADBAND {
        "more than usual here"
    } else if why.of_usual < 1.0 / DEADBAND {
        "less than usual here"
    } else {
        "about as usual here"
    };
    format!(
        "{:.2} times what is usual here ({part}): {:.3} s, {:.1} % faults, {} USD for an answer of one size; wanted {:.2}",
        why.of_usual,
        why.latency.as_secs_f64(),
        why.error_rate * 100.0,
        why.cost,
        change.wanted,
    )
}

impl Engine {
    /// The weights that follow how deployments do: of each pool, each deployment's factor and what last changed it.
    pub fn weights(&self) -> Json {
        let (gateway, now) = (self.gateway(), self.now());
        let pools = adjusted(self, &gateway).map(|(place, weights)| {
            let pool = &gateway.pools[place];
            let members = weights.factors().zip(weights.latest()).map(|((member, factor), latest)| {
                let deployment = gateway.deployments.get(member.deployment as usize);
                let change = latest.map(|change| {
                    let seconds_ago = now.since(change.at).as_secs();
                    json!({ "from": change.from, "to": change.to, "seconds_ago": seconds_ago, "why": reason(&change) })
                });
                let name = deployment.map_or_else(String::new, |deployment| deployment.name.to_string());
                (name, json!({ "weight": member.weight, "factor": factor, "latest_change": change }))
            });
            (pool.name.clone(), Json::Object(members.collect()))
        });
        Json::Object(pools.collect())
    }
}
