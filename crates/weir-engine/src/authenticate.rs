//! Who is calling.

use http::{HeaderName, header};
use ring::rand;
use std::collections::HashMap;
use std::sync::Arc;
use weir_config::Key;
use weir_core::text::ByName;
use weir_core::{Class, Fault};
use weir_wire::Headers;

/// The index of a key in the snapshot's table.
pub(crate) type KeyIndex = u32;

/// Who presented what: the proof that [`KeyTable::authenticate`] let a request through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    key: Option<KeyIndex>,
}

impl Caller {
    /// The key that was presented; `None` when the gateway has no keys and therefore only listens on loopback.
    pub(crate) fn key(&self) -> Option<KeyIndex> {
        self.key
    }
}

/// The longest key that can be presented, in bytes.
const LONGEST: usize = 512;

/// The keys callers may present. Only a keyed hash of each is held, so that a dump of memory shows no key, and a lookup
/// compares hashes that a caller cannot steer, so that its timing tells nothing. BLAKE3 in its keyed mode, which for a key
/// of usual length is one block.
pub(crate) struct KeyTable {
    /// Drawn anew for each table and known to nobody.
    salt: [u8; 32],
    names: Vec<Arc<str>>,
    /// The digests are hashes already, which nobody can steer.
    by_digest: HashMap<[u8; 32], KeyIndex, ByName>,
}

impl KeyTable {
    /// # Errors
    /// When the system gives no random bytes.
    pub(crate) fn new(keys: &[Key]) -> Result<Self, ring::error::Unspecified> {
        let salt = rand::generate::<[u8; 32]>(&rand::SystemRandom::new())?.expose();
        let mut table = KeyTable { salt, names: Vec::new(), by_digest: HashMap::default() };
        for (index, key) in (0..).zip(keys) {
            table.names.push(key.name.clone());
            let digest = table.digest(key.secret.expose().as_bytes());
            table.by_digest.insert(digest, index);
        }
        Ok(table)
    }

    fn digest(&self, secret: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.salt, secret).as_bytes()
    }

    pub(crate) fn name(&self, key: KeyIndex) -> &str {
        self.names.get(key as usize).map_or("", |n| n)
    }

    /// The key of this name.
    pub(crate) fn named(&self, name: &str) -> Option<KeyIndex> {
        self.names.iter().position(|known| **known == *name).and_then(|place| KeyIndex::try_from(place).ok())
    }

    /// Stage 2: head → caller.
    ///
    /// # Errors
    /// 401 when keys are configured and the request shows none of them.
    pub(crate) fn authenticate(&self, headers: &Headers) -> Result<Caller, Fault> {
        if self.names.is_empty() {
            return Ok(Caller { key: None });
        }
        let secret = shown(headers)?;
        let known = self.by_digest.get(&self.digest(secret)).copied();
        known.map(|key| Caller { key: Some(key) }).ok_or_else(|| {
            let message = "the API key is not one of this gateway's keys; check the key your client sends";
            Fault::new(Class::Caller, 401, "invalid_api_key", message)
        })
    }
}

/// Where clients of some APIs show their key, alone in its header: Anthropic's, Google's, Azure's.
static KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// The key that a request shows: as a bearer's, or, where there is no `Authorization`, alone in a header of its own.
fn shown(headers: &Headers) -> Result<&[u8], Fault> {
    let refused = |code, message| Fault::new(Class::Caller, 401, code, message);
    let mut bearers = headers.all(&header::AUTHORIZATION);
    match (bearers.next(), bearers.next()) {
        (Some(value), None) => bearer(value).ok_or_else(|| {
            let message = "the Authorization header has no \"Bearer \" and a key behind it; \
                           send it as \"Authorization: Bearer <key>\"";
            refused("invalid_api_key", message)
        }),
        (Some(_), Some(_)) => {
            let message =
                "there is more than one Authorization header; send one: \"Authorization: Bearer <key>\"";
            Err(refused("missing_api_key", message))
        }
        (None, _) => {
            let mut alone = KEY_HEADERS.iter().flat_map(|name| headers.all(name));
            let message = match (alone.next(), alone.next()) {
                (Some(key), None) => return alone_in_its_header(key),
                (Some(_), Some(_)) => "there is more than one header with an API key; send one",
                (None, _) => {
                    "no API key was sent; send it as the header \"Authorization: Bearer <key>\" or \"x-api-key: <key>\""
                }
            };
            Err(refused("missing_api_key", message))
        }
    }
}

