use super::{parse, with};

/// The problems of `text` are exactly these, in this order: each one begins as given (`line:column: path: message`).
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let got: Vec<String> = match parse(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|p| p.to_string().replacen("t.yaml:", "", 1)).collect(),
    };
    let same = got.len() == expect.len() && got.iter().zip(expect).all(|(got, want)| got.starts_with(want));
    assert!(same, "\n{text}\nexpected {expect:#?}\ngot {got:#?}");
}

/// The same for sections before a sound rest.
#[track_caller]
fn check_with(more: &str, expect: &[&str]) {
    check(&with(more), expect);
}

/// The same for one provider `p`, which starts on line 2, before a sound rest.
#[track_caller]
fn check_provider(more: &str, expect: &[&str]) {
    let rest = "deployments: {a: {provider: p, model: m}}\nroutes: {chat: {deployments: [a]}}\n";
    check(&format!("providers:\n  p: {{kind: openai, {more}}}\n{rest}"), expect);
}

/// The same for one deployment `a`, which starts on line 3.
#[track_caller]
fn check_deployment(more: &str, expect: &[&str]) {
    let (before, after) = ("providers: {p: {kind: openai}}\n", "routes: {chat: {deployments: [a]}}\n");
    check(&format!("{before}deployments:\n  a: {{provider: p, model: m, {more}}}\n{after}"), expect);
}

/// The same for what `routes` holds, from line 3 on; deployments `a`, `b` and `zero` (of weight 0) exist.
#[track_caller]
fn check_routes(routes: &str, expect: &[&str]) {
    let deployments =
        "a: {provider: p, model: m}, b: {provider: p, model: m}, zero: {provider: p, model: m, weight: 0}";
    let before = format!("providers: {{p: {{kind: openai}}}}\ndeployments: {{{deployments}}}\n");
    check(&format!("{before}{routes}"), expect);
}

#[test]
fn keys_that_nobody_knows() {
    check_with(
        "server: {lisetn: 127.0.0.1:1}\n",
        &["1:10: server.lisetn: unknown key \"lisetn\"; did you mean \"listen\"?"],
    );
    check_with("sever: {}\n", &["1:1: sever: unknown key \"sever\"; did you mean \"server\"?"]);
    check_with(
        "telemetry: {zzzzzzzz: 1}\n",
        &[
            "1:13: telemetry.zzzzzzzz: unknown key \"zzzzzzzz\"; known keys: access_log, decisions, metrics, spans",
        ],
    );
    check_with("<b>: 1\n", &["1:1: \"<b>\": unknown key \"<b>\""]);
}

#[test]
fn values_of_the_wrong_shape() {
    check("just text", &["1:1: expected a map, found a single value"]);
    check("[1, 2]", &["1:1: expected a map, found a list"]);
    check_with("server: 5\n", &["1:9: server: expected a map, found a single value"]);
    check_with("server: {listen: [a]}\n", &["1:18: server.listen: expected an address, found a list"]);
    check_with(
        "server: {listen: 7600}\n",
        &["1:18: server.listen: \"7600\" is not an address; write an IP address"],
    );
    check_with(
        "server: {cores: two}\n",
        &["1:17: server.cores: \"two\" is not a whole number; allowed: 1 to 1024"],
    );
    check_with("server: {cores: 0}\n", &["1:17: server.cores: \"0\" is too small; allowed: 1 to 1024"]);
    check_with("server: {cores: -1}\n", &["1:17: server.cores: \"-1\" is not a whole number"]);
    check_with("server: {cores: 1.0}\n", &["1:17: server.cores: \"1.0\" is not a whole number"]);
    check_with(
        "server: {grace: 30}\n",
        &["1:17: server.grace: \"30\" is not a duration; write a number and its unit"],
    );
    check_with("server: {grace: 25h}\n", &["1:17: server.grace: \"25h\" is not a duration; longer than 24h"]);
    check_with(
        "server: {limits: {max_body: 1.5GB}}\n",
        &["1:29: server.limits.max_body: \"1.5GB\" is not a size"],
    );
    check_with(
        "telemetry: {spans: yes}\n",
        &["1:20: telemetry.spans: \"yes\" is not true or false; write true"],
    );
    check_with(
        "telemetry: {metrics: {labels: [a, ~]}}\n",
        &["1:35: telemetry.metrics.labels[1]: expected text"],
    );
    check_with("telemetry: {metrics: {labels: a}}\n", &["1:31: telemetry.metrics.labels: expected a list"]);
    check_routes(
        "routes: {r: {deployments: [[a]]}}\n",
        &["3:28: routes.r.deployments[0]: expected text, found a list"],
    );
    check_routes(
        "routes: {r: {deployments: [a], policy: [x]}}\n",
        &["3:40: routes.r.policy: expected text, found a list"],
    );
}

