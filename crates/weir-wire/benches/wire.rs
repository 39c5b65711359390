//! What one request and one answer cost in bytes read and written, at the sizes that speed is judged by.
#![allow(clippy::unwrap_used, reason = "a bench whose input is refused has nothing to measure")]

#[path = "../src/samples/chat.rs"]
mod chat;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use weir_core::Endpoint;
use weir_wire::call::CallFacts;
use weir_wire::json::scan;
use weir_wire::reply::reply_facts;
use weir_wire::splice::{Rewrite, splice};
use weir_wire::sse::{Fate, Pieces, Splitter};
use weir_wire::watch::StreamWatch;

const SIZES: [usize; 3] = [330, 8_000, 100_000];

/// One token as OpenAI sends it, 344 bytes.
const DELTA: &str = concat!(
    r#"data: {"id":"chatcmpl-Abc123Def456Ghi789Jkl012Mno345","object":"chat.completion.chunk","#,
    r#""created":1700000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","#,
    r#""system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" weather"},"#,
    r#""logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n"
);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    requests(&mut criterion);
    replies(&mut criterion);
    streams(&mut criterion);
    criterion.final_summary();
}

fn requests(criterion: &mut Criterion) {
    for size in SIZES {
        let body = Bytes::from(chat::chat_body(size));
        let mut group = criterion.benchmark_group("request");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("scan", size), |bench| {
            bench.iter(|| scan(black_box(&body), &mut |_| {}).unwrap());
        });
        group.bench_function(BenchmarkId::new("facts", size), |bench| {
            bench.iter(|| CallFacts::read(black_box(&body), Endpoint::Chat).unwrap());
        });
        let facts = CallFacts::read(&body, Endpoint::Chat).unwrap();
        let rewrite = Rewrite { model: "upstream-model", ..Rewrite::default() };
        group.bench_function(BenchmarkId::new("splice", size), |bench| {
            bench.iter(|| splice(black_box(&body), &facts, &rewrite));
        });
        group.finish();
    }
}

fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reply");
    for size in SIZES {
        let body = reply(size);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("facts", size), |bench| {
            bench.iter(|| reply_facts(black_box(body.as_bytes()), Endpoint::Chat, true).unwrap());
        });
    }
    group.finish();
}

/// A chat completion of about `size` bytes, with something to unescape every 77.
fn reply(size: usize) -> String {
    const PIECE: &str = r#"It depends on the weather, as \"they\" say, and on what you had for lunch.\n"#;
    const HEAD: &str = concat!(
        r#"{"id":"chatcmpl-9","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini","#,
        r#""choices":[{"index":0,"message":{"role":"assistant","content":""#,
    );
    const TAIL: &str = concat!(
        r#""},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"#,
        r#""completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0}}}"#,
    );
    let pieces = size.saturating_sub(HEAD.len() + TAIL.len()) / PIECE.len();
    format!("{HEAD}{}{TAIL}", PIECE.repeat(pieces))
}

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream event");
    for events in [1, 16] {
        let chunk = Bytes::from(DELTA.repeat(events));
        group.throughput(Throughput::Elements(events as u64));
        let mut out = Pieces::new();
        let mut watch = StreamWatch::new(false, Splitter::LIMIT);
        group.bench_function(BenchmarkId::new("watch", events), |bench| {
            bench.iter(|| {
                out.clear();
                watch.push(black_box(chunk.clone()), &mut out).unwrap()
            });
        });
        let mut splitter = Splitter::new(Splitter::LIMIT);
        group.bench_function(BenchmarkId::new("split", events), |bench| {
            bench.iter(|| {
                out.clear();
                splitter.push(black_box(chunk.clone()), &mut out, &mut |_| Fate::Keep).unwrap();
            });
        });
    }
    group.finish();
}
