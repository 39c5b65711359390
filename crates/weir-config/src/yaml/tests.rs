use super::*;

/// The tree on one line, or the problem.
fn check(text: &str, expect: &str) {
    let got = match read(&Arc::from("t"), text) {
        Ok(tree) => format!("{tree:?}"),
        Err(problem) => problem.to_string(),
    };
    assert_eq!(got, expect, "{text}");
}

#[test]
fn trees_are_read() {
    check("", "{}");
    check("# only a comment\n", "{}");
    check("---\n", "{}");
    check("a: 1\nb: [x, 'y', null, ~]\n", r#"{"a": "1", "b": ["x", "y", null, null]}"#);
    check(r#"{"a": {"b": "null"}, "c": ""}"#, r#"{"a": {"b": "null"}, "c": ""}"#);
    check("a: &x {p: 1}\nb: *x\n", r#"{"a": {"p": "1"}, "b": {"p": "1"}}"#);
    check("a: 0.15\nb: 1e3\nc: 007\n", r#"{"a": "0.15", "b": "1e3", "c": "007"}"#);
    check("a: {k: ${KEY}, l: ${L:-}}\n", r#"{"a": {"k": "${KEY}", "l": "${L:-}"}}"#);
    check("a: 1\na: 2\n", r#"{"a": "1", "a": "2"}"#);
    check("a: !!str 5\n", r#"{"a": "5"}"#);
    check("\u{feff}a: 1\n", r#"{"a": "1"}"#);
}

#[test]
fn positions_count_from_one_in_characters() {
    let tree = read(&Arc::from("t"), "a:\n  é: ${X} \n  bc: [p, q]\n").expect("valid");
    let a = tree.get("a").expect("a");
    let at = |span: &Span| (span.line, span.column);
    assert_eq!(at(&a.entries()[0].0.at), (2, 3));
    assert_eq!(at(&a.entries()[0].1.at), (2, 6));
    assert_eq!(at(&a.entries()[1].1.items()[1].at), (3, 11));
}

#[test]
fn what_is_not_supported_is_said() {
    check("a: [1", "t:1:4: not valid YAML: unclosed bracket '['");
    check("a: 1\n---\nb: 2\n", "t:2:1: a second document begins here; a configuration is one document");
    check(
        "a: &x {p: 1}\nb:\n  <<: *x\n",
        "t:3:3: merge keys (`<<`) are not supported; write the keys out, or refer to a whole value with `*name`",
    );
    check("[1]: 2\n", "t:1:1: a key must be a single name, found a list");
    check("a: &x [*x]\n", "t:1:8: this alias refers to something it is itself part of");
    check("a: *nothing\n", "t:1:4: not valid YAML: while parsing node, found unknown anchor");
    check("a: !custom 1\n", "t:1:12: tags such as !custom are not supported");
    check(
        "a: \u{FDD0}\n",
        "t:1:1: the file holds the code point U+FDD0 or U+FDD1, which means nothing in text",
    );
}

#[test]
fn bounds_hold() {
    let deep = "[".repeat(70) + &"]".repeat(70);
    check(&deep, "t:1:65: nested deeper than 64 levels");
    let mut bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1]\n".to_owned();
    for i in 1..9 {
        let list = vec![format!("*a{}", i - 1); 9].join(",");
        bomb += &format!("a{i}: &a{i} [{list}]\n");
    }
    check(&bomb, "t:6:14: more than 200000 values, aliases included");
    let mut ladder = "a0: &a0 [1]\n".to_owned();
    for i in 1..70 {
        ladder += &format!("a{i}: &a{i} [*a{}]\n", i - 1);
    }
    check(&ladder, "t:63:12: nested deeper than 64 levels");
    check(&"#".repeat(MOST_BYTES + 1), "t:1:1: the file is larger than 4 MiB");
}