#[test]
fn the_shape_that_would_be_right_is_shown() {
    check(
        "providers: [openai]\n",
        &[
            "1:1: routes: there are no routes",
            "1:12: providers: expected a map, found a list; as in `providers: { NAME: { kind: openai } }`",
        ],
    );
    check_with(
        "server: on\n",
        &["1:9: server: expected a map, found a single value; as in `server: { cores: 2 }`"],
    );
    check_with(
        "server: {cores: two}\n",
        &["1:17: server.cores: \"two\" is not a whole number; allowed: 1 to 1024, as in `cores: 2`"],
    );
    check_with(
        "telemetry: {metrics: {labels: gpu}}\n",
        &["1:31: telemetry.metrics.labels: expected a list, found a single value; as in `labels: [gpu]`"],
    );
    check_deployment(
        "price: 0.15",
        &[
            "3:37: deployments.a.price: expected a map, found a single value; as in `price: { input: 0.15, output: 0.6 }`",
        ],
    );
    check_routes(
        "routes: {r: {deployments: a}}\n",
        &["3:27: routes.r.deployments: expected a list, found a single value; as in `deployments: ["],
    );
    check_routes("routes: {r: {}}\n", &["3:10: routes.r: \"deployments\" is missing; as in `deployments: ["]);
    // A secret is not quoted back.
    check_with(
        "keys: canary\n",
        &["1:7: keys: expected a map, found a single value; as in `keys: { NAME: { key: ${"],
    );
}

#[test]
fn keys_that_are_missing() {
    check_routes("routes:\n  r: {}\n", &["4:3: routes.r: \"deployments\" is missing"]);
    check_routes("routes:\n  r:\n", &["4:3: routes.r: \"deployments\" is missing"]);
    check_routes(
        "routes: {r: {deployments: [{weight: 1}]}}\n",
        &["3:28: routes.r.deployments[0]: \"name\" is missing"],
    );
    check_routes(
        "routes: {r: {deployments: [a], policy: {x: 1}}}\n",
        &["3:32: routes.r.policy: \"kind\" is missing"],
    );
    check_with("keys:\n  k: {key: ${EMPTY}}\n", &["2:3: keys.k: \"key\" is missing"]);
}

#[test]
fn names_that_are_there_twice() {
    check_with(
        "keys:\n  k: {key: 12345678}\n  k: {key: 87654321}\n",
        &["3:3: keys.k: \"k\" is there twice; the first one is at 2:3"],
    );
    check_with("server: {grace: 1s}\nserver: {}\n", &["2:1: server: \"server\" is there twice"]);
    check_routes(
        "routes: {r: {deployments: [a], policy: {kind: x, y: {z: 1, z: 2}}}}\n",
        &["3:60: routes.r.policy.y.z: \"z\" is there twice"],
    );
    check_routes(
        "routes:\n  r: {aliases: [s, x, x], deployments: [a]}\n  s: {aliases: [x, r], deployments: [a]}\n",
        &[
            "4:17: routes.r.aliases[0]: the alias \"s\" is already the name of a route",
            "4:23: routes.r.aliases[2]: the alias \"x\" already belongs to the route \"r\"",
            "5:17: routes.s.aliases[0]: the alias \"x\" already belongs to the route \"r\"",
            "5:20: routes.s.aliases[1]: the alias \"r\" is already the name of a route",
        ],
    );
}

#[test]
fn names_with_characters_no_name_has() {
    check_routes(
        "routes: {\"a b\": {aliases: [\"\", gpt-4.1, meta/x, é], deployments: [a]}}\n",
        &[
            "3:10: routes.\"a b\": the name \"a b\" has characters that no name may have; allowed are letters",
            "3:28: routes.\"a b\".aliases[0]: a name is empty",
            "3:49: routes.\"a b\".aliases[3]: the name \"é\" has characters",
        ],
    );
    let long = "x".repeat(129);
    check_with(
        &format!("keys: {{{long}: {{key: 12345678}}}}\n"),
        &[&format!("1:8: keys.{long}: a name is longer")],
    );
}

