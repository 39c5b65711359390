use super::*;
use crate::health;
use crate::windows::Sample;
use proptest::prelude::*;
use std::sync::Arc;
use weir_core::fault::Blame;
use weir_core::{Price, Tariff, Usage};

const EVERY: Duration = Duration::from_secs(30);

fn settings(follow: Follow, least: f64, most: f64) -> Settings {
    Settings { follow, least, most, every: EVERY }
}

/// Deployments under a virtual clock.
struct Scene {
    healths: Vec<Arc<Health>>,
    now: Moment,
}

impl Scene {
    fn new(deployments: usize) -> Self {
        let health = |_| Arc::new(Health::new(&health::Settings::default()));
        Scene { healths: (0..deployments).map(health).collect(), now: Moment::START + EVERY }
    }

    /// One interval in which each deployment's answers took so long, and so many of a hundred calls failed.
    fn pass(&mut self, each: &[(f64, u32)]) {
        for (health, (seconds, failures)) in self.healths.iter().zip(each) {
            for call in 0..100 {
                let windows = health.windows();
                if call < *failures {
                    windows.ended(Err(Blame::Upstream), self.now);
                    continue;
                }
                let total = Some(Duration::from_secs_f64(seconds * (1.0 + f64::from(call % 7) * 0.01)));
                let usage = Some(Usage { input: 1000, output: 256, ..Usage::default() });
                let size = Size { prompt: 1000, output: 256, in_flight: 0 };
                windows.record(&Sample { size, total, usage, ..Sample::default() }, self.now);
                windows.ended(Ok(()), self.now);
            }
        }
        self.now = self.now + EVERY;
    }

    fn look(&self, weights: &Weights) -> Vec<Change> {
        weights.look(self.now, &|deployment| self.healths.get(deployment as usize).map(|health| &**health))
    }
}

fn factors(weights: &Weights) -> Vec<f64> {
    weights.factors().map(|(_, factor)| factor).collect()
}

fn members(count: u32) -> Vec<Member> {
    (0..count).map(|deployment| Member::new(deployment, 100)).collect()
}

#[test]
fn the_slower_one_loses_weight_step_by_step_and_wins_it_back() {
    let (mut scene, weights) =
        (Scene::new(2), Weights::new(settings(Follow::Performance, 0.25, 2.0), &members(2)));
    assert_eq!(scene.look(&weights), [], "the first look begins the waiting");
    scene.pass(&[(1.0, 0), (4.0, 0)]);
    let changes = scene.look(&weights);
    assert_eq!(
        changes.iter().map(|c| (c.deployment, c.from, c.to)).collect::<Vec<_>>(),
        [(0, 1.0, 1.25), (1, 1.0, 0.8)]
    );
    let why = changes[1].why.unwrap();
    assert!((3.5..4.5).contains(&why.latency.as_secs_f64()) && (1.8..2.2).contains(&why.of_usual), "{why:?}");
    assert_eq!(scene.look(&weights), [], "not again before it is due");
    assert_eq!(weights.members().iter().map(|m| m.weight).collect::<Vec<_>>(), [125_000, 80_000]);
    for _ in 0..10 {
        scene.pass(&[(1.0, 0), (4.0, 0)]);
        scene.look(&weights);
    }
    let settled = factors(&weights);
    assert!((1.8..=2.0).contains(&settled[0]) && (0.45..0.56).contains(&settled[1]), "{settled:?}");
    assert_eq!(weights.latest()[1].unwrap().to, settled[1]);
    for _ in 0..12 {
        scene.pass(&[(1.0, 0), (1.0, 0)]);
        scene.look(&weights);
    }
    let even = factors(&weights);
    assert!(even.iter().all(|factor| (0.9..1.11).contains(factor)), "{even:?}");
}

