use super::*;

fn fault(class: Class, status: u16) -> Fault {
    Fault::new(class, status, "a_code", "what \"happened\"")
}

#[test]
fn the_envelope_is_openais() {
    let id = RequestId::from_random(1);
    assert_eq!(
        body(&fault(Class::Caller, 400).with_param("model"), Some(&id)),
        r#"{"error":{"message":"what \"happened\"","type":"invalid_request_error","param":"model","code":"a_code","request_id":"req_000000000000000000000001"}}"#
    );
    let mut bare = fault(Class::ServerError, 529);
    (bare.code, bare.kind) = (None, Some("own_type".into()));
    let expect = r#"{"error":{"message":"what \"happened\"","type":"own_type","param":null,"code":null}}"#;
    assert_eq!(body(&bare, None), expect);
    assert_eq!(event(&bare, None, None), format!("data: {expect}\n\n"));
}

/// Each format has it where its own libraries hand it to their callers.
#[test]
fn the_last_event_says_what_was_spent() {
    let spent = Usage { input: 7, cache_read: 2, output: 3, ..usage::estimate(0, 0, 0) };
    let bare = fault(Class::Truncated, 502);
    let told = |event: &[u8]| {
        let event = std::str::from_utf8(event).unwrap();
        let (_, data) = event.trim_end().rsplit_once("data: ").unwrap();
        serde_json::from_str::<Value>(data).unwrap()["error"]["usage"].clone()
    };
    let openai = serde_json::json!({
        "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
        "prompt_tokens_details": { "cached_tokens": 2 },
        "completion_tokens_details": { "reasoning_tokens": 0 },
        "source": "estimated",
    });
    assert_eq!(told(&event(&bare, None, Some(&spent))), openai);
    for (name, expect) in [
        ("chat", openai.clone()),
        ("completions", openai),
        (
            "messages",
            serde_json::json!({
                "input_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2,
                "output_tokens": 3, "source": "estimated",
            }),
        ),
    ] {
        let format = crate::format::format(name).unwrap();
        assert_eq!(told(&format.error_event(&bare, None, Some(&spent))), expect, "{name}");
        assert_eq!(told(&format.error_event(&bare, None, None)), Value::Null, "{name}");
    }
}

#[test]
fn types_follow_the_status() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (503, "server_error"),
    ] {
        let body: Value = serde_json::from_slice(&body(&fault(Class::Gateway, status), None)).unwrap();
        assert_eq!(body["error"]["type"], kind, "{status}");
    }
}

/// `expect`: message, type, code and param.
fn check(text: &str, expect: (&str, &str, &str, &str)) {
    let error = read_error(500, text.as_bytes());
    let or_dash = |text: &Option<String>| text.clone().unwrap_or("-".into());
    let got = (error.message.clone(), or_dash(&error.kind), or_dash(&error.code), or_dash(&error.param));
    assert_eq!((&*got.0, &*got.1, &*got.2, &*got.3), expect, "{text}");
}

