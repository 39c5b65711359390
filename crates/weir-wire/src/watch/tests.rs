use super::*;
use crate::sse::Splitter;

/// What a stream came to: bytes for the client (with what `end` appends), how it ended, what was learnt.
#[derive(Debug, PartialEq)]
struct Run {
    out: String,
    end: String,
    facts: String,
}

fn run<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, wants_usage: bool) -> Run {
    let mut watch = StreamWatch::new(wants_usage, Splitter::LIMIT);
    let mut out = Pieces::new();
    let mut error = None;
    for piece in pieces {
        match watch.push(Bytes::copy_from_slice(piece), &mut out).unwrap() {
            Step::Open | Step::Done => {}
            Step::Error(fault) => error = error.or(Some(fault)),
        }
    }
    let said = |fault: &Fault| format!("{} {}: {}", fault.class.name(), fault.status, fault.message);
    let end = match (error, watch.end()) {
        (Some(fault), _) => format!("error {}", said(&fault)),
        (None, End::Failed(fault)) => said(&fault),
        (None, End::Complete { append }) => {
            out.extend(append);
            "complete".into()
        }
    };
    let finish: Vec<String> = watch.finish_reasons().map(|(i, r)| format!("{i}:{}", r.name())).collect();
    let facts = format!(
        "{} {:?} [{}] first={} tokens={} bad={}",
        watch.model().map_or("-", |model| model.as_str()),
        watch.usage().map(|usage| (usage.input, usage.output)),
        finish.join(" "),
        watch.has_first_token(),
        watch.token_events(),
        watch.unparsable(),
    );
    Run { out: String::from_utf8(out.concat()).unwrap(), end, facts }
}

/// Checks a stream given as the events' data (each becomes `data: …` and a blank line), whole, cut in two at every byte,
/// and byte by byte. `out`: the data of the events that reach the client.
fn check(events: &[&str], wants_usage: bool, out: &[&str], end: &str, facts: &str) {
    let wrap = |events: &[&str]| events.iter().map(|data| format!("data: {data}\n\n")).collect::<String>();
    check_bytes(&wrap(events), wants_usage, &wrap(out), end, facts);
}

fn check_bytes(stream: &str, wants_usage: bool, out: &str, end: &str, facts: &str) {
    let expect = Run { out: out.into(), end: end.into(), facts: facts.into() };
    assert_eq!(run([stream.as_bytes()], wants_usage), expect, "{stream}");
    for cut in 1..stream.len() {
        let (a, b) = stream.as_bytes().split_at(cut);
        assert_eq!(run([a, b], wants_usage), expect, "cut at {cut}: {stream}");
    }
    assert_eq!(run(stream.as_bytes().chunks(1), wants_usage), expect, "byte by byte: {stream}");
}

const ROLE: &str = r#"{"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const HI: &str = r#"{"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;
const STOP: &str = r#"{"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str =
    r#"{"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}"#;
const END: &str = "[DONE]";
const BROKE_OFF: &str = "truncated 502: The upstream's answer broke off before it was complete.";

#[test]
fn the_usage_chunk_reaches_only_those_who_asked() {
    let facts = "m Some((9, 1)) [0:stop] first=true tokens=1 bad=0";
    check(&[ROLE, HI, STOP, USAGE, END], true, &[ROLE, HI, STOP, USAGE, END], "complete", facts);
    check(&[ROLE, HI, STOP, USAGE, END], false, &[ROLE, HI, STOP, END], "complete", facts);
}

