//! Rows S1 and S2: no request chooses where Weir connects to.

use super::{CHAT, CLIENT_KEY, start};
use serde_json::json;
use weir_testkit::{Answer, RawClient, Upstream};

/// S1: fields and headers that have steered other gateways elsewhere steer nothing here.
#[test]
fn s1_a_request_cannot_name_its_upstream() {
    let (upstream, canary) = (Upstream::start(), Upstream::start());
    let weir = start(&upstream);
    let auth = format!("Bearer {CLIENT_KEY}");
    let place = canary.addr().to_string();
    let url = canary.url();
    let fields = [
        "api_base",
        "base_url",
        "api_url",
        "endpoint",
        "url",
        "host",
        "azure_endpoint",
        "custom_host",
        "proxy",
        "webhook",
        "openai_api_base",
        "custom_llm_provider",
        "api_key",
        "extra_headers",
    ];
    let mut calls = 0;
    for field in fields {
        for value in [json!(url), json!(place), json!({ "base_url": url }), json!([url])] {
            let body = json!({ field: value, "model": "m", "messages": [] });
            assert_eq!(weir.post(CHAT, &[("authorization", &auth)], &body).status, 200, "{field}");
            calls += 1;
        }
    }
    let headers = [
        "x-portkey-custom-host",
        "x-portkey-config",
        "x-litellm-api-base",
        "x-openai-api-base",
        "x-api-base",
        "x-base-url",
        "x-azure-api-base",
        "x-upstream",
        "x-target-url",
        "helicone-target-url",
        "x-forwarded-host",
        "x-forwarded-server",
        "x-original-url",
        "x-rewrite-url",
        "x-host",
        "forwarded",
        "via",
        "referer",
        "origin",
    ];
    for name in headers {
        for value in [url.as_str(), &place, &format!("host={place};proto=http")] {
            let body = json!({ "model": "m", "messages": [] });
            assert_eq!(
                weir.post(CHAT, &[("authorization", &auth), (name, value)], &body).status,
                200,
                "{name}"
            );
            calls += 1;
        }
    }
    // By Host and by an absolute target, as a proxy would be asked.
    let body = json!({ "model": "m", "messages": [] }).to_string();
    for target in [CHAT.to_owned(), format!("{url}/chat/completions"), format!("//{place}{CHAT}")] {
        let mut client = RawClient::connect(weir.public).unwrap();
        let length = body.len();
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: {place}\r\nauthorization: {auth}\r\ncontent-length: {length}"
        );
        client.send(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        let status = client.read_reply().unwrap().status;
        assert!([200, 400, 404].contains(&status), "{target}: {status}");
        calls += usize::from(status == 200);
    }
    // CONNECT is not spoken.
    let mut client = RawClient::connect(weir.public).unwrap();
    client
        .send(
            format!("CONNECT {place} HTTP/1.1\r\nhost: {place}\r\nauthorization: {auth}\r\n\r\n").as_bytes(),
        )
        .unwrap();
    assert!(client.read_reply().unwrap().status >= 400);
    // A model's name that is an address is no address.
    let unknown = json!({ "model": url, "messages": [] });
    assert_eq!(weir.post(CHAT, &[("authorization", &auth)], &unknown).status, 404);
    assert_eq!(canary.connections_total(), 0, "{:?}", canary.log());
    let seen = upstream.calls();
    assert_eq!(seen.len(), calls);
    for call in seen {
        assert_eq!(call.header("host"), Some(&*upstream.addr().to_string()));
        let told = call.headers.iter().any(|(_, value)| value.contains(&place));
        assert!(!told, "{:?}", call.headers);
    }
}

/// S2: addresses inside content, and redirects, are never followed.
#[test]
fn s2_addresses_in_content_are_not_asked() {
    let (upstream, canary) = (Upstream::start(), Upstream::start());
    let weir = start(&upstream);
    let auth = format!("Bearer {CLIENT_KEY}");
    let port = canary.addr().port();
    for host in [
        "127.0.0.1",
        "0.0.0.0",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "127.1",
    ] {
        let url = format!("http://{host}:{port}/v1/models");
        let content = json!([
            { "type": "text", "text": format!("see {url}") },
            { "type": "image_url", "image_url": { "url": url } },
            { "type": "input_audio", "input_audio": { "data": url, "format": "wav" } },
            { "type": "file", "file": { "file_data": url, "file_id": url } },
        ]);
        for stream in [false, true] {
            let body = json!({
                "model": "m", "messages": [{ "role": "user", "content": content }], "stream": stream,
                "tools": [{ "type": "mcp", "server_url": url }],
            });
            assert_eq!(weir.post(CHAT, &[("authorization", &auth)], &body).status, 200, "{url}");
        }
    }
    let body = json!({ "model": "m", "messages": [] });
    for status in [301, 302, 303, 307, 308] {
        upstream.script([Answer::status(status).header("location", &canary.url())]);
        assert_eq!(
            weir.post(CHAT, &[("authorization", &auth)], &body).status,
            502,
            "a redirect is no answer"
        );
    }
    assert_eq!(canary.connections_total(), 0, "{:?}", canary.log());
    assert_eq!(upstream.calls().len(), 21);
}
