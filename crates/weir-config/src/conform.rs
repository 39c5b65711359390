//! The tree against the schema of the loose types: variables filled in, and every key and value looked at.
//!
//! All problems are collected. What is wrong is marked as broken on the way, so that the sound rest can still be decoded
//! and checked for meaning, and the operator sees both kinds of problem at once.

use crate::environment::Environment;
use crate::file::text::{self, SECRET};
use crate::node::{Node, Scalar, Value, path_index, path_key};
use crate::problem::{Problem, Span, Spanned, did_you_mean};
use crate::schema::SchemaNames;
use crate::shape;
use crate::substitute::{SubstituteError, substitute};
use crate::yaml::is_null;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::path::Path;

/// The largest secret that is read from a file.
const MOST_SECRET: usize = 64 << 10;

/// What there is to say about the shape of a tree.
pub(crate) struct Findings {
    /// What does not fit the schema.
    pub problems: Vec<Problem>,
    /// What fits and was probably not meant.
    pub warnings: Vec<Problem>,
}

/// Holds the tree against the schema. The tree is changed: variables and secret files are filled in, and what is wrong is
/// marked.
pub(crate) fn conform(
    tree: &mut Node,
    schema: &Json,
    env: &dyn Environment,
    names: &SchemaNames<'_>,
) -> Findings {
    let found = Findings { problems: Vec::new(), warnings: Vec::new() };
    let mut conform = Conform { root: schema, env, names, found };
    let at = tree.at.clone();
    conform.visit(tree, schema, "", &at);
    conform.found
}

struct Conform<'a> {
    root: &'a Json,
    env: &'a dyn Environment,
    names: &'a SchemaNames<'a>,
    found: Findings,
}

impl<'a> Conform<'a> {
    /// `owner` is where the name of this value stands: something missing inside is reported there.
    fn visit(&mut self, node: &mut Node, schema: &'a Json, path: &str, owner: &Span) {
        self.visit_unless_absent(node, schema, path, owner, false);
    }

    /// The same; with `may_be_absent` nothing at all is fine too.
    fn visit_unless_absent(
        &mut self,
        node: &mut Node,
        schema: &'a Json,
        path: &str,
        owner: &Span,
        may_be_absent: bool,
    ) {
        let stated = schema;
        let schema = self.choose(schema, node);
        if let Value::Scalar(scalar) = &mut node.value {
            let foreign = foreign_variable(&scalar.text, is_secret(schema));
            self.found
                .warnings
                .extend(foreign.map(|(message, help)| Problem::new(&node.at, path, message).with_help(help)));
            match fill_in(scalar, is_secret(schema), self.env) {
                Ok(true) => {}
                Ok(false) => node.value = Value::Null,
                Err((message, help)) => {
                    let problem = Problem { help, ..Problem::new(&node.at, path, message) };
                    return self.broken(node, problem);
                }
            }
        }
        match &node.value {
            // A key without a value says no more than its absence; whether it must be there is seen by its map.
            Value::Null if may_be_absent => {}
            Value::Scalar(scalar) => {
                if let Some(mut problem) = wrong_scalar(scalar, schema, &node.at, path) {
                    if problem.help.is_none() || allows(schema, "integer") || allows(schema, "number") {
                        let advice = shape::advice(self.root, stated, path, node);
                        problem.help =
                            Some(problem.help.map_or(advice.clone(), |help| format!("{help}, {advice}")));
                    }
                    self.broken(node, problem);
                } else {
                    self.found.problems.extend(self.unknown_to_roster(scalar, schema, &node.at, path));
                }
            }
            Value::List(_) if allows(schema, "array") => self.list(node, schema, path),
            Value::Map(_) | Value::Null if allows(schema, "object") => self.map(node, schema, path, owner),
            Value::Broken => {}
            _ => {
                let message = format!("expected {}, found {}", wanted(schema), node.found());
                let problem = Problem::new(&node.at, path, message);
                let problem = problem.with_help(shape::advice(self.root, stated, path, node));
                self.broken(node, problem);
            }
        }
    }

