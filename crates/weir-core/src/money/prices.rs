//! What a deployment charges for what, and what an answer therefore costs.

use super::{AmountError, Cost, Price, micro_usd};
use crate::Usage;
use std::sync::Arc;

/// Something that is counted in tokens and may have a price of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Prompt tokens that came from no cache.
    Input,
    /// Prompt tokens read from the provider's prompt cache.
    CachedInput,
    /// Prompt tokens written to the provider's prompt cache.
    CacheWrite,
    /// Those of them that are kept there for an hour.
    CacheWrite1h,
    /// Prompt tokens that are sound.
    AudioInput,
    /// Prompt tokens that are images.
    ImageInput,
    /// Generated tokens.
    Output,
    /// Generated tokens of reasoning.
    Reasoning,
    /// Generated tokens that are sound.
    AudioOutput,
    /// Generated tokens that are images.
    ImageOutput,
}

impl Rate {
    /// All of them.
    pub const ALL: [Rate; 10] = [
        Rate::Input,
        Rate::CachedInput,
        Rate::CacheWrite,
        Rate::CacheWrite1h,
        Rate::AudioInput,
        Rate::ImageInput,
        Rate::Output,
        Rate::Reasoning,
        Rate::AudioOutput,
        Rate::ImageOutput,
    ];

    /// The key in the configuration and in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Rate::Input => "input",
            Rate::CachedInput => "cached_input",
            Rate::CacheWrite => "cache_write",
            Rate::CacheWrite1h => "cache_write_1h",
            Rate::AudioInput => "audio_input",
            Rate::ImageInput => "image_input",
            Rate::Output => "output",
            Rate::Reasoning => "reasoning",
            Rate::AudioOutput => "audio_output",
            Rate::ImageOutput => "image_output",
        }
    }

    /// Whose price counts where this one has none of its own.
    pub const fn else_as(self) -> Option<Rate> {
        match self {
            Rate::Input | Rate::Output => None,
            Rate::CachedInput | Rate::CacheWrite | Rate::AudioInput | Rate::ImageInput => Some(Rate::Input),
            Rate::CacheWrite1h => Some(Rate::CacheWrite),
            Rate::Reasoning | Rate::AudioOutput | Rate::ImageOutput => Some(Rate::Output),
        }
    }
}

/// A price for each [`Rate`] that has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates([Option<Price>; Rate::ALL.len()]);

impl Rates {
    /// The price stated for this.
    pub fn stated(&self, rate: Rate) -> Option<Price> {
        self.0[rate as usize]
    }

    /// The price that counts for this: its own, else that of what it is a part of.
    pub fn of(&self, rate: Rate) -> Option<Price> {
        self.stated(rate).or_else(|| self.of(rate.else_as()?))
    }

    /// States a price, or takes it back.
    pub fn set(&mut self, rate: Rate, price: Option<Price>) {
        self.0[rate as usize] = price;
    }

    /// The same with a price.
    #[must_use]
    pub fn with(mut self, rate: Rate, price: Price) -> Self {
        self.set(rate, Some(price));
        self
    }

    /// Whether no price is stated.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Every price that is stated.
    pub fn iter(&self) -> impl Iterator<Item = (Rate, Price)> {
        Rate::ALL.into_iter().filter_map(|rate| Some((rate, self.stated(rate)?)))
    }

    /// These, and from `below` what they do not state.
    fn or(self, below: Rates) -> Rates {
        let mut all = self;
        Rate::ALL.into_iter().for_each(|rate| all.set(rate, self.stated(rate).or(below.stated(rate))));
        all
    }
}

/// Something that is not counted in tokens and has a price by the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// An image that is made.
    Image,
    /// A second of sound or film that is taken in.
    InputSecond,
    /// A second of sound or film that is made.
    OutputSecond,
    /// A character of text that is read out.
    Character,
    /// A call, whatever it holds.
    Request,
}

impl Unit {
    /// All of them.
    pub const ALL: [Unit; 5] =
        [Unit::Image, Unit::InputSecond, Unit::OutputSecond, Unit::Character, Unit::Request];

    /// The key in the configuration and in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Image => "image",
            Unit::InputSecond => "input_second",
            Unit::OutputSecond => "output_second",
            Unit::Character => "character",
            Unit::Request => "request",
        }
    }
}

/// From a length of the prompt on, other prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Prompts of more tokens than this.
    pub above: u64,
    /// The prices of the whole call then; what is not stated here is as below.
    pub rates: Rates,
}

