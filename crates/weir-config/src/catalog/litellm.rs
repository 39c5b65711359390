//! Reading LiteLLM's price map, `model_prices_and_context_window.json`: dollars for each token as decimal numbers, which
//! become exact integers without passing through a float.

mod amount;

use super::{Catalog, Limits, Modality, Model, Offer, Source, Vendor};
use crate::file::text::Named;
use amount::{Amount, amount};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use weir_core::{Need, Needs, Price, Prices, Rate, Rates, Unit};

/// What came of reading a price map.
#[derive(Debug, Default)]
pub struct Report {
    /// Entries that were taken.
    pub taken: usize,
    /// Entries left out because nobody here is known as their provider: how many of which.
    pub unknown_vendors: BTreeMap<String, usize>,
    /// Keys of prices that mean nothing here, such as those of batches: how many entries have them.
    pub not_taken: BTreeMap<String, usize>,
    /// Entries that state no price, or only zeros: what they cost stays unknown.
    pub without_price: usize,
    /// Zeros beside real prices that were left out, since the map does not tell "nothing" from "not known".
    pub zeros: usize,
    /// Prices with the marks of a float's error, and what they were taken for.
    pub rounded: Vec<String>,
    /// What could not be understood.
    pub not_understood: Vec<String>,
}

type Row<'t> = HashMap<String, &'t RawValue>;

/// The keys of prices of tokens.
const RATES: [(&str, Rate); 10] = [
    ("input_cost_per_token", Rate::Input),
    ("cache_read_input_token_cost", Rate::CachedInput),
    ("cache_creation_input_token_cost", Rate::CacheWrite),
    ("cache_creation_input_token_cost_above_1hr", Rate::CacheWrite1h),
    ("input_cost_per_audio_token", Rate::AudioInput),
    ("input_cost_per_image_token", Rate::ImageInput),
    ("output_cost_per_token", Rate::Output),
    ("output_cost_per_reasoning_token", Rate::Reasoning),
    ("output_cost_per_audio_token", Rate::AudioOutput),
    ("output_cost_per_image_token", Rate::ImageOutput),
];

/// Reads a price map. Of models that `known` has, only what the map says of their offers is taken; what they are for and
/// able to do stays as it is known. `vendors` that are not empty keep out all others.
///
/// # Errors
/// The text is not a map of entries in JSON.
pub fn import(
    text: &str,
    known: &Catalog,
    source: Source,
    vendors: &[String],
) -> Result<(Catalog, Report), String> {
    let rows: Named<&RawValue> =
        serde_json::from_str(text).map_err(|error| format!("not a price map of LiteLLM's: {error}"))?;
    let mut import =
        Import { known, source: Arc::new(source), report: Report::default(), models: Vec::new() };
    for (name, row) in &rows.0 {
        // The map explains itself in an entry of this name.
        if name != "sample_spec" {
            import.row(name, row, vendors);
        }
    }
    let models = import.models.into_iter().map(|(_, model)| model).collect();
    Ok((Catalog { vendors: Vec::new(), models }, import.report))
}

struct Import<'a> {
    known: &'a Catalog,
    source: Arc<Source>,
    report: Report,
    models: Vec<(Arc<str>, Model)>,
}

