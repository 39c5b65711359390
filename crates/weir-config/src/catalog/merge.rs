//! Two catalogues, of which one has the last word.

use super::{Catalog, Model, Offer};
use std::collections::HashSet;
use std::sync::Arc;

pub(super) fn overlaid(mut below: Catalog, over: Catalog) -> Catalog {
    for vendor in over.vendors {
        match below.vendors.iter_mut().find(|known| known.name == vendor.name) {
            Some(known) => *known = vendor,
            None => below.vendors.push(vendor),
        }
    }
    let named = over.models.iter().flat_map(|model| &model.offers).flat_map(|offer| {
        let ids = std::iter::once(&offer.id).chain(&offer.aliases);
        ids.map(|id| (offer.at.clone(), id.clone()))
    });
    let named: HashSet<(Arc<str>, Arc<str>)> = named.collect();
    for mut model in over.models {
        let mut offers = std::mem::take(&mut model.offers);
        for offer in &mut offers {
            // What was said of it under another name is said of it still.
            if let Some(other) =
                take_place(&mut below, offer, &named).filter(|other| other.name != model.name)
            {
                model = filled(model, other);
            }
        }
        model.offers = offers;
        match below.models.iter_mut().find(|known| known.name == model.name) {
            Some(known) => *known = filled(model, std::mem::take(known)),
            None => below.models.push(model),
        }
    }
    below
}

/// Whatever the catalogue below has for the same id at the same vendor is this offer's from now on, and what this one
/// does not state it takes over, aliases that have no place of their own among the `named` as well. Gives the model it belonged to, without its offers.
fn take_place(
    below: &mut Catalog,
    offer: &mut Offer,
    named: &HashSet<(Arc<str>, Arc<str>)>,
) -> Option<Model> {
    let is = |known: &Offer| known.at == offer.at && known.is(&offer.id);
    let model = below.models.iter_mut().find(|model| model.offers.iter().any(is))?;
    let place = model.offers.iter().position(is)?;
    let known = if model.offers[place].id == offer.id {
        let mut known = model.offers.remove(place);
        known.aliases.retain(|alias| !named.contains(&(known.at.clone(), alias.clone())));
        offer.aliases.append(&mut known.aliases);
        known
    } else {
        // An alias that has an offer of its own now; the others stay.
        let known = &mut model.offers[place];
        known.aliases.retain(|alias| *alias != offer.id);
        known.clone()
    };
    offer.limits = offer.limits.or(known.limits).or(model.limits);
    if offer.prices.is_none() && offer.variants.is_empty() {
        (offer.prices, offer.variants) = (known.prices, known.variants);
        offer.source = offer.source.take().or(known.source);
    }
    offer.deprecated = offer.deprecated.take().or(known.deprecated);
    let facts = Model { offers: Vec::new(), ..model.clone() };
    Some(facts)
}

/// A model, with what it does not state from `below`.
fn filled(model: Model, below: Model) -> Model {
    fn or<T>(stated: Vec<T>, below: Vec<T>) -> Vec<T> {
        if stated.is_empty() { below } else { stated }
    }
    let both = |own: weir_core::Needs, other: weir_core::Needs, against: weir_core::Needs| {
        own.iter().chain(other.iter().filter(|need| !against.has(*need))).collect()
    };
    Model {
        name: model.name,
        title: model.title.or(below.title),
        maker: below.maker.or(model.maker),
        classes: or(model.classes, below.classes),
        input: or(model.input, below.input),
        output: or(model.output, below.output),
        can: both(model.can, below.can, model.cannot),
        cannot: both(model.cannot, below.cannot, model.can),
        limits: model.limits.or(below.limits),
        source: model.source.or(below.source),
        note: model.note.or(below.note),
        offers: model.offers.into_iter().chain(below.offers).collect(),
    }
}
