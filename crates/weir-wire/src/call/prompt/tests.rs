use super::*;

#[track_caller]
fn check(endpoint: Endpoint, body: &str, turns: u32, needs: &[Need], text: &str, latest: &str) {
    let facts = CallFacts::read(body.as_bytes(), endpoint).unwrap();
    let mut out = "what was there before".to_owned();
    let (prompt, start) = facts.user_text(body.as_bytes(), 1 << 16, &mut out);
    assert_eq!(prompt, facts.prompt(body.as_bytes()));
    assert_eq!((prompt.turns, prompt.needs), (turns, needs.iter().copied().collect()), "{body}");
    assert_eq!((out.as_str(), &out[start..]), (text, latest), "{body}");
}

#[test]
fn a_prompt_is_looked_into() {
    let chat = |rest: &str| format!(r#"{{"model":"m",{rest}}}"#);
    check(
        Endpoint::Chat,
        &chat(
            r#""messages":[{"role":"system","content":"no"},{"role":"user","content":"a\nb"},{"role":"assistant","content":null},{"content":"\u00e9","role":"user"}]"#,
        ),
        2,
        &[],
        "a\nb\né",
        "é",
    );
    check(
        Endpoint::Chat,
        &chat(
            r#""messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:"}},{"type":"text","text":"this"}]}],"tools":[{}],"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{}}"#,
        ),
        1,
        &[Need::Tools, Need::Images, Need::JsonSchema, Need::Reasoning],
        "see\nthis",
        "see\nthis",
    );
    check(
        Endpoint::Chat,
        &chat(
            r#""messages":[{"role":"user","content":[{"type":"input_audio"}]}],"tools":[],"response_format":{"type":"text"},"reasoning_effort":null"#,
        ),
        1,
        &[Need::Audio],
        "",
        "",
    );
    check(Endpoint::Chat, &chat(r#""messages":[]"#), 0, &[], "", "");
    check(Endpoint::Chat, &chat(r#""messages":[1,"x",{"role":1,"content":{}}]"#), 0, &[], "", "");
    check(Endpoint::Completions, &chat(r#""prompt":"a\"b""#), 1, &[], "a\"b", "a\"b");
    check(Endpoint::Embeddings, &chat(r#""input":["a",[1,2],"b"]"#), 1, &[], "a\nb", "a\nb");
}

#[test]
fn the_latest_of_a_long_text_is_read() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"aaaa"},{"role":"user","content":"bbb"},{"role":"user","content":"cc"}]}"#;
    let facts = CallFacts::read(body, Endpoint::Chat).unwrap();
    let mut out = String::new();
    for (most, expect, latest) in
        [(9, "aaaa\nbbb\ncc", "cc"), (8, "bbb\ncc", "cc"), (4, "cc", "cc"), (1, "c", "c"), (0, "", "")]
    {
        let (_, start) = facts.user_text(body, most, &mut out);
        assert_eq!((out.as_str(), &out[start..]), (expect, latest), "{most}");
    }
}

#[test]
fn metadata_is_asked_by_key() {
    let body =
        br#"{"model":"m","messages":[],"metadata":{"tags":["a","b",1],"tier":"g\u006fld","n":1,"o":{}}}"#;
    let facts = CallFacts::read(body, Endpoint::Chat).unwrap();
    let has = |key: &str, value: &str| facts.metadata(body, key, &mut |is| is == value.as_bytes());
    assert!(has("tags", "b") && has("tier", "gold"));
    assert!(!has("tags", "c") && !has("tier", "silver") && !has("n", "1") && !has("o", "") && !has("x", "a"));
}

/// Every turn of a conversation begins as the first did, and another conversation does not.
#[test]
fn a_conversation_is_known_by_how_it_begins() {
    let opening = |endpoint: Endpoint, body: &str| {
        let facts = CallFacts::read(body.as_bytes(), endpoint).unwrap();
        let mut all = Vec::new();
        facts.opening(body.as_bytes(), 8, &mut |said| all.push(String::from_utf8(said.to_vec()).unwrap()));
        all
    };
    let chat =
        |messages: &str| opening(Endpoint::Chat, &format!(r#"{{"messages":[{messages}],"model":"m"}}"#));
    let system = r#"{"role":"system","content":"be kind"},"#;
    let first = r#"{"content":[{"type":"text","text":"hello"}],"role":"user"}"#;
    assert_eq!(chat(&format!("{system}{first}")), ["be kind", "hello"]);
    let later = r#",{"role":"assistant","content":"hi"},{"role":"user","content":"more"}"#;
    assert_eq!(chat(&format!("{system}{first}{later}")), ["be kind", "hello"]);
    assert_eq!(chat(first), ["hello"]);
    assert_eq!(chat(""), [] as [&str; 0]);
    let completion =
        |prompt: &str| opening(Endpoint::Completions, &format!(r#"{{"model":"m","prompt":{prompt}}}"#));
    assert_eq!(completion(r#""once upon a time""#), ["once upo"]);
    assert_eq!(completion(r#"["once","again"]"#), ["once"]);
    assert_eq!(completion("[1,2]"), [] as [&str; 0]);
}
