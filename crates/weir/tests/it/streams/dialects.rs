//! Every way of writing a stream that upstreams are known for gives the client the same text.

use super::{DONE, all_events, assert_complete, call, open, weir};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use weir_testkit::{Answer, Upstream};

const TEXT: &str = "The same text, é and 中 included";

const ROLE: &str =
    r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const FIRST: &str = r#"{"choices":[{"index":0,"delta":{"content":"The same text,"},"finish_reason":null}]}"#;
const SECOND: &str =
    r#"{"choices":[{"index":0,"delta":{"content":" é and 中 included"},"finish_reason":null}]}"#;
const END: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn deltas() -> [&'static str; 4] {
    ["The", " same text,", " é and 中", " included"]
}

/// The events of the text, in this order: what stands before each datum, and what ends it.
fn written(before: &str, after: &str) -> String {
    [ROLE, FIRST, SECOND, END, DONE].iter().map(|data| format!("{before}{data}{after}")).collect()
}

fn pieces(text: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    text.chunks(bytes).map(<[u8]>::to_vec).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A compressed answer whose checksum is missing has been cut, however whole the text in it looks.
#[test]
fn a_compressed_answer_without_its_trailer_is_cut() {
    let text = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"content":"well"},"finish_reason":"stop"}]}"#;
    let zipped = gzip(text);
    let answer = |bytes: &[u8]| {
        Answer::body(200, "application/json", bytes.to_vec()).header("content-encoding", "gzip")
    };
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    let mut body = call();
    body["stream"] = false.into();
    for (bytes, attempts) in [(&zipped[..], "1"), (&zipped[..zipped.len() - 8], "2")] {
        upstream.script([answer(bytes)]);
        upstream.always(answer(&zipped));
        let reply = weir.post("/v1/chat/completions", &[], &body);
        assert_eq!((reply.status, reply.text()), (200, text.into()));
        assert_eq!(reply.header("x-weir-attempts"), Some(attempts));
    }
}

/// U8. Every row has its own answer and the same expectation.
#[test]
fn all_framings_give_the_same_text() {
    let lf = written("data: ", "\n\n");
    let zipped = gzip(&lf);
    let rows = [
        ("plain", Answer::stream(deltas())),
        ("byte by byte", Answer::stream(deltas()).byte_by_byte()),
        ("CRLF", Answer::stream(deltas()).crlf()),
        ("CRLF, byte by byte", Answer::stream(deltas()).crlf().byte_by_byte()),
        ("comments between", Answer::event_bytes([written(": keep-alive\n\n:\ndata: ", "\n\n")])),
        (
            "comments within",
            Answer::event_bytes([written(": here\nid: 7\nretry: 10\ndata: ", "\n: there\n\n")]),
        ),
        ("blank lines", Answer::event_bytes([written("\n\ndata: ", "\n\n\n")])),
        ("no space", Answer::event_bytes([written("data:", "\n\n")])),
        ("a byte order mark", Answer::event_bytes([format!("\u{feff}{lf}")])),
        ("named events", Answer::event_bytes([written("event: message\ndata: ", "\n\n")])),
        ("all in one piece", Answer::event_bytes([lf.clone()])),
        ("in pieces of 7 bytes", Answer::event_bytes(pieces(lf.as_bytes(), 7))),
        ("until the connection's end", Answer::stream(deltas()).until_close()),
        ("no [DONE]", Answer::stream(deltas()).without_done()),
        ("no blank line at the end", Answer::event_bytes([lf.trim_end().to_owned()])),
        ("no usage", Answer::stream(deltas()).without_usage()),
        (
            "blank choices first",
            Answer::events([r#"{"choices":[],"prompt_filter_results":[]}"#, ROLE, FIRST, SECOND, END]),
        ),
        ("blank choices last", Answer::events([ROLE, FIRST, SECOND, END, r#"{"choices":[]}"#])),
        (
            "text with its finish",
            Answer::events([
                r#"{"choices":[{"index":0,"delta":{"content":"The same text, é and 中 included"},"finish_reason":"stop"}]}"#,
            ]),
        ),
        ("content type JSON", Answer::stream(deltas()).header("content-type", "application/json")),
        ("content type text", Answer::stream(deltas()).header("content-type", "text/plain")),
        ("gzip", Answer::event_bytes([zipped.clone()]).header("content-encoding", "gzip")),
        ("gzip in pieces", Answer::event_bytes(pieces(&zipped, 5)).header("content-encoding", "gzip")),
        ("trailers", Answer::stream(deltas()).trailers([("x-checksum", "1")])),
        ("103 before it", Answer::stream(deltas()).informational(103)),
    ];
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    for (row, answer) in rows {
        upstream.script([answer]);
        let mut client = open(&weir, &[], &call());
        let events = client.read_events().unwrap_or_else(|error| panic!("{row}: {error}"));
        let text = super::text(&events);
        assert_eq!(text, TEXT, "{row}: {events:?}");
        assert_eq!(super::finish(&events).as_deref(), Some("stop"), "{row}");
        let dones = events.iter().filter(|event| event.data == DONE).count();
        assert_eq!((dones, events.last().map(|event| event.data.as_str())), (1, Some(DONE)), "{row}");
    }
    assert_eq!(weir.metric("weir_retries_total", &[]).unwrap_or_default(), 0.0, "none of them is a fault");
}

/// U8: lines that end by CR alone, which the standard allows, are understood and passed on as they are.
#[test]
fn carriage_returns_alone_are_line_ends() {
    let upstream = Upstream::start();
    let stream = written("data: ", "\r\r");
    upstream.always(Answer::event_bytes([stream.clone()]));
    let weir = weir(&[&upstream]);
    let body = open(&weir, &[], &call()).read_body().unwrap();
    assert_eq!(String::from_utf8(body).unwrap(), stream);
}

/// Failover row 11: what is missing is only the end mark, so it is supplied and the answer counts as a good one.
#[test]
fn a_missing_end_mark_is_supplied() {
    let upstream = Upstream::start();
    upstream.always(Answer::stream(["whole"]).without_done());
    let weir = weir(&[&upstream]);
    assert_complete(&all_events(&weir, &call()), "whole");
    let entry = weir.wait_for_log("the call", |entry| entry["stream"] == true);
    assert_eq!((&entry["outcome"], &entry["usage"]["output"]), (&"ok".into(), &5.into()), "{entry}");
}

/// U10: what is not a chunk is left out, every chunk around it arrives, and the operator is told.
#[test]
fn malformed_events_are_left_out_and_the_text_is_complete() {
    let upstream = Upstream::start();
    let weir = weir(&[&upstream]);
    for bad in
        ["{not json", "<html><body>502</body></html>", "\"a string\"", "[1,2]", "{\"choices\":", "null", ""]
    {
        upstream.script([Answer::events([ROLE, FIRST, bad, SECOND, END])]);
        let events = all_events(&weir, &call());
        assert_complete(&events, TEXT);
        assert!(events.iter().all(|event| event.data == DONE || event.json()["choices"].is_array()), "{bad}");
    }
    weir.process.wait_for_line("a warning", |line| line.contains("no JSON: left out").then_some(()));
}
