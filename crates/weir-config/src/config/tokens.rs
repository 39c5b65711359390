//! Credentials that expire.

use weir_core::Secret;

/// What tokens are had by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The text of a service account's key file.
    ServiceAccount(Secret),
    /// An application of Microsoft Entra ID.
    Entra(Entra),
}

impl TokenSource {
    /// The key of the provider that states it.
    pub fn key(&self) -> &'static str {
        match self {
            TokenSource::ServiceAccount(_) => "service_account",
            TokenSource::Entra(_) => "entra",
        }
    }
}

/// An application of Microsoft Entra ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entra {
    /// The directory.
    pub tenant: String,
    /// The application.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// What the token is for, where that was stated.
    pub scope: Option<String>,
    /// Where tokens are given out, where that was stated.
    pub authority: Option<String>,
}