#[test]
fn names_that_lead_nowhere() {
    check_routes(
        "routes: {r: {deployments: [aa, {name: c}], fallbacks: [t, x]}, rt: {aliases: [x], deployments: [a]}}\n",
        &[
            "3:28: routes.r.deployments[0]: no deployment named \"aa\"; known deployments: a, b, zero",
            "3:39: routes.r.deployments[1].name: no deployment named \"c\"; known deployments: a, b, zero",
            "3:56: routes.r.fallbacks[0]: no route named \"t\"; known routes: r, rt",
            "3:59: routes.r.fallbacks[1]: no route named \"x\"; \"x\" is an alias; name its route \"rt\"",
        ],
    );
    check(
        "providers: {openai: {kind: openai}}\ndeployments: {a: {provider: opnai, model: m}}\nroutes: {r: {deployments: [a]}}\n",
        &["2:29: deployments.a.provider: no provider named \"opnai\"; did you mean \"openai\"?"],
    );
}

#[test]
fn a_broken_entry_is_still_known_by_its_name() {
    check(
        "providers: {p: {base_url: x}}\ndeployments: {a: {provider: p}}\nroutes: {r: {deployments: [a]}}\n",
        &[
            "1:13: providers.p: \"kind\" is missing",
            "1:27: providers.p.base_url: the value is not a URL; it must begin with http:// or https://",
            "2:15: deployments.a: \"model\" is missing",
        ],
    );
    check_with(
        "server: {listen: 0.0.0.0:1}\nkeys: {k: {key: [1]}}\n",
        &["2:17: keys.k.key: expected a secret"],
    );
    check_with(
        "server: {admin: {listen: 0.0.0.0:1, token: ${NONE}}}\n",
        &["1:44: server.admin.token: the variable NONE is not set; set it, or write ${NONE:-default}"],
    );
}

#[test]
fn several_problems_at_once_in_the_order_of_the_file() {
    check(
        "server: {limits: {keep_alive: 0s, max_bdy: 1}}\nproviders: {p: {kind: openai, base_url: 'ftp://x'}}\ndeployments:\n  a: {provider: q, model: m, price: {input: 0.15}}\nroutes:\n  r: {deployments: [a, b], retries: {max: many}}\nkeys: {k: {key: ${NONE}}}\n",
        &[
            "1:31: server.limits.keep_alive: must be above zero",
            "1:35: server.limits.max_bdy: unknown key \"max_bdy\"; did you mean \"max_body\"?",
            "2:41: providers.p.base_url: the value is not a URL",
            "4:17: deployments.a.provider: no provider named \"q\"",
            "4:30: deployments.a.price: \"output\" is missing; a price has `input` and `output`",
            "6:24: routes.r.deployments[1]: no deployment named \"b\"",
            "6:43: routes.r.retries.max: \"many\" is not a whole number; allowed: 0 to 20",
            "7:17: keys.k.key: the variable NONE is not set",
        ],
    );
}

#[test]
fn routes_that_cannot_serve() {
    check("", &["1:1: routes: there are no routes"]);
    check_routes("routes:\n", &["3:1: routes: there are no routes"]);
    check_routes(
        "routes: {r: {deployments: []}}\n",
        &["3:27: routes.r.deployments: a route needs at least one"],
    );
    check_routes(
        "routes: {r: {deployments: [a, b, {name: a}]}}\n",
        &["3:41: routes.r.deployments[2].name: the deployment \"a\" is there twice"],
    );
    check_routes(
        "routes: {r: {deployments: [zero, {name: a, weight: 0}]}}\n",
        &["3:27: routes.r.deployments: the weights of all deployments are zero"],
    );
    check_routes("routes: {r: {deployments: [{name: zero, weight: 1}]}}\n", &[]);
    check_routes("routes: {r: {deployments: [zero, a]}}\n", &[]);
    check_routes(
        "routes: {r: {deployments: [a], retries: {base: 6s}}}\n",
        &["3:48: routes.r.retries.base: base (6s) is longer than cap (5s)"],
    );
    check_routes(
        "routes: {r: {deployments: [a], retries: {cap: 100ms}}}\n",
        &["3:47: routes.r.retries.cap: base (250ms) is longer than cap (100ms)"],
    );
    check_routes(
        "routes: {r: {deployments: [a], answers: {otherwise: lst}}}\n",
        &["3:53: routes.r.answers.otherwise: \"lst\" is nothing a client could get; did you mean \"last\"?"],
    );
    check_routes(
        "routes: {r: {deployments: [a], answers: {emty: false}}}\n",
        &["3:42: routes.r.answers.emty: unknown key \"emty\"; did you mean \"empty\"?"],
    );
    check_routes(
        "routes: {r: {deployments: [a], retries: {max: 21}}}\n",
        &["3:47: routes.r.retries.max: \"21\" is too large; allowed: 0 to 20"],
    );
}

