//! Does a JSON value fit a JSON Schema? For the answers to requests that asked for one.
//!
//! Schemas come from callers and are looked at on the path of a request, so the work is bounded: [`Schema::MOST_STEPS`]
//! steps and [`Schema::MOST_DEPTH`] levels for one look, whatever the schema says. Where that does not suffice, or where
//! the schema uses what is not known here, nothing is said about the value ([`Fit::Unknown`]): an answer is never
//! refused for what Weir does not understand.
//!
//! Vocabulary: JSON Schema 2020-12 (core, applicators, validation) with the older spellings of `items`, `definitions`
//! and `dependencies`, and OpenAPI's `nullable`. `format` and `content…` are notes, as that draft has it by default. Not
//! known: `unevaluatedProperties`, `unevaluatedItems`, `$dynamicRef`, `$recursiveRef`, references that leave the schema
//! or go by `$anchor` or `$id`, and patterns with look-around or back references. Nothing is ever fetched.
//!
//! Own code, because no library that was found bounds its work: thirty definitions that each name the next one twice
//! are a schema of two kilobytes and a thousand million steps.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Number, Value};
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;

/// A JSON Schema.
#[derive(Debug)]
pub struct Schema {
    root: Value,
    /// Patterns met so far, compiled; `None` for those that cannot be.
    patterns: RefCell<HashMap<String, Option<Regex>>>,
}

/// Whether a value fits a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Fits,
    /// It does not.
    Differs,
    /// The schema cannot be judged by, or not within its bounds.
    Unknown,
}

/// Why nothing can be said.
struct Unknown;

type Judged = Result<bool, Unknown>;

impl Schema {
    /// Larger schemas are not judged by.
    pub const MOST_BYTES: usize = 64 * 1024;
    /// A look ends after so many steps. A step is one keyword, member, element or 16 bytes of text looked at: tens of
    /// nanoseconds, so that a look is over within a few milliseconds. A byte held against a pattern is eight steps, since
    /// the worst of patterns take that much and more.
    pub const MOST_STEPS: u32 = 100_000;
    /// Schemas within schemas, references followed.
    pub const MOST_DEPTH: u32 = 64;
    /// Different patterns of one schema.
    const MOST_PATTERNS: usize = 16;
    /// The memory of one compiled pattern.
    const PATTERN_SIZE: usize = 64 * 1024;

    /// Reads a schema; `None` for what is none, or too large.
    pub fn read(text: &[u8]) -> Option<Schema> {
        if text.len() > Self::MOST_BYTES {
            return None;
        }
        let root: Value = serde_json::from_slice(text).ok()?;
        matches!(root, Value::Object(_) | Value::Bool(_))
            .then(|| Schema { root, patterns: RefCell::default() })
    }

    /// Whether `value` fits.
    pub fn judge(&self, value: &Value) -> Fit {
        let look = Look { schema: self, left: Cell::new(Self::MOST_STEPS) };
        match look.fits(&self.root, value, Self::MOST_DEPTH) {
            Ok(true) => Fit::Fits,
            Ok(false) => Fit::Differs,
            Err(Unknown) => Fit::Unknown,
        }
    }

    fn is_match(&self, pattern: &str, text: &str) -> Judged {
        let mut patterns = self.patterns.borrow_mut();
        if !patterns.contains_key(pattern) {
            if patterns.len() >= Self::MOST_PATTERNS {
                return Err(Unknown);
            }
            let compiled = RegexBuilder::new(pattern).size_limit(Self::PATTERN_SIZE).build();
            patterns.insert(pattern.to_owned(), compiled.ok());
        }
        patterns.get(pattern).and_then(Option::as_ref).map(|regex| regex.is_match(text)).ok_or(Unknown)
    }
}

/// One look at a value.
struct Look<'s> {
    schema: &'s Schema,
    left: Cell<u32>,
}

impl<'s> Look<'s> {
    /// Takes steps.
    fn step(&self, steps: usize) -> Result<(), Unknown> {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.left.set(self.left.get().checked_sub(steps).ok_or(Unknown)?);
        Ok(())
    }

