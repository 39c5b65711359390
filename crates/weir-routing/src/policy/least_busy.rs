//! Where the least work is under way.

use super::ranking::Ranking;
use super::{Ask, Kind, Order, Policy};
use crate::{Chance, Figure, Health, Reason};
use std::time::Duration;

pub(super) const KIND: Kind = Kind {
    name: "least_busy",
    description: "Takes the deployment where the calls under way are expected to take least time together, for its weight.",
    settings: &[],
    build: |build| Box::new(LeastBusy(Ranking::new(build.members))),
};

struct LeastBusy(Ranking);

/// The work under way at a deployment. Calls that nothing is known about count a little, so that they count at all.
pub(super) fn busy(health: Option<&Health>) -> Duration {
    let Some(health) = health else { return Duration::ZERO };
    health.windows().outstanding() + Duration::from_millis(1) * health.in_flight()
}

impl Policy for LeastBusy {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.0.order(
            ask,
            chance,
            0.0,
            out,
            |ranked, _, health| {
                let busy = busy(health);
                ranked.score = busy.as_secs_f64() / f64::from(ranked.member.weight.max(1));
                ranked.reason = Reason::LeastBusy;
                ranked.figure = Figure::Busy(busy);
            },
            |_| {},
        );
    }
}