impl Import<'_> {
    fn row(&mut self, name: &str, row: &RawValue, vendors: &[String]) {
        let Ok(row) = serde_json::from_str::<Row<'_>>(row.get()) else {
            self.report.not_understood.push(format!("{name}: no map"));
            return;
        };
        let provider = text(&row, "litellm_provider").unwrap_or_default();
        let vendor = self.known.vendors.iter().find(|vendor| vendor.litellm.contains(&provider));
        let Some(vendor) = vendor else {
            *self.report.unknown_vendors.entry(provider).or_default() += 1;
            return;
        };
        if !vendors.is_empty() && !vendors.iter().any(|wanted| **wanted == *vendor.name) {
            return;
        }
        let mode = text(&row, "mode").unwrap_or_else(|| "chat".to_owned());
        let id = id(name, vendor);
        let (prices, variants) = Reading { name, row: &row, mode: &mode, report: &mut self.report }.prices();
        let deprecated = text(&row, "deprecation_date").and_then(|date| crate::format::date(&date).ok());
        let offer = Offer {
            at: vendor.name.clone(),
            id: Arc::from(id),
            limits: limits(&row, &mode, &vendor.name),
            prices,
            variants,
            deprecated,
            source: Some(self.source.clone()),
            ..Offer::default()
        };
        self.report.taken += 1;
        let listed = self.known.find(&vendor.name, id).map(|(model, _)| model.name.clone());
        let model = match listed {
            Some(name) => Model { name, ..Model::default() },
            None => Model { name: Arc::from(offer.path()), ..facts(&row, &mode) },
        };
        let place = self.models.iter().position(|(known, _)| *known == model.name);
        let place = place.unwrap_or_else(|| {
            self.models.push((model.name.clone(), model));
            self.models.len() - 1
        });
        let Some((_, model)) = self.models.get_mut(place) else { return };
        // The map has some entries twice, with and without its prefix: the first counts.
        if !model.offers.iter().any(|known| known.at == offer.at && known.is(&offer.id)) {
            model.offers.push(offer);
        }
    }
}

/// What the vendor calls it: the entry's name without the prefix that LiteLLM routes by.
fn id<'n>(name: &'n str, vendor: &Vendor) -> &'n str {
    let prefix = |prefix: &String| name.strip_prefix(prefix.as_str())?.strip_prefix('/');
    vendor.litellm.iter().find_map(prefix).filter(|id| !id.is_empty()).unwrap_or(name)
}

fn text(row: &Row<'_>, key: &str) -> Option<String> {
    serde_json::from_str(row.get(key)?.get()).ok()
}

fn number(row: &Row<'_>, key: &str) -> Option<u32> {
    let text = row.get(key)?.get();
    let whole = text.strip_suffix(".0").unwrap_or(text);
    whole.parse().ok().filter(|number| *number > 0)
}

fn flag(row: &Row<'_>, key: &str) -> Option<bool> {
    row.get(key)?.get().parse().ok()
}

/// The map bounds the prompt; for most vendors that is the window that the answer counts against, too. Of those that
/// count apart, it is only the prompt. An answer that may be as long as all of it has no bound of its own. Where nobody
/// talks the bound is for each of several texts in a call, so it says nothing about the call.
fn limits(row: &Row<'_>, mode: &str, vendor: &str) -> Limits {
    if !talks(mode) {
        return Limits::default();
    }
    let (input, output) = (number(row, "max_input_tokens"), number(row, "max_output_tokens"));
    let apart = vendor == "gemini" || matches!((vendor, input), ("openai", Some(272_000 | 922_000)));
    Limits {
        context_window: input.filter(|_| !apart),
        max_input: input.filter(|_| apart),
        max_output: output.filter(|output| input.is_none_or(|input| *output < input)),
    }
}

fn talks(mode: &str) -> bool {
    matches!(mode, "chat" | "responses" | "completion")
}

/// What a model that is not known yet takes, gives and is able to do.
fn facts(row: &Row<'_>, mode: &str) -> Model {
    let list = |key| -> Vec<String> {
        row.get(key).and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
    };
    let named = |names: Vec<String>| -> Vec<Modality> {
        Modality::ALL.into_iter().filter(|known| names.iter().any(|name| name == known.name())).collect()
    };
    let talks = talks(mode);
    let flags = [
        (Need::Tools, "supports_function_calling"),
        (Need::Images, "supports_vision"),
        (Need::Audio, "supports_audio_input"),
        (Need::JsonSchema, "supports_response_schema"),
        (Need::Reasoning, "supports_reasoning"),
    ];
    let those = |wanted: bool| -> Needs {
        let all = flags.iter().filter(|(_, key)| talks && flag(row, key) == Some(wanted));
        all.map(|(need, _)| *need).collect()
    };
    let mut output = named(list("supported_output_modalities"));
    if output.is_empty() {
        output.extend(match mode {
            "embedding" => Some(Modality::Embedding),
            "rerank" => Some(Modality::Score),
            "image_generation" | "image_edit" => Some(Modality::Image),
            "video_generation" => Some(Modality::Video),
            "audio_speech" => Some(Modality::Audio),
            "chat" | "responses" | "completion" | "audio_transcription" => Some(Modality::Text),
            _ => None,
        });
    }
    Model {
        input: named(list("supported_modalities")),
        output,
        can: those(true),
        cannot: those(false),
        ..Model::default()
    }
}