#[test]
fn fallbacks_that_go_round() {
    let route = |name: &str, to: &str| format!("  {name}: {{deployments: [a], fallbacks: [{to}]}}\n");
    let routes = |all: &[(&str, &str)]| {
        all.iter().fold("routes:\n".to_owned(), |text, (name, to)| text + &route(name, to))
    };
    check_routes(
        &routes(&[("r", "r")]),
        &["4:37: routes.r.fallbacks[0]: fallbacks go round in a circle: r → r"],
    );
    check_routes(
        &routes(&[("q", "r, s"), ("r", "s"), ("s", "t"), ("t", "r")]),
        &["7:37: routes.t.fallbacks[0]: fallbacks go round in a circle: r → s → t → r"],
    );
    check_routes(&routes(&[("q", "r, s"), ("r", "s"), ("s", "")]), &[]);
    check_routes(
        &routes(&[("q", "r, r"), ("r", "")]),
        &["4:40: routes.q.fallbacks[1]: \"r\" is there twice"],
    );
}

#[test]
fn hedges_that_nobody_could_make() {
    let hedge = |hedge: &str| format!("routes: {{r: {{deployments: [a, b], hedge: {hedge}}}}}\n");
    check_routes(&hedge("{}"), &[]);
    check_routes(&hedge("{after: 800ms, extra: 100%}"), &[]);
    const WANTED: &str =
        "a percentile or duration; write a percentile from p50 to p99, or a number and its unit";
    for after in ["p100", "p49", "95", "0s", "p9x"] {
        check_routes(
            &hedge(&format!("{{after: {after}}}")),
            &[&format!("3:50: routes.r.hedge.after: \"{after}\" is not {WANTED}")],
        );
    }
    for extra in ["0%", "101%", "5", "5.5%"] {
        let wanted = "a percentage; write a whole number from 1% to 100%";
        check_routes(
            &hedge(&format!("{{extra: {extra}}}")),
            &[&format!("3:50: routes.r.hedge.extra: \"{extra}\" is not {wanted}")],
        );
    }
    check_routes(
        &hedge("{afer: p95}"),
        &["3:43: routes.r.hedge.afer: unknown key \"afer\"; did you mean \"after\"?"],
    );
}

