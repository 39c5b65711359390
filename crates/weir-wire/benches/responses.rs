//! What it costs that a client of Responses or of completions is answered by a model that speaks chat, and the other way.
#![allow(clippy::unwrap_used, reason = "a bench whose input is refused has nothing to measure")]

#[path = "../src/samples/chat.rs"]
mod chat;

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;
use weir_wire::format::{Asked, Format, Losing, Target, format};
use weir_wire::neutral::Lost;

const CHAT_EVENT: &str = concat!(
    r#"{"id":"chatcmpl-Abc123Def456Ghi789Jkl012Mno345","object":"chat.completion.chunk","#,
    r#""created":1700000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","#,
    r#""system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" weather"},"#,
    r#""logprobs":null,"finish_reason":null}],"usage":null}"#,
);

const RESPONSES_EVENT: &str = concat!(
    r#"{"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_0123456789abcdef0123456789abcdef","#,
    r#""output_index":0,"content_index":0,"delta":" weather","logprobs":[],"obfuscation":"a8Bc9dEf"}"#,
);

const COMPLETIONS_EVENT: &str = concat!(
    r#"{"id":"cmpl-Abc123Def456Ghi789Jkl012Mno345","object":"text_completion","created":1700000000,"#,
    r#""model":"gpt-3.5-turbo-instruct","choices":[{"text":" weather","index":0,"logprobs":null,"#,
    r#""finish_reason":null}],"usage":null}"#,
);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    calls(&mut criterion);
    events(&mut criterion);
    criterion.final_summary();
}

fn by_name(name: &str) -> &'static dyn Format {
    format(name).unwrap()
}

fn translated(from: &dyn Format, to: &dyn Format, body: &[u8]) -> Vec<u8> {
    let mut lost = Lost::default();
    let call = from.read_call(body, &mut lost).unwrap();
    let target = Target { model: "upstream-model", stream_usage: true, ..Target::default() };
    to.write_call(&call, &target, &mut Losing { client: from, lost: &mut lost }).unwrap()
}

/// A chat of 8 KB, in each format that can hold it.
fn calls(criterion: &mut Criterion) {
    let (chat, responses, completions) = (by_name("chat"), by_name("responses"), by_name("completions"));
    let body = chat::chat_body(8_000);
    let mut group = criterion.benchmark_group("call of 8 KB");
    for (from, to) in [(chat, responses), (responses, chat), (chat, completions), (completions, chat)] {
        let body = translated(chat, from, body.as_ref());
        group.bench_function(BenchmarkId::new(from.name(), to.name()), |bench| {
            bench.iter(|| translated(from, to, black_box(&body)));
        });
    }
    group.finish();
}

fn events(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    let pairs = [
        ("chat", "responses", CHAT_EVENT),
        ("responses", "chat", RESPONSES_EVENT),
        ("chat", "completions", CHAT_EVENT),
        ("completions", "chat", COMPLETIONS_EVENT),
    ];
    for (from, to, event) in pairs {
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
                    .read(None, black_box(event.as_bytes()), &mut |chunk| writer.write(&chunk, &mut out))
                    .unwrap();
            });
        });
    }
    group.finish();
}
