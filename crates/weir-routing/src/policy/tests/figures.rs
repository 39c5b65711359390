//! Policies that weigh figures.

use super::*;
use crate::chance::Zero;
use crate::health::Settings;
use crate::windows::Sample;
use std::sync::Arc;
use weir_core::{Price, Prices, Pricing, Rate, Rates, Tariff, Usage};

/// Deployments with their figures.
struct Scene {
    members: Vec<Member>,
    healths: Vec<Arc<Health>>,
    now: Moment,
}

fn price(micro_usd: u64) -> Tariff {
    let price = Price::from_micro_usd_per_million(micro_usd);
    Tariff::by_token(price, price)
}

fn some(seconds: f64) -> Option<Duration> {
    Some(Duration::from_secs_f64(seconds))
}

impl Scene {
    fn new(members: &[Member]) -> Self {
        let healths = members.iter().map(|_| Arc::new(Health::new(&Settings::default()))).collect();
        Scene { members: members.to_vec(), healths, now: Moment::START + Duration::from_secs(100) }
    }

    /// One deployment for each price.
    fn priced(prices: &[u64]) -> Self {
        let member = |(place, micro): (u32, &u64)| Member { pricing: price(*micro), ..Member::new(place, 1) };
        Scene::new(&(0u32..).zip(prices).map(member).collect::<Vec<_>>())
    }

    /// Calls at a deployment whose first token took so long.
    fn took(&self, deployment: usize, times: u32, seconds: f64) {
        for turn in 0..times {
            let seconds = seconds * (1.0 + 0.01 * f64::from(turn % 10));
            let sample = Sample { first: some(seconds), total: some(seconds), ..Sample::default() };
            self.healths[deployment].windows().record(&sample, self.now);
        }
    }

    fn build(&self, policy: &'static Kind) -> Box<dyn Policy> {
        policy.make(&self.members)
    }

    fn order(&self, policy: &dyn Policy, request: &Request<'_>, seed: u64) -> Vec<(u32, Reason)> {
        self.best(2, policy, request, seed)
    }

    fn best(
        &self,
        wanted: usize,
        policy: &dyn Policy,
        request: &Request<'_>,
        seed: u64,
    ) -> Vec<(u32, Reason)> {
        let health = |deployment: u32| self.healths.get(deployment as usize).map(|health| &**health);
        let mut out = Order::new();
        let ask = Ask { now: self.now, wanted, usable: &is_any, request, health: &health };
        policy.order(&ask, &mut SplitMix64::seeded(seed), &mut out);
        out.iter().map(|candidate| (candidate.deployment, candidate.reason)).collect()
    }

    /// The first choice of each of a hundred orders, those that only probe left out.
    fn firsts(&self, name: &str, request: &Request<'_>) -> Vec<u32> {
        let policy = self.build(find(name).unwrap());
        let orders = (0..100).map(|seed| self.order(&*policy, request, seed)[0]);
        let mut firsts: Vec<u32> =
            orders.filter(|(_, reason)| *reason != Reason::Probe).map(|(first, _)| first).collect();
        firsts.sort_unstable();
        firsts.dedup();
        firsts
    }
}

#[test]
fn priority_takes_the_first_of_the_file() {
    let scene = Scene::priced(&[5, 1, 3]);
    assert_eq!(scene.firsts("priority", &Request::default()), [0]);
    assert_eq!(
        order(&*scene.build(find("priority").unwrap()), 2, &|d| d != 0, &mut SplitMix64::seeded(0)),
        [1, 2]
    );
}

#[test]
fn work_under_way_counts_in_seconds_and_not_in_calls() {
    for name in ["least_busy", "power_of_two"] {
        let scene = Scene::priced(&[1, 1]);
        let mut long = scene.healths[0].acquire(scene.now, false, &mut Zero).unwrap();
        long.expect(Duration::from_secs(20));
        let mut short: Vec<_> =
            (0..3).map(|_| scene.healths[1].acquire(scene.now, false, &mut Zero).unwrap()).collect();
        short.iter_mut().for_each(|lease| lease.expect(Duration::from_secs(2)));
        assert_eq!(scene.firsts(name, &Request::default()), [1], "{name}");
        drop(long);
        assert_eq!(scene.firsts(name, &Request::default()), [0], "{name}: what has ended counts no more");
    }
}

