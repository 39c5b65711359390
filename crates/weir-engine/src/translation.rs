//! Stage 9: what stands between a client's format and a deployment's, where they differ.

use crate::call::Call;
use crate::call_record::CallRecord;
use crate::record::Record;
use bytes::Bytes;
use weir_core::{Class, Endpoint, Fault};
use weir_wire::error;
use weir_wire::format::{self, Asked, Begun, Format, Losing, Target};
use weir_wire::neutral::{Lost, Part, Role, Text, Turn};
use weir_wire::reply::ReplyFacts;
use weir_wire::splice::Prefill;
use weir_wire::vectors::{self, VectorFormat, Vectors};
use weir_wire::watch::StreamWatch;

/// What stands between the two formats, the client's and the deployment's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Translation {
    /// Of generated text.
    Text(Between),
    /// Of vectors: the client's format and the deployment's.
    Vectors(&'static dyn VectorFormat, &'static dyn VectorFormat),
}

impl Translation {
    /// Of a call to `asked` that is made as `made`. `None` where nothing has to be translated.
    pub(crate) fn between(asked: Endpoint, made: Endpoint) -> Option<Self> {
        // Each request of a batch names the model, which is another one there.
        let differs = asked != made || made == Endpoint::BatchEmbedContents;
        if !differs {
            return None;
        }
        if let (Some(client), Some(deployment)) = (format::of(asked), format::of(made)) {
            return Some(Translation::Text(Between { client, deployment }));
        }
        Some(Translation::Vectors(vectors::of(asked)?, vectors::of(made)?))
    }

    /// The body for the deployment, and what it could not be told. `prefill`: the beginning of an answer, to be gone on with.
    ///
    /// # Errors
    /// The caller's: what of its call cannot be read.
    pub(crate) fn request(
        self,
        record: &CallRecord<'_>,
        call: &Call,
        prefill: Option<&str>,
    ) -> Result<(Bytes, Lost), Fault> {
        match self {
            Translation::Text(between) => between.request(record, call, prefill),
            Translation::Vectors(client, deployment) => {
                let mut lost = Lost::default();
                let asked = client.read_call(&call.body, &mut lost)?;
                let model = &record.snapshot.gateway.deployments[record.deployment].model;
                let words = format_for_words(call.endpoint);
                let mut losing = Losing { client: words, lost: &mut lost };
                let body = deployment.write_call(&asked, model, &mut losing)?;
                Ok((Bytes::from(body), lost))
            }
        }
    }

    /// A whole answer for the client, and what it says about itself.
    ///
    /// # Errors
    /// The upstream's: it is not what its API promises, or an error.
    pub(crate) fn whole(
        self,
        record: &CallRecord<'_>,
        call: &Call,
        body: &Bytes,
    ) -> Result<(Bytes, ReplyFacts), Fault> {
        match self {
            Translation::Text(between) => between.whole(record, call, body),
            Translation::Vectors(client, deployment) => {
                let reply = deployment
                    .read_reply(body)
                    .map_err(|fault| error::stated_inside(body).unwrap_or(fault))?;
                let asked = client.read_call(&call.body, &mut Lost::default())?;
                let facts = ReplyFacts::of_vectors(&reply);
                // A client is told what it took, be it by our own account.
                let usage = Some(facts.usage_or_estimate(call.facts.prompt_bytes));
                let written = client.write_reply(&Vectors { usage, ..reply }, &asked, &call.facts.model)?;
                Ok((Bytes::from(written), facts))
            }
        }
    }

    /// `watch` over a stream of the deployment's, for the client. Vectors have no streams.
    pub(crate) fn watch(
        self,
        watch: StreamWatch,
        record: &CallRecord<'_>,
        call: &Call,
        begun: Begun,
    ) -> StreamWatch {
        match self {
            Translation::Text(between) => between.watch(watch, record, call, begun),
            Translation::Vectors(..) => watch,
        }
    }

    /// The fault of a call that asks for what the deployment's format has no place for, where the route lets nothing be left
    /// out. Another deployment may have one.
    pub(crate) fn cannot_say(lost: &Lost) -> Fault {
        let first = lost.names().next().unwrap_or_default().to_owned();
        let message = format!(
            "the model's server, whose API is another one, cannot be told: {lost}; leave it out, or ask for another model"
        );
        Fault::new(Class::Refused, 400, "unsupported_parameter", message).with_param(first)
    }
}