#[test]
fn error_bodies_of_all_shapes_are_read() {
    const NONE: (&str, &str, &str, &str) =
        ("The upstream answered with status 500 and no readable error.", "-", "-", "-");
    check(r#"{"error":{"message":"m","type":"t","param":"p","code":"c"}}"#, ("m", "t", "c", "p"));
    check(r#"{"error":{"message":"m","type":null,"param":null,"code":429}}"#, ("m", "-", "429", "-"));
    check(r#"[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]"#, ("busy", "-", "503", "-"));
    check(r#"{"error":"model not found"}"#, ("model not found", "-", "-", "-"));
    check(
        r#"{"type":"error","error":{"type":"overloaded_error","message":"o"}}"#,
        ("o", "overloaded_error", "-", "-"),
    );
    check(
        r#"{"type":"error","sequence_number":9,"code":"server_error","message":"o","param":null}"#,
        ("o", "-", "server_error", "-"),
    );
    check(r#"{"detail":"Not Found"}"#, ("Not Found", "-", "-", "-"));
    check(
        r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"missing"},{"loc":[],"msg":"x"}]}"#,
        ("messages.0: field required; : x", "-", "-", "messages.0"),
    );
    check(
        r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#,
        ("too long", "BadRequestError", "400", "-"),
    );
    check(r#"{"message":"no credits"}"#, ("no credits", "-", "-", "-"));
    check(r#"{"Message":"Signature expired"}"#, ("Signature expired", "-", "-", "-"));
    check(r#""just text""#, ("just text", "-", "-", "-"));
    check(
        "upstream connect error or disconnect/reset\n",
        ("upstream connect error or disconnect/reset", "-", "-", "-"),
    );
    for text in [
        "",
        "  ",
        "<html><h1>502</h1></html>",
        "{\"error\":{\"mess",
        "{}",
        "[]",
        "null",
        "{\"error\":{}}",
        "a\0b",
    ] {
        check(text, NONE);
    }
}

#[test]
fn what_is_kept_of_a_message_is_bounded() {
    for body in [
        format!("{{\"error\":\"{}\"}}", "é".repeat(5000)),
        "é".repeat(5000),
        format!("x{}", "é".repeat(5000)),
    ] {
        let error = read_error(500, body.as_bytes());
        assert!((2040..=2048).contains(&error.message.len()), "{}", error.message.len());
    }
}

#[test]
fn classes_follow_status_and_words() {
    for (status, body, class) in [
        (400, r#"{"error":{"code":"context_length_exceeded"}}"#, Class::ContextWindow),
        (400, r#"{"message":"This model's maximum context length is 4096 tokens."}"#, Class::ContextWindow),
        (400, r#"{"error":{"type":"exceed_context_size_error","message":"x"}}"#, Class::ContextWindow),
        (400, r#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}"#, Class::ContextWindow),
        (400, r#"{"message":"Input is too long for requested model."}"#, Class::ContextWindow),
        (500, r#"{"error":"the context window is broken"}"#, Class::ServerError),
        (400, r#"{"error":{"code":"content_filter"}}"#, Class::ContentPolicy),
        (400, "{}", Class::Caller),
        (422, "{}", Class::Caller),
        (401, "{}", Class::Credential),
        (402, "{}", Class::Credential),
        (403, "{}", Class::Refused),
        (404, "{}", Class::Refused),
        (408, "{}", Class::ServerError),
        (429, "{}", Class::Rate),
        (429, r#"{"error":{"type":"insufficient_quota"}}"#, Class::Refused),
        (503, "{}", Class::ServerError),
        (529, "{}", Class::ServerError),
    ] {
        assert_eq!(read_error(status, body.as_bytes()).class(status), class, "{status} {body}");
    }
}

#[test]
fn an_error_inside_an_answer_says_its_own_status() {
    for (body, class, status, code) in [
        (r#"{"error":{"message":"m","code":"503"}}"#, Class::ServerError, 503, "503"),
        (r#"{"error":{"message":"m","type":"rate_limit_error"}}"#, Class::Rate, 429, "upstream_error"),
        (
            r#"{"error":{"message":"m","code":"insufficient_quota"}}"#,
            Class::Refused,
            429,
            "insufficient_quota",
        ),
        (r#"{"error":{"message":"m","type":"invalid_request_error"}}"#, Class::Caller, 400, "upstream_error"),
        (
            r#"{"error":{"message":"m","code":"invalid_api_key"}}"#,
            Class::Credential,
            502,
            "upstream_credentials",
        ),
        (r#"{"error":{"message":"m","code":200}}"#, Class::ServerError, 502, "200"),
        (r#"{"error":"m"}"#, Class::ServerError, 502, "upstream_error"),
    ] {
        let fault = fault_inside(body.as_bytes());
        assert_eq!((fault.class, fault.status, fault.code.as_deref()), (class, status, Some(code)), "{body}");
        assert_eq!(fault.message == "m", class != Class::Credential, "{body}");
    }
}
