//! The lowest cost.

use super::ranking::Ranking;
use super::{Ask, Kind, Order, Policy};
use crate::{Chance, Figure, Reason};

pub(super) const KIND: Kind = Kind {
    name: "cost",
    description: "Takes the deployment where this request is expected to cost least; among equals, where less work is under way. Without a price, a deployment counts as free.",
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
                ranked.score = cost.approx_usd();
                ranked.second = super::least_busy::busy(health, ask.now).as_secs_f64();
                ranked.reason = Reason::Cheapest;
                ranked.figure = Figure::Cost(cost);
            },
            |_| {},
        );
    }
}
