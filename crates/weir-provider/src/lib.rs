//! Pure translation between a call and one vendor's HTTP.
//!
//! Knows no sockets and no clock: it says which path, which headers and which edits a vendor wants, and what a vendor's
//! refusal means. A vendor whose API is OpenAI's is a row in [`compatible`]; one with a format of its own is a file.

pub mod anthropic;
pub mod azure;
pub mod compatible;
mod fault;
pub mod gauges;
pub mod gemini;
pub mod ollama;
pub mod openai;
mod probe;
mod retry_after;
pub mod token;
pub mod vertex;

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

/// When a stream tells its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// When `stream_options.include_usage` asks for it.
    IfAsked,
    /// Always; to be asked for it is refused, or means nothing.
    Unasked,
}

/// What becomes of an assistant's turn at the end of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefills {
    /// Nobody says.
    Unknown,
    /// It is gone on with.
    Plain,
    /// The same where these members, as they are written in JSON, stand beside the messages.
    Beside(&'static str),
    /// The same where they stand in the turn itself.
    InTurn(&'static str),
}

impl Prefills {
    /// The members beside the messages, and those in the turn.
    pub fn members(self) -> (&'static str, &'static str) {
        match self {
            Prefills::Unknown | Prefills::Plain => ("", ""),
            Prefills::Beside(members) => (members, ""),
            Prefills::InTurn(members) => ("", members),
        }
    }
}

/// Where a vendor's API differs from the one it is compatible with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// When its streams tell usage.
    pub usage: StreamUsage,
    /// Top-level members to be renamed on the way out, old name first. Only applied when the new name is absent.
    pub rename: &'static [(&'static str, &'static str)],
    /// Top-level members that it answers with 400, or does not heed: they are left out, and the client is told.
    pub refuses: &'static [&'static str],
    /// What it does with an answer's beginning.
    pub prefill: Prefills,
    /// Whether ids of tool calls have to be nine letters and digits.
    pub short_tool_ids: bool,
    /// Members, as they are written in JSON, that stand in the body in the place of the model's name.
    pub instead_of_model: Option<&'static str>,
}

impl Quirks {
    /// A vendor that behaves as OpenAI does.
    pub const NONE: Quirks = Quirks {
        usage: StreamUsage::IfAsked,
        rename: &[],
        refuses: &[],
        prefill: Prefills::Unknown,
        short_tool_ids: false,
        instead_of_model: None,
    };

    /// Whether a body that was written by us, in the vendor's format, has to be changed all the same.
    pub fn edit(&self) -> bool {
        let said_by_the_writer = |(from, _): &(&str, &str)| *from == "max_completion_tokens";
        let rewritten = self.short_tool_ids || self.instead_of_model.is_some();
        rewritten || !self.refuses.is_empty() || !self.rename.iter().all(said_by_the_writer)
    }
}

/// What a configuration says of where a provider is, besides its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The version of its API, where several are told apart.
    pub api_version: Option<&'a str>,
    /// The cloud's project.
    pub project: Option<&'a str>,
    /// The cloud's region.
    pub location: Option<&'a str>,
}

/// Finds the address of a place; an error says what of that is missing.
pub type Locate = fn(&Place<'_>) -> Result<String, &'static str>;

/// A key of the configuration that only some kinds take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `api_version`.
    ApiVersion,
    /// `project`.
    Project,
    /// `location`.
    Location,
    /// `service_account`: a credential of Google's that tokens are had by.
    ServiceAccount,
    /// `entra`: an application of Microsoft's that tokens are had by.
    Entra,
}

impl Setting {
    /// The key.
    pub const fn name(self) -> &'static str {
        match self {
            Setting::ApiVersion => "api_version",
            Setting::Project => "project",
            Setting::Location => "location",
            Setting::ServiceAccount => "service_account",
            Setting::Entra => "entra",
        }
    }
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
    /// The same where it depends on the place.
    pub locate: Option<Locate>,
    /// The keys of the configuration that it takes and most do not.
    pub settings: &'static [Setting],
    /// The path of an operation below its API's own.
    pub paths: fn(&str, &Place<'_>, Endpoint, bool) -> String,
    /// It knows the newest words of OpenAI's API, which its likenesses refuse.
    pub newest: bool,
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

/// What OpenAI's API and many of its likenesses have.
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
/// What most of its likenesses have.
pub const CHAT: &[Endpoint] = &[Endpoint::Chat];
/// And those that complete a text, too.
pub const CHAT_AND_TEXT: &[Endpoint] = &[Endpoint::Chat, Endpoint::Completions];
/// And those that embed.
pub const CHAT_AND_EMBEDDINGS: &[Endpoint] = &[Endpoint::Chat, Endpoint::Embeddings];

/// Every kind of provider. A new one is one file and one line here, or one row in [`compatible`].
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    let own =
        [&openai::KIND, &anthropic::KIND, &gemini::KIND, &azure::KIND, &vertex::GEMINI, &vertex::CLAUDE];
    own.into_iter().chain(compatible::SERVERS).chain([&ollama::KIND]).chain(compatible::VENDORS)
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    kinds().find(|k| k.name == name)
}

impl Kind {
    /// Whether it is a server that people run themselves, usually on this machine.
    pub fn is_local(&self) -> bool {
        self.base_url.is_some_and(|url| url.starts_with("http://127.0.0.1:"))
    }

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

    /// Whether it knows the newest words of OpenAI's API; not at another address than the vendor's own.
    pub fn is_newest_at(&self, elsewhere: bool) -> bool {
        self.newest && !(elsewhere && self.base_url.is_some())
    }

    /// The path of `endpoint` below an API that lives at `base_path` (no trailing slash), for an answer that is to be a
    /// stream or not. Where the model is named in it, it stands for `{model}`.
    pub fn path(&self, base_path: &str, place: &Place<'_>, endpoint: Endpoint, stream: bool) -> String {
        (self.paths)(base_path, place, endpoint, stream)
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

/// The path that the API gives it to which an operation belongs.
pub fn usual_path(base_path: &str, _: &Place<'_>, endpoint: Endpoint, stream: bool) -> String {
    let path = if stream { endpoint.streamed_path() } else { endpoint.path() };
    // Ollama's own API stands beside its likeness of OpenAI's.
    let base = if path.starts_with("/api/") { base_path.trim_end_matches("/v1") } else { base_path };
    format!("{base}{path}")
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
        for (from, to) in kind.quirks.rename {
            notes.push_str(&format!(" `{from}` is sent as `{to}`."));
        }
        if !kind.quirks.refuses.is_empty() {
            let refused: Vec<String> = kind.quirks.refuses.iter().map(|name| format!("`{name}`")).collect();
            notes.push_str(&format!(" Left out: {}.", refused.join(", ")));
        }
        if !kind.settings.is_empty() {
            let keys: Vec<String> = kind.settings.iter().map(|key| format!("`{}`", key.name())).collect();
            notes.push_str(&format!(" Takes {}.", keys.join(", ")));
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
