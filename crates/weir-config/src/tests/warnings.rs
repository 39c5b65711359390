//! What is allowed and was probably not meant; and files of another program.

use super::{VARIABLES, parse, with};
use crate::{Overrides, Reader};

/// The warnings about `text`, which has no problems, begin like this, in this order.
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let draft = Reader::new(&VARIABLES).parse("t.yaml", text);
    let (_, warnings) = draft.finish().unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let got: Vec<String> = warnings.iter().map(|w| w.to_string().replacen("t.yaml:", "", 1)).collect();
    let same = got.len() == expect.len() && got.iter().zip(expect).all(|(got, want)| got.starts_with(want));
    assert!(same, "\n{text}\nexpected {expect:#?}\ngot {got:#?}");
}

#[test]
fn variables_as_other_programs_write_them() {
    let provider = |key: &str| {
        format!(
            "providers: {{p: {{kind: openai, api_key: {key}}}}}\n\
             deployments: {{a: {{provider: p, model: m}}}}\nroutes: {{chat: {{deployments: [a]}}}}\n"
        )
    };
    check(&provider("sk-1234"), &[]);
    check(&provider("${KEY}"), &[]);
    check(
        &provider("os.environ/OPENAI_KEY"),
        &[
            "1:40: providers.p.api_key: taken as it stands: os.environ/… is LiteLLM's way to name a variable; write \
           ${OPENAI_KEY}",
        ],
    );
    // What a secret holds is not shown, even when it only looks like one.
    check(
        &provider("$OPENAI_KEY"),
        &["1:40: providers.p.api_key: taken as it stands: a variable is written with braces; write ${NAME}"],
    );
    check(&provider("$uperSecret"), &[]);
    check(
        &with("telemetry: {access_log: {path: $LOG_PATH}}\n"),
        &[
            "1:32: telemetry.access_log.path: taken as it stands: a variable is written with braces; write ${LOG_PATH}",
        ],
    );
}

#[test]
fn deployments_that_nobody_uses() {
    let text = "providers: {p: {kind: openai}}\ndeployments:\n  a: {provider: p, model: m}\n  b.1: {provider: p, \
                model: m}\nroutes: {chat: {deployments: [a]}}\n";
    check(
        text,
        &["4:3: deployments.\"b.1\": no route uses it, so nothing is ever sent there; name it in a route's"],
    );
}

#[test]
fn a_file_of_litellm_is_recognised() {
    let text = "model_list:\n  - model_name: gpt-4o\n    litellm_params: {model: openai/gpt-4o}\n\
                general_settings: {master_key: sk-1}\n";
    let problems = parse(text).unwrap_err().to_string();
    assert!(problems.starts_with("t.yaml:1:1: model_list: this is a configuration of LiteLLM"), "{problems}");
    assert_eq!(problems.lines().count(), 1, "{problems}");
    // Beside sections of ours it is a key that nobody knows.
    let problems = parse(&with("model_list: []\n")).unwrap_err().to_string();
    assert!(problems.contains("unknown key \"model_list\""), "{problems}");
}

#[test]
fn what_is_said_outside_the_file_goes_before_it() {
    let overrides = Overrides { listen: "0.0.0.0:1".parse().ok(), admin_listen: "127.0.0.1:2".parse().ok() };
    let reader = Reader { overrides, ..Reader::new(&VARIABLES) };
    let draft = |text: &str| reader.parse("t.yaml", text).finish();
    let (config, _) = draft(&with("server: {listen: 127.0.0.1:3}\nkeys: {k: {key: 12345678}}\n")).unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:1");
    assert_eq!(config.server.admin.listen.to_string(), "127.0.0.1:2");
    let problems = draft(&with("server: {listen: 127.0.0.1:3}\n")).unwrap_err().to_string();
    assert!(problems.contains("0.0.0.0:1 is not a loopback address and there are no keys"), "{problems}");
}

/// A route `r` of two deployments with these keys is warned about so.
#[track_caller]
fn check_route(keys: &str, expect: &[&str]) {
    let text = format!(
        "providers: {{p: {{kind: openai}}}}\ndeployments: {{a: {{provider: p, model: m}}, b: {{provider: p, model: n}}}}\n\
         routes:\n  r: {{deployments: [a, b], {keys}}}\n"
    );
    check(&text, expect);
}

