//! What the file means: names that lead somewhere, figures that can hold together, addresses that are safe to open.

mod doubts;
mod listed;
mod names;
pub(crate) mod price;
mod rules;
mod server;
mod store;
mod upstream;

use crate::config::{CatalogSource, Config, Key};
use crate::environment::Environment;
use crate::file::File;
use crate::file::text::Named;
use crate::node::{Node, Place};
use crate::problem::Problem;
use names::{Names, check_names};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use upstream::Above;
use weir_core::Secret;

/// The fewest bytes of a key or a token: fewer can be guessed.
const LEAST_SECRET: usize = 8;
/// The most bytes of a key or a token: what fits into a request's head beside everything else.
const MOST_SECRET: usize = 512;

/// The checked configuration, everything that is wrong with it, and, where that is nothing, what was probably not meant.
/// Only without problems does it mean what the file says.
pub(crate) fn check(file: File, tree: &Node, env: &dyn Environment) -> (Config, Vec<Problem>, Vec<Problem>) {
    let mut problems = Vec::new();
    let root = Place::root(tree);
    let catalog = listed::catalog(&file, &root, env, &mut problems);
    for section in ["providers", "deployments", "routes", "keys"] {
        check_names(&root.key(section), &mut problems);
    }
    let names = Names::new(&root, &mut problems);
    let keys = check_keys(file.keys, &root.key("keys"), &mut problems);
    let server = server::check_server(file.server, &root, &mut problems);
    let providers = upstream::check_providers(file.providers, &root.key("providers"), &mut problems);
    let deployments = upstream::check_deployments(
        file.deployments,
        &root.key("deployments"),
        &names,
        &Above { providers: &providers, catalog: &catalog },
        &mut problems,
    );
    let routes =
        upstream::check_routes(file.routes, &root.key("routes"), &names, &deployments, &mut problems);
    upstream::check_totals(&routes, &deployments, &providers, &root, &mut problems);
    let telemetry = server::check_telemetry(file.telemetry, &root.key("telemetry"), &mut problems);
    let catalog =
        CatalogSource { file: file.catalog.file.map(PathBuf::from), built_in: file.catalog.built_in };
    let store = file.store.as_ref().map(|store| store::check_store(store, &root.key("store"), &mut problems));
    let config = Config { server, providers, deployments, routes, keys, catalog, store, telemetry };
    let doubts = if problems.is_empty() { doubts::doubts(&config, &root) } else { Vec::new() };
    (config, problems, doubts)
}

fn check_keys(keys: Named<crate::file::Key>, place: &Place<'_>, problems: &mut Vec<Problem>) -> Vec<Key> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut checked = Vec::new();
    for ((name, key), (known, entry)) in keys.0.into_iter().zip(place.entries()) {
        let place = entry.key("key");
        let secret = key.key.0;
        problems.extend(check_secret(&secret, &place));
        if let Some(first) = seen.get(secret.expose()) {
            problems.push(place.problem(format!("the same secret as that of the key {first:?}")));
        }
        seen.entry(secret.expose().to_owned()).or_insert(known);
        checked.push(Key { name: Arc::from(name), secret });
    }
    checked
}

/// A secret that callers present in a header.
fn check_secret(secret: &Secret, place: &Place<'_>) -> Option<Problem> {
    let bytes = secret.expose().len();
    if secret.is_empty() {
        Some(place.problem("the secret is empty"))
    } else if bytes < LEAST_SECRET {
        Some(place.problem(format!("the secret is shorter than {LEAST_SECRET} characters")))
    } else if bytes > MOST_SECRET {
        Some(place.problem(format!("the secret is longer than {MOST_SECRET} characters")))
    } else if !secret.expose().bytes().all(|b| b.is_ascii_graphic()) {
        Some(place.problem(
            "the secret holds spaces, line ends or characters that are not ASCII; no header can carry it",
        ))
    } else {
        None
    }
}