    fn fits(&self, schema: &'s Value, value: &Value, depth: u32) -> Judged {
        let depth = depth.checked_sub(1).ok_or(Unknown)?;
        let schema = match schema {
            Value::Bool(all) => return Ok(*all),
            Value::Object(schema) => schema,
            _ => return Err(Unknown),
        };
        self.step(1 + schema.len())?;
        if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
            return Ok(true);
        }
        for (key, keyword) in schema {
            if !self.keyword(schema, key, keyword, value, depth)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether one keyword holds. Those that speak of another kind of value hold.
    fn keyword(
        &self,
        schema: &'s Map<String, Value>,
        key: &str,
        keyword: &'s Value,
        value: &Value,
        depth: u32,
    ) -> Judged {
        match key {
            "$ref" => self.fits(self.find(keyword)?, value, depth),
            "$dynamicRef" | "$recursiveRef" | "unevaluatedProperties" | "unevaluatedItems" => Err(Unknown),
            "type" => is_of(keyword, value),
            "enum" => self.any(list(keyword)?, |one| self.equal(one, value)),
            "const" => self.equal(keyword, value),
            "allOf" => self.all(list(keyword)?, |one| self.fits(one, value, depth)),
            "anyOf" => self.any(list(keyword)?, |one| self.fits(one, value, depth)),
            "oneOf" => {
                let mut fitting = 0;
                for one in list(keyword)? {
                    fitting += u32::from(self.fits(one, value, depth)?);
                }
                Ok(fitting == 1)
            }
            "not" => self.fits(keyword, value, depth).map(|fits| !fits),
            "if" => {
                let branch = if self.fits(keyword, value, depth)? { "then" } else { "else" };
                schema.get(branch).map_or(Ok(true), |branch| self.fits(branch, value, depth))
            }
            _ => match value {
                Value::Object(object) => self.of_object(schema, key, keyword, (object, value), depth),
                Value::Array(array) => self.of_array(schema, key, keyword, array, depth),
                Value::String(text) => self.of_text(key, keyword, text),
                Value::Number(number) => of_number(key, keyword, number),
                Value::Null | Value::Bool(_) => Ok(true),
            },
        }
    }

    fn of_object(
        &self,
        schema: &'s Map<String, Value>,
        key: &str,
        keyword: &'s Value,
        (object, value): (&Map<String, Value>, &Value),
        depth: u32,
    ) -> Judged {
        match key {
            "required" => self.has(keyword, object),
            "minProperties" => Ok(object.len() >= size(keyword)?),
            "maxProperties" => Ok(object.len() <= size(keyword)?),
            "properties" => self.all(map(keyword)?, |(name, schema)| match object.get(name) {
                Some(value) => self.fits(schema, value, depth),
                None => Ok(true),
            }),
            "patternProperties" => self.all(map(keyword)?, |(pattern, schema)| {
                self.all(object, |(name, value)| {
                    Ok(!self.matches(pattern, name)? || self.fits(schema, value, depth)?)
                })
            }),
            "additionalProperties" => {
                let named = schema.get("properties").map_or(Ok(None), |named| map(named).map(Some))?;
                let patterns = schema.get("patternProperties").map_or(Ok(None), |all| map(all).map(Some))?;
                self.all(object, |(name, value)| {
                    let known = named.is_some_and(|named| named.contains_key(name))
                        || self.any(patterns.into_iter().flatten(), |(p, _)| self.matches(p, name))?;
                    Ok(known || self.fits(keyword, value, depth)?)
                })
            }
            "propertyNames" => {
                self.all(object.keys(), |name| self.fits(keyword, &Value::String(name.clone()), depth))
            }
            "dependentRequired" => self.all(map(keyword)?, |(name, wanted)| {
                Ok(!object.contains_key(name) || self.has(wanted, object)?)
            }),
            // The older word for both kinds, and the newer one for schemas.
            "dependencies" | "dependentSchemas" => self.all(map(keyword)?, |(name, wanted)| match wanted {
                _ if !object.contains_key(name) => Ok(true),
                Value::Array(_) => self.has(wanted, object),
                wanted => self.fits(wanted, value, depth),
            }),
            _ => Ok(true),
        }
    }

    fn of_array(
        &self,
        schema: &'s Map<String, Value>,
        key: &str,
        keyword: &'s Value,
        array: &[Value],
        depth: u32,
    ) -> Judged {
        // Schemas for the first elements, one each: `prefixItems`, or a list of `items` in older drafts.
        let first = schema.get("prefixItems").or(schema.get("items").filter(|items| items.is_array()));
        let first = first.map_or(Ok(0), |first| list(first).map(<[Value]>::len))?;
        let rest = array.get(first..).unwrap_or_default();
        match (key, keyword) {
            ("minItems", _) => Ok(array.len() >= size(keyword)?),
            ("maxItems", _) => Ok(array.len() <= size(keyword)?),
            ("prefixItems", _) | ("items", Value::Array(_)) => {
                self.all(list(keyword)?.iter().zip(array), |(schema, value)| self.fits(schema, value, depth))
            }
            ("items", _) => self.all(rest, |value| self.fits(keyword, value, depth)),
            ("additionalItems", _) if schema.get("items").is_some_and(Value::is_array) => {
                self.all(rest, |value| self.fits(keyword, value, depth))
            }
            ("contains", _) => {
                let bound = |key, none| schema.get(key).map_or(Ok(none), size);
                let (least, most) = (bound("minContains", 1)?, bound("maxContains", usize::MAX)?);
                let mut fitting = 0;
                for value in array {
                    fitting += usize::from(self.fits(keyword, value, depth)?);
                }
                Ok((least..=most).contains(&fitting))
            }
            ("uniqueItems", Value::Bool(true)) => self.all(array.iter().enumerate(), |(at, one)| {
                let others = array.get(at + 1..).unwrap_or_default();
                self.any(others, |other| self.equal(one, other)).map(|again| !again)
            }),
            _ => Ok(true),
        }
    }

    fn of_text(&self, key: &str, keyword: &Value, text: &str) -> Judged {
        match key {
            "minLength" | "maxLength" => {
                self.step(text.len() / 16)?;
                let length = text.chars().count();
                Ok(if key == "minLength" { length >= size(keyword)? } else { length <= size(keyword)? })
            }
            "pattern" => self.matches(keyword.as_str().ok_or(Unknown)?, text),
            _ => Ok(true),
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> Judged {
        self.step(1 + text.len() * 8)?;
        self.schema.is_match(pattern, text)
    }

    /// Whether an object has all members of this list of names.
    fn has(&self, names: &Value, object: &Map<String, Value>) -> Judged {
        self.all(list(names)?, |name| Ok(object.contains_key(name.as_str().ok_or(Unknown)?)))
    }

    fn all<T>(&self, of: impl IntoIterator<Item = T>, mut holds: impl FnMut(T) -> Judged) -> Judged {
        for one in of {
            self.step(1)?;
            if !holds(one)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn any<T>(&self, of: impl IntoIterator<Item = T>, mut holds: impl FnMut(T) -> Judged) -> Judged {
        self.all(of, |one| holds(one).map(|holds| !holds)).map(|none| !none)
    }

    /// Whether two values say the same: numbers by what they are worth, objects in any order. As deep as the JSON reader
    /// goes, 128 levels.
    fn equal(&self, one: &Value, other: &Value) -> Judged {
        self.step(1)?;
        match (one, other) {
            (Value::Number(one), Value::Number(other)) => Ok(compare(one, other) == Some(Ordering::Equal)),
            (Value::String(one), Value::String(other)) => {
                self.step(one.len().min(other.len()) / 16)?;
                Ok(one == other)
            }
            (Value::Array(one), Value::Array(other)) => Ok(one.len() == other.len()
                && self.all(one.iter().zip(other), |(one, other)| self.equal(one, other))?),
            (Value::Object(one), Value::Object(other)) => Ok(one.len() == other.len()
                && self.all(one, |(name, one)| {
                    other.get(name).map_or(Ok(false), |other| self.equal(one, other))
                })?),
            (one, other) => Ok(one == other),
        }
    }

    /// The schema that a reference names, within this one.
    fn find(&self, reference: &Value) -> Result<&'s Value, Unknown> {
        let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).ok_or(Unknown)?;
        let plain = percent_decoded(pointer).ok_or(Unknown)?;
        self.schema.root.pointer(&plain).ok_or(Unknown)
    }
}

fn list(keyword: &Value) -> Result<&[Value], Unknown> {
    keyword.as_array().map(Vec::as_slice).ok_or(Unknown)
}

fn map(keyword: &Value) -> Result<&Map<String, Value>, Unknown> {
    keyword.as_object().ok_or(Unknown)
}

/// A number of things. Written as `3.0` by some.
fn size(keyword: &Value) -> Result<usize, Unknown> {
    let whole = keyword.as_f64().filter(|size| *size >= 0.0 && size.fract() == 0.0 && *size < 1e15);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, in range and not negative"
    )]
    whole.map(|size| size as usize).ok_or(Unknown)
}

fn is_of(kinds: &Value, value: &Value) -> Judged {
    let is = |kind: &Value| {
        Ok(match kind.as_str().ok_or(Unknown)? {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => match value {
                Value::Number(n) => n.is_i64() || n.is_u64() || n.as_f64().is_some_and(|n| n.fract() == 0.0),
                _ => false,
            },
            _ => return Err(Unknown),
        })
    };
    match kinds {
        // At most as many as there are words.
        Value::Array(kinds) => kinds.iter().take(16).try_fold(false, |any, kind| Ok(any | is(kind)?)),
        kind => is(kind),
    }
}

fn of_number(key: &str, keyword: &Value, number: &Number) -> Judged {
    let against = |holds: fn(Ordering) -> bool| match keyword {
        Value::Number(bound) => Ok(compare(number, bound).is_some_and(holds)),
        _ => Err(Unknown),
    };
    match key {
        "minimum" => against(Ordering::is_ge),
        "maximum" => against(Ordering::is_le),
        "exclusiveMinimum" => against(Ordering::is_gt),
        "exclusiveMaximum" => against(Ordering::is_lt),
        "multipleOf" => match (number.as_i64(), keyword.as_i64()) {
            (Some(number), Some(of)) if of > 0 => Ok(number % of == 0),
            _ => {
                let of = keyword.as_f64().filter(|of| *of > 0.0).ok_or(Unknown)?;
                let times = number.as_f64().ok_or(Unknown)? / of;
                // 0.3 is three times 0.1 for whoever wrote the schema.
                Ok((times - times.round()).abs() <= 1e-9 * times.abs().max(1.0))
            }
        },
        _ => Ok(true),
    }
}

fn compare(one: &Number, other: &Number) -> Option<Ordering> {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return Some(one.cmp(&other));
    }
    if let (Some(one), Some(other)) = (one.as_u64(), other.as_u64()) {
        return Some(one.cmp(&other));
    }
    one.as_f64()?.partial_cmp(&other.as_f64()?)
}

/// The fragment of a URI as it was meant (RFC 3986 §2.1).
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
