//! What providers in clouds are told beside their address: names that stand in a URL, and what tokens are had by.

use crate::config::{Entra, TokenSource};
use crate::file::text::SecretText;
use crate::file::upstream as file;
use crate::node::Place;
use crate::problem::{Problem, Spanned};

const LONGEST_NAME: usize = 128;

/// A name that becomes part of a URL: of a project, a region, a version, a directory.
pub(super) fn check_name(
    name: Option<String>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Spanned<String>> {
    let value = name?;
    problems.extend(not_a_name(&value, place));
    Some(Spanned { value, at: place.at.clone() })
}

fn not_a_name(name: &str, place: &Place<'_>) -> Option<Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let is_one =
        !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(fits) && !name.contains("..");
    (!is_one).then(|| place.problem("must be a name of letters, digits, - . _ and :"))
}

/// What tokens are had by: one way of two.
pub(super) fn check_tokens(
    account: Option<SecretText>,
    entra: Option<file::Entra>,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Spanned<TokenSource>> {
    let spanned = |value, key: &str| Some(Spanned { value, at: place.key(key).at.clone() });
    if let Some(SecretText(file)) = account {
        if entra.is_some() {
            problems.push(place.key("entra").key_problem("`entra` stands beside `service_account`"));
        }
        if file.is_empty() {
            problems.push(place.key("service_account").problem("it is empty"));
        }
        return spanned(TokenSource::ServiceAccount(file), "service_account");
    }
    let entra = entra?;
    let at = place.key("entra");
    for (key, name) in [("tenant", &entra.tenant), ("client_id", &entra.client_id)] {
        problems.extend(not_a_name(name, &at.key(key)));
    }
    if entra.client_secret.0.is_empty() {
        problems.push(at.key("client_secret").problem("the secret is empty"));
    }
    if entra
        .scope
        .as_ref()
        .is_some_and(|scope| scope.is_empty() || !scope.bytes().all(|b| b.is_ascii_graphic()))
    {
        problems.push(at.key("scope").problem("a scope has no spaces"));
    }
    let entra = Entra {
        tenant: entra.tenant,
        client_id: entra.client_id,
        client_secret: entra.client_secret.0,
        scope: entra.scope,
        authority: entra.authority.map(|url| url.0),
    };
    spanned(TokenSource::Entra(entra), "entra")
}