    /// A name that its roster does not have. Its shape is right, so the rest is looked at as usual.
    fn unknown_to_roster(&self, scalar: &Scalar, schema: &Json, at: &Span, path: &str) -> Option<Problem> {
        let roster = schema.get("x-roster").and_then(Json::as_str)?;
        let known = self.names.of(roster);
        if known.is_empty() || known.contains(&scalar.text.as_str()) {
            return None;
        }
        let help = did_you_mean(&scalar.text, "names", known.iter().copied());
        let message = format!("no {roster} is called {}", scalar.shown());
        Some(Problem { help, ..Problem::new(at, path, message) })
    }

    fn broken(&mut self, node: &mut Node, problem: Problem) {
        self.found.problems.push(problem);
        node.value = Value::Broken;
    }

    /// Follows references and picks the alternative that a value of this shape can only mean.
    fn choose(&self, schema: &'a Json, node: &Node) -> &'a Json {
        let mut schema = schema;
        // Bounded so that a schema that refers to itself cannot hang.
        for _ in 0..16 {
            if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
                match self.root.pointer(reference.trim_start_matches('#')) {
                    Some(target) => schema = target,
                    None => return schema,
                }
            } else if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
                let fitting = alternatives.iter().find(|one| {
                    let mut one = *one;
                    if let Some(reference) = one.get("$ref").and_then(Json::as_str) {
                        one = self.root.pointer(reference.trim_start_matches('#')).unwrap_or(one);
                    }
                    match node.value {
                        Value::List(_) => allows(one, "array"),
                        Value::Map(_) => allows(one, "object"),
                        _ => !allows(one, "object") && !allows(one, "array") && !allows(one, "null"),
                    }
                });
                match fitting.or(alternatives.first()) {
                    Some(one) => schema = one,
                    None => return schema,
                }
            } else {
                return schema;
            }
        }
        schema
    }

    fn list(&mut self, node: &mut Node, schema: &'a Json, path: &str) {
        let items = schema.get("items").unwrap_or(&Json::Bool(true));
        if let Value::List(nodes) = &mut node.value {
            for (i, item) in nodes.iter_mut().enumerate() {
                let at = item.at.clone();
                self.visit(item, items, &path_index(path, i), &at);
            }
        }
    }

    fn map(&mut self, node: &mut Node, schema: &'a Json, path: &str, owner: &Span) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let others =
            if schema.as_bool() == Some(true) { Some(schema) } else { schema.get("additionalProperties") };
        let mut entries: Vec<&mut (Spanned<String>, Node)> = match &mut node.value {
            Value::Map(entries) => entries.iter_mut().collect(),
            _ => Vec::new(),
        };
        let mut seen: HashMap<&str, &Span> = HashMap::new();
        for (name, value) in entries.iter_mut().map(|entry| (&entry.0, &mut entry.1)) {
            let path = path_key(path, &name.value);
            if let Some(first) = seen.get(name.value.as_str()) {
                let message = format!("{:?} is there twice", name.value);
                let help = format!("the first one is at {}:{}", first.line, first.column);
                self.broken(value, Problem::new(&name.at, path, message).with_help(help));
                continue;
            }
            seen.insert(&name.value, &name.at);
            if let Some(property) = properties.and_then(|known| known.get(&name.value)) {
                self.visit_unless_absent(value, property, &path, &name.at, true);
            } else if matches!(others, Some(Json::Bool(false)) | None) {
                let known = properties.map(|known| known.keys().map(String::as_str)).into_iter().flatten();
                let problem = Problem {
                    help: did_you_mean(&name.value, "keys", known),
                    ..Problem::new(&name.at, path, format!("unknown key {:?}", name.value))
                };
                self.broken(value, problem);
            } else {
                self.visit(value, others.unwrap_or(&Json::Bool(true)), &path, &name.at);
            }
        }
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        let mut lacks = false;
        for key in required.filter_map(Json::as_str) {
            match node.get(key).map(|value| &value.value) {
                Some(Value::Broken) => lacks = true,
                None | Some(Value::Null) => {
                    let mut problem = Problem::new(owner, path, format!("{key:?} is missing"));
                    if let Some(property) = properties.and_then(|known| known.get(key)) {
                        let nothing = Node { value: Value::Null, at: owner.clone() };
                        problem.help = Some(shape::advice(self.root, property, key, &nothing));
                    }
                    self.found.problems.push(problem);
                    lacks = true;
                }
                Some(_) => {}
            }
        }
        if lacks {
            node.value = Value::Broken;
        }
    }
}