/// Feeds a stream piece by piece; gives what goes out, how it ended and what a second stream could take up.
fn run_through(mut watch: StreamWatch, pieces: &[&str]) -> (String, String, Option<String>) {
    let mut out = Pieces::new();
    let mut error = None;
    for piece in pieces {
        if let Step::Error(fault) = watch.push(Bytes::copy_from_slice(piece.as_bytes()), &mut out).unwrap() {
            error = Some(fault);
        }
    }
    let told = watch.told().map(str::to_owned);
    let end = match (error, watch.end()) {
        (Some(fault), _) => format!("error {} {}", fault.class.name(), fault.status),
        (None, End::Failed(fault)) => fault.class.name().to_owned(),
        (None, End::Complete { append }) => {
            out.extend(append);
            "complete".to_owned()
        }
    };
    (String::from_utf8(out.concat()).unwrap(), end, told)
}

const STARTED: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";
const BLOCK: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const STOPPED: &str = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n";
const OVER: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn words(text: &str) -> String {
    format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
    )
}

fn chat_text(out: &str) -> String {
    out.split("data: ")
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data.trim()).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_stream_of_messages_passes_as_it_comes_and_is_understood() {
    use crate::format::messages::Messages;
    let watch = || StreamWatch::new(false, Splitter::LIMIT).reading(&Messages).remembering();
    let (one, two) = (words("one "), words("two"));
    let all = [STARTED, BLOCK, ": a comment\n\n", &one, &two, STOPPED, OVER];
    let (out, end, _) = run_through(watch(), &all);
    assert_eq!((out.as_str(), end.as_str()), (all.concat().as_str(), "complete"));
    let mut seen = watch();
    seen.push(Bytes::from(all.concat()), &mut Pieces::new()).unwrap();
    assert_eq!(seen.usage().map(|usage| (usage.input, usage.output)), Some((3, 5)));
    assert_eq!(seen.text(), Some("one two"));
    assert_eq!((seen.has_first_token(), seen.token_events(), seen.has_end_mark()), (true, 2, true));
    // Its end mark is supplied when only that is missing; without a reason to stop it was cut.
    let (out, end, _) = run_through(watch(), &[STARTED, BLOCK, &one, STOPPED]);
    assert_eq!((out.ends_with(OVER), end.as_str()), (true, "complete"));
    let (_, end, told) = run_through(watch(), &[STARTED, BLOCK, &one]);
    assert_eq!((end.as_str(), told), ("truncated", None));
    // Before it has said anything, another may take its place.
    assert_eq!(run_through(watch(), &[STARTED, BLOCK]).2.as_deref(), Some(""));
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let (out, end, _) = run_through(watch(), &[STARTED, BLOCK, &one, error]);
    assert_eq!((out, end.as_str()), ([STARTED, BLOCK, &one].concat(), "error server_error 503"));
}

#[test]
fn a_stream_of_messages_is_told_as_chat_and_can_be_taken_up() {
    use crate::format::{Asked, Begun, chat::Chat, messages::Messages};
    let asked = |begun| Asked { begun, id: "x".to_owned(), ..Asked::default() };
    let watch = |begun| StreamWatch::new(false, Splitter::LIMIT).translating(&Messages, &Chat, &asked(begun));
    let (one, two) = (words("one "), words("two"));
    let cut = [STARTED, BLOCK, &one];
    let (out, end, told) = run_through(watch(Begun::Nothing).remembering(), &cut);
    assert_eq!(
        (chat_text(&out).as_str(), end.as_str(), told.as_deref()),
        ("one ", "truncated", Some("one "))
    );
    assert!(!out.contains("[DONE]"), "{out}");
    // A second stream repeats it, cut elsewhere, and goes on.
    let (repeats, goes_on) = (words("on"), words("e two"));
    for again in [
        vec![STARTED, BLOCK, &*repeats, &*goes_on, STOPPED, OVER],
        vec![STARTED, BLOCK, &*one, &*two, STOPPED],
    ] {
        let (out, end, _) = run_through(watch(Begun::Text).taking_up("one ", true), &again);
        assert_eq!((chat_text(&out).as_str(), end.as_str()), ("two", "complete"));
        assert!(out.ends_with("data: [DONE]\n\n") && !out.contains("role"), "{out}");
    }
    // One that says something else is not glued to it.
    let other = words("Two");
    let (out, end, _) =
        run_through(watch(Begun::Text).taking_up("one ", true), &[STARTED, BLOCK, &other, STOPPED]);
    assert_eq!((out.as_str(), end.as_str()), ("", "error diverged 502"));
    // One that stops short of it neither.
    let short = words("on");
    let (out, end, _) =
        run_through(watch(Begun::Text).taking_up("one ", true), &[STARTED, BLOCK, &short, STOPPED, OVER]);
    assert_eq!((out.as_str(), end.as_str()), ("", "error diverged 502"));
    // With a declared prefill it goes on behind it.
    let (out, end, _) =
        run_through(watch(Begun::Text).taking_up("one ", false), &[STARTED, BLOCK, &two, STOPPED, OVER]);
    assert_eq!((chat_text(&out).as_str(), end.as_str()), ("two", "complete"));
}

