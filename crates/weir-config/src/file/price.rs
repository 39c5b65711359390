//! What is charged for what: the same block in a deployment and in the catalogue.

use super::text::{EachText, Named, PriceText};
use schemars::JsonSchema;
use serde::Deserialize;
use weir_core::{Price as Amount, Rate, Rates, Unit};

/// What a deployment costs, in USD.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Price {
    /// USD per million prompt tokens that came from no cache.
    #[schemars(example = 0.15, extend("x-default" = "none"))]
    pub input: Option<PriceText>,
    /// USD per million prompt tokens read from the provider's prompt cache.
    #[schemars(example = 0.075, extend("x-default" = "`input`"))]
    pub cached_input: Option<PriceText>,
    /// USD per million prompt tokens written to the provider's prompt cache.
    #[schemars(example = 0.15, extend("x-default" = "`input`"))]
    pub cache_write: Option<PriceText>,
    /// USD per million prompt tokens written there to be kept for an hour.
    #[schemars(example = 0.3, extend("x-default" = "`cache_write`"))]
    pub cache_write_1h: Option<PriceText>,
    /// USD per million prompt tokens that are sound.
    #[schemars(example = 10, extend("x-default" = "`input`"))]
    pub audio_input: Option<PriceText>,
    /// USD per million prompt tokens that are images.
    #[schemars(example = 8, extend("x-default" = "`input`"))]
    pub image_input: Option<PriceText>,
    /// USD per million generated tokens.
    #[schemars(example = 0.6, extend("x-default" = "none"))]
    pub output: Option<PriceText>,
    /// USD per million generated tokens of reasoning.
    #[schemars(example = 0.6, extend("x-default" = "`output`"))]
    pub reasoning: Option<PriceText>,
    /// USD per million generated tokens that are sound.
    #[schemars(example = 20, extend("x-default" = "`output`"))]
    pub audio_output: Option<PriceText>,
    /// USD per million generated tokens that are images.
    #[schemars(example = 30, extend("x-default" = "`output`"))]
    pub image_output: Option<PriceText>,
    /// Other prices of the whole call for longer prompts, by the tokens that a prompt has to have more than. What is not
    /// stated there is as below.
    #[schemars(example = serde_json::json!({ "200000": { "input": 0.3, "output": 0.9 } }), extend("x-default" = "none"))]
    pub above: Named<Step>,
    /// USD for each image that is made.
    #[schemars(example = 0.04, extend("x-default" = "none"))]
    pub image: Option<EachText>,
    /// USD for each second of sound or film that is taken in.
    #[schemars(example = 0.0001, extend("x-default" = "none"))]
    pub input_second: Option<EachText>,
    /// USD for each second of sound or film that is made.
    #[schemars(example = 0.1, extend("x-default" = "none"))]
    pub output_second: Option<EachText>,
    /// USD for each character of text that is read out.
    #[schemars(example = 0.000015, extend("x-default" = "none"))]
    pub character: Option<EachText>,
    /// USD for each call, whatever it holds.
    #[schemars(example = 0.002, extend("x-default" = "none"))]
    pub request: Option<EachText>,
    /// USD per hour, for a machine that is paid for whether it is used or not.
    #[schemars(example = 0.4, extend("x-default" = "none"))]
    pub per_hour: Option<PriceText>,
}

/// Prices for longer prompts.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    /// USD per million prompt tokens that came from no cache.
    #[schemars(example = 0.15, extend("x-default" = "as below"))]
    pub input: Option<PriceText>,
    /// USD per million prompt tokens read from the provider's prompt cache.
    #[schemars(example = 0.075, extend("x-default" = "as below"))]
    pub cached_input: Option<PriceText>,
    /// USD per million prompt tokens written to the provider's prompt cache.
    #[schemars(example = 0.15, extend("x-default" = "as below"))]
    pub cache_write: Option<PriceText>,
    /// USD per million prompt tokens written there to be kept for an hour.
    #[schemars(example = 0.3, extend("x-default" = "as below"))]
    pub cache_write_1h: Option<PriceText>,
    /// USD per million prompt tokens that are sound.
    #[schemars(example = 10, extend("x-default" = "as below"))]
    pub audio_input: Option<PriceText>,
    /// USD per million prompt tokens that are images.
    #[schemars(example = 8, extend("x-default" = "as below"))]
    pub image_input: Option<PriceText>,
    /// USD per million generated tokens.
    #[schemars(example = 0.6, extend("x-default" = "as below"))]
    pub output: Option<PriceText>,
    /// USD per million generated tokens of reasoning.
    #[schemars(example = 0.6, extend("x-default" = "as below"))]
    pub reasoning: Option<PriceText>,
    /// USD per million generated tokens that are sound.
    #[schemars(example = 20, extend("x-default" = "as below"))]
    pub audio_output: Option<PriceText>,
    /// USD per million generated tokens that are images.
    #[schemars(example = 30, extend("x-default" = "as below"))]
    pub image_output: Option<PriceText>,
}

impl Price {
    /// The prices of tokens.
    pub(crate) fn rates(&self) -> Rates {
        Rate::ALL.into_iter().fold(Rates::default(), |mut rates, rate| {
            rates.set(rate, self.stated(rate).map(|price| price.0));
            rates
        })
    }

    fn stated(&self, rate: Rate) -> Option<&PriceText> {
        match rate {
            Rate::Input => &self.input,
            Rate::CachedInput => &self.cached_input,
            Rate::CacheWrite => &self.cache_write,
            Rate::CacheWrite1h => &self.cache_write_1h,
            Rate::AudioInput => &self.audio_input,
            Rate::ImageInput => &self.image_input,
            Rate::Output => &self.output,
            Rate::Reasoning => &self.reasoning,
            Rate::AudioOutput => &self.audio_output,
            Rate::ImageOutput => &self.image_output,
        }
        .as_ref()
    }

    /// The price of one piece.
    pub(crate) fn unit(&self, unit: Unit) -> Option<Amount> {
        match unit {
            Unit::Image => &self.image,
            Unit::InputSecond => &self.input_second,
            Unit::OutputSecond => &self.output_second,
            Unit::Character => &self.character,
            Unit::Request => &self.request,
        }
        .as_ref()
        .map(|price| price.0)
    }
}

impl Step {
    /// The prices of tokens.
    pub(crate) fn rates(&self) -> Rates {
        Rate::ALL.into_iter().fold(Rates::default(), |mut rates, rate| {
            rates.set(rate, self.stated(rate).map(|price| price.0));
            rates
        })
    }

    fn stated(&self, rate: Rate) -> Option<&PriceText> {
        match rate {
            Rate::Input => &self.input,
            Rate::CachedInput => &self.cached_input,
            Rate::CacheWrite => &self.cache_write,
            Rate::CacheWrite1h => &self.cache_write_1h,
            Rate::AudioInput => &self.audio_input,
            Rate::ImageInput => &self.image_input,
            Rate::Output => &self.output,
            Rate::Reasoning => &self.reasoning,
            Rate::AudioOutput => &self.audio_output,
            Rate::ImageOutput => &self.image_output,
        }
        .as_ref()
    }
}
