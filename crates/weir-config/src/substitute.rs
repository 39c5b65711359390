//! `${NAME}` and `${NAME:-default}` in values.
//!
//! Variables are filled in after the YAML has been read, so that what a variable holds can never change the shape of
//! the file. `{` and `}` mean something in YAML inside `{ }` and `[ ]`, though: [`veil`] hides those of a reference
//! from the YAML reader, so that `{ api_key: ${KEY} }` needs no quotes.

use crate::environment::Environment;
use std::borrow::Cow;

/// Stand-ins for the braces of a reference: code points that Unicode reserves for use inside a program
/// (<https://www.unicode.org/faq/private_use.html#nonchar1>), one character each so that columns stay right.
const OPEN: char = '\u{FDD0}';
const CLOSE: char = '\u{FDD1}';

/// Why a text could not be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SubstituteError {
    /// `${` without `}`.
    Unclosed,
    /// What stands between the braces is not a name.
    NotAName(String),
    /// Variables that are not set and have no default.
    Missing(Vec<String>),
}

/// The text with the braces of every reference hidden. `None` when it already holds one of the stand-ins.
pub(crate) fn veil(text: &str) -> Option<String> {
    if text.contains([OPEN, CLOSE]) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let inner = &rest[start + 2..];
        let end = inner.find(['{', '}', '\n', '"', '\'']);
        out.push_str(&rest[..start + 1]);
        match end {
            Some(end) if inner[end..].starts_with('}') && split(&inner[..end]).is_some() => {
                out.push(OPEN);
                out.push_str(&inner[..end]);
                out.push(CLOSE);
                rest = &inner[end + 1..];
            }
            _ => rest = &rest[start + 1..],
        }
    }
    out.push_str(rest);
    Some(out)
}

/// The text as the file has it.
pub(crate) fn unveil(text: &str) -> Cow<'_, str> {
    if text.contains([OPEN, CLOSE]) {
        Cow::Owned(text.replace(OPEN, "{").replace(CLOSE, "}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text with its variables filled in; `$${` stands for `${`. `None` when there is nothing to fill in.
///
/// A default stands in for a variable that is not set or is empty, as in a shell.
pub(crate) fn substitute(text: &str, env: &dyn Environment) -> Result<Option<String>, SubstituteError> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut missing = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if rest[..start].ends_with('$') {
            out.push_str(&rest[..start - 1]);
            out.push_str("${");
            rest = &rest[start + 2..];
            continue;
        }
        out.push_str(&rest[..start]);
        let inner = &rest[start + 2..];
        let end = inner.find('}').ok_or(SubstituteError::Unclosed)?;
        let reference = &inner[..end];
        let (name, default) =
            split(reference).ok_or_else(|| SubstituteError::NotAName(reference.to_owned()))?;
        match (env.var(name), default) {
            (Some(value), None) => out.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => out.push_str(&value),
            (_, Some(default)) => out.push_str(default),
            (None, None) => missing.push(name.to_owned()),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    if missing.is_empty() { Ok(Some(out)) } else { Err(SubstituteError::Missing(missing)) }
}

/// `NAME` or `NAME:-default`; `None` when the name is not one a variable can have.
fn split(reference: &str) -> Option<(&str, Option<&str>)> {
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = starts_well && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_name.then_some((name, default))
}

#[cfg(test)]
mod tests;
