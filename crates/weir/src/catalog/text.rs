//! The catalogue for people. Writing into a string does not fail.

use std::fmt::Write;
use weir_config::catalog::litellm::Report;
use weir_config::catalog::{Catalog, Difference, Limits, Model, Offer, Source};
use weir_core::{ModelClass, Need, Prices, Rate, Unit};

/// What is not known.
const UNKNOWN: &str = "–";
/// So many lines of one sort are told in full.
const MOST_TOLD: usize = 20;

/// A table of models, with the prices of one vendor or of the first that sells them.
pub(super) fn list(models: &[&Model], vendor: Option<&str>) -> String {
    let head = ["MODEL", "CLASS", "WINDOW", "ANSWER", "INPUT", "CACHED", "OUTPUT", "AT"];
    let rows = models.iter().map(|model| row(model, vendor)).collect::<Vec<_>>();
    let mut text = table(&head, &rows);
    let _ = writeln!(
        text,
        "\n{} models; USD for a million tokens, at the first vendor named; + more for long prompts, {UNKNOWN} not known",
        models.len()
    );
    text
}

fn row(model: &Model, vendor: Option<&str>) -> Vec<String> {
    let of_vendor = |offer: &&Offer| vendor.is_none_or(|vendor| *offer.at == *vendor);
    let offer = model.offers.iter().find(of_vendor);
    let limits = offer.map_or(Limits::default(), |offer| offer.limits).or(model.limits);
    let prices = offer.and_then(|offer| offer.prices.as_ref());
    let rate = |rate| prices.and_then(|prices| prices.rates().stated(rate)).map(|price| price.to_string());
    let long = prices.is_some_and(|prices| !prices.steps().is_empty());
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let mut at: Vec<&str> = model.offers.iter().filter(of_vendor).map(|offer| &*offer.at).collect();
    at.dedup();
    let more = at.len().saturating_sub(3);
    at.truncate(3);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    vec![
        model.name.to_string(),
        model.classes.iter().copied().map(ModelClass::name).collect::<Vec<_>>().join(","),
        or_unknown(limits.context_window.or(limits.max_input).map(short)),
        or_unknown(limits.max_output.map(short)),
        or_unknown(rate(Rate::Input).map(|price| if long { price + "+" } else { price })),
        or_unknown(rate(Rate::CachedInput)),
        or_unknown(rate(Rate::Output).or_else(|| rate(Rate::ImageOutput)).or_else(|| by_piece(prices?))),
        or_unknown((!at.is_empty()).then(|| at.join(" ") + &more)),
    ]
}

fn by_piece(prices: &Prices) -> Option<String> {
    Unit::ALL
        .into_iter()
        .find_map(|unit| Some(format!("{}/{}", prices.unit(unit)?.shown_each(), unit.name())))
}

/// `1000000` as `1M`, `128000` as `128k`, where nothing is lost; else the number.
fn short(number: u32) -> String {
    match number {
        n if n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        n if n.is_multiple_of(1000) => format!("{}k", n / 1000),
        n => n.to_string(),
    }
}

/// Columns of the width of what stands in them; two spaces between.
fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells =
        |place: usize| rows.iter().filter_map(move |row| row.get(place)).map(|cell| cell.chars().count());
    let widths: Vec<usize> = (head.iter().enumerate())
        .map(|(place, name)| cells(place).max().unwrap_or(0).max(name.len()))
        .collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let row: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", row.join("  ").trim_end());
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

/// All that is known of one model.
pub(super) fn model(catalog: &Catalog, model: &Model, today: &str) -> String {
    let mut text = String::new();
    let title = model.title.as_deref().unwrap_or(&model.name);
    let maker = model.maker.as_deref().map_or(String::new(), |maker| format!(", {maker}"));
    let _ = writeln!(text, "{title} ({}){maker}", model.name);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "  {key:<16} {value}");
    };
    let names = |all: Vec<&str>| if all.is_empty() { "not known".to_owned() } else { all.join(", ") };
    let classes = names(model.classes.iter().copied().map(ModelClass::name).collect());
    line("class", format!("{classes} (the catalogue's own judgement)"));
    line("takes", names(model.input.iter().map(|modality| modality.name()).collect()));
    line("gives", names(model.output.iter().map(|modality| modality.name()).collect()));
    line("can", names(model.can.iter().map(Need::name).collect()));
    if !model.cannot.is_empty() {
        line("cannot", names(model.cannot.iter().map(Need::name).collect()));
    }
    limits(model.limits, &mut line);
    if let Some(source) = &model.source {
        line("source", source_line(source));
    }
    if let Some(note) = &model.note {
        line("note", note.clone());
    }
    for offer in &model.offers {
        text.push_str(&self::offer(catalog, model, offer, today));
    }
    text
}

