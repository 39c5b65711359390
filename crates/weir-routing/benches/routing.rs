//! What one decision costs: a plan among few and many deployments, the attempt machine when all goes well, and placing
//! a prompt by its prefix.
#![allow(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use weir_core::{Class, Fault, Moment, Needs};
use weir_routing::SplitMix64;
use weir_routing::attempt::{Action, Event, Machine, Rules};
use weir_routing::health::{Health, Settings};
use weir_routing::plan::{Plan, plan};
use weir_routing::policy::{Kind, Member, POLICIES, Policy, Request};
use weir_routing::prefix::{Cache, Prefix, Prompt, Ranked, Settings as Placing};
use weir_routing::rules::{Condition, Derived, Facts, Fields, Patterns, Rules as RuleSet, Span, Wanted};
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
    rules(&mut criterion);
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

struct NoFields;

impl Fields for NoFields {
    fn header(&self, name: &str, wanted: &Wanted) -> bool {
        name == "x-tier" && wanted.is(b"silver")
    }

    fn metadata(&self, _: &str, _: &Wanted) -> bool {
        false
    }
}

fn facts(text: &str) -> Facts<'_> {
    Facts {
        prompt_tokens: 1000,
        output_tokens: None,
        needs: Needs::NONE,
        turns: 3,
        text,
        latest: text,
        stated_task: None,
        regions: None,
        key: Some("alice"),
        unix_seconds: 1_700_000_000,
        fields: &NoFields,
        derived: Derived::default(),
    }
}

/// Twenty rules without text of which none holds, and five patterns on texts of 1 and 16 KB.
fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    let gold = || Wanted::OneOf(["gold".into()].into());
    let plain = |n: u64| match n % 4 {
        0 => Condition::PromptTokens(Span { min: 5000 + n, max: u64::MAX }),
        1 => Condition::Header("x-tier".into(), gold()),
        2 => Condition::All(vec![
            Condition::Turns(Span { min: 1, max: 9 }),
            Condition::Key(vec!["bob".into()]),
        ]),
        _ => Condition::Not(Box::new(Condition::Turns(Span { min: 0, max: 9 }))),
    };
    let twenty = RuleSet::new((0..20).map(plain).collect(), Patterns::default());
    group.bench_function("20 without text", |bench| bench.iter(|| black_box(&twenty).first(&facts(""))));
    let mut patterns = Patterns::default();
    let five =
        ["(?i)invoice [0-9]+", "CVE-[0-9]{4}-[0-9]+", "stack ?trace", r"\bselect\b.*\bfrom\b", "ärger|größe"];
    let five = five.map(|one| Condition::Text(vec![patterns.regex(one).unwrap()]));
    let five = RuleSet::new(five.into(), patterns.finish().unwrap());
    let sentence = "The quick brown fox jumps over the lazy dog and thinks about its plans for the week. ";
    for kilobytes in [1, 16] {
        let text: String = sentence.chars().cycle().take(kilobytes << 10).collect();
        group.bench_function(BenchmarkId::new("5 patterns, KB", kilobytes), |bench| {
            bench.iter(|| black_box(&five).first(&facts(black_box(&text))));
        });
    }
    let text: String = sentence.chars().cycle().take(1 << 10).collect();
    group.bench_function("task of 1 KB", |bench| bench.iter(|| facts(black_box(&text)).task()));
    group.bench_function("language of 1 KB", |bench| bench.iter(|| facts(black_box(&text)).language()));
    group.finish();
}
