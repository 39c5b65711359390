//! Pure translation between a call and one vendor's HTTP.
//!
//! Knows no sockets and no clock: it says which path, which headers and which edits a vendor wants, and what a vendor's
//! refusal means. A vendor whose API is OpenAI's is a row in [`compatible`]; one with a format of its own is a file.

pub mod anthropic;
pub mod compatible;
mod fault;
pub mod gauges;
pub mod openai;
mod probe;
mod retry_after;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use weir_core::endpoint::Gives;
use weir_core::{Endpoint, Secret};

pub use fault::{Private, Refusal, fault, unexpected_status};
pub use probe::{Asked, Probe};
pub use retry_after::retry_after;

/// How a vendor wants to be shown the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …`, sent when a key is configured.
    Bearer,
    /// The key alone, in a header of this name.
    Header(&'static str),
}

/// Where a vendor's API differs from the one it is compatible with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether `stream_options.include_usage` is understood; without it usage of streams is estimated.
    pub stream_usage: bool,
    /// Top-level fields to be renamed on the way out, old name first. Only applied when the new name is absent.
    pub rename: &'static [(&'static str, &'static str)],
    /// Members, as they are written in JSON, by which it knows that the assistant's turn at the end of a chat is to be gone
    /// on with.
    pub prefill: &'static str,
}

impl Quirks {
    /// A vendor that behaves as OpenAI does.
    pub const NONE: Quirks = Quirks { stream_usage: true, rename: &[], prefill: "" };
}

/// A kind of provider: everything that is known about one vendor's API.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The name written in `providers.<name>.kind`.
    pub name: &'static str,
    /// The vendor's own spelling.
    pub title: &'static str,
    /// One line for reference docs.
    pub description: &'static str,
    /// Where the API lives when the configuration names no `base_url`.
    pub base_url: Option<&'static str>,
    /// The environment variable in which the vendor's own tools look for a key.
    pub key_variable: Option<&'static str>,
    /// Well-known models, offered when nobody wrote a configuration. Servers that run on this machine list their own.
    pub models: &'static [&'static str],
    /// How the credential is shown.
    pub auth: Auth,
    /// The operations its API has. A call in another format is translated to the first of them that is a conversation.
    pub speaks: &'static [Endpoint],
    /// Headers that every request carries.
    pub fixed: &'static [(&'static str, &'static str)],
    /// Differences from OpenAI's API.
    pub quirks: Quirks,
    /// How its deployments are asked whether they are well, where the configuration asks for that and does not say how.
    pub probe: Probe,
    /// Whether it says at `/metrics` how busy it is.
    pub gauges: bool,
    /// The vendor's page these facts were taken from.
    pub source: &'static str,
}

/// What OpenAI's API and its likenesses have.
///
/// That not every server has all of them is theirs to say.
pub const OPENAI: &[Endpoint] = &[
    Endpoint::Chat,
    Endpoint::Completions,
    Endpoint::Embeddings,
    Endpoint::Moderations,
    Endpoint::Rerank,
    Endpoint::Images,
    Endpoint::Speech,
];

/// Every kind of provider. A new one is one file or one row, and one line here or in [`compatible::ROWS`].
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    [&openai::KIND, &anthropic::KIND].into_iter().chain(compatible::ROWS)
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|k| k.name == name)
}

impl Kind {
    /// The operations of its API at the kind's own address, or `elsewhere`: servers that speak OpenAI's API mostly have not
    /// what came late to it.
    pub fn speaks_at(&self, elsewhere: bool) -> &'static [Endpoint] {
        if elsewhere && self.name == openai::KIND.name { OPENAI } else { self.speaks }
    }

    /// What a call to `endpoint` is made as: itself where its API has that, else the conversation it is translated to.
    /// `None` when neither is possible.
    pub fn serves(&self, endpoint: Endpoint) -> Option<Endpoint> {
        served(self.speaks, endpoint)
    }

    /// The path of `endpoint` below an API that lives at `base_path` (no trailing slash), for an answer that is to be a
    /// stream or not. Where the model is named in it, it stands for `{model}`.
    pub fn path(&self, base_path: &str, endpoint: Endpoint, stream: bool) -> String {
        let path = if stream { endpoint.streamed_path() } else { endpoint.path() };
        // Ollama's own API stands beside its likeness of OpenAI's.
        let base = if path.starts_with("/api/") { base_path.trim_end_matches("/v1") } else { base_path };
        format!("{base}{path}")
    }

    /// The headers of every request to this vendor, credential and configured extras included.
    ///
    /// # Errors
    /// The name of the header whose value cannot stand in one (control characters).
    pub fn headers(
        &self,
        host: &HeaderValue,
        key: Option<&Secret>,
        extra: &[(String, Secret)],
    ) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::with_capacity(16);
        headers.insert(header::HOST, host.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some(key) = key.filter(|k| !k.is_empty()) {
            let (name, text) = match self.auth {
                Auth::Bearer => (header::AUTHORIZATION, format!("Bearer {}", key.expose())),
                Auth::Header(name) => (HeaderName::from_static(name), key.expose().to_owned()),
            };
            let mut value = HeaderValue::from_str(&text).map_err(|_| name.to_string())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        for (name, value) in self.fixed {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        for (name, value) in extra {
            let header: HeaderName = name.parse().map_err(|_| name.clone())?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| name.clone())?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// What a call to `endpoint` is made as at a server that has the operations `speaks`, first choice first: itself where it
/// is among them, else what it is translated to: a conversation where text is generated, vectors where it is they.
pub fn served(speaks: &[Endpoint], endpoint: Endpoint) -> Option<Endpoint> {
    let first = |is: &dyn Fn(Endpoint) -> bool| speaks.iter().copied().find(|known| is(*known));
    first(&|known| known == endpoint).or_else(|| match endpoint.gives() {
        Gives::Text => first(&|known| known.has_messages()),
        Gives::Vectors => first(&|known| known.gives() == Gives::Vectors),
        Gives::Count | Gives::Object(_) | Gives::Bytes => None,
    })
}

/// `path` with the name of `model` in it, in the form in which a path may hold it (RFC 3986 §3.3).
pub fn with_model(path: &str, model: &str) -> String {
    let mut name = String::with_capacity(model.len());
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                name.push(char::from(byte));
            }
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    path.replace("{model}", &name)
}

/// The text of `docs/reference/providers.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Providers\n\n<!-- Generated from the roster of `weir-provider`; change it there. -->\n\n\
         `providers.<name>.kind` is one of these. Any other server that speaks OpenAI's API is kind `openai` with its \
         `base_url`. How a kind is probed where `health` does not say, and whether its gauges are read: \
         [Health seen from outside](../guide/reliability.md#health-seen-from-outside).\n\n| kind | vendor | default `base_url` | key found in | probe | gauges | notes |\n|---|---|---|---|---|---|---|\n",
    );
    for kind in kinds() {
        let code = |text: Option<&str>| text.map_or("–".to_owned(), |t| format!("`{t}`"));
        let mut notes = kind.description.to_owned();
        if !kind.quirks.stream_usage {
            notes.push_str(" Usage of streams is estimated.");
        }
        for (from, to) in kind.quirks.rename {
            notes.push_str(&format!(" `{from}` is sent as `{to}`."));
        }
        out.push_str(&format!(
            "| `{}` | [{}]({}) | {} | {} | `{}` | {} | {notes} |\n",
            kind.name,
            kind.title,
            kind.source,
            code(kind.base_url),
            code(kind.key_variable),
            kind.probe.name(),
            if kind.gauges { "yes" } else { "–" },
        ));
    }
    out
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
