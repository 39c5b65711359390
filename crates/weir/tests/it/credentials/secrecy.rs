//! Rows K1 to K4: secrets and addresses stay where they belong.

use super::{ADMIN_TOKEN, CHAT, CLIENT_KEY, COOKIE, HEADER_SECRET, UPSTREAM_KEY, exchange, start};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;
use weir_config::ProcessEnvironment;
use weir_core::{Class, Fault, Secret};
use weir_testkit::{Answer, Process, RunningWeir, Scratch, Upstream};

const SECRETS: [&str; 5] = [CLIENT_KEY, UPSTREAM_KEY, HEADER_SECRET, ADMIN_TOKEN, COOKIE];

/// Base64 without its last, incomplete group, as it stands inside the encoding of a longer text that begins `skipped`
/// bytes earlier (RFC 4648).
fn base64_inside(text: &str, skipped: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = &text.as_bytes()[(3 - skipped) % 3..];
    let groups =
        bytes.chunks_exact(3).map(|g| u32::from(g[0]) << 16 | u32::from(g[1]) << 8 | u32::from(g[2]));
    groups
        .flat_map(|bits| [18, 12, 6, 0].map(|shift| char::from(LETTERS[(bits >> shift) as usize & 63])))
        .collect()
}

/// A secret as it is and in the forms in which it may have been hidden.
fn forms(secret: &str) -> Vec<String> {
    let percent = |c: char| {
        if c.is_ascii_alphanumeric() || "-._~".contains(c) { c.into() } else { format!("%{:02X}", c as u32) }
    };
    let url: String = secret.chars().map(percent).collect();
    let base64 = (0..3).map(|skipped| base64_inside(secret, skipped));
    let url_safe: Vec<String> = base64.clone().map(|text| text.replace('+', "-").replace('/', "_")).collect();
    let escaped = secret.replace('/', "\\/");
    let beginning = secret.get(..9).unwrap_or(secret).to_owned();
    base64
        .chain(url_safe)
        .chain([beginning, secret.to_owned(), url.clone(), url.to_lowercase(), escaped])
        .collect()
}

fn check_secrecy(place: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        for form in forms(secret) {
            let line = text.lines().find(|line| line.contains(&form));
            assert_eq!(line, None, "{place} shows {secret} as {form}");
        }
    }
}

#[test]
fn hidden_forms_are_found() {
    assert_eq!(base64_inside("sk-canary", 0), "c2stY2FuYXJ5");
    // "Bearer sk-canary" is QmVhcmVyIHNrLWNhbmFyeQ==: seven bytes earlier, of which one is left over.
    assert!("QmVhcmVyIHNrLWNhbmFyeQ==".contains(&base64_inside("sk-canary", 1)));
    assert!(forms("a/b").contains(&"a%2Fb".to_owned()));
}

