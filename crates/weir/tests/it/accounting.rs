//! Every request is counted once: tokens, exact cost, metrics that match the traffic, one line in the access log.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod log;
mod metrics;

use serde_json::{Value, json};
use weir_testkit::{Answer, Gate, RunningWeir, Upstream, weir};

const CHAT: &str = "/v1/chat/completions";

/// One route `m` over one deployment with a price for every sort of token. What answers say is up to the upstream.
fn start(upstream: &Upstream) -> RunningWeir {
    let config = format!(
        "providers: {{ up: {{ kind: openai, base_url: {} }} }}\n\
         deployments:\n  d: {{ provider: up, model: served, \
         price: {{ input: 0.15, output: 0.6, cached_input: 0.075, cache_write: 0.3 }} }}\n\
         routes: {{ m: {{ deployments: [d], retries: {{ max: 0 }} }} }}\n",
        upstream.url()
    );
    weir::start(env!("CARGO_BIN_EXE_weir").as_ref(), &config)
}

fn chat(stream: bool) -> Value {
    json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "stream": stream })
}

fn whole(usage: &Value) -> Value {
    json!({
        "model": "served", "usage": usage,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello" }, "finish_reason": "stop" }],
    })
}

fn events(usage: &Value) -> [String; 3] {
    [
        json!({ "choices": [{ "index": 0, "delta": { "content": "Hello" }, "finish_reason": null }] }),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }),
        json!({ "choices": [], "usage": usage }),
    ]
    .map(|event| event.to_string())
}

/// The log line of the request that got this answer.
fn line_of(weir: &RunningWeir, reply: &weir_testkit::client::Reply) -> Value {
    let id = reply.header("x-request-id").unwrap();
    weir.wait_for_log("the request's line", |line| line["request_id"] == id)
}

