//! Providers in AWS.

use weir_core::Secret;

/// Where calls go in AWS, and what they are signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aws {
    /// The region, where one was found.
    pub region: Option<String>,
    /// What calls are signed with; `None` where they have a key instead.
    pub credentials: Option<AwsCredentials>,
}

/// Credentials of AWS, wherever they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsCredentials {
    /// Whose calls they are.
    pub access_key_id: Secret,
    /// What signs them.
    pub secret_access_key: Secret,
    /// What temporary ones have beside these.
    pub session_token: Option<Secret>,
}
