//! The recorded cases under `fixtures/<format>`: what each vendor must be sent, and what its refusals must become.

use crate::{Kind, Private, Refusal, fault, kind, kinds};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use weir_core::{Endpoint, Secret};
use weir_wire::call::CallFacts;
use weir_wire::splice::{Rewrite, splice};

const SECRET: &str = "sk-fixture-credential";

/// Formats that have cases of vendors.
const FORMATS: [&str; 2] = ["anthropic", "openai"];

/// The files of every format's cases whose extension is `extension`, in order.
fn files(extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let cases = FORMATS.iter().flat_map(|format| fs::read_dir(root.join(format)).unwrap());
    let cases = cases.flat_map(|case| fs::read_dir(case.unwrap().path()).unwrap());
    let mut found: Vec<PathBuf> = cases.map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|known| known == extension));
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Everything before the first blank line, and everything behind it.
fn head_and_body(text: &str) -> (&str, &str) {
    text.split_once("\n\n").unwrap_or_else(|| panic!("no blank line in {text:?}"))
}

/// The kind a file is named for.
fn kind_of(path: &Path) -> &'static Kind {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    kind(&name).unwrap_or_else(|| panic!("{}: no kind is called {name:?}", path.display()))
}

/// How many files each kind has, so that none is forgotten.
fn count(paths: &[PathBuf]) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<&str, usize> = kinds().map(|kind| (kind.name, 0)).collect();
    for path in paths {
        *counts.entry(kind_of(path).name).or_default() += 1;
    }
    counts
}

/// The request that `kind` gets for a call, head first, as text without secrets.
fn request(kind: &Kind, call: &str) -> String {
    let (operation, body) = head_and_body(call);
    let path = operation.strip_prefix("POST /v1").unwrap_or_else(|| panic!("not a call: {operation:?}"));
    let endpoint = Endpoint::ALL.into_iter().find(|e| e.path() == path).unwrap();
    let base: http::Uri = kind.base_url.unwrap().parse().unwrap();
    let host = HeaderValue::from_str(base.authority().unwrap().as_str()).unwrap();
    let key = kind.key_variable.map(|_| Secret::new(SECRET));
    let headers = kind.headers(&host, key.as_ref(), &[]).unwrap();
    let body = Bytes::from(body.to_owned());
    let facts = CallFacts::read(&body, endpoint).unwrap();
    let rewrite = Rewrite {
        model: "upstream-model",
        want_usage: kind.quirks.stream_usage,
        rename: kind.quirks.rename,
        prefill: None,
    };
    let sent = splice(&body, &facts, &rewrite).pieces.concat();
    let path = kind.path(base.path().trim_end_matches('/'), endpoint, facts.stream);
    format!("POST {path}\n{}\n\n{}", shown(&headers), String::from_utf8(sent).unwrap())
}

/// Headers in the order of their names. The credential is only seen to be there, in its scheme.
fn shown(headers: &HeaderMap) -> String {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        let text = value.to_str().unwrap().replace(SECRET, "(secret)");
        assert_eq!(text.contains("(secret)"), value.is_sensitive(), "{name}");
        format!("{name}: {}", text.replace(env!("CARGO_PKG_VERSION"), "(version)"))
    };
    let mut lines: Vec<String> = headers.iter().map(line).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn each_vendor_is_sent_what_its_documentation_asks_for() {
    let paths = files("request");
    for path in &paths {
        let call = read(&path.with_file_name("call"));
        assert_eq!(request(kind_of(path), &call), read(path), "{}", path.display());
    }
    for (kind, count) in count(&paths) {
        assert!(count > 0, "{kind} has no fixtures/<format>/<case>/{kind}.request");
    }
}

/// What a refusal becomes, as text.
fn told(refusal: &str) -> String {
    let (head, body) = head_and_body(refusal);
    let mut lines = head.lines();
    let status = lines.next().unwrap().parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let private = Private::new(&[Secret::new(SECRET)], "upstream.example", true);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let body = body.trim_end().as_bytes();
    let fault = private.cut_out_of(fault(Refusal { status, headers: &headers, body, now }));
    let mut out = format!("class {}, blame {}\n", fault.class.name(), fault.blame().name());
    out.push_str(&format!("client gets {}, type {:?}, ", fault.status, fault.kind.as_deref().unwrap_or("-")));
    out.push_str(&format!("code {:?}\n", fault.code.as_deref().unwrap_or("-")));
    out.push_str(&format!("message: {}\n", fault.message));
    if let Some(after) = fault.retry_after {
        out.push_str(&format!("retry after {after:?}\n"));
    }
    out
}

#[test]
fn each_vendors_refusals_become_their_fault() {
    let paths = files("refusal");
    for path in &paths {
        assert_eq!(told(&read(path)), read(&path.with_extension("fault")), "{}", path.display());
    }
    for (kind, count) in count(&paths) {
        assert!(count > 0, "{kind} has no fixtures/<format>/<case>/{kind}.refusal");
    }
}
