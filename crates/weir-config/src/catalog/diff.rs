//! What one catalogue says otherwise than another.

use super::{Catalog, Limits, Model, Offer};
use crate::redacted::prices_json;
use serde_json::{Value as Json, json};
use weir_core::{ModelClass, Need};

/// One thing that two catalogues do not agree upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The model.
    pub model: String,
    /// `VENDOR/ID` of the offer; `None` when it is about the model itself.
    pub offer: Option<String>,
    /// What differs, in the words of the file: `price.input`. Empty when the first catalogue does not have it at all.
    pub key: String,
    /// What the first says; `None` for nothing.
    pub before: Option<String>,
    /// What the second says; `None` for nothing.
    pub after: Option<String>,
}

impl Difference {
    /// Whether the first catalogue has nothing of the kind.
    pub fn is_new(&self) -> bool {
        self.key.is_empty()
    }

    /// The difference for programs.
    pub fn to_json(&self) -> Json {
        let Difference { model, offer, key, before, after } = self;
        json!({ "model": model, "offer": offer, "key": key, "before": before, "after": after })
    }
}

/// What `after` says otherwise than `before`, or says beyond it. What only `before` has is no difference: a file of prices
/// need not hold everything.
pub fn diff(before: &Catalog, after: &Catalog) -> Vec<Difference> {
    let mut found = Vec::new();
    for model in &after.models {
        let known = before.models.iter().find(|known| known.name == model.name);
        if let Some(known) = known {
            compare(&mut found, &model.name, None, &(facts(known), facts(model)));
        }
        for offer in &model.offers {
            for id in std::iter::once(&offer.id).chain(&offer.aliases) {
                let path = Some(format!("{}/{id}", offer.at));
                match before.find(&offer.at, id) {
                    Some((of, known)) => {
                        let both = (offered(of, known), offered(model, offer));
                        compare(&mut found, &model.name, path.as_deref(), &both);
                    }
                    None => {
                        let (key, price) = (String::new(), offer.prices.as_ref().map(super::write::price));
                        let model = model.name.to_string();
                        found.push(Difference { model, offer: path, key, before: None, after: price });
                    }
                }
            }
        }
    }
    found
}

type Facts = Vec<(String, Option<String>)>;

fn compare(found: &mut Vec<Difference>, model: &str, offer: Option<&str>, (before, after): &(Facts, Facts)) {
    let keys = after.iter().map(|(key, _)| key).chain(before.iter().map(|(key, _)| key));
    let mut seen: Vec<&String> = Vec::new();
    for key in keys {
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let of =
            |facts: &Facts| facts.iter().find(|(known, _)| known == key).and_then(|(_, value)| value.clone());
        let (before, after) = (of(before), of(after));
        if before != after {
            let (model, offer, key) = (model.to_owned(), offer.map(str::to_owned), key.clone());
            found.push(Difference { model, offer, key, before, after });
        }
    }
}

fn facts(model: &Model) -> Facts {
    let list = |all: Vec<&str>| (!all.is_empty()).then(|| all.join(", "));
    vec![
        ("class".into(), list(model.classes.iter().copied().map(ModelClass::name).collect())),
        ("can".into(), list(model.can.iter().map(Need::name).collect())),
        ("cannot".into(), list(model.cannot.iter().map(Need::name).collect())),
        ("input".into(), list(model.input.iter().map(|modality| modality.name()).collect())),
        ("output".into(), list(model.output.iter().map(|modality| modality.name()).collect())),
    ]
}

/// What counts for calls there: the model's limits as far as the offer states none.
fn offered(model: &Model, offer: &Offer) -> Facts {
    let Limits { context_window, max_input, max_output } = offer.limits.or(model.limits);
    let number = |limit: Option<u32>| limit.map(|limit| limit.to_string());
    let mut facts: Facts = vec![
        ("context_window".into(), number(context_window)),
        ("max_input".into(), number(max_input)),
        ("max_output".into(), number(max_output)),
        ("deprecated".into(), offer.deprecated.as_deref().map(str::to_owned)),
    ];
    let prices = offer.prices.as_ref().map(|prices| ("price".to_owned(), prices_json(prices)));
    let variants =
        offer.variants.iter().map(|(name, prices)| (format!("variants.{name}"), prices_json(prices)));
    for (path, json) in prices.into_iter().chain(variants) {
        flatten(&path, &json, &mut facts);
    }
    facts
}

fn flatten(path: &str, json: &Json, into: &mut Facts) {
    match json {
        Json::Object(map) => {
            map.iter().for_each(|(key, value)| flatten(&format!("{path}.{key}"), value, into));
        }
        other => into
            .push((path.to_owned(), Some(other.as_str().map_or_else(|| other.to_string(), str::to_owned)))),
    }
}
