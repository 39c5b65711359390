//! Decimal numbers with exponents into whole pico-USD.

use weir_core::Price;

/// An amount, and whether the text says exactly this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) price: Price,
    pub(super) exact: bool,
}

/// What a float leaves behind: a long row of these, then its error.
const TRACES: [&str; 2] = ["00000", "99999"];

/// Reads a number of USD, such as `2.5e-07`, in steps of so many pico-USD. A number that lies between two of them is
/// refused, unless its digits show that a float has passed it on with an error in the last of them.
pub(super) fn amount(text: &str, step: u64) -> Result<Amount, String> {
    const NO_NUMBER: &str = "is not a number";
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| NO_NUMBER)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.starts_with('-') {
        return Err("is below zero".to_owned());
    }
    if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NO_NUMBER.to_owned());
    }
    let digits = digits.trim_start_matches('0');
    // Where the point of a number of steps stands among the digits.
    let of_step = i32::try_from(step.ilog10()).unwrap_or_default();
    let places = i32::try_from(fraction.len()).map_err(|_| NO_NUMBER)?;
    let shift = exponent.saturating_add(12 - of_step - places);
    let length = i32::try_from(digits.len()).map_err(|_| NO_NUMBER)?;
    let (kept, rest) = match length.saturating_add(shift) {
        _ if digits.is_empty() => ("", ""),
        point if point > 18 - of_step => return Err("is above 1000000 USD".to_owned()),
        point if point <= 0 => ("", digits),
        point => digits.split_at(usize::try_from(point.min(length)).unwrap_or_default()),
    };
    let zeros = if digits.is_empty() { 0 } else { usize::try_from(shift.max(0)).unwrap_or_default() };
    let steps: u64 = format!("0{kept}{:0<zeros$}", "").parse().map_err(|_| NO_NUMBER)?;
    let exact = rest.bytes().all(|b| b == b'0');
    if !exact && (kept.is_empty() || !TRACES.iter().any(|trace| rest.starts_with(trace))) {
        let finest = if step == 1 { "0.000001 USD for a million" } else { "0.000000001 USD" };
        return Err(format!("is finer than the finest price, {finest}"));
    }
    let up = !exact && rest.starts_with('9');
    Ok(Amount { price: Price::from_micro_usd_per_million((steps + u64::from(up)) * step), exact })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, step: u64, pico_usd: u64, exact: bool) {
        let price = Price::from_micro_usd_per_million(pico_usd);
        assert_eq!(amount(text, step), Ok(Amount { price, exact }), "{text}");
    }

    #[test]
    fn amounts_are_read_digit_by_digit() {
        check("2.5e-07", 1, 250_000, true);
        check("0.00000025", 1, 250_000, true);
        check("1e-12", 1, 1, true);
        check("0", 1, 0, true);
        check("0.0", 1, 0, true);
        check("0e-9", 1, 0, true);
        check("1.75E-6", 1, 1_750_000, true);
        check("6.25e-08", 1, 62_500, true);
        check("0.000168", 1, 168_000_000, true);
        check("15", 1, 15_000_000_000_000, true);
        check("0.04", 1000, 40_000_000_000, true);
        check("0.0618845", 1000, 61_884_500_000, true);
        check("1e-9", 1000, 1000, true);
    }

    #[test]
    fn what_a_float_left_behind_is_taken_off() {
        check("3.2000000000000003e-06", 1, 3_200_000, false);
        check("2.7999999999999997e-07", 1, 280_000, false);
        check("2.0000000000000002e-07", 1, 200_000, false);
        check("1.4850000000000002e-06", 1, 1_485_000, false);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |text: &str, step: u64, why: &str| {
            let refused = amount(text, step).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        };
        check("1e-13", 1, "finer");
        check("1.25e-12", 1, "finer");
        check("1.234567890123456e-07", 1, "finer");
        check("1e-10", 1000, "finer");
        check("-1e-6", 1, "below zero");
        check("1e9", 1, "above");
        check("\"1\"", 1, "not a number");
        check("true", 1, "not a number");
        check("", 1, "not a number");
        check("1e", 1, "not a number");
        check("1.2.3", 1, "not a number");
    }

    proptest::proptest! {
        /// Whatever whole number of pico-USD, however it is written.
        #[test]
        fn every_price_survives_being_written_as_a_float(pico_usd in 0..1_000_000_000_000_u64) {
            let float = pico_usd as f64 / 1e12;
            for text in [format!("{float:e}"), format!("{float}"), format!("0.{pico_usd:012}")] {
                let read = amount(&text, 1).map(|amount| amount.price.micro_usd_per_million());
                proptest::prop_assert_eq!(read, Ok(pico_usd), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-0-9.eE\"x]{0,24}") {
            let _ = amount(&text, 1);
            let _ = amount(&text, 1000);
        }
    }
}
