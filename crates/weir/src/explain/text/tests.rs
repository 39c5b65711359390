use super::*;
use serde_json::json;

#[test]
fn times_are_written_as_people_write_them() {
    for (ms, expect) in [
        (0.0, "0 ms"),
        (0.184, "0.18 ms"),
        (9.994, "9.99 ms"),
        (12.3, "12 ms"),
        (999.4, "999 ms"),
        (1234.0, "1.2 s"),
    ] {
        assert_eq!(time(ms), expect);
    }
}

#[test]
fn columns_stand_below_each_other_whatever_is_missing() {
    let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let mut out = String::new();
    table(&mut out, &[row(&["1.", "a", "", "x"]), row(&["✗", "longer"]), row(&["10.", "b", "", "ä"])]);
    assert_eq!(out, "  1.   a       x\n  ✗    longer\n  10.  b       ä\n");
}

#[test]
fn a_decision_reads_from_its_question_to_its_end() {
    let told = json!({
        "id": "dec_1", "outcome": "server_error", "status": 502, "code": "overloaded", "total_ms": 1234.0,
        "model": "m", "key": "app", "prompt_tokens": 12, "stream": true, "cost_usd": "0", "left_out": 3,
        "rules": [{ "route": "m", "rule": "gold", "holds": true, "use": "x", "conditions": [
            { "condition": "not this", "holds": true, "conditions": [{ "condition": "key eve", "holds": false }] },
            { "condition": "turns at least 1", "holds": true },
        ] }],
        "plans": [{
            "route": "m", "policy": "latency_budget",
            "candidates": [{ "deployment": "a", "reason": "in_budget", "chance_in_budget": 0.975, "expected_cost_usd": "0.1", "in_flight": 2 }],
            "dropped": [{ "deployment": "b", "reason": "resting", "for_ms": 1500.0 }],
        }],
        "attempts": [
            { "deployment": "a", "cause": "first", "began_ms": 0.1, "ms": 5.0, "fault": "server_error", "blame": "upstream", "status": 500, "code": "overloaded", "cost_usd": "0" },
            { "deployment": "c", "cause": "hedge", "began_ms": 6.0, "ms": 3.0, "aborted": true, "cost_usd": "0.1" },
            { "deployment": "a", "cause": "retry", "began_ms": 15.0, "cost_usd": "0" },
        ],
        "waits": [{ "at_ms": 5.1, "ms": 9.9, "why": "backoff" }],
    });
    assert_eq!(
        text(&told),
        "dec_1: server error, 502 overloaded after 1.2 s
model m: about 12 tokens of prompt, a stream, key app

rules
  ✓ m / gold → x
      yes  not this:
           no   key eve
      yes  turns at least 1

route m, by latency_budget
  1.  a  in budget               in budget with 97.5 % · about $0.1 · 2 in flight
  ✗   b  resting for 1.5 s more

calls
  1.  a     first    at 0.1 ms  took 5 ms    server error by the upstream: 500 overloaded
  –   wait  backoff  at 5.1 ms  took 9.9 ms
  2.  c     hedge    at 6 ms    took 3 ms    cancelled: another answered first             $0.1
  3.  a     retry    at 15 ms   runs

3 more lines were not kept
"
    );
}

#[test]
fn a_refusal_is_told_alone() {
    let told = json!({ "refused": { "status": 404, "code": "model_not_found", "message": "no such model" } });
    assert_eq!(text(&told), "the client would get 404 model_not_found: no such model\n");
}

#[test]
fn what_is_not_known_is_not_told_as_nothing() {
    let plans = json!([{
        "route": "m", "policy": "prefix",
        "candidates": [
            { "deployment": "a", "reason": "unproven", "in_flight": 0, "now": { "expected_ms": 0.69 } },
            { "deployment": "b", "reason": "least_busy", "cached_tokens": 0, "in_flight": 0 },
            { "deployment": "c", "reason": "spread", "in_spite_of": { "reason": "resting", "for_ms": 20.0 } },
        ],
    }]);
    let attempt = |fault: &str, blame: &str| json!({ "deployment": "a", "cause": "first", "began_ms": 0.0, "ms": 1.0, "fault": fault, "blame": blame, "status": 400 });
    let attempts = [attempt("caller", "caller"), attempt("timeout", "upstream")];
    let told = json!({ "model": "m", "prompt_tokens": 1, "plans": plans, "attempts": attempts });
    assert_eq!(
        text(&told),
        "model m: about 1 tokens of prompt

route m, by prefix
  1.  a  unproven                               expected 0.69 ms
  2.  b  least busy
  3.  c  spread, though resting for 20 ms more

calls
  1.  a  first  at 0 ms  took 1 ms  a fault of the caller: 400
  2.  a  first  at 0 ms  took 1 ms  timeout by the upstream: 400
"
    );
}
