//! The reference page of the configuration, written from its schema.

use crate::file::text;
use crate::schema::loose;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Configuration reference

<!-- Generated from the types in `crates/weir-config/src/file`; `UPDATE_DOCS=1 cargo test -p weir-config` writes it anew. -->

One YAML file describes everything. `weir check` reports all its problems at once, each with its place;
`weir schema` prints the same facts as a JSON Schema for editors.

| written as | means |
|---|---|
| `${NAME}` | the variable NAME of the environment; a problem when it is not set |
| `${NAME:-default}` | the same, with a default for a variable that is not set or empty |
| `$${` | the characters `${` themselves |
| `file:/path` | in a secret: the text of that file, without the line end at its end |
| duration | a number and its unit, at most 24h: `250ms`, `1.5s`, `5m`, `1h` |
| size | bytes, or a whole number and its unit: `64KiB`, `32MiB` (powers of 1024), `1MB` (powers of 1000) |
| price | a decimal number of USD with at most six digits after the point, nine for a piece; never rounded |
| name | 1 to 128 letters, digits and `. _ : / @ -` |

Secrets are never shown: not in problems, not in logs, not by the admin API. Variables are filled in after the YAML
has been read: what they hold cannot change the shape of the file.
";

/// The sections in the order in which a reader wants to know them.
const SECTIONS: [&str; 8] =
    ["server", "providers", "deployments", "routes", "keys", "catalog", "store", "telemetry"];

/// The text of the reference page, in Markdown. The same for the same types.
pub fn reference() -> String {
    let mut page = Page { root: loose(), text: INTRODUCTION.to_owned(), places: HashMap::new() };
    for section in SECTIONS {
        if let Some(schema) = page.root.pointer(&format!("/properties/{section}")) {
            page.section(section, schema, 2);
        }
    }
    page.text
}

struct Page {
    root: &'static Json,
    text: String,
    /// Where each shared type was described first.
    places: HashMap<&'static str, String>,
}

impl Page {
    /// One map: what it is for, a table of its keys, then the maps inside it.
    fn section(&mut self, path: &str, schema: &'static Json, level: usize) {
        let (path, schema) = match named(schema) {
            Some(entry) => (format!("{path}.NAME"), entry),
            None => (path.to_owned(), schema),
        };
        let description = description(self.resolve(schema));
        // A section that may be absent is one of two things; its keys are those of the other.
        let schema = self.map_below(schema).unwrap_or(schema);
        if let Some(name) = reference_of(schema) {
            self.places.insert(name, path.clone());
        }
        let schema = self.resolve(schema);
        let _infallible = write!(
            self.text,
            "\n{} `{path}`\n\n{description}\n\n| key | type | default | meaning | example |\n|---|---|---|---|---|\n",
            "#".repeat(level)
        );
        let mut inner = Vec::new();
        for (key, property, required) in properties(schema) {
            let below = format!("{path}.{key}{}", if property.get("items").is_some() { "[]" } else { "" });
            let shared = self.map_below(property).and_then(reference_of);
            if let Some(name) = shared.filter(|name| !self.places.contains_key(name)) {
                self.places.insert(name, below.clone());
                inner.push((below, property));
            }
            self.row(key, property, required);
        }
        for (path, property) in inner {
            let map = self.map_below(property).unwrap_or(property);
            self.section(&path, map, level + 1);
        }
    }

    fn row(&mut self, key: &str, property: &'static Json, required: bool) {
        let default = if required { "**required**".to_owned() } else { self.default(property) };
        let example = property.pointer("/examples/0").map(shown).unwrap_or_default();
        let kind = self.kind(property);
        let description = description(property);
        let _infallible = writeln!(self.text, "| `{key}` | {kind} | {default} | {description} | {example} |");
    }

    fn default(&self, property: &'static Json) -> String {
        if let Some(words) = property.get("x-default").and_then(Json::as_str) {
            let is_value =
                words.starts_with(|c: char| c.is_ascii_digit()) || !words.contains([' ', '`', '\'']);
            let is_word = ["none"].contains(&words);
            return if is_value && !is_word { format!("`{words}`") } else { words.to_owned() };
        }
        match property.get("default") {
            Some(value @ (Json::String(_) | Json::Bool(_) | Json::Number(_))) => shown(value),
            _ if self.map_below(property).is_some() && !is_optional(property) => "see there".to_owned(),
            _ => "absent".to_owned(),
        }
    }