#[test]
fn latency_leaves_the_slow_one_and_comes_back() {
    let mut scene = Scene::priced(&[1, 1]);
    let request = Request::default();
    assert_eq!(scene.firsts("latency", &request), [0, 1], "nothing is known: both");
    scene.took(0, 30, 0.2);
    assert_eq!(scene.firsts("latency", &request), [0, 1], "the unknown one counts as the best: both");
    scene.took(1, 30, 2.0);
    assert_eq!(scene.firsts("latency", &request), [0]);
    // One slow answer of a stranger is not held against it for ever, but counts.
    scene.now = scene.now + Duration::from_secs(20);
    scene.took(0, 30, 6.0);
    assert_eq!(scene.firsts("latency", &request), [1], "it has become slow itself");
    scene.now = scene.now + Duration::from_secs(70);
    assert_eq!(scene.firsts("latency", &request), [0, 1], "what was learnt is forgotten");
}

#[test]
fn some_requests_probe_another_than_the_best() {
    let scene = Scene::priced(&[1, 1, 1]);
    scene.took(0, 50, 0.1);
    scene.took(1, 50, 3.0);
    scene.took(2, 50, 3.0);
    let policy = scene.build(find("latency").unwrap());
    let orders = (0..20_000).map(|seed| scene.order(&*policy, &Request::default(), seed));
    let probes: Vec<_> = orders.filter(|order| order[0].1 == Reason::Probe).collect();
    assert!((120..280).contains(&probes.len()), "1 % of 20000: {}", probes.len());
    assert!(probes.iter().all(|order| order[0].0 != 0 && order[1].0 == 0), "the best comes next");
}

#[test]
fn cost_counts_prompt_output_caches_and_hours() {
    let mut members = [Member::new(0, 1), Member::new(1, 1), Member::new(2, 1)];
    let prices = |input, output, cached: Option<u64>| {
        let price = Price::from_micro_usd_per_million;
        let mut rates = Rates::default().with(Rate::Input, price(input)).with(Rate::Output, price(output));
        rates.set(Rate::CachedInput, cached.map(price));
        Pricing::from(Prices::new(rates)).tariff()
    };
    members[0].pricing = prices(100, 1000, Some(10));
    members[1].pricing = prices(300, 300, None);
    members[2].pricing = Tariff::PerHour(3_600_000_000); // a dollar a second
    let scene = Scene::new(&members);
    let used = |usage: Usage| Sample {
        usage: Some(usage),
        first: some(1.0),
        total: some(2.0),
        generating: some(1.0),
        ..Sample::default()
    };
    scene.healths[2].windows().record(&used(Usage { input: 10, output: 100, ..Usage::default() }), scene.now);
    let long = Request { prompt: 10_000, most_output: Some(10), ..Request::default() };
    let short = Request { prompt: 100, most_output: Some(200), ..Request::default() };
    assert_eq!(scene.firsts("cost", &long), [0]);
    assert_eq!(scene.firsts("cost", &short), [1]);
    // By the hour: 200 tokens of an idle machine that makes 100 a second are two seconds of it.
    let health = Some(&*scene.healths[2]);
    let cost = members[2].expected_cost(Size { output: 200, ..Size::default() }, health).unwrap();
    assert!((cost.approx_usd() - 2.0).abs() < 0.1, "{cost}");
    // Once the cache holds most of its prompts, the first is the cheaper one.
    let cached = Usage { input: 10_000, cache_read: 9_000, output: 10, ..Usage::default() };
    scene.healths[0].windows().record(&used(cached), scene.now);
    let cost =
        members[0].expected_cost(Size { prompt: 10_000, output: 10, in_flight: 0 }, Some(&scene.healths[0]));
    assert_eq!(cost.unwrap().pico_usd(), 1000 * 100 + 9000 * 10 + 10 * 1000);
}

