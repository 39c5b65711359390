use super::*;
use crate::tests::{answered, at, refused, rescued};
use serde_json::{Value, json};
use std::time::Duration;
use weir_core::exchange::{Attempt, Pair};
use weir_core::{Class, Cost};

fn check(exchange: &Exchange<'_>, expect: &Value) {
    assert_eq!(rendered(exchange), *expect);
}

fn rendered(exchange: &Exchange<'_>) -> Value {
    let mut out = Vec::new();
    LineFormat::default().write(&mut out, exchange);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.find('\n'), Some(text.len() - 1), "exactly one line: {text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_answer_says_who_what_where_and_how_long() {
    check(
        &answered(),
        &json!({
            "ts": "2025-11-21T09:23:20.123456Z", "request_id": "req_000000000000000000000007",
            "trace_id": "00000000000000000000000000000abc", "key": "team-a", "endpoint": "chat",
            "model": "smart", "route": "smart", "deployment": "a", "provider": "openai",
            "served_model": "gpt-4o", "stream": true, "status": 200, "outcome": "ok",
            "attempts": 1, "retries": 0, "fallbacks": 0,
            "usage": {"input": 100, "output": 30, "cached": 20, "cache_write": 0, "reasoning": 0, "source": "reported"},
            "cost_usd": "0.0015", "request_bytes": 512, "response_bytes": 2048,
            "total_ms": 900.0, "first_token_ms": 80.0, "inter_token_ms": 26.5,
            "first_byte_ms": 79.0, "generation_ms": 820.0, "overhead_ms": 0.041,
        }),
    );
}

#[test]
fn attempts_are_listed_when_there_is_something_to_tell() {
    let line = rendered(&rescued());
    assert_eq!((&line["attempts"], &line["retries"], &line["fallbacks"]), (&json!(3), &json!(1), &json!(1)));
    assert_eq!(
        (&line["connect_ms"], &line["tls_ms"], &line["send_ms"]),
        (&json!(3.0), &json!(7.0), &json!(0.25))
    );
    assert_eq!(
        line["attempted"],
        json!([
            {"deployment": "a", "cause": "first", "fault": "rate", "events_left_out": 2},
            {"deployment": "a", "cause": "retry", "fault": "timeout"},
            {"deployment": "b", "cause": "fallback"},
        ])
    );
    assert_eq!(line["usage"]["source"], "estimated");
}

#[test]
fn a_failure_says_whose_it_is_and_why() {
    check(
        &refused(),
        &json!({
            "ts": "2025-11-21T09:23:20.123456Z", "request_id": "req_000000000000000000000007",
            "trace_id": "00000000000000000000000000000abc", "stream": false, "status": 401,
            "outcome": "caller", "code": "invalid_api_key", "blame": "caller", "cause": "no key of that hash",
            "attempts": 0, "retries": 0, "fallbacks": 0, "cost_usd": "0",
            "request_bytes": 512, "response_bytes": 120, "total_ms": 0.05, "overhead_ms": 0.041,
        }),
    );
    for class in Class::ALL {
        let line = rendered(&Exchange { outcome: Outcome::Failed(class), ..refused() });
        assert_eq!(
            (line["outcome"].as_str(), line["blame"].as_str()),
            (Some(class.name()), Some(class.blame().name()))
        );
    }
    let gone = rendered(&Exchange { outcome: Outcome::ClientGone, ..answered() });
    assert_eq!((&gone["outcome"], &gone["blame"]), (&json!("client_gone"), &Value::Null));
}

