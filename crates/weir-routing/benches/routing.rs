//! What one decision costs: a plan among few and many deployments, the attempt machine when all goes well, and placing
//! a prompt by its prefix.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Class, Fault, Moment};
use weir_routing::SplitMix64;
use weir_routing::attempt::{Action, Event, Machine, Rules};
use weir_routing::health::{Health, Settings};
use weir_routing::plan::{Plan, plan};
use weir_routing::policy::{Kind, Member, POLICIES, Policy, Request};
use weir_routing::prefix::{Cache, Prefix, Prompt, Ranked, Settings as Placing};
use weir_routing::windows::{Sample, Size};

const NOW: Moment = Moment::from_nanos(1_000_000_000_000);
/// Candidates that the engine asks for: a first call and two retries.
const WANTED: usize = 3;

/// A route and the health of its deployments.
struct Route {
    policy: Box<dyn Policy>,
    health: Vec<Arc<Health>>,
}

impl Route {
    fn new(kind: &'static Kind, members: u32) -> Self {
        let list: Vec<Member> =
            (0..members).map(|deployment| Member::new(deployment, 1 + deployment % 5)).collect();
        let health: Vec<_> = list.iter().map(|_| Arc::new(Health::new(&Settings::default()))).collect();
        for (nth, health) in (1u64..).zip(&health) {
            for turn in 0..20 {
                let taken = Some(Duration::from_millis(100 * nth + turn));
                let sample =
                    Sample { size: Size::default(), first: taken, total: taken, ..Sample::default() };
                health.windows().record(&sample, NOW);
            }
        }
        Route { policy: kind.make(&list), health }
    }

    fn plan(&self, chance: &mut SplitMix64) -> Plan {
        let find = |deployment: u32| self.health.get(deployment as usize).map(|health| &**health);
        let request = Request { prompt: 1000, session: Some(7), ..Request::default() };
        plan(&*self.policy, &find, &request, &[], WANTED, NOW, chance)
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    plans(&mut criterion);
    attempts(&mut criterion);
    prefixes(&mut criterion);
    criterion.final_summary();
}

fn plans(criterion: &mut Criterion) {
    let mut chance = SplitMix64::seeded(1);
    let mut group = criterion.benchmark_group("plan");
    for kind in POLICIES {
        for members in [2, 10, 100] {
            let route = Route::new(kind, members);
            group.bench_function(BenchmarkId::new(kind.name, members), |bench| {
                bench.iter(|| black_box(&route).plan(&mut chance));
            });
        }
    }
    // Half of the members are out: the choice has to look past them.
    let route = Route::new(POLICIES.first().unwrap(), 500);
    for health in route.health.iter().step_by(2) {
        let fault =
            Fault::new(Class::Rate, 429, "rate", "slow down").with_retry_after(Duration::from_secs(60));
        health.acquire(NOW, false, &mut SplitMix64::seeded(0)).unwrap().report(Err(&fault), NOW);
    }
    group.bench_function(BenchmarkId::new("weighted, half resting", 500), |bench| {
        bench.iter(|| black_box(&route).plan(&mut chance));
    });
    group.finish();
}

fn attempts(criterion: &mut Criterion) {
    let mut chance = SplitMix64::seeded(1);
    let route = Route::new(POLICIES.first().unwrap(), 2);
    let deadline = NOW + Duration::from_secs(600);
    let mut group = criterion.benchmark_group("attempt");
    group.bench_function("plan, enter, answer", |bench| {
        bench.iter(|| {
            let plan = black_box(&route).plan(&mut chance);
            let mut machine = Machine::new(&plan, Rules::default(), 0, deadline);
            let Action::Call { deployment, spread, .. } = machine.on(Event::Begin, NOW, &mut chance) else {
                unreachable!("both deployments are well");
            };
            let mut lease = route
                .health
                .get(deployment as usize)
                .unwrap()
                .acquire(NOW, spread, &mut SplitMix64::seeded(0))
                .unwrap();
            lease.report(Ok(()), NOW);
            machine.on(Event::Answered, NOW, &mut chance)
        });
    });
    group.finish();
}

/// Prompts of 24 blocks, caches full, half of each prompt known to one member.
fn prefixes(criterion: &mut Criterion) {
    let cache = Cache { blocks: 2000, tokens_per_second: NonZeroU32::new(8000).unwrap() };
    let placing = Placing { block_tokens: NonZeroU32::new(512).unwrap(), most_delay: Placing::MOST_DELAY };
    let mut group = criterion.benchmark_group("prefix");
    for members in [8, 100] {
        let mut prefix = Prefix::new(placing, &vec![cache; members]);
        let blocks = |name: u64, from: u64| (from..24).map(move |block| (name << 32) | block);
        for (name, member) in (0..200 * members as u64).zip((0..members).cycle()) {
            let prompt: Vec<u64> = blocks(name, 0).collect();
            prefix.placed(NOW, member, Prompt { blocks: &prompt, tokens: 24 * 512 });
        }
        let waits = vec![Some(Duration::from_millis(10)); members];
        let mut out: Vec<Ranked> = Vec::new();
        let mut name = 0;
        group.bench_function(BenchmarkId::new("rank and place", members), |bench| {
            bench.iter(|| {
                name += 1;
                let known = (name * 7) % (200 * members as u64);
                let prompt: Vec<u64> =
                    blocks(known, 0).take(12).chain(blocks(u64::from(u32::MAX) - name, 12)).collect();
                let prompt = Prompt { blocks: black_box(&prompt), tokens: 24 * 512 };
                prefix.rank(NOW, prompt, waits.iter().copied(), &mut out);
                prefix.placed(NOW, out.first().unwrap().member, prompt);
            });
        });
    }
    group.finish();
}
