//! Whatever bytes come, no reader panics, no writer writes what is no JSON, and memory stays in proportion: the cases'
//! files cut, spoilt, doubled and shuffled, by format and by framing.

use super::tests::{TARGET, asked, cases};
use super::{FORMATS, Format, Framing, Losing};
use crate::lines::Lines;
use crate::neutral::Lost;
use crate::sse::{Fate, Pieces, Splitter};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::de::IgnoredAny;
use std::fs;

/// The cases' files of a kind, each with its format.
fn files(kind: &str) -> Vec<(&'static dyn Format, Vec<u8>)> {
    let mut files = Vec::new();
    for case in cases() {
        for format in FORMATS {
            let ending = match (kind, format.framing()) {
                ("stream", Framing::Events) => "stream.sse",
                ("stream", Framing::Lines) => "stream.ndjson",
                (kind, _) => kind,
            };
            let file = fs::read(case.join(format!("{}.{ending}", format.name())));
            files.extend(file.map(|file| (*format, file)));
        }
    }
    assert!(files.len() > 20, "only {} files", files.len());
    files
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

fn take_call(from: &dyn Format, body: &[u8]) {
    let mut lost = Lost::default();
    let Ok(call) = from.read_call(body, &mut lost) else { return };
    for to in FORMATS {
        let mut losing = Losing { client: from, lost: &mut lost };
        if let Ok(written) = to.write_call(&call, &TARGET, &mut losing) {
            assert!(
                is_json(&written),
                "{} to {}: {}",
                from.name(),
                to.name(),
                String::from_utf8_lossy(&written)
            );
        }
    }
}

fn take_reply(from: &dyn Format, body: &[u8]) {
    let Ok(reply) = from.read_reply(body) else { return };
    for to in FORMATS {
        let written = to.write_reply(&reply, &asked());
        assert!(is_json(&written), "{} to {}: {}", from.name(), to.name(), String::from_utf8_lossy(&written));
    }
}

/// The data of each event, as the engine cuts a stream that comes in chunks.
fn cut(framing: Framing, stream: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    let (mut splitter, mut lines) = (Splitter::new(1 << 20), Lines::new(1 << 20));
    for chunk in stream.chunks(size) {
        match framing {
            Framing::Events => {
                let chunk = Bytes::copy_from_slice(chunk);
                let taken = splitter.push(chunk, &mut Pieces::new(), &mut |event| {
                    got.extend(event.data.as_ref().map(|data| data.to_vec()));
                    Fate::Drop
                });
                taken.unwrap();
            }
            Framing::Lines => lines.push(chunk, &mut |line| got.push(line.to_vec())).unwrap(),
        }
    }
    lines.finish(&mut |line| got.push(line.to_vec()));
    got
}

fn take_stream(from: &dyn Format, stream: &[u8], size: usize) {
    let read: Vec<Vec<u8>> = cut(from.framing(), stream, size);
    for to in FORMATS {
        let (mut reader, mut writer) = (from.stream_reader(), to.stream_writer(&asked()));
        let mut out = Vec::new();
        let mut fault = None;
        for data in &read {
            let give = &mut |chunk: crate::neutral::Chunk<'_>| writer.write(&chunk, &mut out);
            fault = fault.or(reader.read(None, data, give).err());
        }
        reader.end(&mut |chunk| writer.write(&chunk, &mut out));
        // Each event has a frame, each piece an event, and what is said is said at most thrice.
        assert!(out.len() <= 16 * 1024 + 8 * stream.len() + 1024 * read.len() * 4, "{} bytes", out.len());
        for event in cut(to.framing(), &out, out.len().max(1)) {
            let text = String::from_utf8_lossy(&event);
            assert!(is_json(&event) || text == "[DONE]", "{} to {}: {text}", from.name(), to.name());
        }
    }
}

/// A part of a file is cut out, or something else stands in its place.
fn spoil(file: &[u8], at: Index, length: usize, with: &[u8]) -> Vec<u8> {
    let from = at.index(file.len());
    let to = (from + length).min(file.len());
    [file.get(..from).unwrap(), with, file.get(to..).unwrap()].concat()
}

fn shards() -> impl Strategy<Value = Vec<u8>> {
    const SHARDS: [&[u8]; 14] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"-1",
        b"1e400",
        b"18446744073709551616",
        b"\"",
        b"\\u0000",
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
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_at_all(bytes in prop::collection::vec(any::<u8>(), 0..96), size in 1..9_usize) {
        for format in FORMATS {
            take_call(*format, &bytes);
            take_reply(*format, &bytes);
            take_stream(*format, &bytes, size);
        }
    }

    #[test]
    fn spoilt_bodies(which in any::<Index>(), at in any::<Index>(), length in 0..16_usize, with in shards()) {
        let calls = files("call.json");
        let (format, body) = which.get(&calls);
        take_call(*format, &spoil(body, at, length, &with));
        let replies = files("reply.json");
        let (format, body) = which.get(&replies);
        take_reply(*format, &spoil(body, at, length, &with));
        // One format's words in another's place.
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
        order in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let streams = files("stream");
        let (format, stream) = which.get(&streams);
        take_stream(*format, &spoil(stream, at, length, &with), size);
        take_stream(*format, stream.get(..at.index(stream.len())).unwrap(), size);
        let between: &[u8] = if format.framing() == Framing::Events { b"\n\n" } else { b"\n" };
        let text = String::from_utf8(stream.clone()).unwrap();
        let parts: Vec<&str> = text.split(std::str::from_utf8(between).unwrap()).collect();
        let shuffled: Vec<&[u8]> = order.iter().map(|one| one.get(&parts).as_bytes()).collect();
        take_stream(*format, &shuffled.join(between), size);
    }
}
