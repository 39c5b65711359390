use super::*;
use weir_routing::SplitMix64;

#[test]
fn arguments_are_within_bounds() {
    let check = |text: &str, expect: Option<f64>| assert_eq!(rate(text).ok(), expect, "{text}");
    check("20", Some(20.0));
    check("0.5", Some(0.5));
    check("0", None);
    check("NaN", None);
    check("1e9", None);
    check("many", None);
    assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
    assert!(seconds("-1").is_err() && seconds("0").is_err() && seconds("inf").is_err());
}

#[test]
fn a_taken_port_is_replaced_by_any_free_one() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    assert_eq!(free_or_any(Ports { public: port, admin: port }), Ports { public: 0, admin: 0 });
    // A port that was free a moment ago may be another process's now, but not twenty times.
    let kept = (0..20).any(|_| {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        free_or_any(Ports { public: free, admin: 0 }).public == free
    });
    assert!(kept);
}

#[test]
fn the_load_is_answered_by_the_router() {
    let servers = Servers::start(&SERVERS, 1).unwrap();
    let gateway = start_gateway(&servers, Ports { public: 0, admin: 0 }, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let load = LocalSet::new().block_on(&runtime, async {
        let load = Load::new(gateway.public).unwrap();
        let mut chance = SplitMix64::seeded(1);
        let requests: Vec<_> = (0..80).filter_map(|_| load.dispatch(&mut chance)).collect();
        for request in requests {
            tokio::time::timeout(Duration::from_secs(60), request).await.expect("no end").unwrap();
        }
        load
    });
    let figures = load.figures();
    assert_eq!((figures.sent, figures.in_flight), (80, 0));
    // A stream cut after its first token cannot be saved; everything else is tried again.
    assert!(figures.failures.keys().all(|why| why == "broken stream"), "{figures:?}");
    assert!(figures.answered >= 70, "{figures:?}");
    assert!(
        figures.by_server.iter().filter(|count| **count > 0).count() >= 4,
        "the load is spread: {figures:?}"
    );
    assert!(figures.cost > weir_core::Cost::ZERO, "{figures:?}");
    drop(figures);
    gateway.end();
    servers.end();
}
