//! Exact money: integers only, rounded nowhere but on export.
//!
//! A price of one µUSD per million tokens is one pico-USD per token, so `tokens × price` is a cost in pico-USD
//! with no division and no rounding.

mod prices;

pub use prices::{Charge, Prices, Pricing, Rate, Rates, Step, Tariff, Unit};

use std::fmt;
use std::str::FromStr;

const PICO_PER_USD: i128 = 1_000_000_000_000;

/// A price in µUSD per million tokens, which is the same number in pico-USD per token; for what is not counted in tokens,
/// pico-USD per piece.
///
/// Reads and prints as USD per million tokens: `"0.15"` is 150,000 µUSD per million. [`Price::each`] and
/// [`Price::shown_each`] do the same for one piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

impl Price {
    /// From µUSD per million tokens.
    pub const fn from_micro_usd_per_million(micro_usd: u64) -> Self {
        Price(micro_usd)
    }

    /// µUSD per million tokens.
    pub const fn micro_usd_per_million(self) -> u64 {
        self.0
    }

    /// What `tokens` tokens cost at this price, exactly.
    pub fn of(self, tokens: u64) -> Cost {
        Cost(i128::from(self.0) * i128::from(tokens))
    }

    /// From a decimal number of USD for one piece, such as `0.04` for an image. The finest is 0.000000001 USD, so that a
    /// thousandth of it, a millisecond of a second, still has a whole price.
    ///
    /// # Errors
    /// As for USD per million tokens, with nine digits after the point.
    pub fn each(text: &str) -> Result<Self, AmountError> {
        let nano_usd = fixed(text, 9)?;
        u64::try_from(nano_usd * 1000).map(Price).map_err(|_| AmountError::TooLarge)
    }

    /// The price of one piece as [`Price::each`] reads it.
    pub fn shown_each(self) -> impl fmt::Display {
        Cost(i128::from(self.0))
    }

    /// What so many thousandths of a piece cost, exactly for every price that [`Price::each`] reads.
    fn of_thousandths(self, thousandths: u64) -> Cost {
        Cost(i128::from(self.0) * i128::from(thousandths) / 1000)
    }
}

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// Not a plain decimal number such as `0.15`.
    NotDecimal,
    /// Below zero.
    Negative,
    /// More than so many digits after the point that are not zero.
    TooFine(usize),
    /// More than a million USD.
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AmountError::NotDecimal => "is not a decimal number of USD such as 0.15",
            AmountError::Negative => "is below zero",
            AmountError::TooFine(6) => {
                "has more than six digits after the point (the finest price is 0.000001 USD)"
            }
            AmountError::TooFine(9) => {
                "has more than nine digits after the point (the finest price is 0.000000001 USD)"
            }
            AmountError::TooFine(_) => "has more than twelve digits after the point, which no cost has",
            AmountError::TooLarge => "is above 1000000 USD",
        })
    }
}

impl std::error::Error for AmountError {}

/// Reads a decimal number of USD into µUSD without passing through a float.
fn micro_usd(text: &str) -> Result<u64, AmountError> {
    fixed(text, 6).and_then(|micro| u64::try_from(micro).map_err(|_| AmountError::TooLarge))
}

/// Reads a decimal number of USD with so many decimals, as a whole number of the last of them.
fn fixed(text: &str, decimals: usize) -> Result<u128, AmountError> {
    if text.starts_with('-') {
        return Err(AmountError::Negative);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || text.ends_with('.') {
        return Err(AmountError::NotDecimal);
    }
    let (kept, rest) = fraction.split_at(fraction.len().min(decimals));
    if rest.bytes().any(|b| b != b'0') {
        return Err(AmountError::TooFine(decimals));
    }
    let whole: u128 = whole.parse().map_err(|_| AmountError::TooLarge)?;
    if whole > 1_000_000 {
        return Err(AmountError::TooLarge);
    }
    let unit = (0..decimals).fold(1u128, |unit, _| unit * 10);
    let fraction: u128 = format!("{kept:0<decimals$}").parse().map_err(|_| AmountError::NotDecimal)?;
    Ok(whole * unit + fraction)
}

impl FromStr for Price {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        micro_usd(text).map(Price)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Decimal::new(false, u128::from(self.0), 6).as_str())
    }
}

/// An amount of money in pico-USD (10⁻¹² USD). Prints as a decimal number of USD, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(i128);

