//! Answers of OpenAI's Responses are kept under ids of ours, whatever format the model's server speaks: found by whoever owns
//! them and by nobody else, continued, deleted, made in the background, and there after a restart.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use weir_testkit::client::{Reply, call};
use weir_testkit::{Answer, Gate, How, RunningWeir, Scratch, Upstream, weir};

const RESPONSES: &str = "/v1/responses";
const ALICE: &str = "wr-alice-key";
const BOB: &str = "wr-bob-key";

/// A route to an upstream that speaks Chat, and one to an upstream that speaks Responses itself.
struct Stage {
    chat: Upstream,
    responses: Upstream,
    folder: Scratch,
    weir: RunningWeir,
}

fn start(chat: &Upstream, responses: &Upstream, store: &str) -> RunningWeir {
    let config = format!(
        "keys: {{ alice: {{ key: {ALICE} }}, bob: {{ key: {BOB} }} }}
providers:
  c: {{ kind: openai, base_url: '{}', api_key: sk-c, endpoints: [chat] }}
  r: {{ kind: openai, base_url: '{}', api_key: sk-r, endpoints: [responses] }}
deployments:
  chat: {{ provider: c, model: upstream-model, price: {{ input: 1, output: 2 }} }}
  responses: {{ provider: r, model: upstream-model, price: {{ input: 1, output: 2 }} }}
routes:
  chat: {{ deployments: [chat], retries: {{ max: 0 }} }}
  responses: {{ deployments: [responses], retries: {{ max: 0 }} }}
{store}
",
        chat.url(),
        responses.url(),
    );
    weir::start(Path::new(env!("CARGO_BIN_EXE_weir")), &config)
}

fn stage_with(more: &str) -> Stage {
    let (chat, responses, folder) = (Upstream::start(), Upstream::start(), Scratch::new());
    let weir = start(&chat, &responses, &section(&folder, more));
    Stage { chat, responses, folder, weir }
}

fn stage() -> Stage {
    stage_with("")
}

fn section(folder: &Scratch, more: &str) -> String {
    format!("store: {{ path: '{}'{more} }}", folder.path().join("weir.db").display())
}

fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/formats/text").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The recorded answer of the format: `Bratislava.`
fn answer(format: &str, stream: bool) -> Answer {
    if stream {
        let events = fixture(&format!("{format}.stream.sse"));
        return Answer::event_bytes(events.split_inclusive("\n\n").map(str::to_owned).collect::<Vec<_>>());
    }
    Answer::json(200, &serde_json::from_str(&fixture(&format!("{format}.reply.json"))).unwrap())
}

/// The data of a stream's events.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn ask(weir: &RunningWeir, key: &str, method: &str, path: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_str())];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    call(weir.public, method, path, &headers, body.as_bytes()).unwrap()
}

fn post(weir: &RunningWeir, body: &Value) -> Reply {
    ask(weir, ALICE, "POST", RESPONSES, body)
}

fn get(weir: &RunningWeir, id: &str) -> Reply {
    ask(weir, ALICE, "GET", &format!("{RESPONSES}/{id}"), &Value::Null)
}

fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (status, &json!(code)), "{}", reply.text());
}

/// The answer that is there once it is in that state.
fn wait_for(weir: &RunningWeir, id: &str, status: &str) -> Value {
    let mut last = Value::Null;
    let met = weir.process.eventually(|| {
        last = get(weir, id).json();
        (last["status"] == status).then_some(())
    });
    assert!(met.is_some(), "{last} is not {status}; {:?}", weir.process);
    last
}

fn text(answer: &Value) -> &Value {
    &answer["output"][0]["content"][0]["text"]
}

fn upstream<'s>(stage: &'s Stage, format: &str) -> &'s Upstream {
    if format == "chat" { &stage.chat } else { &stage.responses }
}

