//! Bytes pass as they are, on every endpoint, streamed or not.

use super::{AUTH, CHAT, post, start};
use serde_json::json;
use weir_testkit::{Answer, RunningWeir, Upstream};

const COMPLETIONS: &str = "/v1/completions";
const EMBEDDINGS: &str = "/v1/embeddings";

/// Odd spacing, escapes, unknown fields, numbers that floats cannot hold: all of it reaches the upstream byte for byte.
const ODD: &str = r#" {"zeta" : [1.0, 1e400, -0.0, 12345678901234567890123, "\u00e9\/\ud83d\ude00" ],
  "model":   "m0" ,	"x_unknown": {"model":"m1","deep":{"a":[[[{}]]], "stream":true}},
  "messages":[ {"role":"user","content":"h\u0069 \"there\"", "x":null} ], "prompt": ["a", "b"], "input":[[1,2],[3]],
  "temperature":0.30, "stream" : STREAM, "stream_options": {"include_usage" : true , "x": 1}} "#;

fn send(weir: &RunningWeir, path: &str, body: &str) -> weir_testkit::client::Reply {
    let mut client = weir.connect().unwrap();
    client.request("POST", path, &[AUTH, ("content-type", "application/json")], body.as_bytes()).unwrap();
    client.read_reply().unwrap()
}

#[test]
fn a_request_reaches_the_upstream_byte_for_byte_but_for_the_model() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let either = json!({ "choices": [], "data": [] });
    // Beyond 16 KiB a body goes out in pieces of the original.
    let long = ODD.replace("there", &"long ".repeat(8000));
    for (path, stream) in
        [(CHAT, false), (CHAT, true), (COMPLETIONS, false), (COMPLETIONS, true), (EMBEDDINGS, false)]
    {
        for odd in [ODD, &long] {
            let body = odd.replace("STREAM", &stream.to_string());
            upstream.script([if stream { Answer::stream(["hi"]) } else { Answer::json(200, &either) }]);
            let reply = send(&weir, path, &body);
            assert_eq!(reply.status, 200, "{path}: {}", reply.text());
            let seen = upstream.calls().pop().unwrap();
            let expect = body.replace("\"m0\"", "\"served-model\"");
            assert!(seen.body == expect, "{path}, stream {stream}: {}", String::from_utf8_lossy(&seen.body));
            assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", path));
        }
    }
}

