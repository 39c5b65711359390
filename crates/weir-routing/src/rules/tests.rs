use super::*;
use std::sync::Arc;
use weir_core::Need;

struct Sent;

impl Fields for Sent {
    fn header(&self, name: &str, wanted: &Wanted) -> bool {
        name == "x-tier" && wanted.is(b"gold")
    }

    fn metadata(&self, key: &str, wanted: &Wanted) -> bool {
        key == "tags" && [&b"a"[..], b"b"].iter().any(|value| wanted.is(value))
    }
}

fn facts(text: &str) -> Facts<'_> {
    Facts {
        prompt_tokens: 1000,
        output_tokens: Some(64),
        needs: [Need::Tools, Need::Images].into_iter().collect(),
        turns: 3,
        text,
        latest: text,
        stated_task: None,
        regions: Some("ch, eu"),
        key: Some("alice"),
        unix_seconds: 0,
        fields: &Sent,
        derived: Derived::default(),
    }
}

#[track_caller]
fn check(condition: Condition, expect: bool) {
    let shown = format!("{condition:?}");
    let rules = Rules::new(vec![condition], Patterns::default());
    let facts = facts("Write a Python function that sorts a list.");
    assert_eq!(rules.first(&facts), expect.then_some(0), "{shown}");
    assert_eq!(rules.told(0, &facts).unwrap().0, expect, "{shown}");
}

fn one_of(words: &[&str]) -> Wanted {
    Wanted::OneOf(words.iter().map(|word| Arc::from(*word)).collect())
}

#[test]
fn conditions_look_at_the_facts() {
    let span = |min, max| Span { min, max };
    check(Condition::PromptTokens(span(1000, 1000)), true);
    check(Condition::PromptTokens(span(1001, u64::MAX)), false);
    check(Condition::OutputTokens(span(0, 64)), true);
    check(Condition::OutputTokens(span(65, u64::MAX)), false);
    check(Condition::Turns(span(3, u64::MAX)), true);
    check(Condition::Turns(span(0, 2)), false);
    check(Condition::Has([Need::Images].into_iter().collect()), true);
    check(Condition::Has([Need::Images, Need::Audio].into_iter().collect()), false);
    check(Condition::Header("x-tier".into(), one_of(&["silver", "gold"])), true);
    check(Condition::Header("x-tier".into(), one_of(&["Gold"])), false);
    check(Condition::Header("x-tier".into(), Wanted::Any), true);
    check(Condition::Header("x-other".into(), Wanted::Any), false);
    check(Condition::Metadata("tags".into(), one_of(&["b"])), true);
    check(Condition::Metadata("tags".into(), one_of(&["c"])), false);
    check(Condition::Region(vec!["us".into(), "eu".into()]), true);
    check(Condition::Region(vec!["us".into(), "ch, eu".into()]), false);
    check(Condition::Key(vec!["bob".into(), "alice".into()]), true);
    check(Condition::Key(vec!["bob".into()]), false);
    check(Condition::Task(vec![Task::Coding]), true);
    check(Condition::Task(vec![Task::Chat, Task::Qa]), false);
    check(Condition::Language(vec!["en"]), true);
    check(Condition::Language(vec!["de", "fr"]), false);
    check(Condition::Time(Clock::new(&[3], 0, 60, "UTC").unwrap()), true);
    check(Condition::Time(Clock::new(&[4], 0, 60, "UTC").unwrap()), false);
}

#[test]
fn conditions_are_joined() {
    let yes = || Condition::Turns(Span { min: 0, max: 9 });
    let no = || Condition::Not(Box::new(yes()));
    check(no(), false);
    check(Condition::All(vec![]), true);
    check(Condition::Any(vec![]), false);
    check(Condition::All(vec![yes(), yes()]), true);
    check(Condition::All(vec![yes(), no()]), false);
    check(Condition::Any(vec![no(), yes()]), true);
    check(Condition::Not(Box::new(Condition::All(vec![yes(), no()]))), true);
}

#[test]
fn the_first_rule_that_holds_wins() {
    let mut patterns = Patterns::default();
    let rust = patterns.keyword("rust").unwrap();
    let sorts = patterns.regex(r"sort(s|ed)\b").unwrap();
    let list = patterns.regex("list").unwrap();
    let rules = vec![Condition::Text(vec![rust]), Condition::Text(vec![sorts]), Condition::Text(vec![list])];
    let rules = Rules::new(rules, patterns.finish().unwrap());
    assert!(rules.wants_text() && rules.wants_prompt());
    assert_eq!(rules.first(&facts("it sorts a list")), Some(1));
    assert_eq!(rules.first(&facts("Rust: it sorts a list")), Some(0));
    assert_eq!(rules.first(&facts("a list")), Some(2));
    assert_eq!(rules.first(&facts("nothing")), None);
}

#[test]
fn the_stated_task_goes_before_the_guess() {
    let rules = Rules::new(vec![Condition::Task(vec![Task::Creative])], Patterns::default());
    let stated = Facts { stated_task: Some(Task::Creative), ..facts("Write Python code.") };
    assert_eq!(rules.first(&stated), Some(0));
    assert_eq!(rules.first(&facts("Write Python code.")), None);
}

#[test]
fn only_what_a_rule_looks_at_is_wanted() {
    let wants = |condition| {
        let rules = Rules::new(vec![Condition::Not(Box::new(condition))], Patterns::default());
        (rules.wants_text(), rules.wants_prompt())
    };
    assert_eq!(wants(Condition::Key(vec![])), (false, false));
    assert_eq!(wants(Condition::Turns(Span { min: 1, max: 1 })), (false, true));
    assert_eq!(wants(Condition::Language(vec!["en"])), (true, true));
}

#[test]
fn a_rule_is_told_with_what_was_found() {
    let mut patterns = Patterns::default();
    let sql = patterns.keyword("sql").unwrap();
    let rule = Condition::All(vec![
        Condition::Task(vec![Task::Chat, Task::Qa]),
        Condition::Any(vec![Condition::Text(vec![sql]), Condition::Key(vec!["alice".into()])]),
    ]);
    let rules = Rules::new(vec![rule], patterns.finish().unwrap());
    let (holds, told) = rules.told(0, &facts("hi")).unwrap();
    let told: Vec<_> = told.iter().map(|(text, holds)| (text.as_str(), *holds)).collect();
    assert!(holds);
    assert_eq!(
        told,
        [("task chat or qa (is chat)", true), ("text matches sql", false), ("key alice (is alice)", true)]
    );
    assert!(rules.told(1, &facts("hi")).is_none());
}