#[test]
fn the_last_words_of_a_cut_stream_are_not_taken_for_told() {
    // Without a blank line behind it the last event has not gone out.
    let cut = format!("data: {ROLE}\n\ndata: {HI}\n\ndata: {HI}");
    let mut watch = StreamWatch::new(false, Splitter::LIMIT).remembering();
    let mut out = Pieces::new();
    watch.push(Bytes::from(cut), &mut out).unwrap();
    assert!(matches!(watch.end(), End::Failed(_)));
    assert_eq!((out.concat().windows(4).filter(|w| w == b"\"hi\"").count(), watch.told()), (1, Some("hi")));
}

#[test]
fn the_last_event_of_a_repetition_may_lack_its_blank_line() {
    let last =
        r#"{"model":"m","choices":[{"index":0,"delta":{"content":"hi there"},"finish_reason":"stop"}]}"#;
    let mut watch = StreamWatch::new(false, Splitter::LIMIT).taking_up("hi", true);
    let mut out = Pieces::new();
    watch.push(Bytes::from(format!("data: {ROLE}\n\ndata: {last}")), &mut out).unwrap();
    let End::Complete { append: Some(append) } = watch.end() else { panic!("not complete") };
    let all = String::from_utf8([out.concat(), append.to_vec()].concat()).unwrap();
    assert!(
        all.contains(r#""content":" there""#) && all.contains("stop") && all.ends_with("data: [DONE]\n\n"),
        "{all}"
    );
}

#[test]
fn nothing_is_put_together_over_a_damaged_chunk() {
    let damaged = r#"{"choices":[{"delta":{"content":"LOST"},"#;
    let fault = "error malformed 502: The upstream sent a damaged piece of its answer.";
    check(&[HI, damaged, STOP, END], false, &[HI], fault, "m None [] first=true tokens=1 bad=0");
    // What is no chunk at all does no harm.
    check(
        &[HI, "<html>", "{oops", STOP, END],
        false,
        &[HI, STOP, END],
        "complete",
        "m None [0:stop] first=true tokens=1 bad=2",
    );
}

#[test]
fn halves_of_a_pair_are_the_clients_to_join() {
    let half = |text: &str| {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]}}"#)
    };
    let (high, low) = (half(r"\ud83d"), half(r"\ude00"));
    let facts = "m None [0:stop] first=true tokens=3 bad=0";
    check(&[HI, &high, &low, STOP, END], false, &[HI, &high, &low, STOP, END], "complete", facts);
}

