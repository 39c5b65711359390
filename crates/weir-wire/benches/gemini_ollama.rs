//! What it costs to translate a chat of 8 KB and one event of a stream, between OpenAI's format and Google's and Ollama's.
#![allow(clippy::unwrap_used, reason = "a bench whose input is refused has nothing to measure")]

#[path = "../src/samples/chat.rs"]
mod chat;

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use weir_wire::format::{Asked, Format, Losing, Target, format};
use weir_wire::neutral::Lost;

/// One token in each format, as its vendor sends it.
const EVENTS: [(&str, &str); 3] = [
    (
        "chat",
        concat!(
            r#"{"id":"chatcmpl-Abc123Def456","object":"chat.completion.chunk","created":1700000000,"#,
            r#""model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789","#,
            r#""choices":[{"index":0,"delta":{"content":" weather"},"logprobs":null,"finish_reason":null}],"usage":null}"#
        ),
    ),
    (
        "gemini",
        concat!(
            r#"{"candidates":[{"content":{"parts":[{"text":" weather"}],"role":"model"},"index":0}],"#,
            r#""usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":7,"totalTokenCount":19,"#,
            r#""promptTokensDetails":[{"modality":"TEXT","tokenCount":12}]},"#,
            r#""modelVersion":"gemini-2.5-flash","responseId":"Abc123Def456Ghi789"}"#
        ),
    ),
    (
        "ollama",
        concat!(
            r#"{"model":"llama3.2","created_at":"2026-08-04T08:52:19.385406455Z","#,
            r#""message":{"role":"assistant","content":" weather"},"done":false}"#
        ),
    ),
];

const PAIRS: [(&str, &str); 4] =
    [("chat", "gemini"), ("gemini", "chat"), ("chat", "ollama"), ("ollama", "chat")];

const TARGET: Target<'static> =
    Target { model: "upstream-model", max_output: None, stream_usage: true, newest: false };

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    calls(&mut criterion);
    events(&mut criterion);
    criterion.final_summary();
}

fn translate(from: &dyn Format, to: &dyn Format, body: &[u8]) -> Vec<u8> {
    let mut lost = Lost::default();
    let call = from.read_call(body, &mut lost).unwrap();
    to.write_call(&call, &TARGET, &mut Losing { client: from, lost: &mut lost }).unwrap()
}

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("translate a chat of 8 KB");
    let chat = chat::chat_body(8_000);
    for (from, to) in PAIRS {
        let (client, deployment) = (format(from).unwrap(), format(to).unwrap());
        let body = translate(format("chat").unwrap(), client, &chat);
        group.bench_function(BenchmarkId::new(from, to), |bench| {
            bench.iter(|| translate(client, deployment, black_box(&body)));
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("translate an event");
    for (from, to) in PAIRS {
        let (_, event) = EVENTS.iter().find(|(name, _)| *name == from).unwrap();
        let asked = Asked { model: "model".to_owned(), id: "answer-1".to_owned(), ..Asked::default() };
        let mut reader = format(from).unwrap().stream_reader();
        let mut writer = format(to).unwrap().stream_writer(&asked);
        let mut out = Vec::new();
        group.bench_function(BenchmarkId::new(from, to), |bench| {
            bench.iter(|| {
                out.clear();
                reader
                    .read(None, black_box(event.as_bytes()), &mut |chunk| writer.write(&chunk, &mut out))
                    .unwrap();
                out.len()
            });
        });
    }
    group.finish();
}