/// What other programs write for a variable, which here is plain text. Of a secret nothing is shown but a name that
/// stands behind a word no secret begins with.
fn foreign_variable(text: &str, secret: bool) -> Option<(String, String)> {
    let is_name = |name: &str| {
        name.len() > 1
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    if let Some(name) = text.strip_prefix("os.environ/") {
        let name = if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') { name } else { "NAME" };
        let message = "taken as it stands: os.environ/… is LiteLLM's way to name a variable";
        return Some((message.to_owned(), format!("write ${{{name}}}")));
    }
    let name = text.strip_prefix('$').filter(|name| is_name(name))?;
    let name = if secret { "NAME" } else { name };
    let message = "taken as it stands: a variable is written with braces";
    Some((message.to_owned(), format!("write ${{{name}}}")))
}

/// Fills in variables, and the file that a secret names. `false` when an unquoted value is nothing afterwards.
fn fill_in(
    scalar: &mut Scalar,
    secret: bool,
    env: &dyn Environment,
) -> Result<bool, (String, Option<String>)> {
    match substitute(&scalar.text, env) {
        Ok(None) => {}
        Ok(Some(text)) => {
            let written = std::mem::replace(&mut scalar.text, text);
            scalar.written = Some(written.into());
        }
        Err(SubstituteError::Unclosed) => {
            return Err((
                "`${` has no `}`".to_owned(),
                Some("write `$${` for the characters themselves".to_owned()),
            ));
        }
        Err(SubstituteError::NotAName(name)) => {
            let help = "write ${NAME} or ${NAME:-default}, or `$${` for the characters themselves";
            let shown = if secret { "what stands in `${…}`".to_owned() } else { format!("{name:?}") };
            return Err((format!("{shown} is not the name of a variable"), Some(help.to_owned())));
        }
        Err(SubstituteError::Missing(names)) => {
            let message = match names.as_slice() {
                [name] => format!("the variable {name} is not set"),
                names => format!("the variables {} are not set", names.join(", ")),
            };
            let help = names.first().map(|name| format!("set it, or write ${{{name}:-default}}"));
            return Err((message, help));
        }
    }
    if scalar.plain && is_null(&scalar.text) {
        return Ok(false);
    }
    if secret && scalar.text.starts_with("file:") {
        read_secret(scalar, env).map_err(|message| (message, None))?;
    }
    Ok(true)
}

fn read_secret(scalar: &mut Scalar, env: &dyn Environment) -> Result<(), String> {
    let written = scalar.shown();
    let path = scalar.text.strip_prefix("file:").unwrap_or_default();
    if !path.starts_with('/') {
        return Err(format!("{written} is not an absolute path: write file:/path"));
    }
    let text = env.read(Path::new(path)).map_err(|error| format!("{written} cannot be read: {error}"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("{written} is empty"));
    }
    if text.len() > MOST_SECRET {
        return Err(format!("{written} is larger than 64KiB"));
    }
    let was = std::mem::replace(&mut scalar.text, text.to_owned());
    scalar.written.get_or_insert_with(|| was.into());
    Ok(())
}

fn wrong_scalar(scalar: &Scalar, schema: &Json, at: &Span, path: &str) -> Option<Problem> {
    if schema.as_bool() == Some(true) || schema.get("type").is_none() {
        return None;
    }
    let shown = || if is_secret(schema) { "the value".to_owned() } else { scalar.shown() };
    let problem = |why: &str| {
        Some(Problem::new(at, path, format!("{} is not {}", shown(), wanted(schema))).with_help(why))
    };
    let beyond = |is_less: bool, why: &str| {
        let message = format!("{} is too {}", shown(), if is_less { "small" } else { "large" });
        Some(Problem::new(at, path, message).with_help(why))
    };
    if allows(schema, "string") {
        let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        // A URL may hold a credential by mistake, so it is not quoted.
        let shown = if format == text::URL { "the value".to_owned() } else { shown() };
        let why = text::check(format, &scalar.text).err()?;
        return Some(Problem::new(at, path, format!("{shown} is not {}", wanted(schema))).with_help(why));
    }
    if allows(schema, "boolean") {
        let fits = matches!(scalar.text.as_str(), "true" | "false");
        return if fits { None } else { problem("write true or false") };
    }
    if allows(schema, "integer") {
        let bound = |name: &str| schema.get(name).and_then(Json::as_u64);
        let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(u64::from(u32::MAX)));
        let why = format!("allowed: {least} to {most}");
        if scalar.text.is_empty() || !scalar.text.bytes().all(|b| b.is_ascii_digit()) {
            return problem(&why);
        }
        // More digits than fit are a number, too.
        let number = scalar.text.parse::<u64>().unwrap_or(u64::MAX);
        return if (least..=most).contains(&number) { None } else { beyond(number < least, &why) };
    }
    if allows(schema, "number") {
        let bound = |name: &str| schema.get(name).and_then(Json::as_f64);
        let (least, most) = (bound("minimum").unwrap_or(f64::MIN), bound("maximum").unwrap_or(f64::MAX));
        let why = format!("allowed: {least} to {most}");
        return match scalar.text.parse::<f64>() {
            Ok(number) if (least..=most).contains(&number) => None,
            Ok(number) if number.is_finite() => beyond(number < least, &why),
            _ => problem(&why),
        };
    }
    Some(Problem::new(at, path, format!("expected {}, found a single value", wanted(schema))))
}

