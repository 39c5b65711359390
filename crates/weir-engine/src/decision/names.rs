//! What the places in a record were called in its snapshot. Kept apart from the snapshot, which ends with its last request.

use crate::gateway::Pool;
use std::sync::Arc;
use weir_config::{Config, LeadsTo};
use weir_core::Causes;

/// The names of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) deployments: Vec<Arc<str>>,
    pub(crate) routes: Vec<RouteNames>,
    pub(crate) pools: Vec<PoolNames>,
    pub(crate) models: Vec<Arc<str>>,
    pub(crate) keys: Vec<Arc<str>>,
}

/// What a route and its parts are called.
#[derive(Debug)]
pub(crate) struct RouteNames {
    pub(crate) name: Arc<str>,
    /// Each rule, and the pool or route it leads to.
    pub(crate) rules: Vec<(Arc<str>, Arc<str>)>,
    /// What each fallback is for.
    pub(crate) fallbacks: Vec<Causes>,
}

/// What a pool is called.
#[derive(Debug)]
pub(crate) struct PoolNames {
    /// `None` of the route's own deployments.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) policy: &'static str,
}

impl Names {
    /// Of a checked configuration and its pools as compiled.
    pub(crate) fn of(config: &Config, pools: &[Pool], models: &[Arc<str>]) -> Self {
        let routes = config.routes.iter().map(|route| RouteNames {
            name: route.name.clone(),
            rules: route
                .rules
                .iter()
                .map(|rule| {
                    let pool = |pool: usize| route.pools.get(pool).map(|pool| pool.name.clone());
                    let to = match rule.leads_to {
                        LeadsTo::Pool(to) => pool(to),
                        LeadsTo::Route(to) => config.routes.get(to).map(|route| route.name.clone()),
                    };
                    (rule.name.clone(), to.unwrap_or_default())
                })
                .collect(),
            fallbacks: route.fallbacks.iter().map(|fallback| fallback.on).collect(),
        });
        let of_pools = config.routes.iter().flat_map(|route| {
            std::iter::once(None).chain(route.pools.iter().map(|pool| Some(pool.name.clone())))
        });
        let pools = of_pools.zip(pools);
        Names {
            deployments: config.deployments.iter().map(|deployment| deployment.name.clone()).collect(),
            routes: routes.collect(),
            pools: pools.map(|(name, pool)| PoolNames { name, policy: pool.policy.kind.name }).collect(),
            models: models.to_vec(),
            keys: config.keys.iter().map(|key| key.name.clone()).collect(),
        }
    }

    pub(crate) fn deployment(&self, place: usize) -> &str {
        self.deployments.get(place).map_or("", |name| name)
    }

    pub(crate) fn route(&self, place: usize) -> &str {
        self.routes.get(place).map_or("", |route| &route.name)
    }
}
