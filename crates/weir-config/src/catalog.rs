//! What is publicly known of models: what they are for, what they take, how much of it, and what calls cost where.
//!
//! Data, not knowledge: the files in `catalog/` say it, with source and date, and are part of the program as text. An
//! operator's own file, of the same keys, goes before them. A configuration takes from here what a deployment does not
//! state itself. What no source says is absent here, and stays unknown.

mod diff;
mod embedded;
mod file;
pub mod litellm;
mod merge;
mod read;
mod reference;
mod show;
mod write;

pub use diff::{Difference, diff};
pub use reference::reference;

use crate::environment::Environment;
use crate::problem::{Problem, Span, did_you_mean};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use weir_core::{ModelClass, Needs, Prices};

/// What a model takes or gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Modality {
    /// Text.
    Text,
    /// Images.
    Image,
    /// Sound.
    Audio,
    /// Film.
    Video,
    /// Documents.
    File,
    /// Vectors that stand for what was put in.
    Embedding,
    /// How well documents fit a question.
    Score,
}

impl Modality {
    /// All of them.
    pub const ALL: [Modality; 7] = [
        Modality::Text,
        Modality::Image,
        Modality::Audio,
        Modality::Video,
        Modality::File,
        Modality::Embedding,
        Modality::Score,
    ];

    /// The word in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Modality::Text => "text",
            Modality::Image => "image",
            Modality::Audio => "audio",
            Modality::Video => "video",
            Modality::File => "file",
            Modality::Embedding => "embedding",
            Modality::Score => "score",
        }
    }
}

/// Where figures are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub title: String,
    /// Where it can be read.
    pub url: Option<String>,
    /// The day on which it said so, `2026-11-21`.
    pub date: Box<str>,
}

/// Who sells calls to models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The name in the catalogue.
    pub name: Arc<str>,
    /// Its own spelling.
    pub title: String,
    /// The kinds of provider that are its, unless they have an address elsewhere.
    pub kinds: Vec<String>,
    /// The hosts of its API; `*` at the beginning stands for any beginning.
    pub hosts: Vec<String>,
    /// Whether the kind alone says enough, whatever the address.
    pub anywhere: bool,
    /// What LiteLLM's price map calls it.
    pub litellm: Vec<String>,
}

/// How much a model takes and gives, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Prompt and answer together.
    pub context_window: Option<u32>,
    /// The prompt alone, where the answer does not count against it.
    pub max_input: Option<u32>,
    /// The answer.
    pub max_output: Option<u32>,
}

impl Limits {
    /// These, and from `below` what they do not state. A window of one's own replaces both ways of bounding a prompt.
    #[must_use]
    pub fn or(self, below: Limits) -> Limits {
        let bounds_prompt = self.context_window.is_some() || self.max_input.is_some();
        let of_prompt = if bounds_prompt { self } else { below };
        Limits {
            context_window: of_prompt.context_window,
            max_input: of_prompt.max_input,
            max_output: self.max_output.or(below.max_output),
        }
    }
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// A name that is its everywhere.
    pub name: Arc<str>,
    /// Its maker's spelling.
    pub title: Option<String>,
    /// Who makes it.
    pub maker: Option<Arc<str>>,
    /// What it is meant for, by this catalogue's own judgement.
    pub classes: Vec<ModelClass>,
    /// What it takes, as far as that is known.
    pub input: Vec<Modality>,
    /// What it gives, as far as that is known.
    pub output: Vec<Modality>,
    /// What it is known to be able to do.
    pub can: Needs,
    /// What it is known not to be able to do.
    pub cannot: Needs,
    /// How much it takes and gives.
    pub limits: Limits,
    /// Who says so.
    pub source: Option<Arc<Source>>,
    /// What else there is to know.
    pub note: Option<String>,
    /// Where it can be called.
    pub offers: Vec<Offer>,
}

/// A model at a vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The vendor's name.
    pub at: Arc<str>,
    /// What the model is called there.
    pub id: Arc<str>,
    /// Other names for the same thing at the same price.
    pub aliases: Vec<Arc<str>>,
    /// What is said of the limits there.
    pub limits: Limits,
    /// What it costs; `None` when nobody says.
    pub prices: Option<Prices>,
    /// Prices by resolution or the like, where there is not one for all.
    pub variants: Vec<(String, Prices)>,
    /// The day from which on it is not to be counted upon.
    pub deprecated: Option<Box<str>>,
    /// Who says so.
    pub source: Option<Arc<Source>>,
}

impl Offer {
    /// Whether this is what the vendor understands by `id`.
    pub fn is(&self, id: &str) -> bool {
        *self.id == *id || self.aliases.iter().any(|alias| **alias == *id)
    }

    /// The name that leads to it: `openai/gpt-4o-mini`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.at, self.id)
    }
}

/// What is known of models and of who sells calls to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Who sells calls.
    pub vendors: Vec<Vendor>,
    /// The models, each name once.
    pub models: Vec<Model>,
}

