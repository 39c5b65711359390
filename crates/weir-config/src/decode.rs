//! The tree into Rust types, by serde.
//!
//! A scalar is handed out as text wherever text is asked for, so that an amount of money never passes through a
//! float. What is absent (`null`) or was reported already is left out, so that defaults apply.

use crate::node::{Node, Value};
use crate::problem::{Problem, Span};
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;

pub(crate) fn decode<T: DeserializeOwned>(node: &Node) -> Result<T, Problem> {
    T::deserialize(Tree(node))
        .map_err(|error| Problem::new(error.at.as_ref().unwrap_or(&node.at), "", error.message))
}

#[derive(Debug)]
struct Error {
    at: Option<Span>,
    message: String,
}

impl Error {
    /// The innermost position wins: it is the first one set on the way out.
    fn at(mut self, at: &Span) -> Self {
        self.at.get_or_insert_with(|| at.clone());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error { at: None, message: message.to_string() }
    }
}

#[derive(Clone, Copy)]
struct Tree<'n>(&'n Node);

impl<'n> Tree<'n> {
    fn scalar(self, wanted: &str) -> Result<&'n str, Error> {
        self.0.text().ok_or_else(|| Error {
            at: Some(self.0.at.clone()),
            message: format!("expected {wanted}, found {}", self.0.found()),
        })
    }

    fn parsed<T: std::str::FromStr>(self, wanted: &str) -> Result<T, Error> {
        let text = self.scalar(wanted)?;
        text.parse().map_err(|_| Error { at: Some(self.0.at.clone()), message: format!("expected {wanted}") })
    }

    fn map<V: Visitor<'n>>(self, visitor: V, keep_nulls: bool) -> Result<V::Value, Error> {
        let at = &self.0.at;
        match &self.0.value {
            Value::Map(entries) => {
                let rest = entries.iter();
                visitor.visit_map(Entries { rest, value: None, keep_nulls }).map_err(|e| e.at(at))
            }
            Value::Null => {
                visitor.visit_map(Entries { rest: [].iter(), value: None, keep_nulls }).map_err(|e| e.at(at))
            }
            _ => Err(Error {
                at: Some(at.clone()),
                message: format!("expected a map, found {}", self.0.found()),
            }),
        }
    }
}

macro_rules! deserialize_number {
    ($($deserialize:ident $visit:ident),*) => {$(
        fn $deserialize<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.parsed("a number")?)
        }
    )*};
}

impl<'n> de::Deserializer<'n> for Tree<'n> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null | Value::Broken => visitor.visit_unit(),
            Value::Scalar(scalar) => visitor.visit_borrowed_str(&scalar.text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(_) => return self.map(visitor, true),
        }
        .map_err(|error: Error| error.at(&self.0.at))
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Null | Value::Broken => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.parsed("true or false")?)
    }

    deserialize_number! {
        deserialize_u8 visit_u8, deserialize_u16 visit_u16, deserialize_u32 visit_u32, deserialize_u64 visit_u64,
        deserialize_i8 visit_i8, deserialize_i16 visit_i16, deserialize_i32 visit_i32, deserialize_i64 visit_i64,
        deserialize_f32 visit_f32, deserialize_f64 visit_f64
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name: StrDeserializer<'_, Error> = self.scalar("a name")?.into_deserializer();
        visitor.visit_enum(name).map_err(|error| error.at(&self.0.at))
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Error> {
        self.map(visitor, true)
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.map(visitor, false)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'n>>
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.0.find(|node| node.value != Value::Broken) {
            Some(node) => seed.deserialize(Tree(node)).map(Some),
            None => Ok(None),
        }
    }
}

struct Entries<'n> {
    rest: std::slice::Iter<'n, (crate::Spanned<String>, Node)>,
    value: Option<&'n Node>,
    /// A named entry that says nothing more is still an entry; a key of a struct without a value is an absent key.
    keep_nulls: bool,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'n>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let keep_nulls = self.keep_nulls;
        let wanted = |node: &Node| match node.value {
            Value::Broken => false,
            Value::Null => keep_nulls,
            _ => true,
        };
        let Some((name, node)) = self.rest.find(|(_, node)| wanted(node)) else { return Ok(None) };
        self.value = Some(node);
        let key: StrDeserializer<'_, Error> = name.value.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.at(&name.at))
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.value.take() {
            Some(node) => seed.deserialize(Tree(node)),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}
