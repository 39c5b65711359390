//! The best that is not too dear.

use super::ranking::{Ranked, Ranking};
use super::{Ask, Kind, Order, Policy, Setting, Shape, comparable};
use crate::windows::Size;
use crate::{Chance, Figure, Health, Reason};
use weir_core::Cost;

pub(super) const KIND: Kind = Kind {
    name: "quality",
    description: "Takes the deployment with the highest `quality` whose expected cost is within the cap; among equals the cheapest. Those above the cap come behind, cheapest first, and last those whose price nobody knows.",
    settings: &[Setting {
        name: "max_cost",
        meaning: "What one request may be expected to cost.",
        shape: Shape::Usd,
        default: "",
    }],
    build: |build| {
        Box::new(BestQuality {
            ranking: Ranking::new(build.members),
            max_cost: build.settings.usd("max_cost"),
        })
    },
};

struct BestQuality {
    ranking: Ranking,
    max_cost: Option<Cost>,
}

impl Policy for BestQuality {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.ranking.order(
            ask,
            chance,
            0.0,
            out,
            |ranked, size, health| self.look(ranked, size, health),
            |_| {},
        );
    }

    fn class(&self, ask: &Ask<'_, '_>, deployment: u32) -> u8 {
        self.ranking.tier(ask, deployment, |ranked, size, health| self.look(ranked, size, health))
    }
}

impl BestQuality {
    fn look(&self, ranked: &mut Ranked, size: Size, health: Option<&Health>) {
        let cost = ranked.member.expected_cost(size, health);
        let quality = ranked.member.quality;
        ranked.figure = cost.map_or(Figure::Rated(quality), |cost| Figure::Quality(quality, cost));
        if self.max_cost.is_some_and(|most| cost.is_none_or(|cost| cost > most)) {
            (ranked.tier, ranked.score) = (1, comparable(cost));
            ranked.reason = cost.map_or(Reason::PriceUnknown, |_| Reason::OverPrice);
        } else {
            ranked.score = -f64::from(quality);
            ranked.second = comparable(cost);
            ranked.reason = Reason::BestQuality;
        }
    }
}
