//! The first two cases are of AWS's own published suite (`get-vanilla`, `post-vanilla`); those of Bedrock were signed with
//! botocore 1.35.

use super::*;
use std::time::Duration;

/// 2015-08-30T12:36:00Z, as in AWS's suite.
const THEN: Duration = Duration::from_secs(1_440_938_160);

fn signer(service: &'static str, token: Option<&str>) -> Signer {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: token.map(Secret::new),
    };
    Signer { credentials, region: "us-east-1".to_owned(), service }
}

/// Names and signature in the `authorization` of a request, if all else in it is as it has to be.
fn signed(signer: &Signer, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (String, String) {
    let request = Signable { method, path, headers, body: &digest([body]) };
    let signed = signer.sign(request, UNIX_EPOCH + THEN);
    assert_eq!(signed.date, "20150830T123600Z");
    let scope = format!("Credential=AKIDEXAMPLE/20150830/us-east-1/{}/aws4_request", signer.service);
    let rest = signed.authorization.strip_prefix(&format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=")).unwrap();
    let (names, signature) = rest.split_once(", Signature=").unwrap();
    (names.to_owned(), signature.to_owned())
}

#[test]
fn signatures_are_those_of_awss_suite() {
    let signer = signer("service", None);
    for (method, expect) in [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ] {
        let (names, signature) = signed(&signer, method, "/", &[("host", "example.amazonaws.com")], b"");
        assert_eq!((names.as_str(), signature.as_str()), ("host;x-amz-date", expect), "{method}");
    }
}

#[test]
fn calls_to_bedrock_are_signed_as_its_own_library_does() {
    let headers = [("host", "bedrock-runtime.us-east-1.amazonaws.com"), ("content-type", "application/json")];
    let check = |token, model: &str, verb: &str, body: &[u8], names: &str, signature: &str| {
        let path = crate::with_model(&format!("/model/{{model}}/{verb}"), model);
        let found = signed(&signer("bedrock", token), "POST", &path, &headers, body);
        assert_eq!(found, (names.to_owned(), signature.to_owned()), "{path}");
    };
    check(
        Some("the-token"),
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "converse-stream",
        br#"{"messages":[]}"#,
        "content-type;host;x-amz-date;x-amz-security-token",
        "5f6a47090ebbabdfd87f164136fb7857f4f48629b2c66584885e1a2af2322916",
    );
    check(
        None,
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x",
        "converse",
        b"{}",
        "content-type;host;x-amz-date",
        "b459078860c7340524b45f7c633b7d9fd0dcafa3d8dda1796673ea7f76b70597",
    );
}

#[test]
fn queries_are_put_in_order() {
    let request = |path| Signable { method: "GET", path, headers: &[], body: "-" };
    let form = |path| canonical(&request(path), &[("host", " a  b ")], "host");
    assert_eq!(form("/a%20b?b=2&a&a=1"), "GET\n/a%2520b\na=&a=1&b=2\nhost:a b\n\nhost\n-");
}

#[test]
fn a_body_in_pieces_has_the_digest_of_the_whole() {
    let whole = digest([&b"{\"messages\":[]}"[..]]);
    assert_eq!(whole, "5e4ce7b36ba37b78a5d5f9fd08e6b7b54ba6879d651aa46ec9e1d6fa24ebe30a");
    assert_eq!(digest([&b"{\"mess"[..], b"", b"ages\":[]}"]), whole);
}

#[test]
fn days_are_those_of_the_calendar() {
    for (seconds, expect) in [
        (0, "19700101T000000Z"),
        (951_782_399, "20000228T235959Z"),
        (951_782_400, "20000229T000000Z"),
        (951_868_800, "20000301T000000Z"),
        (1_735_689_599, "20241231T235959Z"),
        (1_735_689_600, "20250101T000000Z"),
        (4_107_542_400, "21000301T000000Z"),
    ] {
        assert_eq!(timestamp(UNIX_EPOCH + Duration::from_secs(seconds)), expect, "{seconds}");
    }
}

#[test]
fn a_signer_prints_without_its_secrets() {
    let text = format!("{:?}", signer("bedrock", Some("the-token")));
    assert!(!text.contains("wJalr") && !text.contains("the-token"), "{text}");
}
