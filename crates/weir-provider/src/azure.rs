//! Azure OpenAI, and OpenAI's models in Microsoft Foundry.

use crate::compatible::LIKENESS;
use crate::{Auth, Kind, Place, Probe, Setting};
use weir_core::Endpoint;

/// Azure OpenAI. A deployment's `model` is the name that the deployment has there.
pub const KIND: Kind = Kind {
    name: "azure",
    title: "Azure OpenAI",
    description: "Azure OpenAI. `base_url`: `https://NAME.openai.azure.com`; the model is the name of a deployment there.",
    auth: Auth::Header("api-key"),
    settings: &[Setting::ApiVersion, Setting::Entra],
    paths: path,
    newest: true,
    speaks: &[
        Endpoint::Chat,
        Endpoint::Completions,
        Endpoint::Embeddings,
        Endpoint::Responses,
        Endpoint::Images,
        Endpoint::Speech,
    ],
    probe: Probe::Completion, // the list of models holds those there are, not those deployed
    source: "https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle",
    ..LIKENESS
};

/// With a version: the address of a deployment. Without one: the v1 API, where the body names it.
fn path(base_path: &str, place: &Place<'_>, endpoint: Endpoint, stream: bool) -> String {
    let base = base_path.trim_end_matches("/v1").trim_end_matches("/openai");
    let path = if stream { endpoint.streamed_path() } else { endpoint.path() };
    match (place.api_version, endpoint) {
        (None, _) => format!("{base}/openai/v1{path}"),
        // Responses of all deployments are kept in one place.
        (Some(version), Endpoint::Responses) => format!("{base}/openai{path}?api-version={version}"),
        (Some(version), _) => format!("{base}/openai/deployments/{{model}}{path}?api-version={version}"),
    }
}