#[test]
fn a_missing_end_mark_is_supplied() {
    let facts = "m None [0:stop] first=true tokens=1 bad=0";
    check(&[HI, STOP], false, &[HI, STOP, END], "complete", facts);
    for ending in ["", "\n", "\r\n"] {
        let stream = format!("data: {HI}\n\ndata: {STOP}{ending}");
        let out = format!("{}{}\n\ndata: [DONE]\n\n", stream.trim_end(), ending.replace('\n', ""));
        let out = if ending == "\r\n" { format!("{stream}\ndata: [DONE]\n\n") } else { out };
        check_bytes(&stream, false, &out, "complete", facts);
        let done = format!("data: {HI}\n\ndata: {STOP}\n\ndata: [DONE]{ending}");
        let out = if ending.is_empty() { format!("{done}\n\n") } else { format!("{done}\n") };
        check_bytes(&done, false, &out, "complete", facts);
    }
    // The last event is the usage chunk, its blank line missing.
    let stream = format!("data: {HI}\n\ndata: {STOP}\n\ndata: {USAGE}");
    let out = format!("data: {HI}\n\ndata: {STOP}\n\ndata: [DONE]\n\n");
    check_bytes(&stream, false, &out, "complete", "m Some((9, 1)) [0:stop] first=true tokens=1 bad=0");
}

#[test]
fn an_end_before_its_time_is_a_fault() {
    check(&[ROLE, HI], false, &[ROLE, HI], BROKE_OFF, "m None [] first=true tokens=1 bad=0");
    check(&[], false, &[], BROKE_OFF, "- None [] first=false tokens=0 bad=0");
    check(&[HI, END, STOP], false, &[HI], BROKE_OFF, "m None [] first=true tokens=1 bad=0");
    check(&[END], false, &[], BROKE_OFF, "- None [] first=false tokens=0 bad=0");
    let cut = format!("data: {HI}\n\ndata: {STOP}\n\ndata: {{\"choices\":[{{\"del");
    let out = format!("data: {HI}\n\ndata: {STOP}\n\n");
    check_bytes(&cut, false, &out, BROKE_OFF, "m None [0:stop] first=true tokens=1 bad=1");
    let cut = format!("data: {HI}\n\ndata: {STOP}\n\nda");
    check_bytes(&cut, false, &out, BROKE_OFF, "m None [0:stop] first=true tokens=1 bad=0");
    // A keep-alive without its line end is nobody's loss.
    let comment = format!("data: {HI}\n\ndata: {STOP}\n\n: ping");
    check_bytes(
        &comment,
        false,
        &format!("{out}data: [DONE]\n\n"),
        "complete",
        "m None [0:stop] first=true tokens=1 bad=0",
    );
}

#[test]
fn every_choice_needs_its_finish() {
    let a = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"length"},{"index":1,"delta":{"content":"b"}}]}"#;
    let b = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"tool_calls"}]}"#;
    check(&[a], false, &[a], BROKE_OFF, "- None [0:length] first=true tokens=1 bad=0");
    check(
        &[a, b],
        false,
        &[a, b, END],
        "complete",
        "- None [0:length 1:tool_calls] first=true tokens=1 bad=0",
    );
}

#[test]
fn errors_inside_a_stream_are_reported_and_kept_back() {
    let error = r#"{"error":{"message":"overloaded","type":"server_error","code":503}}"#;
    check(
        &[HI, error, STOP, END],
        false,
        &[HI],
        "error server_error 503: overloaded",
        "m None [] first=true tokens=1 bad=0",
    );
    check(&[error], false, &[], "error server_error 503: overloaded", "- None [] first=false tokens=0 bad=0");
    let both = r#"{"error":{"message":"gone","code":502},"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#;
    check(&[HI, both], false, &[HI], "error server_error 502: gone", "m None [] first=true tokens=1 bad=0");
    let named = format!("data: {HI}\n\nevent: error\ndata: out of memory\n\n");
    let facts = "m None [] first=true tokens=1 bad=0";
    check_bytes(&named, false, &format!("data: {HI}\n\n"), "error server_error 502: out of memory", facts);
    let nothing = r#"{"error":null,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    check(
        &[HI, nothing],
        false,
        &[HI, nothing, END],
        "complete",
        "m None [0:stop] first=true tokens=1 bad=0",
    );
}

