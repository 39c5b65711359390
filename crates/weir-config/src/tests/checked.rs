use super::{BASE, parse, valid, with};
use crate::{AccessLog, Limits, Retries, Store, Telemetry};
use std::path::Path;
use std::time::Duration;
use weir_core::{Price, Prices, Pricing, Rate, Rates, Timeouts, Unit};

#[test]
fn defaults_are_filled_in() {
    let config = valid(BASE);
    let server = &config.server;
    assert_eq!(server.listen.to_string(), "127.0.0.1:7600");
    assert_eq!(server.admin.listen.to_string(), "127.0.0.1:7601");
    assert!(server.admin.token.is_none() && server.cors.is_none() && server.cores.is_none());
    assert_eq!(server.limits, Limits::default());
    assert_eq!(server.grace, Duration::from_secs(30));
    assert!(server.headers.litellm && !server.headers.timing);
    assert_eq!(config.telemetry, Telemetry::default());
    assert_eq!(config.store, None, "nothing is kept unless it is asked for");
    let route = &config.routes[0];
    assert_eq!((route.policy.value.as_str(), route.settings.entries().len()), ("weighted", 0));
    assert_eq!(route.retries, Retries::default());
    assert_eq!(route.deployments, [(0, 1)]);
    assert_eq!(config.deployments[0].pricing, Pricing::Unknown);
    assert_eq!(config.deployments[0].timeouts, Timeouts::default());
    assert!(config.providers[0].api_keys.is_empty() && config.providers[0].base_url.is_none());
}

#[test]
fn sections_without_content_are_absent() {
    let config = valid(&with("server:\ntelemetry: ~\nkeys:\n"));
    assert!(config.keys.is_empty());
    let config = valid(&with("server:\n  cores:\n  listen: ${EMPTY}\n  grace: null\n  admin: {token: ''}\n"));
    assert_eq!(config.server.grace, Duration::from_secs(30));
    assert!(config.server.cores.is_none() && config.server.admin.token.is_none());
}

#[test]
fn a_store_is_there_when_its_section_is() {
    assert_eq!(valid(&with("store:\n")).store, None);
    assert_eq!(valid(&with("store: {}\n")).store, Some(Store::default()));
    let all = "store: {path: /var/w.db, keep_days: 7, max_total: 2MiB, max_entry: 1MiB, timeout: 300ms}\n";
    let store = Store {
        path: "/var/w.db".into(),
        keep_days: 7,
        max_total: 2 << 20,
        max_entry: 1 << 20,
        timeout: Duration::from_millis(300),
    };
    assert_eq!(valid(&with(all)).store, Some(store));
}

