//! The lowest cost.

use super::ranking::Ranking;
use super::{Ask, Kind, Order, Policy, comparable};
use crate::{Chance, Figure, Reason};

pub(super) const KIND: Kind = Kind {
    name: "cost",
    description: "Takes the deployment where this request is expected to cost least; among equals, where less work is under way. Where nobody knows the price, a deployment comes behind all that have one.",
    settings: &[],
    build: |build| Box::new(LowestCost(Ranking::new(build.members))),
};

struct LowestCost(Ranking);

impl Policy for LowestCost {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.0.order(
            ask,
            chance,
            0.0,
            out,
            |ranked, size, health| {
                let cost = ranked.member.expected_cost(size, health);
                ranked.score = comparable(cost);
                ranked.second = super::least_busy::busy(health, ask.now).as_secs_f64();
                ranked.reason = cost.map_or(Reason::PriceUnknown, |_| Reason::Cheapest);
                ranked.figure = cost.map_or(Figure::None, Figure::Cost);
            },
            |_| {},
        );
    }
}