/// Upstreams that answer in every way, as often as possible with the secrets that they were shown and their own `address`.
fn answers(address: SocketAddr) -> Vec<(&'static str, bool, Answer)> {
    let echo = format!(
        "You sent Bearer {UPSTREAM_KEY} and {HEADER_SECRET}; http://{address}/v1: connection to {address} refused (host='{}').",
        address.ip()
    );
    let error = json!({ "error": { "message": echo, "type": UPSTREAM_KEY, "code": HEADER_SECRET, "param": UPSTREAM_KEY } });
    let event = format!("data: {error}\n\n");
    let named = format!("event: error\ndata: {}\n\n", error["error"]);
    let first = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let events = |pieces: &[&str]| {
        Answer::event_bytes(pieces.iter().map(|piece| (*piece).to_owned()).collect::<Vec<_>>())
    };
    let unfinished = event.trim_end();
    let plain = |status| Answer::body(status, "text/plain", echo.clone());
    let mut list = vec![
        (
            "a good answer",
            false,
            Answer::auto("Hello").header("x-echo", UPSTREAM_KEY).header("set-cookie", HEADER_SECRET),
        ),
        ("a good stream", true, Answer::auto("Hello").header("x-echo", UPSTREAM_KEY)),
        (
            "FastAPI's detail",
            false,
            Answer::json(422, &json!({ "detail": [{ "loc": ["body", UPSTREAM_KEY], "msg": echo }] })),
        ),
        ("plain text", false, plain(403)),
        ("an error as text", false, Answer::json(500, &json!({ "error": echo }))),
        ("a list of errors", true, Answer::json(503, &json!([error]))),
        ("200 with an error", false, Answer::json(200, &error)),
        ("200 with an error for a stream", true, Answer::json(200, &error)),
        ("200 with text", false, plain(200)),
        ("200 with text for a stream", true, plain(200)),
        ("200 with no answer", false, Answer::json(200, &json!({ "echo": echo }))),
        ("200 with no answer for a stream", true, Answer::json(200, &json!({ "echo": echo }))),
        ("an error as first event", true, events(&[&event])),
        ("a named error as first event", true, events(&[&named])),
        ("an error as later event", true, events(&[first, &event])),
        ("a named error as later event", true, events(&[first, &named])),
        ("an unfinished error event", true, events(&[unfinished])),
        ("an unfinished error event later", true, events(&[first, unfinished])),
        ("a page", true, Answer::body(502, "text/html", format!("<html>{echo}</html>"))),
        ("no HTTP", false, Answer::raw(format!("{echo}\r\n\r\n"))),
        ("a reset", true, Answer::reset_before_headers()),
        ("a redirect", false, Answer::redirect(&format!("http://x/?key={UPSTREAM_KEY}"))),
    ];
    // Where long texts are cut, no part of a secret may stay.
    for filler in [190, 2040] {
        let long = format!("{}{UPSTREAM_KEY}{}", "x".repeat(filler), "y".repeat(100));
        let error = json!({ "error": { "message": long, "code": long } });
        list.push(("a long error", false, Answer::json(400, &error)));
        list.push(("a long error with 200", false, Answer::json(200, &error)));
        list.push(("a long error in a stream", true, events(&[first, &format!("data: {error}\n\n")])));
        list.push(("a long text", false, Answer::body(200, "text/plain", long.clone())));
        list.push(("a long refusal", false, Answer::body(400, "text/plain", long)));
    }
    for status in [400, 401, 402, 403, 404, 409, 413, 429, 500, 529] {
        list.push(("an error status", false, Answer::json(status, &error)));
        list.push(("an error status for a stream", true, Answer::json(status, &error)));
    }
    list
}

/// Calls through all of these answers, then those that fail without one; `seen` gets every byte that the client gets.
fn call_all(weir: &RunningWeir, upstream: &Upstream, mut seen: impl FnMut(&str, &str)) {
    let auth = format!("Bearer {CLIENT_KEY}");
    let headers = [
        ("authorization", auth.as_str()),
        ("cookie", COOKIE),
        ("x-api-key", CLIENT_KEY),
        ("x-forwarded-for", COOKIE),
    ];
    let body = |model: &str, stream: bool| {
        let messages = json!([{ "role": "user", "content": "hi" }]);
        json!({ "model": model, "messages": messages, "stream": stream }).to_string()
    };
    for (what, stream, answer) in answers(upstream.addr()) {
        upstream.script([answer]);
        seen(what, &exchange(weir.public, CHAT, &headers, body("m", stream).as_bytes()));
    }
    for model in ["gone", "nowhere", "unknown"] {
        seen(model, &exchange(weir.public, CHAT, &headers, body(model, false).as_bytes()));
    }
    seen("no JSON", &exchange(weir.public, CHAT, &headers, b"{"));
    seen("no such path", &exchange(weir.public, "/v1/nothing", &headers, b"{}"));
    let wrong = [("authorization", "Bearer wrong"), ("cookie", COOKIE)];
    seen("a wrong key", &exchange(weir.public, CHAT, &wrong, body("m", false).as_bytes()));
}

