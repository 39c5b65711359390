//! Settings: every policy's are read, and refused with their place.

use super::*;
use weir_config::ProcessEnvironment;

/// What reading this policy says is wrong; nothing when all is well.
fn problems(policy: &str) -> Vec<String> {
    let text = format!(
        "providers: {{ p: {{ kind: openai }} }}\ndeployments: {{ d: {{ provider: p, model: m }} }}\n\
         routes:\n  r:\n    deployments: [d]\n    policy: {policy}\n"
    );
    let config = weir_config::parse("t.yaml", &text, &ProcessEnvironment).unwrap();
    let route = &config.routes[0];
    let kind = find(&route.policy.value).unwrap();
    let read = Compiled::read(kind, &route.settings, "routes.r.policy");
    read.err().into_iter().flatten().map(|problem| problem.to_string()).collect()
}

#[test]
fn every_setting_takes_its_default_and_refuses_nonsense_at_its_place() {
    for kind in POLICIES {
        for setting in kind.settings {
            let name = setting.name;
            if !setting.default.is_empty() {
                let stated = format!("{{ kind: {}, {name}: {} }}", kind.name, setting.default);
                assert_eq!(problems(&stated), [] as [&str; 0], "{stated}");
            }
            let wrong = format!("{{ kind: {}, {name}: no such thing }}", kind.name);
            let found = problems(&wrong);
            let before = format!("    policy: {{ kind: {}, {name}: ", kind.name);
            let place = format!("t.yaml:6:{}: routes.r.policy.{name}: ", before.len() + 1);
            assert_eq!(found.len(), 1, "{wrong}: {found:?}");
            assert!(found[0].starts_with(&place), "{wrong}: {found:?}, not {place}");
        }
        let unknown = format!("{{ kind: {}, nonsuch: 1 }}", kind.name);
        assert!(
            problems(&unknown)[0].contains("routes.r.policy.nonsuch: no setting of policy"),
            "{}",
            kind.name
        );
    }
}

#[test]
fn policies_within_policies_are_read_with_their_settings() {
    let check = |policy: &str, expect: &[&str]| {
        let found = problems(policy);
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.contains(expect), "{found}");
        }
    };
    check("{ kind: sticky, over: { kind: latency_budget, budget: 800ms, share: 0.9 } }", &[]);
    check("{ kind: sticky, over: { kind: sticky, over: priority } }", &[]);
    check(
        "{ kind: sticky, over: { kind: latency_budget, budget: soon, shar: 1 } }",
        &[
            "routes.r.policy.over.budget: write a number and its unit",
            "routes.r.policy.over.shar: no setting of policy \"latency_budget\" is called \"shar\"; did you mean \"share\"?",
        ],
    );
    check(
        "{ kind: sticky, over: latncy }",
        &["routes.r.policy.over: no policy is called \"latncy\"; did you mean \"latency\"?"],
    );
    check("{ kind: sticky, over: [a] }", &["expected the name of a policy or a map"]);
    check("{ kind: sticky, moving_costs: 0s }", &["must be above zero"]);
    let deep = (0..6).fold("priority".to_owned(), |inner, _| format!("{{ kind: sticky, over: {inner} }}"));
    check(&deep, &["at most 4 deep"]);
}

#[test]
fn what_keeps_requests_together_is_a_list() {
    let check = |by: &str, expect: Result<&[Bond], &str>| {
        let text = format!(
            "providers: {{ p: {{ kind: openai }} }}\ndeployments: {{ d: {{ provider: p, model: m }} }}\n\
             routes: {{ r: {{ deployments: [d], policy: {{ kind: sticky, over: least_busy, {by} }} }} }}\n"
        );
        let config = weir_config::parse("t.yaml", &text, &ProcessEnvironment).unwrap();
        let read = Compiled::read(find("sticky").unwrap(), &config.routes[0].settings, "policy");
        match (read, expect) {
            (Ok(read), Ok(expect)) => assert_eq!(read.bonds(), Some(expect), "{by}"),
            (Err(found), Err(part)) => assert!(found[0].to_string().contains(part), "{by}: {found:?}"),
            (read, _) => panic!("{by}: {read:?}"),
        }
    };
    check("moving_costs: 1s", Ok(&[Bond::Session, Bond::User]));
    check("by: prefix", Ok(&[Bond::Prefix]));
    check("by: { cookie: sid }", Ok(&[Bond::Cookie("sid".into())]));
    check(
        "by: [{ cookie: sid }, session, prefix]",
        Ok(&[Bond::Cookie("sid".into()), Bond::Session, Bond::Prefix]),
    );
    check("by: []", Err("an empty list keeps nothing together"));
    check("by: [session, sesion]", Err("expected one of: session, user, prefix"));
    check("by: [user, user]", Err("is there twice"));
    check("by: [{ cookie: 'a b' }]", Err("expected the name of a cookie"));
    check("by: [{ cooky: a }]", Err("expected one of: session"));
    assert_eq!(Compiled::defaults(find("weighted").unwrap()).bonds(), None);
}
