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
    /// Wall-clock time, to read dates in `Retry-After`.
    pub now: SystemTime,
}

/// Where AWS says what kind of error an answer is, perhaps with more behind a colon.
const AWS_TYPE: &str = "x-amzn-errortype";
/// The kinds that say that a signature, or what it was made with, is not right, whatever their status (403 mostly):
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html>
const AWS_CREDENTIAL: [&str; 7] = [
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// Reads a refusal: status, code, message and `Retry-After` are kept; our own credential's trouble is said in our words,
/// since the client can do nothing about it. The upstream's words may hold what is not to be shown; see [`Private`].
pub fn fault(refusal: Refusal<'_>) -> Fault {
    let Refusal { status, headers, body, now } = refusal;
    let mut stated = read_error(status, body);
    let of_aws = headers.get(AWS_TYPE).and_then(|value| value.to_str().ok());
    let of_aws = of_aws.map(|name| name.split(':').next().unwrap_or(name));
    let class = match of_aws {
        Some(name) if AWS_CREDENTIAL.contains(&name) => Class::Credential,
        _ => stated.class(status),
    };
    stated.code = stated.code.or_else(|| of_aws.map(str::to_owned));
    // Nobody knows what a higher one would mean (RFC 9110 §15 ends at 599), clients' libraries least of all.
    let told = if status > 599 { 502 } else { status };
    let said = format!("upstream status {status}");
    if class == Class::Credential {
        return Fault::upstream_credentials(format!("{said}: {}", stated.message));
    }
    let mut fault = Fault::new(class, told, "upstream_error", stated.message).with_cause(said);
    // An upstream that states a type but no code means none; one that states neither speaks no known format.
    fault.code = stated.code.map(Cow::Owned).or(fault.code.take().filter(|_| stated.kind.is_none()));
    fault.kind = stated.kind.map(Cow::Owned);
    fault.param = stated.param.map(Cow::Owned);
    fault.retry_after = retry_after(headers, now);
    fault.retry_after_text = headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).map(Into::into);
    fault
}

/// What a client must not learn of a deployment from an upstream's words: what it is shown, and where it is.
#[derive(Clone, Debug, Default)]
pub struct Private {
    secrets: Vec<Secret>,
    /// Longer ones first, so that none is cut by its beginning.
    addresses: Vec<Box<str>>,
}

impl Private {
    /// `authority`: host and port as in the base URL. `own`: whether the operator wrote that URL; where a vendor's API
    /// lives is known to everybody, and its host stands in links that help.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>, authority: &str, own: bool) -> Self {
        let secrets = secrets.into_iter().filter(|s| !s.is_empty()).cloned().collect();
        let mut addresses = Vec::new();
        let parsed = authority.parse::<http::uri::Authority>();
        if let Ok(authority) = &parsed {
            let host = authority.host();
            match authority.port() {
                Some(_) => addresses.push(authority.as_str().into()),
                None => addresses.extend([443, 80].map(|port| format!("{host}:{port}").into_boxed_str())),
            }
            // A name without a dot may be an ordinary word.
            if own && (host.contains('.') || host.starts_with('[')) {
                addresses.push(host.trim_matches(['[', ']']).into());
            }
        }
        Private { secrets, addresses }
    }

    /// The same fault without any of it. The cause is for the log, where an address helps.
    #[must_use]
    pub fn cut_out_of(&self, mut fault: Fault) -> Fault {
        let clean = |text: &str| self.without_addresses(&self.without_secrets(text));
        fault.message = clean(&fault.message).into();
        let told = &mut *fault;
        for text in [&mut told.code, &mut told.kind, &mut told.param].into_iter().flatten() {
            if let Cow::Owned(words) = text {
                *words = clean(words);
            }
        }
        fault.cause = fault.cause.take().map(|cause| self.without_secrets(&cause).into());
        fault
    }

    /// An upstream's words have been cut to length before they get here, which may have left the beginning of a secret at
    /// their end.
    fn without_secrets(&self, text: &str) -> String {
        let mut text = redact(text, &self.secrets);
        for secret in self.secrets.iter().map(Secret::expose) {
            let left =
                (6..secret.len()).rev().find(|&n| secret.get(..n).is_some_and(|part| text.ends_with(part)));
            if let Some(left) = left {
                text.truncate(text.len() - left);
                text.push_str("[secret]");
            }
        }
        text
    }

    fn without_addresses(&self, text: &str) -> String {
        let addresses = self.addresses.iter().map(|address| &**address);
        addresses.fold(text.to_owned(), |text, address: &str| text.replace(address, "[upstream]"))
    }
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
