use super::*;
use crate::demo::fleet::SERVERS;
use weir_routing::SplitMix64;

fn steady() -> &'static Character {
    SERVERS.iter().find(|server| server.faults == 0).unwrap()
}

fn ask(character: &Character, endpoint: Endpoint, body: &Value, seed: u64) -> Script {
    let body = body.to_string();
    let asked = Asked { endpoint, body: body.as_bytes(), now: 1_700_000_000 };
    script(character, &asked, &mut SplitMix64::seeded(seed))
}

fn body(script: &Script) -> String {
    script.pieces.iter().map(|piece| std::str::from_utf8(&piece.bytes).unwrap()).collect()
}

fn json(script: &Script) -> Value {
    serde_json::from_str(&body(script)).unwrap()
}

/// The events of a stream that ends in order.
fn events(script: &Script) -> Vec<Value> {
    let body = body(script);
    let mut events: Vec<&str> =
        body.split_terminator("\n\n").map(|e| e.strip_prefix("data: ").unwrap()).collect();
    assert_eq!(events.pop(), Some("[DONE]"));
    events.into_iter().map(|event| serde_json::from_str(event).unwrap()).collect()
}

fn chat(extra: &Value) -> Value {
    let mut call = json!({ "model": "x", "messages": [{ "role": "user", "content": "Hello there, weir!" }] });
    for (key, value) in extra.as_object().unwrap() {
        call[key] = value.clone();
    }
    call
}

