//! What a request asks for, read without building a tree.
//!
//! Field names and meanings: <https://platform.openai.com/docs/api-reference> (chat, completions, embeddings),
//! <https://docs.anthropic.com/en/api/messages>. Types
//! are checked only of the fields that are used here; everything else is the upstream's to judge.

mod prompt;
mod shape;

pub use prompt::Prompt;

use crate::json::{self, DUPLICATE, Field, JsonFault, Kind, Reader};
use crate::name::ModelName;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Range;
use weir_core::endpoint::Streams;
use weir_core::text::number;
use weir_core::{Class, Endpoint, Fault, Need, Needs};

use shape::{Holds, Shape, shape};

/// The facts of one request body. Owns only the model's name; the rest are offsets into the body it was read from.
#[derive(Clone, Debug)]
pub struct CallFacts {
    /// What was called.
    pub endpoint: Endpoint,
    /// The model asked for, unescaped.
    pub model: ModelName,
    /// Whether a stream is asked for. Never by a call for embeddings, where `stream` and `stream_options` have no meaning
    /// and pass as any other member nobody here knows.
    pub stream: bool,
    /// Whether the client itself asks for the usage chunk of a stream (`stream_options.include_usage`).
    pub include_usage: bool,
    /// Most tokens that may be generated: the larger of `max_tokens` and `max_completion_tokens`. For policies that weigh a
    /// call, for rules, and for deployments that state how much they generate at most.
    pub max_tokens: Option<u64>,
    /// What is asked for beside the prompt. What the prompt itself holds is not among it: see [`CallFacts::prompt`].
    pub needs: Needs,
    /// Bytes of `messages`, `prompt` or `input` as written, and of `system` where instructions stand apart: a measure of the
    /// prompt's size.
    pub prompt_bytes: usize,
    /// Where the value of `user` stands, quotes included, when it is a string. For policies that keep a user in one place.
    pub user: Option<Range<usize>>,
    /// Where the value of `messages`, `prompt` or `input` stands.
    pub(crate) prompt: Range<usize>,
    /// Where the value of `system` stands, in a format whose instructions are no messages.
    pub(crate) system: Option<Range<usize>>,
    /// Where the value of `metadata` stands, when it is an object.
    pub(crate) metadata: Option<Range<usize>>,
    /// Where the value of `response_format` stands, when it is an object.
    pub(crate) response_format: Option<Range<usize>>,
    pub(crate) fields: SmallVec<[Span; 16]>,
    pub(crate) model_at: usize,
    pub(crate) stream_options: Option<StreamOptions>,
}

/// What an address says of the call that goes there.
#[derive(Clone, Copy, Debug)]
pub struct InAddress<'a> {
    /// The model asked for.
    pub model: &'a str,
    /// Whether a stream is asked for.
    pub stream: bool,
}

/// The place of a member that is not there.
const NOWHERE: usize = usize::MAX;

/// Where one top-level member stands. Bodies are refused before offsets outgrow 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    key: u32,
    value: u32,
    end: u32,
}

impl Span {
    /// Offset of the key's opening quote.
    pub(crate) fn key(self) -> usize {
        self.key as usize
    }

    /// The value's bytes.
    pub(crate) fn value(self) -> Range<usize> {
        self.value as usize..self.end as usize
    }

    /// Offset behind the value.
    pub(crate) fn end(self) -> usize {
        self.end as usize
    }
}

/// A `stream_options` member of the request.
#[derive(Clone, Debug)]
pub(crate) struct StreamOptions {
    /// Its value's bytes in the body.
    pub(crate) value: Range<usize>,
    /// `null` or `{}`.
    pub(crate) is_empty: bool,
    /// Where the value of `include_usage` stands in the body.
    pub(crate) include_usage: Option<Range<usize>>,
}

impl CallFacts {
    /// Reads the facts of `body`. Every fault is the caller's, has status 400 (413 above 4 GiB) and names the place or
    /// the field: codes `invalid_json`, `missing_required_parameter`, `invalid_type`, `string_above_max_length`.
    pub fn read(body: &[u8], endpoint: Endpoint) -> Result<Self, Fault> {
        Self::read_at(body, endpoint, None)
    }

