//! How many tokens a prompt has, where no deployment of its route can be asked.

use crate::call::Call;
use crate::gateway::Gateway;
use bytes::Bytes;
use serde_json::json;
use weir_core::Endpoint;
use weir_core::endpoint::Gives;

/// The answer to a request for the number of tokens, by an estimate of ours. `None` when that is not what is asked for, or
/// when a deployment of the pool that the call leads to counts itself.
pub(crate) fn estimated(gateway: &Gateway, call: &Call) -> Option<Bytes> {
    if call.endpoint.gives() != Gives::Count {
        return None;
    }
    let members = call.chosen.places.first().and_then(|place| gateway.pools.get(place.pool));
    let counts = members.is_some_and(|pool| {
        pool.members.iter().any(|member| {
            let deployment = gateway.deployments.get(member.deployment as usize);
            let provider = deployment.and_then(|deployment| gateway.providers.get(deployment.provider));
            provider.is_some_and(|provider| provider.serves(call.endpoint).is_some())
        })
    });
    if counts {
        return None;
    }
    let tokens = call.chosen.prompt_tokens.max(1);
    let told = match call.endpoint {
        Endpoint::CountContents => json!({ "totalTokens": tokens }),
        _ => json!({ "input_tokens": tokens }),
    };
    Some(Bytes::from(told.to_string()))
}
