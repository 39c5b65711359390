use super::*;
use crate::format::chat::Chat;
use crate::format::messages::Messages;
use crate::format::tests::{events, stream_of, translated_call, translated_stream};
use crate::neutral::Chunk;
use serde_json::{Value, json};
use weir_core::Class;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-6-v1:0";

/// A part of what an OpenAI client says, as a deployment of Bedrock gets it, and what is left behind.
fn check(model: &str, said: &Value, pointer: &str, wanted: &Value, lost: &str) {
    let mut body = json!({"model": "x", "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (got, left) = translated_call(&Chat, &Converse, model, &body.to_string()).unwrap();
    let part = got.pointer(pointer).unwrap_or(&Value::Null);
    assert_eq!((part, &*left), (wanted, lost), "{model} {said} {got}");
}

/// A conversation of Anthropic's clients as a deployment of Bedrock gets it.
fn check_messages(model: &str, messages: &Value, wanted: &Value, lost: &str) {
    let body = json!({"model": "x", "max_tokens": 9, "messages": messages}).to_string();
    let (got, left) = translated_call(&Messages, &Converse, model, &body).unwrap();
    assert_eq!((&got["messages"], &*left), (wanted, lost), "{model} {messages}");
}

/// What a client of Bedrock's says beside hello, as an OpenAI deployment gets it, and what is left behind.
fn check_read(said: &Value, wanted: &Value, lost: &str) {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]});
    body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    let (mut got, left) = translated_call(&Converse, &Chat, "m", &body.to_string()).unwrap();
    let got = got.as_object_mut().unwrap();
    got.remove("model");
    if !said.as_object().unwrap().contains_key("messages") {
        assert_eq!(got.remove("messages"), Some(json!([{"role": "user", "content": "Hello"}])));
    }
    assert_eq!((&Value::Object(got.clone()), &*left), (wanted, lost), "{said}");
}

#[test]
fn how_much_is_thought_depends_on_whose_model_it_is() {
    let effort = |word: &str| json!({ "reasoning_effort": word });
    let fields = "/additionalModelRequestFields";
    for model in [CLAUDE, "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4"] {
        let thinks = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
        check(model, &effort("low"), fields, &thinks, "");
        check(model, &effort("low"), "/inferenceConfig", &json!({"maxTokens": 5120}), "");
    }
    check(CLAUDE, &effort("none"), fields, &Value::Null, "");
    let short = json!({"reasoning_effort": "low", "max_tokens": 1000});
    check(CLAUDE, &short, "/inferenceConfig", &json!({"maxTokens": 1000}), "reasoning_effort");
    let small = json!({"reasoning_effort": "high", "max_tokens": 5000});
    check(CLAUDE, &small, &format!("{fields}/thinking/budget_tokens"), &json!(4999), "");

    let nova = "us.amazon.nova-2-lite-v1:0";
    let much = |word: &str| json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": word}});
    check(nova, &effort("high"), fields, &much("high"), "");
    let limited = json!({"reasoning_effort": "high", "max_tokens": 9});
    check(nova, &limited, fields, &much("medium"), "reasoning_effort");
    check("amazon.nova-pro-v1:0", &effort("high"), fields, &Value::Null, "reasoning_effort");
    check("openai.gpt-oss-120b-1:0", &effort("minimal"), fields, &json!({"reasoning_effort": "low"}), "");
    check("meta.llama3-3-70b-instruct-v1:0", &effort("low"), fields, &Value::Null, "reasoning_effort");
}

