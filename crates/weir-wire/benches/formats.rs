//! What it costs to translate a chat of 8 KB and one event of a stream, between OpenAI's chat and every other format.
#![allow(clippy::unwrap_used, reason = "a bench whose input is refused has nothing to measure")]

#[path = "../src/samples/chat.rs"]
mod chat;

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use weir_wire::format::{Asked, Format, Losing, Target, format};
use weir_wire::neutral::Lost;

/// One token in each format, as its vendor sends it.
const EVENTS: [(&str, &str); 8] = [
    (
        "chat",
        concat!(
            r#"{"id":"chatcmpl-Abc123Def456Ghi789Jkl012Mno345","object":"chat.completion.chunk","#,
            r#""created":1700000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","#,
            r#""system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" weather"},"#,
            r#""logprobs":null,"finish_reason":null}],"usage":null}"#,
        ),
    ),
    (
        "messages",
        concat!(
            r#"{"type":"content_block_delta","index":0,"#,
            r#""delta":{"type":"text_delta","text":" weather"}}"#,
        ),
    ),
    (
        "responses",
        concat!(
            r#"{"type":"response.output_text.delta","sequence_number":7,"#,
            r#""item_id":"msg_0123456789abcdef0123456789abcdef","output_index":0,"content_index":0,"#,
            r#""delta":" weather","logprobs":[],"obfuscation":"a8Bc9dEf"}"#,
        ),
    ),
    (
        "completions",
        concat!(
            r#"{"id":"cmpl-Abc123Def456Ghi789Jkl012Mno345","object":"text_completion","created":1700000000,"#,
            r#""model":"gpt-3.5-turbo-instruct","choices":[{"text":" weather","index":0,"logprobs":null,"#,
            r#""finish_reason":null}],"usage":null}"#,
        ),
    ),
    (
        "gemini",
        concat!(
            r#"{"candidates":[{"content":{"parts":[{"text":" weather"}],"role":"model"},"index":0}],"#,
            r#""usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":7,"totalTokenCount":19,"#,
            r#""promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]},"#,
            r#""modelVersion":"gemini-2.5-flash","responseId":"Abc123Def456Ghi789"}"#,
        ),
    ),
    (
        "ollama",
        concat!(
            r#"{"model":"llama3.2","created_at":"2026-08-04T08:52:19.385406455Z","#,
            r#""message":{"role":"assistant","content":" weather"},"done":false}"#,
        ),
    ),
    ("converse", r#"{"contentBlockIndex":0,"delta":{"text":" weather"},"p":"abcdefghijklmnop"}"#),
    ("cohere", r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" weather"}}}}"#),
];

/// By which Converse's events are told apart; others' say it in themselves.
const NAME: Option<&[u8]> = Some(b"contentBlockDelta");

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    calls(&mut criterion);
    events(&mut criterion);
    criterion.final_summary();
}

fn by_name(name: &str) -> &'static dyn Format {
    format(name).unwrap()
}

/// Chat to each other format, and back.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    EVENTS.iter().skip(1).flat_map(|(name, _)| [("chat", *name), (*name, "chat")])
}

fn translated(from: &dyn Format, to: &dyn Format, body: &[u8]) -> Vec<u8> {
    let mut lost = Lost::default();
    let call = from.read_call(body, &mut lost).unwrap();
    let target = Target { model: "upstream-model", stream_usage: true, ..Target::default() };
    to.write_call(&call, &target, &mut Losing { client: from, lost: &mut lost }).unwrap()
}

fn calls(criterion: &mut Criterion) {
    let body = chat::chat_body(8_000);
    let mut group = criterion.benchmark_group("call of 8 KB");
    for (from, to) in pairs() {
        let body = translated(by_name("chat"), by_name(from), &body);
        group.bench_function(BenchmarkId::new(from, to), |bench| {
            bench.iter(|| translated(by_name(from), by_name(to), black_box(&body)));
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    for (from, to) in pairs() {
        let (_, event) = EVENTS.iter().find(|(name, _)| *name == from).unwrap();
        let asked = Asked { id: "ours".to_owned(), ..Asked::default() };
        let (mut reader, mut writer) = (by_name(from).stream_reader(), by_name(to).stream_writer(&asked));
        let mut out = Vec::new();
        let mut since = 0;
        group.bench_function(BenchmarkId::new(from, to), |bench| {
            bench.iter(|| {
                // A stream of any length would be measured by what it keeps.
                since += 1;
                if since == 10_000 {
                    since = 0;
                    writer = by_name(to).stream_writer(&asked);
                }
                out.clear();
                reader
                    .read(NAME, black_box(event.as_bytes()), &mut |chunk| writer.write(&chunk, &mut out))
                    .unwrap();
            });
        });
    }
    group.finish();
}
