//! Google's dialect of schemas, made JSON Schema (<https://ai.google.dev/api/caching#Schema>): types in capitals,
//! `nullable` in place of a type `null`, counts as texts, and hints that no other vendor knows.

use crate::format::read::Members;
use crate::neutral::{Raw, Schema, Str};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Nothing deeper is looked at; it stays as it is.
const DEEPEST: u32 = 64;

/// The JSON Schema that a schema in Google's dialect means.
pub(super) fn json_schema<'a>(schema: Raw<'a>) -> Schema<'a> {
    let mut out = Vec::with_capacity(schema.text().len());
    write(&mut out, schema.text(), 0);
    let text = String::from_utf8(out).unwrap_or_default();
    match RawValue::from_string(text) {
        Ok(value) => Schema(Cow::Owned(value)),
        Err(_) => schema.into(),
    }
}

fn write(out: &mut Vec<u8>, schema: &str, depth: u32) {
    let members = (depth < DEEPEST).then(|| serde_json::from_str::<Members<'_>>(schema).ok()).flatten();
    let Some(Members(members)) = members else {
        out.extend_from_slice(schema.as_bytes());
        return;
    };
    let has = |wanted: &str| members.iter().any(|(key, _)| known(key) == wanted);
    let nullable = members.iter().any(|(key, value)| known(key) == "nullable" && value.text() == "true");
    let mut first = true;
    for (key, value) in &members {
        let key = known(key);
        if !keeps(key, value.text()) {
            continue;
        }
        out.extend_from_slice(if std::mem::take(&mut first) { b"{" } else { b"," });
        // A text cannot fail to be written.
        let _ = serde_json::to_writer(&mut *out, key);
        out.push(b':');
        member(out, key, value.text(), nullable, nullable && !has("type"), depth);
    }
    if first {
        out.push(b'{');
    }
    out.push(b'}');
}

/// `in_choice`: that it may be null has to be said where the alternatives stand.
fn member(out: &mut Vec<u8>, key: &str, value: &str, nullable: bool, in_choice: bool, depth: u32) {
    match key {
        "type" if value.starts_with('"') => {
            let word = value.to_ascii_lowercase();
            let word = if nullable && word != "\"null\"" { format!("[{word},\"null\"]") } else { word };
            out.extend_from_slice(word.as_bytes());
        }
        "enum" if nullable => {
            each(out, value, Some("null"), |out, item| out.extend_from_slice(item.as_bytes()));
        }
        "anyOf" => {
            let null = in_choice.then_some(r#"{"type":"null"}"#);
            each(out, value, null, |out, item| write(out, item, depth + 1));
        }
        "oneOf" | "allOf" | "prefixItems" => each(out, value, None, |out, item| write(out, item, depth + 1)),
        "items" | "additionalProperties" => write(out, value, depth + 1),
        "properties" | "$defs" => match serde_json::from_str::<Members<'_>>(value) {
            Ok(Members(members)) => {
                out.push(b'{');
                for (at, (name, schema)) in members.iter().enumerate() {
                    out.extend_from_slice(if at > 0 { b"," } else { b"" });
                    let _ = serde_json::to_writer(&mut *out, name);
                    out.push(b':');
                    write(out, schema.text(), depth + 1);
                }
                out.push(b'}');
            }
            Err(_) => out.extend_from_slice(value.as_bytes()),
        },
        key if counts(key) => out.extend_from_slice(value.trim_matches('"').as_bytes()),
        _ => out.extend_from_slice(value.as_bytes()),
    }
}

/// Writes a list anew, item by item, with one more at its end.
fn each(out: &mut Vec<u8>, list: &str, more: Option<&str>, item: impl Fn(&mut Vec<u8>, &str)) {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(list) else {
        out.extend_from_slice(list.as_bytes());
        return;
    };
    out.push(b'[');
    for (at, value) in items.iter().enumerate() {
        out.extend_from_slice(if at > 0 { b"," } else { b"" });
        item(out, value.get());
    }
    if let Some(more) = more {
        out.extend_from_slice(if items.is_empty() { b"" } else { b"," });
        out.extend_from_slice(more.as_bytes());
    }
    out.push(b']');
}

/// Whether a keyword means anything to others.
fn keeps(key: &str, value: &str) -> bool {
    match key {
        "nullable" | "propertyOrdering" | "example" => false,
        "type" => !value.eq_ignore_ascii_case(r#""TYPE_UNSPECIFIED""#),
        "format" => value != r#""enum""#,
        key if counts(key) => {
            let digits = value.trim_matches('"');
            !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
        }
        _ => true,
    }
}

fn counts(key: &str) -> bool {
    matches!(key, "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties")
}

/// A keyword as JSON Schema spells it.
fn known<'k>(key: &'k Str<'_>) -> &'k str {
    match &**key {
        "any_of" => "anyOf",
        "one_of" => "oneOf",
        "all_of" => "allOf",
        "prefix_items" => "prefixItems",
        "min_items" => "minItems",
        "max_items" => "maxItems",
        "min_length" => "minLength",
        "max_length" => "maxLength",
        "min_properties" => "minProperties",
        "max_properties" => "maxProperties",
        "property_ordering" => "propertyOrdering",
        "additional_properties" => "additionalProperties",
        "defs" => "$defs",
        "ref" => "$ref",
        key => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::any_json;
    use proptest::prelude::*;

    fn converted(schema: &str) -> String {
        json_schema(Raw(serde_json::from_str(schema).unwrap())).0.get().to_owned()
    }

    #[test]
    fn googles_words_become_everybodys() {
        for (schema, wanted) in [
            (r#"{"type":"OBJECT"}"#, r#"{"type":"object"}"#),
            (r#"{"type":"STRING","nullable":true}"#, r#"{"type":["string","null"]}"#),
            (
                r#"{"nullable": true , "type":"STRING","enum":["a"]}"#,
                r#"{"type":["string","null"],"enum":["a",null]}"#,
            ),
            (r#"{"type":"TYPE_UNSPECIFIED","example":3}"#, "{}"),
            (
                r#"{"type":"STRING","format":"enum","enum":["b","a"]}"#,
                r#"{"type":"string","enum":["b","a"]}"#,
            ),
            (r#"{"type":"STRING","format":"date-time"}"#, r#"{"type":"string","format":"date-time"}"#),
            (
                r#"{"any_of":[{"type":"INTEGER"},{"type":"NUMBER"}],"nullable":true}"#,
                r#"{"anyOf":[{"type":"integer"},{"type":"number"},{"type":"null"}]}"#,
            ),
            (
                r#"{"type":"ARRAY","items":{"type":"BOOLEAN"},"minItems":"2","max_items":3,"maxLength":"x"}"#,
                r#"{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":3}"#,
            ),
            (
                r#"{"type":"OBJECT","properties":{"type":{"type":"STRING"},"max_items":{"type":"NULL"}},"propertyOrdering":["type"],"required":["type"]}"#,
                r#"{"type":"object","properties":{"type":{"type":"string"},"max_items":{"type":"null"}},"required":["type"]}"#,
            ),
            (
                r##"{"defs":{"A":{"type":"STRING"}},"ref":"#/$defs/A","additional_properties":false}"##,
                r##"{"$defs":{"A":{"type":"string"}},"$ref":"#/$defs/A","additionalProperties":false}"##,
            ),
            // JSON Schema stays what it is.
            (r#"{"type":["string","null"],"const":"TYPE"}"#, r#"{"type":["string","null"],"const":"TYPE"}"#),
            (r#"{"properties":[1],"anyOf":7,"items":true}"#, r#"{"properties":[1],"anyOf":7,"items":true}"#),
        ] {
            assert_eq!(converted(schema), wanted, "{schema}");
        }
    }

    #[test]
    fn depth_ends_somewhere() {
        let deep = format!("{}{{\"type\":\"STRING\"}}{}", "{\"items\":".repeat(100), "}".repeat(100));
        assert_eq!(converted(&deep), deep);
    }

    proptest! {
        #[test]
        fn any_json_becomes_json(value in any_json()) {
            let text = converted(&value.to_string());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
        }
    }
}
