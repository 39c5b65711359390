//! Streams: what is written keeps the order that clients go by, and what is read is told whole.

use crate::format::responses::writer::Writer;
use crate::format::responses::{NAME, Responses};
use crate::format::tests::{asked, events, json};
use crate::format::{Asked, Begun, Format, Framing, StreamWriter};
use crate::neutral::{Choice, Chunk, Finish, Part, Piece, Proof, Raw, Reply, Str, Text, Thinking, ToolCall};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use weir_core::{Class, Fault};

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
fn an_answer_is_taken_up_behind_what_was_told() {
    let text = |text| more(Piece::Text(Str::from(text)));
    let own = Asked { own_id: true, ..asked() };
    let mut before = written(&own, &[begin(), text("One, "), text("two, ")]);
    let taken = Asked { begun: Begun::Text, told: "One, two, ".to_owned(), ..own };
    let after = written(&taken, &[text("three"), Chunk::End]);
    assert!(after[0].1["sequence_number"].as_u64() > before.last().unwrap().1["sequence_number"].as_u64());
    assert_eq!(after.last().unwrap().1["response"]["id"], "ours");
    assert_eq!(after.last().unwrap().1["response"]["output"][0]["content"][0]["text"], "One, two, three");
    before.extend(after);
    for (at, (_, event)) in before.iter_mut().enumerate() {
        event["sequence_number"] = at.into();
    }
    check_order(&before);
}

#[test]
fn a_stream_that_has_begun_is_ended_without_a_beginning() {
    let fault = Fault::new(Class::Truncated, 502, "upstream_truncated", "It broke off.");
    let events = events(Framing::Events, &Responses.error_event(&fault, None, None));
    assert_eq!(names(&events), ["error", "failed"]);
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

fn done(index: u32, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

#[test]
fn items_that_come_whole_are_told_whole() {
    let chunks = heard(&[
        json!({"type": "response.created", "response": {"id": "a", "model": "m", "created_at": 1.0}}),
        done(0, &json!({"type": "reasoning", "summary": [], "encrypted_content": "c2VhbA=="})),
        done(1, &json!({"type": "message", "content": [{"type": "output_text", "text": "Yes"}]})),
        done(2, &json!({"type": "function_call", "call_id": "x", "name": "f", "arguments": "{}"})),
        done(3, &json!({"type": "custom_tool_call", "call_id": "y", "name": "p", "input": "a\"b"})),
        done(4, &json!({"type": "web_search_call", "action": {}})),
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
        done(0, &json!({"type": "custom_tool_call", "call_id": "x", "name": "p", "input": "a\n\"b\""})),
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
    let streamed = heard(&[part(0), delta("One"), part(1), delta("Two"), done(0, &item)]);
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
