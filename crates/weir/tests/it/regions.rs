//! Data goes only where it may: labels that a route requires, and regions that a request names.

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

fn weir(us: &Upstream, eu: &Upstream) -> RunningWeir {
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n  pu: {{ kind: openai, base_url: '{}' }}\n  pe: {{ kind: openai, base_url: '{}' }}\n\
         deployments:\n  us: {{ provider: pu, model: up, labels: {{ region: us }} }}\n  \
         eu: {{ provider: pe, model: up, labels: {{ region: eu, tier: own }} }}\n\
         routes:\n  open: {{ deployments: [us, eu], hints: [region] }}\n  \
         shut: {{ deployments: [us, eu] }}\n  \
         home: {{ deployments: [us, eu], require: {{ labels: {{ region: eu }} }}, retries: {{ max: 1, base: 1ms }} }}\n  \
         abroad: {{ deployments: [us], hints: [region] }}\n  \
         falls: {{ deployments: [eu], require: {{ labels: {{ region: [eu, ch], tier: own }} }}, fallbacks: [abroad], \
         retries: {{ max: 0 }} }}\n  \
         led: {{ deployments: [eu], require: {{ labels: {{ region: eu }} }}, rules: [{{ use: abroad }}] }}\n  \
         saved: {{ deployments: [us], hints: [region], fallbacks: [home] }}\n  \
         named: {{ deployments: [us, eu], require: {{ deployments: [eu] }}, fallbacks: [abroad], retries: {{ max: 1, base: 1ms }} }}\n",
        us.url(),
        eu.url()
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn ask(weir: &RunningWeir, model: &str, region: Option<&str>) -> Reply {
    let call = json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] });
    let headers: Vec<(&str, &str)> = region.map(|region| ("x-weir-region", region)).into_iter().collect();
    weir.post(CHAT, &headers, &call)
}

fn who(weir: &RunningWeir, model: &str, region: Option<&str>) -> String {
    let reply = ask(weir, model, region);
    assert_eq!(reply.status, 200, "{model} {region:?}: {}", reply.text());
    reply.header("x-weir-deployment").unwrap().to_owned()
}

fn code(reply: &Reply) -> (u16, Value) {
    (reply.status, reply.json()["error"]["code"].clone())
}

#[test]
fn a_required_label_holds_whatever_fails_and_wherever_rules_lead() {
    let (us, eu) = (Upstream::start(), Upstream::start());
    let weir = weir(&us, &eu);
    for _ in 0..10 {
        assert_eq!(who(&weir, "home", None), "eu");
    }
    eu.always(Answer::status(500));
    for model in ["home", "falls"] {
        let reply = ask(&weir, model, None);
        assert_eq!(reply.status, 500, "{model}: {}", reply.text());
    }
    // The rule leads to a route whose deployments the request may not go to.
    let reply = ask(&weir, "led", None);
    assert_eq!(code(&reply), (503, json!("no_deployment_allowed")), "{}", reply.text());
    assert!(us.calls().is_empty(), "nothing left the region");
    assert_eq!(who(&weir, "abroad", None), "us", "others may go there");
}

#[test]
fn only_the_deployments_that_a_route_names_are_called() {
    let (us, eu) = (Upstream::start(), Upstream::start());
    let weir = weir(&us, &eu);
    for _ in 0..10 {
        assert_eq!(who(&weir, "named", None), "eu");
    }
    eu.always(Answer::status(500));
    let reply = ask(&weir, "named", None);
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(us.calls().is_empty(), "neither the route nor its fallback called another");
}

#[test]
fn a_request_may_narrow_down_where_it_goes_if_its_route_lets_it() {
    let (us, eu) = (Upstream::start(), Upstream::start());
    let weir = weir(&us, &eu);
    for _ in 0..10 {
        assert_eq!(who(&weir, "open", Some("us")), "us");
        assert_eq!(who(&weir, "open", Some("ch, eu")), "eu");
    }
    assert_eq!(who(&weir, "saved", Some("eu")), "eu", "a fallback route has somebody there");
    for (model, region, expect) in [
        ("open", "mars", (400, "region_not_served")),
        ("abroad", "eu", (400, "region_not_served")),
        ("open", " , ", (400, "invalid_hint")),
        ("shut", "eu", (403, "hint_not_allowed")),
    ] {
        let reply = ask(&weir, model, Some(region));
        assert_eq!(code(&reply), (expect.0, json!(expect.1)), "{model} {region}: {}", reply.text());
    }
    eu.always(Answer::status(500));
    assert_eq!(ask(&weir, "open", Some("eu")).status, 500);
    assert!(us.calls().len() == 10, "only those that asked for it went there");
}
