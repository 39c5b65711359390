//! A configuration from what is there: keys in the environment, model servers on this machine.

mod local;

use crate::cli::Failure;
use crate::source;
use local::Local;
use serde_json::{Map, json};
use std::collections::HashSet;
use std::net::SocketAddr;
use weir_config::{Config, Environment, Overrides, ProcessEnvironment};

/// The variable whose value callers must present, when it is set.
const CALLER_KEY: &str = "WEIR_KEY";
/// Variables that the same vendor's tools read where the first is not set, and the kind.
const ALSO: [(&str, &str); 1] = [("GOOGLE_API_KEY", "gemini")];
/// Variables of clouds, whose models have names that only their operator knows.
const CLOUDS: [(&str, &str); 2] =
    [("AZURE_OPENAI_API_KEY", "Azure OpenAI"), ("GOOGLE_APPLICATION_CREDENTIALS", "Vertex AI")];
/// So many vendors' variables are named to those who have none.
const VARIABLES_SHOWN: usize = 4;
/// A name of a configuration at most.
const LONGEST_NAME: usize = 128;

/// The configuration that the environment of this process makes, and in the log what it is made of.
pub(crate) fn config(overrides: &Overrides) -> Result<Config, Failure> {
    let (config, notes) = from(&ProcessEnvironment, &Local::usual(), overrides);
    for note in notes {
        tracing::info!("{note}");
    }
    config
}

/// A vendor or a server that can be called, and its models.
struct Source {
    kind: &'static str,
    /// `None`: where the kind lives.
    base_url: Option<String>,
    key_variable: Option<&'static str>,
    models: Vec<String>,
}

/// The configuration made of `env` and of those of `places` that answer, and what there is to say about it.
fn from(
    env: &dyn Environment,
    places: &[Local],
    overrides: &Overrides,
) -> (Result<Config, Failure>, Vec<String>) {
    let mut notes = Vec::new();
    if let Err(failure) = open_to_others(env, overrides) {
        return (Err(failure), notes);
    }
    let mut sources = vendors(env, &mut notes);
    sources.extend(local::look(places, &mut notes));
    notes.extend(in_a_file(env));
    if sources.is_empty() {
        return (Err(Failure::Usage(nothing_found())), notes);
    }
    let text = yaml(&sources, is_set(env, CALLER_KEY));
    let config = source::draft_of("environment", &text, env, overrides).finish().map(|(config, warnings)| {
        source::warn(&warnings);
        config
    });
    (config.map_err(Failure::from), notes)
}

/// The same rules as for a file, with the way out that there is without one.
fn open_to_others(env: &dyn Environment, overrides: &Overrides) -> Result<(), Failure> {
    let open = |address: Option<SocketAddr>| address.filter(|address| !address.ip().is_loopback());
    if let Some(address) = open(overrides.listen).filter(|_| !is_set(env, CALLER_KEY)) {
        return Err(Failure::Usage(format!(
            "--listen {address}: without a key everybody who reaches it could call\n  \
             set {CALLER_KEY} to what callers have to present, or listen on 127.0.0.1"
        )));
    }
    match open(overrides.admin_listen) {
        None => Ok(()),
        Some(address) => Err(Failure::Usage(format!(
            "--admin-listen {address}: another address than loopback needs an admin token\n  \
             set server.admin.token in a file and start with weir serve -c FILE, or listen on 127.0.0.1"
        ))),
    }
}

fn is_set(env: &dyn Environment, variable: &str) -> bool {
    env.var(variable).is_some_and(|value| !value.is_empty())
}

