//! A client of one API is answered by a deployment that speaks another, streamed and not, over real sockets: bytes, errors,
//! usage and cost, and what happens when the deployment fails.

#![allow(clippy::unwrap_used, reason = "a test ends where something it needs is missing")]

mod others;
mod pairs;

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// An upstream that speaks OpenAI's format, one that speaks Anthropic's, and a route to each; `both` goes to the second
/// first and to the first where that fails.
struct Stage {
    openai: Upstream,
    anthropic: Upstream,
    weir: RunningWeir,
}

fn stage() -> Stage {
    let (openai, anthropic) = (Upstream::start(), Upstream::start());
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
keys: {{ me: {{ key: wr-client-key }} }}
providers:
  o: {{ kind: openai, base_url: '{}', api_key: sk-openai-upstream }}
  a: {{ kind: anthropic, base_url: '{}', api_key: sk-ant-upstream }}
deployments:
  gpt: {{ provider: o, model: upstream-model, price: {{ input: 1, output: 2 }} }}
  claude: {{ provider: a, model: upstream-model, price: {{ input: 1, output: 2, cached_input: 0.5 }}, max_output: 64000 }}
routes:
  gpt: {{ deployments: [gpt], retries: {{ max: 0 }} }}
  claude: {{ deployments: [claude], retries: {{ max: 0 }} }}
  both: {{ deployments: [claude, gpt], policy: priority, retries: {{ base: 1ms, cap: 1ms }} }}
",
        openai.url(),
        anthropic.url(),
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    Stage { openai, anthropic, weir }
}

fn fixture(case: &str, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats").join(case).join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(case: &str, file: &str) -> Value {
    serde_json::from_str(&fixture(case, file)).unwrap()
}

/// A recorded answer of the format, streamed or whole.
fn answer(case: &str, format: &str, stream: bool) -> Answer {
    if stream {
        let events = fixture(case, &format!("{format}.stream.sse"));
        Answer::event_bytes(events.split_inclusive("\n\n").map(str::to_owned).collect::<Vec<_>>())
    } else {
        Answer::json(200, &read(case, &format!("{format}.reply.json")))
    }
}

impl Stage {
    fn ask(&self, path: &str, body: &Value) -> Reply {
        self.weir.post(path, &[("authorization", "Bearer wr-client-key")], body)
    }
}

/// The recorded call of a case, to this route.
fn call(case: &str, format: &str, model: &str, stream: bool) -> Value {
    let mut call = read(case, &format!("{format}.call.json"));
    call["model"] = model.into();
    if stream {
        call["stream"] = true.into();
        if format == "chat" {
            call["stream_options"] = json!({ "include_usage": true });
        }
    }
    call
}

/// The data of a stream's events.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or(Value::from(data))).collect()
}

#[test]
fn each_is_answered_by_the_other() {
    let stage = stage();
    for case in ["text", "tools"] {
        for stream in [false, true] {
            stage.openai.always(answer(case, "chat", stream));
            stage.anthropic.always(answer(case, "messages", stream));
            for (path, format, model) in [
                (CHAT, "chat", "gpt"),
                (CHAT, "chat", "claude"),
                (MESSAGES, "messages", "gpt"),
                (MESSAGES, "messages", "claude"),
            ] {
                let what = format!("{case} {format} to {model}, stream {stream}");
                let reply = stage.ask(path, &call(case, format, model, stream));
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                assert_eq!(reply.header("x-weir-dropped"), None, "{what}");
                if stream {
                    let wanted = events(&fixture(case, &format!("{format}.stream.sse")));
                    let mut got = events(&reply.text());
                    // The time of its making is told only where the upstream told it.
                    for chunk in got.iter_mut().filter(|chunk| chunk.get("created").is_some()) {
                        chunk["created"] = 1_790_000_000.into();
                    }
                    assert_eq!(got, wanted, "{what}");
                } else {
                    let mut got = reply.json();
                    if got.get("created").is_some() {
                        got["created"] = 1_790_000_000.into();
                    }
                    assert_eq!(got, read(case, &format!("{format}.reply.json")), "{what}");
                }
            }
        }
    }
    // What each upstream was sent is the case in its own words.
    let sent = |upstream: &Upstream| upstream.calls().iter().map(|seen| seen.json()).collect::<Vec<_>>();
    for (upstream, format) in [(&stage.openai, "chat"), (&stage.anthropic, "messages")] {
        for (at, body) in sent(upstream).into_iter().enumerate() {
            let case = if at < 4 { "text" } else { "tools" };
            let wanted = call(case, format, "upstream-model", at % 4 >= 2);
            assert_eq!(body, wanted, "{format}, call {at}");
        }
    }
}

