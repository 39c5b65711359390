//! What a deployment does not state itself and the catalogue knows.

use crate::catalog::{Catalog, Limits, Model, Offer};
use crate::config::{Listed, Provider};
use crate::environment::Environment;
use crate::file::File;
use crate::file::upstream as file;
use crate::node::Place;
use crate::problem::{Problem, did_you_mean};
use std::path::Path;
use std::sync::Arc;
use weir_core::{ModelClass, Need, Needs, Pricing};

/// What `catalog` says at a deployment that wants nothing from it.
const NONE: &str = "none";

/// As much of the catalogue as this file asks for.
pub(super) fn catalog(
    file: &File,
    root: &Place<'_>,
    env: &dyn Environment,
    problems: &mut Vec<Problem>,
) -> Catalog {
    let id = |deployment: &'_ file::Deployment| -> String {
        let named = deployment.catalog.as_deref().and_then(|path| path.split_once('/'));
        named.map_or_else(|| deployment.model.clone(), |(_, id)| id.to_owned())
    };
    let ids: Vec<String> = file.deployments.0.iter().map(|(_, deployment)| id(deployment)).collect();
    let wanted: Vec<&str> =
        if file.catalog.built_in { ids.iter().map(String::as_str).collect() } else { Vec::new() };
    let built_in = Catalog::embedded_for(&wanted).unwrap_or_else(|found| {
        problems.extend(found);
        Catalog::default()
    });
    let Some(path) = &file.catalog.file else { return built_in };
    match Catalog::load(Path::new(path), env, &built_in.vendors) {
        Ok(own) => built_in.overlaid(own),
        Err(found) => {
            if let [only] = &found[..]
                && only.path.is_empty()
                && only.message.starts_with("the file cannot be read")
            {
                problems.push(root.key("catalog").key("file").problem(only.message.clone()));
            } else {
                problems.extend(found);
            }
            built_in
        }
    }
}

/// What a deployment states of what the catalogue could say.
pub(super) struct Stated {
    pub(super) pricing: Option<Pricing>,
    pub(super) classes: Option<Vec<ModelClass>>,
    pub(super) capabilities: Option<Needs>,
    pub(super) limits: Limits,
}

/// The same, completed.
pub(super) struct Facts {
    pub(super) pricing: Pricing,
    pub(super) classes: Vec<ModelClass>,
    pub(super) capabilities: Option<Needs>,
    pub(super) limits: Limits,
    pub(super) listed: Option<Listed>,
}

/// Completes what a deployment states: each key by itself goes before the catalogue's word.
pub(super) fn facts(
    deployment: &file::Deployment,
    stated: Stated,
    provider: Option<&Provider>,
    catalog: &Catalog,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Facts {
    let Some((model, offer)) = entry(deployment, provider, catalog, place, problems) else {
        return Facts {
            pricing: stated.pricing.unwrap_or_default(),
            classes: stated.classes.unwrap_or_default(),
            capabilities: stated.capabilities,
            limits: stated.limits,
            listed: None,
        };
    };
    let mut taken = Vec::new();
    let mut take = |key: &'static str, here: bool, there: bool| {
        if !here && there {
            taken.push(key);
        }
    };
    let known = offer.limits.or(model.limits);
    let limits = stated.limits.or(known);
    take("price", stated.pricing.is_some(), offer.prices.is_some());
    take("class", stated.classes.is_some(), !model.classes.is_empty());
    take("capabilities", stated.capabilities.is_some(), !model.cannot.is_empty());
    take("context_window", stated.limits.context_window.is_some(), limits.context_window.is_some());
    take("max_input", stated.limits.max_input.is_some(), limits.max_input.is_some());
    take("max_output", stated.limits.max_output.is_some(), limits.max_output.is_some());
    let all_but = |cannot: Needs| Need::ALL.into_iter().filter(|need| !cannot.has(*need)).collect();
    let capabilities = (!model.cannot.is_empty()).then(|| all_but(model.cannot));
    let priced = || offer.prices.clone().map(Pricing::from);
    Facts {
        pricing: stated.pricing.or_else(priced).unwrap_or_default(),
        classes: stated.classes.unwrap_or_else(|| model.classes.clone()),
        capabilities: stated.capabilities.or(capabilities),
        limits,
        listed: Some(Listed {
            entry: Arc::from(offer.path()),
            taken,
            source: offer.source.clone().or_else(|| model.source.clone()),
            deprecated: offer.deprecated.clone(),
        }),
    }
}

/// The entry that a deployment names, or that its provider and its model lead to.
fn entry<'c>(
    deployment: &file::Deployment,
    provider: Option<&Provider>,
    catalog: &'c Catalog,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Option<(&'c Model, &'c Offer)> {
    match deployment.catalog.as_deref() {
        Some(NONE) => None,
        Some(path) => {
            let found = path.split_once('/').and_then(|(vendor, id)| catalog.find(vendor, id));
            if found.is_none() {
                problems.push(unknown(path, catalog, &place.key("catalog")));
            }
            found
        }
        None => {
            let provider = provider?;
            let url = provider.base_url.as_ref().map(|url| url.value.as_str());
            let vendor = catalog.vendor_of(&provider.kind.value, url)?;
            catalog.find(&vendor.name, &deployment.model)
        }
    }
}

/// A name that leads nowhere, with what comes near it in the whole catalogue.
fn unknown(path: &str, catalog: &Catalog, place: &Place<'_>) -> Problem {
    let whole = Catalog::embedded().unwrap_or_default().overlaid(catalog.clone());
    let paths: Vec<String> = whole.models.iter().flat_map(|model| &model.offers).map(Offer::path).collect();
    let mut problem = place.problem(format!("the catalogue lists no {}", place.shown()));
    let near = did_you_mean(path, "entries", paths.iter().map(String::as_str));
    problem.help =
        near.or_else(|| Some("write VENDOR/ID, as `weir catalog list` shows them, or `none`".to_owned()));
    problem
}
