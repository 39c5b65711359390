//! Values that are written as text, and maps keyed by name.

use crate::catalog::Modality;
use crate::config::HedgeAfter;
use crate::format;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;
use weir_core::{Cause, ModelClass, Need, Price, Secret, Task};

/// The `format` words of the schema that [`check`] knows.
pub(crate) const DURATION: &str = "duration";
pub(crate) const SIZE: &str = "size";
pub(crate) const PRICE: &str = "price";
pub(crate) const EACH: &str = "price of a piece";
pub(crate) const MODALITY: &str = "modality";
pub(crate) const DATE: &str = "date";
pub(crate) const ADDRESS: &str = "address";
pub(crate) const URL: &str = "uri";
pub(crate) const ORIGIN: &str = "origin";
pub(crate) const TASK: &str = "task";
pub(crate) const NEED: &str = "capability";
pub(crate) const CLASS: &str = "class";
pub(crate) const CAUSE: &str = "cause";
pub(crate) const DAY: &str = "day";
pub(crate) const TIME: &str = "time of day";
/// The days of the week.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// A share such as 5%.
pub(crate) const PERCENT: &str = "percentage";
/// A percentile such as p95, or a duration.
pub(crate) const AFTER: &str = "percentile or duration";
/// OpenAPI's word for text that must not be shown.
pub(crate) const SECRET: &str = "password";

/// Why `text` is not a value of this format.
pub(crate) fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        DURATION => format::duration(text).map(drop).map_err(str::to_owned),
        SIZE => format::size(text).map(drop).map_err(str::to_owned),
        PRICE => format::price(text).map(drop),
        EACH => format::price_each(text).map(drop),
        MODALITY => modality(text).map(drop),
        DATE => format::date(text).map(drop).map_err(str::to_owned),
        ADDRESS => format::address(text).map(drop).map_err(str::to_owned),
        URL => format::url(text).map(drop).map_err(str::to_owned),
        ORIGIN => format::origin(text).map(drop).map_err(str::to_owned),
        TASK => task(text).map(drop),
        NEED => need(text).map(drop),
        CLASS => class(text).map(drop),
        CAUSE => cause(text).map(drop),
        DAY => day(text).map(drop),
        TIME => format::time_of_day(text).map(drop).map_err(str::to_owned),
        PERCENT => percent(text).map(drop).map_err(str::to_owned),
        AFTER => after(text).map(drop).map_err(str::to_owned),
        _ => Ok(()),
    }
}

fn task(text: &str) -> Result<Task, String> {
    format::one_of(text, &Task::ALL, Task::name)
}

fn need(text: &str) -> Result<Need, String> {
    format::one_of(text, &Need::ALL, Need::name)
}

fn class(text: &str) -> Result<ModelClass, String> {
    format::one_of(text, &ModelClass::ALL, ModelClass::name)
}

fn modality(text: &str) -> Result<Modality, String> {
    format::one_of(text, &Modality::ALL, Modality::name)
}

fn cause(text: &str) -> Result<Cause, String> {
    format::one_of(text, &Cause::ALL, Cause::name)
}

fn percent(text: &str) -> Result<u32, &'static str> {
    let number = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
    number.filter(|number| (1..=100).contains(number)).ok_or("write a whole number from 1% to 100%")
}

fn after(text: &str) -> Result<HedgeAfter, &'static str> {
    const WANTED: &str = "write a percentile from p50 to p99, or a number and its unit: 500ms, 2s";
    match text.strip_prefix('p').map(str::parse::<u8>) {
        Some(Ok(percentile @ 50..=99)) => Ok(HedgeAfter::Percentile(percentile)),
        Some(_) => Err(WANTED),
        None => match format::duration(text) {
            Ok(time) if !time.is_zero() => Ok(HedgeAfter::Time(time)),
            _ => Err(WANTED),
        },
    }
}

/// 0 is Monday.
fn day(text: &str) -> Result<u8, String> {
    let name = |day: u8| DAYS.get(usize::from(day)).copied().unwrap_or_default();
    format::one_of(text, &[0, 1, 2, 3, 4, 5, 6], name)
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
text!(EachText, Price, format::price_each, |value: &Price| value.shown_each().to_string(), { "type": ["number", "string"], "format": "price of a piece" });
text!(ModalityText, Modality, modality, |value: &Modality| value.name().to_owned(), { "type": "string", "format": "modality" });
text!(DateText, Box<str>, format::date, |value: &str| value.to_owned(), { "type": "string", "format": "date" });
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

text!(TaskText, Task, task, |value: &Task| value.name().to_owned(), { "type": "string", "format": "task" });
text!(NeedText, Need, need, |value: &Need| value.name().to_owned(), { "type": "string", "format": "capability" });
text!(ClassText, ModelClass, class, |value: &ModelClass| value.name().to_owned(), { "type": "string", "format": "class" });
text!(CauseText, Cause, cause, |value: &Cause| value.name().to_owned(), { "type": "string", "format": "cause" });
text!(DayText, u8, day, |value: &u8| DAYS.get(usize::from(*value)).copied().unwrap_or_default().to_owned(), { "type": "string", "format": "day" });
text!(TimeText, u16, format::time_of_day, |value: &u16| format!("{:02}:{:02}", value / 60, value % 60), { "type": "string", "format": "time of day" });
text!(PercentText, u32, percent, |value: &u32| format!("{value}%"), { "type": "string", "format": "percentage" });
text!(AfterText, HedgeAfter, after, HedgeAfter::to_string, { "type": "string", "format": "percentile or duration" });

/// One value, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub(crate) enum OneOrMore<T> {
    /// One.
    #[schemars(description = "")]
    One(T),
    /// A list.
    #[schemars(description = "")]
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// All of them.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            OneOrMore::One(one) => std::slice::from_ref(one),
            OneOrMore::More(all) => all,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMore<T>, E> {
                T::deserialize(de::value::StrDeserializer::new(text)).map(OneOrMore::One)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<OneOrMore<T>, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(OneOrMore::More)
            }
        }

        from.deserialize_any(Either(PhantomData))
    }
}

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
