use super::*;

/// `expect`: the facts in short, or status, code, param and message of the fault.
fn check(endpoint: Endpoint, body: &str, expect: &str) {
    let got = match CallFacts::read(body.as_bytes(), endpoint) {
        Ok(facts) => {
            assert_eq!(
                serde_json::from_str::<String>(&body[facts.model_range()]).unwrap(),
                facts.model.as_str(),
                "range of the model in {body}"
            );
            let mut words = vec![facts.model.to_string()];
            let flags = [
                (facts.stream, "stream"),
                (facts.include_usage, "usage"),
                (facts.needs.has(Need::Tools), "tools"),
            ];
            words.extend(flags.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned()));
            words.extend(facts.max_tokens.map(|n| format!("max={n}")));
            words.extend(facts.user.map(|user| format!("user={}", &body[user])));
            words.push(format!("prompt={}", facts.prompt_bytes));
            words.join(" ")
        }
        Err(fault) => {
            assert_eq!(fault.class, Class::Caller);
            let (code, param) = (fault.code.clone().unwrap(), fault.param.clone().unwrap_or_default());
            format!("{} {code} {param}: {}", fault.status, fault.message)
        }
    };
    assert_eq!(got, expect, "{body}");
}

#[test]
fn facts_are_read_per_endpoint() {
    check(Endpoint::Chat, r#"{"model":"gpt-4o","messages":[]}"#, "gpt-4o prompt=2");
    check(
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},
            "n":2,"max_tokens":5,"max_completion_tokens":7,"tools":[{}],"user":"u1","model":"a/b","x":{"model":1}}"#,
        "a/b stream usage tools max=7 user=\"u1\" prompt=32",
    );
    check(
        Endpoint::Chat,
        r#"{"m\u006fdel":"gp\u0074-\"4","messages":[],"stream":null,"stream_options":null,"tools":[],"n":null}"#,
        "gpt-\"4 prompt=2",
    );
    check(Endpoint::Completions, r#"{"model":"m","prompt":"hello","messages":1}"#, "m prompt=7");
    check(Endpoint::Completions, r#"{"model":"m","prompt":["a"]}"#, "m prompt=5");
    check(Endpoint::Embeddings, r#"{"model":"m","input":[1,2],"max_tokens":1e400,"n":-1}"#, "m prompt=5");
    for stream in ["true", "false", "\"yes\"", "null"] {
        let body = format!(r#"{{"model":"m","input":"x","stream":{stream},"stream_options":7}}"#);
        check(Endpoint::Embeddings, &body, "m prompt=3");
    }
    check(Endpoint::Chat, r#"{"model":"","messages":[]}"#, " prompt=2");
}

#[test]
fn facts_of_messages_are_read() {
    check(
        Endpoint::Messages,
        r#"{"model":"claude","max_tokens":9,"system":"Be brief.","messages":[],"stream":true,"metadata":{"user_id":"u1"}}"#,
        "claude stream max=9 user=\"u1\" prompt=13",
    );
    check(
        Endpoint::Messages,
        r#"{"model":"m","messages":[],"metadata":{"user_id":7},"stream":false}"#,
        "m user=7 prompt=2",
    );
    let needs = |more: &str| {
        let body = format!(r#"{{"model":"m","messages":[]{more}}}"#);
        let facts = CallFacts::read(body.as_bytes(), Endpoint::Messages).unwrap();
        facts.needs.iter().map(Need::name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(needs(""), "");
    assert_eq!(needs(r#","thinking":{"type":"disabled"}"#), "");
    assert_eq!(needs(r#","thinking":{"type":"enabled","budget_tokens":2000}"#), "reasoning");
    assert_eq!(needs(r#","thinking":{"type":"adaptive"},"tools":[{"name":"t"}]"#), "tools reasoning");
    assert_eq!(needs(r#","output_config":{"format":{"type":"json_schema","schema":{}}}"#), "json_schema");
    assert_eq!(needs(r#","output_config":{"effort":"low"}"#), "");
}

#[test]
fn results_of_tools_are_no_turns_of_a_person() {
    let body = r#"{"model":"m","system":[{"type":"text","text":"Be brief."}],"messages":[
        {"role":"user","content":"Look."},
        {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"t","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":"seen"}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"d","content":"x"},{"type":"text","text":"And?"},
            {"type":"image","source":{"type":"url","url":"u"}}]}]}"#;
    let facts = CallFacts::read(body.as_bytes(), Endpoint::Messages).unwrap();
    let mut said = String::new();
    let (prompt, latest) = facts.user_text(body.as_bytes(), 1000, &mut said);
    assert_eq!((prompt.turns, prompt.images), (2, 1));
    assert_eq!((said.as_str(), &said[latest..]), ("Look.\nAnd?", "And?"));
}

#[test]
fn faults_name_the_field() {
    for (endpoint, body, expect) in [
        (Endpoint::Chat, "{}", "missing_required_parameter model: Missing required parameter: `model`."),
        (
            Endpoint::Chat,
            r#"{"model":"m"}"#,
            "missing_required_parameter messages: Missing required parameter: `messages`.",
        ),
        (
            Endpoint::Embeddings,
            r#"{"model":"m","messages":[]}"#,
            "missing_required_parameter input: Missing required parameter: `input`.",
        ),
        (
            Endpoint::Completions,
            r#"{"model":"m","prompt":null}"#,
            "invalid_type prompt: Invalid type for `prompt`: expected a string or an array, got null.",
        ),
        (
            Endpoint::Chat,
            r#"{"model":5,"messages":[]}"#,
            "invalid_type model: Invalid type for `model`: expected a string, got a number.",
        ),
        (
            Endpoint::Chat,
            r#"{"model":null,"messages":[]}"#,
            "invalid_type model: Invalid type for `model`: expected a string, got null.",
        ),
        (
            Endpoint::Chat,
            r#"{"model":"m","messages":"hi"}"#,
            "invalid_type messages: Invalid type for `messages`: expected an array, got a string.",
        ),
        (
            Endpoint::Chat,
            r#"{"model":"m","messages":[],"stream":"yes"}"#,
            "invalid_type stream: Invalid type for `stream`: expected a boolean, got a string.",
        ),
        (
            Endpoint::Chat,
            r#"{"model":"m","messages":[],"stream_options":[]}"#,
            "invalid_type stream_options: Invalid type for `stream_options`: expected an object, got an array.",
        ),
        (
            Endpoint::Chat,
            r#"{"model":"m","messages":[],"stream_options":{"include_usage":1}}"#,
            "invalid_type stream_options.include_usage: Invalid type for `stream_options.include_usage`: \
             expected a boolean, got a number.",
        ),
    ] {
        check(endpoint, body, &format!("400 {expect}"));
    }
    let long = format!(r#"{{"model":"{}","messages":[]}}"#, "x".repeat(513));
    check(Endpoint::Chat, &long, "400 string_above_max_length model: `model` is longer than 512 bytes.");
}

#[test]
fn broken_json_is_named_with_its_place() {
    for (body, expect) in [
        ("{", "unexpected end at line 1, column 2 (byte 1)"),
        ("[", "expected a JSON object at line 1, column 1 (byte 0)"),
        ("nonsense", "expected a JSON object at line 1, column 1 (byte 0)"),
        ("{\n\"model\": \"m\",\n}", "trailing comma at line 3, column 1 (byte 16)"),
        (r#"{"model":"a","mod\u0065l":"b"}"#, "duplicate key `model` at line 1, column 14 (byte 13)"),
        // The grammar of what follows counts before the types of what came.
        (r#"{"model":5,"messages":[}"#, "expected a value at line 1, column 24 (byte 23)"),
        (
            r#"{"model":"m","messages":[],"stream_options":{"a":1,"a":2}}"#,
            "duplicate key `a` at line 1, column 52 (byte 51)",
        ),
    ] {
        check(
            Endpoint::Chat,
            body,
            &format!("400 invalid_json : The request body is not valid JSON: {expect}."),
        );
    }
}

#[test]
fn a_body_that_is_no_object_is_told_what_would_be_one() {
    let chat = r#"{"model": "…", "messages": [{"role": "user", "content": "…"}]}"#;
    for (body, got) in [
        ("", "empty"),
        (" \n", "empty"),
        ("[]", "an array"),
        ("[{\"model\":\"m\"}]", "an array"),
        ("\"hi\"", "a string"),
        ("null", "null"),
        ("true", "a boolean"),
        ("-1.5e3", "a number"),
    ] {
        let expect =
            format!("400 invalid_json : The request body is {got}; expected a JSON object such as {chat}.");
        check(Endpoint::Chat, body, &expect);
    }
    let expect = r#"400 invalid_json : The request body is empty; expected a JSON object such as {"model": "…", "input": "…"}."#;
    check(Endpoint::Embeddings, "", expect);
}
