//! AWS's Signature Version 4: a request is signed with a key that never travels, for one region, one service and a few
//! minutes.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use ring::digest::{Context, SHA256};
use ring::hmac;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};
use weir_core::Secret;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The credentials of a caller of AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Whose the key is; it is told to the server and no secret, but of no use to anybody else.
    pub access_key_id: String,
    /// What signs.
    pub secret_access_key: Secret,
    /// What shows that the key was lent, for credentials that expire.
    pub session_token: Option<Secret>,
}

/// Signs requests of one caller to one service in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Who calls.
    pub credentials: Credentials,
    /// Where the service is.
    pub region: String,
    /// Its name in signatures.
    pub service: &'static str,
}

/// A request to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query as they are sent.
    pub path: &'a str,
    /// The headers that the signature covers, names in lower case: `host` at least. AWS's own are added.
    pub headers: &'a [(&'a str, &'a str)],
    /// The SHA-256 of the body, in hexadecimal digits: [`digest`].
    pub body: &'a str,
}

/// What the server has to be sent beside the headers that were signed. `x-amz-security-token` goes with it where the
/// credentials have one.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value of `authorization`.
    pub authorization: String,
    /// The value of `x-amz-date`.
    pub date: String,
}

/// The SHA-256 of a body that lies in pieces.
pub fn digest<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    pieces.into_iter().for_each(|piece| context.update(piece));
    hex(context.finish().as_ref())
}

impl Signer {
    /// Signs a request at `now`.
    pub fn sign(&self, request: Signable<'_>, now: SystemTime) -> Signed {
        let date = timestamp(now);
        let day = date.get(..8).unwrap_or_default();
        let Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let mut headers = request.headers.to_vec();
        headers.push(("x-amz-date", &date));
        headers.extend(session_token.as_ref().map(|token| ("x-amz-security-token", token.expose())));
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical = canonical(&request, &headers, &names);
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("{ALGORITHM}\n{date}\n{scope}\n{}", digest([canonical.as_bytes()]));
        let first = format!("AWS4{}", secret_access_key.expose());
        let steps = [day, &self.region, self.service, "aws4_request", &text];
        let signature = steps.iter().fold(first.into_bytes(), |key, step| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes()).as_ref().to_vec()
        });
        let authorization = format!(
            "{ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={names}, Signature={}",
            hex(&signature)
        );
        Signed { authorization, date }
    }
}

/// The request in the one form in which both sides sign it.
fn canonical(request: &Signable<'_>, headers: &[(&str, &str)], names: &str) -> String {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let mut out = format!("{}\n", request.method);
    // A path is sent encoded and signed encoded once more.
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => push(&mut out, format_args!("%{byte:02X}")),
        }
    }
    let mut query: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    out.push('\n');
    for (at, pair) in query.iter().enumerate() {
        let (between, end) = (if at == 0 { "" } else { "&" }, if pair.contains('=') { "" } else { "=" });
        push(&mut out, format_args!("{between}{pair}{end}"));
    }
    out.push('\n');
    for (name, value) in headers {
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        push(&mut out, format_args!("{name}:{value}\n"));
    }
    push(&mut out, format_args!("\n{names}\n{}", request.body));
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a String takes what it is given");
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    bytes.iter().for_each(|byte| push(&mut out, format_args!("{byte:02x}")));
    out
}

/// `now` as ISO 8601's basic form has it, in UTC: `20150830T123600Z`.
fn timestamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Days in eras of 400 years that begin in March, so that a leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests;
