//! Examples load, and the reference pages are what the types say.

use crate::environment::Environment;
use crate::{SchemaNames, reference, schema};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Every variable is set and every file is there, each with a secret of its own.
struct Everything;

impl Environment for Everything {
    fn var(&self, name: &str) -> Option<String> {
        (!name.ends_with("_URL")).then(|| format!("value-of-{name}"))
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        if path.extension().is_some_and(|extension| extension == "yaml") {
            return Ok("models: {}\n".to_owned()); // a catalogue
        }
        Ok(format!("text-of-{}\n", path.display()))
    }
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn examples() -> Vec<(String, String)> {
    let folder = fs::read_dir(project().join("examples")).expect("examples");
    let mut files: Vec<_> = folder.map(|entry| entry.expect("entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let text = |path: &PathBuf| fs::read_to_string(path).expect("readable");
    files
        .iter()
        .map(|path| (path.file_name().expect("name").to_string_lossy().into_owned(), text(path)))
        .collect()
}

#[test]
fn every_example_loads() {
    let examples = examples();
    for (name, text) in &examples {
        crate::parse(name, text, &Everything).unwrap_or_else(|problems| panic!("{problems}"));
    }
    let names: BTreeSet<&str> = examples.iter().map(|(name, _)| name.as_str()).collect();
    for expected in
        ["minimal.yaml", "openai.yaml", "llama-cpp.yaml", "failover.yaml", "full.yaml", "rules.yaml"]
    {
        assert!(names.contains(expected), "{expected} is gone");
    }
}

#[test]
fn the_full_example_has_every_key() {
    let text = fs::read_to_string(project().join("examples/full.yaml")).expect("readable");
    let words: BTreeSet<&str> =
        text.split([' ', '\n', '{', ',']).filter_map(|word| word.strip_suffix(':')).collect();
    let schema = schema(&SchemaNames::default());
    let mut keys = BTreeSet::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.contains("max_concurrency") && keys.contains("server"), "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "examples/full.yaml lacks {missing:?}");
}

fn collect_keys(schema: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(serde_json::Value::as_object) {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(map) => map.values().for_each(|value| collect_keys(value, keys)),
        serde_json::Value::Array(items) => items.iter().for_each(|value| collect_keys(value, keys)),
        _ => {}
    }
}

/// The page is what is written, or becomes it with `UPDATE_DOCS=1`.
fn check_page(name: &str, text: &str) {
    let path = project().join("docs/reference").join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).expect("writable");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "docs/reference/{name} is not current: UPDATE_DOCS=1 cargo test -p weir-config");
}

#[test]
fn the_reference_page_is_current() {
    let page = reference();
    check_page("config.md", &page);
    assert_eq!(page, reference(), "the same types, the same page");
    for section in
        ["## `server`", "## `providers.NAME`", "### `server.limits`", "### `providers.NAME.timeouts`"]
    {
        assert!(page.contains(section), "{section}\n{page}");
    }
}

#[test]
fn the_catalogue_page_is_current() {
    let catalog = crate::catalog::Catalog::embedded().expect("sound");
    let page = crate::catalog::reference(&catalog);
    check_page("catalog.md", &page);
    for model in &catalog.models {
        assert!(page.contains(&format!("| `{}` |", model.name)), "{}", model.name);
    }
}

#[test]
fn the_schema_page_is_current() {
    let text = serde_json::to_string_pretty(&schema(&SchemaNames::default())).expect("prints");
    check_page("config.schema.json", &(text + "\n"));
}

#[test]
fn rosters_name_what_is_allowed() {
    let names = SchemaNames { provider_kinds: &["openai", "vllm"], policies: &["weighted"] };
    let schema = schema(&names);
    let kind = schema.pointer("/$defs/Provider/properties/kind/enum");
    assert_eq!(kind, Some(&serde_json::json!(["openai", "vllm"])));
    assert_eq!(schema.pointer("/$defs/Policy/anyOf/0/enum"), Some(&serde_json::json!(["weighted"])));
}

#[test]
fn every_key_of_the_schema_is_explained() {
    fn look(path: &str, schema: &serde_json::Value) {
        let properties = schema.get("properties").and_then(serde_json::Value::as_object);
        for (key, property) in properties.into_iter().flatten() {
            assert!(property.get("description").is_some(), "{path}.{key} has no description");
        }
        match schema {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| look(&format!("{path}/{key}"), value));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|value| look(path, value)),
            _ => {}
        }
    }
    look("", &schema(&SchemaNames::default()));
}

/// A file that breaks off or is misspelt anywhere gives problems within the file, and no panic.
#[test]
fn a_damaged_file_is_only_a_problem() {
    let whole = fs::read_to_string(project().join("examples/full.yaml")).expect("readable");
    let lines = u32::try_from(whole.lines().count()).expect("small") + 1;
    let mut refused = 0;
    for (at, _) in whole.char_indices().step_by(11) {
        for damaged in [
            whole[..at].to_owned(),
            whole[..at].to_owned() + "]\u{0}{" + &whole[at..],
            whole[at..].to_owned(),
        ] {
            let Err(problems) = crate::parse("t", &damaged, &Everything) else { continue };
            refused += 1;
            for problem in &problems {
                assert!((1..=lines).contains(&problem.at.line) && problem.at.column > 0, "{problem}");
            }
        }
    }
    assert!(refused > 300, "{refused}");
}
