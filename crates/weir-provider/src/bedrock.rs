//! Models on AWS Bedrock.

use crate::compatible::LIKENESS;
use crate::{Kind, Place, Probe, Setting};
use weir_core::Endpoint;

/// Bedrock by its Converse API, which is the same for all its models.
pub const KIND: Kind = Kind {
    name: "bedrock",
    title: "AWS Bedrock",
    description: "AWS Bedrock's Converse API, by a key or by signed calls. Calls in other formats are translated.",
    locate: Some(locate),
    settings: &[Setting::Aws],
    signed_as: Some("bedrock"),
    key_variable: Some("AWS_BEARER_TOKEN_BEDROCK"),
    speaks: &[Endpoint::Converse],
    probe: Probe::Completion, // its models are listed at another address
    source: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    ..LIKENESS
};

fn locate(place: &Place<'_>) -> Result<String, &'static str> {
    let region = place.region.ok_or("give aws.region, or set AWS_REGION")?;
    // China's regions are a partition of their own.
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Ok(format!("https://bedrock-runtime.{region}.{domain}"))
}
