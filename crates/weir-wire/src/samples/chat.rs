//! Chat requests of the sizes that speed is judged by; tests and benches measure the same ones.

use serde_json::json;

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
