//! How well the policy `latency_budget` keeps its budgets, and at what price, beside an oracle.
//!
//! Requests come at random times with prompts of random length. A deployment takes `(base + per_prompt·prompt)·(1 +
//! load·calls under way)`, times a log-normal factor. The policy has to learn that from what it sees. The oracle applies
//! the same greedy rule (the cheapest whose chance to keep the budget is high enough, else the likeliest) with the true
//! distributions. Each lives through the same requests with the load that it makes for itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Cost, Moment, Price, Tariff, Usage};
use weir_routing::health::Settings;
use weir_routing::windows::{Sample, Size};
use weir_routing::{Chance, Health, Lease, Member, Order, Policy, Request, SplitMix64};

/// Tokens of every answer.
const OUTPUT: u32 = 200;
/// The chance that the budget is kept, as `latency_budget` is set by default.
const SHARE: f64 = 0.95;
/// Requests that come before anything is counted: the policy knows nothing yet.
const WARM_UP: usize = 2000;

/// A deployment as it truly is.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// Seconds that every call takes.
    pub base: f64,
    /// Seconds for a thousand tokens of prompt.
    pub per_prompt: f64,
    /// How much longer for each call under way, as a share.
    pub load: f64,
    /// The spread of the logarithm.
    pub sigma: f64,
    /// µUSD for a million tokens.
    pub price: u64,
}

impl Truth {
    fn median(&self, size: Size) -> f64 {
        let alone = self.base + self.per_prompt * f64::from(size.prompt) / 1000.0;
        alone * (1.0 + self.load * f64::from(size.in_flight))
    }

    fn within(&self, size: Size, budget: f64) -> f64 {
        normal_cdf((budget / self.median(size)).ln() / self.sigma)
    }

    fn member(&self, deployment: usize) -> Member {
        let price = Price::from_micro_usd_per_million(self.price);
        let deployment = u32::try_from(deployment).unwrap_or(u32::MAX);
        Member { pricing: Tariff::by_token(price, price), ..Member::new(deployment, 1) }
    }
}

/// From dear and quick to cheap and slow.
pub const FLEET: [Truth; 5] = [
    Truth { base: 0.3, per_prompt: 0.05, load: 0.010, sigma: 0.25, price: 10_000_000 },
    Truth { base: 0.5, per_prompt: 0.10, load: 0.015, sigma: 0.35, price: 5_000_000 },
    Truth { base: 0.8, per_prompt: 0.15, load: 0.020, sigma: 0.45, price: 2_500_000 },
    Truth { base: 1.4, per_prompt: 0.25, load: 0.025, sigma: 0.40, price: 1_200_000 },
    Truth { base: 2.5, per_prompt: 0.40, load: 0.030, sigma: 0.50, price: 600_000 },
];

/// Who chooses.
enum Chooser {
    Policy(Box<dyn Policy>),
    Oracle,
    /// Any deployment with the same chance: what the budgets are taken from.
    Blind,
}

/// What became of the requests of one run.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The share that kept the budget.
    pub share: f64,
    /// Mean cost in USD.
    pub cost: f64,
}

/// One budget, and how it was kept.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The percentile of blind choice that it is.
    pub percentile: usize,
    /// Seconds.
    pub budget: f64,
    /// By the policy.
    pub policy: Kept,
    /// By the oracle.
    pub oracle: Kept,
}

/// One answer, by its latency and cost.
type Answer = (f64, f64);