/// The prices of one entry as they are read.
struct Reading<'a, 't> {
    name: &'a str,
    row: &'a Row<'t>,
    mode: &'a str,
    report: &'a mut Report,
}

impl Reading<'_, '_> {
    /// The prices, and those that are not the same for all answers.
    fn prices(&mut self) -> (Option<Prices>, Vec<(String, Prices)>) {
        let mut steps: BTreeMap<u64, Rates> = BTreeMap::new();
        let mut base = Rates::default();
        let mut keys: Vec<&String> = self.row.keys().filter(|key| is_price(key)).collect();
        keys.sort();
        let (mut units, mut variants) = (Vec::new(), Vec::new());
        for key in keys {
            if let Some((rate, above)) = rate(key) {
                let price = self.price(key, by_token);
                match above {
                    None => base.set(rate, price),
                    Some(above) => steps.entry(above).or_default().set(rate, price),
                }
            } else if key == "tiered_pricing" {
                self.tiers(&mut base, &mut steps);
            } else if let Some(variant) = key.strip_prefix(PER_SECOND).filter(|_| !is_other_terms(key)) {
                let price = self.price(key, by_piece);
                variants.extend(price.map(|price| (variant.to_owned(), price)));
            } else if let Some(unit) = self.unit(key) {
                units.extend(self.price(key, by_piece).map(|price| (unit, price)));
            } else {
                *self.report.not_taken.entry(key.clone()).or_default() += 1;
            }
        }
        let counted = base.iter().any(|(_, price)| price != Price::default());
        let base = if counted { terse(self.without_zeros(base), None) } else { Rates::default() };
        let mut prices = Prices::new(base);
        for (above, rates) in steps {
            let rates = terse(self.without_zeros(rates), Some(&prices));
            if counted && !rates.is_empty() {
                prices = prices.with_step(above, rates);
            }
        }
        for (unit, price) in units {
            // What is charged by the token is not charged by the piece once more; the map states both ways of counting.
            if price != Price::default() && (!counted || unit == Unit::Request) {
                prices = prices.with_unit(unit, price);
            }
        }
        if !variants.is_empty()
            && let Some(price) = self.price("output_cost_per_second", by_piece)
            && variants.iter().all(|(_, known)| *known != price)
        {
            variants.push(("default".to_owned(), price));
        }
        variants.sort_by_key(|(_, price)| *price);
        let variant = |(name, price): (String, Price)| {
            (!counted && price != Price::default())
                .then(|| (name, Prices::default().with_unit(Unit::OutputSecond, price)))
        };
        let variants: Vec<(String, Prices)> = variants.into_iter().filter_map(variant).collect();
        self.report.without_price += usize::from(prices.is_empty() && variants.is_empty());
        ((!prices.is_empty()).then_some(prices), variants)
    }

    /// Zero means "nothing" in the map, and "not known", too. Only where an answer has no tokens it is the former.
    fn without_zeros(&mut self, mut rates: Rates) -> Rates {
        let no_answer = matches!(self.mode, "embedding" | "rerank" | "moderation");
        for (rate, price) in rates.clone().iter() {
            if price == Price::default() && !(rate == Rate::Output && no_answer) {
                rates.set(rate, None);
                self.report.zeros += 1;
            }
        }
        rates
    }

    /// Prices by the length of the prompt as a list of ranges.
    fn tiers(&mut self, base: &mut Rates, steps: &mut BTreeMap<u64, Rates>) {
        let Some(list) = self.row.get("tiered_pricing") else { return };
        let tiers: Result<Vec<Row<'_>>, _> = serde_json::from_str(list.get());
        let Ok(tiers) = tiers else {
            self.report.not_understood.push(format!("{}: tiered_pricing", self.name));
            return;
        };
        for tier in &tiers {
            let range: Option<Vec<f64>> = tier.get("range").and_then(|r| serde_json::from_str(r.get()).ok());
            let from = range.and_then(|range| range.first().copied());
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of tokens")]
            let Some(from) = from.filter(|from| (0.0..1e12).contains(from)).map(|from| from as u64) else {
                self.report.not_understood.push(format!("{}: a range of tiered_pricing", self.name));
                continue;
            };
            let mut one = Reading { name: self.name, row: tier, mode: self.mode, report: &mut *self.report };
            for (key, rate) in RATES {
                let Some(price) = one.price(key, by_token) else { continue };
                let rates = if from == 0 { &mut *base } else { steps.entry(from).or_default() };
                rates.set(rate, Some(price));
            }
        }
    }

