use super::*;

fn read(status: u16, body: &str) -> Fault {
    let headers = HeaderMap::new();
    let private = Private::new(&[Secret::new("sk-canary-123456")], "10.0.0.3:8000", true);
    let refusal = Refusal { status, headers: &headers, body: body.as_bytes(), now: SystemTime::UNIX_EPOCH };
    private.cut_out_of(fault(refusal))
}

fn check(status: u16, body: &str, class: Class, client_status: u16, code: Option<&str>) {
    let fault = read(status, body);
    assert_eq!(
        (fault.class, fault.status, fault.code.as_deref()),
        (class, client_status, code),
        "{status} {body}"
    );
}

fn error(code: &str) -> String {
    format!(r#"{{"error":{{"message":"no","type":"t","param":null,"code":"{code}"}}}}"#)
}

#[test]
fn a_refusal_keeps_its_status_and_code_and_gets_its_class() {
    check(400, &error("bad_thing"), Class::Caller, 400, Some("bad_thing"));
    check(422, &error("x"), Class::Caller, 422, Some("x"));
    check(403, &error("x"), Class::Refused, 403, Some("x"));
    check(404, &error("model_not_found"), Class::Refused, 404, Some("model_not_found"));
    check(429, &error("rate_limit_exceeded"), Class::Rate, 429, Some("rate_limit_exceeded"));
    check(429, &error("insufficient_quota"), Class::Refused, 429, Some("insufficient_quota"));
    check(500, &error("x"), Class::ServerError, 500, Some("x"));
    check(503, &error("x"), Class::ServerError, 503, Some("x"));
    check(529, &error("overloaded"), Class::ServerError, 529, Some("overloaded"));
    check(400, &error("context_length_exceeded"), Class::ContextWindow, 400, Some("context_length_exceeded"));
    check(
        400,
        &error("content_policy_violation"),
        Class::ContentPolicy,
        400,
        Some("content_policy_violation"),
    );
}

#[test]
fn a_code_is_the_upstreams_own_or_none_or_ours() {
    let typed = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    check(400, typed, Class::Caller, 400, None);
    check(400, r#"{"error":"no"}"#, Class::Caller, 400, Some("upstream_error"));
    check(502, "<html>Bad Gateway</html>", Class::ServerError, 502, Some("upstream_error"));
}

#[test]
fn a_full_context_is_known_by_words_too() {
    let vllm = r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However…","code":400}"#;
    assert_eq!(read(400, vllm).class, Class::ContextWindow);
}

#[test]
fn our_credentials_trouble_is_said_in_our_words() {
    for status in [401, 402] {
        let fault = read(
            status,
            r#"{"error":{"message":"Incorrect API key provided: sk-canary-123456","code":"invalid_api_key"}}"#,
        );
        assert_eq!((fault.class, fault.status), (Class::Credential, 502));
        assert_eq!(fault.code.as_deref(), Some("upstream_credentials"));
        assert!(!fault.message.contains("sk-") && !format!("{fault:?}").contains("sk-canary"), "{fault:?}");
    }
}

#[test]
fn secrets_in_an_upstreams_words_are_cut_out() {
    let fault =
        read(400, r#"{"error":{"message":"header was Bearer sk-canary-123456","code":"sk-canary-123456"}}"#);
    assert_eq!(fault.message, "header was Bearer [secret]");
    assert_eq!(fault.code.as_deref(), Some("[secret]"));
}

#[test]
fn no_part_of_a_secret_is_left_where_a_long_message_is_cut() {
    for filler in 2025..2050 {
        let body = format!(r#"{{"error":{{"message":"{}sk-canary-123456 and more"}}}}"#, "x".repeat(filler));
        let message = read(400, &body).into_details().message;
        assert!(!message.contains("sk-can"), "{filler}: {message}");
    }
}

#[test]
fn an_address_in_an_upstreams_words_is_cut_out() {
    let check = |authority: &str, own: bool, said: &str, expect: &str| {
        let fault = Fault::new(Class::ServerError, 502, "upstream_error", said.to_owned()).with_cause(said);
        let got = Private::new(&[], authority, own).cut_out_of(fault);
        assert_eq!((&*got.message, got.cause.as_deref()), (expect, Some(said)), "{authority}, own: {own}");
    };
    check(
        "10.0.0.3:8000",
        true,
        "10.0.0.3:8000 refused, 10.0.0.3 port 8000",
        "[upstream] refused, [upstream] port 8000",
    );
    check("[fd00::3]:8000", true, "http://[fd00::3]:8000/v1, fd00::3", "http://[upstream]/v1, [upstream]");
    check("llm-7.internal", true, "llm-7.internal:443: no route", "[upstream]: no route");
    check("llm-7.internal", true, "cannot resolve llm-7.internal", "cannot resolve [upstream]");
    check(
        "vllm:8000",
        true,
        "vllm has no such model, says vllm:8000",
        "vllm has no such model, says [upstream]",
    );
    check("api.groq.com", false, "api.groq.com:443 reset", "[upstream] reset");
    check("api.groq.com", false, "see https://api.groq.com/docs", "see https://api.groq.com/docs");
}

/// RFC 9110 §15 ends at 599; what lies beyond is the upstream's failure and no status for a client.
#[test]
fn a_status_that_there_is_not_is_a_502() {
    for (status, told) in [(599, 599), (600, 502), (999, 502)] {
        let fault = read(status, "{}");
        assert_eq!((fault.class, fault.status), (Class::ServerError, told), "{status}");
    }
}
