//! Where to send a prompt when the deployments are model servers that keep the work of earlier prompts.
//!
//! A model server keeps, block by block, what it computed for the beginnings of the prompts it has read. A prompt that
//! begins as an earlier one did skips that part of its prefill, if it comes to the same server before the blocks have
//! made room for others. The router does not see these caches. It knows what it sent where, and the caches' size, and
//! that is enough to keep a [`Mirror`] of each.
//!
//! [`Prefix::rank`] weighs three things, all in seconds: how long the prompt would wait, how much of it would have to be
//! computed, and how much more than its share the deployment has been given lately. [`Prefix::placed`] tells what was
//! decided. In between lies the call, which may have gone to another than the first.
//!
//! Pure: time comes as an argument, and so does everything that is known about the queues.

mod mirror;

pub use mirror::Mirror;

use std::num::NonZeroU32;
use std::time::Duration;
use weir_core::Moment;

/// One second of waiting weighs as much as so many seconds of computing. Waiting costs this prompt alone; a
/// computation that a cache would have spared delays everybody behind it as well, and pushes out blocks that others
/// would have come back for.
const WAITING: f64 = 0.1;
/// The time over which work given to a deployment is forgotten (to one part in e).
const WORK_MEMORY: Duration = Duration::from_secs(1800);
/// More work than the mean by this share is let pass: prompts come in lumps.
const WORK_SLACK: f64 = 0.02;
/// One second of work beyond that weighs as much as so many seconds of computing.
const EXCESS: f64 = 0.5;

/// What is known of a deployment's cache and speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// How many blocks it holds. Zero when that is not known: nothing is then expected to be found there, and the
    /// deployment is judged by its queue and speed alone.
    pub blocks: u32,
    /// How many tokens of a prompt it computes per second.
    pub tokens_per_second: NonZeroU32,
}

/// How prompts are placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The tokens of one block.
    pub block_tokens: NonZeroU32,
    /// The first token may come so many times as late as it could come at the earliest, for the sake of caches and
    /// balance. 1 allows no delay at all; [`NonZeroU32::MAX`] allows any.
    pub most_delay: NonZeroU32,
}

impl Settings {
    /// The usual [`Settings::most_delay`].
    pub const MOST_DELAY: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
}

/// A prompt, as placing it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// The hash of each of its blocks, in order. A block's hash stands for everything up to and with it, so two prompts
    /// share a hash exactly if they agree until there. Callers must not be able to choose hashes, else they could learn
    /// what others asked and slow the look-ups: use a keyed hash.
    pub blocks: &'a [u64],
    /// Its length; the last block may be partial.
    pub tokens: u64,
}

/// A deployment's place for one prompt, and what spoke for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranked {
    /// Its index among the deployments of this route.
    pub member: usize,
    /// Tokens that its cache is expected to hold.
    pub cached: u64,
    /// How long the prompt would wait, as given.
    pub wait: Duration,
    /// How long the rest of the prompt would take to compute.
    pub prefill: Duration,
    /// Work that it has been given lately.
    pub work: Duration,
    /// The weighted sum, in seconds of computing; less is better.
    pub score: f64,
    /// Whether the first token comes within [`Settings::most_delay`]. Those that do come before those that do not.
    pub in_time: bool,
}

impl Ranked {
    /// When the first token is expected.
    pub fn first_token(&self) -> Duration {
        self.wait.saturating_add(self.prefill)
    }
}

/// Places prompts on the deployments of one route.
///
/// Memory: [`Mirror::most_bytes`] per deployment, whatever is asked of it. Time for one prompt: for each deployment a
/// number of look-ups that grows with the logarithm of what its cache holds of the prompt; then one per block for where it
/// was placed.
#[derive(Debug)]
pub struct Prefix {
    settings: Settings,
    members: Box<[Member]>,
}

#[derive(Debug)]
struct Member {
    tokens_per_second: NonZeroU32,
    mirror: Mirror,
    /// Seconds of work given lately, as of `counted`.
    work: f64,
    counted: Moment,
}

