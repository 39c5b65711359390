//! The shape that would have been right, for problems with values of a wrong one: `deployments: [gpt-4o-mini-eu]`.

use crate::node::{Node, Scalar, Value};
use serde_json::Value as Json;

/// How deep maps are written out; below that they are `…`.
const DEEPEST: usize = 3;

/// Advice for the value at `path`, to be read after "not this": how it would look. `root` is the whole schema, `schema`
/// what it says about this value, references not yet followed.
pub(crate) fn advice(root: &Json, schema: &Json, path: &str, found: &Node) -> String {
    let own = |scalar: &Scalar| scalar.written.is_none() && !scalar.text.is_empty();
    let value = match &found.value {
        // What was meant as the only one of a list.
        Value::Scalar(scalar) if own(scalar) && is_list_of_text(root, schema) => {
            format!("[{}]", text(&scalar.text))
        }
        _ => shape(root, schema, 0),
    };
    // Names with dots stand in quotes in a path and items of a list have no name: neither makes a key to show.
    match path.rsplit('.').next().filter(|key| !key.is_empty() && !key.contains(['"', ']'])) {
        Some(key) => format!("as in `{key}: {value}`"),
        None => format!("as in `{value}`"),
    }
}

fn is_list_of_text(root: &Json, schema: &Json) -> bool {
    let schema = follow(root, schema);
    let items = schema.get("items").map(|items| follow(root, items));
    kind(schema) == "array"
        && items.is_some_and(|items| kind(items) == "string" && items.get("format").is_none())
}

/// Through references, and past the alternative that only says that nothing may stand here.
fn follow<'a>(root: &'a Json, mut schema: &'a Json) -> &'a Json {
    // Bounded so that a schema that refers to itself cannot hang.
    for _ in 0..16 {
        let next = match (schema.get("$ref").and_then(Json::as_str), schema.get("anyOf")) {
            (Some(reference), _) => root.pointer(reference.trim_start_matches('#')),
            (None, Some(alternatives)) => {
                alternatives.as_array().and_then(|all| all.iter().find(|one| kind(one) != "null"))
            }
            (None, None) => None,
        };
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

fn kind(schema: &Json) -> &str {
    match schema.get("type") {
        Some(Json::String(one)) => one,
        Some(Json::Array(several)) => several.iter().find_map(Json::as_str).unwrap_or_default(),
        _ => "",
    }
}

/// A value that fits, in one line of YAML: the schema's own example, else one made of those of its parts.
fn shape(root: &Json, schema: &Json, depth: usize) -> String {
    if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
        return yaml(example);
    }
    let schema = follow(root, schema);
    if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
        return yaml(example);
    }
    if depth == DEEPEST {
        return "…".to_owned();
    }
    match kind(schema) {
        "array" => {
            format!("[{}]", schema.get("items").map_or("…".to_owned(), |one| shape(root, one, depth + 1)))
        }
        "object" => object(root, schema, depth),
        "integer" | "number" => schema.get("minimum").map_or("1".to_owned(), yaml),
        "boolean" => "true".to_owned(),
        _ => "…".to_owned(),
    }
}

fn object(root: &Json, schema: &Json, depth: usize) -> String {
    if let Some(named) = schema.get("additionalProperties").filter(|named| named.is_object()) {
        return format!("{{ NAME: {} }}", shape(root, named, depth + 1));
    }
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
        return "{ … }".to_owned();
    };
    let required = schema.get("required").and_then(Json::as_array).into_iter().flatten();
    let mut keys: Vec<&str> = required.filter_map(Json::as_str).collect();
    let usual = properties.iter().filter(|(_, one)| one.get("x-usual").is_some());
    keys.extend(usual.map(|(key, _)| key.as_str()));
    if keys.is_empty() {
        // Nothing must be there: one key shows what could.
        keys.extend(
            properties.iter().find(|(_, one)| one.get("examples").is_some()).map(|(key, _)| key.as_str()),
        );
    }
    let entries = keys
        .iter()
        .filter_map(|key| properties.get(*key).map(|one| format!("{key}: {}", shape(root, one, depth + 1))));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// JSON as the YAML one would write by hand, in one line.
fn yaml(value: &Json) -> String {
    match value {
        Json::String(plain) => text(plain),
        Json::Array(items) => format!("[{}]", items.iter().map(yaml).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", yaml(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Without quotes where none are needed, wherever in a line it stands.
fn text(plain: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._/-${}:@".contains(c);
    let starts_well = plain.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '$');
    if starts_well && !plain.ends_with(':') && plain.chars().all(fits) {
        plain.to_owned()
    } else {
        format!("{plain:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::loose;

    #[track_caller]
    fn check(path: &str, expect: &str) {
        let mut schema = loose();
        for key in path.split('.') {
            let of = follow(loose(), schema);
            schema =
                of.pointer(&format!("/properties/{key}")).or_else(|| of.get("additionalProperties")).unwrap();
        }
        assert_eq!(shape(loose(), schema, 0), expect, "{path}");
    }

    #[test]
    fn shapes_are_what_one_would_write() {
        check("server", "{ cores: 2 }");
        check("server.admin", "{ listen: 0.0.0.0:7601 }");
        check("server.listen", "0.0.0.0:7600");
        check("providers", "{ NAME: { kind: openai } }");
        check("providers.p.api_key", "${OPENAI_API_KEY}");
        check("deployments", "{ NAME: { provider: openai, model: gpt-4o-mini } }");
        check("deployments.d.price", "{ input: 0.15, output: 0.6 }");
        check("routes", "{ NAME: { deployments: [gpt-4o-mini-eu, { name: other, weight: 2 }] } }");
        check("routes.r.policy", "round_robin");
        check("telemetry.metrics", "{ labels: [region, gpu] }");
    }
}
