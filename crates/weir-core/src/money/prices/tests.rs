use super::*;
use crate::usage::{Billed, Pieces};
use proptest::prelude::*;

fn usd(text: &str) -> Price {
    text.parse().unwrap()
}

fn each(text: &str) -> Price {
    Price::each(text).unwrap()
}

#[track_caller]
fn check(prices: &Prices, usage: Usage, cost: &str, complete: bool) {
    let charge = prices.charge(&usage);
    assert_eq!((charge.cost.to_string().as_str(), charge.complete), (cost, complete), "{prices:?} {usage:?}");
}

#[test]
fn each_part_of_an_answer_has_its_price() {
    let some = Rates::default()
        .with(Rate::Input, usd("0.15"))
        .with(Rate::CachedInput, usd("0.075"))
        .with(Rate::Output, usd("0.60"));
    let usage = Usage { input: 57, cache_read: 7, output: 84, ..Usage::default() };
    // 50 × 0.15 + 7 × 0.075 + 84 × 0.60 µUSD
    check(&Prices::new(some), usage, "0.000058425", true);
    let all = Prices::new(
        [
            (Rate::Input, "1"),
            (Rate::CachedInput, "0.1"),
            (Rate::CacheWrite, "1.25"),
            (Rate::CacheWrite1h, "2"),
            (Rate::AudioInput, "10"),
            (Rate::ImageInput, "3"),
            (Rate::Output, "4"),
            (Rate::Reasoning, "5"),
            (Rate::AudioOutput, "20"),
            (Rate::ImageOutput, "30"),
        ]
        .into_iter()
        .fold(Rates::default(), |rates, (rate, price)| rates.with(rate, usd(price))),
    );
    let usage = Usage {
        input: 100,
        cache_read: 20,
        cache_write: 30,
        cache_write_1h: 10,
        audio_input: 5,
        image_input: 6,
        output: 50,
        reasoning: 7,
        audio_output: 8,
        image_output: 9,
        ..Usage::default()
    };
    // 39 × 1 + 5 × 10 + 6 × 3 + 20 × 0.1 + 20 × 1.25 + 10 × 2 + 26 × 4 + 7 × 5 + 8 × 20 + 9 × 30 µUSD
    check(&all, usage, "0.000723", true);
}

#[test]
fn what_has_no_price_is_unknown_and_not_free() {
    let input = Prices::new(Rates::default().with(Rate::Input, usd("1")));
    check(&input, Usage { input: 9, ..Usage::default() }, "0.000009", true);
    check(&input, Usage { input: 9, cache_read: 9, ..Usage::default() }, "0.000009", true);
    check(&input, Usage { input: 9, output: 1, ..Usage::default() }, "0.000009", false);
    check(&Prices::default(), Usage { input: 1, ..Usage::default() }, "0", false);
    check(&Prices::default(), Usage::default(), "0", true);
    assert_eq!(Pricing::Unknown.charge(&Usage { input: 1, ..Usage::default() }), Charge::UNKNOWN);
    assert_eq!(Pricing::Unknown.charge(&Usage::default()), Charge::UNKNOWN);
}

#[test]
fn an_hourly_price_charges_nothing_per_request() {
    let pricing = Pricing::per_hour("0.40").unwrap();
    assert_eq!(pricing, Pricing::PerHour(400_000));
    assert_eq!(pricing.charge(&Usage { input: 10, output: 10, ..Usage::default() }), Charge::NOTHING);
}

#[test]
fn a_long_prompt_raises_the_price_of_the_whole_call() {
    let prices = Prices::by_token(usd("1"), usd("10"))
        .with_step(1000, Rates::default().with(Rate::Input, usd("4")).with(Rate::Output, usd("40")))
        .with_step(200, Rates::default().with(Rate::Input, usd("2")));
    let usage = |input| Usage { input, output: 1, ..Usage::default() };
    check(&prices, usage(200), "0.00021", true);
    check(&prices, usage(201), "0.000412", true); // the output's price is not stated there, so it stays
    check(&prices, usage(1000), "0.00201", true);
    check(&prices, usage(1001), "0.004044", true);
    assert_eq!(prices.steps().iter().map(|step| step.above).collect::<Vec<_>>(), [200, 1000]);
}

