use super::*;
use crate::lock;
use crate::tests::{answered, refused, samples, silent};
use std::collections::BTreeSet;
use std::hash::BuildHasher;

#[test]
fn pairs_beyond_the_bound_are_counted_as_other() {
    let shard = Shard::default();
    let mut table = Table::new(3);
    let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    for _ in 0..2 {
        for name in &names {
            let place = table.place(&shard, name, "d");
            table.get(place).unwrap().counts.count(&answered());
        }
    }
    let counted: Vec<(String, u64)> = shard
        .series()
        .iter()
        .map(|s| (format!("{}/{}", s.route, s.deployment), s.counts.duration.read().iter().sum()))
        .collect();
    let expect = [("0/d", 2), ("1/d", 2), ("2/d", 2), ("other/other", 14)];
    assert_eq!(counted, expect.map(|(name, n)| (name.to_owned(), n)));
    assert_eq!(table.places.len(), 4, "unknown names leave nothing behind");
}

#[test]
fn what_was_never_reached_is_none() {
    let hub = silent();
    hub.recorder().record(&refused());
    assert_eq!(
        samples(&hub.render(), "weir_requests_total"),
        ["weir_requests_total{route=\"none\",deployment=\"none\",outcome=\"caller\"} 1"]
    );
}

#[test]
fn equal_names_on_other_routes_are_other_pairs() {
    let hub = silent();
    let recorder = hub.recorder();
    recorder.record(&answered());
    recorder.record(&Exchange { route: Some("cheap"), ..answered() });
    recorder.record(&Exchange { route: Some("cheap"), deployment: Some("smart"), ..answered() });
    let page = hub.render();
    assert_eq!(samples(&page, "weir_requests_total").len(), 3);
    assert_eq!(
        samples(&page, "weir_request_bytes_total"),
        ["weir_request_bytes_total{route=\"cheap\"} 1024", "weir_request_bytes_total{route=\"smart\"} 512"]
    );
}

#[test]
fn the_last_lines_are_handed_over_when_a_recorder_ends() {
    let out = Shared::default();
    let hub = crate::Telemetry::with_writer(false, Some(Box::new(out.clone()))).unwrap();
    let recorder = hub.recorder();
    recorder.record(&answered());
    drop(recorder);
    assert!(hub.flush(std::time::Duration::from_secs(60)));
    assert_eq!(lock(&out.0).iter().filter(|&&byte| byte == b'\n').count(), 1);
}

#[derive(Clone, Default)]
struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn similar_names_hash_apart() {
    let hasher = ByName::default();
    let texts: Vec<String> =
        (0..2_000).map(|n| format!("deployment-{n}")).chain((0..40).map(|n| "a".repeat(n))).collect();
    let hashes: BTreeSet<u64> = texts.iter().map(|text| hasher.hash_one(text.as_str())).collect();
    assert_eq!(hashes.len(), texts.len());
    // A map of 4,096 slots takes the low bits; a good hash fills about 39 % of them with 2,040 names.
    let slots: BTreeSet<u64> = hashes.iter().map(|hash| hash & 4_095).collect();
    assert!(slots.len() > 1_400, "{} slots", slots.len());
}

#[test]
fn a_pairs_place_in_a_snapshot_leads_to_its_names() {
    let hub = silent();
    let recorder = hub.recorder();
    let with = |generation, route, deployment, name| {
        let pair = Some(Pair { generation, route, deployment });
        recorder.record(&Exchange { pair, deployment: Some(name), attempts: &[], ..answered() });
    };
    with(1, 0, 0, "a");
    with(1, 0, 1, "b");
    with(1, 1, 0, "c");
    with(1, 0, 0, "a");
    // After a reload the same places hold others.
    with(2, 0, 0, "b");
    with(2, 0, 1, "a");
    let page = hub.render();
    let found = samples(&page, "weir_requests_total");
    let count = |name: &str| {
        let label = format!("deployment=\"{name}\"");
        found.iter().find(|s| s.contains(&label)).and_then(|s| s.rsplit(' ').next()).map(str::to_owned)
    };
    assert_eq!(["a", "b", "c"].map(count), [Some("3".into()), Some("2".into()), Some("1".into())]);
}
