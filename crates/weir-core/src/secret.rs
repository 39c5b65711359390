//! Text that must never be shown.

use std::fmt;

/// A credential. `Debug` and `Display` print `[secret]`; the value leaves only through [`Secret::expose`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a credential.
    pub fn new(value: impl Into<Box<str>>) -> Self {
        Secret(value.into())
    }

    /// The credential itself. Call it only where it is sent, hashed or redacted.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `shown` is this credential. Takes the same time wherever they differ, so that a caller learns nothing from
    /// it but the answer.
    pub fn matches(&self, shown: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let differences = own.iter().zip(shown).fold(0u8, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        own.len() == shown.len() && differences == 0
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Replaces every occurrence of the secrets in `text` by `[secret]`. Secrets shorter than six bytes are left, since
/// replacing them would shred ordinary words.
pub fn redact<'s>(text: &str, secrets: impl IntoIterator<Item = &'s Secret>) -> String {
    let mut out = text.to_owned();
    for secret in secrets {
        if secret.expose().len() >= 6 && out.contains(secret.expose()) {
            out = out.replace(secret.expose(), "[secret]");
        }
    }
    out
}

/// Parts of names of headers that carry credentials.
const TELLING: [&str; 8] =
    ["auth", "cookie", "key", "token", "secret", "password", "credential", "signature"];

/// Whether what a header of this name carries is taken for a secret, whoever asks. The name is in lower case.
pub fn is_secret_header(name: &str) -> bool {
    TELLING.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_a_placeholder() {
        let secret = Secret::new("sk-canary-123");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
    }

    #[test]
    fn only_the_whole_secret_matches() {
        let secret = Secret::new("canary");
        assert!(secret.matches(b"canary"));
        for shown in [&b"canar"[..], b"canaryx", b"Canary", b""] {
            assert!(!secret.matches(shown), "{shown:?}");
        }
    }

    #[test]
    fn headers_that_carry_credentials_are_known_by_their_names() {
        for name in ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-session-token"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["x-tier", "user-agent", "x-weir-session", "accept-language"] {
            assert!(!is_secret_header(name), "{name}");
        }
    }

    #[test]
    fn redaction_finds_every_occurrence() {
        let secrets = [Secret::new("sk-canary-123"), Secret::new("abc")];
        assert_eq!(
            redact("key sk-canary-123, again sk-canary-123; abc", &secrets),
            "key [secret], again [secret]; abc"
        );
    }
}
