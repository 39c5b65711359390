//! What an upstream's trouble looks like to the client (rows U1 to U3).

use super::{CHAT, Expect, UPSTREAM_KEY, chat, post, start};
use serde_json::{Value, json};
use weir_testkit::{Answer, Upstream};

const BROKEN: Expect<'_> =
    Expect { status: 502, kind: "server_error", code: "upstream_malformed", param: None, says: "" };

/// U1: an answer that is not what the API promises is a typed 5xx, never a 200, never a hang; streamed or not.
#[test]
fn u1_a_broken_answer_is_a_typed_502() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let check = |answer: Answer, expect: Expect<'_>| {
        for (model, stream) in [("m0", false), ("m1", true)] {
            upstream.script([answer.clone()]);
            let before = upstream.calls().len();
            expect.check(&post(&weir, CHAT, &chat(model, stream)));
            assert_eq!(upstream.calls().len(), before + 1, "{expect:?}");
        }
    };
    let unreachable = Expect { code: "upstream_unreachable", ..BROKEN };
    check(Answer::html(502), Expect { code: "upstream_error", says: "status 502 and no readable", ..BROKEN });
    check(Answer::html(200), BROKEN);
    check(Answer::json(200, &json!({ "id": "no choices" })), BROKEN);
    check(Answer::json(200, &json!([])), BROKEN);
    check(Answer::reset_before_headers(), unreachable);
    check(Answer::close_before_headers(), unreachable);
    check(Answer::raw("not HTTP at all\r\n\r\n"), BROKEN);
    check(Answer::status(204), BROKEN);
    check(Answer::redirect("http://127.0.0.1:9/v1"), BROKEN);
    let inside = json!({ "error": { "message": "out of memory", "type": "server_error", "code": "oom" } });
    check(Answer::json(200, &inside), Expect { code: "oom", says: "out of memory", ..BROKEN });
    let busy = json!({ "error": { "message": "busy", "type": "overloaded_error", "code": null } });
    check(
        Answer::json(200, &busy),
        Expect { status: 503, kind: "overloaded_error", code: "upstream_error", says: "busy", ..BROKEN },
    );
}

/// U1: bodies that end too early, are no JSON, or are not there at all.
#[test]
fn u1_a_body_cut_short_is_a_typed_502() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let check = |answer: Answer, stream: bool, code: &str| {
        upstream.script([answer]);
        Expect { code, ..BROKEN }.check(&post(&weir, CHAT, &chat("m0", stream)));
    };
    check(Answer::empty(), false, "upstream_malformed");
    check(Answer::empty(), true, "upstream_truncated");
    check(Answer::garbage(), false, "upstream_malformed");
    check(Answer::garbage(), true, "upstream_truncated");
    check(Answer::chat("whole").content_length_too_long(), false, "upstream_truncated");
    check(Answer::chat("whole").in_pieces(40).broken_after_events(2), false, "upstream_truncated");
    check(Answer::chat("whole").chunked().in_pieces(40).broken_after_events(2), false, "upstream_truncated");
    check(Answer::chat("whole").in_pieces(40).reset_after_events(2), false, "upstream_truncated");
    check(Answer::chat("whole").chunked().in_pieces(40).eof_after_events(2), false, "upstream_malformed");
    check(Answer::events(["[DONE]"]), true, "upstream_truncated");
    check(Answer::stream(["a"]).reset_after_events(0), true, "upstream_truncated");
}

/// U2: an upstream's refusal keeps its status, code, message, type and field; 529 and 422 are not turned into others.
#[test]
fn u2_a_refusal_keeps_its_status_and_words() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    for (i, status) in [400, 403, 404, 409, 413, 422, 429, 500, 503, 529].into_iter().enumerate() {
        let error = json!({
            "message": format!("This is why: {status}"), "type": format!("type_{status}"),
            "param": "messages", "code": format!("code_{status}"),
        });
        for stream in [false, true] {
            upstream.script([Answer::json(status, &json!({ "error": error }))]);
            let before = upstream.calls().len();
            let reply = post(&weir, CHAT, &chat(&format!("m{i}"), stream));
            let text = |name: &str| error[name].as_str().unwrap();
            let (kind, code, says) = (text("type"), text("code"), text("message"));
            Expect { status, kind, code, param: Some("messages"), says }.check(&reply);
            assert_eq!(reply.json()["error"]["message"], says);
            assert_eq!(reply.header("x-weir-deployment"), Some(&*format!("d{i}")));
            assert_eq!(reply.header("x-weir-attempts"), Some("1"));
            assert_eq!(upstream.calls().len(), before + 1);
        }
    }
}

/// U2 for the dialects of error bodies that servers of OpenAI's API are known to send.
#[test]
fn u2_other_envelopes_are_understood() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let check = |body: &Value, expect: Expect<'_>| {
        upstream.script([Answer::json(expect.status, body)]);
        expect.check(&post(&weir, CHAT, &chat("m0", false)));
    };
    let bad = Expect {
        status: 400,
        kind: "invalid_request_error",
        code: "upstream_error",
        param: None,
        says: "no",
    };
    check(&json!({ "error": "no" }), bad);
    check(&json!({ "object": "error", "message": "no", "type": "BadRequestError", "code": 400 }), {
        Expect { kind: "BadRequestError", code: "400", ..bad }
    });
    check(&json!([{ "error": { "code": 400, "message": "no", "status": "INVALID" } }]), {
        Expect { code: "400", ..bad }
    });
    check(&json!({ "detail": "no" }), Expect { status: 422, ..bad });
    check(&json!({ "detail": [{ "loc": ["body", "messages"], "msg": "no" }] }), {
        Expect { status: 422, param: Some("messages"), ..bad }
    });
}

/// U3: `Retry-After` reaches the client as the upstream wrote it, whatever its form.
#[test]
fn u3_retry_after_passes_verbatim() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    let later = "Wed, 21 Oct 2099 07:28:00 GMT";
    for (i, (status, after)) in [(429, "7"), (429, "0.5"), (429, later), (503, "30")].into_iter().enumerate()
    {
        upstream.script([Answer::status(status).header("retry-after", after)]);
        let reply = post(&weir, CHAT, &chat(&format!("m{i}"), i % 2 == 0));
        assert_eq!((reply.status, reply.header("retry-after")), (status, Some(after)));
    }
    upstream.script([Answer::status(429)]);
    assert_eq!(post(&weir, CHAT, &chat("m9", false)).header("retry-after"), None);
}

/// An upstream that does not accept our credential: the operator's affair, said in our words, as 502.
#[test]
fn an_upstreams_401_and_402_are_502_in_our_words() {
    let upstream = Upstream::start();
    let weir = start(&upstream, "");
    for (i, status) in [401, 402].into_iter().enumerate() {
        let message = format!("Incorrect API key provided: {UPSTREAM_KEY}. Go to platform.example.");
        upstream.script([Answer::status(status)
            .header("www-authenticate", "Bearer")
            .error("invalid_api_key", &message)]);
        let reply = post(&weir, CHAT, &chat(&format!("m{i}"), false));
        Expect { code: "upstream_credentials", says: "credential", ..BROKEN }.check(&reply);
        assert!(
            !reply.text().contains("platform.example") && !reply.text().contains("sk-"),
            "{}",
            reply.text()
        );
        assert_eq!(reply.header("www-authenticate"), None);
        let line = weir.wait_for_log("the log line", |line| line["route"] == format!("m{i}"));
        assert_eq!((&line["outcome"], &line["blame"]), (&json!("credential"), &json!("upstream")));
    }
}
