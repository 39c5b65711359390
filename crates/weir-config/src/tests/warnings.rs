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