/// An unknown price is no price of nothing: whoever goes by cost takes it for the dearest.
#[test]
fn what_nobody_knows_the_price_of_is_not_taken_for_free() {
    let mut scene = Scene::priced(&[900, 0, 5]);
    scene.members[1].pricing = Tariff::Unknown;
    (scene.members[0].quality, scene.members[1].quality) = (10, 20);
    assert_eq!(scene.members[1].expected_cost(Size::default(), None), None);
    let request = Request { prompt: 1000, most_output: Some(10), ..Request::default() };
    let order = |policy: &str| scene.best(3, &*scene.build(find(policy).unwrap()), &request, 3);
    assert_eq!(
        order("cost"),
        [(2, Reason::Cheapest), (0, Reason::Cheapest), (1, Reason::PriceUnknown)],
        "behind all that have a price"
    );
    assert_eq!(order("quality")[0], (1, Reason::BestQuality), "without a cap the price decides nothing");
    assert_eq!(order("weighted_score")[0].0, 2);
    for deployment in 0..3 {
        scene.took(deployment, 100, 0.5);
    }
    let budget = order("latency_budget");
    assert_eq!((budget[0].0, budget[2]), (2, (1, Reason::InBudget)), "the dearest of those that keep it");
    assert_eq!(order("weighted_score")[0].0, 2, "the unknown one counts as the dearest");
    // Where nothing has a price, the rest decides.
    for member in &mut scene.members {
        member.pricing = Tariff::Unknown;
    }
    let policy = scene.build(find("cost").unwrap());
    let firsts: std::collections::BTreeSet<u32> =
        (0..50).map(|seed| scene.order(&*policy, &request, seed)[0].0).collect();
    assert_eq!(firsts.len(), 3, "equals take turns");
}

#[test]
fn latency_budget_takes_the_cheapest_that_keeps_it() {
    let scene = Scene::priced(&[1, 5, 9]);
    scene.took(0, 100, 4.0);
    scene.took(1, 100, 1.0);
    scene.took(2, 100, 0.2);
    let first = |millis| {
        let request =
            Request { prompt: 100, budget: Some(Duration::from_millis(millis)), ..Request::default() };
        scene.order(&*scene.build(find("latency_budget").unwrap()), &request, 3)[0]
    };
    assert_eq!(first(8000), (0, Reason::InBudget));
    assert_eq!(first(2000), (1, Reason::InBudget));
    assert_eq!(first(500), (2, Reason::InBudget));
    assert_eq!(first(50), (2, Reason::OverBudget), "none keeps it: the quickest, marked as such");
}

#[test]
fn latency_budget_finds_out_about_strangers_one_call_at_a_time() {
    let scene = Scene::priced(&[1, 5]);
    scene.took(1, 100, 0.2);
    let policy = scene.build(find("latency_budget").unwrap());
    let request = Request { prompt: 100, ..Request::default() };
    assert_eq!(scene.order(&*policy, &request, 3)[0], (0, Reason::Unproven));
    let _under_way = scene.healths[0].acquire(scene.now, false, &mut Zero).unwrap();
    assert_eq!(scene.order(&*policy, &request, 3)[0], (1, Reason::InBudget));
}

#[test]
fn quality_takes_the_best_within_the_cap() {
    let member =
        |deployment, quality, micro| Member { quality, pricing: price(micro), ..Member::new(deployment, 1) };
    let scene = Scene::new(&[member(0, 50, 10), member(1, 90, 1000), member(2, 50, 5)]);
    let request = Request { prompt: 1000, most_output: Some(0), ..Request::default() };
    assert_eq!(scene.firsts("quality", &request), [1]);
    let text = "providers: { p: { kind: openai } }\ndeployments: { d: { provider: p, model: m } }\n\
                routes: { r: { deployments: [d], policy: { kind: quality, max_cost: 0.000001 } } }\n";
    let config = weir_config::parse("t.yaml", text, &weir_config::ProcessEnvironment).unwrap();
    let kind = find("quality").unwrap();
    let settings = Compiled::read(kind, &config.routes[0].settings, "").unwrap();
    let shared = Shared::default();
    let build = Build { pool: "r", members: &scene.members, settings: &settings, shared: &shared };
    // A thousand tokens at 1000 µUSD a million cost exactly the cap, at 1001 more than it.
    assert_eq!(scene.order(&*(kind.build)(&build), &request, 1)[0], (1, Reason::BestQuality));
    let mut unknown = Scene::new(&scene.members);
    unknown.members[1].pricing = Tariff::Unknown;
    let build = Build { members: &unknown.members, ..build };
    let order = unknown.best(3, &*(kind.build)(&build), &request, 1);
    assert_eq!(order[2], (1, Reason::PriceUnknown), "nobody can say that it is within a cap: {order:?}");
    let build = Build { members: &scene.members, ..build };
    let longer = Request { prompt: 1001, ..request };
    assert_eq!(
        scene.order(&*(kind.build)(&build), &longer, 1),
        [(2, Reason::BestQuality), (0, Reason::BestQuality)]
    );
}