#[test]
fn timeouts_that_cannot_be_kept() {
    check_provider(
        "timeouts: {connect: 0s, total: 10m}",
        &["2:41: providers.p.timeouts.connect: must be above zero"],
    );
    check_provider(
        "timeouts: {total: 24.5h}",
        &["2:39: providers.p.timeouts.total: \"24.5h\" is not a duration; longer than 24h"],
    );
    check_deployment(
        "timeouts: {connect: 2m, first_byte: 90s, idle: 60s, total: 1m}",
        &[
            "3:50: deployments.a.timeouts.connect: longer than the total of 1m",
            "3:66: deployments.a.timeouts.first_byte: longer than the total of 1m",
        ],
    );
    // The default total counts where the route sets none; it may set a shorter one than a provider's idle time.
    check_provider(
        "timeouts: {idle: 11m}",
        &[
            "2:38: providers.p.timeouts.idle: longer than the total of 10m, so it never passes; set `total` at every route that leads here",
        ],
    );
    check_provider(
        "timeouts: {idle: 11m, total: 12m}",
        &[
            "2:38: providers.p.timeouts.idle: longer than the total of 10m",
            "2:50: providers.p.timeouts.total: longer than the total of 10m, so it never passes; set `total` at every route that leads here",
        ],
    );
    check_routes("routes: {r: {deployments: [a], timeouts: {first_byte: 20m, total: 30m}}}\n", &[]);
    check_routes(
        "routes: {r: {deployments: [a], timeouts: {first_byte: 20m}}}\n",
        &[
            "3:55: routes.r.timeouts.first_byte: longer than the total of 10m, so it never passes; set `total` beside it",
        ],
    );
    check_provider(
        "timeouts: {min_speed: {tokens_per_second: 2, over: 0s}}",
        &["2:72: providers.p.timeouts.min_speed.over: must be above zero"],
    );
    check_provider("pool: {idle: 0s}", &["2:34: providers.p.pool.idle: must be above zero"]);
    check_deployment(
        "breaker: {cooldown: 0s}",
        &["3:50: deployments.a.breaker.cooldown: must be above zero"],
    );
    check_deployment(
        "breaker: {slow: {first_token_p95: 0s, min_sample: 3}}",
        &[
            "3:64: deployments.a.breaker.slow.first_token_p95: must be above zero",
            "3:68: deployments.a.breaker.slow.min_sample: unknown key \"min_sample\"; did you mean \"min_samples\"?",
        ],
    );
    check_deployment(
        "health: {interval: 10ms, path: x}",
        &[
            "3:49: deployments.a.health.interval: must be at least 100ms",
            "3:61: deployments.a.health.path: must begin with /",
        ],
    );
    check_with(
        "server: {limits: {body_timeout: 3m}}\n",
        &["1:33: server.limits.body_timeout: body_timeout (3m) is longer than body_total (2m)"],
    );
    check_with(
        "server: {limits: {body_total: 5s}}\n",
        &["1:31: server.limits.body_total: body_timeout (10s) is longer than body_total (5s)"],
    );
}

#[test]
fn prices() {
    check_deployment(
        "price: {input: 0.1234567, output: 1}",
        &[
            "3:45: deployments.a.price.input: \"0.1234567\" is not a price in USD; it has more than six digits",
        ],
    );
    check_deployment(
        "price: {input: -1, output: 1}",
        &["3:45: deployments.a.price.input: \"-1\" is not a price in USD; it is below zero"],
    );
    check_deployment(
        "price: {input: 1e-1, output: 1}",
        &["3:45: deployments.a.price.input: \"1e-1\" is not a price in USD"],
    );
    check_deployment(
        "price: {}",
        &[
            "3:30: deployments.a.price: \"input\" is missing",
            "3:30: deployments.a.price: \"output\" is missing",
        ],
    );
    check_deployment(
        "price: {per_hour: 1, input: 1}",
        &["3:48: deployments.a.price.per_hour: a price by the hour stands beside"],
    );
    check_deployment(
        "price: {input: 1, output: 1, image: 0.0000000001}",
        &[
            "3:66: deployments.a.price.image: \"0.0000000001\" is not a price in USD; it has more than nine digits",
        ],
    );
    check_deployment(
        "price: {input: 1, output: 1, above: {many: {input: 2}, 0: {input: 2}, 9: {}, 8: {inpt: 1}}}",
        &[
            "3:67: deployments.a.price.above.many: \"many\" is not a number of tokens; as in `above:",
            "3:85: deployments.a.price.above.0: \"0\" is not a number of tokens",
            "3:100: deployments.a.price.above.9: no price is stated for these prompts",
            "3:111: deployments.a.price.above.8.inpt: unknown key \"inpt\"; did you mean \"input\"?",
        ],
    );
}