    /// The type in words, linked when it is a map of its own.
    fn kind(&self, schema: &'static Json) -> String {
        if let Some(path) = reference_of(schema).and_then(|name| self.places.get(name)) {
            return format!("[map](#{})", anchor(path));
        }
        let schema = self.resolve(schema);
        if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
            let kinds = alternatives.iter().filter(|one| one.get("type") != Some(&Json::from("null")));
            return kinds.map(|one| self.kind(one)).collect::<Vec<_>>().join(" or ");
        }
        if let Some(roster) = schema.get("x-roster").and_then(Json::as_str) {
            return format!("name of a {roster}");
        }
        match schema.get("format").and_then(Json::as_str) {
            Some(text::SECRET) => return "secret".to_owned(),
            Some(text::URL) => return "URL".to_owned(),
            Some(
                known @ (text::DURATION
                | text::SIZE
                | text::PRICE
                | text::EACH
                | text::ADDRESS
                | text::ORIGIN
                | text::TASK
                | text::NEED
                | text::CLASS
                | text::CAUSE
                | text::DAY
                | text::TIME
                | text::PERCENT
                | text::AFTER),
            ) => {
                return known.to_owned();
            }
            _ => {}
        }
        if let Some(items) = schema.get("items") {
            return format!("list of: {}", self.kind(items));
        }
        if let Some(entry) = named(schema) {
            return format!("map of names to: {}", self.kind(entry));
        }
        let is = |kind: &str| match schema.get("type") {
            Some(Json::String(one)) => one == kind,
            Some(Json::Array(several)) => several.iter().any(|one| one == kind),
            _ => false,
        };
        let words = [
            ("string", "text"),
            ("integer", "whole number"),
            ("number", "number"),
            ("boolean", "`true` or `false`"),
            ("object", "map"),
        ];
        words.iter().find(|(kind, _)| is(kind)).map_or("any", |(_, words)| words).to_owned()
    }

    /// The map with keys of its own that a property is, holds by name or lists.
    fn map_below(&self, property: &'static Json) -> Option<&'static Json> {
        if let Some(entry) = named(property) {
            return self.map_below(entry);
        }
        if let Some(items) = property.get("items") {
            return self.map_below(items);
        }
        let resolved = self.resolve(property);
        if resolved.get("properties").is_some() {
            return Some(property);
        }
        let alternatives = resolved.get("anyOf").and_then(Json::as_array)?;
        alternatives.iter().find_map(|one| self.map_below(one))
    }

    fn resolve(&self, schema: &'static Json) -> &'static Json {
        let target = schema.get("$ref").and_then(Json::as_str);
        target.and_then(|target| self.root.pointer(target.trim_start_matches('#'))).unwrap_or(schema)
    }
}

/// What every entry of a map keyed by name is.
fn named(schema: &'static Json) -> Option<&'static Json> {
    schema.get("additionalProperties").filter(|entry| entry.is_object())
}

fn reference_of(schema: &'static Json) -> Option<&'static str> {
    schema.get("$ref").and_then(Json::as_str)
}

fn is_optional(schema: &Json) -> bool {
    let alternatives = schema.get("anyOf").and_then(Json::as_array).into_iter().flatten();
    alternatives.into_iter().any(|one| one.get("type") == Some(&Json::from("null")))
}

/// The keys of a map: those that must be there first, each group by name.
fn properties(schema: &'static Json) -> Vec<(&'static str, &'static Json, bool)> {
    let required = |key: &str| {
        let keys = schema.get("required").and_then(Json::as_array).into_iter().flatten();
        keys.into_iter().any(|one| one == key)
    };
    let known = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
    let mut keys: Vec<_> = known.map(|(key, property)| (key.as_str(), property, required(key))).collect();
    keys.sort_by_key(|(key, _, required)| (!required, *key));
    keys
}

fn description(schema: &Json) -> String {
    let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

/// A value as it would be written in the file.
fn shown(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}: {}", bare(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(bare).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    };
    format!("`{text}`")
}

fn bare(value: &Json) -> String {
    shown(value).trim_matches('`').to_owned()
}

/// The anchor that Markdown viewers give to the heading of a path.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect::<String>().to_lowercase()
}