#[test]
fn hostile_texts_stay_inside_their_member() {
    for hostile in [
        "",
        "\"},{\"outcome\":\"ok",
        "a\nb\r\nc",
        "\\",
        "\u{0}\u{1f}\u{7f}\u{9b}\u{2028}",
        "🦀模型\u{202e}",
        "</script><!--",
        "${jndi:ldap://x}",
        "%s%n%00",
    ] {
        let exchange = Exchange {
            model: Some(hostile),
            key: Some(hostile),
            code: Some(hostile),
            cause: Some(hostile),
            served_model: Some(hostile),
            outcome: Outcome::Failed(Class::Malformed),
            ..answered()
        };
        let line = rendered(&exchange);
        for member in ["model", "key", "code", "cause", "served_model"] {
            assert_eq!(line[member], hostile, "{member}");
        }
        assert_eq!(line["outcome"], "malformed");
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    let long = "é".repeat(5_000);
    let failed = Exchange {
        model: Some(&long),
        cause: Some(&long),
        outcome: Outcome::Failed(Class::Network),
        ..answered()
    };
    let line = rendered(&failed);
    assert_eq!(line["model"], "é".repeat(MODEL_CHARS));
    assert_eq!(line["cause"], "é".repeat(CAUSE_CHARS));
}

#[test]
fn times_of_day_are_right_in_any_order() {
    let mut format = LineFormat::default();
    for (started_at, expect) in [
        (at(0, 0), "1970-01-01T00:00:00.000000Z"),
        (at(951_782_399, 999_999), "2000-02-28T23:59:59.999999Z"),
        (at(951_782_400, 1), "2000-02-29T00:00:00.000001Z"),
        (at(951_782_400, 2), "2000-02-29T00:00:00.000002Z"),
        (at(0, 5), "1970-01-01T00:00:00.000005Z"),
        (at(253_402_207_200, 0), "9999-12-30T22:00:00.000000Z"),
        (at(253_402_300_800, 0), "9999-12-30T22:00:00.000000Z"),
        (UNIX_EPOCH - Duration::from_secs(1), "1970-01-01T00:00:00.000000Z"),
    ] {
        let mut out = Vec::new();
        format.write(&mut out, &Exchange { started_at, ..answered() });
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap()["ts"], expect);
    }
}

#[test]
fn a_cost_is_text_because_it_is_exact() {
    let line = rendered(&Exchange { cost: Cost::from_pico_usd(1_234_567_890_123_456_789), ..answered() });
    assert_eq!(line["cost_usd"], "1234567.890123456789");
    assert_eq!(line["cost_unknown"], Value::Null);
}

#[test]
fn a_cost_that_nobody_knows_is_not_zero() {
    let unknown = |cost| rendered(&Exchange { cost, cost_unknown: true, ..answered() });
    let line = unknown(Cost::ZERO);
    assert_eq!((&line["cost_usd"], &line["cost_unknown"]), (&Value::Null, &Value::Bool(true)), "{line}");
    let line = unknown(Cost::from_pico_usd(1_000_000));
    assert_eq!(line["cost_usd"], "0.000001", "what is known of it: {line}");
    assert_eq!(line["cost_unknown"], true);
    let attempts = [Attempt { cost_unknown: true, fault: Some(Class::Rate), ..answered().attempts[0] }];
    let line = rendered(&Exchange { attempts: &attempts, ..answered() });
    assert_eq!(line["attempted"][0]["cost_unknown"], true, "{line}");
}

/// What may stand in a line at all: a new member is a decision about privacy, so it is made here too.
#[test]
fn a_line_has_only_known_members() {
    let known = "ts request_id trace_id key endpoint model route deployment provider served_model stream status outcome \
                 code blame cause attempts attempted retries fallbacks usage cost_usd cost_unknown request_bytes response_bytes \
                 total_ms first_token_ms inter_token_ms connect_ms tls_ms send_ms first_byte_ms generation_ms overhead_ms";
    let known: Vec<&str> = known.split_whitespace().collect();
    for exchange in [answered(), rescued(), refused(), Exchange { usage: answered().usage, ..refused() }] {
        for member in rendered(&exchange).as_object().unwrap().keys() {
            assert!(known.contains(&member.as_str()), "{member}");
        }
    }
}

#[test]
fn what_a_pairs_lines_have_in_common_is_that_of_its_snapshot() {
    let mut format = LineFormat::default();
    let mut check = |generation, deployment: u32, name: &'static str| {
        let pair = Some(Pair { generation, route: 0, deployment });
        let mut out = Vec::new();
        let mine = Exchange { pair, deployment: Some(name), served_model: Some(name), ..answered() };
        format.write(&mut out, &mine);
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&line["deployment"], &line["served_model"]), (&json!(name), &json!(name)));
        assert_eq!(line, rendered(&Exchange { pair: None, ..mine }));
    };
    check(1, 0, "a");
    check(1, 1, "b");
    check(1, 0, "a");
    // After a reload the same places hold others.
    check(2, 0, "b\"");
    check(2, 1, "a");
}