#[test]
fn a_weighted_score_changes_hands_only_for_a_real_gain() {
    let scene = Scene::priced(&[100, 100]);
    let policy = scene.build(find("weighted_score").unwrap());
    let request = Request { prompt: 1000, ..Request::default() };
    let holds = || {
        let orders = (0..50).map(|seed| scene.order(&*policy, &request, seed)[0]);
        let mut firsts: Vec<u32> = orders.filter(|(_, r)| *r != Reason::Probe).map(|(d, _)| d).collect();
        firsts.dedup();
        firsts
    };
    assert_eq!(holds().len(), 1, "equals do not take turns");
    scene.took(0, 100, 0.5);
    scene.took(1, 100, 5.0);
    assert_eq!(holds(), [0]);
}

/// With `adjust`, scores are divided by factors that move slowly, within their bounds, through the same weights that
/// `weighted` has; without, or while nothing has moved, nothing is.
#[test]
fn a_weighted_score_follows_how_deployments_do() {
    // One is as much cheaper as the other is quicker: equal scores.
    let mut scene = Scene::priced(&[200, 100]);
    let text = "providers: { p: { kind: openai } }\ndeployments: { d: { provider: p, model: m } }\n\
                routes: { r: { deployments: [d], policy: { kind: weighted_score, errors: 0, probe: 0, adjust: cost, \
                adjust_most: 1.5 } } }\n";
    let config = weir_config::parse("c", text, &weir_config::ProcessEnvironment).unwrap();
    let settings = Compiled::read(find("weighted_score").unwrap(), &config.routes[0].settings, "").unwrap();
    let shared = Shared::default();
    let build = Build { pool: "r", members: &scene.members, settings: &settings, shared: &shared };
    let policy = (settings.kind.build)(&build);
    let weights = weights(&build).expect("it has weights");
    let request = Request { prompt: 1000, ..Request::default() };
    scene.took(0, 100, 1.0);
    scene.took(1, 100, 2.0);
    let first = |scene: &Scene| scene.order(&*policy, &request, 1)[0].0;
    assert_eq!(first(&scene), 0, "of equals the first");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let health = |deployment: u32| scene.healths.get(deployment as usize).map(|health| &**health);
        weights.look(scene.now, &health);
        seen.push((weights.factors().map(|(_, factor)| factor).collect::<Vec<_>>(), first(&scene)));
        scene.now = scene.now + Duration::from_secs(30);
        scene.took(0, 100, 1.0);
        scene.took(1, 100, 2.0);
    }
    assert_eq!(seen[0], (vec![1.0, 1.0], 0), "the first look begins to wait");
    assert_eq!(seen[1], (vec![0.8, 1.25], 1), "the cheaper one's score shrinks");
    assert!(seen[3].0[0] >= 0.5 && seen[3].0[1] <= 1.5 && seen[3].1 == 1, "{seen:?}");
}

#[test]
fn a_session_stays_until_staying_costs_more_than_moving() {
    let scene = Scene::priced(&[1, 1, 1, 1]);
    let policy = scene.build(find("sticky").unwrap());
    let of = |session| Request { session: Some(session), ..Request::default() };
    let mut shares = [0; 4];
    for session in 0..4000u64 {
        let session = session.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let first = scene.order(&*policy, &of(session), 1)[0];
        assert_eq!(first, scene.order(&*policy, &of(session), 2)[0]);
        assert_eq!(first.1, Reason::Sticky);
        shares[first.0 as usize] += 1;
    }
    fits(&shares, &[1, 1, 1, 1], 16.27); // 3 degrees of freedom
    let home = scene.order(&*policy, &of(77), 1)[0].0;
    for deployment in 0..4 {
        scene.took(deployment, 30, if deployment == home as usize { 1.5 } else { 0.1 });
    }
    assert_eq!(scene.order(&*policy, &of(77), 1)[0].0, home, "1.4 s are less than moving costs");
    scene.took(home as usize, 300, 6.0);
    let moved: Vec<u32> = (0..50).map(|seed| scene.order(&*policy, &of(77), seed)[0].0).collect();
    assert!(moved.iter().any(|first| *first != home), "where the inner policy goes elsewhere, it moves");
}

