//! The cheapest that is quick enough.

use super::latency::PROBE;
use super::ranking::{LATENCIES, Ranked, Ranking, forecast, latency};
use super::{Ask, Kind, Order, Policy, Setting, Shape, comparable};
use crate::windows::{Latency, Size};
use crate::{Chance, Figure, Health, Reason};
use std::time::Duration;

pub(super) const KIND: Kind = Kind {
    name: "latency_budget",
    description: "Takes the cheapest deployment that is likely enough to answer within the budget; if there is none, the one that is likeliest to. What nobody knows the price of counts as the dearest.",
    settings: &[
        Setting {
            name: "budget",
            meaning: "How long it may take. A request that may say so brings its own (`x-weir-latency-budget-ms`).",
            shape: Shape::Duration,
            default: "5s",
        },
        Setting {
            name: "of",
            meaning: "Which latency the budget is for.",
            shape: Shape::OneOf(LATENCIES),
            default: "first_token",
        },
        Setting {
            name: "share",
            meaning: "How likely it has to be that the budget is kept.",
            shape: Shape::Number(0.5, 0.999),
            default: "0.95",
        },
        PROBE,
    ],
    build: |build| {
        let settings = build.settings;
        Box::new(LatencyBudget {
            ranking: Ranking::new(build.members),
            latency: latency(settings.word("of")),
            budget: settings.duration("budget").unwrap_or(Duration::MAX),
            share: settings.number("share"),
            probe: settings.number("probe"),
        })
    },
};

/// With fewer samples than this a deployment is unproven: it is taken at its word, one call at a time.
const PROVEN: f64 = 4.0;
/// So many standard errors of an estimated chance are taken off it: few samples promise little.
const CAUTION: f64 = 0.5;

struct LatencyBudget {
    ranking: Ranking,
    latency: Latency,
    budget: Duration,
    share: f64,
    probe: f64,
}

impl Policy for LatencyBudget {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        let look = |ranked: &mut Ranked, size: Size, health: Option<&Health>| {
            self.look(ask, ranked, size, health);
        };
        self.ranking.order(ask, chance, self.probe, out, look, |_| {});
    }

    fn class(&self, ask: &Ask<'_, '_>, deployment: u32) -> u8 {
        let tier = self.ranking.tier(ask, deployment, |ranked, size, health| {
            self.look(ask, ranked, size, health);
        });
        // Of whom nothing is known, nothing is known against, however many calls find out.
        if tier < OVER_BUDGET { 0 } else { tier }
    }
}

/// The tier of those that are not likely enough to keep the budget.
const OVER_BUDGET: u8 = 2;

impl LatencyBudget {
    fn look(&self, ask: &Ask<'_, '_>, ranked: &mut Ranked, size: Size, health: Option<&Health>) {
        let budget = ask.request.budget.unwrap_or(self.budget).as_secs_f64();
        let cost = ranked.member.expected_cost(size, health);
        let figure = |chance| cost.map_or(Figure::Chance(chance), |cost| Figure::Budget(chance, cost));
        let latency = if ask.request.budget_of_first { Latency::First } else { self.latency };
        let forecast = forecast(ask, latency, size, health);
        let forecast = forecast.filter(|forecast| forecast.samples >= PROVEN);
        let Some(forecast) = forecast else {
            // Nobody knows. One call finds out; while it is under way the others go where something is known.
            (ranked.tier, ranked.score) = (u8::from(size.in_flight > 0), comparable(cost));
            ranked.second = f64::from(size.in_flight);
            ranked.reason = Reason::Unproven;
            ranked.figure = figure(None);
            return;
        };
        let within = forecast.within(budget);
        let error = (within * (1.0 - within) / forecast.samples).sqrt();
        let kept = within - CAUTION * error >= self.share;
        ranked.figure = figure(Some(thousandths(within)));
        ranked.second = forecast.quantile(self.share);
        if kept {
            ranked.score = comparable(cost);
            ranked.reason = Reason::InBudget;
        } else {
            (ranked.tier, ranked.score) = (OVER_BUDGET, -within);
            ranked.reason = Reason::OverBudget;
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a probability")]
fn thousandths(probability: f64) -> u16 {
    (probability.clamp(0.0, 1.0) * 1000.0) as u16
}
