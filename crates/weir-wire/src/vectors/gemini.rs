//! Google's `embedContent` and `batchEmbedContents`.

use super::{Embed, Inputs, Vector, VectorFormat, Vectors, numbers, texts};
use crate::format::{Losing, read};
use crate::json::write::{Object, object};
use crate::neutral::{Lost, Param, Raw, Str};
use serde::Deserialize;
use weir_core::{Class, Endpoint, Fault};

/// One content.
#[derive(Debug)]
pub(super) struct Single;

/// Several at once.
#[derive(Debug)]
pub(super) struct Batch;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, rename = "model")]
    _model: Option<Raw<'a>>,
    #[serde(borrow)]
    content: Content<'a>,
    #[serde(alias = "task_type")]
    task_type: Option<Str<'a>>,
    #[serde(alias = "output_dimensionality")]
    output_dimensionality: Option<u64>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Vec<Part<'a>>,
    #[serde(borrow, rename = "role")]
    _role: Option<Raw<'a>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Requests<'a> {
    #[serde(borrow)]
    requests: Vec<Request<'a>>,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow)]
    embedding: Values<'a>,
}

#[derive(Deserialize)]
struct Many<'a> {
    #[serde(borrow)]
    embeddings: Vec<Values<'a>>,
}

#[derive(Deserialize)]
struct Values<'a> {
    #[serde(borrow)]
    values: Raw<'a>,
}

/// Several requests as one call. What they ask for beside their content has to be the same of all, as elsewhere it is said
/// once.
fn call<'b>(requests: Vec<Request<'b>>, single: bool) -> Result<Embed<'b>, Fault> {
    let wrong = |message: &'static str, param: &'static str| {
        Fault::new(Class::Caller, 400, "invalid_value", message).with_param(param)
    };
    let mut call = Embed { single, ..Embed::default() };
    let mut inputs = Vec::new();
    for (place, request) in requests.into_iter().enumerate() {
        let mut text = Str::default();
        for (nth, part) in request.content.parts.into_iter().enumerate() {
            let said = part.text.ok_or_else(|| wrong("only texts can be embedded", "content.parts.text"))?;
            text = if nth == 0 { said } else { Str::from(format!("{text}{said}")) };
        }
        let same = call.task == request.task_type && call.dimensions == request.output_dimensionality;
        if place > 0 && !same {
            let message =
                "all requests of a batch have to have the same `taskType` and `outputDimensionality`";
            return Err(wrong(message, "requests"));
        }
        call.task = request.task_type;
        call.dimensions = request.output_dimensionality;
        inputs.push(text);
    }
    call.inputs = Inputs::Texts(inputs);
    Ok(call)
}

fn write_request(request: &mut Object<'_>, call: &Embed<'_>, text: &Str<'_>) {
    request.object("content", |content| {
        content.list("parts", |parts| parts.object(|part| part.put("text", text)));
    });
    request.maybe("taskType", call.task.as_ref());
    request.maybe("outputDimensionality", call.dimensions.as_ref());
}

impl VectorFormat for Single {
    fn endpoint(&self) -> Endpoint {
        Endpoint::EmbedContent
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Embed<'b>, Fault> {
        call(vec![read::call(body, lost)?], true)
    }

    fn write_call(&self, call: &Embed<'_>, _: &str, losing: &mut Losing<'_>) -> Result<Vec<u8>, Fault> {
        losing.note_if(call.user.is_some(), Param::User);
        let [text] = texts(call)? else {
            return Err(super::cannot("the model's server embeds one text at a time; send one"));
        };
        let mut out = Vec::new();
        object(&mut out, |body| write_request(body, call, text));
        Ok(out)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Vectors<'b>, Fault> {
        let answer: One<'b> = read::answer(body)?;
        Ok(Vectors { vectors: vec![Vector::Numbers(answer.embedding.values)], ..Vectors::default() })
    }

    fn write_reply(&self, reply: &Vectors<'_>, _: &Embed<'_>, _: &str) -> Result<Vec<u8>, Fault> {
        let list = reply.vectors.first().map(numbers::list).transpose()?;
        let mut out = Vec::new();
        object(&mut out, |body| body.object("embedding", |one| one.maybe("values", list.as_ref())));
        Ok(out)
    }
}

impl VectorFormat for Batch {
    fn endpoint(&self) -> Endpoint {
        Endpoint::BatchEmbedContents
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Embed<'b>, Fault> {
        let batch: Requests<'b> = read::call(body, lost)?;
        call(batch.requests, false)
    }

    fn write_call(&self, call: &Embed<'_>, model: &str, losing: &mut Losing<'_>) -> Result<Vec<u8>, Fault> {
        losing.note_if(call.user.is_some(), Param::User);
        let texts = texts(call)?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.list("requests", |list| {
                for text in texts {
                    list.object(|request| {
                        request.put("model", &format!("models/{model}"));
                        write_request(request, call, text);
                    });
                }
            });
        });
        Ok(out)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Vectors<'b>, Fault> {
        let answer: Many<'b> = read::answer(body)?;
        let vectors = answer.embeddings.into_iter().map(|one| Vector::Numbers(one.values)).collect();
        Ok(Vectors { vectors, ..Vectors::default() })
    }

    fn write_reply(&self, reply: &Vectors<'_>, _: &Embed<'_>, _: &str) -> Result<Vec<u8>, Fault> {
        let lists = reply.vectors.iter().map(numbers::list).collect::<Result<Vec<_>, _>>()?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.list("embeddings", |entries| {
                for list in &lists {
                    entries.object(|one| one.put("values", list));
                }
            });
        });
        Ok(out)
    }
}