    /// The same of a call whose address says what others say in their bodies.
    ///
    /// # Errors
    /// As of [`CallFacts::read`].
    pub fn read_at(body: &[u8], endpoint: Endpoint, address: Option<InAddress<'_>>) -> Result<Self, Fault> {
        if u32::try_from(body.len()).is_err() {
            return Err(Fault::new(
                Class::Caller,
                413,
                "request_too_large",
                "The request body is too large.",
            ));
        }
        let mut found = Found::new(endpoint);
        json::scan(body, &mut |field| found.see(body, field))
            .map_err(|fault| not_an_object(body, endpoint).unwrap_or_else(|| invalid_json(body, fault)))?;
        found.finish(body, endpoint, address)
    }

    /// Whether the body has a member of this name whose value is not `null`.
    pub(crate) fn states(&self, body: &[u8], name: &[u8]) -> bool {
        self.fields.iter().any(|span| {
            let key = body.get(span.key()..).unwrap_or_default();
            let is_it = key.get(1..=name.len()) == Some(name) && key.get(name.len() + 1) == Some(&b'"');
            is_it && body.get(span.value()) != Some(b"null")
        })
    }

    /// Characters of the prompt, where that is a text.
    pub fn prompt_characters(&self, body: &[u8]) -> u32 {
        let written = body.get(self.prompt.clone()).unwrap_or_default();
        let text = Reader::new(written).ok().and_then(|mut reader| reader.text().ok().flatten());
        text.map_or(0, |text| u32::try_from(text.unescape().chars().count()).unwrap_or(u32::MAX))
    }

    /// Where the value of `model` stands in the body, quotes included; nowhere (`0..0`) where the address names the model.
    pub fn model_range(&self) -> Range<usize> {
        self.fields.get(self.model_at).map(|span| span.value()).unwrap_or_default()
    }
}

/// A member that matters, with its place among all members.
#[derive(Clone)]
struct Member {
    at: usize,
    value: Range<usize>,
    kind: Kind,
}

/// What one scan gathers before types are judged: a fault of the grammar goes before a fault of a type.
struct Found {
    shape: &'static Shape,
    streams: Streams,
    fields: SmallVec<[Span; 16]>,
    model: Option<Member>,
    prompt: Option<Member>,
    stream: Option<Member>,
    stream_options: Option<Member>,
    user: Option<Range<usize>>,
    system: Option<Range<usize>>,
    max_tokens: Option<u64>,
    needs: Needs,
    metadata: Option<Range<usize>>,
    response_format: Option<Range<usize>>,
    /// A member that asks for what Weir does not have.
    not_here: Option<&'static str>,
}

impl Found {
    fn new(endpoint: Endpoint) -> Self {
        Found {
            shape: shape(endpoint),
            streams: endpoint.streams(),
            fields: SmallVec::new(),
            model: None,
            prompt: None,
            stream: None,
            stream_options: None,
            user: None,
            system: None,
            max_tokens: None,
            needs: Needs::default(),
            metadata: None,
            response_format: None,
            not_here: None,
        }
    }

    fn see(&mut self, body: &[u8], field: &Field<'_>) {
        let member = || Some(Member { at: self.fields.len(), value: field.value.clone(), kind: field.kind });
        let number = || number(body.get(field.value.clone())?);
        let key = field.key.unescape();
        match &*key {
            "model" => self.model = member(),
            "stream" if self.may_say_stream() => self.stream = member(),
            "stream_options" if self.streams == Streams::IfAsked => self.stream_options = member(),
            "max_tokens" | "max_completion_tokens" => self.max_tokens = self.max_tokens.max(number()),
            "user" if field.kind == Kind::String => self.user = Some(field.value.clone()),
            "tools" | "functions" if field.kind == Kind::Array && field.value.len() > 2 => {
                self.needs.add(Need::Tools);
            }
            "response_format" if field.kind == Kind::Object => {
                self.response_format = Some(field.value.clone());
                if prompt::asks_for_a_schema(body.get(field.value.clone()).unwrap_or_default()) {
                    self.needs.add(Need::JsonSchema);
                }
            }
            "reasoning_effort" if field.kind == Kind::String => self.needs.add(Need::Reasoning),
            "audio" if field.kind == Kind::Object => self.needs.add(Need::Audio),
            "metadata" if field.kind == Kind::Object => self.metadata = Some(field.value.clone()),
            key if key == self.shape.prompt => self.prompt = member(),
            key => (self.shape.own)(self, key, body, field),
        }
        // `CallFacts::read` has checked that every offset fits.
        let narrow = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        self.fields.push(Span {
            key: narrow(field.key.start()),
            value: narrow(field.value.start),
            end: narrow(field.value.end),
        });
    }

