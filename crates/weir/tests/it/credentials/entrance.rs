//! Rows A1 and A2: nobody gets in by default, and nobody gets in with a credential that is not exactly right.

use super::{CHAT, CLIENT_KEY, exchange, start};
use crate::told::{address, told};
use serde_json::json;
use std::process::Command;
use weir_server::public::CALLS;
use weir_testkit::{Process, RawClient, Scratch, Upstream};

/// A1: an address that others can reach needs keys (or, for the admin listener, a token); without, the program does not
/// start, and says what to do.
#[test]
fn a1_an_open_listener_without_keys_does_not_start() {
    let rest = "providers: { up: { kind: openai, base_url: http://127.0.0.1:9/v1 } }\n\
                deployments: { d: { provider: up, model: m } }\nroutes: { m: { deployments: [d] } }\n";
    let check = |server: &str, keys: &str, says: Option<&str>| {
        let scratch = Scratch::new();
        let config = scratch.write("weir.yaml", &format!("server: {{ {server} }}\n{rest}{keys}"));
        for command in ["serve", "check"] {
            if says.is_none() && command == "serve" {
                continue; // it would go on serving
            }
            let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
            let mut weir = Process::start(weir.arg(command).arg("-c").arg(&config));
            let code = weir.wait_for_exit().code();
            let said = weir.stdout() + &weir.stderr();
            match says {
                None => assert_eq!(code, Some(0), "{said}"),
                Some(says) => {
                    assert_eq!(code, Some(2), "{command}: {said}");
                    assert!(said.contains("weir.yaml:") && said.contains(says), "{command}: {said}");
                }
            }
        }
    };
    let keys = "keys: { a: { key: wr-some-key } }\n";
    let admin = "admin: { listen: 127.0.0.1:0 }";
    for address in ["0.0.0.0:0", "'[::]:0'", "192.0.2.1:0", "'[::ffff:0.0.0.0]:0'"] {
        check(&format!("listen: {address}, {admin}"), "", Some("keys"));
        check(&format!("listen: {address}, {admin}"), keys, None);
        check(&format!("listen: 127.0.0.1:0, admin: {{ listen: {address} }}"), keys, Some("token"));
    }
    for address in ["127.0.0.1:0", "127.1.2.3:0", "'[::1]:0'"] {
        check(&format!("listen: {address}, {admin}"), "", None);
    }
    check(&format!("listen: 0.0.0.0:0, {admin}"), "keys: {}\n", Some("keys"));
    check(&format!("listen: 0.0.0.0:0, {admin}"), "keys: { a: { key: '' } }\n", Some("key"));
}

/// A2: eight sorts of credential that are not right, on every endpoint: 401, and the upstream hears nothing.
#[test]
fn a2_a_bad_credential_is_401_everywhere() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let right = format!("Bearer {CLIENT_KEY}");
    let forms: Vec<Vec<(&str, String)>> = vec![
        vec![],
        vec![("authorization", "Bearer wrong-key".to_owned())],
        vec![("authorization", right.trim_end_matches('1').to_owned()), ("x-api-key", CLIENT_KEY.to_owned())],
        vec![("authorization", format!("{right}1"))],
        vec![("authorization", right.replace("client", "CLIENT"))],
        vec![("authorization", format!("Basic {CLIENT_KEY}"))],
        vec![("authorization", CLIENT_KEY.to_owned())],
        vec![("authorization", "Bearer ".to_owned())],
        vec![("authorization", right.clone()), ("authorization", right.clone())],
        vec![("authorization", "Bearer wrong".to_owned()), ("authorization", right.clone())],
        vec![("api-key", CLIENT_KEY.to_owned()), ("x-api-key", CLIENT_KEY.to_owned())],
        vec![("authorization", format!("Bearer{CLIENT_KEY}"))],
        vec![("authorization", "Bearer ' OR '1'='1".to_owned())],
        vec![("authorization", format!("Bearer {}", "x".repeat(4096)))],
        vec![("cookie", format!("authorization={CLIENT_KEY}")), ("proxy-authorization", right.clone())],
    ];
    let body = json!({ "model": "m", "messages": [], "prompt": "x", "input": "x" });
    for form in &forms {
        let headers: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut paths: Vec<String> = CALLS.iter().map(|call| address(call, "m")).collect();
        paths.push(format!("{CHAT}?api_key={CLIENT_KEY}&key={CLIENT_KEY}"));
        for path in paths {
            check(&weir.post(&path, &headers, &body), &path, &headers);
        }
        for path in ["/v1/models", "/v1/models/m"] {
            let mut client = weir.connect().unwrap();
            client.request("GET", path, &headers, b"").unwrap();
            check(&client.read_reply().unwrap(), path, &headers);
        }
    }
    assert_eq!(upstream.connections_total(), 0, "an upstream heard of it");
    // The right one does open, in both spellings of the scheme.
    for scheme in ["Bearer", "bearer"] {
        assert_eq!(
            weir.post(CHAT, &[("authorization", &format!("{scheme} {CLIENT_KEY}"))], &body).status,
            200
        );
    }
    assert_eq!(upstream.calls().len(), 2);
}

fn check(reply: &weir_testkit::client::Reply, path: &str, headers: &[(&str, &str)]) {
    assert_eq!(reply.status, 401, "{path} {headers:?}: {}", reply.text());
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    let error = told(reply);
    assert!(["missing_api_key", "invalid_api_key"].contains(&&*error.code), "{headers:?}: {error:?}");
    assert_eq!(Some(&*error.request_id), reply.header("x-request-id"), "{path}");
    assert!(!reply.text().contains("canary"), "{}", reply.text());
}

/// A stranger's body is not waited for: 401 comes while nothing but the head has been sent.
#[test]
fn a2_a_strangers_body_is_not_read() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let mut client = RawClient::connect(weir.public).unwrap();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer wrong\r\n");
    client
        .send(format!("{head}content-type: application/json\r\ncontent-length: 31000000\r\n\r\n").as_bytes())
        .unwrap();
    assert_eq!(client.read_reply().unwrap().status, 401);
    assert_eq!(upstream.connections_total(), 0);
}

/// Keys that a client sends for another listener open nothing: the admin token is no client key and the other way round.
#[test]
fn keys_and_the_admin_token_are_not_interchangeable() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let body = json!({ "model": "m", "messages": [] });
    let admin = format!("Bearer {}", super::ADMIN_TOKEN);
    assert_eq!(weir.post(CHAT, &[("authorization", &admin)], &body).status, 401);
    let client = format!("Bearer {CLIENT_KEY}");
    let said = exchange(weir.admin, "/admin/reload", &[("authorization", &client)], b"");
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
    assert_eq!(upstream.connections_total(), 0);
}
