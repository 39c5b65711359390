//! An answer that broke off after the client had its beginning: what completes it, and what does not.

use super::{Answer, Upstream, ask, call, calls, pair, right, weir, words};
use serde_json::{Value, json};

fn dying() -> Answer {
    right().broken_after_events(41)
}

/// A deployment of the same model that takes a prefilled turn goes on behind it.
#[test]
fn a_declared_prefill_goes_on_behind_what_the_client_has() {
    let upstreams = pair();
    upstreams[0].always(dying());
    upstreams[1].always(Answer::stream(words()[40..].to_vec()));
    let weir = weir(&upstreams, "continues: none", "continues: prefill, same_as: big");
    ask(&weir).assert_right("prefill");
    assert_eq!(upstreams.each_ref().map(calls), [1, 1]);
    let sent = upstreams[1].calls()[0].json();
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages[..1], *call()["messages"].as_array().unwrap());
    assert_eq!(messages[1..], [json!({ "role": "assistant", "content": words()[..40].concat() })]);
}

/// A server that begins anew although it was given the beginning doubles nothing, and is not given more tokens to use than
/// the request has left.
#[test]
fn a_prefill_that_is_begun_anew_doubles_nothing() {
    let upstreams = pair();
    upstreams[0].always(dying());
    upstreams[1].always(right());
    let weir = weir(&upstreams, "continues: none", "continues: prefill, same_as: big");
    let mut body = call();
    body["max_tokens"] = json!(1000);
    super::Seen::of(weir.post(super::CHAT, &[], &body)).assert_right("begun anew");
    assert_eq!(upstreams.each_ref().map(calls), [1, 1]);
    let said = words()[..40].concat().len() as u64;
    assert_eq!(upstreams[1].calls()[0].json()["max_tokens"], json!(1000 - said / 4));
}

/// Another model is never given the words of the first to go on with: it begins anew.
#[test]
fn a_prefill_is_for_the_same_model_only() {
    let upstreams = pair();
    upstreams[0].always(dying());
    upstreams[1].always(right());
    let weir = weir(&upstreams, "continues: none", "continues: prefill");
    ask(&weir).assert_right("another model");
    assert_eq!(upstreams[1].calls()[0].json()["messages"], call()["messages"]);
}

/// However the second upstream cuts its events, what it repeats is left out to the letter.
#[test]
fn the_joint_may_lie_inside_an_event() {
    let text = words().concat();
    for size in [1, 7, 64, 400] {
        let letters: Vec<char> = text.chars().collect();
        let cut: Vec<String> = letters.chunks(size).map(|part| part.iter().collect()).collect();
        let upstreams = pair();
        upstreams[0].always(dying());
        upstreams[1].always(Answer::stream(cut));
        let weir = weir(&upstreams, "continues: none", "");
        ask(&weir).assert_right(&format!("events of {size}"));
    }
}

/// Whoever says something else does not complete it: the client is told so, after what it had.
#[test]
fn other_words_are_no_completion() {
    let mut other = words();
    other[20] = " something".to_owned();
    let short = words()[..30].to_vec();
    for (row, words_there) in [("other words", other), ("a shorter answer", short)] {
        let upstreams = pair();
        upstreams[0].always(dying());
        upstreams[1].always(Answer::stream(words_there));
        let weir = weir(&upstreams, "continues: none", "");
        let seen = ask(&weir);
        seen.assert_safe(row, &words()[..40].concat());
        assert_eq!(seen.chunks.last().unwrap()["error"]["code"], "upstream_truncated", "{row}");
        assert_eq!(calls(&upstreams[1]), 1, "{row}");
        assert_eq!(weir.metric("weir_breaker_state", &[("deployment", "fallback")]), Some(0.0), "{row}");
        let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
        assert_eq!(entry["outcome"], "truncated", "{row}: {entry}");
        assert_eq!(entry["attempted"][1]["fault"], "diverged", "{row}: {entry}");
    }
}

