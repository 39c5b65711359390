use super::*;
use crate::tests::{samples, silent};

fn check_labels(own: &[(&str, &str)], expect: &str) {
    let hub = silent();
    hub.set_deployments(vec![DeploymentInfo {
        name: "a".into(),
        provider: "p".into(),
        model: "m".into(),
        labels: own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }]);
    let line = format!("weir_deployment_info{{deployment=\"a\",provider=\"p\",model=\"m\"{expect}}} 1");
    assert_eq!(samples(&hub.render(), "weir_deployment_info"), [line]);
}

#[test]
fn label_names_become_valid_and_stay_unique() {
    check_labels(&[], "");
    check_labels(&[("gpu", "H100"), ("region", "eu")], ",gpu=\"H100\",region=\"eu\"");
    check_labels(&[("cost-centre", "7"), ("größe", "x")], ",cost_centre=\"7\",gr__e=\"x\"");
    check_labels(&[("9lives", "x"), ("", "y")], ",_9lives=\"x\",_=\"y\"");
    check_labels(&[("model", "x"), ("__name__", "y")], ",label_model=\"x\",label___name__=\"y\"");
    check_labels(&[("a.b", "1"), ("a-b", "2"), ("a_b", "3")], ",a_b=\"1\",label_a_b=\"2\"");
    check_labels(&[("x", "a\"b\\c\nd")], ",x=\"a\\\"b\\\\c\\nd\"");
}

#[test]
fn a_new_configuration_replaces_the_deployments() {
    let hub = silent();
    hub.set_deployments(vec![DeploymentInfo { name: "old".into(), ..DeploymentInfo::default() }]);
    hub.set_deployments(vec![DeploymentInfo { name: "new".into(), ..DeploymentInfo::default() }]);
    let page = hub.render();
    assert!(page.contains("deployment=\"new\"") && !page.contains("deployment=\"old\""), "{page}");
}

fn sample(metric: &'static str, state: &str, value: f64) -> Sample {
    Sample { metric, help: "Of a source", labels: vec![("state", state.to_owned())], value }
}

#[test]
fn samples_of_all_sources_stand_together() {
    let hub = silent();
    hub.add_source(Box::new(|| {
        vec![sample("weir_pool_connections", "idle", 2.0), sample("weir_x_total", "a", 7.0)]
    }));
    hub.add_source(Box::new(|| {
        vec![sample("weir_pool_connections", "open", 1.0), sample("weir_y", "b", 0.5)]
    }));
    hub.add_source(Box::new(|| vec![sample("weir_pool_connections", "idle", 3.0)]));
    let page = hub.render();
    let expect = "# HELP weir_pool_connections Upstream connections; state is idle or open.\n\
                  # TYPE weir_pool_connections gauge\n\
                  weir_pool_connections{state=\"idle\"} 5.0\n\
                  weir_pool_connections{state=\"open\"} 1.0\n\
                  # HELP weir_x Of a source.\n\
                  # TYPE weir_x counter\n\
                  weir_x_total{state=\"a\"} 7.0\n\
                  # HELP weir_y Of a source.\n\
                  # TYPE weir_y gauge\n\
                  weir_y{state=\"b\"} 0.5\n\
                  # EOF\n";
    assert!(page.ends_with(expect), "{page}");
}

#[test]
fn a_source_cannot_spoil_what_is_counted_here() {
    let hub = silent();
    hub.add_source(Box::new(|| {
        vec![sample("weir_requests_total", "x", 9.0), sample("weir_config_generation", "x", 9.0)]
    }));
    let page = hub.render();
    assert!(!page.contains("state=\"x\""), "{page}");
    assert_eq!(page.matches("# TYPE weir_config_generation ").count(), 1);
}

#[test]
fn sources_are_asked_anew_each_time_without_a_lock() {
    let hub = silent();
    let weak = Arc::downgrade(&hub);
    hub.add_source(Box::new(move || {
        let hub = weak.upgrade().unwrap();
        hub.add_source(Box::new(|| vec![sample("weir_late", "x", 1.0)])); // would deadlock under a lock
        vec![]
    }));
    assert!(!hub.render().contains("weir_late"));
    assert!(hub.render().contains("weir_late{state=\"x\"} 1.0"));
}

#[test]
fn buckets_include_their_bound() {
    let hub = silent();
    let recorder = hub.recorder();
    for micros in [5, 6, 100_000, 100_001] {
        let overhead = std::time::Duration::from_micros(micros);
        recorder.record(&weir_core::Exchange { overhead, ..crate::tests::answered() });
    }
    let page = hub.render();
    let count = |le: &str| {
        let end = format!("le=\"{le}\",route=\"smart\",deployment=\"a\"}} ");
        let buckets = samples(&page, "weir_overhead_seconds_bucket");
        buckets.iter().find_map(|line| line.split_once(&end).map(|(_, n)| n.to_owned())).unwrap()
    };
    assert_eq!(["0.000005", "0.00001", "0.025", "0.1", "+Inf"].map(count), ["1", "2", "2", "3", "4"]);
    assert_eq!(
        samples(&page, "weir_overhead_seconds_sum"),
        ["weir_overhead_seconds_sum{route=\"smart\",deployment=\"a\"} 0.200012"]
    );
}