#[test]
fn credentials_and_headers_are_those_of_each_vendor() {
    let stage = stage();
    stage.anthropic.always(answer("text", "messages", false));
    let key = [
        ("x-api-key", "wr-client-key"),
        ("anthropic-beta", "context-1m"),
        ("anthropic-version", "2099-01-01"),
    ];
    let body = call("text", "messages", "claude", false);
    let reply = stage.weir.post(MESSAGES, &key, &body);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("request-id"), reply.header("x-request-id"));
    let body = call("text", "chat", "claude", false);
    let more = [("authorization", "Bearer wr-client-key"), ("openai-beta", "assistants=v2")];
    assert_eq!(stage.weir.post(CHAT, &more, &body).status, 200);
    let calls = stage.anthropic.calls();
    for seen in &calls {
        assert_eq!(seen.header("x-api-key"), Some("sk-ant-upstream"));
        assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
        assert_eq!((seen.header("authorization"), seen.header("openai-beta")), (None, None));
    }
    assert_eq!(calls[0].header("anthropic-beta"), Some("context-1m"));
}

#[test]
fn what_is_left_behind_is_told() {
    let stage = stage();
    stage.anthropic.always(answer("text", "messages", false));
    let mut body = call("text", "chat", "claude", false);
    body["seed"] = 7.into();
    body["store"] = true.into();
    let reply = stage.ask(CHAT, &body);
    assert_eq!(reply.header("x-weir-dropped"), Some("store, seed"));
    let logged = stage.weir.wait_for_log("the call", |line| line["model"] == "claude");
    assert_eq!(logged["dropped"], "store, seed");
}

/// A vendor's own format or another: what it refuses is left out, and told in the client's words.
#[test]
fn what_a_vendor_refuses_is_left_out_and_told() {
    let upstream = Upstream::start();
    upstream.always(answer("text", "chat", false));
    let config = format!(
        "server: {{ listen: @public@, cores: 1, admin: {{ listen: @admin@, token: testkit-admin-token }} }}
keys: {{ me: {{ key: wr-client-key }} }}
providers: {{ m: {{ kind: mistral, base_url: '{}', api_key: sk-upstream }} }}
deployments: {{ m: {{ provider: m, model: upstream-model }} }}
routes: {{ m: {{ deployments: [m] }} }}
",
        upstream.url(),
    );
    let weir = weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    let ask = |path: &str, body: &Value| weir.post(path, &[("authorization", "Bearer wr-client-key")], body);
    let mut body = call("text", "chat", "m", false);
    let said = body["messages"].clone();
    (body["seed"], body["store"], body["logit_bias"]) = (7.into(), false.into(), Value::Null);
    let reply = ask(CHAT, &body);
    assert_eq!(
        (reply.status, reply.header("x-weir-dropped")),
        (200, Some("store, user")),
        "{}",
        reply.text()
    );
    let mut body = call("text", "messages", "m", false);
    body["metadata"] = json!({ "user_id": "u-1" });
    let reply = ask(MESSAGES, &body);
    assert_eq!((reply.status, reply.header("x-weir-dropped")), (200, Some("metadata.user_id")));
    weir.wait_for_log("the call", |line| line["dropped"] == "metadata.user_id");
    let sent: Vec<Value> = upstream.calls().iter().map(|seen| seen.json()).collect();
    assert_eq!((&sent[0]["messages"], &sent[0]["random_seed"]), (&said, &json!(7)));
    for body in &sent {
        let members = body.as_object().unwrap();
        for refused in ["seed", "store", "logit_bias", "user", "max_completion_tokens"] {
            assert!(!members.contains_key(refused), "{refused}: {body}");
        }
    }
}

#[test]
fn usage_and_cost_are_the_upstreams() {
    let stage = stage();
    for stream in [false, true] {
        stage.anthropic.always(answer("text", "messages", stream));
        let reply = stage.ask(CHAT, &call("text", "chat", "claude", stream));
        assert_eq!(reply.status, 200);
    }
    let whole = stage.weir.wait_for_log("the whole answer", |line| line["stream"] == false);
    let streamed = stage.weir.wait_for_log("the stream", |line| line["stream"] == true);
    // 40 tokens of prompt, 8 of them read from a cache at half the price; 4 of answer at twice the price.
    for (line, cost) in [(whole, "0.000044"), (streamed, "0.000044")] {
        assert_eq!(line["usage"]["input"], 40, "{line}");
        assert_eq!(line["usage"]["output"], 4, "{line}");
        assert_eq!(line["cost_usd"], cost, "{line}");
    }
}

#[test]
fn a_deployment_of_another_format_takes_over() {
    let stage = stage();
    for path in [CHAT, MESSAGES] {
        let format = if path == CHAT { "chat" } else { "messages" };
        for stream in [false, true] {
            stage.openai.always(answer("text", "chat", stream));
            stage.anthropic.always(Answer::json(
                529,
                &json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } }),
            ));
            let reply = stage.ask(path, &call("text", format, "both", stream));
            assert_eq!(reply.status, 200, "{format}: {}", reply.text());
            assert_eq!(reply.header("x-weir-deployment"), Some("gpt"), "{format} {stream}");
            assert!(reply.text().contains("slava."), "{}", reply.text());
        }
    }
}

