//! What a policy may be told, and how that is read from the file.

use super::{Build, Kind, Policy, find};
use std::fmt;
use std::time::Duration;
use weir_config::{Node, Problem, Value as Written, path_key};
use weir_core::Cost;

/// One setting of a policy.
pub struct Setting {
    /// Its key.
    pub name: &'static str,
    /// What it does, in one line.
    pub meaning: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// What holds when it is absent, as a file would say it; empty for nothing.
    pub default: &'static str,
}

/// What may stand as a setting's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A time above zero, such as `250ms`.
    Duration,
    /// A number from the first to the second.
    Number(f64, f64),
    /// A whole number from the first to the second.
    Count(u32, u32),
    /// An amount of USD.
    Usd,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// What keeps requests together: a list.
    Bonds,
    /// Another policy: its name, or a map of its kind and its settings.
    Policy,
}

/// What keeps the requests of one conversation together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bond {
    /// The session that a header names.
    Session,
    /// The user that the body names.
    User,
    /// The value of a cookie.
    Cookie(Box<str>),
    /// How the conversation begins: everything up to the user's first message.
    Prefix,
}

impl Bond {
    /// What can be written for one; a cookie is a map.
    const WORDS: [(&str, Bond); 3] =
        [("session", Bond::Session), ("user", Bond::User), ("prefix", Bond::Prefix)];

    fn named(word: &str) -> Result<Bond, String> {
        let known = Self::WORDS.into_iter().find(|(name, _)| *name == word);
        known
            .map(|(_, bond)| bond)
            .ok_or_else(|| "expected one of: session, user, prefix, or a cookie: { cookie: NAME }".to_owned())
    }

    fn read(node: &Node) -> Result<Bond, String> {
        match (node.entries(), node.text()) {
            ([(key, name)], _) if key.value == "cookie" => {
                let name = name.text().unwrap_or_default();
                // A token of RFC 9110 §5.6.2, as RFC 6265 §4.1.1 wants it.
                let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
                if name.is_empty() || !name.bytes().all(fits) {
                    return Err("expected the name of a cookie".to_owned());
                }
                Ok(Bond::Cookie(name.into()))
            }
            (_, Some(word)) => Bond::named(word),
            _ => Bond::named(""),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Duration => f.write_str("a duration"),
            Shape::Number(least, most) => write!(f, "{least} to {most}"),
            Shape::Count(least, most) => write!(f, "a whole number, {least} to {most}"),
            Shape::Usd => f.write_str("USD"),
            Shape::OneOf(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                f.write_str(&quoted.join(" or "))
            }
            Shape::Bonds => f.write_str("a list of `session`, `user`, `prefix` and `{ cookie: NAME }`"),
            Shape::Policy => f.write_str("a policy"),
        }
    }
}

#[derive(Clone, Debug)]
enum Value {
    Absent,
    Duration(Duration),
    Number(f64),
    Count(u32),
    Usd(Cost),
    Word(&'static str),
    Bonds(Box<[Bond]>),
    Policy(Box<Compiled>),
}

/// A policy's kind with its settings, checked.
#[derive(Clone)]
pub struct Compiled {
    /// Its kind.
    pub kind: &'static Kind,
    /// In the order of the kind's settings.
    values: Vec<Value>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entry(&"kind", &self.kind.name)
            .entries(self.kind.settings.iter().map(|s| s.name).zip(&self.values))
            .finish()
    }
}

/// Policies within policies go no deeper.
const DEEPEST: usize = 4;

impl Compiled {
    /// This kind with nothing said about it.
    pub fn defaults(kind: &'static Kind) -> Self {
        let values = kind.settings.iter().map(default).collect();
        Compiled { kind, values }
    }

    /// Reads what a file says about a policy of this kind. `path` is where it says so, for problems.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(kind: &'static Kind, node: &Node, path: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let compiled = read(kind, node, path, DEEPEST, &mut problems);
        if problems.is_empty() { Ok(compiled) } else { Err(problems) }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let place = self.kind.settings.iter().position(|setting| setting.name == name)?;
        self.values.get(place)
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        if let Some(Value::Duration(value)) = self.value(name) { Some(*value) } else { None }
    }

    pub(super) fn number(&self, name: &str) -> f64 {
        if let Some(Value::Number(value)) = self.value(name) { *value } else { 0.0 }
    }

    /// A setting that is a number of things; 0 when the kind has none of that name.
    pub fn count(&self, name: &str) -> u32 {
        if let Some(Value::Count(value)) = self.value(name) { *value } else { 0 }
    }

    pub(super) fn usd(&self, name: &str) -> Option<Cost> {
        if let Some(Value::Usd(value)) = self.value(name) { Some(*value) } else { None }
    }

    pub(super) fn word(&self, name: &str) -> &'static str {
        if let Some(Value::Word(value)) = self.value(name) { value } else { "" }
    }

    /// What keeps requests together for this policy or for one within it; `None` when none of them cares.
    pub fn bonds(&self) -> Option<&[Bond]> {
        self.values.iter().find_map(|value| match value {
            Value::Bonds(bonds) => Some(&**bonds),
            Value::Policy(inner) => inner.bonds(),
            _ => None,
        })
    }

    /// This policy and those within it.
    pub fn within(&self) -> impl Iterator<Item = &Compiled> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            let next = left.pop()?;
            left.extend(next.values.iter().filter_map(|value| match value {
                Value::Policy(inner) => Some(&**inner),
                _ => None,
            }));
            Some(next)
        })
    }

    /// Makes the policy that stands as this setting, of the same members.
    pub(super) fn policy(&self, name: &str, build: &Build<'_>) -> Box<dyn Policy> {
        match self.value(name) {
            Some(Value::Policy(inner)) => (inner.kind.build)(&Build { settings: inner, ..*build }),
            _ => Box::new(super::weighted::Weighted::new(build.members)),
        }
    }
}