    /// Whether it is the body that says whether a stream is wanted.
    fn may_say_stream(&self) -> bool {
        matches!(self.streams, Streams::IfAsked | Streams::UnlessDeclined)
    }

    fn finish(
        mut self,
        body: &[u8],
        endpoint: Endpoint,
        address: Option<InAddress<'_>>,
    ) -> Result<CallFacts, Fault> {
        if matches!(endpoint, Endpoint::Messages | Endpoint::CountTokens) {
            self.user = self.metadata.clone().and_then(|metadata| {
                let place = place(body.get(metadata.clone())?, "user_id")?;
                Some(metadata.start + place.start..metadata.start + place.end)
            });
        }
        let (model, model_at) = match (address, self.model) {
            (Some(address), _) => (name_of(address.model)?, NOWHERE),
            (None, None) => return Err(missing("model")),
            (None, Some(model)) if model.kind != Kind::String => {
                return Err(wrong_type("model", "a string", model.kind));
            }
            (None, Some(model)) => (read_model(body, model.value)?, model.at),
        };
        let prompt = judged_prompt(self.shape, self.prompt)?;
        if let Some(param) = self.not_here {
            let message = format!("`{param}`: this is not streamed here; leave it out");
            return Err(Fault::new(Class::Caller, 400, "not_supported", message).with_param(param));
        }
        let stream = match self.stream.map_or(Kind::Null, |member| member.kind) {
            Kind::True => true,
            Kind::False => false,
            Kind::Null => match self.streams {
                Streams::Never | Streams::IfAsked => false,
                Streams::UnlessDeclined => true,
                Streams::ByAddress => address.is_some_and(|address| address.stream),
            },
            kind => return Err(wrong_type("stream", "a boolean", kind)),
        };
        let (stream_options, include_usage) = match &self.stream_options {
            Some(member) => read_stream_options(body, member)?,
            None => (None, false),
        };
        Ok(CallFacts {
            endpoint,
            model,
            stream,
            include_usage,
            max_tokens: self.max_tokens,
            needs: self.needs,
            prompt_bytes: prompt.len() + self.system.as_ref().map_or(0, Range::len),
            prompt,
            system: self.system,
            metadata: self.metadata,
            response_format: self.response_format,
            user: self.user,
            fields: self.fields,
            model_at,
            stream_options,
        })
    }
}

/// Where the prompt stands, if it is one.
fn judged_prompt(shape: &Shape, prompt: Option<Member>) -> Result<Range<usize>, Fault> {
    let Some(prompt) = prompt else {
        // A request to load a model, or a text that goes on with nothing, says so by having none.
        return if shape.holds == Holds::TextsOrNothing { Ok(0..0) } else { Err(missing(shape.prompt)) };
    };
    let wanted = match (shape.holds, prompt.kind) {
        (_, Kind::Array) | (Holds::Texts | Holds::TextsOrNothing | Holds::TurnsOrText, Kind::String) => None,
        (Holds::Turns, _) => Some("an array"),
        (Holds::TurnsOrText, _) | (Holds::Texts, Kind::Null) => Some("a string or an array"),
        (Holds::Texts | Holds::TextsOrNothing, _) => None,
    };
    match wanted {
        Some(wanted) => Err(wrong_type(shape.prompt, wanted, prompt.kind)),
        None => Ok(prompt.value),
    }
}

fn read_model(body: &[u8], value: Range<usize>) -> Result<ModelName, Fault> {
    let text = Reader::new(body.get(value).unwrap_or_default()).and_then(|mut reader| reader.text());
    let name = text.map_err(|fault| invalid_json(body, fault))?.map(|text| text.unescape());
    name_of(&name.unwrap_or_default())
}