/// The wish for usage is the only other thing that is added, and what it brings is taken out again.
#[test]
fn usage_is_asked_for_in_streams_and_taken_out_again() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let check = |path: &str, options: &str, sent: &str, client_gets_usage: bool| {
        let body = format!(r#"{{"model":"m0","messages":[],"prompt":"x","stream":true{options}}}"#);
        let reply = send(&weir, path, &body);
        let seen = String::from_utf8(upstream.calls().pop().unwrap().body.to_vec()).unwrap();
        assert_eq!(seen, sent, "{path} {options}");
        assert!(
            reply.text().contains("Hello") && reply.text().ends_with("data: [DONE]\n\n"),
            "{}",
            reply.text()
        );
        let chunks = reply.text().matches("\"choices\":[]").count();
        assert_eq!(chunks, usize::from(client_gets_usage), "{path} {options}: {}", reply.text());
    };
    let rest = r#""messages":[],"prompt":"x","stream":true"#;
    let asked = r#""stream_options":{"include_usage":true}"#;
    for path in [CHAT, COMPLETIONS] {
        check(path, "", &format!(r#"{{"model":"served-model",{asked},{rest}}}"#), false);
        check(path, &format!(",{asked}"), &format!(r#"{{"model":"served-model",{rest},{asked}}}"#), true);
        let declined = r#","stream_options":{"include_usage":false}"#;
        check(path, declined, &format!(r#"{{"model":"served-model",{rest},{asked}}}"#), false);
    }
}

/// Unknown fields, odd spacing and any `usage` object come back as the upstream wrote them.
#[test]
fn an_answer_comes_back_byte_for_byte() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let usage = r#"{ "prompt_tokens":3, "completion_tokens" :1,"total_tokens":4,"x":{"cost": 1e-7},"prompt_tokens_details":null}"#;
    let whole = format!(
        r#" {{"x_first": [1.50, "\u00e9"], "choices":[ {{"index":0,"message":{{"role":"assistant","content":"h\u0069","x":{{}}}},"finish_reason":"stop"}} ],
 "data":[{{"embedding":[1e-9 , 2]}}], "usage": {usage} ,"system_fingerprint":null}} "#
    );
    for path in [CHAT, COMPLETIONS, EMBEDDINGS] {
        upstream.script([Answer::body(200, "application/json; charset=utf-8", whole.clone())]);
        let reply = send(&weir, path, r#"{"model":"m0","messages":[],"prompt":"","input":""}"#);
        assert_eq!((reply.status, reply.text().as_str()), (200, whole.as_str()), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(reply.header("content-length"), Some(whole.len().to_string().as_str()));
    }
    let events = [
        ": a comment\n\n".to_owned(),
        "id: 7\nevent: delta\ndata:{ \"x\":1.0,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\u0062\"}}] }\n\n".to_owned(),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"x\":[]}]}\n\n".to_owned(),
        format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ];
    upstream.script([Answer::event_bytes(events.clone())]);
    let asked =
        json!({ "model": "m0", "messages": [], "stream": true, "stream_options": { "include_usage": true } });
    assert_eq!(post(&weir, CHAT, &asked).text(), events.concat());
}

/// The two endpoints beside chat, as clients use them.
#[test]
fn completions_and_embeddings_are_answered() {
    let upstream = Upstream::start();
    upstream.always(Answer::auto("Hello there"));
    let weir = start(&upstream, "");
    let completion = |stream: bool| json!({ "model": "m0", "prompt": "Say hello", "stream": stream });
    let whole = post(&weir, COMPLETIONS, &completion(false)).json();
    assert_eq!(
        (&whole["object"], &whole["choices"][0]["text"]),
        (&json!("text_completion"), &json!("Hello there"))
    );
    let mut client = weir.connect().unwrap();
    client.post(COMPLETIONS, &[AUTH], &completion(true)).unwrap();
    let head = client.read_head().unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    let events = client.read_events().unwrap();
    assert_eq!(events.iter().map(weir_testkit::client::Event::text).collect::<String>(), "Hello there");
    assert_eq!(events.last().map(|event| event.data.as_str()), Some("[DONE]"));
    for (input, count) in
        [(json!("a"), 1), (json!(["a", "b", "c"]), 3), (json!([1, 2]), 1), (json!([[1], [2]]), 2)]
    {
        let reply = post(&weir, EMBEDDINGS, &json!({ "model": "m0", "input": input })).json();
        assert_eq!(reply["data"].as_array().map(Vec::len), Some(count), "{reply}");
        assert_eq!(reply["usage"]["prompt_tokens"], 9, "{reply}");
    }
}

/// Embeddings have no streams. A client that asks for one all the same gets what the upstream makes of it: the answer.
#[test]
fn embeddings_are_no_stream_whatever_is_asked_for() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let answer = json!({ "object": "list", "model": "served", "data": [{ "embedding": [0.5], "index": 0 }],
                         "usage": { "prompt_tokens": 3, "total_tokens": 3 } });
    for stream in [json!(true), json!(false), json!(null), json!("yes")] {
        upstream.script([Answer::json(200, &answer)]);
        let asked = json!({ "model": "m0", "input": "hi", "stream": stream, "stream_options": { "include_usage": true } });
        let reply = post(&weir, EMBEDDINGS, &asked);
        assert_eq!((reply.status, reply.json()), (200, answer.clone()), "{stream}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let sent = upstream.calls().last().unwrap().json();
        assert_eq!((&sent["stream"], &sent["stream_options"]), (&asked["stream"], &asked["stream_options"]));
        let id = reply.header("x-request-id").unwrap();
        let line = weir.wait_for_log("the call", |line| line["request_id"] == id);
        assert_eq!((&line["stream"], &line["usage"]["input"]), (&json!(false), &json!(3)), "{line}");
    }
}
