//! The checked configuration for the eyes of an operator.

use crate::config::{
    AccessLog, Condition, Config, Deployment, HealthCheck, LeadsTo, Listed, Provider, Route, Server, Store,
};
use crate::file::text::DAYS;
use crate::format::{duration_text, size_text};
use crate::node::{Node, Value};
use crate::problem::Spanned;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use weir_core::secret::is_secret_header;
use weir_core::{Cause, Need, Prices, Pricing, Rates, Secret, Timeouts, Unit};

impl Config {
    /// The configuration in the shape of the file: defaults filled in, absent things as `null`, every secret as
    /// `[secret]` and every policy setting that came from a variable as the variable's name.
    pub fn redacted_json(&self) -> Json {
        let named = |entries: Vec<(String, Json)>| Json::Object(entries.into_iter().collect());
        let providers = self.providers.iter().map(|p| (p.name.to_string(), provider(p))).collect();
        let deployments = self.deployments.iter().map(|d| (d.name.to_string(), self.deployment(d))).collect();
        let routes = self.routes.iter().map(|r| (r.name.to_string(), self.route(r))).collect();
        let keys =
            self.keys.iter().map(|k| (k.name.to_string(), json!({ "key": secret(&k.secret) }))).collect();
        let log_path = match &self.telemetry.access_log {
            None => Json::Null,
            Some(AccessLog::Stdout) => json!("stdout"),
            Some(AccessLog::Stderr) => json!("stderr"),
            Some(AccessLog::File(path)) => json!(path.display().to_string()),
        };
        json!({
            "server": server(&self.server),
            "providers": named(providers),
            "deployments": named(deployments),
            "routes": named(routes),
            "keys": named(keys),
            "catalog": {
                "file": self.catalog.file.as_ref().map(|path| path.display().to_string()),
                "built_in": self.catalog.built_in,
            },
            "store": self.store.as_ref().map(store),
            "telemetry": {
                "access_log": { "enabled": self.telemetry.access_log.is_some(), "path": log_path },
                "spans": self.telemetry.spans,
                "metrics": { "labels": strings(&self.telemetry.metric_labels) },
                "decisions": {
                    "recent": self.telemetry.decisions.recent,
                    "sampled": self.telemetry.decisions.sampled,
                    "sample": self.telemetry.decisions.sample,
                },
            },
        })
    }

    fn deployment(&self, deployment: &Deployment) -> Json {
        let price = price(&deployment.pricing);
        let labels: Map<String, Json> =
            deployment.labels.iter().map(|(name, value)| (name.to_string(), json!(**value))).collect();
        json!({
            "provider": self.providers.get(deployment.provider).map(|provider| &*provider.name),
            "model": *deployment.model,
            "price": price,
            "quality": deployment.quality,
            "weight": deployment.weight,
            "max_concurrency": deployment.max_concurrency,
            "learns_concurrency": deployment.learns_concurrency,
            "timeouts": timeouts(&deployment.timeouts),
            "labels": labels,
            "class": deployment.classes.iter().map(|class| class.name()).collect::<Vec<_>>(),
            "capabilities": deployment.capabilities.map(|all| all.iter().map(Need::name).collect::<Vec<_>>()),
            "context_window": deployment.context_window,
            "max_input": deployment.max_input,
            "max_output": deployment.max_output,
            "catalog": deployment.listed.as_ref().map(|listed| &*listed.entry),
            "from_catalog": deployment.listed.as_ref().map(Listed::to_json),
            "health": health(deployment.health.as_ref()),
            "breaker": {
                "failures": deployment.breaker.failures,
                "error_percent": deployment.breaker.error_percent,
                "cooldown": duration_text(deployment.breaker.cooldown),
                "probes": deployment.breaker.probes,
                "ramp": duration_text(deployment.breaker.ramp),
                "slow": {
                    "first_token_p95": optional(deployment.breaker.slow.first_token_p95),
                    "total_p95": optional(deployment.breaker.slow.total_p95),
                    "min_samples": deployment.breaker.slow.min_samples,
                },
            },
        })
    }