#[test]
fn headers_and_labels() {
    check_provider(
        "headers: {Host: a, x-é: b, content-length: 1, X-A: 1, x-a: 2}",
        &[
            "2:31: providers.p.headers.Host: the header \"Host\" is set by the connection",
            "2:40: providers.p.headers.\"x-é\": \"x-é\" cannot be the name of a header",
            "2:48: providers.p.headers.content-length: the header",
            "2:75: providers.p.headers.x-a: the header \"x-a\" is there twice",
        ],
    );
    check_provider(
        "headers: {x-a: \"${LINE}\"}",
        &["2:36: providers.p.headers.x-a: the value holds line ends"],
    );
    check_provider(
        "api_key: k, api_keys: [k, a, \"é\"]",
        &[
            "2:33: providers.p.api_keys: `api_keys` stands beside `api_key`; put all into `api_keys`",
            "2:44: providers.p.api_keys[0]: the same credential is there twice",
            "2:50: providers.p.api_keys[2]: the value holds line ends or characters that are not ASCII",
        ],
    );
    check_provider(
        "api_key: \"é\"",
        &["2:30: providers.p.api_key: the value holds line ends or characters that are not ASCII"],
    );
    check_deployment(
        "labels: {\"a b\": c, ok: \"x\\ny\"}",
        &[
            "3:39: deployments.a.labels.\"a b\": \"a b\" cannot be the name of a label; 1 to 64 letters",
            "3:53: deployments.a.labels.ok: a label's value has at most 128 bytes",
        ],
    );
    check_with(
        "telemetry: {metrics: {labels: [a-b, model, x, x]}}\n",
        &[
            "1:32: telemetry.metrics.labels[0]: \"a-b\" cannot be a metric label",
            "1:37: telemetry.metrics.labels[1]: metrics use the label \"model\" themselves",
            "1:47: telemetry.metrics.labels[3]: \"x\" is there twice",
        ],
    );
    check_with(
        "server: {cors: {origins: [app.example, 'https://a/b']}}\n",
        &[
            "1:27: server.cors.origins[0]: \"app.example\" is not an origin; write scheme://host",
            "1:40: server.cors.origins[1]: \"https://a/b\" is not an origin; an origin has no path",
        ],
    );
    check_with("server: {cors: {origins: []}}\n", &["1:26: server.cors.origins: no origin"]);
    check_with(
        "telemetry: {decisions: {recent: 10001, sample: 1.5}}\n",
        &[
            "1:33: telemetry.decisions.recent: \"10001\" is too large; allowed: 0 to 10000, as in `recent: 5000`",
            "1:48: telemetry.decisions.sample: \"1.5\" is too large; allowed: 0 to 1, as in `sample: 0.1`",
        ],
    );
    check_with(
        "store: {path: '', keep_days: 0, timeout: 0s, max_entry: 12}\n",
        &[
            "1:15: store.path: the path is empty",
            "1:30: store.keep_days: \"0\" is too small; allowed: 1 to 3650, as in `keep_days: 7`",
            "1:42: store.timeout: must be above zero",
            "1:57: store.max_entry: must be at least 1KiB",
        ],
    );
    check_with(
        "store: {path: data/, max_total: 1MiB}\n",
        &[
            "1:15: store.path: this is a folder, not a file; name a file in it",
            "1:33: store.max_total: max_entry (8MiB) is more than max_total (1MiB)",
        ],
    );
    check_with("store: {ttl: 3}\n", &["1:9: store.ttl: unknown key \"ttl\""]);
    check_with(
        "telemetry: {access_log: {path: ''}}\n",
        &["1:32: telemetry.access_log.path: the path is empty"],
    );
}

#[test]
fn urls() {
    for (url, why) in [
        ("http://", "it has no host"),
        ("http://canary:pw@host/v1", "it must not hold a user name or password"),
        ("http://host/v1?key=canary", "it must not hold a query"),
        ("http://host:99999/", "the port must be a number from 1 to 65535"),
    ] {
        let expect = format!("2:31: providers.p.base_url: the value is not a URL; {why}");
        check_provider(&format!("base_url: '{url}'"), &[&expect]);
    }
}

#[test]
fn listeners_that_would_be_open_to_everyone() {
    check_with(
        "server: {listen: '0.0.0.0:7600'}\n",
        &["1:18: server.listen: 0.0.0.0:7600 is not a loopback address and there are no keys; add `keys`"],
    );
    check_with("server: {listen: '[::]:7600'}\nkeys: {a: {key: 12345678}}\n", &[]);
    check_with("server: {listen: '[::1]:7600'}\n", &[]);
    check_with(
        "server: {admin: {listen: '0.0.0.0:7601'}}\n",
        &["1:26: server.admin.listen: 0.0.0.0:7601 is not a loopback address and there is no token; set"],
    );
    check_with(
        "server: {admin: {listen: '0.0.0.0:7601', token: '${EMPTY}'}}\n",
        &["1:26: server.admin.listen: 0.0.0.0:7601 is not"],
    );
    check_with("server: {admin: {listen: '0.0.0.0:7601', token: 12345678}}\n", &[]);
    check_with(
        "server: {admin: {listen: '127.0.0.1:7600'}}\n",
        &["1:26: server.admin.listen: both listeners have the port 7600"],
    );
    check_with(
        "server: {listen: '127.0.0.1:7601'}\n",
        &["1:18: server.listen: both listeners have the port 7601"],
    );
    check_with("server: {listen: '127.0.0.1:0', admin: {listen: '127.0.0.1:0'}}\n", &[]);
    check_with(
        "server: {limits: {max_header: 4KiB, stream_buffer: 0}}\n",
        &[
            "1:31: server.limits.max_header: must be at least 8KiB",
            "1:52: server.limits.stream_buffer: must be at least 1",
        ],
    );
}

