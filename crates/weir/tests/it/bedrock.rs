//! Models on AWS Bedrock: calls are signed as AWS signs them, and answers in Converse, whole and in frames, reach clients of
//! OpenAI's API.

use ring::{digest, hmac};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use weir_testkit::client::Reply;

use weir_testkit::{Answer, RunningWeir, Seen, Upstream};

const CHAT: &str = "/v1/chat/completions";
const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "canary-secret-access-key";
const TOKEN: &str = "canary-session-token";
const SIGNED: &str = "aws: { region: eu-central-1, access_key_id: AKIAIOSFODNN7EXAMPLE, \
                      secret_access_key: canary-secret-access-key, session_token: canary-session-token }";

fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/text").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn start(upstream: &Upstream, credentials: &str) -> RunningWeir {
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
providers:
  p: {{ kind: bedrock, base_url: 'http://{}', {credentials} }}
deployments: {{ d: {{ provider: p, model: 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0' }} }}
routes: {{ m: {{ deployments: [d], retries: {{ max: 0 }} }} }}
",
        upstream.addr()
    );
    weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn ask(weir: &RunningWeir, stream: bool) -> Reply {
    let mut call: Value = serde_json::from_str(&fixture("chat.call.json")).unwrap();
    call["model"] = "m".into();
    if stream {
        call["stream"] = true.into();
        call["stream_options"] = json!({ "include_usage": true });
    }
    weir.post(CHAT, &[], &call)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// What AWS would do with a call: put it into the canonical form by what it says is signed, and sign that.
fn signature_of(call: &Seen) -> String {
    let authorization = call.header("authorization").unwrap();
    let field = |name: &str| {
        let rest = authorization.split_once(name).unwrap_or_else(|| panic!("{name} in {authorization}")).1;
        rest.split(',').next().unwrap().to_owned()
    };
    let names = field("SignedHeaders=");
    let headers: String =
        names.split(';').map(|name| format!("{name}:{}\n", call.header(name).unwrap())).collect();
    let path = call.path.replace('%', "%25");
    let canonical = format!("{}\n{path}\n\n{headers}\n{names}\n{}", call.method, sha256(&call.body));
    let (id, scope) =
        field("Credential=").split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let date = call.header("x-amz-date").unwrap();
    assert_eq!(
        (id.as_str(), scope.as_str()),
        (ID, format!("{}/eu-central-1/bedrock/aws4_request", &date[..8]).as_str())
    );
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mac = |key: &[u8], text: &str| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
    };
    let day = mac(format!("AWS4{SECRET}").as_bytes(), &date[..8]);
    let key = mac(&mac(&mac(&day, "eu-central-1"), "bedrock"), "aws4_request");
    assert_eq!(field("Signature="), hex(&mac(&key, &text)), "{canonical}");
    names
}

/// One message of AWS's event streams, put together here after its specification.
fn frame(name: &str, data: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (key, value) in
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(key.len()).unwrap());
        headers.extend(key.bytes());
        headers.push(7);
        headers.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend(value.bytes());
    }
    let sum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    let total = u32::try_from(12 + headers.len() + data.len() + 4).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
    out.extend(sum(&out));
    out.extend(headers);
    out.extend(data.bytes());
    out.extend(sum(&out));
    out
}

fn shows_nothing_secret(weir: &RunningWeir) {
    let told =
        format!("{} {:?} {}", weir.logs(), weir.access_log(), weir.admin("GET", "/admin/config").text());
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_chat_is_answered_by_a_signed_call() {
    let upstream = Upstream::start();
    upstream.always(Answer::body(200, "application/json", fixture("converse.reply.json")));
    let weir = start(&upstream, SIGNED);
    let reply = ask(&weir, false);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "Bratislava.");
    let call = upstream.calls().pop().unwrap();
    assert_eq!(call.path, "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    assert_eq!(signature_of(&call), "content-type;host;x-amz-date;x-amz-security-token");
    assert_eq!(call.header("x-amz-security-token"), Some(TOKEN));
    let mut sent: Value = serde_json::from_str(&fixture("converse.call.json")).unwrap();
    // Which of the sequences ended it is told by models of Anthropic's to those who ask.
    sent["additionalModelResponseFieldPaths"] = json!(["/stop_sequence"]);
    assert_eq!(call.json(), sent);
    shows_nothing_secret(&weir);
}

#[test]
fn a_stream_of_frames_reaches_a_client_of_openais_api() {
    let upstream = Upstream::start();
    let recorded = fixture("converse.stream.frames");
    let frames: Vec<Vec<u8>> = recorded
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, data)| frame(name, data))
        .collect();
    let frames = frames.concat();
    upstream.always(Answer::body(200, "application/vnd.amazon.eventstream", frames.clone()).in_pieces(7));
    let weir = start(&upstream, SIGNED);
    let reply = ask(&weir, true);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.text();
    let events = |text: &str| -> Vec<Value> {
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or(Value::from(data))).collect()
    };
    let got = events(&text);
    let said: String =
        got.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "Bratislava.");
    assert_eq!(got.last(), Some(&json!("[DONE]")));
    let usage = |events: &[Value]| {
        events.iter().rev().find_map(|event| event.get("usage").filter(|u| !u.is_null()).cloned())
    };
    assert_eq!(usage(&got).unwrap()["completion_tokens"], 4);
    let call = upstream.calls().pop().unwrap();
    assert!(call.path.ends_with("/converse-stream"), "{}", call.path);
    signature_of(&call);
    // One that breaks off is not whole.
    upstream.always(Answer::body(
        200,
        "application/vnd.amazon.eventstream",
        frames[..frames.len() / 2].to_vec(),
    ));
    let broken = ask(&weir, true).text();
    assert!(broken.contains("\"error\"") && !broken.contains("[DONE]"), "{broken}");
}

#[test]
fn a_key_of_bedrock_needs_no_signature() {
    let upstream = Upstream::start();
    upstream.always(Answer::body(200, "application/json", fixture("converse.reply.json")));
    let weir = start(&upstream, "api_key: canary-bedrock-key");
    assert_eq!(ask(&weir, false).status, 200);
    let call = upstream.calls().pop().unwrap();
    assert_eq!(call.header("authorization"), Some("Bearer canary-bedrock-key"));
    assert_eq!((call.header("x-amz-date"), call.header("x-amz-security-token")), (None, None));
    shows_nothing_secret(&weir);
}

/// AWS answers a signature that is not right with the text that it would have signed, and that holds the session's token.
#[test]
fn a_refused_signature_is_the_operators_matter_and_shows_nothing() {
    let upstream = Upstream::start();
    let refusal = json!({ "message": format!("The request signature we calculated does not match: x-amz-security-token:{TOKEN} {SECRET}") });
    upstream.always(
        Answer::json(403, &refusal).header("x-amzn-errortype", "InvalidSignatureException:http://internal/"),
    );
    let weir = start(&upstream, SIGNED);
    let reply = ask(&weir, false);
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &json!("upstream_credentials")));
    assert!(!reply.text().contains("canary"), "{}", reply.text());
    weir.wait_for_log("the call", |line| line["status"] == 502);
    shows_nothing_secret(&weir);
}

#[test]
fn a_probe_is_signed_too() {
    let upstream = Upstream::start();
    upstream.always(Answer::body(200, "application/json", fixture("converse.reply.json")));
    let weir = start(&upstream, &format!("{SIGNED}, health: {{ interval: 100ms }}"));
    upstream.wait_for_calls(1);
    signature_of(&upstream.calls()[0]);
    weir.process.eventually(|| (ask(&weir, false).status == 200).then_some(())).unwrap();
}
