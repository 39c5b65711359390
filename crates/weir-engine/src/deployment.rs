//! One callable place, compiled.

use crate::headers::About;
use crate::record::TRACEPARENT;
use http::{HeaderMap, HeaderValue, Uri};
use std::sync::Arc;
use weir_config::ResponseHeaders;
use weir_core::{Endpoint, Pricing, Timeouts, TraceContext};
use weir_net::Origin;
use weir_provider::{Private, Quirks};
use weir_routing::Health;

/// One deployment of the snapshot: everything a call to it needs, prepared once.
pub(crate) struct Deployment {
    pub(crate) name: Arc<str>,
    pub(crate) provider_name: Arc<str>,
    /// Index of its provider, and so of its connection pool on each core.
    pub(crate) provider: usize,
    pub(crate) model: Arc<str>,
    pub(crate) quirks: Quirks,
    pub(crate) pricing: Pricing,
    pub(crate) timeouts: Timeouts,
    pub(crate) health: Arc<Health>,
    /// What a call must not show to a client.
    pub(crate) private: Private,
    pub(crate) probe: Option<Probe>,
    uris: [Uri; Endpoint::ALL.len()],
    headers: HeaderMap,
    /// Response headers about it, ready to be copied.
    pub(crate) about: About,
}

/// How a deployment is actively asked whether it is well.
pub(crate) struct Probe {
    pub(crate) uri: Uri,
    pub(crate) interval: std::time::Duration,
}

/// A provider of the snapshot.
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    pub(crate) origin: Arc<Origin>,
}

impl Deployment {
    /// Compiles one deployment. The message of an error says what cannot stand in a header or a URL.
    pub(crate) fn compile(
        config: &weir_config::Deployment,
        provider: &weir_config::Provider,
        kind: &weir_provider::Kind,
        origin: &Origin,
        optional: ResponseHeaders,
        health: Arc<Health>,
    ) -> Result<Self, String> {
        let mut headers =
            kind.headers(origin.host_header(), provider.api_key.as_ref(), &provider.headers).map_err(
                |name| format!("the value of header {name:?} holds a character that no header may hold"),
            )?;
        // Every call has one of its own; with room for it, a copy of these headers need not grow.
        headers.insert(TRACEPARENT, HeaderValue::from_static(""));
        let uri = |path: String| path.parse::<Uri>().map_err(|e| format!("path {path:?}: {e}"));
        let mut uris = [const { None }; Endpoint::ALL.len()];
        for (slot, endpoint) in uris.iter_mut().zip(Endpoint::ALL) {
            *slot = Some(uri(kind.path(origin.base_path(), endpoint))?);
        }
        let probe = match config.health.as_ref().or(provider.health.as_ref()) {
            None => None,
            Some(check) => Some(Probe {
                uri: uri(format!("{}/{}", origin.base_path(), check.path.trim_start_matches('/')))?,
                interval: check.interval,
            }),
        };
        let header = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| format!("{text:?} cannot stand in a header"))
        };
        let secrets = provider.api_key.iter().chain(provider.headers.iter().map(|(_, value)| value));
        Ok(Deployment {
            name: config.name.clone(),
            provider_name: provider.name.clone(),
            provider: config.provider,
            model: config.model.clone(),
            quirks: kind.quirks,
            pricing: config.pricing,
            timeouts: config.timeouts.or(provider.timeouts),
            health,
            private: Private::new(
                secrets,
                origin.host_header().to_str().unwrap_or_default(),
                provider.base_url.is_some(),
            ),
            probe,
            uris: uris.map(Option::unwrap_or_default),
            headers,
            about: About::new(&header(&config.name)?, &header(&config.model)?, optional),
        })
    }

    /// Where `endpoint` lives on its origin.
    pub(crate) fn uri(&self, endpoint: Endpoint) -> &Uri {
        let index = Endpoint::ALL.iter().position(|e| *e == endpoint).unwrap_or_default();
        &self.uris[index]
    }

    /// The headers of a call to it that belongs to this span.
    pub(crate) fn headers(&self, span: &TraceContext) -> HeaderMap {
        let mut headers = self.headers.clone();
        match HeaderValue::from_bytes(&span.header()) {
            Ok(value) => headers.insert(TRACEPARENT, value),
            Err(_) => headers.remove(TRACEPARENT), // hexadecimal digits always fit
        };
        headers
    }
}
