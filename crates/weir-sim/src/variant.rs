//! The same trace and fleet, changed in one respect: what holds for one only has been tuned to it.

use crate::{Fleet, Request, Trace, synthetic};
use std::time::Duration;
use weir_core::Moment;

/// Prompts of a made-up trace.
const SYNTHETIC: usize = 10_000;

/// Traffic and the fleet it meets.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The model servers.
    pub fleet: Fleet,
    /// What the router takes them for.
    pub believed: Fleet,
    /// The prompts; the name says what was changed.
    pub trace: Trace,
}

/// The changes that are looked at.
pub fn scenes(fleet: &Fleet, trace: &Trace) -> Vec<Scene> {
    let scene = |fleet: &Fleet, trace: Trace| Scene { fleet: *fleet, believed: *fleet, trace };
    let with = |instances: usize, blocks: u32| Fleet { instances, cache_blocks: blocks, ..*fleet };
    let (n, blocks) = (fleet.instances, fleet.cache_blocks);
    let mut scenes = Vec::new();
    if trace.common_blocks() > 0 {
        scenes.push(scene(fleet, without_common(trace)));
    }
    scenes.extend([
        scene(fleet, all_different(trace)),
        scene(fleet, at_pace(trace, 2, 1)),
        scene(fleet, at_pace(trace, 7, 10)),
        scene(&with(n.div_ceil(2), blocks), at_pace(trace, 8, 5)),
        scene(&with(n.saturating_mul(2), blocks), at_pace(trace, 1, 2)),
        scene(&with(n, blocks / 4), trace.clone()),
        scene(&with(n, blocks.saturating_mul(4)), trace.clone()),
        scene(fleet, synthetic::conversations(1, SYNTHETIC)),
        scene(fleet, synthetic::instructions(1, SYNTHETIC)),
    ]);
    for (blocks, what) in [(blocks / 2, "half"), (blocks.saturating_mul(2), "twice")] {
        let name = format!("{}, caches believed {what} as large", trace.name);
        let trace = Trace { name, requests: trace.requests.clone() };
        scenes.push(Scene { fleet: *fleet, believed: with(n, blocks), trace });
    }
    scenes
}

/// Without the first blocks that all prompts have in common; prompts of nothing else are left out.
pub fn without_common(trace: &Trace) -> Trace {
    let common = trace.common_blocks();
    let shorter = |request: &Request| {
        let blocks = request.blocks.get(common..).filter(|blocks| !blocks.is_empty())?;
        let part = u128::from(request.tokens) * blocks.len() as u128 / request.blocks.len() as u128;
        Some(Request {
            at: request.at,
            tokens: u64::try_from(part).unwrap_or(u64::MAX),
            blocks: blocks.into(),
        })
    };
    Trace {
        name: format!("{}, no common beginning", trace.name),
        requests: trace.requests.iter().filter_map(shorter).collect(),
    }
}

/// Prompts of the same lengths at the same times, of which no two have anything in common.
pub fn all_different(trace: &Trace) -> Trace {
    let mut fresh = 0..;
    let renamed = |request: &Request| Request {
        at: request.at,
        tokens: request.tokens,
        blocks: fresh.by_ref().take(request.blocks.len()).collect(),
    };
    Trace {
        name: format!("{}, no two prompts alike", trace.name),
        requests: trace.requests.iter().map(renamed).collect(),
    }
}

/// Every time multiplied by `times / over`.
pub fn at_pace(trace: &Trace, times: u64, over: u64) -> Trace {
    let moved = |request: &Request| {
        let nanos = u128::from(request.at.as_nanos()) * u128::from(times) / u128::from(over.max(1));
        let at = Moment::START + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Request { at, ..request.clone() }
    };
    Trace {
        name: format!("{}, times x {:.2}", trace.name, times as f64 / over.max(1) as f64),
        requests: trace.requests.iter().map(moved).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(requests: &[(u64, &[u64])]) -> Trace {
        let request = |(nanos, blocks): &(u64, &[u64])| Request {
            at: Moment::from_nanos(*nanos),
            tokens: 10 * blocks.len() as u64,
            blocks: (*blocks).into(),
        };
        Trace { name: "t".to_owned(), requests: requests.iter().map(request).collect() }
    }

    fn shape(trace: &Trace) -> Vec<(u64, u64, &[u64])> {
        trace.requests.iter().map(|r| (r.at.as_nanos(), r.tokens, &*r.blocks)).collect()
    }

    #[test]
    fn each_changes_what_it_says_and_nothing_else() {
        let whole = trace(&[(0, &[7, 1, 2]), (10, &[7, 1, 3]), (20, &[7])]);
        assert_eq!(shape(&without_common(&whole)), [(0, 20, &[1, 2][..]), (10, 20, &[1, 3][..])]);
        let different = all_different(&whole);
        assert_eq!(
            shape(&different),
            [(0, 30, &[0, 1, 2][..]), (10, 30, &[3, 4, 5][..]), (20, 10, &[6][..])]
        );
        let slower = at_pace(&whole, 3, 2);
        let times: Vec<u64> = shape(&slower).iter().map(|(at, ..)| *at).collect();
        assert_eq!(times, [0, 15, 30]);
        assert_eq!(slower.name, "t, times x 1.50");
    }
}