/// A place that does not keep what the inner policy is for is left for one that does, and kept where nobody does.
#[test]
fn a_session_leaves_a_place_that_breaks_the_inner_policys_bounds() {
    let check = |policy: &str, took: [f64; 2], price: [u64; 2], expect: Option<&str>| {
        let mut scene = Scene::priced(&price);
        let text = format!(
            "providers: {{ p: {{ kind: openai }} }}\ndeployments: {{ d: {{ provider: p, model: m }} }}\n\
             routes: {{ r: {{ deployments: [d], policy: {{ kind: sticky, over: {policy} }} }} }}\n"
        );
        let config = weir_config::parse("t.yaml", &text, &weir_config::ProcessEnvironment).unwrap();
        let kind = find("sticky").unwrap();
        let settings = Compiled::read(kind, &config.routes[0].settings, "").unwrap();
        let shared = Shared::default();
        let settings = &settings;
        let request =
            |session| Request { prompt: 1000, streamed: true, session: Some(session), ..Request::default() };
        let build = Build { pool: "r", members: &scene.members, settings, shared: &shared };
        let sticky = (kind.build)(&build);
        // A session whose place is the first.
        let plain = scene.build(kind);
        let session = (0..100).find(|s| scene.order(&*plain, &request(*s), 1)[0].0 == 0).unwrap();
        for (place, seconds) in took.into_iter().enumerate() {
            scene.took(place, 100, seconds);
        }
        scene.now = scene.now + Duration::from_secs(1);
        let order = scene.order(&*sticky, &request(session), 1);
        let expect = expect.map_or((0, "sticky"), |reason| (1, reason));
        assert_eq!((order[0].0, order[0].1.name()), expect, "{policy} {took:?} {price:?}");
    };
    let budget = "{ kind: latency_budget, budget: 500ms, probe: 0 }";
    check(budget, [1.0, 0.1], [1, 1], Some("moved"));
    check(budget, [1.0, 0.1], [1, 10], Some("moved"));
    check(budget, [0.1, 1.0], [1, 1], None);
    check(budget, [0.2, 0.1], [10, 1], None);
    check(budget, [1.0, 1.1], [1, 1], None);
    check(budget, [1.1, 1.0], [10, 1], None);
    let quality = "{ kind: quality, max_cost: 0.01 }";
    check(quality, [0.1, 0.1], [100_000_000, 1], Some("moved"));
    check(quality, [0.1, 0.1], [100_000_000, 100_000_000], None);
    // Within the same class only what moving costs counts.
    check("{ kind: latency, probe: 0 }", [1.0, 0.1], [1, 1], None);
    check("{ kind: latency, probe: 0 }", [3.0, 0.1], [1, 1], Some("moved"));
}

/// A budget that a request brings for the first token is about that, whatever the policy's own is for.
#[test]
fn a_budget_for_the_first_token_is_about_the_first_token() {
    let scene = Scene::priced(&[1, 10]);
    let member = &scene.members;
    let text = "providers: { p: { kind: openai } }\ndeployments: { d: { provider: p, model: m } }\n\
                routes: { r: { deployments: [d], policy: { kind: latency_budget, of: total, probe: 0 } } }\n";
    let config = weir_config::parse("t.yaml", text, &weir_config::ProcessEnvironment).unwrap();
    let kind = find("latency_budget").unwrap();
    let settings = Compiled::read(kind, &config.routes[0].settings, "").unwrap();
    let shared = Shared::default();
    let policy = (kind.build)(&Build { pool: "r", members: member, settings: &settings, shared: &shared });
    for (place, total) in [(0, 9.0), (1, 0.5)] {
        for _ in 0..100 {
            let sample = Sample { first: some(0.1), total: some(total), ..Sample::default() };
            scene.healths[place].windows().record(&sample, scene.now);
        }
    }
    let of = |budget_of_first| Request {
        streamed: true,
        budget: some(1.0),
        budget_of_first,
        ..Request::default()
    };
    assert_eq!(scene.order(&*policy, &of(false), 1)[0], (1, Reason::InBudget));
    assert_eq!(scene.order(&*policy, &of(true), 1)[0], (0, Reason::InBudget), "the cheaper one");
}

