//! Answers that a second stream takes up: what it thinks, what both took, and streams that go out as they come.

use super::super::*;
use super::{BLOCK, END, OVER, ROLE, STARTED, STOP, STOPPED, Splitter, run_through, words};
use crate::format::{Asked, Begun, messages::Messages};
use serde_json::{Value, json};

fn delta(delta: &Value) -> String {
    json!({ "model": "m", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }).to_string()
}

fn think(thought: &str) -> String {
    delta(&json!({ "reasoning_content": thought }))
}

fn say(text: &str) -> String {
    delta(&json!({ "content": text }))
}

fn stream(events: &[String]) -> String {
    events.iter().map(|data| format!("data: {data}\n\n")).collect()
}

/// What another stream could take up behind these events.
fn told(events: &[String]) -> Option<Words> {
    let mut watch = StreamWatch::new(false, Splitter::LIMIT).remembering();
    watch.push(Bytes::from(stream(events)), &mut Pieces::new()).unwrap();
    watch.told()
}

fn thinking(thought: &str) -> Option<Words> {
    Some(Words { thought: thought.to_owned(), begun: Begun::Text, ..Words::default() })
}

fn after_thought(text: &str) -> Words {
    Words { after_thought: true, ..Words::text(text) }
}

#[test]
fn a_thought_is_over_once_the_text_has_begun() {
    let both = |thought: &str| delta(&json!({ "reasoning": thought, "reasoning_content": thought }));
    let tool = delta(&json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" } }] }));
    for (events, expect) in [
        (vec![ROLE.to_owned()], Some(Words::text(""))),
        (vec![think("a "), think("b")], thinking("a b")),
        (
            vec![ROLE.to_owned(), think("a "), think("b"), think("c"), say("x "), say("y")],
            Some(after_thought("x y")),
        ),
        (vec![delta(&json!({ "reasoning": "a" })), say("x")], Some(after_thought("x"))),
        // What cannot be compared cannot be repeated either; behind it the text can.
        (vec![both("a")], None),
        (vec![both("a"), both("b"), say("x")], Some(after_thought("x"))),
        (vec![think("a"), both("b"), say("x")], Some(after_thought("x"))),
        (vec![delta(&json!({ "reasoning_content": "a", "content": "x" }))], None),
        (vec![say("x"), think("a")], None),
        (vec![think("a"), say("x"), think("b"), say("y")], None),
        (vec![think("a"), tool], None),
    ] {
        assert_eq!(told(&events), expect, "{events:?}");
    }
}

/// The deltas that go out of a stream that takes up `words`, or the class of its fault.
fn taken_up(words: &Words, repeats: bool, events: &[String]) -> Result<Vec<Value>, Class> {
    let all = [&[ROLE.to_owned()], events, &[STOP.to_owned(), END.to_owned()]].concat();
    let stream = stream(&all);
    let mut results = Vec::new();
    for size in [1, 50, stream.len()] {
        let mut watch = StreamWatch::new(false, Splitter::LIMIT).taking_up(words, repeats);
        let (mut out, mut fault) = (Pieces::new(), None);
        for piece in stream.as_bytes().chunks(size) {
            if let Step::Error(error) = watch.push(Bytes::copy_from_slice(piece), &mut out).unwrap() {
                fault = fault.or(Some(error.class));
                assert!(!watch.has_first_token(), "{events:?}");
            }
        }
        let out = String::from_utf8(out.concat()).unwrap();
        assert!(fault.is_none() || out.is_empty(), "nothing of it goes out: {out}");
        let data = out.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).filter(|d| *d != END);
        let deltas = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
        let deltas = deltas.map(|chunk| chunk["choices"][0]["delta"].clone());
        results.push(fault.map_or_else(|| Ok(deltas.filter(|delta| *delta != json!({})).collect()), Err));
    }
    assert!(results.windows(2).all(|two| two[0] == two[1]), "however it is cut: {results:?}");
    results.remove(0)
}

