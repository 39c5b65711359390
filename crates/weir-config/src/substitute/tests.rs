use super::*;
use crate::testing::Variables;

fn check(text: &str, expect: Result<Option<&str>, SubstituteError>) {
    let env = Variables(&[("NAME", "value"), ("EMPTY", ""), ("ODD", "a: ${NAME} }")]);
    assert_eq!(substitute(text, &env), expect.map(|some| some.map(str::to_owned)), "{text}");
    let veiled = veil(text).expect("no stand-ins in tests");
    assert_eq!(unveil(&veiled), text, "{text}");
    assert_eq!(veiled.chars().count(), text.chars().count(), "{text}");
}

#[test]
fn variables_are_filled_in() {
    check("plain $text", Ok(None));
    check("${NAME}", Ok(Some("value")));
    check("a-${NAME}-b-${NAME:-x}", Ok(Some("a-value-b-value")));
    check("${EMPTY}", Ok(Some("")));
    check("${EMPTY:-default}", Ok(Some("default")));
    check("${NONE:-}", Ok(Some("")));
    check("${NONE:-http://a:1/b,c}", Ok(Some("http://a:1/b,c")));
    check("$${NAME}", Ok(Some("${NAME}")));
    check("$NAME and $${", Ok(Some("$NAME and ${")));
    check("é${NAME}", Ok(Some("évalue")));
}

#[test]
fn what_a_variable_holds_is_not_looked_at_again() {
    check("${ODD}", Ok(Some("a: ${NAME} }")));
}

#[test]
fn what_cannot_be_filled_in_is_said() {
    check("${NAME", Err(SubstituteError::Unclosed));
    check("${}", Err(SubstituteError::NotAName(String::new())));
    check("${1X}", Err(SubstituteError::NotAName("1X".into())));
    check("${NAME:default}", Err(SubstituteError::NotAName("NAME:default".into())));
    check("${A} ${NAME} ${B}", Err(SubstituteError::Missing(vec!["A".into(), "B".into()])));
}

#[test]
fn only_references_are_veiled() {
    for (text, veiled) in [
        ("{ a: ${X} }", "{ a: $\u{FDD0}X\u{FDD1} }"),
        ("{ a: ${X:-b} }", "{ a: $\u{FDD0}X:-b\u{FDD1} }"),
        ("{ a: ${ } }", "{ a: ${ } }"),
        ("${a\n}", "${a\n}"),
        ("${${X}", "${$\u{FDD0}X\u{FDD1}"),
    ] {
        assert_eq!(veil(text).as_deref(), Some(veiled), "{text}");
    }
    assert_eq!(veil("\u{FDD1}"), None);
}
