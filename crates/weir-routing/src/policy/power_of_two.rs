//! The less busy of two.

use super::least_busy::busy;
use super::weighted::Weighted;
use super::{Ask, Kind, Order, Policy};
use crate::{Chance, Figure, Reason};

pub(super) const KIND: Kind = Kind {
    name: "power_of_two",
    description: "Draws two deployments by weight and takes the one where less work is under way.",
    settings: &[],
    build: |build| Box::new(PowerOfTwo(Weighted::new(build.members))),
};

/// Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (IEEE TPDS 12:10, 2001): nearly as even as
/// looking at all, at the cost of two, and without everybody running to the same idle one.
struct PowerOfTwo(Weighted);

impl Policy for PowerOfTwo {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        if ask.wanted == 0 {
            return;
        }
        self.0.order(&Ask { wanted: ask.wanted.max(2), ..*ask }, chance, out);
        if let [first, second, ..] = out.as_mut_slice()
            && second.reason != Reason::LastResort
        {
            let works =
                [&*first, &*second].map(|candidate| busy((ask.health)(candidate.deployment), ask.now));
            let [of_first, of_second] = works;
            (first.figure, second.figure) = (Figure::Busy(of_first), Figure::Busy(of_second));
            if of_second < of_first {
                std::mem::swap(first, second);
            }
            first.reason = Reason::LeastBusy;
        }
        out.truncate(ask.wanted);
    }
}
