//! Sessions keep their place.

use super::{Ask, Build, Kind, Member, Order, Policy, Setting, Shape};
use crate::windows::{Forecast, Latency, Size};
use crate::{Candidate, Chance, Health, Reason};
use std::time::Duration;
use weir_core::Cost;

pub(super) const KIND: Kind = Kind {
    name: "sticky",
    description: "Keeps the requests of one conversation at one deployment, so that its prompt cache is hit, as long as it may be called and staying does not cost more than moving: not where the inner policy has somebody who keeps its budget or its cap on cost and the place does not. Requests that nothing keeps together go by the inner policy.",
    settings: &[
        Setting {
            name: "by",
            meaning: "What keeps requests together; of several the first that a request has: `session` (the header `x-weir-session`), `user` (the body's), a cookie, or `prefix` (how the conversation begins, up to the user's first message).",
            shape: Shape::Bonds,
            default: "[session, user]",
        },
        Setting {
            name: "over",
            meaning: "The policy for requests that nothing keeps together and for the places behind their own.",
            shape: Shape::Policy,
            default: "weighted",
        },
        Setting {
            name: "moving_costs",
            meaning: "A request leaves its place when its first token is expected so much later there than where it would go, over and above what computing the cached part of its prompt again is expected to take.",
            shape: Shape::Duration,
            default: "2s",
        },
        Setting {
            name: "second_costs",
            meaning: "What a second of waiting is worth. With it, what a request costs more or less elsewhere, where nothing of its prompt is cached, counts as so many seconds.",
            shape: Shape::Usd,
            default: "",
        },
    ],
    build: |build| Box::new(Sticky::new(build)),
};

/// Rendezvous hashing (Thaler and Ravishankar, IEEE/ACM ToN 6:1, 1998), weighted: a session's place is the member with the
/// greatest `-weight / ln(hash of session and member)`. When a member leaves, its sessions alone move, and they come back
/// with it; one that is added takes its share from all others, and nothing else moves. No state, so every core, every
/// reload and every other Weir agrees.
struct Sticky {
    members: Box<[Member]>,
    over: Box<dyn Policy>,
    moving_costs: Duration,
    /// USD.
    second_costs: Option<f64>,
}

impl Sticky {
    fn new(build: &Build<'_>) -> Self {
        Sticky {
            members: build.members.iter().filter(|member| member.weight > 0).copied().collect(),
            over: build.settings.policy("over", build),
            moving_costs: build.settings.duration("moving_costs").unwrap_or_default(),
            second_costs: build.settings.usd("second_costs").map(|cost| cost.approx_usd()),
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

    /// Whether the inner policy would have this place only for want of a better one, which there is; the order begins with
    /// that one then.
    fn is_worse(&self, ask: &Ask<'_, '_>, place: u32, out: &mut Order) -> bool {
        let here = self.over.class(ask, place);
        if here == 0 {
            return false;
        }
        // Whoever is first may be so for a probe.
        let better = out.iter().position(|c| self.over.class(ask, c.deployment) < here);
        let Some(better) = better else { return false };
        if let Some(first) = out.get_mut(..=better) {
            first.rotate_right(1);
        }
        moves(out);
        true
    }

    /// By how many seconds a request's first token may be later at its own place than elsewhere.
    fn moving_costs(&self, ask: &Ask<'_, '_>, place: u32, other: u32) -> f64 {
        let here = (ask.health)(place);
        let cached = here.map_or(0.0, |health| health.windows().cached_share()).clamp(0.0, 1.0);
        let there = (ask.health)(other);
        let prefill = there.and_then(|health| prefill(ask, health)).unwrap_or_default();
        let dearer = self.second_costs.filter(|worth| *worth > 0.0).map_or(0.0, |worth| {
            let of = |deployment: u32| self.members.iter().find(|member| member.deployment == deployment);
            let size = ask.request.size(there);
            let staying = of(place).and_then(|m| m.expected_cost(ask.request.size(here), here));
            let moving = of(other).and_then(|m| m.expected_cost_with(size, there, 0.0));
            let usd = |cost: Cost| cost.approx_usd();
            // Where a price is unknown, so is what moving would cost or save.
            let (Some(moving), Some(staying)) = (moving.map(usd), staying.map(usd)) else { return 0.0 };
            (moving - staying) / worth
        });
        self.moving_costs.as_secs_f64() + cached * prefill + dearer
    }

    /// When a deployment's first token is expected, in seconds.
    fn first_token(ask: &Ask<'_, '_>, deployment: u32) -> Option<f64> {
        let health = (ask.health)(deployment)?;
        let size = ask.request.size(Some(health));
        Some(first(ask, health, size)?.median().as_secs_f64())
    }
}

/// The session goes to the first of the order.
fn moves(out: &mut Order) {
    if let Some(first) = out.first_mut() {
        first.reason = Reason::Moved;
    }
}

fn first(ask: &Ask<'_, '_>, health: &Health, size: Size) -> Option<Forecast> {
    health.windows().forecast(ask.request.latency(Latency::First), size, ask.now)
}

/// What computing a prompt of which nothing is cached is expected to take, in seconds: the part of the first token that
/// grows with the prompt, which was seen with as much of it cached as there usually is.
fn prefill(ask: &Ask<'_, '_>, health: &Health) -> Option<f64> {
    let size = ask.request.size(Some(health));
    let seconds = |size: Size| Some(first(ask, health, size)?.median().as_secs_f64());
    let part = (seconds(size)? - seconds(Size { prompt: 0, ..size })?).max(0.0);
    let uncached = 1.0 - health.windows().cached_share().clamp(0.0, 0.9);
    Some(part / uncached)
}

/// Uniform draws in (0, 1) by hash; the greatest of `-weight / ln(draw)` falls to each in proportion to its weight.
fn worth(session: u64, member: &Member) -> f64 {
    let hash = mixed(session ^ mixed(member.identity));
    let draw = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(member.weight) / draw.ln()
}

/// SplitMix64's finish: every bit of the input moves every bit of the output.
fn mixed(value: u64) -> u64 {
    let hash = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

impl Policy for Sticky {
    fn class(&self, ask: &Ask<'_, '_>, deployment: u32) -> u8 {
        self.over.class(ask, deployment)
    }

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
        if self.is_worse(ask, place, out) {
            return;
        }
        if let (Some(stay), Some(moved)) = (Self::first_token(ask, place), Self::first_token(ask, other))
            && stay > moved + self.moving_costs(ask, place, other)
        {
            moves(out);
            return;
        }
        let figure = out.iter().find(|known| known.deployment == place).map(|known| known.figure);
        out.retain(|candidate| candidate.deployment != place);
        out.truncate(ask.wanted.saturating_sub(1));
        let figure = figure.unwrap_or_default();
        out.insert(0, Candidate { deployment: place, reason: Reason::Sticky, figure });
    }
}
