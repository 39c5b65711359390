//! Cohere's `/v2/embed`.

use super::{Embed, Inputs, Vector, VectorFormat, Vectors, numbers, texts};
use crate::format::{Losing, read};
use crate::json::write::object;
use crate::neutral::{Lost, Param, Raw, Str};
use serde::Deserialize;
use weir_core::{Endpoint, Fault, Usage};

/// Cohere's embeddings.
#[derive(Debug)]
pub(super) struct Cohere;

/// What vectors are for, in Google's words and in Cohere's; of several words of Google's for one of Cohere's, the nearest
/// first.
const TASKS: [(&str, &str); 6] = [
    ("RETRIEVAL_DOCUMENT", USUAL),
    ("RETRIEVAL_QUERY", "search_query"),
    ("QUESTION_ANSWERING", "search_query"),
    ("CODE_RETRIEVAL_QUERY", "search_query"),
    ("CLASSIFICATION", "classification"),
    ("CLUSTERING", "clustering"),
];
/// What they are for where nobody says: the field may not be missing, and most of what is embedded is to be found later.
const USUAL: &str = "search_document";

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, rename = "model")]
    _model: Option<Raw<'a>>,
    #[serde(borrow)]
    texts: Vec<Str<'a>>,
    input_type: Option<Str<'a>>,
    #[serde(borrow, rename = "embedding_types")]
    _embedding_types: Option<Raw<'a>>,
    output_dimension: Option<u64>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    embeddings: ByType<'a>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct ByType<'a> {
    #[serde(borrow)]
    float: Vec<Raw<'a>>,
}

#[derive(Deserialize)]
struct Meta {
    billed_units: Option<Billed>,
}

#[derive(Deserialize)]
struct Billed {
    input_tokens: Option<f64>,
}

impl VectorFormat for Cohere {
    fn endpoint(&self) -> Endpoint {
        Endpoint::CohereEmbed
    }

    fn read_call<'b>(&self, body: &'b [u8], lost: &mut Lost) -> Result<Embed<'b>, Fault> {
        let request: Request<'b> = read::call(body, lost)?;
        let task = request.input_type.as_deref().and_then(|wanted| {
            TASKS.iter().find(|(_, own)| *own == wanted).map(|(google, _)| Str::from((*google).to_owned()))
        });
        Ok(Embed {
            inputs: Inputs::Texts(request.texts),
            dimensions: request.output_dimension,
            task,
            ..Embed::default()
        })
    }

    fn write_call(&self, call: &Embed<'_>, model: &str, losing: &mut Losing<'_>) -> Result<Vec<u8>, Fault> {
        let wanted = call.task.as_deref();
        let own = TASKS.iter().find(|(google, _)| Some(*google) == wanted).map(|(_, own)| *own);
        losing.note_if(wanted.is_some() && own.is_none(), Param::Task);
        losing.note_if(call.user.is_some(), Param::User);
        let texts = texts(call)?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.put("model", model);
            body.put("texts", texts);
            body.put("input_type", own.unwrap_or(USUAL));
            body.put("embedding_types", &["float"]);
            body.maybe("output_dimension", call.dimensions.as_ref());
        });
        Ok(out)
    }

    fn read_reply<'b>(&self, body: &'b [u8]) -> Result<Vectors<'b>, Fault> {
        let answer: Answer<'b> = read::answer(body)?;
        let billed = answer.meta.and_then(|meta| meta.billed_units).and_then(|units| units.input_tokens);
        Ok(Vectors {
            vectors: answer.embeddings.float.into_iter().map(Vector::Numbers).collect(),
            model: Str::default(),
            usage: billed.map(|tokens| Usage { input: tokens as u64, ..Usage::default() }),
        })
    }

    fn write_reply(&self, reply: &Vectors<'_>, _: &Embed<'_>, _: &str) -> Result<Vec<u8>, Fault> {
        let lists = reply.vectors.iter().map(numbers::list).collect::<Result<Vec<_>, _>>()?;
        let mut out = Vec::new();
        object(&mut out, |body| {
            body.put("response_type", "embeddings_by_type");
            body.object("embeddings", |embeddings| embeddings.put("float", &lists));
            if let Some(usage) = &reply.usage {
                body.object("meta", |meta| {
                    meta.object("billed_units", |units| units.put("input_tokens", &usage.input));
                });
            }
        });
        Ok(out)
    }
}