/// The format of text in whose words a client of vectors is told of a parameter.
fn format_for_words(endpoint: Endpoint) -> &'static dyn Format {
    let text = match endpoint {
        Endpoint::EmbedContent | Endpoint::BatchEmbedContents => Endpoint::GenerateContent,
        Endpoint::OllamaEmbed => Endpoint::OllamaChat,
        _ => Endpoint::Chat,
    };
    format::of(text).unwrap_or(&format::chat::Chat)
}

/// Two formats of text, the client's first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between {
    client: &'static dyn Format,
    deployment: &'static dyn Format,
}

impl Between {
    /// The body for the deployment, and what it could not be told. `prefill`: the beginning of an answer, to be gone on with.
    ///
    /// # Errors
    /// The caller's: what of its call cannot be read.
    fn request(
        self,
        record: &CallRecord<'_>,
        call: &Call,
        prefill: Option<&str>,
    ) -> Result<(Bytes, Lost), Fault> {
        let mut lost = Lost::default();
        let mut neutral = self.client.read_call(&call.body, &mut lost)?;
        // Where the address says it, the body does not.
        neutral.stream = call.facts.stream;
        if let Some(said) = prefill {
            let text = Part::Text(Text { text: said.into(), ..Text::default() });
            neutral.max_tokens = neutral.max_tokens.map(|most| Prefill::left_of(said, most));
            neutral.turns.push(Turn { role: Role::Assistant, parts: vec![text], name: None });
        }
        let gateway = &record.snapshot.gateway;
        let deployment = &gateway.deployments[record.deployment];
        let provider = &gateway.providers[deployment.provider];
        let target = Target {
            model: &deployment.model,
            max_output: gateway
                .takes
                .get(record.deployment)
                .and_then(|takes| takes.max_output)
                .map(u64::from),
            stream_usage: provider.quirks.stream_usage,
            newest: provider.newest,
        };
        let mut losing = Losing { client: self.client, lost: &mut lost };
        let body = self.deployment.write_call(&neutral, &target, &mut losing)?;
        Ok((Bytes::from(body), lost))
    }

    /// A whole answer for the client, and what it says about itself.
    ///
    /// # Errors
    /// The upstream's: it is not what its API promises, or an error.
    fn whole(self, record: &CallRecord<'_>, call: &Call, body: &Bytes) -> Result<(Bytes, ReplyFacts), Fault> {
        let reply = match self.deployment.read_reply(body) {
            Ok(reply) => reply,
            Err(fault) => return Err(error::stated_inside(body).unwrap_or(fault)),
        };
        let facts = ReplyFacts::of(&reply);
        let written = self.client.write_reply(&reply, &self.asked(record, call, Begun::Nothing));
        Ok((Bytes::from(written), facts))
    }

    /// `watch` over a stream of the deployment's, for the client.
    fn watch(self, watch: StreamWatch, record: &CallRecord<'_>, call: &Call, begun: Begun) -> StreamWatch {
        watch.translating(self.deployment, self.client, &self.asked(record, call, begun))
    }

    fn asked(self, record: &CallRecord<'_>, call: &Call, begun: Begun) -> Asked {
        let mut asked = Asked {
            model: call.facts.model.as_str().to_owned(),
            stream_usage: call.facts.include_usage,
            id: format!("{}{}", self.client.id_prefix(), record.id.as_str()),
            now: record.unix_seconds,
            begun,
            ..Asked::default()
        };
        self.client.remember(&call.body, &mut asked);
        asked
    }
}

/// `watch` over a stream that the client gets as it comes, in a format that is not OpenAI's. What goes on with an answer
/// has to be written anew, to fit behind what the client has.
pub(crate) fn watch_as_it_comes(
    watch: StreamWatch,
    record: &CallRecord<'_>,
    call: &Call,
    begun: Begun,
) -> StreamWatch {
    match (call.endpoint, format::of(call.endpoint)) {
        (endpoint, _) if endpoint.answers_in_choices() => watch,
        (_, None) => watch,
        (_, Some(own)) if begun == Begun::Nothing => watch.reading(own),
        (_, Some(own)) => Between { client: own, deployment: own }.watch(watch, record, call, begun),
    }
}

/// The fault of an answer that is too large to be translated.
pub(crate) fn too_large(most: usize) -> Fault {
    let message = format!("the model's answer is larger than {most} bytes, the most that is translated");
    Fault::new(Class::Malformed, 502, "upstream_answer_too_large", message)
}

/// The body a client gets for a fault, in its own format.
pub(crate) fn refusal(record: &Record, fault: &Fault) -> Bytes {
    record.client.error(fault, Some(&record.id))
}

/// The same as the last event of a stream that has begun.
pub(crate) fn last_event(record: &Record, fault: &Fault) -> Bytes {
    record.client.error_event(fault, Some(&record.id))
}