#[test]
fn a_second_thought_is_left_out_before_the_text() {
    let both = |thought: &str| delta(&json!({ "reasoning": thought, "reasoning_content": thought }));
    let new = Ok(vec![json!({ "content": "three" })]);
    for words in [after_thought("one two "), Words::text("one two ")] {
        let again = [think("otherwise"), both("and so on"), say("one "), say("two "), say("three")];
        assert_eq!(taken_up(&words, true, &again), new);
        let behind = [think("otherwise"), say("three")];
        assert_eq!(taken_up(&words, false, &behind), new);
        assert_eq!(taken_up(&words, true, &behind), Err(Class::Diverged));
    }
    // A thought behind the joint is the answer's own.
    let later = [say("one two "), say("three"), think("hm")];
    let expect = vec![json!({ "content": "three" }), json!({ "reasoning_content": "hm" })];
    assert_eq!(taken_up(&after_thought("one two "), true, &later), Ok(expect));
}

/// Nobody goes on with another one's thought: one that is under way is repeated to the letter.
#[test]
fn a_thought_that_broke_off_is_repeated_or_given_up() {
    let words = thinking("one two ").unwrap();
    let check = |events: &[String], expect: Result<Vec<Value>, Class>| {
        assert_eq!(taken_up(&words, true, events), expect, "{events:?}");
    };
    let thought = |thought: &str| json!({ "reasoning_content": thought });
    let text = |text: &str| json!({ "content": text });
    check(&[think("one "), think("two "), think("three"), say("x")], Ok(vec![thought("three"), text("x")]));
    check(&[think("one two three"), say("x")], Ok(vec![thought("three"), text("x")]));
    check(&[think("one two "), say("x")], Ok(vec![text("x")]));
    check(&[think("one "), say("x")], Err(Class::Diverged));
    check(&[think("one more")], Err(Class::Diverged));
    check(&[say("one two ")], Err(Class::Diverged));
    check(&[think("one ")], Err(Class::Diverged));
    check(
        &[delta(&json!({ "reasoning": "one two ", "reasoning_content": "one two " }))],
        Err(Class::Diverged),
    );
}

fn spent() -> Usage {
    Usage { input: 100, output: 40, cache_read: 7, ..Usage::default() }
}

