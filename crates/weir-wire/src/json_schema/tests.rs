use super::*;
use serde_json::json;

#[track_caller]
fn check(schema: &Value, value: &Value, expect: Fit) {
    let read = Schema::read(schema.to_string().as_bytes()).unwrap();
    assert_eq!(read.judge(value), expect, "{schema} on {value}");
    assert_eq!(read.judge(value), expect, "the second look: {schema} on {value}");
}

/// A schema, what fits it, and what does not.
fn rows() -> Vec<(Value, Vec<Value>, Vec<Value>)> {
    let all = |values: Value| values.as_array().unwrap().clone();
    let row = |schema, fits, differs| (schema, all(fits), all(differs));
    vec![
        row(json!(true), json!([1, null]), json!([])),
        row(json!(false), json!([]), json!([1, null])),
        row(json!({}), json!([1, "a", {}]), json!([])),
        row(json!({ "type": "integer" }), json!([1, -3, 2.0]), json!([1.5, "1", null])),
        row(json!({ "type": ["string", "null"] }), json!(["a", null]), json!([1, []])),
        row(json!({ "type": "string", "nullable": true }), json!(["a", null]), json!([1])),
        row(
            json!({ "enum": [1, "a", { "b": [1] }] }),
            json!([1.0, "a", { "b": [1] }]),
            json!([2, "b", { "b": [] }]),
        ),
        row(json!({ "const": null }), json!([null]), json!([0, false])),
        row(
            json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] }),
            json!([{ "a": "x" }, { "a": "x", "b": 1 }]),
            json!([{}, { "a": 1 }, []]),
        ),
        row(
            json!({ "properties": { "a": true }, "patternProperties": { "^x-": {} }, "additionalProperties": false }),
            json!([{ "a": 1, "x-b": 2 }, {}, 7]),
            json!([{ "b": 1 }, { "a": 1, "y-x-": 2 }]),
        ),
        row(
            json!({ "additionalProperties": { "type": "integer" } }),
            json!([{ "a": 1 }]),
            json!([{ "a": "x" }]),
        ),
        row(json!({ "propertyNames": { "maxLength": 2 } }), json!([{ "ab": 1 }]), json!([{ "abc": 1 }])),
        row(
            json!({ "minProperties": 1, "maxProperties": 2.0 }),
            json!([{ "a": 1 }]),
            json!([{}, { "a": 1, "b": 1, "c": 1 }]),
        ),
        row(
            json!({ "dependentRequired": { "a": ["b"] } }),
            json!([{ "b": 1 }, { "a": 1, "b": 1 }]),
            json!([{ "a": 1 }]),
        ),
        row(
            json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
            json!([{}, { "a": 1, "b": 1 }]),
            json!([{ "a": 1 }]),
        ),
        row(
            json!({ "items": { "type": "integer" }, "minItems": 1, "maxItems": 2 }),
            json!([[1], [1, 2]]),
            json!([[], ["a"], [1, 2, 3]]),
        ),
        row(
            json!({ "prefixItems": [{ "type": "string" }], "items": { "type": "integer" } }),
            json!([["a"], ["a", 1], []]),
            json!([[1], ["a", "b"]]),
        ),
        row(
            json!({ "items": [{ "type": "string" }], "additionalItems": false }),
            json!([["a"], []]),
            json!([["a", 1], [1]]),
        ),
        row(
            json!({ "contains": { "const": 1 }, "maxContains": 1 }),
            json!([[1], [2, 1]]),
            json!([[], [2], [1, 1]]),
        ),
        row(json!({ "uniqueItems": true }), json!([[1, 2], []]), json!([[1, 1.0], [{ "a": 1 }, { "a": 1 }]])),
        row(json!({ "minLength": 2, "maxLength": 3 }), json!(["ab", "äöü", 1]), json!(["a", "abcd"])),
        row(json!({ "pattern": "^[a-z]+$" }), json!(["ab"]), json!(["a1", ""])),
        row(json!({ "minimum": 1, "exclusiveMaximum": 2.5 }), json!([1, 2.4]), json!([0, 2.5])),
        row(json!({ "maximum": -1, "exclusiveMinimum": -3 }), json!([-1, -2]), json!([-3, 0])),
        row(json!({ "multipleOf": 0.1 }), json!([0.3, 7, 1.1]), json!([0.35])),
        row(json!({ "multipleOf": 3 }), json!([9, 0, -3, 3.0]), json!([10, 3.5])),
        row(json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }), json!([1, 2]), json!([0, 3])),
        row(json!({ "anyOf": [{ "const": 1 }, { "const": 2 }] }), json!([1, 2]), json!([3])),
        row(json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 2 }] }), json!([0, 3]), json!([1, 2])),
        row(json!({ "not": { "type": "null" } }), json!([1]), json!([null])),
        row(
            json!({ "if": { "const": 1 }, "then": false, "else": { "type": "string" } }),
            json!(["a"]),
            json!([1, 2]),
        ),
        row(
            json!({ "$defs": { "a/b c": { "type": "integer" } }, "$ref": "#/$defs/a~1b%20c" }),
            json!([1]),
            json!(["a"]),
        ),
        row(
            json!({ "type": "object", "properties": { "next": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] } },
                    "required": ["next"] }),
            json!([{ "next": null }, { "next": { "next": null } }]),
            json!([{ "next": 1 }, { "next": { "next": {} } }]),
        ),
        row(
            json!({ "format": "email", "description": "x", "examples": [1] }),
            json!(["no address", 2]),
            json!([]),
        ),
    ]
}

