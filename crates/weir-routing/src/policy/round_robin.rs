//! Smooth weighted round robin.

use super::{Ask, Kind, Member, Order, Policy};
use crate::{Candidate, Chance, Reason};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

pub(super) const KIND: Kind = Kind {
    name: "round_robin",
    description: "Takes turns; a deployment of weight 2 has twice as many, evenly spaced.",
    settings: &[],
    build: |build| Box::new(RoundRobin::new(build.members)),
};

/// Stride scheduling (Waldspurger and Weihl, MIT/LCS/TM-528, 1995): each member's turns are spaced by one over its
/// weight on a common virtual time, and the earliest turn is next. Times are fractions compared exactly, so the shares
/// over one cycle are the weights, to the request. Finding the next costs O(log n).
///
/// A member whose turn comes while it is unusable loses that turn: when it is back it goes on from the present and
/// does not make up for what it missed. Only the first of an order has used its turn; the others are what would come
/// next.
struct RoundRobin {
    state: RefCell<Turns>,
}

struct Turns {
    next: BinaryHeap<Turn>,
    /// Turns taken out of `next` while an order is made; empty between two orders.
    met: Vec<Turn>,
    last_resorts: Box<[u32]>,
    /// Where among the last resorts the next order starts.
    last_resort: usize,
}

/// The next turn of one member, at the virtual time `(2·taken + 1) / (2·weight)`: in the middle of its share, so that a
/// heavy member does not begin with a run of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    deployment: u32,
    weight: u32,
    /// Turns used or lost before this one.
    taken: u64,
    /// Place in the configuration; breaks ties.
    place: usize,
}

impl Turn {
    /// Twice the virtual time, times the weight.
    fn numerator(&self) -> u128 {
        2 * u128::from(self.taken) + 1
    }

    /// Loses the turns before the time of `other`.
    fn skip_to(&mut self, other: &Turn) {
        let (weight, by) = (u128::from(self.weight), u128::from(other.weight));
        let taken = (other.numerator() * weight).saturating_sub(by).div_ceil(2 * by);
        self.taken = self.taken.max(u64::try_from(taken).unwrap_or(u64::MAX));
    }
}

impl Ord for Turn {
    /// The earliest turn is the greatest, as the heap wants it.
    fn cmp(&self, other: &Self) -> Ordering {
        let mine = self.numerator() * u128::from(other.weight);
        let theirs = other.numerator() * u128::from(self.weight);
        theirs.cmp(&mine).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl RoundRobin {
    fn new(members: &[Member]) -> Self {
        let turn = |(place, m): (usize, &Member)| Turn {
            deployment: m.deployment,
            weight: m.weight,
            taken: 0,
            place,
        };
        let next: BinaryHeap<Turn> =
            members.iter().enumerate().filter(|(_, m)| m.weight > 0).map(turn).collect();
        RoundRobin {
            state: RefCell::new(Turns {
                met: Vec::with_capacity(next.len()),
                next,
                last_resorts: members.iter().filter(|m| m.weight == 0).map(|m| m.deployment).collect(),
                last_resort: 0,
            }),
        }
    }
}

impl Policy for RoundRobin {
    fn order(&self, ask: &Ask<'_, '_>, _chance: &mut dyn Chance, out: &mut Order) {
        let mut state = self.state.borrow_mut();
        let Turns { next, met, last_resorts, last_resort } = &mut *state;
        let mut first: Option<Turn> = None;
        while out.len() < ask.wanted
            && let Some(turn) = next.pop()
        {
            met.push(turn);
            if (ask.usable)(turn.deployment) {
                first = first.or(Some(turn));
                out.push(Candidate::new(turn.deployment, Reason::InTurn));
            }
        }
        for mut turn in met.drain(..) {
            match &first {
                _ if ask.request.tentative => {}
                Some(first) if turn == *first => turn.taken += 1,
                Some(first) if turn > *first => turn.skip_to(first),
                _ => {}
            }
            next.push(turn);
        }
        if out.len() < ask.wanted && !last_resorts.is_empty() {
            let count = last_resorts.len();
            for &deployment in last_resorts.iter().cycle().skip(*last_resort).take(count) {
                if out.len() < ask.wanted && (ask.usable)(deployment) {
                    out.push(Candidate::new(deployment, Reason::LastResort));
                }
            }
            if first.is_none() && !ask.request.tentative {
                *last_resort = (*last_resort + 1) % count;
            }
        }
    }
}
