//! Providers in clouds: where they are, and what tokens are had by.

use crate::deployment::place;
use std::hash::{Hash, Hasher};
use weir_config::{Problem, Provider, TokenSource, path_key};
use weir_core::Secret;
use weir_provider::sigv4::{Credentials, Signer};
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
        (Setting::Aws, provider.aws.as_ref().map(|aws| &aws.at)),
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

/// What signs a provider's calls, if anything does.
pub(super) fn signer(provider: &Provider, kind: &Kind, problems: &mut Vec<Problem>) -> Option<Box<Signer>> {
    let service = kind.signed_as.filter(|_| provider.api_keys.is_empty())?;
    let aws = provider.aws.as_ref().map(|aws| &aws.value);
    let found = aws.and_then(|aws| aws.credentials.as_ref()).zip(place(provider).region);
    let Some((credentials, region)) = found else {
        let message =
            format!("kind \"{}\" has neither a key nor a region and what signs calls there", kind.name);
        let path = path_key(&path_key("providers", &provider.name), "aws");
        problems.push(
            Problem::new(&provider.at, path, message).with_help("give api_key, or aws with its region"),
        );
        return None;
    };
    let credentials = Credentials {
        access_key_id: credentials.access_key_id.expose().to_owned(),
        secret_access_key: credentials.secret_access_key.clone(),
        session_token: credentials.session_token.clone(),
    };
    Some(Box::new(Signer { credentials, region: region.to_owned(), service }))
}

/// What of this makes a provider another place, or its credential another one.
pub(super) fn hash(provider: &Provider, hasher: &mut impl Hasher) {
    let Place { api_version, project, location, region } = place(provider);
    (api_version, project, location, region).hash(hasher);
    if let Some(found) = provider.aws.as_ref().and_then(|aws| aws.value.credentials.as_ref()) {
        (found.access_key_id.expose(), found.secret_access_key.expose()).hash(hasher);
        found.session_token.as_ref().map(Secret::expose).hash(hasher);
    }
    match provider.tokens.as_ref().map(|tokens| &tokens.value) {
        None => {}
        Some(TokenSource::ServiceAccount(file)) => file.expose().hash(hasher),
        Some(TokenSource::Entra(entra)) => {
            (&entra.tenant, &entra.client_id, entra.client_secret.expose(), &entra.scope, &entra.authority)
                .hash(hasher);
        }
    }
}
