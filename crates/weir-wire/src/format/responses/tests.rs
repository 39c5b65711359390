use super::writer::Writer;
use super::{Kept, NAME, Responses, kept};
use crate::format::tests::{TARGET, asked, events, json};
use crate::format::{Asked, Format, Framing, Losing, StreamWriter, Target, format};
use crate::neutral::{
    Choice, Chunk, Finish, Lost, Part, Piece, Proof, Raw, Reply, Str, Text, Thinking, ToolCall,
};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use weir_core::{Class, Fault};

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
fn check_input(input: Value, messages: Value) {
    let (got, lost) = told(&Responses, chat(), &json!({"model": "m", "input": input}));
    assert_eq!(got["messages"], messages);
    assert_eq!(lost, "");
}

#[test]
fn items_become_turns() {
    check_input(json!("Hi"), json!([{"role": "user", "content": "Hi"}]));
    // A message need not say that it is one; instructions may stand anywhere.
    check_input(
        json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
             "content": [{"type": "output_text", "text": "Yes", "annotations": [], "logprobs": []}]},
            {"role": "system", "content": "Be briefer."},
        ]),
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yes"},
            {"role": "system", "content": "Be briefer."},
        ]),
    );
    // What the model says between two calls of one round does not part them.
    check_input(
        json!([
            {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
            {"role": "assistant", "content": "And"},
            {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "1"},
            {"type": "function_call_output", "call_id": "b", "output": "2"},
        ]),
        json!([
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
        json!([{"role": "assistant", "content": "One"}, {"role": "assistant", "content": "Two"}]),
        json!([{"role": "assistant", "content": "One"}, {"role": "assistant", "content": "Two"}]),
    );
    // A call of a tool of free text.
    check_input(
        json!([
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "a", "name": "patch", "input": "*** \"x\"\n"},
            {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
        ]),
        json!([
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
fn check_lost(more: Value, lost: &str) {
    let mut body = json!({"model": "m", "input": "Hi"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    assert_eq!(told(&Responses, chat(), &body).1, lost);
}

#[test]
fn what_only_openai_has_is_left_behind_and_named() {
    check_lost(
        json!({"store": true, "background": false, "stream_options": {"include_obfuscation": false}}),
        "",
    );
    check_lost(json!({"truncation": "disabled", "include": ["reasoning.encrypted_content"]}), "");
    check_lost(json!({"truncation": "auto"}), "truncation");
    check_lost(json!({"include": ["file_search_call.results"]}), "include.file_search_call.results");
    check_lost(
        json!({"client_metadata": {"x": "y"}, "max_tool_calls": 3}),
        "client_metadata, max_tool_calls",
    );
    check_lost(json!({"text": {"verbosity": "low"}}), "text.verbosity");
    check_lost(json!({"tools": [{"type": "web_search", "filters": {}}]}), "tools");
    check_lost(
        json!({"tools": [{"type": "namespace", "name": "n", "description": "", "tools": []}]}),
        "tools",
    );
    check_lost(
        json!({"tools": [{"type": "function", "name": "f", "parameters": null, "defer_loading": true}],
               "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}}),
        "tools[0].defer_loading, tool_choice.allowed_tools",
    );
    check_lost(json!({"tool_choice": {"type": "file_search"}}), "tool_choice.file_search");
    check_lost(
        json!({"input": [
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
fn check_refused(body: Value, code: &str, param: &str) {
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
    check_refused(json!({"model": "m"}), "invalid_value", "input");
    check_refused(json!({"model": "m", "input": 7}), "invalid_value", "input");
    check_refused(json!({"model": "m", "input": [{"x": 1}]}), "invalid_value", "input[0].type");
    check_refused(
        json!({"model": "m", "input": [{"role": "tool", "content": ""}]}),
        "invalid_value",
        "input[0].role",
    );
    check_refused(json!({"model": "m", "input": [{"role": "user"}]}), "invalid_value", "input[0].content");
    check_refused(
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
        "invalid_value",
        "input[0].content[0].text",
    );
    check_refused(
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "poem", "text": "x"}]}]}),
        "invalid_value",
        "input[0].content[0].type",
    );
    check_refused(
        json!({"model": "m", "input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
        "invalid_value",
        "input[0].call_id",
    );
    check_refused(
        json!({"model": "m", "input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": {}}]}),
        "invalid_value",
        "input[0].arguments",
    );
    check_refused(
        with(json!({"previous_response_id": "resp_1"})),
        "previous_response_not_found",
        "previous_response_id",
    );
    check_refused(
        json!({"model": "m", "input": [{"type": "item_reference", "id": "i"}]}),
        "item_not_found",
        "input[0].id",
    );
    check_refused(json!({"model": "m", "input": [{"id": "i"}]}), "item_not_found", "input[0].id");
    check_refused(with(json!({"conversation": "conv_1"})), "unsupported_value", "conversation");
    check_refused(with(json!({"prompt": {"id": "pmpt_1"}})), "unsupported_value", "prompt");
    check_refused(with(json!({"tool_choice": "sometimes"})), "invalid_value", "tool_choice");
    check_refused(with(json!({"reasoning": {"effort": "huge"}})), "invalid_value", "reasoning.effort");
    check_refused(with(json!({"text": {"format": {"type": "xml"}}})), "invalid_value", "text.format.type");
    check_refused(with(json!({"tools": [{"name": "f"}]})), "invalid_value", "tools[0].type");
    check_refused(with(json!({"tools": [{"type": "function"}]})), "invalid_value", "tools[0]");
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
        store: false,
        background: true,
    };
    assert_eq!(kept(body.as_bytes()).unwrap(), wanted);
    assert_eq!(kept(br#"{"input":"Hi"}"#).unwrap(), Kept { store: true, ..Kept::default() });
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

/// Writes a stream of these chunks and gives its events.
fn written(asked: &Asked, chunks: &[Chunk<'_>]) -> Vec<(String, Value)> {
    let mut writer = Responses.stream_writer(asked);
    let mut out = Vec::new();
    for chunk in chunks {
        writer.write(chunk, &mut out);
    }
    events(Framing::Events, &out)
}

fn begin() -> Chunk<'static> {
    Chunk::Begin { id: Str::from("a"), model: Str::from("m"), created: Some(1) }
}

fn more(piece: Piece<'_>) -> Chunk<'_> {
    Chunk::More { choice: 0, piece }
}

fn call(call: u32, id: &'static str, name: &'static str) -> Chunk<'static> {
    more(Piece::ToolCall { call, id: Str::from(id), name: Str::from(name), proof: None })
}

fn says(call: u32, json: &'static str) -> Chunk<'static> {
    more(Piece::Arguments { call, json: Str::from(json) })
}

/// Names of events without what they have in common.
fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.trim_start_matches("response.")).collect()
}

#[test]
fn calls_may_run_side_by_side() {
    let events = written(
        &asked(),
        &[
            begin(),
            call(0, "x", "f"),
            says(0, "{\"a\""),
            call(1, "", "g"),
            says(1, "{}"),
            says(0, ":1}"),
            Chunk::End,
        ],
    );
    assert_eq!(
        names(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "function_call_arguments.delta",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "function_call_arguments.done",
            "output_item.done",
            "completed",
        ]
    );
    let output = &events.last().unwrap().1["response"]["output"];
    assert_eq!(output[0]["arguments"], "{\"a\":1}");
    assert_eq!(output[1]["call_id"], "call_a_1"); // its format has none
    check_order(&events);
}

#[test]
fn a_call_that_breaks_off_is_not_to_be_run() {
    let finish = Chunk::Finish { choice: 0, finish: Finish::Length };
    let events = written(&asked(), &[begin(), call(0, "x", "f"), says(0, "{\"a\":"), finish, Chunk::End]);
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.incomplete");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
}

#[test]
fn free_text_is_told_as_free_text() {
    let asked = Asked { free_tools: vec!["patch".to_owned()], ..asked() };
    let check = |pieces: &[&'static str], text: &str| {
        let mut chunks = vec![begin(), call(0, "x", "patch")];
        chunks.extend(pieces.iter().map(|piece| says(0, piece)));
        chunks.push(Chunk::End);
        let events = written(&asked, &chunks);
        assert_eq!(
            names(&events),
            [
                "created",
                "in_progress",
                "output_item.added",
                "custom_tool_call_input.delta",
                "custom_tool_call_input.done",
                "output_item.done",
                "completed"
            ]
        );
        let item = json!({"id": "ctc_a_0", "type": "custom_tool_call", "status": "completed", "input": text,
                          "call_id": "x", "name": "patch"});
        assert_eq!(events.last().unwrap().1["response"]["output"], json!([item]));
        check_order(&events);
    };
    check(&["{\"input\":", "\"*** \\\"x\\\"\\n\"}"], "*** \"x\"\n");
    check(&["*** Begin"], "*** Begin");
}

#[test]
fn a_fault_is_told_twice_and_then_nothing() {
    let fault = Fault::new(Class::Rate, 429, "rate_limited", "Too many.").with_param("model");
    let text = more(Piece::Text(Str::from("x")));
    let events = written(&asked(), &[Chunk::Error(fault), text, Chunk::End]);
    assert_eq!(names(&events), ["created", "in_progress", "error", "failed"]);
    let error = &events[2].1;
    assert_eq!(
        *error,
        json!({"type": "error", "sequence_number": 2, "code": "rate_limited", "message": "Too many.",
               "param": "model", "error": {"type": "rate_limit_error", "code": "rate_limited",
                                           "message": "Too many.", "param": "model"}})
    );
    let failed = &events[3].1["response"];
    assert_eq!(failed["error"], json!({"code": "rate_limited", "message": "Too many."}));
    assert_eq!((&failed["status"], &failed["usage"]), (&json!("failed"), &Value::Null));
}

#[test]
fn an_answer_that_cannot_be_repeated_at_its_end_is_no_answer() {
    let mut writer = Writer::new(asked());
    writer.most_kept = 8;
    let mut out = Vec::new();
    let text = || more(Piece::Text(Str::from("four")));
    for chunk in [begin(), text(), text(), text(), text(), Chunk::End] {
        writer.write(&chunk, &mut out);
    }
    let events = events(Framing::Events, &out);
    assert_eq!(
        names(&events)[3..],
        ["content_part.added", "output_text.delta", "output_text.delta", "error", "failed"]
    );
    assert_eq!(events.last().unwrap().1["response"]["error"]["code"], "answer_too_long");
}

/// What a stream of these events says.
fn heard(events: &[Value]) -> Vec<Chunk<'static>> {
    let mut reader = Responses.stream_reader();
    let mut chunks = Vec::new();
    for event in events {
        reader.read(None, event.to_string().as_bytes(), &mut |chunk| chunks.push(owned(chunk))).unwrap();
    }
    chunks
}

fn owned(chunk: Chunk<'_>) -> Chunk<'static> {
    let own = |proof: Proof<'_>| Proof { format: proof.format.into_owned(), seal: proof.seal.into_owned() };
    match chunk {
        Chunk::Begin { id, model, created } => {
            Chunk::Begin { id: id.into_owned(), model: model.into_owned(), created }
        }
        Chunk::Finish { choice, finish } => Chunk::Finish { choice, finish: finish.into_owned() },
        Chunk::Usage(usage) => Chunk::Usage(usage),
        Chunk::End => Chunk::End,
        Chunk::Error(fault) => Chunk::Error(fault),
        Chunk::More { choice, piece } => Chunk::More {
            choice,
            piece: match piece {
                Piece::Text(text) => Piece::Text(text.into_owned()),
                Piece::Thinking(text) => Piece::Thinking(text.into_owned()),
                Piece::Refusal(text) => Piece::Refusal(text.into_owned()),
                Piece::Proof(proof) => Piece::Proof(own(proof)),
                Piece::Hidden(proof) => Piece::Hidden(own(proof)),
                Piece::ToolCall { call, id, name, .. } => {
                    Piece::ToolCall { call, id: id.into_owned(), name: name.into_owned(), proof: None }
                }
                Piece::Arguments { call, json } => Piece::Arguments { call, json: json.into_owned() },
                Piece::Citation(..) | Piece::Logprobs(_) | Piece::End => Piece::End,
            },
        },
    }
}

fn done(index: u32, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

#[test]
fn items_that_come_whole_are_told_whole() {
    let chunks = heard(&[
        json!({"type": "response.created", "response": {"id": "a", "model": "m", "created_at": 1.0}}),
        done(0, json!({"type": "reasoning", "summary": [], "encrypted_content": "c2VhbA=="})),
        done(1, json!({"type": "message", "content": [{"type": "output_text", "text": "Yes"}]})),
        done(2, json!({"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"})),
        done(3, json!({"type": "custom_tool_call", "call_id": "y", "name": "p", "input": "a\"b"})),
        done(4, json!({"type": "web_search_call", "action": {}})),
        json!({"type": "response.completed", "response": {"status": "completed", "output": [], "usage": null}}),
        json!({"type": "response.output_text.delta", "delta": "late"}),
    ]);
    let seal = Proof { format: Str::from(NAME), seal: Str::from("c2VhbA==") };
    assert_eq!(
        chunks,
        [
            begin(),
            more(Piece::Hidden(seal)),
            more(Piece::Text(Str::from("Yes"))),
            more(Piece::End),
            call(0, "x", "f"),
            says(0, "{}"),
            more(Piece::End),
            call(1, "y", "p"),
            says(1, r#"{"input":"a\"b"#),
            says(1, r#""}"#),
            more(Piece::End),
            Chunk::Finish { choice: 0, finish: Finish::ToolCalls },
            Chunk::End,
        ]
    );
}

#[test]
fn free_text_that_comes_in_pieces_is_one_argument() {
    let delta = |text: &str| json!({"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": text});
    let chunks = heard(&[
        json!({"type": "response.output_item.added", "output_index": 0,
               "item": {"type": "custom_tool_call", "call_id": "x", "name": "p", "input": ""}}),
        delta("a\n"),
        delta("\"b\""),
        done(0, json!({"type": "custom_tool_call", "call_id": "x", "name": "p", "input": "a\n\"b\""})),
    ]);
    let json: String = chunks
        .iter()
        .filter_map(|chunk| match chunk {
            Chunk::More { piece: Piece::Arguments { json, .. }, .. } => Some(&**json),
            _ => None,
        })
        .collect();
    assert_eq!(json, r#"{"input":"a\n\"b\""}"#);
    assert_eq!(chunks.last(), Some(&more(Piece::End)));
}

#[test]
fn parts_of_a_summary_are_told_apart() {
    let part =
        |at: u32| json!({"type": "response.reasoning_summary_part.added", "summary_index": at, "part": {}});
    let delta = |text: &str| json!({"type": "response.reasoning_summary_text.delta", "delta": text});
    let item = json!({"type": "reasoning", "encrypted_content": "c2VhbA==",
                      "summary": [{"type": "summary_text", "text": "One"}, {"type": "summary_text", "text": "Two"}]});
    let streamed = heard(&[part(0), delta("One"), part(1), delta("Two"), done(0, item.clone())]);
    let text: String = streamed
        .iter()
        .filter_map(|chunk| match chunk {
            Chunk::More { piece: Piece::Thinking(text), .. } => Some(&**text),
            _ => None,
        })
        .collect();
    assert_eq!(text, "One\n\nTwo");
    let body = json!({"output": [item]}).to_string();
    let reply = Responses.read_reply(body.as_bytes()).unwrap();
    let Part::Thinking(thought) = &reply.choices[0].parts[0] else { panic!("{reply:?}") };
    assert_eq!(thought.text, *"One\n\nTwo");
}

#[test]
fn a_fault_of_the_upstream_is_told_once() {
    let nested = json!({"type": "error", "sequence_number": 2,
                        "error": {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "Slow."}});
    let flat =
        json!({"type": "error", "sequence_number": 2, "code": "rate_limit_exceeded", "message": "Slow."});
    let failed = json!({"type": "response.failed", "response": {
        "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow."}}});
    for first in [nested, flat, failed.clone()] {
        let chunks = heard(&[first, failed.clone()]);
        let [Chunk::Error(fault)] = chunks.as_slice() else { panic!("{chunks:?}") };
        assert_eq!((fault.status, &*fault.message), (429, "Slow."));
        assert_eq!(fault.code.as_deref(), Some("rate_limit_exceeded"));
    }
    let body = failed["response"].to_string();
    assert_eq!(Responses.read_reply(body.as_bytes()).unwrap_err().status, 429);
}

#[test]
fn more_calls_than_an_answer_can_hold_are_refused() {
    let mut reader = Responses.stream_reader();
    let mut outcome = Ok(());
    for at in 0..5000 {
        let event = json!({"type": "response.output_item.added", "output_index": at,
                           "item": {"type": "function_call", "call_id": "x", "name": "f", "arguments": ""}});
        outcome = reader.read(None, event.to_string().as_bytes(), &mut |_| {});
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome.unwrap_err().class, Class::Malformed);
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

/// The rules that OpenAI's own clients hold a stream to.
fn check_order(events: &[(String, Value)]) {
    let mut added: Vec<(u64, Value)> = Vec::new();
    let mut done: Vec<u64> = Vec::new();
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for (at, (name, event)) in events.iter().enumerate() {
        assert_eq!(*name, event["type"]);
        assert_eq!(event["sequence_number"], at);
        let index = event["output_index"].as_u64();
        let open = |index: u64| added.iter().any(|(item, _)| *item == index) && !done.contains(&index);
        match name.strip_prefix("response.").unwrap_or(name) {
            "created" => assert_eq!(at, 0),
            "in_progress" => assert_eq!(at, 1),
            "output_item.added" => {
                assert_eq!(index, Some(added.len() as u64));
                added.push((index.unwrap(), event["item"].clone()));
            }
            "output_item.done" => {
                let index = index.unwrap();
                assert!(open(index), "{event}");
                let (_, item) = &added[usize::try_from(index).unwrap()];
                for member in ["id", "type", "call_id", "name"] {
                    assert_eq!(item[member], event["item"][member]);
                }
                assert!(!parts.iter().any(|(item, _)| *item == index), "a part is open");
                done.push(index);
            }
            "content_part.added" | "reasoning_summary_part.added" => {
                assert!(open(index.unwrap()));
                parts.push((index.unwrap(), part_index(event)));
            }
            "content_part.done" | "reasoning_summary_part.done" => {
                let before = parts.len();
                parts.retain(|part| *part != (index.unwrap(), part_index(event)));
                assert_eq!(parts.len() + 1, before);
            }
            "completed" | "incomplete" | "failed" => {
                assert_eq!(at + 1, events.len(), "nothing comes behind the end");
                if *name != "response.failed" {
                    assert_eq!(added.len(), done.len());
                    assert_eq!(event["response"]["output"].as_array().unwrap().len(), added.len());
                }
            }
            "error" => {}
            kind => {
                let index = index.unwrap();
                assert!(open(index), "{event}");
                assert_eq!(event["item_id"], added[usize::try_from(index).unwrap()].1["id"]);
                if !kind.contains("_call_") {
                    assert!(parts.contains(&(index, part_index(event))), "{event}");
                }
            }
        }
    }
}

fn part_index(event: &Value) -> u64 {
    event["content_index"].as_u64().or(event["summary_index"].as_u64()).unwrap()
}

fn raw(text: &'static str) -> Raw<'static> {
    Raw(serde_json::from_str::<&RawValue>(text).unwrap())
}

fn any_piece() -> impl Strategy<Value = Piece<'static>> {
    let proof = || Proof { format: Str::from("messages"), seal: Str::from("c2VhbA==") };
    let text = || prop::sample::select(vec!["", "a", "\"\n", "ü"]).prop_map(Str::from);
    prop_oneof![
        4 => text().prop_map(Piece::Text),
        2 => text().prop_map(Piece::Thinking),
        1 => text().prop_map(Piece::Refusal),
        1 => Just(Piece::Proof(proof())),
        1 => Just(Piece::Hidden(proof())),
        2 => (0..3u32).prop_map(|call| Piece::ToolCall {
            call,
            id: Str::from("x"),
            name: Str::from(if call == 2 { "patch" } else { "f" }),
            proof: None,
        }),
        3 => (0..3u32, prop::sample::select(vec!["{", "}", "{}", "\"", "x"]))
            .prop_map(|(call, json)| Piece::Arguments { call, json: Str::from(json) }),
        1 => Just(Piece::Citation(NAME, raw(r#"{"type":"url_citation"}"#))),
        1 => Just(Piece::Logprobs(raw(r#"{"content":[{"token":"a","logprob":-1}]}"#))),
        2 => Just(Piece::End),
    ]
}

/// A part of an answer, and the pieces that it comes in.
fn any_part() -> impl Strategy<Value = (Part<'static>, Vec<Piece<'static>>)> {
    let text = |text: &'static str| Str::from(text);
    let proof = |seal: &'static str| Proof { format: Str::from("messages"), seal: Str::from(seal) };
    prop_oneof![
        Just((
            Part::Text(Text { text: text("ab"), ..Text::default() }),
            vec![Piece::Text(text("a")), Piece::Text(text("b"))]
        )),
        Just((Part::Refusal(text("no")), vec![Piece::Refusal(text("no"))])),
        Just((
            Part::Thinking(Thinking { text: text("hm"), proof: Some(proof("s")), hidden: false }),
            vec![Piece::Thinking(text("hm")), Piece::Proof(proof("s"))]
        )),
        Just((
            Part::Thinking(Thinking { text: text("hm"), ..Thinking::default() }),
            vec![Piece::Thinking(text("hm"))]
        )),
        Just((
            Part::Thinking(Thinking { proof: Some(proof("h")), hidden: true, ..Thinking::default() }),
            vec![Piece::Hidden(proof("h"))]
        )),
        Just((
            Part::ToolCall(ToolCall {
                id: text("x"),
                name: text("f"),
                proof: Some(Proof { format: text("gemini"), seal: text("s") }),
                ..ToolCall::default()
            }),
            vec![Piece::ToolCall {
                call: 0,
                id: text("x"),
                name: text("f"),
                proof: Some(Proof { format: text("gemini"), seal: text("s") })
            }]
        )),
        Just((
            Part::ToolCall(ToolCall {
                id: text("x"),
                name: text("f"),
                arguments: text("{}"),
                ..ToolCall::default()
            }),
            vec![
                Piece::ToolCall { call: 0, id: text("x"), name: text("f"), proof: None },
                Piece::Arguments { call: 0, json: text("{}") }
            ]
        )),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_the_order_is_kept(
        pieces in prop::collection::vec((0..2u32, any_piece()), 0..24),
        finish in prop::option::of(prop::sample::select(vec![Finish::Stop, Finish::Length, Finish::ContentFilter])),
        broken in any::<bool>(),
    ) {
        let asked = Asked { free_tools: vec!["patch".to_owned()], ..asked() };
        let mut chunks: Vec<Chunk<'_>> =
            pieces.into_iter().map(|(choice, piece)| Chunk::More { choice, piece }).collect();
        chunks.extend(finish.map(|finish| Chunk::Finish { choice: 0, finish }));
        chunks.push(if broken {
            Chunk::Error(Fault::new(Class::Truncated, 502, "x", "x"))
        } else {
            Chunk::End
        });
        chunks.push(Chunk::End);
        let events = written(&asked, &chunks);
        check_order(&events);
        let last = names(&events).last().copied().unwrap();
        prop_assert!(["completed", "incomplete", "failed"].contains(&last));
    }

    #[test]
    fn a_stream_ends_with_what_the_whole_would_have_been(
        parts in prop::collection::vec(any_part(), 0..6),
        length in any::<bool>(),
    ) {
        let finish = if length { Finish::Length } else { Finish::Stop };
        let mut chunks = vec![begin()];
        for (call, (_, pieces)) in (0..).zip(&parts) {
            for piece in pieces {
                let mut piece = piece.clone();
                if let Piece::ToolCall { call: at, .. } | Piece::Arguments { call: at, .. } = &mut piece {
                    *at = call;
                }
                chunks.push(more(piece));
            }
            chunks.push(more(Piece::End));
        }
        chunks.extend([Chunk::Finish { choice: 0, finish: finish.clone() }, Chunk::End]);
        let streamed = written(&asked(), &chunks).pop().unwrap().1["response"].take();
        let choice = Choice {
            parts: parts.into_iter().map(|(part, _)| part).collect(),
            finish: Some(finish),
            ..Choice::default()
        };
        let reply = Reply {
            id: Str::from("a"),
            model: Str::from("m"),
            created: Some(1),
            choices: vec![choice],
            ..Reply::default()
        };
        prop_assert_eq!(streamed, json(&Responses.write_reply(&reply, &asked())));
    }
}
