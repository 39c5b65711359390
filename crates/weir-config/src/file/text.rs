//! Values that are written as text, and maps keyed by name.

use crate::format;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;
use weir_core::{Price, Secret};

/// The `format` words of the schema that [`check`] knows.
pub(crate) const DURATION: &str = "duration";
pub(crate) const SIZE: &str = "size";
pub(crate) const PRICE: &str = "price";
pub(crate) const ADDRESS: &str = "address";
pub(crate) const URL: &str = "uri";
pub(crate) const ORIGIN: &str = "origin";
/// OpenAPI's word for text that must not be shown.
pub(crate) const SECRET: &str = "password";

/// Why `text` is not a value of this format.
pub(crate) fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        DURATION => format::duration(text).map(drop).map_err(str::to_owned),
        SIZE => format::size(text).map(drop).map_err(str::to_owned),
        PRICE => format::price(text).map(drop),
        ADDRESS => format::address(text).map(drop).map_err(str::to_owned),
        URL => format::url(text).map(drop).map_err(str::to_owned),
        ORIGIN => format::origin(text).map(drop).map_err(str::to_owned),
        _ => Ok(()),
    }
}

macro_rules! text {
    ($name:ident, $inner:ty, $read:expr, $write:expr, $schema:tt) => {
        #[derive(Clone)]
        pub(crate) struct $name(pub $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(from)?;
                $read(text.as_ref()).map($name).map_err(de::Error::custom)
            }
        }

        // Only for the defaults that the schema states.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&$write(&self.0))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

text!(
    DurationText,
    Duration,
    format::duration,
    |value: &Duration| format::duration_text(*value),
    { "type": "string", "format": "duration" }
);
text!(
    SizeText,
    usize,
    format::size,
    |value: &usize| format::size_text(*value),
    { "type": ["string", "integer"], "format": "size" }
);
text!(PriceText, Price, format::price, Price::to_string, { "type": ["number", "string"], "format": "price" });
text!(AddressText, SocketAddr, format::address, SocketAddr::to_string, { "type": "string", "format": "address" });
text!(UrlText, String, format::url, String::clone, { "type": "string", "format": "uri" });
text!(OriginText, String, format::origin, String::clone, { "type": "string", "format": "origin" });
text!(
    SecretText,
    Secret,
    |text: &str| Ok::<_, String>(Secret::new(text)),
    Secret::to_string,
    { "type": "string", "format": "password", "writeOnly": true }
);

/// A map keyed by names the operator chose, in the order of the file.
pub(crate) struct Named<T>(pub Vec<(String, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map keyed by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }

        from.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}
