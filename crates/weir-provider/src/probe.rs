//! How a model server is asked whether it is well, and what its answer means.

use crate::{Kind, Place, Quirks, with_model};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use weir_core::{Class, Endpoint, Fault};
use weir_wire::call::CallFacts;
use weir_wire::format::{self, Format, Losing, Target};
use weir_wire::neutral::Lost;
use weir_wire::splice::{Rewrite, splice};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The server's `/health`.
    Health,
    /// Its list of models, which has to hold the deployment's.
    Models,
    /// One token of the deployment's model.
    Completion,
    /// What Ollama has loaded, which has to hold the deployment's model. What it lists as its models is what is installed.
    Loaded,
    /// A path of the operator's own.
    Path,
}

/// A probe as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, or `POST` where there is a body.
    pub method: Method,
    /// Path on the server.
    pub path: String,
    /// Body; empty for none.
    pub body: String,
}

impl Probe {
    /// Every probe by its name in the configuration.
    pub const NAMES: [(&str, Probe); 5] = [
        ("health", Probe::Health),
        ("models", Probe::Models),
        ("completion", Probe::Completion),
        ("loaded", Probe::Loaded),
        ("path", Probe::Path),
    ];

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, probe)| *probe == self).map_or("", |(name, _)| name)
    }

    /// What a deployment of this kind, whose API lives at `base_path` (no trailing slash), is asked. `own` is the path of
    /// [`Probe::Path`], below that of the API.
    pub fn ask(self, kind: &Kind, base_path: &str, place: &Place<'_>, model: &str, own: &str) -> Asked {
        let get = |path: String| Asked { method: Method::GET, path, body: String::new() };
        match self {
            // Both stand beside the API, not below it.
            Probe::Health => get("/health".to_owned()),
            Probe::Loaded => get("/api/ps".to_owned()),
            // Google gives its list in pages.
            Probe::Models if kind.speaks.contains(&Endpoint::GenerateContent) => {
                get(format!("{base_path}/models?pageSize=1000"))
            }
            Probe::Models => get(format!("{base_path}/models")),
            Probe::Path => get(format!("{base_path}/{}", own.trim_start_matches('/'))),
            Probe::Completion => {
                let made = kind.serves(Endpoint::Chat).unwrap_or(Endpoint::Chat);
                let path = kind.path(base_path, place, made, false);
                Asked {
                    method: Method::POST,
                    path: with_model(&path, model),
                    body: one_token(kind, made, model),
                }
            }
        }
    }

    /// Whether the answer's body matters.
    pub fn reads_body(self) -> bool {
        !matches!(self, Probe::Health | Probe::Path)
    }

    /// What an answer means.
    ///
    /// # Errors
    /// Why the deployment is not well.
    pub fn judge(self, status: u16, body: &[u8], model: &str) -> Result<(), Fault> {
        if !(200..300).contains(&status) {
            return Err(unwell(status, "probe_status", format!("status {status}")));
        }
        if !self.reads_body() {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| unwell(status, "probe_malformed", format!("no JSON: {error}")))?;
        let of_google = format!("models/{model}");
        let list =
            |name: &str| body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let has = |list: &[Value], key: &str, names: &[&str]| {
            let named =
                |entry: &Value| entry.get(key).and_then(Value::as_str).is_some_and(|n| names.contains(&n));
            list.iter().any(named)
        };
        match self {
            Probe::Models
                if !has(list("data"), "id", &[model]) && !has(list("models"), "name", &[&of_google]) =>
            {
                Err(unwell(status, "probe_model", format!("its list of models does not hold {model:?}")))
            }
            Probe::Loaded => {
                let latest = format!("{model}:latest");
                let names = [model, &latest];
                let loaded = list("models");
                if has(loaded, "name", &names) || has(loaded, "model", &names) {
                    return Ok(());
                }
                Err(unwell(status, "probe_model", format!("{model:?} is not loaded")))
            }
            // By format: OpenAI's, Anthropic's, Google's, OpenAI's Responses; Ollama's one answer stands in no list.
            Probe::Completion
                if ["choices", "content", "candidates", "output"]
                    .iter()
                    .all(|name| list(name).is_empty())
                    && body.get("message").is_none() =>
            {
                Err(unwell(status, "probe_malformed", "an answer without choices".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// A call for one token, in the format of what it is made as.
fn one_token(kind: &Kind, made: Endpoint, model: &str) -> String {
    const MOST: &str = "max_completion_tokens";
    let renamed = kind.quirks.rename.iter().find(|(from, _)| *from == MOST);
    let most = renamed.map_or(MOST, |(_, to)| to);
    let chat =
        json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }], most: 1 }).to_string();
    if made == Endpoint::Chat {
        return chat;
    }
    let mut lost = Lost::default();
    let target = Target { model, max_output: Some(1), ..Target::default() };
    let written = format::of(made).and_then(|format| {
        let call = format::chat::Chat.read_call(chat.as_bytes(), &mut Lost::default()).ok()?;
        format.write_call(&call, &target, &mut Losing { client: &format::chat::Chat, lost: &mut lost }).ok()
    });
    let body = Bytes::from(written.unwrap_or_else(|| chat.into_bytes()));
    let rewritten = CallFacts::read(&body, made).ok().filter(|_| kind.quirks.edit()).map(|facts| {
        let Quirks { rename, refuses, instead_of_model, .. } = kind.quirks;
        let rewrite = Rewrite { model, rename, refuses, instead_of_model, ..Rewrite::default() };
        Bytes::from(splice(&body, &facts, &rewrite).pieces.concat())
    });
    String::from_utf8_lossy(&rewritten.unwrap_or(body)).into_owned()
}

fn unwell(status: u16, code: &'static str, what: String) -> Fault {
    Fault::new(Class::ServerError, status, code, what)
}

#[cfg(test)]
mod tests;
