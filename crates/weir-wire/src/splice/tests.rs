use super::*;
use crate::samples;
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_core::Endpoint;

fn spliced(body: &str, rewrite: &Rewrite<'_>) -> (String, usize) {
    let body = Bytes::from(body.to_owned());
    let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
    let spliced = splice(&body, &facts, rewrite);
    let whole = spliced.pieces.concat();
    assert_eq!(whole.len(), spliced.len);
    (String::from_utf8(whole).unwrap(), spliced.pieces.len())
}

fn check(body: &str, rewrite: &Rewrite<'_>, expect: &str) {
    assert_eq!(spliced(body, rewrite).0, expect, "{body}");
}

fn model(model: &str) -> Rewrite<'_> {
    Rewrite { model, ..Rewrite::default() }
}

fn usage(model: &str) -> Rewrite<'_> {
    Rewrite { model, want_usage: true, ..Rewrite::default() }
}

#[test]
fn only_the_model_changes() {
    check(r#"{"model":"a","messages":[]}"#, &model("b"), r#"{"model":"b","messages":[]}"#);
    check(
        r#"{ "messages" : [1e400] , "model" : "a" }"#,
        &model("x/y"),
        r#"{ "messages" : [1e400] , "model" : "x/y" }"#,
    );
    check(
        r#"{"model":"a","messages":[]}"#,
        &model("q\"\\\n\u{1f}é"),
        r#"{"model":"q\"\\\u000a\u001fé","messages":[]}"#,
    );
}

#[test]
fn nothing_to_change_means_the_same_bytes() {
    for text in [r#"{"model":"a","messages":[]}"#, r#"{"model":"\u0061","messages":[]}"#] {
        let body = Bytes::from_static(text.as_bytes());
        let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
        let spliced = splice(&body, &facts, &usage("a"));
        assert_eq!(spliced.pieces.len(), 1);
        assert_eq!(spliced.pieces[0].as_ptr(), body.as_ptr());
    }
}

#[test]
fn usage_is_asked_for_in_streams_only_and_once() {
    let with = r#"{"model":"m","messages":[],"stream":true"#;
    for (options, expect) in [
        ("", ""),
        (r#","stream_options":null"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{ }"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{"x":1}"#, r#","stream_options":{"include_usage":true,"x":1}"#),
        (r#","stream_options":{"include_usage":false}"#, r#","stream_options":{"include_usage":true}"#),
        (
            r#","stream_options":{"include_usage" : null,"x":1}"#,
            r#","stream_options":{"include_usage" : true,"x":1}"#,
        ),
        (r#","stream_options":{"include_usage":true}"#, r#","stream_options":{"include_usage":true}"#),
    ] {
        let new = if options.is_empty() { r#","stream_options":{"include_usage":true}"# } else { "" };
        check(
            &format!("{with}{options}}}"),
            &usage("n"),
            &format!(r#"{{"model":"n"{new},"messages":[],"stream":true{expect}}}"#),
        );
    }
    check(
        r#"{"stream":true,"messages":[],"model":"m"}"#,
        &usage("m"),
        r#"{"stream":true,"messages":[],"model":"m","stream_options":{"include_usage":true}}"#,
    );
    check(
        r#"{"model":"m","messages":[],"stream":false}"#,
        &usage("m"),
        r#"{"model":"m","messages":[],"stream":false}"#,
    );
}

#[test]
fn keys_are_renamed_or_dropped() {
    let rewrite = |rename| Rewrite { rename, ..model("m") };
    let limit: &[(&str, &str)] = &[("max_tokens", "max_completion_tokens")];
    check(
        r#"{"model":"m","max\u005ftokens": 5,"messages":[]}"#,
        &rewrite(limit),
        r#"{"model":"m","max_completion_tokens": 5,"messages":[]}"#,
    );
    check(
        r#"{"max_tokens":5,"model":"m","max_completion_tokens":6,"messages":[]}"#,
        &rewrite(limit),
        r#"{"model":"m","max_completion_tokens":6,"messages":[]}"#,
    );
    // What would be a second `messages` is left out, wherever it stands; the model never is.
    let doubled: &[(&str, &str)] = &[("a", "messages"), ("b", "messages"), ("model", "messages")];
    for (body, expect) in [
        (r#"{"a":1,"b":2,"model":"m","messages":[]}"#, r#"{"model":"m","messages":[]}"#),
        (r#"{"a":1,"model":"m","b":2,"messages":[]}"#, r#"{"model":"m","messages":[]}"#),
        (r#"{"model":"m","messages":[],"a":1,"b":2}"#, r#"{"model":"m","messages":[]}"#),
        (r#"{ "a":1 , "model":"m" , "messages":[] , "b":2 }"#, r#"{ "model":"m" , "messages":[] }"#),
        (r#"{"model":"m","messages":[],"c":1}"#, r#"{"model":"m","messages":[],"c":1}"#),
    ] {
        check(body, &rewrite(doubled), expect);
    }
    // A `stream_options` that is left out takes the change inside it along.
    check(
        r#"{"model":"m","messages":[],"stream":true,"stream_options":{"x":1}}"#,
        &Rewrite { rename: &[("stream_options", "messages")], ..usage("n") },
        r#"{"model":"n","messages":[],"stream":true}"#,
    );
}

#[test]
fn large_bodies_are_not_copied() {
    let text = String::from_utf8(samples::chat_body(100_000)).unwrap();
    let body = Bytes::from(text);
    let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
    let spliced = splice(&body, &facts, &model("other"));
    let inside = body.as_ptr_range();
    let own: usize = spliced.pieces.iter().filter(|p| inside.contains(&p.as_ptr())).map(Bytes::len).sum();
    assert_eq!(own, body.len() - "\"gpt-4o-mini\"".len());
    assert_eq!(spliced.pieces.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn only_what_was_asked_for_changes(
        extra in prop::collection::hash_map("[d-h\"é]{1,3}", samples::any_json(), 0..4),
        name in "[a-zé\"\\\\/😀\u{1}]{0,12}",
        stream: bool,
        options in prop_oneof![Just(None), Just(Some(Value::Null)), Just(Some(json!({}))), Just(Some(json!({"x": [1]})))],
        place in 0usize..4,
        pretty: bool,
    ) {
        let mut members: Vec<(String, Value)> = extra.into_iter().collect();
        let at = |n: usize, members: &Vec<_>| n.min(members.len());
        members.insert(at(place, &members), ("model".into(), json!("client-model")));
        members.insert(at(3 - place, &members), ("stream".into(), json!(stream)));
        members.push(("messages".into(), json!([{"role": "user", "content": "hi"}])));
        members.insert(at(1, &members), ("a".into(), json!(1)));
        if let Some(options) = &options {
            members.insert(at(place, &members), ("stream_options".into(), options.clone()));
        }
        let space = if pretty { " \n" } else { "" };
        let text: Vec<String> = members.iter().map(|(k, v)| format!("{space}{}{space}:{v}{space}", json!(k))).collect();
        let body = format!("{{{}}}", text.join(","));
        let rewrite = Rewrite { rename: &[("a", "b"), ("d", "e")], refuses: &["f", "ff", "é"], ..usage(&name) };
        let got: Value = serde_json::from_str(&spliced(&body, &rewrite).0).unwrap();
        let mut expect: Value = serde_json::from_str(&body).unwrap();
        let object = expect.as_object_mut().unwrap();
        object.insert("model".into(), json!(name));
        for refused in rewrite.refuses {
            object.remove(*refused);
        }
        for (from, to) in rewrite.rename {
            if let Some(value) = object.remove(*from) {
                object.entry(*to).or_insert(value);
            }
        }
        if stream {
            let options = object.entry("stream_options").or_insert(Value::Null);
            if options.is_null() { *options = json!({}); }
            options["include_usage"] = json!(true);
        }
        prop_assert_eq!(got, expect);
    }
}

#[test]
fn a_prefill_stands_behind_the_last_message() {
    let check = |messages: &str, members: &str, expect: &str| {
        let body = Bytes::from(format!(r#"{{"model":"m","messages":{messages},"stream":true}}"#));
        let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
        let prefill = Some(Prefill { text: "so \"far\"\n", members, in_turn: "" });
        let spliced = splice(&body, &facts, &Rewrite { model: "m", prefill, ..Rewrite::default() });
        let out = spliced.pieces.concat();
        assert_eq!(out.len(), spliced.len);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!(r#"{{"model":"m","messages":{expect},"stream":true}}"#)
        );
    };
    let turn = r#"{"role":"assistant","content":"so \"far\"\u000a"}"#;
    check(r#"[{"role":"user"}]"#, "", &format!(r#"[{{"role":"user"}},{turn}]"#));
    check(r#"[ {"role":"user"} ]"#, r#""x":1"#, &format!(r#"[ {{"role":"user"}} ,{turn}],"x":1"#));
    check("[ ]", "", &format!("[ {turn}]"));
}

#[test]
fn what_has_been_said_is_less_to_be_said() {
    let prefill = Some(Prefill { text: &"word".repeat(10), members: "", in_turn: "" });
    let rewrite = Rewrite { prefill, ..model("m") };
    for (asked, left) in [
        (r#""max_tokens":100"#, r#""max_tokens":90"#),
        (r#""max_completion_tokens" : 11 "#, r#""max_completion_tokens" : 1 "#),
        (r#""max_tokens":5"#, r#""max_tokens":1"#),
        (r#""max_tokens":null"#, r#""max_tokens":null"#),
    ] {
        let body = format!(r#"{{"model":"m",{asked},"messages":[]}}"#);
        let turn = format!(r#"{{"role":"assistant","content":"{}"}}"#, "word".repeat(10));
        check(&body, &rewrite, &format!(r#"{{"model":"m",{left},"messages":[{turn}]}}"#));
    }
    // Under another name as well, and not twice.
    let renamed = Rewrite { rename: &[("max_completion_tokens", "max_tokens")], ..rewrite };
    let (body, _) =
        spliced(r#"{"model":"m","max_completion_tokens":50,"max_tokens":20,"messages":[]}"#, &renamed);
    assert!(body.starts_with(r#"{"model":"m","max_tokens":10,"#), "{body}");
}

#[test]
fn what_is_refused_is_left_out_and_named() {
    let check = |body: &str, expect: &str, lost: &str| {
        let body = Bytes::from(body.to_owned());
        let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
        let refuses = &["seed", "user", "stream_options", "model"];
        let spliced = splice(&body, &facts, &Rewrite { refuses, ..model("n") });
        assert_eq!(String::from_utf8(spliced.pieces.concat()).unwrap(), expect);
        assert_eq!((spliced.len, &*spliced.lost.to_string()), (expect.len(), lost));
    };
    check(r#"{"model":"m","messages":[]}"#, r#"{"model":"n","messages":[]}"#, "");
    check(r#"{"seed":1,"model":"m","messages":[]}"#, r#"{"model":"n","messages":[]}"#, "seed");
    check(
        r#"{"se\u0065d":1,"user":null,"model":"m","x":{"seed":1},"messages":[], "user2":2, "stream_options" : {} }"#,
        r#"{"model":"n","x":{"seed":1},"messages":[], "user2":2 }"#,
        "seed",
    );
}

#[test]
fn other_members_can_stand_where_the_model_was() {
    let version = Some(r#""version":"v1""#);
    let rewrite = Rewrite { instead_of_model: version, refuses: &["version"], ..model("n") };
    check(r#"{"model" : "m", "messages":[]}"#, &rewrite, r#"{"version":"v1", "messages":[]}"#);
    let twice = r#"{"messages":[],"version":1,"model":"m"}"#;
    check(twice, &rewrite, r#"{"messages":[],"version":"v1"}"#);
}

#[test]
fn a_prefilled_turn_can_say_that_it_is_one() {
    let prefill = Some(Prefill { text: "so", members: "", in_turn: r#""prefix":true"# });
    let turn = r#"{"role":"assistant","content":"so","prefix":true}"#;
    check(
        r#"{"model":"m","messages":[]}"#,
        &Rewrite { prefill, ..model("m") },
        &format!(r#"{{"model":"m","messages":[{turn}]}}"#),
    );
}

#[test]
fn ids_of_tool_calls_are_made_short_where_they_are_not() {
    let rewrite = Rewrite { short_tool_ids: true, ..model("n") };
    let body = |call: &str, answered: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{{"id": "{call}","function":{{"id":"kept"}}}},{{"id":"abcDEF123"}}]}},{{"role":"tool","tool_call_id":"{answered}"}}]}}"#
        )
    };
    let (got, _) = spliced(&body("call_with-a-long-name", "call_with\\u002da-long-name"), &rewrite);
    let got: Value = serde_json::from_str(&got).unwrap();
    let calls = &got["messages"][0]["tool_calls"];
    let short = calls[0]["id"].as_str().unwrap();
    assert!(short.len() == 9 && short.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{short}");
    assert_eq!(got["messages"][1]["tool_call_id"], short, "the result finds its call");
    assert_eq!((&calls[1]["id"], &calls[0]["function"]["id"]), (&json!("abcDEF123"), &json!("kept")));
    let right = body("abcDEF456", "abcDEF456");
    check(&right, &rewrite, &right.replace(r#""m""#, r#""n""#));
    for odd in [
        r#"{"model":"m","messages":[{"tool_calls":"x"}]}"#,
        r#"{"model":"m","messages":[{"tool_call_id":7}]}"#,
    ] {
        check(odd, &rewrite, &odd.replace(r#""m""#, r#""n""#));
    }
}
