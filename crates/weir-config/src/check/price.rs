//! What is charged for what.

use crate::file::price::Price;
use crate::file::text::PriceText;
use crate::node::Place;
use crate::problem::Problem;
use weir_core::{Prices, Pricing, Rate, Unit};

/// The price of a deployment. One by the token has at least `input` and `output`: whoever leaves one out has forgotten it.
pub(super) fn check_price(price: &Price, place: &Place<'_>, problems: &mut Vec<Problem>) -> Pricing {
    let prices = check_prices(price, place, problems);
    if let Some(PriceText(per_hour)) = price.per_hour {
        if !prices.is_empty() {
            let problem = place.key("per_hour").problem("a price by the hour stands beside prices by use");
            problems.push(problem.with_help("give one or the other"));
        }
        return Pricing::PerHour(per_hour.micro_usd_per_million());
    }
    let by_piece = Unit::ALL.into_iter().any(|unit| prices.unit(unit).is_some());
    let by_token = !by_piece || !prices.rates().is_empty();
    if by_token && !place.has_broken() {
        for rate in
            [Rate::Input, Rate::Output].into_iter().filter(|rate| prices.rates().stated(*rate).is_none())
        {
            let problem = place.key_problem(format!("{:?} is missing", rate.name()));
            let help = "a price has `input` and `output` (0 for none), prices by the piece, or `per_hour`";
            problems.push(problem.with_help(help));
        }
    }
    prices.into()
}

/// Prices by use, as far as they are stated.
pub(crate) fn check_prices(price: &Price, place: &Place<'_>, problems: &mut Vec<Problem>) -> Prices {
    let mut prices = Prices::new(price.rates());
    for unit in Unit::ALL {
        if let Some(price) = price.unit(unit) {
            prices = prices.with_unit(unit, price);
        }
    }
    for ((above, step), (_, place)) in price.above.0.iter().zip(place.key("above").entries()) {
        match above.parse() {
            Ok(_) if step.rates().is_empty() && !place.has_broken() => {
                problems.push(place.key_problem("no price is stated for these prompts"));
            }
            Ok(0) | Err(_) => {
                let problem = place.key_problem(format!("{above:?} is not a number of tokens"));
                problems.push(problem.with_help("as in `above: { 200000: { input: 0.3 } }`"));
            }
            Ok(above) if prices.steps().iter().any(|known| known.above == above) => {
                problems.push(place.key_problem("the same number of tokens is there twice"));
            }
            Ok(above) => prices = prices.with_step(above, step.rates()),
        }
    }
    prices
}