#[test]
fn rules_and_pools_that_nothing_leads_to() {
    let pools = "pools: {x: {deployments: [a]}}";
    check_route(
        &format!("{pools}, rules: [{{name: all, use: x}}, {{when: {{turns: {{min: 1}}}}, use: x}}]"),
        &["4:89: routes.r.rules[1]: never tried: the rule \"all\" before it always holds; put it before"],
    );
    let always = "{any: [{task: chat}, {prompt_tokens: {min: 0}}]}";
    check_route(
        &format!(
            "{pools}, rules: [{{when: {always}, use: x}}, {{when: {{task: chat}}, use: x}}, {{use: x}}]"
        ),
        &["4:134: routes.r.rules[1]: never tried: the rule \"1\"", "4:164: routes.r.rules[2]: never tried"],
    );
    check_route(&format!("{pools}, rules: [{{when: {{turns: {{min: 1}}}}, use: x}}, {{use: x}}]"), &[]);
    check_route(pools, &["4:36: routes.r.pools.x: no rule leads to it, so it serves nothing"]);
}

#[test]
fn fallbacks_and_hedges_that_never_come() {
    let with = |fallback: &str, keys: &str, expect: &[&str]| {
        check_route(&format!("fallbacks: [{fallback}]{keys}}}\n  s: {{deployments: [b]"), expect);
    };
    with("s", "", &[]);
    with(
        "{route: s, on: []}",
        "",
        &["4:40: routes.r.fallbacks[0]: for no cause, so it is never used; say what"],
    );
    let off = ", answers: {empty: false, json: false}";
    with("{route: s, on: invalid_output}", "", &[]);
    with("{route: s, on: invalid_output}", ", answers: {empty: false}", &[]);
    with("{route: s, on: [invalid_output, rate]}", off, &[]);
    with(
        "{route: s, on: invalid_output}",
        off,
        &["4:40: routes.r.fallbacks[0]: for answers of no use, and `answers` judges none"],
    );
    check_route("hedge: {}", &[]);
    let text = "providers: {p: {kind: openai}}\ndeployments: {a: {provider: p, model: m}}\n\
                routes: {r: {deployments: [a], hedge: {}}}\n";
    check(text, &["3:32: routes.r.hedge: with one deployment there is no second one to call"]);
}

#[test]
fn limits_that_no_call_keeps() {
    check_route(
        "timeouts: {first_byte: 1ms, total: 9m}",
        &["4:51: routes.r.timeouts.first_byte: 1ms is so short that hardly any call keeps it; 30s is"],
    );
    check_route("timeouts: {first_byte: 10ms, connect: 1ms}", &[]);
    check_route(
        "timeouts: {total: 8s}",
        &[
            "4:46: routes.r.timeouts.total: a call that hangs is given up after 10s at first, so 8s leave no time",
        ],
    );
    check_route("timeouts: {total: 8s, first_byte: 3s}", &[]);
    check_route("timeouts: {total: 11s}", &[]);
    let text = "providers: {p: {kind: openai, timeouts: {idle: 2ms}}}\n\
                deployments: {a: {provider: p, model: m, timeouts: {connect: 0.5ms}}}\n\
                routes: {r: {deployments: [a], timeouts: {total: 1s}}}\n";
    check(
        text,
        &[
            "1:48: providers.p.timeouts.idle: 2ms is so short",
            "2:62: deployments.a.timeouts.connect: 0.0005s is so",
        ],
    );
}

#[test]
fn a_class_may_have_a_route_without_deployments() {
    let with = |class: &str, routes: &str| {
        format!(
            "providers: {{p: {{kind: openai}}}}\ndeployments: {{a: {{provider: p, model: m, class: {class}}}, b: {{provider: p, \
             model: n}}}}\nroutes: {{r: {{deployments: [b]}}, {routes}}}\n"
        )
    };
    let text = with("[coding, fast]", "class:coding: {hints: [policy], policy: round_robin}");
    let (config, warnings) = Reader::new(&VARIABLES).parse("t.yaml", &text).finish().unwrap();
    assert_eq!(warnings, []);
    let routes: Vec<_> =
        config.routes.iter().map(|r| (&*r.name, r.is_written, r.deployments.clone())).collect();
    assert_eq!(
        routes,
        [
            ("r", true, vec![(1, 1)]),
            ("class:coding", true, vec![(0, 1)]),
            ("class:fast", false, vec![(0, 1)])
        ]
    );
    assert_eq!(config.routes[1].policy.value, "round_robin");
    let problems = parse(&with("fast", "class:coding: {hints: [policy]}")).unwrap_err().to_string();
    assert!(
        problems.starts_with(
            "t.yaml:3:33: routes.\"class:coding\": no deployment of a weight above 0 is of the class \"coding\"; say `class: \
             coding` at one, or list `deployments` here"
        ),
        "{problems}"
    );
    assert_eq!(problems.lines().count(), 1, "{problems}");
}