/// What a deployment charges for what is used. Whatever has no price here has a price that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of tokens.
    rates: Rates,
    /// Steps by the length of the prompt, shortest first, none of them twice.
    steps: Vec<Step>,
    /// By [`Unit`], of one piece.
    units: [Option<Price>; Unit::ALL.len()],
}

/// What something costs, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What is known of it.
    pub cost: Cost,
    /// Whether that is all of it.
    pub complete: bool,
}

impl Charge {
    /// Nothing.
    pub const NOTHING: Charge = Charge { cost: Cost::ZERO, complete: true };
    /// Nobody knows.
    pub const UNKNOWN: Charge = Charge { cost: Cost::ZERO, complete: false };

    fn add(&mut self, tokens: u64, rates: &Rates, rate: Rate) {
        if tokens > 0 {
            match rates.of(rate) {
                Some(price) => self.cost += price.of(tokens),
                None => self.complete = false,
            }
        }
    }
}

impl Prices {
    /// Prices of tokens, the same for every length of the prompt.
    pub fn new(rates: Rates) -> Self {
        Prices { rates, ..Prices::default() }
    }

    /// So much for prompt tokens and for generated ones.
    pub fn by_token(input: Price, output: Price) -> Self {
        Prices::new(Rates::default().with(Rate::Input, input).with(Rate::Output, output))
    }

    /// The same with other prices for prompts of more than `above` tokens.
    #[must_use]
    pub fn with_step(mut self, above: u64, rates: Rates) -> Self {
        self.steps.retain(|step| step.above != above);
        self.steps.push(Step { above, rates });
        self.steps.sort_by_key(|step| step.above);
        self
    }

    /// The same with a price by the piece.
    #[must_use]
    pub fn with_unit(mut self, unit: Unit, price: Price) -> Self {
        self.units[unit as usize] = Some(price);
        self
    }

    /// The prices as they are stated for every length of the prompt.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// The steps by the length of the prompt, shortest first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The price of one piece.
    pub fn unit(&self, unit: Unit) -> Option<Price> {
        self.units[unit as usize]
    }

    /// Whether nothing has a price.
    pub fn is_empty(&self) -> bool {
        self.rates.is_empty() && self.steps.is_empty() && self.units.iter().all(Option::is_none)
    }

    /// The prices of a call with a prompt of so many tokens: each figure from the highest step that the prompt is above
    /// and that states it.
    pub fn rates_at(&self, prompt: u64) -> Rates {
        let reached = self.steps.iter().filter(|step| prompt > step.above);
        reached.fold(self.rates, |below, step| step.rates.or(below))
    }

    /// What `usage` costs, exactly.
    ///
    /// Sound and images of a prompt count as the part of it that came from no cache; what is more of them than that is
    /// part of what the cache held, and priced as such. Where the vendor says what it bills, that is what is charged for.
    pub fn charge(&self, usage: &Usage) -> Charge {
        let rates = if self.steps.is_empty() { self.rates } else { self.rates_at(usage.input) };
        let mut charge = Charge::NOTHING;
        if let Some(billed) = usage.billed {
            charge.add(billed.input, &rates, Rate::Input);
            charge.add(billed.output, &rates, Rate::Output);
            return self.pieces(usage, charge);
        }
        let mut fresh = usage.input_uncached();
        let part = |of: u64, left: &mut u64| {
            let part = of.min(*left);
            *left -= part;
            part
        };
        charge.add(part(usage.audio_input, &mut fresh), &rates, Rate::AudioInput);
        charge.add(part(usage.image_input, &mut fresh), &rates, Rate::ImageInput);
        charge.add(fresh, &rates, Rate::Input);
        charge.add(usage.cache_read, &rates, Rate::CachedInput);
        let mut written = usage.cache_write;
        charge.add(part(usage.cache_write_1h, &mut written), &rates, Rate::CacheWrite1h);
        charge.add(written, &rates, Rate::CacheWrite);
        let mut told = usage.output;
        charge.add(part(usage.reasoning, &mut told), &rates, Rate::Reasoning);
        charge.add(part(usage.audio_output, &mut told), &rates, Rate::AudioOutput);
        charge.add(part(usage.image_output, &mut told), &rates, Rate::ImageOutput);
        charge.add(told, &rates, Rate::Output);
        self.pieces(usage, charge)
    }

