use super::*;

/// `expect`: model and tokens, or class, status, code and message of the fault.
fn check(endpoint: Endpoint, body: &[u8], expect: &str) {
    let got = match reply_facts(body, endpoint, false) {
        Ok(facts) => format!(
            "{} {:?}",
            facts.model.map_or("-".into(), |model| model.to_string()),
            facts.usage.map(|usage| (usage.input, usage.output)),
        ),
        Err(fault) => {
            format!(
                "{} {} {}: {}",
                fault.class.name(),
                fault.status,
                fault.code.clone().unwrap_or_default(),
                fault.message
            )
        }
    };
    assert_eq!(got, expect, "{}", String::from_utf8_lossy(body));
}

#[test]
fn good_answers() {
    check(
        Endpoint::Chat,
        br#"{"id":"x","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant",
            "content":"hi \"there\""},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2}}"#,
        "m-1 Some((9, 2))",
    );
    check(
        Endpoint::Completions,
        br#"{"choices":[{"text":"a","finish_reason":"eos"}],"error":null}"#,
        "- None",
    );
    check(
        Endpoint::Embeddings,
        br#"{"data":[{"embedding":[0.1,-2e-5]}],"usage":{"prompt_tokens":3}}"#,
        "- Some((3, 0))",
    );
    check(Endpoint::Chat, br#"{"choices":[],"usage":{"prompt_tokens":-3}}"#, "- None");
}

#[test]
fn an_estimate_stands_in_for_missing_usage() {
    let body = br#"{"choices":[{"message":{"content":"12345678"}}]}"#;
    let usage = reply_facts(body, Endpoint::Chat, false).unwrap().usage_or_estimate(40);
    assert_eq!((usage.input, usage.output, usage.source.name()), (10, 2, "estimated"));
}

#[test]
fn what_is_no_answer_is_the_upstreams_fault() {
    let malformed = "malformed 502 upstream_malformed: The upstream's answer is not what its API promises.";
    for body in [
        &b""[..],
        b"<html><body>502 Bad Gateway</body></html>",
        b"{\"choices\":[{\"message\":{\"content\":\"cut",
        b"{\"choices\":[]} trailing",
        b"[]",
        b"null",
        b"{}",
        b"{\"choices\":{}}",
        b"{\"choices\":[],\"x\":\"\xff\"}",
        b"{\"data\":[]}",
        b"{\"error\":null}",
    ] {
        check(Endpoint::Chat, body, malformed);
    }
    check(Endpoint::Embeddings, b"{\"choices\":[]}", malformed);
    let fault = reply_facts(b"<html>secret</html>", Endpoint::Chat, true).unwrap_err();
    assert!(
        !fault.cause.clone().unwrap().contains("secret"),
        "what came may be a user's words or a credential"
    );
}

#[test]
fn an_error_in_a_success_is_that_error() {
    check(Endpoint::Chat, br#"{"error":{"message":"slow down","code":429}}"#, "rate 429 429: slow down");
    check(
        Endpoint::Chat,
        br#"{"error":"model 'x' failed"}"#,
        "server_error 502 upstream_error: model 'x' failed",
    );
    check(
        Endpoint::Chat,
        br#"{"error":{"message":"bad key sk-1","type":"authentication_error"}}"#,
        "credential 502 upstream_credentials: The credential configured for the upstream was not accepted. \
         This is for the operator of the gateway to mend; your own key is fine.",
    );
}

#[test]
fn usage_is_found_at_the_end_of_a_cut_answer() {
    let end = br#"fake \"usage\":{\"prompt_tokens\":1} "}}],"usage" : {"prompt_tokens":7,"completion_tokens":5},"a":"usage"}"#;
    let usage = usage_at_end(end).unwrap();
    assert_eq!((usage.input, usage.output), (7, 5));
    assert_eq!(usage_at_end(br#"xx"}}],"usage":null}"#), None);
    assert_eq!(usage_at_end(br#"xx","usage":{"prompt_tokens":7"#), None);
    assert_eq!(usage_at_end(b""), None);
}