impl Cost {
    /// Nothing.
    pub const ZERO: Cost = Cost(0);

    /// From pico-USD.
    pub const fn from_pico_usd(pico: i128) -> Self {
        Cost(pico)
    }

    /// Pico-USD.
    pub const fn pico_usd(self) -> i128 {
        self.0
    }

    /// USD as they are written, exactly.
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.0 < 0, self.0.unsigned_abs(), 12)
    }

    /// USD as a float: for gauges and dashboards that can hold nothing else, never for sums that are billed.
    #[allow(clippy::cast_precision_loss, reason = "export only; the exact value stays in the integer")]
    pub fn approx_usd(self) -> f64 {
        self.0 as f64 / PICO_PER_USD as f64
    }
}

impl std::ops::Add for Cost {
    type Output = Cost;

    fn add(self, rhs: Cost) -> Cost {
        Cost(self.0.saturating_add(rhs.0))
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, rhs: Cost) {
        *self = *self + rhs;
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(items: I) -> Cost {
        items.fold(Cost::ZERO, |a, b| a + b)
    }
}

impl FromStr for Cost {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let pico = fixed(text, 12)?;
        i128::try_from(pico).map(Cost).map_err(|_| AmountError::TooLarge)
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.decimal().as_str())
    }
}

/// The sixteen digits of a number below 10^16, one in each byte, the first in the highest.
fn sixteen_digits(number: u64) -> u128 {
    const HALF: u64 = 100_000_000;
    u128::from(eight_digits(number / HALF)) << 64 | u128::from(eight_digits(number % HALF))
}

/// The same of eight digits below 10^8: they are parted in halves, all at once, until each stands alone. A division by 100
/// or by 10 is a multiplication and a shift, exact for numbers of so few digits.
fn eight_digits(number: u64) -> u64 {
    let fours = ((number / 10_000) << 32) | (number % 10_000);
    let upper = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = upper << 16 | (fours - upper * 100);
    let upper = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    upper << 8 | (twos - upper * 10)
}

/// A number in full, as it is written: no exponent, no trailing zeros.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    text: [u8; Decimal::LONGEST],
    start: usize,
    end: usize,
}

impl Decimal {
    /// Room for so many digits behind the point.
    const PLACES: u32 = 16;
    /// A sign, the 39 digits of the largest number, a point, and that room.
    const LONGEST: usize = 58;

    /// `value / 10^scale`, with a scale of 12 at most. Every response and log line shows a cost, so this divides 64-bit
    /// numbers where they are wide enough, and takes the digits behind the point all at once.
    fn new(negative: bool, value: u128, scale: u32) -> Decimal {
        let unit = 10u64.pow(scale);
        let (whole, fraction) = match u64::try_from(value) {
            Ok(value) => (u128::from(value / unit), value % unit),
            Err(_) => {
                let unit = u128::from(unit);
                (value / unit, u64::try_from(value % unit).unwrap_or(0))
            }
        };
        let (text, end) = ([0; Decimal::LONGEST], Decimal::LONGEST);
        let mut decimal = Decimal { text, start: end, end };
        if fraction > 0 {
            let digits = sixteen_digits(fraction * 10u64.pow(Decimal::PLACES.saturating_sub(scale)));
            if let Some(places) = decimal.text.last_chunk_mut() {
                *places = (digits | u128::from_ne_bytes([b'0'; 16])).to_be_bytes();
            }
            decimal.end = Decimal::LONGEST - (digits.trailing_zeros() / 8) as usize;
            decimal.start = Decimal::LONGEST - 16;
            decimal.before(b'.');
        }
        // Of what is larger, digit by digit, only so much that the rest fits.
        let mut whole = whole;
        let mut rest = loop {
            match u64::try_from(whole) {
                Ok(rest) => break rest,
                Err(_) => decimal.digit(u64::try_from(whole % 10).unwrap_or(0)),
            }
            whole /= 10;
        };
        loop {
            decimal.digit(rest % 10);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if negative {
            decimal.before(b'-');
        }
        decimal
    }

    fn digit(&mut self, digit: u64) {
        self.before(b'0' + u8::try_from(digit).unwrap_or(0));
    }

    fn before(&mut self, byte: u8) {
        self.start = self.start.saturating_sub(1);
        if let Some(place) = self.text.get_mut(self.start) {
            *place = byte;
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The same as bytes, all of them ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
