//! What calls to AWS are signed with, and where it is found: the file, the environment, a profile.

use crate::config::{Aws, AwsCredentials};
use crate::environment::Environment;
use crate::file::text::SecretText;
use crate::file::upstream as file;
use crate::node::Place;
use crate::problem::{Problem, Spanned};
use std::path::Path;
use weir_core::Secret;

const LONGEST_REGION: usize = 32;

/// Checks the section, and looks for credentials unless the provider `has_key`.
pub(super) fn check_aws(
    aws: file::Aws,
    has_key: bool,
    place: &Place<'_>,
    env: &dyn Environment,
    problems: &mut Vec<Problem>,
) -> Spanned<Aws> {
    let stated = aws.region.clone();
    let variable = || ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| set(env, name));
    let region = stated.or_else(variable);
    if region.as_ref().is_some_and(|region| !is_region(region)) {
        let at = place.key("region");
        problems.push(at.problem("is no name of a region: small letters, digits and -, as in eu-central-1"));
    }
    let explicit =
        aws.access_key_id.is_some() || aws.secret_access_key.is_some() || aws.session_token.is_some();
    if explicit && aws.profile.is_some() {
        problems.push(place.key("profile").key_problem("`profile` stands beside a key of its own"));
    }
    if has_key && (explicit || aws.profile.is_some()) {
        let problem = place.key_problem("what signs calls, and an API key, are two credentials");
        problems.push(problem.with_help("leave one of them out"));
    }
    let credentials = if has_key {
        None
    } else {
        found(aws, explicit, place, env).map_err(|problem| problems.push(problem)).ok()
    };
    Spanned { value: Aws { region, credentials }, at: place.at.clone() }
}

/// It becomes part of a host's name.
fn is_region(region: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends = region.starts_with('-') || region.ends_with('-');
    !region.is_empty() && region.len() <= LONGEST_REGION && !ends && region.bytes().all(fits)
}

/// A variable that is set to something.
fn set(env: &dyn Environment, name: &str) -> Option<String> {
    env.var(name).filter(|value| !value.is_empty())
}

/// The first credentials of those that there may be.
fn found(
    aws: file::Aws,
    explicit: bool,
    place: &Place<'_>,
    env: &dyn Environment,
) -> Result<AwsCredentials, Problem> {
    if explicit {
        let secret = |text: Option<SecretText>, key: &str| {
            let value = text.map(|SecretText(secret)| secret).filter(|secret| !secret.is_empty());
            value.ok_or_else(|| place.key(key).key_problem(format!("`{key}` is missing or empty")))
        };
        let credentials = AwsCredentials {
            access_key_id: secret(aws.access_key_id, "access_key_id")?,
            secret_access_key: secret(aws.secret_access_key, "secret_access_key")?,
            session_token: aws.session_token.map(|SecretText(token)| token).filter(|token| !token.is_empty()),
        };
        return sendable(credentials).map_err(|message| place.key_problem(message));
    }
    if let Some(profile) = &aws.profile {
        return of_profile(profile, env).map_err(|message| place.key("profile").problem(message));
    }
    if let (Some(id), Some(key)) = (set(env, "AWS_ACCESS_KEY_ID"), set(env, "AWS_SECRET_ACCESS_KEY")) {
        let credentials = AwsCredentials {
            access_key_id: Secret::new(id),
            secret_access_key: Secret::new(key),
            session_token: set(env, "AWS_SESSION_TOKEN").map(Secret::new),
        };
        return sendable(credentials)
            .map_err(|message| place.key_problem(format!("in the environment, {message}")));
    }
    let profile = set(env, "AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    of_profile(&profile, env).map_err(|message| {
        place
            .key_problem(format!("no credentials: none are stated or in the environment, and {message}"))
            .with_help(
                "give api_key, access_key_id and secret_access_key, or profile, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY",
            )
    })
}

/// Headers carry two of them.
fn sendable(credentials: AwsCredentials) -> Result<AwsCredentials, String> {
    let AwsCredentials { access_key_id, session_token, .. } = &credentials;
    let graphic = |secret: &Secret| secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if graphic(access_key_id) && session_token.as_ref().is_none_or(graphic) {
        return Ok(credentials);
    }
    Err("the credentials hold spaces, line ends or characters that are not ASCII".to_owned())
}

/// The credentials of a profile. An error says what is missing.
fn of_profile(profile: &str, env: &dyn Environment) -> Result<AwsCredentials, String> {
    let home = || set(env, "HOME").map(|home| format!("{home}/.aws/credentials"));
    let path = set(env, "AWS_SHARED_CREDENTIALS_FILE")
        .or_else(home)
        .ok_or("there is no profile: neither AWS_SHARED_CREDENTIALS_FILE nor HOME is set")?;
    let text = env.read(Path::new(&path)).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let value = |key: &str| value_of(&text, profile, key).map(Secret::new);
    let pair = value("aws_access_key_id").zip(value("aws_secret_access_key"));
    let (access_key_id, secret_access_key) = pair.ok_or_else(|| {
        format!(
            "{path} has no profile {profile:?} with aws_access_key_id and aws_secret_access_key; roles, SSO and the \
             metadata of machines are not asked"
        )
    })?;
    sendable(AwsCredentials { access_key_id, secret_access_key, session_token: value("aws_session_token") })
        .map_err(|message| format!("in {path}, {message}"))
}

/// What a file of AWS's says of a key in a section. Lines that are neither are passed over.
fn value_of(text: &str, section: &str, key: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
        {
            inside = name.trim() == section;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside)
            && name.trim().eq_ignore_ascii_case(key)
            && !value.trim().is_empty()
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests;