impl Member {
    /// The tokens of this prompt that the cache is expected to hold, and the time for the rest.
    fn judge(&self, prompt: Prompt<'_>, block_tokens: NonZeroU32) -> (u64, Duration) {
        let blocks = u64::try_from(self.mirror.longest_prefix(prompt.blocks)).unwrap_or(u64::MAX);
        let cached = blocks.saturating_mul(u64::from(block_tokens.get())).min(prompt.tokens);
        (cached, time_for(prompt.tokens - cached, self.tokens_per_second))
    }

    /// Seconds of work given lately, as of `now`.
    fn work_at(&self, now: Moment) -> f64 {
        self.work * (-now.since(self.counted).as_secs_f64() / WORK_MEMORY.as_secs_f64()).exp()
    }
}

impl Prefix {
    /// For deployments with these caches; the first is member 0.
    pub fn new(settings: Settings, caches: &[Cache]) -> Self {
        let member = |cache: &Cache| Member {
            tokens_per_second: cache.tokens_per_second,
            mirror: Mirror::new(cache.blocks),
            work: 0.0,
            counted: Moment::START,
        };
        Prefix { settings, members: caches.iter().map(member).collect() }
    }

    /// Puts into `out`, best first, every member that may be called. `waits` says for each member, in order, how long a
    /// prompt would wait there before it is computed; `None` leaves it out, and so does the end of the list.
    ///
    /// In front stand those whose first token comes in time, by score; behind them the others, by first token. Equals
    /// are ordered by the work they were given lately.
    pub fn rank(
        &self,
        now: Moment,
        prompt: Prompt<'_>,
        waits: impl IntoIterator<Item = Option<Duration>>,
        out: &mut Vec<Ranked>,
    ) {
        out.clear();
        let mut total = 0.0;
        for ((index, member), wait) in self.members.iter().enumerate().zip(waits) {
            let Some(wait) = wait else { continue };
            let (cached, prefill) = member.judge(prompt, self.settings.block_tokens);
            let work = member.work_at(now);
            total += work;
            let work = seconds(work);
            out.push(Ranked { member: index, cached, wait, prefill, work, score: 0.0, in_time: false });
        }
        let Some(earliest) = out.iter().map(Ranked::first_token).min() else { return };
        let latest = earliest.saturating_mul(self.settings.most_delay.get());
        let share = total * (1.0 + WORK_SLACK) / out.len() as f64;
        for ranked in &mut *out {
            let excess = (ranked.work.as_secs_f64() - share).max(0.0);
            ranked.score =
                WAITING * ranked.wait.as_secs_f64() + ranked.prefill.as_secs_f64() + EXCESS * excess;
            ranked.in_time = ranked.first_token() <= latest;
        }
        out.sort_unstable_by(|a, b| {
            let by_worth = match (a.in_time, b.in_time) {
                (true, true) => a.score.total_cmp(&b.score),
                (false, false) => a.first_token().cmp(&b.first_token()),
                (a, b) => b.cmp(&a),
            };
            by_worth.then(a.work.cmp(&b.work)).then(a.member.cmp(&b.member))
        });
    }

    /// The prompt has been sent to this member: its cache will hold the prompt's blocks, and the work is its own.
    /// Nothing happens for a member that there is not.
    pub fn placed(&mut self, now: Moment, member: usize, prompt: Prompt<'_>) {
        let block_tokens = self.settings.block_tokens;
        let Some(member) = self.members.get_mut(member) else { return };
        let (_, prefill) = member.judge(prompt, block_tokens);
        member.work = member.work_at(now) + prefill.as_secs_f64();
        member.counted = now;
        member.mirror.touch(prompt.blocks);
    }

    /// The member's cache is empty: it has been started anew.
    pub fn forget(&mut self, member: usize) {
        if let Some(member) = self.members.get_mut(member) {
            member.mirror.clear();
        }
    }
}

/// How long `tokens` take at this speed.
fn time_for(tokens: u64, per_second: NonZeroU32) -> Duration {
    let nanos = u128::from(tokens) * 1_000_000_000 / u128::from(per_second.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests;
