//! Bodies in OpenAI's formats (<https://platform.openai.com/docs/api-reference>), as small as clients accept them.

use serde_json::{Value, json};

const CREATED: u64 = 1_700_000_000;

/// The operation that a path asks for, wherever the API's base is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Chat,
    Completion,
    Embedding,
    Models,
    Ranks,
    Judgements,
    Images,
    Sound,
    Other,
}

impl Operation {
    pub(crate) fn of(path: &str) -> Self {
        let path = path.split('?').next().unwrap_or_default();
        let ends = |end: &str| path.ends_with(end);
        match () {
            () if ends("/chat/completions") => Operation::Chat,
            () if ends("/completions") => Operation::Completion,
            () if ends("/embeddings") => Operation::Embedding,
            () if ends("/models") => Operation::Models,
            () if ends("/rerank") => Operation::Ranks,
            () if ends("/moderations") => Operation::Judgements,
            () if ends("/images/generations") => Operation::Images,
            () if ends("/audio/speech") => Operation::Sound,
            () => Operation::Other,
        }
    }
}

/// What shapes a body: the call's model, the tokens to report, the reason why the answer ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) model: &'a str,
    pub(crate) usage: Option<(u64, u64)>,
    pub(crate) finish: Option<&'a str>,
    pub(crate) role: bool,
}

impl Terms<'_> {
    fn usage(&self) -> Value {
        match self.usage {
            None => Value::Null,
            Some((prompt, completion)) => json!({
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            }),
        }
    }

    fn add_usage(&self, mut body: Value) -> Value {
        if let (Some(_), Some(fields)) = (self.usage, body.as_object_mut()) {
            fields.insert("usage".to_owned(), self.usage());
        }
        body
    }

    pub(crate) fn chat(&self, text: &str) -> Value {
        self.add_usage(json!({
            "id": "chatcmpl-testkit", "object": "chat.completion", "created": CREATED, "model": self.model,
            "choices": [{
                "index": 0,
                "message": { "role": "assistant", "content": text, "refusal": null },
                "logprobs": null,
                "finish_reason": self.finish,
            }],
        }))
    }

    pub(crate) fn completion(&self, text: &str) -> Value {
        self.add_usage(json!({
            "id": "cmpl-testkit", "object": "text_completion", "created": CREATED, "model": self.model,
            "choices": [{ "index": 0, "text": text, "logprobs": null, "finish_reason": self.finish }],
        }))
    }

    /// One vector per input of the call; number `i` of input `n` is `(n + 1) / (i + 2)`. In the encoding that the call
    /// asks for: the official clients ask for base64 of little-endian `f32` and read nothing else then.
    pub(crate) fn embeddings(&self, call: &Value, dimensions: usize) -> Value {
        let vector = |input: u16| (2u16..).take(dimensions).map(move |i| f32::from(input + 1) / f32::from(i));
        let encoded = |input: u16| -> Value {
            if call["encoding_format"] == "base64" {
                base64(&vector(input).flat_map(f32::to_le_bytes).collect::<Vec<u8>>()).into()
            } else {
                vector(input).collect()
            }
        };
        let data: Vec<Value> = (0..inputs(call))
            .map(|input| json!({ "object": "embedding", "index": input, "embedding": encoded(input) }))
            .collect();
        let mut body = json!({ "object": "list", "model": self.model, "data": data });
        if let Some((prompt, _)) = self.usage {
            body["usage"] = json!({ "prompt_tokens": prompt, "total_tokens": prompt });
        }
        body
    }

    pub(crate) fn ranks(&self) -> Value {
        json!({
            "id": "rerank-testkit",
            "results": [{ "index": 0, "relevance_score": 0.9 }],
            "meta": { "billed_units": { "search_units": 1 } },
        })
    }

    pub(crate) fn judgements(&self) -> Value {
        let categories = json!({ "violence": false });
        let scores = json!({ "violence": 0.1 });
        json!({
            "id": "modr-testkit", "model": self.model,
            "results": [{ "flagged": false, "categories": categories, "category_scores": scores }],
        })
    }

    pub(crate) fn images(&self, call: &Value) -> Value {
        let made = call["n"].as_u64().unwrap_or(1).min(10);
        let data: Vec<Value> = (0..made).map(|_| json!({ "b64_json": "iVBORw==" })).collect();
        json!({ "created": CREATED, "data": data })
    }

    pub(crate) fn models(&self) -> Value {
        json!({
            "object": "list",
            "data": [{ "id": "testkit", "object": "model", "created": CREATED, "owned_by": "testkit" }],
        })
    }

    /// The data of every event of a stream, `[DONE]` not included.
    pub(crate) fn stream(&self, operation: Operation, deltas: &[String], include_usage: bool) -> Vec<String> {
        let chat = operation != Operation::Completion;
        let chunk = |choices: Value, usage: Value| {
            let (id, object) = if chat {
                ("chatcmpl-testkit", "chat.completion.chunk")
            } else {
                ("cmpl-testkit", "text_completion")
            };
            let mut chunk = json!({
                "id": id, "object": object, "created": CREATED, "model": self.model, "choices": choices,
            });
            if include_usage && self.usage.is_some() {
                chunk["usage"] = usage;
            }
            chunk.to_string()
        };
        let choice = |delta: Value, finish: Option<&str>| {
            if chat {
                json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }])
            } else {
                json!([{ "index": 0, "text": delta["content"].as_str().unwrap_or_default(), "logprobs": null,
                         "finish_reason": finish }])
            }
        };
        let mut events = Vec::with_capacity(deltas.len() + 3);
        if chat && self.role {
            let role = json!({ "role": "assistant", "content": "", "refusal": null });
            events.push(chunk(choice(role, None), Value::Null));
        }
        for delta in deltas {
            events.push(chunk(choice(json!({ "content": delta }), None), Value::Null));
        }
        if self.finish.is_some() {
            events.push(chunk(choice(json!({}), self.finish), Value::Null));
        }
        if include_usage && self.usage.is_some() {
            events.push(chunk(json!([]), self.usage()));
        }
        events
    }
}

/// How many vectors an embeddings call asks for: a list of texts or of token lists has one each, anything else is one.
fn inputs(call: &Value) -> u16 {
    match call["input"].as_array() {
        Some(items) if items.iter().all(|item| item.is_string() || item.is_array()) => {
            u16::try_from(items.len()).unwrap_or(u16::MAX)
        }
        _ => 1,
    }
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= group.len() { letter.into() } else { '=' });
        }
    }
    out
}

/// `text` word by word, the spaces kept at the front of each word.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in text.chars() {
        match words.last_mut() {
            Some(word) if letter != ' ' => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_in_the_rfc() {
        let check = |text: &str, expect| assert_eq!(base64(text.as_bytes()), expect);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foobar", "Zm9vYmFy");
    }
}