#[test]
fn pieces_are_charged_beside_tokens() {
    let image = Prices::default().with_unit(Unit::Image, each("0.04"));
    let film = Prices::default().with_unit(Unit::OutputSecond, each("0.141942857"));
    let pieces = |pieces| Usage { pieces, ..Usage::default() };
    check(&image, pieces(Pieces { images: 3, ..Pieces::default() }), "0.12", true);
    check(&film, pieces(Pieces { output_millis: 1_500, ..Pieces::default() }), "0.2129142855", true);
    check(&image, pieces(Pieces { output_millis: 1, ..Pieces::default() }), "0", false);
    // Paid by the token: the image itself is not charged once more.
    let both = Usage { input: 1, pieces: Pieces { images: 1, ..Pieces::default() }, ..Usage::default() };
    check(&Prices::by_token(usd("1"), usd("1")), both, "0.000001", true);
}

#[test]
fn what_a_vendor_says_it_bills_is_what_is_charged_for() {
    let prices =
        Prices::by_token(usd("1"), usd("2")).with_step(100, Rates::default().with(Rate::Input, usd("10")));
    let counted = Usage { input: 50, cache_read: 40, output: 9, ..Usage::default() };
    let billed = Usage { billed: Some(Billed { input: 5, output: 3 }), ..counted };
    check(&prices, billed, "0.000011", true);
    // How long the prompt was still decides on the price.
    check(&prices, Usage { input: 101, ..billed }, "0.000056", true);
    let both = counted.plus(billed);
    assert_eq!(both.billed, Some(Billed { input: 55, output: 12 }));
    assert_eq!((both.input, counted.plus(counted).billed), (100, None));
    let huge = Billed { input: Usage::MOST_TOKENS + 1, output: 0 };
    assert!(billed.is_plausible() && !Usage { billed: Some(huge), ..counted }.is_plausible());
}

#[test]
fn what_is_weighed_agrees_with_the_account() {
    let step = Rates::default().with(Rate::Input, usd("2"));
    let rates = Rates::default()
        .with(Rate::Input, usd("1"))
        .with(Rate::CachedInput, usd("0.1"))
        .with(Rate::Output, usd("3"));
    let prices = Prices::new(rates).with_step(100, step);
    let pricing = Pricing::from(prices);
    for (input, cache_read, output) in [(0, 0, 0), (100, 50, 7), (101, 50, 7), (5000, 0, 0)] {
        let usage = Usage { input, cache_read, output, ..Usage::default() };
        let weighed = pricing.tariff().of_tokens(input, cache_read, output);
        assert_eq!(weighed, Some(pricing.charge(&usage).cost), "{usage:?}");
    }
    assert_eq!(Pricing::Unknown.tariff().of_tokens(1, 0, 1), None);
    let image = Pricing::from(Prices::default().with_unit(Unit::Image, each("0.04")));
    assert_eq!(image.tariff(), Tariff::Unknown);
}

fn usage() -> impl Strategy<Value = Usage> {
    // Each part is cut to what its whole has left, as every sound report of usage has it.
    let token = 0..2_000_000_u64;
    (proptest::collection::vec(token, 10), 0..100_u32, 0..100_000_u32).prop_map(|(n, images, millis)| {
        let [input, read, write, hour, audio, image, output, reasoning, sound, picture] = n[..] else {
            return Usage::default();
        };
        let cache_read = read.min(input);
        let cache_write = write.min(input - cache_read);
        let audio_input = audio.min(input);
        let reasoning = reasoning.min(output);
        let audio_output = sound.min(output - reasoning);
        Usage {
            input,
            cache_read,
            cache_write,
            cache_write_1h: hour.min(cache_write),
            audio_input,
            image_input: image.min(input - audio_input),
            output,
            reasoning,
            audio_output,
            image_output: picture.min(output - reasoning - audio_output),
            pieces: Pieces { images, output_millis: millis, ..Pieces::default() },
            ..Usage::default()
        }
    })
}

