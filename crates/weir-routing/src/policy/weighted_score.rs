//! The best sum of several figures.

use super::latency::PROBE;
use super::ranking::{OF, Ranked, Ranking, forecast, latency};
use super::{Ask, Kind, Order, Policy, Setting, Shape, adjusted, comparable};
use crate::adjust::{self, Weights};
use crate::windows::Latency;
use crate::{Chance, Figure, Reason};
use std::cell::Cell;
use std::sync::Arc;

const fn weight(name: &'static str, meaning: &'static str, default: &'static str) -> Setting {
    Setting { name, meaning, shape: Shape::Number(0.0, 1000.0), default }
}

pub(super) const KIND: Kind = Kind {
    name: "weighted_score",
    description: "Takes the deployment with the best weighted sum of cost, latency, error rate and quality, each from 0 for the best of the route to 1 for the worst, which is also what an unknown price counts as.",
    settings: &[
        weight("cost", "The weight of the expected cost.", "1"),
        weight("latency", "The weight of the expected latency.", "1"),
        weight("errors", "The weight of the error rate.", "1"),
        weight("quality", "The weight of the deployment's `quality`.", "0"),
        OF,
        Setting {
            name: "hysteresis",
            meaning: "How much better another has to be before it takes the place of the present best.",
            shape: Shape::Number(0.0, 1.0),
            default: "0.05",
        },
        PROBE,
        adjusted::FOLLOW,
        adjusted::LEAST,
        adjusted::MOST,
        adjusted::EVERY,
    ],
    build: |build| {
        let settings = build.settings;
        Box::new(WeightedScore {
            ranking: Ranking::new(build.members),
            weights: ["cost", "latency", "errors", "quality"].map(|name| settings.number(name)),
            latency: latency(settings.word("of")),
            hysteresis: settings.number("hysteresis"),
            probe: settings.number("probe"),
            adjusted: adjusted::weights(build),
            present: Cell::new(None),
        })
    },
};

struct WeightedScore {
    ranking: Ranking,
    /// Of cost, latency, errors and quality.
    weights: [f64; 4],
    latency: Latency,
    hysteresis: f64,
    probe: f64,
    /// Whose scores are divided by their factors.
    adjusted: Option<Arc<Weights>>,
    /// The best of the order before.
    present: Cell<Option<u32>>,
}

impl WeightedScore {
    fn weigh(&self, all: &mut [Ranked], tentative: bool) {
        let total: f64 = self.weights.iter().sum();
        for (figure, weight) in self.weights.iter().enumerate() {
            let values =
                || all.iter().filter(|r| r.member.weight > 0).filter_map(|r| r.raw.get(figure).copied());
            let known = || values().filter(|value| value.is_finite());
            let least = known().fold(f64::INFINITY, f64::min);
            let most = known().fold(f64::NEG_INFINITY, f64::max);
            let span = most - least;
            for ranked in &mut *all {
                // What calls will tell counts as the best: so it becomes known. No call tells a price.
                let value = match ranked.raw.get(figure).copied() {
                    Some(value) if value.is_finite() => value,
                    Some(f64::INFINITY) => most,
                    _ => least,
                };
                if span > 0.0 && total > 0.0 {
                    ranked.score += weight / total * (value - least) / span;
                }
            }
        }
        if let Some(weights) = &self.adjusted {
            // Both are in the order of the file.
            let mut factors = weights.factors();
            for ranked in &mut *all {
                let mine = factors.find(|(member, _)| member.deployment == ranked.member.deployment);
                ranked.score /= mine.map_or(1.0, |(_, factor)| factor);
            }
        }
        for ranked in &mut *all {
            ranked.reason = Reason::BestScore;
            ranked.figure = Figure::Score(thousandths(ranked.score));
            if self.present.get() == Some(ranked.member.deployment) {
                ranked.score -= self.hysteresis;
            }
        }
        let with_weight = all.iter().filter(|ranked| ranked.member.weight > 0);
        let best = with_weight.min_by(|a, b| a.score.total_cmp(&b.score).then(a.second.total_cmp(&b.second)));
        let best = best.map(|best| best.member.deployment);
        if !tentative {
            self.present.set(best);
        }
        // Before its equals, in this order as in the next.
        for ranked in all.iter_mut().filter(|ranked| Some(ranked.member.deployment) == best) {
            ranked.second = -1.0;
        }
    }
}

impl Policy for WeightedScore {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.ranking.order(
            ask,
            chance,
            self.probe,
            out,
            |ranked, size, health| {
                let forecast = forecast(ask, self.latency, size, health);
                ranked.raw = [
                    comparable(ranked.member.expected_cost(size, health)),
                    forecast.map_or(f64::NAN, |forecast| forecast.quantile(0.5)),
                    health.map_or(0.0, |health| health.windows().error_rate(ask.now)),
                    -f64::from(ranked.member.quality),
                ];
            },
            |all| self.weigh(all, ask.request.tentative),
        );
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a score is from 0 to 1, divided by a factor"
)]
fn thousandths(score: f64) -> u32 {
    (score.clamp(0.0, 1.0 / adjust::LEAST) * 1000.0) as u32
}