#[test]
fn variables_and_files_that_are_not_there() {
    check_with(
        "server: {listen: ${A}, grace: ${KEY}}\n",
        &[
            "1:18: server.listen: the variable A is not set",
            "1:31: server.grace: \"${KEY}\" is not a duration",
        ],
    );
    check_with("server: {listen: '${A}:${B}'}\n", &["1:18: server.listen: the variables A, B are not set"]);
    check_with(
        "server:\n  listen: ${a b}\n",
        &["2:11: server.listen: \"a b\" is not the name of a variable"],
    );
    check_with("server: {listen: '${A'}\n", &["1:18: server.listen: `${` has no `}`"]);
    check_provider(
        "api_key: file:/missing",
        &["2:30: providers.p.api_key: \"file:/missing\" cannot be read: no such file"],
    );
    check_provider(
        "api_key: file:key",
        &["2:30: providers.p.api_key: \"file:key\" is not an absolute path: write file:/path"],
    );
}

#[test]
fn text_that_is_no_yaml() {
    check("a: b: c\n", &["1:5: not valid YAML: "]);
    let problems = crate::load(std::path::Path::new("/missing"), &super::VARIABLES).unwrap_err();
    assert_eq!(problems.to_string(), "/missing:1:1: the file cannot be read: no such file");
}

#[test]
fn what_is_required_of_deployments_is_had_by_one() {
    let check = |require: &str, expect: &[&str]| {
        let deployments =
            "a: {provider: p, model: m, labels: {region: eu, tier: own}}, b: {provider: p, model: m}";
        let before = format!("providers: {{p: {{kind: openai}}}}\ndeployments: {{{deployments}}}\n");
        check(&format!("{before}routes: {{r: {{deployments: [a, b], require: {require}}}}}\n"), expect);
    };
    check("{labels: {region: [eu, us], tier: own}}", &[]);
    check("{}", &[]);
    check(
        "{labels: {region: us}}",
        &[
            "3:53: routes.r.require.labels: no deployment of this route has these labels, so it could serve nothing",
        ],
    );
    check(
        "{labels: {regio: eu}}",
        &[
            "3:53: routes.r.require.labels: no deployment of this route has these labels, so it could serve nothing; did you mean \"region\"?",
        ],
    );
    check(
        "{labels: {region: []}}",
        &["3:62: routes.r.require.labels.region: an empty list lets nobody through"],
    );
    check("{deployments: [b], labels: {}}", &[]);
    check(
        "{deployments: [c]}",
        &["3:59: routes.r.require.deployments[0]: no deployment named \"c\"; known deployments: a, b"],
    );
    check("{deployments: []}", &["3:58: routes.r.require.deployments: an empty list lets nobody through"]);
    check("{deployments: [a, a]}", &["3:62: routes.r.require.deployments[1]: \"a\" is there twice"]);
    check(
        "{deployments: [b], labels: {region: eu}}",
        &[
            "3:71: routes.r.require.labels: no deployment of this route has these labels, so it could serve nothing",
        ],
    );
}

#[test]
fn a_probe_and_its_path_go_together() {
    check_deployment(
        "health: {probe: health, path: /x}",
        &[
            "3:60: deployments.a.health.path: only the probe `path` asks for a path; leave `probe` or `path` out",
        ],
    );
    check_deployment(
        "health: {probe: path}",
        &["3:46: deployments.a.health.probe: the probe `path` needs a `path` beside it"],
    );
    check_deployment("health: {probe: path, path: /x}", &[]);
    check_provider(
        "gauges: {path: x, interval: 1ms}",
        &[
            "2:36: providers.p.gauges.path: must begin with / and hold no spaces",
            "2:49: providers.p.gauges.interval: must be at least 100ms",
        ],
    );
}
