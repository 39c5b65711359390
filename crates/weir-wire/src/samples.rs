//! Request bodies of the sizes that speed is judged by, and random JSON.

use proptest::prelude::*;
use serde_json::{Value, json};

/// A chat request of about `size` bytes: one message below 1 KB, else messages of 2.5 KB with a quote, a line break
/// or something that is not ASCII about every 150 bytes.
pub(crate) fn chat_body(size: usize) -> Vec<u8> {
    const PIECE: &str = "The quick brown fox jumps over the lazy dog and, as it had said it would all along, it writes \
        a line of code that does nothing and goes on to the next one — naïvely.\nThe quick brown fox jumps over the \
        lazy dog and, as it had said it would all along, it writes \"a line of code that does nothing and goes on";
    let mut messages =
        vec![json!({"role": "system", "content": "You are a helpful assistant. Answer briefly."})];
    let mut left = size.saturating_sub(200);
    while left > 0 {
        let length = left.min(2500);
        let text: String = PIECE.chars().cycle().take(length).collect();
        messages.push(json!({"role": "user", "content": text}));
        left -= length;
    }
    let body = json!({
        "model": "gpt-4o-mini", "messages": messages, "temperature": 0.7, "max_tokens": 256, "stream": false,
    });
    serde_json::to_vec(&body).unwrap()
}

/// Any JSON value a few levels deep, with strings that need escapes and keys that may collide.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 64.0)),
        "[a-z\"\\\\\n\té€😀]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-c\"é]{0,3}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Prints how long one run of `work` takes: the best of 30 batches.
pub(crate) fn timing<T>(name: &str, bytes: usize, mut work: impl FnMut() -> T) {
    let rounds = (2_000_000 / bytes.max(1)).clamp(20, 20_000);
    let mut best = f64::MAX;
    for _ in 0..30 {
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(work());
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(u32::try_from(rounds).unwrap()));
    }
    println!("{name:<28} {bytes:>7} B  {:>9.1} ns", best * 1e9);
}