#[test]
fn claude_thinks_with_its_own_way_of_drawing_tokens() {
    let said = json!({"reasoning_effort": "low", "temperature": 0.3, "top_p": 0.5, "top_k": 4});
    let config = json!({"maxTokens": 5120});
    check(CLAUDE, &said, "/inferenceConfig", &config, "top_k, temperature, top_p");
    // Not where a tool is forced.
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let forced = json!({"reasoning_effort": "low", "tools": tools, "tool_choice": "required"});
    check(CLAUDE, &forced, "/additionalModelRequestFields", &Value::Null, "reasoning_effort");
    // Nor in the middle of a round of tools that it did not begin.
    let body = json!({"model": "x", "max_tokens": 4000, "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "1"}]}]});
    let (got, lost) = translated_call(&Messages, &Converse, CLAUDE, &body.to_string()).unwrap();
    assert_eq!((got.get("additionalModelRequestFields"), &*lost), (None, "thinking"));
}

#[test]
fn settings_keep_to_what_each_model_takes() {
    let both = json!({"temperature": 1.5, "top_p": 0.5, "seed": 1});
    check(CLAUDE, &both, "/inferenceConfig", &json!({"temperature": 1.0}), "temperature, top_p, seed");
    let config = json!({"temperature": 1.0, "topP": 0.5});
    check("mistral.mistral-large-2407-v1:0", &both, "/inferenceConfig", &config, "temperature, seed");

    let fields = "/additionalModelRequestFields";
    check(CLAUDE, &json!({"top_k": 4}), fields, &json!({"top_k": 4}), "");
    check(
        "amazon.nova-lite-v1:0",
        &json!({"top_k": 4}),
        fields,
        &json!({"inferenceConfig": {"topK": 4}}),
        "",
    );
    check("m", &json!({"top_k": 4}), fields, &Value::Null, "top_k");

    let stop = json!({"stop": ["\n", "END"]});
    check(CLAUDE, &stop, "/inferenceConfig", &json!({"stopSequences": ["END"]}), "stop");
    check(CLAUDE, &stop, "/additionalModelResponseFieldPaths", &json!(["/stop_sequence"]), "stop");
    check("m", &stop, "/additionalModelResponseFieldPaths", &Value::Null, "stop");

    check("m", &json!({"service_tier": "flex"}), "/serviceTier", &json!({"type": "flex"}), "");
    check("m", &json!({"service_tier": "auto"}), "/serviceTier", &Value::Null, "");
    check("m", &json!({"service_tier": "scale"}), "/serviceTier", &Value::Null, "service_tier");
    check("m", &json!({"metadata": {"team": "a-1"}}), "/requestMetadata", &json!({"team": "a-1"}), "");
    check("m", &json!({"metadata": {"team": "ä"}}), "/requestMetadata", &Value::Null, "metadata");
}

#[test]
fn what_the_client_wants_passed_on_stands_beside_ours() {
    let guard = json!({"guardrailIdentifier": "g1", "guardrailVersion": "2"});
    let extra = json!({"guardrailConfig": guard, "additionalModelRequestFields": {"anthropic_beta": ["x"]}});
    let fields = json!({"top_k": 4, "anthropic_beta": ["x"]});
    let said = json!({"top_k": 4, "extra_body": extra});
    check(CLAUDE, &said, "/additionalModelRequestFields", &fields, "");
    check(CLAUDE, &said, "/guardrailConfig", &guard, "");
    let alone = json!({"extra_body": {"additionalModelRequestFields": {"a": 1}}});
    check(CLAUDE, &alone, "/additionalModelRequestFields", &json!({"a": 1}), "");
}

#[test]
fn marks_of_what_to_keep_are_blocks_of_their_own() {
    let mark = json!({"type": "ephemeral"});
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let body = json!({"model": "x", "max_tokens": 9,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": hour}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
        "messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c",
                "content": [{"type": "text", "text": "1", "cache_control": mark}]},
            {"type": "text", "text": "Hello", "cache_control": mark}]}]});
    let point = json!({"cachePoint": {"type": "default"}});
    let (got, lost) = translated_call(&Messages, &Converse, CLAUDE, &body.to_string()).unwrap();
    assert_eq!(lost, "");
    assert_eq!(got["system"][1], json!({"cachePoint": {"type": "default", "ttl": "1h"}}));
    assert_eq!(got["toolConfig"]["tools"][1], point);
    let content = got["messages"][0]["content"].as_array().unwrap();
    assert_eq!((content.len(), &content[1], &content[3]), (4, &point, &point));
    // And back.
    let (back, lost) = translated_call(&Converse, &Messages, "m", &got.to_string()).unwrap();
    assert_eq!(lost, "");
    assert_eq!(back["system"], body["system"]);
    assert_eq!(back["tools"], body["tools"]);
    assert_eq!(back["messages"][0]["content"][1], body["messages"][0]["content"][1]);

    let (got, lost) = translated_call(&Messages, &Converse, "meta.llama3", &body.to_string()).unwrap();
    assert_eq!((got.to_string().contains("cachePoint"), &*lost), (false, "cache_control"));
}

