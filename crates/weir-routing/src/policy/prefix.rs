//! Where a cache holds the prompt's beginning.

use super::ranking::Ranking;
use super::{Ask, Build, Kind, Member, Order, Policy, Setting, Shape};
use crate::prefix::{Cache, Prefix, Prompt, Ranked, Settings};
use crate::windows::{Latency, Size};
use crate::{Candidate, Chance, Figure, Reason};
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const KIND: Kind = Kind {
    name: "prefix",
    description: "Takes the deployment where waiting and computing what its cache does not hold of the prompt takes least; see docs/concepts/prefix-placement.md.",
    settings: &[
        Setting {
            name: "cache_blocks",
            meaning: "How many blocks each server's cache holds; 0 when that is not known, and then queue and balance alone decide.",
            shape: Shape::Count(0, 1 << 20),
            default: "0",
        },
        Setting {
            name: "block_tokens",
            meaning: "The tokens of one block.",
            shape: Shape::Count(16, 8192),
            default: "512",
        },
        Setting {
            name: "tokens_per_second",
            meaning: "How many tokens of a prompt each server computes in a second.",
            shape: Shape::Count(1, 10_000_000),
            default: "8000",
        },
    ],
    build: |build| Box::new(ByPrefix::new(build)),
};

pub(super) type State = Arc<Mutex<Prefix>>;

struct ByPrefix {
    state: State,
    block_tokens: u32,
    /// Members with a weight, in the order of the state's.
    members: Box<[Member]>,
    /// For when nothing is known of the prompt, and for last resorts.
    others: Ranking,
    room: RefCell<Room>,
}

/// Room that is kept, so that a warm request allocates nothing.
#[derive(Default)]
struct Room {
    blocks: Vec<u64>,
    ranked: Vec<Ranked>,
    waits: Vec<Option<Duration>>,
}

/// How often a locked state is tried.
const TRIES: usize = 64;

impl ByPrefix {
    fn new(build: &Build<'_>) -> Self {
        let settings = build.settings;
        let some = |name: &str| NonZeroU32::new(settings.count(name)).unwrap_or(NonZeroU32::MIN);
        let (block_tokens, tokens_per_second) = (some("block_tokens"), some("tokens_per_second"));
        let members: Box<[Member]> = build.members.iter().filter(|m| m.weight > 0).copied().collect();
        let cache = Cache { blocks: settings.count("cache_blocks"), tokens_per_second };
        let mut identity = DefaultHasher::new();
        (block_tokens, tokens_per_second, cache.blocks).hash(&mut identity);
        members.iter().for_each(|member| member.deployment.hash(&mut identity));
        let state = build.shared.prefix(build.pool, identity.finish(), || {
            let placing = Settings { block_tokens, most_delay: Settings::MOST_DELAY };
            Prefix::new(placing, &vec![cache; members.len()])
        });
        let (others, room) = (Ranking::new(build.members), RefCell::default());
        ByPrefix { state, block_tokens: block_tokens.get(), members, others, room }
    }

    /// How long a prompt waits at a deployment before it is computed: how much later its first token is expected for the
    /// calls in flight.
    fn wait(ask: &Ask<'_, '_>, deployment: u32) -> Duration {
        let Some(health) = (ask.health)(deployment) else { return Duration::ZERO };
        let size = ask.request.size(Some(health));
        let first = |size: Size| health.windows().forecast(Latency::First, size, ask.now);
        let (Some(now), Some(idle)) = (first(size), first(Size { in_flight: 0, ..size })) else {
            return super::least_busy::busy(Some(health), ask.now);
        };
        now.median().saturating_sub(idle.median())
    }

    /// Orders members with a weight; nothing happens when the state stays locked.
    fn by_cache(&self, ask: &Ask<'_, '_>, out: &mut Order) {
        let mut room = self.room.borrow_mut();
        let Room { blocks, ranked, waits } = &mut *room;
        blocks.clear();
        if let Some(make) = ask.request.blocks {
            make(self.block_tokens, blocks);
        }
        waits.clear();
        waits.extend(
            self.members
                .iter()
                .map(|member| (ask.usable)(member.deployment).then(|| Self::wait(ask, member.deployment))),
        );
        let locked = (0..TRIES).find_map(|_| match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => {
                std::hint::spin_loop();
                None
            }
        });
        let Some(mut state) = locked else { return };
        let prompt = Prompt { blocks, tokens: u64::from(ask.request.prompt) };
        state.rank(ask.now, prompt, waits.iter().copied(), ranked);
        for ranked in ranked.iter().take(ask.wanted) {
            let Some(member) = self.members.get(ranked.member) else { continue };
            out.push(Candidate {
                deployment: member.deployment,
                reason: if ranked.cached > 0 { Reason::CacheHeld } else { Reason::LeastBusy },
                figure: Figure::Cached(ranked.cached, ranked.first_token()),
            });
        }
        // Told at once: nearly every prompt goes where it was to go first.
        if let Some(first) = ranked.first().filter(|_| ask.wanted > 0 && !ask.request.tentative) {
            state.placed(ask.now, first.member, prompt);
        }
    }
}

impl Policy for ByPrefix {
    fn order(&self, ask: &Ask<'_, '_>, chance: &mut dyn Chance, out: &mut Order) {
        self.by_cache(ask, out);
        if out.len() >= ask.wanted {
            return;
        }
        let taken = out.clone();
        let free = |deployment: u32| {
            !taken.iter().any(|candidate| candidate.deployment == deployment) && (ask.usable)(deployment)
        };
        let rest = Ask { usable: &free, wanted: ask.wanted - out.len(), ..*ask };
        self.others.order(
            &rest,
            chance,
            0.0,
            out,
            |ranked, _, health| {
                ranked.score = super::least_busy::busy(health, ask.now).as_secs_f64();
                ranked.reason = Reason::LeastBusy;
            },
            |_| {},
        );
    }
}
