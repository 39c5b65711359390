//! A route's rules, compiled.

use super::{Choice, LeadsTo};
use std::sync::Arc;
use weir_config::{Config, Problem, Route, Spanned, path_key};
use weir_routing::rules::{
    Clock, Condition, LANGUAGES, Pattern, PatternError, Patterns, Rules, Span, Wanted,
};

/// The rules of a route; `pools` is the place of its first pool beside its own. `None` when it has no rules.
pub(super) fn compile(
    config: &Config,
    route: &Route,
    pools: usize,
    problems: &mut Vec<Problem>,
) -> Option<Box<Choice>> {
    if route.rules.is_empty() {
        return None;
    }
    let path = path_key(&path_key("routes", &route.name), "rules");
    let mut compiling = Compiling { patterns: Patterns::default(), path, problems };
    let mut conditions = Vec::new();
    for (number, rule) in route.rules.iter().enumerate() {
        compiling.path = format!("{}[{number}].when", path_key(&path_key("routes", &route.name), "rules"));
        conditions.push(compiling.condition(&rule.when));
    }
    let Compiling { patterns, problems, .. } = compiling;
    let patterns = patterns.finish().unwrap_or_else(|error| {
        let path = path_key(&path_key("routes", &route.name), "rules");
        let message = format!("the patterns of all rules together are too much: {error}");
        problems.push(Problem::new(&route.at, path, message));
        Patterns::default()
    });
    let leads_to = route.rules.iter().map(|rule| match rule.leads_to {
        weir_config::LeadsTo::Pool(pool) => LeadsTo::Pool(pools + pool),
        weir_config::LeadsTo::Route(to) => LeadsTo::Route(to.min(config.routes.len())),
    });
    Some(Box::new(Choice { rules: Rules::new(conditions, patterns), leads_to: leads_to.collect() }))
}

struct Compiling<'a> {
    patterns: Patterns,
    /// Of the present rule's condition.
    path: String,
    problems: &'a mut Vec<Problem>,
}

impl Compiling<'_> {
    fn condition(&mut self, when: &weir_config::Condition) -> Condition {
        use weir_config::Condition as Stated;
        let span = |min: u64, max: u64| Span { min, max };
        match when {
            Stated::All(all) => Condition::All(all.iter().map(|one| self.condition(one)).collect()),
            Stated::Any(any) => Condition::Any(any.iter().map(|one| self.condition(one)).collect()),
            Stated::Not(one) => Condition::Not(Box::new(self.condition(one))),
            Stated::Keywords(words) => self.texts(words, "keyword", Patterns::keyword),
            Stated::Regex(all) => self.texts(all, "regular expression", Patterns::regex),
            Stated::Task(tasks) => Condition::Task(tasks.clone()),
            Stated::Language(all) => Condition::Language(self.languages(all)),
            Stated::PromptTokens(min, max) => Condition::PromptTokens(span(*min, *max)),
            Stated::OutputTokens(min, max) => Condition::OutputTokens(span(*min, *max)),
            Stated::Turns(min, max) => Condition::Turns(span(*min, *max)),
            Stated::Has(needs) => Condition::Has(*needs),
            Stated::Header(name, is) => Condition::Header(name.clone(), wanted(is)),
            Stated::Metadata(key, is) => Condition::Metadata(key.clone(), wanted(is)),
            Stated::Region(names) => Condition::Region(names.clone()),
            Stated::Key(names) => Condition::Key(names.clone()),
            Stated::Time { days, from, to, zone } => match Clock::new(days, *from, *to, &zone.value) {
                Ok(clock) => Condition::Time(clock),
                Err(_) => {
                    let message = format!("no time zone is called {:?}", zone.value);
                    self.problem(zone, &message, "write an IANA name, such as Europe/Berlin or UTC");
                    Condition::Any(Vec::new())
                }
            },
        }
    }

    fn texts(
        &mut self,
        texts: &[Spanned<String>],
        what: &str,
        add: fn(&mut Patterns, &str) -> Result<Pattern, PatternError>,
    ) -> Condition {
        let mut all = Vec::new();
        for text in texts {
            match add(&mut self.patterns, &text.value) {
                Ok(pattern) => all.push(pattern),
                Err(error) => {
                    let message = format!("{:?} is not a {what}: {error}", text.value);
                    self.problem(text, &message, "the syntax is that of Rust's regex, without look-around");
                }
            }
        }
        Condition::Text(all)
    }

    fn languages(&mut self, stated: &[Spanned<String>]) -> Vec<&'static str> {
        let mut all = Vec::new();
        for language in stated {
            match LANGUAGES.iter().find(|known| **known == language.value) {
                Some(known) => all.push(*known),
                None => {
                    let path = self.path.clone();
                    let problem =
                        Problem::unknown(&language.at, path, "language", &language.value, &LANGUAGES);
                    self.problems.push(problem);
                }
            }
        }
        all
    }

    fn problem(&mut self, at: &Spanned<String>, message: &str, help: &str) {
        self.problems.push(Problem::new(&at.at, self.path.clone(), message).with_help(help));
    }
}

fn wanted(is: &[Arc<str>]) -> Wanted {
    if is.is_empty() { Wanted::Any } else { Wanted::OneOf(is.into()) }
}
