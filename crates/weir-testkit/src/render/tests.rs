use super::*;
use serde_json::json;

fn check(answer: &Answer, path: &str, body: &Value, expect: &str) {
    let rendered = render(answer, &Asked { method: "POST", path, body });
    let mut bytes = rendered.head.to_vec();
    rendered.events.iter().for_each(|event| bytes.extend_from_slice(event));
    bytes.extend_from_slice(&rendered.end);
    assert_eq!(String::from_utf8_lossy(&bytes), expect);
}

#[test]
fn framing_and_headers_are_as_told() {
    let none = &Value::Null;
    check(
        &Answer::body(200, "a/b", "hi"),
        "/",
        none,
        "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 2\r\n\r\nhi",
    );
    check(
        &Answer::body(200, "a/b", "hi").content_length_too_long().header("Content-Type", "c/d"),
        "/",
        none,
        "HTTP/1.1 200 OK\r\ncontent-length: 66\r\ncontent-type: c/d\r\n\r\nhi",
    );
    check(
        &Answer::body(200, "a/b", "hi").until_close(),
        "/",
        none,
        "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nconnection: close\r\n\r\nhi",
    );
    check(
        &Answer::body(200, "a/b", "hello").in_pieces(3).trailers([("x-end", "1")]).informational(103),
        "/",
        none,
        "HTTP/1.1 103 Informational\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: a/b\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nhel\r\n2\r\nlo\r\n0\r\nx-end: 1\r\n\r\n",
    );
    check(&Answer::status(204), "/", none, "HTTP/1.1 204 No Content\r\n\r\n");
    check(&Answer::raw("anything"), "/", none, "anything");
    check(
        &Answer::event_bytes(["data: 1\n", "\n"]),
        "/",
        none,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
         8\r\ndata: 1\n\r\n1\r\n\n\r\n0\r\n\r\n",
    );
}

/// The data of each event, unframed.
fn data(answer: &Answer, path: &str, body: &Value) -> Vec<String> {
    let rendered = render(answer, &Asked { method: "POST", path, body });
    let text = |event: &Bytes| String::from_utf8_lossy(event).into_owned();
    rendered
        .events
        .iter()
        .map(text)
        .map(|e| e.split("data: ").nth(1).unwrap().trim_end().to_owned())
        .collect()
}

#[test]
fn a_stream_speaks_the_format_of_its_endpoint() {
    let ask = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } });
    let chat = data(&Answer::stream(["Hel", "lo"]), "/v1/chat/completions", &ask);
    assert_eq!(chat.len(), 6, "role, two deltas, finish, usage, done: {chat:#?}");
    let event = |i: usize| -> Value { serde_json::from_str(&chat[i]).unwrap() };
    assert_eq!(event(0)["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(event(2)["choices"][0]["delta"]["content"], "lo");
    assert_eq!(event(3)["choices"][0]["finish_reason"], "stop");
    assert_eq!(event(4)["choices"], json!([]));
    assert_eq!(event(4)["usage"]["total_tokens"], 14);
    assert_eq!(event(4)["model"], "m");
    assert_eq!(chat[5], "[DONE]");

    let plain = json!({ "model": "m", "stream": true });
    let bare = data(&Answer::auto("a b").without_done().without_finish(), "/v1/completions", &plain);
    let texts: Vec<String> = bare
        .iter()
        .map(|e| serde_json::from_str::<Value>(e).unwrap()["choices"][0]["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts, ["a", " b"]);
}
