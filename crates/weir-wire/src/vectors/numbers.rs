//! Vectors as lists of numbers and in base64: OpenAI's libraries ask for the latter, 32 bits a number, the lowest byte first.

use super::Vector;
use crate::format::read;
use serde_json::value::RawValue;
use std::borrow::Cow;
use weir_core::{Class, Fault};

fn malformed(cause: String) -> Fault {
    let message = "The upstream's answer is not what its API promises.";
    Fault::new(Class::Malformed, 502, "upstream_malformed", message).with_cause(cause)
}

/// The vector in base64.
///
/// # Errors
/// The upstream's: something in the list is no number.
pub(super) fn base64(vector: &Vector<'_>) -> Result<String, Fault> {
    match vector {
        Vector::Base64(text) => Ok(text.to_string()),
        Vector::Numbers(raw) => {
            let numbers: Vec<f32> = read::answer(raw.text().as_bytes())?;
            Ok(crate::base64::encode(&numbers.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>()))
        }
    }
}

/// The vector as a list, as JSON writes one.
///
/// # Errors
/// The upstream's: what should be base64 is not, or is no list of numbers.
pub(super) fn list<'v>(vector: &'v Vector<'_>) -> Result<Cow<'v, RawValue>, Fault> {
    let text = match vector {
        Vector::Numbers(raw) => return Ok(Cow::Borrowed(raw.0)),
        Vector::Base64(text) => text,
    };
    let bytes =
        crate::base64::decode(text).ok_or_else(|| malformed("a vector that is no base64".to_owned()))?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(malformed(format!("a vector of {} bytes", bytes.len())));
    }
    let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(malformed("a vector with what is no number".to_owned()));
    }
    let written = serde_json::value::to_raw_value(&numbers);
    written.map(Cow::Owned).map_err(|error| malformed(error.to_string()))
}
