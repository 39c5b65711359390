use super::*;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

const FILE: &str = include_str!("../../../../fixtures/google/service-account.json");

fn account() -> Source {
    Source::service_account(&Secret::new(FILE)).unwrap()
}

/// The bytes that base64url stands for.
fn decode(text: &str) -> Vec<u8> {
    let signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = text.chars().flat_map(|sign| {
        let value = signs.find(sign).unwrap();
        (0..6).rev().map(move |bit| u8::from(value >> bit & 1 == 1))
    });
    let count = text.len() * 6 / 8;
    (0..count).map(|_| (0..8).fold(0, |byte, _| byte << 1 | bits.next().unwrap())).collect()
}

#[test]
fn base64url_is_that_of_rfc_4648() {
    for (bytes, expect) in
        [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (&[0xfb, 0xff], "-_8")]
    {
        assert_eq!(base64url(bytes), expect);
        assert_eq!(decode(expect), bytes);
    }
}

#[test]
fn an_assertion_says_who_asks_and_is_signed() {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let source = account();
    let asked = source.ask(now).unwrap();
    let jwt = asked
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap_or_else(|| panic!("{asked}"));
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let head: Value = serde_json::from_slice(&decode(head)).unwrap();
    assert_eq!(head, json!({ "alg": "RS256", "typ": "JWT", "kid": "test-key-1" }));
    let claims: Value = serde_json::from_slice(&decode(claims)).unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": "tests@weir-test.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_700_000_000,
            "exp": 1_700_003_600,
        })
    );
    let Proof::ServiceAccount { key, .. } = &source.proof else { panic!("another proof") };
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public.verify(signed.as_bytes(), &decode(signature)).unwrap();
    assert_eq!(source.project(), Some("weir-test"));
}

#[test]
fn an_application_asks_by_its_secret() {
    let secret = Secret::new("s~e&cret=canary");
    let entra =
        Entra { tenant: "t.example", client_id: "app", client_secret: &secret, scope: None, authority: None };
    let source = Source::entra(&entra);
    assert_eq!(source.url(), "https://login.microsoftonline.com/t.example/oauth2/v2.0/token");
    assert_eq!(
        source.ask(UNIX_EPOCH).unwrap(),
        "grant_type=client_credentials&client_id=app&client_secret=s~e%26cret%3Dcanary\
         &scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default"
    );
    assert!(!format!("{source:?}").contains("canary"));
    let other = Secret::new("another");
    assert_ne!(source.identity(), Source::entra(&Entra { client_secret: &other, ..entra }).identity());
    assert_eq!(account().identity(), account().identity());
}

#[test]
fn what_is_wrong_with_a_key_file_is_said_without_its_key() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut file: Value = serde_json::from_str(FILE).unwrap();
        change(&mut file);
        file.to_string()
    };
    for (text, expect) in [
        ("/etc/key.json".to_owned(), "it is no key file"),
        (with(&|file| file["type"] = "authorized_user".into()), "and not \"service_account\""),
        (with(&|file| file["client_email"] = Value::Null), "no \"client_email\""),
        (with(&|file| file["private_key"] = Value::Null), "no \"private_key\""),
        (with(&|file| file["private_key"] = "canary".into()), "no PEM of PKCS #8"),
        (
            with(&|file| {
                file["private_key"] =
                    "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n".into();
            }),
            "no RSA key",
        ),
        (with(&|file| file["client_email"] = json!({ "canary": 1 })), "it is no key file"),
    ] {
        let said = Source::service_account(&Secret::new(text)).unwrap_err();
        assert!(said.contains(expect) && !said.contains("canary"), "{said}");
    }
}

#[test]
fn answers_are_tokens_or_reasons() {
    let token =
        read(200, br#"{"access_token":"ya29.canary","expires_in":3599,"token_type":"Bearer"}"#).unwrap();
    assert_eq!((token.bearer.expose(), token.life.as_secs()), ("Bearer ya29.canary", 3599));
    assert_eq!(token.refresh_after(), Duration::from_millis(2_879_200));
    assert!(!format!("{token:?}").contains("canary"));
    let text = read(200, br#"{"access_token":"a","expires_in":"60"}"#).unwrap();
    assert_eq!(text.life, Duration::from_secs(60));
    assert_eq!(read(200, br#"{"access_token":"a"}"#).unwrap().life, USUAL_LIFE);
    assert_eq!(read(200, br#"{"access_token":"a","expires_in":1e300}"#).unwrap().life, USUAL_LIFE);
    assert_eq!(read(200, br#"{"access_token":"a","expires_in":1e9}"#).unwrap().life, LONGEST_LIFE);
    let check = |status: u16, body: &str, class: Class, expect: &str| {
        let fault = read(status, body.as_bytes()).unwrap_err();
        assert_eq!(fault.class, class, "{body}");
        assert!(fault.message.contains(expect), "{}", fault.message);
    };
    let grant = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
    check(400, grant, Class::Credential, "status 400: invalid_grant Invalid JWT Signature.");
    check(401, r#"{"error":"invalid_client"}"#, Class::Credential, "invalid_client");
    check(503, "<html>", Class::ServerError, "status 503");
    check(200, "{}", Class::Malformed, "no access_token");
    check(200, "<html>", Class::Malformed, "no JSON");
    check(200, r#"{"access_token":"a b"}"#, Class::Malformed, "cannot stand in a header");
}
