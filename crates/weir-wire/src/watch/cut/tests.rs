//! Streams of binary messages, as the watch sees them.

use crate::format::chat::Chat;
use crate::format::converse::Converse;
use crate::format::{Asked, Framing};
use crate::frames;
use crate::sse::{Pieces, Splitter};
use crate::watch::{End, Step, StreamWatch};
use bytes::Bytes;

fn stream(last: &[(&str, &str)]) -> Vec<u8> {
    let mut stream = Vec::new();
    let first = [
        ("messageStart", r#"{"role":"assistant"}"#),
        ("contentBlockDelta", r#"{"delta":{"text":"Hi"},"contentBlockIndex":0}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    ];
    for (name, data) in first.iter().chain(last) {
        frames::write(&mut stream, name, data.as_bytes());
    }
    stream
}

const STOP: (&str, &str) = ("messageStop", r#"{"stopReason":"end_turn"}"#);
const USAGE: (&str, &str) =
    ("metadata", r#"{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}"#);

/// What reaches the client, and how it ends.
fn watched(mut watch: StreamWatch, stream: &[u8], size: usize) -> (Vec<u8>, String) {
    assert_eq!(watch.framing(), Framing::Frames);
    let mut out = Pieces::new();
    for piece in stream.chunks(size) {
        match watch.push(Bytes::copy_from_slice(piece), &mut out) {
            Ok(Step::Error(fault)) => {
                return (out.concat(), format!("told {} {}", fault.status, fault.message));
            }
            Ok(Step::Open | Step::Done) => {}
            Err(fault) => return (out.concat(), fault.to_string()),
        }
    }
    let usage = watch.usage();
    match watch.end() {
        End::Complete { append } => {
            out.extend(append);
            (
                out.concat(),
                format!("complete, {:?} tokens", watch.usage().or(usage).map(|usage| usage.total())),
            )
        }
        End::Failed(fault) => (out.concat(), format!("failed: {}", fault.message)),
    }
}

fn translating() -> StreamWatch {
    let asked = Asked { id: "ours".to_owned(), stream_usage: true, ..Asked::default() };
    StreamWatch::new(true, Splitter::LIMIT).translating(&Converse, &Chat, &asked)
}

fn reading() -> StreamWatch {
    StreamWatch::new(true, Splitter::LIMIT).reading(&Converse)
}

#[test]
fn messages_are_translated_however_they_are_cut() {
    let stream = stream(&[STOP, USAGE]);
    let (whole, end) = watched(translating(), &stream, stream.len());
    assert_eq!(end, "complete, Some(5) tokens");
    let text = String::from_utf8(whole.clone()).unwrap();
    assert!(text.contains(r#""content":"Hi""#) && text.ends_with("data: [DONE]\n\n"), "{text}");
    for size in 1..stream.len() {
        assert_eq!(
            watched(translating(), &stream, size),
            (whole.clone(), end.clone()),
            "in pieces of {size}"
        );
    }
}

#[test]
fn messages_of_the_clients_own_format_pass_as_they_came() {
    let stream = stream(&[STOP, USAGE]);
    for size in 1..=stream.len() {
        let passed = watched(reading(), &stream, size);
        assert_eq!(passed, (stream.clone(), "complete, Some(5) tokens".to_owned()), "in pieces of {size}");
    }
}

#[test]
fn a_stream_that_is_cut_is_never_whole() {
    let broke = "failed: The upstream's answer broke off before it was complete.";
    let whole = stream(&[STOP]);
    assert_eq!(watched(translating(), &whole, 7).1, "complete, None tokens");
    for end in 1..whole.len() {
        assert_eq!(watched(translating(), &whole[..end], 50).1, broke, "cut at {end}");
        assert_eq!(watched(reading(), &whole[..end], 50).1, broke, "cut at {end}");
    }
    // Behind the reason to end, usage alone was cut: the answer is whole, but its last message is not.
    let all = stream(&[STOP, USAGE]);
    assert_eq!(watched(translating(), &all[..all.len() - 1], 50).1, broke);
}

#[test]
fn exceptions_and_damage_are_faults() {
    let slow = stream(&[("!throttlingException", r#"{"message":"Slow down"}"#)]);
    assert_eq!(watched(translating(), &slow, 9).1, "told 429 Slow down");
    assert_eq!(watched(reading(), &slow, 9).1, "told 429 Slow down");
    let mut damaged = stream(&[STOP, USAGE]);
    let at = damaged.len() / 2;
    damaged[at] ^= 1;
    let (out, end) = watched(translating(), &damaged, 9);
    assert!(end.contains("damaged on its way"), "{end}");
    assert!(!String::from_utf8(out).unwrap().contains("[DONE]"));
}
