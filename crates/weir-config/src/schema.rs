//! The JSON Schema of the file, made from its loose types.

use crate::file::File;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;
use std::sync::OnceLock;

/// The names that only the rosters know. An empty list allows any text.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchemaNames<'a> {
    /// The kinds a provider may have.
    pub provider_kinds: &'a [&'a str],
    /// The policies a route may have.
    pub policies: &'a [&'a str],
}

impl<'a> SchemaNames<'a> {
    /// The names of the roster that the schema calls so.
    pub(crate) fn of(&self, roster: &str) -> &'a [&'a str] {
        match roster {
            "provider kind" => self.provider_kinds,
            "policy" => self.policies,
            _ => &[],
        }
    }
}

/// The schema (JSON Schema, draft 2020-12) of a configuration, for editors and forms.
///
/// Beside the standard keywords: `x-default` says in words what happens when a key is absent, `x-roster` whose names
/// are allowed. `format` is `duration`, `size`, `price`, `address`, `origin`, `uri` or `password` (a secret).
pub fn schema(names: &SchemaNames<'_>) -> Json {
    let mut schema = loose().clone();
    name_roster(&mut schema, names);
    schema
}

/// The schema without any roster's names: what every file is held against.
pub(crate) fn loose() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>().to_value()
    })
}

/// Puts the names of a roster wherever the schema says whose names are allowed.
fn name_roster(schema: &mut Json, names: &SchemaNames<'_>) {
    match schema {
        Json::Object(map) => {
            let known = map.get("x-roster").and_then(Json::as_str).map_or(&[][..], |roster| names.of(roster));
            if !known.is_empty() {
                map.insert("enum".to_owned(), Json::from(known));
            }
            map.values_mut().for_each(|value| name_roster(value, names));
        }
        Json::Array(items) => items.iter_mut().for_each(|value| name_roster(value, names)),
        _ => {}
    }
}
