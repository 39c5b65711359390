//! Entries as JSON: in the shape of the file, with the sources themselves instead of their names.

use super::{Catalog, Limits, Model, Offer, Source};
use crate::redacted::prices_json;
use serde_json::{Map, Value as Json, json};
use weir_core::{ModelClass, Need};

impl Model {
    /// Everything that is known of it; what is not known is not there.
    pub fn to_json(&self) -> Json {
        let mut all = Map::new();
        let mut put = |key: &str, value: Option<Json>| {
            if let Some(value) = value {
                all.insert(key.to_owned(), value);
            }
        };
        let some = |names: Vec<&str>| (!names.is_empty()).then(|| json!(names));
        put("model", Some(json!(*self.name)));
        put("title", self.title.as_ref().map(|title| json!(title)));
        put("maker", self.maker.as_ref().map(|maker| json!(**maker)));
        put("class", some(self.classes.iter().copied().map(ModelClass::name).collect()));
        put("input", some(self.input.iter().map(|modality| modality.name()).collect()));
        put("output", some(self.output.iter().map(|modality| modality.name()).collect()));
        put("can", some(self.can.iter().map(Need::name).collect()));
        put("cannot", some(self.cannot.iter().map(Need::name).collect()));
        limits(self.limits, &mut put);
        put("source", self.source.as_deref().map(Source::to_json));
        put("note", self.note.as_ref().map(|note| json!(note)));
        put("offers", Some(self.offers.iter().map(Offer::to_json).collect()));
        Json::Object(all)
    }
}

impl Offer {
    fn to_json(&self) -> Json {
        let mut all = Map::new();
        let mut put = |key: &str, value: Option<Json>| {
            if let Some(value) = value {
                all.insert(key.to_owned(), value);
            }
        };
        put("at", Some(json!(*self.at)));
        put("id", Some(json!(*self.id)));
        let aliases: Vec<&str> = self.aliases.iter().map(|alias| &**alias).collect();
        put("aliases", (!aliases.is_empty()).then(|| json!(aliases)));
        limits(self.limits, &mut put);
        put("price", Some(self.prices.as_ref().map_or(Json::Null, prices_json)));
        let variants: Map<String, Json> =
            self.variants.iter().map(|(name, prices)| (name.clone(), prices_json(prices))).collect();
        put("variants", (!variants.is_empty()).then_some(Json::Object(variants)));
        put("deprecated", self.deprecated.as_ref().map(|date| json!(**date)));
        put("source", self.source.as_deref().map(Source::to_json));
        Json::Object(all)
    }
}

impl Source {
    fn to_json(&self) -> Json {
        json!({ "title": self.title, "url": self.url, "date": *self.date })
    }
}

fn limits(limits: Limits, put: &mut dyn FnMut(&str, Option<Json>)) {
    let Limits { context_window, max_input, max_output } = limits;
    for (key, limit) in
        [("context_window", context_window), ("max_input", max_input), ("max_output", max_output)]
    {
        put(key, limit.map(|limit| json!(limit)));
    }
}

impl Catalog {
    /// The vendor's own spelling, for people.
    pub fn vendor_title<'a>(&'a self, name: &'a str) -> &'a str {
        self.vendors.iter().find(|vendor| *vendor.name == *name).map_or(name, |vendor| &vendor.title)
    }
}
