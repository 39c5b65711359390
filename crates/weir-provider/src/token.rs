//! Credentials that expire: what a vendor's token server is asked, and what its answer means.
//!
//! Knows no sockets: whoever keeps a token sends [`Source::ask`] to [`Source::url`] and gives the answer to [`read`].

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_core::{Class, Fault, Secret};
use weir_wire::error::read_error;

/// Google's scope for everything that a service account may do.
const GOOGLE_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where Google gives out tokens, for key files that do not say.
const GOOGLE_TOKENS: &str = "https://oauth2.googleapis.com/token";
/// Microsoft's scope for Azure OpenAI and Foundry.
const ENTRA_SCOPE: &str = "https://cognitiveservices.azure.com/.default";
/// Where Microsoft gives out tokens, outside of national clouds.
const ENTRA_AUTHORITY: &str = "https://login.microsoftonline.com";
/// How long an assertion holds: the longest that Google takes.
const ASSERTION_LIFE: Duration = Duration::from_secs(3600);
/// A token without a stated life is taken to hold this long.
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// The longest life that is believed, so that a figure out of all proportion does no harm.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The longest token: what fits into a request's head beside everything else.
const LONGEST: usize = 16 * 1024;

/// Where tokens are had, and by what.
pub struct Source {
    url: String,
    proof: Proof,
}

enum Proof {
    /// RFC 7523: an assertion signed with the account's key.
    ServiceAccount { email: String, key_id: Option<String>, key: Box<RsaKeyPair>, project: Option<String> },
    /// RFC 6749 §4.4.
    ClientCredentials { client_id: String, client_secret: Secret, scope: String },
}

/// A key file of Google's, as far as it is used.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    project_id: Option<String>,
}

/// An application of Microsoft Entra ID.
#[derive(Clone, Copy, Debug)]
pub struct Entra<'a> {
    /// The directory: its id or one of its domains.
    pub tenant: &'a str,
    /// The application.
    pub client_id: &'a str,
    /// Its secret.
    pub client_secret: &'a Secret,
    /// What the token is for; `None` for Azure OpenAI.
    pub scope: Option<&'a str>,
    /// Where tokens are given out; `None` for the public cloud.
    pub authority: Option<&'a str>,
}

/// Without anything secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("url", &self.url).field("who", &self.who()).finish_non_exhaustive()
    }
}

impl Source {
    /// A service account of Google Cloud, by the text of its key file (JSON).
    ///
    /// # Errors
    /// What is wrong with the file, without any of its secrets.
    pub fn service_account(file: &Secret) -> Result<Source, String> {
        // What serde says of a value may repeat it.
        let read: KeyFile =
            serde_json::from_str(file.expose()).map_err(|_| "it is no key file: no JSON object of texts")?;
        match read.kind.as_deref() {
            Some("service_account") => {}
            kind => return Err(format!("its \"type\" is {kind:?} and not \"service_account\"")),
        }
        let email =
            read.client_email.filter(|email| !email.is_empty()).ok_or("it has no \"client_email\"")?;
        let pem = read.private_key.ok_or("it has no \"private_key\"")?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "its \"private_key\" is no PEM of PKCS #8")?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|error| format!("its \"private_key\" is no RSA key that can be used: {error}"))?;
        let proof = Proof::ServiceAccount {
            email,
            key_id: read.private_key_id,
            key: Box::new(key),
            project: read.project_id,
        };
        Ok(Source { url: read.token_uri.unwrap_or_else(|| GOOGLE_TOKENS.to_owned()), proof })
    }

    /// An application of Microsoft Entra ID.
    pub fn entra(entra: &Entra<'_>) -> Source {
        let authority = entra.authority.unwrap_or(ENTRA_AUTHORITY).trim_end_matches('/');
        let proof = Proof::ClientCredentials {
            client_id: entra.client_id.to_owned(),
            client_secret: entra.client_secret.clone(),
            scope: entra.scope.unwrap_or(ENTRA_SCOPE).to_owned(),
        };
        Source { url: format!("{authority}/{}/oauth2/v2.0/token", entra.tenant), proof }
    }

    /// Where it is asked: `POST`, `application/x-www-form-urlencoded`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who asks, for the log.
    pub fn who(&self) -> &str {
        match &self.proof {
            Proof::ServiceAccount { email, .. } => email,
            Proof::ClientCredentials { client_id, .. } => client_id,
        }
    }

    /// The project that the credential belongs to, where it says so.
    pub fn project(&self) -> Option<&str> {
        match &self.proof {
            Proof::ServiceAccount { project, .. } => project.as_deref(),
            Proof::ClientCredentials { .. } => None,
        }
    }

    /// What must not be shown of it.
    pub fn secret(&self) -> Option<&Secret> {
        match &self.proof {
            Proof::ServiceAccount { .. } => None, // its key never leaves this module
            Proof::ClientCredentials { client_secret, .. } => Some(client_secret),
        }
    }

    /// What makes it the same: a token of one holds for the other.
    pub fn identity(&self) -> u64 {
        let mut identity = DefaultHasher::new();
        self.url.hash(&mut identity);
        match &self.proof {
            Proof::ServiceAccount { email, key_id, key, .. } => {
                (email, key_id, ring::signature::KeyPair::public_key(&**key).as_ref()).hash(&mut identity);
            }
            Proof::ClientCredentials { client_id, client_secret, scope } => {
                (client_id, client_secret.expose(), scope).hash(&mut identity);
            }
        }
        identity.finish()
    }

    /// The body of the question, at `now`. Signing takes a millisecond: not on a thread that serves.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn ask(&self, now: SystemTime) -> Result<String, Fault> {
        match &self.proof {
            Proof::ServiceAccount { email, key_id, key, .. } => {
                let assertion = assertion(email, key_id.as_deref(), key, &self.url, now)?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                Ok(form(&[("grant_type", grant), ("assertion", &assertion)]))
            }
            Proof::ClientCredentials { client_id, client_secret, scope } => Ok(form(&[
                ("grant_type", "client_credentials"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("scope", scope),
            ])),
        }
    }
}

