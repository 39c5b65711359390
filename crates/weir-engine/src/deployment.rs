//! One callable place, compiled.

use crate::headers::about;
use crate::record::TRACEPARENT;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::sync::Arc;
use std::time::Duration;
use weir_config::{Continues, ResponseHeaders};
use weir_core::{Endpoint, ModelClass, Pricing, Secret, Timeouts};
use weir_net::{Head, Origin};
use weir_provider::{Private, Quirks, served};
use weir_routing::{Credential, Health};
use weir_wire::HeaderLines;

/// One deployment of the snapshot: everything a call to it needs, prepared once, and small, since with hundreds of them
/// each has to be fetched into the cache.
pub(crate) struct Deployment {
    pub(crate) name: Arc<str>,
    /// Index of its provider, and so of its connection pool on each core.
    pub(crate) provider: usize,
    pub(crate) model: Arc<str>,
    pub(crate) pricing: Pricing,
    /// Only what somebody set: usually nothing.
    timeouts: Option<Box<Timeouts>>,
    pub(crate) health: Arc<Health>,
    /// How it completes an answer that broke off.
    pub(crate) continues: Continues,
    /// What it serves: deployments of the same name here serve the same model.
    pub(crate) same_as: Arc<str>,
    /// Reasoning is what its model is meant for: its first token is a long time coming.
    pub(crate) reasons: bool,
    pub(crate) probe: Option<Box<Probe>>,
    /// The heads of calls to it, where its provider's API has the model in the address.
    heads: Option<Box<[OwnHead]>>,
    /// The fields of a response that name it.
    pub(crate) about: HeaderLines,
}

/// The head of one kind of call to one deployment.
struct OwnHead {
    endpoint: Endpoint,
    stream: bool,
    credential: usize,
    head: Head,
}

/// How a deployment is actively asked whether it is well.
pub(crate) struct Probe {
    pub(crate) probe: weir_provider::Probe,
    pub(crate) head: Head,
    pub(crate) body: Bytes,
    pub(crate) interval: Duration,
}

/// How a provider's server is asked how busy it is.
pub(crate) struct Gauges {
    pub(crate) head: Head,
    pub(crate) interval: Duration,
}

/// A provider of the snapshot, with what all calls to it have in common.
pub(crate) struct Provider {
    pub(crate) name: Arc<str>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) quirks: Quirks,
    /// What a call to each endpoint is made as, in the order of [`Endpoint::ALL`].
    serves: [Option<Endpoint>; Endpoint::ALL.len()],
    /// It is OpenAI itself, which knows words that its likenesses do not.
    pub(crate) newest: bool,
    /// For each credential, in the order of [`Endpoint::ALL`].
    heads: Box<[[Head; Endpoint::ALL.len()]]>,
    /// What every call carries with each credential, in the order of `heads`.
    headers: Vec<HeaderMap>,
    /// One at least, even if there is nothing to send; in the order of `heads`.
    pub(crate) credentials: Vec<Arc<Credential>>,
    /// What a call must not show to a client.
    pub(crate) private: Private,
    /// How it is asked how busy it is, if it is.
    pub(crate) gauges: Option<Gauges>,
}

impl Provider {
    /// Compiles one provider. The message of an error says what cannot stand in a header or a URL.
    pub(crate) fn compile(
        config: &weir_config::Provider,
        kind: &weir_provider::Kind,
        origin: Origin,
    ) -> Result<Self, String> {
        let headers_with = |key: Option<&Secret>| {
            let mut headers = kind.headers(origin.host_header(), key, &config.headers).map_err(|name| {
                format!("the value of header {name:?} holds a character that no header may hold")
            })?;
            headers.remove(&TRACEPARENT); // every call has one of its own
            Ok::<_, String>(headers)
        };
        let paths = Endpoint::ALL.map(|endpoint| path(&kind.path(origin.base_path(), endpoint, false)));
        let heads_with = |headers: &HeaderMap| {
            let mut heads = paths.iter().map(|path| Ok(Head::new(&Method::POST, path.as_ref()?, headers)));
            let heads = heads.by_ref().collect::<Result<Vec<_>, &String>>().map_err(String::clone)?;
            heads.try_into().map_err(|_| "as many heads as endpoints".to_owned())
        };
        let headers = if config.api_keys.is_empty() {
            vec![headers_with(None)?]
        } else {
            config.api_keys.iter().map(|key| headers_with(Some(key))).collect::<Result<_, String>>()?
        };
        let heads = headers.iter().map(heads_with).collect::<Result<_, String>>()?;
        let secrets = config.api_keys.iter().chain(config.headers.iter().map(|(_, value)| value));
        let authority = origin.host_header().to_str().unwrap_or_default();
        let private = Private::new(secrets, authority, config.base_url.is_some());
        let (name, quirks) = (config.name.clone(), kind.quirks);
        let speaks = config.endpoints.as_deref().unwrap_or_else(|| kind.speaks_at(config.base_url.is_some()));
        let serves = Endpoint::ALL.map(|endpoint| served(speaks, endpoint));
        let newest = kind.name == weir_provider::openai::KIND.name && config.base_url.is_none();
        let credentials = Vec::new();
        let (stated, asks) = (&config.gauges, config.gauges.enabled.unwrap_or(kind.gauges));
        let gauges = asks.then(|| {
            Ok::<_, String>(Gauges {
                head: Head::new(&Method::GET, &path(&stated.path)?, &without_body(&headers[0])),
                interval: stated.interval,
            })
        });
        let gauges = gauges.transpose()?;
        Ok(Provider {
            name,
            origin: Arc::new(origin),
            quirks,
            serves,
            newest,
            heads,
            headers,
            credentials,
            private,
            gauges,
        })
    }