fn is_secret(schema: &Json) -> bool {
    schema.get("format").and_then(Json::as_str) == Some(SECRET)
}

/// Whether the schema lets a value of this type pass.
fn allows(schema: &Json, kind: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(one)) => one == kind,
        Some(Json::Array(several)) => several.iter().any(|one| one == kind),
        _ => schema.as_bool() == Some(true),
    }
}

/// What the schema asks for, in words.
fn wanted(schema: &Json) -> &'static str {
    match schema.get("format").and_then(Json::as_str) {
        Some(text::DURATION) => return "a duration",
        Some(text::SIZE) => return "a size",
        Some(text::PRICE) => return "a price in USD",
        Some(text::EACH) => return "a price in USD",
        Some(text::MODALITY) => return "a modality",
        Some(text::DATE) => return "a date",
        Some(text::ADDRESS) => return "an address",
        Some(text::URL) => return "a URL",
        Some(text::ORIGIN) => return "an origin",
        Some(text::TASK) => return "a task",
        Some(text::NEED) => return "a capability",
        Some(text::CLASS) => return "a class",
        Some(text::CAUSE) => return "a cause",
        Some(text::DAY) => return "a day",
        Some(text::TIME) => return "a time of day",
        Some(text::PERCENT) => return "a percentage",
        Some(text::AFTER) => return "a percentile or duration",
        Some(SECRET) => return "a secret",
        _ => {}
    }
    let kinds = [
        ("string", "text"),
        ("boolean", "true or false"),
        ("integer", "a whole number"),
        ("number", "a number"),
        ("array", "a list"),
        ("object", "a map"),
    ];
    kinds.iter().find(|(kind, _)| allows(schema, kind)).map_or("a value", |(_, words)| words)
}
