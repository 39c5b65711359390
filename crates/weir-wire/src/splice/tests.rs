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
    let rewrite = |rename| Rewrite { model: "m", want_usage: false, rename, prefill: None };
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
        &Rewrite { model: "n", want_usage: true, rename: &[("stream_options", "messages")], prefill: None },
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
        let rewrite = Rewrite { model: &name, want_usage: true, rename: &[("a", "b"), ("d", "e")], prefill: None };
        let got: Value = serde_json::from_str(&spliced(&body, &rewrite).0).unwrap();
        let mut expect: Value = serde_json::from_str(&body).unwrap();
        let object = expect.as_object_mut().unwrap();
        object.insert("model".into(), json!(name));
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
        let prefill = Some(Prefill { text: "so \"far\"\n", members });
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
    let prefill = Some(Prefill { text: &"word".repeat(10), members: "" });
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