#[test]
fn what_fits_and_what_differs() {
    for (schema, fits, differs) in rows() {
        fits.iter().for_each(|value| check(&schema, value, Fit::Fits));
        differs.iter().for_each(|value| check(&schema, value, Fit::Differs));
        // Within another, too.
        let within = json!({ "properties": { "in": { "$ref": "#/$defs/it" } }, "$defs": { "it": schema } });
        if !schema.to_string().contains("\"#") {
            fits.iter().for_each(|value| check(&within, &json!({ "in": value }), Fit::Fits));
            differs.iter().for_each(|value| check(&within, &json!({ "in": value }), Fit::Differs));
        }
    }
}

/// No answer is refused for what is not known here, or for a schema that is none.
#[test]
fn what_cannot_be_judged_is_left_alone() {
    let rows = [
        json!({ "$ref": "https://example.com/schema.json" }),
        json!({ "$ref": "file:///etc/passwd" }),
        json!({ "$ref": "#anchor" }),
        json!({ "$ref": "#/$defs/none" }),
        json!({ "$ref": 7 }),
        json!({ "$ref": "#/%zz" }),
        json!({ "unevaluatedProperties": false }),
        json!({ "type": "strin" }),
        json!({ "type": { "a": 1 } }),
        json!({ "properties": 7 }),
        json!({ "allOf": 7 }),
        json!({ "not": 7 }),
        json!({ "required": [1] }),
        json!({ "minProperties": -1 }),
    ];
    for schema in rows {
        check(&schema, &json!({ "a": 1 }), Fit::Unknown);
    }
    check(&json!({ "pattern": "(?!a)b" }), &json!("x"), Fit::Unknown);
    check(&json!({ "pattern": "[a-z]{1,1000}{1,1000}" }), &json!("x"), Fit::Unknown);
    check(&json!({ "exclusiveMinimum": true }), &json!(1), Fit::Unknown);
    for text in ["", "7", "[]", "{", "null", &format!("{{\"a\": \"{}\"}}", "x".repeat(Schema::MOST_BYTES))] {
        assert!(Schema::read(text.as_bytes()).is_none(), "{}", &text[..text.len().min(20)]);
    }
}

/// What would take for ever, or fill the stack, ends in "unknown" within its steps.
#[test]
fn the_work_is_bounded() {
    check(&json!({ "$ref": "#" }), &json!(1), Fit::Unknown);
    check(&json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }] }), &json!(1), Fit::Unknown);
    let mut defs = Map::new();
    for i in 0..40 {
        let next = json!({ "$ref": format!("#/$defs/a{}", i + 1) });
        defs.insert(format!("a{i}"), json!({ "allOf": [next, next] }));
    }
    defs.insert("a40".to_owned(), json!({ "type": "integer" }));
    check(&json!({ "$ref": "#/$defs/a0", "$defs": defs }), &json!(1), Fit::Unknown);
    let many: Vec<Value> = (0..2000).map(|i| json!(i)).collect();
    check(&json!({ "uniqueItems": true }), &json!(many), Fit::Unknown);
    check(&json!({ "pattern": "(a*)*b" }), &json!("a".repeat(100_000)), Fit::Unknown);
    let patterns: Map<String, Value> = (0..40).map(|i| (format!("^{i}"), json!(true))).collect();
    check(&json!({ "patternProperties": patterns }), &json!({ "x": 1 }), Fit::Unknown);
    let (mut schema, mut value) = (json!({}), json!(1));
    for _ in 0..100 {
        schema = json!({ "items": schema });
        value = json!([value]);
    }
    check(&schema, &value, Fit::Unknown);
}