#[test]
fn an_answer_is_found_by_its_id_until_it_is_deleted() {
    let stage = stage();
    for format in ["chat", "responses"] {
        for stream in [false, true] {
            let what = format!("{format}, stream {stream}");
            upstream(&stage, format).always(answer(format, stream));
            let reply = post(&stage.weir, &json!({ "model": format, "input": "Capital?", "stream": stream }));
            assert_eq!(reply.status, 200, "{what}: {}", reply.text());
            let told = if stream {
                let all = events(&reply.text());
                let ids: Vec<&Value> = all.iter().filter_map(|event| event["response"].get("id")).collect();
                assert!(ids.len() >= 3 && ids.iter().all(|id| *id == ids[0]), "{what}: {ids:?}");
                assert_eq!(all.last().unwrap()["type"], "response.completed", "{what}");
                all.last().unwrap()["response"].clone()
            } else {
                reply.json()
            };
            let id = told["id"].as_str().unwrap();
            assert!(id.starts_with("resp_") && id.len() == 37, "{what}: {id}");
            assert_eq!((&told["store"], text(&told)), (&json!(true), &json!("Bratislava.")), "{what}");
            let there = get(&stage.weir, id);
            assert_eq!((there.status, there.json()), (200, told.clone()), "{what}");
            let items =
                ask(&stage.weir, ALICE, "GET", &format!("{RESPONSES}/{id}/input_items"), &Value::Null);
            let items = items.json();
            assert_eq!(items["data"].as_array().unwrap().len(), 1, "{what}: {items}");
            assert_eq!(items["data"][0]["content"][0]["text"], "Capital?", "{what}");
            assert_eq!((&items["first_id"], &items["has_more"]), (&items["data"][0]["id"], &json!(false)));
            // To another key it is not there.
            for (method, more) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")]
            {
                let path = format!("{RESPONSES}/{id}{more}");
                refused(&ask(&stage.weir, BOB, method, &path, &Value::Null), 404, "response_not_found");
            }
            let path = format!("{RESPONSES}/{id}");
            let gone = ask(&stage.weir, ALICE, "DELETE", &path, &Value::Null);
            assert_eq!(gone.json(), json!({ "id": id, "object": "response", "deleted": true }), "{what}");
            refused(&get(&stage.weir, id), 404, "response_not_found");
            refused(&ask(&stage.weir, ALICE, "DELETE", &path, &Value::Null), 404, "response_not_found");
        }
    }
    let refusal = get(&stage.weir, "resp_0?stream=true");
    refused(&refusal, 404, "response_not_found");
    assert_eq!(refusal.json()["error"]["type"], "invalid_request_error");
}

#[test]
fn who_wants_nothing_kept_finds_nothing() {
    let stage = stage();
    for format in ["chat", "responses"] {
        upstream(&stage, format).always(answer(format, false));
        let reply = post(&stage.weir, &json!({ "model": format, "input": "Capital?", "store": false }));
        let told = reply.json();
        assert_eq!((reply.status, &told["store"]), (200, &json!(false)));
        refused(&get(&stage.weir, told["id"].as_str().unwrap()), 404, "response_not_found");
        if format == "responses" {
            let sent = stage.responses.calls().pop().unwrap().json();
            assert_eq!(sent["store"], false, "the vendor is told, too");
        }
    }
}

