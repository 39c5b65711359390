//! The checked configuration for the eyes of an operator.

use crate::config::{AccessLog, Config, Deployment, HealthCheck, Provider, Route, Server};
use crate::format::{duration_text, size_text};
use crate::node::{Node, Value};
use serde_json::{Map, Value as Json, json};
use std::time::Duration;
use weir_core::{Pricing, Secret, Timeouts};

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
            "telemetry": {
                "access_log": { "enabled": self.telemetry.access_log.is_some(), "path": log_path },
                "spans": self.telemetry.spans,
                "metrics": { "labels": strings(&self.telemetry.metric_labels) },
            },
        })
    }

    fn deployment(&self, deployment: &Deployment) -> Json {
        let price = match deployment.pricing {
            Pricing::Unpriced => Json::Null,
            Pricing::PerHour(micro_usd) => {
                json!({ "per_hour": weir_core::Price::from_micro_usd_per_million(micro_usd).to_string() })
            }
            Pricing::PerToken(prices) => json!({
                "input": prices.input.to_string(),
                "output": prices.output.to_string(),
                "cached_input": prices.cached_input.map(|price| price.to_string()),
                "cache_write": prices.cache_write.map(|price| price.to_string()),
            }),
        };
        let labels: Map<String, Json> =
            deployment.labels.iter().map(|(name, value)| (name.to_string(), json!(**value))).collect();
        json!({
            "provider": self.providers.get(deployment.provider).map(|provider| &*provider.name),
            "model": *deployment.model,
            "price": price,
            "quality": deployment.quality,
            "weight": deployment.weight,
            "max_concurrency": deployment.max_concurrency,
            "timeouts": timeouts(&deployment.timeouts),
            "labels": labels,
            "health": health(deployment.health.as_ref()),
            "breaker": {
                "failures": deployment.breaker.failures,
                "cooldown": duration_text(deployment.breaker.cooldown),
            },
        })
    }

    fn route(&self, route: &Route) -> Json {
        let deployments = route.deployments.iter().map(|(index, weight)| {
            json!({ "name": self.deployments.get(*index).map(|known| &*known.name), "weight": weight })
        });
        let fallbacks = route.fallbacks.iter().filter_map(|index| self.routes.get(*index));
        let mut policy = match node(&route.settings) {
            Json::Object(settings) => settings,
            _ => Map::new(),
        };
        policy.insert("kind".to_owned(), json!(route.policy.value));
        json!({
            "aliases": strings(&route.aliases),
            "policy": policy,
            "deployments": deployments.collect::<Vec<_>>(),
            "fallbacks": fallbacks.map(|route| &*route.name).collect::<Vec<_>>(),
            "hints": route.hints.iter().map(|hint| hint.name()).collect::<Vec<_>>(),
            "retries": {
                "max": route.retries.max,
                "base": duration_text(route.retries.base),
                "cap": duration_text(route.retries.cap),
                "retry_after_max": duration_text(route.retries.retry_after_max),
            },
            "timeouts": timeouts(&route.timeouts),
        })
    }
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
        "api_key": provider.api_key.as_ref().map(secret),
        "headers": headers,
        "timeouts": timeouts(&provider.timeouts),
        "tls": { "ca": provider.ca.as_ref().map(|path| path.display().to_string()) },
        "pool": { "idle": optional(provider.pool.idle), "max_age": optional(provider.pool.max_age) },
        "health": health(provider.health.as_ref()),
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
        "idle": optional(timeouts.idle),
        "total": optional(timeouts.total),
    })
}

fn health(health: Option<&HealthCheck>) -> Json {
    health.map_or(
        Json::Null,
        |health| json!({ "path": health.path, "interval": duration_text(health.interval) }),
    )
}

fn strings(texts: &[std::sync::Arc<str>]) -> Vec<&str> {
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
