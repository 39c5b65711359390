use super::*;
use crate::neutral::{Role, ToolCall, ToolResult};

/// `name#id` is a call, `=name#id` a result; what they become.
fn check(conversation: &[&str], wanted: &[&str]) {
    let parts = conversation.iter().map(|text| {
        let (name, id) = text.trim_start_matches('=').split_once('#').unwrap();
        let (id, name) = (Str::from(id.to_owned()), Str::from(name.to_owned()));
        match text.strip_prefix('=') {
            Some(_) => Part::ToolResult(ToolResult { id, name, ..ToolResult::default() }),
            None => Part::ToolCall(ToolCall { id, name, ..ToolCall::default() }),
        }
    });
    let mut turns: Vec<Turn<'_>> =
        parts.map(|part| Turn { role: Role::User, parts: vec![part], name: None }).collect();
    link(&mut turns);
    let got: Vec<String> = turns
        .iter()
        .map(|turn| match turn.parts.first().unwrap() {
            Part::ToolCall(call) => format!("{}#{}", call.name, call.id),
            Part::ToolResult(result) => format!("={}#{}", result.name, result.id),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(got, wanted);
}

#[test]
fn results_find_their_calls() {
    check(&["a#1", "b#2", "=#2", "=#1"], &["a#1", "b#2", "=b#2", "=a#1"]);
    check(
        &["a#", "b#", "=b#", "=a#"],
        &["a#call_made_0", "b#call_made_1", "=b#call_made_1", "=a#call_made_0"],
    );
    check(
        &["a#", "a#", "=a#", "=a#"],
        &["a#call_made_0", "a#call_made_1", "=a#call_made_0", "=a#call_made_1"],
    );
    check(&["a#", "b#", "=#", "=#"], &["a#call_made_0", "b#call_made_1", "=a#call_made_0", "=b#call_made_1"]);
    check(&["a#x", "=a#", "a#y", "=#"], &["a#x", "=a#x", "a#y", "=a#y"]);
    check(&["a#x", "=a#", "=a#"], &["a#x", "=a#x", "=a#call_made_1"]);
    check(&["=c#"], &["=c#call_made_0"]);
}

#[test]
fn an_id_of_ours_is_short_and_names_its_answer() {
    assert_eq!(id_in("chatcmpl-7", "theirs", 0), "theirs");
    assert_eq!(id_in("answer-2", "", 1), "call_answer2_1");
    let long = id_in("chatcmpl-0123456789abcdef0123456789abcdef-ü", "", 12);
    assert_eq!(long, "call_89abcdef0123456789abcdef_12");
    assert!(long.len() <= 40);
    assert!(!is_made(&long) && is_made("call_made_3"));
}

#[test]
fn arguments_are_objects() {
    for (text, wanted) in
        [("", Some("{}")), (" {\"a\":1} ", Some("{\"a\":1}")), ("{\"a\":", None), ("[1]", None), ("7", None)]
    {
        assert_eq!(arguments(text), wanted, "{text}");
    }
}
