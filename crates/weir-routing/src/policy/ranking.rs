//! What policies share that look at every member and rank it by figures.

use super::{Ask, Member, Order, Setting, Shape};
use crate::windows::{Forecast, Latency, Size};
use crate::{Candidate, Chance, Figure, Health, Reason};
use std::cell::RefCell;
use std::time::Duration;

/// The settings by which a latency is chosen.
pub(super) const LATENCIES: &[&str] = &["first_token", "total"];

/// The setting of policies that compare latencies.
pub(super) const OF: Setting = Setting {
    name: "of",
    meaning: "Which latency counts.",
    shape: Shape::OneOf(LATENCIES),
    default: "first_token",
};

/// What a latency is expected to be for this request at a deployment, so far as is known.
pub(super) fn forecast(
    ask: &Ask<'_, '_>,
    latency: Latency,
    size: Size,
    health: Option<&Health>,
) -> Option<Forecast> {
    health?.windows().forecast(ask.request.latency(latency), size, ask.now)
}

/// The latency that a setting names.
pub(super) fn latency(word: &str) -> Latency {
    if word == "total" { Latency::Total } else { Latency::First }
}

/// One usable member and its place among the others: by `tier`, then `score`, then `second`, less before more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    pub(super) member: Member,
    pub(super) tier: u8,
    pub(super) score: f64,
    pub(super) second: f64,
    pub(super) reason: Reason,
    pub(super) figure: Figure,
    /// What was looked up for it, as the policy needs it.
    pub(super) raw: [f64; 4],
    /// Decides between equals; drawn anew for each order.
    tie: u64,
}

impl Ranked {
    fn new(member: Member, tie: u64) -> Self {
        Ranked {
            member,
            tier: 0,
            score: 0.0,
            second: 0.0,
            reason: Reason::Preferred,
            figure: Figure::None,
            raw: [0.0; 4],
            tie,
        }
    }
}

/// The tier of members that have no weight.
const LAST: u8 = u8::MAX;

/// The members of a route, with room to rank them in, so that a warm request allocates nothing.
pub(super) struct Ranking {
    members: Box<[Member]>,
    room: RefCell<Vec<Ranked>>,
}

impl Ranking {
    pub(super) fn new(members: &[Member]) -> Self {
        Ranking { members: members.into(), room: RefCell::new(Vec::with_capacity(members.len())) }
    }

    /// The tier into which `look` puts this member.
    pub(super) fn tier(
        &self,
        ask: &Ask<'_, '_>,
        deployment: u32,
        mut look: impl FnMut(&mut Ranked, Size, Option<&Health>),
    ) -> u8 {
        let member = self.members.iter().find(|member| member.deployment == deployment);
        let health = (ask.health)(deployment);
        member.map_or(LAST, |member| {
            let mut ranked = Ranked::new(*member, 0);
            look(&mut ranked, ask.request.size(health), health);
            if member.weight == 0 { LAST } else { ranked.tier }
        })
    }

    /// Looks at every usable member, lets `weigh` rank them all, and appends the best to `out`. With probability `probe`
    /// one that is not the best comes first, to see how it does.
    pub(super) fn order(
        &self,
        ask: &Ask<'_, '_>,
        chance: &mut dyn Chance,
        probe: f64,
        out: &mut Order,
        mut look: impl FnMut(&mut Ranked, Size, Option<&Health>),
        weigh: impl FnOnce(&mut [Ranked]),
    ) {
        let mut room = self.room.borrow_mut();
        room.clear();
        let salt = chance.next_u64() | 1;
        for (place, member) in (1u64..).zip(&self.members) {
            if !(ask.usable)(member.deployment) {
                continue;
            }
            let health = (ask.health)(member.deployment);
            let tie = place.wrapping_mul(salt).rotate_left(32).wrapping_mul(salt);
            let mut ranked = Ranked::new(*member, tie);
            look(&mut ranked, ask.request.size(health), health);
            room.push(ranked);
        }
        weigh(&mut room);
        for ranked in room.iter_mut().filter(|ranked| ranked.member.weight == 0) {
            (ranked.tier, ranked.reason) = (LAST, Reason::LastResort);
        }
        let wanted = ask.wanted.min(room.len());
        if wanted == 0 {
            return;
        }
        let by_rank = |a: &Ranked, b: &Ranked| {
            let by_score = a.tier.cmp(&b.tier).then(a.score.total_cmp(&b.score));
            by_score.then(a.second.total_cmp(&b.second)).then(a.tie.cmp(&b.tie))
        };
        if wanted < room.len() {
            room.select_nth_unstable_by(wanted - 1, by_rank);
        }
        let best = room.get_mut(..wanted).unwrap_or_default();
        best.sort_unstable_by(by_rank);
        if probe > 0.0 && happens(probe, chance) {
            put_another_first(&mut room, wanted, chance);
        }
        out.extend(room.iter().take(wanted).map(|ranked| Candidate {
            deployment: ranked.member.deployment,
            reason: ranked.reason,
            figure: ranked.figure,
        }));
    }
}

fn happens(probability: f64, chance: &mut dyn Chance) -> bool {
    ((chance.next_u64() >> 11) as f64) < probability * (1u64 << 53) as f64
}

/// Puts one with a weight, drawn among those that are not the best, before all others.
fn put_another_first(room: &mut [Ranked], wanted: usize, chance: &mut dyn Chance) {
    let others = room.iter().skip(1).filter(|ranked| ranked.tier != LAST).count();
    if others == 0 {
        return;
    }
    let nth = usize::try_from(chance.below(others as u64)).unwrap_or(0);
    let drawn = room.iter().enumerate().skip(1).filter(|(_, ranked)| ranked.tier != LAST).nth(nth);
    let Some((drawn, _)) = drawn else { return };
    if let Some(ranked) = room.get_mut(drawn) {
        ranked.reason = Reason::Probe;
    }
    // One from behind takes the place of the last that was wanted; then the drawn one goes to the front.
    let last = drawn.min(wanted - 1);
    room.swap(drawn, last);
    if let Some(front) = room.get_mut(..=last) {
        front.rotate_right(1);
    }
}

/// Seconds as a figure shows them.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
