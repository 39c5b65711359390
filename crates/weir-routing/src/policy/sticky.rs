//! Sessions keep their place.

use super::{Ask, Build, Kind, Member, Order, Policy, Setting, Shape};
use crate::windows::{Latency, Size};
use crate::{Candidate, Chance, Reason};
use std::time::Duration;

pub(super) const KIND: Kind = Kind {
    name: "sticky",
    description: "Keeps the requests of one session (`x-weir-session`, else `user`) at one deployment, so that its prompt cache is hit, as long as it may be called and is not much slower than another; requests of no session go by the inner policy.",
    settings: &[
        Setting {
            name: "over",
            meaning: "The policy for requests without a session and for the places behind the session's own.",
            shape: Shape::Policy,
            default: "weighted",
        },
        Setting {
            name: "moving_costs",
            meaning: "A request leaves its session's place when its first token is expected so much later there than where it would go: what the prompt has to be computed again costs.",
            shape: Shape::Duration,
            default: "2s",
        },
    ],
    build: |build| Box::new(Sticky::new(build)),
};

/// Rendezvous hashing (Thaler and Ravishankar, IEEE/ACM ToN 6:1, 1998), weighted: a session's place is the member with the
/// greatest `-weight / ln(hash of session and member)`. When a member leaves, its sessions alone move, and they come back
/// with it. No state, so every core, every reload and every other Weir agrees.
struct Sticky {
    members: Box<[Member]>,
    over: Box<dyn Policy>,
    moving_costs: Duration,
}

impl Sticky {
    fn new(build: &Build<'_>) -> Self {
        Sticky {
            members: build.members.iter().filter(|member| member.weight > 0).copied().collect(),
            over: build.settings.policy("over", build),
            moving_costs: build.settings.duration("moving_costs").unwrap_or_default(),
        }
    }

    /// The usable member that comes first for this session.
    fn place(&self, session: u64, ask: &Ask<'_, '_>) -> Option<u32> {
        let scores = self.members.iter().map(|member| (worth(session, member), member.deployment));
        let mut best: Option<(f64, u32)> = None;
        for (worth, deployment) in scores {
            if best.is_none_or(|(most, _)| worth > most) && (ask.usable)(deployment) {
                best = Some((worth, deployment));
            }
        }
        best.map(|(_, deployment)| deployment)
    }

    /// When a deployment's first token is expected.
    fn first_token(ask: &Ask<'_, '_>, deployment: u32) -> Option<Duration> {
        let health = (ask.health)(deployment)?;
        let size: Size = ask.request.size(Some(health));
        health
            .windows()
            .forecast(ask.request.latency(Latency::First), size, ask.now)
            .map(|forecast| forecast.median())
    }
}

/// Uniform draws in (0, 1) by hash; the greatest of `-weight / ln(draw)` falls to each in proportion to its weight.
fn worth(session: u64, member: &Member) -> f64 {
    let mut hash = session ^ (u64::from(member.deployment) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let draw = (((hash ^ (hash >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(member.weight) / draw.ln()
}

impl Policy for Sticky {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.over.order(ask, chance, out);
        let Some(place) = ask.request.session.and_then(|session| self.place(session, ask)) else { return };
        let Some(other) = out.first().map(|first| first.deployment) else { return };
        if other == place {
            if let Some(first) = out.first_mut() {
                first.reason = Reason::Sticky;
            }
            return;
        }
        if let (Some(stay), Some(moved)) = (Self::first_token(ask, place), Self::first_token(ask, other))
            && stay > moved.saturating_add(self.moving_costs)
        {
            return;
        }
        let figure = out.iter().find(|known| known.deployment == place).map(|known| known.figure);
        out.retain(|candidate| candidate.deployment != place);
        out.truncate(ask.wanted.saturating_sub(1));
        let figure = figure.unwrap_or_default();
        out.insert(0, Candidate { deployment: place, reason: Reason::Sticky, figure });
    }
}