/// A default is written in the code: that each can be read is tested.
fn default(setting: &Setting) -> Value {
    if setting.default.is_empty() {
        return Value::Absent;
    }
    match setting.shape {
        Shape::Policy => find(setting.default)
            .map_or(Value::Absent, |kind| Value::Policy(Box::new(Compiled::defaults(kind)))),
        shape => scalar(shape, setting.default).unwrap_or(Value::Absent),
    }
}

fn scalar(shape: Shape, text: &str) -> Result<Value, String> {
    match shape {
        Shape::Duration => match weir_config::duration(text) {
            Ok(Duration::ZERO) => Err("must be above zero".to_owned()),
            Ok(duration) => Ok(Value::Duration(duration)),
            Err(wanted) => Err(wanted.to_owned()),
        },
        Shape::Number(least, most) => match text.parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
            _ => Err(format!("expected a number from {least} to {most}")),
        },
        Shape::Count(least, most) => match text.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => Ok(Value::Count(number)),
            _ => Err(format!("expected a whole number from {least} to {most}")),
        },
        Shape::Usd => usd(text).map(Value::Usd),
        Shape::OneOf(words) => match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Value::Word(word)),
            None => Err(format!("expected one of: {}", words.join(", "))),
        },
        Shape::Bonds => {
            let words = text.trim_start_matches('[').trim_end_matches(']').split(',');
            let bonds: Result<_, _> = words.map(|word| Bond::named(word.trim())).collect();
            bonds.map(Value::Bonds)
        }
        Shape::Policy => Err("expected a policy".to_owned()),
    }
}

/// Reads an amount of USD, to six digits after the point, as prices are read.
///
/// # Errors
/// What is wrong with the text.
pub fn usd(text: &str) -> Result<Cost, String> {
    text.parse().map_err(|error| format!("{text:?} {error}"))
}

fn read(
    kind: &'static Kind,
    node: &Node,
    path: &str,
    deeper: usize,
    problems: &mut Vec<Problem>,
) -> Compiled {
    let mut compiled = Compiled::defaults(kind);
    for (key, value) in node.entries().iter().filter(|(key, _)| key.value != "kind") {
        let path = path_key(path, &key.value);
        let Some(place) = kind.settings.iter().position(|setting| setting.name == key.value) else {
            let known: Vec<&str> = kind.settings.iter().map(|setting| setting.name).collect();
            let what = format!("setting of policy \"{}\"", kind.name);
            problems.push(Problem::unknown(&key.at, path, &what, &key.value, &known));
            continue;
        };
        let (Some(setting), Some(slot)) = (kind.settings.get(place), compiled.values.get_mut(place)) else {
            continue;
        };
        match (setting.shape, &value.value) {
            (_, Written::Null) => {}
            (Shape::Policy, _) => {
                if let Some(inner) = inner(value, &path, deeper, problems) {
                    *slot = Value::Policy(Box::new(inner));
                }
            }
            (Shape::Bonds, _) if value.text().is_none() => match bonds(value, &path) {
                Ok(bonds) => *slot = Value::Bonds(bonds),
                Err(problem) => problems.push(problem),
            },
            (shape, _) => match value.text().map(|text| scalar(shape, text)) {
                Some(Ok(read)) => *slot = read,
                Some(Err(message)) => problems.push(Problem::new(&value.at, path, message)),
                None => problems.push(Problem::new(&value.at, path, "expected a single value")),
            },
        }
    }
    compiled
}

/// A list of bonds.
fn bonds(node: &Node, path: &str) -> Result<Box<[Bond]>, Problem> {
    let single = std::slice::from_ref(node);
    let list = match &node.value {
        Written::List(items) => items,
        _ => single,
    };
    let mut found: Vec<Bond> = Vec::new();
    for item in list {
        let bond = Bond::read(item).map_err(|message| Problem::new(&item.at, path, message))?;
        if found.contains(&bond) {
            return Err(Problem::new(&item.at, path, "is there twice"));
        }
        found.push(bond);
    }
    if found.is_empty() {
        return Err(Problem::new(&node.at, path, "an empty list keeps nothing together"));
    }
    Ok(found.into())
}

fn inner(node: &Node, path: &str, deeper: usize, problems: &mut Vec<Problem>) -> Option<Compiled> {
    if deeper == 0 {
        let message = format!("policies stand at most {DEEPEST} deep within each other");
        problems.push(Problem::new(&node.at, path, message));
        return None;
    }
    let named = node.get("kind").unwrap_or(node);
    let Some(name) = named.text() else {
        let problem = Problem::new(&node.at, path, "expected the name of a policy or a map with its `kind`");
        problems.push(problem);
        return None;
    };
    let Some(kind) = find(name) else {
        let known: Vec<&str> = super::POLICIES.iter().map(|kind| kind.name).collect();
        problems.push(Problem::unknown(&named.at, path, "policy", name, &known));
        return None;
    };
    Some(read(kind, node, path, deeper - 1, problems))
}
