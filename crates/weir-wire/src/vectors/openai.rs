//! OpenAI's embeddings.

use super::{Embed, Inputs, Vector, VectorFormat, Vectors, numbers};
use crate::format::{Losing, read};
use crate::json::write::object;
use crate::neutral::{Lost, Param, Raw, Str};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use weir_core::{Class, Endpoint, Fault, Usage};

/// OpenAI's embeddings.
#[derive(Debug)]
pub(super) struct OpenAi;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "model")]
    _model: Option<Raw<'a>>,
    #[serde(borrow)]
    input: Raw<'a>,
    dimensions: Option<u64>,
    encoding_format: Option<Str<'a>>,
    user: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Vec<Entry<'a>>,
    model: Option<Str<'a>>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    embedding: Raw<'a>,
    index: Option<usize>,
}

#[derive(Deserialize)]
struct Tokens {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// A vector as the client asked for it.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'v> {
    Base64(String),
    List(Cow<'v, RawValue>),
}

impl<'v> Written<'v> {
    fn of(vector: &'v Vector<'_>, call: &Embed<'_>) -> Result<Self, Fault> {
        Ok(match call.base64 {
            true => Written::Base64(numbers::base64(vector)?),
            false => Written::List(numbers::list(vector)?),
        })
    }
}

impl VectorFormat for OpenAi {
    fn endpoint(&self) -> Endpoint {
        Endpoint::Embeddings
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Embed<'b>, Fault> {
        let request: Request<'b> = read::call(body, lost)?;
        let base64 = match request.encoding_format.as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(other) => {
                let message = format!("`encoding_format` is `float` or `base64`, not `{other:.32}`");
                return Err(
                    Fault::new(Class::Caller, 400, "invalid_value", message).with_param("encoding_format")
                );
            }
        };
        let written = request.input.text();
        let (inputs, single) = if written.starts_with('"') {
            (Inputs::Texts(vec![read::call_at(written.as_bytes(), "input", lost)?]), true)
        } else if written.trim_start_matches(['[', ' ', '\n', '\r', '\t']).starts_with('"') {
            (Inputs::Texts(read::call_at(written.as_bytes(), "input", lost)?), false)
        } else {
            (Inputs::Tokens(request.input), false)
        };
        Ok(Embed { inputs, dimensions: request.dimensions, task: None, user: request.user, base64, single })
    }

    fn write_call(&self, call: &Embed<'_>, model: &str, losing: &mut Losing<'_>) -> Result<Vec<u8>, Fault> {
        losing.note_if(call.task.is_some(), Param::Task);
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.put("model", model);
            match &call.inputs {
                Inputs::Texts(texts) => match texts.as_slice() {
                    [text] if call.single => body.put("input", text),
                    texts => body.put("input", texts),
                },
                Inputs::Tokens(raw) => body.put("input", raw),
            }
            body.maybe("dimensions", call.dimensions.as_ref());
            body.put("encoding_format", if call.base64 { "base64" } else { "float" });
            body.maybe("user", call.user.as_ref());
        });
        Ok(out)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Vectors<'b>, Fault> {
        let mut answer: Answer<'b> = read::answer(body)?;
        if answer.data.iter().all(|entry| entry.index.is_some()) {
            answer.data.sort_by_key(|entry| entry.index);
        }
        let vectors = answer.data.into_iter().map(|entry| match entry.embedding.text().starts_with('"') {
            true => Ok(Vector::Base64(read::answer(entry.embedding.text().as_bytes())?)),
            false => Ok(Vector::Numbers(entry.embedding)),
        });
        let usage = answer.usage.and_then(|tokens| {
            Some(Usage { input: tokens.prompt_tokens.or(tokens.total_tokens)?, ..Usage::default() })
        });
        Ok(Vectors {
            vectors: vectors.collect::<Result<_, Fault>>()?,
            model: answer.model.unwrap_or_default(),
            usage,
        })
    }

    fn write_reply(&self, reply: &Vectors<'_>, call: &Embed<'_>, model: &str) -> Result<Vec<u8>, Fault> {
        let written: Vec<Written<'_>> =
            reply.vectors.iter().map(|vector| Written::of(vector, call)).collect::<Result<_, _>>()?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.put("object", "list");
            body.list("data", |list| {
                for (index, vector) in written.iter().enumerate() {
                    list.object(|entry| {
                        entry.put("object", "embedding");
                        entry.put("index", &index);
                        entry.put("embedding", vector);
                    });
                }
            });
            body.put("model", if reply.model.is_empty() { model } else { &reply.model });
            let tokens = reply.usage.map_or(0, |usage| usage.input);
            body.object("usage", |usage| {
                usage.put("prompt_tokens", &tokens);
                usage.put("total_tokens", &tokens);
            });
        });
        Ok(out)
    }
}