/// Where these members, by identity and weight, put a session; their places in the table are those in the list.
fn home(members: &[(u64, u32)], session: u64) -> u64 {
    let stated: Vec<Member> = (0u32..)
        .zip(members)
        .map(|(place, &(identity, weight))| Member { identity, ..Member::new(place, weight) })
        .collect();
    let policy = find("sticky").unwrap().make(&stated);
    let request = Request { session: Some(session), ..Request::default() };
    let mut out = Order::new();
    policy.order(&ask(1, &is_any, &request, &|_| None), &mut SplitMix64::seeded(session), &mut out);
    members[out[0].deployment as usize].0
}

proptest! {
    /// Rendezvous: a member that leaves takes only its own sessions along, one that comes takes what it gets from all and
    /// nothing else moves, whatever their order in the file.
    #[test]
    fn only_the_sessions_of_whoever_leaves_or_comes_move(
        identities in prop::collection::hash_set(any::<u64>(), 2..12),
        sessions in prop::collection::vec(any::<u64>(), 1..60),
        heavy in 1u32..5,
        place in any::<prop::sample::Index>(),
    ) {
        let all: Vec<(u64, u32)> = identities.into_iter().enumerate().map(|(n, identity)| {
            (identity, if n == 0 { heavy } else { 1 })
        }).collect();
        let changed = place.get(&all).0;
        let mut fewer: Vec<(u64, u32)> = all.iter().copied().filter(|(known, _)| *known != changed).collect();
        fewer.reverse();
        for session in sessions {
            let (with, without) = (home(&all, session), home(&fewer, session));
            prop_assert!(with == without || with == changed);
        }
    }
}

/// Where a second is worth something, a cheaper place is worth a wait, and a lost cache is a reason to stay.
#[test]
fn what_a_move_costs_counts_by_what_a_second_is_worth() {
    let text = |policy: &str| {
        format!(
            "providers: {{ p: {{ kind: openai }} }}\ndeployments: {{ d: {{ provider: p, model: m }} }}\n\
             routes: {{ r: {{ deployments: [d], policy: {policy} }} }}\n"
        )
    };
    let check = |second: &str, cached: u64, expect_home: bool| {
        let mut scene = Scene::priced(&[2_000_000, 2_000_000]);
        for member in &mut scene.members {
            let Tariff::PerToken { usual, .. } = &mut member.pricing else { unreachable!() };
            usual[1] = Price::from_micro_usd_per_million(200_000);
        }
        let policy = format!("{{ kind: sticky, over: latency, moving_costs: 1s{second} }}");
        let config = weir_config::parse("t.yaml", &text(&policy), &weir_config::ProcessEnvironment).unwrap();
        let kind = find("sticky").unwrap();
        let settings = Compiled::read(kind, &config.routes[0].settings, "").unwrap();
        let shared = Shared::default();
        let policy =
            (kind.build)(&Build { pool: "r", members: &scene.members, settings: &settings, shared: &shared });
        let request = Request { prompt: 10_000, streamed: true, session: Some(5), ..Request::default() };
        let home = scene.order(&*policy, &request, 1)[0].0;
        for (place, seconds) in [(home, 4.0), (1 - home, 1.0)] {
            let usage = Usage { input: 10_000, cache_read: cached, output: 10, ..Usage::default() };
            for _ in 0..50 {
                let sample = Sample {
                    first: some(seconds),
                    total: some(seconds),
                    usage: Some(usage),
                    ..Sample::default()
                };
                scene.healths[place as usize].windows().record(&sample, scene.now);
            }
        }
        let stays = (0..50).all(|seed| {
            let (first, reason) = scene.order(&*policy, &request, seed)[0];
            first == home || reason == Reason::Probe
        });
        assert_eq!(stays, expect_home, "{second} {cached}");
    };
    // Three seconds later than elsewhere: more than moving costs by itself.
    check("", 9_000, false);
    // 9000 cached tokens cost 1.62 cents more elsewhere: at a cent a second that makes 1.62 s, at half a cent 3.24 s.
    check(", second_costs: 0.01", 9_000, false);
    check(", second_costs: 0.005", 9_000, true);
    check(", second_costs: 0.005", 0, false);
}