/// Tool calls, several choices: nothing that is not plain text of one answer is taken up.
#[test]
fn only_plain_text_is_taken_up() {
    let tool = super::chunk(
        r#""tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{"}}]"#,
        "null",
        "",
    );
    let second = super::chunk(r#""content":"x""#, "null", "").replace("\"index\":0", "\"index\":1");
    let text = super::chunk(r#""content":"x""#, "null", "");
    for (row, events) in [("a tool call", vec![tool]), ("two choices", vec![text, second])] {
        let upstreams = pair();
        let count = events.len();
        upstreams[0].always(Answer::events(events).broken_after_events(count));
        upstreams[1].always(right());
        let weir = weir(&upstreams, "", "");
        let reply = weir.post(super::CHAT, &[], &call());
        assert!(reply.text().contains("upstream_truncated"), "{row}: {}", reply.text());
        assert_eq!(upstreams.each_ref().map(calls), [1, 0], "{row}");
    }
}

/// A prefilled turn that is refused after all is no business of the client's: whoever refused it is asked to begin anew.
#[test]
fn a_refused_prefill_is_never_shown() {
    let upstreams = pair();
    for (code, well_again) in [
        ("no_prefill", true),
        ("context_length_exceeded", true),
        ("content_filter", true),
        ("no_prefill", false),
    ] {
        let refused = || Answer::status(400).error(code, "No assistant turn at the end, please.");
        upstreams[0].always(dying());
        upstreams[1].script([refused()]);
        upstreams[1].always(if well_again { right() } else { refused() });
        let weir = weir(&upstreams, "continues: none", "continues: prefill, same_as: big");
        let seen = ask(&weir);
        if well_again {
            seen.assert_right(code);
            assert_eq!(upstreams[1].calls().last().unwrap().json()["messages"], call()["messages"]);
        } else {
            seen.assert_safe(code, &words()[..40].concat());
        }
        assert!(!seen.reply.text().contains(code), "{}", seen.reply.text());
    }
}

/// A deployment that refuses to go on is passed over for one that does, and in the end for the first itself.
#[test]
fn a_refused_continuation_does_not_end_the_search() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    let [p, f, r] = upstreams.each_ref().map(Upstream::url);
    let config = format!(
        "server: {{ listen: @public@, admin: {{ listen: @admin@, token: testkit-admin-token }} }}\n\
         providers:\n  p: {{ kind: openai, base_url: '{p}' }}\n  f: {{ kind: openai, base_url: '{f}' }}\n  \
         r: {{ kind: openai, base_url: '{r}' }}\n\
         deployments:\n  p: {{ provider: p, model: big }}\n  f: {{ provider: f, model: big, continues: prefill }}\n  \
         r: {{ provider: r, model: other }}\n\
         routes:\n  m: {{ deployments: [p, f, r], policy: priority }}\n"
    );
    let weir = weir_testkit::weir::start(std::path::Path::new(env!("CARGO_BIN_EXE_weir")), &config);
    upstreams[0].always(dying());
    upstreams[1].always(Answer::status(400).error("invalid_value", "No."));
    upstreams[2].always(right());
    ask(&weir).assert_right("the third");
    assert_eq!(upstreams.each_ref().map(calls), [1, 1, 1]);
    upstreams[0].script([dying()]);
    upstreams[0].always(right());
    upstreams[2].always(Answer::status(400).error("context_length_exceeded", "No."));
    ask(&weir).assert_safe("there are three calls", &words()[..40].concat());
}

/// Who wants no fallback is told of the break rather than completed by the fallback's model.
#[test]
fn no_fallback_is_no_fallback_in_the_middle_either() {
    let upstreams = pair();
    upstreams[0].always(dying());
    upstreams[1].always(right());
    let weir = weir(&upstreams, "continues: none", "");
    let seen = super::Seen::of(weir.post(super::CHAT, &[("x-weir-no-fallback", "1")], &call()));
    seen.assert_safe("no fallback", &words()[..40].concat());
    assert_eq!(upstreams.each_ref().map(calls), [1, 0]);
}

/// A second break is taken up like the first, behind all that the client has by then.
#[test]
fn a_completion_may_itself_be_completed() {
    let upstreams = pair();
    upstreams[0].script([right().broken_after_events(21), right().broken_after_events(31)]);
    upstreams[0].always(right());
    let weir = weir(&upstreams, "", "");
    ask(&weir).assert_right("twice");
    let seen: Vec<Value> = upstreams[0].calls().iter().map(|call| call.json()["messages"].clone()).collect();
    assert_eq!(seen, vec![call()["messages"].clone(); 3]);
    assert_eq!(calls(&upstreams[1]), 0);
}

/// What the client is told of usage is what the whole answer took: log, trailers and usage chunk agree.
#[test]
fn the_usage_chunk_is_about_both_parts() {
    let upstreams = pair();
    upstreams[0].always(dying());
    upstreams[1].always(right().usage(100, 60));
    let weir = weir(&upstreams, "continues: none", "");
    let trailers = [("te", "trailers"), ("connection", "te")];
    let seen = super::Seen::of(weir.post(super::CHAT, &trailers, &call()));
    seen.assert_right("usage");
    let told = seen.chunks.iter().find(|chunk| chunk["usage"].is_object()).unwrap()["usage"].clone();
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(
        (&told["prompt_tokens"], &told["completion_tokens"]),
        (&entry["usage"]["input"], &entry["usage"]["output"]),
        "{told} {entry}"
    );
    assert!(told["prompt_tokens"].as_u64().unwrap() > 100, "{told}");
    assert!(told["completion_tokens"].as_u64().unwrap() >= 60 + 40, "{told}");
    let (_, trailer) = seen.reply.trailers.iter().find(|(name, _)| name == "x-token-usage").unwrap();
    assert_eq!(*trailer, told["total_tokens"].to_string());
}

/// An answer that nobody completes says what was spent on it, in its error.
#[test]
fn an_error_event_says_what_was_spent() {
    let upstreams = pair();
    upstreams[0].always(dying());
    upstreams[1].always(dying());
    let weir = weir(&upstreams, "continues: none", "continues: none");
    let seen = ask(&weir);
    seen.assert_safe("spent", &words()[..40].concat());
    let spent = &seen.chunks.last().unwrap()["error"]["usage"];
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(
        (&spent["prompt_tokens"], &spent["completion_tokens"], &spent["source"]),
        (&entry["usage"]["input"], &entry["usage"]["output"], &json!("estimated")),
        "{spent} {entry}"
    );
    assert!(spent["completion_tokens"].as_u64().unwrap() >= 40, "{spent}");
}

/// The sixty words behind a thought of so many, as `reasoning_content`.
fn after_thinking(thoughts: &[&str]) -> Vec<String> {
    let thoughts = thoughts.iter().map(|thought| format!(r#""reasoning_content":"{thought}""#));
    let said = words().into_iter().map(|word| format!(r#""content":"{word}""#));
    let mut events: Vec<String> =
        thoughts.chain(said).map(|delta| super::chunk(&delta, "null", "")).collect();
    events.push(super::chunk("", r#""stop""#, ""));
    events.push(
        r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":62,"total_tokens":71}}"#.to_owned(),
    );
    events
}

fn thought(seen: &super::Seen) -> String {
    let thoughts = seen.chunks.iter().filter_map(|c| c["choices"][0]["delta"]["reasoning_content"].as_str());
    thoughts.collect()
}

/// Once its text has begun, a thought is over: who goes on with the text may have thought otherwise. One that is under way is
/// repeated to the letter or given up.
#[test]
fn a_text_behind_a_thought_is_completed_and_a_thought_only_by_the_same() {
    let ours = after_thinking(&["hm ", "well "]);
    let theirs = after_thinking(&["otherwise "]);
    let broken = |events: usize| Answer::events(ours.clone()).broken_after_events(events);
    let behind = [&theirs[..1], &theirs[41..]].concat();
    for (row, keys, again, sent) in [
        ("another thought", "", theirs.clone(), None),
        ("no thought", "", theirs[1..].to_vec(), None),
        ("prefill", "continues: prefill, same_as: big", behind, Some(words()[..40].concat())),
    ] {
        let upstreams = pair();
        upstreams[0].always(broken(42));
        upstreams[1].always(Answer::events(again));
        let weir = weir(&upstreams, "continues: none", keys);
        let seen = ask(&weir);
        seen.assert_right(row);
        assert_eq!(thought(&seen), "hm well ", "{row}");
        let messages = upstreams[1].calls()[0].json()["messages"].as_array().unwrap().clone();
        assert_eq!(messages.get(1).map(|turn| turn["content"].clone()), sent.map(Value::from), "{row}");
    }
    for (again, well) in [(ours.clone(), true), (theirs, false)] {
        let upstreams = pair();
        upstreams[0].always(broken(1));
        upstreams[1].always(Answer::events(again));
        let weir = weir(&upstreams, "continues: none", "continues: prefill, same_as: big");
        let seen = ask(&weir);
        if well {
            seen.assert_right("the same thought");
            assert_eq!(thought(&seen), "hm well ");
        } else {
            seen.assert_safe("another thought", "");
            assert_eq!(thought(&seen), "hm ");
        }
        assert_eq!(upstreams[1].calls()[0].json()["messages"], call()["messages"], "thoughts are no prefill");
    }
}

/// A client that leaves while the answer is being taken up takes the search along.
#[test]
fn a_client_that_leaves_ends_the_search() {
    let upstreams: [Upstream; 2] = pair();
    upstreams[0].always(dying());
    upstreams[1].always(Answer::never());
    let weir = weir(&upstreams, "continues: none", "");
    let mut client = weir.connect().unwrap();
    client.post(super::CHAT, &[], &call()).unwrap();
    upstreams[1].wait_for_calls(1);
    drop(client);
    assert_eq!(upstreams[1].wait_for_end(0).how, weir_testkit::How::PeerClosed);
    let entry = weir.wait_for_log("the call", |entry| entry["endpoint"] == "chat");
    assert_eq!(entry["outcome"], "client_gone", "{entry}");
    assert!(entry["usage"]["output"].as_u64().unwrap() >= 40, "what had come is accounted for: {entry}");
}