    fn route(&self, route: &Route) -> Json {
        let fallbacks = route.fallbacks.iter().map(|fallback| {
            json!({
                "route": self.routes.get(fallback.route).map(|route| &*route.name),
                "on": fallback.on.iter().map(Cause::name).collect::<Vec<_>>(),
            })
        });
        let pools: Map<String, Json> = route
            .pools
            .iter()
            .map(|pool| {
                let members = self.members(&pool.deployments);
                let policy = policy(&pool.policy.value, &pool.settings);
                (pool.name.to_string(), json!({ "policy": policy, "deployments": members }))
            })
            .collect();
        let rules = route.rules.iter().map(|rule| {
            let leads_to = match rule.leads_to {
                LeadsTo::Pool(pool) => route.pools.get(pool).map(|pool| &*pool.name),
                LeadsTo::Route(to) => self.routes.get(to).map(|route| &*route.name),
            };
            json!({ "name": *rule.name, "when": condition(&rule.when), "use": leads_to })
        });
        json!({
            "aliases": strings(&route.aliases),
            "policy": policy(&route.policy.value, &route.settings),
            "deployments": self.members(&route.deployments),
            "pools": pools,
            "rules": rules.collect::<Vec<_>>(),
            "fallbacks": fallbacks.collect::<Vec<_>>(),
            "panic_percent": route.panic_percent,
            "require": {
                "labels": route.require.iter()
                    .map(|(name, values)| (name.to_string(), json!(strings(values))))
                    .collect::<Map<_, _>>(),
                "deployments": (!route.only.is_empty()).then(|| route.only.iter().map(|index| self.name(*index)).collect::<Vec<_>>()),
            },
            "hints": route.hints.iter().map(|hint| hint.name()).collect::<Vec<_>>(),
            "retries": {
                "max": route.retries.max,
                "base": duration_text(route.retries.base),
                "cap": duration_text(route.retries.cap),
                "retry_after_max": duration_text(route.retries.retry_after_max),
            },
            "queue": {
                "max_wait": duration_text(route.queue.max_wait),
                "max_waiting": route.queue.max_waiting,
            },
            "hedge": route.hedge.map(|hedge| {
                json!({ "after": hedge.after.to_string(), "extra": format!("{}%", hedge.extra_percent) })
            }),
            "answers": {
                "empty": route.answers.empty,
                "json": route.answers.json,
                "refusal": route.answers.refusal,
                "min_output_tokens": route.answers.min_output_tokens,
                "buffer": route.answers.buffer,
                "otherwise": route.answers.otherwise.name(),
            },
            "timeouts": timeouts(&route.timeouts),
        })
    }
}

impl Config {
    fn name(&self, deployment: usize) -> Option<&str> {
        self.deployments.get(deployment).map(|known| &*known.name)
    }

    fn members(&self, deployments: &[(usize, u32)]) -> Vec<Json> {
        let name = |index: &usize| self.name(*index);
        deployments.iter().map(|(index, weight)| json!({ "name": name(index), "weight": weight })).collect()
    }
}

impl Listed {
    /// Which keys are from the catalogue, and who says so.
    pub fn to_json(&self) -> Json {
        json!({
            "keys": self.taken,
            "source": self.source.as_ref().map(|source| &source.title),
            "date": self.source.as_ref().map(|source| &*source.date),
            "deprecated": self.deprecated,
        })
    }
}

fn price(pricing: &Pricing) -> Json {
    match pricing {
        Pricing::Unknown => Json::Null,
        Pricing::PerHour(micro_usd) => {
            json!({ "per_hour": weir_core::Price::from_micro_usd_per_million(*micro_usd).to_string() })
        }
        Pricing::PerUse(prices) => prices_json(prices),
    }
}

/// Prices by use in the shape of the file: what is not stated is not there.
pub(crate) fn prices_json(prices: &Prices) -> Json {
    let rates = |rates: &Rates| -> Map<String, Json> {
        rates.iter().map(|(rate, price)| (rate.name().to_owned(), json!(price.to_string()))).collect()
    };
    let mut all = rates(prices.rates());
    if !prices.steps().is_empty() {
        let steps =
            prices.steps().iter().map(|step| (step.above.to_string(), Json::Object(rates(&step.rates))));
        all.insert("above".to_owned(), Json::Object(steps.collect()));
    }
    for unit in Unit::ALL {
        if let Some(price) = prices.unit(unit) {
            all.insert(unit.name().to_owned(), json!(price.shown_each().to_string()));
        }
    }
    Json::Object(all)
}

fn policy(kind: &str, settings: &Node) -> Json {
    let mut policy = match node(settings) {
        Json::Object(settings) => settings,
        _ => Map::new(),
    };
    policy.insert("kind".to_owned(), json!(kind));
    Json::Object(policy)
}

/// A condition in the shape of the file, each kind under its key.
fn condition(when: &Condition) -> Json {
    let texts = |all: &[Spanned<String>]| all.iter().map(|text| text.value.clone()).collect::<Vec<_>>();
    let range = |min: u64, max: u64| json!({ "min": min, "max": (max != u64::MAX).then_some(max) });
    match when {
        Condition::All(all) => json!({ "all": all.iter().map(condition).collect::<Vec<_>>() }),
        Condition::Any(any) => json!({ "any": any.iter().map(condition).collect::<Vec<_>>() }),
        Condition::Not(one) => json!({ "not": condition(one) }),
        Condition::Keywords(words) => json!({ "keywords": texts(words) }),
        Condition::Regex(all) => json!({ "regex": texts(all) }),
        Condition::Language(all) => json!({ "language": texts(all) }),
        Condition::Task(tasks) => json!({ "task": tasks.iter().map(|t| t.name()).collect::<Vec<_>>() }),
        Condition::Has(needs) => json!({ "has": needs.iter().map(Need::name).collect::<Vec<_>>() }),
        Condition::PromptTokens(min, max) => json!({ "prompt_tokens": range(*min, *max) }),
        Condition::OutputTokens(min, max) => json!({ "output_tokens": range(*min, *max) }),
        Condition::Turns(min, max) => json!({ "turns": range(*min, *max) }),
        Condition::Header(name, is) if !is.is_empty() && is_secret_header(name) => {
            json!({ "headers": { &**name: "[secret]" } })
        }
        Condition::Header(name, is) => json!({ "headers": { &**name: values(is) } }),
        Condition::Metadata(key, is) => json!({ "metadata": { &**key: values(is) } }),
        Condition::Region(names) => json!({ "region": strings(names) }),
        Condition::Key(names) => json!({ "key": strings(names) }),
        Condition::Time { days, from, to, zone } => {
            let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let days: Vec<&str> =
                days.iter().filter_map(|day| DAYS.get(usize::from(*day)).copied()).collect();
            json!({ "time": { "days": days, "from": time(*from), "to": time(*to), "zone": zone.value } })
        }
    }
}

