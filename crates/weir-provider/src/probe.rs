//! How a model server is asked whether it is well, and what its answer means.

use crate::Kind;
use http::Method;
use serde_json::{Value, json};
use weir_core::{Class, Endpoint, Fault};

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
    pub fn ask(self, kind: &Kind, base_path: &str, model: &str, own: &str) -> Asked {
        let get = |path: String| Asked { method: Method::GET, path, body: String::new() };
        match self {
            // Both stand beside the API, not below it.
            Probe::Health => get("/health".to_owned()),
            Probe::Loaded => get("/api/ps".to_owned()),
            Probe::Models => get(format!("{base_path}/models")),
            Probe::Path => get(format!("{base_path}/{}", own.trim_start_matches('/'))),
            Probe::Completion => {
                const MOST: &str = "max_completion_tokens";
                let renamed = kind.quirks.rename.iter().find(|(from, _)| *from == MOST);
                let most = renamed.map_or(MOST, |(_, to)| to);
                let body =
                    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }], most: 1 });
                Asked {
                    method: Method::POST,
                    path: kind.path(base_path, kind.serves(Endpoint::Chat).unwrap_or(Endpoint::Chat), false),
                    body: body.to_string(),
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
        let list =
            |name: &str| body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let has = |list: &[Value], key: &str, names: &[&str]| {
            let named =
                |entry: &Value| entry.get(key).and_then(Value::as_str).is_some_and(|n| names.contains(&n));
            list.iter().any(named)
        };
        match self {
            Probe::Models if !has(list("data"), "id", &[model]) => {
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
            // `content`: in Anthropic's format.
            Probe::Completion if list("choices").is_empty() && list("content").is_empty() => {
                Err(unwell(status, "probe_malformed", "an answer without choices".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

fn unwell(status: u16, code: &'static str, what: String) -> Fault {
    Fault::new(Class::ServerError, status, code, what)
}

#[cfg(test)]
mod tests;
