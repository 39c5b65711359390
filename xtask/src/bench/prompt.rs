//! Bodies of chat requests.

use serde_json::json;

/// What a prompt consists of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    /// Words in ASCII.
    Plain,
    /// What costs a JSON reader most: quotes, line breaks and something that is not ASCII, about every 60 characters.
    Escapes,
}

/// A chat whose prompt has about so many characters, in messages of 2,500.
pub(super) fn body(characters: usize, text: Text, stream: bool) -> Vec<u8> {
    let piece = match text {
        Text::Plain => {
            "A weir holds a river back so far that boats can pass, mills can turn and fish can climb. What comes too \
             much goes over the top, and that, says the keeper, is all there is to it. "
        }
        Text::Escapes => {
            "A weir holds a river back so far that boats can pass, mills can turn and fish can climb.\nWhat comes \
             \"too much\" goes over the top — and that, says the keeper, is all there is to it. "
        }
    };
    let mut messages =
        vec![json!({"role": "system", "content": "You are a helpful assistant. Answer briefly."})];
    let mut left = characters;
    while left > 0 {
        let length = left.min(2_500);
        let text: String = piece.chars().cycle().take(length).collect();
        messages.push(json!({"role": "user", "content": text}));
        left -= length;
    }
    let mut body =
        json!({"model": "gpt-4o-mini", "messages": messages, "temperature": 0.7, "max_tokens": 256});
    if stream {
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
    }
    body.to_string().into_bytes()
}
