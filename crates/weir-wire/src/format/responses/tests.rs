mod keeping;
mod streams;

use super::{Kept, NAME, Responses, kept};
use crate::format::tests::{TARGET, asked, json};
use crate::format::{Format, Losing, Target, format};
use crate::neutral::{Choice, Lost, Part, Proof, Reply, Str, Thinking};
use serde_json::{Value, json};
use weir_core::Class;

fn chat() -> &'static dyn Format {
    format("chat").unwrap()
}

/// A call of one format's, as another writes it, and what it leaves behind.
fn told(from: &dyn Format, to: &dyn Format, body: &Value) -> (Value, String) {
    let (body, mut lost) = (body.to_string(), Lost::default());
    let call = from.read_call(body.as_bytes(), &mut lost).unwrap();
    let written = to.write_call(&call, &TARGET, &mut Losing { client: from, lost: &mut lost }).unwrap();
    (json(&written), lost.to_string())
}

/// A call with this `input` (and more), and the chat messages that it becomes.
#[track_caller]
fn check_input(input: &Value, messages: &Value) {
    let (got, lost) = told(&Responses, chat(), &json!({"model": "m", "input": input}));
    assert_eq!(got["messages"], *messages);
    assert_eq!(lost, "");
}

#[test]
fn items_become_turns() {
    check_input(&json!("Hi"), &json!([{"role": "user", "content": "Hi"}]));
    // A message need not say that it is one; instructions may stand anywhere.
    check_input(
        &json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "Yes", "annotations": [], "logprobs": []}]},
            {"role": "system", "content": "Be briefer."},
        ]),
        &json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes"},
            {"role": "system", "content": "Be briefer."},
        ]),
    );
    // What the model says between two calls of one round does not part them.
    check_input(
        &json!([
            {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
            {"role": "assistant", "content": "And"},
            {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "1"},
            {"type": "function_call_output", "call_id": "b", "output": "2"},
        ]),
        &json!([
            {"role": "assistant", "content": "And", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": "2"},
        ]),
    );
    // Two messages are two.
    check_input(
        &json!([{"role": "assistant", "content": "One"}, {"role": "assistant", "content": "Two"}]),
        &json!([{"role": "assistant", "content": "One"}, {"role": "assistant", "content": "Two"}]),
    );
    // A call of a tool of free text.
    check_input(
        &json!([
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "a", "name": "patch", "input": "*** \"x\"\n"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
        ]),
        &json!([
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function",
                 "function": {"name": "patch", "arguments": r#"{"input":"*** \"x\"\n"}"#}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "done"},
        ]),
    );
}

/// What a call leaves behind on its way to chat. Nothing of it is refused.
#[track_caller]
fn check_lost(more: &Value, lost: &str) {
    let mut body = json!({"model": "m", "input": "Hi"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(told(&Responses, chat(), &body).1, lost);
}

#[test]
fn what_only_openai_has_is_left_behind_and_named() {
    check_lost(
        &json!({"store": true, "background": false, "stream_options": {"include_obfuscation": false}}),
        "",
    );
    check_lost(&json!({"truncation": "disabled", "include": ["reasoning.encrypted_content"]}), "");
    check_lost(&json!({"truncation": "auto"}), "truncation");
    check_lost(&json!({"include": ["file_search_call.results"]}), "include.file_search_call.results");
    check_lost(
        &json!({"client_metadata": {"x": "y"}, "max_tool_calls": 3}),
        "client_metadata, max_tool_calls",
    );
    check_lost(&json!({"text": {"verbosity": "low"}}), "text.verbosity");
    check_lost(&json!({"tools": [{"type": "web_search", "filters": {}}]}), "tools");
    check_lost(
        &json!({"tools": [{"type": "namespace", "name": "n", "description": "", "tools": []}]}),
        "tools",
    );
    check_lost(
        &json!({"tools": [{"type": "function", "name": "f", "parameters": null, "defer_loading": true}],
               "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}}),
        "tools[0].defer_loading, tool_choice.allowed_tools",
    );
    check_lost(&json!({"tool_choice": {"type": "file_search"}}), "tool_choice.file_search");
    check_lost(
        &json!({"input": [
            {"role": "user", "content": "Hi"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
            {"type": "tool_search_call", "arguments": {"query": "x"}},
            {"type": "compaction", "encrypted_content": "abc"},
            {"role": "assistant", "content": "Yes", "phase": "commentary"},
        ]}),
        "input[1](web_search_call), input[2](tool_search_call), input[3](compaction), input[4].phase",
    );
}

/// A call that is refused, naming `param`.
#[track_caller]
fn check_refused(body: &Value, code: &str, param: &str) {
    let text = body.to_string();
    let fault = Responses.read_call(text.as_bytes(), &mut Lost::default()).unwrap_err();
    assert_eq!((fault.status, fault.class), (400, Class::Caller), "{fault:?}");
    assert_eq!(fault.code.as_deref(), Some(code), "{fault:?}");
    assert_eq!(fault.param.as_deref(), Some(param), "{fault:?}");
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let with = |more: Value| {
        let mut body = json!({"model": "m", "input": "Hi"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    check_refused(&json!({"model": "m"}), "invalid_value", "input");
    check_refused(&json!({"model": "m", "input": 7}), "invalid_value", "input");
    check_refused(&json!({"model": "m", "input": [{"x": 1}]}), "invalid_value", "input[0].type");
    check_refused(
        &json!({"model": "m", "input": [{"role": "tool", "content": ""}]}),
        "invalid_value",
        "input[0].role",
    );
    check_refused(&json!({"model": "m", "input": [{"role": "user"}]}), "invalid_value", "input[0].content");
    check_refused(
        &json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
        "invalid_value",
        "input[0].content[0].text",
    );
    check_refused(
        &json!({"model": "m", "input": [{"role": "user", "content": [{"type": "poem", "text": "x"}]}]}),
        "invalid_value",
        "input[0].content[0].type",
    );
    check_refused(
        &json!({"model": "m", "input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
        "invalid_value",
        "input[0].call_id",
    );
    check_refused(
        &json!({"model": "m", "input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}]}),
        "invalid_value",
        "input[0].arguments",
    );
    check_refused(
        &with(json!({"previous_response_id": "resp_1"})),
        "previous_response_not_found",
        "previous_response_id",
    );
    check_refused(
        &json!({"model": "m", "input": [{"type": "item_reference", "id": "i"}]}),
        "item_not_found",
        "input[0].id",
    );
    check_refused(&json!({"model": "m", "input": [{"id": "i"}]}), "item_not_found", "input[0].id");
    check_refused(&with(json!({"conversation": "conv_1"})), "unsupported_value", "conversation");
    check_refused(&with(json!({"prompt": {"id": "pmpt_1"}})), "unsupported_value", "prompt");
    check_refused(&with(json!({"tool_choice": "sometimes"})), "invalid_value", "tool_choice");
    check_refused(&with(json!({"reasoning": {"effort": "huge"}})), "invalid_value", "reasoning.effort");
    check_refused(&with(json!({"text": {"format": {"type": "xml"}}})), "invalid_value", "text.format.type");
    check_refused(&with(json!({"tools": [{"name": "f"}]})), "invalid_value", "tools[0].type");
    check_refused(&with(json!({"tools": [{"type": "function"}]})), "invalid_value", "tools[0]");
}

#[test]
fn what_is_kept_elsewhere_is_told() {
    let body = json!({"previous_response_id": "resp_1", "store": false, "background": true, "input": [
        {"role": "user", "content": "Hi", "id": "msg_1"},
        {"type": "item_reference", "id": "rs_1"},
        {"id": "rs_2"},
        {"type": "compaction", "id": "c"},
    ]})
    .to_string();
    let wanted = Kept {
        previous: Some(Str::from("resp_1")),
        references: vec![(1, Str::from("rs_1")), (2, Str::from("rs_2"))],
        store: Some(false),
        background: true,
    };
    assert_eq!(kept(body.as_bytes()).unwrap(), wanted);
    assert_eq!(kept(br#"{"input":"Hi"}"#).unwrap(), Kept::default());
}

#[test]
fn a_tool_of_free_text_is_a_function_elsewhere() {
    let body = json!({"model": "m", "input": "Hi", "tools": [
        {"type": "custom", "name": "patch", "description": "Edits.",
         "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}},
    ], "tool_choice": {"type": "custom", "name": "patch"}});
    let (got, lost) = told(&Responses, chat(), &body);
    assert_eq!(lost, "tools[0].format");
    assert_eq!(
        got["tools"][0]["function"],
        json!({
            "name": "patch",
            "description":
                "Edits.\n\nThe text given as `input` has to match this lark grammar:\nstart: /x/",
            "parameters": {"type": "object", "properties": {"input": {"type": "string"}},
                           "required": ["input"], "additionalProperties": false},
        })
    );
    assert_eq!(got["tool_choice"], json!({"type": "function", "function": {"name": "patch"}}));
    let mut asked = asked();
    Responses.remember(body.to_string().as_bytes(), &mut asked);
    assert_eq!(asked.free_tools, ["patch"]);
}

#[test]
fn what_a_call_says_is_repeated_in_its_answer() {
    let mut asked = asked();
    let body = json!({"model": "m", "input": "Hi", "instructions": "Be brief.", "metadata": {"a": "b"},
                      "tools": [{"type": "web_search"}], "temperature": 0.5, "previous_response_id": "resp_0"});
    Responses.remember(body.to_string().as_bytes(), &mut asked);
    let answer = json(&Responses.write_reply(&Reply::default(), &asked));
    for member in ["instructions", "metadata", "tools", "temperature", "previous_response_id"] {
        assert_eq!(answer[member], body[member], "{member}");
    }
    assert_eq!(answer["id"], "ours");
    assert_eq!(answer["model"], "client-model");
    assert_eq!(answer["truncation"], "disabled");
}

#[test]
fn what_chat_says_is_written_as_it_is_meant() {
    let (got, lost) = told(
        chat(),
        &Responses,
        &json!({"model": "m", "max_tokens": 5, "top_k": 3, "logprobs": true, "seed": 1, "tools": [
                    {"type": "function", "function": {"name": "f", "strict": true}},
                    {"type": "function", "function": {"name": "g"}}],
                "messages": [
                    {"role": "developer", "content": "Be brief."},
                    {"role": "user", "name": "ann", "content": [
                        {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
                    {"role": "assistant", "content": null, "tool_calls": [
                        {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
                    {"role": "tool", "tool_call_id": "a", "content": ""}]}),
    );
    assert_eq!(lost, "messages.name, max_completion_tokens, top_k, seed");
    assert_eq!(
        got["input"],
        json!([
            {"type": "message", "role": "developer", "content": "Be brief."},
            {"type": "message", "role": "user", "content": [
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": ""},
        ])
    );
    assert_eq!(got["max_output_tokens"], 16);
    assert_eq!(got["include"], json!(["message.output_text.logprobs"]));
    let nothing = json!({"type": "object", "properties": {}});
    assert_eq!(
        got["tools"],
        json!([{"type": "function", "name": "f", "parameters": nothing, "strict": true},
               {"type": "function", "name": "g", "parameters": nothing, "strict": false}])
    );
}

#[test]
fn a_seal_goes_out_and_comes_back_as_it_was() {
    let check = |format: &'static str, hidden: bool, text: &'static str| {
        let thought = Thinking {
            text: Str::from(text),
            proof: Some(Proof { format: Str::from(format), seal: Str::from("c2VhbA==") }),
            hidden,
        };
        let choice = Choice { parts: vec![Part::Thinking(thought.clone())], ..Choice::default() };
        let reply = Reply { choices: vec![choice], ..Reply::default() };
        let answer = json(&Responses.write_reply(&reply, &asked()));
        let body = json!({"model": "m", "input": answer["output"]}).to_string();
        let call = Responses.read_call(body.as_bytes(), &mut Lost::default()).unwrap();
        assert_eq!(call.turns[0].parts, [Part::Thinking(thought)], "{answer}");
    };
    check(NAME, false, "I divide.");
    check(NAME, true, "");
    check("messages", false, "I divide.");
    check("messages", true, "");
    check("messages", false, "");
}

#[test]
fn developer_and_the_newest_models_are_as_they_are() {
    let mut lost = Lost::default();
    let body = br#"{"model":"m","input":[{"role":"developer","content":"Be brief."}]}"#;
    let call = Responses.read_call(body, &mut lost).unwrap();
    let target = Target { newest: true, ..TARGET };
    let written =
        chat().write_call(&call, &target, &mut Losing { client: &Responses, lost: &mut lost }).unwrap();
    assert_eq!(json(&written)["messages"][0]["role"], "developer");
}
