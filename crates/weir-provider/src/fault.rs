//! What a vendor's refusal means.

use crate::retry_after::retry_after;
use http::{HeaderMap, header};
use std::borrow::Cow;
use std::time::SystemTime;
use weir_core::secret::redact;
use weir_core::{Class, Fault, Secret};
use weir_wire::error::read_error;

/// An upstream's answer that is not a success, with what is needed to read it.
#[derive(Clone, Copy)]
pub struct Refusal<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The answer's headers.
    pub headers: &'a HeaderMap,
    /// The answer's body, or its beginning.
    pub body: &'a [u8],
    /// Credentials that must not appear in what the client gets.
    pub secrets: &'a [Secret],
    /// Wall-clock time, to read dates in `Retry-After`.
    pub now: SystemTime,
}

/// Reads a refusal: status, code, message and `Retry-After` are kept, secrets are not; our own credential's trouble is
/// said in our words, since the client can do nothing about it.
pub fn fault(refusal: Refusal<'_>) -> Fault {
    let Refusal { status, headers, body, secrets, now } = refusal;
    let stated = read_error(status, body);
    let class = stated.class(status);
    let said = format!("upstream status {status}");
    if class == Class::Credential {
        let ours =
            "the model's server did not accept this gateway's credential; its operator has to renew it";
        let said = format!("{said}: {}", clean(&stated.message, secrets));
        return Fault::new(class, 502, "upstream_credentials", ours).with_cause(said);
    }
    let ours = Fault::new(class, status, "upstream_error", stated.message);
    let stated = Fault {
        // An upstream that states a type but no code means none; one that states neither speaks no known format.
        code: stated.code.map(Cow::Owned).or(ours.code.filter(|_| stated.kind.is_none())),
        kind: stated.kind.map(Cow::Owned),
        param: stated.param.map(Cow::Owned),
        retry_after: retry_after(headers, now),
        retry_after_text: headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).map(Into::into),
        ..ours
    };
    without_secrets(stated.with_cause(said), secrets)
}

/// A fault that an upstream stated, with our credentials cut out of its words.
pub fn without_secrets(mut fault: Fault, secrets: &[Secret]) -> Fault {
    let clean = |text: &str| clean(text, secrets);
    fault.message = clean(&fault.message).into();
    for text in [&mut fault.code, &mut fault.kind, &mut fault.param].into_iter().flatten() {
        if let Cow::Owned(words) = text {
            *words = clean(words);
        }
    }
    fault.cause = fault.cause.map(|cause| clean(&cause).into());
    fault
}

/// `text` without secrets. An upstream's words have been cut to length before they get here, which may have left the
/// beginning of a secret at their end.
fn clean(text: &str, secrets: &[Secret]) -> String {
    let mut text = redact(text, secrets);
    for secret in secrets.iter().map(Secret::expose) {
        let left =
            (6..secret.len()).rev().find(|&n| secret.get(..n).is_some_and(|part| text.ends_with(part)));
        if let Some(left) = left {
            text.truncate(text.len() - left);
            text.push_str("[secret]");
        }
    }
    text
}

/// An answer whose status no model's API gives: a redirect (never followed), an empty success, a 304.
pub fn unexpected_status(status: u16) -> Fault {
    Fault::new(
        Class::Malformed,
        502,
        "upstream_malformed",
        "the model's server gave an answer that is not its API's",
    )
    .with_cause(format!("upstream status {status}"))
}

#[cfg(test)]
mod tests;
