//! Google Cloud's Vertex AI: Gemini's models in Google's format, Claude's in Anthropic's.

use crate::compatible::LIKENESS;
use crate::{Kind, Place, Prefills, Probe, Quirks, Setting};
use weir_core::Endpoint;

/// Gemini on Vertex AI.
pub const GEMINI: Kind = Kind {
    name: "vertex",
    title: "Google Vertex AI",
    description: "Gemini on Vertex AI.",
    speaks: &[Endpoint::GenerateContent, Endpoint::CountContents],
    paths: google,
    source: "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
    ..CLOUD
};

/// Claude on Vertex AI.
pub const CLAUDE: Kind = Kind {
    name: "vertex_anthropic",
    title: "Claude on Google Vertex AI",
    description: "Anthropic's models on Vertex AI.",
    speaks: &[Endpoint::Messages],
    paths: anthropic,
    quirks: Quirks {
        refuses: &["anthropic_version"], // which stands there in the place of the model
        instead_of_model: Some(r#""anthropic_version":"vertex-2023-10-16""#),
        prefill: Prefills::Plain,
        ..Quirks::NONE
    },
    source: "https://docs.claude.com/en/docs/build-with-claude/claude-on-vertex-ai",
    ..CLOUD
};

/// What both have in common.
const CLOUD: Kind = Kind {
    locate: Some(locate),
    settings: &[Setting::Project, Setting::Location, Setting::ServiceAccount],
    probe: Probe::Completion,
    ..LIKENESS
};

/// Everywhere at once, for models that have no region.
const GLOBAL: &str = "global";

fn locate(place: &Place<'_>) -> Result<String, &'static str> {
    let location = place.location.unwrap_or(GLOBAL);
    let project = place.project.ok_or("give the project, or a service_account that belongs to one")?;
    let host = match location {
        GLOBAL => "aiplatform.googleapis.com".to_owned(),
        region => format!("{region}-aiplatform.googleapis.com"),
    };
    Ok(format!("https://{host}/v1/projects/{project}/locations/{location}"))
}

fn google(base_path: &str, _: &Place<'_>, endpoint: Endpoint, stream: bool) -> String {
    let path = if stream { endpoint.streamed_path() } else { endpoint.path() };
    format!("{base_path}/publishers/google{path}")
}

fn anthropic(base_path: &str, _: &Place<'_>, _: Endpoint, stream: bool) -> String {
    let verb = if stream { "streamRawPredict" } else { "rawPredict" };
    format!("{base_path}/publishers/anthropic/models/{{model}}:{verb}")
}