/// K1 and K4: the client sees none of our secrets and not where its answer came from; the upstream sees nothing of the
/// client's.
#[test]
fn k1_k4_keys_and_addresses_do_not_cross_the_gateway() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let (address, port) = (upstream.addr().ip().to_string(), format!(":{}", upstream.addr().port()));
    call_all(&weir, &upstream, |what, said| {
        assert!(said.starts_with("HTTP/1.1 "), "{what}: {said}");
        check_secrecy(what, said, &SECRETS);
        for place in [address.as_str(), &port, "localhost", "canary-host", ".invalid"] {
            assert!(!said.contains(place), "{what} tells the upstream's address {place}: {said}");
        }
    });
    let calls = upstream.calls();
    assert_eq!(calls.len(), answers(upstream.addr()).len());
    for call in calls {
        let shown = format!(
            "{} {} {:?} {}",
            call.method,
            call.path,
            call.headers,
            String::from_utf8_lossy(&call.body)
        );
        check_secrecy("the upstream's call", &shown, &[CLIENT_KEY, COOKIE, ADMIN_TOKEN]);
        assert_eq!(call.header("authorization"), Some(&*format!("Bearer {UPSTREAM_KEY}")));
        assert_eq!(call.headers.iter().filter(|(_, value)| value.contains(UPSTREAM_KEY)).count(), 1);
        assert!(!String::from_utf8_lossy(&call.body).contains("canary"));
    }
}

/// K2: at the most talkative level, through all of these calls, a refused reload and a good one, no secret is in the
/// program's log, the access log, the metrics or what the admin listener shows.
#[test]
fn k2_no_secret_is_in_any_log() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    call_all(&weir, &upstream, |_, _| {});
    let good = std::fs::read_to_string(&weir.config).unwrap();
    let broken = good
        .replace("kind: openai, base_url", &format!("kind: openai, keey: '{UPSTREAM_KEY}', base_url"))
        .replace("headers: {", &format!("headers: {{ 'host': '{HEADER_SECRET}',"))
        .replace("model: served", &format!("provider: '{ADMIN_TOKEN}', model: [{COOKIE}]"))
        .replace(&format!("key: '{CLIENT_KEY}'"), &format!("key: ['{CLIENT_KEY}']"));
    let mut shown = String::new();
    for (config, status) in [(&broken, 422), (&good, 200)] {
        weir.rewrite(config);
        let reload = weir.reload();
        assert_eq!(reload.status, status, "{}", reload.text());
        // Names that the operator wrote in the wrong place are shown back; values are not.
        let reload = reload.text().replace(ADMIN_TOKEN, "(the name of a provider)");
        let config =
            weir.admin("GET", "/admin/config").text().replace(ADMIN_TOKEN, "(the name of a provider)");
        shown = format!("{shown}\n{reload}\n{config}\n{}", weir.metrics());
    }
    let mut weir = weir;
    weir.signal("TERM");
    assert_eq!(weir.wait_for_exit().code(), Some(0));
    let access_log = std::fs::read_to_string(weir.folder().join("access.log")).unwrap();
    assert!(access_log.lines().count() >= answers(upstream.addr()).len(), "{access_log}");
    let logs = weir.logs();
    assert!(logs.contains("weir serves"), "{logs}");
    check_secrecy("the admin listener", &shown, &SECRETS);
    check_secrecy("the access log", &access_log, &SECRETS);
    check_secrecy("standard output", &weir.process.stdout(), &SECRETS);
    check_secrecy("the program's log", &logs.replace(ADMIN_TOKEN, "(the name of a provider)"), &SECRETS);
}

