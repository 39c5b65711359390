//! The reference page of the catalogue, written from its files.

use super::{Catalog, Limits, Model, Offer};
use std::fmt::Write;
use weir_core::{ModelClass, Need, Rate, Unit};

const INTRODUCTION: &str = "\
# Catalogue of models

<!-- Generated from the files in `catalog/`; `UPDATE_DOCS=1 cargo test -p weir-config` writes it anew. -->

What Weir knows of models without being told. A deployment that states no class, capabilities, limits or price of its own
takes them from here: [prices and models](../guide/models-and-prices.md). `weir catalog show NAME` tells all of one,
with the source and the date of its figures. A dash is what no source says: not known, and not nothing.

Prices are USD for a million tokens, at the first vendor named, for prompts of any length unless there are others for long
ones (`+`); `w` is writing to the prompt cache, five minutes / an hour.
";

/// The text of the reference page, in Markdown. The same for the same files.
pub fn reference(catalog: &Catalog) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut makers: Vec<&str> = Vec::new();
    for model in &catalog.models {
        let maker = model.maker.as_deref().unwrap_or("several");
        if !makers.contains(&maker) {
            makers.push(maker);
        }
    }
    makers.sort_by_key(|maker| (*maker == "several", maker.to_lowercase()));
    // Writing into a string does not fail.
    for maker in makers {
        let _ = write!(
            page,
            "\n## {maker}\n\n| model | class | takes → gives | cannot | window | answer | input | cached | output | at |\n\
             |---|---|---|---|---|---|---|---|---|---|\n"
        );
        for model in
            catalog.models.iter().filter(|model| model.maker.as_deref().unwrap_or("several") == maker)
        {
            row(&mut page, model);
        }
    }
    page.push_str("\n## Vendors\n\n| vendor | name | kinds of provider | hosts |\n|---|---|---|---|\n");
    for vendor in &catalog.vendors {
        let code = |all: &[String]| {
            let all: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
            if all.is_empty() { "–".to_owned() } else { all.join(", ") }
        };
        let hosts = if vendor.anywhere { "any".to_owned() } else { code(&vendor.hosts) };
        let _ =
            writeln!(page, "| {} | `{}` | {} | {hosts} |", vendor.title, vendor.name, code(&vendor.kinds));
    }
    page
}

fn row(page: &mut String, model: &Model) {
    let names = |all: Vec<&str>| if all.is_empty() { "–".to_owned() } else { all.join(", ") };
    let first = model.offers.first();
    let of = first.map_or(Limits::default(), |offer| offer.limits).or(model.limits);
    let window = match (of.context_window, of.max_input) {
        (Some(window), _) => grouped(window),
        (None, Some(prompt)) => format!("{} prompt", grouped(prompt)),
        (None, None) => "–".to_owned(),
    };
    let gives = names(model.output.iter().map(|modality| modality.name()).collect());
    let takes = names(model.input.iter().map(|modality| modality.name()).collect());
    let mut at: Vec<&str> = model.offers.iter().map(|offer| &*offer.at).collect();
    at.dedup();
    let [input, cached, output] = first.map_or_else(Default::default, prices);
    let _ = writeln!(
        page,
        "| `{}` | {} | {takes} → {gives} | {} | {window} | {} | {input} | {cached} | {output} | {} |",
        model.name,
        names(model.classes.iter().copied().map(ModelClass::name).collect()),
        names(model.cannot.iter().map(Need::name).collect()),
        of.max_output.map_or("–".to_owned(), grouped),
        names(at),
    );
}

/// Input, cached input and output, or what stands for them.
fn prices(offer: &Offer) -> [String; 3] {
    let dash = || "–".to_owned();
    let Some(prices) = &offer.prices else {
        let by_variant = if offer.variants.is_empty() { dash() } else { "by variant".to_owned() };
        return [dash(), dash(), by_variant];
    };
    let rate = |rate| prices.rates().stated(rate).map(|price| price.to_string());
    let long = if prices.steps().is_empty() { "" } else { " +" };
    let units: Vec<String> = Unit::ALL
        .into_iter()
        .filter_map(|unit| Some(format!("{} {}", prices.unit(unit)?.shown_each(), unit.name())))
        .collect();
    let writes: Vec<String> = [Rate::CacheWrite, Rate::CacheWrite1h].into_iter().filter_map(rate).collect();
    let mut cached = rate(Rate::CachedInput).unwrap_or_else(dash);
    if !writes.is_empty() {
        let _ = write!(cached, ", w {}", writes.join(" / "));
    }
    let output =
        rate(Rate::Output).or_else(|| rate(Rate::ImageOutput).map(|price| format!("{price} images")));
    let output = output.or_else(|| (!units.is_empty()).then(|| units.join(", ")));
    [rate(Rate::Input).map_or_else(dash, |price| price + long), cached, output.unwrap_or_else(dash)]
}

/// `128000` as `128,000`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
