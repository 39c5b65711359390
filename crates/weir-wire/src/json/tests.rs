use super::*;
use crate::samples;
use proptest::prelude::*;
use serde_json::Value;

fn members(body: &[u8]) -> Result<Vec<(String, Kind, String)>, JsonFault> {
    let mut found = Vec::new();
    scan(body, &mut |field| {
        let value = String::from_utf8_lossy(&body[field.value.clone()]).into_owned();
        found.push((field.key.unescape().into_owned(), field.kind, value));
    })?;
    Ok(found)
}

/// `expect`: the members as `key=value` joined by spaces, or the fault as it prints.
fn check(body: impl AsRef<[u8]>, expect: &str) {
    let body = body.as_ref();
    let got = match members(body) {
        Ok(found) => {
            found.iter().map(|(key, _, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        }
        Err(fault) => fault.to_string(),
    };
    assert_eq!(got, expect, "{}", String::from_utf8_lossy(body));
}

#[test]
fn members_are_shown_with_their_bytes() {
    check("{}", "");
    check(" \t\r\n{ } \n", "");
    check(r#"{"a":1,"b":"x","c":[1,{"d":2}],"e":{"f":[]}}"#, r#"a=1 b="x" c=[1,{"d":2}] e={"f":[]}"#);
    check("{ \"a\" : -0.5e+3 ,\n\"b\":null }", "a=-0.5e+3 b=null");
    check(r#"{"mod\u0065l":"a\/b","x":1e400,"":true,"é":false}"#, r#"model="a\/b" x=1e400 =true é=false"#);
    check(r#"{"a":"\ud83d\ude00\"\\"}"#, r#"a="\ud83d\ude00\"\\""#);
}

#[test]
fn what_is_not_an_object_is_refused() {
    check("", "unexpected end at byte 0");
    check("  ", "unexpected end at byte 2");
    check("null", "expected a JSON object at byte 0");
    check("[{}]", "expected a JSON object at byte 0");
    check("\u{feff}{}", "expected a value at byte 0");
    check("{}{}", "unexpected text after the end of the object at byte 2");
    check("{} x", "unexpected text after the end of the object at byte 3");
}

#[test]
fn broken_grammar_is_refused_where_it_breaks() {
    for (body, expect) in [
        ("{", "unexpected end at byte 1"),
        (r#"{"a"}"#, "expected `:` at byte 4"),
        (r#"{"a":}"#, "expected a value at byte 5"),
        (r#"{"a":1"#, "unexpected end at byte 6"),
        (r#"{"a":1,}"#, "trailing comma at byte 7"),
        (r#"{"a":[1,]}"#, "trailing comma at byte 8"),
        (r#"{"a":[1 2]}"#, "expected `,` or `]` at byte 8"),
        (r#"{"a":{"b":1]}"#, "expected `,` or `}` at byte 11"),
        (r#"{,"a":1}"#, "expected a key in double quotes at byte 1"),
        ("{'a':1}", "expected a key in double quotes at byte 1"),
        (r#"{"a":tru}"#, "expected a value at byte 5"),
        (r#"{"a":NaN}"#, "expected a value at byte 5"),
        (r#"{"a":01}"#, "number with a leading zero at byte 6"),
        (r#"{"a":-}"#, "number without a digit at byte 6"),
        (r#"{"a":1.}"#, "number without a digit at byte 7"),
        (r#"{"a":1e+}"#, "number without a digit at byte 8"),
        (r#"{"a":.5}"#, "expected a value at byte 5"),
        (r#"{"a":+5}"#, "expected a value at byte 5"),
        (r#"{"a":"x"#, "string without an end at byte 7"),
        (r#"{"a":"x\"#, "string without an end at byte 7"),
        (r#"{"a":"\x"}"#, "unknown escape at byte 6"),
        (r#"{"a":"\u12g4"}"#, "`\\u` without four hexadecimal digits at byte 6"),
        (r#"{"a":"\u12"#, "`\\u` without four hexadecimal digits at byte 6"),
        (r#"{"a":"\ud83d"}"#, "escape of half a surrogate pair at byte 6"),
        (r#"{"a":"\ud83dx\ude00"}"#, "escape of half a surrogate pair at byte 6"),
        (r#"{"a":"\ude00"}"#, "escape of half a surrogate pair at byte 6"),
        ("{\"a\":\"\n\"}", "control character in a string (it must be escaped) at byte 6"),
        ("{\"a\":\"\0\"}", "control character in a string (it must be escaped) at byte 6"),
        ("{\"a\":1}\u{a0}", "unexpected text after the end of the object at byte 7"),
    ] {
        check(body, expect);
    }
    check(b"{\"a\":\"caf\xe9\"}", "invalid UTF-8 at byte 9");
    check(b"{\"a\":\"\xed\xa0\x80\"}", "invalid UTF-8 at byte 6");
}

#[test]
fn a_repeated_key_is_refused_however_it_is_written() {
    check(r#"{"model":1,"model":2}"#, "duplicate key at byte 11");
    check(r#"{"model":1,"x":2,"mod\u0065l":2}"#, "duplicate key at byte 17");
    check(r#"{"a":{"b":1,"b":2}}"#, r#"a={"b":1,"b":2}"#);
    check(r#"{"abcdefgh1":1,"abcdefgh2":2}"#, "abcdefgh1=1 abcdefgh2=2");
    let many: Vec<String> = (0..5000).map(|i| format!("\"k{i}\":0")).collect();
    assert_eq!(members(format!("{{{}}}", many.join(",")).as_bytes()).unwrap().len(), 5000);
    for again in [3, 70, 4999] {
        let body = format!("{{{},\"k{again}\":1}}", many.join(","));
        assert_eq!(members(body.as_bytes()).unwrap_err().what, DUPLICATE, "{again}");
    }
}

#[test]
fn depth_is_bounded_and_counted_from_the_outermost() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(members(nested(128).as_bytes()).is_ok());
    assert_eq!(members(nested(129).as_bytes()).unwrap_err().what, "nested too deeply");
    assert_eq!(members(nested(20_000).as_bytes()).unwrap_err().what, "nested too deeply");
    let objects = format!("{}1{}", "{\"a\":".repeat(128), "}".repeat(128));
    assert!(members(objects.as_bytes()).is_ok());
    // Width is not depth.
    assert!(members(format!("{{\"a\":[{}[]]}}", "[[]],".repeat(500)).as_bytes()).is_ok());
}

#[test]
fn positions_count_lines_and_columns_from_one() {
    let body = b"{\n  \"a\": 1,\n  \"b\": oops\n}";
    let fault = members(body).unwrap_err();
    assert_eq!(fault.position(body), (3, 8));
    assert_eq!(JsonFault { offset: 0, what: "" }.position(body), (1, 1));
    assert_eq!(JsonFault { offset: 99, what: "" }.position(b"abc"), (1, 4));
}

#[test]
fn whole_numbers_are_those_that_fit() {
    for (text, expect) in [
        ("0", Ok(0)),
        (" 7 ", Ok(7)),
        ("9999999999999999999", Ok(9_999_999_999_999_999_999)),
        ("18446744073709551615", Ok(u64::MAX)),
        ("18446744073709551616", Err(Kind::Number)),
        ("99999999999999999999999", Err(Kind::Number)),
        ("-1", Err(Kind::Number)),
        ("1.0", Err(Kind::Number)),
        ("1e2", Err(Kind::Number)),
        ("null", Err(Kind::Null)),
        ("\"1\"", Err(Kind::String)),
        ("[1]", Err(Kind::Array)),
    ] {
        let body = format!("[{text},1]");
        let mut found = Vec::new();
        let mut reader = Reader::new(body.as_bytes()).unwrap();
        reader
            .elements(&mut |reader| {
                found.push(reader.whole_number()?);
                Ok(())
            })
            .unwrap();
        assert_eq!(found, [expect, Ok(1)], "{text}");
    }
    for text in ["[00]", "[01]", "[1x]", "[1.]", "[ ]1"] {
        let read = Reader::new(text.as_bytes())
            .and_then(|mut reader| reader.elements(&mut |reader| reader.whole_number().map(|_| ())));
        assert_eq!(read.is_err(), text != "[ ]1", "{text}");
    }
}

#[test]
fn the_block_scan_finds_what_a_byte_scan_finds() {
    for length in 0..160 {
        for at in 0..=length {
            for special in [b'"', b'\\', 0, 0x1f] {
                let mut bytes = vec![b'\x80'; length];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = special;
                }
                if let Some(byte) = bytes.get_mut(at + 1) {
                    *byte = b'"';
                }
                let slow = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | ..0x20)).unwrap_or(length);
                assert_eq!(text::plain_length(&bytes), slow, "{length} {at} {special}");
            }
        }
    }
}

/// Whether serde_json takes the bytes as an object; `None` when it refuses for a reason that is not grammar.
fn serde_takes(body: &[u8]) -> Option<bool> {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => Some(value.is_object()),
        Err(e) if e.to_string().starts_with("number out of range") => None,
        Err(_) => Some(false),
    }
}

fn agrees(body: &[u8]) -> Result<(), TestCaseError> {
    match (members(body), serde_takes(body)) {
        (Err(fault), Some(true)) => {
            prop_assert_eq!(fault.what, DUPLICATE, "{:?}", String::from_utf8_lossy(body));
        }
        (got, Some(takes)) => {
            prop_assert_eq!(got.is_ok(), takes, "{:?}", String::from_utf8_lossy(body));
        }
        (_, None) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn what_serde_writes_is_read_back(value in samples::any_json(), pretty: bool) {
        let wrapped = serde_json::json!({"v": value, "w": "x"});
        let body = if pretty { serde_json::to_vec_pretty(&wrapped) } else { serde_json::to_vec(&wrapped) }.unwrap();
        let found = members(&body).unwrap();
        prop_assert_eq!(found.len(), 2);
        prop_assert_eq!(&serde_json::from_str::<Value>(&found[0].2).unwrap(), &wrapped["v"]);
    }

    #[test]
    fn keys_unescape_as_serde_does(key in any::<String>(), ascii: bool) {
        let mut text = serde_json::to_string(&key).unwrap();
        if ascii {
            text = text.chars().flat_map(|c| {
                let mut units = [0; 2];
                if c.is_ascii() { vec![c.to_string()] } else {
                    c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04X}")).collect()
                }
            }).collect();
        }
        let body = format!("{{{text}:1}}");
        prop_assert_eq!(&members(body.as_bytes()).unwrap()[0].0, &key);
    }

    #[test]
    fn verdicts_on_damaged_json_agree_with_serde(
        value in samples::any_json(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..3, prop::sample::select(
            b"{}[]\",:\\u0e.-+1tn \n\x00\x80\xc3\xa9d8".as_slice())), 1..4),
    ) {
        let mut body = serde_json::to_vec(&serde_json::json!({"v": value, "w": [1.5, true, null]})).unwrap();
        for (index, how, byte) in edits {
            let at = index.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
            agrees(&body)?;
        }
    }

    #[test]
    fn verdicts_on_json_like_noise_agree_with_serde(
        text in "(\\{\"a\":)?[\\[\\]{}\",:\\\\ue0-9.+\\-tfn ]{0,24}\\}?",
    ) {
        agrees(text.as_bytes())?;
    }
}