#[test]
fn thoughts_go_back_to_claude_with_seals_of_either_side() {
    let turn = |seal: &str| {
        json!([{"role": "user", "content": "?"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "So.", "signature": seal},
                {"type": "text", "text": "Yes."}]},
            {"role": "user", "content": "Why?"}])
    };
    let user = |text: &str| json!({"role": "user", "content": [{"text": text}]});
    let told = |thoughts: Option<&str>| {
        let seal =
            |seal: &str| json!({"reasoningContent": {"reasoningText": {"text": "So.", "signature": seal}}});
        let mut content: Vec<Value> = thoughts.map(seal).into_iter().collect();
        content.push(json!({"text": "Yes."}));
        json!([user("?"), {"role": "assistant", "content": content}, user("Why?")])
    };
    check_messages(CLAUDE, &turn("c2ln"), &told(Some("c2ln")), "");
    check_messages(CLAUDE, &turn("converse#c2ln"), &told(Some("c2ln")), "");
    check_messages("m", &turn("converse#c2ln"), &told(Some("c2ln")), "");
    check_messages("m", &turn("c2ln"), &told(None), "messages.content.thinking");
    check_messages(CLAUDE, &turn("gemini#c2ln"), &told(None), "messages.content.thinking");
}

#[test]
fn a_conversation_is_made_to_be_one_that_bedrock_takes() {
    let user = |content: Value| json!({"role": "user", "content": content});
    let none = json!({"role": "user", "content": [{"text": "."}]});
    check_messages("m", &json!([]), &json!([none]), "");
    let answer = json!({"role": "assistant", "content": "Well, "});
    let begun = json!({"role": "assistant", "content": [{"text": "Well,"}]});
    check_messages("m", &json!([answer]), &json!([none, begun]), "");
    // A document has a name of its own, in letters that are allowed, and does not stand without words.
    let file = |title: &str| {
        json!({"type": "document", "title": title,
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}})
    };
    let told =
        |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "JVBERi0="}}});
    let wanted = json!([told("a-b c"), told("a-b c (2)"), told("document"), {"text": "."}]);
    let given = user(json!([file("a.b  c"), file("a.b  c"), file("")]));
    check_messages("m", &json!([given]), &json!([user(wanted)]), "");
    let page =
        json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hi"}});
    let told = json!({"document": {"format": "txt", "name": "document", "source": {"text": "Hi"}}});
    check_messages("m", &json!([user(json!([page]))]), &json!([user(json!([told, {"text": "."}]))]), "");
}

