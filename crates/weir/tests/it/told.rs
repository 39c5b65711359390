//! What a client is told of a fault, whichever API's words it is told in.

use serde_json::Value;
use weir_server::public::Call;
use weir_testkit::client::Reply;

/// The parts of an error that every API has a place for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: String,
}

/// Reads the error in `reply`: OpenAI's, Anthropic's, Google's or Ollama's.
pub(crate) fn told(reply: &Reply) -> Told {
    let body = reply.json();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let error = &body["error"];
    let detail = |name: &str| {
        let details = error["details"].as_array()?;
        details.iter().find(|detail| detail["@type"].as_str().is_some_and(|kind| kind.ends_with(name)))
    };
    let code = detail("ErrorInfo").map_or(&error["code"], |info| &info["reason"]);
    let id = detail("RequestInfo").map_or(&error["request_id"], |info| &info["requestId"]);
    Told {
        code: text(code).or_else(|| text(&body["code"])).unwrap_or_default(),
        message: text(&error["message"]).or_else(|| text(error)).unwrap_or_default(),
        request_id: text(id).or_else(|| text(&body["request_id"])).unwrap_or_default(),
    }
}

/// The address of a call to `model`.
pub(crate) fn address(call: &Call, model: &str) -> String {
    let path = call.path.replace("{model}", model);
    if call.stream { format!("{path}?alt=sse") } else { path }
}