#[test]
fn a_stream_says_what_a_whole_answer_says() {
    let whole = json(&ask(steady(), Endpoint::Chat, &chat(&json!({})), 7));
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(whole["model"], "steady-large");
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    let usage = &whole["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );

    let asked = chat(&json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let mut streamed = events(&ask(steady(), Endpoint::Chat, &asked, 7));
    let last = streamed.pop().unwrap();
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), usage));
    assert!(
        streamed.iter().all(|event| event["usage"].is_null() && event["object"] == "chat.completion.chunk")
    );
    assert_eq!(streamed[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(streamed.last().unwrap()["choices"][0]["finish_reason"], "stop");
    let said: String =
        streamed.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(whole["choices"][0]["message"]["content"], said);
}

#[test]
fn usage_is_streamed_only_when_asked_for() {
    let streamed = events(&ask(steady(), Endpoint::Chat, &chat(&json!({ "stream": true })), 7));
    assert!(streamed.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn answers_end_at_the_limit() {
    for limit in ["max_tokens", "max_completion_tokens"] {
        let whole = json(&ask(steady(), Endpoint::Chat, &chat(&json!({ limit: 3 })), 7));
        assert_eq!(whole["usage"]["completion_tokens"], 3);
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["choices"][0]["message"]["content"].as_str().unwrap().split(' ').count(), 3);
    }
}

#[test]
fn completions_have_their_own_shape() {
    let call = json!({ "model": "x", "prompt": "Once upon a time" });
    let whole = json(&ask(steady(), Endpoint::Completions, &call, 7));
    assert_eq!((&whole["object"], &whole["usage"]["prompt_tokens"]), (&json!("text_completion"), &json!(4)));
    let text = whole["choices"][0]["text"].as_str().unwrap();
    let call = json!({ "model": "x", "prompt": "Once upon a time", "stream": true });
    let streamed = events(&ask(steady(), Endpoint::Completions, &call, 7));
    let said: String = streamed.iter().map(|event| event["choices"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(text, said);
    assert!(streamed.iter().all(|event| event["object"] == "text_completion"));
}

#[test]
fn equal_texts_have_equal_embeddings() {
    let embed = |call: Value| json(&ask(steady(), Endpoint::Embeddings, &call, 7));
    let many = embed(json!({ "input": ["a", "b", "a"], "dimensions": 8 }));
    let vectors: Vec<&Value> =
        many["data"].as_array().unwrap().iter().map(|item| &item["embedding"]).collect();
    assert_eq!(vectors.len(), 3);
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    let squares: f64 = vectors[0].as_array().unwrap().iter().map(|n| n.as_f64().unwrap().powi(2)).sum();
    assert!((squares - 1.0).abs() < 1e-5, "{squares}");
    assert_eq!(embed(json!({ "input": "a" }))["data"][0]["embedding"].as_array().unwrap().len(), DIMENSIONS);
    assert_eq!(embed(json!({ "input": [1, 2, 3] }))["data"].as_array().unwrap().len(), 1);
    let encoded = embed(json!({ "input": "a", "dimensions": 8, "encoding_format": "base64" }));
    let expect: Vec<f32> = serde_json::from_value(vectors[0].clone()).unwrap();
    assert_eq!(encoded["data"][0]["embedding"], base64_of(&expect));
}

#[test]
fn numbers_are_encoded_as_rfc_4648_has_it() {
    let check = |vector: &[f32], expect: &str| assert_eq!(base64_of(vector), expect);
    check(&[], "");
    check(&[1.0], "AACAPw==");
    check(&[1.0, -2.0], "AACAPwAAAMA=");
    check(&[1.0, -2.0, 0.5], "AACAPwAAAMAAAAA/");
}

#[test]
fn the_first_token_is_log_normal_around_its_median() {
    for character in &SERVERS {
        let mut chance = SplitMix64::seeded(11);
        let mut times: Vec<Duration> = (0..4001).map(|_| first_token(character, &mut chance)).collect();
        times.sort_unstable();
        let ratio = |rank: usize| times[rank].as_secs_f64() / character.first_token.as_secs_f64();
        let near = |found: f64, expect: f64| {
            assert!((found / expect - 1.0).abs() < 0.1, "{}: {found} instead of {expect}", character.name);
        };
        near(ratio(2000), 1.0);
        // 84.13 % of a normal distribution lie below one standard deviation.
        near(ratio(3365), character.spread.exp());
    }
}

#[test]
fn tokens_come_at_the_stated_speed() {
    let script = ask(steady(), Endpoint::Chat, &chat(&json!({ "stream": true })), 7);
    let gaps: Vec<f64> = script.pieces.windows(2).map(|p| (p[1].at - p[0].at).as_secs_f64()).collect();
    let (last, words) = gaps.split_last().unwrap();
    assert!(words.len() > 3 && words.iter().all(|gap| (gap * steady().speed - 1.0).abs() < 1e-6), "{gaps:?}");
    assert_eq!((*last, script.pieces[0].at), (0.0, script.head_at));
}

#[test]
fn faults_come_as_often_as_stated_and_in_every_kind() {
    for character in &SERVERS {
        let mut chance = SplitMix64::seeded(5);
        let mut seen = [0u64; 3];
        for mishap in (0..20_000).filter_map(|_| mishap(character, &mut chance)) {
            seen[mishap as usize] += 1;
        }
        let all: u64 = seen.iter().sum();
        assert!(all.abs_diff(character.faults * 20) <= character.faults * 2, "{}: {seen:?}", character.name);
        let near = |count: u64, tenths: u64| (count * 10).abs_diff(all * tenths) < all;
        assert!(
            character.faults < 100 || near(seen[0], 4) && near(seen[1], 3) && near(seen[2], 3),
            "{seen:?}"
        );
    }
}

#[test]
fn faults_look_like_those_of_real_servers() {
    let flaky = SERVERS.iter().max_by_key(|server| server.faults).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (seed, stream) in (0..200).flat_map(|seed| [(seed, true), (seed, false)]) {
        let script = ask(flaky, Endpoint::Chat, &chat(&json!({ "stream": stream })), seed);
        match (script.status.as_u16(), script.cut) {
            (200, false) => assert!(body(&script).contains("\"finish_reason\":\"stop\"")),
            (503, false) => assert_eq!(json(&script)["error"]["code"], "overloaded"),
            (429, false) => {
                assert_eq!(script.retry_after, Some(1));
                assert_eq!(json(&script)["error"]["code"], "rate_limit_exceeded");
            }
            (200, true) => {
                let sent = body(&script);
                let json = serde_json::from_str::<Value>(&sent).is_ok();
                assert!(!json && !sent.contains("[DONE]"), "{sent}");
                assert!(script.length.is_none_or(|length| length > sent.len() as u64));
            }
            other => panic!("{other:?}"),
        }
        seen.insert((stream, script.status.as_u16(), script.cut));
    }
    assert_eq!(seen.len(), 8, "every kind, streamed and not: {seen:?}");
}

#[test]
fn everything_follows_from_the_seed() {
    let call = chat(&json!({ "stream": true }));
    let flaky = SERVERS.iter().max_by_key(|server| server.faults).unwrap();
    for seed in 0..50 {
        assert_eq!(ask(flaky, Endpoint::Chat, &call, seed), ask(flaky, Endpoint::Chat, &call, seed));
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let asked = Asked { endpoint: Endpoint::Chat, body: b"{", now: 0 };
    let script = script(steady(), &asked, &mut SplitMix64::seeded(1));
    assert_eq!(
        (script.status, &json(&script)["error"]["code"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_json"))
    );
}