#[test]
fn media_come_as_bytes_or_lie_in_s3() {
    let image = |url: &str| {
        json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let at = "/messages/0/content/0";
    let s3 = json!({"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/cat.JPG"}}}});
    check("m", &image("s3://b/cat.JPG"), at, &s3, "");
    check("m", &image("https://example.org/cat.png"), at, &json!({"text": "."}), "image_url");
    check("m", &image("data:image/tiff;base64,AAAA"), at, &json!({"text": "."}), "image_url");
    let sound = json!({"messages": [{"role": "user", "content": [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}]}]});
    check("m", &sound, at, &json!({"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}}), "");
    let film =
        r#"{"messages":[{"role":"user","content":[{"video":{"format":"mov","source":{"bytes":"AAAA"}}}]}]}"#;
    let (got, lost) = translated_call(&Converse, &Converse, "m", film).unwrap();
    assert_eq!((&got, &*lost), (&serde_json::from_str::<Value>(film).unwrap(), ""));
}

#[test]
fn tools_of_a_conversation_are_named_even_where_none_may_be_called() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let spec = |name: &str| {
        let schema = json!({"type": "object", "properties": {}});
        json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}})
    };
    let history = json!([{"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "1"}]);
    let none = json!({"tools": [tool("f")], "tool_choice": "none"});
    check("m", &none, "/toolConfig", &Value::Null, "");
    let later = json!({"messages": history, "tools": [tool("f"), tool("g")], "tool_choice": "none"});
    check("m", &later, "/toolConfig", &json!({"tools": [spec("f"), spec("g")]}), "tool_choice");
    let without = json!({ "messages": history });
    check("m", &without, "/toolConfig", &json!({"tools": [spec("f")]}), "");
    let strict = json!({"tools": [{"type": "function", "function": {"name": "f", "strict": true}}]});
    check("m", &strict, "/toolConfig/tools/0/toolSpec/strict", &json!(true), "");
}

#[test]
fn ids_and_arguments_of_calls_are_such_as_bedrock_takes() {
    let long = "x".repeat(100);
    for (id, wanted) in [("", "call"), ("a.b:c/ä", "a_b_c__"), (&*long, &long[..64])] {
        assert_eq!(write::tool_id(id), wanted);
    }
    let told = json!([{"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "f", "arguments": "no object"}}]}]);
    let wanted = json!({"toolUse": {"toolUseId": "c", "name": "f", "input": {"arguments": "no object"}}});
    check("m", &json!({ "messages": told }), "/messages/1/content/0", &wanted, "");
}

#[test]
fn calls_of_bedrocks_own_clients_are_read() {
    let config = json!({"temperature": 0.5, "topP": 0.9, "maxTokens": 7, "stopSequences": ["a"]});
    let read = json!({"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop": ["a"]});
    check_read(&json!({ "inferenceConfig": config }), &read, "");
    let fields = |fields: Value| json!({ "additionalModelRequestFields": fields });
    check_read(&fields(json!({"inferenceConfig": {"topK": 5}})), &json!({"top_k": 5}), "");
    let nova = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}});
    check_read(&fields(nova), &json!({"reasoning_effort": "low"}), "");
    check_read(&json!({"outputConfig": {"effort": "max"}}), &json!({"reasoning_effort": "xhigh"}), "");
    let unknown = fields(json!({"anthropic_beta": ["x"]}));
    check_read(&unknown, &json!({}), "additionalModelRequestFields.anthropic_beta");
    let guard = json!({"guardrailConfig": {"guardrailIdentifier": "g"}, "requestMetadata": {"a": "b"}});
    check_read(&guard, &json!({"metadata": {"a": "b"}}), "guardrailConfig");

    let blocks = json!([{"cachePoint": {"type": "default"}}, {"guardContent": {"text": {"text": "x"}}},
        {"toolUse": {"toolUseId": "s", "name": "web", "input": {}, "type": "server_tool_use"}}, {"text": "Hi"}]);
    let said = json!({"messages": [{"role": "user", "content": blocks}]});
    let at = |at: u8, what: &str| format!("messages[0].content[{at}]{what}");
    let lost = [at(1, ".guardContent"), at(0, ".cachePoint"), at(1, ""), at(2, ".toolUse")].join(", ");
    check_read(&said, &json!({"messages": [{"role": "user", "content": "Hi"}]}), &lost);
}

#[test]
fn a_call_that_is_wrong_names_its_field() {
    for (body, param) in [
        (json!({}), "messages"),
        (json!({"messages": [{"role": "tool", "content": []}]}), "messages[0].role"),
        (json!({"messages": [], "toolConfig": {"tools": [{}]}}), "toolConfig.tools[0]"),
        (json!({"messages": [], "toolConfig": {"tools": [], "toolChoice": {}}}), "toolConfig.toolChoice"),
        (
            json!({"messages": [{"role": "user", "content": [{"image": {"source": {"bytes": "AA"}}}]}]}),
            "messages[0].content[0].image.format",
        ),
        (
            json!({"messages": [], "outputConfig": {"textFormat": {"type": "xml"}}}),
            "outputConfig.textFormat.type",
        ),
    ] {
        let fault = Converse.read_call(body.to_string().as_bytes(), &mut Lost::default()).unwrap_err();
        assert_eq!((fault.status, fault.class), (400, Class::Caller), "{body}");
        let named = fault.param.as_deref().unwrap_or_default();
        assert!(named == param || fault.message.contains(param), "{param}: {fault:?}");
    }
}

/// `cacheDetails` are sorted by how long they last (botocore, `TokenUsage`).
#[test]
fn tokens_of_a_cache_are_counted_beside_the_prompt() {
    let usage = |text: &str| serde_json::from_str::<Tokens<'_>>(text).unwrap().usage();
    let stated = r#"{"inputTokens":2,"outputTokens":3,"totalTokens":19,"cacheReadInputTokens":4,
        "cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":7},{"ttl":"5m","inputTokens":3}]}"#;
    let counted =
        Usage { input: 16, cache_read: 4, cache_write: 10, cache_write_1h: 7, output: 3, ..Usage::default() };
    assert_eq!(usage(stated), Some(counted));
    let mut out = Vec::new();
    object(&mut out, |object| write_usage(object, counted));
    assert_eq!(usage(std::str::from_utf8(&out).unwrap()), Some(counted));
    assert_eq!(usage("{}"), None);
}

