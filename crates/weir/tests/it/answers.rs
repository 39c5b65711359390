//! What a client gets: statuses and envelopes, an upstream's words, bytes that pass untouched, headers both ways.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod headers;
mod listing;
mod passing;
mod statuses;
mod upstream_faults;

use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::client::Reply;
use weir_testkit::{RunningWeir, Upstream, weir};

/// What the client shows.
const AUTH: (&str, &str) = ("authorization", "Bearer wr-client-key");
/// What the upstream is shown.
const UPSTREAM_KEY: &str = "sk-upstream-key";
const CHAT: &str = "/v1/chat/completions";

/// A gateway with the routes `m0` to `m9`, each with a deployment of its own (`d0` to `d9`, upstream model
/// `served-model`), so that what one call does to a deployment's health does not reach the next call. Nothing is tried
/// twice. `server` adds to the server's section.
fn start(upstream: &Upstream, server: &str) -> RunningWeir {
    let mut config = format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }}{server} }}\n\
         providers: {{ up: {{ kind: openai, base_url: {}, api_key: {UPSTREAM_KEY}, headers: {{ x-team: search }} }} }}\n\
         keys: {{ client: {{ key: wr-client-key }} }}\ndeployments:\n",
        upstream.url()
    );
    for i in 0..10 {
        config.push_str(&format!(
            "  d{i}: {{ provider: up, model: served-model, price: {{ input: 1, output: 2.5 }} }}\n"
        ));
    }
    config.push_str("routes:\n");
    for i in 0..10 {
        config.push_str(&format!("  m{i}: {{ deployments: [d{i}], retries: {{ max: 0 }} }}\n"));
    }
    weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn chat(model: &str, stream: bool) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }], "stream": stream })
}

/// Posts as the client `start` knows.
fn post(weir: &RunningWeir, path: &str, body: &Value) -> Reply {
    weir.post(path, &[AUTH], body)
}

/// What an error has to say.
#[derive(Clone, Copy, Debug)]
struct Expect<'a> {
    status: u16,
    kind: &'a str,
    code: &'a str,
    param: Option<&'a str>,
    /// A part of the message.
    says: &'a str,
}

impl Expect<'_> {
    /// The envelope of OpenAI's API, with the id that the header names, and nothing else in it.
    fn check(&self, reply: &Reply) {
        let shown = format!("{self:?}, but status {} {:?}: {}", reply.status, reply.headers, reply.text());
        assert_eq!(reply.status, self.status, "{shown}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{shown}");
        let body = reply.json();
        let error = &body["error"];
        assert_eq!(error["type"], self.kind, "{shown}");
        assert_eq!(error["code"], self.code, "{shown}");
        assert_eq!(error["param"], json!(self.param), "{shown}");
        assert!(error["message"].as_str().is_some_and(|m| m.contains(self.says)), "{shown}");
        let id = reply.header("x-request-id").unwrap_or_else(|| panic!("no id; {shown}"));
        assert!(id.len() > 16, "{shown}");
        assert_eq!(error["request_id"], id, "{shown}");
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{shown}");
        assert_eq!(error.as_object().map(serde_json::Map::len), Some(5), "{shown}");
    }
}
