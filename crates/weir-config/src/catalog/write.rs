//! A catalogue as the text of a file.

use super::{Catalog, Limits, Model, Offer, Source, Vendor};
use crate::yaml::is_null;
use std::fmt::Write;
use std::sync::Arc;
use weir_core::{ModelClass, Need, Prices, Rates, Unit};

/// The text. Writing into a string does not fail.
pub(super) fn yaml(catalog: &Catalog) -> String {
    let mut sources: Vec<&Arc<Source>> = Vec::new();
    for model in &catalog.models {
        for source in model.source.iter().chain(model.offers.iter().filter_map(|offer| offer.source.as_ref()))
        {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    let mut text = String::new();
    if !sources.is_empty() {
        text.push_str("sources:\n");
        for (nth, source) in (1..).zip(&sources) {
            let url = source.url.as_ref().map_or(String::new(), |url| format!(", url: {}", quoted(url)));
            let _ = writeln!(
                text,
                "  s{nth}: {{ title: {}{url}, date: {} }}",
                quoted(&source.title),
                source.date
            );
        }
    }
    if !catalog.vendors.is_empty() {
        text.push_str("vendors:\n");
        catalog.vendors.iter().for_each(|vendor| write_vendor(&mut text, vendor));
    }
    text.push_str(if catalog.models.is_empty() { "models: {}\n" } else { "models:\n" });
    for model in &catalog.models {
        write_model(&mut text, model, &sources);
    }
    text
}

fn write_vendor(text: &mut String, vendor: &Vendor) {
    let _ = write!(text, "  {}: {{ title: {}", quoted(&vendor.name), quoted(&vendor.title));
    for (key, all) in [("kinds", &vendor.kinds), ("hosts", &vendor.hosts), ("litellm", &vendor.litellm)] {
        if !all.is_empty() {
            let _ = write!(text, ", {key}: {}", list(all.iter().map(String::as_str)));
        }
    }
    text.push_str(if vendor.anywhere { ", anywhere: true }\n" } else { " }\n" });
}

fn write_model(text: &mut String, model: &Model, sources: &[&Arc<Source>]) {
    let _ = writeln!(text, "  {}:", quoted(&model.name));
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "    {key}: {value}");
        }
    };
    let some = |names: Vec<&str>| (!names.is_empty()).then(|| list(names));
    line("title", model.title.as_deref().map(quoted));
    line("class", some(model.classes.iter().copied().map(ModelClass::name).collect()));
    line("input", some(model.input.iter().map(|modality| modality.name()).collect()));
    line("output", some(model.output.iter().map(|modality| modality.name()).collect()));
    line("can", some(model.can.iter().map(Need::name).collect()));
    line("cannot", some(model.cannot.iter().map(Need::name).collect()));
    limits(model.limits, &mut line);
    line("source", source(model.source.as_ref(), sources));
    line("note", model.note.as_deref().map(quoted));
    if !model.offers.is_empty() {
        text.push_str("    offers:\n");
    }
    for offer in &model.offers {
        let own = offer.source.as_ref().filter(|own| model.source.as_ref() != Some(own));
        write_offer(text, offer, source(own, sources));
    }
}

fn write_offer(text: &mut String, offer: &Offer, source: Option<String>) {
    let _ = writeln!(text, "      - at: {}", quoted(&offer.at));
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "        {key}: {value}");
        }
    };
    line("id", Some(quoted(&offer.id)));
    let aliases = (!offer.aliases.is_empty()).then(|| list(offer.aliases.iter().map(|alias| &**alias)));
    line("aliases", aliases);
    limits(offer.limits, &mut line);
    line("price", offer.prices.as_ref().map(price));
    line("deprecated", offer.deprecated.as_deref().map(str::to_owned));
    line("source", source);
    if !offer.variants.is_empty() {
        text.push_str("        variants:\n");
    }
    for (name, prices) in &offer.variants {
        let _ = writeln!(text, "          {}: {}", quoted(name), price(prices));
    }
}

fn limits(limits: Limits, line: &mut dyn FnMut(&str, Option<String>)) {
    let Limits { context_window, max_input, max_output } = limits;
    for (key, limit) in
        [("context_window", context_window), ("max_input", max_input), ("max_output", max_output)]
    {
        line(key, limit.map(|limit| limit.to_string()));
    }
}

fn source(source: Option<&Arc<Source>>, sources: &[&Arc<Source>]) -> Option<String> {
    let place = sources.iter().position(|known| Some(*known) == source)?;
    Some(format!("s{}", place + 1))
}

/// Prices as one line.
pub(super) fn price(prices: &Prices) -> String {
    let rates = |rates: &Rates| -> Vec<String> {
        rates.iter().map(|(rate, price)| format!("{}: {price}", rate.name())).collect()
    };
    let mut all = rates(prices.rates());
    let units = Unit::ALL.into_iter().filter_map(|unit| Some((unit, prices.unit(unit)?)));
    all.extend(units.map(|(unit, price)| format!("{}: {}", unit.name(), price.shown_each())));
    if !prices.steps().is_empty() {
        let step = |step: &weir_core::money::Step| {
            format!("{}: {{ {} }}", step.above, rates(&step.rates).join(", "))
        };
        let steps: Vec<String> = prices.steps().iter().map(step).collect();
        all.push(format!("above: {{ {} }}", steps.join(", ")));
    }
    format!("{{ {} }}", all.join(", "))
}

fn list<'t>(all: impl IntoIterator<Item = &'t str>) -> String {
    format!("[{}]", all.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// A text that YAML reads as this text and nothing else.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b))
        && !is_null(text)
        && !["true", "false", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
