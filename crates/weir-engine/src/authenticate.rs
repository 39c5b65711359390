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
        let mut shown = headers.all(&header::AUTHORIZATION);
        let (Some(value), None) = (shown.next(), shown.next()) else {
            return Err(Fault::new(Class::Caller, 401, "missing_api_key", nothing_to_read(headers)));
        };
        let Some(secret) = bearer(value) else {
            let message = "the Authorization header has no \"Bearer \" and a key behind it; \
                           send it as \"Authorization: Bearer <key>\"";
            return Err(Fault::new(Class::Caller, 401, "invalid_api_key", message));
        };
        let known = self.by_digest.get(&self.digest(secret)).copied();
        known.map(|key| Caller { key: Some(key) }).ok_or_else(|| {
            let message = "the API key is not one of this gateway's keys; check the key your client sends";
            Fault::new(Class::Caller, 401, "invalid_api_key", message)
        })
    }
}

/// What to say when there is not one `Authorization` header: how the key was sent instead, where that can be seen.
fn nothing_to_read(headers: &Headers) -> &'static str {
    let has = |name: &'static str| headers.get(&HeaderName::from_static(name)).is_some();
    if has("authorization") {
        "there is more than one Authorization header; send one: \"Authorization: Bearer <key>\""
    } else if has("x-api-key") || has("api-key") {
        "the API key was sent as x-api-key or api-key, where it is not read; \
         send it as the header \"Authorization: Bearer <key>\""
    } else {
        "no API key was sent; send it as the header \"Authorization: Bearer <key>\""
    }
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
            assert!(fault.message.contains("\"Authorization: Bearer <key>\""), "{}", fault.message);
            assert!(!fault.message.contains("wr-alice"), "{}", fault.message);
        };
        check("authorization", &["wr-alice-key"], "no \"Bearer \"");
        check("authorization", &["Basic wr-alice-key"], "no \"Bearer \"");
        check("authorization", &["Bearer wr-alice-key", "Bearer b"], "more than one Authorization header");
        check("x-api-key", &["wr-alice-key"], "sent as x-api-key");
        check("accept", &["*/*"], "no API key was sent");
    }

    #[test]
    fn without_keys_everyone_on_loopback_may_call() {
        assert!(KeyTable::new(&[]).unwrap().authenticate(&Headers::default()).unwrap().key.is_none());
    }
}
