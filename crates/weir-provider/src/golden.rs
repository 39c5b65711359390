//! The recorded cases under `fixtures/<format>`: what each vendor must be sent, and what its refusals must become.

use crate::{Auth, Kind, Place, Private, Refusal, StreamUsage, fault, kind, kinds, openai, with_model};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use weir_core::endpoint::Streams;
use weir_core::{Endpoint, Secret};
use weir_wire::call::{CallFacts, InAddress};
use weir_wire::splice::{Rewrite, splice};

const SECRET: &str = "sk-fixture-credential";

/// Formats that have cases of vendors.
const FORMATS: [&str; 4] = ["anthropic", "google", "ollama", "openai"];

/// The files of every format's cases whose extension is `extension`, in order.
fn files(extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let cases = FORMATS.iter().flat_map(|format| fs::read_dir(root.join(format)).unwrap());
    let cases = cases.map(|case| case.unwrap().path()).filter(|case| case.is_dir());
    let cases = cases.flat_map(|case| fs::read_dir(case).unwrap());
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

/// What is called by `POST …`, and what that address says.
fn called(operation: &str) -> (Endpoint, Option<InAddress<'static>>) {
    let path = operation.strip_prefix("POST ").unwrap_or_else(|| panic!("not a call: {operation:?}"));
    let path = ["/v1beta", "/v1", ""].iter().find_map(|base| path.strip_prefix(base)).unwrap();
    for (endpoint, stream) in Endpoint::ALL.into_iter().flat_map(|e| [(e, false), (e, true)]) {
        let written = if stream { endpoint.streamed_path() } else { endpoint.path() };
        if written.replace("{model}", "chat") == path {
            let in_address =
                (endpoint.streams() == Streams::ByAddress).then_some(InAddress { model: "chat", stream });
            return (endpoint, in_address);
        }
    }
    panic!("no operation: {operation:?}");
}

/// The request that `kind` gets for a call, head first, as text without secrets.
fn request(kind: &Kind, call: &str) -> String {
    let (operation, body) = head_and_body(call);
    let (endpoint, address) = called(operation);
    let place =
        Place { api_version: Some("2024-10-21"), project: Some("project"), location: Some("us-east5") };
    let base = kind.locate.map(|locate| locate(&place).unwrap());
    let base = base.as_deref().or(kind.base_url).unwrap_or("https://api.example/base");
    let base: http::Uri = base.parse().unwrap();
    let host = HeaderValue::from_str(base.authority().unwrap().as_str()).unwrap();
    let key = (!kind.is_local()).then(|| Secret::new(SECRET));
    let headers = kind.headers(&host, key.as_ref(), &[]).unwrap();
    let body = Bytes::from(body.to_owned());
    let facts = CallFacts::read_at(&body, endpoint, address).unwrap();
    let rewrite = Rewrite {
        model: "upstream-model",
        want_usage: kind.quirks.usage == StreamUsage::IfAsked,
        rename: kind.quirks.rename,
        refuses: kind.quirks.refuses,
        short_tool_ids: kind.quirks.short_tool_ids,
        instead_of_model: kind.quirks.instead_of_model,
        ..Rewrite::default()
    };
    let sent = splice(&body, &facts, &rewrite).pieces.concat();
    let path = kind.path(base.path().trim_end_matches('/'), &place, endpoint, facts.stream);
    let path = with_model(&path, "upstream-model");
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

/// Whether what is found is to be taken for right from now on: the difference is then read by a person.
fn updates() -> bool {
    std::env::var_os("UPDATE_FIXTURES").is_some()
}

#[test]
fn each_vendor_is_sent_what_its_documentation_asks_for() {
    let mut paths = files("request");
    if updates() {
        let chats = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/openai/request-chat");
        let known = count(&paths);
        let new = kinds().filter(|kind| known[kind.name] == 0 && kind.speaks.contains(&Endpoint::Chat));
        paths.extend(new.map(|kind| chats.join(format!("{}.request", kind.name))));
    }
    for path in &paths {
        let call = read(&path.with_file_name("call"));
        let sent = request(kind_of(path), &call);
        if updates() {
            fs::write(path, &sent).unwrap();
        }
        assert_eq!(sent, read(path), "{}: UPDATE_FIXTURES=1 writes it anew", path.display());
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
        let (told, expect) = (told(&read(path)), path.with_extension("fault"));
        if updates() {
            fs::write(&expect, &told).unwrap();
        }
        assert_eq!(told, read(&expect), "{}: UPDATE_FIXTURES=1 writes it anew", path.display());
    }
    // Rows of `compatible` may refuse as OpenAI does; those with words of their own have them here.
    for kind in kinds().filter(|kind| kind.source == openai::KIND.source || kind.auth != Auth::Bearer) {
        assert!(count(&paths)[kind.name] > 0, "{} has no fixtures/<format>/<case>/….refusal", kind.name);
    }
}
