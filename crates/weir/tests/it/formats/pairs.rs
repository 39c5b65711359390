//! Every client's format against every deployment's: the same words, the same end, the same tokens.

use super::{fixture, read};
use serde_json::{Value, json};
use std::path::Path;
use weir_testkit::client::Reply;
use weir_testkit::{Answer, RunningWeir, Upstream};

/// One API as its clients use it.
struct Api {
    /// The name of its format, as fixtures have it.
    name: &'static str,
    /// The name of its operation, as `providers.<name>.endpoints` has it.
    endpoint: &'static str,
    path: &'static str,
    streamed: &'static str,
    /// Where a whole answer, and where a piece of a stream, has its text.
    text: [&'static str; 2],
    /// Where tokens of prompt and answer are told.
    tokens: [&'static str; 2],
}

const fn api(
    name: &'static str,
    endpoint: &'static str,
    path: &'static str,
    text: [&'static str; 2],
    tokens: [&'static str; 2],
) -> Api {
    Api { name, endpoint, path, streamed: path, text, tokens }
}

const APIS: [Api; 7] = [
    api(
        "chat",
        "chat",
        "/v1/chat/completions",
        ["/choices/0/message/content", "/choices/0/delta/content"],
        ["/usage/prompt_tokens", "/usage/completion_tokens"],
    ),
    api(
        "messages",
        "messages",
        "/v1/messages",
        ["/content/0/text", "/delta/text"],
        ["/usage/input_tokens", "/usage/output_tokens"],
    ),
    api(
        "responses",
        "responses",
        "/v1/responses",
        ["/output/0/content/0/text", "/delta"],
        ["/usage/input_tokens", "/usage/output_tokens"],
    ),
    Api {
        name: "gemini",
        endpoint: "generate_content",
        path: "/v1beta/models/{model}:generateContent",
        streamed: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        text: ["/candidates/0/content/parts/0/text", "/candidates/0/content/parts/0/text"],
        tokens: ["/usageMetadata/promptTokenCount", "/usageMetadata/candidatesTokenCount"],
    },
    api(
        "ollama",
        "ollama_chat",
        "/api/chat",
        ["/message/content", "/message/content"],
        ["/prompt_eval_count", "/eval_count"],
    ),
    // Of these two there are clients, and no deployment that others are translated to.
    api(
        "completions",
        "completions",
        "/v1/completions",
        ["/choices/0/text", "/choices/0/text"],
        ["/usage/prompt_tokens", "/usage/completion_tokens"],
    ),
    api(
        "ollama_generate",
        "ollama_generate",
        "/api/generate",
        ["/response", "/response"],
        ["/prompt_eval_count", "/eval_count"],
    ),
];
const DEPLOYED: usize = 5;

/// An upstream of each format, and a route of its name to each.
struct Stage {
    upstreams: Vec<Upstream>,
    weir: RunningWeir,
}

fn stage() -> Stage {
    let upstreams: Vec<Upstream> = (0..DEPLOYED).map(|_| Upstream::start()).collect();
    let mut config =
        "server: { listen: @public@, cores: 1, admin: { listen: @admin@, token: testkit-admin-token } }
keys: { me: { key: wr-client-key } }
"
        .to_owned();
    let each = || APIS.iter().zip(&upstreams);
    config.push_str("providers:\n");
    for (api, upstream) in each() {
        config.push_str(&format!(
            "  {}: {{ kind: openai, base_url: '{}', endpoints: [{}] }}\n",
            api.name,
            upstream.url(),
            api.endpoint
        ));
    }
    config.push_str("deployments:\n");
    for (api, _) in each() {
        config.push_str(&format!(
            "  {0}: {{ provider: {0}, model: upstream-model, price: {{ input: 1, output: 2 }} }}\n",
            api.name
        ));
    }
    config.push_str("routes:\n");
    for (api, _) in each() {
        config.push_str(&format!("  {0}: {{ deployments: [{0}], retries: {{ max: 0 }} }}\n", api.name));
    }
    config.push_str("  strict: { deployments: [messages], drop_params: false, retries: { max: 0 } }\n");
    config.push_str("  able: { deployments: [messages, chat], policy: priority, drop_params: false }\n");
    config.push_str(
        "  both: { deployments: [ollama, gemini], policy: priority, retries: { base: 1ms, cap: 1ms } }\n",
    );
    Stage { weir: weir_testkit::weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config), upstreams }
}

impl Stage {
    fn ask(&self, api: &Api, model: &str, case: &str, stream: bool) -> Reply {
        let path = if stream { api.streamed } else { api.path }.replace("{model}", model);
        self.weir.post(&path, &[("authorization", "Bearer wr-client-key")], &call(api, model, case, stream))
    }

    fn answers(&self, deployment: usize, case: &str, stream: bool) {
        self.upstreams[deployment].always(answer(APIS[deployment].name, case, stream));
    }
}

/// The recorded call of a case, to this route. What completes texts has no conversation to say.
fn call(api: &Api, model: &str, case: &str, stream: bool) -> Value {
    let mut call = match api.name {
        "completions" | "ollama_generate" => json!({ "prompt": "And of \"Slovakia\"?\n" }),
        name => read(case, &format!("{name}.call.json")),
    };
    if api.name != "gemini" {
        call["model"] = model.into();
        call["stream"] = stream.into();
    }
    if stream && ["chat", "completions"].contains(&api.name) {
        call["stream_options"] = json!({ "include_usage": true });
    }
    call
}

/// A recorded answer of the format, streamed or whole.
fn answer(format: &str, case: &str, stream: bool) -> Answer {
    let (extension, end) = if format == "ollama" { ("ndjson", "\n") } else { ("sse", "\n\n") };
    if stream {
        let events = fixture(case, &format!("{format}.stream.{extension}"));
        Answer::event_bytes(events.split_inclusive(end).map(str::to_owned).collect::<Vec<_>>())
    } else {
        Answer::json(200, &read(case, &format!("{format}.reply.json")))
    }
}

/// What a client hears: the text, and the tokens it is told of.
fn heard(api: &Api, reply: &Reply, stream: bool) -> (String, [u64; 2]) {
    let (mut text, mut tokens) = (String::new(), [0; 2]);
    let mut hear = |value: &Value, place: &str| {
        text.push_str(value.pointer(place).and_then(Value::as_str).unwrap_or_default());
        // Some tell it inside of what began, or ended, the answer.
        for told in [Some(value), value.get("message"), value.get("response")].into_iter().flatten() {
            for (place, count) in api.tokens.iter().zip(&mut tokens) {
                *count = told.pointer(place).and_then(Value::as_u64).unwrap_or(*count);
            }
        }
    };
    if stream {
        let body = reply.text();
        let data = body.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        let events =
            data.filter(|data| data.starts_with('{')).map(|data| serde_json::from_str(data).unwrap());
        events.for_each(|event: Value| hear(&event, api.text[1]));
    } else {
        hear(&reply.json(), api.text[0]);
    }
    (text, tokens)
}

#[test]
fn every_client_is_answered_by_every_deployment() {
    let stage = stage();
    for (place, deployed) in APIS.iter().take(DEPLOYED).enumerate() {
        for stream in [false, true] {
            stage.answers(place, "text", stream);
            for client in &APIS {
                let what = format!("{} to {}, stream {stream}", client.name, deployed.name);
                let reply = stage.ask(client, deployed.name, "text", stream);
                assert_eq!(reply.status, 200, "{what}: {}", reply.text());
                let kind = match (stream, client.name.starts_with("ollama")) {
                    (false, _) => "application/json",
                    (true, true) => "application/x-ndjson",
                    (true, false) => "text/event-stream",
                };
                assert!(reply.header("content-type").unwrap().starts_with(kind), "{what}");
                let (text, [input, output]) = heard(client, &reply, stream);
                assert_eq!((&*text, output), ("Bratislava.", 4), "{what}: {}", reply.text());
                // Anthropic counts what is cached apart.
                let prompt = if client.name == "messages" { &[16, 32, 40][..] } else { &[40][..] };
                assert!(prompt.contains(&input), "{what}: {input} in {}", reply.text());
            }
            let calls = stage.upstreams[place].calls();
            let sent = calls.iter().rev().take(APIS.len());
            let wanted = match (deployed.name, stream) {
                ("gemini", false) => "/models/upstream-model:generateContent",
                ("gemini", true) => "/models/upstream-model:streamGenerateContent?alt=sse",
                _ => deployed.path,
            };
            for call in sent {
                assert!(call.path.ends_with(wanted), "{} is not {wanted}", call.path);
            }
        }
    }
}

/// What speaks the same is passed on byte for byte.
#[test]
fn the_same_format_stays_bytes() {
    let stage = stage();
    for (place, api) in APIS.iter().take(DEPLOYED).enumerate() {
        for stream in [false, true] {
            for case in ["text", "tools"] {
                stage.answers(place, case, stream);
                let reply = stage.ask(api, api.name, case, stream);
                let extension = if api.name == "ollama" { "ndjson" } else { "sse" };
                if stream {
                    let wanted = fixture(case, &format!("{}.stream.{extension}", api.name));
                    assert_eq!(reply.text(), wanted, "{} {case}", api.name);
                } else {
                    assert_eq!(reply.json(), read(case, &format!("{}.reply.json", api.name)), "{case}");
                }
                let sent = stage.upstreams[place].calls().pop().unwrap().json();
                assert_eq!(sent, {
                    let mut wanted = call(api, "upstream-model", case, stream);
                    if api.name == "gemini" {
                        wanted.as_object_mut().unwrap().remove("model");
                    }
                    wanted
                });
            }
        }
    }
}

/// A stream of lines that breaks off is gone on with by a deployment of another format; and where nobody can, that is said
/// as a line.
#[test]
fn a_stream_of_lines_is_rescued_or_says_why_not() {
    let stage = stage();
    let lines = fixture("text", "ollama.stream.ndjson");
    let begun: Vec<String> = lines.split_inclusive('\n').take(1).map(str::to_owned).collect();
    stage.upstreams[4].always(Answer::event_bytes(begun).eof_after_events(1));
    stage.upstreams[3].always(answer("gemini", "text", true));
    let ollama = &APIS[4];
    let reply = stage.ask(&APIS[0], "both", "text", true);
    assert_eq!(heard(&APIS[0], &reply, true).0, "Bratislava.", "{}", reply.text());
    let reply = stage.ask(ollama, "ollama", "text", true);
    let last: Value = serde_json::from_str(reply.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["code"], "upstream_truncated", "{}", reply.text());
    assert!(!reply.text().contains("\"done\":true"), "{}", reply.text());
}

#[test]
fn faults_come_in_the_words_of_each_api() {
    let stage = stage();
    for api in &APIS {
        let reply = stage.ask(api, "nobody", "text", false);
        let told = crate::told::told(&reply);
        assert_eq!((reply.status, &*told.code), (404, "model_not_found"), "{}", api.name);
        assert_eq!(Some(&*told.request_id), reply.header("x-request-id"), "{}", api.name);
    }
    let refusal = json!({ "error": { "message": "That is too hot.", "code": "too_hot" } });
    stage.upstreams[0].always(Answer::json(422, &refusal));
    for api in &APIS {
        let reply = stage.ask(api, "chat", "text", false);
        let told = crate::told::told(&reply);
        assert_eq!((reply.status, &*told.message), (422, "That is too hot."), "{}", api.name);
    }
}

/// What cannot be told is left out and named; or, where the route wants that, keeps a call from being made.
#[test]
fn nothing_is_left_out_unsaid() {
    let stage = stage();
    stage.answers(0, "text", false);
    stage.answers(1, "text", false);
    let ask = |model: &str| {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "x" }], "seed": 7 });
        stage.weir.post("/v1/chat/completions", &[("authorization", "Bearer wr-client-key")], &body)
    };
    let reply = ask("messages");
    assert_eq!((reply.status, reply.header("x-weir-dropped")), (200, Some("seed")));
    let reply = ask("strict");
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["code"]), (400, &json!("unsupported_parameter")), "{error}");
    assert_eq!(error["param"], "seed");
    assert_eq!(stage.upstreams[1].calls().len(), 1, "the strict call was not made");
    let reply = ask("able");
    assert_eq!((reply.status, reply.header("x-weir-deployment")), (200, Some("chat")));
    assert_eq!(stage.upstreams[0].calls()[0].json()["seed"], 7);
}