fn rates() -> impl Strategy<Value = Rates> {
    proptest::collection::vec(proptest::option::of(0..100_000_000_u64), Rate::ALL.len()).prop_map(|all| {
        let stated = Rate::ALL.into_iter().zip(all);
        stated.fold(Rates::default(), |mut rates, (rate, price)| {
            rates.set(rate, price.map(Price::from_micro_usd_per_million));
            rates
        })
    })
}

proptest! {
    #[test]
    fn one_price_for_all_is_that_price_however_tokens_are_parted(usage in usage(), price in 0..1_000_000_000_u64) {
        prop_assert!(usage.is_plausible());
        let price = Price::from_micro_usd_per_million(price);
        let charge = Prices::by_token(price, price).charge(&usage);
        prop_assert_eq!(charge, Charge { cost: price.of(usage.total()), complete: true });
    }

    #[test]
    fn the_charge_is_the_sum_of_its_parts(usage in usage(), rates in rates()) {
        let own = Usage { pieces: Pieces::default(), ..usage };
        let fresh = own.input_uncached();
        let audio = own.audio_input.min(fresh);
        let image = own.image_input.min(fresh - audio);
        let parts = [
            (Rate::Input, fresh - audio - image),
            (Rate::AudioInput, audio),
            (Rate::ImageInput, image),
            (Rate::CachedInput, own.cache_read),
            (Rate::CacheWrite, own.cache_write - own.cache_write_1h),
            (Rate::CacheWrite1h, own.cache_write_1h),
            (Rate::Output, own.output - own.reasoning - own.audio_output - own.image_output),
            (Rate::Reasoning, own.reasoning),
            (Rate::AudioOutput, own.audio_output),
            (Rate::ImageOutput, own.image_output),
        ];
        let known = |(rate, tokens): &(Rate, u64)| rates.of(*rate).map(|price| price.of(*tokens));
        let expect = Charge {
            cost: parts.iter().filter_map(known).sum(),
            complete: parts.iter().all(|part| part.1 == 0 || known(part).is_some()),
        };
        prop_assert_eq!(Prices::new(rates).charge(&own), expect);
    }

    #[test]
    fn more_of_anything_never_costs_less(usage in usage(), rates in rates(), more in 0..1_000_u64) {
        let prices = Prices::new(rates);
        let dearer = Usage { input: usage.input + more, output: usage.output + more, ..usage };
        let (charge, more) = (prices.charge(&usage), prices.charge(&dearer));
        prop_assert!(more.cost >= charge.cost);
        prop_assert!(charge.complete || !more.complete);
    }

    #[test]
    fn steps_are_those_that_the_prompt_is_above(
        base in rates(), first in rates(), second in rates(), prompt in 0..5_000_u64,
    ) {
        let prices = Prices::new(base).with_step(3_000, second).with_step(1_000, first);
        let at = prices.rates_at(prompt);
        for rate in Rate::ALL {
            let mut expect = base.stated(rate);
            if prompt > 1_000 {
                expect = first.stated(rate).or(expect);
            }
            if prompt > 3_000 {
                expect = second.stated(rate).or(expect);
            }
            prop_assert_eq!(at.stated(rate), expect);
        }
    }

    #[test]
    fn time_is_charged_to_the_millisecond(nano_usd in 0..1_000_000_000_u64, millis: u32) {
        let price = Price::from_micro_usd_per_million(nano_usd * 1000);
        let usage = Usage { pieces: Pieces { output_millis: millis, ..Pieces::default() }, ..Usage::default() };
        let cost = Prices::default().with_unit(Unit::OutputSecond, price).charge(&usage).cost;
        prop_assert_eq!(cost.pico_usd(), i128::from(nano_usd) * i128::from(millis));
    }
}
