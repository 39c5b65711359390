//! One question to the admin listener of a running gateway.

use super::printable;
use crate::cli::Failure;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::Value as Json;
use std::fmt::Display;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;
use weir_core::{Class, Fault};
use weir_net::{Head, Limits, Origin, OriginSettings, Pieces, Pool, Request, Setup};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const MOST_BODY: usize = 8 << 20;

/// Where an admin listener is, and what it wants to see.
pub(super) struct Address {
    pub(super) url: String,
    pub(super) token: Option<String>,
    /// Whether nobody has said that it is there.
    pub(super) guessed: bool,
}

/// Gets a path, or posts JSON to it, and gives the answer.
///
/// # Errors
/// Exit code 1 for a gateway that cannot be asked or says no, 2 for an address that is none.
pub(super) fn ask(address: &Address, path: &str, post: Option<Bytes>) -> Result<Json, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Runtime(format!("starting a runtime: {error}")))?;
    let origin = Origin::new(&address.url, OriginSettings::default())
        .map_err(|error| Failure::Usage(format!("--admin {}: {error}", address.url)))?;
    let request = request(&origin, address, path, post)
        .map_err(|error| Failure::Usage(format!("--admin {}: {error}", address.url)))?;
    let failed = |error: &dyn Display| Failure::Runtime(format!("{}: {error}", address.url));
    let (status, body) = LocalSet::new().block_on(&runtime, async {
        let pool = Pool::new(origin.into());
        let asking = async {
            let now = Instant::now();
            let limits = Limits::by(now + ANSWER_WITHIN, CONNECT_WITHIN);
            let answer = pool.send(request, limits, now, &mut Setup::default()).await;
            let answer = answer.map_err(|fault| failed(&unreached(&fault, address.guessed)))?;
            let status = answer.head.status;
            let body =
                Limited::new(answer.body, MOST_BODY).collect().await.map_err(|error| failed(&error))?;
            Ok::<_, Failure>((status, body.to_bytes()))
        };
        tokio::time::timeout(ANSWER_WITHIN, asking).await.map_err(|_| failed(&"no answer in time"))?
    })?;
    let told: Json = serde_json::from_slice(&body).unwrap_or_default();
    match status {
        StatusCode::OK if told.is_object() => Ok(told),
        StatusCode::OK => Err(failed(&"this is no admin listener of weir")),
        status => {
            let message = told["error"]["message"].as_str();
            Err(failed(&message.map_or_else(|| status.to_string(), printable::text)))
        }
    }
}

/// Why nobody answered, and what to do about it. The pool's own words are for calls to models.
fn unreached(fault: &Fault, guessed: bool) -> String {
    let cause =
        fault.cause.as_deref().map_or_else(String::new, |cause| format!(" ({})", printable::text(cause)));
    let what = match fault.class {
        Class::Network => format!("no admin listener answers there{cause}"),
        Class::Timeout => format!("no answer in time{cause}"),
        _ => format!("this is no admin listener of weir{cause}"),
    };
    let help = match guessed {
        true => "it was looked for there since no configuration says where; give --admin URL, or -c FILE",
        false => "is weir running, and is this the address of its admin listener? --admin URL names another",
    };
    format!("{what}; {help}")
}

fn request(origin: &Origin, address: &Address, path: &str, post: Option<Bytes>) -> Result<Request, String> {
    let path: PathAndQuery =
        format!("{}{path}", origin.base_path()).parse().map_err(|_| "no URL".to_owned())?;
    let mut headers = HeaderMap::from_iter([(header::HOST, origin.host_header().clone())]);
    let mut put = |name: HeaderName, value: &str| -> Result<(), String> {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| "the token holds what no header may".to_owned())?;
        value.set_sensitive(true);
        headers.insert(name, value);
        Ok(())
    };
    if let Some(token) = &address.token {
        put(header::AUTHORIZATION, &format!("Bearer {token}"))?;
    }
    if post.is_some() {
        put(header::CONTENT_TYPE, "application/json")?;
    }
    let method = if post.is_some() { Method::POST } else { Method::GET };
    let body = post.map_or_else(Pieces::default, Pieces::from);
    Ok(Request::new(&Head::new(&method, &path, &headers), &[], body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_does_not_answer_is_told_with_what_to_do() {
        let refused =
            Fault::new(Class::Network, 502, "upstream_unreachable", "of models").with_cause("refused\u{7}");
        let told = unreached(&refused, true);
        assert!(told.starts_with(r"no admin listener answers there (refused\u{7}); "), "{told}");
        assert!(told.contains("give --admin URL, or -c FILE"), "{told}");
        assert!(unreached(&refused, false).contains("is weir running"));
        let late = Fault::new(Class::Timeout, 504, "upstream_timeout", "of models");
        assert!(unreached(&late, false).starts_with("no answer in time; "));
    }
}
