//! A file of the catalogue becomes a checked [`Catalog`].

use super::file::{self, File};
use super::{Catalog, Limits, Model, Offer, Source, Vendor};
use crate::check::price::check_prices;
use crate::conform::conform;
use crate::environment::Environment;
use crate::file::text::Named;
use crate::node::{Node, Place, Value};
use crate::problem::{Problem, did_you_mean};
use crate::schema::SchemaNames;
use crate::yaml;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use weir_core::{Needs, Prices};

/// A file that a test has looked at: the first thing that is wrong with it is told, since nothing is.
pub(super) fn trusted(name: &str, text: &str) -> Result<Catalog, Problem> {
    let tree = yaml::read(&Arc::from(name), text)?;
    let mut problems = Vec::new();
    let catalog = check(tree.decode()?, &tree, None, &mut problems);
    problems.into_iter().next().map_or(Ok(catalog), Err)
}

/// An operator's file.
pub(super) fn checked(name: &str, text: &str, known: &[Vendor]) -> Result<Catalog, Vec<Problem>> {
    let mut tree = yaml::read(&Arc::from(name), text).map_err(|problem| vec![problem])?;
    let mut problems = conform(&mut tree, file::schema(), &Nothing, &SchemaNames::default()).problems;
    if tree.value == Value::Broken {
        return Err(problems); // it is something else as a whole
    }
    let catalog = match tree.decode::<File>() {
        Ok(file) => Some(check(file, &tree, Some(known), &mut problems)),
        Err(problem) => {
            problems.push(problem);
            None
        }
    };
    match catalog {
        Some(catalog) if problems.is_empty() => Ok(catalog),
        _ => Err(problems),
    }
}

/// Figures are not a matter of the environment.
struct Nothing;

impl Environment for Nothing {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a catalogue takes nothing from other files"))
    }
}

/// `known` holds the vendors of other files; `None` where nobody looks whether a vendor is known.
fn check(file: File, tree: &Node, known: Option<&[Vendor]>, problems: &mut Vec<Problem>) -> Catalog {
    let root = Place::root(tree);
    let vendors = vendors(file.vendors);
    let sources = file.sources.0.into_iter().map(|(name, source)| {
        let file::Source { title, url, date } = source;
        (name, Arc::new(Source { title, url, date: date.0 }))
    });
    let at = |vendor: &str| vendors.iter().any(|known| *known.name == *vendor);
    let mut checked = Models {
        sources: sources.collect(),
        maker: file.maker.map(Arc::from),
        is_vendor: &|vendor| {
            known.is_none_or(|known| at(vendor) || known.iter().any(|known| *known.name == *vendor))
        },
        vendors: known.into_iter().flatten().chain(&vendors).map(|vendor| &*vendor.name).collect(),
        taken: HashSet::new(),
        problems,
    };
    let models = file.models.0.into_iter().zip(root.key("models").entries());
    let models = models.map(|((name, model), (_, place))| checked.model(&name, model, &place)).collect();
    Catalog { vendors, models }
}

fn vendors(named: Named<file::Vendor>) -> Vec<Vendor> {
    let vendor = |(name, vendor): (String, file::Vendor)| Vendor {
        name: Arc::from(name),
        title: vendor.title,
        kinds: vendor.kinds,
        hosts: vendor.hosts,
        anywhere: vendor.anywhere,
        litellm: vendor.litellm,
    };
    named.0.into_iter().map(vendor).collect()
}

struct Models<'a> {
    sources: HashMap<String, Arc<Source>>,
    maker: Option<Arc<str>>,
    is_vendor: &'a dyn Fn(&str) -> bool,
    vendors: Vec<&'a str>,
    /// Vendors and ids that lead somewhere already.
    taken: HashSet<(Arc<str>, Arc<str>)>,
    problems: &'a mut Vec<Problem>,
}

impl Models<'_> {
    fn model(&mut self, name: &str, model: file::Model, place: &Place<'_>) -> Model {
        let can: Needs = model.can.iter().map(|need| need.0).collect();
        for (need, at) in model.cannot.iter().zip(place.key("cannot").items()) {
            if can.has(need.0) {
                self.problems.push(at.problem(format!("{} stands in `can`, too", at.shown())));
            }
        }
        let source = self.source(model.source.as_deref(), &place.key("source"));
        let offers = model.offers.into_iter().zip(place.key("offers").items());
        Model {
            name: Arc::from(name),
            title: model.title,
            maker: self.maker.clone(),
            classes: model.class.iter().flat_map(|class| class.as_slice()).map(|class| class.0).collect(),
            input: model.input.into_iter().map(|modality| modality.0).collect(),
            output: model.output.into_iter().map(|modality| modality.0).collect(),
            can,
            cannot: model.cannot.iter().map(|need| need.0).collect(),
            limits: Limits {
                context_window: model.context_window,
                max_input: model.max_input,
                max_output: model.max_output,
            },
            note: model.note,
            offers: offers.map(|(offer, place)| self.offer(offer, &place, source.as_ref())).collect(),
            source,
        }
    }

    fn offer(&mut self, offer: file::Offer, place: &Place<'_>, source: Option<&Arc<Source>>) -> Offer {
        if !(self.is_vendor)(&offer.at) {
            let at = place.key("at");
            let mut problem = at.problem(format!("no vendor is called {}", at.shown()));
            problem.help = did_you_mean(&offer.at, "vendors", self.vendors.iter().copied());
            self.problems.push(problem);
        }
        let at: Arc<str> = Arc::from(offer.at);
        let id: Arc<str> = Arc::from(offer.id);
        let aliases: Vec<Arc<str>> = offer.aliases.into_iter().map(Arc::from).collect();
        for id in std::iter::once(&id).chain(&aliases) {
            if !self.taken.insert((at.clone(), id.clone())) {
                self.problems.push(place.problem(format!("{at}/{id} is there twice")));
            }
        }
        let own = self.source(offer.source.as_deref(), &place.key("source"));
        let price = place.key("price");
        let prices = offer.price.map(|stated| check_prices(&stated, &price, self.problems));
        let variants = offer.variants.0.iter().zip(place.key("variants").entries());
        Offer {
            limits: Limits {
                context_window: offer.context_window,
                max_input: offer.max_input,
                max_output: offer.max_output,
            },
            prices: prices.filter(|prices| !prices.is_empty()),
            variants: variants
                .map(|((name, stated), (_, at))| (name.clone(), check_prices(stated, &at, self.problems)))
                .filter(|(_, prices): &(String, Prices)| !prices.is_empty())
                .collect(),
            deprecated: offer.deprecated.map(|date| date.0),
            source: own.or_else(|| source.cloned()),
            at,
            id,
            aliases,
        }
    }

    fn source(&mut self, name: Option<&str>, place: &Place<'_>) -> Option<Arc<Source>> {
        let name = name?;
        let source = self.sources.get(name).cloned();
        if source.is_none() {
            let mut problem = place.problem(format!("no source is called {}", place.shown()));
            problem.help = did_you_mean(name, "sources", self.sources.keys().map(String::as_str));
            self.problems.push(problem);
        }
        source
    }
}