/// Every vendor whose key is set.
fn vendors(env: &dyn Environment, notes: &mut Vec<String>) -> Vec<Source> {
    let mut found = Vec::new();
    for kind in weir_provider::kinds().filter(|kind| kind.base_url.is_some()) {
        let also = ALSO.iter().filter(|(_, of)| *of == kind.name).map(|(variable, _)| *variable);
        let mut variables = kind.key_variable.into_iter().chain(also);
        let Some(variable) = variables.find(|variable| is_set(env, variable)) else { continue };
        let models: Vec<String> = kind.models.iter().map(|&model| model.to_owned()).collect();
        notes.push(format!("{}, by {variable}: {}", kind.title, models.join(", ")));
        found.push(Source { kind: kind.name, base_url: None, key_variable: Some(variable), models });
    }
    found
}

/// A word about credentials that alone are not enough.
fn in_a_file(env: &dyn Environment) -> Vec<String> {
    let said = |(variable, cloud): &(&str, &str)| {
        format!("{variable} is set; models at {cloud} are named in a weir.yaml (docs/guide/clouds.md)")
    };
    CLOUDS.iter().filter(|(variable, _)| is_set(env, variable)).map(said).collect()
}

/// The way out, in four lines.
fn nothing_found() -> String {
    // The first of the roster are those that most people have a key of.
    let variables = weir_provider::kinds().filter(|kind| kind.base_url.is_some());
    let variables: Vec<&str> = variables.filter_map(|kind| kind.key_variable).take(VARIABLES_SHOWN).collect();
    let servers: Vec<&str> = Local::usual().iter().map(|place| place.kind.title).collect();
    format!(
        "Nothing to serve: no weir.yaml in this folder, no vendor's key in the environment, no local model server.\n  \
         with a vendor's key:   export {}  (or another one's: docs/reference/providers.md)\n  \
         with a local server:   start one on its usual port: {}\n  \
         with a file, or none:  weir serve -c weir.yaml   or, to look around first:   weir demo",
        variables.iter().map(|v| format!("{v}=…")).collect::<Vec<_>>().join("  or  "),
        servers.join(", "),
    )
}

/// The configuration as text: JSON, which is YAML too and leaves no question of quoting.
///
/// Every model is a route under its own name and under `kind/model`. Where two sources have the same model, the first
/// keeps the plain name.
fn yaml(sources: &[Source], caller_key: bool) -> String {
    let mut taken = HashSet::new();
    let (mut providers, mut deployments, mut routes) = (Map::new(), Map::new(), Map::new());
    for source in sources {
        let mut provider = json!({ "kind": source.kind });
        if let Some(url) = &source.base_url {
            provider["base_url"] = json!(literal(url));
        }
        if let Some(variable) = source.key_variable {
            provider["api_key"] = json!(format!("${{{variable}}}"));
        }
        providers.insert(source.kind.to_owned(), provider);
        for model in &source.models {
            let short = name(model);
            let mut full = format!("{}/{short}", source.kind);
            full.truncate(LONGEST_NAME);
            let mut names: Vec<String> =
                [short, full.clone()].into_iter().filter(|name| taken.insert(name.clone())).collect();
            if names.is_empty() || deployments.contains_key(&full) {
                continue; // two models whose names differ only in what no name may hold
            }
            let route = names.remove(0);
            let deployment = json!({ "provider": source.kind, "model": literal(model) });
            routes.insert(route, json!({ "aliases": names, "deployments": [full] }));
            deployments.insert(full, deployment);
        }
    }
    let mut all = json!({ "providers": providers, "deployments": deployments, "routes": routes });
    if caller_key {
        all["keys"] = json!({ "default": { "key": format!("${{{CALLER_KEY}}}") } });
    }
    format!("{all:#}\n")
}

/// A text in which no variable is filled in.
fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

/// What a model is called here. Servers that load a file may call their model by its path.
fn name(model: &str) -> String {
    let file = model.strip_suffix(".gguf").and_then(|path| path.rsplit(['/', '\\']).next());
    let stem = file.filter(|stem| !stem.is_empty()).unwrap_or(model);
    let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@-".contains(c);
    stem.chars().map(|c| if fits(c) { c } else { '-' }).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests;
