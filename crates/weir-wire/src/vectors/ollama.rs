//! Ollama's `/api/embed`.

use super::{Embed, Inputs, Vector, VectorFormat, Vectors, numbers, texts};
use crate::format::{Losing, read};
use crate::json::write::object;
use crate::neutral::{Lost, Param, Raw, Str};
use serde::Deserialize;
use weir_core::{Endpoint, Fault, Usage};

/// Ollama's embeddings.
#[derive(Debug)]
pub(super) struct Ollama;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "model")]
    _model: Option<Raw<'a>>,
    #[serde(borrow)]
    input: OneOrMore<'a>,
    dimensions: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<'a> {
    One(#[serde(borrow)] Str<'a>),
    More(#[serde(borrow)] Vec<Str<'a>>),
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    embeddings: Vec<Raw<'a>>,
    model: Option<Str<'a>>,
    prompt_eval_count: Option<u64>,
}

impl VectorFormat for Ollama {
    fn endpoint(&self) -> Endpoint {
        Endpoint::OllamaEmbed
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Embed<'b>, Fault> {
        let request: Request<'b> = read::call(body, lost)?;
        let (inputs, single) = match request.input {
            OneOrMore::One(text) => (vec![text], true),
            OneOrMore::More(texts) => (texts, false),
        };
        Ok(Embed {
            inputs: Inputs::Texts(inputs),
            dimensions: request.dimensions,
            single,
            ..Embed::default()
        })
    }

    fn write_call(&self, call: &Embed<'_>, model: &str, losing: &mut Losing<'_>) -> Result<Vec<u8>, Fault> {
        losing.note_if(call.task.is_some(), Param::Task);
        losing.note_if(call.user.is_some(), Param::User);
        let texts = texts(call)?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.put("model", model);
            body.put("input", texts);
            body.maybe("dimensions", call.dimensions.as_ref());
        });
        Ok(out)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Vectors<'b>, Fault> {
        let answer: Answer<'b> = read::answer(body)?;
        Ok(Vectors {
            vectors: answer.embeddings.into_iter().map(Vector::Numbers).collect(),
            model: answer.model.unwrap_or_default(),
            usage: answer.prompt_eval_count.map(|input| Usage { input, ..Usage::default() }),
        })
    }

    fn write_reply(&self, reply: &Vectors<'_>, _: &Embed<'_>, model: &str) -> Result<Vec<u8>, Fault> {
        let lists = reply.vectors.iter().map(numbers::list).collect::<Result<Vec<_>, _>>()?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.put("model", model);
            body.put("embeddings", &lists);
            body.maybe("prompt_eval_count", reply.usage.as_ref().map(|usage| &usage.input));
        });
        Ok(out)
    }
}
