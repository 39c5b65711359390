use super::*;

fn check(text: &str, expect: Result<u64, AmountError>) {
    assert_eq!(text.parse::<Price>().map(Price::micro_usd_per_million), expect, "{text}");
}

#[test]
fn prices_are_read_without_floats() {
    check("0.15", Ok(150_000));
    check("15", Ok(15_000_000));
    check("0.000001", Ok(1));
    check("0.1000000", Ok(100_000));
    check("0.0000001", Err(AmountError::TooFine(6)));
    check("-1", Err(AmountError::Negative));
    check("1e3", Err(AmountError::NotDecimal));
    check(".5", Err(AmountError::NotDecimal));
    check("5.", Err(AmountError::NotDecimal));
    check("", Err(AmountError::NotDecimal));
    check("1000001", Err(AmountError::TooLarge));
    check("99999999999999999999999", Err(AmountError::TooLarge));
}

#[test]
fn prices_of_pieces_are_read_without_floats() {
    let check = |text: &str, expect: Result<u64, AmountError>| {
        assert_eq!(Price::each(text).map(Price::micro_usd_per_million), expect, "{text}");
        let Ok(price) = Price::each(text) else { return };
        assert_eq!(Price::each(&price.shown_each().to_string()), Ok(price));
    };
    check("0.04", Ok(40_000_000_000));
    check("0.141942857", Ok(141_942_857_000));
    check("0.0000000001", Err(AmountError::TooFine(9)));
    check("1000000", Ok(1_000_000_000_000_000_000));
    check("1000001", Err(AmountError::TooLarge));
    assert_eq!(Price::each("0.04").unwrap().shown_each().to_string(), "0.04");
}

#[test]
fn a_cost_prints_in_full() {
    assert_eq!(Cost::from_pico_usd(-1_500_000_000_000).to_string(), "-1.5");
    assert_eq!(Cost::from_pico_usd(1).to_string(), "0.000000000001");
    assert_eq!(Cost::ZERO.to_string(), "0");
    assert_eq!(Cost::from_pico_usd(100_000_000_000_000).to_string(), "100");
    let most = "170141183460469231731687303.715884105727";
    assert_eq!(Cost::from_pico_usd(i128::MAX).to_string(), most);
    assert_eq!(Cost::from_pico_usd(-i128::MAX).to_string(), format!("-{most}"));
    assert_eq!(Cost::from_pico_usd(i128::MIN).to_string().len(), 41);
    assert_eq!(Cost::from_pico_usd(1_050_000_000_000).to_string(), "1.05");
    for digits in 1..38 {
        let pico = 10i128.pow(digits) + 1;
        let written = format!("{pico:013}");
        let (whole, fraction) = written.split_at(written.len() - 12);
        assert_eq!(Cost::from_pico_usd(pico).to_string(), format!("{whole}.{fraction}"));
        let round = Cost::from_pico_usd(10i128.pow(digits)).to_string();
        assert_eq!(round.parse::<f64>().unwrap(), 10f64.powi(i32::try_from(digits).unwrap() - 12), "{round}");
        assert!(digits >= 12 || !round.ends_with('0'), "{round}");
    }
}

#[test]
fn a_cost_has_twelve_decimals() {
    let check = |text: &str, expect: Result<i128, AmountError>| {
        assert_eq!(text.parse::<Cost>().map(Cost::pico_usd), expect, "{text}");
    };
    check("0.000000000001", Ok(1));
    check("1.5", Ok(1_500_000_000_000));
    check("0.0000000000001", Err(AmountError::TooFine(12)));
    check("1000001", Err(AmountError::TooLarge));
    check("-1", Err(AmountError::Negative));
    check("1e3", Err(AmountError::NotDecimal));
}

#[test]
fn every_digit_behind_the_point_is_written() {
    let mut number = 1u64;
    for step in 0..2_000u64 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        for digits in 1..=12 {
            let pico = number % 10u64.pow(digits);
            let expect = format!("0.{pico:012}");
            let expect = expect.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(Cost::from_pico_usd(i128::from(pico)).to_string(), expect);
            assert_eq!(Price::from_micro_usd_per_million(pico % 1_000_000).to_string(), {
                let text = format!("0.{:06}", pico % 1_000_000);
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            });
        }
    }
}
