//! Which operation stands at which address.

use super::percent_decoded;
use crate::connection::Method;
use http::{HeaderName, header};
use weir_core::endpoint::Streams;
use weir_core::text::is_named;
use weir_core::{Class, Endpoint, Fault};
use weir_engine::line::{Addressed, Called, Operation};
use weir_engine::{Kept, What};
use weir_wire::Headers;
use weir_wire::format::{self, Format};
use weir_wire::models::Listing;

/// An address at which a model is reached, always by `POST`.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The path; where the model is named in it, it stands for `{model}`.
    pub path: &'static str,
    /// What is called there.
    pub endpoint: Endpoint,
    /// Whether a stream is what is asked for by this address.
    pub stream: bool,
}

const fn call(path: &'static str, endpoint: Endpoint) -> Call {
    Call { path, endpoint, stream: false }
}

const fn streamed(path: &'static str, endpoint: Endpoint) -> Call {
    Call { path, endpoint, stream: true }
}

/// The addresses of the public API at which a model is reached.
///
/// Every one of them travels the engine's line and so has every guard; tests walk this list.
pub const CALLS: [Call; 24] = [
    call("/v1/chat/completions", Endpoint::Chat),
    call("/v1/completions", Endpoint::Completions),
    call("/v1/embeddings", Endpoint::Embeddings),
    call("/v1/messages", Endpoint::Messages),
    call("/v1/responses", Endpoint::Responses),
    call("/v1beta/models/{model}:generateContent", Endpoint::GenerateContent),
    streamed("/v1beta/models/{model}:streamGenerateContent", Endpoint::GenerateContent),
    // Google's libraries know this version, too.
    call("/v1/models/{model}:generateContent", Endpoint::GenerateContent),
    streamed("/v1/models/{model}:streamGenerateContent", Endpoint::GenerateContent),
    call("/api/chat", Endpoint::OllamaChat),
    call("/api/generate", Endpoint::OllamaGenerate),
    call("/v1/messages/count_tokens", Endpoint::CountTokens),
    call("/v1beta/models/{model}:countTokens", Endpoint::CountContents),
    call("/v1/models/{model}:countTokens", Endpoint::CountContents),
    call("/v1beta/models/{model}:embedContent", Endpoint::EmbedContent),
    call("/v1/models/{model}:embedContent", Endpoint::EmbedContent),
    call("/v1beta/models/{model}:batchEmbedContents", Endpoint::BatchEmbedContents),
    call("/v1/models/{model}:batchEmbedContents", Endpoint::BatchEmbedContents),
    call("/api/embed", Endpoint::OllamaEmbed),
    call("/v1/moderations", Endpoint::Moderations),
    call("/v1/rerank", Endpoint::Rerank),
    call("/v2/rerank", Endpoint::Rerank),
    call("/v1/images/generations", Endpoint::Images),
    call("/v1/audio/speech", Endpoint::Speech),
];

impl Call {
    /// What is called at `path`, if it is this.
    fn at(&self, path: &str) -> Option<Called> {
        if self.path == path {
            return Some(Called::from(self.endpoint));
        }
        let (before, behind) = self.path.split_once("{model}")?;
        let model = path.strip_prefix(before)?.strip_suffix(behind).filter(|model| !model.is_empty())?;
        let addressed = Addressed { model: percent_decoded(model).into(), stream: self.stream };
        Some(Called { endpoint: self.endpoint, address: Some(Box::new(addressed)) })
    }
}

/// What is called at this path, if a model is reached there.
pub fn called(path: &str) -> Option<Called> {
    CALLS.iter().find_map(|call| call.at(path))
}

/// The addresses at which answers that are kept are asked for, with `{id}` for theirs. They travel the engine's line as
/// calls do; tests walk this list, too.
pub const KEPT: [(&str, &str, What); 4] = [
    ("GET", "/v1/responses/{id}", What::Get),
    ("DELETE", "/v1/responses/{id}", What::Delete),
    ("GET", "/v1/responses/{id}/input_items", What::InputItems),
    ("POST", "/v1/responses/{id}/cancel", What::Cancel),
];

/// What is asked of an answer that is kept, if this is the address of one.
fn kept(method: Method, path: &str, query: &str, headers: &Headers) -> Option<Operation> {
    let at = |(_, known, _): &&(&str, &str, What)| {
        let (before, behind) = known.split_once("{id}")?;
        path.strip_prefix(before)?.strip_suffix(behind).filter(|id| !id.is_empty() && !id.contains('/'))
    };
    let mut there = KEPT.iter().filter_map(|known| Some((known, at(&known)?))).peekable();
    let (first, _) = there.peek()?;
    let allow = if first.2 == What::Get { "GET, DELETE" } else { first.0 };
    let wanted = match method {
        Method::Get => "GET",
        Method::Delete => "DELETE",
        Method::Post => "POST",
        Method::Head | Method::Options | Method::Other => "",
    };
    let Some(((.., what), id)) = there.find(|((method, ..), _)| *method == wanted) else {
        return Some(Operation::Nothing(Fault::wrong_method(allow)));
    };
    if let Some(fault) = wrong_media(headers).filter(|_| method == Method::Post) {
        return Some(Operation::Nothing(fault));
    }
    Some(Operation::Kept(Kept { what: *what, id: percent_decoded(id).into(), query: query.into() }))
}

