use super::*;

#[test]
fn samples_are_summed_by_label() {
    let text = "# TYPE a counter\n\
                a_total{route=\"x\",outcome=\"ok\"} 2\n\
                a_total{route=\"y\",outcome=\"ok\"} 3\n\
                a_total{my_route=\"x\",outcome=\"bad\"} 5 1700000000\n\
                a_total_more 7\n\
                up 1\n";
    let check = |name, labels: &[(&str, &str)], expect| assert_eq!(sum(text, name, labels), expect, "{name}");
    check("a_total", &[], Some(10.0));
    check("a_total", &[("route", "x")], Some(2.0));
    check("a_total", &[("outcome", "ok")], Some(5.0));
    check("a_total", &[("route", "z")], None);
    check("up", &[], Some(1.0));
}

#[test]
fn listeners_are_filled_in() {
    let addr = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let check = |config: &str, expect: &str| assert_eq!(fill(config, addr(1), addr(2)), expect);
    check(
        "routes: {}\n",
        "server: { listen: 127.0.0.1:1, admin: { listen: 127.0.0.1:2, token: testkit-admin-token } }\nroutes: {}\n",
    );
    check("server: { listen: @public@ } # @admin@\n", "server: { listen: 127.0.0.1:1 } # 127.0.0.1:2\n");
}

#[test]
#[should_panic(expected = "weir did not get ready; false, process")]
fn a_weir_that_ends_at_once_is_told_of_at_once() {
    start(Path::new("false"), "");
}
