//! `GET /v1/models` and `/v1/models/{id}`.

use super::{AUTH, Expect};
use serde_json::json;
use weir_testkit::client::call;
use weir_testkit::{Upstream, weir};

#[test]
fn models_are_listed_and_found_by_name() {
    let upstream = Upstream::start();
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: {} }} }}\n\
         deployments: {{ d: {{ provider: up, model: m }} }}\n\
         routes:\n  meta-llama/Llama-3.1-8B: {{ deployments: [d], aliases: [small, 'a:b@c'] }}\n  \
         large: {{ deployments: [d] }}\nkeys: {{ client: {{ key: wr-client-key }} }}\n",
        upstream.url()
    );
    let weir = weir::start(env!("CARGO_BIN_EXE_weir").as_ref(), &config);
    let get = |path: &str| call(weir.public, "GET", path, &[AUTH], b"").unwrap();
    let list = get("/v1/models").json();
    assert_eq!(list["object"], "list");
    let cards = list["data"].as_array().unwrap();
    let names: Vec<_> = cards.iter().map(|card| card["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["meta-llama/Llama-3.1-8B", "small", "a:b@c", "large"]);
    for card in cards {
        assert_eq!((&card["object"], &card["owned_by"]), (&json!("model"), &json!("weir")));
        assert!(card["created"].is_u64(), "{card}");
    }
    for (path, name) in [
        ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("meta-llama%2FLlama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("meta-llama%2fLlama%2D3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("a%3Ab%40c", "a:b@c"),
        ("small", "small"),
    ] {
        let reply = get(&format!("/v1/models/{path}"));
        assert_eq!((reply.status, reply.json()["id"].as_str()), (200, Some(name)), "{path}");
        assert_eq!(&reply.json(), cards.iter().find(|card| card["id"] == name).unwrap());
        assert!(reply.header("x-request-id").is_some());
    }
    let unknown = Expect {
        status: 404,
        kind: "invalid_request_error",
        code: "model_not_found",
        param: Some("model"),
        says: "did you mean \"large\"?",
    };
    unknown.check(&get("/v1/models/larg"));
    Expect { says: "/v1/models lists", ..unknown }
        .check(&get("/v1/models/meta-llama/..%2f..%2fadmin%2fconfig"));
    assert_eq!(call(weir.public, "GET", "/v1/models/small", &[], b"").unwrap().status, 401);
    assert_eq!(upstream.connections_total(), 0);
}
