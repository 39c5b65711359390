//! No input makes a reader panic, and none makes a writer write what is no JSON or what is out of proportion: bytes at
//! random, and what the cases hold, cut, overwritten, repeated, put out of order and taken for another format's.

use super::tests::{TARGET, asked, cases, ending, stream_of};
use super::{FORMATS, Format, Framing, Losing};
use crate::frames::{Frame, Frames};
use crate::lines::Lines;
use crate::neutral::Lost;
use crate::sse::{self, Fate, Pieces, Splitter};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;
use std::fs;
use std::sync::LazyLock;

type Files = LazyLock<Vec<(&'static dyn Format, Vec<u8>)>>;

/// What the cases hold of one kind, with the format it is in.
fn files(kind: &'static str) -> Vec<(&'static dyn Format, Vec<u8>)> {
    let mut files = Vec::new();
    for case in cases() {
        for format in FORMATS {
            if let Ok(file) = fs::read(case.join(format!("{}.{}", format.name(), ending(*format, kind)))) {
                files.push((*format, file));
            }
        }
    }
    assert!(files.len() > FORMATS.len());
    files
}

static CALLS: Files = LazyLock::new(|| files("call.json"));
static REPLIES: Files = LazyLock::new(|| files("reply.json"));
static STREAMS: Files = LazyLock::new(|| files("stream"));

fn check_json(from: &dyn Format, to: &dyn Format, written: &[u8]) {
    let text = || String::from_utf8_lossy(written);
    let is_json = serde_json::from_slice::<IgnoredAny>(written).is_ok();
    assert!(is_json || written == b"[DONE]", "{} to {}: {}", from.name(), to.name(), text());
}

fn take_call(from: &dyn Format, body: &[u8]) {
    let mut lost = Lost::default();
    let Ok(call) = from.read_call(body, &mut lost) else { return };
    for to in FORMATS {
        let mut losing = Losing { client: from, lost: &mut lost };
        if let Ok(written) = to.write_call(&call, &TARGET, &mut losing) {
            check_json(from, *to, &written);
        }
    }
    from.remember(body, &mut asked());
}

fn take_reply(from: &dyn Format, body: &[u8]) {
    let Ok(reply) = from.read_reply(body) else { return };
    for to in FORMATS {
        check_json(from, *to, &to.write_reply(&reply, &asked()));
    }
}

/// An event's name, and its data.
type Event = (Option<Vec<u8>>, Vec<u8>);

/// The events of a stream that comes in chunks of a size.
fn events(framing: Framing, stream: &[u8], size: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let (mut splitter, mut lines) = (Splitter::new(1 << 20), Lines::new(1 << 20));
    let mut frames = Frames::new(1 << 20);
    for chunk in stream.chunks(size) {
        match framing {
            Framing::Events => {
                let mut judge = |event: &sse::Event<'_>| {
                    let name = event.name.map(<[u8]>::to_vec);
                    events.extend(event.data.as_ref().map(|data| (name, data.to_vec())));
                    Fate::Drop
                };
                splitter.push(Bytes::copy_from_slice(chunk), &mut Pieces::new(), &mut judge).unwrap();
            }
            Framing::Lines => lines.push(chunk, &mut |line| events.push((None, line.to_vec()))).unwrap(),
            Framing::Frames => {
                let mut give = |frame: &Frame<'_>| {
                    events.push((Some(frame.name.to_vec()), frame.data.to_vec()));
                };
                frames.push(chunk, &mut give).unwrap();
            }
        }
    }
    lines.finish(&mut |line| events.push((None, line.to_vec())));
    events
}

/// `text`: a stream as files hold it.
fn take_stream(from: &dyn Format, text: &[u8], size: usize) {
    let events = events(from.framing(), &stream_of(from.framing(), text), size);
    for to in FORMATS {
        let (mut reader, mut writer) = (from.stream_reader(), to.stream_writer(&asked()));
        let mut out = Vec::new();
        for (name, data) in &events {
            let _ = reader.read(name.as_deref(), data, &mut |chunk| writer.write(&chunk, &mut out));
        }
        reader.end(&mut |chunk| writer.write(&chunk, &mut out));
        // An answer is repeated at its end at most thrice, and each event has a frame.
        let taken: usize = events.iter().map(|(_, data)| 6 * data.len() + 8 * 1024).sum();
        assert!(out.len() <= taken + 64 * 1024, "{} of {taken} bytes", out.len());
        for (_, data) in self::events(to.framing(), &out, out.len().max(1)) {
            check_json(from, *to, &data);
        }
    }
}

/// A part of a body is cut out, or something else is put over it.
fn spoil(body: &[u8], at: Index, length: usize, with: &[u8]) -> Vec<u8> {
    let from = at.index(body.len());
    let to = (from + length).min(body.len());
    [&body[..from], with, &body[to..]].concat()
}

fn shards() -> impl Strategy<Value = Vec<u8>> {
    const SHARDS: [&[u8]; 16] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"-1",
        b"1e400",
        b"4294967295",
        b"18446744073709551616",
        b"\"",
        b"\\u0000",
        br#""\ud83d\ude00#""#,
        b"\xff",
        b"#",
        b"\n",
        b"data: ",
        b"[[[[[[[[[[[[[[[[",
    ];
    prop_oneof![
        prop::sample::select(SHARDS.as_slice()).prop_map(<[u8]>::to_vec),
        prop::collection::vec(any::<u8>(), 0..5),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn bytes_at_random(bytes in prop::collection::vec(any::<u8>(), 0..96), size in 1..9_usize) {
        for format in FORMATS {
            take_call(*format, &bytes);
            take_reply(*format, &bytes);
            take_stream(*format, &bytes, size);
        }
    }

    #[test]
    fn bodies_with_a_fault(
        which in any::<Index>(),
        at in any::<Index>(),
        length in 0..16_usize,
        with in shards(),
    ) {
        let (format, body) = which.get(&CALLS);
        take_call(*format, &spoil(body, at, length, &with));
        let (format, body) = which.get(&REPLIES);
        take_reply(*format, &spoil(body, at, length, &with));
        for other in FORMATS {
            take_call(*other, body);
            take_reply(*other, body);
        }
    }

    #[test]
    fn torn_streams(
        which in any::<Index>(),
        at in any::<Index>(),
        length in 0..64_usize,
        with in shards(),
        size in 1..200_usize,
    ) {
        let (format, stream) = which.get(&STREAMS);
        take_stream(*format, &spoil(stream, at, length, &with), size);
        take_stream(*format, &stream[..at.index(stream.len())], size);
    }

    #[test]
    fn streams_out_of_order(which in any::<Index>(), order in prop::collection::vec(any::<Index>(), 0..24)) {
        let (format, stream) = which.get(&STREAMS);
        let between = if format.framing() == Framing::Events { "\n\n" } else { "\n" };
        let text = String::from_utf8(stream.clone()).unwrap();
        let events: Vec<&str> = text.split(between).collect();
        let mixed: Vec<&str> = order.iter().map(|pick| *pick.get(&events)).collect();
        take_stream(*format, mixed.join(between).as_bytes(), usize::MAX);
    }
}