#[test]
fn an_error_as_unfinished_last_words_is_a_fault() {
    let stream = format!("data: {HI}\n\ndata: {{\"error\":{{\"message\":\"late\",\"code\":500}}}}");
    let run = run([stream.as_bytes()], false);
    assert_eq!(run.end, "server_error 500: late");
}

#[test]
fn events_that_are_no_json_are_left_out_and_counted() {
    let facts = "m None [0:stop] first=true tokens=1 bad=4";
    let noise = [HI, "<html>", "{\"choices\":[{\"delta\":{\"content\":\"\"}}]", "", "5", STOP, END];
    check(&noise, false, &[HI, STOP, END], "complete", facts);
}

#[test]
fn comments_empty_choices_and_unknown_members_pass() {
    let keep_alive = r#"{"choices":[],"usage":null,"prompt_filter_results":[{"x":1}]}"#;
    let odd = r#"{"model":5,"choices":[{"index":"0","delta":{"content":null,"x":[1]},"finish_reason":""},7],"y":{"usage":{"prompt_tokens":1}}}"#;
    let stream = format!(
        ": ping\n\ndata: {keep_alive}\n\nid: 7\n\ndata: {odd}\n\ndata: {HI}\n\ndata: {STOP}\n\ndata: [DONE]\n\n"
    );
    check_bytes(&stream, false, &stream, "complete", "m None [0:stop] first=true tokens=1 bad=0");
}

#[test]
fn usage_is_taken_from_wherever_dialects_put_it() {
    // Ollama's completions: zeros in every chunk.
    let zero = r#"{"choices":[{"index":0,"text":"hi","finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#;
    check(
        &[zero, USAGE],
        false,
        &[zero, END],
        "complete",
        "m Some((9, 1)) [0:stop] first=true tokens=1 bad=0",
    );
    check(
        &[USAGE, zero],
        true,
        &[USAGE, zero, END],
        "complete",
        "m Some((9, 1)) [0:stop] first=true tokens=1 bad=0",
    );
    check(&[zero], false, &[zero, END], "complete", "- None [0:stop] first=true tokens=1 bad=0");
    // A usage chunk of zeros means them.
    let nothing = r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#;
    let facts = "- Some((0, 0)) [0:stop] first=true tokens=1 bad=0";
    check(&[zero, nothing], false, &[zero, END], "complete", facts);
    // Groq, and an ordinary last chunk that carries usage: both stay.
    let groq = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"prompt_tokens":4,"completion_tokens":3}}}"#;
    check(
        &[HI, groq],
        false,
        &[HI, groq, END],
        "complete",
        "m Some((4, 3)) [0:stop] first=true tokens=1 bad=0",
    );
    // Running totals: the last one wins.
    let running = r#"{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":9,"completion_tokens":7}}"#;
    check(
        &[USAGE, running, STOP],
        true,
        &[USAGE, running, STOP, END],
        "complete",
        "m Some((9, 7)) [0:stop] first=true tokens=1 bad=0",
    );
    let negative = r#"{"choices":[],"usage":{"prompt_tokens":-9,"completion_tokens":7}}"#;
    check(
        &[HI, STOP, negative],
        false,
        &[HI, STOP, END],
        "complete",
        "m None [0:stop] first=true tokens=1 bad=0",
    );
}

#[test]
fn usage_is_estimated_when_none_is_stated() {
    let mut watch = StreamWatch::new(false, Splitter::LIMIT);
    let text = r#"{"choices":[{"index":0,"delta":{"content":"12345678901234567890"}}]}"#;
    watch.push(Bytes::from(format!("data: {text}\n\ndata: {HI}\n\n")), &mut Pieces::new()).unwrap();
    let usage = watch.usage_or_estimate(100);
    assert_eq!((usage.input, usage.output, usage.source.name()), (25, 6, "estimated"));
    watch.push(Bytes::from(format!("data: {USAGE}\n\n")), &mut Pieces::new()).unwrap();
    let usage = watch.usage_or_estimate(100);
    assert_eq!((usage.input, usage.output, usage.source.name()), (9, 1, "reported"));
}