    /// Adds what has a price by the piece. Pieces that have none are no gap where tokens are charged for the same answer:
    /// an image model that is paid by the token does not charge for the image once more.
    fn pieces(&self, usage: &Usage, mut charge: Charge) -> Charge {
        let pieces = &usage.pieces;
        let counted = [
            (Unit::Image, u64::from(pieces.images) * 1000),
            (Unit::InputSecond, u64::from(pieces.input_millis)),
            (Unit::OutputSecond, u64::from(pieces.output_millis)),
            (Unit::Character, u64::from(pieces.characters) * 1000),
            (Unit::Request, u64::from(pieces.requests) * 1000),
        ];
        let no_tokens = usage.total() == 0;
        for (unit, thousandths) in counted.into_iter().filter(|(_, thousandths)| *thousandths > 0) {
            match self.unit(unit) {
                Some(price) => charge.cost += price.of_thousandths(thousandths),
                None if no_tokens => charge.complete = false,
                None => {}
            }
        }
        charge
    }
}

/// How a deployment is paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pricing {
    /// Nobody knows, so neither does anybody know what its answers cost. That is not nothing.
    #[default]
    Unknown,
    /// By what is used.
    PerUse(Arc<Prices>),
    /// By the hour, in µUSD; requests on it cost nothing by themselves.
    PerHour(u64),
}

impl Pricing {
    /// By the token: so much for prompt tokens and for generated ones.
    pub fn by_token(input: Price, output: Price) -> Self {
        Prices::by_token(input, output).into()
    }

    /// What `usage` costs here, exactly. Nothing at deployments paid by the hour, whose cost is joined with measured
    /// throughput elsewhere.
    pub fn charge(&self, usage: &Usage) -> Charge {
        match self {
            Pricing::Unknown => Charge::UNKNOWN,
            Pricing::PerUse(prices) => prices.charge(usage),
            Pricing::PerHour(_) => Charge::NOTHING,
        }
    }

    /// Reads an hourly price in USD, such as `0.40`, into µUSD.
    ///
    /// # Errors
    /// What is wrong with the amount.
    pub fn per_hour(text: &str) -> Result<Self, AmountError> {
        micro_usd(text).map(Pricing::PerHour)
    }

    /// What decisions weigh of it.
    pub fn tariff(&self) -> Tariff {
        match self {
            Pricing::Unknown => Tariff::Unknown,
            Pricing::PerHour(micro_usd) => Tariff::PerHour(*micro_usd),
            Pricing::PerUse(prices) => Tariff::of(prices),
        }
    }
}

impl From<Prices> for Pricing {
    fn from(prices: Prices) -> Self {
        Pricing::PerUse(Arc::new(prices))
    }
}

/// What decisions weigh of a price: small, and copied with each deployment that is weighed. Exact for prompt, cache and
/// answer up to the second step of the prompt's length; the rest is left to the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tariff {
    /// Nobody knows.
    #[default]
    Unknown,
    /// By the token.
    PerToken {
        /// Of the prompt, of what a cache holds of it, of the answer.
        usual: [Price; 3],
        /// The same for prompts of more than `above` tokens.
        long: [Price; 3],
        /// Where that begins.
        above: u64,
    },
    /// By the hour, in µUSD.
    PerHour(u64),
}

impl Tariff {
    /// Unknown where prompt or answer have no price, as with images by the piece: nobody can tell before what they will
    /// cost.
    fn of(prices: &Prices) -> Tariff {
        let of = |rates: &Rates| {
            Some([rates.of(Rate::Input)?, rates.of(Rate::CachedInput)?, rates.of(Rate::Output)?])
        };
        let Some(usual) = of(prices.rates()) else { return Tariff::Unknown };
        let step = prices.steps().first();
        let long = step.and_then(|step| of(&prices.rates_at(step.above + 1))).unwrap_or(usual);
        Tariff::PerToken { usual, long, above: step.map_or(u64::MAX, |step| step.above) }
    }

    /// The tariff for prompt and answer by the token.
    pub fn by_token(input: Price, output: Price) -> Tariff {
        let usual = [input, input, output];
        Tariff::PerToken { usual, long: usual, above: u64::MAX }
    }

    /// What a prompt, of which so much is cached, and an answer of these many tokens cost. `None` where that is not known
    /// or not charged by the token.
    pub fn of_tokens(&self, input: u64, cached: u64, output: u64) -> Option<Cost> {
        let Tariff::PerToken { usual, long, above } = self else { return None };
        let [fresh, from_cache, answer] = if input > *above { long } else { usual };
        let cached = cached.min(input);
        Some(fresh.of(input - cached) + from_cache.of(cached) + answer.of(output))
    }
}

#[cfg(test)]
mod tests;
