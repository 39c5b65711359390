//! The recorded cases under `fixtures/openai`: every file found there is checked.

use crate::call::CallFacts;
use crate::reply::reply_facts;
use crate::splice::{Rewrite, splice};
use crate::sse::{Pieces, Splitter};
use crate::watch::{End, Step, StreamWatch};
use bytes::Bytes;
use std::fs;
use std::path::{Path, PathBuf};
use weir_core::{Endpoint, Fault, Usage};

fn files(end: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/openai");
    let cases = fs::read_dir(root).unwrap().flat_map(|case| fs::read_dir(case.unwrap().path()).unwrap());
    let mut found: Vec<PathBuf> = cases.map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(end));
    found.sort();
    assert!(!found.is_empty(), "no fixture ends in {end}");
    found
}

/// The file beside `path` that ends in `to` instead of `from`.
fn beside(path: &Path, from: &str, to: &str) -> String {
    let name = path.to_string_lossy().replace(from, to);
    fs::read_to_string(&name).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn usage_words(usage: Usage) -> String {
    let part = |word: &str, count: u64| if count == 0 { String::new() } else { format!(" ({word} {count})") };
    format!(
        "input {}{}, output {}{}",
        usage.input,
        part("cached", usage.cache_read),
        usage.output,
        part("reasoning", usage.reasoning)
    )
}

#[test]
fn requests() {
    for path in files("call.json") {
        let body = Bytes::from(fs::read(&path).unwrap());
        let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
        let rewrite = Rewrite { model: "upstream-model", want_usage: true, ..Rewrite::default() };
        let request = splice(&body, &facts, &rewrite).pieces.concat();
        let expect = beside(&path, "call.json", "openai.request.json");
        assert_eq!(String::from_utf8(request).unwrap(), expect, "{}", path.display());
    }
}

#[test]
fn replies() {
    for path in files(".reply.json") {
        let facts = reply_facts(&fs::read(&path).unwrap(), Endpoint::Chat, true).unwrap();
        let got = format!("model {}, {}\n", facts.model.unwrap(), usage_words(facts.usage.unwrap()));
        assert_eq!(got, beside(&path, ".reply.json", ".reply.facts"), "{}", path.display());
    }
}

#[test]
fn streams_however_they_are_cut() {
    for path in files(".stream") {
        let stream = fs::read(&path).unwrap();
        let (client, facts) = (beside(&path, ".stream", ".client"), beside(&path, ".stream", ".facts"));
        for size in (1..stream.len()).chain([stream.len()]) {
            let (out, learnt) = pass(&stream, size);
            assert_eq!(out, client, "{} in pieces of {size}", path.display());
            assert_eq!(learnt, facts, "{} in pieces of {size}", path.display());
        }
    }
}

fn pass(stream: &[u8], size: usize) -> (String, String) {
    let mut watch = StreamWatch::new(false, Splitter::LIMIT);
    let mut out = Pieces::new();
    let said = |fault: &Fault| format!("{} {}, {}", fault.class.name(), fault.status, fault.message);
    let mut ended = None;
    for piece in stream.chunks(size) {
        if let Step::Error(fault) = watch.push(Bytes::copy_from_slice(piece), &mut out).unwrap() {
            ended = Some(said(&fault));
        }
    }
    let ended = ended.unwrap_or_else(|| match watch.end() {
        End::Complete { append } => {
            out.extend(append);
            "complete".into()
        }
        End::Failed(fault) => said(&fault),
    });
    let facts = format!(
        "{ended}: model {}, finish {}, {}, {} token events\n",
        watch.model().unwrap(),
        watch.finish_reasons().next().map_or("-", |(_, reason)| reason.name()),
        watch.usage().map_or("usage unknown".into(), usage_words),
        watch.token_events()
    );
    (String::from_utf8(out.concat()).unwrap(), facts)
}
