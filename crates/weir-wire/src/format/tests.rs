//! Every format into every other, generated from what each has of a case.
//!
//! `fixtures/formats/CASE/FORMAT.{call.json,reply.json,stream.sse}` say the same in each format. What A says, written in B's
//! words, has to be what B's own file says, unless `A-to-B.…`, or for every A but B itself `others-to-B.…`, says what it is
//! instead; `A-to-B.lost` lists what a call leaves behind. A to A goes through the neutral form as well. Streams that are
//! not events but lines end in `.ndjson` instead of `.sse`, those of binary messages in `.frames`, with the name and the data
//! of each on a line. A format whose answers have no name, or do not say which model answers, has those files where Weir
//! says so in its place.

use super::{Asked, FORMATS, Format, Framing, Losing, Target};
use crate::frames::{self, Frames};
use crate::neutral::{Chunk, Lost};
use crate::sse::{self, Splitter};
use bytes::Bytes;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use weir_core::Fault;

pub(super) const TARGET: Target<'static> =
    Target { model: "upstream-model", max_output: None, stream_usage: true, newest: false };

pub(super) fn asked() -> Asked {
    Asked {
        model: "client-model".to_owned(),
        stream_usage: true,
        id: "ours".to_owned(),
        now: 1_790_000_000,
        ..Asked::default()
    }
}

pub(super) fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats");
    let mut cases: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 3);
    cases
}

/// How a format's files of this kind end.
pub(super) fn ending(format: &dyn Format, kind: &'static str) -> &'static str {
    match (kind, format.framing()) {
        ("stream", Framing::Events) => "stream.sse",
        ("stream", Framing::Lines) => "stream.ndjson",
        ("stream", Framing::Frames) => "stream.frames",
        (kind, _) => kind,
    }
}

/// Every pair of formats that have a file of this kind, with what A has and what is to become of it.
fn pairs(kind: &'static str, check: impl Fn(&Path, &'static dyn Format, &'static dyn Format, &[u8], &str)) {
    let mut checked = 0;
    for case in cases() {
        for from in FORMATS {
            let (a, kind_a) = (from.name(), ending(*from, kind));
            let Ok(source) = fs::read(case.join(format!("{a}.{kind_a}"))) else { continue };
            for to in FORMATS {
                let (b, kind_b) = (to.name(), ending(*to, kind));
                let others = (a != b).then(|| format!("others-to-{b}.{kind_b}"));
                let names = [Some(format!("{a}-to-{b}.{kind_b}")), others, Some(format!("{b}.{kind_b}"))];
                let mut wanted = names.into_iter().flatten().map(|name| fs::read_to_string(case.join(name)));
                let Some(Ok(wanted)) = wanted.find(Result::is_ok) else { continue };
                check(&case, *from, *to, &source, &wanted);
                checked += 1;
            }
        }
    }
    assert!(checked > 4, "only {checked} pairs");
}

pub(super) fn json(text: &[u8]) -> Value {
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
        let theirs = to.read_reply(wanted.as_bytes()).unwrap();
        let wanted = in_our_words(wanted, (&reply.id, &reply.model), (&theirs.id, &theirs.model));
        let mut wanted = json(wanted.as_bytes());
        if reply.created.is_none() && wanted.get("created").is_some() {
            wanted["created"] = asked().now.into();
        }
        same(case, from, to, &json(&got), &wanted);
    });
}

/// What is wanted, with Weir's own words for the answer's id and model where what was read did not tell them.
fn in_our_words(wanted: &str, (id, model): (&str, &str), (their_id, their_model): (&str, &str)) -> String {
    let ours = asked();
    let mut wanted = wanted.to_owned();
    for (told, theirs, ours) in [(id, their_id, &ours.id), (model, their_model, &ours.model)] {
        if told.is_empty() && !theirs.is_empty() {
            wanted = wanted.replace(theirs, ours);
        }
    }
    wanted
}

/// The id and the model that a stream tells.
fn named(format: &dyn Format, stream: &[u8]) -> (String, String) {
    let mut names = (String::new(), String::new());
    read_stream(format, stream, &mut |chunk| {
        if let Chunk::Begin { id, model, .. } = chunk {
            names = (id.to_string(), model.to_string());
        }
    });
    names
}

/// A stream as it comes, of a file's text.
pub(super) fn stream_of(framing: Framing, text: &[u8]) -> Vec<u8> {
    if framing != Framing::Frames {
        return text.to_vec();
    }
    let mut stream = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (name, data) = line.split_at(end);
        frames::write(&mut stream, &String::from_utf8_lossy(name), data.get(1..).unwrap_or_default());
    }
    stream
}

/// The events of a stream: name and data, JSON where it is some.
pub(super) fn events(framing: Framing, stream: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    if framing == Framing::Lines {
        let lines = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        return lines.map(|line| (String::new(), json(line))).collect();
    }
    if framing == Framing::Frames {
        let mut frames = Frames::new(Splitter::LIMIT);
        let mut give = |frame: &frames::Frame<'_>| {
            events.push((String::from_utf8_lossy(&frame.name).into_owned(), json(&frame.data)));
        };
        frames.push(stream, &mut give).unwrap();
        assert!(frames.finish().is_empty(), "an unfinished message");
        return events;
    }
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

/// A stream of one format in another's bytes.
pub(super) fn translated_stream(from: &dyn Format, to: &dyn Format, source: &[u8]) -> Vec<u8> {
    let mut writer = to.stream_writer(&asked());
    let mut got = Vec::new();
    read_stream(from, source, &mut |chunk| writer.write(&chunk, &mut got));
    got
}

fn read_stream(format: &dyn Format, stream: &[u8], give: &mut dyn FnMut(Chunk<'_>)) {
    let mut reader = format.stream_reader();
    for (name, data) in events(format.framing(), stream) {
        let data = match &data {
            Value::String(text) => text.clone(),
            data => data.to_string(),
        };
        let name = (!name.is_empty()).then_some(name.as_bytes());
        reader.read(name, data.as_bytes(), give).unwrap();
    }
    reader.end(give);
}

/// A call of one format as another's deployment of `model` gets it, and what is left behind.
pub(super) fn translated_call(
    from: &dyn Format,
    to: &dyn Format,
    model: &str,
    body: &str,
) -> Result<(Value, String), Fault> {
    let mut lost = Lost::default();
    let call = from.read_call(body.as_bytes(), &mut lost)?;
    let mut losing = Losing { client: from, lost: &mut lost };
    let got = to.write_call(&call, &Target { model, ..TARGET }, &mut losing)?;
    Ok((json(&got), lost.to_string()))
}

#[test]
fn streams() {
    pairs("stream", |case, from, to, source, wanted| {
        let source = stream_of(from.framing(), source);
        let got = translated_stream(from, to, &source);
        let (id, model) = named(from, &source);
        let theirs = named(to, &stream_of(to.framing(), wanted.as_bytes()));
        let wanted = in_our_words(wanted, (&id, &model), (&theirs.0, &theirs.1));
        let wanted = stream_of(to.framing(), wanted.as_bytes());
        let (got, wanted) = (events(to.framing(), &got), events(to.framing(), &wanted));
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