#[test]
fn reasons_to_end_are_told_apart() {
    for (word, wanted) in [
        ("guardrail_intervened", Finish::ContentFilter),
        ("content_filtered", Finish::ContentFilter),
        ("refusal", Finish::Refusal),
        ("malformed_tool_use", Finish::MalformedCall),
        ("malformed_model_output", Finish::Other(Str::from("malformed_model_output"))),
        ("model_context_window_exceeded", Finish::ContextWindow),
    ] {
        assert_eq!(finish(Str::from(word), None), wanted);
    }
}

#[test]
fn a_prompt_routers_choice_is_the_model() {
    let reply = r#"{"output":{"message":{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"A"},
        {"text":"B"}],"citations":[{"title":"t"}]}}]}},"stopReason":"end_turn","serviceTier":{"type":"flex"},
        "trace":{"promptRouter":{"invokedModelId":"anthropic.claude-3"}}}"#;
    let reply = Converse.read_reply(reply.as_bytes()).unwrap();
    assert_eq!((&*reply.model, reply.service_tier.as_deref()), ("anthropic.claude-3", Some("flex")));
    let again = reply::write(&reply);
    let text = String::from_utf8(again).unwrap();
    assert!(
        text.contains(r#""citationsContent":{"content":[{"text":"AB"}],"citations":[{"title":"t"}]}"#),
        "{text}"
    );
}

fn told(stream: &str) -> Vec<String> {
    let mut told = Vec::new();
    let mut reader = Converse.stream_reader();
    let mut give = |chunk: Chunk<'_>| {
        told.push(match chunk {
            Chunk::Error(fault) => format!("{} {} {}", fault.class.name(), fault.status, fault.message),
            Chunk::Finish { finish, .. } => format!("{finish:?}"),
            Chunk::Usage(usage) => format!("{} tokens", usage.total()),
            Chunk::End => "end".to_owned(),
            _ => "more".to_owned(),
        });
    };
    for (name, data) in events(Framing::Frames, &stream_of(Framing::Frames, stream.as_bytes())) {
        reader.read(Some(name.as_bytes()), data.to_string().as_bytes(), &mut give).unwrap();
    }
    reader.end(&mut give);
    told
}

#[test]
fn a_stream_is_whole_once_it_says_why_it_ended() {
    let start = "messageStart {\"role\":\"assistant\"}\n";
    let stop = "messageStop {\"stopReason\":\"end_turn\"}\n";
    let usage = "metadata {\"usage\":{\"inputTokens\":1,\"outputTokens\":2,\"totalTokens\":3}}\n";
    assert_eq!(told(start), ["more"]);
    assert_eq!(told(&[start, stop].concat()), ["more", "Stop", "end"]);
    assert_eq!(told(&[start, stop, usage].concat()), ["more", "Stop", "3 tokens", "end"]);
    // Usage alone is no end, and what is unknown is no trouble.
    assert_eq!(told(&[start, usage, "somethingNew {}\n"].concat()), ["more", "3 tokens"]);
}