    /// What is priced by the piece under this key; which piece depends on what the model does.
    fn unit(&self, key: &str) -> Option<Unit> {
        let by_resolution = || self.row.keys().any(|key| key.starts_with(PER_SECOND) && !is_other_terms(key));
        match (key, self.mode) {
            ("output_cost_per_image", _) => Some(Unit::Image),
            ("input_cost_per_image", "image_generation")
                if !self.row.contains_key("output_cost_per_image") =>
            {
                Some(Unit::Image)
            }
            ("input_cost_per_second", _) => Some(Unit::InputSecond),
            // Of what is only heard, the map states the same price for what comes out.
            ("output_cost_per_second", mode) if mode != "audio_transcription" && !by_resolution() => {
                Some(Unit::OutputSecond)
            }
            ("output_cost_per_video_per_second", _) => Some(Unit::OutputSecond),
            ("input_cost_per_character", "audio_speech") => Some(Unit::Character),
            ("input_cost_per_query" | "input_cost_per_request", _) => Some(Unit::Request),
            _ => None,
        }
    }

    fn price(&mut self, key: &str, read: fn(&str) -> Result<Amount, String>) -> Option<Price> {
        let text = self.row.get(key)?.get();
        if text == "null" {
            return None;
        }
        match read(text) {
            Ok(Amount { price, exact }) => {
                if !exact {
                    let taken = Price::shown_each(price);
                    self.report.rounded.push(format!("{}: {key}: {text} as {taken}", self.name));
                }
                Some(price)
            }
            Err(why) => {
                self.report.not_understood.push(format!("{}: {key}: {text} {why}", self.name));
                None
            }
        }
    }
}

/// For a token: the finest is a pico-USD.
fn by_token(text: &str) -> Result<Amount, String> {
    amount(text, 1)
}

/// For a piece: the finest is a nano-USD.
fn by_piece(text: &str) -> Result<Amount, String> {
    amount(text, 1000)
}

/// Before a resolution.
const PER_SECOND: &str = "output_cost_per_second_";

/// A price of calls that are made in another way.
fn is_other_terms(key: &str) -> bool {
    ["_batches", "_priority", "_flex"].iter().any(|end| key.ends_with(end))
}

/// The same prices, without those that would count anyway: in place of a part's own price that of its whole, in place of
/// a step's own price the one below it.
fn terse(stated: Rates, below: Option<&Prices>) -> Rates {
    let whole =
        below.map_or(stated, |below| below.clone().with_step(u64::MAX - 1, stated).rates_at(u64::MAX));
    let mut terse = stated;
    for (rate, price) in stated.iter() {
        let from_whole = rate.else_as().and_then(|part_of| whole.of(part_of)) == Some(price);
        let from_below = below.and_then(|below| below.rates_at(u64::MAX).stated(rate));
        if (from_whole && from_below.is_none()) || from_below == Some(price) {
            terse.set(rate, None);
        }
    }
    terse
}

fn is_price(key: &str) -> bool {
    key.contains("cost") || key.contains("pricing")
}

/// The rate that a key states, and the length of the prompt that it is for.
fn rate(key: &str) -> Option<(Rate, Option<u64>)> {
    let plain = |key: &str| RATES.iter().find(|(known, _)| *known == key).map(|(_, rate)| *rate);
    if let Some(rate) = plain(key) {
        return Some((rate, None));
    }
    let (key, above) = key.strip_suffix("k_tokens")?.rsplit_once("_above_")?;
    Some((plain(key)?, Some(above.parse::<u64>().ok()?.checked_mul(1000)?)))
}

#[cfg(test)]
mod tests;