#[test]
fn a_stream_that_takes_up_an_answer_states_the_usage_of_both() {
    let chunk = |usage: &Value| {
        json!({ "model": "m", "choices": [], "usage": usage, "x_groq": { "id": "r", "usage": usage }, "odd": 1 })
            .to_string()
    };
    let stated =
        json!({ "prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13, "queue_time": 0.5 });
    let sum = json!({
        "prompt_tokens": 110, "completion_tokens": 43, "total_tokens": 153,
        "prompt_tokens_details": { "cached_tokens": 7 },
        "completion_tokens_details": { "reasoning_tokens": 0 },
    });
    let stop = json!({
        "choices": [{ "index": 0, "delta": { "content": "one two" }, "finish_reason": "stop" }], "usage": stated,
    });
    let last = |out: &str| {
        let data: Vec<&str> = out.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
        assert_eq!(data.last(), Some(&END), "{out}");
        serde_json::from_str::<Value>(data[data.len() - 2]).unwrap()
    };
    let watch = |wanted| {
        StreamWatch::new(wanted, Splitter::LIMIT).taking_up(&Words::text("one "), true).adding(Some(spent()))
    };
    let all = stream(&[say("one two"), STOP.to_owned(), chunk(&stated), END.to_owned()]);
    for size in [1, 50, all.len()] {
        let pieces: Vec<&str> =
            all.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
        let (out, end, _) = run_through(watch(true), &pieces);
        assert_eq!(end, "complete");
        assert_eq!(last(&out), serde_json::from_str::<Value>(&chunk(&sum)).unwrap());
        assert!(out.starts_with("data: ") && out.find("two") < out.find("110"), "in their order: {out}");
        let (out, ..) = run_through(watch(false), &pieces);
        assert!(!out.contains("usage"), "{out}");
    }
    // Beside a text that is written anew, too.
    let (out, ..) = run_through(watch(true), &[&stream(&[stop.to_string(), END.to_owned()])]);
    let expect = json!({
        "choices": [{ "index": 0, "delta": { "content": "two" }, "finish_reason": "stop" }], "usage": sum,
    });
    assert_eq!(last(&out), expect);
    // What the second one took is known by itself; what states nothing stays as it is.
    let mut seen = watch(true);
    seen.push(Bytes::from(all), &mut Pieces::new()).unwrap();
    assert_eq!(seen.usage().map(|usage| (usage.input, usage.output)), Some((10, 3)));
    let none = chunk(&Value::Null);
    let (out, ..) = run_through(
        watch(true),
        &[&stream(&[say("one two"), STOP.to_owned(), none.clone(), END.to_owned()])],
    );
    assert_eq!(last(&out), serde_json::from_str::<Value>(&none).unwrap());
}

const THOUGHT: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n";
const THINKS: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n";
const SEALED: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"s\"}}\n\n";
const STOP_0: &str = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n";

fn second(event: &str) -> String {
    event.replace("\"index\":0", "\"index\":1")
}

/// A client of messages has numbered blocks; what follows has to fit behind them.
#[test]
fn messages_that_went_out_as_they_came_can_be_taken_up_behind_one_text() {
    let told = |pieces: &[&str]| {
        let mut watch = StreamWatch::new(false, Splitter::LIMIT).reading(&Messages).remembering();
        watch.push(Bytes::from(pieces.concat()), &mut Pieces::new()).unwrap();
        watch.told()
    };
    let one = words("one ");
    let (block, text) = (second(BLOCK), second(&one));
    let opened = Words { begun: Begun::Text, ..Words::default() };
    for (pieces, expect) in [
        (vec![STARTED], Some(Words::text(""))),
        (vec![STARTED, BLOCK], Some(opened)),
        (vec![STARTED, BLOCK, &*one], Some(Words::text("one "))),
        (vec![STARTED, BLOCK, &*one, STOP_0], None),
        (vec![STARTED, THOUGHT], None),
        (vec![STARTED, THOUGHT, THINKS], None),
        (vec![STARTED, THOUGHT, THINKS, SEALED, STOP_0], None),
        (vec![STARTED, THOUGHT, THINKS, SEALED, STOP_0, &*block, &*text], Some(after_thought("one "))),
        (vec![STARTED, THOUGHT, SEALED, STOP_0, &*block, &*text], Some(after_thought("one "))),
        // Blocks that are neither, or not in their order.
        (vec![STARTED, BLOCK, STOP_0, &*block, &*text], None),
        (vec![STARTED, &*block, &*text], None),
    ] {
        assert_eq!(told(&pieces), expect, "{pieces:?}");
    }
}

#[test]
fn what_is_taken_up_as_messages_goes_on_in_the_block_that_stands_open() {
    let run = |has: &Words, pieces: &[&str]| {
        let asked = Asked { begun: has.begun, after_thought: has.after_thought, ..Asked::default() };
        let watch = StreamWatch::new(false, Splitter::LIMIT).translating(&Messages, &Messages, &asked);
        let (out, end, _) = run_through(watch.taking_up(has, true).adding(Some(spent())), pieces);
        let events = out.split("\n\n").filter_map(|event| event.split_once("data: "));
        let events = events.map(|(_, data)| serde_json::from_str::<Value>(data).unwrap());
        (events.collect::<Vec<Value>>(), end)
    };
    let (one, two) = (words("one "), words("two"));
    let ends = |index: u32| {
        vec![
            json!({ "type": "content_block_delta", "index": index, "delta": { "type": "text_delta", "text": "two" } }),
            json!({ "type": "content_block_stop", "index": index }),
            json!({
                "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
                "usage": {
                    "input_tokens": 96, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 7,
                    "output_tokens": 45,
                },
            }),
            json!({ "type": "message_stop" }),
        ]
    };
    let plain = [STARTED, BLOCK, &one, &two, STOP_0, STOPPED, OVER];
    let (block, text, more) = (second(BLOCK), second(&one), second(&two));
    let thinks = [STARTED, THOUGHT, THINKS, SEALED, STOP_0, &block, &text, &more, STOPPED, OVER];
    for again in [&plain[..], &thinks[..]] {
        assert_eq!(run(&Words::text("one "), again), (ends(0), "complete".to_owned()));
        assert_eq!(run(&after_thought("one "), again), (ends(1), "complete".to_owned()));
    }
}