/// Lives through `requests` at `rate` a second.
fn run(
    fleet: &[Truth],
    chooser: &Chooser,
    budget: f64,
    rate: f64,
    requests: usize,
    seed: u64,
) -> Vec<Answer> {
    let members: Vec<Member> = fleet.iter().enumerate().map(|(nth, truth)| truth.member(nth)).collect();
    let healths: Vec<Arc<Health>> =
        fleet.iter().map(|_| Arc::new(Health::new(&Settings::default()))).collect();
    let find = |deployment: u32| usize::try_from(deployment).ok().and_then(|d| healths.get(d)).map(|h| &**h);
    // The requests are the same for all choosers; what befalls them is drawn apart.
    let (mut arrivals, mut luck, mut chance) =
        (SplitMix64::seeded(seed), SplitMix64::seeded(seed + 1), SplitMix64::seeded(seed + 2));
    let mut under_way: BinaryHeap<Reverse<(Moment, usize)>> = BinaryHeap::new();
    let mut leases: Vec<Option<(Lease, Sample)>> = Vec::new();
    let mut now = Moment::START;
    let mut answers = Vec::new();
    for nth in 0..requests + WARM_UP {
        now = now + Duration::from_secs_f64(-uniform(&mut arrivals).ln() / rate);
        while let Some(Reverse((at, call))) = under_way.peek().copied().filter(|Reverse((at, _))| *at <= now)
        {
            under_way.pop();
            if let Some((mut lease, sample)) = leases.get_mut(call).and_then(Option::take) {
                lease.record(&sample, at);
                lease.report(Ok(()), at);
            }
        }
        let prompt = (1000.0 * (0.8 * normal(&mut arrivals)).exp()).clamp(10.0, 20_000.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        let prompt = prompt as u32;
        let request = Request {
            prompt,
            most_output: Some(OUTPUT),
            budget: Some(Duration::from_secs_f64(budget)),
            ..Request::default()
        };
        let chosen = match chooser {
            Chooser::Policy(policy) => {
                let plan = weir_routing::plan::plan(&**policy, &find, &request, &[], 1, now, &mut chance);
                let order: Order = plan.candidates;
                order.first().map_or(0, |first| first.deployment as usize)
            }
            Chooser::Oracle => oracle(fleet, &members, &healths, &request, budget),
            Chooser::Blind => usize::try_from(chance.below(fleet.len() as u64)).unwrap_or(0),
        };
        let (Some(truth), Some(health)) = (fleet.get(chosen), healths.get(chosen)) else { continue };
        let size = request.size(Some(health));
        let size = Size { output: OUTPUT, ..size };
        let seconds = truth.median(size) * (truth.sigma * normal(&mut luck)).exp();
        let usage = Usage { input: u64::from(prompt), output: u64::from(OUTPUT), ..Usage::default() };
        let cost =
            members.get(chosen).and_then(|member| member.pricing.of_tokens(usage.input, 0, usage.output));
        let cost = cost.unwrap_or_default();
        if nth >= WARM_UP {
            answers.push((seconds, cost.approx_usd()));
        }
        let Ok(lease) = health.acquire(now, false, &mut chance) else { continue };
        let total = Some(Duration::from_secs_f64(seconds));
        let sample = Sample { size, total, usage: Some(usage), ..Sample::default() };
        under_way.push(Reverse((now + Duration::from_secs_f64(seconds), leases.len())));
        leases.push(Some((lease, sample)));
    }
    answers
}

/// The greedy rule with the true distributions.
fn oracle(
    fleet: &[Truth],
    members: &[Member],
    healths: &[Arc<Health>],
    request: &Request<'_>,
    budget: f64,
) -> usize {
    let known = fleet.iter().zip(members).zip(healths).map(|((truth, member), health)| {
        let size = Size { output: OUTPUT, ..request.size(Some(health)) };
        (truth.within(size, budget), member.expected_cost(size, None).unwrap_or_default())
    });
    let known: Vec<(f64, Cost)> = known.collect();
    let enough = known.iter().enumerate().filter(|(_, (within, _))| *within >= SHARE);
    let cheapest = enough.min_by_key(|(_, (_, cost))| *cost);
    let likeliest = || known.iter().enumerate().max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b));
    cheapest.or_else(likeliest).map_or(0, |(nth, _)| nth)
}

fn kept(answers: &[Answer], budget: f64) -> Kept {
    let count = answers.len().max(1) as f64;
    let share = answers.iter().filter(|(seconds, _)| *seconds <= budget).count() as f64 / count;
    Kept { share, cost: answers.iter().map(|(_, cost)| cost).sum::<f64>() / count }
}

/// The policy and the oracle side by side, at budgets that are percentiles of what a blind choice takes.
pub fn compare(fleet: &[Truth], percentiles: &[usize], rate: f64, requests: usize, seed: u64) -> Vec<Line> {
    let mut blind: Vec<f64> =
        run(fleet, &Chooser::Blind, 1.0, rate, requests, seed).iter().map(|(seconds, _)| *seconds).collect();
    blind.sort_by(f64::total_cmp);
    let members: Vec<Member> = fleet.iter().enumerate().map(|(nth, truth)| truth.member(nth)).collect();
    let line = |percentile: usize| {
        let budget = blind.get(blind.len() * percentile / 100).copied().unwrap_or(1.0);
        let policy = weir_routing::policy::find("latency_budget").map(|kind| kind.make(&members));
        let policy = policy.map_or(Chooser::Blind, Chooser::Policy);
        Line {
            percentile,
            budget,
            policy: kept(&run(fleet, &policy, budget, rate, requests, seed), budget),
            oracle: kept(&run(fleet, &Chooser::Oracle, budget, rate, requests, seed), budget),
        }
    };
    percentiles.iter().copied().map(line).collect()
}

/// The budgets that the report shows.
pub const PERCENTILES: [usize; 7] = [50, 60, 70, 80, 90, 95, 99];

/// The lines as a table.
pub fn report(lines: &[Line], rate: f64, requests: usize) -> String {
    let mut out = format!(
        "latency_budget beside an oracle: {requests} requests at {rate} a second, the budget to be kept by {SHARE}\n\n\
         | budget | seconds | kept | by the oracle | mean cost, USD | of the oracle | ratio |\n|---|---|---|---|---|---|---|\n"
    );
    for Line { percentile, budget, policy, oracle } in lines {
        // Writing into a string does not fail.
        let _ = writeln!(
            out,
            "| p{percentile} | {budget:.3} | {:.4} | {:.4} | {:.6} | {:.6} | {:.3} |",
            policy.share,
            oracle.share,
            policy.cost,
            oracle.cost,
            policy.cost / oracle.cost
        );
    }
    out
}

/// In (0, 1].
fn uniform(chance: &mut SplitMix64) -> f64 {
    ((chance.next_u64() >> 11) as f64 + 1.0) / (1u64 << 53) as f64
}

/// Box and Muller, 1958.
fn normal(chance: &mut SplitMix64) -> f64 {
    (-2.0 * uniform(chance).ln()).sqrt() * (std::f64::consts::TAU * uniform(chance)).cos()
}

/// The standard normal distribution (Abramowitz and Stegun 26.2.17; off by less than 7.5·10⁻⁸).
fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let tail = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt() * sum;
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests;
