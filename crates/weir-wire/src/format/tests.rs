//! Every format into every other, generated from what each has of a case.
//!
//! `fixtures/formats/CASE/FORMAT.{call.json,reply.json,stream.sse}` say the same in each format. What A says, written in B's
//! words, has to be what B's own file says, unless `A-to-B.…` says what it is instead; `A-to-B.lost` lists what a call leaves
//! behind. A to A goes through the neutral form as well.

use super::{Asked, FORMATS, Format, Losing, Target};
use crate::neutral::{Chunk, Lost};
use crate::sse::{self, Splitter};
use bytes::Bytes;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

const TARGET: Target<'static> =
    Target { model: "upstream-model", max_output: None, stream_usage: true, newest: false };

fn asked() -> Asked {
    Asked {
        model: "client-model".to_owned(),
        stream_usage: true,
        id: "ours".to_owned(),
        now: 1_790_000_000,
        begun: super::Begun::Nothing,
    }
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats");
    let mut cases: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 3);
    cases
}

/// Every pair of formats that have a file of this kind, with what A has and what is to become of it.
fn pairs(kind: &str, check: impl Fn(&Path, &'static dyn Format, &'static dyn Format, &[u8], &str)) {
    let mut checked = 0;
    for case in cases() {
        for from in FORMATS {
            let Ok(source) = fs::read(case.join(format!("{}.{kind}", from.name()))) else { continue };
            for to in FORMATS {
                let usual = case.join(format!("{}.{kind}", to.name()));
                let special = case.join(format!("{}-to-{}.{kind}", from.name(), to.name()));
                let Ok(wanted) = fs::read_to_string(&special).or_else(|_| fs::read_to_string(&usual)) else {
                    continue;
                };
                check(&case, *from, *to, &source, &wanted);
                checked += 1;
            }
        }
    }
    assert!(checked > 4, "only {checked} pairs");
}

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

fn same(case: &Path, from: &dyn Format, to: &dyn Format, got: &Value, wanted: &Value) {
    assert!(
        got == wanted,
        "{}: {} to {}\n   got {got}\nwanted {wanted}",
        case.display(),
        from.name(),
        to.name()
    );
}

#[test]
fn calls() {
    pairs("call.json", |case, from, to, source, wanted| {
        let mut lost = Lost::default();
        let call = from.read_call(source, &mut lost).unwrap();
        let mut losing = Losing { client: from, lost: &mut lost };
        let got = to.write_call(&call, &TARGET, &mut losing).unwrap();
        same(case, from, to, &json(&got), &json(wanted.as_bytes()));
        let listed = fs::read_to_string(case.join(format!("{}-to-{}.lost", from.name(), to.name())));
        assert_eq!(lost.to_string(), listed.unwrap_or_default().trim(), "{case:?} {from:?} {to:?}");
    });
}

#[test]
fn replies() {
    pairs("reply.json", |case, from, to, source, wanted| {
        let reply = from.read_reply(source).unwrap();
        let got = to.write_reply(&reply, &asked());
        // What one format does not say, another cannot tell.
        let mut wanted = json(wanted.as_bytes());
        if reply.created.is_none() && wanted.get("created").is_some() {
            wanted["created"] = asked().now.into();
        }
        same(case, from, to, &json(&got), &wanted);
    });
}

/// The events of a stream: name and data, JSON where it is some.
fn events(stream: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    let mut splitter = Splitter::new(Splitter::LIMIT);
    splitter
        .push(Bytes::copy_from_slice(stream), &mut sse::Pieces::new(), &mut |event| {
            if let Some(data) = &event.data {
                let name = String::from_utf8_lossy(event.name.unwrap_or_default()).into_owned();
                let text = String::from_utf8_lossy(data).into_owned();
                events.push((name, serde_json::from_str(&text).unwrap_or(Value::String(text))));
            }
            sse::Fate::Drop
        })
        .unwrap();
    assert!(splitter.finish().is_empty(), "an unfinished event");
    events
}

#[test]
fn streams() {
    pairs("stream.sse", |case, from, to, source, wanted| {
        let mut reader = from.stream_reader();
        let mut writer = to.stream_writer(&asked());
        let mut got = Vec::new();
        for (name, data) in events(source) {
            let data = match &data {
                Value::String(text) => text.clone(),
                data => data.to_string(),
            };
            let name = (!name.is_empty()).then_some(name.as_bytes());
            reader
                .read(name, data.as_bytes(), &mut |chunk: Chunk<'_>| writer.write(&chunk, &mut got))
                .unwrap();
        }
        let (got, wanted) = (events(&got), events(wanted.as_bytes()));
        for (at, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
            assert!(
                got == wanted,
                "{}: {} to {}, event {at}\n   got {got:?}\nwanted {wanted:?}",
                case.display(),
                from.name(),
                to.name()
            );
        }
        assert_eq!(got.len(), wanted.len(), "{}: {} to {}", case.display(), from.name(), to.name());
    });
}