#[test]
fn exceptions_are_faults_of_their_kind() {
    for (exception, wanted) in [
        ("!throttlingException {\"message\":\"Slow down\"}", "rate 429 Slow down"),
        ("!ThrottlingException {\"message\":\"Slow down\"}", "rate 429 Slow down"),
        ("!serviceUnavailableException {\"message\":\"No\"}", "server_error 503 No"),
        ("!validationException {\"message\":\"Bad\"}", "caller 400 Bad"),
        (
            "!validationException {\"message\":\"Input is too long for requested model.\"}",
            "context_window 400 Input is too long for requested model.",
        ),
        (
            "!modelStreamErrorException {\"message\":\"Broke\",\"originalStatusCode\":503}",
            "server_error 503 Broke",
        ),
        ("!modelStreamErrorException {\"originalStatusCode\":400,\"message\":\"B\"}", "server_error 502 B"),
        ("!InternalFailure {\"message\":\"Oh\"}", "server_error 502 Oh"),
    ] {
        assert_eq!(told(exception), [wanted], "{exception}");
    }
    // After an exception, nothing makes the answer whole.
    assert_eq!(told("messageStop {\"stopReason\":\"end_turn\"}\n!internalServerException {}").len(), 2);
}

#[test]
fn bedrocks_own_tools_are_not_the_clients_to_run() {
    let stream = "messageStart {\"role\":\"assistant\"}\n\
        contentBlockStart {\"start\":{\"toolUse\":{\"toolUseId\":\"s\",\"name\":\"web\",\"type\":\"server_tool_use\"}},\"contentBlockIndex\":0}\n\
        contentBlockDelta {\"delta\":{\"toolUse\":{\"input\":\"{}\"}},\"contentBlockIndex\":0}\n\
        contentBlockStop {\"contentBlockIndex\":0}\n\
        messageStop {\"stopReason\":\"end_turn\"}\n";
    let stream = stream_of(Framing::Frames, stream.as_bytes());
    let got = events(Framing::Events, &translated_stream(&Converse, &Chat, &stream));
    assert!(!got.iter().any(|(_, event)| event.to_string().contains("tool_calls")), "{got:?}");
}

#[test]
fn hidden_thoughts_of_others_are_shown_as_bytes() {
    let reply =
        br#"{"id":"a","content":[{"type":"redacted_thinking","data":"eA=="}],"stop_reason":"end_turn"}"#;
    let reply = Messages.read_reply(reply).unwrap();
    let shown: Value = serde_json::from_slice(&reply::write(&reply)).unwrap();
    let block = shown["output"]["message"]["content"][0].clone();
    let data = block["reasoningContent"]["redactedContent"].as_str().unwrap();
    assert!(crate::base64::decode(data).is_some(), "{data}");
    let turn = json!({"messages": [{"role": "assistant", "content": [block]}]}).to_string();
    let (back, _) = translated_call(&Converse, &Messages, "m", &turn).unwrap();
    assert_eq!(back["messages"][1]["content"][0], json!({"type": "redacted_thinking", "data": "eA=="}));
}

#[test]
fn faults_are_told_in_aws_words() {
    for (status, kind, event) in [
        (400, "ValidationException", "!validationException"),
        (401, "AccessDeniedException", "!validationException"),
        (429, "ThrottlingException", "!throttlingException"),
        (503, "ServiceUnavailableException", "!serviceUnavailableException"),
        (502, "InternalServerException", "!internalServerException"),
    ] {
        let fault = Fault::new(Class::ServerError, status, "code", "Message");
        let told = json!({"__type": kind, "message": "Message", "code": "code"});
        assert_eq!(serde_json::from_slice::<Value>(&Converse.error(&fault, None)).unwrap(), told);
        let events = events(Framing::Frames, &Converse.error_event(&fault, None, None));
        assert_eq!(events, [(event.to_owned(), told)]);
    }
}
