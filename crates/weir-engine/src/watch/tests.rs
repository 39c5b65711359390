use super::*;
use weir_core::Fault;
use weir_routing::{Health, HealthBook, SplitMix64, breaker, health};

fn at(seconds: u64) -> Moment {
    Moment::START + Duration::from_secs(seconds)
}

struct Scene {
    watch: Watch,
    book: HealthBook,
    chance: SplitMix64,
}

impl Scene {
    fn new() -> Self {
        let (watch, events) = Watch::new();
        Scene { watch, book: HealthBook::telling(events), chance: SplitMix64::seeded(1) }
    }

    fn health(&mut self, name: &str) -> Arc<Health> {
        let cooldown = Duration::from_secs(10);
        let breaker =
            breaker::Settings { failures: 2, cooldown, cooldown_max: cooldown, ..Default::default() };
        let credential = self.book.credential(1, &"p".into(), 1);
        let settings = health::Settings { breaker, ..Default::default() };
        self.book.get_or_insert(name, 1, &settings, &[credential])
    }

    fn call(&mut self, health: &Arc<Health>, class: Option<Class>, now: Moment) {
        let fault = class.map(|class| Fault::new(class, 401, "x", "x"));
        let mut lease = health.acquire(now, true, &mut self.chance).unwrap();
        lease.report(fault.as_ref().map_or(Ok(()), Err), now);
    }

    /// Of each event, oldest first: whose, from, to, cause, and the rest that is shown of it.
    fn shown(&self, now: Moment) -> Vec<String> {
        let shown = self.watch.shown(now);
        let events = shown["events"].as_array().unwrap().iter().rev();
        let text = |event: &Value, name: &str| match &event[name] {
            Value::Null => String::new(),
            Value::String(text) => format!("{text} "),
            other => format!("{name}={other} "),
        };
        let names = ["deployment", "provider", "from", "to", "cause", "fault", "faults", "calls", "after_ms"];
        events.map(|event| names.map(|name| text(event, name)).concat().trim_end().to_owned()).collect()
    }
}

const NETWORK: Option<Class> = Some(Class::Network);

#[test]
fn an_outage_is_told_with_its_causes() {
    let mut scene = Scene::new();
    let d = scene.health("d");
    for (second, class) in [(1, None), (1, NETWORK), (2, NETWORK), (3, NETWORK), (12, NETWORK), (30, None)] {
        scene.call(&d, class, at(second));
    }
    let expect = [
        "d closed open faults_in_a_row network faults=2",
        "d open half_open cooled_down",
        "d half_open open probe_failed network",
        "d open half_open cooled_down",
        "d half_open closed answered after_ms=28000",
    ];
    assert_eq!(scene.shown(at(31)), expect);
    assert_eq!(scene.shown(at(32)), expect, "what was told stays readable");
    let counts = scene.watch.counts(at(32));
    let told: Vec<_> = counts.iter().map(|(_, to, cause, count)| (*to, *cause, *count)).collect();
    let expect = [
        ("closed", "answered", 1),
        ("half_open", "cooled_down", 2),
        ("open", "faults_in_a_row", 1),
        ("open", "probe_failed", 1),
    ];
    assert_eq!(told, expect);
}

#[test]
fn a_share_of_faults_is_told_with_its_figures() {
    let mut scene = Scene::new();
    let d = scene.health("d");
    for n in 0..10 {
        scene.call(&d, NETWORK.filter(|_| n % 2 == 1), at(n / 4));
    }
    assert_eq!(scene.shown(at(3)), ["d closed open error_share network faults=5 calls=10"]);
}

#[test]
fn a_refused_credential_is_one_event_for_all_that_use_it() {
    let mut scene = Scene::new();
    let (a, b) = (scene.health("a"), scene.health("b"));
    scene.call(&a, Some(Class::Credential), at(1));
    scene.call(&b, Some(Class::Credential), at(1));
    scene.call(&b, None, at(20));
    let expect = [
        "p closed open credential_refused credential",
        "p open half_open cooled_down",
        "p half_open closed answered after_ms=19000",
    ];
    assert_eq!(scene.shown(at(20)), expect);
}

#[test]
fn memory_is_bounded_and_what_nobody_read_is_counted() {
    let mut scene = Scene::new();
    let d = scene.health("d");
    for second in (0..).step_by(20).take(1000) {
        for class in [NETWORK, NETWORK, None] {
            scene.call(&d, class, at(second));
        }
    }
    let shown = scene.watch.shown(at(30_000));
    assert_eq!(shown["events"].as_array().unwrap().len(), MOST_KEPT);
    assert_eq!(shown["told"], json!(Events::MOST));
    assert_eq!(shown["lost"], json!(2000 - Events::MOST));
    assert!(scene.watch.counts(at(30_000)).len() <= 4);
}