#[test]
fn small_differences_move_nothing() {
    let (mut scene, weights) =
        (Scene::new(2), Weights::new(settings(Follow::Performance, 0.25, 2.0), &members(2)));
    scene.look(&weights);
    for turn in 0..10 {
        scene.pass(&[(1.0, 0), (if turn % 2 == 0 { 1.1 } else { 0.95 }, 0)]);
        assert_eq!(scene.look(&weights), []);
    }
    assert_eq!(weights.version(), 0);
}

#[test]
fn faults_and_costs_count_as_far_as_they_are_followed() {
    let priced = |micro_usd| {
        let price = Price::from_micro_usd_per_million(micro_usd);
        Tariff::by_token(price, price)
    };
    let (cheap, dear) = (priced(1_000_000), priced(4_000_000));
    let check = |follow: Follow, each: [(f64, u32); 2], expect: [std::cmp::Ordering; 2]| {
        let mut priced = members(2);
        (priced[0].pricing, priced[1].pricing) = (cheap, dear);
        let (mut scene, weights) = (Scene::new(2), Weights::new(settings(follow, 0.25, 2.0), &priced));
        scene.look(&weights);
        scene.pass(&each);
        scene.look(&weights);
        let moved = factors(&weights);
        let moved = [moved[0].total_cmp(&1.0), moved[1].total_cmp(&1.0)];
        assert_eq!(moved, expect, "{follow:?} {each:?}");
    };
    use std::cmp::Ordering::{Equal, Greater, Less};
    check(Follow::Cost, [(1.0, 0), (1.0, 0)], [Greater, Less]);
    check(Follow::Performance, [(1.0, 0), (1.0, 0)], [Equal, Equal]);
    check(Follow::Performance, [(1.0, 50), (1.0, 0)], [Less, Greater]);
    check(Follow::Both, [(4.0, 0), (1.0, 0)], [Equal, Equal]);
    check(Follow::Both, [(1.0, 0), (4.0, 0)], [Greater, Less]);
}

#[test]
fn who_is_not_known_any_more_goes_back_to_the_weight_it_was_given() {
    let (mut scene, weights) =
        (Scene::new(2), Weights::new(settings(Follow::Performance, 0.25, 2.0), &members(2)));
    scene.look(&weights);
    for _ in 0..5 {
        scene.pass(&[(1.0, 0), (9.0, 0)]);
        scene.look(&weights);
    }
    assert!(factors(&weights)[1] < 0.6);
    for _ in 0..12 {
        scene.now = scene.now + EVERY;
        scene.look(&weights);
    }
    let back = factors(&weights);
    assert!(back.iter().all(|factor| (0.9..1.11).contains(factor)), "{back:?}");
    assert_eq!(weights.latest()[1].unwrap().why, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever deployments do, weights stay within the bounds and move by one step at most.
    #[test]
    fn weights_stay_within_their_bounds(
        least in 0.1f64..1.0,
        most in 1.0f64..4.0,
        weights in prop::collection::vec(0u32..=1_000_000, 3),
        rounds in prop::collection::vec(prop::collection::vec((0.001f64..100.0, 0u32..100), 3), 1..12),
    ) {
        let stated: Vec<Member> = (0u32..).zip(&weights).map(|(d, weight)| Member::new(d, *weight)).collect();
        let adjusted = Weights::new(settings(Follow::Performance, least, most), &stated);
        let mut scene = Scene::new(3);
        scene.look(&adjusted);
        for round in rounds {
            let before = factors(&adjusted);
            scene.pass(&round);
            scene.look(&adjusted);
            for ((from, to), (given, now)) in
                before.iter().zip(factors(&adjusted)).zip(stated.iter().zip(adjusted.members()))
            {
                prop_assert!(to >= least - 0.001 && to <= most + 0.001, "{to} in {least} to {most}");
                prop_assert!(to / from <= STEP + 0.01 && from / to <= STEP + 0.01, "{from} to {to}");
                prop_assert_eq!(now.weight == 0, given.weight == 0);
            }
        }
    }
}