#[test]
fn the_first_token_is_the_first_thing_of_use() {
    for (delta, is_token) in [
        (r#"{"role":"assistant"}"#, false),
        (r#"{"role":"assistant","content":""}"#, false),
        (r#"{"content":null,"refusal":null,"tool_calls":[],"function_call":null}"#, false),
        (r#"{"content":" "}"#, true),
        (r#"{"content":[{"type":"text","text":"x"}]}"#, true),
        (r#"{"reasoning":"hm"}"#, true),
        (r#"{"reasoning_content":"hm"}"#, true),
        (r#"{"refusal":"no"}"#, true),
        (r#"{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#, true),
        (r#"{"function_call":{"name":"f"}}"#, true),
        (r#"{"audio":{"id":"a"}}"#, true),
    ] {
        let mut watch = StreamWatch::new(false, Splitter::LIMIT);
        let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n");
        watch.push(Bytes::from(event), &mut Pieces::new()).unwrap();
        assert_eq!((watch.has_first_token(), watch.events()), (is_token, 1), "{delta}");
        assert_eq!(watch.token_events(), u64::from(is_token), "{delta}");
    }
    let mut watch = StreamWatch::new(false, Splitter::LIMIT);
    watch.push(Bytes::from(format!("data: {STOP}\n\n")), &mut Pieces::new()).unwrap();
    assert!(watch.has_first_token());
    assert_eq!(watch.token_events(), 0);
}

#[test]
fn what_a_model_writes_is_not_taken_for_facts() {
    let quoted = r#"{"choices":[{"index":0,"delta":{"content":"\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":5},\"error\":{}\n\ndata: [DONE]\n\n"}}]}"#;
    check(&[quoted], false, &[quoted], BROKE_OFF, "- None [] first=true tokens=1 bad=0");
}

#[test]
fn an_event_beyond_the_limit_is_a_fault() {
    let mut watch = StreamWatch::new(false, 1000);
    let fault = watch.push(Bytes::from("data: ".repeat(200)), &mut Pieces::new()).unwrap_err();
    assert_eq!((fault.class, fault.status), (Class::Malformed, 502));
}

/// What a stream of these texts that takes up `told` comes to: the texts that go out, and the class of its error.
fn taken_up(told: &str, repeats: bool, texts: &[&str]) -> (String, Option<&'static str>, Option<String>) {
    let chunk = |text: &&str| {
        let text = serde_json::to_string(text).unwrap();
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}},\"finish_reason\":null}}]}}\n\n"
        )
    };
    let stream = format!(": hello\n\ndata: {ROLE}\n\n{}", texts.iter().map(chunk).collect::<String>());
    let mut results = Vec::new();
    for size in [1, 50, stream.len()] {
        let mut watch = StreamWatch::new(true, Splitter::LIMIT).taking_up(told, repeats);
        let (mut out, mut error) = (Pieces::new(), None);
        for piece in stream.as_bytes().chunks(size) {
            if let Step::Error(fault) = watch.push(Bytes::copy_from_slice(piece), &mut out).unwrap() {
                error = error.or(Some(fault.class.name()));
            }
        }
        let out = String::from_utf8(out.concat()).unwrap();
        let text = out.split("\n\n").filter(|event| !event.is_empty()).map(|event| {
            let data: serde_json::Value =
                serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            data["choices"][0]["delta"]["content"].as_str().unwrap().to_owned()
        });
        results.push((text.collect::<String>(), error, watch.told().map(str::to_owned)));
    }
    assert!(results.windows(2).all(|two| two[0] == two[1]), "however it is cut: {results:?}");
    results.remove(0)
}

#[test]
fn a_stream_that_takes_up_an_answer_says_only_what_is_new() {
    let check = |told: &str, repeats, texts: &[&str], out: &str| {
        let all = format!("{told}{out}");
        let told_now = (!out.is_empty()).then_some(all);
        assert_eq!(taken_up(told, repeats, texts), (out.to_owned(), None, told_now), "{told} {texts:?}");
    };
    check("a b", true, &["a", " b", " c", " d"], " c d");
    check("a b", true, &["a b c", " d"], " c d");
    check("a b", true, &["a", " b c"], " c");
    check("a b", true, &["a", " "], "");
    check("a b", true, &["a b"], "");
    check("a b", false, &[" c", " d"], " c d");
    check("a b", false, &["a b"], "a b");
    check("\"q\u{1}\\ü", true, &["\"q\u{1}", "\\ü\n\"🦀"], "\n\"🦀");
}

#[test]
fn a_stream_that_says_something_else_takes_up_nothing() {
    for texts in [&["x"][..], &["a", " c"], &["A b c"], &["a b".to_uppercase().as_str(), " c"]] {
        assert_eq!(taken_up("a b", true, texts), (String::new(), Some("diverged"), None), "{texts:?}");
    }
}

/// What goes out of a stream that was given the beginning of an answer, or the class of its fault.
fn behind(told: &str, pieces: &[&str]) -> Result<String, Class> {
    let mut watch = StreamWatch::new(false, Splitter::LIMIT).taking_up(told, false);
    let mut out = Pieces::new();
    let said = |text: &str| {
        let text = serde_json::to_string(text).unwrap();
        format!(
            r#"{{"model":"m","choices":[{{"index":0,"delta":{{"content":{text}}},"finish_reason":null}}]}}"#
        )
    };
    let events = [ROLE.to_owned()].into_iter().chain(pieces.iter().map(|piece| said(piece)));
    for event in events.chain([STOP.to_owned(), END.to_owned()]) {
        match watch.push(Bytes::from(format!("data: {event}\n\n")), &mut out).unwrap() {
            Step::Error(fault) => return Err(fault.class),
            Step::Open | Step::Done => {}
        }
    }
    let out = String::from_utf8(out.concat()).unwrap();
    assert!(out.ends_with("data: [DONE]\n\n"), "{out}");
    let chunks = out.split("\n\n").filter_map(|event| event.strip_prefix("data: ").filter(|d| *d != END));
    let chunks = chunks.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
    Ok(chunks.map(|c| c["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()).collect())
}

/// A server that begins anew although it was given the beginning is heard out like any that does; one that goes on with
/// words like the first ones loses none of them.
#[test]
fn a_prefill_that_is_begun_anew_is_no_continuation() {
    let long = (0..30).map(|n| format!("word{n} ")).collect::<String>();
    let check = |told: &str, pieces: &[&str], expect: Result<&str, Class>| {
        assert_eq!(behind(told, pieces), expect.map(str::to_owned), "{told:?} {pieces:?}");
    };
    check("one two three", &[" four"], Ok(" four"));
    check("one two three", &["one ", "two three", " four"], Ok(" four"));
    check("one two three", &["one two th", "ree four"], Ok(" four"));
    check("one two three", &["one two three four"], Ok(" four"));
    check("one two three", &["one", " more"], Ok("one more"));
    check("one two three", &["o", "n", "ce", " more"], Ok("once more"));
    check("one two three", &["", " four"], Ok(" four"));
    check("one two three", &[], Ok(""));
    check("é two", &["é", " three"], Ok("é three"));
    // Too short to tell anything.
    check("ha ", &["ha ", "ha"], Ok("ha ha"));
    check(&long, &[&long[..70], &long[70..], "more"], Ok("more"));
    check(&long, &[&long[..70], "something else"], Err(Class::Diverged));
    check(&long, &[&*format!("{}something else", &long[..70])], Err(Class::Diverged));
    // Nobody can say whether that was all.
    check("one two three", &["one"], Err(Class::Diverged));
}
