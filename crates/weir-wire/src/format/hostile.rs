//! No input makes a reader panic, and none makes a writer write out of proportion: bytes at random, and what the cases hold,
//! cut, overwritten, repeated and put out of order.

use super::tests::{TARGET, asked, cases, ending};
use super::{FORMATS, Format, Losing};
use crate::neutral::Lost;
use proptest::prelude::*;
use std::fs;
use std::sync::LazyLock;

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

static CALLS: LazyLock<Vec<(&dyn Format, Vec<u8>)>> = LazyLock::new(|| files("call.json"));
static REPLIES: LazyLock<Vec<(&dyn Format, Vec<u8>)>> = LazyLock::new(|| files("reply.json"));
static STREAMS: LazyLock<Vec<(&dyn Format, Vec<u8>)>> = LazyLock::new(|| files("stream"));

fn take_call(from: &dyn Format, body: &[u8]) {
    let mut lost = Lost::default();
    let Ok(call) = from.read_call(body, &mut lost) else { return };
    for to in FORMATS {
        let written = to.write_call(&call, &TARGET, &mut Losing { client: from, lost: &mut lost });
        assert!(
            written.is_err() || serde_json::from_slice::<serde::de::IgnoredAny>(&written.unwrap()).is_ok()
        );
    }
    let mut asked = asked();
    from.remember(body, &mut asked);
}

fn take_reply(from: &dyn Format, body: &[u8]) {
    let Ok(reply) = from.read_reply(body) else { return };
    for to in FORMATS {
        let written = to.write_reply(&reply, &asked());
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&written).is_ok());
    }
}

fn take_stream(from: &dyn Format, events: &[Vec<u8>]) {
    for to in FORMATS {
        let (mut reader, mut writer) = (from.stream_reader(), to.stream_writer(&asked()));
        let mut out = Vec::new();
        for event in events {
            let _ = reader.read(None, event, &mut |chunk| writer.write(&chunk, &mut out));
        }
        reader.end(&mut |chunk| writer.write(&chunk, &mut out));
        // An answer is repeated at its end at most thrice, and each event has a frame.
        let taken: usize = events.iter().map(|event| 6 * event.len() + 8 * 1024).sum();
        assert!(out.len() <= taken + 64 * 1024, "{} of {taken} bytes", out.len());
    }
}

fn datas(stream: &[u8]) -> Vec<Vec<u8>> {
    stream
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty() && !line.starts_with(b"event: "))
        .map(|line| line.strip_prefix(b"data: ").unwrap_or(line).to_vec())
        .collect()
}

/// A part of a body is cut out, or something else is put over it.
fn spoil(body: &[u8], at: prop::sample::Index, length: usize, with: &[u8]) -> Vec<u8> {
    let from = at.index(body.len());
    let to = (from + length).min(body.len());
    [&body[..from], with, &body[to..]].concat()
}

fn shards() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"null".to_vec()),
        Just(b"[]".to_vec()),
        Just(b"{}".to_vec()),
        Just(b"-1".to_vec()),
        Just(b"4294967295".to_vec()),
        Just(br#""\ud83d\ude00#""#.to_vec()),
        Just(b"\xff".to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn bytes_at_random(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for format in FORMATS {
            take_call(*format, &bytes);
            take_reply(*format, &bytes);
            take_stream(*format, std::slice::from_ref(&bytes));
        }
    }

    #[test]
    fn bodies_with_a_fault(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0..12usize,
        with in shards(),
    ) {
        let (format, body) = &CALLS[which.index(CALLS.len())];
        take_call(*format, &spoil(body, at, length, &with));
        let (format, body) = &REPLIES[which.index(REPLIES.len())];
        take_reply(*format, &spoil(body, at, length, &with));
    }

    #[test]
    fn streams_out_of_order(
        which in any::<prop::sample::Index>(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
        at in any::<prop::sample::Index>(),
        length in 0..12usize,
        with in shards(),
    ) {
        let (format, stream) = &STREAMS[which.index(STREAMS.len())];
        let events = datas(stream);
        let mut mixed: Vec<Vec<u8>> = order.iter().map(|pick| events[pick.index(events.len())].clone()).collect();
        take_stream(*format, &mixed);
        if let Some(last) = mixed.last_mut() {
            *last = spoil(last, at, length, &with);
        }
        take_stream(*format, &mixed);
    }
}