impl Catalog {
    /// The catalogue that is part of the program, whole.
    ///
    /// # Errors
    /// What is wrong with it. A test holds that nothing is.
    pub fn embedded() -> Result<Catalog, Vec<Problem>> {
        Self::embedded_with(&|_| true)
    }

    /// As much of it as holds one of these ids.
    ///
    /// # Errors
    /// As above.
    pub fn embedded_for(ids: &[&str]) -> Result<Catalog, Vec<Problem>> {
        Self::embedded_with(&|text| ids.iter().any(|id| holds(text, id)))
    }

    fn embedded_with(wanted: &dyn Fn(&str) -> bool) -> Result<Catalog, Vec<Problem>> {
        let files = embedded::MODELS.iter().filter(|(_, text)| wanted(text));
        let mut problems = Vec::new();
        let mut whole = Catalog::default();
        for (name, text) in std::iter::once(&embedded::VENDORS).chain(files) {
            match read::trusted(name, text) {
                Ok(part) => {
                    whole.vendors.extend(part.vendors);
                    whole.models.extend(part.models);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(whole) } else { Err(problems) }
    }

    /// Reads an operator's file, which may name the vendors of `known` beside its own.
    ///
    /// # Errors
    /// Everything that is wrong with it; a file that cannot be read is one problem.
    pub fn load(path: &Path, env: &dyn Environment, known: &[Vendor]) -> Result<Catalog, Vec<Problem>> {
        let name = path.display().to_string();
        match env.read(path) {
            Ok(text) => Self::parse(&name, &text, known),
            Err(error) => {
                let at = Span { file: Arc::from(name), line: 1, column: 1 };
                Err(vec![Problem::new(&at, "", format!("the file cannot be read: {error}"))])
            }
        }
    }

    /// The same for a text that is called `name`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, text: &str, known: &[Vendor]) -> Result<Catalog, Vec<Problem>> {
        read::checked(name, text, known)
    }

    /// The same with another's word before its own: of a model or an offer that both have, each figure that `over` states;
    /// prices are replaced as a whole.
    #[must_use]
    pub fn overlaid(self, over: Catalog) -> Catalog {
        merge::overlaid(self, over)
    }

    /// The vendor of a provider: by its kind, unless it has an address elsewhere, or by the host of its address.
    pub fn vendor_of(&self, kind: &str, base_url: Option<&str>) -> Option<&Vendor> {
        let of_kind = |vendor: &&Vendor| vendor.kinds.iter().any(|known| known == kind);
        let Some(url) = base_url else { return self.vendors.iter().find(of_kind) };
        let host = host(url);
        let by_host =
            self.vendors.iter().find(|vendor| vendor.hosts.iter().any(|known| is_host(known, &host)));
        by_host.or_else(|| self.vendors.iter().find(|vendor| vendor.anywhere && of_kind(vendor)))
    }

    /// What a vendor understands by an id.
    pub fn find(&self, vendor: &str, id: &str) -> Option<(&Model, &Offer)> {
        let offers =
            self.models.iter().flat_map(|model| model.offers.iter().map(move |offer| (model, offer)));
        offers.into_iter().find(|(_, offer)| *offer.at == *vendor && offer.is(id))
    }

    /// The model of this name: its own, or that of an offer, `VENDOR/ID` or the id alone.
    pub fn model(&self, name: &str) -> Option<&Model> {
        let own = self.models.iter().find(|model| *model.name == *name);
        let offered = |path: bool| {
            let is = |offer: &Offer| match name.split_once('/') {
                Some((vendor, id)) if path => *offer.at == *vendor && offer.is(id),
                _ => !path && offer.is(name),
            };
            self.models.iter().find(|model| model.offers.iter().any(is))
        };
        own.or_else(|| offered(true)).or_else(|| offered(false))
    }

    /// Advice for a name that no model has.
    pub fn did_you_mean(&self, name: &str) -> Option<String> {
        let ids = || self.models.iter().flat_map(|model| &model.offers).map(|offer| &*offer.id);
        let names: BTreeSet<&str> = self.models.iter().map(|model| &*model.name).chain(ids()).collect();
        did_you_mean(name, "models", names)
    }

    /// The text of a file that says all this, for an operator to keep.
    pub fn to_yaml(&self) -> String {
        write::yaml(self)
    }
}

/// Whether a file's text has this id as a value of its own, and not within another.
fn holds(text: &str, id: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| b" \n,[]'\"".contains(byte));
    let bytes = text.as_bytes();
    !id.is_empty()
        && text.match_indices(id).any(|(at, _)| {
            ends(at.checked_sub(1).and_then(|before| bytes.get(before))) && ends(bytes.get(at + id.len()))
        })
}

/// The host of a URL in lower case, without its port.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(ip) => ip.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.to_ascii_lowercase()
}

fn is_host(known: &str, host: &str) -> bool {
    match known.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => known == host,
    }
}

#[cfg(test)]
mod tests;