#[test]
fn names_become_indices_in_the_order_of_the_file() {
    let config = valid(
        "routes:
  z: {deployments: [b, {name: a, weight: 7}], fallbacks: [y, x]}
  y: {deployments: [a], aliases: [y2, meta/y]}
  x: {deployments: [b]}
deployments: {b: {provider: q, model: mb, weight: 3}, a: {provider: p, model: ma}}
providers: {p: {kind: openai}, q: {kind: vllm}}
",
    );
    let names: Vec<&str> = config.routes.iter().map(|route| &*route.name).collect();
    assert_eq!(names, ["z", "y", "x"]);
    assert_eq!(config.routes[0].deployments, [(0, 3), (1, 7)]);
    assert_eq!(config.routes[0].fallbacks.iter().map(|f| f.route).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(config.routes[1].aliases.iter().map(|a| &**a).collect::<Vec<_>>(), ["y2", "meta/y"]);
    assert_eq!((config.deployments[0].provider, config.deployments[1].provider), (1, 0));
    assert_eq!(config.routes[1].at.to_string(), "t.yaml:3:3");
    assert_eq!(config.providers[1].kind.at.to_string(), "t.yaml:6:42");
}

#[test]
fn prices_are_exact() {
    let price = |text: &str| {
        let more = format!("deployments: {{a: {{provider: p, model: m, price: {text}}}}}\n");
        let rest = "providers: {p: {kind: openai}}\nroutes: {r: {deployments: [a]}}\n";
        valid(&format!("{more}{rest}")).deployments[0].pricing.clone()
    };
    let micro = Price::from_micro_usd_per_million;
    assert_eq!(
        price("{input: 0.1, output: '0.30', cached_input: 0.000001}"),
        Prices::new(
            Rates::default()
                .with(Rate::Input, micro(100_000))
                .with(Rate::Output, micro(300_000))
                .with(Rate::CachedInput, micro(1))
        )
        .into()
    );
    assert_eq!(
        price("{input: 1, output: 2, above: {200000: {input: 2}}, request: 0.002}"),
        Prices::by_token(micro(1_000_000), micro(2_000_000))
            .with_step(200_000, Rates::default().with(Rate::Input, micro(2_000_000)))
            .with_unit(Unit::Request, micro(2_000_000_000))
            .into()
    );
    assert_eq!(
        price("{image: 0.04}"),
        Prices::default().with_unit(Unit::Image, micro(40_000_000_000)).into(),
        "what is paid by the piece needs no price of tokens"
    );
    assert_eq!(price("{per_hour: 0.40}"), Pricing::PerHour(400_000));
}

#[test]
fn a_policy_keeps_its_settings_with_their_places() {
    let text = with("")
        .replace("{deployments: [a]}", "{deployments: [a], policy: {half_life: 10s, kind: fastest, n: 3}}");
    let route = &valid(&text).routes[0];
    assert_eq!((route.policy.value.as_str(), route.policy.at.column), ("fastest", 59));
    assert_eq!(format!("{:?}", route.settings), r#"{"half_life": "10s", "n": "3"}"#);
    assert_eq!(route.settings.get("n").map(|node| node.at.to_string()), Some("t.yaml:6:71".to_owned()));
    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        half_life: String,
        n: u8,
    }
    assert_eq!(route.settings.decode(), Ok(Settings { half_life: "10s".into(), n: 3 }));
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Wrong {
        half_life: f64,
    }
    let problem = route.settings.decode::<Wrong>().expect_err("10s is no number");
    assert_eq!(problem.to_string(), "t.yaml:6:48: expected a number");
}

#[test]
fn several_credentials_are_kept_in_their_order_without_empty_ones() {
    let text = with("").replace("{kind: openai}", "{kind: openai, api_keys: ['${KEY}', '${EMPTY}', k2]}");
    let keys = &valid(&text).providers[0].api_keys;
    assert_eq!(keys.iter().map(|key| key.expose()).collect::<Vec<_>>(), ["canary-secret-1", "k2"]);
}

#[test]
fn there_is_a_call_for_each_deployment_unless_something_else_is_said() {
    let check = |deployments: usize, retries: &str, expect: u32| {
        let names: Vec<String> = (0..deployments).map(|n| format!("d{n}")).collect();
        let one = |name: &String| format!("  {name}: {{provider: p, model: m}}\n");
        let text = format!(
            "providers: {{p: {{kind: openai}}}}\ndeployments:\n{}routes: {{r: {{deployments: [{}]{retries}}}}}\n",
            names.iter().map(one).collect::<String>(),
            names.join(", ")
        );
        assert_eq!(valid(&text).routes[0].retries.max, expect, "{deployments} deployments {retries}");
    };
    for (deployments, expect) in [(1, 2), (3, 2), (4, 3), (5, 4), (9, 4)] {
        check(deployments, "", expect);
    }
    check(5, ", retries: {max: 0}", 0);
}

#[test]
fn variables_files_and_secrets_are_filled_in() {
    let config = valid(
        "providers:
  a: {kind: openai, api_key: file:/run/key, headers: {X-One: 'file:/h', x-two: v}}
  b: {kind: openai, api_key: '${KEY}', base_url: '${URL:-http://x/v1/}', health: {}}
  c: {kind: openai, api_key: '${EMPTY}'}
deployments:
  d: {provider: b, model: 'file:/not-a-secret'}
  e: {provider: b, model: '$${x}', health: {path: /own, interval: 1s}}
routes: {r: {deployments: [d, e]}}
keys: {k: {key: '${KEY}'}}
",
    );
    let [a, b, c] = &config.providers[..] else { panic!("three providers") };
    let key = |p: &crate::Provider| p.api_keys.first().map(|key| key.expose().to_owned());
    assert_eq!(key(a).as_deref(), Some("text-of-/run/key"));
    assert_eq!(key(b).as_deref(), Some("canary-secret-1"));
    assert_eq!(key(c), None);
    let headers: Vec<_> = a.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-one", "text-of-/h"), ("x-two", "v")]);
    assert_eq!(b.base_url.as_ref().map(|url| url.value.as_str()), Some("http://x/v1"));
    assert_eq!(&*config.deployments[0].model, "file:/not-a-secret");
    assert_eq!(&*config.deployments[1].model, "${x}");
    assert_eq!(config.deployments[0].health.as_ref().map(|h| h.path.as_deref()), Some(None));
    assert_eq!(config.deployments[1].health.as_ref().map(|h| h.path.as_deref()), Some(Some("/own")));
    assert_eq!(config.keys[0].secret.expose(), "canary-secret-1");
}

#[test]
fn the_access_log_goes_where_it_is_sent() {
    let log = |text: &str| valid(&with(&format!("telemetry: {{access_log: {text}}}\n"))).telemetry.access_log;
    assert_eq!(log("{}"), Some(AccessLog::Stdout));
    assert_eq!(log("{path: stderr}"), Some(AccessLog::Stderr));
    assert_eq!(log("{path: /var/log/x}"), Some(AccessLog::File(Path::new("/var/log/x").into())));
    assert_eq!(log("{enabled: false}"), None);
}

#[test]
fn json_is_read_too() {
    let text = r#"{"providers":{"p":{"kind":"openai"}},"deployments":{"a":{"provider":"p","model":"m"}},
        "routes":{"r":{"deployments":["a"]}},"server":{"cores":2}}"#;
    assert_eq!(valid(text).server.cores, Some(2));
}

#[test]
fn two_keys_may_not_be_the_same() {
    let problems =
        parse(&with("keys: {a: {key: 12345678}, b: {key: '12345678'}, c: {key: short}}\n")).unwrap_err();
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "t.yaml:1:37: keys.b.key: the same secret as that of the key \"a\"",
            "t.yaml:1:59: keys.c.key: the secret is shorter than 8 characters",
        ]
    );
}

#[test]
fn the_redacted_form_has_the_shape_of_the_file() {
    let config = valid(&with("server: {cores: 2}\nkeys: {k: {key: 12345678}}\n"));
    let shown = config.redacted_json();
    for (pointer, expect) in [
        ("/server/listen", "\"127.0.0.1:7600\""),
        ("/server/cores", "2"),
        ("/server/limits/max_body", "\"32MiB\""),
        ("/routes/chat/deployments/0/name", "\"a\""),
        ("/routes/chat/policy/kind", "\"weighted\""),
        ("/deployments/a/provider", "\"p\""),
        ("/keys/k/key", "\"[secret]\""),
    ] {
        assert_eq!(shown.pointer(pointer).map(ToString::to_string).as_deref(), Some(expect), "{pointer}");
    }
}