/// K3: whatever prints a configuration, a fault or a secret prints no secret.
#[test]
fn k3_nothing_prints_a_secret() {
    let yaml = format!(
        "server: {{ admin: {{ token: '{ADMIN_TOKEN}' }} }}\n\
         providers: {{ up: {{ kind: openai, api_key: '{UPSTREAM_KEY}', headers: {{ x-extra: '{HEADER_SECRET}' }} }} }}\n\
         deployments: {{ d: {{ provider: up, model: m }} }}\nroutes: {{ m: {{ deployments: [d] }} }}\n\
         keys: {{ client: {{ key: '{CLIENT_KEY}' }} }}\n"
    );
    let config = weir_config::parse("weir.yaml", &yaml, &ProcessEnvironment).unwrap();
    assert_eq!(config.keys[0].secret.expose(), CLIENT_KEY);
    let shown = format!("{config:?} {config:#?} {}", config.redacted_json());
    check_secrecy("a configuration", &shown, &SECRETS);
    let secret = Secret::new(UPSTREAM_KEY);
    check_secrecy("a secret", &format!("{secret} {secret:?} {:#?}", Some(&secret)), &SECRETS);
    let host = http::HeaderValue::from_static("api.example");
    let extra = [("x-extra".to_owned(), Secret::new(HEADER_SECRET))];
    let headers = weir_provider::openai::KIND.headers(&host, Some(&secret), &extra).unwrap();
    check_secrecy("a call's headers", &format!("{headers:?}"), &SECRETS);
    let secrets = [secret, Secret::new(HEADER_SECRET)];
    let private = weir_provider::Private::new(&secrets, "api.example", true);
    let faults = [400, 401, 402, 403, 404, 422, 429, 500, 529].map(|status| {
        let body = json!({ "error": { "message": format!("{UPSTREAM_KEY}, {HEADER_SECRET}"), "type": UPSTREAM_KEY, "code": UPSTREAM_KEY } });
        let now = std::time::SystemTime::UNIX_EPOCH;
        let body = body.to_string();
        weir_provider::fault(weir_provider::Refusal { status, headers: &headers, body: body.as_bytes(), now })
    });
    let inside = Fault::new(Class::Malformed, 502, "x", format!("{UPSTREAM_KEY} {HEADER_SECRET}"))
        .with_cause(UPSTREAM_KEY);
    for fault in faults.into_iter().chain([inside]).map(|fault| private.cut_out_of(fault)) {
        check_secrecy("a fault", &format!("{fault} {fault:?}"), &SECRETS);
        assert!(format!("{fault:?}").contains("[secret]") || fault.status == 502, "{fault:?}");
    }
}

/// K3 at the command line: a file that is wrong in all its secrets is told of without them.
#[test]
fn k3_problems_of_a_file_show_no_secret() {
    let scratch = Scratch::new();
    let config = scratch.write(
        "weir.yaml",
        &format!(
            "server: {{ admin: {{ token: ['{ADMIN_TOKEN}'] }} }}\n\
             providers:\n  up: {{ kind: openai, api_key: ['{UPSTREAM_KEY}'], headers: {{ host: '{HEADER_SECRET}' }} }}\n  \
             b: {{ kind: openai, base_url: 'http://user:{UPSTREAM_KEY}@x/v1', api_key: \"{UPSTREAM_KEY}\\n\" }}\n\
             deployments: {{ d: {{ provider: up, model: m }} }}\nroutes: {{ m: {{ deployments: [d] }} }}\n\
             keys: {{ a: {{ key: '{CLIENT_KEY}' }}, b: {{ key: '{CLIENT_KEY}' }}, c: {{ key: 'ü{CLIENT_KEY}' }} }}\n"
        ),
    );
    let mut said = Vec::new();
    for command in ["check", "serve"] {
        let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
        let mut weir = Process::start(weir.arg(command).arg("-c").arg(&config).env("RUST_LOG", "trace"));
        assert_eq!(weir.wait_for_exit().code(), Some(2));
        let all = weir.stdout() + &weir.stderr();
        let problems = all.matches("weir.yaml:").count();
        assert!(problems >= 6, "{problems} problems: {all}");
        check_secrecy(command, &all, &SECRETS);
        said.push(Value::from(all));
    }
}
