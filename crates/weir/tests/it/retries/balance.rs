//! How calls are shared out between the deployments of a route.

use super::{CHAT, ask, assert_answer, call, calls, weir};
use weir_testkit::{Answer, Gate, Upstream};

/// Weights 3 : 1 over 300 calls by chance: 225 expected, standard deviation 7.5, bounds of six of them.
#[test]
fn weights_are_respected() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let routes = "  m: { deployments: [{ name: d0, weight: 3 }, d1, { name: d2, weight: 0 }] }\n";
    let none = Upstream::start();
    let weir = weir(&[&first, &second, &none], "weight: 1", routes);
    for _ in 0..300 {
        assert_eq!(ask(&weir, false).0.status, 200);
    }
    let (of_first, of_second) = (calls(&first), calls(&second));
    assert_eq!(of_first + of_second, 300);
    assert!((180..=270).contains(&of_first), "{of_first} : {of_second}");
    assert_eq!(calls(&none), 0, "no weight, no calls while others answer");
}

/// Round robin by weight is exact: three and one of every four calls, evenly spread.
#[test]
fn round_robin_is_exact() {
    let (first, second) = (Upstream::start(), Upstream::start());
    let routes = "  m: { deployments: [{ name: d0, weight: 3 }, d1], policy: round_robin }\n";
    let weir = weir(&[&first, &second], "weight: 1", routes);
    let order: String = (0..40)
        .map(|_| ask(&weir, false).0.header("x-weir-deployment").unwrap().to_owned())
        .map(|name| if name == "d0" { 'A' } else { 'B' })
        .collect();
    assert_eq!((calls(&first), calls(&second)), (30, 10), "{order}");
    let windows = order.as_bytes().windows(4);
    assert!(windows.into_iter().all(|four| four.iter().filter(|c| **c == b'B').count() == 1), "{order}");
}

/// A full deployment is passed over; when all are full the answer is 503 at once, with the time to come back, and a
/// place that comes free is used.
#[test]
fn full_deployments_are_passed_over() {
    let gate = Gate::new();
    let (first, second) = (Upstream::start(), Upstream::start());
    first.always(Answer::auto("first").hold(&gate));
    let streaming = Gate::new();
    second.always(Answer::stream(["second"]).gate(&streaming));
    let routes = "  m: { deployments: [d0, { name: d1, weight: 0 }], queue: { max_waiting: 0 } }\n";
    let weir = weir(&[&first, &second], "max_concurrency: 1", routes);
    let mut held = weir.connect().unwrap();
    held.post(CHAT, &[], &call(false)).unwrap();
    first.wait_for_calls(1);
    // A stream is under way for as long as it lasts, not only until its head.
    let mut streamed = weir.connect().unwrap();
    streamed.post(CHAT, &[], &call(true)).unwrap();
    streaming.release(); // the first token: before it there is no head
    let head = streamed.read_head().unwrap();
    assert_eq!((head.status, head.header("x-weir-deployment")), (200, Some("d1")));
    for stream in [false, true] {
        let (reply, _) = ask(&weir, stream);
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{}", reply.text());
        assert_eq!(reply.json()["error"]["code"], "all_deployments_full");
    }
    assert_eq!((calls(&first), calls(&second)), (1, 1));
    gate.open();
    streaming.open();
    assert_eq!(held.read_reply().unwrap().json()["choices"][0]["message"]["content"], "first");
    assert_eq!(streamed.read_events().unwrap().last().unwrap().data, "[DONE]");
    weir.wait_for_metric("weir_deployment_in_flight", &[], 0.0);
    assert_answer("free again", &ask(&weir, false), "first", 0, 1);
}
