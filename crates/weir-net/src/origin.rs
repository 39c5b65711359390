//! Where a provider's API lives and how to get there.

use http::HeaderValue;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What can be said about an origin besides its URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OriginSettings {
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// How long an unused connection is kept. Servers close idle connections themselves (uvicorn after 5 s); one that
    /// the peer closed is noticed and not used.
    pub idle: Option<Duration>,
    /// After how long a connection is not used again, so that a changed DNS entry is noticed.
    pub max_age: Option<Duration>,
}

impl OriginSettings {
    /// Default for `idle`.
    pub const IDLE: Duration = Duration::from_secs(30);
    /// Default for `max_age`.
    pub const MAX_AGE: Duration = Duration::from_secs(300);
}

/// The identity of an origin: connections to equal identities may be shared, also across a reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub tls: bool,
    pub host: Box<str>,
    pub port: u16,
    pub settings: OriginSettings,
}

/// Scheme, host and port of an upstream, with everything needed to connect.
pub struct Origin {
    pub(crate) identity: Identity,
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(crate) ip: Option<IpAddr>,
    host_header: HeaderValue,
    /// Path below which the API lives, without a trailing slash.
    base_path: Box<str>,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Origin").field(&self.identity).finish()
    }
}

/// Why an origin cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// Not an absolute `http` or `https` URL with a host.
    Url(String),
    /// The CA file cannot be read or holds no certificate.
    Ca(PathBuf, String),
    /// The system has no trusted certificates.
    SystemRoots(String),
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OriginError::Url(why) => write!(f, "not a usable URL: {why}"),
            OriginError::Ca(path, why) => write!(f, "CA file {}: {why}", path.display()),
            OriginError::SystemRoots(why) => {
                write!(
                    f,
                    "no trusted certificates on this system ({why}); install ca-certificates or set tls.ca"
                )
            }
        }
    }
}

impl std::error::Error for OriginError {}

impl Origin {
    /// Reads a base URL such as `https://api.openai.com/v1`.
    pub fn new(base_url: &str, settings: OriginSettings) -> Result<Self, OriginError> {
        let bad = |why: &str| OriginError::Url(why.to_owned());
        if !base_url.contains("://") {
            return Err(bad("it must begin with http:// or https://"));
        }
        let uri: http::Uri = base_url.parse().map_err(|e| OriginError::Url(format!("{e}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("credentials do not belong in it"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let identity = Identity { tls, host: host.into(), port, settings };
        let tls = if tls {
            let name = ServerName::try_from(host.to_owned()).map_err(|e| OriginError::Url(e.to_string()))?;
            Some((client_config(identity.settings.ca.as_deref())?, name))
        } else {
            None
        };
        Ok(Origin {
            tls,
            ip: host.parse().ok(),
            host_header: HeaderValue::from_str(authority.as_str())
                .map_err(|e| OriginError::Url(e.to_string()))?,
            base_path: uri.path().trim_end_matches('/').into(),
            identity,
        })
    }

    /// The value of the `host` header for this origin.
    pub fn host_header(&self) -> &HeaderValue {
        &self.host_header
    }

    /// Whether `listener` answers there: the same port, and an address of this machine that it listens on.
    pub fn is_at(&self, listener: SocketAddr) -> bool {
        let here = match self.ip {
            Some(ip) => {
                ip == listener.ip()
                    || (listener.ip().is_unspecified() && (ip.is_loopback() || ip.is_unspecified()))
            }
            None => &*self.identity.host == "localhost",
        };
        here && self.identity.port == listener.port()
    }

    /// The path below which the API lives, without a trailing slash; may be empty.
    pub fn base_path(&self) -> &str {
        &self.base_path
    }

    pub(crate) fn idle(&self) -> Duration {
        self.identity.settings.idle.unwrap_or(OriginSettings::IDLE)
    }

    pub(crate) fn max_age(&self) -> Duration {
        self.identity.settings.max_age.unwrap_or(OriginSettings::MAX_AGE)
    }
}

/// TLS settings that trust the given file, or the system's roots (read once per process).
fn client_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, OriginError> {
    static SYSTEM: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    if let Some(path) = ca {
        let failed = |why: String| OriginError::Ca(path.to_owned(), why);
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| failed(e.to_string()))?;
        return trusting(certificates).map_err(failed);
    }
    SYSTEM
        .get_or_init(|| {
            let found = rustls_native_certs::load_native_certs();
            trusting(found.certs)
                .map_err(|why| found.errors.into_iter().next().map_or(why, |e| e.to_string()))
        })
        .clone()
        .map_err(OriginError::SystemRoots)
}

fn trusting(certificates: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err("no certificate found".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expect: Result<(&str, u16, &str), &str>) {
        let got = Origin::new(url, OriginSettings::default());
        match (got, expect) {
            (Ok(origin), Ok((host, port, path))) => {
                assert_eq!(
                    (&*origin.identity.host, origin.identity.port, origin.base_path()),
                    (host, port, path)
                );
            }
            (Err(e), Err(part)) => assert!(e.to_string().contains(part), "{url}: {e}"),
            (got, _) => panic!("{url}: {got:?}"),
        }
    }

    #[test]
    fn base_urls_are_taken_apart() {
        check("http://127.0.0.1:8080/v1", Ok(("127.0.0.1", 8080, "/v1")));
        check("http://localhost/", Ok(("localhost", 80, "")));
        check("http://[::1]:9/v1/", Ok(("::1", 9, "/v1")));
        check("ftp://x/", Err("http://"));
        check("api.openai.com/v1", Err("http://"));
        check("http://user:secret@host/v1", Err("credentials"));
        check("http://", Err("URL"));
    }

    #[test]
    fn a_missing_ca_file_is_named() {
        let settings = OriginSettings { ca: Some("/nonexistent/ca.pem".into()), ..OriginSettings::default() };
        let error = Origin::new("https://example.com/v1", settings).unwrap_err();
        assert!(error.to_string().starts_with("CA file /nonexistent/ca.pem"), "{error}");
    }
}
