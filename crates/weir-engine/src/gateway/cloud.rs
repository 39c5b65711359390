//! Providers in clouds: where they are, and what tokens are had by.

use crate::deployment::place;
use std::hash::{Hash, Hasher};
use weir_config::{Problem, Provider, TokenSource, path_key};
use weir_provider::token::{Entra, Source};
use weir_provider::{Kind, Place, Setting};

/// Where a provider's API lives. An error says what to give.
pub(super) fn address(
    provider: &Provider,
    kind: &Kind,
    project: Option<&str>,
) -> Result<String, &'static str> {
    if let Some(url) = &provider.base_url {
        return Ok(url.value.clone());
    }
    let stated = place(provider);
    let place = Place { project: stated.project.or(project), ..stated };
    match (kind.locate, kind.base_url) {
        (Some(locate), _) => locate(&place),
        (None, Some(url)) => Ok(url.to_owned()),
        (None, None) => Err("give base_url"),
    }
}

/// What a provider's tokens are had by, if by any; and a word on keys that its kind does not take.
pub(super) fn tokens(provider: &Provider, kind: &Kind, problems: &mut Vec<Problem>) -> Option<Source> {
    let path = |key: &str| path_key(&path_key("providers", &provider.name), key);
    let source = provider.tokens.as_ref();
    let all = [Setting::ServiceAccount, Setting::Entra].into_iter();
    let of_tokens =
        source.and_then(|source| all.into_iter().find(|setting| setting.name() == source.value.key()));
    let stated = [
        (Setting::ApiVersion, provider.api_version.as_ref().map(|text| &text.at)),
        (Setting::Project, provider.project.as_ref().map(|text| &text.at)),
        (Setting::Location, provider.location.as_ref().map(|text| &text.at)),
    ];
    let tokens = of_tokens.zip(source).map(|(setting, source)| (setting, Some(&source.at)));
    for (setting, at) in stated.into_iter().chain(tokens) {
        let Some(at) = at.filter(|_| !kind.settings.contains(&setting)) else { continue };
        let takes = weir_provider::kinds().filter(|kind| kind.settings.contains(&setting));
        let takes: Vec<&str> = takes.map(|kind| kind.name).collect();
        let message = format!("kind \"{}\" takes no `{}`", kind.name, setting.name());
        let help = format!("it is for {}", takes.join(" and "));
        problems.push(Problem::new(at, path(setting.name()), message).with_help(help));
    }
    let source = source.filter(|_| of_tokens.is_some_and(|setting| kind.settings.contains(&setting)))?;
    match &source.value {
        TokenSource::ServiceAccount(file) => Source::service_account(file)
            .map_err(|message| {
                let help = "give the key file of a service account as file:/path";
                problems.push(Problem::new(&source.at, path("service_account"), message).with_help(help));
            })
            .ok(),
        TokenSource::Entra(entra) => Some(Source::entra(&Entra {
            tenant: &entra.tenant,
            client_id: &entra.client_id,
            client_secret: &entra.client_secret,
            scope: entra.scope.as_deref(),
            authority: entra.authority.as_deref(),
        })),
    }
}

/// What of this makes a provider another place, or its credential another one.
pub(super) fn hash(provider: &Provider, hasher: &mut impl Hasher) {
    let Place { api_version, project, location } = place(provider);
    (api_version, project, location).hash(hasher);
    match provider.tokens.as_ref().map(|tokens| &tokens.value) {
        None => {}
        Some(TokenSource::ServiceAccount(file)) => file.expose().hash(hasher),
        Some(TokenSource::Entra(entra)) => {
            (&entra.tenant, &entra.client_id, entra.client_secret.expose(), &entra.scope, &entra.authority)
                .hash(hasher);
        }
    }
}
