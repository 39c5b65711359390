use super::*;
use crate::answer::Answer;
use proptest::prelude::*;

const USUAL: &str = r#"{"id":"x","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;

fn learnt(from: &str) -> Pattern {
    let mut pattern = Pattern::default();
    let text = Answer::read(from.as_bytes()).unwrap().only_text().expect("a plain text chunk");
    assert_eq!(&from[text.clone()], "hi");
    pattern.learn(from.as_bytes(), text);
    pattern
}

/// `text`: what stands in the place of the learnt chunk's text.
fn check(text: &[u8], expect: Option<usize>) {
    let (before, after) = USUAL.split_once("hi").unwrap();
    let data = [before.as_bytes(), text, after.as_bytes()].concat();
    assert_eq!(learnt(USUAL).text(&data).map(<[u8]>::len), expect, "{}", String::from_utf8_lossy(text));
}

#[test]
fn only_another_text_agrees() {
    check(b"ho", Some(2));
    check("é \\n\\\"\\ud83d\\ude00 and something longer".as_bytes(), Some(40));
    for text in [
        &b""[..],
        b"\"",
        b"a\",\"x\":\"b",
        b"\\",
        b"a\\",
        b"\\x",
        b"\\ud83d",
        b"line\nbreak",
        b"\xff",
        b"\xe2\x82",
    ] {
        check(text, None);
    }
}

#[test]
fn anything_else_that_differs_does_not_agree() {
    let pattern = learnt(USUAL);
    for (from, to) in [
        ("null", "\"stop\""),
        ("\"index\":0", "\"index\":1"),
        ("\"x\"", "\"y\""),
        ("}]}", "}],\"usage\":{}}"),
    ] {
        assert_eq!(pattern.text(USUAL.replace(from, to).as_bytes()), None, "{to}");
    }
    assert_eq!(pattern.text(b""), None);
    assert_eq!(Pattern::default().text(USUAL.as_bytes()), None);
    assert_eq!(Pattern::default().text(b""), None);
}

#[test]
fn chunks_that_say_more_are_not_learnt() {
    for chunk in [
        r#"{"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"delta":{"content":"hi"}},{"index":1,"delta":{"content":"ho"}}]}"#,
        r#"{"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[{"delta":{"content":"hi","tool_calls":[{}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"hi","reasoning":"ho"}}]}"#,
        r#"{"choices":[{"delta":{"content":""}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{}]}}]}"#,
    ] {
        assert!(Answer::read(chunk.as_bytes()).unwrap().only_text().is_none(), "{chunk}");
    }
    let mut pattern = learnt(USUAL);
    let large = USUAL.replace("\"x\"", &format!("\"{}\"", "x".repeat(3000)));
    pattern.learn(large.as_bytes(), Answer::read(large.as_bytes()).unwrap().only_text().unwrap());
    assert_eq!(pattern.text(large.as_bytes()), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn what_agrees_reads_the_same(text in prop::collection::vec(prop::sample::select(
        b"ab\"\\\\\\nu0d8:,{}]\x00\x1f\xc3\xa9 ".as_slice()), 0..14)) {
        let (before, after) = USUAL.split_once("hi").unwrap();
        let data = [before.as_bytes(), &text, after.as_bytes()].concat();
        let usual = learnt(USUAL);
        let quick = usual.text(&data).map(<[u8]>::len);
        match Answer::read(&data) {
            Ok(answer) if quick.is_some() => {
                prop_assert_eq!(quick, Some(answer.text_bytes));
                prop_assert!(answer.only_text().is_some());
            }
            // A text that ends its string early may still be valid, with more members: then it must be read in full.
            Ok(answer) => prop_assert!(text.is_empty() || answer.text_bytes != text.len()),
            Err(_) => prop_assert_eq!(quick, None),
        }
    }
}
