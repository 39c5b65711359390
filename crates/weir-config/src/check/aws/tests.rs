use super::*;
use std::io;

/// These variables; and the one file that there is.
struct Machine<'a>(&'a [(&'a str, &'a str)]);

const FILE: &str = "# canary
[default]
aws_access_key_id = AKDEFAULT
aws_secret_access_key=canary-default

[ other ]
; not this: aws_access_key_id = no
AWS_ACCESS_KEY_ID = AKOTHER
aws_secret_access_key = canary=other
aws_session_token = canary-token
[role]
role_arn = arn:aws:iam::1:role/x
";

impl Environment for Machine<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/home/me/.aws/credentials" | "/elsewhere") => Ok(FILE.to_owned()),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
}

/// Region, access key, secret and token of the section, or what is wrong with it.
fn check(provider: &str, variables: &[(&str, &str)]) -> Result<String, String> {
    let text = format!(
        "providers: {{ p: {{ kind: bedrock, {provider} }} }}\ndeployments: {{ d: {{ provider: p, model: m }} }}\nroutes: {{ m: {{ deployments: [d] }} }}\n"
    );
    let config = crate::parse("weir.yaml", &text, &Machine(variables)).map_err(|problems| {
        let said = problems.to_string();
        assert!(!said.contains("canary"), "{said}");
        said
    })?;
    assert!(
        !format!("{config:?}").contains("canary") && !config.redacted_json().to_string().contains("canary")
    );
    let aws = config.providers[0].aws.as_ref().unwrap().value.clone();
    let mut out = aws.region.unwrap_or_default();
    if let Some(found) = aws.credentials {
        let token = found.session_token.as_ref().map_or("-", |token| token.expose());
        let (id, key) = (found.access_key_id.expose(), found.secret_access_key.expose());
        out.push_str(&format!(" {id} {key} {token}"));
    }
    Ok(out)
}

#[test]
fn credentials_are_looked_for_where_awss_tools_look() {
    let home = [("HOME", "/home/me")];
    let set = [("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "canary-env"), ("HOME", "/home/me")];
    let lent = [set[0], set[1], ("AWS_SESSION_TOKEN", "t"), ("AWS_REGION", "us-east-1")];
    for (provider, variables, expect) in [
        ("aws: { region: r-1, access_key_id: AK, secret_access_key: s }", &set[..], "r-1 AK s -"),
        ("aws: { access_key_id: AK, secret_access_key: s, session_token: t }", &lent[..], "us-east-1 AK s t"),
        ("aws: { region: r-1, profile: other }", &set[..], "r-1 AKOTHER canary=other canary-token"),
        ("aws: { region: r-1 }", &set[..], "r-1 AKENV canary-env -"),
        ("aws: {}", &lent[..], "us-east-1 AKENV canary-env t"),
        ("aws: { region: r-1 }", &home[..], "r-1 AKDEFAULT canary-default -"),
        (
            "aws: {}",
            &[home[0], ("AWS_PROFILE", "other"), ("AWS_DEFAULT_REGION", "r-2")],
            "r-2 AKOTHER canary=other canary-token",
        ),
        ("aws: {}", &[("AWS_SHARED_CREDENTIALS_FILE", "/elsewhere")], " AKDEFAULT canary-default -"),
        ("api_key: k, aws: { region: r-1 }", &set[..], "r-1"),
    ] {
        assert_eq!(check(provider, variables).as_deref(), Ok(expect), "{provider} {variables:?}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let home = ("HOME", "/home/me");
    for (provider, variables, expect) in [
        ("aws: { access_key_id: AK }", &[home][..], "`secret_access_key` is missing or empty"),
        ("aws: { secret_access_key: canary }", &[home], "`access_key_id` is missing or empty"),
        (
            "aws: { session_token: canary, access_key_id: '', secret_access_key: canary }",
            &[home],
            "`access_key_id`",
        ),
        ("aws: { region: 'a.b/c' }", &[home], "is no name of a region"),
        ("aws: {}", &[home, ("AWS_REGION", "evil.example/")], "is no name of a region"),
        ("aws: { profile: role }", &[home], "has no profile \"role\" with aws_access_key_id"),
        ("aws: {}", &[], "neither AWS_SHARED_CREDENTIALS_FILE nor HOME is set"),
        ("aws: {}", &[("HOME", "/nobody")], "/nobody/.aws/credentials cannot be read"),
        (
            "aws: { profile: other, access_key_id: AK, secret_access_key: canary }",
            &[home],
            "`profile` stands beside",
        ),
        ("api_key: canary, aws: { profile: other }", &[home], "are two credentials"),
        ("aws: { access_key_id: 'a b', secret_access_key: canary }", &[home], "not ASCII"),
    ] {
        let said = check(provider, variables).unwrap_err();
        assert!(said.contains(expect) && said.contains("aws"), "{provider}: {said}");
    }
}
