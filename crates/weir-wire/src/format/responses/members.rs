//! Objects whose members are looked at and exchanged without knowing all of them.

use crate::json::write::object;
use crate::neutral::{Raw, Str};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;

/// The members of an object, in order.
pub(super) struct Members<'a>(Vec<(Str<'a>, Raw<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'a> Members<'a> {
    /// Of an object's text. `None` for anything else.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<Raw<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The same where that is a text.
    pub(super) fn text(&self, name: &str) -> Option<Str<'a>> {
        self.get(name).and_then(|value| serde_json::from_str(value.text()).ok())
    }

    /// The object with these members as they are stated here: in their place, else at the end; without those that are
    /// `None`.
    pub(super) fn with(&self, stated: &[(&str, Option<&str>)]) -> String {
        let mut out = Vec::with_capacity(256);
        object(&mut out, |body| {
            for (name, value) in &self.0 {
                match stated.iter().find(|(new, _)| name == *new) {
                    Some((_, Some(new))) => body.json(name, new),
                    Some((_, None)) => {}
                    None => body.json(name, value.text()),
                }
            }
            for (name, value) in stated {
                if let Some(value) = value.filter(|_| self.get(name).is_none()) {
                    body.json(name, value);
                }
            }
        });
        String::from_utf8(out).unwrap_or_default()
    }
}

/// A text in JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