#[test]
fn a_conversation_goes_on_from_an_answer() {
    let stage = stage();
    stage.chat.always(answer("chat", false));
    stage.responses.always(answer("responses", false));
    let first = post(&stage.weir, &json!({ "model": "chat", "input": "Capital?" })).json();
    // Whoever answers next, it is the same conversation.
    let second = post(
        &stage.weir,
        &json!({ "model": "responses", "previous_response_id": first["id"], "input": [
            { "role": "user", "content": "And its river?" }] }),
    );
    assert_eq!(second.status, 200, "{}", second.text());
    let second = second.json();
    assert_eq!(second["previous_response_id"], first["id"]);
    let sent = stage.responses.calls().pop().unwrap().json();
    assert!(sent.get("previous_response_id").is_none() && sent["model"] == "upstream-model", "{sent}");
    let said = json!([
        { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Capital?" }] },
        { "type": "message", "role": "assistant", "content": [
            { "type": "output_text", "annotations": [], "logprobs": [], "text": "Bratislava." }] },
        { "role": "user", "content": "And its river?" },
    ]);
    assert_eq!(sent["input"], said);
    let third = post(
        &stage.weir,
        &json!({ "model": "chat", "instructions": "Be short.", "previous_response_id": second["id"],
                 "input": "Why?", "store": false }),
    );
    assert_eq!(third.status, 200, "{}", third.text());
    let sent = stage.chat.calls().pop().unwrap().json();
    let said: Vec<(&str, String)> = sent["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| (turn["role"].as_str().unwrap(), turn["content"].to_string()))
        .collect();
    let roles: Vec<&str> = said.iter().map(|(role, _)| *role).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user", "assistant", "user"]);
    let texts = ["Be short.", "Capital?", "Bratislava.", "And its river?", "Bratislava.", "Why?"];
    assert!(said.iter().zip(texts).all(|((_, said), text)| said.contains(text)), "{said:?}");
    // Items that are named by their ids.
    let item = &first["output"][0]["id"];
    let named = json!({ "model": "chat", "input": [
        { "type": "item_reference", "id": item }, { "role": "user", "content": "Sure?" }] });
    assert_eq!(post(&stage.weir, &named).status, 200);
    let sent = stage.chat.calls().pop().unwrap().json();
    assert!(sent["messages"][0].to_string().contains("Bratislava."), "{sent}");
    // What is another's is not there, nor is what never was.
    let calls = stage.chat.calls().len();
    let go_on = |id: &Value| json!({ "model": "chat", "previous_response_id": id, "input": "Go on." });
    refused(
        &ask(&stage.weir, BOB, "POST", RESPONSES, &go_on(&first["id"])),
        400,
        "previous_response_not_found",
    );
    refused(&ask(&stage.weir, BOB, "POST", RESPONSES, &named), 400, "item_not_found");
    refused(&post(&stage.weir, &go_on(&json!("resp_0"))), 400, "previous_response_not_found");
    // A conversation without its beginning is another one.
    let path = format!("{RESPONSES}/{}", first["id"].as_str().unwrap());
    assert_eq!(ask(&stage.weir, ALICE, "DELETE", &path, &Value::Null).status, 200);
    refused(&post(&stage.weir, &go_on(&second["id"])), 400, "previous_response_not_found");
    assert_eq!(stage.chat.calls().len(), calls, "nobody was asked");
}

#[test]
fn what_was_sent_is_listed_page_by_page() {
    let stage = stage();
    stage.chat.always(answer("chat", false));
    let items: Vec<Value> =
        (0..5).map(|n| json!({ "role": "user", "content": format!("line {n}") })).collect();
    let told = post(&stage.weir, &json!({ "model": "chat", "input": items })).json();
    let path = format!("{RESPONSES}/{}/input_items", told["id"].as_str().unwrap());
    let page = |query: &str| ask(&stage.weir, ALICE, "GET", &format!("{path}?{query}"), &Value::Null);
    let lines = |reply: &Reply| -> Vec<String> {
        let data = reply.json()["data"].clone();
        data.as_array().unwrap().iter().map(|item| item["content"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(lines(&page("")), ["line 4", "line 3", "line 2", "line 1", "line 0"]);
    let first = page("order=asc&limit=2");
    assert_eq!(
        (lines(&first), first.json()["has_more"].clone()),
        (vec!["line 0".into(), "line 1".into()], json!(true))
    );
    let last = first.json()["last_id"].as_str().unwrap().to_owned();
    let rest = page(&format!("order=asc&after={last}"));
    assert_eq!(lines(&rest), ["line 2", "line 3", "line 4"]);
    refused(
        &get(&stage.weir, &format!("{}?stream=true", told["id"].as_str().unwrap())),
        400,
        "not_supported",
    );
    for wrong in ["limit=0", "limit=101", "limit=x", "order=up"] {
        refused(&page(wrong), 400, "invalid_value");
    }
}

#[test]
fn a_stream_that_fails_is_kept_as_failed() {
    let stage = stage();
    for format in ["chat", "responses"] {
        let events = fixture(&format!("{format}.stream.sse"));
        let some: Vec<String> = events.split_inclusive("\n\n").take(6).map(str::to_owned).collect();
        let cut = Answer::event_bytes(some).reset_after_events(2);
        upstream(&stage, format).always(cut);
        let reply = post(&stage.weir, &json!({ "model": format, "input": "Capital?", "stream": true }));
        let all = self::events(&reply.text());
        let Some(told) = all.last().filter(|event| event["type"] == "response.failed") else {
            panic!("{format}: {}", reply.text());
        };
        let told = &told["response"];
        assert_eq!(get(&stage.weir, told["id"].as_str().unwrap()).json(), *told, "{format}");
        let on = json!({ "model": format, "previous_response_id": told["id"], "input": "Go on." });
        refused(&post(&stage.weir, &on), 400, "previous_response_not_completed");
    }
}

#[test]
fn an_answer_is_made_while_nobody_waits() {
    let stage = stage_with(", background: 1, background_waiting: 1");
    let gate = Gate::new();
    let body = json!({ "model": "chat", "input": "Capital?", "background": true });
    stage.chat.always(answer("chat", false).hold(&gate));
    let queued = post(&stage.weir, &body);
    let told = queued.json();
    assert_eq!((queued.status, &told["status"], &told["background"]), (200, &json!("queued"), &json!(true)));
    let (id, created) = (told["id"].as_str().unwrap(), &told["created_at"]);
    stage.chat.wait_for_calls(1);
    assert_eq!(wait_for(&stage.weir, id, "in_progress")["output"], json!([]));
    // One more may wait, and no third.
    let second = post(&stage.weir, &body).json();
    refused(&post(&stage.weir, &body), 503, "background_full");
    let go_on = json!({ "model": "chat", "previous_response_id": id, "input": "Go on." });
    refused(&post(&stage.weir, &go_on), 400, "previous_response_not_completed");
    gate.release();
    let made = wait_for(&stage.weir, id, "completed");
    assert_eq!((text(&made), &made["id"], &made["created_at"]), (&json!("Bratislava."), &json!(id), created));
    assert_eq!((&made["background"], &made["usage"]["output_tokens"]), (&json!(true), &json!(4)));
    gate.release();
    wait_for(&stage.weir, second["id"].as_str().unwrap(), "completed");
    // What it took is in the log, under the key that asked.
    let line = stage.weir.wait_for_log("the answer's line", |line| line["deployment"] == "chat");
    assert_eq!((&line["key"], &line["status"]), (&json!("alice"), &json!(200)), "{line}");
    stage.weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    // Cancelling what is done changes nothing.
    let path = format!("{RESPONSES}/{id}/cancel");
    assert_eq!(ask(&stage.weir, ALICE, "POST", &path, &Value::Null).json(), made);
    refused(
        &post(&stage.weir, &json!({ "model": "chat", "input": "x", "background": true, "stream": true })),
        400,
        "not_supported",
    );
    refused(
        &post(&stage.weir, &json!({ "model": "chat", "input": "x", "background": true, "store": false })),
        400,
        "not_supported",
    );
    // One that fails says why.
    stage.chat.always(Answer::status(400).error("bad_thing", "that is no good"));
    let failing = post(&stage.weir, &body).json();
    let failed = wait_for(&stage.weir, failing["id"].as_str().unwrap(), "failed");
    assert_eq!(failed["error"], json!({ "code": "bad_thing", "message": "that is no good" }), "{failed}");
}

#[test]
fn an_answer_that_is_being_made_can_be_cancelled() {
    let stage = stage();
    stage.responses.always(Answer::never());
    let body = json!({ "model": "responses", "input": "Capital?", "background": true });
    for (n, delete) in [false, true].into_iter().enumerate() {
        let told = post(&stage.weir, &body).json();
        let id = told["id"].as_str().unwrap();
        let sent = stage.responses.wait_for_calls(n + 1).pop().unwrap().json();
        assert!(sent.get("background").is_none(), "the vendor is asked as one who waits: {sent}");
        wait_for(&stage.weir, id, "in_progress");
        if delete {
            assert_eq!(
                ask(&stage.weir, ALICE, "DELETE", &format!("{RESPONSES}/{id}"), &Value::Null).status,
                200
            );
        } else {
            let cancelled = ask(&stage.weir, ALICE, "POST", &format!("{RESPONSES}/{id}/cancel"), &json!({}));
            assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")));
            assert_eq!(get(&stage.weir, id).json(), cancelled.json());
        }
        assert_eq!(stage.responses.wait_for_end(n).how, How::PeerClosed, "the call is given up");
        stage.weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    }
    stage.responses.always(answer("responses", false));
    let told = post(&stage.weir, &json!({ "model": "responses", "input": "Capital?" })).json();
    let path = format!("{RESPONSES}/{}/cancel", told["id"].as_str().unwrap());
    refused(&ask(&stage.weir, ALICE, "POST", &path, &Value::Null), 400, "not_cancellable");
}

#[test]
fn what_is_kept_is_there_after_a_restart() {
    let Stage { chat, responses, folder, mut weir } = stage();
    chat.always(answer("chat", false));
    let kept = post(&weir, &json!({ "model": "chat", "input": "Capital?" })).json();
    chat.always(Answer::never());
    let body = json!({ "model": "chat", "input": "Capital?", "background": true });
    let making = post(&weir, &body).json();
    wait_for(&weir, making["id"].as_str().unwrap(), "in_progress");
    weir.process.kill();
    drop(weir);
    let weir = start(&chat, &responses, &section(&folder, ""));
    assert_eq!(get(&weir, kept["id"].as_str().unwrap()).json(), kept);
    let failed = get(&weir, making["id"].as_str().unwrap()).json();
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("server_error")));
    chat.always(answer("chat", false));
    let on = json!({ "model": "chat", "previous_response_id": kept["id"], "input": "Go on." });
    assert_eq!(post(&weir, &on).status, 200);
}

/// What is under way when the process is told to end is made within its grace.
#[test]
fn what_is_being_made_is_finished_before_the_end() {
    let Stage { chat, responses, folder, mut weir } = stage();
    let gate = Gate::new();
    chat.always(answer("chat", false).hold(&gate));
    let making = post(&weir, &json!({ "model": "chat", "input": "Capital?", "background": true })).json();
    chat.wait_for_calls(1);
    weir.signal("TERM");
    let draining = weir.process.eventually(|| weir.logs().contains("draining").then_some(()));
    assert!(draining.is_some());
    gate.open();
    assert!(weir.wait_for_exit().success(), "{:?}", weir.process);
    drop(weir);
    let weir = start(&chat, &responses, &section(&folder, ""));
    assert_eq!(text(&get(&weir, making["id"].as_str().unwrap()).json()), "Bratislava.");
}

#[test]
fn without_a_store_nothing_is_kept_and_the_client_is_told() {
    let (chat, responses) = (Upstream::start(), Upstream::start());
    let weir = start(&chat, &responses, "");
    chat.always(answer("chat", false));
    let told = post(&weir, &json!({ "model": "chat", "input": "Capital?", "store": true }));
    assert_eq!((told.status, &told.json()["store"]), (200, &json!(false)), "{}", told.text());
    refused(&get(&weir, told.json()["id"].as_str().unwrap()), 404, "response_not_found");
    for model in ["chat", "responses"] {
        let on = json!({ "model": model, "previous_response_id": "resp_1", "input": "Go on." });
        let refusal = post(&weir, &on);
        refused(&refusal, 400, "previous_response_not_found");
        assert!(refusal.text().contains("no section `store`"), "{}", refusal.text());
        let body = json!({ "model": model, "input": "x", "background": true });
        refused(&post(&weir, &body), 400, "not_supported");
    }
    assert_eq!((chat.calls().len(), responses.calls().len()), (1, 0));
}

#[test]
fn a_store_that_cannot_be_opened_stops_what_needs_it_and_nothing_else() {
    let (chat, responses) = (Upstream::start(), Upstream::start());
    let weir = start(&chat, &responses, "store: { path: not/there/weir.db }");
    for (stream, format) in [(false, "chat"), (true, "chat"), (false, "responses"), (true, "responses")] {
        [&chat, &responses][usize::from(format == "responses")].always(answer(format, stream));
        let reply = post(&weir, &json!({ "model": format, "input": "Capital?", "stream": stream }));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let told = match stream {
            true => events(&reply.text()).pop().unwrap()["response"].clone(),
            false => reply.json(),
        };
        assert_eq!((&told["store"], text(&told)), (&json!(false), &json!("Bratislava.")));
        refused(&get(&weir, told["id"].as_str().unwrap()), 503, "store_unavailable");
    }
    for needs in [
        json!({ "model": "chat", "input": "x", "store": true }),
        json!({ "model": "chat", "input": "x", "background": true }),
        json!({ "model": "chat", "input": "x", "previous_response_id": "resp_1" }),
    ] {
        let reply = post(&weir, &needs);
        refused(&reply, 503, "store_unavailable");
        assert!(reply.header("retry-after").is_some());
    }
}

/// An answer that is larger than what is held of others is kept all the same; one that is larger than any that is kept goes
/// out as it comes.
#[test]
fn a_large_answer_is_kept_as_far_as_one_may_be() {
    let stage = stage_with(", max_entry: 2MiB");
    let mut large: Value = serde_json::from_str(&fixture("responses.reply.json")).unwrap();
    for (size, kept) in [(1_500_000, true), (3_000_000, false)] {
        large["output"][0]["content"][0]["text"] = "x".repeat(size).into();
        stage.responses.always(Answer::json(200, &large));
        let reply = post(&stage.weir, &json!({ "model": "responses", "input": "Capital?" }));
        assert_eq!(reply.status, 200);
        let told = reply.json();
        assert_eq!(text(&told), text(&large));
        assert_eq!(told["store"], kept);
        assert_eq!(get(&stage.weir, told["id"].as_str().unwrap()).status, if kept { 200 } else { 404 });
    }
    let making = post(&stage.weir, &json!({ "model": "responses", "input": "Capital?", "background": true }));
    let failed = wait_for(&stage.weir, making.json()["id"].as_str().unwrap(), "failed");
    assert_eq!(failed["error"]["code"], "upstream_answer_too_large");
}
