//! The figures, as text.

use crate::placement::{Additive, ByPrefix, LeastWork, PowerOfTwo, RoundRobin, Threshold};
use crate::run::run;
use crate::variant::Scene;
use crate::{Fleet, Outcome, Placement, Trace, bounds};
use std::num::NonZeroU32;
use std::time::Duration;
use weir_routing::SplitMix64;
use weir_routing::prefix::Settings;

/// Delays at which the frontier between hits and first tokens is shown, apart from the usual one.
const DELAYS: [u32; 4] = [1, 2, 8, u32::MAX];
const SEED: u64 = 1;
const COLUMNS: &str = "placement                         hits    work   first token, s              99 %\n\
                       \x20                                     max/mean    50 %    99 %    mean   best/this\n";
const SCENES: &str = "\nthe same rule elsewhere           hits   pooled    work    99 %        mean\n\
                      \x20                                           max/mean   best/this   best/this\n";

/// Every placement on this trace, beside what bounds them.
pub fn full(fleet: &Fleet, trace: &Trace) -> String {
    let baselines = baselines(fleet, trace);
    let best = best_first_token(&baselines);
    let additive = run(fleet, trace, &mut Additive::new(fleet));
    let usual = run(fleet, trace, &mut ByPrefix::new(fleet, Settings::MOST_DELAY));
    let mut page = head(fleet, trace) + COLUMNS;
    page.extend(baselines.iter().chain([&additive, &usual]).map(|outcome| row(outcome, best)));
    page.push_str("the same rule with other limits of delay\n");
    let delays = DELAYS.into_iter().filter_map(NonZeroU32::new);
    page.extend(delays.map(|delay| row(&run(fleet, trace, &mut ByPrefix::new(fleet, delay)), best)));
    page + &limits(fleet, trace, &usual, best)
}

/// The usual placement on each of these, beside the baselines and the hits of one pooled cache.
pub fn variants(scenes: &[Scene]) -> String {
    let mut page = SCENES.to_owned();
    for Scene { fleet, believed, trace } in scenes {
        let baselines = baselines(fleet, trace);
        let mean = baselines.iter().skip(1).map(Outcome::mean_first_token).min().unwrap_or_default();
        let usual = run(fleet, trace, &mut ByPrefix::new(believed, Settings::MOST_DELAY));
        let on = format!("  {} instances of {} blocks", fleet.instances, fleet.cache_blocks);
        page += &format!(
            "{}\n{on:<30} {:>7} {:>8} {:>8.3} {:>11.2} {:>11.2}\n",
            trace.name,
            percent(usual.hit_rate()),
            percent(bounds::pooled(fleet, trace)),
            usual.imbalance(),
            ratio(best_first_token(&baselines), usual.first_token(99)),
            ratio(mean, usual.mean_first_token()),
        );
    }
    page
}

fn head(fleet: &Fleet, trace: &Trace) -> String {
    let work: f64 = trace.requests.iter().map(|request| fleet.prefill(request.tokens, 0).as_secs_f64()).sum();
    let busy = work / fleet.instances as f64 / trace.span().as_secs_f64().max(1.0);
    let (prompts, seconds, blocks) = (trace.requests.len(), trace.span().as_secs(), trace.blocks());
    let Fleet { instances, cache_blocks, block_tokens, tokens_per_second } = fleet;
    format!(
        "{}: {prompts} prompts in {seconds} s, {blocks} blocks\n\
         {instances} instances, each {cache_blocks} blocks of {block_tokens} tokens and {tokens_per_second} tokens/s; \
         without caches busy {} of the time\n\n",
        trace.name,
        percent(busy),
    )
}

/// Round robin, then those that the first token is compared with.
fn baselines(fleet: &Fleet, trace: &Trace) -> Vec<Outcome> {
    let mut all: [Box<dyn Placement>; 4] = [
        Box::new(RoundRobin::default()),
        Box::new(PowerOfTwo(SplitMix64::seeded(SEED))),
        Box::new(LeastWork),
        Box::new(Threshold::new(fleet)),
    ];
    all.iter_mut().map(|placement| run(fleet, trace, &mut **placement)).collect()
}

/// The earliest that a baseline has 99 % of its first tokens.
fn best_first_token(baselines: &[Outcome]) -> Duration {
    baselines.iter().skip(1).map(|outcome| outcome.first_token(99)).min().unwrap_or_default()
}

fn row(outcome: &Outcome, best: Duration) -> String {
    format!(
        "{:<30} {:>7} {:>8.3} {:>7.2} {:>7.2} {:>7.2} {:>11.2}\n",
        outcome.name,
        percent(outcome.hit_rate()),
        outcome.imbalance(),
        outcome.first_token(50).as_secs_f64(),
        outcome.first_token(99).as_secs_f64(),
        outcome.mean_first_token().as_secs_f64(),
        ratio(best, outcome.first_token(99)),
    )
}

fn limits(fleet: &Fleet, trace: &Trace, usual: &Outcome, best: Duration) -> String {
    let hits = [
        ("one endless cache", bounds::endless(trace)),
        ("all caches pooled, the future known", bounds::clairvoyant(fleet, trace)),
        ("all caches pooled, keeping what hindsight tells", bounds::informed(fleet, trace)),
        ("all caches pooled, keeping what was used last", bounds::pooled(fleet, trace)),
        (
            "the default's placements, each cache knowing the future",
            bounds::clairvoyant_caches(fleet, trace, &usual.placed),
        ),
    ];
    let mut page = "limits\n".to_owned();
    page.extend(hits.map(|(what, hits)| format!("  {:>7} hits: {what}\n", percent(hits))));
    let floor = bounds::first_token(fleet, trace, 99);
    page + &format!(
        "  {:>5.2} s first token of 99 %: an endless cache and no queue; best/this {:.2}\n",
        floor.as_secs_f64(),
        ratio(best, floor),
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Nothing over nothing is one.
fn ratio(of: Duration, to: Duration) -> f64 {
    if to.is_zero() { 1.0 } else { of.as_secs_f64() / to.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{synthetic, variant};

    #[test]
    fn a_page_has_a_row_for_everything() {
        let some = |n: u32| NonZeroU32::new(n).unwrap();
        let fleet =
            Fleet { instances: 4, cache_blocks: 300, block_tokens: some(512), tokens_per_second: some(8000) };
        let trace = synthetic::instructions(1, 300);
        let page = full(&fleet, &trace);
        let rows = [
            "300 prompts in",
            "\nround robin  ",
            "\npower of two  ",
            "\nleast work  ",
            "\nthreshold  ",
            "\nqueue + uncached prefill  ",
            "\nprefix, delay x 4 (default)  ",
            "\nprefix, no delay  ",
            "\nprefix, any delay  ",
            "hits: one endless cache\n",
        ];
        for row in rows {
            assert!(page.contains(row), "{row:?} is not in\n{page}");
        }
        let scenes = variant::scenes(&fleet, &trace);
        let page = variants(&scenes[..3]);
        assert_eq!(page.lines().count(), 3 + 2 * 3, "{page}");
        assert!(page.contains("\n  4 instances of 300 blocks  "), "{page}");
    }
}