fn name_of(name: &str) -> Result<ModelName, Fault> {
    ModelName::new(name).ok_or_else(|| {
        let message = format!("`model` is longer than {} bytes.", ModelName::LONGEST);
        Fault::new(Class::Caller, 400, "string_above_max_length", message).with_param("model")
    })
}

fn read_stream_options(body: &[u8], member: &Member) -> Result<(Option<StreamOptions>, bool), Fault> {
    let value = member.value.clone();
    let mut options = StreamOptions { value: value.clone(), is_empty: true, include_usage: None };
    match member.kind {
        Kind::Null => return Ok((Some(options), false)),
        Kind::Object => {}
        kind => return Err(wrong_type("stream_options", "an object", kind)),
    }
    let mut include_usage = Kind::Null;
    let inner = body.get(value.clone()).unwrap_or_default();
    json::scan(inner, &mut |field| {
        options.is_empty = false;
        if field.key.unescape() == "include_usage" {
            include_usage = field.kind;
            options.include_usage = Some(value.start + field.value.start..value.start + field.value.end);
        }
    })
    .map_err(|fault| invalid_json(body, JsonFault { offset: value.start + fault.offset, ..fault }))?;
    match include_usage {
        Kind::True => Ok((Some(options), true)),
        Kind::False | Kind::Null => Ok((Some(options), false)),
        kind => Err(wrong_type("stream_options.include_usage", "a boolean", kind)),
    }
}

/// Where in the text of an object the value of a member stands.
fn place(object: &[u8], name: &str) -> Option<Range<usize>> {
    let mut found = None;
    let read = json::scan(object, &mut |field| {
        if field.key.unescape() == name {
            found = Some(field.value.clone());
        }
    });
    read.ok().and(found)
}

/// The text of a member's value.
fn member<'b>(object: &'b [u8], name: &str) -> Option<&'b [u8]> {
    object.get(place(object, name)?)
}

/// The fault of a body that is nothing at all, or JSON of another kind, when it is.
#[cold]
fn not_an_object(body: &[u8], endpoint: Endpoint) -> Option<Fault> {
    let got = match body.trim_ascii() {
        b"" => "The request body is empty",
        b"null" => "The request body is null",
        b"true" | b"false" => "The request body is a boolean",
        [b'[', .., b']'] => "The request body is an array",
        [b'"', .., b'"'] => "The request body is a string",
        text if text.iter().all(|b| b"0123456789+-.eE".contains(b)) => "The request body is a number",
        _ => return None,
    };
    let example = shape(endpoint).example;
    let model = if endpoint.names_model_in_address() { "" } else { r#""model": "…", "# };
    let message = format!("{got}; expected a JSON object such as {{{model}{example}}}.");
    Some(Fault::new(Class::Caller, 400, "invalid_json", message))
}

#[cold]
fn missing(param: &'static str) -> Fault {
    let message = format!("Missing required parameter: `{param}`.");
    Fault::new(Class::Caller, 400, "missing_required_parameter", message).with_param(param)
}

#[cold]
fn wrong_type(param: &'static str, expected: &str, got: Kind) -> Fault {
    let message = format!("Invalid type for `{param}`: expected {expected}, got {}.", got.name());
    Fault::new(Class::Caller, 400, "invalid_type", message).with_param(param)
}

#[cold]
fn invalid_json(body: &[u8], fault: JsonFault) -> Fault {
    let (line, column) = fault.position(body);
    let mut what = Cow::Borrowed(fault.what);
    if fault.what == DUPLICATE
        && let Some(key) = key_at(body, fault.offset)
    {
        what = Cow::Owned(format!("{DUPLICATE} `{key}`"));
    }
    let message = format!(
        "The request body is not valid JSON: {what} at line {line}, column {column} (byte {}).",
        fault.offset
    );
    Fault::new(Class::Caller, 400, "invalid_json", message)
}

/// The first 64 characters of the key at `offset`.
fn key_at(body: &[u8], offset: usize) -> Option<String> {
    let text = Reader::new(body.get(offset..)?).ok()?.text().ok()??;
    Some(text.unescape().chars().take(64).collect())
}

#[cfg(test)]
mod tests;
