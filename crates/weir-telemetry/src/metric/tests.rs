use super::*;
use std::collections::BTreeSet;

#[test]
fn the_reference_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert_eq!(page, reference(), "run UPDATE_DOCS=1 cargo test -p weir-telemetry");
}

#[test]
fn names_are_unique_and_buckets_rise() {
    let mut names = BTreeSet::new();
    for metric in COUNTED.iter().chain(&PULLED) {
        assert!(names.insert(metric.sample_name()), "{} is there twice", metric.name);
        assert!(metric.bounds.is_sorted_by(|a, b| a < b), "{}", metric.name);
        assert_eq!(metric.bounds.is_empty(), metric.kind.as_str() != "histogram", "{}", metric.name);
        assert!(!metric.help.ends_with('.') && !metric.help.contains(['\n', '|', '"']), "{}", metric.help);
    }
}