/// A JSON Web Token (RFC 7519) that says who asks for what, signed with RS256.
fn assertion(
    email: &str,
    key_id: Option<&str>,
    key: &RsaKeyPair,
    audience: &str,
    now: SystemTime,
) -> Result<String, Fault> {
    let mut head = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = key_id {
        head["kid"] = id.into();
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": email,
        "scope": GOOGLE_SCOPE,
        "aud": audience,
        "iat": now,
        "exp": now + ASSERTION_LIFE.as_secs(),
    });
    let signed =
        format!("{}.{}", base64url(head.to_string().as_bytes()), base64url(claims.to_string().as_bytes()));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| Fault::upstream_credentials("the service account's key could not sign"))?;
    Ok(format!("{signed}.{}", base64url(&signature)))
}

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The value of `authorization`: `Bearer …`.
    pub bearer: Secret,
    /// How long it holds from when it was asked for.
    pub life: Duration,
}

impl Token {
    /// When another one is to be asked for: at 80 % of its life.
    pub fn refresh_after(&self) -> Duration {
        self.life * 4 / 5
    }
}

/// What a token server's answer means.
///
/// # Errors
/// Why there is no token. None of its words that could be secret.
pub fn read(status: u16, body: &[u8]) -> Result<Token, Fault> {
    #[derive(Deserialize)]
    struct Given {
        access_token: Option<String>,
        /// A number, or the text of one.
        expires_in: Option<Value>,
        error: Option<String>,
        error_description: Option<String>,
    }
    let given: Option<Given> = serde_json::from_slice(body).ok();
    if !(200..300).contains(&status) {
        // RFC 6749 §5.2 has words of its own.
        let said = given.and_then(|given| {
            let (error, more) = (given.error?, given.error_description.unwrap_or_default());
            Some(format!("{error} {more}").trim_end().chars().take(512).collect::<String>())
        });
        let said = said.unwrap_or_else(|| read_error(status, body).message);
        let refused = matches!(status, 400 | 401 | 403);
        let class = if refused { Class::Credential } else { Class::ServerError };
        return Err(Fault::new(class, 502, "upstream_credentials", format!("status {status}: {said}")));
    }
    let malformed = |what: &str| Fault::new(Class::Malformed, 502, "upstream_malformed", what.to_owned());
    let given = given.ok_or_else(|| malformed("the answer is no JSON of a token"))?;
    let token = given
        .access_token
        .filter(|token| !token.is_empty())
        .ok_or_else(|| malformed("it holds no access_token"))?;
    if token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed("its access_token cannot stand in a header"));
    }
    let seconds = given.expires_in.and_then(|life| life.as_f64().or_else(|| life.as_str()?.parse().ok()));
    let stated = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let life = stated.unwrap_or(USUAL_LIFE).min(LONGEST_LIFE);
    Ok(Token { bearer: Secret::new(format!("Bearer {token}")), life })
}

/// `application/x-www-form-urlencoded`.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (at, (name, value)) in pairs.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "&" });
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    out.push(char::from(byte));
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    out
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=chunk.len() {
            let sextet = (word >> (18 - 6 * at)) as usize & 63;
            out.extend(SIGNS.get(sextet).copied().map(char::from));
        }
    }
    out
}

#[cfg(test)]
mod tests;
