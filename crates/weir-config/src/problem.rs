//! Where something stands in a file, and what is wrong there.

use std::fmt;
use std::sync::Arc;
use weir_core::nearest::nearest;

/// A place in a file. Lines and columns count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value and where it was written. Equality looks at the value only.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Span,
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

/// One thing that is wrong in a configuration. Never quotes the value of a secret field or of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Span,
    /// The same place in the words of the file: `routes.chat.deployments[0]`. Empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it: allowed values, nearest known names.
    pub help: Option<String>,
}

impl Problem {
    /// A problem without advice.
    pub fn new(at: &Span, path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { at: at.clone(), path: path.into(), message: message.into(), help: None }
    }

    /// A name that is not among the known ones of its sort (`what`), with the nearest of them, or all, as advice.
    pub fn unknown(at: &Span, path: impl Into<String>, what: &str, name: &str, known: &[&str]) -> Self {
        let near = nearest(name, known.iter().copied());
        let help = match near.first() {
            Some(best) => format!("did you mean \"{best}\"?"),
            None if known.is_empty() => "it takes none".to_owned(),
            None => format!("known: {}", known.join(", ")),
        };
        Problem::new(at, path, format!("no {what} is called \"{name}\"")).with_help(help)
    }

    /// The same, with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong in a configuration, in the order of the file. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts the problems by position and drops repetitions. `Ok` when there are none.
    pub fn none_of(mut problems: Vec<Problem>) -> Result<(), Problems> {
        problems.sort_by(|a, b| (&a.at, &a.path, &a.message).cmp(&(&b.at, &b.path, &b.message)));
        problems.dedup();
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// The problems, by position.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// How many there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Problems(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Advice that offers known names close to `wanted`, or all of them when none is close and they are few.
pub(crate) fn did_you_mean<'k>(
    wanted: &str,
    what: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> Option<String> {
    let near = nearest(wanted, known.clone());
    if !near.is_empty() {
        return Some(format!("did you mean {}?", quoted(near, " or ")));
    }
    let all: Vec<&str> = known.into_iter().collect();
    (!all.is_empty() && all.len() <= 20).then(|| format!("known {what}: {}", all.join(", ")))
}

fn quoted(names: Vec<&str>, between: &str) -> String {
    names.into_iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(between)
}
