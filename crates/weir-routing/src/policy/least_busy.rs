//! Where the least work is under way.

use super::ranking::Ranking;
use super::{Ask, Kind, Order, Policy};
use crate::windows::Series;
use crate::{Chance, Figure, Health, Reason};
use std::time::Duration;
use weir_core::Moment;

pub(super) const KIND: Kind = Kind {
    name: "least_busy",
    description: "Takes the deployment where the calls under way are expected to take least time together, for its weight; where its server tells its gauges, what others have under way there counts, too.",
    settings: &[],
    build: |build| Box::new(LeastBusy(Ranking::new(build.members))),
};

struct LeastBusy(Ranking);

/// What a request of somebody else's is taken to last where nothing is known of a deployment's answers, and at most.
const STRANGER: Duration = Duration::from_secs(1);
const LONGEST_STRANGER: f64 = 60.0;

/// The work under way at a deployment. Calls that nothing is known about count a little, so that they count at all; what
/// the server says it has to do beside them counts as so many answers of the usual length.
pub(super) fn busy(health: Option<&Health>, now: Moment) -> Duration {
    let Some(health) = health else { return Duration::ZERO };
    let own = health.windows().outstanding() + Duration::from_millis(1) * health.in_flight();
    let others = health.gauges().others(now);
    if others == 0 {
        return own;
    }
    let usual = health.windows().percentiles(Series::Total);
    let each = if usual.samples > 0.0 {
        Duration::from_secs_f64(usual.p50.clamp(0.0, LONGEST_STRANGER))
    } else {
        STRANGER
    };
    own + each * others
}

impl Policy for LeastBusy {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.0.order(
            ask,
            chance,
            0.0,
            out,
            |ranked, _, health| {
                let busy = busy(health, ask.now);
                ranked.score = busy.as_secs_f64() / f64::from(ranked.member.weight.max(1));
                ranked.reason = Reason::LeastBusy;
                ranked.figure = Figure::Busy(busy);
            },
            |_| {},
        );
    }
}