    /// The head of a call to `endpoint` of `deployment`, which is of this provider, with the nth credential.
    pub(crate) fn head<'a>(
        &'a self,
        deployment: &'a Deployment,
        credential: usize,
        endpoint: Endpoint,
        stream: bool,
    ) -> &'a Head {
        let own = deployment
            .heads
            .as_deref()
            .unwrap_or_default()
            .iter()
            .find(|own| (own.endpoint, own.stream, own.credential) == (endpoint, stream, credential));
        own.map_or(&self.heads[credential][endpoint as usize], |own| &own.head)
    }

    /// The heads of calls to a deployment of `model`, as far as the model is in their address.
    fn heads_of(&self, kind: &weir_provider::Kind, model: &str) -> Result<Option<Box<[OwnHead]>>, String> {
        let mut own = Vec::new();
        let made = Endpoint::ALL.into_iter().filter(|endpoint| self.serves.contains(&Some(*endpoint)));
        for (endpoint, stream) in made.flat_map(|endpoint| [(endpoint, false), (endpoint, true)]) {
            let written = kind.path(self.origin.base_path(), endpoint, stream);
            if !written.contains("{model}") {
                continue;
            }
            let path = path(&weir_provider::with_model(&written, model))?;
            for (credential, headers) in self.headers.iter().enumerate() {
                let head = Head::new(&Method::POST, &path, headers);
                own.push(OwnHead { endpoint, stream, credential, head });
            }
        }
        Ok((!own.is_empty()).then(|| own.into_boxed_slice()))
    }

    /// What a call to `endpoint` is made as; `None` when that cannot be.
    pub(crate) fn serves(&self, endpoint: Endpoint) -> Option<Endpoint> {
        self.serves[endpoint as usize]
    }

    /// Whether the operator, or the vendor's API, says what this header holds.
    pub(crate) fn sets(&self, name: &HeaderName) -> bool {
        self.headers[0].contains_key(name)
    }
}

/// The headers of a request that has no body.
fn without_body(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    headers.remove(header::CONTENT_TYPE);
    headers
}

fn path(path: &str) -> Result<PathAndQuery, String> {
    path.parse().map_err(|e| format!("path {path:?}: {e}"))
}

impl Deployment {
    /// Compiles one deployment. The message of an error says what cannot stand in a header or a URL.
    pub(crate) fn compile(
        config: &weir_config::Deployment,
        stated: &weir_config::Provider,
        (provider, kind): (&Provider, &weir_provider::Kind),
        probe: Option<weir_provider::Probe>,
        optional: ResponseHeaders,
        health: Arc<Health>,
    ) -> Result<Self, String> {
        let probe = match probe.zip(config.health.as_ref()) {
            None => None,
            Some((probe, check)) => {
                let own = check.path.as_deref().unwrap_or_default();
                let asked = probe.ask(kind, provider.origin.base_path(), &config.model, own);
                let with_body = &provider.headers[0];
                let bodiless = without_body(with_body);
                let headers = if asked.body.is_empty() { &bodiless } else { with_body };
                let head = Head::new(&asked.method, &path(&asked.path)?, headers);
                Some(Box::new(Probe { probe, head, body: asked.body.into(), interval: check.interval }))
            }
        };
        for text in [&config.name, &config.model] {
            HeaderValue::from_str(text).map_err(|_| format!("{text:?} cannot stand in a header"))?;
        }
        Ok(Deployment {
            name: config.name.clone(),
            provider: config.provider,
            model: config.model.clone(),
            pricing: config.pricing.clone(),
            timeouts: Some(config.timeouts.or(stated.timeouts))
                .filter(|timeouts| *timeouts != Timeouts::default())
                .map(Box::new),
            health,
            continues: config.continues,
            same_as: config.same_as.clone(),
            reasons: config.classes.contains(&ModelClass::Reasoning),
            probe,
            heads: provider.heads_of(kind, &config.model)?,
            about: about(&config.name, optional),
        })
    }

    /// Its time limits, as far as somebody set them.
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts.as_deref().copied().unwrap_or_default()
    }
}