/// From the usage object to the cost, to the last digit, in the header, the trailer and the log.
#[test]
fn usage_becomes_an_exact_cost() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let check = |usage: Value, cost: &str, counted: Value| {
        upstream.script([Answer::json(200, &whole(&usage)), Answer::events(events(&usage))]);
        let reply = weir.post(CHAT, &[], &chat(false));
        assert_eq!(reply.json()["usage"], usage, "usage passes verbatim");
        assert_eq!(reply.header("x-weir-cost"), Some(cost), "{usage}");
        let stream = weir.post(CHAT, &[("te", "trailers"), ("connection", "te")], &chat(true));
        let trailer = stream.trailers.iter().find(|(name, _)| name == "x-weir-cost");
        assert_eq!(trailer.map(|(_, value)| value.as_str()), Some(cost), "{usage}");
        for reply in [reply, stream] {
            let line = line_of(&weir, &reply);
            assert_eq!((&line["cost_usd"], &line["usage"]), (&json!(cost), &counted), "{line}");
        }
    };
    let counted = |input: u64, output: u64, cached: u64, cache_write: u64, reasoning: u64| {
        json!({ "input": input, "output": output, "cached": cached, "cache_write": cache_write,
                "reasoning": reasoning, "source": "reported" })
    };
    let plain = json!({ "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050 });
    check(plain, "0.00018", counted(1000, 50, 0, 0, 0));
    let one = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    check(one, "0.00000075", counted(1, 1, 0, 0, 0));
    // 500 at 0.15, 400 at 0.075, 100 at 0.3, 50 at 0.6 USD per million.
    let cached = json!({
        "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
        "prompt_tokens_details": { "cached_tokens": 400, "cache_write_tokens": 100, "audio_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 20 },
    });
    check(cached, "0.000165", counted(1000, 50, 400, 100, 20));
    let deepseek = json!({
        "prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10,
        "prompt_cache_hit_tokens": 10, "prompt_cache_miss_tokens": 0,
    });
    check(deepseek, "0.00000075", counted(10, 0, 10, 0, 0));
    let large =
        json!({ "prompt_tokens": 99_999_999, "completion_tokens": 99_999_999, "total_tokens": 199_999_998 });
    check(large, "74.99999925", counted(99_999_999, 99_999_999, 0, 0, 0));
}

/// An upstream that says it counted nothing is believed: the answer came from its cache, or was free.
#[test]
fn a_stated_zero_is_no_estimate() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let usage = json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
    upstream.script([Answer::json(200, &whole(&usage)), Answer::events(events(&usage))]);
    for stream in [false, true] {
        let line = line_of(&weir, &weir.post(CHAT, &[], &chat(stream)));
        let counted = json!({ "input": 0, "output": 0, "cached": 0, "cache_write": 0, "reasoning": 0, "source": "reported" });
        assert_eq!((&line["usage"], &line["cost_usd"]), (&counted, &json!("0")), "{line}");
    }
}

/// Usage that is missing, or cannot be true, is estimated and said to be; the client still gets what the upstream wrote.
#[test]
fn missing_or_impossible_usage_is_estimated() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let impossible = [
        Value::Null,
        json!({}),
        json!("many"),
        json!({ "prompt_tokens": 1_000_000_000_000_000_u64, "completion_tokens": 1 }),
        json!({ "prompt_tokens": -5, "completion_tokens": 5 }),
        json!({ "prompt_tokens": 1.5, "completion_tokens": 5 }),
        json!({ "prompt_tokens": "9", "completion_tokens": 5 }),
        json!({ "prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": { "cached_tokens": 10 } }),
        json!({ "prompt_tokens": 9, "completion_tokens": 5, "completion_tokens_details": { "reasoning_tokens": 6 } }),
    ];
    for usage in &impossible {
        upstream.script([Answer::json(200, &whole(usage)), Answer::events(events(usage))]);
        let reply = weir.post(CHAT, &[], &chat(false));
        assert_eq!((reply.status, &reply.json()["usage"]), (200, usage));
        let stream = weir.post(CHAT, &[], &chat(true));
        assert!(stream.text().ends_with("data: [DONE]\n\n"), "{usage}: {}", stream.text());
        for reply in [reply, stream] {
            let line = line_of(&weir, &reply);
            // `[{"role":"user","content":"hi"}]` is 32 bytes or 8 tokens, `Hello` 5 bytes or 2 tokens.
            let tokens = (line["usage"]["input"].as_u64(), line["usage"]["output"].as_u64());
            assert_eq!(tokens, (Some(8), Some(2)), "{usage}: {line}");
            assert_eq!((&line["usage"]["source"], &line["outcome"]), (&json!("estimated"), &json!("ok")));
            assert_eq!(line["cost_usd"], "0.0000024", "8 × 0.15 + 2 × 0.6 µUSD");
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a handful")]
    let estimated = 2.0 * impossible.len() as f64;
    weir.wait_for_metric("weir_usage_estimated_total", &[("route", "m"), ("deployment", "d")], estimated);
}

/// A client that leaves in the middle pays for what was produced, and the log says that it left.
#[test]
fn a_client_that_leaves_is_charged_for_what_was_produced() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let gate = Gate::new();
    upstream.script([Answer::stream(["one ", "two ", "three ", "four "]).gate(&gate)]);
    let mut client = weir.connect().unwrap();
    client.post(CHAT, &[], &chat(true)).unwrap();
    gate.release(); // the first word: before it there is no head
    let head = client.read_head().unwrap();
    let mut text = String::new();
    while text != "one two three " {
        let event = client.read_event().unwrap().unwrap();
        if !event.text().is_empty() && text != "one two " {
            gate.release();
        }
        text.push_str(&event.text());
    }
    drop(client);
    assert_eq!(upstream.wait_for_end(0).how, weir_testkit::How::PeerClosed);
    let id = head.header("x-request-id").unwrap();
    let line = weir.wait_for_log("the request's line", |line| line["request_id"] == id);
    assert_eq!((&line["outcome"], &line["status"]), (&json!("client_gone"), &json!(200)), "{line}");
    assert_eq!(line["usage"]["source"], "estimated", "{line}");
    // 8 tokens of prompt, at least the three words that arrived, at most all four.
    assert_eq!(line["usage"]["input"], 8);
    let output = line["usage"]["output"].as_u64().unwrap();
    assert!((3..=5).contains(&output), "{line}");
    let cost = (8 * 150_000 + output * 600_000) as f64 / 1e12;
    assert!((line["cost_usd"].as_str().unwrap().parse::<f64>().unwrap() - cost).abs() < 1e-15, "{line}");
    let labels = [("route", "m"), ("deployment", "d")];
    weir.wait_for_metric("weir_requests_total", &[("outcome", "client_gone")], 1.0);
    weir.wait_for_metric("weir_cost_usd_total", &labels, cost);
    weir.wait_for_metric("weir_requests_in_flight", &[], 0.0);
    weir.wait_for_metric("weir_deployment_in_flight", &[], 0.0);
}

/// Answers too large to be held are passed on as they come; the usage at their end still counts.
#[test]
fn a_large_answer_is_passed_on_and_still_accounted() {
    let upstream = Upstream::start();
    let weir = start(&upstream);
    let text = "long text with \"usage\": {\"prompt_tokens\": 7} inside; ".repeat(60_000);
    let mut body = whole(&json!({ "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050 }));
    body["choices"][0]["message"]["content"] = text.into();
    // Usage stands behind the choices, as every known server writes it.
    let usage = body["usage"].take().to_string();
    let usage = format!("\"usage\":{usage}}}");
    let raw = body.to_string().replace(",\"usage\":null}", "}");
    let raw = format!("{},{usage}", raw.strip_suffix('}').unwrap());
    assert!(raw.len() > 3 << 20);
    upstream.script([Answer::body(200, "application/json", raw.clone()).in_pieces(100_000)]);
    let reply = weir.post(CHAT, &[("te", "trailers"), ("connection", "te")], &chat(false));
    assert_eq!(reply.status, 200);
    assert!(reply.body == raw.as_bytes(), "{} bytes instead of {}", reply.body.len(), raw.len());
    assert_eq!(reply.header("x-weir-cost"), None, "not known when the head went out");
    let trailer = reply.trailers.iter().find(|(name, _)| name == "x-weir-cost");
    assert_eq!(trailer.map(|(_, value)| value.as_str()), Some("0.00018"));
    let line = line_of(&weir, &reply);
    assert_eq!(
        (&line["cost_usd"], &line["usage"]["source"]),
        (&json!("0.00018"), &json!("reported")),
        "{line}"
    );
    assert_eq!(line["response_bytes"].as_u64(), Some(raw.len() as u64));
}
