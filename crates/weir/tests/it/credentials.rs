//! Who may call, and what nobody gets to see: keys, cookies, addresses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod destinations;
mod entrance;
mod secrecy;

use std::net::SocketAddr;
use std::path::Path;
use weir_testkit::weir::Start;
use weir_testkit::{RawClient, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";

/// Secrets with characters that change when they are encoded, so that every form of them is told from the others.
const CLIENT_KEY: &str = "wr-canary/client+key=1";
const UPSTREAM_KEY: &str = "sk-canary/upstream+key=2";
const HEADER_SECRET: &str = "hd-canary/header+secret=3";
const ADMIN_TOKEN: &str = "ad-canary/admin+token=4";
const COOKIE: &str = "session=ck-canary/cookie+5";

/// A gateway that holds every sort of secret, with the routes `m` (two calls) and `gone` (an address that refuses).
fn start(upstream: &Upstream) -> RunningWeir {
    let gone = Upstream::start();
    let nobody = gone.url();
    gone.stop();
    let config = format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@, token: '{ADMIN_TOKEN}' }} }}\n\
         providers:\n  up: {{ kind: openai, base_url: {}, api_key: '{UPSTREAM_KEY}', headers: {{ x-extra: '{HEADER_SECRET}' }} }}\n  \
         gone: {{ kind: openai, base_url: {nobody}, api_key: '{UPSTREAM_KEY}' }}\n  \
         nowhere: {{ kind: openai, base_url: 'http://canary-host.invalid/v1', api_key: '{UPSTREAM_KEY}' }}\n\
         deployments:\n  d: {{ provider: up, model: served }}\n  gone: {{ provider: gone, model: served }}\n  \
         nowhere: {{ provider: nowhere, model: served }}\n\
         routes:\n  m: {{ deployments: [d], retries: {{ max: 0 }} }}\n  gone: {{ deployments: [gone], retries: {{ max: 0 }} }}\n  \
         nowhere: {{ deployments: [nowhere], retries: {{ max: 0 }} }}\n\
         keys: {{ client: {{ key: '{CLIENT_KEY}' }} }}\n\
         telemetry: {{ access_log: {{ path: access.log }}, spans: true }}\n",
        upstream.url()
    );
    Start::new(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
        .admin_token(ADMIN_TOKEN)
        .env("RUST_LOG", "trace")
        .start()
}

/// One request on a connection of its own, and every byte that comes back.
fn exchange(to: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let mut client = RawClient::connect(to).unwrap();
    let headers = [headers, &[("connection", "close"), ("content-type", "application/json")]].concat();
    client.request("POST", path, &headers, body).unwrap();
    String::from_utf8_lossy(&client.read_to_end().unwrap()).into_owned()
}
