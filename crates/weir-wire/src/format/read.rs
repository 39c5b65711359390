//! What readers of all formats share.

use crate::neutral::{Lost, Proof, Raw, Str};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use weir_core::{Class, Fault};

/// Reads a client's body. Members that `T` does not know are noted by their path.
///
/// # Errors
/// The caller's, naming the path of the value that is not what it should be.
pub(crate) fn call<'b, T: Deserialize<'b>>(body: &'b [u8], lost: &mut Lost) -> Result<T, Fault> {
    call_at(body, "", lost)
}

/// The same for a part of a body that stands at `prefix`.
pub(crate) fn call_at<'b, T: Deserialize<'b>>(
    body: &'b [u8],
    prefix: &str,
    lost: &mut Lost,
) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut note = |path: serde_ignored::Path<'_>| lost.note(join(prefix, &path.to_string()));
    match serde_ignored::deserialize(&mut reader, &mut note) {
        Ok(value) => Ok(value),
        Err(_) => Err(explain::<T>(body, prefix)),
    }
}

/// Reads an upstream's body.
///
/// # Errors
/// The upstream's. The cause names no byte of the body.
pub(crate) fn answer<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| {
        let message = "The upstream's answer is not what its API promises.";
        Fault::new(Class::Malformed, 502, "upstream_malformed", message).with_cause(format!(
            "{:?} at line {} column {}, {} bytes",
            error.classify(),
            error.line(),
            error.column(),
            body.len()
        ))
    })
}

/// Reads once more, remembering the way: only those who err pay for it.
#[cold]
fn explain<'b, T: Deserialize<'b>>(body: &'b [u8], prefix: &str) -> Fault {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Ok(_) => invalid(prefix, "it cannot be read"),
        Err(error) => {
            let what = error.inner().to_string();
            let what = what.rsplit_once(" at line ").map_or(&*what, |(what, _)| what);
            invalid(&join(prefix, &error.path().to_string()), what)
        }
    }
}

fn join(prefix: &str, path: &str) -> String {
    // serde_ignored says `messages.0.content`, serde_path_to_error `messages[0].content`; an option is `?`.
    let mut out = prefix.to_owned();
    for part in path.split('.').filter(|part| *part != "?" && !part.is_empty()) {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            if !out.is_empty() && !part.starts_with('[') {
                out.push('.');
            }
            out.push_str(part);
        }
    }
    out
}

/// The fault of a value that is not what it should be.
#[cold]
pub(super) fn invalid(param: &str, what: &str) -> Fault {
    let message = format!("Invalid value for `{param}`: {what}.");
    Fault::new(Class::Caller, 400, "invalid_value", message).with_param(param.to_owned())
}

/// A text, or something else in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TextOr<'a, T> {
    /// A text.
    Text(Str<'a>),
    /// A list or an object.
    Other(T),
}

impl<T: Serialize> Serialize for TextOr<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            TextOr::Text(text) => text.serialize(serializer),
            TextOr::Other(other) => other.serialize(serializer),
        }
    }
}

// Not by `#[serde(untagged)]`, which would copy everything and lose track of paths and of raw JSON.
impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for TextOr<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<'a, T>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Reader<'a, T> {
            type Value = TextOr<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or a list or an object of the kind that is documented")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(Str::from(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(Str::from(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(list)).map(TextOr::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(TextOr::Other)
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// A whole number, also one written as `40.0`, as clients do whose language has one kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub(super) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                Ok(Whole(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                i64::try_from(number).map(Whole).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Whole, E> {
                // Written out, it says whether it is whole and whether it fits.
                let text = format!("{number}");
                text.parse().map(Whole).map_err(|_| E::custom("a whole number is wanted"))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The members of an object, in order, as they were written.
pub(super) struct Members<'a>(pub(super) Vec<(Str<'a>, Raw<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = object.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Between a format's name and a seal that came in it.
const SEALED: char = '#';

/// A seal as a client of `format` is shown it: with the name of the format it came in, unless that is the client's own.
/// It comes back with the next turn, and then tells to whom it may be shown.
pub(super) fn seal_for(format: &str, proof: &Proof<'_>) -> String {
    if proof.format == *format {
        proof.seal.to_string()
    } else {
        format!("{}{SEALED}{}", proof.format, proof.seal)
    }
}

/// A seal as a client handed it back. Without a name it is `own`: seals are base64, which has no such sign.
pub(super) fn proof_of<'a>(own: &'static str, seal: &Str<'a>) -> Proof<'a> {
    match seal.split_once(SEALED) {
        Some((format, rest)) => {
            Proof { format: Str::from(format.to_owned()), seal: Str::from(rest.to_owned()) }
        }
        None => Proof { format: Str::from(own), seal: seal.clone() },
    }
}

/// The media type and the base64 of a `data:` URL.
pub(super) fn data_url<'a>(url: &Str<'a>) -> Option<(Str<'a>, Str<'a>)> {
    fn parts(url: &str) -> Option<(&str, &str)> {
        let (mime, data) = url.strip_prefix("data:")?.split_once(',')?;
        Some((mime.strip_suffix(";base64")?, data))
    }
    match &url.0 {
        Cow::Borrowed(url) => parts(url).map(|(mime, data)| (Str::from(mime), Str::from(data))),
        Cow::Owned(url) => {
            parts(url).map(|(mime, data)| (Str::from(mime.to_owned()), Str::from(data.to_owned())))
        }
    }
}