fn limits(limits: Limits, line: &mut dyn FnMut(&str, String)) {
    let Limits { context_window, max_input, max_output } = limits;
    for (key, limit) in
        [("context_window", context_window), ("max_input", max_input), ("max_output", max_output)]
    {
        if let Some(limit) = limit {
            line(key, format!("{limit} tokens"));
        }
    }
}

fn offer(catalog: &Catalog, model: &Model, offer: &Offer, today: &str) -> String {
    let mut text = format!("\n  {} · {}\n", catalog.vendor_title(&offer.at), offer.path());
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "    {key:<14} {value}");
    };
    if !offer.aliases.is_empty() {
        line("also", offer.aliases.join(", "));
    }
    limits(offer.limits, &mut line);
    match &offer.prices {
        Some(prices) => self::prices(prices, &mut line),
        None if offer.variants.is_empty() => line("price", "not known".to_owned()),
        None => line("price", "not one for all; by variant:".to_owned()),
    }
    for (name, prices) in &offer.variants {
        line(name, String::new());
        self::prices(prices, &mut line);
    }
    if let Some(date) = &offer.deprecated {
        let passed = if **date <= *today { ", which has passed" } else { "" };
        line("deprecated", format!("from {date} on{passed}"));
    }
    if let Some(source) = offer.source.as_ref().filter(|own| model.source.as_ref() != Some(own)) {
        line("source", source_line(source));
    }
    text
}

fn prices(prices: &Prices, line: &mut dyn FnMut(&str, String)) {
    for (rate, price) in prices.rates().iter() {
        line(rate.name(), format!("${price} per million tokens"));
    }
    for step in prices.steps() {
        let rates: Vec<String> =
            step.rates.iter().map(|(rate, price)| format!("{} ${price}", rate.name())).collect();
        line("above", format!("{} tokens of prompt: {}", step.above, rates.join(", ")));
    }
    for unit in Unit::ALL {
        if let Some(price) = prices.unit(unit) {
            line(unit.name(), format!("${} each", price.shown_each()));
        }
    }
}

fn source_line(source: &Source) -> String {
    let url = source.url.as_ref().map_or(String::new(), |url| format!(", {url}"));
    format!("{}, {}{url}", source.title, source.date)
}

/// What differs, then what is new.
pub(super) fn diff(changed: &[Difference], new: &[Difference], all: bool) -> String {
    let mut text = String::new();
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    let rows: Vec<Vec<String>> = changed
        .iter()
        .map(|d| {
            let path = d.offer.clone().unwrap_or_else(|| d.model.clone());
            vec![path, d.key.clone(), value(&d.before), "→".to_owned(), value(&d.after)]
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&table(&["WHERE", "WHAT", "CATALOGUE", "", "FILE"], &rows));
    }
    if all && !new.is_empty() {
        let row = |d: &Difference| vec![d.offer.clone().unwrap_or_default(), value(&d.after)];
        let rows: Vec<Vec<String>> = new.iter().map(row).collect();
        let _ =
            write!(text, "{}{}", if changed.is_empty() { "" } else { "\n" }, table(&["NEW", "PRICE"], &rows));
    }
    let hint = if new.is_empty() || all { "" } else { " (--all lists them)" };
    let _ = writeln!(
        text,
        "{}{} differ, {} are not in the catalogue{hint}",
        if text.is_empty() { "" } else { "\n" },
        changed.len(),
        new.len()
    );
    text
}

/// What came of an import beside what was taken.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    if report.without_price > 0 {
        let _ = writeln!(text, "{} without a price: it stays unknown", report.without_price);
    }
    if report.zeros > 0 {
        let _ =
            writeln!(text, "{} zeros beside real prices left out: they may mean \"not known\"", report.zeros);
    }
    let skipped: usize = report.unknown_vendors.values().sum();
    if skipped > 0 {
        let names: Vec<String> =
            report.unknown_vendors.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let _ = writeln!(text, "{skipped} of vendors that are not known here: {}", told(&names, ", "));
    }
    if !report.not_taken.is_empty() {
        let mut keys: Vec<(&String, &usize)> = report.not_taken.iter().collect();
        keys.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let keys: Vec<String> = keys.into_iter().map(|(key, n)| format!("{key} {n}")).collect();
        let _ = writeln!(text, "prices that mean nothing here: {}", told(&keys, ", "));
    }
    if !report.rounded.is_empty() {
        let _ = writeln!(text, "freed from a float's error:\n  {}", told(&report.rounded, "\n  "));
    }
    if !report.not_understood.is_empty() {
        let _ = writeln!(text, "not understood:\n  {}", told(&report.not_understood, "\n  "));
    }
    text
}

/// The first of them, and how many more there are.
fn told(all: &[String], between: &str) -> String {
    let shown = all.iter().take(MOST_TOLD).cloned().collect::<Vec<_>>().join(between);
    match all.len().saturating_sub(MOST_TOLD) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}