/// What of the prompt its own place has in its cache would have to be computed elsewhere: that is part of what moving costs.
#[test]
fn a_warm_cache_is_a_reason_to_stay() {
    let check = |cached_percent: u64, expect_home: bool| {
        let scene = Scene::priced(&[1, 1]);
        let text = "providers: { p: { kind: openai } }\ndeployments: { d: { provider: p, model: m } }\n\
                    routes: { r: { deployments: [d], policy: { kind: sticky, over: latency, moving_costs: 1s } } }\n";
        let config = weir_config::parse("t.yaml", text, &weir_config::ProcessEnvironment).unwrap();
        let kind = find("sticky").unwrap();
        let settings = Compiled::read(kind, &config.routes[0].settings, "").unwrap();
        let shared = Shared::default();
        let build = Build { pool: "r", members: &scene.members, settings: &settings, shared: &shared };
        let policy = (kind.build)(&build);
        let request = Request { prompt: 10_000, streamed: true, session: Some(5), ..Request::default() };
        let home = scene.order(&*policy, &request, 1)[0].0;
        // A second for five thousand tokens of prompt; at home everything takes a second and a half more.
        for (place, more, percent) in [(home, 1.5, cached_percent), (1 - home, 0.0, 0)] {
            for turn in 0..60u32 {
                let prompt = 1000 + turn % 10 * 1000;
                let first = some(0.2 + f64::from(prompt) / 5000.0 + more);
                let input = u64::from(prompt);
                let usage =
                    Usage { input, cache_read: input * percent / 100, output: 10, ..Usage::default() };
                let size = Size { prompt, output: 10, in_flight: 0 };
                let sample = Sample { size, first, total: first, usage: Some(usage), ..Sample::default() };
                scene.healths[place as usize].windows().record(&sample, scene.now);
            }
        }
        let stays = (0..50).all(|seed| {
            let (first, reason) = scene.order(&*policy, &request, seed)[0];
            first == home || reason == Reason::Probe
        });
        assert_eq!(stays, expect_home, "{cached_percent} % cached");
    };
    check(0, false);
    check(90, true);
}

#[test]
fn prompts_go_where_their_beginning_is_and_all_cores_know() {
    let scene = Scene::priced(&[1; 4]);
    let text = "providers: { p: { kind: openai } }\ndeployments: { d: { provider: p, model: m } }\n\
                routes: { r: { deployments: [d], policy: { kind: prefix, cache_blocks: 1000 } } }\n";
    let config = weir_config::parse("t.yaml", text, &weir_config::ProcessEnvironment).unwrap();
    let kind = find("prefix").unwrap();
    let settings = Compiled::read(kind, &config.routes[0].settings, "").unwrap();
    let shared = Shared::default();
    let build = Build { pool: "r", members: &scene.members, settings: &settings, shared: &shared };
    let (one_core, other) = ((kind.build)(&build), (kind.build)(&build));
    for prompt in 0..40u64 {
        let blocks = |_: u32, out: &mut Vec<u64>| out.extend((0..8).map(|block| prompt << 8 | block));
        let request = Request { prompt: 8 * 512, blocks: Some(&blocks), ..Request::default() };
        let first = scene.order(&*one_core, &request, prompt)[0];
        assert_eq!(first.1, Reason::LeastBusy, "no cache holds any of it");
        let again = scene.order(&*other, &request, prompt)[0];
        assert_eq!(again, (first.0, Reason::CacheHeld), "the other core knows it as well");
    }
    drop((one_core, other));
    shared.prune();
    let again = (kind.build)(&build);
    assert_eq!(order(&*again, 4, &is_any, &mut SplitMix64::seeded(0)).len(), 4);
}