#[test]
fn models_are_listed_in_the_words_of_each_api() {
    let stage = stage();
    let get = |path: &str, headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", "Bearer wr-client-key")];
        all.extend(headers);
        let mut client = stage.weir.connect().unwrap();
        client.request("GET", path, &all, b"").unwrap();
        client.read_reply().unwrap().json()
    };
    assert_eq!(get("/v1/models", &[])["data"][0]["object"], "model");
    let anthropic = get("/v1/models", &[("anthropic-version", "2023-06-01")]);
    assert_eq!((&anthropic["data"][0]["type"], &anthropic["has_more"]), (&json!("model"), &json!(false)));
    assert_eq!(get("/v1beta/models", &[])["models"][0]["name"], "models/chat");
    assert_eq!(get("/v1beta/models/gemini", &[])["name"], "models/gemini");
    assert_eq!(get("/v1beta/models/nobody", &[])["error"]["status"], "NOT_FOUND");
    assert_eq!(get("/api/tags", &[])["models"][0]["model"], "chat");
    assert!(get("/api/version", &[])["version"].is_string());
    let show = |model: &str| {
        let body = json!({ "model": model });
        stage.weir.post("/api/show", &[("authorization", "Bearer wr-client-key")], &body)
    };
    assert_eq!(show("gemini").json()["capabilities"][0], "completion");
    assert_eq!(show("nobody").status, 404);
}