fn values(is: &[Arc<str>]) -> Json {
    if is.is_empty() { json!("*") } else { json!(strings(is)) }
}

fn store(store: &Store) -> Json {
    json!({
        "path": store.path.display().to_string(),
        "keep_days": store.keep_days,
        "max_total": size_text(store.max_total),
        "max_entry": size_text(store.max_entry),
        "timeout": duration_text(store.timeout),
    })
}

fn server(server: &Server) -> Json {
    let limits = &server.limits;
    json!({
        "listen": server.listen.to_string(),
        "admin": { "listen": server.admin.listen.to_string(), "token": server.admin.token.as_ref().map(secret) },
        "cores": server.cores,
        "limits": {
            "max_body": size_text(limits.max_body),
            "max_header": size_text(limits.max_header),
            "header_timeout": duration_text(limits.header_timeout),
            "body_timeout": duration_text(limits.body_timeout),
            "body_total": duration_text(limits.body_total),
            "keep_alive": duration_text(limits.keep_alive),
            "send_timeout": duration_text(limits.send_timeout),
            "max_requests": limits.max_requests,
            "max_connections": limits.max_connections,
            "stream_buffer": size_text(limits.stream_buffer),
            "answer_buffer": size_text(limits.answer_buffer),
        },
        "grace": duration_text(server.grace),
        "cors": server.cors.as_ref().map(|cors| {
            json!({ "origins": strings(&cors.origins), "max_age": duration_text(cors.max_age) })
        }),
        "headers": { "litellm": server.headers.litellm, "timing": server.headers.timing },
    })
}

fn provider(provider: &Provider) -> Json {
    let headers: Map<String, Json> =
        provider.headers.iter().map(|(name, value)| (name.clone(), secret(value))).collect();
    json!({
        "kind": provider.kind.value,
        "base_url": provider.base_url.as_ref().map(|url| &url.value),
        "api_keys": provider.api_keys.iter().map(secret).collect::<Vec<_>>(),
        "headers": headers,
        "timeouts": timeouts(&provider.timeouts),
        "tls": { "ca": provider.ca.as_ref().map(|path| path.display().to_string()) },
        "pool": { "idle": optional(provider.pool.idle), "max_age": optional(provider.pool.max_age) },
        "health": health(provider.health.as_ref()),
        "gauges": {
            "enabled": provider.gauges.enabled,
            "path": provider.gauges.path,
            "interval": duration_text(provider.gauges.interval),
        },
    })
}

fn secret(secret: &Secret) -> Json {
    Json::String(secret.to_string())
}

fn optional(duration: Option<Duration>) -> Option<String> {
    duration.map(duration_text)
}

fn timeouts(timeouts: &Timeouts) -> Json {
    json!({
        "connect": optional(timeouts.connect),
        "first_byte": optional(timeouts.first_byte),
        "hold": optional(timeouts.hold),
        "idle": optional(timeouts.idle),
        "total": optional(timeouts.total),
        "min_speed": timeouts.min_speed.map(|speed| {
            json!({ "tokens_per_second": speed.tokens_per_second, "over": duration_text(speed.over) })
        }),
    })
}

fn health(health: Option<&HealthCheck>) -> Json {
    health.map_or(Json::Null, |health| {
        json!({
            "probe": health.probe.as_ref().map(|probe| &probe.value),
            "path": health.path,
            "interval": duration_text(health.interval),
        })
    })
}

fn strings(texts: &[Arc<str>]) -> Vec<&str> {
    texts.iter().map(|text| &**text).collect()
}

/// A part of the file as it was written.
fn node(node: &Node) -> Json {
    match &node.value {
        Value::Null | Value::Broken => Json::Null,
        Value::Scalar(scalar) => json!(scalar.written.as_deref().unwrap_or(&scalar.text)),
        Value::List(items) => items.iter().map(self::node).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(name, node)| (name.value.clone(), self::node(node))).collect())
        }
    }
}
