//! A secret is in no text that leaves the crate.

use super::{parse, valid, with};

const CANARY: &str = "canary";

#[test]
fn a_checked_configuration_shows_no_secret() {
    let config = valid(
        "server: {admin: {token: canary-token}}
providers:
  p: {kind: openai, api_key: ${KEY}, headers: {x-a: canary-header}}
deployments: {a: {provider: p, model: m}}
routes: {chat: {deployments: [a], policy: {kind: x, secret: ${KEY}}}}
keys: {k: {key: canary-key}, f: {key: file:/canary}}
",
    );
    assert_eq!(config.providers[0].api_keys.first().map(|key| key.expose()), Some("canary-secret-1"));
    let shown = format!("{config:?} {config:#?} {}", config.redacted_json());
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.contains("${KEY}"), "a setting from a variable is shown as written: {shown}");
}

#[test]
fn problems_show_no_secret() {
    let texts = [
        // Every secret is wrong in some way, and so is everything else that a variable fills in.
        with("server: {admin: {token: canar}}\n"),
        with("server: {admin: {token: [canary]}, grace: ${SHORT}, listen: '${KEY}'}\n"),
        with("keys: {a: {key: canary}, b: {key: canary}, c: {key: \"canary\\n12345678\"}, d: {kee: canary-key}}\n"),
        with("telemetry: {spans: ${KEY}, metrics: {labels: ['${KEY}']}, access_log: [canary]}\n").replace("[canary]", "1"),
        "providers: {p: {kind: openai, api_key: '${LINE}', headers: {host: '${LINE}'}, base_url: 'http://canary@x'}}\n"
            .to_owned(),
        "providers: {p: {kind: openai, api_key: 'canary${a b}', base_url: 'http://${KEY}:x'}}\n".to_owned(),
        "routes: {r: {deployments: [a, '${KEY}', '${KEY}'], aliases: ['${LINE}', '${LINE}'], fallbacks: ['${KEY}']}}\n"
            .to_owned(),
        "deployments: {a: {provider: '${SHORT}', model: m}}\nroutes: {r: {deployments: ['${SHORT}']}}\n".to_owned(),
    ];
    for text in texts {
        let problems = parse(&text).expect_err(&text);
        // The name of an unknown key is no secret.
        let shown = format!("{problems} {problems:?}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