/// Google's libraries say who they are.
const GOOGLE: [HeaderName; 2] =
    [HeaderName::from_static("x-goog-api-key"), HeaderName::from_static("x-goog-api-client")];
/// Anthropic's libraries say of which year their API is.
static ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// What a request asks for, by method and path. Paths are compared as they are: no decoding, no normalisation.
pub(super) fn operation(method: Method, path: &str, query: &str, headers: &Headers) -> Operation {
    if let Some(called) = called(path) {
        if method != Method::Post {
            return Operation::Nothing(Fault::wrong_method("POST"));
        }
        return match wrong_media(headers).or_else(|| unframed(&called, query)) {
            Some(fault) => Operation::Nothing(fault),
            None => Operation::Call(called),
        };
    }
    if let Some(operation) = kept(method, path, query, headers) {
        return operation;
    }
    let (wanted, listing) = match listed(path, headers) {
        Some(listing) => listing,
        None => {
            let message = "there is nothing at this address; the API is below /v1, for example POST /v1/chat/completions";
            return Operation::Nothing(Fault::new(Class::Caller, 404, "not_found", message));
        }
    };
    if method != wanted {
        let name = if wanted == Method::Post { "POST" } else { "GET" };
        return Operation::Nothing(Fault::wrong_method(name));
    }
    listing
}

/// What is asked about the models there are, and by which method that is asked.
fn listed(path: &str, headers: &Headers) -> Option<(Method, Operation)> {
    let name = |prefix: &str| path.strip_prefix(prefix).filter(|name| !name.is_empty()).map(percent_decoded);
    let listing = match path {
        "/v1/models" => Operation::Models(by_headers(headers)),
        "/v1beta/models" => Operation::Models(Listing::Google),
        "/api/tags" => Operation::Models(Listing::Ollama),
        "/api/version" => Operation::Version,
        "/api/show" => return Some((Method::Post, Operation::Show)),
        _ => match (name("/v1/models/"), name("/v1beta/models/")) {
            (Some(name), _) => Operation::Model(by_headers(headers), name.into()),
            (None, Some(name)) => Operation::Model(Listing::Google, name.into()),
            (None, None) => return None,
        },
    };
    Some((Method::Get, listing))
}

/// The shape of a listing at an address that several APIs share.
fn by_headers(headers: &Headers) -> Listing {
    if headers.get(&ANTHROPIC_VERSION).is_some() {
        Listing::Anthropic
    } else if GOOGLE.iter().any(|name| headers.get(name).is_some()) {
        Listing::Google
    } else {
        Listing::OpenAi
    }
}

/// The format in which a client is told what is wrong: that of what it calls, else the one that its address or its headers
/// are of.
pub(super) fn client_of(operation: &Operation, path: &str, headers: &Headers) -> &'static dyn Format {
    let endpoint = match operation {
        Operation::Call(called) => words_of(called.endpoint),
        Operation::Kept(_) => Endpoint::Responses,
        _ if path.starts_with("/v1beta/") => Endpoint::GenerateContent,
        _ if path.starts_with("/api/") => Endpoint::OllamaChat,
        Operation::Models(listing) | Operation::Model(listing, _) => listing.endpoint(),
        _ => called(path).map_or_else(|| by_headers(headers).endpoint(), |called| words_of(called.endpoint)),
    };
    format::of(endpoint).unwrap_or(&format::chat::Chat)
}

/// The operation whose format has the words in which a client of `endpoint` is told of faults.
fn words_of(endpoint: Endpoint) -> Endpoint {
    match endpoint {
        Endpoint::CountTokens => Endpoint::Messages,
        Endpoint::CountContents | Endpoint::EmbedContent | Endpoint::BatchEmbedContents => {
            Endpoint::GenerateContent
        }
        Endpoint::OllamaEmbed => Endpoint::OllamaChat,
        endpoint => endpoint,
    }
}

/// A stream in a form that is not to be had: Google's API gives an array of answers where no events are asked for.
fn unframed(called: &Called, query: &str) -> Option<Fault> {
    let streams = called.address.as_ref().is_some_and(|address| address.stream);
    if !streams || called.endpoint.streams() != Streams::ByAddress || query.split('&').any(|q| q == "alt=sse")
    {
        return None;
    }
    let message = "a stream is sent as server-sent events only; put ?alt=sse behind the address";
    Some(Fault::new(Class::Caller, 400, "not_supported", message).with_param("alt"))
}

fn wrong_media(headers: &Headers) -> Option<Fault> {
    let unsupported =
        |message: String| Some(Fault::new(Class::Caller, 415, "unsupported_media_type", message));
    if let Some(coding) = headers.get(&header::CONTENT_ENCODING)
        && coding != b"identity"
    {
        return unsupported("compressed request bodies are not supported; send the body as it is".to_owned());
    }
    let value = headers.get(&header::CONTENT_TYPE)?;
    let kind = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    let json = is_named(kind, b"application/json")
        || (kind.len() > 5 && kind[kind.len() - 5..].eq_ignore_ascii_case(b"+json"));
    if json {
        return None;
    }
    let shown: String = String::from_utf8_lossy(kind).chars().take(64).collect();
    unsupported(format!("the body has to be JSON (content-type: application/json), not {shown:?}"))
}