#[test]
fn a_stream_that_breaks_off_is_completed_in_the_clients_format() {
    let stage = stage();
    stage.anthropic.always(answer("text", "messages", true).reset_after_events(3));
    stage.openai.always(answer("text", "chat", true));
    for (path, format) in [(CHAT, "chat"), (MESSAGES, "messages")] {
        let reply = stage.ask(path, &call("text", format, "both", true));
        let (text, events) = (reply.text(), events(&reply.text()));
        let spent = if format == "chat" {
            let said: String =
                events.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
            assert_eq!(said, "Bratislava.", "{text}");
            assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
            events[events.len() - 2]["usage"]["completion_tokens"].clone()
        } else {
            // The first part went out as it came; the second is told in the block that stands open.
            let said: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
            assert_eq!(said, "Bratislava.", "{text}");
            let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
            let expect = [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ];
            assert_eq!(kinds, expect, "{text}");
            assert!(events.iter().all(|event| event["index"].as_u64().unwrap_or(0) == 0), "{text}");
            events[5]["usage"]["output_tokens"].clone()
        };
        // Its own four, and an estimate of the first part.
        assert_eq!(spent, 4 + 2, "{text}");
    }
}

/// What cannot be completed ends in an error of the client's format, which says what was spent.
#[test]
fn a_stream_that_nobody_completes_ends_in_the_clients_words() {
    let stage = stage();
    stage.anthropic.always(answer("text", "messages", true).reset_after_events(3));
    stage.openai.always(answer("text", "chat", true).reset_after_events(3));
    let routes = [("claude", CHAT, "chat"), ("claude", MESSAGES, "messages"), ("gpt", MESSAGES, "messages")];
    for (route, path, format) in routes {
        let text = stage.ask(path, &call("text", format, route, true)).text();
        let last = events(&text).pop().unwrap();
        let kind = if format == "chat" { "server_error" } else { "api_error" };
        let tokens = if format == "chat" { "completion_tokens" } else { "output_tokens" };
        assert_eq!(last["error"]["type"], kind, "{route} {path}: {text}");
        assert!(last["error"]["usage"][tokens].as_u64().unwrap() > 0, "{route} {path}: {text}");
        assert!(!text.contains("message_stop") && !text.contains("[DONE]"), "{route} {path}: {text}");
    }
}

#[test]
fn errors_come_in_the_clients_envelope() {
    let stage = stage();
    let overloaded =
        json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    stage.anthropic.always(Answer::json(529, &overloaded));
    stage.openai.always(Answer::status(429).header("retry-after", "7"));
    let reply = stage.ask(CHAT, &call("text", "chat", "claude", false));
    assert_eq!((reply.status, &reply.json()["error"]["message"]), (529, &json!("Overloaded")));
    let reply = stage.ask(MESSAGES, &call("text", "messages", "gpt", false));
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
    assert_eq!(reply.json()["type"], "error");
    assert_eq!(reply.json()["error"]["type"], "rate_limit_error");
    // And what is wrong with the call itself, before anybody is called.
    let reply =
        stage.ask(MESSAGES, &json!({ "model": "gpt", "messages": [{ "role": "robot", "content": "x" }] }));
    assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &json!("messages[0].role")));
    let reply = stage.ask(MESSAGES, &json!({ "model": "nope", "messages": [] }));
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (404, &json!("not_found_error")));
    let reply =
        stage.weir.post(MESSAGES, &[("x-api-key", "wrong")], &json!({ "model": "gpt", "messages": [] }));
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (401, &json!("authentication_error")));
}

#[test]
fn who_has_nothing_like_what_is_called_is_no_candidate() {
    let stage = stage();
    stage.openai.always(Answer::embeddings(2));
    stage.anthropic.always(answer("text", "messages", false));
    // The first of `both` embeds nothing, and is not asked.
    let reply = stage.ask("/v1/embeddings", &json!({ "model": "both", "input": "x" }));
    assert_eq!((reply.status, reply.header("x-weir-deployment")), (200, Some("gpt")), "{}", reply.text());
    assert_eq!(reply.header("x-weir-attempts"), Some("1"));
    assert!(stage.anthropic.calls().is_empty());
    // For what it does have it is.
    let reply = stage.ask(CHAT, &call("text", "chat", "both", false));
    assert_eq!(reply.header("x-weir-deployment"), Some("claude"), "{}", reply.text());
}

#[test]
fn what_a_vendor_does_not_have_is_said() {
    let stage = stage();
    let reply = stage.ask("/v1/embeddings", &json!({ "model": "claude", "input": "x" }));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (400, &json!("endpoint_not_supported")));
    assert!(stage.anthropic.calls().is_empty());
}
