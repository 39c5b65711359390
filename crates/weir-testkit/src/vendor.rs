//! The formats of vendors that a scripted model can be spoken to in, told apart by the path of the call: what a call says,
//! what is wrong with it, and how an answer or an error is worded. Written from the vendors' own references, and as
//! small as their clients accept it.

mod chat;
mod gemini;
mod messages;
mod responses;
mod told;

use crate::said::Said;
use serde_json::{Value, json};

pub(crate) use told::Told;

const CREATED: u64 = 1_700_000_000;

/// Whose format a call is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vendor {
    /// <https://platform.openai.com/docs/api-reference/chat>
    Chat,
    /// <https://docs.anthropic.com/en/api/messages>
    Messages,
    /// <https://platform.openai.com/docs/api-reference/responses>
    Responses,
    /// <https://ai.google.dev/api/generate-content>
    Gemini,
}

/// An event of a stream: its name, where the format names events, and its data.
pub(crate) type Event = (&'static str, Value);

/// What an answer's format needs to know of the call beside what is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) id: &'a str,
    pub(crate) model: &'a str,
    /// Whether a stream is to tell its usage, where that is a matter of asking.
    pub(crate) usage: bool,
}

impl Vendor {
    /// By the call's path; what is none of the others' is told in OpenAI's way.
    pub(crate) fn of(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        match () {
            () if path.contains("/messages") => Vendor::Messages,
            () if path.ends_with("/responses") => Vendor::Responses,
            () if path.contains("/models/") && path.contains(':') => Vendor::Gemini,
            () => Vendor::Chat,
        }
    }

    /// Whether the call wants a stream.
    pub(crate) fn streams(self, path: &str, body: &Value) -> bool {
        match self {
            Vendor::Gemini => path.contains(":streamGenerateContent"),
            _ => body["stream"] == true,
        }
    }

    pub(crate) fn told(self, body: &Value) -> Told {
        match self {
            Vendor::Chat => chat::told(body),
            Vendor::Messages => messages::told(body),
            Vendor::Responses => responses::told(body),
            Vendor::Gemini => gemini::told(body),
        }
    }

    pub(crate) fn whole(self, said: &Said, frame: Frame<'_>) -> Value {
        match self {
            Vendor::Chat => chat::whole(said, frame),
            Vendor::Messages => messages::whole(said, frame),
            Vendor::Responses => responses::whole(said, frame),
            Vendor::Gemini => gemini::whole(said, frame),
        }
    }

    pub(crate) fn stream(self, said: &Said, frame: Frame<'_>) -> Vec<Event> {
        match self {
            Vendor::Chat => chat::stream(said, frame),
            Vendor::Messages => messages::stream(said, frame),
            Vendor::Responses => responses::stream(said, frame),
            Vendor::Gemini => gemini::stream(said, frame),
        }
    }

    /// How many events of a stream it takes to say all, the end not included.
    pub(crate) fn said_by(self, events: &[Event]) -> usize {
        let last =
            |says: fn(&Value) -> bool| events.iter().rposition(|(_, data)| says(data)).map_or(0, |at| at + 1);
        match self {
            Vendor::Chat => {
                last(|data| data["choices"][0]["finish_reason"].is_null() && data["choices"][0].is_object())
            }
            Vendor::Messages => last(|data| data["type"] == "content_block_delta"),
            Vendor::Responses => last(|data| data["delta"].is_string()),
            Vendor::Gemini => events.len().saturating_sub(1),
        }
    }

    /// What a stream ends with, behind its last event.
    pub(crate) fn end(self) -> &'static str {
        match self {
            Vendor::Chat => "data: [DONE]\n\n",
            _ => "",
        }
    }

    /// An error's body; in a stream the same is its event's data.
    pub(crate) fn error(self, status: u16, code: &str, message: &str) -> Value {
        match self {
            Vendor::Chat | Vendor::Responses => {
                let kind = openai_kind(status);
                json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
            }
            Vendor::Messages => {
                let error = json!({ "type": anthropic_kind(status), "message": message });
                json!({ "type": "error", "error": error, "request_id": "req_testkit" })
            }
            Vendor::Gemini => {
                json!({ "error": { "code": status, "message": message, "status": google_kind(status) } })
            }
        }
    }

    /// The event by which a stream breaks off.
    pub(crate) fn error_event(self, status: u16, code: &str, message: &str) -> Event {
        match self {
            Vendor::Responses => {
                let data = json!({ "type": "error", "code": code, "message": message, "param": null, "sequence_number": 99 });
                ("error", data)
            }
            Vendor::Messages => ("error", self.error(status, code, message)),
            Vendor::Chat | Vendor::Gemini => ("", self.error(status, code, message)),
        }
    }
}

fn openai_kind(status: u16) -> &'static str {
    match status {
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

fn google_kind(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        501.. => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

/// A JSON text in two pieces, as streams bring arguments.
fn halves(text: &str) -> [&str; 2] {
    let middle = text.len() / 2;
    let middle = (0..=middle).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    [&text[..middle], &text[middle..]]
}

#[cfg(test)]
mod tests;