fn alone_in_its_header(key: &[u8]) -> Result<&[u8], Fault> {
    let key = key.trim_ascii();
    if key.is_empty() || key.len() > LONGEST {
        let message = "the header for the API key is empty or too long";
        return Err(Fault::new(Class::Caller, 401, "invalid_api_key", message));
    }
    Ok(key)
}

/// The credential of a `Bearer` header (RFC 6750 §2.1; the scheme's case does not matter, RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    let secret = rest.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !secret.is_empty() && secret.len() <= LONGEST)
        .then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_core::Secret;

    fn check(authorization: &[&str], expect: Result<&str, &str>) {
        let keys = [("alice", "wr-alice-key"), ("bob", "wr-bob-key")]
            .map(|(name, secret)| Key { name: name.into(), secret: Secret::new(secret) });
        let table = KeyTable::new(&keys).unwrap();
        let mut headers = http::HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        let got = table.authenticate(&Headers::from(&headers));
        match (got, expect) {
            (Ok(caller), Ok(name)) => assert_eq!(table.name(caller.key.unwrap()), name),
            (Err(fault), Err(code)) => {
                assert_eq!((fault.status, fault.code.as_deref()), (401, Some(code)), "{authorization:?}");
            }
            (got, _) => panic!("{authorization:?}: {got:?}"),
        }
    }

    #[test]
    fn only_the_exact_key_opens() {
        check(&["Bearer wr-alice-key"], Ok("alice"));
        check(&["bearer  wr-bob-key "], Ok("bob"));
        check(&[], Err("missing_api_key"));
        check(&["Bearer wr-alice-key", "Bearer wr-bob-key"], Err("missing_api_key"));
        check(&["Bearer wr-alice-ke"], Err("invalid_api_key"));
        check(&["Bearer wr-alice-keyx"], Err("invalid_api_key"));
        check(&["Bearer WR-ALICE-KEY"], Err("invalid_api_key"));
        check(&["Basic wr-alice-key"], Err("invalid_api_key"));
        check(&["Bearer "], Err("invalid_api_key"));
        check(&["wr-alice-key"], Err("invalid_api_key"));
        check(&["Bearer' OR '1'='1"], Err("invalid_api_key"));
    }

    #[test]
    fn a_key_that_was_sent_otherwise_is_told_how() {
        let check = |name: &'static str, values: &[&str], expect: &str| {
            let key = Key { name: "alice".into(), secret: Secret::new("wr-alice-key") };
            let mut headers = http::HeaderMap::new();
            for value in values {
                headers.append(name, value.parse().unwrap());
            }
            let fault = KeyTable::new(&[key]).unwrap().authenticate(&Headers::from(&headers)).unwrap_err();
            assert!(fault.message.contains(expect), "{name} {values:?}: {}", fault.message);
            assert!(!fault.message.contains("wr-alice"), "{}", fault.message);
        };
        check("authorization", &["wr-alice-key"], "no \"Bearer \"");
        check("authorization", &["Basic wr-alice-key"], "no \"Bearer \"");
        check("authorization", &["Bearer wr-alice-key", "Bearer b"], "more than one Authorization header");
        check("x-api-key", &["wr-alice-key", "wr-alice-key"], "more than one header with an API key");
        check("api-key", &[""], "empty or too long");
        check("accept", &["*/*"], "no API key was sent");
    }

    #[test]
    fn a_key_alone_in_its_header_opens() {
        let key = Key { name: "alice".into(), secret: Secret::new("wr-alice-key") };
        let table = KeyTable::new(&[key]).unwrap();
        for name in ["x-api-key", "x-goog-api-key", "api-key"] {
            let mut headers = http::HeaderMap::new();
            headers.insert(name, "wr-alice-key".parse().unwrap());
            let caller = table.authenticate(&Headers::from(&headers)).unwrap();
            assert_eq!(caller.key, Some(0), "{name}");
            // Whoever shows a bearer's key as well is judged by that.
            headers.insert(header::AUTHORIZATION, "Bearer wrong".parse().unwrap());
            assert!(table.authenticate(&Headers::from(&headers)).is_err(), "{name}");
        }
    }

    #[test]
    fn without_keys_everyone_on_loopback_may_call() {
        assert!(KeyTable::new(&[]).unwrap().authenticate(&Headers::default()).unwrap().key.is_none());
    }
}
